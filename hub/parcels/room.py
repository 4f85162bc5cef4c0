"""The parcels' room in the hub's fold: what happens at each step, whatever caused it."""

from __future__ import annotations

from hub.levels import WALL_SALES_LEVEL
from hub.parcels import paying
from hub.parcels.alarms import clear, mended, raise_alarm
from hub.parcels.marks import marks_of
from hub.parcels.model import Parcel, Wall
from hub.parcels.paying import PICKUP, settle_late, waited_for
from hub.parcels.service import close_if_done, deadline_s, expire_orders, move, stow_if_seen
from hub.parcels.sessions import cue_paid, in_hand, settle_state, turn_away, watch_sessions
from hub.state import HubState
from hub.visits.model import Visit

UNSEEN_S_MAX = 12 * 3600.0
"""So long staff may say what became of a parcel that nobody saw go."""
TWINS_S = 3.0
"""Two things that carry one label for longer are two things."""
__all__ = ["busy", "due", "hold_answered", "refresh", "tick"]


def tick(state: HubState) -> None:
    """Time passed."""
    if state.parcels:
        expire_orders(state)
        watch_sessions(state)
        _give_up(state)


def _give_up(state: HubState) -> None:
    """What nobody saw go, and nobody said anything of, is missing in the end, and not charged."""
    for wall in state.parcels.walls.values():
        for alarm in list(wall.alarms.values()):
            parcel = state.parcels.all.get(alarm.key or "")
            late = state.now_s >= alarm.at_s + UNSEEN_S_MAX
            known = parcel is not None or state.level >= WALL_SALES_LEVEL
            if alarm.kind != "handover_unseen" or not late or not known:
                continue
            if parcel is not None and parcel.state == "taken":
                _never_found(state, parcel)
            clear(state, wall, "handover_unseen", key=alarm.key)
    if state.level >= WALL_SALES_LEVEL and _sale_waits_long(state):
        for parcel in state.parcels.all.values():
            late = state.now_s >= parcel.changed_s + UNSEEN_S_MAX
            if late and waited_for(state, parcel):
                _never_found(state, parcel)
                mended(state, parcel.key)


def _never_found(state: HubState, parcel: Parcel) -> None:
    move(state, parcel, "missing", by="hub")
    settle_late(state, parcel)
    close_if_done(state, state.parcels.orders[parcel.order_id])


def _sale_waits_long(state: HubState) -> bool:
    """Whether a sale may wait for a parcel of which nobody says anything: the alarm about it was
    cleared with nothing said, or its order was cancelled while it was in hand."""
    return any(
        visit.stage == PICKUP and state.now_s >= visit.opened_s + UNSEEN_S_MAX
        for visit in state.open_visits()
    )


def busy(state: HubState) -> bool:
    """Whether time passing changes something soon: somebody is at a wall. A van may stand at a stop
    all day."""
    return any(
        session.who != "route" or session.over_s is not None or in_hand(state, session)
        for wall in state.parcels.walls.values()
        for session in wall.sessions
    )


def due(state: HubState, now_s: float) -> bool:
    """Whether an order's time is over, or that of an answer to what nobody saw go."""
    return now_s >= deadline_s(state) or any(
        alarm.kind == "handover_unseen" and now_s >= alarm.at_s + UNSEEN_S_MAX
        for wall in state.parcels.walls.values()
        for alarm in wall.alarms.values()
    )


def hold_answered(state: HubState, visit: Visit, *, approved: bool, reason: str) -> None:
    """The gateway's word on a pick-up: what is paid is shown, what is not is for the desk."""
    session = paying.hold_answered(state, visit, approved=approved, reason=reason)
    if session is None or not session.live:
        return
    cue_paid(state, session)
    if not session.keys and not session.taken:
        turn_away(state, state.parcels.walls[session.wall_id], session)


def refresh(state: HubState) -> None:
    """After each step: twins, what sessions say, and what shines, of the walls it touched."""
    touched = state.parcels.touched
    if not touched:
        return
    if any(wall.things for wall in state.parcels.walls.values()):
        _twins(state)
    for wall_id in sorted(touched):
        wall = state.parcels.walls.get(wall_id)
        if wall is None:
            continue
        state.effects.walls.add(wall_id)
        for session in wall.sessions:
            settle_state(state, wall, session)
        marks = marks_of(state, wall)
        if marks != wall.marks:
            wall.marks = marks
            wall.revision += 1
            asked = {mark.mark_id for mark in marks}
            wall.shown = {name: row for name, row in wall.shown.items() if name in asked}
    touched.clear()


def _twins(state: HubState) -> None:
    """One label on several things, here or on two walls: none of them is shown."""
    places: dict[str, list[Wall]] = {}
    for wall in state.parcels.walls.values():
        for thing in wall.things.values():
            if thing.state == "stands" and thing.key in state.parcels.all:
                key = str(thing.key)
                places.setdefault(key, []).append(wall)
                if thing.twins:
                    places[key].append(wall)
    for wall in state.parcels.walls.values():
        # A moment's double is a thing that moved; of true twins, which of them went away is not
        # known, so that staff must look before the other one is shown.
        over = sorted(
            str(one.key)
            for one in wall.alarms.values()
            if one.kind == "duplicate_label"
            and len(places.get(str(one.key), ())) < 2
            and state.now_s - one.at_s < TWINS_S
        )
        for key in over:
            clear(state, wall, "duplicate_label", key=key)
            parcel = state.parcels.all.get(key)
            if parcel is not None:
                stow_if_seen(state, parcel)
    for key, walls in places.items():
        if len(walls) > 1:
            for wall in walls:
                raise_alarm(state, wall, "duplicate_label", key=key)
                state.parcels.touched.add(wall.wall_id)
