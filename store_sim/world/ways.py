"""Ways round the shelves: a visibility graph over the corners of what stands on the floor.

>>> block = Footprint((0.0, -1.0), -2.0, (1.0, 0.0), 1.0, 1.0, 0.8)
>>> ways = Ways((block,), lambda x, y: True)
>>> ways.route(1.5, 1.0, 1.5, 4.0)[0][0] < 1.0
True

Shortest ways between corners are found by Dijkstra's rule (1959). Only sums, products and square
roots are taken, in a fixed order, so that the same way is found in every process.
"""

from __future__ import annotations

import heapq
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay

__all__ = ["BACK_M", "FRONT_M", "SIDE_M", "Footprint", "Ways", "footprint_of"]

FRONT_M, SIDE_M, BACK_M = 0.36, 0.30, 0.30
"""No body's middle comes nearer to a bay's front, ends and back."""
CORNER_M = 0.06
"""How much further out the corners lie that people walk round."""
HERE_M = 0.03
TURN_M = 0.01
"""What a corner costs, so that of two ways as long the one with fewer is taken."""

Point = tuple[float, float]
Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Footprint:
    """A bay on the floor. A point p lies `p . normal - offset` before the front plane and
    `p . along - start` from its left end (u)."""

    normal: Point
    offset: float
    along: Point
    start: float
    width_m: float
    depth_m: float

    def ahead_m(self, x: float, y: float) -> float:
        """Distance before the front plane; negative inside and behind."""
        return x * self.normal[0] + y * self.normal[1] - self.offset

    def aside_m(self, x: float, y: float) -> float:
        """u of a floor point."""
        return x * self.along[0] + y * self.along[1] - self.start

    def covers(self, x: float, y: float) -> bool:
        """Whether a body that stands here would touch the bay."""
        return (
            -self.depth_m - BACK_M < self.ahead_m(x, y) < FRONT_M
            and -SIDE_M < self.aside_m(x, y) < self.width_m + SIDE_M
        )

    def around(self, x: float, y: float) -> tuple[Point, ...]:
        """The nearest points beyond each of the four sides, where a body has room."""
        ahead, aside = self.ahead_m(x, y), self.aside_m(x, y)
        return (
            self.point(FRONT_M + HERE_M, aside),
            self.point(-self.depth_m - BACK_M - HERE_M, aside),
            self.point(ahead, -SIDE_M - HERE_M),
            self.point(ahead, self.width_m + SIDE_M + HERE_M),
        )

    def point(self, ahead_m: float, aside_m: float) -> Point:
        """The floor point of (ahead, aside)."""
        p, q = ahead_m + self.offset, aside_m + self.start
        return (
            p * self.normal[0] + q * self.along[0],
            p * self.normal[1] + q * self.along[1],
        )


def footprint_of(bay: Bay) -> Footprint:
    """What a bay covers of the floor."""
    normal = bay.normal
    along = (-normal[1], normal[0])
    x, y = bay.origin_m
    return Footprint(
        normal,
        x * normal[0] + y * normal[1],
        along,
        x * along[0] + y * along[1],
        bay.width_m,
        bay.depth_m,
    )


