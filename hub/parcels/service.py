"""Orders and their parcels: placed, stowed, ready, off, expired, missing.

What is ready may be fetched. An order's parcels become ready together, when none of them is
expected any more or when staff release what there is.
"""

from __future__ import annotations

import math
from typing import Literal

from contracts.labels import label_key
from hub.command import Reply
from hub.effects import us
from hub.errors import ConflictError, RejectedError, UnknownParcelError
from hub.levels import FOUND_AGAIN_LEVEL, READ_BACK_LEVEL, WALL_SALES_LEVEL
from hub.parcels.codes import digest_of
from hub.parcels.commands import (
    AddParcel,
    CancelOrder,
    PlaceOrder,
    RecallOrder,
    ReleaseOrder,
    ReportMissing,
)
from hub.parcels.model import Order, Parcel, Parcels, ParcelState, Refusal, Wall
from hub.parcels.ordering import as_ordered, check_same, parcels_of
from hub.parcels.paying import settle_late, waited_for
from hub.state import HubState
from hub.wallet.balances import payer_for

__all__ = [
    "WAITING",
    "add_parcel",
    "cancel_order",
    "close_if_done",
    "closed_word",
    "deadline_s",
    "expire_orders",
    "move",
    "order_of",
    "parcel_of",
    "place_order",
    "ready_if_whole",
    "recall_order",
    "release_order",
    "report_missing",
    "standing_at",
    "stow_if_seen",
    "stowed",
]

ORDERS_MAX = 20_000
WAITING: tuple[ParcelState, ...] = ("stowed", "ready", "cued")
"""States of a parcel that stands on a wall."""


def place_order(state: HubState, command: PlaceOrder) -> Reply:
    """Takes an order in; the same order again changes nothing."""
    room = state.parcels
    payer = payer_for(state, command.payer, command.wallet_sha256)
    known = room.orders.get(command.order_id)
    if known is not None:
        check_same(state, known, command, payer)
        return Reply(repeated=True)
    if len(room.orders) - len(room.closed) >= ORDERS_MAX:
        raise RejectedError(f"expected fewer than {ORDERS_MAX} open orders; close some first")
    code = command.code_sha256
    if code is not None and (code in room.by_code or code in state.badges):
        raise ConflictError("expected a code of this order alone, got one that is in use")
    order = Order(
        order_id=command.order_id,
        payer=payer or f"guest-o-{command.order_id}",
        placed_s=state.now_s,
        deadline_s=command.deadline_s,
        code_sha256=code,
        token_sha256=command.token_sha256 or command.wallet_sha256,
    )
    parcels = parcels_of(state, order, command.parcels, command.due_minor)
    room.orders[order.order_id] = order
    room.next_s = None
    if code is not None:
        room.by_code[code] = order.order_id
    state.event(
        "order.placed",
        None,
        order_id=order.order_id,
        payer=order.payer,
        due_minor=sum(parcel.due_minor for parcel in parcels),
        deadline_us=None if order.deadline_s is None else us(order.deadline_s),
    )
    for parcel in parcels:
        _expect(state, order, parcel)
    return Reply(payer=order.payer)


def recall_order(state: HubState, command: RecallOrder) -> Reply:
    """A closed order is in memory again, with those of its parcels that are no other order's."""
    room = state.parcels
    known = Parcels.load(
        {"orders": [command.record["order"]], "parcels": command.record["parcels"]}
    )
    for order in known.orders.values():
        if order.state == "open" or order.order_id in room.orders:
            raise RejectedError(f"expected a closed order of the past, got {order.order_id}")
        room.orders[order.order_id] = order
        room.closed.add(order.order_id)
        if order.code_sha256 is not None and state.level >= READ_BACK_LEVEL:
            room.by_code.setdefault(order.code_sha256, order.order_id)
    for parcel in known.all.values():
        room.all.setdefault(parcel.key, parcel)
        room.by_label.setdefault(digest_of(parcel.label), parcel.key)
    return Reply()


