"""How people are made: segment lengths as shares of stature, and looks drawn from a seed.

Segment lengths follow Drillis and Contini (1966), "Body segment parameters", as tabulated by
Winter, "Biomechanics and Motor Control of Human Movement".
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from store_sim.scene import Appearance

__all__ = ["STATURE_MAX_M", "STATURE_MIN_M", "Frame", "frame_of", "sample_appearance"]

STATURE_MIN_M = 1.50
STATURE_MAX_M = 1.96

Hair = Literal["short", "long", "bald", "cap", "bun"]
Pattern = Literal["plain", "stripes", "checks", "print"]

_HAIR: tuple[Hair, ...] = ("short", "long", "bald", "cap", "bun")
_HAIR_SHARE = (0.42, 0.26, 0.08, 0.14, 0.10)
_PATTERNS: tuple[Pattern, ...] = ("plain", "stripes", "checks", "print")
_PATTERN_SHARE = (0.52, 0.18, 0.14, 0.16)
_SKIN = np.array(
    [
        (244, 222, 204), (236, 204, 178), (226, 188, 156), (212, 168, 132), (196, 148, 110),
        (172, 122, 86), (146, 100, 68), (118, 78, 54), (92, 60, 44), (68, 46, 36),
    ],
    dtype=np.float64,
)  # fmt: skip
_HAIR_RGB = np.array(
    [
        (28, 24, 22), (52, 38, 28), (84, 58, 38), (120, 84, 50), (176, 138, 84),
        (208, 180, 128), (140, 62, 34), (150, 148, 146), (206, 204, 200),
    ],
    dtype=np.float64,
)  # fmt: skip
_TROUSERS_RGB = np.array(
    [
        (34, 36, 42), (40, 52, 84), (66, 84, 122), (96, 96, 98), (120, 104, 82),
        (176, 164, 138), (58, 70, 52), (112, 48, 52), (208, 206, 200),
    ],
    dtype=np.float64,
)  # fmt: skip
_SHOES_RGB = np.array(
    [(24, 24, 26), (232, 230, 226), (86, 60, 42), (130, 130, 134), (150, 40, 44), (44, 62, 104)],
    dtype=np.float64,
)


@dataclass(frozen=True, slots=True)
class Frame:
    """Segment lengths of one person, in metres."""

    stature: float
    hip_height: float
    spine_low: float
    spine_high: float
    shoulder_rise: float
    neck_to_head: float
    head_to_top: float
    shoulder_half: float
    hip_half: float
    upper_arm: float
    forearm: float
    hand: float
    thigh: float
    shank: float
    ankle: float
    foot: float


def frame_of(appearance: Appearance) -> Frame:
    """The segment lengths of a person of this stature and girth."""
    s = appearance.stature_m
    return Frame(
        stature=s,
        hip_height=0.525 * s,
        spine_low=0.170 * s,
        spine_high=0.135 * s,
        shoulder_rise=0.118 * s,
        neck_to_head=0.108 * s,
        head_to_top=0.062 * s,
        shoulder_half=0.114 * s * (0.88 + 0.12 * appearance.girth),
        hip_half=0.054 * s * appearance.girth,
        upper_arm=0.186 * s,
        forearm=0.146 * s,
        hand=0.104 * s,
        thigh=0.245 * s,
        shank=0.246 * s,
        ankle=0.039 * s,
        foot=0.115 * s,
    )


def sample_appearance(rng: np.random.Generator) -> Appearance:
    """A person nobody has met: every feature drawn on its own, so that looks vary widely."""
    stature = float(np.clip(rng.normal(1.71, 0.095), STATURE_MIN_M, STATURE_MAX_M))
    top = _garment_rgb(rng)
    return Appearance(
        stature_m=round(stature, 3),
        girth=round(float(np.clip(rng.normal(1.02, 0.12), 0.8, 1.38)), 3),
        skin_rgb=_rgb(_between(rng, _SKIN)),
        hair_rgb=_rgb(_HAIR_RGB[rng.integers(len(_HAIR_RGB))] + rng.normal(0, 8, 3)),
        hair=_HAIR[int(rng.choice(len(_HAIR), p=_HAIR_SHARE))],
        top_rgb=_rgb(top),
        top2_rgb=_rgb(_second_rgb(rng, top)),
        top_pattern=_PATTERNS[int(rng.choice(len(_PATTERNS), p=_PATTERN_SHARE))],
        sleeves="long" if rng.random() < 0.6 else "short",
        bottom_rgb=_rgb(_TROUSERS_RGB[rng.integers(len(_TROUSERS_RGB))] + rng.normal(0, 10, 3)),
        shoes_rgb=_rgb(_SHOES_RGB[rng.integers(len(_SHOES_RGB))] + rng.normal(0, 6, 3)),
        texture_seed=int(rng.integers(1 << 31)),
    )


def _between(rng: np.random.Generator, table: NDArray[np.float64]) -> NDArray[np.float64]:
    """A colour between two neighbours of an ordered table."""
    place = rng.uniform(0, len(table) - 1)
    low = int(place)
    share = place - low
    mixed: NDArray[np.float64] = (
        table[low] * (1 - share) + table[min(low + 1, len(table) - 1)] * share
    )
    return mixed + rng.normal(0, 4, 3)


def _garment_rgb(rng: np.random.Generator) -> NDArray[np.float64]:
    """Half of all tops are greys and darks as in any street, the rest take any hue."""
    if rng.random() < 0.4:
        level = rng.choice([26.0, 48.0, 90.0, 150.0, 205.0, 238.0])
        grey: NDArray[np.float64] = level + rng.normal(0, 7, 3)
        return grey
    hue = rng.uniform(0, 6)
    strength = rng.uniform(0.25, 0.95)
    value = rng.uniform(60, 245)
    wheel = np.clip(np.abs((hue + np.array([0.0, 4.0, 2.0])) % 6 - 3) - 1, 0, 1)
    coloured: NDArray[np.float64] = value * (1 - strength * (1 - wheel))
    return coloured


def _second_rgb(rng: np.random.Generator, top: NDArray[np.float64]) -> NDArray[np.float64]:
    """The second colour of a pattern: far enough from the first to be seen."""
    second = _garment_rgb(rng)
    if float(np.abs(second - top).sum()) < 90:
        return 255.0 - top
    return second


def _rgb(colour: NDArray[np.float64]) -> tuple[int, int, int]:
    red, green, blue = (int(c) for c in np.clip(np.rint(colour), 8, 250))
    return (red, green, blue)
