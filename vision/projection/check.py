"""Where light is seen to fall, beside where it should.

What a camera sees more after the light went on, divided by what it saw before, is the light itself:
the colours of boxes and the ink on labels drop out, because they multiply both. In that picture the
form that should be there is looked for (normalised correlation), to a fraction of a pixel.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.projection.draw import Raster, raster
from vision.projection.model import Floats, Optics
from vision.projection.shapes import Shape

__all__ = ["Spot", "SpotSeen", "cut_out", "expected_spot", "find_light"]

GAMMA = 2.2
ALIKE_MIN = 0.55
"""Correlation below which the form is not taken to be there."""
SIDE_MAX_PX = 96
"""Larger places are looked at in less detail."""
DARK = 0.015
_LINEAR: NDArray[np.float32] = (np.arange(256) / 255.0).astype(np.float32) ** np.float32(GAMMA)


@dataclass(frozen=True, slots=True)
class Spot:
    """A form as a camera should see it, and the rectangle (x0, y0, x1, y1) px where it is looked
    for, as far around it as `reach_px`."""

    form: Raster
    where: tuple[int, int, int, int]
    reach_px: int


@dataclass(frozen=True, slots=True)
class SpotSeen:
    """`off_px` (2,): seen minus expected; `alike`: correlation, 1 at best."""

    off_px: Floats
    alike: float


def expected_spot(form: Shape, v_m: float, camera: Optics, *, reach_mm: float) -> Spot | None:
    """How a form at depth `v_m` should look to a camera; None if it is not wholly in its picture
    with all around it."""
    seen = raster(form, v_m, camera)
    if seen is None:
        return None
    middle = np.array([form.centre[0], v_m, form.centre[1]])
    reach = max(3, round(reach_mm / camera.mm_per_px(middle)))
    height, width = seen.cover.shape
    # The place is cut at the picture's edge evenly, or the form would be looked for off its middle.
    room = min(seen.x, seen.y, camera.size[0] - seen.x - width, camera.size[1] - seen.y - height)
    if room < 3:
        return None
    reach = min(reach, room)
    where = (seen.x - reach, seen.y - reach, seen.x + width + reach, seen.y + height + reach)
    return Spot(seen, where, reach)


def cut_out(grey: NDArray[np.uint8], spot: Spot) -> NDArray[np.uint8]:
    """The spot's rectangle of a picture, a copy."""
    x0, y0, x1, y1 = spot.where
    return grey[y0:y1, x0:x1].copy()


def find_light(before: NDArray[np.uint8], after: NDArray[np.uint8], spot: Spot) -> SpotSeen | None:
    """Where the light is, from the spot's rectangle without it and with it; None if there is none
    of that form."""
    dark = _LINEAR[before]
    gained = cv2.GaussianBlur(_LINEAR[after] - dark, (0, 0), 0.8)
    light = gained / (cv2.GaussianBlur(dark, (0, 0), 0.8) + DARK)
    top = float(np.percentile(light, 98))
    if top <= 0.02:
        return None
    light = np.clip(light, -0.25 * top, top).astype(np.float32)
    form: NDArray[Any] = cv2.GaussianBlur(spot.form.cover.astype(np.float32), (0, 0), 1.0)
    coarse = max(1, -(-max(form.shape) // SIDE_MAX_PX))
    middle = np.array([spot.reach_px, spot.reach_px], np.float64)
    if coarse > 1:
        # The form keeps its middle in the place when both are cut to whole coarse pixels.
        reach = spot.reach_px // coarse * coarse
        spare = spot.reach_px - reach
        height, width = (side // coarse * coarse for side in form.shape)
        form = _coarse(form[:height, :width], coarse)
        light = _coarse(
            light[spare : spare + height + 2 * reach, spare : spare + width + 2 * reach], coarse
        )
        middle[:] = reach // coarse
    alike: NDArray[Any] = cv2.matchTemplate(light, form, cv2.TM_CCOEFF_NORMED)
    _, best, _, (column, row) = cv2.minMaxLoc(alike)
    if not np.isfinite(best) or best < ALIKE_MIN:
        return None
    peak = np.array([column + _top(alike[row], column), row + _top(alike[:, column], row)])
    return SpotSeen((peak - middle) * coarse, float(best))


def _coarse(picture: NDArray[Any], by: int) -> NDArray[np.float32]:
    size = (picture.shape[1] // by, picture.shape[0] // by)
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.float32)


def _top(line: NDArray[Any], at: int) -> float:
    """How far beside the greatest value a parabola through its neighbours has its top."""
    if not 0 < at < len(line) - 1:
        return 0.0
    a, b, c = (float(one) for one in line[at - 1 : at + 2])
    bend = a - 2 * b + c
    return 0.0 if bend >= 0 else float(np.clip(0.5 * (a - c) / bend, -0.5, 0.5))
