"""A lens in the wall's frame: a camera, or a projector, which is a camera the other way round.

The frame (u, v, z) is right-handed (contracts.wall). With R and t a wall point P is R P + t before
the lens, x right, y down, z ahead; pixels and distortion are those of contracts.geometry.

>>> import numpy as np
>>> from contracts.geometry import Intrinsics
>>> lens = Intrinsics(width=1280, height=720, fx=1200, fy=1200, cx=639.5, cy=359.5)
>>> model = Optics.looking(lens, (0.5, -1.5, 1.2), (0.5, 0.0, 1.2), (0.0, 0.0, 1.0))
>>> model.project(np.array([[0.6, 0.0, 1.2]])).round(3).tolist()
[[719.5, 359.5]]
>>> round(model.mm_per_px(np.array([0.5, 0.0, 1.2])), 3)
1.25
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Intrinsics, Pose
from contracts.units import Vector3M
from contracts.wall import Wall
from vision.errors import CalibrationError
from vision.geometry import BayFrame, Distortion

__all__ = ["Optics", "wall_point"]

Floats = NDArray[np.float64]
AHEAD_MIN_M = 0.05


def wall_point(wall: Wall, point_m: Vector3M) -> Floats:
    """(u, v, z) of a world point: contracts.wall.wall_to_world the other way."""
    point: Floats = BayFrame(wall).to_bay(np.array([point_m], np.float64))[0]
    return point


@lru_cache(maxsize=64)
def _distortion(coefficients: tuple[float, float, float, float, float]) -> Distortion:
    """Made once: a lens is asked over and over, and where its model folds back takes a while."""
    return Distortion(coefficients)


@dataclass(frozen=True, slots=True)
class Optics:
    """`size` (width, height) px; `focal`, `centre` (2,) px; `rotation` (3, 3), `shift` (3,) m;
    `distortion` k1, k2, p1, p2, k3."""

    size: tuple[int, int]
    focal: Floats
    centre: Floats
    rotation: Floats
    shift: Floats
    distortion: tuple[float, float, float, float, float] = (0.0, 0.0, 0.0, 0.0, 0.0)

    @staticmethod
    def looking(
        lens: Intrinsics,
        position_m: Vector3M | Floats,
        look_at_m: Vector3M | Floats,
        up: Vector3M | Floats,
    ) -> Optics:
        """A lens at a place in the wall's frame that looks at another."""
        position = np.array(position_m, np.float64)
        ahead = np.array(look_at_m, np.float64) - position
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, np.array(up, np.float64))
        right /= np.linalg.norm(right)
        rotation = np.stack([right, np.cross(ahead, right), ahead])
        return Optics(
            (lens.width, lens.height),
            np.array([lens.fx, lens.fy]),
            np.array([lens.cx, lens.cy]),
            rotation,
            -rotation @ position,
            lens.distortion,
        )

    @staticmethod
    def of(wall: Wall, lens: Intrinsics, pose: Pose) -> Optics:
        """A camera or projector of a wall's file, whose pose is in the world."""
        position = np.array(pose.position_m, np.float64)
        world = np.array([position, pose.look_at_m, position + pose.up], np.float64)
        here, there, tip = BayFrame(wall).to_bay(world)
        return Optics.looking(lens, here, there, tip - here)

    @property
    def position(self) -> Floats:
        """Where it hangs, (u, v, z)."""
        place: Floats = -self.rotation.T @ self.shift
        return place

    @property
    def matrix(self) -> Floats:
        """(3, 3) intrinsics as OpenCV wants them."""
        (fx, fy), (cx, cy) = self.focal, self.centre
        return np.array([[fx, 0, cx], [0, fy, cy], [0, 0, 1]])

    def hung(self, turn: NDArray[Any], shift: NDArray[Any]) -> Optics:
        """The same lens at the place that OpenCV tells by a turn and a shift."""
        rotation = np.asarray(cv2.Rodrigues(turn)[0], np.float64)
        return replace(self, rotation=rotation, shift=np.asarray(shift, np.float64).reshape(3))

    def project(self, points: Floats) -> Floats:
        """Pixels (N, 2) of wall points (N, 3); NaN for those that are not before the lens."""
        local = points @ self.rotation.T + self.shift
        ahead = np.where(local[:, 2] > AHEAD_MIN_M, local[:, 2], np.nan)
        flat = local[:, :2] / ahead[:, None]
        pixels: Floats = self.centre + self.focal * self._bend(flat)
        return pixels

    def rays(self, pixels: Floats) -> Floats:
        """Directions (N, 3) in the wall's frame through pixels (N, 2), of length one."""
        flat = self.flat(pixels)
        ways = np.column_stack([flat, np.ones(len(flat))]) @ self.rotation
        directions: Floats = ways / np.linalg.norm(ways, axis=1, keepdims=True)
        return directions

    def flat(self, pixels: Floats) -> Floats:
        """Where pixels (N, 2) would be in a picture of focal length one without distortion."""
        seen = (np.asarray(pixels, np.float64) - self.centre) / self.focal
        return _distortion(self.distortion).undo(seen) if any(self.distortion) else seen

    def on_depth(self, pixels: Floats, v_m: float) -> Floats:
        """Where the pixels' rays meet the plane v = `v_m`: (N, 3), NaN where they do not."""
        start, ways = self.position, self.rays(pixels)
        with np.errstate(divide="ignore", invalid="ignore"):
            far = (v_m - start[1]) / ways[:, 1]
        far = np.where(np.isfinite(far) & (far > 0), far, np.nan)
        points: Floats = start + ways * far[:, None]
        return points

    def mm_per_px(self, point: Floats) -> float:
        """How wide a pixel is on the plane v = const at a point (3,), the mean of both ways."""
        step = 0.001
        here = self.project(
            np.stack([point, point + np.array([step, 0, 0]), point + np.array([0, 0, step])])
        )
        along = (here[1:] - here[0]) / (1000 * step)
        area = abs(float(along[0, 0] * along[1, 1] - along[0, 1] * along[1, 0]))
        return 1.0 / math.sqrt(area) if area > 1e-12 else math.inf

    def reaches(self, pixels: Floats, edge_px: float = 0.0) -> bool:
        """Whether all pixels (N, 2) are in the picture, `edge_px` from its edges."""
        low, high = edge_px - 0.5, np.array(self.size) - 0.5 - edge_px
        return bool(np.all(np.isfinite(pixels)) and np.all(pixels >= low) and np.all(pixels < high))

    def as_json(self) -> dict[str, Any]:
        """Plain values that `from_json` makes the same lens from."""
        return {
            "size": list(self.size),
            "focal": self.focal.tolist(),
            "centre": self.centre.tolist(),
            "rotation": self.rotation.tolist(),
            "shift": self.shift.tolist(),
            "distortion": list(self.distortion),
        }

    @staticmethod
    def from_json(values: Mapping[str, Any]) -> Optics:
        """CalibrationError if the values are not those of a lens."""
        try:
            width, height = (int(one) for one in values["size"])
            k1, k2, p1, p2, k3 = (float(one) for one in values["distortion"])
            shapes = {"focal": (2,), "centre": (2,), "rotation": (3, 3), "shift": (3,)}
            found = {name: np.array(values[name], np.float64) for name in shapes}
        except (KeyError, TypeError, ValueError) as error:
            raise CalibrationError(
                f"expected a lens as `as_json` writes it, got {str(dict(values))[:120]} ({error}); "
                "calibrate anew"
            ) from error
        wrong = [
            name
            for name, shape in shapes.items()
            if found[name].shape != shape or not np.isfinite(found[name]).all()
        ]
        turned = "rotation" not in wrong and np.allclose(
            found["rotation"] @ found["rotation"].T, np.eye(3), atol=1e-6
        )
        if wrong or not turned:
            raise CalibrationError(
                f"expected a lens with finite {', '.join(shapes)} and a rotation, got wrong "
                f"{', '.join(wrong) or 'rotation'}; calibrate anew"
            )
        return Optics(
            (width, height), **{name: found[name] for name in shapes},
            distortion=(k1, k2, p1, p2, k3),
        )  # fmt: skip

    def _bend(self, flat: Floats) -> Floats:
        if not any(self.distortion):
            return flat
        good = np.isfinite(flat).all(axis=1)
        bent = np.full_like(flat, np.nan)
        bent[good] = _distortion(self.distortion).bend(flat[good])
        return bent
