"""What staff do to the stock."""

from __future__ import annotations

from hub.commands import Reply, Restock
from hub.state import HubState

__all__ = ["restock"]


def restock(state: HubState, command: Restock) -> Reply:
    """Pieces came onto a shelf, or were taken off it by staff."""
    place = state.stock.restock(command.slot_id, command.gtin, command.quantity)
    state.effects.stock.add(place)
    state.event(
        "stock.restocked",
        None,
        slot_id=command.slot_id,
        gtin=command.gtin,
        quantity=command.quantity,
    )
    return Reply()
