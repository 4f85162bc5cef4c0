"""The printed markers of a wall in a picture."""

from __future__ import annotations

from functools import cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["MARKER_DICTIONARY", "detect_markers"]

MARKER_DICTIONARY = cv2.aruco.DICT_4X4_50


@cache
def _detector(window_px: int) -> Any:
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    settings.cornerRefinementWinSize = window_px
    words = cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY)
    return cv2.aruco.ArucoDetector(words, settings)


def detect_markers(
    gray: NDArray[np.uint8], *, window_px: int = 5
) -> dict[int, NDArray[np.float64]]:
    """Corners (4, 2) px of the markers in a picture (H, W), by number; twice seen ones left out.
    Corners are refined within `window_px`."""
    corners, names, _ = _detector(window_px).detectMarkers(np.ascontiguousarray(gray))
    listed = [] if names is None else [int(one) for one in np.ravel(names)]
    return {
        name: np.asarray(quad, np.float64).reshape(4, 2)
        for name, quad in zip(listed, corners, strict=True)
        if listed.count(name) == 1
    }
