"""The motion gate of a shelf camera: lets an idle shelf sleep, and says when a picture is blind.

Costs well under a millisecond: it looks at every twelfth pixel of every twelfth row.
"""

from __future__ import annotations

from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract

__all__ = ["GateSettings", "ShelfGate"]

GRID = 12


class GateSettings(Contract):
    """Levels are those of 8-bit pictures."""

    motion_levels: Annotated[float, Field(gt=0, le=255, description="change that counts")] = 14.0
    motion_cells: Annotated[int, Field(ge=1, le=10_000, description="so many of them")] = 5
    awake_s: Annotated[float, Field(ge=0, le=60, description="awake after the last motion")] = 1.0
    look_every_s: Annotated[float, Field(gt=0, le=60, description="asleep, look so often")] = 1.0
    follow: Annotated[float, Field(gt=0, le=1, description="background follows the light")] = 0.1
    black_mean: Annotated[float, Field(ge=0, le=255)] = 10.0
    flat_sd: Annotated[float, Field(ge=0, le=255, description="a covered lens shows less")] = 6.0
    covered_s: Annotated[float, Field(ge=0, le=60, description="flat so long is covered")] = 1.5
    frozen_s: Annotated[float, Field(gt=0, le=600, description="bit by bit the same")] = 20.0


class ShelfGate:
    """Feed it every frame; `blind` says why the last one cannot be judged, None if it can.
    `dull`: the last frame is dark or flat, whether that lasted long enough to be blind or not."""

    def __init__(self, settings: GateSettings) -> None:
        self._set = settings
        self._background: NDArray[np.float32] | None = None
        self._last: NDArray[np.uint8] | None = None
        self._awake_until_s = -np.inf
        self._changed_s: float | None = None
        self._dull_since_s: float | None = None
        self.blind: str | None = None

    @property
    def dull(self) -> bool:
        """Whether the last frame shows next to nothing."""
        return self._dull_since_s is not None

    def wake(self, t_s: float) -> None:
        """Somebody is there: stay awake."""
        self._awake_until_s = max(self._awake_until_s, t_s + self._set.awake_s)

    def step(self, t_s: float, rgb: NDArray[np.uint8]) -> bool:
        """Whether the frame deserves a closer look."""
        small = np.ascontiguousarray(rgb[GRID // 2 :: GRID, GRID // 2 :: GRID])
        self.blind = self._judge(t_s, small)
        grey = small.astype(np.float32).mean(axis=2)
        if self._background is None:
            self._background = grey
            self.wake(t_s)
            return True
        # The camera's gain moves all levels together; what is left is motion.
        shift = float(np.median(grey - self._background))
        apart = np.abs(grey - self._background - shift)
        moved = int((apart > self._set.motion_levels).sum())
        rate = self._set.follow if moved < self._set.motion_cells else 1.0
        self._background += rate * (grey - self._background)
        if moved >= self._set.motion_cells:
            self.wake(t_s)
        return t_s <= self._awake_until_s

    def _judge(self, t_s: float, small: NDArray[np.uint8]) -> str | None:
        if self._last is None or self._changed_s is None or not np.array_equal(small, self._last):
            self._changed_s = t_s
        self._last = small
        if t_s - self._changed_s > self._set.frozen_s:
            return f"frozen: the same picture for {self._set.frozen_s:.0f} s"
        mean, spread = float(small.mean()), float(small.std())
        if mean >= self._set.black_mean and spread >= self._set.flat_sd:
            self._dull_since_s = None
            return None
        if self._dull_since_s is None:
            self._dull_since_s = t_s
        if t_s - self._dull_since_s < self._set.covered_s:
            return None
        return "black: no light reaches it" if mean < self._set.black_mean else "covered: flat"
