"""What the names of plates tell of where they stand: perhaps the gondola, perhaps the order.

>>> names_tell([f"{g}_{b}_{p}" for g in (1, 2) for b in (1, 2) for p in range(5)]).gondola[[0, 19]]
array([0, 1])
>>> names_tell(["7103", "4921", "880"]).gondola is None
True

A log of plates carries names, not geometry. Names of real gateways mostly begin with the gondola
(`2_3_11`, `G2/B3/P11`, `Gondola 2, plate 40`) or count the plates through (`plate-017`); serial
numbers of load cells tell nothing. What is told is used only to keep apart what happens far apart
at the same moment, never needed.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

__all__ = ["NamesTell", "names_tell"]

_GROUP_PLATES_MIN = 4
"""A common beginning that fewer plates share is no gondola."""
_DENSE = 0.5
"""Numbers that fill at least this share of their range count plates through."""
_FAR = 24
"""Plates further apart than this in their count stand on other boards: no product reaches."""
_NEAR = 6
"""Plates no further apart than this in their count may well lie under one product."""


@dataclass(frozen=True)
class NamesTell:
    """`gondola` (P,) int64 or None; `order` (P,) int64, places in the count, or None. With
    gondolas the count begins anew in each, and only nearness can be told from it."""

    gondola: NDArray[np.int64] | None
    order: NDArray[np.int64] | None

    def apart(self, plate: int, others: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of `others` stand too far from a plate to carry the same product."""
        if self.gondola is not None:
            return np.asarray(self.gondola[others] != self.gondola[plate])
        if self.order is not None:
            return np.asarray(np.abs(self.order[others] - self.order[plate]) > _FAR)
        return np.zeros(len(others), bool)

    def near(self, plate: int, others: NDArray[np.intp]) -> NDArray[np.bool_]:
        """Which of `others` may lie under one product with a plate; all where nothing is told."""
        if self.order is None:
            return np.ones(len(others), bool)
        steps = np.abs(self.order[others] - self.order[plate])
        return np.asarray((steps <= _NEAR) & ~self.apart(plate, others))


def names_tell(plate_ids: Sequence[str]) -> NamesTell:
    """Looks for gondolas in the names, else for a count; either may not be there."""
    words = [tuple(re.findall(r"\d+|[^\W\d_]+", name.lower())) for name in plate_ids]
    deepest = max((len(one) for one in words), default=0)
    for depth in range(1, deepest):
        heads = [one[:depth] for one in words]
        sizes = Counter(heads)
        if len(sizes) > 1:
            if median(sizes.values()) < _GROUP_PLATES_MIN:
                break
            places = {head: place for place, head in enumerate(sorted(sizes))}
            return NamesTell(
                np.array([places[head] for head in heads], np.int64), _rank(words, depth)
            )
    return NamesTell(None, _count(words))


def _count(words: list[tuple[str, ...]]) -> NDArray[np.int64] | None:
    numbers = [one[-1] if one and one[-1].isdecimal() else "" for one in words]
    if not numbers or not all(0 < len(number) <= 9 for number in numbers):
        return None
    order = np.array([int(number) for number in numbers], np.int64)
    span = int(order.max()) - int(order.min()) + 1
    distinct = len(np.unique(order)) == len(order)
    return order if distinct and len(order) / span >= _DENSE else None


def _rank(words: list[tuple[str, ...]], depth: int) -> NDArray[np.int64] | None:
    """Places in each gondola, counted by what follows its name; None if that is no number."""
    if not all(len(one) > depth and one[-1].isdecimal() for one in words):
        return None
    keys = [tuple((len(word), word) for word in one[depth:]) for one in words]
    ranks: Counter[tuple[str, ...]] = Counter()
    order = np.zeros(len(words), np.int64)
    for place in sorted(range(len(words)), key=lambda n: keys[n]):
        head = words[place][:depth]
        order[place] = ranks[head]
        ranks[head] += 1
    return order