class Ways:
    """Finds ways between footprints. `free(x, y)` says whether a body can stand on a point."""

    def __init__(
        self, footprints: Sequence[Footprint], free: Callable[[float, float], bool]
    ) -> None:
        self._axes = np.array(
            [[*f.normal, *f.along, f.offset, f.start] for f in footprints], np.float64
        ).reshape(-1, 6)
        depths = np.array([f.depth_m for f in footprints], np.float64)
        widths = np.array([f.width_m for f in footprints], np.float64)
        self._low = np.stack([-depths - BACK_M, np.full(len(depths), -SIDE_M)])
        self._high = np.stack([np.full(len(depths), FRONT_M), widths + SIDE_M])
        self._corners: list[Point] = []
        for footprint in footprints:
            for ahead in (FRONT_M + CORNER_M, -footprint.depth_m - BACK_M - CORNER_M):
                for aside in (-SIDE_M - CORNER_M, footprint.width_m + SIDE_M + CORNER_M):
                    corner = footprint.point(ahead, aside)
                    if free(*corner):
                        self._corners.append(corner)
        self.corners = frozenset(self._corners)
        self._targets = np.array(self._corners, np.float64).reshape(-1, 2)
        self._seen_from: dict[int, list[tuple[int, float]]] = {}

    def blocked(self, ax: float, ay: float, bx: float, by: float) -> bool:
        """Whether a shelf stands on the straight way from a to b."""
        return bool(self._hits(ax, ay, np.array([[bx, by]], np.float64))[0])

    def route(self, ax: float, ay: float, bx: float, by: float) -> list[Point]:
        """The corners to walk round on the shortest way from a to b, in order.

        Empty where the straight way is free, and where there is no way at all: `reachable` tells
        these apart.
        """
        if not self.blocked(ax, ay, bx, by):
            return []
        return self._shortest((ax, ay), (bx, by)) or []

    def reachable(self, ax: float, ay: float, bx: float, by: float) -> bool:
        """Whether there is a way from a to b."""
        return not self.blocked(ax, ay, bx, by) or self._shortest((ax, ay), (bx, by)) is not None

    def _shortest(self, start: Point, end: Point) -> list[Point] | None:
        last = {corner: math.dist(self._corners[corner], end) for corner in self._visible(end, 0.0)}
        best: dict[int, float] = {}
        before: dict[int, int] = {}
        heap = [
            (math.dist(start, self._corners[corner]) + TURN_M, corner, -1)
            for corner in self._visible(start, HERE_M)
        ]
        heapq.heapify(heap)
        goal = len(self._corners)
        while heap:
            far, corner, came_from = heapq.heappop(heap)
            if corner in best:
                continue
            best[corner], before[corner] = far, came_from
            if corner == goal:
                break
            if corner in last:
                heapq.heappush(heap, (far + last[corner], goal, corner))
            for other, length in self._neighbours(corner):
                if other not in best:
                    heapq.heappush(heap, (far + length + TURN_M, other, corner))
        if goal not in before:
            return None
        way: list[Point] = []
        corner = before[goal]
        while corner >= 0:
            way.append(self._corners[corner])
            corner = before[corner]
        return way[::-1]

    def _visible(self, point: Point, beyond_m: float) -> list[int]:
        free = np.flatnonzero(~self._hits(*point, self._targets)).tolist()
        return [k for k in free if math.dist(point, self._corners[k]) >= beyond_m]

    def _neighbours(self, corner: int) -> list[tuple[int, float]]:
        found = self._seen_from.get(corner)
        if found is None:
            here = self._corners[corner]
            found = [
                (other, math.dist(here, self._corners[other]))
                for other in self._visible(here, HERE_M)
            ]
            self._seen_from[corner] = found
        return found

    def _hits(self, ax: float, ay: float, targets: Floats) -> NDArray[np.bool_]:
        """Whether the segments from a to targets (N, 2) cross a footprint: (N,).

        A footprint in which either end lies does not count: who is in it may come out of it.
        """
        axes = self._axes
        first = self._local(np.array([[ax, ay]], np.float64), axes)
        then = self._local(targets, axes)
        step = then - first
        low, high = self._low[:, None], self._high[:, None]
        with np.errstate(divide="ignore", invalid="ignore"):
            one, other = (low - first) / step, (high - first) / step
        # A segment along an axis is inside that slab for ever, or never.
        level = step == 0.0
        between = (first > low) & (first < high)
        enter = np.where(level, np.where(between, -np.inf, np.inf), np.minimum(one, other))
        leave = np.where(level, np.where(between, np.inf, -np.inf), np.maximum(one, other))
        enters, leaves = enter.max(axis=0), leave.min(axis=0)
        crosses = np.maximum(enters, 0.0) < np.minimum(leaves, 1.0) - 1e-9
        ends = between.all(axis=0) | ((then > low) & (then < high)).all(axis=0)
        hit: NDArray[np.bool_] = (crosses & ~ends).any(axis=1)
        return hit

    @staticmethod
    def _local(points: Floats, axes: Floats) -> Floats:
        """(2, N, R): distance ahead of and along each of R footprints for points (N, 2)."""
        x, y = points[:, :1], points[:, 1:]
        ahead = x * axes[:, 0] + y * axes[:, 1] - axes[:, 4]
        aside = x * axes[:, 2] + y * axes[:, 3] - axes[:, 5]
        return np.stack([ahead, aside])
