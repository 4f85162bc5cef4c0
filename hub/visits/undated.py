"""What was told by a boot whose clock nobody knew, and what it leaves open.

A node that was cut off and has died is heard by its outbox alone: it answers no ping any more. What
it said is dated by when that came: it is no later, and nobody knows how much earlier. Within the
boot all is in order, so that whose code it read is one of its own bodies. Against what others saw
it says nothing: its bodies take nothing, its reaches are nobody's, and staff look at the visits
that they may concern.
"""

from __future__ import annotations

from hub.devices.model import Boot
from hub.levels import EARLY_BODY_LEVEL, UNDATED_LEVEL
from hub.state import HubState, NearReach
from hub.visits.gates import bay_distance_m, gate_of, inside
from hub.visits.model import TRAIL_MAX, Body, Visit

__all__ = ["note_reach", "open_points", "undated_boot", "undated_scan"]

SLACK_S = 2.0
"""Where somebody was so much later counts, too."""


def undated_boot(state: HubState, boot: Boot) -> str | None:
    """The boot's id if nobody knows its clock, else None; in stores whose rules do not wait for
    clocks, news are as old as their way is long."""
    known = boot.clock.best is not None or state.rules.clock_wait_s <= 0
    return None if known or state.level < UNDATED_LEVEL else boot.boot_id


def undated_scan(state: HubState, boot: Boot, gate_id: str) -> str | None:
    """The boot's id if a code that it reads now is one of its undated bodies: while nobody knows
    its clock, and after that while one that it told of before stands at the gate."""
    unknown = undated_boot(state, boot)
    if unknown is not None or state.level < EARLY_BODY_LEVEL:
        return unknown
    gate = gate_of(state.store, gate_id)
    if gate is None:
        return None
    for track in state.floor.tracks.values():
        early = track.undated == boot.boot_id and track.visit_id is None and track.points
        if early and inside(track.points[-1][1:], gate.zone_m):
            return boot.boot_id
    return None


def note_reach(state: HubState, reach: NearReach) -> None:
    """A reach was told that may be of any moment before."""
    state.undated[reach.reach_id] = reach
    oldest_s = state.now_s - state.rules.visit_s_max
    for name in [name for name, old in state.undated.items() if old.heard_s < oldest_s]:
        del state.undated[name]
    if len(state.undated) > state.rules.reaches_open_max:
        del state.undated[next(iter(state.undated))]
        state.count("reaches_forgotten")


def open_points(state: HubState, visit: Visit) -> list[str]:
    """Why a visit that is about to settle wants a look, for each node that told without a date."""
    reasons: dict[str, None] = {}
    for reach in state.undated.values():
        if any(_concerns(state, visit, body, reach) for body in visit.bodies()):
            reasons[f"nobody knows when a reach was that {reach.device_id} told of"] = None
    tracks = [state.floor.tracks.get(name) for name in visit.tracks]
    if any(track is not None and track.undated is not None for track in tracks):
        reasons["nobody knows when its body was where the floor says"] = None
    return list(reasons)


def _concerns(state: HubState, visit: Visit, body: Body, reach: NearReach) -> bool:
    """Whether a body may have been at the reach's bay when it was; true if nobody knows."""
    until_s = reach.t_open_s if reach.t_close_s is None else reach.t_close_s
    bay = next((bay for bay in state.store.bays if bay.bay_id == reach.bay_id), None)
    if bay is None or (body.scanned_s or visit.opened_s) > until_s:
        return False
    if not body.trail or len(body.trail) == TRAIL_MAX:
        return True
    return any(
        t_s <= until_s + SLACK_S and bay_distance_m(bay, (x_m, y_m)) <= state.rules.near_m
        for t_s, x_m, y_m in body.trail
    )
