"""While a visit walks: its positions, re-links of lost tracks, and all the ways it ends."""

from __future__ import annotations

import math

from contracts.geometry import Gate
from hub.commands import Reply, Resume
from hub.effects import us
from hub.levels import (
    ENDED_RIVAL_LEVEL,
    NOBODYS_RIVAL_LEVEL,
    TOLD_END_LEVEL,
    WHOSE_EXIT_LEVEL,
)
from hub.state import HubState
from hub.visits.floor import Track
from hub.visits.gates import inside
from hub.visits.marks import free_mark
from hub.visits.model import Body, Companion, Visit

__all__ = ["body_left", "follow", "last_gone", "leave", "link", "resume", "watch_lost"]

RELINK_MARGIN_M = 1.0
"""A body found again must be nearer than the next candidate by so much, or by what can be walked
in the time between."""
RIVAL_S = 1.0
"""Who was seen for less and is gone again was a shadow, not somebody."""
UNWATCHED_S_MAX = 1.0
"""After a longer stop of the floor's node somebody may have left, and another come, unseen: only
the node itself, which remembers how people look, can say that it is the same one."""


def link(state: HubState, track: Track, linked_from: str) -> None:
    """The floor says this track continues another: the visit comes along."""
    before = state.floor.tracks.get(linked_from)
    if track.linked:
        return
    track.linked = True
    if linked_from in state.tagged and track.visit_id is None:
        state.tagged[track.track_id] = state.tagged.pop(linked_from)
    if before is None or before.visit_id is None or track.visit_id is not None:
        return
    _move(state, before, track, "the floor linked it")


def follow(state: HubState, track: Track, fresh: int) -> None:
    """Takes a bound track's new positions; leaving over an exit line ends the visit."""
    visit = state.visits.get(track.visit_id or "")
    if visit is None:
        return
    if state.level >= TOLD_END_LEVEL and visit.exit_kind == "by_staff":
        _walked_before_end(visit, track, fresh)
    if visit.stage != "shopping":
        return
    body: Body = visit
    known = True
    if visit.companions:
        own = visit.body_of(track.track_id)
        body = own or visit
        # On a track of before one of them is seen, and nobody knows who.
        known = own is not None or state.level < WHOSE_EXIT_LEVEL
    if body.gone_s is not None:
        return
    kept = track.points
    # From the end: a track keeps hundreds of points, and news is of one or two.
    for k in range(-min(fresh, len(kept) - 1), 0):
        start, end = kept[k - 1], kept[k]
        visit.step(end, body)
        here = end[1:]
        for gate in state.exits if known else ():
            share = gate.crossing(start[1:], here)
            if share is not None:
                t_s = start[0] + share * (end[0] - start[0])
                body_left(state, visit, body, t_s=t_s, kind="exit", gate_id=gate.gate_id)
                return


def _walked_before_end(visit: Visit, track: Track, fresh: int) -> None:
    """Late news of where a body was before staff ended its visit."""
    if visit.stage != "left" or visit.awaited is not None:
        return
    for point in list(track.points)[-fresh:]:
        if point[0] <= (visit.exited_s or 0.0):
            visit.step(point, visit.body_of(track.track_id) or visit)


def watch_lost(state: HubState) -> None:
    """Visits whose body is out of sight: an exit, found again, or lost for good."""
    for visit in state.open_visits():
        if visit.stage != "shopping":
            continue
        longest_s = state.rules.visit_s_max if visit.kind == "shopper" else state.rules.staff_s_max
        if state.now_s - (visit.scanned_s or visit.opened_s) > longest_s:
            _lose_all(state, visit, state.now_s, "it lasted longer than a visit may")
            continue
        for body in visit.inside():
            if visit.stage != "shopping" or (isinstance(body, Companion) and not body.bound):
                continue
            track = state.floor.tracks.get(body.track_id or "")
            if track is None:
                _lose(state, visit, body, state.floor.time_s, "its track was forgotten")
            elif track.lost_s is not None:
                _out_of_sight(state, visit, body, track, track.lost_s)


