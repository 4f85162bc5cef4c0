"""What stands on the shelves, item by item, and what it weighs on which plate."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Board
from contracts.store_file import Product, Slot, StoreFile
from store_sim.errors import ScenarioError
from store_sim.scene import ItemPose
from store_sim.world.foreign import FOREIGN
from store_sim.world.hold import quantised, rotation_z
from store_sim.world.scenario import Arrangement, Brought
from store_sim.world.vectors import Vec

__all__ = ["FRONT_GAP_M", "Item", "SlotPlace", "Stock", "bay_point"]

FRONT_GAP_M = 0.012
"""Between the front plane and the front of a fully faced column."""
ROW_GAP_M = 0.004
OVERHANG_M = 0.010
"""An item that is put where there is hardly room may come this near the front plane."""


@dataclass(slots=True)
class Item:
    """One piece. `weight_g` is its own, `u_m`, `v_m`, `yaw_rad` where it stands on its board."""

    index: int
    product: Product
    weight_g: float
    u_m: float
    v_m: float
    yaw_rad: float


@dataclass(frozen=True, slots=True)
class SlotPlace:
    """A slot with everything that hangs on it."""

    slot: Slot
    bay: Bay
    board: Board
    product: Product

    @property
    def pitch_m(self) -> float:
        """Width of one facing."""
        return (self.slot.u1_m - self.slot.u0_m) / self.slot.facings

    @property
    def roof_z_m(self) -> float:
        """Underside of what is above the board."""
        return self.board.z_m + self.board.clearance_m


def bay_point(bay: Bay, u_m: float, v_m: float, z_m: float) -> Vec:
    """World point of a point in the bay's frame; the formula of contracts.geometry."""
    cos, sin = bay.normal
    return (
        bay.origin_m[0] - u_m * sin - v_m * cos,
        bay.origin_m[1] + u_m * cos - v_m * sin,
        z_m,
    )


