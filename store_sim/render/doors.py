"""Glass doors before bays: a frame with a handle and a pane, hinged at u = 0, opening outwards.

A door's own axes are those of its bay when it is shut: s along u from the hinge, y into the shelf,
z up. Both faces of the pane are glass; fog lies on it in patches and leaves its rim clear.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay
from contracts.store_file import StoreFile
from store_sim.errors import RenderError
from store_sim.render.glass import Glass, glass_of
from store_sim.render.mesh import Bank, Mesh, MeshBuilder, make_bank
from store_sim.render.static import bay_axes
from store_sim.render.textures import noise, solid
from store_sim.scene import DoorPose

__all__ = ["Door", "door_angles", "door_bank", "doors_of", "swung"]

Floats = NDArray[np.float64]

_FRAME, _HANDLE, _PANE, _RUBBER = range(4)
_HINGE_V_M = -0.028
"""Doors stand this far before the front plane, clear of the boards' price rails."""
_BAR_M = 0.042
_THICK_M = 0.030
_CELL_M = 0.20
_FOG_CELL_M = 0.075
_CLEAR_VEIL = 0.07
_FOG_VEIL = 0.86
_SHEEN = 0.35


@dataclass(frozen=True, slots=True)
class Door:
    """The door of a bay in its own axes."""

    bay: Bay
    frame: Mesh
    pane: Glass


def door_bank() -> Bank:
    """Textures of frames, handles and panes."""
    rng = np.random.default_rng(0xD0)
    return make_bank(
        [
            solid(rng, (74, 77, 82), 32, 5.0),
            solid(rng, (186, 188, 192), 16, 8.0),
            np.full((8, 8, 3), (226, 236, 236), np.uint8),
            solid(rng, (30, 31, 33), 16, 3.0),
        ]
    )


def doors_of(store: StoreFile, fog: float = 0.0) -> dict[str, Door]:
    """The glass doors of a store by bay; `fog` is 0 (clear) to 1."""
    return {bay.bay_id: _door(bay, fog) for bay in store.bays if bay.door == "glass"}


def door_angles(doors: dict[str, Door], poses: tuple[DoorPose, ...]) -> dict[str, float]:
    """The angle of each door in radians, 0 where no pose is given; RenderError for no door."""
    angles = dict.fromkeys(doors, 0.0)
    for pose in poses:
        if pose.bay_id not in angles:
            raise RenderError(
                f"expected a door pose of a bay with a glass door, got bay {pose.bay_id}; "
                f"set door: glass for it in the store file"
            )
        angles[pose.bay_id] = pose.angle_rad
    return angles


def _door(bay: Bay, fog: float) -> Door:
    w, low, high = bay.width_m, 0.05, bay.height_m - 0.01
    outer, inner = -_THICK_M, 0.0
    build = MeshBuilder()
    bars = (
        ((0.004, low), (_BAR_M, high)), ((w - _BAR_M, low), (w - 0.004, high)),
        ((_BAR_M, low), (w - _BAR_M, low + 1.6 * _BAR_M)),
        ((_BAR_M, high - _BAR_M), (w - _BAR_M, high)),
    )  # fmt: skip
    for (s0, z0), (s1, z1) in bars:
        build.box((s0, outer, z0), (s1, inner, z1), _FRAME, scale=2.0)
    rim = 0.008
    left, right = _BAR_M, w - _BAR_M
    bottom, top = low + 1.6 * _BAR_M, high - _BAR_M
    for s0, z0, s1, z1 in (
        (left, bottom, left + rim, top), (right - rim, bottom, right, top),
        (left, bottom, right, bottom + rim), (left, top - rim, right, top),
    ):  # fmt: skip
        build.box((s0, outer + 0.006, z0), (s1, inner - 0.006, z1), _RUBBER, scale=2.0)
    grip0 = low + 0.40 * (high - low)
    grip1 = grip0 + min(0.42, 0.3 * (high - low))
    at = w - 0.5 * _BAR_M
    build.box((at - 0.011, outer - 0.052, grip0), (at + 0.011, outer - 0.032, grip1), _HANDLE,
              scale=4.0)  # fmt: skip
    for z in (grip0 + 0.03, grip1 - 0.03):
        build.box((at - 0.007, outer - 0.034, z - 0.01), (at + 0.007, outer, z + 0.01), _HANDLE)
    return Door(bay, build.build(), _pane(left, right, bottom, top, fog))


def _pane(left: float, right: float, bottom: float, top: float, fog: float) -> Glass:
    cell_m = _FOG_CELL_M if fog > 0.0 else _CELL_M
    cells = (max(4, round((right - left) / cell_m)), max(6, round((top - bottom) / cell_m)))
    y = -0.5 * _THICK_M
    build = MeshBuilder()
    outer = [[left, y, top], [right, y, top], [right, y, bottom], [left, y, bottom]]
    build.quad(np.array(outer), (0, -1, 0), (0, 0, 1, 1), _PANE, cells=cells)
    inner = np.array(outer)[[1, 0, 3, 2]] + np.array([0.0, 0.002, 0.0])
    build.quad(inner, (0, 1, 0), (0, 0, 1, 1), _PANE, cells=cells)
    glass = glass_of([(build.build(), _CLEAR_VEIL, _SHEEN, False)])
    if fog <= 0.0:
        return glass
    pos = glass.mesh.pos
    rng = np.random.default_rng([0xF06, round(1e3 * (right - left)), round(1e3 * (top - bottom))])
    patches = noise(rng, 64, 64, 5) + 0.6 * noise(rng, 64, 64, 11)
    across = (pos[:, 0] - left) / (right - left)
    up = (pos[:, 2] - bottom) / (top - bottom)
    column = np.clip(np.rint(across * 63), 0, 63).astype(int)
    row = np.clip(np.rint(up * 63), 0, 63).astype(int)
    rim = np.minimum(np.minimum(pos[:, 0] - left, right - pos[:, 0]),
                     np.minimum(pos[:, 2] - bottom, top - pos[:, 2]))  # fmt: skip
    covered = np.clip((rim + 0.01) / 0.11, 0.0, 1.0)
    # Cold air falls: fog is thickest low on the pane.
    amount = fog * (0.78 + 0.30 * patches[row, column] + 0.22 * (0.5 - up)) * covered
    veil = _CLEAR_VEIL + (_FOG_VEIL - _CLEAR_VEIL) * np.clip(amount, 0.0, 1.0)
    return Glass(glass.mesh, veil, glass.sheen * (1.0 - 0.8 * fog * covered), glass.solid)


def swung(door: Door, points: Floats, angle_rad: float, *, turn_only: bool = False) -> Floats:
    """World positions (V, 3) of points of a door opened by an angle; `turn_only` for normals."""
    cos, sin = math.cos(angle_rad), math.sin(angle_rad)
    s, y = points[:, 0], points[:, 1]
    u = s * cos + y * sin
    v = y * cos - s * sin
    if not turn_only:
        v = v + _HINGE_V_M
    origin, u_axis, normal = bay_axes(door.bay)
    world = np.empty_like(points)
    for k in range(3):
        world[:, k] = u * u_axis[k] - v * normal[k]
    world[:, 2] += points[:, 2]
    return world if turn_only else world + origin
