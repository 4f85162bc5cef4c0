"""The rectangles that a wall and its parcels are made of, as kernels.see_tile reads them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from store_sim.render.layers import Rect
from store_sim.wall.frame import Optic
from store_sim.wall.parcels import ParcelPose, SimParcel, frame_of
from store_sim.wall.prints import marker_print
from store_sim.wall.skins import (
    KRAFT,
    front_skin,
    handle_skin,
    panel_skin,
    plain_skin,
    shadow_skin,
    side_skin,
)

__all__ = [
    "FACE_COLUMNS", "PARCEL_ID", "Bank", "bounded", "parcel_faces", "rects_of", "shadow_faces",
    "wall_faces",
]  # fmt: skip

Floats = NDArray[np.float64]
Rgb = tuple[int, int, int]

FACE_COLUMNS = 25
PARCEL_ID = 1
"""Parcels carry PARCEL_ID + index in the id mask; 0 is the wall."""
_BACK: Rgb = (196, 198, 200)
_BOARD: Rgb = (222, 220, 214)
_POST: Rgb = (88, 92, 98)
_TWO_SIDED, _HOLES = 1.0, 2.0


@dataclass(slots=True)
class Bank:
    """All textures of a wall. `texels` (N, 4) uint8; `rows` (T, 3) int64 offset, width, height of
    base textures; `labels` (L, 10) as kernels.fill_tile reads them."""

    seed: int
    _pieces: list[NDArray[np.uint8]] = field(default_factory=list)
    _rows: list[tuple[int, int, int]] = field(default_factory=list)
    _labels: list[list[float]] = field(default_factory=list)
    _known: dict[str, int] = field(default_factory=dict)
    _size: int = 0

    def add(self, pixels: NDArray[np.uint8]) -> int:
        """Keeps a texture; its row."""
        height, width = pixels.shape[:2]
        self._rows.append((self._size, width, height))
        self._pieces.append(pixels.reshape(-1, 4))
        self._size += height * width
        return len(self._rows) - 1

    def once(self, name: str, pixels: NDArray[np.uint8]) -> int:
        """Keeps a texture under a name, the first time."""
        if name not in self._known:
            self._known[name] = self.add(pixels)
        return self._known[name]

    def known(self, name: str) -> int | None:
        """The row of a texture that was kept under a name."""
        return self._known.get(name)

    def add_label(self, parcel: SimParcel) -> int:
        """Keeps a parcel's label and where on its front it is; its row, -1 if it has none."""
        label = parcel.label
        if label is None:
            return -1
        name = f"label-{parcel.index}"
        if name in self._known:
            return self._known[name]
        row = self._rows[self.add(label.pixels)]
        w, h, _ = parcel.size_m
        turn = math.radians(parcel.label_deg)
        lw, lh = label.width_mm / 1000, label.height_mm / 1000
        cos, sin = math.cos(turn), math.sin(turn)
        # Metres right and up of the label's centre, turned back by its angle, then 0 to 1.
        x0, y0 = -w / 2 - parcel.label_at[0], h / 2 - parcel.label_at[1]
        across = [w * cos / lw, h * sin / lw, (x0 * cos - y0 * sin) / lw + 0.5]
        down = [-w * sin / lh, h * cos / lh, 0.5 - (x0 * sin + y0 * cos) / lh]
        self._labels.append([float(v) for v in row] + across + down + [0.0])
        self._known[name] = len(self._labels) - 1
        return len(self._labels) - 1

    def packed(self) -> tuple[NDArray[np.uint8], NDArray[np.int64], Floats]:
        """`texels`, `rows`, `labels`."""
        labels = np.array(self._labels, np.float64).reshape(-1, 10)
        return np.concatenate(self._pieces), np.array(self._rows, np.int64), labels


