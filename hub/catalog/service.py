"""What staff do to the catalogue."""

from __future__ import annotations

from hub.commands import ChangePrice, ChangeVat, Reply
from hub.effects import us
from hub.state import HubState

__all__ = ["change_price", "change_vat"]


def change_price(state: HubState, command: ChangePrice) -> Reply:
    """A product costs something else from now on; what is in a cart keeps its price."""
    state.catalog.change_price(command.gtin, command.price_minor, from_s=state.now_s)
    state.effects.prices.append((command.gtin, us(state.now_s), command.price_minor))
    state.event("price.changed", None, gtin=command.gtin, price_minor=command.price_minor)
    return Reply()


def change_vat(state: HubState, command: ChangeVat) -> Reply:
    """A product has another VAT rate from now on; what is in a cart keeps the rate of its pick."""
    rate = f"{command.vat_rate:.4f}"
    state.catalog.change_vat(command.gtin, rate, from_s=state.now_s)
    state.effects.stock.update(place for place in state.stock.shelf if place[1] == command.gtin)
    state.event("vat.changed", None, gtin=command.gtin, vat_rate=rate)
    return Reply()