def add_parcel(state: HubState, command: AddParcel) -> Reply:
    """One more parcel of an open order."""
    order = order_of(state, command.order_id)
    before = state.parcels.all.get(label_key(command.parcel.label))
    if before is not None and before.order_id == order.order_id:
        if not as_ordered(command.parcel, before):
            raise ConflictError(f"expected {before.key} as it was ordered, got other content")
        return Reply(repeated=True)
    (parcel,) = parcels_of(state, order, (command.parcel,), None)
    if order.state != "open":
        raise RejectedError(f"expected an open order, {order.order_id} is {order.state}")
    _expect(state, order, parcel)
    return Reply()


def cancel_order(state: HubState, command: CancelOrder) -> Reply:
    """The order is off; its parcels wait to be sent back."""
    order = order_of(state, command.order_id)
    if order.state == "cancelled":
        return Reply(repeated=True)
    if order.state == "collected":
        raise RejectedError(f"expected an order that was not collected, {order.order_id} was")
    _close(state, order, "cancelled", command.reason)
    state.event(
        "order.cancelled", None, order_id=order.order_id, by=command.by, reason=command.reason
    )
    return Reply()


def release_order(state: HubState, command: ReleaseOrder) -> Reply:
    """What is there of an order may be fetched."""
    order = order_of(state, command.order_id)
    if order.state not in ("open", "expired"):
        raise RejectedError(f"expected an open or expired order, {order.order_id} is {order.state}")
    deadline = order.deadline_s if command.deadline_s is None else command.deadline_s
    if deadline is not None and deadline <= state.now_s:
        raise RejectedError("expected a deadline that lies ahead; give a new deadline_s")
    if order.released and order.deadline_s == deadline and order.state == "open":
        return Reply(repeated=True)
    _reopen(state, order, deadline, command.by)
    if state.level >= READ_BACK_LEVEL:
        for parcel in state.parcels.of_order(order):
            _find(state, parcel)
    ready_if_whole(state, order)
    return Reply()


def _find(state: HubState, parcel: Parcel) -> None:
    """What came, or was moved, while its order was not in memory is where it stands now."""
    places = standing_at(state, parcel.key)
    if parcel.state in WAITING and len(places) == 1:
        wall, parcel.thing_id = places[0]
        parcel.wall_id = wall.wall_id
    stow_if_seen(state, parcel)


def _reopen(state: HubState, order: Order, deadline: float | None, by: str) -> None:
    """What is here of an order may be fetched, until then."""
    order.released, order.deadline_s = True, deadline
    order.state, order.closed_s, order.reason = "open", None, ""
    state.parcels.closed.discard(order.order_id)
    state.parcels.next_s = None
    if order.code_sha256 is not None:
        # It may have left memory meanwhile, and its code with it.
        state.parcels.by_code.setdefault(order.code_sha256, order.order_id)
    state.event(
        "order.released",
        None,
        order_id=order.order_id,
        by=by,
        deadline_us=None if deadline is None else us(deadline),
    )


def report_missing(state: HubState, command: ReportMissing) -> Reply:
    """A parcel is not where it should be."""
    parcel = parcel_of(state, command.key)
    if parcel.state == "missing":
        return Reply(repeated=True)
    if parcel.state in ("handed_over", "returned"):
        raise RejectedError(f"expected a parcel that is here, {parcel.key} is {parcel.state}")
    if standing_at(state, parcel.key):
        raise RejectedError(f"expected a parcel that nobody sees; {parcel.key} stands on a wall")
    _from_sessions(state, parcel.key)
    move(state, parcel, "missing", by=command.by)
    if state.level >= WALL_SALES_LEVEL:
        settle_late(state, parcel)
    order = state.parcels.orders[parcel.order_id]
    ready_if_whole(state, order)
    close_if_done(state, order)
    return Reply()


