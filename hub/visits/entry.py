"""From an entry to a body on the floor: opened visits, holds and binding.

A visit's first body is the visit itself; who comes in on the same payer afterwards is a companion
(hub.visits.model) and is bound in the same way.
"""

from __future__ import annotations

import hashlib
import math

from contracts.geometry import Gate
from hub.commands import OpenVisit, RenewCode, Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError
from hub.levels import AT_GATE_LEVEL, NAMED_LATE_LEVEL
from hub.state import HubState
from hub.visits.atgate import TAP_AGAIN, came_later, given_up, stood_there
from hub.visits.codes import code_digest
from hub.visits.commands import GrowGroup
from hub.visits.floor import Track
from hub.visits.gates import centre, inside
from hub.visits.leaving import follow, last_gone, leave
from hub.visits.model import Body, Companion, Visit
from hub.wallet import funding
from hub.wallet.balances import payer_for

__all__ = [
    "admit_new",
    "ask_hold",
    "bind_now",
    "bind_waiting",
    "enter_more",
    "expire_codes",
    "give",
    "grow_group",
    "hold_answered",
    "open_visit",
    "renew_code",
    "waiting_bodies",
]


def open_visit(state: HubState, command: OpenVisit) -> Reply:
    """Gives a phone a visit with an entry code, or with signed codes."""
    code = command.code or ""
    if command.token_sha256 in state.by_token or (code and code_digest(code) in state.by_code):
        raise ConflictError("expected a new token and a new code, got one that is in use")
    visit_key = command.visit_key or hashlib.sha256(code.encode()).hexdigest()[:20]
    visit_id = "v-" + visit_key
    payer = payer_for(state, command.payer, command.wallet_sha256)
    visit = Visit(
        visit_id=visit_id,
        payer=payer or f"guest-{visit_id}",
        token_sha256=command.token_sha256,
        code=code,
        code_expires_s=state.now_s + _lasts_s(state, code),
        opened_s=state.now_s,
        entries=command.entries,
    )
    admit_new(state, visit)
    if code:
        state.by_code[code_digest(code)] = visit_id
    state.event("visit.opened", visit_id, payer=visit.payer)
    return Reply(visit_id=visit_id)


def admit_new(state: HubState, visit: Visit) -> None:
    """Takes a new visit in, if there is room; RejectedError, and nothing changed, if not."""
    open_now = len(state.open_visits())
    if open_now >= state.rules.visits_open_max:
        raise RejectedError(
            f"expected fewer than {state.rules.visits_open_max} open visits, got {open_now}; "
            "try again later"
        )
    if visit.visit_id in state.visits:
        raise ConflictError("expected a code that was never used")
    if visit.token_sha256 in state.by_token:
        raise ConflictError("expected a new token, got one that is in use")
    state.admit_visit(visit)
    state.by_token[visit.token_sha256] = visit.visit_id


def renew_code(state: HubState, command: RenewCode) -> Reply:
    """A new code, or more time for signed ones, for a visit that has not begun."""
    visit = state.visit_by_token(command.token_sha256)
    if visit.stage not in ("issued", "expired"):
        raise ConflictError(f"expected a visit before its gate, this one is {visit.stage}")
    code = command.code or ""
    if visit.signed == bool(code):
        raise RejectedError("expected a new code for a visit that has one, and else none")
    if code:
        if code_digest(code) in state.by_code:
            raise ConflictError("expected a new code, got one that is in use")
        state.by_code.pop(code_digest(visit.code), None)
        state.by_code[code_digest(code)] = visit.visit_id
    visit.code = code
    visit.code_expires_s = state.now_s + _lasts_s(state, code)
    visit.stage = "issued"
    state.admit_visit(visit)
    state.event("visit.code_renewed", visit.visit_id)
    return Reply(visit_id=visit.visit_id)


