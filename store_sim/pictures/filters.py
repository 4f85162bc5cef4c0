"""What a real camera does to a picture, at random: light, colour, blur, noise, compression."""

from __future__ import annotations

import io
import math

import numpy as np
from numba import njit
from numpy.typing import NDArray
from PIL import Image

from store_sim.render.kernels import blur_binomial, develop, motion_blur

__all__ = ["Wear", "boxes_of_ids", "crop_resized", "wear"]

Rgbs = NDArray[np.uint8]

_TABLE = 1 << 17


@njit(cache=True)
def crop_resized(rgb, box, out):  # type: ignore[no-untyped-def]
    """Resamples the part `box` (x0, y0, x1, y1, float pixels) of a picture into `out` (H, W, 3).

    Means of bilinear samples; outside the picture the border repeats.
    """
    height, width = rgb.shape[0], rgb.shape[1]
    oh, ow = out.shape[0], out.shape[1]
    sx, sy = (box[2] - box[0]) / ow, (box[3] - box[1]) / oh
    n = max(1, min(4, math.ceil(max(sx, sy))))
    for j in range(oh):
        for i in range(ow):
            r, g, b = 0.0, 0.0, 0.0
            for a in range(n):
                y = min(height - 1.0, max(0.0, box[1] + (j + (a + 0.5) / n) * sy - 0.5))
                y0 = int(y)
                y1 = min(height - 1, y0 + 1)
                fy = y - y0
                for c in range(n):
                    x = min(width - 1.0, max(0.0, box[0] + (i + (c + 0.5) / n) * sx - 0.5))
                    x0 = int(x)
                    x1 = min(width - 1, x0 + 1)
                    fx = x - x0
                    k00, k01 = (1 - fx) * (1 - fy), fx * (1 - fy)
                    k10, k11 = (1 - fx) * fy, fx * fy
                    r += (
                        rgb[y0, x0, 0] * k00 + rgb[y0, x1, 0] * k01
                        + rgb[y1, x0, 0] * k10 + rgb[y1, x1, 0] * k11
                    )  # fmt: skip
                    g += (
                        rgb[y0, x0, 1] * k00 + rgb[y0, x1, 1] * k01
                        + rgb[y1, x0, 1] * k10 + rgb[y1, x1, 1] * k11
                    )  # fmt: skip
                    b += (
                        rgb[y0, x0, 2] * k00 + rgb[y0, x1, 2] * k01
                        + rgb[y1, x0, 2] * k10 + rgb[y1, x1, 2] * k11
                    )  # fmt: skip
            total = n * n
            out[j, i, 0] = np.uint8(r / total + 0.5)
            out[j, i, 1] = np.uint8(g / total + 0.5)
            out[j, i, 2] = np.uint8(b / total + 0.5)


@njit(cache=True)
def boxes_of_ids(ids, first_loose, slots, out):  # type: ignore[no-untyped-def]
    """Bounds and counts of ids: `out` (2 * slots, 5) int64 gets x0, y0, x1, y1, pixels.

    Ids 1..slots-1 go to their own row, ids from `first_loose` on to the rows from `slots` on.
    """
    out[:, 0], out[:, 1], out[:, 2], out[:, 3], out[:, 4] = 1 << 30, 1 << 30, 0, 0, 0
    for y in range(ids.shape[0]):
        for x in range(ids.shape[1]):
            key = ids[y, x]
            if key == 0:
                continue
            if key >= slots:
                key = key - first_loose + slots
                if key < slots or key >= 2 * slots:
                    continue
            out[key, 0] = min(out[key, 0], x)
            out[key, 1] = min(out[key, 1], y)
            out[key, 2] = max(out[key, 2], x + 1)
            out[key, 3] = max(out[key, 3], y + 1)
            out[key, 4] += 1


@njit(cache=True)
def _field(rgb, grid, out):  # type: ignore[no-untyped-def]
    """Multiplies a picture by a coarse grid (gh, gw, 3) of gains, interpolated."""
    height, width = rgb.shape[0], rgb.shape[1]
    gh, gw = grid.shape[0], grid.shape[1]
    for y in range(height):
        fy = y * (gh - 1) / height
        iy = int(fy)
        fy -= iy
        for x in range(width):
            fx = x * (gw - 1) / width
            ix = int(fx)
            fx -= ix
            for k in range(3):
                top = grid[iy, ix, k] * (1 - fx) + grid[iy, ix + 1, k] * fx
                low = grid[iy + 1, ix, k] * (1 - fx) + grid[iy + 1, ix + 1, k] * fx
                value = rgb[y, x, k] * (top * (1 - fy) + low * fy)
                out[y, x, k] = np.uint8(min(255.0, value))


