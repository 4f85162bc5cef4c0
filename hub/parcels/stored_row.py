"""The row of an order, made of the state as it is."""

from __future__ import annotations

import json
from typing import Any

from hub.effects import us
from hub.parcels.model import Order, lean
from hub.state import HubState

__all__ = ["order_row"]


def order_row(state: HubState, order: Order) -> dict[str, Any]:
    """The row of an order, its parcels in the record."""
    parcels = state.parcels.of_order(order)
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
