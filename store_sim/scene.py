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
    """How a person looks; sampled once from a seed, never from anybody real."""

    stature_m: float
    girth: float
    skin_rgb: Rgb
    hair_rgb: Rgb
    hair: Literal["short", "long", "bald", "cap", "bun"]
    top_rgb: Rgb
    top2_rgb: Rgb
    top_pattern: Literal["plain", "stripes", "checks", "print"]
    sleeves: Literal["short", "long"]
    bottom_rgb: Rgb
    shoes_rgb: Rgb
    texture_seed: int


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
