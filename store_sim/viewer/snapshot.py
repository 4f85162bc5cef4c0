"""What there is to draw at one instant: people on the floor, pictures, and marks in them."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay
from contracts.store_file import StoreFile
from store_sim.scene import ITEM_ID_BASE, JOINTS, PART_STRIDE, PARTS, BodyPose, Scene

__all__ = ["Mark", "Person", "Snapshot", "bay_of_point", "marks_of", "people_of"]

_ROW = {name: row for row, name in enumerate(JOINTS)}
PIXELS_MIN = 12
PERSON_PIXELS_MIN = 150
"""Fewer pixels of a thing, or of a person, than this are not marked."""

Box = tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody on the floor. `heading_rad` is None where nobody knows it; `hands` maps "l" and "r"
    to the point of the fingertips; `reaching` are the hands that are inside a shelf; `holding` are
    GTINs in the hands, `bagged` counts what is in the bag."""

    shopper: int
    x_m: float
    y_m: float
    heading_rad: float | None = None
    hands: Mapping[str, tuple[float, float, float]] = field(default_factory=dict)
    reaching: tuple[str, ...] = ()
    holding: tuple[str, ...] = ()
    bagged: int = 0


@dataclass(frozen=True, slots=True)
class Mark:
    """A box in a camera's picture, x0 y0 x1 y1 in its pixels. `kind` is "person", "hand" or
    "item"; `gtin` is an item's."""

    kind: str
    box: Box
    shopper: int | None
    gtin: str = ""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """An instant. `pictures` are each camera's newest, (H, W, 3) uint8, and `marks` belong to
    them."""

    t_s: float
    pictures: Mapping[str, NDArray[np.uint8]]
    marks: Mapping[str, tuple[Mark, ...]]
    people: tuple[Person, ...]


def people_of(store: StoreFile, scene: Scene) -> tuple[Person, ...]:
    """The people of a scene, by number."""
    return tuple(_person(store, scene, body) for body in scene.bodies)


def _person(store: StoreFile, scene: Scene, body: BodyPose) -> Person:
    joints = body.joints_m
    pelvis = joints[_ROW["pelvis"]]
    across = joints[_ROW["r_shoulder"]] - joints[_ROW["l_shoulder"]]
    hands = {}
    for side in ("l", "r"):
        x, y, z = joints[_ROW[f"{side}_fingertip"]].tolist()
        hands[side] = (x, y, z)
    own = [item for item in scene.loose_items if item.holder_index == body.person_index]
    return Person(
        shopper=body.person_index,
        x_m=float(pelvis[0]),
        y_m=float(pelvis[1]),
        # A quarter turn against the clock from the line of the shoulders.
        heading_rad=math.atan2(float(across[0]), -float(across[1])),
        hands=hands,
        reaching=tuple(side for side, tip in hands.items() if bay_of_point(store, tip)),
        holding=tuple(item.gtin for item in own if item.state != "bag"),
        bagged=sum(item.state == "bag" for item in own),
    )


def bay_of_point(store: StoreFile, point: tuple[float, float, float]) -> Bay | None:
    """The bay that a world point is inside of, behind its front plane; None if in none."""
    x, y, z = point
    for bay in store.bays:
        cos, sin = bay.normal
        dx, dy = x - bay.origin_m[0], y - bay.origin_m[1]
        u, v = -dx * sin + dy * cos, -dx * cos - dy * sin
        if 0.0 <= u <= bay.width_m and 0.0 <= v <= bay.depth_m and 0.0 <= z <= bay.height_m:
            return bay
    return None


def marks_of(
    store: StoreFile, scene: Scene, ids: NDArray[np.int32], drawn: Mapping[int, int]
) -> tuple[Mark, ...]:
    """Boxes of what can be seen of people, of hands inside shelves and of items in hands or on the
    floor, from an id mask (H, W). `drawn` are the ids that were drawn at all."""
    marks: list[Mark] = []
    for body in scene.bodies:
        first = body.person_index * PART_STRIDE + 1
        if not any(first <= key < first + PART_STRIDE for key in drawn):
            continue
        box = _box((ids >= first) & (ids < first + PART_STRIDE), PERSON_PIXELS_MIN)
        if box is None:
            continue
        marks.append(Mark("person", box, body.person_index))
        for side in _person(store, scene, body).reaching:
            hand = _box(ids == first + PARTS.index(f"{side}_hand"))
            if hand is not None:
                marks.append(Mark("hand", hand, body.person_index))
    for item in scene.loose_items:
        key = ITEM_ID_BASE + item.item_index
        box = _box(ids == key) if key in drawn else None
        if box is not None:
            marks.append(Mark("item", box, item.holder_index, item.gtin))
    return tuple(marks)


def _box(mask: NDArray[np.bool_], pixels_min: int = PIXELS_MIN) -> Box | None:
    rows = np.flatnonzero(mask.any(axis=1))
    if not len(rows):
        return None
    part = mask[rows[0] : rows[-1] + 1]
    if int(part.sum()) < pixels_min:
        return None
    columns = np.flatnonzero(part.any(axis=0))
    return (float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1))