def body_left(
    state: HubState,
    visit: Visit,
    body: Body,
    *,
    t_s: float,
    kind: str,
    gate_id: str | None = None,
) -> None:
    """One body of a visit has left; the last one ends the visit."""
    if any(other is not body for other in visit.inside()):
        body.gone_s = t_s
        state.event(
            "visit.member_left",
            visit.visit_id,
            track_id=body.track_id,
            how=kind,
            gate_id=gate_id,
            t_us=us(t_s),
        )
        return
    leave(state, visit, t_s=last_gone(visit, body, t_s), kind=kind, gate_id=gate_id)


def last_gone(visit: Visit, body: Body, t_s: float) -> float:
    """The last body that anybody waited for has left at `t_s`; when its visit ends. News come in
    any order: that is when the last one left, whoever was told of last."""
    if not visit.companions:
        return t_s
    body.gone_s = t_s
    return max(other.gone_s or 0.0 for other in visit.bodies())


def leave(
    state: HubState, visit: Visit, *, t_s: float, kind: str, gate_id: str | None = None
) -> None:
    """The visit is over at `t_s`; settlement waits for what is still on its way."""
    visit.stage = "left"
    visit.exited_s = t_s
    visit.exit_kind = kind
    visit.exit_gate_id = gate_id
    visit.mark = free_mark(state, visit)
    visit.grace_until_s = state.now_s + state.rules.grace_s
    state.attributor.end(visit_id=visit.visit_id, t_s=t_s)
    state.event("visit.exited", visit.visit_id, how=kind, gate_id=gate_id, t_us=us(t_s))


def resume(state: HubState, _command: Resume) -> Reply:
    """The hub was away; nodes kept what they saw meanwhile: graces begin anew."""
    for visit in state.open_visits():
        if visit.stage == "left":
            visit.grace_until_s = state.now_s + state.rules.grace_s
    for ask in state.asks.values():
        ask.next_try_s = state.now_s
    state.event("hub.resumed", None)
    return Reply()


def _out_of_sight(state: HubState, visit: Visit, body: Body, track: Track, lost_s: float) -> None:
    gone_s = max(
        state.floor.time_s - lost_s,
        state.now_s - lost_s - state.rules.stall_s,
    )
    last = track.last
    zones = (
        []
        if last is None
        else [gate for gate in state.store.gates if inside(last[1:], gate.zone_m)]
    )
    exits = [gate for gate in zones if gate.kind == "exit"]
    if exits and gone_s >= state.rules.exit_lost_wait_s:
        gate_id = exits[0].gate_id
        body_left(state, visit, body, t_s=lost_s, kind="lost_in_exit_zone", gate_id=gate_id)
        return
    if _find_again(state, visit, track, lost_s):
        return
    if gone_s < state.rules.lost_wait_s:
        return
    if zones and _walked_in(body, zones[0]):
        gate_id = zones[0].gate_id
        body_left(state, visit, body, t_s=lost_s, kind="left_by_entry", gate_id=gate_id)
    else:
        _lose(state, visit, body, lost_s, "its track was lost in the store")


def _walked_in(body: Body, gate: Gate) -> bool:
    """Whether the shopper was ever away from the gate: if not, sight was lost, not the shopper."""
    return any(not inside((x_m, y_m), gate.zone_m) for _t, x_m, y_m in body.trail)


def _lose(state: HubState, visit: Visit, body: Body, t_s: float, reason: str) -> None:
    """A body was lost for good; while others of its visit are inside, the visit goes on."""
    if not any(other is not body for other in visit.inside()):
        _lose_all(state, visit, last_gone(visit, body, t_s), reason)
        return
    body.gone_s = t_s
    visit.lost = True
    visit.mark_review(reason)
    state.count("members_lost")
    state.event("visit.member_lost", visit.visit_id, reason=reason)


def _lose_all(state: HubState, visit: Visit, t_s: float, reason: str) -> None:
    visit.lost = True
    visit.mark_review(reason)
    state.count("visits_lost")
    state.event("visit.lost", visit.visit_id, reason=reason)
    leave(state, visit, t_s=t_s, kind="lost")


