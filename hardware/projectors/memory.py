"""A projector that only remembers what it was to show."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hardware.pictures import check_picture

__all__ = ["MemoryProjector"]


class MemoryProjector:
    """`shown` lies on the wall now (None: dark), since `shown_s`; `pictures` counts them. `plugged`
    may be set by a test."""

    def __init__(self, projector_id: str, *, width: int, height: int) -> None:
        self._projector_id = projector_id
        self._size = (width, height)
        self.shown: NDArray[np.uint8] | None = None
        self.shown_s = 0.0
        self.pictures = 0
        self.plugged = True

    @property
    def projector_id(self) -> str:
        """The projector's id in the store file."""
        return self._projector_id

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self._size

    def show(self, rgb: NDArray[np.uint8], *, now_s: float) -> None:
        """Remembers the picture."""
        check_picture(rgb, self._size, f"projector {self._projector_id}")
        self.shown, self.shown_s = rgb.copy(), now_s
        self.pictures += 1

    def close(self) -> None:
        """Goes dark."""
        self.shown = None