def expire_orders(state: HubState) -> None:
    """Orders whose deadline is over; a customer who is at the wall is let finish."""
    room = state.parcels
    if state.now_s >= deadline_s(state):
        room.next_s = None
        served = _served(state)
        for order in list(room.orders.values()):
            over = order.deadline_s is not None and state.now_s >= order.deadline_s
            if order.state == "open" and over and order.order_id not in served:
                _close(state, order, "expired", "")
                state.event("order.expired", None, order_id=order.order_id)
    if len(room.closed) > state.rules.orders_closed_kept:
        kept = {one for wall in room.walls.values() for s in wall.sessions for one in s.orders}
        if state.level >= WALL_SALES_LEVEL:
            kept |= {one for one in room.closed if _unsettled(state, room.orders[one])}
        old = sorted(room.closed - kept, key=lambda one: (room.orders[one].closed_s or 0.0, one))
        for order_id in old[: len(room.closed) - state.rules.orders_closed_kept]:
            _forget(state, room.orders[order_id])


def deadline_s(state: HubState) -> float:
    """When the next order expires; infinity if none does. One that is served waits until it is not:
    a van may stand at its stop all day."""
    room = state.parcels
    if room.next_s is None:
        served = _served(state)
        room.next_s = min(
            (
                order.deadline_s
                for order in room.orders.values()
                if order.state == "open"
                and order.deadline_s is not None
                and order.order_id not in served
            ),
            default=math.inf,
        )
    return room.next_s


def order_of(state: HubState, order_id: str) -> Order:
    """The order of this id; RejectedError if there is none."""
    order = state.parcels.orders.get(order_id)
    if order is None:
        raise UnknownParcelError(f"expected an order of this store, got {order_id}")
    return order


def parcel_of(state: HubState, key: str) -> Parcel:
    """The parcel of this key; RejectedError if there is none."""
    parcel = state.parcels.all.get(key)
    if parcel is None:
        raise UnknownParcelError(f"expected a parcel of an order of this store, got {key}")
    return parcel


def move(state: HubState, parcel: Parcel, to: ParcelState, **said: object) -> None:
    """A parcel comes into a state, and the log says so."""
    parcel.state, parcel.changed_s = to, state.now_s
    state.effects.orders.add(parcel.order_id)
    if parcel.wall_id is not None:
        state.parcels.touched.add(parcel.wall_id)
    state.event(
        {
            "stowed": "parcel.stowed",
            "ready": "parcel.ready",
            "cued": "parcel.cued",
            "taken": "parcel.taken",
            "handed_over": "parcel.handed_over",
            "returned": "parcel.returned",
            "missing": "parcel.missing",
        }[to],
        parcel.visit_id,
        order_id=parcel.order_id,
        parcel=parcel.key,
        **said,
    )


def stowed(state: HubState, parcel: Parcel, wall: Wall, thing_id: str) -> None:
    """It stands on a wall, for the first time or again."""
    parcel.wall_id, parcel.thing_id, parcel.proof = wall.wall_id, thing_id, {}
    move(state, parcel, "stowed", wall_id=wall.wall_id, thing_id=thing_id)
    order = state.parcels.orders[parcel.order_id]
    if order.state == "collected" and state.level >= FOUND_AGAIN_LEVEL:
        # It was missing when the rest was fetched.
        _reopen(state, order, order.deadline_s, "hub")
    ready_if_whole(state, order)


def stow_if_seen(state: HubState, parcel: Parcel) -> None:
    """A parcel that is waited for is stowed if one thing, and one only, stands under its label."""
    places = standing_at(state, parcel.key)
    if parcel.state not in ("expected", "missing") or len(places) != 1:
        return
    wall, thing_id = places[0]
    thing = wall.things[thing_id]
    if thing.key == parcel.key and not thing.twins:
        stowed(state, parcel, wall, thing_id)


def ready_if_whole(state: HubState, order: Order) -> None:
    """Makes what is stowed ready, if the order waits for nothing more."""
    parcels = state.parcels.of_order(order)
    if order.state != "open":
        return
    if not order.released and any(parcel.state == "expected" for parcel in parcels):
        return
    waiting = [parcel for parcel in parcels if parcel.state == "stowed"]
    for parcel in waiting:
        move(state, parcel, "ready", wall_id=parcel.wall_id)
    if waiting:
        state.event("order.ready", None, order_id=order.order_id, parcels=len(waiting))


