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
TILES = (5, 8)
"""Rows and columns of tiles that a picture is compared in."""
PLAIN_SD = 4.0
"""A tile with less texture cannot be told from any other."""


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
    alike: Annotated[float, Field(gt=0, le=1, description="a tile that correlates so is there")] = (
        0.6
    )
    lost_share: Annotated[
        float, Field(ge=0, le=1, description="fewer tiles are there: covered or turned")
    ] = 0.2
    dim_share: Annotated[
        float, Field(ge=0, le=1, description="fewer are there, and the picture is soft")
    ] = 0.6
    soft: Annotated[float, Field(ge=0, le=1, description="of its usual sharpness")] = 0.7
    scene_follow: Annotated[float, Field(gt=0, le=1, description="the scene follows, a frame")] = (
        0.01
    )
    frozen_s: Annotated[float, Field(gt=0, le=600, description="bit by bit the same")] = 20.0


class ShelfGate:
    """Feed it every frame; `blind` says why the last one cannot be judged, None if it can.
    `dull`: the last frame is dark or flat, or does not show the shelf, whether that lasted long
    enough to be blind or not."""

    def __init__(self, settings: GateSettings) -> None:
        self._set = settings
        self._background: NDArray[np.float32] | None = None
        self._last: NDArray[np.uint8] | None = None
        self._awake_until_s = -np.inf
        self._changed_s: float | None = None
        self._dull_since_s: float | None = None
        self._scene: NDArray[np.float32] | None = None
        self._sharp = 0.0
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
        grey = small.astype(np.float32).mean(axis=2)
        self.blind = self._judge(t_s, small, self._shows(grey, rgb))
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

    def _shows(self, grey: NDArray[np.float32], rgb: NDArray[np.uint8]) -> bool:
        """Whether this is still the scene that the camera has been showing, and in focus.

        Tiles are compared by correlation, so that light does not matter. People hide some tiles
        and bring edges of their own; a cloth, a push or a torch takes nearly all of them, and what
        is out of focus is soft as well.
        """
        rows = rgb[GRID // 2 :: GRID, :, 1].astype(np.int16)
        sharp = float(np.abs(rows[:, 1:] - rows[:, :-1]).mean())
        if self._scene is None:
            self._scene, self._sharp = grey.copy(), sharp
            return True
        here, there = _tiles(grey), _tiles(self._scene)
        textured = there.std(axis=1) >= PLAIN_SD
        if not textured.any():
            self._scene, self._sharp = grey.copy(), sharp
            return True
        share = float((_correlation(here, there)[textured] > self._set.alike).mean())
        soft = sharp < self._set.soft * self._sharp
        if share < self._set.lost_share or (share < self._set.dim_share and soft):
            return False
        if share >= self._set.dim_share:
            self._scene += self._set.scene_follow * (grey - self._scene)
            self._sharp += self._set.scene_follow * (sharp - self._sharp)
        return True

    def _judge(self, t_s: float, small: NDArray[np.uint8], shows: bool) -> str | None:
        if self._last is None or self._changed_s is None or not np.array_equal(small, self._last):
            self._changed_s = t_s
        self._last = small
        if t_s - self._changed_s > self._set.frozen_s:
            return f"frozen: the same picture for {self._set.frozen_s:.0f} s"
        mean, spread = float(small.mean()), float(small.std())
        if mean >= self._set.black_mean and spread >= self._set.flat_sd and shows:
            self._dull_since_s = None
            return None
        if self._dull_since_s is None:
            self._dull_since_s = t_s
        if t_s - self._dull_since_s < self._set.covered_s:
            return None
        if mean < self._set.black_mean:
            return "black: no light reaches it"
        return "covered: flat" if spread < self._set.flat_sd else "covered, turned or out of focus"


def _tiles(grey: NDArray[np.float32]) -> NDArray[np.float32]:
    """(T, P): the pixels of each tile; what does not fill a tile is left out."""
    rows, columns = TILES
    high, wide = grey.shape[0] // rows, grey.shape[1] // columns
    if not high or not wide:
        return grey.reshape(1, -1)
    cut = grey[: high * rows, : wide * columns]
    parts = cut.reshape(rows, high, columns, wide).swapaxes(1, 2)
    return parts.reshape(rows * columns, high * wide)


def _correlation(one: NDArray[np.float32], other: NDArray[np.float32]) -> NDArray[np.float32]:
    """Pearson's correlation of each tile, (T,)."""
    a = one - one.mean(axis=1, keepdims=True)
    b = other - other.mean(axis=1, keepdims=True)
    sizes = np.sqrt((a * a).mean(axis=1) * (b * b).mean(axis=1))
    found: NDArray[np.float32] = (a * b).mean(axis=1) / np.maximum(sizes, 1e-6)
    return found