def grow_group(state: HubState, command: GrowGroup) -> Reply:
    """So many people may come in on one payer, one after another."""
    visit = state.visit_by_token(command.token_sha256)
    if not visit.signed or visit.stage not in ("issued", "entering", "binding", "shopping"):
        raise ConflictError(f"expected a phone's visit that is not over, this one is {visit.stage}")
    if command.entries < max(1, visit.entered):
        raise RejectedError(
            f"expected at least {max(1, visit.entered)} people, who are in, got {command.entries}"
        )
    if command.entries != visit.entries:
        visit.entries = command.entries
        state.event("visit.group_sized", visit.visit_id, entries=command.entries)
    return Reply(visit_id=visit.visit_id)


def _lasts_s(state: HubState, code: str) -> float:
    return state.rules.code_ttl_s if code else state.rules.reserve_s


def expire_codes(state: HubState) -> None:
    """Codes nobody scanned. Late news of a scan is waited for before the visit is given up."""
    for visit in state.open_visits():
        if (
            visit.stage == "issued"
            and state.now_s > visit.code_expires_s + state.rules.code_linger_s
        ):
            visit.stage = "expired"
            state.by_code.pop(code_digest(visit.code), None)
            state.event("visit.expired", visit.visit_id)


def ask_hold(state: HubState, visit: Visit, gate_id: str, t_s: float) -> None:
    """The first body of a visit is at the gate: the gateway is asked, and the entry waits.

    For a card that was tapped nothing is held before its body was seen at the gate.
    """
    visit.stage = "entering"
    state.coming[visit.visit_id] = visit
    visit.gate_id = gate_id
    visit.scanned_s = t_s
    state.event("entry.scanned", visit.visit_id, gate_id=gate_id, t_us=us(t_s))
    if _must_be_seen(state, visit, visit) or _reserve(state, visit):
        bind_waiting(state)


def _reserve(state: HubState, visit: Visit) -> bool:
    """Asks the payer's sources; whether they are ready at once."""
    answer, reason = funding.reserve(state, visit)
    if answer == "ready":
        _held(state, visit)
    elif answer == "refused":
        _turn_away(state, visit, reason)
    return answer == "ready"


def enter_more(
    state: HubState, visit: Visit, gate_id: str, t_s: float, *, undated: str | None = None
) -> None:
    """One more person comes in on the same payer and the same hold."""
    visit.refusal = ""
    visit.companions.append(Companion(gate_id, t_s, undated=undated))
    state.coming[visit.visit_id] = visit
    state.event(
        "entry.joined",
        visit.visit_id,
        gate_id=gate_id,
        t_us=us(t_s),
        member=len(visit.companions) + 1,
    )


def hold_answered(state: HubState, visit: Visit, *, approved: bool, reason: str) -> None:
    """The gateway's word at the gate: in, or not."""
    if approved:
        state.effects.transactions.append(
            state.wallets.place_hold(visit.visit_id, at_us=us(state.now_s))
        )
        _held(state, visit)
        bind_waiting(state)
        return
    state.wallets.refuse_hold(visit.visit_id)
    funding.release(state, visit)
    _turn_away(state, visit, reason)


def _held(state: HubState, visit: Visit) -> None:
    visit.stage = "binding"
    funding.told_held(state, visit)


def _turn_away(state: HubState, visit: Visit, reason: str) -> None:
    visit.stage = "refused"
    visit.refusal = reason
    for body in visit.bodies():
        track = state.floor.tracks.get(body.track_id or "")
        if track is not None:
            track.visit_id = None
    state.count("entries_refused")
    state.event("entry.refused", visit.visit_id, gate_id=visit.gate_id, reason=reason)


def bind_waiting(state: HubState) -> None:
    """Gives each body that came in the track that stood in the gate's zone, in the order of scans.

    A visit whose hold is not answered yet keeps its bodies reserved, so that the next shopper is
    not taken for one of them.
    """
    for visit, body in waiting_bodies(state):
        must_be_seen = _must_be_seen(state, visit, body)
        if must_be_seen:
            _claim_seen(state, visit, body)
        elif body.track_id is None:
            _claim(state, body, visit)
        if visit.stage not in ("binding", "shopping"):
            continue
        if body.track_id is not None:
            bind_now(state, visit, body)
        elif not must_be_seen and _waited_long(state, body):
            if _claim_late(state, visit, body):
                bind_now(state, visit, body)
            else:
                _enter_unseen(state, visit, body)


