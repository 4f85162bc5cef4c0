"""What an order asks for, as parcels: labels that are free, items with prices, sums that hold."""

from __future__ import annotations

from contracts.labels import label_key
from hub.errors import ConflictError, RejectedError
from hub.parcels.commands import OrderedItem, OrderedParcel, PlaceOrder
from hub.parcels.model import Item, Order, Parcel
from hub.state import HubState

__all__ = ["NO_GTIN", "as_ordered", "check_same", "parcels_of"]

NO_GTIN = "00000000000000"
"""Stands for the goods of a parcel that was ordered without any named."""


def check_same(state: HubState, known: Order, command: PlaceOrder, payer: str | None) -> None:
    """ConflictError unless an order that is placed again is as it was placed before. What the
    catalogue filled in then may be otherwise by now."""
    before = {parcel.key: parcel for parcel in state.parcels.of_order(known)}
    wanted = _with_due(command.parcels, command.due_minor)
    keys = [label_key(wish.label) for wish in wanted]
    same = (
        payer in (None, known.payer)
        and command.code_sha256 in (None, known.code_sha256)
        and command.due_minor in (None, sum(wish.due_minor for wish in wanted))
        and len(set(keys)) == len(keys)
        and all(as_ordered(wish, before.get(key)) for wish, key in zip(wanted, keys, strict=True))
    )
    if not same:
        raise ConflictError(f"order {known.order_id} was placed before with other content")


def as_ordered(wish: OrderedParcel, parcel: Parcel | None) -> bool:
    """Whether a parcel is what was wished for, as far as the wish says."""
    if parcel is None or wish.due_minor != parcel.due_minor:
        return False
    if not wish.items:
        whole = (_whole(wish),) if wish.due_minor else ()
        return parcel.items == whole
    return len(wish.items) == len(parcel.items) and all(
        (one.gtin, one.quantity) == (item.gtin, item.quantity)
        and one.unit_price_minor in (None, item.unit_price_minor)
        and (one.vat_rate is None or _rate(one.vat_rate) == item.vat_rate)
        and one.name in ("", item.name)
        for one, item in zip(wish.items, parcel.items, strict=True)
    )


def _with_due(
    wanted: tuple[OrderedParcel, ...], due_minor: int | None
) -> tuple[OrderedParcel, ...]:
    """What is due for an order of one parcel may be said of the order alone."""
    if due_minor and len(wanted) == 1 and not wanted[0].due_minor:
        return (wanted[0].model_copy(update={"due_minor": due_minor}),)
    return wanted


def _whole(wish: OrderedParcel) -> Item:
    return Item(NO_GTIN, 1, wish.due_minor, _rate(wish.vat_rate), "Parcel")


def parcels_of(
    state: HubState,
    order: Order,
    wanted: tuple[OrderedParcel, ...],
    due_minor: int | None,
) -> list[Parcel]:
    """The parcels as ordered, checked; nothing is changed."""
    found: dict[str, Parcel] = {}
    wanted = _with_due(wanted, due_minor)
    for place, wish in enumerate(wanted):
        key = label_key(wish.label)
        before = state.parcels.all.get(key)
        if key in found:
            raise RejectedError(f"parcels.{place}: expected each label once, got {key} twice")
        if before is not None:
            raise ConflictError(
                f"parcels.{place}: expected a label of one order, {key} is of {before.order_id}"
            )
        items = tuple(_item(state, place, one, bool(wish.due_minor)) for one in wish.items)
        found[key] = Parcel(
            key=key,
            label=wish.label.strip(),
            order_id=order.order_id,
            items=_due_items(place, wish, items) if wish.due_minor else items,
            due_minor=wish.due_minor,
            size_m=wish.size_m,
        )
    total = sum(parcel.due_minor for parcel in found.values())
    if due_minor is not None and due_minor != total:
        raise RejectedError(
            f"due_minor: expected what the parcels cost together, {total}, got {due_minor}; give "
            "each parcel its due_minor"
        )
    return list(found.values())


def _item(state: HubState, place: int, wish: OrderedItem, paid_here: bool) -> Item:
    product = state.catalog.products.get(wish.gtin)
    price, rate, name = wish.unit_price_minor, wish.vat_rate, wish.name
    if product is not None:
        price = product.price_at(state.now_s) if price is None else price
        rate = product.vat_rate if rate is None else rate
        name = name or product.name
    if paid_here and (price is None or rate is None):
        raise RejectedError(
            f"parcels.{place}: expected unit_price_minor and vat_rate of {wish.gtin}, which is "
            "not in the catalogue and is paid at pick-up"
        )
    return Item(wish.gtin, wish.quantity, price or 0, _rate(rate), name or wish.gtin)


def _rate(rate: str | None) -> str:
    return "" if rate is None else f"{float(rate):.4f}"


def _due_items(place: int, wish: OrderedParcel, items: tuple[Item, ...]) -> tuple[Item, ...]:
    """Items that come to what is due; one for all of it where none are named."""
    if not items:
        if wish.vat_rate is None:
            raise RejectedError(
                f"parcels.{place}: expected items, or a vat_rate, of a parcel that is paid at "
                "pick-up"
            )
        return (_whole(wish),)
    total = sum(item.quantity * item.unit_price_minor for item in items)
    if total != wish.due_minor:
        raise RejectedError(
            f"parcels.{place}: expected items that cost {wish.due_minor} together, they cost "
            f"{total}"
        )
    return items
