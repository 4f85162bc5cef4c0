"""Has this place changed? Comparing looks of the same place, whatever the light does.

Two pictures of one place under different light differ by a gain and an offset that vary slowly
over the picture. In a small window both are nearly constant, so what is compared is the structure
that is left when the window's mean is taken away:

    S = (2 cov(a, b) + C) / (var(a) + var(b) + C)

the contrast and structure term of SSIM (Wang, Bovik, Sheikh, Simoncelli 2004, eq. 13 with
C = C2), pooled over the colour channels before the quotient. C is the variance below which
structure is taken for noise: two flat windows are alike (S = 1), a flat one and a textured one
are not (S near 0), opposite textures give S below 0. A gain of 1.5 between equal textures still
gives S = 0.92.

>>> import numpy as np
>>> flat = np.zeros((32, 32, 3), np.float32)
>>> drawn = flat.copy()
>>> drawn[8:24, 8:24] = 1.0
>>> float(similarity(look_at(drawn, 9), look_at(drawn, 9), 0.01).min())
1.0
>>> bool(similarity(look_at(drawn, 9), look_at(flat, 9), 0.01).min() < 0.1)
True
"""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = [
    "Look",
    "channel_gains",
    "filled",
    "look_at",
    "shift_between",
    "shifted",
    "similarity",
]

F32 = NDArray[np.float32]
Mask = NDArray[np.uint8]

GAIN_MIN, GAIN_MAX = 0.25, 4.0
"""Beyond this an exposure change is a picture of something else."""


@dataclass(frozen=True, slots=True)
class Look:
    """A picture made ready to be compared: `image` (H, W, C) float32 with its window means (same
    shape) and the windows' variances (H, W) summed over the channels."""

    image: F32
    mean: F32
    energy: F32
    window: int


def look_at(image: F32, window: int) -> Look:
    """Prepares `image` (H, W, C) float32 for comparison in square windows of `window` pixels."""
    if image.ndim != 3 or image.dtype != np.float32:
        raise ValueError(f"expected (H, W, C) float32, got {image.shape} {image.dtype}")
    mean = _box(image, window)
    energy = _box(_dot(image, image), window) - _dot(mean, mean)
    return Look(image, mean, np.maximum(energy, 0.0), window)


def similarity(a: Look, b: Look, floor: float) -> F32:
    """S of the module's formula at every pixel, (H, W) float32 in -1..1; `floor` is C > 0, in
    squared units of the images and summed over the channels as the variances are."""
    cross = _box(_dot(a.image, b.image), a.window) - _dot(a.mean, b.mean)
    quotient: F32 = (2.0 * cross + floor) / (a.energy + b.energy + floor)
    return quotient


def channel_gains(image: F32, reference: F32, *, step: int = 7) -> F32:
    """The factor for each channel that brings `image` to the light of `reference`: the median of
    the ratios on a grid, so that less than half of the picture may have changed. (C,) float32."""
    a = image[::step, ::step].reshape(-1, image.shape[2])
    b = reference[::step, ::step].reshape(-1, image.shape[2])
    low = 0.04
    gains = np.ones(image.shape[2], np.float32)
    for channel in range(image.shape[2]):
        usable = (a[:, channel] > low) & (b[:, channel] > low)
        if usable.sum() >= 16:
            gains[channel] = np.median(b[usable, channel] / a[usable, channel])
    clipped: F32 = np.clip(gains, GAIN_MIN, GAIN_MAX).astype(np.float32)
    return clipped


def shift_between(grey: F32, reference: F32, hanning: F32) -> tuple[float, float, float]:
    """Translation of `grey` against `reference` by phase correlation (Kuglin, Hines 1975), and
    its response in 0..1: how much of the picture agrees with it. Pixels."""
    (dx, dy), response = cv2.phaseCorrelate(reference, grey, hanning)
    return float(dx), float(dy), float(response)


def shifted(image: F32, dx: float, dy: float) -> F32:
    """The image moved back by (dx, dy) pixels, borders replicated."""
    matrix = np.array([[1.0, 0.0, dx], [0.0, 1.0, dy]], np.float32)
    size = (image.shape[1], image.shape[0])
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    moved = cv2.warpAffine(image, matrix, size, flags=flags, borderMode=cv2.BORDER_REPLICATE)
    return np.asarray(moved, np.float32)


def filled(mask: Mask) -> Mask:
    """The mask with its holes filled: an outline becomes the thing it surrounds."""
    contours, _ = cv2.findContours(mask, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    out = np.zeros_like(mask)
    cv2.drawContours(out, contours, -1, 1, thickness=cv2.FILLED)
    return out


def _box(image: F32, window: int) -> F32:
    return np.asarray(cv2.boxFilter(image, cv2.CV_32F, (window, window)), np.float32)


def _dot(a: F32, b: F32) -> F32:
    ones = np.ones((1, a.shape[2]), np.float32)
    return np.asarray(cv2.transform(cv2.multiply(a, b), ones), np.float32)
