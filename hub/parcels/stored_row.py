"""The row of an order."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from hub.effects import us
from hub.parcels.model import Order, Parcel, lean

__all__ = ["order_row"]


def order_row(order: Order, parcels: Sequence[Parcel]) -> dict[str, Any]:
    """The row of an order, its parcels in the record."""
    record = {"order": lean(order), "parcels": [lean(parcel) for parcel in parcels]}
    return {
        "order_id": order.order_id,
        "state": order.state,
        "payer": order.payer,
        "placed_us": us(order.placed_s),
        "deadline_us": None if order.deadline_s is None else us(order.deadline_s),
        "closed_us": None if order.closed_s is None else us(order.closed_s),
        "due_minor": sum(parcel.due_minor for parcel in parcels),
        "record": json.dumps(record),
        "forgotten": order.forgotten,
    }
