"""Colours of the bare wall: what is in front of it is seldom of its colour all over, and what stood
there and went shows it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from vision.wall.scene import F32, Mask

__all__ = ["ALIKE", "FAR_PX", "BareWall", "bare_share"]

FAR_PX = 18
"""So many small pixels around a place its wall's colours are taken from."""
FREE_PX_MIN = 40
ROW_STEP, COLUMN_STEP = 2, 2
ROW_PX_MIN, JUDGED_MIN = 4, 12
ALIKE = 0.03
"""Colours that differ less are the same."""


@dataclass(frozen=True, slots=True)
class BareWall:
    """What is known of how the wall looks: `image` (h, w, 3) and where in it the wall is `free`
    (h, w)."""

    image: F32
    free: Mask


def bare_share(here: F32, spots: Mask, wall: F32, free: Mask, first: int) -> float:
    """The share of `spots` in a picture (h, w, 3), 0..1, that has a colour of what is `free` in
    another, (H, W, 3), that begins `first` rows above it. 0 where too little is free or judged."""
    if free.sum() < FREE_PX_MIN:
        return 0.0
    alike = judged = 0
    # A wall looks the same along a row: its back, its boards, their shadows.
    for row in range(0, spots.shape[0], ROW_STEP):
        chosen = here[row][spots[row]][::COLUMN_STEP]
        near = slice(max(0, first + row - 1), first + row + 2)
        colours = wall[near][free[near]]
        if not len(chosen) or len(colours) < ROW_PX_MIN:
            continue
        apart = np.abs(chosen[:, None] - colours[None]).max(axis=2).min(axis=1)
        alike += int((apart < ALIKE).sum())
        judged += len(chosen)
    return alike / judged if judged >= JUDGED_MIN else 0.0
