"""Random people in a random store: reaching, browsing, holding, walking."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay
from contracts.store_file import Product
from store_sim.pictures.worlds import RandomWorld
from store_sim.render.static import bay_axes
from store_sim.scene import Appearance, BodyPose, ItemPose
from store_sim.world.anatomy import sample_appearance
from store_sim.world.body import HandGoal, build_pose
from store_sim.world.hold import in_crook, in_hand

__all__ = ["LOOSE_BASE", "Crowd", "Person", "crowd_at", "random_appearance"]

Floats = NDArray[np.float64]
Rng = np.random.Generator

LOOSE_BASE = 500_000
"""Item index of the first loose item of a picture."""
PEOPLE_MAX = 7


@dataclass(frozen=True, slots=True)
class Person:
    """A body, what it holds, and how its hands are turned."""

    body: BodyPose
    held: tuple[ItemPose, ...]
    rolls: tuple[float, float]


@dataclass(frozen=True, slots=True)
class Crowd:
    """The people of one picture, ready for a scene."""

    bodies: tuple[BodyPose, ...]
    items: tuple[ItemPose, ...]
    rolls: dict[int, tuple[float, float]]


def random_appearance(rng: Rng) -> Appearance:
    """A person, plain or of any kind; wider in girth than those of the simulated store."""
    look = sample_appearance(rng, float(rng.choice((0.0, 0.5, 1.0))))
    return replace(
        look, girth=round(float(np.clip(look.girth * rng.uniform(0.9, 1.12), 0.78, 1.5)), 3)
    )


def _tilted(rng: Rng, rotation: Floats, amount: float) -> Floats:
    """The rotation after a small random turn about a level axis."""
    angle, around = float(rng.normal(0, amount)), float(rng.uniform(0, 2 * math.pi))
    x, y = math.cos(around), math.sin(around)
    c, s = math.cos(angle), math.sin(angle)
    turn = np.array(
        [
            [c + x * x * (1 - c), x * y * (1 - c), y * s],
            [x * y * (1 - c), c + y * y * (1 - c), -x * s],
            [-y * s, x * s, c],
        ]
    )
    return np.array([[float((turn[i] * rotation[:, j]).sum()) for j in range(3)] for i in range(3)])


def _hold(
    rng: Rng, pose: BodyPose, hand: str, product: Product, heading: float, index: int, crook: bool
) -> ItemPose:
    if crook:
        base, rotation = in_crook(pose, hand, int(rng.integers(4)), product.packaging, heading)
    else:
        base, rotation = in_hand(pose, hand, product.packaging, heading)
    rotation = _tilted(rng, rotation, 0.35)
    # The item turns about the place where it is gripped, not about its foot.
    height = 0.55 * product.packaging.height_m
    base = base + np.array([0.0, 0.0, height]) - rotation[:, 2] * height
    return ItemPose(
        index, product.gtin, base, rotation, "hand", pose.person_index, "l" if hand == "l" else "r"
    )


def _person(
    rng: Rng,
    look: Appearance,
    number: int,
    spot: tuple[float, float],
    heading: float,
    goals: dict[str, HandGoal | None],
    products: Sequence[Product],
    hold: float,
    *,
    lean: float,
    crouch: float,
    walk: bool,
    first_item: int,
) -> Person:
    grips = {side: float(rng.uniform(0.0, 0.85)) for side in "lr"}
    carried = {
        side: products[int(rng.integers(len(products)))]
        for side in "lr"
        if rng.random() < hold * (1.0 if goals.get(side) is not None else 0.35)
    }
    for side in carried:
        grips[side] = float(rng.uniform(0.3, 0.65))
    gaze = rng.normal(0, 0.4, 3) + np.array(
        [spot[0] + math.cos(heading), spot[1] + math.sin(heading), rng.uniform(0.4, 1.6)]
    )
    pose = build_pose(
        look,
        spot,
        heading,
        lean=lean,
        crouch=crouch,
        left_target=goals.get("l"),
        right_target=goals.get("r"),
        head_target=(float(gaze[0]), float(gaze[1]), float(gaze[2])),
        walk_phase=float(rng.random()),
        walk_speed=float(rng.uniform(0.4, 1.6)) if walk else 0.0,
        twist=float(rng.normal(0, 0.2)),
        grip=(grips["l"], grips["r"]),
        person_index=number,
    )
    held = [
        _hold(rng, pose, side, product, heading, first_item + k, rng.random() < 0.12)
        for k, (side, product) in enumerate(sorted(carried.items()))
    ]
    rolls = tuple(float(rng.normal(0, 0.15 if s in carried else 0.5)) for s in "lr")
    return Person(pose, tuple(held), (rolls[0], rolls[1]))


def _shelf_goal(rng: Rng, bay: Bay, u: float, shoulder_z: float) -> HandGoal:
    """A fingertip goal at the goods of a bay, near u."""
    origin, u_axis, normal = bay_axes(bay)
    board = bay.boards[int(rng.integers(len(bay.boards)))]
    z = board.z_m + float(rng.uniform(0.03, min(0.28, board.clearance_m)))
    z = float(np.clip(z, 0.35, shoulder_z + 0.55))
    v = float(rng.normal(-0.03, 0.12))
    tip = origin + u_axis * (u + float(rng.normal(0, 0.22))) - normal * v
    ahead = -normal * rng.uniform(0.5, 1.0) + u_axis * rng.normal(0, 0.35)
    direction = None
    if rng.random() < 0.75:
        direction = (float(ahead[0]), float(ahead[1]), float(rng.normal(-0.15, 0.35)))
    return HandGoal((float(tip[0]), float(tip[1]), z), direction)


def _free_goal(rng: Rng, spot: tuple[float, float], heading: float, z: float) -> HandGoal:
    """A goal before the chest: looking at a product, a phone, holding a basket."""
    turn = heading + float(rng.normal(0, 0.6))
    reach = float(rng.uniform(0.22, 0.6))
    return HandGoal(
        (spot[0] + reach * math.cos(turn), spot[1] + reach * math.sin(turn),
         z + float(rng.uniform(-0.45, 0.25)))
    )  # fmt: skip


def crowd_at(
    rng: Rng,
    world: RandomWorld,
    bay: Bay,
    people: Sequence[Appearance],
    *,
    u_centre: float,
    spread_m: float,
    hold: float = 0.5,
    reach: float = 0.75,
    stand_m: tuple[float, float] = (0.32, 0.75),
    aim_u: float | None = None,
) -> Crowd:
    """People before one bay. `reach` is the share of hands at the shelf, `hold` that hold goods.

    With `aim_u` all hands go to that stretch of the shelf, however far aside their owner stands.
    """
    origin, u_axis, normal = bay_axes(bay)
    bodies: list[BodyPose] = []
    items: list[ItemPose] = []
    rolls: dict[int, tuple[float, float]] = {}
    products = world.store.products
    for number, look in enumerate(people[:PEOPLE_MAX]):
        u = u_centre + float(rng.uniform(-spread_m, spread_m))
        away = float(rng.uniform(*stand_m))
        at = origin + u_axis * u + normal * away
        spot = (float(at[0]), float(at[1]))
        facing = math.atan2(-normal[1], -normal[0])
        kind = rng.random()
        goals: dict[str, HandGoal | None] = {"l": None, "r": None}
        walk, lean, crouch, heading = False, 0.0, 0.0, facing + float(rng.normal(0, 0.35))
        if kind < (0.78 if aim_u is None else 0.94):
            for side, share in (("r", reach), ("l", reach * 0.55)):
                if rng.random() < share:
                    goals[side] = _shelf_goal(
                        rng, bay, u if aim_u is None else aim_u, 0.8 * look.stature_m
                    )
                elif rng.random() < 0.35:
                    goals[side] = _free_goal(rng, spot, heading, 0.68 * look.stature_m)
            low = min((g.tip_m[2] for g in goals.values() if g is not None), default=1.2)
            lean = float(np.clip(rng.normal(0.12, 0.1) + max(0.0, 0.95 - low) * 0.7, 0, 1.1))
            crouch = float(np.clip(rng.normal(0.0, 0.12) + max(0.0, 0.7 - low) * 1.1, 0, 1.0))
        else:
            heading = float(rng.uniform(-math.pi, math.pi))
            walk = rng.random() < 0.7
            for side in "lr":
                if rng.random() < 0.4:
                    goals[side] = _free_goal(rng, spot, heading, 0.68 * look.stature_m)
        person = _person(
            rng, look, number, spot, heading, goals, products, hold,
            lean=lean, crouch=crouch, walk=walk, first_item=LOOSE_BASE + number * 4,
        )  # fmt: skip
        bodies.append(person.body)
        items += person.held
        rolls[number] = person.rolls
    return Crowd(tuple(bodies), tuple(items), rolls)
