"""Hands and bodies that press on boards for a while: load that comes and goes."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Presses"]


@dataclass(frozen=True, slots=True)
class _Press:
    begin_s: float
    end_s: float
    shares: tuple[tuple[int, float], ...]
    strength_g: float


class Presses:
    """What presses on a store's plates; a press swells and fades like half a sine."""

    def __init__(self, plates: int) -> None:
        self._nothing = np.zeros(plates)
        self._pressing: list[_Press] = []

    def add(
        self, begin_s: float, seconds: float, shares: tuple[tuple[int, float], ...], grams: float
    ) -> None:
        """A hand presses with up to `grams`, of which each plate row gets its share."""
        self._pressing.append(_Press(begin_s, begin_s + seconds, shares, grams))

    def push_g(self, t_s: float) -> NDArray[np.float64]:
        """Grams on each plate now, (P,) float64; not to be written to."""
        if not self._pressing:
            return self._nothing
        push = np.zeros(len(self._nothing))
        for press in self._pressing:
            share = (t_s - press.begin_s) / max(1e-3, press.end_s - press.begin_s)
            level = press.strength_g * math.sin(math.pi * min(1.0, max(0.0, share)))
            for row, part in press.shares:
                push[row] += part * level
        self._pressing = [press for press in self._pressing if press.end_s > t_s]
        return push
