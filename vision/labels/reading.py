"""Reading every code of a photo: readers first, then places that look like codes, closer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.labels.code import LINEAR, MATRIX, Code, Gray, Points, frame_gray
from vision.labels.engines import Reading, moved, read_zbar, read_zxing
from vision.labels.locate import find_bars, find_squares
from vision.labels.merge import believed, gathered, overlap
from vision.labels.profile import (
    EDGES_MIN,
    OWN_FORMATS,
    ProfileReading,
    convincing,
    edges_between,
    read_profile,
    supports,
)
from vision.labels.straight import Strip, bright_edges, profiles, straight_bars

__all__ = ["BarSearch", "read_codes"]

LOCATE_PIXELS_MAX = 2_000_000
"""Larger pictures are searched for places on a smaller copy."""
PLACES_MAX = 10
"""So many places of bars, and as many of square codes, are looked at closely."""
COVERED_MIN = 0.6
"""A place is done with when so much of it lies in a proven code, or the other way round."""


def read_codes(picture: NDArray[Any], *, thorough: bool = True) -> tuple[Code, ...]:
    """Every code in a picture (H, W) grey or (H, W, 3) RGB, uint8; FrameError for other kinds.

    `thorough` looks closer at up to PLACES_MAX places of either kind that the readers passed
    over; without it a picture costs about what its readers cost.
    """
    gray = frame_gray(picture)
    search = BarSearch(gray)
    readings = [*_as("whole", read_zxing(gray)), *_as("whole", read_zbar(gray))]
    readings += search.proofs(readings)
    if thorough:
        small, share = _smaller(gray)
        for place in find_bars(small, most=PLACES_MAX):
            polygon = np.asarray((place.polygon + 0.5) / share - 0.5, np.float32)
            if not _covered(polygon, readings):
                readings += search.closer(polygon)
        for polygon in find_squares(small, most=PLACES_MAX):
            if not _covered(polygon / share, readings):
                readings += _squares(gray, np.asarray(polygon / share, np.float32))
    return believed(gathered(readings))


def _as(way: str, readings: Iterable[Reading]) -> list[Reading]:
    return [replace(one, way=way) for one in readings]


def _smaller(gray: Gray) -> tuple[Gray, float]:
    share = min(1.0, (LOCATE_PIXELS_MAX / gray.size) ** 0.5)
    if share >= 1.0:
        return gray, 1.0
    small = cv2.resize(gray, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.uint8), share


def _covered(polygon: Points, readings: Iterable[Reading]) -> bool:
    return any(
        overlap(np.asarray(polygon, np.float32), one.polygon) >= COVERED_MIN
        for one in readings
        if one.engine == "bars" or one.format in MATRIX
    )


class BarSearch:
    """Looks closely at places of bars in one picture (H, W) uint8."""

    def __init__(self, gray: Gray, formats: tuple[str, ...] = LINEAR) -> None:
        self._gray = gray
        self._formats = formats
        self._own = tuple(one for one in formats if one in OWN_FORMATS)

    def proofs(self, readings: Iterable[Reading]) -> list[Reading]:
        """For readings of bars whose light fits their text: our own reading of the same."""
        found = []
        for one in readings:
            if one.format not in self._own:
                continue
            strip = straight_bars(self._gray, _thick(one.polygon))
            for profile in profiles(strip):
                own = read_profile(profile, (one.format,), span=strip.span)
                if own is not None and own.text == one.text and supports(own):
                    found.append(_own_reading(own, strip))
                    break
        return found

    def closer(self, polygon: Points) -> list[Reading]:
        """What can be read at a place: (4, 2), its upper side across the bars."""
        strip = straight_bars(self._gray, polygon)
        light = list(profiles(strip))
        if max(edges_between(one, *strip.span) for one in light) < EDGES_MIN:
            return []
        found = self._engines(strip, "straight", strip.gray)
        proofs = self.proofs(found)
        if proofs:
            return [*found, *proofs]
        for profile in light:
            own = read_profile(profile, self._own, span=strip.span)
            if own is not None and convincing(own):
                return [*found, _own_reading(own, strip)]
        found += self._engines(strip, "bright", bright_edges(strip.gray))
        return [*found, *self.proofs(found)]

    def _engines(self, strip: Strip, way: str, crop: Gray) -> list[Reading]:
        read = [*read_zxing(crop, self._formats, hard=False), *read_zbar(crop, self._formats)]
        return [moved(one, strip.matrix, way) for one in read]


def _own_reading(own: ProfileReading, strip: Strip) -> Reading:
    high = strip.gray.shape[0]
    top, bottom = 0.05 * high, 0.95 * high - 1.0
    if own.reversed:
        # Upside down: its first bar is to the right already.
        top, bottom = bottom, top
    corners = np.array(
        [(own.begin, top), (own.end, top), (own.end, bottom), (own.begin, bottom)], np.float32
    )
    plain = Reading(own.text, own.format, corners, "bars", round(own.modules))
    return moved(plain, strip.matrix, "bars")


def _thick(polygon: Points) -> Points:
    """The polygon of a reading, made at least a little high."""
    tl, tr, br, bl = polygon
    upper = tr - tl + br - bl
    length = float(np.linalg.norm(upper)) / 2.0
    height = float(np.linalg.norm(bl - tl + br - tr)) / 2.0
    least = max(4.0, 0.04 * length)
    if height >= least or length < 1.0:
        return polygon
    down = np.array([-upper[1], upper[0]], np.float32) / (2.0 * length)
    left, right = (tl + bl) / 2.0, (tr + br) / 2.0
    half = down * least / 2.0
    return np.array([left - half, right - half, right + half, left + half], np.float32)


def _squares(gray: Gray, polygon: Points) -> list[Reading]:
    """Square codes in an upright box (4, 2), larger and with more contrast."""
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    pad = 0.25 * max(x1 - x0, y1 - y0)
    high, wide = gray.shape
    left, top = max(0, int(x0 - pad)), max(0, int(y0 - pad))
    crop = gray[top : min(high, int(y1 + pad) + 1), left : min(wide, int(x1 + pad) + 1)]
    if min(crop.shape) < 8:
        return []
    found = []
    for scale in (2.0, 3.0):
        if crop.size * scale * scale > LOCATE_PIXELS_MAX:
            continue
        large = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        matrix = np.array([[1 / scale, 0, left], [0, 1 / scale, top], [0, 0, 1]])
        for way, ready in (("large", large), ("bright", bright_edges(np.asarray(large, np.uint8)))):
            read = read_zxing(np.asarray(ready, np.uint8), MATRIX)
            found += [moved(one, matrix, f"{way}-{scale:.0f}") for one in read]
            if found:
                return found
    return found
