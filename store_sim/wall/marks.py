"""Marks in what a projector throws: patches of one colour, with what lies inside them."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from contracts.wall_messages import MarkLook

__all__ = ["BLUE", "DARK", "GREEN", "RED", "WHITE", "colours_of", "marks_in"]

Floats = NDArray[np.float64]

GREEN, BLUE, RED, WHITE = 1, 2, 3, 4

DARK = 60
"""A pixel whose brightest colour is below this is no mark."""
JOIN_PX = 9
"""Patches of one colour as near as this are one mark (a dashed frame)."""
LEAST_PX = 12
LARGEST_SHARE = 0.25
"""What fills more of a picture than this is no mark but a test pattern."""


def colours_of(rgb: NDArray[np.uint8]) -> NDArray[np.int8]:
    """(H, W): 0 dark, GREEN, BLUE, RED or WHITE."""
    r, g, b = (rgb[..., k].astype(np.int16) for k in range(3))
    top = np.maximum(np.maximum(r, g), b)
    low = np.minimum(np.minimum(r, g), b)
    kind = np.zeros(r.shape, np.int8)
    bright = top >= DARK
    kind[bright & (g >= r) & (g > b)] = GREEN
    kind[bright & (b >= g) & (b > r)] = BLUE
    kind[bright & (r > g) & (r >= b)] = RED
    kind[bright & (low > 0.6 * top)] = WHITE
    return kind


def marks_in(rgb: NDArray[np.uint8]) -> list[tuple[MarkLook, Floats]]:
    """The marks of a picture: how each looks, and its pixels (N, 2) x, y."""
    found: list[tuple[MarkLook, Floats]] = []
    height, width = rgb.shape[:2]
    bright = (rgb >= DARK).reshape(height, -1)
    rows, columns = np.flatnonzero(bright.any(axis=1)), np.flatnonzero(bright.any(axis=0)) // 3
    if len(rows) == 0:
        return found
    x0, y0 = max(0, int(columns[0]) - JOIN_PX), max(0, int(rows[0]) - JOIN_PX)
    kinds = colours_of(rgb[y0 : int(rows[-1]) + JOIN_PX + 1, x0 : int(columns[-1]) + JOIN_PX + 1])
    for kind in (GREEN, BLUE, RED, WHITE):
        mask = kinds == kind
        if not mask.any() or mask.sum() > LARGEST_SHARE * width * height:
            continue
        for pixels, pieces in _patches(mask):
            found.append((_look(kind, pixels, pieces), pixels + np.array([x0, y0])))
    return found


def _patches(mask: NDArray[np.bool_]) -> list[tuple[Floats, int]]:
    """Pixels (N, 2) of each mark of one colour, and of how many pieces it is."""
    joined = ndimage.maximum_filter(mask, JOIN_PX)
    labels, _ = ndimage.label(joined)
    boxes: list[Any] = ndimage.find_objects(labels)
    spans = [
        (box[1].start, box[0].start, box[1].stop, box[0].stop, k + 1)
        for k, box in enumerate(boxes)
        if box is not None
    ]
    spans.sort(key=lambda s: -(s[2] - s[0]) * (s[3] - s[1]))
    owners: list[tuple[int, int, int, int, list[int]]] = []
    for x0, y0, x1, y1, k in spans:
        for owner in owners:
            if owner[0] <= x0 and owner[1] <= y0 and owner[2] >= x1 and owner[3] >= y1:
                owner[4].append(k)
                break
        else:
            owners.append((x0, y0, x1, y1, [k]))
    patches = []
    for x0, y0, x1, y1, parts in owners:
        inside = mask[y0:y1, x0:x1] & np.isin(labels[y0:y1, x0:x1], parts)
        rows, columns = inside.nonzero()
        if len(rows) >= LEAST_PX:
            _, pieces = ndimage.label(inside)
            patches.append((np.stack([columns + x0, rows + y0], axis=1).astype(float), pieces))
    return patches


def _look(kind: int, pixels: Floats, pieces: int) -> MarkLook:
    if kind == GREEN:
        return "take_a"
    if kind == BLUE:
        return "take_b"
    low, high = pixels.min(axis=0), pixels.max(axis=0)
    if kind == RED:
        # A cross has light in its middle, a frame has not.
        near = np.abs(pixels - (low + high) / 2) < 0.12 * (high - low) + 1
        return "not_this" if near.all(axis=1).any() else "wrong"
    return "place" if pieces > 4 else "look"
