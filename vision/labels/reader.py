"""The quick reader for video: labels of walls only, in the regions that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from vision.labels.closer import BarSearch, read_square
from vision.labels.code import MATRIX, WALL_FORMATS, Code, Gray, Points, frame_gray
from vision.labels.engines import Reading, moved, read_zxing
from vision.labels.extent import spanned
from vision.labels.locate import find_bars, find_squares
from vision.labels.merge import believed, gathered, overlap

__all__ = ["CodeReader", "CodeReaderSettings", "Roi"]

Roi = tuple[int, int, int, int]
"""A region of a picture: x0, y0, x1, y1, pixels, the end not in it."""

REGION_SIDE_MIN_PX = 16
COVERED_MIN = 0.5


@dataclass(frozen=True)
class CodeReaderSettings:
    """What is read, and bounds of what one frame may cost."""

    formats: tuple[str, ...] = WALL_FORMATS
    bars_most: int = 6
    """So many places of bars that the engine passed over are looked at closely, in one call."""
    squares_most: int = 6
    """So many compact places that may hold square codes, likewise."""
    locate_px: int = 1_000_000
    """Larger regions are searched for places on a copy of half the size."""


class CodeReader:
    """Reads labels in frames of a wall camera. Stateless: the same frame gives the same codes.

    The engine goes over each region once; places that look like codes and gave nothing are set
    upright and larger, and read again, as many as the settings allow, the strongest first.
    """

    def __init__(self, settings: CodeReaderSettings | None = None) -> None:
        self.settings = settings or CodeReaderSettings()
        self._bars = tuple(one for one in self.settings.formats if one not in MATRIX)
        self._squares = tuple(one for one in self.settings.formats if one in MATRIX)

    def read(self, gray: Gray, rois: Sequence[Roi] | None = None) -> tuple[Code, ...]:
        """Codes in a frame (H, W) uint8, in the whole of it or in regions only; the polygons are
        in the frame's pixels. FrameError for a picture of another kind."""
        gray = frame_gray(gray)
        high, wide = gray.shape
        regions = [(0, 0, wide, high)] if rois is None else rois
        readings: list[Reading] = []
        bars, squares = self.settings.bars_most, self.settings.squares_most
        for x0, y0, x1, y1 in regions:
            x0, y0, x1, y1 = max(0, x0), max(0, y0), min(wide, x1), min(high, y1)
            if min(x1 - x0, y1 - y0) < REGION_SIDE_MIN_PX:
                continue
            crop = np.ascontiguousarray(gray[y0:y1, x0:x1])
            found, bars, squares = self._region(crop, bars, squares)
            shift = np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]], np.float64)
            readings += [moved(one, shift, one.way) for one in found]
        return spanned(believed(gathered(readings), alone=self.settings.formats), gray)

    def _region(self, crop: Gray, bars: int, squares: int) -> tuple[list[Reading], int, int]:
        """Readings in a region, and how many places may still be looked at after it."""
        found = list(read_zxing(crop, self.settings.formats, hard=False))
        share = 0.5 if crop.size > self.settings.locate_px else 1.0
        small = crop
        if share < 1.0:
            half = cv2.resize(crop, None, fx=share, fy=share, interpolation=cv2.INTER_AREA)
            small = np.asarray(half, np.uint8)
        if self._bars and bars:
            search = BarSearch(crop, self._bars, quick=True)
            for place in find_bars(small, most=bars + len(found), smooth=(2.5,)):
                polygon = np.asarray((place.polygon + 0.5) / share - 0.5, np.float32)
                if bars and not _covered(polygon, found) and (tried := search.closer(polygon)):
                    bars -= tried.looked
                    found += tried.readings
        if self._squares and squares:
            for polygon in find_squares(small, most=squares + len(found)):
                polygon = np.asarray(polygon / share, np.float32)
                if squares and not _covered(polygon, found):
                    squares -= 1
                    found += read_square(crop, polygon, self._squares, quick=True)
        return found, bars, squares


def _covered(polygon: Points, readings: list[Reading]) -> bool:
    return any(overlap(polygon, one.polygon) >= COVERED_MIN for one in readings)
