"""One person's filter: floor position, velocity, and how high the head is.

Extended Kalman filter (Bar-Shalom, Li, Kirubarajan, Estimation with Applications to Tracking and
Navigation, 2001, chapters 6.2 and 10.3). State (x, y, vx, vy, z): constant velocity with white
acceleration on the floor, and a head's height that wanders about the usual one and comes back.

A ceiling camera at c, H above the floor, that takes every head to hang at h0 puts a head of
height z above the floor point p at

    c + (p - c) (H - h0) / (H - z)

so one camera cannot tell a crouching person from one who stands nearer to its foot, and two can.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from vision.floor_settings import FloorSettings

__all__ = ["PersonFilter"]

Floats = NDArray[np.float64]


class PersonFilter:
    """State `mean` (5,) and covariance `cov` (5, 5) at `t_s`; metres and seconds."""

    __slots__ = ("_set", "cov", "mean", "t_s")

    def __init__(
        self, at: Floats, sd_m: float, camera: Floats | None, t_s: float, settings: FloorSettings
    ) -> None:
        """A person first seen at the floor point `at` (2,), by the camera at `camera` (3,)."""
        self._set = settings
        self.t_s = t_s
        self.mean = np.array([at[0], at[1], 0.0, 0.0, settings.head_z_m])
        variance_z = settings.stature_sd_m**2
        spread = sd_m**2 if camera is None else settings.point_sd_m**2
        self.cov = np.diag([spread, spread, settings.speed_sd**2, settings.speed_sd**2, variance_z])
        if camera is not None:
            lean = -(at - camera[:2]) / (camera[2] - settings.head_z_m)
            self.cov[:2, :2] += variance_z * np.outer(lean, lean)
            self.cov[:2, 4] = self.cov[4, :2] = variance_z * lean

    @property
    def x(self) -> float:
        """Position across, metres."""
        return float(self.mean[0])

    @property
    def y(self) -> float:
        """Position along, metres."""
        return float(self.mean[1])

    @property
    def sd_m(self) -> float:
        """Spread of the position, one axis."""
        return math.sqrt(max(0.5 * float(self.cov[0, 0] + self.cov[1, 1]), 0.0))

    def predict(self, t_s: float, *, unseen: bool) -> None:
        """Moves the state to `t_s`; whoever is unseen is taken to slow down and stop."""
        dt = t_s - self.t_s
        if dt <= 0.0:
            return
        self.t_s = t_s
        use = self._set
        back = math.exp(-dt / use.height_back_s)
        step = np.eye(5)
        step[0, 2] = step[1, 3] = dt
        step[4, 4] = back
        self.mean = step @ self.mean
        self.mean[4] += (1.0 - back) * use.head_z_m
        if unseen:
            self.mean[2:4] *= math.exp(-dt / use.coast_fade_s)
        cov = step @ self.cov @ step.T
        noise = use.acceleration_sd**2
        for axis in (0, 1):
            cov[axis, axis] += noise * dt**3 / 3
            cov[axis, axis + 2] += noise * dt**2 / 2
            cov[axis + 2, axis] += noise * dt**2 / 2
            cov[axis + 2, axis + 2] += noise * dt
        cov[4, 4] += use.height_sd_m**2 * (1.0 - back * back)
        # Nobody walks faster than people do, nor is anywhere at all: scaled, so that it stays a
        # covariance.
        most = np.array([use.coast_sd_max_m] * 2 + [use.speed_sd] * 2 + [use.height_sd_m * 1.5])
        shrink = np.minimum(1.0, most / np.sqrt(np.maximum(np.diag(cov), 1e-12)))
        self.cov = cov * np.outer(shrink, shrink)

    def expect(self, camera: Floats | None) -> tuple[Floats, Floats]:
        """Where this camera would put the head (2,), and the Jacobian of that (2, 5)."""
        jacobian = np.zeros((2, 5))
        if camera is None:
            jacobian[0, 0] = jacobian[1, 1] = 1.0
            return self.mean[:2].copy(), jacobian
        under = camera[2] - self.mean[4]
        scale = (camera[2] - self._set.head_z_m) / under
        off = self.mean[:2] - camera[:2]
        jacobian[0, 0] = jacobian[1, 1] = scale
        jacobian[:, 4] = off * (scale / under)
        return camera[:2] + off * scale, jacobian

    def update(self, at: Floats, sd_m: float, camera: Floats | None) -> None:
        """Takes a floor point (2,) that `camera` (3,) reports; None: the point itself."""
        expected, jacobian = self.expect(camera)
        seen = self.cov @ jacobian.T
        total = jacobian @ seen + sd_m**2 * np.eye(2)
        gain = np.linalg.solve(total, seen.T).T
        self.mean = self.mean + gain @ (at - expected)
        self.mean[4] = min(max(self.mean[4], self._set.head_z_min_m), self._set.head_z_max_m)
        keep = np.eye(5) - gain @ jacobian
        self.cov = keep @ self.cov @ keep.T + sd_m**2 * gain @ gain.T
