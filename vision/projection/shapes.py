"""The forms of marks, as closed lines on the plane of what they are thrown at.

Forms differ so that nobody has to tell colours: a ring with a dot, a double diamond, a cross, a
frame, a dashed frame. All are (u, z) in metres, fitted into the face's outline, which they keep
`margin_m` clear of.

>>> corners = ((0.0, 0.0), (0.3, 0.0), (0.3, 0.2), (0.0, 0.2))
>>> [len(part) for part in shape("take_a", corners, stroke_m=0.012, margin_m=0.006).parts]
[2, 1]
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np

from contracts.wall_messages import MarkLook
from vision.geometry import grown
from vision.projection.model import Floats

__all__ = ["COLOURS", "Shape", "disc", "inset", "shape"]

COLOURS: dict[MarkLook, tuple[int, int, int]] = {
    "take_a": (0, 255, 40),
    "take_b": (30, 70, 255),
    "not_this": (255, 0, 0),
    "wrong": (255, 0, 0),
    "place": (255, 255, 255),
    "look": (255, 255, 255),
}
"""RGB of each look at full brightness."""
STROKE_SHARE_MAX = 0.22
"""Lines are no wider than this share of the face's shorter half."""
DASHES = 5
ARC = 64


@dataclass(frozen=True, slots=True)
class Shape:
    """`parts`: each is lines (N, 2) of which every second one is a hole in the one before; parts
    may overlap. `clip` (K, 2): nothing is lit outside of it. `centre` (2,)."""

    parts: tuple[tuple[Floats, ...], ...]
    clip: Floats
    centre: Floats

    def moved(self, by: Floats) -> Shape:
        """The same somewhere else."""
        parts = tuple(tuple(line + by for line in part) for part in self.parts)
        return Shape(parts, self.clip + by, self.centre + by)


def inset(outline: Floats, margin_m: float) -> Floats:
    """A convex outline (K, 2) with all sides `margin_m` further in, counter-clockwise; where that
    leaves nothing, half as large about its middle."""
    turned = cv2.convexHull(outline.astype(np.float32), clockwise=False)
    hull: Floats = np.asarray(turned, np.float64).reshape(-1, 2)
    if _area(hull) < 0:
        hull = hull[::-1]
    ends = np.roll(hull, -1, axis=0)
    along = ends - hull
    long = np.linalg.norm(along, axis=1, keepdims=True)
    hull, along = hull[long[:, 0] > 1e-6], (along / np.maximum(long, 1e-9))[long[:, 0] > 1e-6]
    inwards = np.stack([-along[:, 1], along[:, 0]], axis=1)
    start, way = hull + margin_m * inwards, along
    before, way_before = np.roll(start, 1, axis=0), np.roll(way, 1, axis=0)
    across = way_before[:, 0] * way[:, 1] - way_before[:, 1] * way[:, 0]
    gap = start - before
    with np.errstate(divide="ignore", invalid="ignore"):
        far = (gap[:, 0] * way[:, 1] - gap[:, 1] * way[:, 0]) / across
    straight = np.abs(across) < 1e-6
    corners: Floats = np.where(
        straight[:, None], start, before + np.nan_to_num(far)[:, None] * way_before
    )
    sides = np.roll(corners, -1, axis=0) - corners
    if len(corners) < 3 or ((sides * along).sum(axis=1) <= 0).any():
        return grown(hull, 0.5)
    return corners


def disc(centre: tuple[float, float], radius_m: float) -> Shape:
    """A full circle: what check dots are."""
    line = np.array(centre) + radius_m * _circle()
    return Shape(((line,),), line, np.array(centre, np.float64))


def shape(
    look: MarkLook, outline: Sequence[tuple[float, float]], *, stroke_m: float, margin_m: float
) -> Shape:
    """How a look is drawn on a face with this outline."""
    face = np.array(outline, np.float64)
    clip = inset(face, margin_m) if look != "place" else inset(face, 0.0)
    quad = _quad(clip)
    half_wide = (np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 4
    half_high = (np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 4
    size = np.array([half_wide, half_high])
    stroke = min(stroke_m, STROKE_SHARE_MAX * float(size.min()))
    parts = tuple(tuple(_lay(quad, line) for line in part) for part in _PARTS[look](size, stroke))
    return Shape(parts, clip, quad.mean(axis=0))


def _ring(size: Floats, stroke: float) -> list[tuple[Floats, ...]]:
    turn = _circle()
    rounded = np.sign(turn) * np.sqrt(np.abs(turn))
    return [(rounded, rounded * (1 - stroke / size)), (turn * 0.8 * stroke / size,)]


def _double_diamond(size: Floats, stroke: float) -> list[tuple[Floats, ...]]:
    diamond = np.array([[1.0, 0.0], [0.0, 1.0], [-1.0, 0.0], [0.0, -1.0]])
    thin = stroke * float(np.hypot(*(1 / size)))
    inner = 0.5
    hole = (diamond * (inner - thin),) if thin < inner - 0.1 else ()
    return [(diamond, diamond * (1 - thin)), (diamond * inner, *hole)]


def _cross(size: Floats, stroke: float) -> list[tuple[Floats, ...]]:
    bars: list[tuple[Floats, ...]] = []
    for turn in (1.0, -1.0):
        tip = np.array([size[0], turn * size[1]])
        side = np.array([-tip[1], tip[0]]) / np.linalg.norm(tip) * stroke / 2
        bars.append((np.stack([tip - side, tip + side, -tip + side, -tip - side]) / size,))
    return bars


def _frame(size: Floats, stroke: float) -> list[tuple[Floats, ...]]:
    square = np.array([[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]])
    return [(square, square * (1 - stroke / size))]


def _dashed_frame(size: Floats, stroke: float) -> list[tuple[Floats, ...]]:
    """Dashes along each side with gaps nearly as long, from corner to corner."""
    found: list[tuple[Floats, ...]] = []
    x, y = stroke / size
    edges = np.linspace(-1.0, 1.0, 2 * DASHES)
    for k in range(DASHES):
        a, b = edges[2 * k], edges[2 * k + 1]
        for side in (-1.0, 1.0):
            low, high = sorted((side, side - side * y))
            found.append((np.array([[a, low], [b, low], [b, high], [a, high]]),))
            low, high = sorted((side, side - side * x))
            found.append((np.array([[low, a], [high, a], [high, b], [low, b]]),))
    return found


_PARTS = {
    "take_a": _ring,
    "take_b": _double_diamond,
    "not_this": _cross,
    "wrong": _frame,
    "place": _dashed_frame,
    "look": _frame,
}


def _circle() -> Floats:
    turn = np.linspace(0, 2 * np.pi, ARC, endpoint=False)
    return np.stack([np.cos(turn), np.sin(turn)], axis=1)


def _quad(outline: Floats) -> Floats:
    """Four corners that a form is stretched between: the outline's own, or those of the least
    rectangle round it."""
    if len(outline) == 4:
        return outline
    box = cv2.boxPoints(cv2.minAreaRect(outline.astype(np.float32)))
    return np.asarray(box, np.float64)


def _lay(quad: Floats, line: Floats) -> Floats:
    """Points of the square -1..1 laid between four corners."""
    x, y = (line[:, :1] + 1) / 2, (line[:, 1:] + 1) / 2
    laid: Floats = (1 - y) * ((1 - x) * quad[0] + x * quad[1]) + y * (
        (1 - x) * quad[3] + x * quad[2]
    )
    return laid


def _area(line: Floats) -> float:
    x, y = line[:, 0], line[:, 1]
    return float((x * np.roll(y, -1) - np.roll(x, -1) * y).sum() / 2)
