"""A strip of lamps that only remembers."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hardware.pictures import check_colours

__all__ = ["MemoryLight"]


class MemoryLight:
    """`shown` (lamps, 3) is what shines now, since `shown_s`; `changes` counts."""

    def __init__(self, light_id: str, *, lamps: int) -> None:
        self._light_id = light_id
        self.shown: NDArray[np.uint8] = np.zeros((lamps, 3), np.uint8)
        self.shown_s = 0.0
        self.changes = 0

    @property
    def light_id(self) -> str:
        """The strip's id in the store file."""
        return self._light_id

    def show(self, colours: NDArray[np.uint8], *, now_s: float) -> None:
        """Remembers the colours."""
        check_colours(colours, len(self.shown), f"light {self._light_id}")
        if not np.array_equal(colours, self.shown):
            self.changes += 1
        self.shown, self.shown_s = colours.copy(), now_s

    def close(self) -> None:
        """Goes dark."""
        self.shown = np.zeros_like(self.shown)
