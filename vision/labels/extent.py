"""How far a code of bars reaches beside the line that an engine read it along.

Engines go over a picture in level and upright lines, so that of bars that hang slanted they know
where the first and the last one were crossed, and hardly anything of their height. From either end
the bars are followed along themselves as long as what is beside the line looks like it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.geometry import grown
from vision.labels.code import LINEAR, Code, Gray, Points, polygon_of
from vision.labels.merge import area, overlap

__all__ = ["part_of", "spanned", "whole_bars"]

Floats = NDArray[np.float64]

LENGTH_PX_MIN = 24.0
"""Shorter codes are as they were read."""
END_SHARE = 0.25
"""So much of the code, from either end, is followed."""
NEAR_SHARE = 0.03
"""Of its length: the direction of the bars is that of what is so near the line."""
AGREE_MIN = 0.5
"""Coherence of directions, 0 to 1, from which they are the bars'."""
ACROSS_MIN = 0.5
"""Cosine between the line and the way across the bars."""
REACH_SHARE = 0.7
"""Bars are at most so long to either side, beside the length of the code."""
ALIKE_MIN, FAINT = 0.6, 0.3
"""A row goes on with the bars if it correlates so much and has so much of their contrast."""
ROW_PX = 3
"""Every third line of pixels is looked at, and"""
MISSED_MAX = 1
"""so many of them may be unlike the others before the bars are over: a scratch, a hair."""
LEAN = 0.15
"""Pixels sideways a pixel along: bars that are seen aslant fan out."""
UNEVEN_MAX = 1.7
"""A side seen aslant is so many times as long as the other at most; beyond, something hides it."""
MORE_MIN = 1.06
"""What is found to be hardly larger than it was read is as it was read: to the pixel."""
PART_SHARE, PART_IN, AROUND = 0.6, 0.8, 1.1
"""Who reads a part of a code has at most so much of its area, nearly all of it in the code or,
where a line was read along its edge, in what is so many times as large."""


def part_of(part: Points, whole: Points) -> bool:
    """Whether of the bars at `whole` (4, 2) those at `part` (4, 2) are but a part: somebody's hand
    is before the others."""
    around = grown(whole, AROUND)
    return area(part) < PART_SHARE * area(whole) and overlap(part, around) >= PART_IN


def spanned(codes: Iterable[Code], gray: Gray) -> tuple[Code, ...]:
    """The codes of a picture (H, W), those of bars with as much of their height as is seen."""
    return tuple(
        replace(one, polygon=whole_bars(gray, one.polygon)) if one.format in LINEAR else one
        for one in codes
    )


def whole_bars(gray: Gray, polygon: Points) -> Points:
    """The corners (4, 2) of the bars in a picture (H, W) that were read along `polygon` (4, 2), as
    far as they are seen; the polygon itself where they cannot be followed."""
    tl, tr, br, bl = polygon.astype(np.float64)
    begin, end = (tl + bl) / 2, (tr + br) / 2
    length = float(np.linalg.norm(end - begin))
    if length < LENGTH_PX_MIN:
        return polygon
    first = _followed(gray, begin, end)
    last = _followed(gray, end, begin)
    if first is None or last is None:
        return polygon
    # Seen from its last bar, what is above the code is on the other side.
    (up, down), (down_last, up_last) = first, last
    heights = [float(np.linalg.norm(one)) for one in (down - up, down_last - up_last)]
    if min(heights) * UNEVEN_MAX < max(heights):
        return polygon
    found = polygon_of(np.array([begin + up, end + up_last, end + down_last, begin + down]))
    return found if area(found) > MORE_MIN * area(polygon) else polygon


def _followed(gray: Gray, begin: Floats, end: Floats) -> tuple[Floats, Floats] | None:
    """How far (2,) the bars reach from `begin` to the left and to the right of who looks along the
    line to `end`; None if there are no bars."""
    length = float(np.linalg.norm(end - begin))
    ahead = _across(gray, begin, begin + END_SHARE * (end - begin), NEAR_SHARE * length)
    if ahead is None or float(ahead @ (end - begin)) < ACROSS_MIN * length:
        return None
    right = np.array([-ahead[1], ahead[0]])
    wide, reach = int(END_SHARE * length), int(REACH_SHARE * length) // ROW_PX + 1
    beside = 1 + int(LEAN * reach * ROW_PX)
    # From rows and columns beside the line to the picture; the middle row begins at `begin`.
    corner = begin - beside * ahead - reach * ROW_PX * right
    matrix = np.array([[ahead[0], ROW_PX * right[0], corner[0]],
                       [ahead[1], ROW_PX * right[1], corner[1]]])  # fmt: skip
    rows = cv2.warpAffine(
        gray,
        matrix,
        (wide + 2 * beside, 2 * reach + 1),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    ).astype(np.float32)
    bars = rows[reach : reach + 1, beside : beside + wide]
    strength = float(bars.std())
    if strength < 1.0:
        return None
    left_to, left_off = _reach(rows[reach::-1], bars, beside, strength)
    right_to, right_off = _reach(rows[reach:], bars, beside, strength)
    return left_off * ahead - left_to * right, right_off * ahead + right_to * right


def _reach(
    rows: NDArray[np.float32], bars: NDArray[np.float32], beside: int, strength: float
) -> tuple[float, int]:
    """How far the rows (N, W + 2 `beside`) look like the bars (1, W), pixels from the first on, and
    how far these have drifted ahead there."""
    wide = bars.shape[1]
    last, off, missed = 0, 0, 0
    for number, row in enumerate(rows[1:], 1):
        begin = max(0, beside + off - 1)
        near = row[None, begin : beside + off + wide + 1]
        alike, at = 0.0, 0
        if float(near.std()) > FAINT * strength:
            _, alike, _, (at, _) = cv2.minMaxLoc(
                cv2.matchTemplate(near, bars, cv2.TM_CCOEFF_NORMED)
            )
        if alike >= ALIKE_MIN:
            last, off, missed = number, begin + at - beside, 0
        else:
            missed += 1
            if missed > MISSED_MAX:
                break
    return (last + 0.5) * ROW_PX, off


def _across(gray: Gray, begin: Floats, end: Floats, near_px: float) -> Floats | None:
    """The way (2,) across the bars near a line, of length one, from its begin to its end; None
    where nothing goes one way (structure tensor, as in vision.labels.locate)."""
    high, wide = gray.shape
    near = max(2.0, near_px)
    low = np.maximum(np.minimum(begin, end) - near - 1, 0).astype(int)
    top = (np.maximum(begin, end) + near + 2).astype(int)
    crop = gray[low[1] : min(high, top[1]), low[0] : min(wide, top[0])]
    if min(crop.shape) < 3:
        return None
    dx = cv2.Sobel(crop, cv2.CV_32F, 1, 0, ksize=3)
    dy = cv2.Sobel(crop, cv2.CV_32F, 0, 1, ksize=3)
    band = np.zeros(crop.shape, np.uint8)
    ends = [tuple(int(v) for v in np.round(one - low)) for one in (begin, end)]
    cv2.line(band, ends[0], ends[1], 1, max(1, round(2 * near)))
    inside = band > 0
    xx, yy = float((dx[inside] ** 2).sum()), float((dy[inside] ** 2).sum())
    xy = float((dx[inside] * dy[inside]).sum())
    if np.hypot(xx - yy, 2 * xy) < AGREE_MIN * max(xx + yy, 1e-6):
        return None
    angle = 0.5 * np.arctan2(2 * xy, xx - yy)
    way = np.array([np.cos(angle), np.sin(angle)])
    return way if float(way @ (end - begin)) > 0 else -way
