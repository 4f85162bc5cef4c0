"""What staff should look at, at each wall: raised once, cleared by what mends it or by staff."""

from __future__ import annotations

from contracts.wall import Wall as Layout
from hub.command import Reply
from hub.errors import RejectedError, UnknownParcelError
from hub.levels import WALL_SALES_LEVEL
from hub.parcels.commands import CalibrateWall, ClearAlarm
from hub.parcels.model import Alarm, AlarmKind, Outline, Wall
from hub.parcels.paying import settle_late
from hub.parcels.service import close_if_done, move, stow_if_seen
from hub.state import HubState

__all__ = [
    "calibrate_wall",
    "clear",
    "clear_alarm",
    "layout_of",
    "mended",
    "raise_alarm",
    "wall_of",
]

ALARMS_MAX = 200
"""Open ones at one wall; beyond that the oldest is forgotten, of those that keep nothing dark and
no sale open if there is one. A sale that waits for one that was ends all the same, by time."""
LASTING: tuple[AlarmKind, ...] = ("duplicate_label", "handover_unseen")
TAKEN: tuple[AlarmKind, ...] = ("wrong_taken", "taken_by_nobody", "unknown_taken", "unpaid_taken")


def raise_alarm(
    state: HubState,
    wall: Wall,
    kind: AlarmKind,
    *,
    key: str | None = None,
    thing_id: str | None = None,
    session_id: str | None = None,
    area_m: Outline | None = None,
) -> None:
    """One more alarm, if there is none about the same."""
    for one in wall.alarms.values():
        if (one.kind, one.key) == (kind, key) and (key is not None or one.thing_id == thing_id):
            return
    wall.alarmed += 1
    alarm = Alarm(wall.alarmed, kind, state.now_s, key, thing_id, session_id, area_m)
    wall.alarms[alarm.number] = alarm
    while len(wall.alarms) > ALARMS_MAX:
        del wall.alarms[_least(state, wall)]
        state.count("alarms_forgotten")
    state.parcels.touched.add(wall.wall_id)
    state.event(
        "wall.alarm",
        None,
        wall_id=wall.wall_id,
        number=alarm.number,
        alarm=kind,
        parcel=key,
        thing_id=thing_id,
        session_id=session_id,
    )


def clear(
    state: HubState,
    wall: Wall,
    *kinds: AlarmKind,
    key: str | None = None,
    thing_id: str | None = None,
) -> None:
    """Alarms that are over by what happened since."""
    for one in list(wall.alarms.values()):
        mine = one.key == key if key is not None else one.key is None and one.thing_id == thing_id
        if one.kind in kinds and mine:
            _clear(state, wall, one, "mended", "")


def mended(state: HubState, key: str) -> None:
    """A parcel that was taken stands again, whatever wall told of it."""
    for wall in state.parcels.walls.values():
        clear(state, wall, *TAKEN, "handover_unseen", key=key)


def clear_alarm(state: HubState, command: ClearAlarm) -> Reply:
    """Staff have looked at it."""
    wall = wall_of(state, command.wall_id)
    alarm = wall.alarms.get(command.number)
    if alarm is None:
        if command.number <= wall.alarmed:
            return Reply(repeated=True)
        raise UnknownParcelError(
            f"expected an alarm of {wall.wall_id}, got number {command.number}"
        )
    parcel = state.parcels.all.get(alarm.key or "")
    told = command.outcome != "seen"
    if told and (parcel is None or parcel.state != "taken"):
        raise RejectedError(
            f"expected an alarm about a parcel that was taken, to call it {command.outcome}"
        )
    for session in wall.sessions:
        session.forgive(alarm.thing_id)
    if told and parcel is not None:
        if command.outcome == "handed_over":
            parcel.handed_s = state.now_s
            move(
                state, parcel, "handed_over", wall_id=wall.wall_id,
                session_id=parcel.proof.get("session_id"), thing_id=None, reads=0, taken_us=None,
                how="staff", by=command.by,
            )  # fmt: skip
        else:
            move(state, parcel, "missing", by=command.by)
        for session in wall.sessions:
            session.taken.pop(parcel.key, None)
            session.forgive(parcel.key)
        settle_late(state, parcel)
        close_if_done(state, state.parcels.orders[parcel.order_id])
    _clear(state, wall, alarm, command.outcome, command.by)
    if parcel is not None:
        stow_if_seen(state, parcel)
    return Reply()


def calibrate_wall(state: HubState, command: CalibrateWall) -> Reply:
    """The node is asked for one more calibration."""
    wall = wall_of(state, command.wall_id)
    if not layout_of(state, wall.wall_id).projectors:
        raise RejectedError(f"expected a wall with a projector, {command.wall_id} has none")
    wall.calibrate += 1
    wall.revision += 1
    state.effects.walls.add(wall.wall_id)
    state.event("wall.calibration_asked", None, wall_id=wall.wall_id, by=command.by)
    return Reply()


def wall_of(state: HubState, wall_id: str) -> Wall:
    """The wall of this id; RejectedError if the store has none."""
    return state.parcels.wall(layout_of(state, wall_id).wall_id)


def layout_of(state: HubState, wall_id: str) -> Layout:
    """The wall as the store file has it; RejectedError if the store has none of this id."""
    for one in state.store.walls:
        if one.wall_id == wall_id:
            return one
    known = ", ".join(one.wall_id for one in state.store.walls) or "none"
    raise UnknownParcelError(f"expected a wall of the store ({known}), got {wall_id}")


def _least(state: HubState, wall: Wall) -> int:
    """The alarm to forget where there are too many."""
    passing = (one.number for one in wall.alarms.values() if one.kind not in LASTING)
    oldest = next(iter(wall.alarms))
    return next(passing, oldest) if state.level >= WALL_SALES_LEVEL else oldest


def _clear(state: HubState, wall: Wall, alarm: Alarm, outcome: str, by: str) -> None:
    del wall.alarms[alarm.number]
    state.parcels.touched.add(wall.wall_id)
    state.event(
        "wall.alarm_cleared",
        None,
        wall_id=wall.wall_id,
        number=alarm.number,
        alarm=alarm.kind,
        outcome=outcome,
        by=by,
    )
