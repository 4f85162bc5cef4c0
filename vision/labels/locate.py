"""Where in a picture codes may be: places whose edges all go one way, and places full of corners.

Codes of bars are found by the structure tensor (Bigun, Granlund 1987): where the light's slopes
are strong and agree in direction over a neighbourhood there are bars; text and shelves agree less.
Square codes are found as compact places that are rich in edges of both directions.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.labels.code import Gray, Points

__all__ = ["BarPlace", "find_bars", "find_squares", "warp_bars"]

Floats = NDArray[np.float32]

CELL_PX = 4
"""The tensor is averaged over squares of so many pixels first."""
AGREE_MIN = 0.62
"""Coherence, 0 to 1, from which a place may hold bars."""
SLOPE_MIN = 6.0
"""Root mean square slope, levels a pixel, under which there is nothing to read."""
SQUARE_TEXTURES = ((1.3, 0.1), (1.3, 0.04), (4.0, 0.04))
"""Over which standard deviation, in cells, places of square codes are alike, and which squared
slope beside squared contrast, a pixel, they have at the least: fine codes stand out from what is
around them, even pale under glare; coarse ones and blurred ones less."""
SQUARE_LONG_MAX = 3.5
"""Places of square codes are at most so many times as long as wide; some DataMatrix are 3 to 1."""


@dataclass(frozen=True, eq=False)
class BarPlace:
    """A place that may hold a code of bars. `polygon` (4, 2): its upper side goes across the
    bars; which way round the code lies is not known."""

    polygon: Points
    weight: float
    """Slope times area: the strongest first."""


def find_bars(
    gray: Gray, *, most: int = 12, smooth: Sequence[float] = (1.5, 3.5)
) -> list[BarPlace]:
    """Places that may hold codes of bars in a picture (H, W) uint8, the strongest first.

    `smooth` are standard deviations, in cells, over which directions must agree: small ones keep
    small codes apart, large ones join what glare has torn.
    """
    tensor = _tensor(gray)
    found: list[BarPlace] = []
    for sigma in smooth:
        for place in _bars_at(tensor, sigma):
            if not any(_alike(place.polygon, other.polygon) for other in found):
                found.append(place)
    found.sort(key=lambda one: -one.weight)
    return found[:most]


def _tensor(gray: Gray) -> tuple[Floats, Floats, Floats]:
    """Mean squared slopes (xx, yy, xy) a cell."""
    dx = cv2.Sobel(gray, cv2.CV_16S, 1, 0, ksize=3)
    dy = cv2.Sobel(gray, cv2.CV_16S, 0, 1, ksize=3)
    fx, fy = dx.astype(np.float32) / 8.0, dy.astype(np.float32) / 8.0
    high, wide = gray.shape
    size = (max(1, wide // CELL_PX), max(1, high // CELL_PX))

    def cells(values: Floats) -> Floats:
        return np.asarray(cv2.resize(values, size, interpolation=cv2.INTER_AREA), np.float32)

    return cells(fx * fx), cells(fy * fy), cells(fx * fy)


def _bars_at(tensor: tuple[Floats, Floats, Floats], sigma: float) -> list[BarPlace]:
    xx, yy, xy = (cv2.GaussianBlur(part, (0, 0), sigma) for part in tensor)
    energy = xx + yy
    agree = np.sqrt((xx - yy) ** 2 + 4.0 * xy * xy) / np.maximum(energy, 1e-6)
    # Strong beside the picture's own edges, so that dim pictures are searched as well.
    least = max(SLOPE_MIN**2, 0.06 * float(np.percentile(energy, 98)))
    mask = ((agree > AGREE_MIN) & (energy > least)).astype(np.uint8)
    mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
    found = []
    for k in range(1, count):
        x, y, wide, high, area = (int(v) for v in stats[k])
        if area < 12:
            continue
        part = (slice(y, y + high), slice(x, x + wide))
        inside = labels[part] == k
        weights = np.where(inside, energy[part], 0.0)
        angle = 0.5 * np.arctan2(
            2.0 * float((xy[part] * inside).sum()), float(((xx - yy)[part] * inside).sum())
        )
        polygon = _oriented(inside, weights, float(angle), x, y, sigma)
        if polygon is not None:
            found.append(BarPlace(polygon, float(weights.sum())))
    return found


def _oriented(
    inside: NDArray[np.bool_], weights: Floats, angle: float, x: int, y: int, sigma: float
) -> Points | None:
    """The place's parallelogram in pixels: sides along the bars, upper side as the code runs."""
    rows, columns = np.nonzero(inside)
    across = np.array([np.cos(angle), np.sin(angle)])
    along = np.array([-np.sin(angle), np.cos(angle)])
    points = np.stack([columns + x + 0.5, rows + y + 0.5], axis=1)
    u, v = points @ across, points @ along
    u0, u1 = np.percentile(u, (0.5, 99.5))
    if u1 - u0 < 3.0:
        return None
    # A slanted code's lines drift sideways: bars are moved along themselves until it is level.
    weight = weights[rows, columns].astype(np.float64)
    um, vm = np.average(u, weights=weight), np.average(v, weights=weight)
    slant = float(np.average((u - um) * (v - vm), weights=weight))
    slant /= max(1e-6, float(np.average((u - um) ** 2, weights=weight)))
    slant = float(np.clip(slant, -1.0, 1.0))
    level = v - slant * (u - um)
    v0, v1 = np.percentile(level, (1, 99))
    # Averaging has made the place larger by about its reach.
    grow = 0.3 * sigma
    u0, u1, v0, v1 = u0 + grow, u1 - grow, v0 + grow, v1 - grow
    if u1 - u0 < 2.0 or v1 - v0 < 0.5:
        return None
    corners = [(u0, v0), (u1, v0), (u1, v1), (u0, v1)]
    polygon = [(a * across + (b + slant * (a - um)) * along) * CELL_PX - 0.5 for a, b in corners]
    return np.array(polygon, np.float32)


