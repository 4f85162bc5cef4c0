"""Upright boxes around outlines: corners (u, z) in metres.

>>> size(((0.0, 0.0), (0.2, 0.0), (0.2, 0.1), (0.0, 0.1)))
(0.2, 0.1)
"""

from __future__ import annotations

import math
from collections.abc import Sequence

__all__ = ["Point", "apart", "box", "holds", "middle", "size"]

Point = tuple[float, float]


def box(corners: Sequence[Point]) -> tuple[Point, Point]:
    """The least and the greatest of their coordinates."""
    us, zs = [u for u, _ in corners], [z for _, z in corners]
    return (min(us), min(zs)), (max(us), max(zs))


def size(corners: Sequence[Point]) -> Point:
    """How wide and how high they are."""
    (u0, z0), (u1, z1) = box(corners)
    return u1 - u0, z1 - z0


def middle(corners: Sequence[Point]) -> Point:
    """The mean of the corners."""
    us, zs = [u for u, _ in corners], [z for _, z in corners]
    return sum(us) / len(us), sum(zs) / len(zs)


def apart(one: Sequence[Point], other: Sequence[Point]) -> float:
    """How far their middles are apart."""
    (u, z), (other_u, other_z) = middle(one), middle(other)
    return math.hypot(u - other_u, z - other_z)


def holds(outline: Sequence[Point], point: Point) -> bool:
    """Whether a point is in the box around an outline."""
    (u0, z0), (u1, z1) = box(outline)
    return u0 <= point[0] <= u1 and z0 <= point[1] <= z1
