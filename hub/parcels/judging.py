"""Who took what: each thing that is lifted off a wall or put down on it is judged once, at once.

    a parcel of a session's        taken right; put down again: back on the wall
    another, while a session is on taken wrong, by whoever is there; put down again: mended
    any, with nobody there         taken by nobody known; put down again: mended
    any, while staff work there    moved by staff
    a hidden thing                 not taken

A parcel that was lifted rightly is handed over when it is gone and was not put back for some
seconds, or longer as long as somebody is there who may still do so; never while a camera of the
wall is blind: then staff say what became of it.
"""

from __future__ import annotations

from hub.effects import us
from hub.levels import (
    CAME_ALONG_LEVEL,
    LATE_LIFT_LEVEL,
    STILL_THERE_LEVEL,
    WENT_ALONG_LEVEL,
)
from hub.parcels.alarms import clear, mended, raise_alarm
from hub.parcels.marks import gap_m
from hub.parcels.model import Parcel, Seen, Session, Wall
from hub.parcels.paying import settle_late
from hub.parcels.service import (
    WAITING,
    close_if_done,
    move,
    standing_at,
    stow_if_seen,
    stowed,
)
from hub.state import HubState

__all__ = ["HANDOVER_S", "hand_over", "hand_over_due", "lifted", "set_down"]

HANDOVER_S = 4.0
"""Who puts a parcel back within so long has not fetched it."""
IN_HAND_S_MAX = 15.0
"""A parcel that is still seen being carried, or whose customer may still be there, counts as
fetched after so long."""
BEFORE_S = 2.0
"""What was told so shortly before a scan may be of whoever scanned."""
UNKNOWN_STOOD_S = 3.0
"""What has no label and stood for less was a hand or a bag, nothing that could be taken."""
WENT_ALONG_S, WENT_ALONG_M = 1.0, 0.1
"""Two things that are lifted so soon after each other, and stood so near, are one: nobody's hand
comes twice in that time."""


def lifted(state: HubState, wall: Wall, thing: Seen, t_s: float, told_s: float) -> None:
    """A thing that stood is moved or gone; `thing` is as it was while it stood. `told_s`: when its
    node said so, which may be long ago where that was cut off."""
    key = thing.name
    parcel = state.parcels.all.get(key or "")
    if parcel is not None and parcel.thing_id == thing.thing_id:
        parcel.thing_id = None
    here = [one for one in wall.live() if one.who in ("customer", "route")]
    late = [one for one in here if _before(state, one, told_s)]
    live = [one for one in here if one not in late]
    owner = next((one for one in live if key in one.keys and key not in one.taken), None)
    alone = not thing.twins and (key is None or not standing_at(state, key))
    if parcel is not None and owner is not None and parcel.state == "cued" and alone:
        _taken_right(state, wall, parcel, owner, thing, t_s)
        return
    if any(one.who == "staff" for one in wall.live()):
        _by_staff(state, wall, parcel)
        return
    if parcel is None and (
        _came_along(state, thing, live, t_s) or _went_along(state, wall, thing, live)
    ):
        return
    if parcel is not None and parcel.state not in WAITING:
        return
    if not alone:
        # Another one stands here under the same label: nobody knows which of them it is.
        parcel = None
    for session in late if parcel is not None else ():
        if key in session.keys:
            session.keys.remove(str(key))
            session.reason = session.reason if session.keys else "blind"
    _taken_wrong(state, wall, thing, parcel, live)


def _before(state: HubState, session: Session, told_s: float) -> bool:
    """Whether something was told before a session began, and came here only now."""
    return state.level >= LATE_LIFT_LEVEL and told_s < session.began_s - BEFORE_S