def _shade(normal: Floats, middle: Floats, depth_m: float) -> float:
    """How much of the room's light falls on a face: lamps hang before and above the wall."""
    lamp = np.array([0.25, -0.72, 0.65])
    value = 0.5 + 0.62 * max(0.0, float(normal @ lamp)) + 0.06 * float(normal[2])
    inside = min(1.0, max(0.0, float(middle[1]) / max(0.05, depth_m)))
    return max(0.15, value * (1.0 - 0.38 * inside))


def _face(
    corner: Floats, along: Floats, down: Floats, row: int, *, depth_m: float, key: int = 0,
    flags: float = 0.0, label: int = -1, dim: float = 1.0,
) -> Floats:  # fmt: skip
    """One face from its top left corner and both edges, as seen from outside."""
    normal = np.cross(down, along)
    normal = normal / math.sqrt(float(normal @ normal))
    out = np.zeros(FACE_COLUMNS)
    out[0:3] = corner
    out[3:6] = along / float(along @ along)
    out[6:9] = down / float(down @ down)
    out[9:12] = normal
    out[16], out[17], out[18] = row, flags, label
    out[19] = dim * _shade(normal, corner + 0.5 * (along + down), depth_m)
    out[24] = key
    return out


_AROUND = (0, 20, 24, 4)
"""The corners of a face, one after the other, among the 5 x 5 points that `bounded` looks at."""


def bounded(faces: Floats, optic: Optic) -> Floats:
    """The faces with their bounds in the picture of `optic`; (0, 0, 0, 0) where out of sight."""
    faces = faces.copy()
    along = faces[:, 3:6] / (faces[:, 3:6] ** 2).sum(axis=1, keepdims=True)
    down = faces[:, 6:9] / (faces[:, 6:9] ** 2).sum(axis=1, keepdims=True)
    steps = np.linspace(0.0, 1.0, 5)
    points = np.stack([faces[:, 0:3] + a * along + b * down for a in steps for b in steps], axis=1)
    pixels, depths = optic.pixels(points.reshape(-1, 3))
    pixels, depths = pixels.reshape(len(faces), -1, 2), depths.reshape(len(faces), -1)
    for k in range(len(faces)):
        if (depths[k] < 0.02).any():
            # Reaches behind the lens.
            faces[k, 12:16] = optic.bounds(points[k, _AROUND]) or (0, 0, 0, 0)
            continue
        low = np.floor(pixels[k].min(axis=0)) - 2
        high = np.ceil(pixels[k].max(axis=0)) + 3
        faces[k, 12:16] = (
            max(-64.0, low[0]), max(-64.0, low[1]),
            min(optic.width + 64.0, high[0]), min(optic.height + 64.0, high[1]),
        )  # fmt: skip
    return faces


def rects_of(things: Iterable[Floats], optic: Optic) -> list[Rect]:
    """The parts of the picture of `optic` that hold things, the faces of each; what is out of sight
    has none."""
    return [rect for faces in things if (rect := _rect_of(faces, optic)) is not None]


def _rect_of(faces: Floats, optic: Optic) -> Rect | None:
    bounds = bounded(faces, optic)[:, 12:16]
    bounds = bounds[(bounds[:, 2] > bounds[:, 0]) & (bounds[:, 3] > bounds[:, 1])]
    if len(bounds) == 0:
        return None
    x0, y0 = (max(0, int(v)) for v in bounds[:, :2].min(axis=0))
    x1 = min(optic.width, int(bounds[:, 2].max()))
    y1 = min(optic.height, int(bounds[:, 3].max()))
    return (x0, y0, x1, y1) if x0 < x1 and y0 < y1 else None


