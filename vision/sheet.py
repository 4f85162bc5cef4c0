"""The front of a bay as one flat sheet: the shelf camera's picture, laid on the front plane.

Between the front edges of two boards every ray of the camera crosses the front plane once, so the
sheet shows each board's goods in a strip of its own, whatever the camera's tilt. Columns run along
u, rows from the top down.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay
from vision.errors import CalibrationError
from vision.geometry import BayFrame, Lens

__all__ = ["STEP_U_M", "STEP_Z_M", "Sheet"]

STEP_U_M = 0.005
STEP_Z_M = 0.008
SHRINK = 2
"""The picture is made this much smaller before it is laid flat."""
SEEN_SHARE_MIN = 0.5

Rgb = NDArray[np.uint8]


class Sheet:
    """Maps between a camera's pixels and the sheet of a bay.

    CalibrationError if the camera sees less than half of the bay's front.
    """

    def __init__(self, lens: Lens, bay: Bay) -> None:
        self.bay = bay
        self.frame = BayFrame(bay)
        self.lens = lens
        top = bay.boards[-1]
        self.z_low_m = bay.boards[0].z_m
        self.z_high_m = min(top.z_m + top.clearance_m, bay.height_m)
        self.columns = round(bay.width_m / STEP_U_M)
        self.rows = round((self.z_high_m - self.z_low_m) / STEP_Z_M)
        u = (np.arange(self.columns) + 0.5) * STEP_U_M
        z = self.z_high_m - (np.arange(self.rows) + 0.5) * STEP_Z_M
        grid = np.stack(np.meshgrid(u, z), axis=-1).reshape(-1, 2)
        points = np.column_stack([grid[:, 0], np.zeros(len(grid)), grid[:, 1]])
        pixels, depth = lens.project(self.frame.to_world(points))
        seen = (
            (depth > 0)
            & (pixels[:, 0] >= 0)
            & (pixels[:, 0] <= lens.width - 1)
            & (pixels[:, 1] >= 0)
            & (pixels[:, 1] <= lens.height - 1)
        )
        self.seen = seen.reshape(self.rows, self.columns)
        if seen.mean() < SEEN_SHARE_MIN:
            raise CalibrationError(
                f"expected the camera to see bay {bay.bay_id}, it sees {seen.mean():.0%} of its "
                "front; check the camera's pose and focal length"
            )
        self.pixels = np.where(seen[:, None], pixels, -1e4).astype(np.float32)
        small = ((self.pixels + 0.5) / SHRINK - 0.5).reshape(self.rows, self.columns, 2)
        self._map, self._fractions = cv2.convertMaps(
            np.ascontiguousarray(small[..., 0]), np.ascontiguousarray(small[..., 1]), cv2.CV_16SC2
        )
        self._size = (lens.width // SHRINK, lens.height // SHRINK)
        self.strips = self._board_rows()

    def _board_rows(self) -> tuple[tuple[int, int], ...]:
        """Rows (first, past the last) of each board, the lowest board first."""
        bounds = [board.z_m for board in self.bay.boards] + [self.z_high_m]
        rows = [round((self.z_high_m - z) / STEP_Z_M) for z in bounds]
        return tuple((rows[i + 1], rows[i]) for i in range(len(self.bay.boards)))

    def lay(self, rgb: Rgb) -> NDArray[np.float32]:
        """The sheet (rows, columns) float32 in grey levels of a frame (H, W, 3) RGB uint8."""
        small = cv2.resize(rgb, self._size, interpolation=cv2.INTER_AREA)
        grey = cv2.cvtColor(small, cv2.COLOR_RGB2GRAY)
        flat = cv2.remap(grey, self._map, self._fractions, cv2.INTER_LINEAR)
        return np.asarray(cv2.GaussianBlur(flat, (3, 3), 0), np.float32)

    def within(self, boxes_px: NDArray[np.float32], margin_px: float) -> NDArray[np.bool_]:
        """Which places of the sheet (rows, columns) lie under any of the boxes (N, 4)."""
        under = np.zeros(len(self.pixels), np.bool_)
        x, y = self.pixels[:, 0], self.pixels[:, 1]
        for x0, y0, x1, y1 in boxes_px:
            under |= (
                (x >= x0 - margin_px)
                & (x <= x1 + margin_px)
                & (y >= y0 - margin_px)
                & (y <= y1 + margin_px)
            )
        return under.reshape(self.rows, self.columns)

    def crop_box(self, u_m: float, z_m: float, v_m: float, width_m: float) -> NDArray[np.float64]:
        """The square of pixels (x0, y0, x1, y1) as wide as `width_m` at a place of the shelf."""
        point = self.frame.to_world(np.array([[u_m, v_m, z_m]]))
        pixel, _ = self.lens.project(point)
        half = 0.5 * self.lens.width_px(point[0], width_m)
        x, y = pixel[0] + 0.5
        return np.array([x - half, y - half, x + half, y + half])

    def at_depth(self, u_m: float, v_m: float) -> float:
        """u of the thing `v_m` behind the front plane that is seen at `u_m` on the sheet."""
        camera = self.frame.to_bay(self.lens.position[None])[0]
        return float(u_m + (u_m - camera[0]) * v_m / max(0.05, -camera[1]))
