"""Which lost track a new one may continue: near enough, soon enough, in the same clothes."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Gate
from vision.floor_settings import FloorSettings

__all__ = ["LostTrack", "distance_m", "link_cost"]


@dataclass(frozen=True, slots=True)
class LostTrack:
    """A track as it was when it was last seen; metres, seconds, mean colour (3,)."""

    track_id: str
    x: float
    y: float
    seen_s: float
    colour: NDArray[np.float64] | None


def link_cost(
    fresh: LostTrack, born_s: float, lost: LostTrack, gates: Sequence[Gate], use: FloorSettings
) -> float | None:
    """How badly a track born at `born_s` fits a lost one, in half squares of standard deviations;
    None if it cannot be the same person."""
    gap_s = born_s - lost.seen_s
    if not 0.0 <= gap_s <= use.relink_s:
        return None
    gap_m = math.hypot(fresh.x - lost.x, fresh.y - lost.y)
    reach_m = min(0.5 + use.relink_speed * gap_s, use.relink_max_m)
    came_in = gap_m > use.apart_m and any(
        gate.kind == "entry" and distance_m(fresh.x, fresh.y, *gate.line_m) < use.gate_near_m
        for gate in gates
    )
    if gap_m > reach_m or came_in:
        return None
    colour = 0.5
    if fresh.colour is not None and lost.colour is not None:
        gap = float(np.linalg.norm(fresh.colour - lost.colour)) / use.colour_sd
        if gap > use.relink_colour_sds:
            return None
        colour = 0.5 * gap * gap
    return colour + 2.0 * (gap_m / reach_m) ** 2 + 0.05 * gap_s


def distance_m(x: float, y: float, start: tuple[float, float], stop: tuple[float, float]) -> float:
    """Distance of a point from a stretch of line."""
    dx, dy = stop[0] - start[0], stop[1] - start[1]
    length2 = dx * dx + dy * dy
    share = 0.0
    if length2 > 0.0:
        share = min(1.0, max(0.0, ((x - start[0]) * dx + (y - start[1]) * dy) / length2))
    return math.hypot(x - start[0] - share * dx, y - start[1] - share * dy)