def _came_along(state: HubState, thing: Seen, live: list[Session], t_s: float) -> bool:
    """Whether a thing without a parcel's label was a hand or a bag, or came with somebody who is
    here: it is theirs."""
    if t_s - thing.since_s < UNKNOWN_STOOD_S:
        return True
    if state.level < CAME_ALONG_LEVEL or thing.came_s is None:
        return False
    return any(one.who == "customer" and thing.came_s >= one.began_s for one in live)


def _went_along(state: HubState, wall: Wall, thing: Seen, live: list[Session]) -> bool:
    """Whether a thing without a label stood at a parcel that has just been lifted rightly: it was
    that parcel's side or lid, or its shadow."""
    if state.level < WENT_ALONG_LEVEL or thing.name is not None or thing.stood_m is None:
        return False
    just = {
        key
        for session in live
        for key, taken_s in session.taken.items()
        if state.now_s - taken_s <= WENT_ALONG_S
    }
    return any(
        one.name in just
        and one.stood_m is not None
        and gap_m(one.stood_m, thing.stood_m) <= WENT_ALONG_M
        for one in wall.things.values()
    )


def set_down(state: HubState, wall: Wall, thing: Seen) -> None:
    """A thing stands, for the first time, again, or under a label that was just read."""
    for session in wall.live():
        session.moved_s = state.now_s
    key = thing.name
    if key is None:
        _unknown_back(state, wall, thing)
        return
    _forget_unknown(state, wall, thing.thing_id)
    for session in wall.live():
        if session.placing == key:
            session.placing, session.place_m = None, None
    parcel = state.parcels.all.get(key)
    if parcel is None:
        return
    if parcel.state == "taken":
        parcel.wall_id, parcel.thing_id = wall.wall_id, thing.thing_id
        _put_back(state, wall, parcel, thing)
    elif parcel.state in ("expected", "missing"):
        stow_if_seen(state, parcel)
    elif parcel.state in ("handed_over", "returned"):
        raise_alarm(state, wall, "stands_again", key=key, thing_id=thing.thing_id)
    else:
        if parcel.wall_id not in (None, wall.wall_id):
            state.parcels.touched.add(str(parcel.wall_id))
        parcel.wall_id, parcel.thing_id = wall.wall_id, thing.thing_id
        state.effects.orders.add(parcel.order_id)


def hand_over_due(state: HubState, wall: Wall, session: Session, *, ending: bool) -> None:
    """Hands over what was taken rightly long enough ago, all of it when the session ends."""
    for key, taken_s in list(session.taken.items()):
        parcel = state.parcels.all.get(key)
        if parcel is None or parcel.state != "taken":
            continue
        age_s = state.now_s - taken_s
        if not ending and age_s < (IN_HAND_S_MAX if _may_return(state, wall, key) else HANDOVER_S):
            continue
        if wall.blind or session.blind:
            raise_alarm(state, wall, "handover_unseen", key=key, session_id=session.session_id)
        else:
            hand_over(state, wall, session, parcel)


def _may_return(state: HubState, wall: Wall, key: str) -> bool:
    """Whether a parcel is seen in somebody's hands, or somebody is there who may have it."""
    if state.level >= STILL_THERE_LEVEL and wall.somebody:
        return True
    return any(one.name == key and one.state == "moves" for one in wall.things.values())


def hand_over(state: HubState, wall: Wall, session: Session, parcel: Parcel) -> None:
    """The customer has it; the event is the proof."""
    proof = parcel.proof
    parcel.handed_s = state.now_s
    order = state.parcels.orders[parcel.order_id]
    move(
        state,
        parcel,
        "handed_over",
        wall_id=wall.wall_id,
        session_id=session.session_id,
        thing_id=proof.get("thing_id"),
        reads=proof.get("reads", 0),
        taken_us=us(proof.get("taken_s", state.now_s)),
        how=session.who,
        by=session.holder,
    )
    close_if_done(state, order)


