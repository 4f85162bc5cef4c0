"""The border of a face, found from its label outwards: the first lines that run along all of it.

A face ends where its box has an edge: a line as long as the face, be it a step of colour or the
dark crease between front and top. Print on it is shorter. So in each of the four directions from
the label's paper the first line counts that the median of many samples across the face agrees on.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Border", "border_from", "faded"]

Floats = NDArray[np.float64]
F32 = NDArray[np.float32]
Rgb = NDArray[np.uint8]

SAMPLES = 28
AGREED_MIN = 2.5
"""Levels in two pixels, summed over the channels, that most samples agree on."""
DISAGREE = 0.3
"""So many may differ: a strip of tape, a neighbour's corner."""
PAIR_PX = 4
"""A crease is dark between two slopes so near to each other."""
MARGIN_PX = 2.0
FAR_PX = 130
EDGE_LESS = 0.7
"""A border with so much less edge than before is that of a thing that was taken."""
BEYOND_PX = 3.0
FOLD_PX = 15
"""A bag is folded so far below its top: the next line counts."""
BESIDE_MIN = 6
SAME_LEVELS = 5.0
"""The same colour, in the light that the same face has."""
ROUNDS = 2
FENCE = 0.9
"""Of the gap to another thing's label that a face may reach into."""


@dataclass(frozen=True, slots=True, eq=False)
class Border:
    """A rectangle on a sheet (4, 2), which of its sides (top, right, bottom, left) lie on a line,
    and how strong these are together."""

    corners: Floats
    found: tuple[bool, bool, bool, bool]
    strength: float


def border_from(
    soft: NDArray[np.float32],
    paper: Floats,
    turn: float,
    outer: Floats | None,
    *,
    face_rgb: Floats | None,
    hangs: bool,
    floor: float | None,
    others: Sequence[Floats] = (),
) -> Border:
    """The border around a paper (4, 2) on a sheet (side, side, 3) float32, its sides turned by
    `turn` radians, no farther out than `outer` (4, 2), where it ends if there is no line before.
    Where the colour `face_rgb` (3,) of the face goes on beyond a line, it is print, tape or a fold.
    What stands ends at `floor`, a row of the sheet, and before `others`, labels (4, 2) of other
    things."""
    along = np.array([np.cos(turn), np.sin(turn)])
    down = np.array([-along[1], along[0]])
    places = np.stack([paper @ along, paper @ down], axis=1)
    (x0, y0), (x1, y1) = places.min(axis=0), places.max(axis=0)
    starts = (y0, x1, y1, x0)
    limits, ends = _limits(outer, others, along, down, starts)
    found = [False] * 4
    strength = 0.0
    if floor is not None:
        floor = max(floor * float(down[1]) + float(paper.mean(axis=0)[0] * down[0]), y1)
        ends[2], found[2] = floor, True
    for _ in range(ROUNDS):
        strength = 0.0
        # Left and right first: with the width known, lines across it can be told from print.
        for k in (3, 1, 0, 2):
            across = k in (0, 2)
            skip = (x0, x1) if across else (y0, y1)
            if k == 2 and floor is not None:
                continue
            span = (ends[3], ends[1]) if across else (ends[0], ends[2])
            axis, other = (down, along) if across else (along, down)
            sign = -1.0 if k in (0, 3) else 1.0
            hit = _first_line(
                soft,
                axis,
                other,
                starts[k],
                sign,
                span,
                abs(limits[k] - starts[k]) + BEYOND_PX,
                face_rgb,
                fold=hangs and k == 0,
                skip=skip,
            )
            found[k] = hit is not None
            if hit is None:
                ends[k] = limits[k] if outer is not None else starts[k]
            else:
                ends[k] = hit[0]
                strength += min(hit[1], 40.0)
    top, right, bottom, left = ends
    corners = np.array(
        [
            along * x + down * y
            for x, y in ((left, top), (right, top), (right, bottom), (left, bottom))
        ]
    )
    return Border(corners, (found[0], found[1], found[2], found[3]), strength)


def _limits(
    outer: Floats | None, others: Sequence[Floats], along: Floats, down: Floats,
    starts: tuple[float, ...],
) -> tuple[list[float], list[float]]:  # fmt: skip
    """How far each side may lie from the paper at most, and where it lies if there is no line."""
    y0, x1, y1, x0 = starts
    limits, ends = [y0 - FAR_PX, x1 + FAR_PX, y1 + FAR_PX, x0 - FAR_PX], list(starts)
    if outer is not None:
        places = np.stack([outer @ along, outer @ down], axis=1)
        (ox0, oy0), (ox1, oy1) = places.min(axis=0), places.max(axis=0)
        limits = [min(y0, oy0), max(x1, ox1), max(y1, oy1), min(x0, ox0)]
        ends = list(limits)
    for k, fence in _fences(others, along, down, starts):
        inner = max if k in (0, 3) else min
        limits[k], ends[k] = inner(limits[k], fence), inner(ends[k], fence)
    return limits, ends


