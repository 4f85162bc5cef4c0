"""The wall's printed markers in a picture, and the camera's place from them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from vision.errors import CalibrationError
from vision.projection.model import Floats, Optics
from vision.wall.geometry import marker_corners_m

__all__ = ["MARKER_DICTIONARY", "camera_from_markers", "find_markers"]

MARKER_DICTIONARY = cv2.aruco.DICT_4X4_50
NOMINAL_PX_MAX = 1.0
"""Markers nearer (root mean square) to where the wall's file says: the camera is left as it is."""
FOUND_PX_MAX = 3.0
"""Markers farther off than this after the fit: one of them is not where the file says."""


def find_markers(grey: NDArray[np.uint8]) -> dict[int, Floats]:
    """Corners (4, 2) px of the markers in a picture (H, W), by number; twice seen ones left out."""
    settings = cv2.aruco.DetectorParameters()
    settings.cornerRefinementMethod = cv2.aruco.CORNER_REFINE_SUBPIX
    settings.cornerRefinementWinSize = 4
    detector = cv2.aruco.ArucoDetector(
        cv2.aruco.getPredefinedDictionary(MARKER_DICTIONARY), settings
    )
    corners, numbers, _ = detector.detectMarkers(grey)
    listed = [] if numbers is None else [int(one) for one in np.ravel(numbers)]
    return {
        number: np.asarray(found, np.float64).reshape(4, 2)
        for number, found in zip(listed, corners, strict=True)
        if listed.count(number) == 1
    }


def camera_from_markers(
    wall: Wall, camera: Optics, found: Mapping[int, Floats]
) -> tuple[Optics, float]:
    """Where the camera hangs by the markers it sees, and their root mean square distance in px.

    What the file says stays if it fits. CalibrationError with fewer than three of the wall's
    markers, or if they do not fit together.
    """
    known = [one for one in wall.markers if one.marker in found]
    if len(known) < 3:
        lacking = sorted(one.marker for one in wall.markers if one.marker not in found)
        raise CalibrationError(
            f"calibration board not found: expected at least 3 of the wall's {len(wall.markers)} "
            f"markers in the picture, got {len(known)}; not seen: "
            f"{', '.join(str(one) for one in lacking)}; uncover them and light the wall evenly"
        )
    points = np.concatenate([marker_corners_m(one) for one in known])
    pixels = np.concatenate([found[one.marker] for one in known])
    off = _rms(camera.project(points) - pixels)
    if off <= NOMINAL_PX_MAX:
        return camera, off
    refined = _refined(camera, points, pixels)
    off = _rms(refined.project(points) - pixels)
    if off > FOUND_PX_MAX:
        each = {
            one.marker: _rms(refined.project(marker_corners_m(one)) - found[one.marker])
            for one in known
        }
        worst = max(each, key=lambda number: each[number])
        raise CalibrationError(
            f"expected the markers where the wall's file says, got them {off:.1f} px off, marker "
            f"{worst} most ({each[worst]:.1f} px); measure their centres again and correct the file"
        )
    return refined, off


def _refined(camera: Optics, points: Floats, pixels: Floats) -> Optics:
    matrix = np.array(
        [[camera.focal[0], 0, camera.centre[0]], [0, camera.focal[1], camera.centre[1]], [0, 0, 1]]
    )
    turn, _ = cv2.Rodrigues(camera.rotation)
    good, turn, shift = cv2.solvePnP(
        points, pixels, matrix, np.array(camera.distortion), turn,
        camera.shift.reshape(3, 1).copy(), True, cv2.SOLVEPNP_ITERATIVE,
    )  # fmt: skip
    if not good:
        raise CalibrationError(
            "expected markers from which the camera's place can be told, got no place; check the "
            "camera's intrinsics in the wall's file"
        )
    rotation, _ = cv2.Rodrigues(turn)
    return replace(
        camera,
        rotation=np.asarray(rotation, np.float64),
        shift=np.asarray(shift, np.float64).reshape(3),
    )


def _rms(apart: Floats) -> float:
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
