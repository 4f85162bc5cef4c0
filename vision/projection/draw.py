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

FINE = 4
"""Forms are drawn so many times as large and then made small: OpenCV's own smoothing of polygons
makes them a pixel wider all around."""
FINE_BITS = 4
"""Corners are given to OpenCV in sixteenths of such a pixel."""
SIDE_MAX_PX = 16_000.0
EDGE_PX = 2


@dataclass(frozen=True, slots=True)
class Raster:
    """A form in a picture: `cover` (h, w) uint8 is how much of each pixel it covers, its top left
    pixel at (x, y); `share` of it is left by what is in its way."""

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
    fine = (FINE * int(high[1] - low[1]), FINE * int(high[0] - low[0]))
    cover = np.zeros(fine, np.uint8)
    for part in form.parts:
        one = np.zeros(fine, np.uint8) if len(form.parts) > 1 else cover
        _fill(one, [optics.project(on_plane(line, v_m)) - low for line in part], 255)
        np.maximum(cover, one, out=cover)
    mask = np.zeros(fine, np.uint8)
    _fill(mask, [clip - low], 255)
    cv2.bitwise_and(cover, mask, cover)
    whole = cv2.countNonZero(cover)
    if whole == 0:
        return None
    for polygon in without:
        _fill(cover, [polygon - low], 0)
    share = cv2.countNonZero(cover) / whole
    small = cv2.resize(cover, (fine[1] // FINE, fine[0] // FINE), interpolation=cv2.INTER_AREA)
    return Raster(int(low[0]), int(low[1]), np.asarray(small, np.uint8), share)


def add_light(picture: NDArray[np.uint8], form: Raster, colour: tuple[int, int, int]) -> None:
    """Puts the form's light into a picture (H, W, 3); of two lights the brighter one stays."""
    height, width = form.cover.shape
    part = picture[form.y : form.y + height, form.x : form.x + width]
    lit = (form.cover[..., None].astype(np.uint16) * np.array(colour, np.uint16) + 127) // 255
    np.maximum(part, lit.astype(np.uint8), out=part)


def _fill(mask: NDArray[np.uint8], lines: Sequence[Floats], level: int) -> None:
    """Fills closed lines, every second one a hole; their corners in pixels before enlarging."""
    corners = [
        np.rint(((line + 0.5) * FINE - 0.5) * (1 << FINE_BITS)).astype(np.int32) for line in lines
    ]
    cv2.fillPoly(mask, corners, (level,), cv2.LINE_8, FINE_BITS)
