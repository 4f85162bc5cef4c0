"""From an entry code to a body on the floor: codes, scans, holds and binding."""

from __future__ import annotations

import hashlib
import math

from contracts.geometry import Gate
from hub.commands import OpenVisit, RenewCode, Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError, UnknownVisitError
from hub.state import HubState
from hub.visits.floor import Track
from hub.visits.gates import centre, inside
from hub.visits.leaving import follow
from hub.visits.model import Visit
from hub.wallet.gateway import GatewayRequest

__all__ = ["bind_waiting", "expire_codes", "hold_answered", "open_visit", "renew_code", "scanned"]


def open_visit(state: HubState, command: OpenVisit) -> Reply:
    """Gives a phone a visit with an entry code. The visit's id is made of the code."""
    if command.token_sha256 in state.by_token or command.code in state.by_code:
        raise ConflictError("expected a new token and a new code, got one that is in use")
    open_now = len(state.open_visits())
    if open_now >= state.rules.visits_open_max:
        raise RejectedError(
            f"expected fewer than {state.rules.visits_open_max} open visits, got {open_now}; "
            "try again later"
        )
    visit_id = "v-" + hashlib.sha256(command.code.encode()).hexdigest()[:20]
    if visit_id in state.visits:
        raise ConflictError("expected a code that was never used")
    visit = Visit(
        visit_id=visit_id,
        payer=command.payer or f"guest-{visit_id}",
        token_sha256=command.token_sha256,
        code=command.code,
        code_expires_s=state.now_s + state.rules.code_ttl_s,
        opened_s=state.now_s,
    )
    state.admit_visit(visit)
    state.by_token[command.token_sha256] = visit_id
    state.by_code[command.code] = visit_id
    state.event("visit.opened", visit_id, payer=visit.payer)
    return Reply(visit_id=visit_id)


def renew_code(state: HubState, command: RenewCode) -> Reply:
    """A new code for a visit that has not begun."""
    visit = state.visits.get(state.by_token.get(command.token_sha256, ""))
    if visit is None:
        raise UnknownVisitError("expected the token of a visit, got one that is unknown")
    if visit.stage not in ("issued", "expired"):
        raise ConflictError(f"expected a visit before its gate, this one is {visit.stage}")
    if command.code in state.by_code:
        raise ConflictError("expected a new code, got one that is in use")
    state.by_code.pop(visit.code, None)
    visit.code = command.code
    visit.code_expires_s = state.now_s + state.rules.code_ttl_s
    visit.stage = "issued"
    state.admit_visit(visit)
    state.by_code[command.code] = visit.visit_id
    state.event("visit.code_renewed", visit.visit_id)
    return Reply(visit_id=visit.visit_id)


def expire_codes(state: HubState) -> None:
    """Codes nobody scanned. Late news of a scan is waited for before the visit is given up."""
    for visit in state.open_visits():
        if (
            visit.stage == "issued"
            and state.now_s > visit.code_expires_s + state.rules.code_linger_s
        ):
            visit.stage = "expired"
            state.by_code.pop(visit.code, None)
            state.event("visit.expired", visit.visit_id)


def scanned(state: HubState, gate_id: str, code: str, t_s: float, sd_s: float) -> None:
    """A code was read at a gate: if it is good, a hold is asked for and the entry waits for it."""
    gate = next((gate for gate in state.store.gates if gate.gate_id == gate_id), None)
    visit = state.visits.get(state.by_code.get(code, ""))
    if gate is None or gate.kind != "entry":
        refusal = "not an entry gate"
    elif visit is None:
        refusal = "code unknown or used before"
    elif t_s > visit.code_expires_s + 3 * sd_s:
        refusal = "code expired"
    else:
        refusal = ""
    if refusal or visit is None:
        state.count("entries_refused")
        # The code itself is a secret and stays out of the log.
        state.event("entry.refused", None, gate_id=gate_id, reason=refusal)
        return
    del state.by_code[code]
    visit.stage = "entering"
    visit.gate_id = gate_id
    visit.scanned_s = t_s
    account = state.wallets.ask_hold(visit.visit_id, visit.payer, state.store.wallet.hold_minor)
    state.event("entry.scanned", visit.visit_id, gate_id=gate_id, t_us=us(t_s))
    state.ask(
        visit.visit_id,
        GatewayRequest(
            key=account.hold_id,
            kind="hold",
            hold_key=account.hold_id,
            payer=visit.payer,
            amount_minor=account.hold_minor,
            currency=state.store.currency,
        ),
    )


def hold_answered(state: HubState, visit: Visit, *, approved: bool, reason: str) -> None:
    """The gateway's word at the gate: in, or not."""
    if approved:
        state.effects.transactions.append(
            state.wallets.place_hold(visit.visit_id, at_us=us(state.now_s))
        )
        visit.stage = "binding"
        state.event(
            "hold.placed",
            visit.visit_id,
            amount_minor=state.wallets.account(visit.visit_id).hold_minor,
        )
        bind_waiting(state)
        return
    state.wallets.refuse_hold(visit.visit_id)
    visit.stage = "refused"
    visit.refusal = reason
    track = state.floor.tracks.get(visit.track_id or "")
    if track is not None:
        track.visit_id = None
    state.count("entries_refused")
    state.event("entry.refused", visit.visit_id, gate_id=visit.gate_id, reason=reason)


