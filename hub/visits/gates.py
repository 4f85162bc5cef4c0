"""Geometry of gates on the floor plan: zones, lines, and which way is out."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.geometry import Bay, Gate
from contracts.store_file import StoreFile

__all__ = ["Exit", "bay_distance_m", "centre", "entry_at", "exits_of", "gate_of", "inside"]

LINE_MARGIN_M = 0.3
"""A line may be passed this far beyond its ends: people brush along the posts."""
Point = tuple[float, float]


def inside(point: Point, polygon: Sequence[Point]) -> bool:
    """Whether a point lies in a polygon (even-odd rule; the edge counts on one side)."""
    x, y = point
    odd = False
    for (x0, y0), (x1, y1) in zip(polygon, [*polygon[1:], polygon[0]], strict=True):
        if (y0 > y) != (y1 > y) and x < (x1 - x0) * (y - y0) / (y1 - y0) + x0:
            odd = not odd
    return odd


def centre(polygon: Sequence[Point]) -> Point:
    """The mean of a polygon's corners."""
    count = len(polygon)
    return sum(p[0] for p in polygon) / count, sum(p[1] for p in polygon) / count


def gate_of(store: StoreFile, gate_id: str) -> Gate | None:
    """The gate of a name, None if the store has none."""
    return next((gate for gate in store.gates if gate.gate_id == gate_id), None)


def entry_at(store: StoreFile, point: Point) -> str:
    """The entry gate in whose zone a point lies, "" for none."""
    entries = (gate for gate in store.gates if gate.kind == "entry")
    return next((gate.gate_id for gate in entries if inside(point, gate.zone_m)), "")


@dataclass(frozen=True, slots=True)
class Exit:
    """An exit's line, from `a` to `b`. `inner` is the sign of the side that the store is on."""

    gate_id: str
    a: Point
    b: Point
    inner: float

    def crossing(self, start: Point, end: Point) -> float | None:
        """Where on the way from start to end the line is passed outwards: 0 to 1, or None."""
        a, b, inner = self.a, self.b, self.inner
        side_end = (b[0] - a[0]) * (end[1] - a[1]) - (b[1] - a[1]) * (end[0] - a[0])
        if side_end * inner > 0.0:
            return None
        side_start = _side(a, b, start)
        if inner == 0.0 or side_start * inner <= 0.0:
            return None
        share = side_start / (side_start - side_end)
        x = start[0] + share * (end[0] - start[0])
        y = start[1] + share * (end[1] - start[1])
        length = math.dist(a, b)
        along = ((x - a[0]) * (b[0] - a[0]) + (y - a[1]) * (b[1] - a[1])) / length
        return share if -LINE_MARGIN_M <= along <= length + LINE_MARGIN_M else None


def exits_of(store: StoreFile) -> tuple[Exit, ...]:
    """The exits of a store. Outwards is away from the middle of its floor."""
    middle = (store.floor.width_m / 2, store.floor.depth_m / 2)
    return tuple(
        Exit(gate.gate_id, *gate.line_m, _side(*gate.line_m, middle))
        for gate in store.gates
        if gate.kind == "exit"
    )


def bay_distance_m(bay: Bay, point: Point) -> float:
    """How far a floor point is from a bay's front plane."""
    uy, ux = bay.normal[0], -bay.normal[1]
    dx, dy = point[0] - bay.origin_m[0], point[1] - bay.origin_m[1]
    along = min(max(dx * ux + dy * uy, 0.0), bay.width_m)
    return math.hypot(dx - along * ux, dy - along * uy)


def _side(a: Point, b: Point, p: Point) -> float:
    return (b[0] - a[0]) * (p[1] - a[1]) - (b[1] - a[1]) * (p[0] - a[0])