def _find_again(state: HubState, visit: Visit, lost: Track, lost_s: float) -> bool:
    """A new body in mid-store that only this visit explains is this visit's.

    It must have begun away from every gate, within walking distance of where the visit was lost,
    and clearly nearer than any other lost visit and any other new body. Another new body counts
    even when it is gone again: it may have been the shopper, who left by the exit as somebody else.
    """
    last = lost.last
    if last is None:
        return False
    found = []
    for track in state.floor.tracks.values():
        if track.visit_id is not None or not track.points or track.undated != lost.undated:
            continue
        if track.lost_s is not None and track.lost_s - track.born_s < RIVAL_S:
            continue
        begin = track.points[0]
        if track.born_s < lost_s or any(
            inside(begin[1:], gate.zone_m) for gate in state.store.gates
        ):
            continue
        far_m = math.dist(begin[1:], last[1:])
        away_s = track.born_s - lost_s
        if lost.unwatched and away_s > UNWATCHED_S_MAX:
            continue
        reach_m = state.rules.relink_slack_m + state.rules.relink_speed_m_s * away_s
        if away_s <= state.rules.relink_wait_s and far_m <= min(reach_m, state.rules.relink_m_max):
            found.append((far_m, track.track_id, track))
    here = [row for row in found if row[2].lost_s is None]
    if not here:
        return False
    far_m, _, track = min(here)
    rivals = [row[0] for row in found if row[2] is not track]
    rivals += _other_lost(state, visit, lost, track)
    # Nearness says little of who it is once anybody could have walked as far.
    walked_m = state.rules.relink_speed_m_s * (track.born_s - lost_s)
    if rivals and min(rivals) < far_m + max(RELINK_MARGIN_M, walked_m):
        return False
    _move(state, lost, track, "nobody else can be there")
    return True


def _other_lost(state: HubState, visit: Visit, lost: Track, track: Track) -> list[float]:
    """How far from a new body the others were lost who could be it.

    Who was given up as lost is still somebody who stands in the store, settled or not; whom staff
    ended while out of sight did until then. When the floor's node stops, all are lost, those too
    that no visit is known of: their code may still be on its way.
    """
    since_s = track.born_s - state.rules.relink_wait_s
    distances = []
    if lost.unwatched and state.level >= NOBODYS_RIVAL_LEVEL:
        for free in state.floor.tracks.values():
            if free.visit_id is None and free.unwatched and free.last is not None:
                distances.append(math.dist(free.last[1:], track.points[0][1:]))
    for other in state.visits.values():
        given_up = other.exit_kind == "lost" and (other.exited_s or 0.0) >= since_s
        ended = (
            state.level >= ENDED_RIVAL_LEVEL
            and other.exit_kind == "by_staff"
            and (other.exited_s or 0.0) >= track.born_s
        )
        if other is visit or not (other.stage == "shopping" or given_up or ended):
            continue
        for body in other.bodies():
            theirs = state.floor.tracks.get(body.track_id or "")
            if ended and (theirs is None or (theirs.lost_s or track.born_s) >= track.born_s):
                continue
            if theirs is not None and theirs.lost_s is not None and theirs.last is not None:
                distances.append(math.dist(theirs.last[1:], track.points[0][1:]))
    return distances


def _move(state: HubState, before: Track, track: Track, why: str) -> None:
    visit = state.visits.get(before.visit_id or "")
    if visit is None or visit.stage not in ("entering", "binding", "shopping"):
        return
    body = visit.body_of(before.track_id) or visit
    track.visit_id = visit.visit_id
    body.track_id = track.track_id
    visit.tracks.append(track.track_id)
    if visit.stage != "shopping" or (isinstance(body, Companion) and not body.bound):
        track.follows = before.track_id
        return
    t_s = track.points[0][0] if track.points else state.floor.time_s
    for point in track.points:
        visit.step(point, body)
    state.attributor.bind(visit_id=visit.visit_id, track_id=track.track_id, t_s=t_s)
    state.event(
        "visit.relinked",
        visit.visit_id,
        from_track=before.track_id,
        track_id=track.track_id,
        t_us=us(t_s),
        why=why,
    )
