"""One shopper's body and hands as numbers that performers steer and time smooths."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from store_sim.scene import Appearance, BodyPose, ItemPose
from store_sim.truth import TruthVisit
from store_sim.world.anatomy import Frame
from store_sim.world.body import HandGoal, build_pose, stride_length_m
from store_sim.world.hold import in_crook, in_hand, quantised, rotation_z
from store_sim.world.scenario import VisitPlan
from store_sim.world.stock import Item
from store_sim.world.vectors import Vec, add, blend, scaled, unit

__all__ = ["Hand", "Shopper"]

HAND_SETTLE_S = 0.14
"""Time constant with which an idle hand goes to where it is carried."""
POSTURE_SETTLE_S = 0.22
GAZE_SETTLE_S = 0.16
GRASP_SETTLE_S = 0.30
"""How long a thing takes from where it stood to where the hand carries it."""


@dataclass(slots=True)
class Hand:
    """A hand. `tip` and `direction` are in the root frame; `driven` hands belong to a performer.
    What is hidden behind the item that it holds is in `also`.

    `slip` is what is left of the difference between where an item stood and where the hand
    carries it: an offset in the world and a yaw, fading from `slip_t_s` on.
    """

    side: Literal["l", "r"]
    tip: Vec
    direction: Vec = (0.9, 0.0, -0.4)
    weight: float = 0.0
    grip: float = 0.2
    driven: bool = False
    item: Item | None = None
    also: list[Item] = field(default_factory=list)
    slip: Vec = (0.0, 0.0, 0.0)
    slip_yaw: float = 0.0
    slip_t_s: float = -10.0
    hangs: bool = False

    @property
    def sign(self) -> float:
        """+1 on the left."""
        return 1.0 if self.side == "l" else -1.0


@dataclass(slots=True)
class Shopper:
    """A person in or before the store."""

    index: int
    plan: VisitPlan
    appearance: Appearance
    frame: Frame
    rng: np.random.Generator
    truth: TruthVisit
    x: float
    y: float
    heading: float
    pace_m_s: float
    performance: Iterator[None]
    place: int = -1
    """Which of the day's plans this is; -1 for somebody who came of their own accord."""
    line: str | None = None
    """The line of the script that is being played."""
    speed: float = 0.0
    vx: float = 0.0
    vy: float = 0.0
    phase: float = 0.0
    goal: tuple[float, float] | None = None
    goal_heading: float | None = None
    stuck_s: float = 0.0
    detour: tuple[float, float] | None = None
    detour_s: float = 0.0
    sidesteps: bool = False
    lean: float = 0.0
    crouch: float = 0.0
    twist: float = 0.0
    lean_goal: float = 0.0
    crouch_goal: float = 0.0
    twist_goal: float = 0.0
    posture_driven: bool = False
    look_at: Vec | None = None
    gaze: Vec = (2.0, 0.0, 1.3)
    roams: bool = False
    spot: tuple[float, float] | None = None
    stays: bool = False
    """Whether a script wants this shopper where he or she stands."""
    gone: bool = False
    crook: list[Item] = field(default_factory=list)
    bag: list[Item] = field(default_factory=list)
    taken_from: dict[int, tuple[str, int]] = field(default_factory=dict)
    hands: dict[str, Hand] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for side in ("l", "r"):
            hand = Hand("l" if side == "l" else "r", (0.0, 0.0, 0.0))
            hand.tip = self.rest_tip(hand)
            self.hands[side] = hand

    @property
    def walking(self) -> bool:
        """Whether there is still a way to go."""
        return self.goal is not None

    def stop(self) -> None:
        """Goes no further."""
        self.goal = self.detour = None
        self.sidesteps = False
        self.stuck_s = 0.0

    # -- the root frame

    def to_world(self, point: Vec) -> Vec:
        """Root frame to world."""
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        x, y, z = point
        return (self.x + x * cos - y * sin, self.y + x * sin + y * cos, z)

    def to_root(self, point: Vec) -> Vec:
        """World to root frame."""
        cos, sin = math.cos(self.heading), math.sin(self.heading)
        x, y = point[0] - self.x, point[1] - self.y
        return (x * cos + y * sin, y * cos - x * sin, point[2])

    # -- where idle hands are

    def rest_tip(self, hand: Hand) -> Vec:
        """Beside the thigh, where the hanging hand is."""
        s = self.frame.stature
        return (0.16, hand.sign * (self.frame.shoulder_half + 0.05), 0.40 * s)

    def carry_tip(self, hand: Hand) -> Vec:
        """Before the hip, or hanging at the side."""
        s = self.frame.stature
        if hand.hangs:
            return (0.14, hand.sign * (self.frame.shoulder_half + 0.07), 0.39 * s)
        return (0.40, hand.sign * 0.17, 0.60 * s)

    def crook_tip(self) -> Vec:
        """The left forearm across the belly."""
        return (0.31, -0.11, 0.645 * self.frame.stature)

    # -- time

    def relax(self, dt_s: float) -> None:
        """Whatever no performer drives goes to where it is at ease."""
        if not self.posture_driven:
            share = 1.0 - math.exp(-dt_s / POSTURE_SETTLE_S)
            self.lean += (self.lean_goal - self.lean) * share
            self.crouch += (self.crouch_goal - self.crouch) * share
            self.twist += (self.twist_goal - self.twist) * share
        share = 1.0 - math.exp(-dt_s / HAND_SETTLE_S)
        for hand in self.hands.values():
            if hand.driven:
                continue
            crooked = hand.side == "l" and bool(self.crook)
            wanted, towards, weight = self.rest_tip(hand), (0.4, 0.0, -0.9), 0.0
            if crooked:
                wanted, towards, weight = self.crook_tip(), (0.35, -0.93, 0.05), 1.0
            elif hand.item is not None:
                wanted, weight = self.carry_tip(hand), 1.0
                towards = (0.45, 0.0, -0.9) if hand.hangs else (0.95, -0.25 * hand.sign, 0.0)
            hand.tip = blend(hand.tip, wanted, share)
            hand.direction = unit(blend(hand.direction, towards, share))
            hand.weight += (weight - hand.weight) * share
            if weight == 0.0 and hand.weight < 0.01:
                hand.weight = 0.0
            hand.grip += ((0.75 if weight else 0.25) - hand.grip) * share
        wanted = (2.0, 0.0, 0.8 * self.frame.stature)
        if self.look_at is not None:
            wanted = self.to_root(self.look_at)
        self.gaze = blend(self.gaze, wanted, 1.0 - math.exp(-dt_s / GAZE_SETTLE_S))
        if self.speed > 0.02:
            self.phase += self.speed * dt_s / stride_length_m(self.frame.stature, self.speed)

    # -- what can be seen

    def pose(self) -> BodyPose:
        """The body now."""
        goals = {}
        for side, hand in self.hands.items():
            if hand.weight > 0.0:
                cos, sin = math.cos(self.heading), math.sin(self.heading)
                x, y, z = hand.direction
                goals[side] = HandGoal(
                    self.to_world(hand.tip), (x * cos - y * sin, x * sin + y * cos, z), hand.weight
                )
        return build_pose(
            self.appearance,
            (self.x, self.y),
            self.heading,
            self.lean,
            self.crouch,
            goals.get("l"),
            goals.get("r"),
            self.to_world(self.gaze),
            self.phase,
            self.speed,
            twist=self.twist,
            grip=(round(self.hands["l"].grip, 3), round(self.hands["r"].grip, 3)),
            person_index=self.index,
        )

    def held_items(self, pose: BodyPose, t_s: float) -> list[ItemPose]:
        """Everything this shopper carries, items in the bag included."""
        found = []
        for side, hand in self.hands.items():
            if hand.item is None:
                continue
            base, rotation = self.held_pose(pose, hand, t_s)
            found.append(self._carried(hand.item, base, rotation, "hand", side))
            found.extend(self._behind(hand, base, rotation, side))
        for place, item in enumerate(self.crook):
            packaging = item.product.packaging
            base, rotation = in_crook(pose, "l", place, packaging, self.heading)
            found.append(self._carried(item, base, rotation, "hand", "l"))
        hip = quantised((self.x, self.y, 0.5 * self.frame.stature))
        found.extend(
            self._carried(item, hip, rotation_z(self.heading), "bag", None) for item in self.bag
        )
        return found

    def _behind(
        self, hand: Hand, base: NDArray[np.float64], rotation: NDArray[np.float64], side: str
    ) -> list[ItemPose]:
        """What hides behind the held item: in line with it, away from its front."""
        found = []
        assert hand.item is not None
        before = hand.item.product.packaging.depth_m / 2
        away = 0.0
        for item in hand.also:
            half = item.product.packaging.depth_m / 2
            away += before + half
            before = half
            x, y, z = (base + away * rotation[:, 1]).tolist()
            found.append(self._carried(item, quantised((x, y, z)), rotation, "hand", side))
        return found

    def held_pose(
        self, pose: BodyPose, hand: Hand, t_s: float
    ) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """Base and rotation of what a hand holds, with what is left of the slip of the grasp."""
        assert hand.item is not None
        base, rotation = in_hand(pose, hand.side, hand.item.product.packaging, self.heading)
        left = 1.0 - min(1.0, max(0.0, (t_s - hand.slip_t_s) / GRASP_SETTLE_S))
        if left > 0.0:
            yaw = math.atan2(rotation[1, 0], rotation[0, 0]) + left * hand.slip_yaw
            x, y, z = base.tolist()
            base = quantised(add((x, y, z), scaled(hand.slip, left)))
            rotation = rotation_z(yaw)
        return base, rotation

    def _carried(
        self,
        item: Item,
        base: NDArray[np.float64],
        rotation: NDArray[np.float64],
        state: Literal["hand", "bag"],
        hand: str | None,
    ) -> ItemPose:
        side: Literal["l", "r"] | None = None if hand is None else ("l" if hand == "l" else "r")
        return ItemPose(item.index, item.product.gtin, base, rotation, state, self.index, side)
