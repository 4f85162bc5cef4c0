"""A place with bars made ready for reading: upright, large enough, and its light profiles."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.labels.code import Gray, Points
from vision.labels.locate import warp_bars

__all__ = ["Strip", "bright_edges", "profiles", "sharper", "straight_bars", "striped"]

LENGTH_PX = 640
"""Crops are made about so long: four pixels a module of an EAN."""
SCALE_MAX = 4.0
BEYOND = 0.18
STRIPED_SHARE = 0.15
STRIPES_MIN = 14
"""A code has more edges that are so steep beside its steepest."""
SHEARS = np.linspace(-0.24, 0.24, 25)
"""How far bars may still lean, pixels sideways a pixel down."""


@dataclass(frozen=True, eq=False)
class Strip:
    """A crop (H, W) uint8 whose bars stand upright.

    `matrix` (3, 3) takes the crop's pixels to the picture's; the code is thought to lie between
    the columns `span`.
    """

    gray: Gray
    matrix: NDArray[np.float64]
    span: tuple[float, float]


def striped(gray: Gray, polygon: Points) -> bool:
    """Whether a place in a picture (H, W) has many edges side by side, at a first look."""
    crop, _ = _cut(gray, polygon)
    high, wide = crop.shape
    inside = slice(
        int(wide * BEYOND / (1 + 2 * BEYOND)), int(wide * (1 + BEYOND) / (1 + 2 * BEYOND))
    )
    for share in (0.3, 0.5, 0.7):
        row = int(share * high)
        line = crop[max(0, row - 1) : row + 2, inside].mean(axis=0, dtype=np.float64)
        slope = np.diff(cv2.GaussianBlur(line[None], (0, 0), 1.0).ravel())
        least = max(1.0, STRIPED_SHARE * float(np.abs(slope).max()))
        steep = np.sign(slope[np.abs(slope) > least])
        if np.count_nonzero(np.diff(steep)) >= STRIPES_MIN:
            return True
    return False


def _cut(gray: Gray, polygon: Points) -> tuple[Gray, NDArray[np.float64]]:
    length = float(np.linalg.norm(polygon[1] - polygon[0]))
    scale = float(np.clip(LENGTH_PX / max(length, 1.0), 0.25, SCALE_MAX))
    return warp_bars(gray, polygon, scale=scale, beyond=BEYOND)


def straight_bars(gray: Gray, polygon: Points) -> Strip:
    """The place in a picture (H, W) cut out along its bars."""
    crop, matrix = _cut(gray, polygon)
    high, wide = crop.shape
    left, right = _lean(crop[:, : wide // 2]), _lean(crop[:, wide // 2 :])
    if max(abs(left), abs(right)) > 0.01:
        turn = _unleaned(high, wide, left, right)
        crop = np.asarray(
            cv2.warpPerspective(
                crop,
                turn,
                (wide, high),
                flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
                borderMode=cv2.BORDER_REPLICATE,
            ),
            np.uint8,
        )
        matrix = matrix @ turn
    end = wide * BEYOND / (1 + 2 * BEYOND)
    return Strip(crop, matrix, (end, wide - end))


def _unleaned(high: int, wide: int, left: float, right: float) -> NDArray[np.float64]:
    """From a crop with upright bars to one where those of the left half lean by `left` and those
    of the right half by `right`: bars seen from aside fan out."""
    fan = float(np.clip(right - left, -0.3, 0.3))
    mean, half = (left + right) / 2.0, (high - 1) / 2.0
    # The leans hold in the middles of the halves.
    first, last = mean - fan, mean + fan
    square = np.array([(0, 0), (wide - 1, 0), (wide - 1, high - 1), (0, high - 1)], np.float32)
    leaning = square + np.array(
        [(-first * half, 0), (-last * half, 0), (last * half, 0), (first * half, 0)], np.float32
    )
    return np.asarray(cv2.getPerspectiveTransform(square, leaning), np.float64)


def _lean(crop: Gray) -> float:
    """The shear that makes the rows agree best: the mean row then has the steepest slopes."""
    high, wide = crop.shape
    rows = np.linspace(0.2 * high, 0.8 * high, min(24, high)).astype(int)
    lines = cv2.blur(crop, (3, 3))[rows].astype(np.float32)
    step = float(rows[-1] - rows[0]) / max(1, len(rows) - 1)
    off = float(rows[0]) - (high - 1) / 2.0
    best, lean = -1.0, 0.0
    for shear in SHEARS:
        matrix = np.array([[1.0, shear * step, shear * off], [0.0, 1.0, 0.0]])
        moved = cv2.warpAffine(
            lines,
            matrix,
            (wide, len(rows)),
            flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
            borderMode=cv2.BORDER_REPLICATE,
        )
        slope = float((np.diff(moved.mean(axis=0)) ** 2).sum())
        if slope > best:
            best, lean = slope, float(shear)
    return lean


def profiles(strip: Strip) -> Iterator[NDArray[np.float64]]:
    """Light along the strip (W,): of its middle first, then of thirds of its height."""
    high = strip.gray.shape[0]
    parts = ((0.15, 0.85), (0.36, 0.64), (0.1, 0.38), (0.62, 0.9))
    for begin, end in parts:
        first = min(high - 1, int(begin * high))
        rows = strip.gray[first : max(first + 1, int(end * high))]
        yield rows.mean(axis=0, dtype=np.float64)


def bright_edges(gray: Gray) -> Gray:
    """A crop with local contrast and edges raised, for codes that are dim, blurred or glaring."""
    even = cv2.createCLAHE(clipLimit=3.0, tileGridSize=(4, 4)).apply(gray)
    soft = cv2.GaussianBlur(even, (0, 0), 2.0)
    return np.asarray(cv2.addWeighted(even, 2.0, soft, -1.0, 0.0), np.uint8)


def sharper(gray: Gray, blur_px: float) -> Gray:
    """A crop whose edges are raised against a blur of about this standard deviation."""
    soft = cv2.GaussianBlur(gray, (0, 0), blur_px)
    return np.asarray(cv2.addWeighted(gray, 3.0, soft, -2.0, 0.0), np.uint8)
