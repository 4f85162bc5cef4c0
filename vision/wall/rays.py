"""Several cameras' rays to one label, and an outline set at another depth along them."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from vision.wall.records import Corners, Sight

__all__ = ["at_depth", "depth_of"]

RAY_SD_M = 0.0015
"""How well the middle of a label is seen, at the wall."""
SPREAD_MIN = 0.05
"""Rays more parallel than this (sine) tell no depth."""
APART_M = 0.03
"""Rays that pass each other farther off are not of the same label."""


def depth_of(sights: Sequence[Sight]) -> tuple[float, float] | None:
    """(v, standard deviation) of where rays of two or more cameras to one label meet; None if they
    do not, or nearly in one direction."""
    if len(sights) < 2:
        return None
    eyes = np.array([one.eye_m for one in sights])
    rays = np.array([one.centre_m for one in sights]) - eyes
    rays /= np.linalg.norm(rays, axis=1, keepdims=True)
    spread = max(
        float(np.linalg.norm(np.cross(rays[i], rays[k])))
        for i in range(len(rays))
        for k in range(i)
    )
    if spread < SPREAD_MIN:
        return None
    across = np.eye(3)[None] - rays[:, :, None] * rays[:, None, :]
    point = np.linalg.solve(across.sum(axis=0), np.einsum("nij,nj->i", across, eyes))
    apart = np.linalg.norm(np.einsum("nij,nj->ni", across, point - eyes), axis=1)
    if float(apart.max()) > APART_M:
        return None
    return float(point[1]), math.hypot(RAY_SD_M, float(apart.max())) / spread


def at_depth(sight: Sight, v_m: float, corners: Corners | None = None) -> Corners:
    """The outline (u, z) that a camera sees, or other corners that it sees as deep, if their plane
    is at v and not where the camera took it to be: each corner moves along its ray."""
    corners = sight.outline_m if corners is None else corners
    eye_u, eye_v, eye_z = sight.eye_m
    if abs(sight.v_m - eye_v) < 1e-6:
        return corners
    factor = (v_m - eye_v) / (sight.v_m - eye_v)
    return tuple(
        (round(eye_u + (u - eye_u) * factor, 5), round(eye_z + (z - eye_z) * factor, 5))
        for u, z in corners
    )
