"""The quick reader for video: labels of walls only, in the regions that are asked for."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from vision.labels.code import WALL_FORMATS, Code, Gray, frame_gray
from vision.labels.engines import Reading, moved, read_zbar, read_zxing
from vision.labels.merge import believed, gathered

__all__ = ["CodeReader", "CodeReaderSettings", "Roi"]

Roi = tuple[int, int, int, int]
"""A region of a picture: x0, y0, x1, y1, pixels, the end not in it."""


@dataclass(frozen=True)
class CodeReaderSettings:
    """Bounds of what one frame may cost."""

    formats: tuple[str, ...] = WALL_FORMATS
    hard: bool = True


class CodeReader:
    """Reads labels in frames of a wall camera. Stateless: the same frame gives the same codes."""

    def __init__(self, settings: CodeReaderSettings | None = None) -> None:
        self.settings = settings or CodeReaderSettings()

    def read(self, gray: Gray, rois: Sequence[Roi] | None = None) -> tuple[Code, ...]:
        """Codes in a frame (H, W) uint8, in the whole of it or in regions only; the polygons are
        in the frame's pixels. FrameError for a picture of another kind."""
        gray = frame_gray(gray)
        high, wide = gray.shape
        regions = [(0, 0, wide, high)] if rois is None else rois
        readings: list[Reading] = []
        for x0, y0, x1, y1 in regions:
            x0, y0, x1, y1 = max(0, x0), max(0, y0), min(wide, x1), min(high, y1)
            if x1 - x0 < 8 or y1 - y0 < 8:
                continue
            readings += self._region(gray, (x0, y0, x1, y1))
        return believed(gathered(readings))

    def _region(self, gray: Gray, roi: Roi) -> list[Reading]:
        x0, y0, x1, y1 = roi
        crop = np.ascontiguousarray(gray[y0:y1, x0:x1])
        shift: NDArray[np.float64] = np.array([[1, 0, x0], [0, 1, y0], [0, 0, 1]], np.float64)
        found = read_zxing(crop, self.settings.formats, hard=self.settings.hard)
        found += read_zbar(crop, tuple(f for f in self.settings.formats if f == "code128"))
        return [replace(moved(one, shift, ""), way="frame") for one in found]
