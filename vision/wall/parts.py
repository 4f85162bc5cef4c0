"""A label that is carried off half behind a hand, larger by the frame: known by half of it.

A label that comes nearer does not correlate with how it looked at its place, nor does one with a
thumb on it. Half of it, scaled as if it had come so much nearer, does. Codes of one kind have
patterns in common, so a half has to look like this label and clearly less like any other.
Candidates are looked for in pictures of half the size and judged in the full one.
"""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

__all__ = ["Part", "best_place", "find_part"]

Gray = NDArray[np.uint8]
Mask = NDArray[np.bool_]
Floats = NDArray[np.float64]

SHARE = 0.42
"""Less than half: some of it is in the shade of what hides the rest."""
SCALES = (1.0, 1.1, 1.22, 1.35)
COARSE_MIN = 0.55
"""A candidate correlates so much in the half-size picture."""
SIDE_PX_MIN = 12
"""Halves of smaller labels tell nothing."""
FLAT_SD = 8.0
FINE_PX, FINE_MIN = 3.0, 0.35
"""What is printed has to be alike, not only what is dark and what is bright, nor the edge of the
paper: of what is smaller than this, halves that were carried off correlate 0.46 and more, but for
one (0.26), arms and faces 0.20 and less."""
EDGE_PX = 1
"""Of the print's own edge, which belongs to what is around it too."""
REST_MIN, REST_SEEN = 0.3, 0.8
"""Codes of one sender begin alike, and half of one is half of another. Where the rest of a label is
as finely printed as this one's and no hand lies on it, it has to be alike too: of 43 halves that
were carried off it correlates 0.37 and more, or has half of the print; another parcel's 0.23."""
REST_OFF_PX = 4
"""Of a label that is carried turned the rest lies somewhere else by so much."""
PRINT_PX_MIN = 60
"""Square pixels: less print tells nothing."""
CONTRAST_MIN = 0.3
"""A label in the shade of whoever carries it has so much of its contrast."""
ABOUT = sorted(
    itertools.product(range(-REST_OFF_PX, REST_OFF_PX + 1), repeat=2),
    key=lambda at: math.hypot(*at),
)
MARGIN_PX = 4


@dataclass(frozen=True, slots=True)
class Part:
    """Half of a label, found: its correlation, `ahead` of the other label that is most like it
    there by so much, how far the label's middle has moved, (2,) full pixels, and whether it is
    `denied` by what is beside it: the rest of another label, or one that lies on this one."""

    alike: float
    ahead: float
    shift: Floats
    denied: bool


def find_part(
    label: Gray,
    printed: Mask,
    at: tuple[int, int],
    gray: Gray,
    reach_px: int,
    rivals: Sequence[Gray],
) -> Part | None:
    """The most alike half of `label` (H, W), `printed` (H, W) where its code is and not the paper
    or the box around it, whose corner was at `at` (x, y) of `gray`, within `reach_px` of there;
    `rivals` are how other labels look. None if no half is alike enough to be judged."""
    high, wide = label.shape
    x0, y0 = max(0, at[0] - reach_px), max(0, at[1] - reach_px)
    window = gray[y0 : at[1] + high + reach_px, x0 : at[0] + wide + reach_px]
    if min(high, wide) < 2 * SIDE_PX_MIN or min(window.shape) < max(high, wide):
        return None
    small = _halved(window)
    best: tuple[float, tuple[int, int], tuple[int, int], tuple[slice, slice]] | None = None
    for scale in SCALES:
        size = (max(1, round(wide * scale)), max(1, round(high * scale)))
        larger = _sized(label, size)
        for half in _halves(larger):
            found = _place(larger[half], window, small)
            if found is not None and (best is None or found[0] > best[0]):
                best = found[0], found[1], size, half
    if best is None:
        return None
    alike, (x, y), size, half = best
    rows, columns = half
    high, wide = rows.stop - rows.start, columns.stop - columns.start
    inside, larger = _inside(printed, size), _sized(label, size)
    if _fine(larger[half], window[y : y + high, x : x + wide], inside[half]) < FINE_MIN:
        return None
    near, _ = _near(window, (x, y), (high, wide))
    others = [best_place(_sized(one, size)[half], near) for one in rivals]
    other = max((0.0 if one is None else one[0] for one in others), default=0.0)
    corner = np.array([x0 + x - columns.start, y0 + y - rows.start], np.float64)
    shift = corner + np.array(size) / 2 - (np.array(at) + np.array(label.shape[::-1]) / 2)
    inside[half] = False
    denied = _denied(larger, inside, window, (x - columns.start, y - rows.start))
    return Part(alike, alike - other, shift, denied)


def _sized(picture: Gray, size: tuple[int, int]) -> Gray:
    return np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_LINEAR), np.uint8)


def _halved(picture: Gray) -> Gray:
    return np.asarray(
        cv2.resize(picture, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA), np.uint8
    )


