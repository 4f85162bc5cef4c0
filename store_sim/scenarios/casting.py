"""Casting: which places of a store play the parts of a script, drawn from the seed.

A part is a slot with its product. `cast red green = twins` gives two slots whose products differ
and weigh the same; any store that has such a pair can play the case. A store that lacks what a case
needs is told what is missing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from contracts.geometry import Bay, Board
from contracts.store_file import Product, Slot, StoreFile
from store_sim.errors import ScenarioError

__all__ = ["CASTS", "FILTERS", "Part", "cast"]

TWIN_SHARE = 0.006
"""Twins differ by at most this share of their weight: less than packs of one product do."""
DOUBLE_SHARE = 0.06
"""A double weighs twice the other within this share."""
LIGHT_G, HEAVY_G = 160.0, 700.0


@dataclass(frozen=True, slots=True)
class Part:
    """A slot that plays a part, with what stands there."""

    slot: Slot
    product: Product
    bay: Bay
    weighed: bool

    @property
    def board(self) -> Board:
        """The board that it is on."""
        return next(b for b in self.bay.boards if b.board_id == self.slot.board_id)

    @property
    def z_m(self) -> float:
        """Height of its board."""
        return self.board.z_m

    @property
    def clearance_m(self) -> float:
        """Free height above its board."""
        return self.board.clearance_m


Parts = list[Part]
Keep = Callable[[Part], bool]


def _shape(name: str) -> Keep:
    return lambda part: part.product.packaging.shape == name


def _board(part: Part, place: int) -> bool:
    return part.slot.board_id == part.bay.boards[place].board_id


FILTERS: Mapping[str, Keep] = {
    "low": lambda part: _board(part, 0),
    "top": lambda part: _board(part, -1),
    "middle": lambda part: not _board(part, 0) and not _board(part, -1),
    "light": lambda part: part.product.weight_g <= LIGHT_G,
    "heavy": lambda part: part.product.weight_g >= HEAVY_G,
    "weighed": lambda part: part.weighed,
    "door": lambda part: part.bay.door is not None,
    "many": lambda part: part.slot.facings * part.slot.deep >= 8,
    "bottle": _shape("bottle"),
    "can": _shape("can"),
    "box": _shape("box"),
}
"""Words that narrow a cast."""


def cast(
    kind: str,
    count: int,
    words: Iterable[str],
    store: StoreFile,
    parts: Mapping[str, Part],
    rng: np.random.Generator,
) -> Parts:
    """`count` parts of a kind, none of which is taken yet; ScenarioError for what is lacking.

    `words` are FILTERS, or "beside:NAME", "bay:NAME", "board:NAME", "other-bay:NAME", "fits:NAME"
    (NAME's product is low enough for the board) with a part that is cast already.
    """
    keeps = [_keep(word, parts, store) for word in words]
    taken = {part.slot.slot_id for part in parts.values()}
    gtins = {part.product.gtin for part in parts.values()}
    everything = [
        part
        for part in _all_parts(store)
        if part.slot.slot_id not in taken
        and part.product.gtin not in gtins
        and all(keep(part) for keep in keeps)
    ]
    found = CASTS[kind](everything, count, rng)
    if len(found) != count:
        named = " ".join([kind, *words])
        raise ScenarioError(f"store {store.store_id} lacks {count} parts for {named!r}")
    return found


def _all_parts(store: StoreFile) -> Parts:
    products = {product.gtin: product for product in store.products}
    bays = {bay.bay_id: bay for bay in store.bays}
    return [
        Part(slot, products[slot.gtin], bays[slot.bay_id], _weighed(store, slot))
        for slot in store.slots
    ]


def _weighed(store: StoreFile, slot: Slot) -> bool:
    return any(
        plate.board_id == slot.board_id and plate.u0_m < slot.u1_m and plate.u1_m > slot.u0_m
        for plate in store.plates
    )


def _keep(word: str, parts: Mapping[str, Part], store: StoreFile) -> Keep:
    relation, _, name = word.partition(":")
    if not name:
        return FILTERS[word]
    other = parts[name]
    if relation == "beside":
        return lambda part: (
            part.slot.board_id == other.slot.board_id
            and (
                abs(part.slot.u0_m - other.slot.u1_m) < 0.03
                or abs(part.slot.u1_m - other.slot.u0_m) < 0.03
            )
        )
    if relation == "board":
        return lambda part: part.slot.board_id == other.slot.board_id
    if relation == "fits":
        height_m = other.product.packaging.height_m
        return lambda part: part.clearance_m > height_m
    if relation == "bay":
        return lambda part: part.slot.bay_id == other.slot.bay_id
    return lambda part: part.slot.bay_id != other.slot.bay_id


def _draw(parts: Parts, rng: np.random.Generator) -> Part:
    return parts[int(rng.integers(len(parts)))]


def _any(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """Any places with different products."""
    found: Parts = []
    left = parts
    while left and len(found) < count:
        found.append(_draw(left, rng))
        left = [part for part in left if part.product.gtin not in {p.product.gtin for p in found}]
    return found


def _gondolas(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """One place in each of so many bays, in an order of the seed."""
    bays = sorted({part.slot.bay_id for part in parts})
    order = [bays[k] for k in rng.permutation(len(bays)).tolist()][:count]
    return [_draw([part for part in parts if part.slot.bay_id == bay], rng) for bay in order]


def _pairs(parts: Parts, fits: Callable[[Part, Part], bool]) -> list[Parts]:
    """All ordered pairs that fit, those of one bay first, for a put-back is then a short way."""
    pairs = [[a, b] for a in parts for b in parts if a is not b and fits(a, b)]
    near = [pair for pair in pairs if pair[0].slot.bay_id == pair[1].slot.bay_id]
    return near or pairs


def _one_pair(pairs: list[Parts], count: int, rng: np.random.Generator) -> Parts:
    if not pairs or count != 2:
        return []
    return pairs[int(rng.integers(len(pairs)))]


def _twins(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """Two products of equal weight."""

    def equal(a: Part, b: Part) -> bool:
        apart = abs(a.product.weight_g - b.product.weight_g)
        return a.product.gtin != b.product.gtin and apart <= TWIN_SHARE * a.product.weight_g

    return _one_pair(_pairs(parts, equal), count, rng)


def _close(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """Two products of close, but not equal, weights."""

    def near(a: Part, b: Part) -> bool:
        share = abs(a.product.weight_g - b.product.weight_g) / a.product.weight_g
        return TWIN_SHARE < share <= 0.12

    return _one_pair(_pairs(parts, near), count, rng)


def _double(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """A small one, and one that weighs twice as much."""

    def twice(a: Part, b: Part) -> bool:
        two = 2 * a.product.weight_g
        return abs(b.product.weight_g - two) <= DOUBLE_SHARE * two

    return _one_pair(_pairs(parts, twice), count, rng)


def _sizes(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """A small one and a much bigger one of the same shape."""

    def bigger(a: Part, b: Part) -> bool:
        one, two = a.product, b.product
        return one.packaging.shape == two.packaging.shape and two.weight_g >= 1.35 * one.weight_g

    return _one_pair(_pairs(parts, bigger), count, rng)


def _neighbours(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """Different products side by side on one board, from the left."""
    boards: dict[str, Parts] = {}
    for part in sorted(parts, key=lambda p: (p.slot.board_id, p.slot.u0_m)):
        boards.setdefault(part.slot.board_id, []).append(part)
    runs = [
        row[k : k + count]
        for row in boards.values()
        for k in range(len(row) - count + 1)
        if _side_by_side(row[k : k + count])
    ]
    return runs[int(rng.integers(len(runs)))] if runs else []


def _side_by_side(run: Parts) -> bool:
    near = all(b.slot.u0_m - a.slot.u1_m < 0.05 for a, b in pairwise(run))
    return near and len({part.product.gtin for part in run}) == len(run)


def _one_bay(parts: Parts, count: int, rng: np.random.Generator) -> Parts:
    """Different products of one bay."""
    bays = sorted({part.slot.bay_id for part in parts})
    for k in rng.permutation(len(bays)).tolist():
        found = _any([part for part in parts if part.slot.bay_id == bays[k]], count, rng)
        if len(found) == count:
            return found
    return []


CASTS: Mapping[str, Callable[[Parts, int, np.random.Generator], Parts]] = {
    "any": _any,
    "gondolas": _gondolas,
    "twins": _twins,
    "close": _close,
    "double": _double,
    "sizes": _sizes,
    "neighbours": _neighbours,
    "one-bay": _one_bay,
}
"""Kinds of casts by name."""
