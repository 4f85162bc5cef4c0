"""Shadows: a thing that is put down darkens what is behind it, and no thing came there.

A shadow takes as much of every colour, for what lies in it is lit by the same lamps as before, only
by fewer of them. A dark thing does that only where its own colour is the wall's.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from vision.wall.scene import F32, Mask

__all__ = ["gap_px", "is_shade"]

TOUCHED = 0.06
"""A pixel that kept all but such a share of its light is not in the shadow, only within it."""
MOST_MIN = 0.5
"""Such a share of the region must have become darker."""
LEFT = (0.3, 0.92)
"""What a shadow leaves of the light, in the median."""
ALIKE = 1.06
"""The channel that keeps most keeps at most so many times what the one does that keeps least."""
DARK = 0.02
"""Of what was darker than this share of full scale nothing can be told."""


def is_shade(before: F32, now: F32, region: Mask) -> bool:
    """Whether a region (h, w) of two pictures (h, w, 3), 0..1, is as before but for less light."""
    was, became = before[region], now[region]
    bright = was.min(axis=1) > DARK
    kept: NDArray[np.float32] = became[bright] / was[bright]
    darker = kept.max(axis=1) < 1.0 - TOUCHED
    if np.count_nonzero(darker) < MOST_MIN * len(was):
        return False
    shares = np.median(kept[darker], axis=0)
    low, high = float(shares.min()), float(shares.max())
    return LEFT[0] <= low and high <= LEFT[1] and high <= ALIKE * low


def gap_px(
    box: tuple[int, int, int, int], low: NDArray[np.float64], top: NDArray[np.float64]
) -> float:
    """How far a box (left, upper, right, lower) is from one between two corners (x, y), along the
    axis that parts them more; 0 where they touch."""
    left, upper, right, lower = box
    across = max(low[0] - right, left - top[0])
    along = max(low[1] - lower, upper - top[1])
    return max(0.0, float(across), float(along))