def _halves(label: Gray) -> Iterator[tuple[slice, slice]]:
    """Left, right, upper and lower half, as far as something is printed on them."""
    high, wide = label.shape
    y, x = slice(0, high), slice(0, wide)
    rows, columns = math.ceil(SHARE * high), math.ceil(SHARE * wide)
    upper, lower = slice(0, rows), slice(high - rows, high)
    left, right = slice(0, columns), slice(wide - columns, wide)
    for half in ((y, left), (y, right), (upper, x), (lower, x)):
        if float(label[half].std()) >= FLAT_SD:
            yield half


def _near(
    window: Gray, at: tuple[int, int], shape: tuple[int, ...]
) -> tuple[Gray, tuple[int, int]]:
    """What lies about so large a part whose corner is at (x, y), and where that begins."""
    left, top = max(0, at[0] - MARGIN_PX), max(0, at[1] - MARGIN_PX)
    right, bottom = at[0] + shape[1] + MARGIN_PX, at[1] + shape[0] + MARGIN_PX
    return window[top:bottom, left:right], (left, top)


def _place(half: Gray, window: Gray, small: Gray) -> tuple[float, tuple[int, int]] | None:
    """Correlation and corner (x, y) of the best place in the window."""
    coarse = best_place(_halved(half), small)
    if coarse is None or coarse[0] < COARSE_MIN:
        return None
    x, y = coarse[1]
    near, (left, top) = _near(window, (2 * x, 2 * y), half.shape)
    found = best_place(half, near)
    if found is None:
        return None
    alike, (x, y) = found
    here = near[y : y + half.shape[0], x : x + half.shape[1]]
    if float(here.std()) < CONTRAST_MIN * float(half.std()):
        # A seam in plain cloth has the form of a label's edge, and nothing of its black and white.
        return None
    return alike, (left + x, top + y)


def _inside(printed: Mask, size: tuple[int, int]) -> Mask:
    """What is printed in a picture so large, but for its edge."""
    mask = cv2.resize(printed.astype(np.uint8), size, interpolation=cv2.INTER_NEAREST)
    side = 2 * EDGE_PX + 1
    kernel = np.ones((side, side), np.uint8)
    return np.asarray(cv2.erode(mask, kernel), np.bool_)


def _fine(one: Gray, other: Gray, inside: Mask) -> float:
    """Correlation of what is small in two pictures (H, W), as far as it is `inside` (H, W)."""
    if int(inside.sum()) < PRINT_PX_MIN:
        return 0.0
    share = _share(inside)
    return _alike(_small(one, inside, share), _small(other, inside, share))[0]


def _denied(label: Gray, rest: Mask, window: Gray, at: tuple[int, int]) -> bool:
    """Whether the `rest` (H, W) of a label (H, W) whose corner would be at (x, y) of a window is in
    sight there, and is another's."""
    high, wide = label.shape
    x, y = at
    if int(rest.sum()) < PRINT_PX_MIN:
        return False
    share = _share(rest)
    known = _small(label, rest, share)
    places = 0
    for dx, dy in ABOUT:
        left, top = x + dx, y + dy
        there = window[max(0, top) : top + high, max(0, left) : left + wide]
        if there.shape != label.shape:
            continue
        alike, seen = _alike(known, _small(there, rest, share))
        if alike >= REST_MIN or (places == 0 and seen < REST_SEEN):
            return False
        places += 1
    return places > 0


def _share(inside: Mask) -> NDArray[np.float32]:
    """How much of what is around each pixel (H, W) is `inside` (H, W)."""
    near = cv2.GaussianBlur(inside.astype(np.float32), (0, 0), FINE_PX)
    return np.asarray(np.maximum(near, 1e-6), np.float32)


def _small(picture: Gray, inside: Mask, share: NDArray[np.float32]) -> NDArray[np.float32]:
    """What is small in a picture (H, W), (N,) where it is `inside` (H, W), without its mean;
    `share` (H, W) of `_share`."""
    exact = picture.astype(np.float32)
    small = (exact - cv2.GaussianBlur(exact * inside, (0, 0), FINE_PX) / share)[inside]
    return np.asarray(small - small.mean(), np.float32)


def _alike(one: NDArray[np.float32], other: NDArray[np.float32]) -> tuple[float, float]:
    """Correlation of two (N,) without a mean, and how much larger the other's deviation is."""
    own, theirs = float((one**2).sum()), float((other**2).sum())
    size = math.sqrt(own * theirs)
    if size == 0.0:
        return 0.0, 0.0
    return float((one * other).sum()) / size, math.sqrt(theirs / own)


def best_place(part: NDArray[Any], window: NDArray[Any]) -> tuple[float, tuple[int, int]] | None:
    """The best correlation of a part with a place in a window, both (H, W) of one type, and that
    place's corner (x, y); None where it does not fit, or one of them is flat."""
    if window.shape[0] < part.shape[0] or window.shape[1] < part.shape[1]:
        return None
    _, alike, _, (x, y) = cv2.minMaxLoc(cv2.matchTemplate(window, part, cv2.TM_CCOEFF_NORMED))
    return (float(alike), (int(x), int(y))) if math.isfinite(alike) else None
