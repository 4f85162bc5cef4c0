"""A short memory of what cameras saw around the avatar, so that a receipt can be replayed.

For the demo's page alone. The real store keeps evidence on its nodes (edge.evidence). Pictures
are small JPEGs; heads are made unrecognisable before anything is kept, from where the world knows
them to be, though nobody real is in them.
"""

from __future__ import annotations

import base64
import io
import threading
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import dist
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from store_sim.errors import BadCommandError
from store_sim.render.camera import camera_array, project_points
from store_sim.scene import JOINTS, BodyPose, Scene

__all__ = ["CLIP_S_MAX", "ClipKeeper", "blur_heads", "camera_for"]

CLIP_FPS = 7.5
FRAMES_MAX = 2400
"""About five minutes of one camera; the oldest are dropped."""
WIDTH_PX = 384
QUALITY = 72
CLIP_S_MAX = 4.0
HEAD_RADIUS_M = 0.19
BLOCKS = 3
_HEAD, _TOP = JOINTS.index("head"), JOINTS.index("head_top")


@dataclass(frozen=True, slots=True)
class _Kept:
    t_s: float
    camera_id: str
    jpeg: bytes


class ClipKeeper:
    """`keep` on the world's thread, `clip` on any. `t_s` is any clock that only rises."""

    def __init__(self, cameras: Sequence[Camera]) -> None:
        self._arrays = {camera.camera_id: camera_array(camera) for camera in cameras}
        self._lock = threading.Lock()
        self._frames: deque[_Kept] = deque(maxlen=FRAMES_MAX)
        self._kept_s: dict[str, float] = {}

    def clear(self) -> None:
        """Forgets all of it: another visit begins."""
        with self._lock:
            self._frames.clear()

    def keep(self, camera_id: str, rgb: NDArray[np.uint8], scene: Scene, t_s: float) -> None:
        """Keeps a picture, made small and with heads blurred, if the last one is old enough."""
        if t_s - self._kept_s.get(camera_id, -1e9) < 1 / CLIP_FPS - 1e-3:
            return
        self._kept_s[camera_id] = t_s
        picture = rgb.copy()
        blur_heads(picture, self._arrays[camera_id], scene.bodies)
        kept = _Kept(t_s, camera_id, _jpeg(picture))
        with self._lock:
            self._frames.append(kept)

    def clip(self, from_s: float, to_s: float) -> dict[str, Any]:
        """The pictures of a stretch of time, of the camera that saw most of it.

        BadCommandError for a stretch that is longer than CLIP_S_MAX or ends before it begins.
        """
        if not 0.0 <= to_s - from_s <= CLIP_S_MAX:
            raise BadCommandError(
                f"from, to: expected 0 to {CLIP_S_MAX:.0f} s of pictures, got {to_s - from_s:.2f} s"
            )
        with self._lock:
            found = [one for one in self._frames if from_s <= one.t_s <= to_s]
        counts: dict[str, int] = {}
        for one in found:
            counts[one.camera_id] = counts.get(one.camera_id, 0) + 1
        camera_id = max(sorted(counts), key=lambda name: counts[name]) if counts else None
        return {
            "camera_id": camera_id,
            "frames": [
                {"t_s": round(one.t_s - from_s, 3), "jpeg": base64.b64encode(one.jpeg).decode()}
                for one in found
                if one.camera_id == camera_id
            ],
        }


def camera_for(
    cameras: Sequence[Camera], bay_id: str | None, at_m: tuple[float, float] | None
) -> str | None:
    """The camera that sees the avatar best: of the bay before it, else the nearest ceiling."""
    here = [one for one in cameras if bay_id is not None and one.bay_id == bay_id]
    here = here or [one for one in cameras if one.role == "ceiling"] or list(cameras)
    if not here or at_m is None:
        return None
    place = at_m
    nearest = min(here, key=lambda one: (dist(one.pose.position_m[:2], place), one.camera_id))
    return nearest.camera_id


def blur_heads(
    rgb: NDArray[np.uint8], camera: NDArray[np.float64], bodies: Sequence[BodyPose]
) -> None:
    """Makes heads unrecognisable in a picture (H, W, 3), in place."""
    height, width = rgb.shape[:2]
    for body in bodies:
        middle = (body.joints_m[_HEAD] + body.joints_m[_TOP]) / 2
        pixels, depths = project_points(camera, middle[None])
        depth = float(depths[0])
        if not np.isfinite(pixels[0]).all() or depth <= 0.1:
            continue
        radius = HEAD_RADIUS_M * float(camera[12]) / depth
        x, y = float(pixels[0, 0]), float(pixels[0, 1])
        left, right = max(0, int(x - radius)), min(width, int(x + radius) + 1)
        top, bottom = max(0, int(y - radius)), min(height, int(y + radius) + 1)
        if right - left < 2 or bottom - top < 2:
            continue
        _few_colours(rgb[top:bottom, left:right])


def _few_colours(patch: NDArray[np.uint8]) -> None:
    """Leaves BLOCKS by BLOCKS mean colours of a patch, in place."""
    rows = np.linspace(0, patch.shape[0], BLOCKS + 1).astype(int)
    columns = np.linspace(0, patch.shape[1], BLOCKS + 1).astype(int)
    for r0, r1 in pairwise(rows.tolist()):
        for c0, c1 in pairwise(columns.tolist()):
            block = patch[r0:r1, c0:c1]
            if block.size:
                block[:] = np.rint(block.reshape(-1, 3).mean(axis=0)).astype(np.uint8)


def _jpeg(rgb: NDArray[np.uint8]) -> bytes:
    from PIL import Image

    picture = Image.fromarray(rgb)
    if picture.width > WIDTH_PX:
        size = (WIDTH_PX, round(picture.height * WIDTH_PX / picture.width))
        picture = picture.resize(size, Image.Resampling.BOX, reducing_gap=1.0)
    out = io.BytesIO()
    picture.save(out, "JPEG", quality=QUALITY)
    return out.getvalue()
