"""What staff do for people: let them in, say whose a body is, end visits, take payment.

Who is let in without a phone or a card pays at the desk: the payer is "counter:" and the visit's
id, no hold is taken, and what the visit comes to is a debt until it is paid there.
"""

from __future__ import annotations

from hub.commands import Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError
from hub.levels import AT_GATE_LEVEL, DESK_DEBT_LEVEL
from hub.state import HubState
from hub.visits.atgate import check_watched
from hub.visits.commands import (
    ENTRIES_MAX,
    AssignTrack,
    EndVisit,
    LetIn,
    OpenForTrack,
    SettleAtDesk,
)
from hub.visits.entry import admit_new, bind_now, bind_waiting, give
from hub.visits.floor import Track
from hub.visits.gates import entry_at
from hub.visits.leaving import leave
from hub.visits.model import Companion, Visit
from hub.visits.scans import is_entry
from hub.wallet.funding import note

__all__ = ["assign_track", "end_visit", "let_in", "open_for_track", "settle_at_desk"]

COUNTER_PREFIX, HELPER_PREFIX = "counter:", "helper:"


def let_in(state: HubState, command: LetIn) -> Reply:
    """Somebody who stands at a gate comes in on the word of staff."""
    if not is_entry(state, command.gate_id):
        raise RejectedError(f"expected an entry gate of the store, got {command.gate_id}")
    check_watched(state)
    visit = _opened(state, command, command.gate_id, state.now_s)
    bind_waiting(state)
    return Reply(visit_id=visit.visit_id)


def open_for_track(state: HubState, command: OpenForTrack) -> Reply:
    """A body that came in without a visit gets one, from when it was first seen."""
    track = _free(state, command.track_id)
    gate_id = state.tagged.get(track.track_id, (None, 0.0))[0]
    visit = _opened(state, command, gate_id, track.born_s)
    give(visit, visit, track)
    bind_now(state, visit, visit)
    return Reply(visit_id=visit.visit_id)


def assign_track(state: HubState, command: AssignTrack) -> Reply:
    """A body joins a visit, from when it was first seen: what it took is the visit's."""
    visit = state.visit(command.visit_id)
    track = state.floor.tracks.get(command.track_id)
    if track is not None and track.visit_id == visit.visit_id:
        return Reply(visit_id=visit.visit_id, repeated=True)
    if visit.stage != "shopping":
        raise ConflictError(f"expected a visit that is in the store, this one is {visit.stage}")
    track = _free(state, command.track_id)
    if len(visit.companions) + 1 >= ENTRIES_MAX:
        raise ConflictError(f"expected at most {ENTRIES_MAX} people on one visit")
    gate_id = state.tagged.get(track.track_id, (None, 0.0))[0]
    body = Companion(gate_id, track.born_s)
    visit.companions.append(body)
    give(visit, body, track)
    state.event("visit.track_assigned", visit.visit_id, track_id=track.track_id, by=command.by)
    bind_now(state, visit, body)
    return Reply(visit_id=visit.visit_id)


def end_visit(state: HubState, command: EndVisit) -> Reply:
    """All bodies of a visit have left by a way that no gate sees."""
    visit = state.visit(command.visit_id)
    if visit.stage in ("left", "final"):
        return Reply(visit_id=visit.visit_id, repeated=True)
    if visit.stage != "shopping":
        raise ConflictError(f"expected a visit that is in the store, this one is {visit.stage}")
    for body in visit.inside() if visit.companions else ():
        body.gone_s = state.now_s
    state.event("visit.ended_by_staff", visit.visit_id, by=command.by, reason=command.reason)
    leave(state, visit, t_s=state.now_s, kind="by_staff")
    return Reply(visit_id=visit.visit_id)


def settle_at_desk(state: HubState, command: SettleAtDesk) -> Reply:
    """A visit's debt is paid at the desk, all of it or a part."""
    visit = state.visit(command.visit_id)
    wanted = f"{command.method}:{command.amount_minor}"
    known = visit.desk_payments.get(command.payment_id)
    if known is not None:
        if known != wanted:
            raise ConflictError(f"payment {command.payment_id} was made before as {known}")
        return Reply(visit_id=visit.visit_id, amount_minor=command.amount_minor, repeated=True)
    if visit.stage != "final":
        raise RejectedError(f"expected a settled visit, this one is {visit.stage}")
    transaction = state.wallets.paid_at_desk(
        visit.visit_id,
        number=len(visit.desk_payments) + 1,
        method=command.method,
        amount_minor=command.amount_minor,
        at_us=us(state.now_s),
    )
    state.effects.transactions.append(transaction)
    visit.desk_payments[command.payment_id] = wanted
    if state.level >= DESK_DEBT_LEVEL:
        note(state, visit.visit_id)
    state.event(
        "debt.paid_at_desk",
        visit.visit_id,
        payment_id=command.payment_id,
        method=command.method,
        amount_minor=command.amount_minor,
        by=command.by,
    )
    return Reply(visit_id=visit.visit_id, amount_minor=command.amount_minor)


def _opened(
    state: HubState, command: LetIn | OpenForTrack, gate_id: str | None, since_s: float
) -> Visit:
    """A visit that staff open: its body comes from a gate, or is on the floor."""
    visit_id = "v-" + command.visit_key
    staff = command.who == "staff"
    visit = Visit(
        visit_id=visit_id,
        payer=(HELPER_PREFIX if staff else COUNTER_PREFIX) + visit_id,
        token_sha256=command.token_sha256,
        code="",
        code_expires_s=state.now_s,
        opened_s=state.now_s,
        stage="binding",
        gate_id=gate_id,
        scanned_s=since_s,
        kind=command.who,
        channel="desk",
        entered=1,
    )
    admit_new(state, visit)
    if not staff:
        state.wallets.open_counter(visit_id, visit.payer)
    state.event("visit.opened", visit_id, payer=visit.payer)
    state.event(
        "visit.let_in",
        visit_id,
        gate_id=gate_id,
        who=command.who,
        by=command.by,
        reason=command.reason,
    )
    return visit


def _free(state: HubState, track_id: str) -> Track:
    track = state.floor.tracks.get(track_id)
    if track is None or track.lost_s is not None:
        raise RejectedError(f"expected a body that is on the floor now, got {track_id}")
    if track.visit_id is not None:
        raise ConflictError(f"expected a body without a visit, {track_id} has one")
    if state.level >= AT_GATE_LEVEL and track.last is not None:
        gate_id = entry_at(state.store, track.last[1:])
        if gate_id:
            # Whose code the hub has not heard of yet would then be the next one's.
            raise RejectedError(
                f"expected a body that has left the gate, {track_id} stands at {gate_id}: "
                "what it showed there may be on its way; let it in there, or wait a moment"
            )
    return track
