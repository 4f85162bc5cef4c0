"""A closer look at a place that seems to hold a code: set upright, larger, with more contrast."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import cv2
import numpy as np

from vision.labels.code import LINEAR, MATRIX, Gray, Points
from vision.labels.engines import Reading, moved, read_zbar, read_zxing
from vision.labels.profile import (
    EDGES_MIN,
    OWN_FORMATS,
    ProfileReading,
    convincing,
    edges_between,
    read_profile,
    supports,
)
from vision.labels.straight import Strip, bright_edges, profiles, sharper, straight_bars, striped

__all__ = ["BarSearch", "Look", "read_square"]

SQUARE_PIXELS_MAX = 2_000_000
"""Square places are not made larger than this."""
SQUARE_PAD = 0.5
"""What is looked at around a place, beside its side: glare hides part of a code from locating."""
SQUARE_SIDE_PX = 320
"""Quick looks make places about so large."""


@dataclass(frozen=True)
class Look:
    """What a closer look gave; `looked` is 0 if the place was seen to be nothing at once."""

    readings: tuple[Reading, ...] = ()
    looked: int = 0


class BarSearch:
    """Looks closely at places of bars in one picture (H, W) uint8.

    `quick` is for video: one engine, one profile, no second try with more contrast.
    """

    def __init__(
        self, gray: Gray, formats: tuple[str, ...] = LINEAR, *, quick: bool = False
    ) -> None:
        self._gray = gray
        self._formats = formats
        self._own = tuple(one for one in formats if one in OWN_FORMATS)
        self._quick = quick

    def proofs(self, readings: Iterable[Reading]) -> list[Reading]:
        """For readings of bars whose light fits their text: our own reading of the same."""
        found = []
        for one in readings:
            if one.format not in self._own:
                continue
            strip = straight_bars(self._gray, _thick(one.polygon))
            for profile in profiles(strip):
                own = read_profile(profile, (one.format,), span=strip.span)
                if own is not None and own.text == one.text and supports(own):
                    found.append(_own_reading(own, strip))
                    break
        return found

    def closer(self, polygon: Points) -> Look:
        """What can be read at a place: (4, 2), its upper side across the bars."""
        if not striped(self._gray, polygon):
            return Look()
        strip = straight_bars(self._gray, polygon)
        light = list(profiles(strip))
        if max(edges_between(one, *strip.span) for one in light) < EDGES_MIN:
            return Look()
        found = self._engines(strip, "straight", strip.gray)
        if self._quick and found:
            return Look(tuple(found), 1)
        proofs = self.proofs(found)
        if proofs:
            return Look((*found, *proofs), 1)
        for profile in light[:1] if self._quick else light:
            own = read_profile(profile, self._own, span=strip.span)
            if own is not None and convincing(own):
                return Look((*found, _own_reading(own, strip)), 1)
        if not self._quick:
            found += self._engines(strip, "bright", bright_edges(strip.gray))
            found += self.proofs(found)
        return Look(tuple(found), 1)

    def _engines(self, strip: Strip, way: str, crop: Gray) -> list[Reading]:
        read = read_zxing(crop, self._formats, hard=False)
        if not self._quick:
            read += read_zbar(crop, self._formats)
        return [moved(one, strip.matrix, way) for one in read]


def _own_reading(own: ProfileReading, strip: Strip) -> Reading:
    high = strip.gray.shape[0]
    top, bottom = 0.05 * high, 0.95 * high - 1.0
    if own.reversed:
        # Upside down: its first bar is to the right already.
        top, bottom = bottom, top
    corners = np.array(
        [(own.begin, top), (own.end, top), (own.end, bottom), (own.begin, bottom)], np.float32
    )
    plain = Reading(own.text, own.format, corners, "bars", round(own.modules))
    return moved(plain, strip.matrix, "bars")


def _thick(polygon: Points) -> Points:
    """The polygon of a reading, made at least a little high."""
    tl, tr, br, bl = polygon
    upper = tr - tl + br - bl
    length = float(np.linalg.norm(upper)) / 2.0
    height = float(np.linalg.norm(bl - tl + br - tr)) / 2.0
    least = max(4.0, 0.04 * length)
    if height >= least or length < 1.0:
        return polygon
    down = np.array([-upper[1], upper[0]], np.float32) / (2.0 * length)
    left, right = (tl + bl) / 2.0, (tr + br) / 2.0
    half = down * least / 2.0
    return np.array([left - half, right - half, right + half, left + half], np.float32)


def read_square(
    gray: Gray, polygon: Points, formats: tuple[str, ...] = MATRIX, *, quick: bool = False
) -> list[Reading]:
    """Square codes in an upright box (4, 2), read larger and with more contrast."""
    (x0, y0), (x1, y1) = polygon.min(axis=0), polygon.max(axis=0)
    side = float(max(x1 - x0, y1 - y0))
    pad = SQUARE_PAD * side
    high, wide = gray.shape
    left, top = max(0, int(x0 - pad)), max(0, int(y0 - pad))
    crop = gray[top : min(high, int(y1 + pad) + 1), left : min(wide, int(x1 + pad) + 1)]
    if min(crop.shape) < 8:
        return []
    scales = (float(np.clip(SQUARE_SIDE_PX / side, 1.0, 3.0)),) if quick else (2.0, 3.0)
    for scale in scales:
        if crop.size * scale * scale > SQUARE_PIXELS_MAX:
            continue
        resized = cv2.resize(crop, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC)
        large = np.asarray(resized, np.uint8)
        # Pixel centres: the crop's pixel k lies at scale * (k + 0.5) - 0.5.
        off = 0.5 / scale - 0.5
        matrix = np.array([[1 / scale, 0, left + off], [0, 1 / scale, top + off], [0, 0, 1]])
        for way in ("large", "sharp", "bright"):
            ready = large
            if way == "sharp":
                # Blur is about a pixel of the picture, whatever the crop was made to.
                ready = sharper(large, scale)
            elif way == "bright":
                ready = bright_edges(large)
            read = read_zxing(ready, formats, hard=not quick)
            if read:
                return [moved(one, matrix, f"{way}-{scale:.0f}") for one in read]
    return []
