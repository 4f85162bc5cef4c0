"""Reading every code of a photo: readers first, then places that look like codes, closer."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.labels.closer import BarSearch, read_square
from vision.labels.code import MATRIX, Code, Gray, Points, frame_gray
from vision.labels.engines import Reading, read_zbar, read_zxing
from vision.labels.extent import spanned
from vision.labels.locate import find_bars, find_squares
from vision.labels.merge import believed, gathered, overlap

__all__ = ["read_codes"]

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
                readings += search.closer(polygon).readings
        for box in find_squares(small, most=PLACES_MAX):
            polygon = np.asarray(box / share, np.float32)
            if not _covered(polygon, readings):
                readings += read_square(gray, polygon)
    return spanned(believed(gathered(readings)), gray)


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
        overlap(polygon, one.polygon) >= COVERED_MIN
        for one in readings
        if one.engine == "bars" or one.format in MATRIX
    )
