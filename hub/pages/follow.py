"""Whom the start page follows, and through which camera. A pure step: before and now in, next out.

The visit with the newest activity wins, but only after the one before was shown for a while: a
newcomer must be able to read what happens. The camera is the shelf camera of the bay the shopper
stands at, and between shelves the ceiling camera that is nearest.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import dist

from hub.pages.shown import Json, Snapshot, near_bay

__all__ = ["NOBODY", "Following", "follow"]

VISIT_HELD_S = 8.0
CAMERA_HELD_S = 2.5
_ACTIVE = ("entry.scanned", "visit.bound", "visit.exited", "visit.settled", "hold.captured")


@dataclass(frozen=True, slots=True)
class Following:
    """Whom and through what; seconds of any clock that only rises."""

    visit_id: str | None = None
    since_s: float = 0.0
    camera_id: str | None = None
    camera_since_s: float = 0.0


NOBODY = Following()


def follow(
    before: Following, shot: Snapshot, now_s: float, *, pinned: str | None = None
) -> Following:
    """Whom to show next; `pinned` is a visit somebody chose, as long as the hub knows it."""
    visit_id = _whom(before, shot, now_s, pinned)
    changed = visit_id != before.visit_id
    since_s = now_s if changed else before.since_s
    camera_id = _camera(shot, visit_id)
    held = now_s - before.camera_since_s < CAMERA_HELD_S and before.camera_id is not None
    if camera_id == before.camera_id or (held and not changed):
        return Following(visit_id, since_s, before.camera_id, before.camera_since_s)
    return Following(visit_id, since_s, camera_id, now_s)


def _whom(before: Following, shot: Snapshot, now_s: float, pinned: str | None) -> str | None:
    known = {row["visit_id"] for row in shot.visits}
    if pinned in known:
        return pinned
    kept = before.visit_id if before.visit_id in known else None
    if kept is not None and now_s - before.since_s < VISIT_HELD_S:
        return kept
    for event in reversed(shot.events):
        active = event["kind"] in _ACTIVE or event["kind"].startswith("decision.")
        if active and event["visit_id"] in known:
            return str(event["visit_id"])
    if kept is not None:
        return kept
    return str(shot.visits[-1]["visit_id"]) if shot.visits else None


def _camera(shot: Snapshot, visit_id: str | None) -> str | None:
    if shot.layout is None or not shot.layout["cameras"]:
        return None
    cameras: Sequence[Json] = shot.layout["cameras"]
    row = shot.visit(visit_id)
    at_m = None if row is None else row["at_m"]
    bay_id = near_bay(shot, at_m)
    here = [camera for camera in cameras if camera["bay_id"] is not None]
    if bay_id is not None:
        here = [camera for camera in cameras if camera["bay_id"] == bay_id] or here
    elif at_m is not None:
        here = [camera for camera in cameras if camera["role"] == "ceiling"] or here
    here = here or list(cameras)
    if at_m is None:
        return str(here[0]["camera_id"])
    nearest = min(
        here, key=lambda camera: (dist(camera["position_m"][:2], at_m), camera["camera_id"])
    )
    return str(nearest["camera_id"])
