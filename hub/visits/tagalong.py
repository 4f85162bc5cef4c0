"""Who came in behind a shopper: a body from an entry gate that no scan and no staff explains.

It is told once, when it has been inside for so long that a scan would have found it. What it takes
is nobody's: the attributor knows it as a body of its own, so that no shopper is charged for it.
Staff may say whose it is (AssignTrack), or give it a visit (OpenForTrack).
"""

from __future__ import annotations

from hub.effects import us
from hub.levels import TAG_ALONG_LEVEL
from hub.state import HubState
from hub.visits.entry import waiting_bodies
from hub.visits.floor import Track
from hub.visits.gates import entry_at, inside

__all__ = ["watch_tag_along"]


def watch_tag_along(state: HubState) -> None:
    """Tells of bodies that tagged along, and that they were somebody's after all."""
    if state.level < TAG_ALONG_LEVEL:
        return
    for track in state.floor.tracks.values():
        if track.visit_id is not None:
            track.told = True
        elif not track.told and track.lost_s is None and track.points:
            _look(state, track)
    for track_id in list(state.tagged):
        _look_again(state, track_id)


def _look(state: HubState, track: Track) -> None:
    if track.came_by is None:
        track.came_by = entry_at(state.store, track.points[0][1:])
    if not track.came_by:
        return
    t_s, x_m, y_m = track.points[-1]
    if any(inside((x_m, y_m), gate.zone_m) for gate in state.store.gates):
        track.outside_s = None
        return
    if track.outside_s is None:
        track.outside_s = t_s
    # While a scan waits for its body this may be that one.
    if state.floor.time_s - track.outside_s < state.rules.tag_along_s or waiting_bodies(state):
        return
    track.told = True
    state.tagged[track.track_id] = (track.came_by, track.born_s)
    state.count("tag_alongs")
    state.event(
        "entry.tagged_along",
        None,
        gate_id=track.came_by,
        track_id=track.track_id,
        t_us=us(track.born_s),
    )


def _look_again(state: HubState, track_id: str) -> None:
    track = state.floor.tracks.get(track_id)
    if track is None:
        del state.tagged[track_id]
    elif track.visit_id is not None:
        del state.tagged[track_id]
        state.event("entry.tag_along_explained", track.visit_id, track_id=track_id)
