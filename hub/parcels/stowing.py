"""Stowing: where is space for a parcel, and that place lit until the parcel stands.

Space is looked for on boards between what stands there, and on hooks that nothing hangs from.
"""

from __future__ import annotations

from contracts.wall import Wall as Layout
from hub.command import Reply
from hub.errors import RejectedError
from hub.parcels.alarms import layout_of, wall_of
from hub.parcels.commands import StowParcel
from hub.parcels.model import Outline, Parcel, Session, Wall
from hub.parcels.opening import new_session, over, told_open
from hub.parcels.service import parcel_of
from hub.state import HubState

__all__ = ["place_scanned", "space_for", "staff_came", "stow_parcel"]

SIZE_M = (0.30, 0.20)
"""Width and height of a parcel of which nobody knows better."""
GAP_M = 0.02
HOOK_FREE_M = 0.12


def stow_parcel(state: HubState, command: StowParcel) -> Reply:
    """Shows where a parcel should go."""
    parcel = parcel_of(state, command.key)
    wall = wall_of(state, command.wall_id)
    if parcel.state not in ("expected", "missing", "stowed", "ready"):
        raise RejectedError(f"expected a parcel to be stowed, {parcel.key} is {parcel.state}")
    if parcel.wall_id is not None and wall.standing(parcel.key):
        raise RejectedError(f"expected a parcel that stands nowhere, {parcel.key} stands here")
    space = _space(state, wall, parcel)
    if space is None:
        raise RejectedError(
            f"expected space for a parcel on {wall.wall_id}, there is none; make room or take "
            "another wall"
        )
    _place(state, wall, _session(state, wall, command.by), parcel, space)
    return Reply()


def staff_came(state: HubState, wall: Wall, holder: str) -> None:
    """A badge was scanned: what moves now is moved by staff; scanned again, they are done."""
    known = _staff_at(wall)
    if known is not None and known.holder == holder:
        known.state = "ended"
        over(state, wall, known)
        return
    _session(state, wall, holder)


def place_scanned(state: HubState, wall: Wall, key: str) -> bool:
    """A parcel's label was scanned: while staff are there, where to put it is shown."""
    session = _staff_at(wall)
    parcel = state.parcels.all.get(key)
    if session is None or parcel is None:
        return False
    session.moved_s = state.now_s
    session.reason = ""
    if parcel.state in ("expected", "missing", "stowed", "ready") and not wall.standing(key):
        _place(state, wall, session, parcel, _space(state, wall, parcel))
    return True


def _place(
    state: HubState, wall: Wall, session: Session, parcel: Parcel, space: Outline | None
) -> None:
    """Shows a parcel's place, or none where there is no space for it."""
    session.placing = None if space is None else parcel.key
    session.place_m = space
    session.moved_s = state.now_s
    state.parcels.touched.add(wall.wall_id)


def _space(state: HubState, wall: Wall, parcel: Parcel) -> Outline | None:
    return space_for(layout_of(state, wall.wall_id), wall, parcel.size_m or SIZE_M)


def space_for(layout: Layout, wall: Wall, size_m: tuple[float, float]) -> Outline | None:
    """The smallest gap that takes a parcel of this width and height, as its outline on the front
    plane; None if there is no gap."""
    wide, high = size_m
    outlines = [one.outline_m for one in wall.things.values() if one.state == "stands"]
    best: tuple[float, float, float] | None = None
    for board in layout.boards:
        if high > board.clearance_m:
            continue
        low, top = board.z_m, board.z_m + board.clearance_m
        for begin, stop in _gaps(layout.width_m, outlines, low, top):
            room = stop - begin
            if room >= wide + 2 * GAP_M and (best is None or room < best[0]):
                best = (room, begin + GAP_M, low)
    if best is not None:
        _, u, z = best
        return ((u, z), (u + wide, z), (u + wide, z + high), (u, z + high))
    for hook in layout.hooks:
        if all(_away(outline, hook.u_m, hook.z_m) for outline in outlines):
            half, z = wide / 2, max(0.0, hook.z_m - high)
            left, right = hook.u_m - half, hook.u_m + half
            return ((left, z), (right, z), (right, hook.z_m), (left, hook.z_m))
    return None


def _gaps(
    width_m: float, outlines: list[Outline], low: float, top: float
) -> list[tuple[float, float]]:
    spans = sorted(
        (min(u for u, _ in outline), max(u for u, _ in outline))
        for outline in outlines
        if max(z for _, z in outline) > low + 0.01 and min(z for _, z in outline) < top - 0.01
    )
    gaps, at = [], 0.0
    for begin, stop in spans:
        if begin > at:
            gaps.append((at, begin))
        at = max(at, stop)
    return [*gaps, (at, width_m)] if at < width_m else gaps


def _away(outline: Outline, u: float, z: float) -> bool:
    """Whether nothing hangs from a hook there."""
    left, right = min(p[0] for p in outline), max(p[0] for p in outline)
    low, top = min(p[1] for p in outline), max(p[1] for p in outline)
    return not (
        left - HOOK_FREE_M / 2 <= u <= right + HOOK_FREE_M / 2 and low <= z <= top + HOOK_FREE_M
    )


def _staff_at(wall: Wall) -> Session | None:
    return next((one for one in wall.live() if one.who == "staff"), None)


def _session(state: HubState, wall: Wall, holder: str) -> Session:
    """The staff's session at a wall, one at a time."""
    known = _staff_at(wall)
    if known is not None:
        known.holder, known.moved_s = holder, state.now_s
        return known
    session = new_session(state, wall, "staff", "place")
    session.state, session.holder = "showing", holder
    state.parcels.touched.add(wall.wall_id)
    told_open(state, session)
    return session
