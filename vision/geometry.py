"""Rays through a lens and bay frames, as contracts.geometry defines them.

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
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Camera
from contracts.wall import Wall

__all__ = ["BayFrame", "Distortion", "Lens", "grown", "lens_distortion"]

Floats = NDArray[np.float64]
Corners = TypeVar("Corners", NDArray[np.float32], NDArray[np.float64])
DEPTH_MIN_M = 1e-3
UNDO_STEPS = 10


def grown(corners: Corners, times: float) -> Corners:
    """A polygon (N, 2) made so many times as large about the mean of its corners; keeps its dtype.

    >>> grown(np.array([[0.0, 0.0], [2.0, 0.0], [2.0, 2.0], [0.0, 2.0]]), 1.5)[0].tolist()
    [-0.5, -0.5]
    """
    middle = corners.mean(axis=0)
    larger: Corners = middle + (corners - middle) * times
    return larger


class Distortion:
    """The distortion of contracts.geometry, to and fro; points (N, 2) are in focal lengths from
    the centre. Beyond the radius at which the model folds back, points go on straight outwards,
    so that nothing outside the picture comes back into it."""

    def __init__(self, coefficients: tuple[float, float, float, float, float]) -> None:
        self._k = coefficients
        k1, k2, _, _, k3 = coefficients
        roots = np.roots([7.0 * k3, 5.0 * k2, 3.0 * k1, 1.0])
        folds = [float(z.real) for z in roots if abs(z.imag) < 1e-9 and z.real > 0]
        self._r_max = math.sqrt(min(folds)) if folds else math.inf
        self._seen_max = math.inf
        if folds:
            self._seen_max = self._r_max * float(self._radial(np.array([self._r_max**2]))[0])

    def bend(self, flat: Floats) -> Floats:
        """Where the lens shows points of the pinhole picture."""
        r2 = (flat * flat).sum(axis=1)
        r = np.sqrt(r2)
        beyond = r > self._r_max
        x, y, r2 = flat[:, 0], flat[:, 1], np.where(beyond, 0.0, r2)
        _, _, p1, p2, _ = self._k
        radial = self._radial(r2)
        seen = np.empty_like(flat)
        seen[:, 0] = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x)
        seen[:, 1] = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y
        if beyond.any():
            out = (self._seen_max + r[beyond] - self._r_max) / r[beyond]
            seen[beyond] = flat[beyond] * out[:, None]
        return seen

    def undo(self, seen: Floats) -> Floats:
        """The points of the pinhole picture that the lens shows at `seen`, by Newton's method."""
        k1, k2, p1, p2, k3 = self._k
        if math.isfinite(self._seen_max):
            far = np.sqrt((seen * seen).sum(axis=1, keepdims=True))
            seen = seen * np.minimum(1.0, 0.999 * self._seen_max / np.maximum(far, 1e-12))
        x, y = seen[:, 0].copy(), seen[:, 1].copy()
        for _ in range(UNDO_STEPS):
            r2 = x * x + y * y
            radial, slope = self._radial(r2), k1 + r2 * (2 * k2 + 3 * k3 * r2)
            off_x = x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x) - seen[:, 0]
            off_y = y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y - seen[:, 1]
            xx = radial + 2 * x * x * slope + 2 * p1 * y + 6 * p2 * x
            yy = radial + 2 * y * y * slope + 6 * p1 * y + 2 * p2 * x
            xy = 2 * x * y * slope + 2 * p1 * x + 2 * p2 * y
            area = xx * yy - xy * xy
            x -= (off_x * yy - off_y * xy) / area
            y -= (off_y * xx - off_x * xy) / area
        return np.stack([x, y], axis=1)

    def _radial(self, r2: Floats) -> Floats:
        k1, k2, _, _, k3 = self._k
        return 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))


def lens_distortion(camera: Camera) -> Distortion | None:
    """The calibrated distortion of a camera; None for a lens without."""
    coefficients = camera.intrinsics.distortion
    return Distortion(coefficients) if any(coefficients) else None


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
        self._distortion = lens_distortion(camera)

    def width_px(self, point: Floats, width_m: float) -> float:
        """How wide a thing of `width_m` that faces the camera at a point (3,) is in the picture."""
        if self._distortion is None:
            depth = self.project(point[None])[1]
            return width_m * float(self._focal[0]) / float(depth[0])
        side = 0.5 * width_m * self._axes[0]
        ends, _ = self.project(np.stack([point - side, point + side]))
        return float(np.linalg.norm(ends[1] - ends[0]))

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels (N, 2) and depths (N,) of points (N, 3); NaN pixels behind the camera."""
        local = (points - self.position) @ self._axes.T
        depth = local[:, 2]
        safe = np.where(depth > DEPTH_MIN_M, depth, np.nan)
        if self._distortion is not None:
            bent = self._distortion.bend(local[:, :2] / safe[:, None])
            return self._centre + self._focal * bent, depth
        pixels: Floats = self._centre + self._focal * local[:, :2] / safe[:, None]
        return pixels, depth

    def rays(self, pixels: Floats) -> Floats:
        """Directions (N, 3) of length 1 through pixels (N, 2)."""
        flat = (pixels - self._centre) / self._focal
        if self._distortion is not None:
            flat = self._distortion.undo(flat)
        local = np.column_stack([flat, np.ones(len(pixels))])
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
    """The frame (u, v, z) of a bay, or of a pick-up wall, whose frame is of the same kind."""

    def __init__(self, bay: Bay | Wall) -> None:
        angle = math.radians(bay.facing_deg)
        cos, sin = math.cos(angle), math.sin(angle)
        self._origin = np.array([bay.origin_m[0], bay.origin_m[1], 0.0])
        self._axes = np.array([[-sin, cos, 0.0], [-cos, -sin, 0.0], [0.0, 0.0, 1.0]])

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
