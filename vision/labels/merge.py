"""What several readings of one picture come to: one code a place, or none where they disagree.

A code is believed when its error correction says so (QR, DataMatrix, Aztec, PDF417), or, of codes
of bars, when two readings agree that were not made in the same way (two engines, or one engine on
a picture made ready in two ways) or the bars themselves have been compared with what the text
would print (`Evidence.proven`). Different texts at one place are a conflict: the better founded
reading stands if there is one, else both are dropped.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from contracts.wall import Symbology
from vision.labels.code import CHECKED, LINEAR, MATRIX, WALL_FORMATS, Code, Points
from vision.labels.engines import Reading

__all__ = ["Evidence", "area", "believed", "gathered", "overlap"]

SAME_PLACE_MIN = 0.25
"""Share of the smaller polygon that two readings of one place have in common."""
PART_MAX = 1.3
"""A code so many times as long as another at its place was read whole, the other in part."""
LINE_PX = 2.0
"""A code of bars read along one line only is taken to be at least so high, pixels."""


@dataclass(frozen=True, eq=False)
class Evidence:
    """All readings of one text at one place."""

    readings: tuple[Reading, ...]

    @property
    def text(self) -> str:
        """What they say."""
        return self.readings[0].text

    @property
    def format(self) -> str:
        """What kind of code they say it is."""
        return self.readings[0].format

    @property
    def proven(self) -> bool:
        """Whether the bars themselves were compared with the text."""
        return any(one.engine == "bars" for one in self.readings)

    @property
    def engines(self) -> int:
        """How many engines read it."""
        return len({one.engine for one in self.readings})

    @property
    def ways(self) -> int:
        """In how many ways it was read, engines and preparations counted apart."""
        return len({(one.engine, one.way) for one in self.readings})

    @property
    def best(self) -> Reading:
        """Our own reading's polygon spans the bars; of engines' the largest is best, as the lines
        they read lie inside the code."""
        return max(self.readings, key=lambda one: (one.engine == "bars", area(one.polygon)))


def overlap(a: Points, b: Points) -> float:
    """Share of the smaller of two convex polygons (4, 2) that lies in the other."""
    fat_a, fat_b = _fat(a), _fat(b)
    shared, _ = cv2.intersectConvexConvex(fat_a, fat_b)
    return float(shared) / max(1e-6, min(area(fat_a), area(fat_b)))


def gathered(readings: Iterable[Reading]) -> list[Evidence]:
    """Readings put together by text and place."""
    groups: list[list[Reading]] = []
    for one in readings:
        for group in groups:
            alike = one.text == group[0].text and one.format == group[0].format
            if alike and any(_same_code(one, other) for other in group):
                group.append(one)
                break
        else:
            groups.append([one])
    return [Evidence(tuple(group)) for group in groups]


def believed(evidence: Sequence[Evidence], *, alone: tuple[str, ...] = MATRIX) -> tuple[Code, ...]:
    """The codes that stand, each place once. Of the formats `alone` one engine's word will do:
    where frames follow each other, agreement over frames takes the second's place."""
    standing = [
        one
        for one in evidence
        if (_worth(one) > 0 or one.format in alone)
        and all(
            _beats(one, other)
            for other in evidence
            if other is not one
            and other.text != one.text
            and overlap(one.best.polygon, other.best.polygon) >= SAME_PLACE_MIN
        )
    ]
    return tuple(_code(one) for one in standing)


def _beats(one: Evidence, other: Evidence) -> bool:
    """Whether of two texts at one place the one stands: it is better founded, or as well founded
    and the other is but a part of it."""
    if _worth(one) != _worth(other):
        return _worth(one) > _worth(other)
    return one.format in LINEAR and _length(one) >= PART_MAX * _length(other)


def _length(one: Evidence) -> float:
    polygon = one.best.polygon
    return float(np.linalg.norm(polygon[1] - polygon[0]))


def _worth(one: Evidence) -> int:
    """0 for what is not believed; the more the better founded."""
    if one.format in MATRIX:
        return 4
    if one.proven:
        return 3
    if one.engines >= 2:
        return 2
    return 1 if one.ways >= 2 and one.format in CHECKED else 0


def _code(one: Evidence) -> Code:
    best = one.best
    symbology: Symbology | None = None
    if best.format in WALL_FORMATS:
        symbology = best.format  # type: ignore[assignment]
    modules = max(reading.modules for reading in one.readings)
    return Code(best.text, symbology, best.polygon, best.format, modules)


def _same_code(a: Reading, b: Reading) -> bool:
    if overlap(a.polygon, b.polygon) >= SAME_PLACE_MIN:
        return True
    if a.format not in LINEAR:
        return False
    # Two lines through the same bars: they go the same way, one beside the other.
    along = a.polygon[1] - a.polygon[0] + a.polygon[2] - a.polygon[3]
    width = float(np.linalg.norm(along)) / 2.0
    if width < 1.0:
        return False
    along = along / (2.0 * width)
    apart = b.polygon.mean(axis=0) - a.polygon.mean(axis=0)
    shift = abs(float(apart @ along))
    aside = abs(float(apart[0] * along[1] - apart[1] * along[0]))
    other = b.polygon[1] - b.polygon[0]
    same_way = abs(float(other @ along)) >= 0.9 * float(np.linalg.norm(other))
    return same_way and shift <= 0.2 * width and aside <= 0.25 * width


def _fat(polygon: Points) -> Points:
    """The polygon, made at least LINE_PX high and wide."""
    box = cv2.minAreaRect(polygon)
    if min(box[1]) >= LINE_PX:
        return polygon
    size = (max(box[1][0], LINE_PX), max(box[1][1], LINE_PX))
    return cv2.boxPoints((box[0], size, box[2])).astype(np.float32)


def area(polygon: Points) -> float:
    """Square pixels of a polygon (4, 2), whichever way round its corners go."""
    return abs(float(cv2.contourArea(polygon)))