class Stock:
    """All items of the store. A column is a list from the back to the front; the last is taken
    first, and what is put back becomes the last."""

    def __init__(
        self,
        store: StoreFile,
        rng: np.random.Generator,
        *,
        shelves: tuple[Arrangement, ...] = (),
        weight_sd: float | None = None,
    ) -> None:
        """`shelves` say what other columns hold than the planogram says; `weight_sd` is the
        spread of pack weights as a share, None for what the store file lists."""
        bays = {bay.bay_id: bay for bay in store.bays}
        products = {product.gtin: product for product in store.products}
        self._products = {**FOREIGN, **products}
        self._weight_sd = weight_sd
        self._arranged = self._arrangements(store, shelves)
        self.places: dict[str, SlotPlace] = {}
        for slot in store.slots:
            bay = bays[slot.bay_id]
            board = next(b for b in bay.boards if b.board_id == slot.board_id)
            self.places[slot.slot_id] = SlotPlace(slot, bay, board, products[slot.gtin])
        self.items: list[Item] = []
        self.columns: dict[tuple[str, int], list[Item]] = {}
        self.moved: list[tuple[int, float]] = []
        """Plate rows and grams that changed, until the world takes them."""
        self.version = 0
        self._rng = rng
        self._plates = {plate.plate_id: row for row, plate in enumerate(store.plates)}
        self._plates_of: dict[str, list[tuple[int, float, float]]] = {}
        for plate in store.plates:
            row = self._plates[plate.plate_id]
            self._plates_of.setdefault(plate.board_id, []).append((row, plate.u0_m, plate.u1_m))
        self._grams = np.zeros(len(store.plates))
        self._poses: dict[int, ItemPose] = {}
        self._shelf: tuple[ItemPose, ...] | None = None
        self.fill()

    @property
    def grams(self) -> NDArray[np.float64]:
        """True grams on each plate, in the order of the store file. Do not write to it."""
        return self._grams

    def fill(self) -> None:
        """Fills every column to its depth with new pieces, or as it was arranged."""
        for slot_id in self.places:
            self.fill_slot(slot_id)
        self.moved.clear()

    def fill_slot(self, slot_id: str) -> list[Item]:
        """Fills every column of a slot; the new pieces."""
        items = []
        for column, product in self.lacking(slot_id):
            items.append(self.new_item(product))
            self._add(items[-1], slot_id, column)
        return items

    def lacking(self, slot_id: str) -> list[tuple[int, Product]]:
        """Columns of a slot and what they lack, a piece each, in the order of filling."""
        place, found = self.places[slot_id], []
        for column in range(place.slot.facings):
            pile = self.columns.setdefault((slot_id, column), [])
            wanted = self._arranged.get((slot_id, column))
            if wanted is None:
                found += [(column, place.product)] * (place.slot.deep - len(pile))
            else:
                found += [(column, self.product(gtin)) for gtin in wanted[len(pile) :]]
        return found

    def _add(self, item: Item, slot_id: str, column: int) -> None:
        self.put(item, slot_id, column, self.standing(slot_id, column, item.product))

    def new_item(self, product: Product, weight_g: float | None = None) -> Item:
        """A new piece of a product, with its own weight, nowhere yet."""
        spread_g = product.weight_sd_g
        if self._weight_sd is not None:
            spread_g = self._weight_sd * product.weight_g
        weight = weight_g
        if weight is None:
            weight = product.weight_g + spread_g * float(np.clip(self._rng.normal(), -2.5, 2.5))
        item = Item(len(self.items), product, round(weight, 1), 0.0, 0.0, 0.0)
        self.items.append(item)
        return item

    def brought(self, thing: Brought) -> Item:
        """A thing that somebody has on them who comes in."""
        return self.new_item(self.product(thing.gtin), thing.weight_g)

    def product(self, gtin: str) -> Product:
        """A product of the store, or a thing people bring along; ScenarioError if neither."""
        product = self._products.get(gtin)
        if product is None:
            raise ScenarioError(f"expected a product of the store, got GTIN {gtin}")
        return product

    def standing(
        self, slot_id: str, column: int, product: Product | None = None
    ) -> tuple[float, float, float]:
        """Where (u, v, yaw) the next item of a column will stand: in line, never exactly."""
        place = self.places[slot_id]
        pile = self.columns[(slot_id, column)]
        packaging = (product or place.product).packaging
        row = max(0, place.slot.deep - 1 - len(pile))
        slack = max(0.0, place.pitch_m - packaging.width_m)
        jitter = float(np.clip(self._rng.normal(0, 0.003), -0.35 * slack, 0.35 * slack))
        u = place.slot.u0_m + (column + 0.5) * place.pitch_m + jitter
        v = FRONT_GAP_M + packaging.depth_m / 2 + row * (packaging.depth_m + ROW_GAP_M)
        if not self._in_line(place, pile, product):
            v = max(self._free_v(slot_id, column, packaging.depth_m), packaging.depth_m / 2)
        v += float(self._rng.uniform(0.0, 0.003))
        spread = 0.03 if packaging.shape == "box" else 0.16
        yaw = float(np.clip(self._rng.normal(0, spread), -2 * spread, 2 * spread))
        return u, v, yaw

    @staticmethod
    def _in_line(place: SlotPlace, pile: list[Item], product: Product | None) -> bool:
        """Whether a column holds nothing but its slot's product, the next item included."""
        own = place.product.gtin
        return (product is None or product.gtin == own) and all(
            item.product.gtin == own for item in pile
        )

    def _free_v(self, slot_id: str, column: int, depth_m: float) -> float:
        """Where the middle of an item comes that is set down right before a column's front."""
        pile = self.columns[(slot_id, column)]
        if not pile:
            return FRONT_GAP_M + depth_m / 2
        front = pile[-1]
        return front.v_m - front.product.packaging.depth_m / 2 - ROW_GAP_M - depth_m / 2

    def room(self, slot_id: str, column: int, product: Product) -> bool:
        """Whether one more item of a product can stand at the front of a column."""
        place = self.places[slot_id]
        pile = self.columns[(slot_id, column)]
        if product.packaging.height_m > place.board.clearance_m:
            return False
        if self._in_line(place, pile, product):
            return len(pile) < place.slot.deep
        depth_m = product.packaging.depth_m
        return self._free_v(slot_id, column, depth_m) - depth_m / 2 >= -OVERHANG_M

    def _arrangements(
        self, store: StoreFile, shelves: tuple[Arrangement, ...]
    ) -> dict[tuple[str, int], tuple[str, ...]]:
        slots = {slot.slot_id: slot for slot in store.slots}
        found = {}
        for one in shelves:
            slot = slots.get(one.slot_id)
            if slot is None or not 0 <= one.column < slot.facings:
                raise ScenarioError(
                    f"expected a slot and column of store {store.store_id}, got {one.slot_id} "
                    f"column {one.column}"
                )
            found[(one.slot_id, one.column)] = one.gtins
        return found

    def front(self, slot_id: str, column: int) -> Item | None:
        """The item a hand meets first, if the column has one."""
        pile = self.columns[(slot_id, column)]
        return pile[-1] if pile else None

    def filled_columns(self, slot_id: str, gtin: str | None = None) -> list[int]:
        """Columns that have something to take; with `gtin`, this product in front."""
        fronts = [(c, self.front(slot_id, c)) for c in range(self.places[slot_id].slot.facings)]
        return [
            c
            for c, item in fronts
            if item is not None and (gtin is None or item.product.gtin == gtin)
        ]

    def take(self, slot_id: str, column: int) -> Item:
        """The front item leaves its board."""
        item = self.columns[(slot_id, column)].pop()
        self._weigh(slot_id, item, -1.0)
        del self._poses[item.index]
        self._changed()
        return item

    def put(
        self, item: Item, slot_id: str, column: int, standing: tuple[float, float, float]
    ) -> None:
        """The item stands at the front of the column, at (u, v, yaw)."""
        item.u_m, item.v_m, item.yaw_rad = standing
        self.columns[(slot_id, column)].append(item)
        self._weigh(slot_id, item, 1.0)
        base, rotation = self.pose(item, slot_id)
        self._poses[item.index] = ItemPose(item.index, item.product.gtin, base, rotation, "shelf")
        self._changed()

    def pose(self, item: Item, slot_id: str) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Base and rotation of an item at its (u, v, yaw) on the slot's board."""
        place = self.places[slot_id]
        base = quantised(bay_point(place.bay, item.u_m, item.v_m, place.board.z_m))
        return base, rotation_z(math.radians(place.bay.facing_deg) + math.pi / 2 + item.yaw_rad)

    def shelf_items(self) -> tuple[ItemPose, ...]:
        """All items that stand on boards, by item index."""
        if self._shelf is None:
            self._shelf = tuple(self._poses[index] for index in sorted(self._poses))
        return self._shelf

    def shares(self, board_id: str, u_m: float, width_m: float) -> list[tuple[int, float]]:
        """Plate rows and shares of what stands on `width_m` of a board around `u_m`.

        What hangs over the plates' ends weighs on the last plate; a board without plates has none.
        """
        plates = self._plates_of.get(board_id, [])
        low, high = u_m - width_m / 2, u_m + width_m / 2
        over = [(row, max(0.0, min(high, u1) - max(low, u0))) for row, u0, u1 in plates]
        total = sum(part for _, part in over)
        if total <= 0.0:
            return []
        return [(row, part / total) for row, part in over if part > 0.0]

    def _weigh(self, slot_id: str, item: Item, sign: float) -> None:
        board_id = self.places[slot_id].board.board_id
        grams = self._grams.copy()
        for row, share in self.shares(board_id, item.u_m, item.product.packaging.width_m):
            grams[row] += sign * share * item.weight_g
            self.moved.append((row, sign * share * item.weight_g))
        self._grams = grams

    def _changed(self) -> None:
        self.version += 1
        self._shelf = None
