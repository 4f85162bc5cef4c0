"""What staff do to the stock."""

from __future__ import annotations

from hub.attribution.model import Decision
from hub.commands import Reply, Restock
from hub.inventory.model import STAFF, Place
from hub.state import HubState

__all__ = ["moved_by_staff", "restock"]


def moved_by_staff(state: HubState, decision: Decision) -> set[Place]:
    """A decision about staff whose body is known: what they put on a shelf came in, what they
    took is off the books. Nothing of it is in a cart. Returns the places touched."""
    return state.stock.apply(decision, STAFF)


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
