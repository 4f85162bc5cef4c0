"""What shall shine at a wall, made of its sessions, parcels and things.

An inviting mark is only on a thing that stands, whose label was read and is a parcel of that very
session, that has no twin anywhere, and whose payment is sure, and only while the customer may be
there. The node looks once more.
"""

from __future__ import annotations

import hashlib

from contracts.wall_messages import INVITING, Mark, MarkLook
from hub.parcels.attending import away
from hub.parcels.model import Outline, Seen, Session, Wall
from hub.parcels.service import standing_at
from hub.state import HubState

__all__ = ["MARKS_MAX", "NEAR_M", "marks_of"]

MARKS_MAX = 256
NEAR_M = 0.25
"""What stands so near a parcel that is shown could be taken for it."""


def marks_of(state: HubState, wall: Wall) -> tuple[Mark, ...]:
    """All marks of a wall, the most urgent first."""
    found: dict[str, Mark] = {}
    inviting: list[tuple[Session, Seen]] = []
    for session in wall.live():
        if session.who == "staff":
            _for_staff(state, wall, session, found)
        else:
            inviting += _inviting(state, wall, session, found)
    for alarm in wall.alarms.values() if wall.live() else ():
        if alarm.kind == "wrong_taken" and alarm.area_m is not None:
            _area(found, "wrong", alarm.area_m)
    shown = {thing.thing_id for _, thing in inviting}
    for session, thing in inviting:
        if session.who != "customer":
            # A stop of a route shows what is left there and nothing else.
            continue
        for other in wall.things.values():
            near = other.state == "stands" and other.thing_id not in shown
            if near and gap_m(thing.outline_m, other.outline_m) <= NEAR_M:
                _thing(found, "not_this", other)
    ordered = sorted(found.values(), key=lambda mark: (_RANK[mark.look], mark.mark_id))
    return tuple(ordered[:MARKS_MAX])


_RANK: dict[str, int] = {
    "wrong": 0, "take_a": 1, "take_b": 1, "place": 2, "not_this": 3, "look": 4,
}  # fmt: skip


def _inviting(
    state: HubState, wall: Wall, session: Session, found: dict[str, Mark]
) -> list[tuple[Session, Seen]]:
    if session.blind or session.state not in ("showing", "taken", "wrong") or not wall.whole:
        return []
    if away(wall, session):
        return []
    shown = []
    doubtful = {
        alarm.key
        for place in state.parcels.walls.values()
        for alarm in place.alarms.values()
        if alarm.kind == "duplicate_label"
    }
    for key in session.keys:
        parcel = state.parcels.all.get(key)
        if parcel is None or parcel.state != "cued":
            continue
        places = standing_at(state, key)
        if key in doubtful or len(places) != 1 or places[0][0] is not wall:
            continue
        thing = wall.things[places[0][1]]
        if thing.key == key and thing.text is not None and not thing.contested and not thing.twins:
            _thing(found, "take_b" if session.look == "take_b" else "take_a", thing)
            shown.append((session, thing))
    return shown


def _for_staff(state: HubState, wall: Wall, session: Session, found: dict[str, Mark]) -> None:
    if session.placing is not None and session.place_m is not None:
        _area(found, "place", session.place_m)
    for thing in wall.things.values():
        if thing.state != "stands":
            continue
        parcel = state.parcels.all.get(thing.key or "")
        order = None if parcel is None else state.parcels.orders.get(parcel.order_id)
        # What belongs to nobody, is read twice, or should go back.
        odd = parcel is None or bool(thing.twins) or order is None or order.state != "open"
        if odd:
            _thing(found, "look", thing)


def _thing(found: dict[str, Mark], look: MarkLook, thing: Seen) -> None:
    label = thing.text if look in INVITING else None
    name = _name(look, thing.thing_id)
    found.setdefault(name, Mark(mark_id=name, look=look, thing_id=thing.thing_id, label_text=label))


def _area(found: dict[str, Mark], look: MarkLook, area: Outline) -> None:
    name = _name(look, repr(area))
    found.setdefault(name, Mark(mark_id=name, look=look, area_m=area))


def _name(look: str, what: str) -> str:
    """The same mark has the same id, also after a restart."""
    return f"{look}.{hashlib.sha256(what.encode()).hexdigest()[:12]}"


def gap_m(one: Outline, other: Outline) -> float:
    """The distance between the upright boxes around two outlines, 0 if they overlap."""
    apart = []
    for axis in (0, 1):
        low = max(min(p[axis] for p in one), min(p[axis] for p in other))
        high = min(max(p[axis] for p in one), max(p[axis] for p in other))
        apart.append(max(0.0, low - high))
    return float((apart[0] ** 2 + apart[1] ** 2) ** 0.5)