def _box(
    low: tuple[float, float, float], high: tuple[float, float, float], row: int, depth_m: float,
    dim: float = 1.0,
) -> list[Floats]:  # fmt: skip
    """Front, top, bottom and both sides of an upright box between two corners."""
    (u0, v0, z0), (u1, v1, z1) = low, high
    w, d, h = np.array([u1 - u0, 0, 0]), np.array([0, v1 - v0, 0]), np.array([0, 0, z1 - z0])
    sides = (
        (np.array([u0, v0, z1]), w, -h), (np.array([u0, v1, z1]), w, -d),
        (np.array([u0, v0, z0]), w, d), (np.array([u0, v1, z1]), -d, -h),
        (np.array([u1, v0, z1]), d, -h),
    )  # fmt: skip
    return [_face(*side, row, depth_m=depth_m, dim=dim) for side in sides]


def wall_faces(wall: Wall, bank: Bank, *, hidden_markers: frozenset[int] = frozenset()) -> Floats:
    """The wall itself: room, back, posts, boards, hooks, markers; (F, FACE_COLUMNS)."""
    w, d, h = wall.width_m, wall.depth_m, wall.height_m
    skins = _room_skins(w, h)
    room, floor, back, board, post, steel = (bank.once(name, skins[name]) for name in skins)
    faces = [
        _face(np.array([-3.0, d + 0.03, 3.2]), np.array([6.0 + w, 0, 0]), np.array([0, 0, -3.2]),
              room, depth_m=10.0, dim=0.8),
        _face(np.array([-3.0, d + 0.03, 0.0]), np.array([6.0 + w, 0, 0]), np.array([0, -4.0, 0]),
              floor, depth_m=10.0, dim=0.8),
        _face(np.array([0, d, h]), np.array([w, 0, 0]), np.array([0, 0, -h]), back,
              depth_m=d, dim=1.1),
    ]  # fmt: skip
    for u in (-0.07, w):
        faces += _box((u, 0.0, 0.0), (u + 0.07, d + 0.02, h), post, d)
    for one in wall.boards:
        faces += _box((0.0, 0.0, one.z_m - 0.02), (w, d, one.z_m), board, d)
    for hook in wall.hooks:
        low = (hook.u_m - 0.004, d - hook.reach_m, hook.z_m - 0.004)
        faces += _box(low, (hook.u_m + 0.004, d, hook.z_m + 0.004), steel, d)
    for marker in wall.markers:
        if marker.marker in hidden_markers:
            continue
        u, v, z = marker.centre_m
        half = marker.size_m * 8 / 12
        if v < d - 0.01 and not _on_something(wall, (u, v, z)):
            faces += _box((u - half, v + 0.0002, z - half), (u + half, d, z + half), post, d)
        row = bank.once(f"marker-{marker.marker}", marker_print(marker.marker))
        faces.append(
            _face(np.array([u - half, v - 0.001, z + half]), np.array([2 * half, 0, 0]),
                  np.array([0, 0, -2 * half]), row, depth_m=d, dim=1.0)
        )  # fmt: skip
    return np.stack(faces)


@lru_cache(maxsize=16)
def _room_skins(width_m: float, height_m: float) -> dict[str, NDArray[np.uint8]]:
    """The textures of a wall of a size: room, floor, back, board, post, steel."""
    rng = np.random.default_rng(77)
    return {
        "room": plain_skin(rng, (2.0, 1.0), (178, 174, 166)),
        "floor": plain_skin(rng, (2.0, 2.0), (128, 122, 116)),
        "back": panel_skin(rng, (width_m, height_m), _BACK),
        "board": plain_skin(rng, (1.0, 0.3), _BOARD),
        "post": plain_skin(rng, (0.1, 1.0), _POST),
        "steel": plain_skin(rng, (0.1, 0.1), (150, 152, 156)),
    }


def _on_something(wall: Wall, at: tuple[float, float, float]) -> bool:
    """Whether a marker lies on a post or on a board's front edge."""
    u, v, _ = at
    return v < 0.001 and (u < 0.0 or u > wall.width_m)