def waiting_bodies(state: HubState) -> list[tuple[Visit, Body]]:
    """Bodies that were let in and are not bound to a track yet, in the order of their scans."""
    waiting: list[tuple[Visit, Body]] = []
    for visit in list(state.coming.values()):
        known = len(waiting)
        if visit.stage in ("entering", "binding"):
            waiting.append((visit, visit))
        if visit.companions and visit.stage in ("entering", "binding", "shopping"):
            waiting.extend(
                (visit, body) for body in visit.companions if not body.bound and body.gone_s is None
            )
        if len(waiting) == known:
            del state.coming[visit.visit_id]
    return sorted(waiting, key=lambda row: (row[1].scanned_s or 0.0, row[0].visit_id))


def _must_be_seen(state: HubState, visit: Visit, body: Body) -> bool:
    """Whether a body was let in at a gate by a tap or by staff and is not known yet. A card whose
    hold was asked for before anybody was seen began under the rules of before."""
    if state.level < AT_GATE_LEVEL or body.track_id is not None:
        return False
    if visit.channel == "card":
        return body is not visit or visit.visit_id not in state.wallets.accounts
    return visit.channel == "desk"


def _claim_seen(state: HubState, visit: Visit, body: Body) -> None:
    """Who stood at the gate is this body; for the first one of a card a hold is asked for now."""
    tapped_s = body.scanned_s or 0.0
    track = stood_there(state, _gate_of(state, body), tapped_s)
    if track is not None:
        give(visit, body, track)
        if visit.stage == "entering" and body is visit:
            _reserve(state, visit)
    elif given_up(state, tapped_s):
        _tap_again(state, visit, body)


def _tap_again(state: HubState, visit: Visit, body: Body) -> None:
    """Nobody was seen: the gate stays shut for this body, and who is inside stays so."""
    if not isinstance(body, Companion):
        _turn_away(state, visit, TAP_AGAIN)
        return
    visit.companions.remove(body)
    visit.entered -= 1
    visit.entries -= 1
    visit.refusal = TAP_AGAIN
    state.count("entries_refused")
    state.event("entry.refused", visit.visit_id, gate_id=body.gate_id, reason=TAP_AGAIN)
    if not visit.inside():
        # All others have left while this one was waited for.
        gone_s = max(other.gone_s or 0.0 for other in visit.bodies())
        leave(state, visit, t_s=gone_s, kind="lost" if visit.lost else "exit")


def _gate_of(state: HubState, body: Body) -> Gate:
    return next(gate for gate in state.store.gates if gate.gate_id == body.gate_id)


def _claim(state: HubState, body: Body, visit: Visit) -> None:
    gate = _gate_of(state, body)
    scanned_s = body.scanned_s or 0.0
    if state.floor.time_s < scanned_s:
        return
    free = [
        track
        for track in state.floor.tracks.values()
        if track.visit_id is None and track.undated == body.undated
    ]
    if state.level >= AT_GATE_LEVEL:
        free = [t for t in free if t.born_s <= scanned_s or t.watched(scanned_s)]
    here = [
        (math.dist(point, centre(gate.zone_m)), track.track_id, track)
        for track in free
        if (point := track.at(scanned_s, slack_s=state.rules.bind_reach_s)) is not None
        and inside(point, gate.zone_m)
    ]
    found = min(here)[2] if here else _first_after(state, gate, free, scanned_s)
    if found is not None:
        give(visit, body, found)


def give(visit: Visit, body: Body, track: Track) -> None:
    """The track is this body of the visit."""
    track.visit_id = visit.visit_id
    body.track_id = track.track_id
    visit.tracks.append(track.track_id)


