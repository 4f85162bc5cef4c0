"""The layers of a picture, and the rectangles of it that change."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from store_sim.render.kernels import FAR_M
from store_sim.scene import ItemPose

__all__ = ["Layers", "Rect", "merged", "overlap", "same_item", "union"]

Rect = tuple[int, int, int, int]
"""x0, y0, x1, y1 in pixels, the end not included."""


@dataclass(frozen=True, slots=True)
class Layers:
    """Colour, ids and depth of one picture."""

    rgb: NDArray[np.uint8]
    ids: NDArray[np.int32]
    depth: NDArray[np.float32]

    @classmethod
    def empty(cls, width: int, height: int) -> Layers:
        layers = cls(
            np.empty((height, width, 3), np.uint8),
            np.empty((height, width), np.int32),
            np.empty((height, width), np.float32),
        )
        layers.clear()
        return layers

    def clear(self) -> None:
        self.rgb.fill(28)
        self.ids.fill(0)
        self.depth.fill(FAR_M)

    def copy_from(self, other: Layers, rect: Rect) -> None:
        x0, y0, x1, y1 = rect
        at = (slice(y0, y1), slice(x0, x1))
        self.rgb[at] = other.rgb[at]
        self.ids[at] = other.ids[at]
        self.depth[at] = other.depth[at]


def same_item(a: ItemPose | None, b: ItemPose) -> bool:
    return a is b or (
        a is not None
        and a.gtin == b.gtin
        and bool((a.base_m == b.base_m).all())
        and bool((a.rotation == b.rotation).all())
    )


def merged(rects: list[Rect]) -> list[Rect]:
    """Fewer rectangles that hold the same pixels: pairs join where that copies less."""
    kept: list[Rect] = []
    for rect in rects:
        joined = rect
        again = True
        while again:
            again = False
            for other in kept:
                both = union(joined, other)
                if _area(both) <= _area(joined) + _area(other):
                    kept.remove(other)
                    joined, again = both, True
                    break
        kept.append(joined)
    return kept


def _area(rect: Rect) -> int:
    return (rect[2] - rect[0]) * (rect[3] - rect[1])


def union(a: Rect, b: Rect) -> Rect:
    return (min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3]))


def overlap(a: Rect, b: Rect) -> bool:
    return a[0] < b[2] and b[0] < a[2] and a[1] < b[3] and b[1] < a[3]
