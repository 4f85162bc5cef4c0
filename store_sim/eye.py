"""Where a camera sees a point: plain geometry of many points at once, without a picture."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera

__all__ = ["Bools", "Eye", "Floats"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]


class Eye:
    """A camera's geometry; see contracts.geometry for its frame."""

    def __init__(self, camera: Camera) -> None:
        pose, lens = camera.pose, camera.intrinsics
        self.camera = camera
        self.position = np.array(pose.position_m, np.float64)
        ahead = np.array(pose.look_at_m, np.float64) - self.position
        ahead /= math.sqrt(float((ahead * ahead).sum()))
        right = np.cross(ahead, np.array(pose.up, np.float64))
        right /= math.sqrt(float((right * right).sum()))
        self._axes = np.stack([right, np.cross(ahead, right), ahead])
        self._lens = lens

    def project(self, points: Floats, radius_m: float = 0.0) -> tuple[Floats, Bools]:
        """Pixels (N, 2) of world points (N, 3), and whether each is in the picture (N,), with
        everything within `radius_m` of it."""
        seen = (points - self.position) @ self._axes.T
        lens = self._lens
        depth = np.where(seen[:, 2] > 1e-6, seen[:, 2], np.inf)
        x = lens.cx + lens.fx * seen[:, 0] / depth
        y = lens.cy + lens.fy * seen[:, 1] / depth
        across, down = lens.fx * radius_m / depth - 0.5, lens.fy * radius_m / depth - 0.5
        within = (
            (x >= across) & (x <= lens.width - 1 - across)
            & (y >= down) & (y <= lens.height - 1 - down)
        )  # fmt: skip
        return np.stack([x, y], axis=1), within & np.isfinite(depth)

    def outline(self, z_m: float) -> Floats:
        """The four corners (4, 2) of the picture on the level plane `z_m`; rays that do not go
        down to it end at the horizon, far away."""
        lens = self._lens
        w, h = float(lens.width), float(lens.height)
        pixels = np.array([[0, 0], [w, 0], [w, h], [0, h]]) - 0.5
        rays = np.ones((4, 3))
        rays[:, 0] = (pixels[:, 0] - lens.cx) / lens.fx
        rays[:, 1] = (pixels[:, 1] - lens.cy) / lens.fy
        world = rays @ self._axes
        far = (self.position[2] - z_m) / np.maximum(-world[:, 2], 1e-3)
        outline: Floats = self.position[:2] + world[:, :2] * far[:, None]
        return outline
