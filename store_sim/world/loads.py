"""What lies and presses on the plates, tick by tick: the world's output that plates read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["PlateLoads"]


@dataclass(frozen=True, slots=True)
class PlateLoads:
    """What lay and pressed on each plate: `t_s` (N,), `grams` and `push_g` (N, P) float64."""

    t_s: NDArray[np.float64]
    grams: NDArray[np.float64]
    push_g: NDArray[np.float64]

    @classmethod
    def of(
        cls,
        rows: Sequence[tuple[float, NDArray[np.float64], NDArray[np.float64]]],
        plates: int,
    ) -> PlateLoads:
        """From a row (time, grams, push) per tick."""
        if not rows:
            none = np.zeros((0, plates))
            return cls(np.zeros(0), none, none)
        return cls(
            np.array([row[0] for row in rows]),
            np.stack([row[1] for row in rows]),
            np.stack([row[2] for row in rows]),
        )
