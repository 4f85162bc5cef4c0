"""The other way to points whose place is known: a ChArUco board propped up before the wall.

Where markers cannot be glued on, a board is set up at three places or more, at different depths and
not all on one line, and the stripes are thrown at each. The camera's place is then that of the
wall's file, and the board's follows from its corners.

>>> board = BoardPrint()
>>> board.columns, board.rows, board.square_m
(7, 5, 0.03)
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import cv2
import numpy as np

from vision.errors import CalibrationError
from vision.projection.calibrate import Patch, Sighting
from vision.projection.model import Floats, Optics
from vision.projection.patterns import CodeReading

__all__ = ["BoardPrint", "see_board"]

CORNERS_MIN = 8
NEAR_PX = 7
NEAR_MIN = 20


@dataclass(frozen=True)
class BoardPrint:
    """A board of `columns` by `rows` squares of `square_m`, markers of `marker_m` (DICT_5X5_100:
    other ones than the wall's) in its white squares."""

    columns: int = 7
    rows: int = 5
    square_m: float = 0.03
    marker_m: float = 0.022

    @cached_property
    def drawn(self) -> Any:
        """OpenCV's board."""
        return cv2.aruco.CharucoBoard(
            (self.columns, self.rows),
            self.square_m,
            self.marker_m,
            cv2.aruco.getPredefinedDictionary(cv2.aruco.DICT_5X5_100),
        )


def see_board(board: BoardPrint, camera: Optics, reading: CodeReading, name: str) -> Sighting:
    """What one standing of the board tells: its corners, for `calibrate` beside other standings'.
    CalibrationError, beginning with "calibration board not found"."""
    corners, numbers, _, _ = cv2.aruco.CharucoDetector(board.drawn).detectBoard(reading.white)
    count = 0 if numbers is None else len(numbers)
    if count < CORNERS_MIN:
        raise CalibrationError(
            f"calibration board not found: {name}: expected at least {CORNERS_MIN} corners of the "
            f"ChArUco board of {board.columns} x {board.rows} squares in the picture, got {count}; "
            "turn it to the camera, closer, without glare"
        )
    pixels = np.asarray(corners, np.float64).reshape(-1, 2)
    flat: Floats = np.asarray(board.drawn.getChessboardCorners(), np.float64)[np.ravel(numbers)]
    points = _in_the_wall(camera, flat, pixels, name)
    lit_by = np.array([_lit_at(reading, one) for one in pixels])
    lit = np.isfinite(lit_by).all(axis=1)
    if lit.sum() < CORNERS_MIN:
        raise CalibrationError(
            f"calibration board not found: {name}: expected at least {CORNERS_MIN} of its corners "
            f"lit by the projector, got {int(lit.sum())}; put it where the light falls"
        )
    nothing = np.zeros((0, 3))
    return Sighting(
        (Patch(name, points[lit], lit_by[lit]),), camera.position, nothing, nothing[:, :2]
    )


def _in_the_wall(camera: Optics, flat: Floats, pixels: Floats, name: str) -> Floats:
    """Wall points (N, 3) of the board's corners."""
    seen = camera.flat(pixels)
    good, turn, shift = cv2.solvePnP(flat, seen, np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_IPPE)
    if not good:
        raise CalibrationError(
            f"calibration board not found: {name}: its corners make no plane; hold it flat"
        )
    rotation, _ = cv2.Rodrigues(turn)
    local = flat @ np.asarray(rotation, np.float64).T + np.asarray(shift, np.float64).reshape(3)
    points: Floats = (local - camera.shift) @ camera.rotation
    return points


def _lit_at(reading: CodeReading, pixel: Floats) -> Floats:
    """The projector pixel that lights a camera's sub-pixel place, by a plane through its trusted
    neighbours; NaN with too few."""
    x, y = (round(float(one)) for one in pixel)
    rows = slice(max(0, y - NEAR_PX), y + NEAR_PX + 1)
    columns = slice(max(0, x - NEAR_PX), x + NEAR_PX + 1)
    dy, dx = np.nonzero(reading.trusted[rows, columns])
    if len(dx) < NEAR_MIN:
        return np.full(2, np.nan)
    at = reading.at[rows, columns][dy, dx].astype(np.float64)
    away = np.column_stack(
        [np.ones(len(dx)), dx + columns.start - pixel[0], dy + rows.start - pixel[1]]
    )
    found: Floats = np.linalg.lstsq(away, at, rcond=None)[0][0]
    return found
