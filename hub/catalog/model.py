"""Products as they are sold: VAT rate, and every price with the time it began."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from contracts.money import AMOUNT_MINOR_MAX
from contracts.store_file import StoreFile
from hub.catalog.offers import Offers
from hub.errors import RejectedError

__all__ = ["Catalog", "CatalogProduct"]

PRICES_MAX = 1_000
"""Prices kept in memory a product; the database keeps all."""


@dataclass(slots=True)
class CatalogProduct:
    """One product and its prices as (from hub seconds, minor units), oldest first. `vat_rate` is
    the rate of now; `vat_rates` holds those before it as (until hub seconds, rate)."""

    gtin: str
    name: str
    vat_rate: str
    prices: list[tuple[float, int]] = field(default_factory=list)
    vat_rates: list[tuple[float, str]] = field(default_factory=list)

    def vat_at(self, t_s: float) -> str:
        """The VAT rate that held at a time."""
        return next((rate for until_s, rate in self.vat_rates if t_s < until_s), self.vat_rate)

    def price_at(self, t_s: float) -> int:
        """The price that was shown at a time, in minor units."""
        index = bisect_right(self.prices, t_s, key=lambda price: price[0])
        return self.prices[max(0, index - 1)][1]


class Catalog:
    """All products of the store, and what is promised and forbidden of them."""

    def __init__(self, store: StoreFile) -> None:
        self.currency = store.currency
        self.offers = Offers.of(store)
        self.products = {
            product.gtin: CatalogProduct(
                product.gtin,
                product.name,
                f"{store.vat_rate(product):.4f}",
                [(0.0, product.price_minor)],
            )
            for product in store.products
        }

    def change_price(self, gtin: str, price_minor: int, *, from_s: float) -> None:
        """From now on the product costs this; carts keep the price seen at the pick."""
        product = self._known(gtin)
        if not 0 <= price_minor <= AMOUNT_MINOR_MAX:
            raise RejectedError(f"expected 0 to {AMOUNT_MINOR_MAX}, got {price_minor}")
        if product.prices[-1][0] >= from_s:
            raise RejectedError(
                f"expected a price later than {product.prices[-1][0]}, got {from_s}"
            )
        product.prices.append((from_s, price_minor))
        del product.prices[:-PRICES_MAX]

    def change_vat(self, gtin: str, vat_rate: str, *, from_s: float) -> None:
        """From now on the product has this VAT rate; carts keep the rate of the pick."""
        product = self._known(gtin)
        if product.vat_rate == vat_rate:
            raise RejectedError(f"expected another VAT rate than {vat_rate}, which it has")
        if product.vat_rates and product.vat_rates[-1][0] >= from_s:
            raise RejectedError(
                f"expected a time later than {product.vat_rates[-1][0]}, got {from_s}"
            )
        product.vat_rates.append((from_s, product.vat_rate))
        del product.vat_rates[:-PRICES_MAX]
        product.vat_rate = vat_rate

    def _known(self, gtin: str) -> CatalogProduct:
        product = self.products.get(gtin)
        if product is None:
            raise RejectedError(f"expected a GTIN of this store, got {gtin}")
        return product

    def name(self, gtin: str) -> str:
        """What a product is called; its GTIN where the store has none of it any more."""
        product = self.products.get(gtin)
        return gtin if product is None else product.name

    def dump_vat(self) -> dict[str, Any]:
        """VAT rates of products whose rate has changed, as JSON values; empty if none has."""
        return {
            gtin: [product.vat_rate, [[until_s, rate] for until_s, rate in product.vat_rates]]
            for gtin, product in sorted(self.products.items())
            if product.vat_rates
        }

    def restore_vat(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump_vat` described."""
        for gtin, (rate, before) in state.items():
            if gtin in self.products:
                self.products[gtin].vat_rate = rate
                self.products[gtin].vat_rates = [(until_s, old) for until_s, old in before]

    def dump(self) -> dict[str, Any]:
        """Prices as JSON values."""
        return {
            gtin: [[at_s, price] for at_s, price in product.prices]
            for gtin, product in sorted(self.products.items())
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump` described."""
        for gtin, prices in state.items():
            if gtin in self.products:
                self.products[gtin].prices = [(at_s, price) for at_s, price in prices]
