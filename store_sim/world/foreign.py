"""Things people bring along that no store sells: a stone of a jar's weight, an own bottle, a phone.

Their GTINs are of the range for restricted circulation (prefix 29), which no product of a store
file should use.
"""

from __future__ import annotations

from typing import Final

from contracts.store_file import Packaging, Product

__all__ = ["FOREIGN", "THINGS", "foreign_product"]


def foreign_product(gtin: str, name: str, weight_g: float, packaging: Packaging) -> Product:
    """A thing that is not for sale; it costs nothing and has no VAT."""
    return Product(
        gtin=gtin,
        name=name,
        brand="none",
        size_label="1",
        weight_g=weight_g,
        weight_sd_g=0.0,
        price_minor=0,
        vat="none",
        packaging=packaging,
    )


_STONE = Packaging(
    shape="lump", width_m=0.09, depth_m=0.08, height_m=0.06,
    base_rgb=(122, 118, 110), accent_rgb=(104, 100, 94),
)  # fmt: skip
_FLASK = Packaging(
    shape="bottle", width_m=0.07, depth_m=0.07, height_m=0.24,
    base_rgb=(40, 60, 80), accent_rgb=(160, 170, 180), cap_rgb=(20, 20, 20),
)  # fmt: skip
_PHONE = Packaging(
    shape="box", width_m=0.075, depth_m=0.15, height_m=0.009,
    base_rgb=(24, 24, 28), accent_rgb=(60, 60, 70),
)  # fmt: skip

FOREIGN: Final[dict[str, Product]] = {
    product.gtin: product
    for product in (
        foreign_product("2900000000018", "stone", 350.0, _STONE),
        foreign_product("2900000000025", "own flask", 420.0, _FLASK),
        foreign_product("2900000000032", "phone", 190.0, _PHONE),
    )
}
"""By GTIN. A stone is as heavy as the case wants it."""

THINGS: Final[dict[str, str]] = {
    product.name.split()[-1]: gtin for gtin, product in FOREIGN.items()
}
"""GTINs by the last word of the name, as scripts call them: stone, flask, phone."""