def _alike(a: Points, b: Points) -> bool:
    shared, _ = cv2.intersectConvexConvex(a, b)
    larger = max(abs(cv2.contourArea(a)), abs(cv2.contourArea(b)))
    return float(shared) > 0.8 * float(larger)


def warp_bars(
    gray: Gray, polygon: Points, *, scale: float, beyond: float = 0.16, height_max: int = 200
) -> tuple[Gray, NDArray[np.float64]]:
    """The place with its bars upright, `scale` times as large, with room beside it: the crop and
    the matrix (3, 3) from the crop's pixels to the picture's. The room is `beyond` of the length
    at either end, and 6 % of the height above and below."""
    tl, tr, _, bl = polygon.astype(np.float64)
    length, height = float(np.linalg.norm(tr - tl)), float(np.linalg.norm(bl - tl))
    upper, side = (tr - tl) / max(length, 1e-6), (bl - tl) / max(height, 1e-6)
    wide = max(16, round(length * (1 + 2 * beyond) * scale))
    tall = int(np.clip(round(height * 1.12 * scale), 12, height_max))
    origin = tl - upper * length * beyond - side * height * 0.06
    step_u = upper * length * (1 + 2 * beyond) / wide
    step_v = side * height * 1.12 / tall
    matrix = np.array(
        [[step_u[0], step_v[0], origin[0]], [step_u[1], step_v[1], origin[1]], [0, 0, 1]]
    )
    # Thin what is made much lower, so that no line is skipped.
    crop = cv2.warpAffine(
        gray,
        matrix[:2],
        (wide, tall),
        flags=cv2.INTER_CUBIC | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    return np.asarray(crop, np.uint8), matrix


def find_squares(gray: Gray, *, most: int = 12) -> list[Points]:
    """Upright boxes (4, 2) around compact places rich in edges of both directions, which may hold
    square codes, those of the finest structure first: a marker of a few large squares comes after
    a code, however much bolder it is."""
    xx, yy, _ = _tensor(gray)
    mean, square = _moments(gray, xx.shape[1], xx.shape[0])
    found: list[tuple[float, Points]] = []
    for sigma, least in SQUARE_TEXTURES:
        a, b = cv2.GaussianBlur(xx, (0, 0), sigma), cv2.GaussianBlur(yy, (0, 0), sigma)
        level = cv2.GaussianBlur(mean, (0, 0), sigma)
        spread = np.maximum(cv2.GaussianBlur(square, (0, 0), sigma) - level * level, 1.0)
        both = np.minimum(a, b)
        # Slope beside contrast: the same for a dim code as for a bright one, and low at the edge
        # between a label and what it sticks on.
        texture = both / spread
        mask = ((both > SLOPE_MIN**2) & (texture > least)).astype(np.uint8)
        count, labels, stats, _ = cv2.connectedComponentsWithStats(mask, connectivity=4)
        for k in range(1, count):
            x, y, wide, high, area = (int(v) for v in stats[k])
            if (
                area < 9
                or max(wide, high) > SQUARE_LONG_MAX * min(wide, high)
                or area < 0.45 * wide * high
            ):
                continue
            part = (slice(y, y + high), slice(x, x + wide))
            inside = labels[part] == k
            fine = float(np.percentile(texture[part][inside], 80))
            x0, y0, x1, y1 = (v * CELL_PX for v in (x, y, x + wide, y + high))
            polygon = np.array([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], np.float32)
            if not any(_alike(polygon, other) for _, other in found):
                found.append((fine, polygon))
    found.sort(key=lambda one: -one[0])
    return [polygon for _, polygon in found[:most]]


def _moments(gray: Gray, wide: int, high: int) -> tuple[Floats, Floats]:
    """Mean light and mean squared light a cell."""
    light = gray.astype(np.float32)
    size, way = (wide, high), cv2.INTER_AREA
    mean = cv2.resize(light, size, interpolation=way)
    square = cv2.resize(light * light, size, interpolation=way)
    return np.asarray(mean, np.float32), np.asarray(square, np.float32)