def bind_waiting(state: HubState) -> None:
    """Gives each scanned visit the body that stood in the gate's zone, in the order of scans.

    A visit whose hold is not answered yet keeps its body reserved, so that the next shopper is
    not taken for it.
    """
    waiting = sorted(
        _scanned(state),
        key=lambda v: (v.scanned_s or 0.0, v.visit_id),
    )
    for visit in waiting:
        if visit.track_id is None:
            _claim(state, visit)
        if visit.stage != "binding":
            continue
        if visit.track_id is not None:
            _bind(state, visit)
        elif _waited_long(state, visit):
            if _claim_late(state, visit):
                _bind(state, visit)
            else:
                _enter_unseen(state, visit)


def _claim(state: HubState, visit: Visit) -> None:
    gate = next(gate for gate in state.store.gates if gate.gate_id == visit.gate_id)
    scanned_s = visit.scanned_s or 0.0
    free = [track for track in state.floor.tracks.values() if track.visit_id is None]
    if state.floor.time_s < scanned_s:
        return
    here = [
        (math.dist(point, centre(gate.zone_m)), track.track_id, track)
        for track in free
        if (point := track.at(scanned_s, slack_s=state.rules.bind_reach_s)) is not None
        and inside(point, gate.zone_m)
    ]
    found = min(here)[2] if here else _first_after(state, gate, free, scanned_s)
    if found is not None:
        _give(visit, found)


def _give(visit: Visit, track: Track) -> None:
    track.visit_id = visit.visit_id
    visit.track_id = track.track_id
    visit.tracks.append(track.track_id)


def _claim_late(state: HubState, visit: Visit) -> bool:
    """Nobody was seen in the zone: the one free body that came from there, if it is only one."""
    gate = next(gate for gate in state.store.gates if gate.gate_id == visit.gate_id)
    scanned_s = visit.scanned_s or 0.0
    rules = state.rules
    found = []
    for track in state.floor.tracks.values():
        late_s = track.born_s - scanned_s
        if track.visit_id is None and track.points and 0.0 <= late_s <= rules.bind_wait_s:
            far_m = math.dist(track.points[0][1:], centre(gate.zone_m))
            reach_m = rules.relink_slack_m + rules.relink_speed_m_s * late_s
            if far_m <= min(reach_m, rules.relink_m_max):
                found.append(track)
    others = any(v is not visit and v.track_id is None for v in _scanned(state))
    if len(found) != 1 or others:
        return False
    _give(visit, found[0])
    return True


def _scanned(state: HubState) -> list[Visit]:
    return [visit for visit in state.open_visits() if visit.stage in ("entering", "binding")]


def _first_after(state: HubState, gate: Gate, free: list[Track], scanned_s: float) -> Track | None:
    """The free track that was in the zone soonest after the scan."""
    best: tuple[float, str, Track] | None = None
    for track in free:
        for t_s, x_m, y_m in track.points:
            late_s = t_s - scanned_s
            if -state.rules.bind_reach_s <= late_s <= state.rules.bind_wait_s and inside(
                (x_m, y_m), gate.zone_m
            ):
                candidate = (abs(late_s), track.track_id, track)
                best = candidate if best is None else min(best, candidate)
    return None if best is None else best[2]


def _bind(state: HubState, visit: Visit) -> None:
    track = state.floor.tracks.get(visit.track_id or "")
    scanned_s = visit.scanned_s or 0.0
    visit.stage = "shopping"
    state.attributor.bind(visit_id=visit.visit_id, track_id=visit.track_id or "", t_s=scanned_s)
    state.event("visit.bound", visit.visit_id, track_id=visit.track_id, t_us=us(scanned_s))
    if track is not None:
        # The gateway may have taken so long that the shopper has walked on, or even left.
        follow(state, track, sum(t_s > scanned_s for t_s, _x, _y in track.points))


def _waited_long(state: HubState, visit: Visit) -> bool:
    scanned_s = visit.scanned_s or 0.0
    return (
        state.floor.time_s > scanned_s + state.rules.bind_wait_s
        or state.now_s > scanned_s + state.rules.stall_s
    )


def _enter_unseen(state: HubState, visit: Visit) -> None:
    """No body was found: the visit cannot be followed, ends here and charges nothing."""
    visit.stage = "left"
    visit.lost = True
    visit.exited_s = visit.scanned_s
    visit.exit_kind = "unseen"
    visit.grace_until_s = state.now_s + state.rules.grace_s
    visit.mark_review("no body was seen at the gate")
    state.event("visit.lost", visit.visit_id, reason="no body was seen at the gate")
