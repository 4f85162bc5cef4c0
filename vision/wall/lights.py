"""Spots of projected light in a camera's picture: what colour, what form, where their middle is.

Light adds to what a surface shows. What a frame has more than the reference, in one channel more
than in the others, is coloured light of ours; in all three alike, white light.
"""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import MarkLook
from vision.wall.records import LightSpot
from vision.wall.scene import least, most

__all__ = ["light_spots"]

F32 = NDArray[np.float32]

EXCESS_MIN = 0.05
"""Share of full scale by which a channel gains more than the others; half of it weighs nothing."""
WHITE_MIN = 0.10
AREA_MIN = 6
"""Small pixels of the least spot."""
JOIN_PX = 5
"""Dashes and dots of one mark lie no further apart, small pixels."""
SPOTS_MAX = 64
END = 0.04
"""Share of a mark's light on either side that counts as its end."""


def light_spots(
    small: NDArray[np.uint8], reference: F32, scale: tuple[float, float]
) -> tuple[LightSpot, ...]:
    """The spots in a small picture (h, w, 3) held against its reference (float32, 0..1), in full
    pixels, `scale` of them to a small one. Colour counts capped, so that bright and dark surfaces
    under one mark weigh alike."""
    gain = small.astype(np.float32) * np.float32(1 / 255) - reference
    gain -= np.median(gain[::7, ::7].reshape(-1, 3), axis=0)
    spots: list[LightSpot] = []
    for channel in range(3):
        others = np.maximum(gain[..., (channel + 1) % 3], gain[..., (channel + 2) % 3])
        spots += _spots(gain[..., channel] - np.maximum(others, 0), EXCESS_MIN, channel, scale)
    low, high = least(gain), most(gain)
    white = np.where(low > 0.6 * high, low, 0).astype(np.float32)
    spots += _spots(white, WHITE_MIN, None, scale)
    spots.sort(key=lambda one: -one.area_px)
    return tuple(spots[:SPOTS_MAX])


def _spots(
    excess: F32, least: float, channel: int | None, scale: tuple[float, float]
) -> list[LightSpot]:
    lit = (excess > least).astype(np.uint8)
    if not lit.any():
        return []
    joined = cv2.morphologyEx(lit, cv2.MORPH_CLOSE, np.ones((JOIN_PX, JOIN_PX), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
    # A mark is one spot though it is of parts: a dot within its ring, the strokes of a frame.
    spots = []
    for group in _nested(np.asarray(stats[1:count], np.int32)):
        x0 = min(int(stats[k + 1, 0]) for k in group)
        y0 = min(int(stats[k + 1, 1]) for k in group)
        x1 = max(int(stats[k + 1, 0] + stats[k + 1, 2]) for k in group)
        y1 = max(int(stats[k + 1, 1] + stats[k + 1, 3]) for k in group)
        cut = (slice(max(0, y0 - 1), y1 + 1), slice(max(0, x0 - 1), x1 + 1))
        own = np.isin(labels[cut], [k + 1 for k in group])
        own = cv2.dilate(own.astype(np.uint8), np.ones((3, 3), np.uint8)) > 0
        weight = np.clip((excess[cut] - least / 2) / least, 0.0, 1.0) * own
        area = float(weight.sum())
        if area < AREA_MIN:
            continue
        x = cut[1].start + _middle(weight.sum(axis=0))
        y = cut[0].start + _middle(weight.sum(axis=1))
        spots.append(
            LightSpot(
                _look(channel, weight, x - cut[1].start, y - cut[0].start),
                ((x + 0.5) * scale[0] - 0.5, (y + 0.5) * scale[1] - 0.5),
                area * scale[0] * scale[1],
                (x0 * scale[0], y0 * scale[1], x1 * scale[0], y1 * scale[1]),
            )
        )
    return spots


def _middle(profile: NDArray[np.float32]) -> float:
    """Half way between both ends of a profile, to a part of a pixel: marks are alike on both
    sides, but part of the light falls on black print and is not seen."""
    total = np.concatenate([[0.0], np.cumsum(profile, dtype=np.float64)])
    places = np.arange(len(total)) - 0.5
    low, high = np.interp([END * total[-1], (1 - END) * total[-1]], total, places)
    return float(low + high) / 2


def _nested(stats: NDArray[np.int32]) -> list[list[int]]:
    """Indexes of parts, those whose box lies within another's put together with it."""
    order = sorted(range(len(stats)), key=lambda k: -int(stats[k, 2]) * int(stats[k, 3]))
    groups: list[list[int]] = []
    for k in order:
        x, y, w, h = (int(c) for c in stats[k, :4])
        for group in groups:
            gx, gy, gw, gh = (int(c) for c in stats[group[0], :4])
            if gx <= x and gy <= y and x + w <= gx + gw and y + h <= gy + gh:
                group.append(k)
                break
        else:
            groups.append([k])
    return groups


def _look(channel: int | None, weight: F32, x: float, y: float) -> MarkLook:
    """A guess: green and blue are the two that invite; red is a cross if its middle is lit, a
    frame if not; white is a frame, dashed if much of its border is dark."""
    if channel == 1:
        return "take_a"
    if channel == 2:
        return "take_b"
    if channel == 0:
        row, column = round(y), round(x)
        middle = weight[max(0, row - 1) : row + 2, max(0, column - 1) : column + 2]
        return "not_this" if middle.size and float(middle.mean()) > 0.3 else "wrong"
    edge = np.concatenate([weight[1], weight[-2], weight[:, 1], weight[:, -2]])
    return "look" if float((edge > 0.5).mean()) > 0.6 else "place"