def parcel_faces(parcel: SimParcel, pose: ParcelPose, bank: Bank, wall: Wall) -> Floats:
    """The faces of one parcel where it is, (F, FACE_COLUMNS)."""
    right, up, out = frame_of(pose)
    w, h, d = parcel.size_m
    depth_m = wall.depth_m
    front, side = _skins(parcel, bank)
    label = bank.add_label(parcel)
    key = PARCEL_ID + parcel.index
    middle = np.array(pose.at_m)
    top_left = middle - right * (w / 2) + up * (h / 2)
    x, y, z = right * w, -up * h, out * d
    sheet = parcel.kind in ("envelope", "mailer")
    flags = _HOLES if sheet else 0.0
    faces = [_face(top_left, x, y, front, depth_m=depth_m, key=key, flags=flags, label=label)]
    if sheet:
        inset = np.array([0.012, 0.012])
        w, h = w - 2 * inset[0], h - 2 * inset[1]
        top_left = top_left + right * inset[0] - up * inset[1] - 0.002 * out
        x, y, z = right * w, -up * h, out * (d - 0.002)
    faces += [
        _face(top_left - z, x, z, side, depth_m=depth_m, key=key),
        _face(top_left + y, x, -z, side, depth_m=depth_m, key=key),
        _face(top_left - z, z, y, side, depth_m=depth_m, key=key),
        _face(top_left + x, -z, y, side, depth_m=depth_m, key=key),
        _face(top_left + x - z, -x, y, side, depth_m=depth_m, key=key),
    ]
    if parcel.hangs:
        row = bank.known(f"handle-{parcel.index}")
        if row is None:
            row = bank.once(f"handle-{parcel.index}", handle_skin(parcel.rgb))
        start = middle + up * (h / 2 + 0.09) - right * 0.03 - out * (d / 2)
        faces.append(
            _face(start, right * 0.06, -up * 0.09, row, depth_m=depth_m, key=key,
                  flags=_HOLES + _TWO_SIDED)
        )  # fmt: skip
    return np.stack(faces)


def shadow_faces(parcel: SimParcel, pose: ParcelPose, bank: Bank, wall: Wall) -> Floats:
    """The soft shadows of a standing parcel on its board and on the wall's back; (F, columns)."""
    w, h, d = parcel.size_m
    u, v, z = pose.at_m
    depth_m = wall.depth_m
    row = bank.known("shadow")
    if row is None:
        row = bank.once("shadow", shadow_skin((126, 125, 124)))
    flags = _HOLES + _TWO_SIDED
    behind = min(depth_m, v + d) / depth_m
    wide = w * (1.05 + 0.25 * (1 - behind))
    faces = [
        _face(np.array([u - wide / 2, depth_m - 0.001, z + 0.45 * h]), np.array([wide, 0, 0]),
              np.array([0, 0, -1.1 * h]), row, depth_m=depth_m, flags=flags),
    ]  # fmt: skip
    if not parcel.hangs:
        ground = z - h / 2 * math.cos(math.radians(pose.tilt_deg))
        near, far = max(0.002, v - 0.03), min(depth_m - 0.002, v + d + 0.07)
        if far > near + 0.01:
            faces.append(
                _face(np.array([u - 0.57 * w, far, ground + 0.0004]), np.array([1.14 * w, 0, 0]),
                      np.array([0, near - far, 0]), row, depth_m=depth_m, flags=flags)
            )  # fmt: skip
    return np.stack(faces)


def _skins(parcel: SimParcel, bank: Bank) -> tuple[int, int]:
    """Rows of a parcel's front and of its other faces."""
    front, side = bank.known(f"front-{parcel.index}"), bank.known(f"side-{parcel.index}")
    if front is None or side is None:
        rng = np.random.default_rng([bank.seed, 300 + parcel.index])
        w, h, _ = parcel.size_m
        front = bank.once(f"front-{parcel.index}", front_skin(rng, parcel.kind, (w, h), parcel.rgb))
        rgb = KRAFT if parcel.kind == "box" else parcel.rgb
        side = bank.once(f"side-{parcel.index}", side_skin(rng, parcel.kind, rgb))
    return front, side
