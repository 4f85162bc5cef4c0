"""What lies and presses on the plates, tick by tick: the world's output that plates read."""

from __future__ import annotations

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