def _fences(
    others: Sequence[Floats], along: Floats, down: Floats, starts: tuple[float, ...]
) -> list[tuple[int, float]]:
    """How far a face may reach at most: the side (top, right, bottom, left) on which another label
    lies, the one with the widest gap, and a place within that gap."""
    y0, x1, y1, x0 = starts
    fences = []
    for other in others:
        places = np.stack([other @ along, other @ down], axis=1)
        (a0, b0), (a1, b1) = places.min(axis=0), places.max(axis=0)
        gaps = (y0 - b1, a0 - x1, b0 - y1, x0 - a1)
        k = int(np.argmax(gaps))
        if gaps[k] > 0:
            reach = FENCE * gaps[k]
            fences.append((k, starts[k] + (-reach if k in (0, 3) else reach)))
    return fences


def _first_line(
    soft: NDArray[np.float32], axis: Floats, other: Floats, start: float, sign: float,
    span: tuple[float, float], far: float,
    face_rgb: Floats | None, *, fold: bool, skip: tuple[float, float] | None,
) -> tuple[float, float] | None:  # fmt: skip
    """The place along `axis` of the first line beyond `start`, and its strength."""
    steps = np.arange(MARGIN_PX, max(far, MARGIN_PX + 1), 1.0)
    at = start + sign * steps
    shares = np.linspace(0.06, 0.94, SAMPLES)
    across = span[0] + (span[1] - span[0]) * shares
    if skip is not None:
        # What runs along the paper only is print on it, where the face is wider than that.
        beside = (across < skip[0] - 2) | (across > skip[1] + 2)
        if beside.sum() >= BESIDE_MIN:
            across = across[beside]
    points = at[None, :, None] * axis + across[:, None, None] * other
    side = soft.shape[0]
    inside = ((points >= 0) & (points <= side - 1)).all(axis=(0, 2))
    count = int(inside.argmin()) if not inside.all() else len(steps)
    if count < 6:
        return None
    points = points[:, :count].astype(np.float32)
    seen = cv2.remap(soft, points[..., 0], points[..., 1], cv2.INTER_LINEAR)
    slope = (seen[:, 2:] - seen[:, :-2]).sum(axis=2)
    up, fall = np.quantile(slope, DISAGREE, axis=0), -np.quantile(slope, 1 - DISAGREE, axis=0)
    lines = _lines(np.maximum(up, fall), np.where(up > fall, 1.0, -1.0))
    for index, (place, strength, crease) in enumerate(lines):
        beyond = seen[:, round(place) + 3 : round(place) + 9]
        if not crease and face_rgb is not None and beyond.shape[1] >= 2:
            apart = np.median(beyond.reshape(-1, 3), axis=0) - face_rgb
            if float(np.abs(apart).max()) <= SAME_LEVELS:
                continue
        if fold and index + 1 < len(lines) and lines[index + 1][0] - place <= FOLD_PX:
            place, strength, _ = lines[index + 1]
        return float(at[0] + sign * (1.0 + place)), strength
    return None


def _lines(agreed: Floats, signs: Floats) -> list[tuple[float, float, bool]]:
    """Places and strengths of the lines in a profile of slopes, nearest first, and whether they are
    creases: dark between two flanks, and one line half way between them."""
    tops = [
        k
        for k in range(1, len(agreed) - 1)
        if agreed[k] >= AGREED_MIN and agreed[k] >= agreed[k - 1] and agreed[k] > agreed[k + 1]
    ]
    lines: list[tuple[float, float, bool]] = []
    k = 0
    while k < len(tops):
        top = tops[k]
        if (
            k + 1 < len(tops)
            and tops[k + 1] - top <= PAIR_PX
            and signs[top] * signs[tops[k + 1]] < 0
        ):
            pair = tops[k + 1]
            dark = signs[top] < 0
            lines.append(((top + pair) / 2, float(max(agreed[top], agreed[pair])), bool(dark)))
            k += 2
            continue
        lines.append((float(top), float(agreed[top]), False))
        k += 1
    return lines


def faded(before: F32, now: F32, contour: Floats) -> bool:
    """Whether a border (N, 2) in two pictures (h, w, 3) was an edge and is less of one now."""
    band = np.zeros(now.shape[:2], np.uint8)
    cv2.polylines(band, [np.round(contour).astype(np.int32)], True, 1, thickness=3)
    border = band > 0
    return bool(_edges(now)[border].mean() < EDGE_LESS * _edges(before)[border].mean())


def _edges(image: F32) -> F32:
    dx = cv2.Sobel(image, cv2.CV_32F, 1, 0)
    dy = cv2.Sobel(image, cv2.CV_32F, 0, 1)
    edges: F32 = (np.abs(dx) + np.abs(dy)).sum(axis=2)
    return edges