class Wear:
    """One draw of a camera's and a room's faults; `strength` 0 (clean) to 1 (as bad as it gets)."""

    def __init__(self, rng: np.random.Generator, strength: float = 1.0) -> None:
        s = strength
        self.gain = float(np.exp(rng.normal(0.06, 0.24 * s)))
        self.gamma = float(np.exp(rng.normal(0.0, 0.16 * s)))
        self.lift = float(rng.uniform(0, 26) * s) if rng.random() < 0.4 else 0.0
        cast = rng.normal(0.0, 0.055 * s, 3) + rng.normal(0.0, 0.06 * s) * np.array([1, 0.1, -1])
        self.cast = np.exp(cast)
        self.saturation = (
            float(rng.uniform(1 - 0.6 * s, 1 + 0.25 * s)) if rng.random() < 0.4 else 1.0
        )
        self.noise = float(rng.gamma(1.6, 2.2 * s)) if s > 0 else 0.0
        self.grid = _light_grid(rng, s) if rng.random() < 0.55 * s else None
        self.blur = int(rng.choice([0, 1, 2], p=[0.62, 0.28, 0.10])) if rng.random() < s else 0
        self.smear = rng.normal(0, 5.0, 2) if rng.random() < 0.10 * s else None
        self.shrink = float(rng.uniform(1.3, 2.2)) if rng.random() < 0.14 * s else 1.0
        self.quality = int(rng.integers(22, 93)) if rng.random() < 0.55 else 0


def _light_grid(rng: np.random.Generator, strength: float) -> NDArray[np.float64]:
    """Uneven light: a smooth gradient, or a sun patch with a soft edge."""
    gh, gw = int(rng.integers(2, 7)), int(rng.integers(2, 9))
    grid = 1.0 + rng.normal(0, 0.16 * strength, (gh, gw, 1))
    if rng.random() < 0.4:
        gh, gw = 14, 20
        y, x = np.mgrid[0:gh, 0:gw]
        turn = rng.uniform(0, math.pi)
        along = (x - rng.uniform(0, gw)) * math.cos(turn) + (y - rng.uniform(0, gh)) * math.sin(
            turn
        )
        patch = (np.abs(along) < rng.uniform(1.5, 6.0)).astype(np.float64)
        warm = np.array([1.0, 0.94, 0.80])
        grid = 1.0 + patch[..., None] * warm * rng.uniform(0.2, 0.9) * strength
        if rng.random() < 0.5:
            grid = grid.max() / grid / grid.max() * 1.15
    return np.clip(grid * np.ones(3), 0.25, 2.2)


def wear(rgb: Rgbs, fault: Wear, rng: np.random.Generator) -> Rgbs:
    """A worn copy of a picture (H, W, 3) uint8."""
    source = rgb
    height, width = rgb.shape[:2]
    if fault.grid is not None:
        lit = np.empty_like(source)
        _field(source, fault.grid, lit)
        source = lit
    if fault.smear is not None:
        moved = np.empty_like(source)
        motion_blur(source, fault.smear[0], fault.smear[1], 6, moved)
        source = moved
    if fault.shrink > 1.0:
        small = np.empty(
            (max(8, int(height / fault.shrink)), max(8, int(width / fault.shrink)), 3), np.uint8
        )
        crop_resized(source, np.array([0.0, 0.0, width, height]), small)
        large = np.empty_like(source)
        crop_resized(small, np.array([0.0, 0.0, small.shape[1], small.shape[0]]), large)
        source = large
    if fault.blur:
        scratch = np.empty(source.shape, np.uint16)
        for _ in range(fault.blur):
            soft = np.empty_like(source)
            blur_binomial(source, soft, scratch)
            source = soft
    if fault.saturation != 1.0:
        grey = source @ np.array([0.3, 0.59, 0.11], np.float32)
        mixed = grey[..., None] + (source - grey[..., None]) * np.float32(fault.saturation)
        source = np.clip(mixed, 0, 255).astype(np.uint8)
    level = (np.arange(256) / 255.0) ** fault.gamma
    curve = level[:, None] * (255.0 - fault.lift) * fault.gain * fault.cast + fault.lift
    lut = np.clip(np.rint(curve * 16), 0, 255 * 16).astype(np.int32)
    table = _noise(fault.noise)
    starts = rng.integers(0, _TABLE - 3 * width, height)
    out = np.empty((height, width, 3), np.uint8)
    develop(source, table, starts, lut, np.zeros((0, 0), np.int32), out)
    if fault.quality:
        packed = io.BytesIO()
        Image.fromarray(out).save(packed, "JPEG", quality=fault.quality)
        out = np.asarray(Image.open(packed)).copy()
    return out


_BASE_NOISE: list[NDArray[np.float32]] = []


def _noise(sigma: float) -> NDArray[np.int16]:
    """A table of noise in 1/16 grey levels; the unit table is made once and never changes."""
    if not _BASE_NOISE:
        unit = np.random.Generator(np.random.PCG64(0x5EED)).normal(0.0, 16.0, _TABLE)
        _BASE_NOISE.append(unit.astype(np.float32))
    return (_BASE_NOISE[0] * np.float32(sigma)).astype(np.int16)