def _claim_late(state: HubState, visit: Visit, body: Body) -> bool:
    """Nobody was seen in the zone: the one free body that came from there, if it is only one."""
    gate = _gate_of(state, body)
    scanned_s = body.scanned_s or 0.0
    rules = state.rules
    found = []
    for track in state.floor.tracks.values():
        late_s = track.born_s - scanned_s
        if track.visit_id is not None or not track.points or came_later(state, track, scanned_s):
            continue
        if track.undated != body.undated:
            continue
        if 0.0 <= late_s <= rules.bind_wait_s:
            far_m = math.dist(track.points[0][1:], centre(gate.zone_m))
            reach_m = rules.relink_slack_m + rules.relink_speed_m_s * late_s
            if far_m <= min(reach_m, rules.relink_m_max):
                found.append(track)
    others = any(b is not body and b.track_id is None for _v, b in waiting_bodies(state))
    if len(found) != 1 or others:
        return False
    give(visit, body, found[0])
    return True


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


def bind_now(state: HubState, visit: Visit, body: Body) -> None:
    """From its scan on the body's track is the visit's."""
    track = state.floor.tracks.get(body.track_id or "")
    scanned_s = body.scanned_s or 0.0
    if isinstance(body, Companion):
        body.bound = True
    else:
        visit.stage = "shopping"
    _bind_track(state, visit, body, track, scanned_s)
    state.event(
        "visit.bound",
        visit.visit_id,
        track_id=body.track_id,
        t_us=us(scanned_s),
        member=1 + next(n for n, other in enumerate(visit.bodies()) if other is body),
    )
    if track is not None:
        # The gateway may have taken so long that the shopper has walked on, or even left.
        follow(state, track, sum(t_s > scanned_s for t_s, _x, _y in track.points))


def _bind_track(
    state: HubState, visit: Visit, body: Body, track: Track | None, scanned_s: float
) -> None:
    """From its scan on a body's track is the visit's, and so are those that it continues: the
    floor may have lost the body while the gateway was asked."""
    chain = [] if track is None else [track]
    while state.level >= NAMED_LATE_LEVEL and chain:
        before = state.floor.tracks.get(chain[0].follows or "")
        if before is None or before in chain:
            break
        chain.insert(0, before)
    if len(chain) < 2:
        state.attributor.bind(visit_id=visit.visit_id, track_id=body.track_id or "", t_s=scanned_s)
        return
    for part in chain:
        begin_s = scanned_s if part is chain[0] else part.born_s
        state.attributor.bind(visit_id=visit.visit_id, track_id=part.track_id, t_s=begin_s)
    for part in chain[:-1]:
        for point in part.points:
            if point[0] > scanned_s:
                visit.step(point, body)


def _waited_long(state: HubState, body: Body) -> bool:
    scanned_s = body.scanned_s or 0.0
    return (
        state.floor.time_s > scanned_s + state.rules.bind_wait_s
        or state.now_s > scanned_s + state.rules.stall_s
    )


def _enter_unseen(state: HubState, visit: Visit, body: Body) -> None:
    """No body was found: it cannot be followed. A visit without any ends and charges nothing."""
    visit.mark_review("no body was seen at the gate")
    others = [other for other in visit.inside() if other is not body]
    if others:
        body.gone_s = body.scanned_s
        visit.lost = True
        if body is visit:
            visit.stage = "shopping"
        state.event("visit.member_lost", visit.visit_id, reason="no body was seen at the gate")
        return
    if visit.companions and visit.stage == "shopping":
        gone_s = last_gone(visit, body, body.scanned_s or 0.0)
        leave(state, visit, t_s=gone_s, kind="lost")
        return
    visit.stage = "left"
    visit.lost = True
    visit.exited_s = visit.scanned_s
    visit.exit_kind = "unseen"
    visit.grace_until_s = state.now_s + state.rules.grace_s
    state.event("visit.lost", visit.visit_id, reason="no body was seen at the gate")