def close_if_done(state: HubState, order: Order) -> None:
    """An order is collected when nothing of it is left to fetch."""
    parcels = state.parcels.of_order(order)
    over = ("handed_over", "returned", "missing")
    if order.state != "open" or any(parcel.state not in over for parcel in parcels):
        return
    if any(parcel.state == "handed_over" for parcel in parcels):
        order.state, order.closed_s = "collected", state.now_s
        state.parcels.closed.add(order.order_id)
        state.effects.orders.add(order.order_id)
        state.event("order.collected", None, order_id=order.order_id)


def closed_word(order: Order) -> Refusal:
    """Why nothing of a closed order is shown."""
    if order.state == "cancelled":
        return "cancelled"
    return "collected" if order.state == "collected" else "order_expired"


def standing_at(state: HubState, key: str) -> list[tuple[Wall, str]]:
    """Where things stand under this label: wall and thing."""
    return [
        (wall, thing.thing_id)
        for wall in state.parcels.walls.values()
        for thing in wall.standing(key)
    ]


def _served(state: HubState) -> set[str]:
    """Orders whose customer, or van, is there."""
    live = (one for wall in state.parcels.walls.values() for one in wall.live())
    return {order_id for one in live for order_id in one.orders}


def _close(state: HubState, order: Order, to: Literal["cancelled", "expired"], reason: str) -> None:
    """The order ends without being collected: nothing of it is shown any more."""
    order.state, order.closed_s, order.reason = to, state.now_s, reason
    state.parcels.closed.add(order.order_id)
    state.effects.orders.add(order.order_id)
    for parcel in state.parcels.of_order(order):
        if parcel.state in ("ready", "cued"):
            move(state, parcel, "stowed", wall_id=parcel.wall_id, thing_id=parcel.thing_id)
        if parcel.wall_id is not None:
            state.parcels.touched.add(parcel.wall_id)
    for wall in state.parcels.walls.values():
        for session in wall.live():
            if order.order_id in session.orders:
                state.parcels.touched.add(wall.wall_id)
                session.reason = closed_word(order)
                session.keys = [
                    key for key in session.keys
                    if key not in order.parcels or key in session.taken
                ]  # fmt: skip


def _from_sessions(state: HubState, key: str) -> None:
    for wall in state.parcels.walls.values():
        for session in wall.live():
            if key in session.keys:
                session.keys.remove(key)
                session.taken.pop(key, None)
                state.parcels.touched.add(wall.wall_id)


def _unsettled(state: HubState, order: Order) -> bool:
    return any(waited_for(state, parcel) for parcel in state.parcels.of_order(order))


def _forget(state: HubState, order: Order) -> None:
    room = state.parcels
    if order.order_id in state.effects.orders:
        state.effects.left_orders[order.order_id] = order, room.of_order(order)
    del room.orders[order.order_id]
    room.closed.discard(order.order_id)
    room.forget_code(order)
    for key in order.parcels:
        parcel = room.all.get(key)
        if parcel is not None and parcel.order_id == order.order_id:
            del room.all[key]
            room.by_label.pop(digest_of(parcel.label), None)


def _expect(state: HubState, order: Order, parcel: Parcel) -> None:
    room = state.parcels
    room.all[parcel.key] = parcel
    room.by_label[digest_of(parcel.label)] = parcel.key
    order.parcels.append(parcel.key)
    parcel.changed_s = state.now_s
    state.effects.orders.add(order.order_id)
    items = [[i.gtin, i.quantity, i.unit_price_minor, i.vat_rate] for i in parcel.items]
    state.event(
        "parcel.expected",
        None,
        order_id=order.order_id,
        parcel=parcel.key,
        due_minor=parcel.due_minor,
        items=items,
    )
    # It may have been there before anybody said whose it is, also twice.
    room.touched.update(wall.wall_id for wall, _ in standing_at(state, parcel.key))
    stow_if_seen(state, parcel)
