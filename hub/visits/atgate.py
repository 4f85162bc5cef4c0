"""Who stood at a gate when a card was tapped or staff let somebody in.

A tap says that somebody is at the gate now. It is a body's that the floor saw there at that moment,
shortly before it, or shortly after it by a floor that was watching all the while. Where the floor
was blind nobody can say whether the next body is the one who tapped: the tap is refused, before
any money is held, and the gate says to tap again.
"""

from __future__ import annotations

import math

from contracts.geometry import Gate
from hub.errors import RejectedError
from hub.levels import AT_GATE_LEVEL
from hub.state import HubState
from hub.visits.floor import Point, Track
from hub.visits.gates import centre, inside

__all__ = ["TAP_AGAIN", "came_later", "check_watched", "given_up", "stood_there"]

TAP_AGAIN = "nobody was seen at the gate: tap again"
BACK_S = 1.0
"""Who was inside while the floor was blind is seen at the latest so long after it is back."""


def check_watched(state: HubState) -> None:
    """RejectedError if the floor has been silent for so long that no tap can find its body."""
    silent_s = state.now_s - state.floor.time_s
    if state.level >= AT_GATE_LEVEL and silent_s > state.rules.bind_wait_s:
        raise RejectedError(
            f"expected news of the floor not older than {state.rules.bind_wait_s:g} s, the latest "
            f"are {silent_s:.0f} s old: nobody can be seen at the gate; tap again in a moment"
        )


def stood_there(state: HubState, gate: Gate, tapped_s: float) -> Track | None:
    """The free body that was in the gate's zone at a moment; the nearest to its middle of several.

    None while the floor has not told of that moment yet.
    """
    if state.floor.time_s < tapped_s:
        return None
    here = []
    for track in state.floor.tracks.values():
        if track.visit_id is not None or track.unwatched or track.undated is not None:
            continue
        late, point = _place(state, track, tapped_s)
        if point is not None and inside(point, gate.zone_m):
            here.append((late, math.dist(point, centre(gate.zone_m)), track.track_id, track))
    return min(here)[3] if here else None


def given_up(state: HubState, tapped_s: float) -> bool:
    """Whether nothing that is still told can be the body that tapped."""
    rules = state.rules
    return (
        state.floor.time_s > tapped_s + rules.gate_seen_after_s
        or state.now_s > tapped_s + rules.bind_wait_s
    )


def came_later(state: HubState, track: Track, scanned_s: float) -> bool:
    """Whether a body surely was not there at a scan: the floor did not see then, and had been
    watching again for a while when it first saw this body."""
    if state.level < AT_GATE_LEVEL or track.born_s <= scanned_s or track.watched(scanned_s):
        return False
    return track.watched_s is None or track.born_s > track.watched_s + BACK_S


def _place(state: HubState, track: Track, t_s: float) -> tuple[bool, Point | None]:
    """Whether a body was seen only after a moment, and where it was then; None if nobody knows."""
    before = after = None
    for point in reversed(track.points):
        if point[0] > t_s:
            after = point
        else:
            before = point
            break
    if before is not None and t_s - before[0] > state.rules.gate_seen_before_s:
        before = None
    if after is not None and after[0] - t_s > state.rules.gate_seen_after_s:
        after = None
    if before is None:
        return True, None if after is None or not track.watched(t_s) else after[1:]
    if after is None:
        return False, before[1:]
    share = (t_s - before[0]) / (after[0] - before[0])
    return False, (
        before[1] + share * (after[1] - before[1]),
        before[2] + share * (after[2] - before[2]),
    )
