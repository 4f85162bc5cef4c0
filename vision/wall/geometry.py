"""Camera and wall: pixels to (u, v, z) in metres and back; the camera's pose checked by markers.

The frames are those of contracts.wall (u to the right, v into the wall, z up) and of
contracts.geometry (pixels, distortion). Points are float64 arrays, (N, 2) or (N, 3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.wall import LabelPrint, Marker, Wall
from vision.geometry import BayFrame, Lens
from vision.markers import detect_markers

__all__ = [
    "NAMELESS_DEPTH", "Depth", "MarkerFit", "WallLens", "find_markers", "label_print",
    "marker_corners_m",
]  # fmt: skip

Floats = NDArray[np.float64]
CORNER_SD_PX = 0.15
"""How well the corners of a label are found (vision.wall.corners)."""
PRINT_SHARE = 0.002
"""Labels are printed to scale no better than this."""
DEPTH_SD_MIN_M = 0.003
TILT_SD_SHARE = 0.01
"""What a slant of 8 degrees makes a line of bars shorter by: it cannot be seen from the line."""
MARKER_MARGIN = 0.7
"""A marker is looked for where it should be, and this share of its side around it."""


@dataclass(frozen=True, slots=True)
class Depth:
    """The v of a face and the standard deviation of it, metres."""

    v_m: float
    sd_m: float

    def joined(self, other: Depth) -> Depth:
        """Both weighed by how sure they are. It gets no surer than the surer one, because readings
        of one label share their errors; a reading four deviations off starts anew."""
        if abs(self.v_m - other.v_m) > 4.0 * math.hypot(self.sd_m, other.sd_m):
            return other
        mine, its = self.sd_m**-2, other.sd_m**-2
        v_m = (self.v_m * mine + other.v_m * its) / (mine + its)
        return Depth(v_m, min(self.sd_m, other.sd_m))


NAMELESS_DEPTH = Depth(0.03, 0.08)
"""Where the face of a thing without label is taken to be: near the board's front edge."""


@dataclass(frozen=True, slots=True)
class MarkerFit:
    """How well the camera's pose explains the markers: `seen` of them, the median distance of
    their corners from where they should be, `residual_px`, and how far that is on the wall."""

    seen: int
    residual_px: float
    residual_m: float


def marker_corners_m(marker: Marker) -> Floats:
    """(4, 3): the corners (u, v, z) in ArUco's order, top left first and then clockwise."""
    u, v, z = marker.centre_m
    half = marker.size_m / 2.0
    corners: Floats = np.array(
        [
            [u - half, v, z + half],
            [u + half, v, z + half],
            [u + half, v, z - half],
            [u - half, v, z - half],
        ]
    )
    return corners


def label_print(wall: Wall, symbology: str, modules: int) -> LabelPrint | None:
    """Which of the wall's labels this is: of the same kind, and of as many modules if both are
    known; None if there is none, or several that cannot be told apart."""
    alike = [one for one in wall.labels if one.symbology == symbology]
    if modules > 0:
        near = [one for one in alike if abs(one.modules - modules) <= 0.05 * one.modules]
        alike = near or ([] if len(alike) > 1 else alike)
    sizes = {(one.modules, one.module_mm) for one in alike}
    return alike[0] if len(sizes) == 1 else None


