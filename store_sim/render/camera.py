"""The camera model of contracts.geometry as the rasteriser uses it."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera, Pose
from store_sim.render.kernels import NEAR_M
from store_sim.render.layers import Rect

__all__ = ["ball_rect", "camera_array", "project_points", "turned_camera"]

Floats = NDArray[np.float64]


def camera_array(camera: Camera) -> Floats:
    """(16,): right, down, forward, position, fx, fy, cx, cy, as contracts.geometry defines."""
    position = np.array(camera.pose.position_m)
    f = np.array(camera.pose.look_at_m) - position
    f /= math.sqrt(f[0] ** 2 + f[1] ** 2 + f[2] ** 2)
    up = camera.pose.up
    right = np.array(
        [f[1] * up[2] - f[2] * up[1], f[2] * up[0] - f[0] * up[2], f[0] * up[1] - f[1] * up[0]]
    )
    right /= math.sqrt(right[0] ** 2 + right[1] ** 2 + right[2] ** 2)
    down = np.array(
        [
            f[1] * right[2] - f[2] * right[1],
            f[2] * right[0] - f[0] * right[2],
            f[0] * right[1] - f[1] * right[0],
        ]
    )
    lens = camera.intrinsics
    return np.concatenate([right, down, f, position, [lens.fx, lens.fy, lens.cx, lens.cy]])


def project_points(cam: Floats, points: Floats) -> tuple[Floats, Floats]:
    """Pixels (N, 2) and depths (N,) of world points (N, 3); pixels are NaN behind the camera."""
    away = np.asarray(points, np.float64).reshape(-1, 3) - cam[9:12]
    x, y, z = (
        away[:, 0] * cam[3 * k] + away[:, 1] * cam[3 * k + 1] + away[:, 2] * cam[3 * k + 2]
        for k in range(3)
    )
    pixels = np.full((len(z), 2), np.nan)
    ahead = z >= NEAR_M
    pixels[ahead, 0] = cam[14] + cam[12] * x[ahead] / z[ahead]
    pixels[ahead, 1] = cam[15] + cam[13] * y[ahead] / z[ahead]
    return pixels, z


def ball_rect(cam_of: Floats, size: tuple[int, int], centre: Floats, radius: float) -> Rect | None:
    """Bounds of a ball in a picture of `size`, or None when it is wholly outside."""
    w, h = size
    cam = cam_of.tolist()
    dx, dy, dz = (float(centre[k]) - cam[9 + k] for k in range(3))
    x = cam[0] * dx + cam[1] * dy + cam[2] * dz
    y = cam[3] * dx + cam[4] * dy + cam[5] * dz
    z = cam[6] * dx + cam[7] * dy + cam[8] * dz
    if z + radius < NEAR_M:
        return None
    if z - radius < 2 * NEAR_M:
        return (0, 0, w, h)
    near = z - radius
    # The ball lies between the pictures of its box's faces at the near and the far side.
    xs = [(x + s * radius) / d for s in (-1, 1) for d in (near, z + radius)]
    ys = [(y + s * radius) / d for s in (-1, 1) for d in (near, z + radius)]
    x0 = max(0, math.floor(cam[14] + cam[12] * min(xs)) - 1)
    x1 = min(w, math.ceil(cam[14] + cam[12] * max(xs)) + 2)
    y0 = max(0, math.floor(cam[15] + cam[13] * min(ys)) - 1)
    y1 = min(h, math.ceil(cam[15] + cam[13] * max(ys)) + 2)
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def turned_camera(camera: Camera, yaw_deg: float, pitch_deg: float) -> Camera:
    """The camera at the same place, turned to its right by `yaw_deg` and then down by
    `pitch_deg`."""
    cam = camera_array(camera)
    right, down, ahead = cam[0:3], cam[3:6], cam[6:9]
    yaw, pitch = math.radians(yaw_deg), math.radians(pitch_deg)
    aside = ahead * math.cos(yaw) + right * math.sin(yaw)
    looks = aside * math.cos(pitch) + down * math.sin(pitch)
    up = aside * math.sin(pitch) - down * math.cos(pitch)
    # Rounded as poses are, so that sines have no say in the last bit of a picture.
    at = tuple(round(float(v), 6) for v in cam[9:12] + looks)
    pose = Pose(
        position_m=camera.pose.position_m,
        look_at_m=(at[0], at[1], at[2]),
        up=(round(float(up[0]), 6), round(float(up[1]), 6), round(float(up[2]), 6)),
    )
    return camera.model_copy(update={"pose": pose})
