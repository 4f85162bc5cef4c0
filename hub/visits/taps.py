"""A card held to a gate's terminal opens a visit that the card pays; no phone is needed.

The terminal gives an opaque token, which the payment gateway understands; a card's number never
comes here. The same card again soon at the same gate is the same tap. Later it lets one more person
in on the same payer, or is refused: a setting says which. Who taps must be seen at the gate
(hub.visits.atgate); who is not is asked to tap again.
"""

from __future__ import annotations

from hub.commands import Reply
from hub.errors import ConflictError, RejectedError
from hub.levels import AT_GATE_LEVEL
from hub.state import HubState
from hub.visits.atgate import check_watched
from hub.visits.commands import ENTRIES_MAX, TapCard
from hub.visits.entry import admit_new, ask_hold, bind_waiting, enter_more
from hub.visits.model import Visit
from hub.visits.scans import is_entry

__all__ = ["CARD_PREFIX", "tap_card"]

CARD_PREFIX = "card:"


def tap_card(state: HubState, command: TapCard) -> Reply:
    """Opens a visit, or lets one more person in on it."""
    if not is_entry(state, command.gate_id):
        raise RejectedError(f"expected an entry gate of the store, got {command.gate_id}")
    payer = CARD_PREFIX + command.card
    known = next(
        (v for v in state.visits.values() if v.payer == payer and command.tap_id in v.taps), None
    )
    if known is not None:
        return Reply(visit_id=known.visit_id, repeated=True)
    visit = next((v for v in state.open_visits() if v.payer == payer and v.stage != "left"), None)
    if visit is None:
        check_watched(state)
        return _open(state, command, payer)
    last = list(visit.bodies())[-1]
    again_s = state.now_s - (last.scanned_s or 0.0)
    if last.gate_id == command.gate_id and again_s <= state.rules.card_again_s:
        state.count("taps_repeated")
        if state.level >= AT_GATE_LEVEL:
            # Who asks again how this one stands is no one more.
            visit.taps.append(command.tap_id)
        return Reply(visit_id=visit.visit_id, repeated=True)
    if not state.rules.card_groups:
        raise ConflictError("expected a card that is not inside, this one is; use another card")
    if len(visit.companions) + 1 >= ENTRIES_MAX:
        raise ConflictError(f"expected at most {ENTRIES_MAX} people on one card")
    check_watched(state)
    visit.entries = visit.entered = visit.entered + 1
    visit.taps.append(command.tap_id)
    enter_more(state, visit, command.gate_id, state.now_s)
    bind_waiting(state)
    return Reply(visit_id=visit.visit_id)


def _open(state: HubState, command: TapCard, payer: str) -> Reply:
    visit = Visit(
        visit_id="v-" + command.visit_key,
        payer=payer,
        token_sha256=command.token_sha256,
        code="",
        code_expires_s=state.now_s,
        opened_s=state.now_s,
        channel="card",
        entered=1,
        taps=[command.tap_id],
    )
    admit_new(state, visit)
    state.event("visit.opened", visit.visit_id, payer=payer)
    ask_hold(state, visit, command.gate_id, state.now_s)
    return Reply(visit_id=visit.visit_id)
