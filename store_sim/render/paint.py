"""One camera's brush: draws opaque meshes and blends clear ones into layers.

Clear things that stand still are blended into the kept background once. Where somebody comes
between such a glass and the background, the glass is blended again, over those pixels only.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store_sim.render.glass import NO_MIRROR, Glass, blend, hit_behind
from store_sim.render.kernels import NEAR_M, draw, shade_vertices
from store_sim.render.layers import Layers, Rect, union
from store_sim.render.mesh import Bank, Mesh
from store_sim.scene import PART_STRIDE

__all__ = ["Painter", "Placed", "points_rect"]

Floats = NDArray[np.float64]

_NOTHING = np.zeros((0, 0), np.float32)


@dataclass(frozen=True, slots=True)
class Placed:
    """A Glass in the world as one camera sees it: `middle_m` and `nearest_m` are depths."""

    glass: Glass
    bank: Bank
    key: int
    pos: Floats
    normal: Floats
    shade: Floats
    mirror: Floats
    rect: Rect | None
    middle_m: float
    nearest_m: float


def points_rect(
    cam: Floats, points: Floats, size: tuple[int, int]
) -> tuple[Rect | None, float, float]:
    """Bounds in the picture of what hangs between points (N, 3), their mean and least depth."""
    away = points - cam[9:12]
    x, y, z = (
        away[:, 0] * cam[3 * k] + away[:, 1] * cam[3 * k + 1] + away[:, 2] * cam[3 * k + 2]
        for k in range(3)
    )
    nearest, middle = float(z.min()), float(z.sum()) / len(z)
    if float(z.max()) < NEAR_M:
        return None, middle, nearest
    if nearest < 2 * NEAR_M:
        return (0, 0, *size), middle, nearest
    px, py = cam[14] + cam[12] * x / z, cam[15] + cam[13] * y / z
    x0, x1 = max(0, int(px.min()) - 1), min(size[0], int(max(0.0, px.max())) + 2)
    y0, y1 = max(0, int(py.min()) - 1), min(size[1], int(max(0.0, py.max())) + 2)
    return ((x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None), middle, nearest


class Painter:
    """Draws and blends meshes as one camera sees them, under one light."""

    def __init__(
        self, cam: Floats, light: Floats, tint: Floats, bays: Floats, size: tuple[int, int]
    ) -> None:
        """`cam` as camera_array gives it, `light` and `bays` as kernels.shade_vertices reads."""
        self._cam, self._light, self._tint, self._bays = cam, light, tint, bays
        self._size = size
        self._touched = np.empty(4, np.int64)
        self.cover = np.zeros(PART_STRIDE, np.int64)
        """Pixels that each part of the mesh last drawn covers, hidden or not."""

    def draw(
        self,
        pos: Floats,
        normal: Floats,
        mesh: Mesh,
        first_id: int,
        bank: Bank,
        layers: Layers,
        scissor: NDArray[np.int64],
        *,
        smooth: bool = False,
    ) -> Rect | None:
        """Draws a mesh moved to `pos` and `normal`; gives what it touched and fills `cover`."""
        shade = np.empty(len(pos))
        shade_vertices(pos, normal, self._light, self._bays, shade)
        self.cover[:] = 0
        self._touched[:] = (1 << 30, 1 << 30, 0, 0)
        draw(
            pos, shade, mesh.uv, mesh.tris, mesh.mats, mesh.parts, first_id, bank.texels,
            bank.levels, self._cam, self._tint, scissor, smooth, layers.rgb, layers.ids,
            layers.depth, self.cover, self._touched,
        )  # fmt: skip
        return self._bounds()

    def placed(
        self,
        glass: Glass,
        bank: Bank,
        key: int,
        pos: Floats,
        normal: Floats,
        mirror: Floats = NO_MIRROR,
    ) -> Placed:
        """A glass at world positions and normals (V, 3); `key` is its id in the mask."""
        shade = np.empty(len(pos))
        shade_vertices(pos, normal, self._light, self._bays, shade)
        rect, middle, nearest = points_rect(self._cam, pos, self._size)
        return Placed(glass, bank, key, pos, normal, shade, mirror, rect, middle, nearest)

    def blend(
        self,
        part: Placed,
        layers: Layers,
        scissor: Rect,
        *,
        smooth: bool,
        before: NDArray[np.float32] = _NOTHING,
    ) -> tuple[int, Rect | None]:
        """Blends one part; gives the pixels of its liquid, hidden or not, and what it touched.

        With `before`, only pixels that have come nearer than this depth are blended.
        """
        glass, mesh = part.glass, part.glass.mesh
        self._touched[:] = (1 << 30, 1 << 30, 0, 0)
        pixels = blend(
            part.pos, part.normal, part.shade, mesh.uv, glass.veil, glass.sheen, mesh.tris,
            mesh.mats, glass.solid, part.key, part.bank.texels, part.bank.levels, self._cam,
            self._light, self._tint, part.mirror, np.array(scissor, np.int64), smooth, before,
            layers.rgb, layers.ids, layers.depth, self._touched,
        )  # fmt: skip
        return int(pixels), self._bounds()

    def _bounds(self) -> Rect | None:
        x0, y0, x1, y1 = (int(v) for v in self._touched)
        return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None

    def renew(
        self,
        parts: Iterable[Placed],
        dirty: list[Rect],
        front: Layers,
        before: NDArray[np.float32],
    ) -> list[tuple[Placed, Rect]]:
        """Those kept parts behind which something new is, each with where; from far to near.

        `dirty` are the rectangles drawn over since the background.
        """
        found: list[tuple[Placed, Rect]] = []
        for part in parts:
            if part.rect is None:
                continue
            where: Rect | None = None
            for rect in dirty:
                both = _common(part.rect, rect)
                if both is not None:
                    where = both if where is None else union(where, both)
            if where is not None:
                found.append((part, where))
        if not found:
            return []
        hit = np.zeros(len(found), np.bool_)
        rects = np.array([where for _, where in found], np.int64)
        nearest = np.array([part.nearest_m for part, _ in found])
        hit_behind(front.depth, before, rects, nearest, hit)
        chosen = [pair for pair, yes in zip(found, hit.tolist(), strict=True) if yes]
        return sorted(chosen, key=lambda pair: -pair[0].middle_m)


def _common(a: Rect, b: Rect) -> Rect | None:
    x0, y0 = max(a[0], b[0]), max(a[1], b[1])
    x1, y1 = min(a[2], b[2]), min(a[3], b[3])
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None
