"""The corners of a label to a part of a pixel.

Readers give corners to a pixel or two: enough to read, not to tell how far away a label is. What
was read is drawn anew from the picture's own modules, and laid over the picture by its whole area
(Evangelidis, Psarakis 2008, cv2.findTransformECC), so that hundreds of edges say where it is.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.labels import Code

__all__ = ["refined"]

Gray = NDArray[np.uint8]
Quad = NDArray[np.float32]

STEP = 6
"""Pixels of the drawing to a module."""
MARGIN = 1
ALIKE_MIN = 0.7
MOVED_MODULES_MAX = 2.0
BLUR_PX = 0.7
BARS_ROWS = 8
STEPS_MAX = 12


def refined(gray: Gray, code: Code) -> Quad | None:
    """The corners (4, 2) of a code; None if the picture and what was read do not fit well."""
    if code.modules < 8:
        return None
    if code.symbology == "code128":
        return _bars(gray, code)
    # What is drawn comes from the picture as the first corners cut it; better ones draw better.
    once = _laid(gray, code.polygon.astype(np.float32), code.modules)
    return None if once is None else _laid(gray, once, code.modules)


def _laid(gray: Gray, quad: Quad, n: int) -> Quad | None:
    across = float(np.linalg.norm(quad[1] - quad[0]) + np.linalg.norm(quad[2] - quad[3])) / 2
    along = float(np.linalg.norm(quad[3] - quad[0]) + np.linalg.norm(quad[2] - quad[1])) / 2
    if min(across, along) < n or not 0.4 < across / along < 2.5:
        return None
    side = (n + 2 * MARGIN) * STEP
    ends = (MARGIN * STEP - 0.5, (n + MARGIN) * STEP - 0.5)
    drawn = np.array([[ends[a], ends[b]] for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))], np.float32)
    to_px = cv2.getPerspectiveTransform(drawn, quad)
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    flat = cv2.warpPerspective(gray, to_px, (side, side), flags=flags, borderValue=255)
    modules = cv2.resize(flat, (n + 2 * MARGIN,) * 2, interpolation=cv2.INTER_AREA)
    _, bits = cv2.threshold(
        np.asarray(modules[MARGIN:-MARGIN, MARGIN:-MARGIN], np.uint8), 0, 255,
        cv2.THRESH_BINARY | cv2.THRESH_OTSU,
    )  # fmt: skip
    ideal = np.full((n + 2 * MARGIN,) * 2, 255, np.uint8)
    ideal[MARGIN:-MARGIN, MARGIN:-MARGIN] = bits
    ideal = np.kron(ideal, np.ones((STEP, STEP), np.uint8))
    soft = cv2.GaussianBlur(ideal, (0, 0), max(0.8, BLUR_PX * STEP * n / min(across, along)))
    start = np.eye(3, dtype=np.float32)
    stop = (cv2.TERM_CRITERIA_EPS | cv2.TERM_CRITERIA_COUNT, 25, 1e-4)
    try:
        alike, found = cv2.findTransformECC(
            soft.astype(np.float32), flat.astype(np.float32), start, cv2.MOTION_HOMOGRAPHY, stop
        )
    except cv2.error:
        return None
    if alike < ALIKE_MIN:
        return None
    warp = np.asarray(found, np.float32)
    moved = np.asarray(cv2.perspectiveTransform(drawn.reshape(-1, 1, 2), warp)[:, 0], np.float32)
    if float(np.abs(moved - drawn).max()) > MOVED_MODULES_MAX * STEP:
        return None
    return np.asarray(
        cv2.perspectiveTransform(moved.reshape(-1, 1, 2), to_px)[:, 0],
        np.float32,
    )


def _bars(gray: Gray, code: Code) -> Quad | None:
    """A line of bars: where it begins and ends along its line, by all its bars."""
    quad = code.polygon.astype(np.float64)
    start, stop = (quad[0] + quad[3]) / 2, (quad[1] + quad[2]) / 2
    length = float(np.linalg.norm(stop - start))
    n = code.modules
    if length < n:
        return None
    step = 4
    places = (np.arange((n + 4) * step) + 0.5) / step - 2.0
    profile = _profile(gray, quad, places / n)
    if profile is None:
        return None
    bits = profile[2 * step : -2 * step].reshape(n, step)[:, 1:3].mean(axis=1)
    level = (float(bits.min()) + float(bits.max())) / 2
    ideal = np.concatenate([[1.0, 1.0], (bits > level).astype(float), [1.0, 1.0]])
    sharp = np.repeat(ideal, step).reshape(1, -1).astype(np.float32)
    soft = cv2.GaussianBlur(sharp, (0, 0), max(0.8, BLUR_PX * step * n / length))[0]
    slope = np.gradient(soft) * step
    middle = n / 2.0
    # soft(place) is what profile(place + shift + stretch * (place - middle)) shows.
    shift = stretch = 0.0
    want = (soft - soft.mean()) / max(float(soft.std()), 1e-6)
    alike = 0.0
    for _ in range(STEPS_MAX):
        at = places + shift + stretch * (places - middle)
        seen = _profile(gray, quad, at / n)
        if seen is None:
            return None
        seen = (seen - seen.mean()) / max(float(seen.std()), 1e-6)
        alike = float(np.mean(seen * want))
        steep = slope / max(float(soft.std()), 1e-6)
        parts = np.stack([steep, steep * (places - middle)], axis=1)
        by, *_ = np.linalg.lstsq(parts, want - seen, rcond=None)
        shift, stretch = shift + float(by[0]), stretch + float(by[1])
        if abs(by[0]) < 1e-3 and abs(by[1]) * n < 1e-3:
            break
    if alike < ALIKE_MIN:
        return None
    ends = np.array([shift - stretch * middle, n + shift + stretch * middle]) / n
    if abs(ends[0]) * n > MOVED_MODULES_MAX or abs(ends[1] - 1) * n > MOVED_MODULES_MAX:
        return None
    top = quad[0] + (quad[1] - quad[0]) * ends[:, None]
    low = quad[3] + (quad[2] - quad[3]) * ends[:, None]
    return np.array([top[0], top[1], low[1], low[0]], np.float32)


def _profile(
    gray: Gray, quad: NDArray[np.float64], shares: NDArray[np.float64]
) -> NDArray[np.float64] | None:
    """Mean grey along a line of bars at shares of its length, over the middle of its height."""
    rows = np.linspace(0.3, 0.7, BARS_ROWS)
    left = quad[0] + (quad[3] - quad[0]) * rows[:, None]
    right = quad[1] + (quad[2] - quad[1]) * rows[:, None]
    at = left[:, None] + (right - left)[:, None] * shares[None, :, None]
    at = at.astype(np.float32)
    high, wide = gray.shape
    if (at < 0).any() or (at[..., 0] > wide - 1).any() or (at[..., 1] > high - 1).any():
        return None
    seen = cv2.remap(gray, at[..., 0], at[..., 1], cv2.INTER_LINEAR)
    return np.asarray(seen.astype(np.float64).mean(axis=0))
