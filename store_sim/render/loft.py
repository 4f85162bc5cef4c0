"""Lofts: rings of vertices bound to bones, joined by bands of triangles.

The numbers of a body's textures and parts are here too, for all that dress it.
"""

from __future__ import annotations

import math
from functools import lru_cache
from typing import Final

import numpy as np
from numpy.typing import NDArray

from store_sim.scene import PARTS

__all__ = [
    "APRON", "BAG", "BOTTOM", "CARRIED", "FACE", "FINGER", "GLASSES", "HAIR", "HAT", "PALM_SKIN",
    "PART", "SHOES", "SKIN", "SLEEVE", "STRIP", "TOP", "Loft",
]  # fmt: skip

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

SKIN, FACE, TOP, BOTTOM, SHOES, HAIR, SLEEVE, BAG = range(8)
PALM_SKIN, FINGER, HAT, CARRIED, APRON, STRIP, GLASSES = range(8, 15)
"""Textures that only a varied body has."""
PART: Final = {name: index for index, name in enumerate(PARTS)}


@lru_cache(maxsize=64)
def _circle(sides: int, power: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Cosine and sine of a closed ring, and the same of a superellipse of this power."""
    angle = np.arange(sides + 1) * (2 * math.pi / sides)
    cos, sin = np.cos(angle), np.sin(angle)
    return cos, sin, np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power


class Loft:
    """Rings of vertices bound to bones, joined by bands of triangles."""

    def __init__(self) -> None:
        self.local: list[Floats] = []
        self.normal: list[Floats] = []
        self.bone: list[Ints] = []
        self.uv: list[Floats] = []
        self.tris: list[Ints] = []
        self.mats: list[Ints] = []
        self.parts: list[Ints] = []
        self.count = 0

    def tube(
        self,
        rings: list[tuple[int, float, float, float, float, float]],
        sides: int,
        mat: int,
        part: int,
        *,
        power: float = 1.0,
        uv: tuple[float, float] = (1.0, 1.0),
        tilt: list[float] | None = None,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """`rings`: (bone, z, radius x, radius y, offset x, offset y); a radius 0 closes the end.

        Triangles run anticlockwise from outside when z grows from ring to ring. `tilt` is the z
        part of each ring's normal. `start` and `end` limit the columns drawn.
        """
        cos, sin, px, py = _circle(sides, power)
        table = np.array(rings, np.float64)
        n = len(rings)
        z, rx, ry, ox, oy = (table[:, k : k + 1] for k in range(1, 6))
        up = np.zeros((n, 1)) if tilt is None else np.array(tilt, np.float64)[:, None]
        local = np.empty((n, sides + 1, 3))
        local[..., 0] = px * rx + ox
        local[..., 1] = py * ry + oy
        local[..., 2] = z
        normal = np.empty_like(local)
        flat_x, flat_y = cos * np.maximum(ry, 1e-6), sin * np.maximum(rx, 1e-6)
        size = np.sqrt(np.maximum(0.0, 1 - up * up) / (flat_x**2 + flat_y**2))
        normal[..., 0], normal[..., 1], normal[..., 2] = flat_x * size, flat_y * size, up
        tex = np.empty((n, sides + 1, 2))
        tex[..., 0] = np.arange(sides + 1) / sides * uv[0]
        tex[..., 1] = np.arange(n)[:, None] / max(1, n - 1) * uv[1]
        self.rings(table[:, 0].astype(np.int64), local, normal, tex, mat, part, start, end)

    def rings(
        self,
        bones: Ints,
        local: Floats,
        normal: Floats,
        tex: Floats,
        mat: int,
        part: int,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """Joins (n, sides + 1) vertices into bands; bands at a ring of one point are fans."""
        n, columns = local.shape[:2]
        self.local.append(local.reshape(-1, 3))
        self.normal.append(normal.reshape(-1, 3))
        self.bone.append(np.repeat(bones, columns))
        self.uv.append(tex.reshape(-1, 2))
        column = np.arange(start, columns - 1 if end is None else end)
        a = (self.count + np.arange(n - 1)[:, None] * columns + column).ravel()
        low = np.stack([a, a + 1, a + columns + 1], 1)
        high = np.stack([a, a + columns + 1, a + columns], 1)
        point = (np.abs(local - local[:, :1]).max(axis=(1, 2)) < 1e-9).repeat(len(column))
        keep_low, keep_high = ~point[: len(a)], ~point[len(column) :]
        tris = np.concatenate([low[keep_low], high[keep_high]])
        self.tris.append(tris)
        self.mats.append(np.full(len(tris), mat, np.int64))
        self.parts.append(np.full(len(tris), part, np.int64))
        self.count += n * columns
