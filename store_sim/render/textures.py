"""Procedural textures: cloth, skin, hair, floors, walls, wood. (H, W, 3) uint8.

All of them come from an explicit generator and plain arithmetic; they tile.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

__all__ = ["FLOORS", "PATTERNS", "WALLS", "cloth", "floor", "hair", "noise", "solid", "wall"]

Rgbs = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rgb = Sequence[int] | Sequence[float] | NDArray[np.int64] | NDArray[np.float64]

FLOORS = ("tiles", "wood", "terrazzo", "concrete", "plain", "checker", "carpet")
WALLS = ("plaster", "bricks", "panels", "tiles", "plain", "poster")
PATTERNS = ("plain", "stripes", "checks", "print", "floral", "blocks", "logo")


def _bytes(image: Floats) -> Rgbs:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def noise(rng: np.random.Generator, height: int, width: int, cells: int) -> Floats:
    """Smooth tiling noise in -1..1: random values on a grid of `cells` a side, interpolated."""
    grid = rng.uniform(-1.0, 1.0, (cells, cells))
    y = np.arange(height) * cells / height
    x = np.arange(width) * cells / width
    iy, ix = y.astype(int), x.astype(int)
    fy, fx = (y - iy)[:, None], (x - ix)[None]
    fy, fx = fy * fy * (3 - 2 * fy), fx * fx * (3 - 2 * fx)
    jy, jx = (iy + 1) % cells, (ix + 1) % cells
    top = grid[iy][:, ix] * (1 - fx) + grid[iy][:, jx] * fx
    bottom = grid[jy][:, ix] * (1 - fx) + grid[jy][:, jx] * fx
    mixed: Floats = top * (1 - fy) + bottom * fy
    return mixed


def solid(
    rng: np.random.Generator, colour: Rgb, size: int = 32, amount: float = 5.0, cells: int = 8
) -> Rgbs:
    """One colour with a little unevenness."""
    base = np.asarray(colour, np.float64)
    grain = noise(rng, size, size, cells)[..., None] * amount
    return _bytes(base + grain + rng.normal(0, amount * 0.4, (size, size, 1)))


def cloth(rng: np.random.Generator, pattern: str, first: Rgb, second: Rgb, size: int = 64) -> Rgbs:
    """A garment's fabric: folds, weave and one of PATTERNS in two colours."""
    a, b = np.asarray(first, np.float64), np.asarray(second, np.float64)
    y, x = np.mgrid[0:size, 0:size]
    mix = np.zeros((size, size))
    if pattern == "stripes":
        period = int(rng.choice([4, 8, 16]))
        along = y if rng.random() < 0.7 else x
        mix = (along % period < period * rng.uniform(0.3, 0.6)).astype(float)
    elif pattern == "checks":
        period = int(rng.choice([8, 16, 32]))
        mix = 0.5 * (x % period < period // 2) + 0.5 * (y % period < period // 2)
    elif pattern == "print":
        mix = np.zeros((size, size))
        for _ in range(int(rng.integers(3, 10))):
            cx, cy, r = rng.integers(size), rng.integers(size), rng.uniform(2, size / 6)
            dx = (x - cx + size // 2) % size - size // 2
            dy = (y - cy + size // 2) % size - size // 2
            mix[dx * dx + dy * dy * rng.uniform(0.5, 2.0) < r * r] = rng.uniform(0.6, 1.0)
    elif pattern in ("floral", "blocks", "logo"):
        mix = _figures(rng, pattern, size)
    image = a + (b - a) * mix[..., None]
    folds = noise(rng, size, size, 8) * 0.10 + noise(rng, size, size, 4) * 0.08
    creases = np.clip(np.abs(noise(rng, size, size, 8)) - 0.03, 0, 0.12) - 0.10
    weave = 0.03 * ((x + y) % 2) + rng.normal(0, 0.02, (size, size))
    shaded = image * (1.0 + folds + creases + weave)[..., None]
    return _bytes(shaded + 3.0 * folds[..., None])


def _figures(rng: np.random.Generator, pattern: str, size: int) -> Floats:
    """Where the second colour is: blossoms, a yoke of another colour, or a sign on the chest."""
    y, x = np.mgrid[0:size, 0:size]
    mix = np.zeros((size, size))
    if pattern == "blocks":
        return np.where(y < size * rng.uniform(0.3, 0.6), 0.0, 1.0)
    if pattern == "logo":
        # u = 1/4 of a turn is the chest; the texture goes round twice.
        mid = size // 2
        mix[(abs(x - mid) < size // 5) & (abs(y - mid) < size // 7)] = 1.0
        mix[(abs(x - mid) < size // 7) & (abs(y - mid) < size // 20)] = 0.0
        return mix
    for _ in range(int(rng.integers(7, 14))):
        cx, cy, r = rng.integers(size), rng.integers(size), rng.uniform(2.5, 5.5)
        dx = (x - cx + size // 2) % size - size // 2
        dy = (y - cy + size // 2) % size - size // 2
        petal = np.abs(dx * dy) < 0.25 * r * r
        mix[petal & (dx * dx + dy * dy < r * r)] = 0.9
        mix[dx * dx + dy * dy < 1.2] = 0.2
    return mix


def hair(rng: np.random.Generator, colour: Rgb, size: int = 64) -> Rgbs:
    """Strands along the second axis with a band of shine."""
    base = np.asarray(colour, np.float64)
    strand = rng.normal(0, 0.10, (1, size)) + noise(rng, size, size, 16) * 0.14
    strand = strand + rng.normal(0, 0.05, (size, size))
    shine = 22.0 * np.exp(-(((np.arange(size) - size * 0.3) / (size * 0.12)) ** 2))[:, None]
    image = base * (1 + strand[..., None]) + (shine * (1 + 2 * strand))[..., None]
    return _bytes(image)


def floor(rng: np.random.Generator, kind: str, colour: Rgb, size: int = 256) -> Rgbs:
    """A floor of one of FLOORS; one repeat is meant for about 1.2 m."""
    base = np.asarray(colour, np.float64)
    y, x = np.mgrid[0:size, 0:size]
    value = noise(rng, size, size, 4) * 0.03 + noise(rng, size, size, 32) * 0.03
    image = base * (1 + value[..., None]) + rng.normal(0, 2.0, (size, size, 1))
    if kind == "tiles" or kind == "checker":
        side = size // int(rng.choice([2, 4]))
        tint = rng.normal(0, 5.0, (size // side, size // side, 1)) + rng.normal(
            0, 1.2, (size // side, size // side, 3)
        )
        image += tint[y // side, x // side]
        if kind == "checker":
            image *= np.where((y // side + x // side) % 2, 1.0, rng.uniform(0.35, 0.8))[..., None]
        joint = (y % side < 2) | (x % side < 2)
        image[joint] = base * rng.uniform(0.55, 0.85)
    elif kind == "wood":
        board = size // int(rng.choice([8, 16]))
        rows = size // board
        tint = rng.normal(0, 0.13, rows)
        start = rng.integers(0, size, rows)
        grain = noise(rng, size, size, 64)[:, :] * 0.05
        grain = grain + np.repeat(noise(rng, size, size, 32)[:, ::8], 8, axis=1)[:, :size] * 0.07
        image *= (1 + tint[y // board] + grain)[..., None]
        seam = (y % board < 1) | ((x + start[y // board]) % size < 2)
        image[seam] *= 0.62
    elif kind == "terrazzo":
        for _ in range(260):
            cy, cx, r = rng.integers(size), rng.integers(size), int(rng.integers(1, 5))
            image[cy : cy + r, cx : cx + r + 1] = base * rng.uniform(0.5, 1.3) + rng.normal(0, 9, 3)
    elif kind == "concrete":
        image *= (1 + 0.12 * noise(rng, size, size, 8) * noise(rng, size, size, 16))[..., None]
        image += rng.normal(0, 5.0, (size, size, 1))
    elif kind == "carpet":
        image *= (1 + rng.normal(0, 0.10, (size, size)))[..., None]
    return _bytes(image)


def wall(rng: np.random.Generator, kind: str, colour: Rgb, size: int = 256) -> Rgbs:
    """A wall of one of WALLS; one repeat is meant for about 1.5 m."""
    base = np.asarray(colour, np.float64)
    y, x = np.mgrid[0:size, 0:size]
    image = np.broadcast_to(base, (size, size, 3)) * (
        1 + 0.03 * noise(rng, size, size, 4)[..., None]
    )
    if kind == "bricks":
        row = y // 16
        shift = (row % 2) * 16
        tint = rng.normal(0, 0.12, (16, 9))
        image = image * (1 + tint[row, (x + shift) // 32 % 9])[..., None]
        image[(y % 16 < 2) | ((x + shift) % 32 < 2)] = base * 0.3 + 110
    elif kind == "panels":
        image = image * np.where(x % 64 < 2, 0.6, 1.0)[..., None]
    elif kind == "tiles":
        image = image + rng.normal(0, 4.0, (8, 8, 3))[y // 32, x // 32]
        image[(y % 32 < 2) | (x % 32 < 2)] = base * 0.75
    elif kind == "poster":
        for _ in range(int(rng.integers(2, 7))):
            y0, x0 = rng.integers(0, size - 40, 2)
            h, w = rng.integers(20, 110, 2)
            patch = solid(rng, rng.integers(20, 245, 3), 64, 20.0)
            for _ in range(int(rng.integers(2, 9))):
                py, px = rng.integers(0, 60, 2)
                patch[py : py + rng.integers(2, 20), px : px + rng.integers(2, 30)] = rng.integers(
                    0, 255, 3
                )
            tall, wide = min(h, size - y0), min(w, size - x0)
            image[y0 : y0 + tall, x0 : x0 + wide] = patch[
                np.arange(tall)[:, None] * 64 // h, np.arange(wide)[None] * 64 // w
            ]
    elif kind == "plaster":
        image = (
            image + rng.normal(0, 4.0, (size, size, 1)) + 5 * noise(rng, size, size, 64)[..., None]
        )
    return _bytes(image)
