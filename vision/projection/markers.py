"""The camera's place from the wall's printed markers."""

from __future__ import annotations

from collections.abc import Mapping

import cv2
import numpy as np

from contracts.wall import Wall
from vision.errors import CalibrationError
from vision.projection.model import Floats, Optics
from vision.wall.geometry import marker_corners_m

__all__ = ["CORNER_WINDOW_PX", "camera_from_markers"]

CORNER_WINDOW_PX = 4
NOMINAL_PX_MAX = 1.0
"""Markers nearer (root mean square) to where the wall's file says: the camera is left as it is."""
FOUND_PX_MAX = 3.0
"""Markers farther off than this after the fit: one of them is not where the file says."""


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
    turn, _ = cv2.Rodrigues(camera.rotation)
    good, turn, shift = cv2.solvePnP(
        points, pixels, camera.matrix, np.array(camera.distortion), turn,
        camera.shift.reshape(3, 1).copy(), True, cv2.SOLVEPNP_ITERATIVE,
    )  # fmt: skip
    if not good:
        raise CalibrationError(
            "expected markers from which the camera's place can be told, got no place; check the "
            "camera's intrinsics in the wall's file"
        )
    return camera.hung(turn, shift)


def _rms(apart: Floats) -> float:
    return float(np.sqrt(np.mean(np.sum(apart**2, axis=1))))