def _taken_right(
    state: HubState, wall: Wall, parcel: Parcel, session: Session, thing: Seen, t_s: float
) -> None:
    session.taken[parcel.key] = state.now_s
    session.moved_s = state.now_s
    session.met |= wall.somebody
    parcel.proof = {
        "session_id": session.session_id,
        "thing_id": thing.thing_id,
        "reads": thing.reads,
        "taken_s": t_s,
    }
    sale = session.sales.get(parcel.order_id)
    if sale is not None and parcel.due_minor:
        parcel.proof["sale"] = sale
    move(
        state,
        parcel,
        "taken",
        wall_id=wall.wall_id,
        session_id=session.session_id,
        thing_id=thing.thing_id,
        t_us=us(t_s),
        right=True,
    )
    if wall.blind:
        session.blind = True


def _taken_wrong(
    state: HubState, wall: Wall, thing: Seen, parcel: Parcel | None, live: list[Session]
) -> None:
    name = thing.thing_id if parcel is None else parcel.key
    unpaid = parcel is not None and any(parcel.order_id in one.orders for one in live)
    for session in live:
        session.moved_s = state.now_s
        if name not in session.wrong:
            session.wrong.append(name)
    if parcel is not None:
        parcel.proof = {"thing_id": thing.thing_id, "reads": thing.reads}
        move(
            state,
            parcel,
            "taken",
            wall_id=wall.wall_id,
            session_id=live[0].session_id if len(live) == 1 else None,
            thing_id=thing.thing_id,
            t_us=us(state.now_s),
            right=False,
        )
    raise_alarm(
        state,
        wall,
        "unpaid_taken" if unpaid else "wrong_taken" if live
        else "taken_by_nobody" if parcel is not None else "unknown_taken",
        key=None if parcel is None else parcel.key,
        thing_id=thing.thing_id,
        session_id=live[0].session_id if len(live) == 1 else None,
        area_m=thing.stood_m,
    )  # fmt: skip


def _put_back(state: HubState, wall: Wall, parcel: Parcel, thing: Seen) -> None:
    """A parcel that was in somebody's hands stands again."""
    for place in state.parcels.walls.values():
        for session in place.sessions:
            if session.taken.pop(parcel.key, None) is not None and session.live:
                parcel.proof = {}
                move(state, parcel, "cued", session_id=session.session_id, back=True)
                clear(state, place, "handover_unseen", key=parcel.key)
                return
            if session.forgive(parcel.key):
                state.parcels.touched.add(place.wall_id)
    mended(state, parcel.key)
    sold = parcel.proof.get("sale") is not None
    state.event(
        "parcel.put_back",
        None,
        order_id=parcel.order_id,
        parcel=parcel.key,
        wall_id=wall.wall_id,
        thing_id=thing.thing_id,
    )
    if sold:
        parcel.state = "stowed"
        settle_late(state, parcel)
    stowed(state, parcel, wall, thing.thing_id)


def _unknown_back(state: HubState, wall: Wall, thing: Seen) -> None:
    """Something without a label stands: if such a thing was missed, this is it."""
    missed = [one for one in wall.alarms.values() if one.key is None and one.area_m is not None]
    again = next((one for one in missed if one.thing_id == thing.thing_id), None)
    found = again or next(iter(missed), None)
    if found is not None and found.thing_id is not None:
        _forget_unknown(state, wall, found.thing_id)


def _forget_unknown(state: HubState, wall: Wall, thing_id: str) -> None:
    for session in wall.sessions:
        session.forgive(thing_id)
    clear(state, wall, "wrong_taken", "unknown_taken", thing_id=thing_id)


def _by_staff(state: HubState, wall: Wall, parcel: Parcel | None) -> None:
    """Staff carry a parcel: what is off or overdue goes back to where it came from."""
    if parcel is None or parcel.state not in ("stowed", "ready"):
        return
    order = state.parcels.orders[parcel.order_id]
    if order.state in ("cancelled", "expired"):
        move(state, parcel, "returned", return_id="", refund_minor=0, by="staff")
