"""Cameras and projectors in the frame of their wall (u, v, z), lens distortion included.

All that is drawn at a wall is drawn in its frame: u to the right of who faces it, v into the wall,
z up. That is a right-handed frame, so cameras keep contracts.geometry's conventions in it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera, Intrinsics, Pose
from contracts.units import Vector3M
from contracts.wall import Wall
from store_sim.render.camera import camera_array
from store_sim.render.develop import undo_lens
from store_sim.render.lens import bend_lens

__all__ = ["Optic", "heading_in_wall", "optic", "turned", "wall_pose", "world_to_wall"]

Floats = NDArray[np.float64]

_RAYS_MAX = 8
AHEAD_M = 0.01
"""What is nearer to the lens is not seen."""
BLUR_PX = 2.0
"""A thing's light reaches so far past its edges."""


@dataclass(frozen=True, slots=True)
class Optic:
    """A pinhole with its lens in the wall's frame; a projector is one too.

    `cam` (16,) as store_sim.render.camera.camera_array gives it. `rays` (H, W, 2) float32: where
    the line of sight through a pixel's centre meets the plane one metre ahead, right and down.
    `distortion` (5,) of contracts.geometry. `columns` (W, 2) and `rows` (H, 2): the least and the
    most that `rays` says to the right in a column of pixels, and down in a row.
    """

    cam: Floats
    width: int
    height: int
    distortion: Floats
    rays: NDArray[np.float32]
    columns: NDArray[np.float32]
    rows: NDArray[np.float32]

    def pixels(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels (N, 2) and depths (N,) of points (N, 3); NaN behind the lens."""
        away = np.asarray(points, np.float64).reshape(-1, 3) - self.cam[9:12]
        x, y, z = (away @ self.cam[3 * k : 3 * k + 3] for k in range(3))
        ahead = np.where(z > AHEAD_M, z, np.nan)
        x, y = x / ahead, y / ahead
        seen = bend_lens(x, y, self.distortion)
        return self.cam[14:16] + self.cam[12:14] * seen, z

    def bounds(self, corners: Floats) -> tuple[int, int, int, int] | None:
        """x0, y0, x1, y1 of the pixels on which a flat thing (N, 3), a convex polygon, may be seen
        as far as it is ahead; None if it is nowhere in the picture. Also for what reaches behind
        the lens, the corners of which have no pixels."""
        away = np.asarray(corners, np.float64) - self.cam[9:12]
        seen = _ahead(away @ self.cam[:9].reshape(3, 3).T)
        if len(seen) == 0:
            return None
        slack = BLUR_PX / self.cam[12:14]
        low, high = seen.min(axis=0) - slack, seen.max(axis=0) + slack
        across = np.flatnonzero((self.columns[:, 1] >= low[0]) & (self.columns[:, 0] <= high[0]))
        along = np.flatnonzero((self.rows[:, 1] >= low[1]) & (self.rows[:, 0] <= high[1]))
        if len(across) == 0 or len(along) == 0:
            return None
        return int(across[0]), int(along[0]), int(across[-1]) + 1, int(along[-1]) + 1

    def bent(self, points: Floats) -> Floats:
        """Points (N, 3) moved so that a pinhole without distortion sees them where this one
        does."""
        if not self.distortion.any():
            return points
        pixels, z = self.pixels(points)
        cam = self.cam
        x = (pixels[:, :1] - cam[14]) / cam[12] * z[:, None]
        y = (pixels[:, 1:] - cam[15]) / cam[13] * z[:, None]
        moved: Floats = cam[9:12] + x * cam[0:3] + y * cam[3:6] + z[:, None] * cam[6:9]
        return np.where(np.isfinite(moved), moved, points)

    def point_at(self, px: float, py: float, depth_m: float) -> Floats:
        """The point that is seen at a pixel, `depth_m` ahead."""
        seen = np.array([[(px - self.cam[14]) / self.cam[12], (py - self.cam[15]) / self.cam[13]]])
        undo_lens(seen, self.distortion)
        cam = self.cam
        ray = seen[0, 0] * cam[0:3] + seen[0, 1] * cam[3:6] + cam[6:9]
        point: Floats = cam[9:12] + depth_m * ray
        return point


def world_to_wall(wall: Wall, point_m: Vector3M) -> Vector3M:
    """(u, v, z) of a world point: contracts.wall.wall_to_world undone."""
    x, y, z = point_m
    return (*heading_in_wall(wall, x - wall.origin_m[0], y - wall.origin_m[1]), z)


def heading_in_wall(wall: Wall, x: float, y: float) -> tuple[float, float]:
    """A world direction of the floor as (u, v)."""
    cos, sin = wall.normal
    return (y * cos - x * sin, -x * cos - y * sin)


def wall_pose(wall: Wall, pose: Pose) -> Pose:
    """A pose in the wall's frame."""
    up_u, up_v = heading_in_wall(wall, pose.up[0], pose.up[1])
    return Pose(
        position_m=world_to_wall(wall, pose.position_m),
        look_at_m=world_to_wall(wall, pose.look_at_m),
        up=(up_u, up_v, pose.up[2]),
    )


def optic(wall: Wall, intrinsics: Intrinsics, pose: Pose) -> Optic:
    """The optic of a wall's camera or projector whose pose is in the world."""
    return _optic(intrinsics, wall_pose(wall, pose))


def _optic(intrinsics: Intrinsics, pose: Pose) -> Optic:
    as_camera = Camera(camera_id="o", role="wall", fps=1, intrinsics=intrinsics, pose=pose)
    distortion = np.array(intrinsics.distortion, np.float64)
    size = (intrinsics.width, intrinsics.height)
    rays, columns, rows = _rays(intrinsics)
    return Optic(camera_array(as_camera), *size, distortion, rays, columns, rows)


def _ahead(corners: Floats) -> Floats:
    """Where the part of a polygon (N, 3) that is ahead of the lens meets the plane one metre ahead:
    its corners (M, 2), right and down, M from 0 on."""
    found = []
    for here, after in zip(corners, np.roll(corners, -1, axis=0), strict=True):
        if here[2] >= AHEAD_M:
            found.append(here[:2] / here[2])
        if (here[2] >= AHEAD_M) != (after[2] >= AHEAD_M):
            share = (AHEAD_M - here[2]) / (after[2] - here[2])
            found.append((here + share * (after - here))[:2] / AHEAD_M)
    return np.array(found).reshape(-1, 2)


@lru_cache(maxsize=_RAYS_MAX)
def _rays(intrinsics: Intrinsics) -> tuple[NDArray[np.float32], ...]:
    """Lines of sight and their spans, see Optic; kept, because undoing a lens takes a second."""
    w, h = intrinsics.width, intrinsics.height
    distortion = np.array(intrinsics.distortion, np.float64)
    rows, columns = np.mgrid[0:h, 0:w]
    seen = np.stack(
        [
            (columns.ravel() - intrinsics.cx) / intrinsics.fx,
            (rows.ravel() - intrinsics.cy) / intrinsics.fy,
        ],
        axis=1,
    )
    if distortion.any():
        undo_lens(seen, distortion)
    rays = seen.reshape(h, w, 2).astype(np.float32)
    columns = np.stack([rays[..., 0].min(axis=0), rays[..., 0].max(axis=0)], axis=1)
    lines = np.stack([rays[..., 1].min(axis=1), rays[..., 1].max(axis=1)], axis=1)
    for one in (rays, columns, lines):
        one.setflags(write=False)
    return rays, columns, lines


def turned(
    wall: Wall, intrinsics: Intrinsics, pose: Pose, shift_m: Floats, turn_deg: Floats, zoom: float
) -> Optic:
    """An optic that hangs elsewhere than its file says: moved by `shift_m` (u, v, z), turned
    (right, down, about its axis) by `turn_deg`, its focal length `zoom` times as long."""
    here = wall_pose(wall, pose)
    base = _optic(intrinsics.model_copy(update={"width": 16, "height": 16}), here).cam
    right, down, ahead = base[0:3], base[3:6], base[6:9]
    yaw, pitch, roll = np.radians(turn_deg)
    ahead, right = (
        ahead * math.cos(yaw) + right * math.sin(yaw),
        right * math.cos(yaw) - ahead * math.sin(yaw),
    )
    ahead, down = (
        ahead * math.cos(pitch) + down * math.sin(pitch),
        down * math.cos(pitch) - ahead * math.sin(pitch),
    )
    down = down * math.cos(roll) - right * math.sin(roll)
    position = np.round(base[9:12] + shift_m, 6)
    look_at, up = np.round(position + ahead, 6), np.round(-down, 6)
    moved = Pose(
        position_m=(float(position[0]), float(position[1]), float(position[2])),
        look_at_m=(float(look_at[0]), float(look_at[1]), float(look_at[2])),
        up=(float(up[0]), float(up[1]), float(up[2])),
    )
    lens = intrinsics.model_copy(update={"fx": intrinsics.fx * zoom, "fy": intrinsics.fy * zoom})
    return _optic(lens, moved)
