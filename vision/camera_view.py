"""The geometry of a ceiling camera: see contracts.geometry for the frames of reference."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from vision.geometry import lens_distortion

__all__ = ["CameraView"]


class CameraView:
    """One camera: pixels to points on a level plane, by the ray through the pixel, and back.

    `position` (3,) in world metres, `foot` (2,) the pixel of the floor point right below.
    """

    def __init__(self, camera: Camera) -> None:
        pose, lens = camera.pose, camera.intrinsics
        self.position = np.array(pose.position_m)
        ahead = np.array(pose.look_at_m) - self.position
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, np.array(pose.up))
        right /= np.linalg.norm(right)
        self.axes = np.stack([right, np.cross(ahead, right), ahead])
        self.size = np.array([lens.width, lens.height])
        self.centre = np.array([lens.cx, lens.cy])
        self.focal = np.array([lens.fx, lens.fy])
        self._distortion = lens_distortion(camera)
        self.foot = self.pixels(np.array([[*self.position[:2], 0.0]]))[0]

    def pixels(self, points: NDArray[np.float64]) -> NDArray[np.float64]:
        """Pixels (N, 2) of world points (N, 3); the picture's centre for what lies behind."""
        seen = (points - self.position) @ self.axes.T
        depth = np.where(seen[:, 2:] > 1e-6, seen[:, 2:], np.inf)
        if self._distortion is not None:
            return self.centre + self.focal * self._distortion.bend(seen[:, :2] / depth)
        return np.asarray(self.centre + self.focal * seen[:, :2] / depth, np.float64)

    def at(
        self, pixels: NDArray[np.float64], z_m: NDArray[np.float64] | float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Points (N, 2) in metres where pixels (N, 2) meet the height `z_m`, and the tangent of
        the angle to the vertical (N,): NaN and inf where the ray does not go down to it."""
        rays = np.ones((len(pixels), 3))
        rays[:, :2] = (pixels - self.centre) / self.focal
        if self._distortion is not None:
            rays[:, :2] = self._distortion.undo(rays[:, :2])
        world = rays @ self.axes
        drop = np.where(world[:, 2] < -1e-6, -world[:, 2], np.nan)
        far = (self.position[2] - z_m) / drop
        points = self.position[:2] + world[:, :2] * far[:, None]
        tangent = np.hypot(world[:, 0], world[:, 1]) / drop
        return points, np.where(np.isnan(tangent), np.inf, tangent)

    def covers(self, x_m: float, y_m: float, z_m: float, margin_px: float) -> bool:
        """Whether a point is in the picture, so far from its border."""
        pixel = self.pixels(np.array([[x_m, y_m, z_m]]))[0]
        return bool(np.all(pixel >= margin_px) and np.all(pixel <= self.size - margin_px))
