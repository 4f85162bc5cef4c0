"""What cameras see of floor and shelves: who is seen by how many, and how finely.

Floor: heads (HEAD_M) on a grid of places where somebody can be; a ceiling camera sees a head that
is in its picture and not behind a bay. Shelves: points of the front plane; how many pixels a
centimetre along the shelf gets in the best of the bay's shelf cameras.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from contracts.geometry import Bay, Board, Camera
from contracts.store_file import StoreFile
from store_sim.eye import Bools, Eye, Floats
from store_sim.world.ways import BACK_M, FRONT_M, SIDE_M

__all__ = [
    "FINE_PX_CM",
    "HEAD_M",
    "HEAD_RADIUS_M",
    "LEAST_PX_CM",
    "TALL_M",
    "BoardCoverage",
    "Eye",
    "Floats",
    "FloorCoverage",
    "board_coverage",
    "floor_coverage",
    "front_seen_share",
    "goods_height_m",
    "in_bay",
    "inside_bay",
]

HEAD_M = 1.62
"""The height of heads that the floor's coverage is judged at."""
TALL_M = 1.85
"""The height of a tall person's head."""
HEAD_RADIUS_M = 0.12
FLOOR_STEP_M = 0.1
SHELF_STEP_M = 0.025
HEADER_M = 0.16
"""A bay's header stands so far above the bay."""
FINE_PX_CM = 6.0
"""What a shelf camera should give; reached on the upper boards (docs/decisions/0001)."""
LEAST_PX_CM = 3.5
"""What it must give on the lowest board."""
BARE_M = 0.2
"""How high the front of a board without slots is judged."""


def in_bay(bay: Bay, points: Floats) -> Floats:
    """World points (N, 3) in the bay's frame (u, v, z)."""
    cos, sin = bay.normal
    x, y = points[:, 0] - bay.origin_m[0], points[:, 1] - bay.origin_m[1]
    return np.stack([y * cos - x * sin, -x * cos - y * sin, points[:, 2]], axis=1)


def from_bay(bay: Bay, points: Floats) -> Floats:
    """Points (N, 3) of the bay's frame in the world."""
    cos, sin = bay.normal
    u, v = points[:, 0], points[:, 1]
    x = bay.origin_m[0] - u * sin - v * cos
    y = bay.origin_m[1] + u * cos - v * sin
    return np.stack([x, y, points[:, 2]], axis=1)


def inside_bay(bay: Bay, points: Floats) -> Bools:
    """Whether world points (N, 3) are inside the bay's box."""
    local = in_bay(bay, points)
    high = np.array([bay.width_m, bay.depth_m, bay.height_m])
    inside: Bools = np.all((local > 0.0) & (local < high), axis=1)
    return inside


def _hidden(bays: tuple[Bay, ...], eye: Floats, points: Floats) -> Bools:
    """Whether a bay stands between an eye (3,) and points (N, 3), which may touch bays."""
    hidden = np.zeros(len(points), np.bool_)
    for bay in bays:
        start, end = in_bay(bay, eye[None]), in_bay(bay, points)
        high = np.array([bay.width_m, bay.depth_m, bay.height_m + HEADER_M])
        step = end - start
        step = np.where(np.abs(step) < 1e-12, 1e-12, step)
        one, other = (0.0 - start) / step, (high - start) / step
        enter = np.minimum(one, other).max(axis=1)
        leave = np.maximum(one, other).min(axis=1)
        hidden |= np.maximum(enter, 0.0) < np.minimum(leave, 1.0) - 1e-6
    return hidden


@dataclass(frozen=True, slots=True)
class FloorCoverage:
    """`seen` (D, W): how many ceiling cameras see a head over each cell of the floor, -1 where
    nobody can be. Row 0 is at y = 0; cells are `step_m` wide."""

    step_m: float
    seen: NDArray[np.int64]

    def share(self, cameras: int) -> float:
        """Share of the open floor over which at least so many cameras see a head."""
        open_floor = self.seen >= 0
        return float((self.seen[open_floor] >= cameras).mean()) if open_floor.any() else 0.0

    def blind_spots(self) -> tuple[tuple[float, float, float], ...]:
        """(x_m, y_m, area_m2) of each stretch of floor that no camera sees, the largest first."""
        labels, count = ndimage.label(self.seen == 0)
        spots = []
        for label in range(1, count + 1):
            rows, columns = np.nonzero(labels == label)
            x, y = ((float(part.mean()) + 0.5) * self.step_m for part in (columns, rows))
            spots.append((round(x, 2), round(y, 2), round(len(rows) * self.step_m**2, 2)))
        return tuple(sorted(spots, key=lambda spot: (-spot[2], spot)))


def floor_coverage(
    store: StoreFile, head_m: float = HEAD_M, radius_m: float = 0.0
) -> FloorCoverage:
    """What the ceiling cameras see of heads at a height; with `radius_m`, of whole heads."""
    step = FLOOR_STEP_M
    wide = max(1, math.ceil(store.floor.width_m / step - 1e-9))
    deep = max(1, math.ceil(store.floor.depth_m / step - 1e-9))
    x = np.minimum((np.arange(wide) + 0.5) * step, store.floor.width_m)
    y = np.minimum((np.arange(deep) + 0.5) * step, store.floor.depth_m)
    grid = np.stack([part.ravel() for part in np.meshgrid(x, y)], axis=1)
    points = np.column_stack([grid, np.full(len(grid), head_m)])
    seen = np.zeros(len(points), np.int64)
    for camera in store.cameras:
        if camera.role == "ceiling":
            eye = Eye(camera)
            _, within = eye.project(points, radius_m)
            seen += within & ~_hidden(store.bays, eye.position, points)
    seen[_closed(store.bays, points)] = -1
    return FloorCoverage(step, seen.reshape(deep, wide))


