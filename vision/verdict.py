"""Pick or put-back? Two looks at a place that changed tell which of them shows the thing.

Three witnesses, none of which needs training, each a log ratio that speaks for "the thing was
there before" when positive:

- outline: where a thing stands, edges run along its outline; where it is gone, the background
  runs on through it. The mean gradient across the outline, at the offset where it is greatest.
- structure: things carry more structure than the place they stand on.
- carried: the look of a thing is found again away from its place, in the hand that carries it:
  after a pick the look of before, before a put-back the look of after.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Evidence", "carried_match", "outline_contrast", "weigh"]

F32 = NDArray[np.float32]
Mask = NDArray[np.uint8]

OUTLINE_REACH_PX = 5
"""How far the true outline may lie from the mask's, in pixels of the work picture."""
OUTLINE_WEIGHT = 2.0
STRUCTURE_WEIGHT = 0.8
CARRIED_WEIGHT = 3.0
RATIO_MAX = 2.0
"""No single witness may say more than this many nats before its weight."""


@dataclass(frozen=True, slots=True)
class Evidence:
    """Log ratios of the witnesses, positive for a pick, and their weighted sum in nats."""

    outline: float
    structure: float
    carried: float

    @property
    def log_odds(self) -> float:
        """Log odds of a pick against a put-back."""
        return (
            OUTLINE_WEIGHT * self.outline
            + STRUCTURE_WEIGHT * self.structure
            + CARRIED_WEIGHT * self.carried
        )


def outline_contrast(image: F32, mask: Mask) -> float:
    """The mean gradient of `image` (H, W, C) across the outline of `mask` (H, W) uint8 0/1, at
    the offset from the outline where it is greatest. Units of the image per pixel."""
    distance = signed_distance(mask)
    normal_x = cv2.Sobel(distance, cv2.CV_32F, 1, 0, ksize=3)
    normal_y = cv2.Sobel(distance, cv2.CV_32F, 0, 1, ksize=3)
    length = np.maximum(np.hypot(normal_x, normal_y), 1e-6)
    across = np.zeros(mask.shape, np.float32)
    for channel in range(image.shape[2]):
        plane = np.ascontiguousarray(image[..., channel])
        gradient_x = cv2.Sobel(plane, cv2.CV_32F, 1, 0, ksize=3, scale=1 / 8)
        gradient_y = cv2.Sobel(plane, cv2.CV_32F, 0, 1, ksize=3, scale=1 / 8)
        across += np.abs(gradient_x * normal_x + gradient_y * normal_y) / length
    best = 0.0
    for offset in range(-OUTLINE_REACH_PX, OUTLINE_REACH_PX // 2 + 1):
        ring = np.abs(distance - offset) < 0.75
        if ring.any():
            best = max(best, float(across[ring].mean()))
    return best / float(image.shape[2])


def signed_distance(mask: Mask) -> F32:
    """Distance to the mask's outline in pixels, negative inside."""
    outside = cv2.distanceTransform(1 - mask, cv2.DIST_L2, 3)
    inside = cv2.distanceTransform(mask, cv2.DIST_L2, 3)
    return np.asarray(outside - inside, np.float32)


def carried_match(
    patch: F32, frames: Sequence[tuple[F32, Mask]], home: tuple[int, int], floor: float
) -> float:
    """How well `patch` (h, w) is found away from `home` (its x0, y0) in the parts of the frames
    (H, W) that their masks say are in motion: the greatest correlation, 0..1."""
    height, width = patch.shape
    if float(patch.std()) < floor:
        return 0.0
    best = 0.0
    for image, mask in frames:
        if image.shape[0] < height or image.shape[1] < width:
            continue
        scores = cv2.matchTemplate(image, patch, cv2.TM_CCOEFF_NORMED)
        ys, xs = np.mgrid[0 : scores.shape[0], 0 : scores.shape[1]]
        away = (np.abs(xs - home[0]) > 0.4 * width) | (np.abs(ys - home[1]) > 0.25 * height)
        area = cv2.boxFilter(
            mask.astype(np.float32), cv2.CV_32F, (width, height), anchor=(0, 0),
            borderType=cv2.BORDER_CONSTANT,
        )[: scores.shape[0], : scores.shape[1]]  # fmt: skip
        scores = np.where(away & (area > 0.5), scores, 0.0)
        best = max(best, float(scores.max()))
    return best


def weigh(
    before: F32, after: F32, mask: Mask, *, energies: tuple[float, float], carried: float,
    floor: float,
) -> Evidence:  # fmt: skip
    """All witnesses together. `energies`: mean structure inside before and after, `floor`: the
    gradient and, squared, the structure that noise alone makes."""
    edges = [outline_contrast(image, mask) + floor / 4 for image in (before, after)]
    structure = math.log((energies[0] + floor * floor) / (energies[1] + floor * floor)) / 2.0
    return Evidence(
        outline=_clip(math.log(edges[0] / edges[1])), structure=_clip(structure), carried=carried
    )


def _clip(value: float) -> float:
    return max(-RATIO_MAX, min(RATIO_MAX, value))
