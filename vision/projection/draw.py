"""Marks into a picture: forms on a plane of the wall, as a projector throws or a camera sees them.

Forms are drawn in metres on the plane of what they are thrown at and put through the lens point by
point, so they are right on faces at any depth, at any slant of the projector, with any distortion.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.projection.model import Floats, Optics
from vision.projection.shapes import Shape

__all__ = ["Raster", "add_light", "on_plane", "raster"]

FINE_BITS = 4
"""Corners are given to OpenCV in sixteenths of a pixel."""
SIDE_MAX_PX = 16_000.0
EDGE_PX = 2


@dataclass(frozen=True, slots=True)
class Raster:
    """A form in a picture: `cover` (h, w) uint8 is how much of each pixel it covers, its top left
    pixel at (x, y); `share` of it is left of what it would be without clipping."""

    x: int
    y: int
    cover: NDArray[np.uint8]
    share: float


def on_plane(line: Floats, v_m: float) -> Floats:
    """(N, 3) wall points of (u, z) at a depth."""
    return np.column_stack([line[:, 0], np.full(len(line), v_m), line[:, 1]])


def raster(
    form: Shape, v_m: float, optics: Optics, *, without: Sequence[Floats] = ()
) -> Raster | None:
    """The form at depth `v_m` through a lens, clipped to its own outline, to the picture, and by
    what is in its way: `without`, polygons (K, 2) px. None if the lens does not show it."""
    clip = optics.project(on_plane(form.clip, v_m))
    if not np.isfinite(clip).all() or np.abs(clip).max() > SIDE_MAX_PX:
        return None
    width, height = optics.size
    low = np.maximum(np.floor(clip.min(axis=0)).astype(int) - EDGE_PX, 0)
    high = np.minimum(np.ceil(clip.max(axis=0)).astype(int) + EDGE_PX + 1, (width, height))
    if (high - low < 2).any():
        return None
    size = (int(high[1] - low[1]), int(high[0] - low[0]))
    cover = np.zeros(size, np.uint8)
    for part in form.parts:
        lines = [optics.project(on_plane(line, v_m)) - low for line in part]
        if len(form.parts) == 1:
            _fill(cover, lines)
        else:
            one = np.zeros(size, np.uint8)
            _fill(one, lines)
            cover = np.maximum(cover, one)
    whole = float(cover.sum())
    if whole <= 0:
        return None
    mask = np.zeros(size, np.uint8)
    _fill(mask, [clip - low])
    cover = np.minimum(cover, mask)
    for polygon in without:
        cv2.fillPoly(cover, [_fine(polygon - low)], (0,), cv2.LINE_8, FINE_BITS)
    return Raster(int(low[0]), int(low[1]), cover, float(cover.sum()) / whole)


def add_light(picture: NDArray[np.uint8], form: Raster, colour: tuple[int, int, int]) -> None:
    """Puts the form's light into a picture (H, W, 3); of two lights the brighter one stays."""
    height, width = form.cover.shape
    part = picture[form.y : form.y + height, form.x : form.x + width]
    lit = (form.cover[..., None].astype(np.uint16) * np.array(colour, np.uint16) + 127) // 255
    np.maximum(part, lit.astype(np.uint8), out=part)


def _fill(mask: NDArray[np.uint8], lines: Sequence[Floats]) -> None:
    cv2.fillPoly(mask, [_fine(line) for line in lines], (255,), cv2.LINE_AA, FINE_BITS)


def _fine(line: Floats) -> NDArray[np.int32]:
    return np.rint(line * (1 << FINE_BITS)).astype(np.int32)
