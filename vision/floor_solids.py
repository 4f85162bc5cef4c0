"""Heads over shelves are no people: a ball on a top board, a face on a poster, a ghost."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Footprint
from vision.observations import CeilingObservation

__all__ = ["off_shelves"]


def off_shelves(
    seen: CeilingObservation, solids: Sequence[Footprint], margin_m: float
) -> CeilingObservation:
    """The observation without heads more than `margin_m` inside the floor under a bay.

    The margin is what the point under a head may be off: tall people seem further from the camera
    than they stand, and those who crouch nearer to it, over an island if the camera is behind.
    """
    if not solids or not len(seen.heads):
        return seen
    keep = np.ones(len(seen.heads), bool)
    for solid in solids:
        keep &= ~_inside(seen.heads[:, :2], solid, margin_m)
    if keep.all():
        return seen
    return replace(seen, heads=seen.heads[keep], colours=seen.colours[keep])


def _inside(points: NDArray[np.float64], solid: Footprint, margin_m: float) -> NDArray[np.bool_]:
    angle = math.radians(solid.facing_deg)
    dx, dy = points[:, 0] - solid.origin_m[0], points[:, 1] - solid.origin_m[1]
    u_m = dy * math.cos(angle) - dx * math.sin(angle)
    v_m = -(dx * math.cos(angle) + dy * math.sin(angle))
    # Only the front is walked up to: the sides and the back of a bay are walls or other bays.
    inside: NDArray[np.bool_] = (
        (v_m > margin_m) & (v_m < solid.depth_m) & (u_m > 0.0) & (u_m < solid.width_m)
    )
    return inside
