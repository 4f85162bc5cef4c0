"""Lens distortion: the scene is drawn on a pinhole canvas and laid into the picture by a map.

The map knows the camera's calibrated distortion (contracts.geometry) and one that nobody
calibrated: the dial's k1, in the division model, which can be undone everywhere
(Fitzgibbon, "Simultaneous linear estimation of multiple view geometry and lens distortion",
CVPR 2001). With radii r in half diagonals of the picture, what is seen at r comes from
r / (1 + k1 r^2): to the first order OpenCV's k1 of a lens whose half diagonal is one focal length.
k1 < 0 is a barrel. The canvas is as large as the map reaches, so that corners are not empty.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera, Intrinsics
from store_sim.errors import RenderError
from store_sim.render.develop import lay, undo_lens
from store_sim.render.layers import Layers, Rect

__all__ = ["LensMap", "bend_lens", "lens_map"]

Floats = NDArray[np.float64]

_CANVAS_MAX = 3.0
_TILE = 16
_STEP = 16
"""Positions on the canvas are rounded to sixteenths of a pixel."""


def bend_lens(x: Floats, y: Floats, k: Sequence[float] | Floats) -> Floats:
    """Where a lens with the distortion `k` (5,) of contracts.geometry shows points (N,) and (N,) of
    the pinhole picture, in focal lengths from its centre: (N, 2). develop.undo_lens undone."""
    k1, k2, p1, p2, k3 = k
    r2 = x * x + y * y
    radial = 1.0 + r2 * (k1 + r2 * (k2 + r2 * k3))
    return np.stack(
        [
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x * x),
            y * radial + p1 * (r2 + 2 * y * y) + 2 * p2 * x * y,
        ],
        axis=1,
    )


class LensMap:
    """From the picture's pixels to the canvas's; `canvas` is the pinhole camera to draw with.

    RenderError if the map would need a canvas of more than three times the picture's width.
    """

    def __init__(self, lens: Intrinsics, k1: float) -> None:
        self._lens, self._k1 = lens, k1
        self._half = 0.5 * math.hypot(lens.width, lens.height)
        rows, columns = np.mgrid[0 : lens.height, 0 : lens.width]
        seen = np.stack([columns.ravel(), rows.ravel()], axis=1).astype(np.float64)
        at = self._undone(seen)
        low = np.floor(at.min(axis=0)).astype(int) - 1
        high = np.ceil(at.max(axis=0)).astype(int) + 2
        width, height = (int(v) for v in high - low)
        if not width <= _CANVAS_MAX * lens.width or not height <= _CANVAS_MAX * lens.height:
            raise RenderError(
                f"expected a distortion that shows at most {_CANVAS_MAX:g} times as much as a "
                f"pinhole camera, this one needs {width}x{height} pixels for {lens.width}x"
                f"{lens.height}; correct the camera's distortion"
            )
        self.canvas = lens.model_copy(
            update={
                "width": width,
                "height": height,
                "cx": lens.cx - float(low[0]),
                "cy": lens.cy - float(low[1]),
                "distortion": (0.0,) * 5,
            }
        )
        steps = np.rint((at - low) * _STEP).astype(np.int64)
        whole, rest = steps // _STEP, steps % _STEP
        size = (lens.height, lens.width)
        self._base = (whole[:, 1] * width + whole[:, 0]).astype(np.uint32).reshape(size)
        self._part = (rest[:, 0] * 16 + rest[:, 1]).astype(np.uint8).reshape(size)
        self._low = low.astype(np.float64)
        self.picture = Layers.empty(lens.width, lens.height)
        self._tiles, self._sources = _tiles(whole.reshape(*size, 2))

    def lay(self, canvas: Layers, changed: list[Rect]) -> Layers:
        """Lays what changed on the canvas into `picture`, which is the map's own and kept."""
        seen = np.zeros(len(self._tiles), np.bool_)
        at = self._sources
        for x0, y0, x1, y1 in changed:
            seen |= (at[:, 0] < x1) & (x0 < at[:, 2]) & (at[:, 1] < y1) & (y0 < at[:, 3])
        picture = self.picture
        lay(
            canvas.rgb.reshape(-1, 3), canvas.ids.reshape(-1), canvas.depth.reshape(-1),
            self._base, self._part, self.canvas.width, self._tiles[seen],
            picture.rgb, picture.ids, picture.depth,
        )  # fmt: skip
        return picture

    def bend(self, pixels: Floats) -> Floats:
        """Where the picture shows pixels (N, 2) of the canvas; NaN for what it never shows."""
        lens = self._lens
        k1, k2, _, _, k3 = lens.distortion
        x = (pixels[:, 0] + self._low[0] - lens.cx) / lens.fx
        y = (pixels[:, 1] + self._low[1] - lens.cy) / lens.fy
        r2 = x * x + y * y
        steep = 1.0 + r2 * (3.0 * k1 + r2 * (5.0 * k2 + r2 * 7.0 * k3))
        flat = bend_lens(x, y, lens.distortion)
        flat[steep <= 0.0] = np.nan
        away = flat * np.array([lens.fx, lens.fy]) / self._half
        root = 1.0 - 4.0 * self._k1 * (away * away).sum(axis=1, keepdims=True)
        root = np.sqrt(np.where(root >= 0.0, root, np.nan))
        out: Floats = np.array([lens.cx, lens.cy]) + self._half * away * (2.0 / (1.0 + root))
        return out

    def _undone(self, seen: Floats) -> Floats:
        lens = self._lens
        centre, focal = np.array([lens.cx, lens.cy]), np.array([lens.fx, lens.fy])
        away = (seen - centre) / self._half
        away /= 1.0 + self._k1 * (away * away).sum(axis=1, keepdims=True)
        flat = away * self._half / focal
        if any(lens.distortion):
            undo_lens(flat, np.array(lens.distortion))
        found: Floats = centre + flat * focal
        return found


def _tiles(whole: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Squares of the picture, and the bounds of the canvas's pixels that each is made of."""
    height, width = whole.shape[:2]
    tiles = [
        (x, y, min(x + _TILE, width), min(y + _TILE, height))
        for y in range(0, height, _TILE)
        for x in range(0, width, _TILE)
    ]
    sources = []
    for x0, y0, x1, y1 in tiles:
        part = whole[y0:y1, x0:x1].reshape(-1, 2)
        sources.append((*part.min(axis=0), *(part.max(axis=0) + 2)))
    return np.array(tiles, np.int64), np.array(sources, np.int64)


def lens_map(camera: Camera, k1: float) -> LensMap | None:
    """The map of a camera with the dial's k1; None for a lens without distortion."""
    if k1 == 0.0 and not any(camera.intrinsics.distortion):
        return None
    return LensMap(camera.intrinsics, k1)