def _closed(bays: tuple[Bay, ...], points: Floats) -> Bools:
    """Where nobody's head can be: in bays, close behind them and at their ends."""
    solid, near, bent = (np.zeros(len(points), np.bool_) for _ in range(3))
    for bay in bays:
        u, v = in_bay(bay, points)[:, :2].T
        along = (u >= 0.0) & (u <= bay.width_m)
        solid |= along & (v > 0.0) & (v < bay.depth_m)
        bent |= along & (v > -FRONT_M) & (v <= 0.0)
        beside = (u > -SIDE_M) & (u < bay.width_m + SIDE_M)
        near |= beside & (v > -FRONT_M) & (v < bay.depth_m + BACK_M)
    return solid | (near & ~bent)


@dataclass(frozen=True, slots=True)
class BoardCoverage:
    """`px_cm` (rows, columns): pixels a centimetre of the front plane above a board gets in the
    best shelf camera, 0 where none sees it; row 0 is the lowest. The first `goods_rows` rows are
    as high as what stands there, and the figures are of these."""

    bay_id: str
    board_id: str
    z_m: float
    step_m: float
    px_cm: Floats
    goods_rows: int

    @property
    def goods(self) -> Floats:
        """The part of `px_cm` where goods stand."""
        part: Floats = self.px_cm[: self.goods_rows]
        return part

    @property
    def least(self) -> float:
        """Pixels per centimetre at the worst place, 0 where a part is not seen."""
        return float(self.goods.min())

    @property
    def median(self) -> float:
        """Pixels per centimetre in the middle of all places."""
        return float(np.median(self.goods))

    def share(self, px_cm: float) -> float:
        """Share of the front that is seen at least so finely."""
        return float((self.goods >= px_cm).mean())


def goods_height_m(store: StoreFile, bay: Bay, board: Board) -> float:
    """How high the tallest thing on a board is, at most the board's clearance."""
    products = {product.gtin: product for product in store.products}
    tall = [
        products[slot.gtin].packaging.height_m
        for slot in store.slots
        if (slot.bay_id, slot.board_id) == (bay.bay_id, board.board_id)
    ]
    return min(board.clearance_m, max(tall, default=BARE_M))


def _px_cm(eye: Eye, bay: Bay, others: tuple[Bay, ...], points: Floats) -> Floats:
    """Pixels per centimetre along the shelf at points (N, 3) of the bay's frame on its front."""
    if float(in_bay(bay, eye.position[None])[0, 1]) >= 0.0:
        return np.zeros(len(points))
    half = np.array([0.005, 0.0, 0.0])
    left, _ = eye.project(from_bay(bay, points - half))
    right, _ = eye.project(from_bay(bay, points + half))
    world = from_bay(bay, points)
    _, within = eye.project(world)
    seen = within & ~_hidden(others, eye.position, world)
    return np.where(seen, np.hypot(*(right - left).T), 0.0)


def board_coverage(store: StoreFile) -> tuple[BoardCoverage, ...]:
    """What the shelf cameras see of each board, bay by bay, the lowest board first."""
    found = []
    step = SHELF_STEP_M
    for bay in store.bays:
        eyes = [Eye(camera) for camera in store.cameras if camera.bay_id == bay.bay_id]
        others = tuple(other for other in store.bays if other is not bay)
        columns = max(1, round(bay.width_m / step))
        u = (np.arange(columns) + 0.5) * bay.width_m / columns
        for board in bay.boards:
            rows = max(1, round(board.clearance_m / step))
            z = board.z_m + (np.arange(rows) + 0.5) * board.clearance_m / rows
            flat = np.stack([part.ravel() for part in np.meshgrid(u, z)], axis=1)
            points = np.column_stack([flat[:, 0], np.zeros(len(flat)), flat[:, 1]])
            best = np.zeros(len(points))
            for eye in eyes:
                best = np.maximum(best, _px_cm(eye, bay, others, points))
            goods = goods_height_m(store, bay, board) / board.clearance_m
            found.append(
                BoardCoverage(
                    bay.bay_id,
                    board.board_id,
                    board.z_m,
                    step,
                    best.reshape(rows, columns),
                    min(rows, max(1, round(goods * rows))),
                )
            )
    return tuple(found)


def front_seen_share(camera: Camera, bay: Bay) -> float:
    """Share of the bay's front, from the lowest board to the roof of the highest, that is in a
    camera's picture; vision refuses a shelf camera that sees less than half."""
    top = bay.boards[-1]
    high_m = min(top.z_m + top.clearance_m, bay.height_m)
    u = np.linspace(0.0, bay.width_m, 41)
    z = np.linspace(bay.boards[0].z_m, max(high_m, bay.boards[0].z_m + 0.01), 41)
    flat = np.stack([part.ravel() for part in np.meshgrid(u, z)], axis=1)
    points = np.column_stack([flat[:, 0], np.zeros(len(flat)), flat[:, 1]])
    _, within = Eye(camera).project(from_bay(bay, points))
    return float(within.mean())
