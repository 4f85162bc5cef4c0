"""The scene: what the world hands to the renderer and to the plates at one instant.

Everything is in world metres. Poses are quantised (POSITION_STEP_M, ANGLE_STEP_RAD) where they
are made, so that digests of pictures agree across Python and numpy versions.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ANGLE_STEP_RAD",
    "ITEM_ID_BASE",
    "JOINTS",
    "PARTS",
    "PART_STRIDE",
    "POSITION_STEP_M",
    "Appearance",
    "BodyPose",
    "DoorPose",
    "ItemPose",
    "Scene",
]

POSITION_STEP_M = 1e-4
ANGLE_STEP_RAD = 1e-4

JOINTS = (
    "pelvis", "chest", "neck", "head", "head_top",
    "l_shoulder", "l_elbow", "l_wrist", "l_fingertip",
    "r_shoulder", "r_elbow", "r_wrist", "r_fingertip",
    "l_hip", "l_knee", "l_ankle", "l_toe",
    "r_hip", "r_knee", "r_ankle", "r_toe",
)  # fmt: skip
"""Order of the rows of BodyPose.joints_m. `head` is the centre of the skull."""

PARTS = ("torso", "head", "l_arm", "l_hand", "r_arm", "r_hand", "legs", "bag")
"""Body parts of the id mask: id = person_index * PART_STRIDE + PARTS.index(part) + 1."""
PART_STRIDE = 16
ITEM_ID_BASE = 1_000_000
"""Items carry ITEM_ID_BASE + item_index in the id mask; 0 is the static store."""

Rgb = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class Appearance:
    """How a person looks; sampled once from a seed, never from anybody real.

    From `shoulders` on the defaults are the plain crowd's look, drawn as it always was; "seeded"
    leaves a rucksack, a coat or a beard to `texture_seed`. `shoulders` multiplies their width,
    `belly` is 0 to 1. A `child` has a child's proportions for its stature.
    """

    stature_m: float
    girth: float
    skin_rgb: Rgb
    hair_rgb: Rgb
    hair: Literal["short", "long", "bald", "cap", "bun"]
    top_rgb: Rgb
    top2_rgb: Rgb
    top_pattern: Literal["plain", "stripes", "checks", "print", "floral", "blocks", "logo"]
    sleeves: Literal["short", "long", "wide"]
    bottom_rgb: Rgb
    shoes_rgb: Rgb
    texture_seed: int
    shoulders: float = 1.0
    belly: float = 0.0
    hands: Literal["plain", "fine"] = "plain"
    gloves_rgb: Rgb | None = None
    hat: Literal["none", "beanie", "brim", "hood", "headscarf"] = "none"
    hat_rgb: Rgb = (60, 60, 64)
    glasses: Literal["none", "clear", "dark"] = "none"
    beard: Literal["seeded", "none", "stubble", "full"] = "seeded"
    bag: Literal["seeded", "none", "tote", "basket", "crossbody", "rucksack"] = "seeded"
    bag_rgb: Rgb = (110, 80, 56)
    coat: Literal["seeded", "none", "jacket", "long"] = "seeded"
    bottom: Literal["trousers", "shorts", "skirt", "long_skirt"] = "trousers"
    bottom_pattern: Literal["plain", "stripes", "checks", "floral"] = "plain"
    apron_rgb: Rgb | None = None
    name_strip: bool = False
    child: bool = False


@dataclass(frozen=True, slots=True)
class BodyPose:
    """One person at one instant: `joints_m` (len(JOINTS), 3) float64.

    `grip` is how closed the left and the right hand are, 0 flat to 1 fist.
    """

    person_index: int
    appearance: Appearance
    joints_m: NDArray[np.float64]
    grip: tuple[float, float]


@dataclass(frozen=True, slots=True)
class ItemPose:
    """One item: `base_m` is the centre of its bottom face; `rotation` (3, 3) float64 takes item
    axes (x width, y depth with the front at -y, z up) to world axes. `hidden` items are in a bag.
    """

    item_index: int
    gtin: str
    base_m: NDArray[np.float64]
    rotation: NDArray[np.float64]
    state: Literal["shelf", "hand", "floor", "bag"]
    holder_index: int | None = None
    hand: Literal["l", "r"] | None = None


@dataclass(frozen=True, slots=True)
class DoorPose:
    """The glass door before a bay: hinged at u = 0 of the front plane, `angle_rad` 0 shut."""

    bay_id: str
    angle_rad: float


@dataclass(frozen=True, slots=True)
class Scene:
    """All that can be seen at `t_s`. `shelf_items` change only when `shelf_version` does."""

    t_s: float
    bodies: tuple[BodyPose, ...]
    loose_items: tuple[ItemPose, ...]
    shelf_items: tuple[ItemPose, ...]
    shelf_version: int
    doors: tuple[DoorPose, ...] = ()
