"""Orders in the database: those that left memory, and how to reach customers."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from sqlalchemy import delete, insert, select

from hub.effects import us
from hub.parcels.model import Order, Parcel, Parcels
from hub.parcels.tables import contacts, orders
from hub.store.rows import printable
from hub.store.service import Store

__all__ = ["contact_of", "keep_contact", "loaded", "order_record"]


def order_record(store: Store, order_id: str) -> dict[str, Any] | None:
    """The stored state of an order; None if there never was one of that id."""
    found = store.select(select(orders.c.record).where(orders.c.order_id == order_id))
    return json.loads(found[0]["record"]) if found else None


def loaded(record: Mapping[str, Any]) -> tuple[Order, list[Parcel]]:
    """The order and the parcels of a record."""
    room = Parcels.load({"orders": [record["order"]], "parcels": record["parcels"]})
    return room.orders[record["order"]["order_id"]], list(room.all.values())


def keep_contact(store: Store, order_id: str, name: str, phone: str, now_s: float) -> None:
    """How to reach a customer; what was said last holds. The caller holds the hub's lock."""
    row = {
        "order_id": order_id,
        "name": printable(name),
        "phone": printable(phone),
        "at_us": us(now_s),
    }
    store.run_all(
        [
            delete(contacts).where(contacts.c.order_id == order_id),
            *([insert(contacts).values(**row)] if name or phone else []),
        ]
    )


def contact_of(store: Store, order_id: str) -> dict[str, str]:
    """The customer's name and telephone number, empty where nobody told or they are forgotten."""
    found = store.select(select(contacts).where(contacts.c.order_id == order_id))
    if not found:
        return {"name": "", "phone": ""}
    return {"name": found[0]["name"], "phone": found[0]["phone"]}
