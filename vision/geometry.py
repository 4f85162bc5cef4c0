"""Pinhole rays and bay frames, as contracts.geometry defines them.

>>> import numpy as np
>>> from contracts.geometry import Camera, Intrinsics, Pose
>>> camera = Camera(
...     camera_id="c", role="ceiling", fps=15,
...     intrinsics=Intrinsics(width=640, height=360, fx=300, fy=300, cx=319.5, cy=179.5),
...     pose=Pose(position_m=(1, 2, 3), look_at_m=(1, 2, 0), up=(0, 1, 0)),
... )
>>> lens = Lens(camera)
>>> lens.on_height(np.array([[319.5, 179.5]]), 0.0).round(6).tolist()
[[1.0, 2.0, 0.0]]
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Camera

__all__ = ["BayFrame", "Lens"]

Floats = NDArray[np.float64]
DEPTH_MIN_M = 1e-3


class Lens:
    """One camera's projection; all points in world metres, pixels as in contracts.geometry."""

    def __init__(self, camera: Camera) -> None:
        pose, lens = camera.pose, camera.intrinsics
        self.width, self.height = lens.width, lens.height
        self.position: Floats = np.array(pose.position_m, np.float64)
        ahead = np.array(pose.look_at_m, np.float64) - self.position
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, np.array(pose.up, np.float64))
        right /= np.linalg.norm(right)
        self._axes: Floats = np.stack([right, np.cross(ahead, right), ahead])
        self._centre = np.array([lens.cx, lens.cy])
        self._focal = np.array([lens.fx, lens.fy])

    @property
    def focal_px(self) -> float:
        """Horizontal focal length."""
        return float(self._focal[0])

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels (N, 2) and depths (N,) of points (N, 3); NaN pixels behind the camera."""
        local = (points - self.position) @ self._axes.T
        depth = local[:, 2]
        safe = np.where(depth > DEPTH_MIN_M, depth, np.nan)
        pixels: Floats = self._centre + self._focal * local[:, :2] / safe[:, None]
        return pixels, depth

    def rays(self, pixels: Floats) -> Floats:
        """Directions (N, 3) of length 1 through pixels (N, 2)."""
        local = np.column_stack([(pixels - self._centre) / self._focal, np.ones(len(pixels))])
        world = local @ self._axes
        directions: Floats = world / np.linalg.norm(world, axis=1, keepdims=True)
        return directions

    def on_height(self, pixels: Floats, z_m: float) -> Floats:
        """Where the pixels' rays meet the level plane at `z_m`: (N, 3), NaN if they do not."""
        rays = self.rays(pixels)
        with np.errstate(divide="ignore", invalid="ignore"):
            length = (z_m - self.position[2]) / rays[:, 2]
        length = np.where(np.isfinite(length) & (length > 0), length, np.nan)
        points: Floats = self.position + rays * length[:, None]
        return points


class BayFrame:
    """The frame (u, v, z) of a bay."""

    def __init__(self, bay: Bay) -> None:
        a = math.radians(bay.facing_deg)
        self._origin = np.array([bay.origin_m[0], bay.origin_m[1], 0.0])
        self._axes = np.array(
            [[-math.sin(a), math.cos(a), 0.0], [-math.cos(a), -math.sin(a), 0.0], [0.0, 0.0, 1.0]]
        )

    def to_world(self, points: Floats) -> Floats:
        """World points (N, 3) of bay points (N, 3) = (u, v, z)."""
        world: Floats = self._origin + points @ self._axes
        return world

    def to_bay(self, points: Floats) -> Floats:
        """Bay points (u, v, z) of world points (N, 3)."""
        local: Floats = (points - self._origin) @ self._axes.T
        return local

    def on_front(self, lens: Lens, pixels: Floats, v_m: float = 0.0) -> Floats:
        """Where the pixels' rays meet the plane `v_m` behind the front plane: (N, 3) in the bay's
        frame, NaN where they do not."""
        start = self.to_bay(lens.position[None])[0]
        rays = lens.rays(pixels) @ self._axes.T
        with np.errstate(divide="ignore", invalid="ignore"):
            length = (v_m - start[1]) / rays[:, 1]
        length = np.where(np.isfinite(length) & (length > 0), length, np.nan)
        points: Floats = start + rays * length[:, None]
        return points
