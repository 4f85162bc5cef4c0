"""How people are made: segment lengths as shares of stature, and looks drawn from a seed.

Segment lengths follow Drillis and Contini (1966), "Body segment parameters", as tabulated by
Winter, "Biomechanics and Motor Control of Human Movement".
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from store_sim.scene import Appearance

__all__ = [
    "APRON_RGB", "CHILD_MAX_M", "CHILD_MIN_M", "STATURE_MAX_M", "STATURE_MIN_M", "UNIFORM_RGB",
    "Frame", "child_of", "frame_of", "sample_appearance", "uniform_of",
]  # fmt: skip

STATURE_MIN_M = 1.50
STATURE_MAX_M = 1.96
CHILD_MIN_M = 1.05
CHILD_MAX_M = 1.25
UNIFORM_RGB = (0, 122, 94)
"""The colour of the staff's tops, which no shopper's clothes are kept from having."""
APRON_RGB = (28, 52, 50)

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
    if appearance.child:
        return _childs_frame(s, appearance.girth)
    return Frame(
        stature=s,
        hip_height=0.525 * s,
        spine_low=0.170 * s,
        spine_high=0.135 * s,
        shoulder_rise=0.118 * s,
        neck_to_head=0.108 * s,
        head_to_top=0.062 * s,
        shoulder_half=0.114 * s * (0.88 + 0.12 * appearance.girth) * appearance.shoulders,
        hip_half=0.054 * s * appearance.girth,
        upper_arm=0.186 * s,
        forearm=0.146 * s,
        hand=0.104 * s,
        thigh=0.245 * s,
        shank=0.246 * s,
        ankle=0.039 * s,
        foot=0.115 * s,
    )


def _childs_frame(s: float, girth: float) -> Frame:
    """About six years old: a larger head and shorter legs and arms for the same stature."""
    return Frame(
        stature=s,
        hip_height=0.487 * s,
        spine_low=0.174 * s,
        spine_high=0.134 * s,
        shoulder_rise=0.112 * s,
        neck_to_head=0.122 * s,
        head_to_top=0.083 * s,
        shoulder_half=0.110 * s * (0.88 + 0.12 * girth),
        hip_half=0.054 * s * girth,
        upper_arm=0.174 * s,
        forearm=0.138 * s,
        hand=0.102 * s,
        thigh=0.228 * s,
        shank=0.226 * s,
        ankle=0.040 * s,
        foot=0.118 * s,
    )


def sample_appearance(rng: np.random.Generator, variety: float = 0.0) -> Appearance:
    """A person nobody has met: every feature drawn on its own, so that looks vary widely.

    `variety` (0 to 1, store_sim.dials.PeopleDials) is how much of what makes people differ they
    wear and carry: hats, bags, gloves, glasses, coats, skirts, and how far bodies differ. At 0 it
    draws nothing more from `rng`; above, the same person as at 0 is dressed.
    """
    look = _plain_appearance(rng)
    return look if variety <= 0.0 else _dressed(rng, look, min(1.0, variety))


def _plain_appearance(rng: np.random.Generator) -> Appearance:
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


def _dressed(rng: np.random.Generator, look: Appearance, variety: float) -> Appearance:
    """The person with what a varied crowd wears; draws the same number of values for anybody."""
    chance = (rng.random(12) / variety).tolist()
    pick = rng.random(12).tolist()
    spread = rng.normal(0.0, variety, 4)
    colours = [_garment_rgb(rng) for _ in range(4)]

    def one_of(options: Sequence[str], place: int) -> str:
        return options[min(len(options) - 1, int(pick[place] * len(options)))]

    def one_in(share: float, place: int) -> bool:
        return bool(chance[place] < share)

    hats = ("beanie", "beanie", "brim", "hood", "headscarf")
    bags = ("tote", "tote", "basket", "basket", "crossbody", "rucksack")
    coats = ("jacket", "jacket", "long")
    bottoms = ("shorts", "skirt", "skirt", "long_skirt")
    figured = ("floral", "blocks", "logo")
    hat = one_of(hats, 0) if one_in(0.40, 0) else "none"
    coat = one_of(coats, 2) if one_in(0.40, 2) else "seeded"
    sleeves = "wide" if one_in(0.22, 4) else "long" if coat != "seeded" else look.sleeves
    beard = "full" if pick[6] < 0.5 else "stubble"
    fields: dict[str, Any] = {
        "girth": round(float(np.clip(look.girth * math.exp(0.10 * spread[0]), 0.76, 1.5)), 3),
        "shoulders": round(float(np.clip(1.0 + 0.05 * spread[1], 0.9, 1.12)), 3),
        "belly": round(float(np.clip(0.5 * spread[2], 0.0, 1.0)), 3),
        "hands": "fine",
        "gloves_rgb": _rgb(colours[0]) if one_in(0.20, 1) else None,
        "hat": hat,
        "hat_rgb": _rgb(colours[1]),
        "glasses": ("dark" if pick[5] < 0.2 else "clear") if one_in(0.34, 5) else "none",
        "beard": beard if one_in(0.26, 6) and look.hair in ("short", "bald", "cap") else "seeded",
        "bag": one_of(bags, 7) if one_in(0.50, 7) else "seeded",
        "bag_rgb": _rgb(colours[2]),
        "coat": coat,
        "sleeves": sleeves,
        "bottom": one_of(bottoms, 8) if one_in(0.30, 8) and coat != "long" else "trousers",
        "bottom_pattern": one_of(("stripes", "checks", "floral"), 9)
        if one_in(0.22, 9)
        else "plain",
        "top_pattern": one_of(figured, 10) if one_in(0.30, 10) else look.top_pattern,
        "bottom_rgb": _rgb(colours[3]) if one_in(0.35, 11) else look.bottom_rgb,
    }
    return replace(look, **fields)


def uniform_of(appearance: Appearance) -> Appearance:
    """The person in the store's uniform: a plain top in its colour, an apron, a name strip."""
    return replace(
        appearance,
        top_rgb=UNIFORM_RGB,
        top2_rgb=UNIFORM_RGB,
        top_pattern="plain",
        sleeves="long" if appearance.sleeves == "wide" else appearance.sleeves,
        bottom="trousers",
        bottom_pattern="plain",
        bottom_rgb=(38, 40, 46),
        hat="none",
        coat="none",
        bag="none",
        apron_rgb=APRON_RGB,
        name_strip=True,
    )


def child_of(appearance: Appearance) -> Appearance:
    """A child of the same colouring and clothes, 1.05 to 1.25 m tall by how tall the person is."""
    share = (appearance.stature_m - STATURE_MIN_M) / (STATURE_MAX_M - STATURE_MIN_M)
    return replace(
        appearance,
        child=True,
        stature_m=round(CHILD_MIN_M + (CHILD_MAX_M - CHILD_MIN_M) * share, 3),
        girth=round(min(1.08, max(0.86, appearance.girth)), 3),
        shoulders=1.0,
        belly=0.0,
        hair="short" if appearance.hair == "bald" else appearance.hair,
        hat="beanie" if appearance.hat in ("brim", "headscarf") else appearance.hat,
        beard="none",
        coat="none" if appearance.coat in ("seeded", "long") else appearance.coat,
        bag="rucksack" if appearance.bag == "rucksack" else "none",
        apron_rgb=None,
        name_strip=False,
    )