class WallLens:
    """One camera of a wall."""

    def __init__(self, camera: Camera, wall: Wall) -> None:
        self._lens = Lens(camera)
        self._frame = BayFrame(wall)
        self.width, self.height = self._lens.width, self._lens.height
        eye = self._frame.to_bay(self._lens.position[None])[0]
        self.eye_m: tuple[float, float, float] = (float(eye[0]), float(eye[1]), float(eye[2]))
        """Where the camera is, (u, v, z)."""
        self.boards_m: tuple[Floats, ...] = tuple(
            np.array([[0.0, 0.0, one.z_m], [wall.width_m, 0.0, one.z_m]]) for one in wall.boards
        )
        """Ends (2, 3) of the upper front edges of the boards."""
        self._hooks = bool(wall.hooks)
        self._tops = tuple(one.z_m + one.clearance_m for one in wall.boards)

    def hangs(self, z_m: float) -> bool:
        """Whether what is at this height hangs from a hook: no board has it in its clearance."""
        return self._hooks and all(z_m > top for top in self._tops)

    def board_under(self, z_m: float) -> float | None:
        """The height of the board that what is at this height stands on; None if it hangs."""
        under = [float(one[0, 2]) for one in self.boards_m if one[0, 2] < z_m]
        return max(under) if under and not self.hangs(z_m) else None

    def pixels(self, points_m: Floats) -> Floats:
        """(N, 2) pixels of wall points (N, 3); NaN behind the camera."""
        return self._lens.project(self._frame.to_world(np.asarray(points_m, np.float64)))[0]

    def on_plane(self, pixels: NDArray[Any], v_m: float) -> Floats:
        """(N, 3) wall points where the pixels' rays meet the plane at v; NaN if they do not."""
        return self._frame.on_front(self._lens, np.asarray(pixels, np.float64), v_m)

    def rays(self, pixels: NDArray[Any]) -> Floats:
        """(N, 3) directions of length 1 in the wall's frame."""
        far = self._lens.rays(np.asarray(pixels, np.float64)) + self._lens.position
        rays: Floats = self._frame.to_bay(far) - np.array(self.eye_m)
        return rays

    def px_per_m(self, point_m: Sequence[float]) -> float:
        """Pixels a metre has along u and z at a wall point, the mean of both; 0 if not seen."""
        u, v, z = point_m
        step = 0.02
        at = self.pixels(np.array([[u, v, z], [u + step, v, z], [u, v, z + step]]))
        if not np.isfinite(at).all():
            return 0.0
        return float(np.linalg.norm(at[1:] - at[0], axis=1).mean() / step)

    def label_depth(self, quad_px: NDArray[Any], label: LabelPrint) -> Depth | None:
        """Depth of a label whose corners are seen at `quad_px` (4, 2): top left, top right, bottom
        right, bottom left as printed. Square codes by their pose (Collins, Bartoli 2014, as
        cv2.SOLVEPNP_IPPE_SQUARE), lines of bars by their length, taken as parallel to the wall.
        None if the corners make no sense."""
        quad = np.asarray(quad_px, np.float64)
        size_m = label.modules * label.module_mm / 1000.0
        sides = np.linalg.norm(quad - np.roll(quad, -1, axis=0), axis=1)
        across_px = float((sides[0] + sides[2]) / 2)
        along_px = float((sides[1] + sides[3]) / 2)
        if min(across_px, along_px) < 3.0:
            return None
        square = label.symbology != "code128" and 0.5 < along_px / across_px < 2.0
        centre = self._by_pose(quad, size_m) if square else self._by_length(quad, size_m)
        if centre is None:
            return None
        away = float(np.linalg.norm(centre - np.array(self.eye_m)))
        seen_px = math.sqrt(across_px * along_px) if square else across_px
        sd_m = away * math.hypot(CORNER_SD_PX / seen_px, PRINT_SHARE)
        if not square:
            sd_m = math.hypot(sd_m, away * TILT_SD_SHARE)
        return Depth(float(centre[1]), max(DEPTH_SD_MIN_M, sd_m))

    def _by_pose(self, quad: Floats, size_m: float) -> Floats | None:
        rays = self.rays(quad)
        ahead = rays.mean(axis=0)
        ahead /= np.linalg.norm(ahead)
        right = np.cross(ahead, [0.0, 0.0, 1.0])
        right /= max(float(np.linalg.norm(right)), 1e-9)
        axes = np.stack([right, np.cross(ahead, right), ahead])
        local = rays @ axes.T
        flat = local[:, :2] / local[:, 2:]
        half = size_m / 2.0
        square = np.array([[-half, half, 0], [half, half, 0], [half, -half, 0], [-half, -half, 0]])
        done, _, moved = cv2.solvePnP(
            square, flat, np.eye(3), np.zeros(5), flags=cv2.SOLVEPNP_IPPE_SQUARE
        )
        if not done or not np.isfinite(moved).all() or float(moved[2, 0]) <= 0:
            return None
        centre: Floats = np.array(self.eye_m) + moved[:, 0] @ axes
        return centre

    def _by_length(self, quad: Floats, size_m: float) -> Floats | None:
        """Length grows with the distance from the eye: one plane tells it for all planes."""
        middle = np.stack([(quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2])
        ends = self.on_plane(middle, 0.0)
        length = float(np.linalg.norm(ends[1] - ends[0]))
        if not math.isfinite(length) or length <= 0:
            return None
        eye = np.array(self.eye_m)
        centre: Floats = eye + (ends.mean(axis=0) - eye) * (size_m / length)
        return centre


def find_markers(
    gray: NDArray[np.uint8], lens: WallLens, markers: Sequence[Marker], *, everywhere: bool = False
) -> MarkerFit | None:
    """Looks for markers near where they should be, or in the whole picture; None if none of them
    is seen, which says nothing: somebody may stand in front of them."""
    off_px: list[float] = []
    off_m: list[float] = []
    seen = 0
    whole = detect_markers(gray) if everywhere else {}
    for marker in markers:
        corners = marker_corners_m(marker)
        meant = lens.pixels(corners)
        found = whole.get(marker.marker)
        if found is None and not everywhere and (cut := _window(gray, meant)) is not None:
            part = gray[cut[1] : cut[3], cut[0] : cut[2]]
            found = detect_markers(part).get(marker.marker)
            found = None if found is None else found + cut[:2]
        if found is None:
            continue
        seen += 1
        off_px.extend(np.linalg.norm(found - meant, axis=1).tolist())
        there = lens.on_plane(found, marker.centre_m[1])
        off_m.extend(np.linalg.norm(there - corners, axis=1).tolist())
    if not seen:
        return None
    return MarkerFit(seen, float(np.median(off_px)), float(np.median(off_m)))


def _window(gray: NDArray[np.uint8], quad: Floats) -> tuple[int, int, int, int] | None:
    """Where to look for a marker, clipped to the picture; None outside of it."""
    if not np.isfinite(quad).all():
        return None
    side = float(np.linalg.norm(quad[0] - quad[2]))
    low, high = quad.min(axis=0) - MARKER_MARGIN * side, quad.max(axis=0) + MARKER_MARGIN * side
    x0, y0 = (max(0, int(c)) for c in low)
    x1, y1 = min(gray.shape[1], int(high[0]) + 1), min(gray.shape[0], int(high[1]) + 1)
    return (x0, y0, x1, y1) if x1 - x0 >= 12 and y1 - y0 >= 12 else None
