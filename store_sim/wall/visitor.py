"""Somebody at the wall: walks, waits, reaches, carries. Motion in ticks of TICK_S.

A visitor's plan is a generator that is advanced once a tick; its steps (`walk`, `wait`, `grab`,
`put`) are generators too. All in the wall's frame: x is u, y is v, so who faces the wall has the
heading pi / 2, and their right hand is on the side of greater u.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from store_sim.scene import Appearance, BodyPose
from store_sim.wall.parcels import ParcelPose, SimParcel, frame_of
from store_sim.world.body import HandGoal, build_pose
from store_sim.world.posture import Posture, reach_posture
from store_sim.world.vectors import Vec

__all__ = ["TICK_S", "Carried", "Steps", "Visitor"]

TICK_S = 1.0 / 30.0
Steps = Iterator[None]

FACING = math.pi / 2
_OUT_M = 0.26
"""So far a parcel is drawn straight out before it is turned to the chest."""
_CHEST_M = 0.3
_TWO_HANDS_M = 0.2


@dataclass(slots=True)
class Carried:
    """A parcel in somebody's hands: its pose now."""

    parcel: SimParcel
    pose: ParcelPose


def _ease(share: float) -> float:
    """From 0 to 1 as a hand moves: smooth at both ends (minimum jerk)."""
    s = min(1.0, max(0.0, share))
    return s * s * s * (10 + s * (6 * s - 15))


class Visitor:
    """A person's body and hands. `carried` are parcels in their hands, `bagged` those put away."""

    def __init__(
        self, index: int, look: Appearance, start: tuple[float, float], rng: np.random.Generator
    ) -> None:
        self.index, self.look, self.at = index, look, start
        self.rng = rng
        self.heading = FACING
        self.carried: list[Carried] = []
        self.bagged: list[SimParcel] = []
        self.quick = float(rng.uniform(0.8, 1.25))
        """How fast this person is: 1 is usual."""
        self._phase, self._speed = 0.0, 0.0
        self._posture = Posture(0.0, 0.0, 0.0, 0.5, 0.0)
        self._weight = 0.0
        self._tips: dict[str, Vec] = {}
        self._gaze: Vec | None = None

    def pose(self) -> BodyPose:
        """The body now."""
        w = self._weight
        goals = {hand: HandGoal(tip, None, max(w, 0.85)) for hand, tip in self._tips.items()}
        grip = 0.55 if self._tips else 0.25
        return build_pose(
            self.look, self.at, self.heading, self._posture.lean * w, self._posture.crouch * w,
            goals.get("l"), goals.get("r"), self._gaze, self._phase, self._speed,
            twist=self._posture.twist * w, grip=(grip, grip), person_index=self.index,
        )  # fmt: skip

    def walk(self, to: tuple[float, float], *, speed: float = 1.1) -> Steps:
        """Walks straight to a point of the floor and faces the wall there."""
        pace = speed * self.quick * (0.85 if self.carried else 1.0)
        while True:
            du, dv = to[0] - self.at[0], to[1] - self.at[1]
            left = math.hypot(du, dv)
            if left < 0.01:
                break
            step = min(left, pace * TICK_S * min(1.0, 0.35 + left / 0.5))
            self.at = (self.at[0] + du / left * step, self.at[1] + dv / left * step)
            if left > 0.25:
                self._turn(math.atan2(dv, du))
            self._speed = step / TICK_S
            self._phase += step / (self.look.stature_m * (0.38 + 0.34 * self._speed))
            self._hold()
            yield
        self._speed = 0.0
        while abs(self._off(FACING)) > 0.02:
            self._turn(FACING)
            self._hold()
            yield

    def _off(self, heading: float) -> float:
        return math.remainder(heading - self.heading, 2 * math.pi)

    def _turn(self, heading: float) -> None:
        off = self._off(heading)
        self.heading += max(-5.0 * TICK_S, min(5.0 * TICK_S, off))

    def wait(self, seconds: float, until: Callable[[], bool] | None = None) -> Steps:
        """Stands for so long, or until something is so."""
        for _ in range(max(1, round(seconds / TICK_S))):
            if until is not None and until():
                return
            self._hold()
            yield

    def look_at(self, point: Vec | None) -> None:
        """Turns the head."""
        self._gaze = point

    def stand_for(self, pose: ParcelPose, width_m: float) -> tuple[float, float]:
        """Where to stand to reach a parcel: a little beside it, on the side away from the wall's
        middle, as who wants to see the wall does."""
        u = pose.at_m[0]
        side = 1.0 if u > width_m / 2 else -1.0
        if abs(u - width_m / 2) < 0.12:
            side = 1.0 if self.at[0] > u else -1.0
        aside = float(self.rng.uniform(0.18, 0.36)) * side
        return (u + aside, -float(self.rng.uniform(0.5, 0.6)))

    def grab(self, parcel: SimParcel, pose: ParcelPose, taken: Callable[[], None]) -> Steps:
        """Reaches for a parcel, calls `taken` when it moves, and draws it to the chest."""
        self._prepare(parcel, pose)
        yield from self._swing(0.45, 0.0, 1.0)
        for _ in range(max(1, round(0.1 / self.quick / TICK_S))):
            yield
        taken()
        held = Carried(parcel, pose)
        self.carried.append(held)
        chest = self._chest_pose(len(self.carried))
        yield from self._carry(held, pose, chest, 0.75, 1.0, 0.0)

    def put(self, held: Carried, pose: ParcelPose, placed: Callable[[], None]) -> Steps:
        """Sets a carried parcel down at a pose, calls `placed` when it stands."""
        self._prepare(held.parcel, pose)
        yield from self._carry(held, held.pose, pose, 0.85, 0.0, 1.0)
        self.carried.remove(held)
        placed()
        yield from self._swing(0.4, 1.0, 0.0)
        self._tips = {}

    def stow_away(self, held: Carried) -> Steps:
        """Puts a carried parcel into a bag, out of sight."""
        yield from self.wait(0.35)
        self.carried.remove(held)
        self.bagged.append(held.parcel)
        if not self.carried:
            self._tips = {}
        yield from self.wait(0.25)

    def _prepare(self, parcel: SimParcel, pose: ParcelPose) -> None:
        """Posture and fingertips for a parcel where it stands."""
        tips = _grips(parcel, pose, self.at[0])
        hand, tip = next(iter(tips.items()))
        direction = (0.94, 0.0, 0.34) if tip[2] > 1.2 else (0.97, 0.0, -0.2)
        self._posture = reach_posture(
            self.look, hand, tip_in_m=tip[1], tip_aside_m=self.at[0] - tip[0], tip_z_m=tip[2],
            direction=direction, stand_m=-self.at[1],
        )  # fmt: skip
        self._tips = tips
        self._gaze = pose.at_m

    def _swing(self, seconds: float, first: float, last: float) -> Steps:
        """The hand goes out (0 to 1) or comes back."""
        ticks = max(2, round(seconds / self.quick / TICK_S))
        goal = dict(self._tips)
        rest = self._rest_tips(goal)
        for k in range(1, ticks + 1):
            share = first + (last - first) * _ease(k / ticks)
            self._weight = share
            self._tips = {hand: _mix(rest[hand], goal[hand], share) for hand in goal}
            yield
        self._tips = goal

    def _rest_tips(self, goal: dict[str, Vec]) -> dict[str, Vec]:
        """Where hands hang before they go out: beside the hips, a little ahead."""
        s = self.look.stature_m
        return {
            hand: (self.at[0] + (0.22 if hand == "r" else -0.22), self.at[1] + 0.12, 0.47 * s)
            for hand in goal
        }

    def _carry(
        self, held: Carried, start: ParcelPose, end: ParcelPose, seconds: float, first: float,
        last: float,
    ) -> Steps:  # fmt: skip
        """Moves a held parcel on its way between wall and chest; the hands go with it."""
        ticks = max(3, round(seconds / self.quick / TICK_S))
        wall_end = start if first > last else end
        out = wall_end.moved(0.0, -_OUT_M - max(0.0, wall_end.at_m[1]), 0.02)
        for k in range(1, ticks + 1):
            share = _ease(k / ticks)
            held.pose = _between(start, out, end, share)
            self._weight = first + (last - first) * share
            self._tips = _grips(held.parcel, held.pose, self.at[0])
            yield

    def _chest_pose(self, place: int) -> ParcelPose:
        """Where this person holds a parcel: before the chest, its front turned up to them, above
        and before `place` others."""
        reach = _CHEST_M + 0.02 * place
        u = self.at[0] + reach * math.cos(self.heading)
        v = self.at[1] + reach * math.sin(self.heading)
        turn = math.degrees(self.heading - FACING)
        return ParcelPose((u, v, 0.68 * self.look.stature_m + 0.05 * place), turn, 28.0)

    def _hold(self) -> None:
        """Keeps what is carried before the chest while walking and standing."""
        self._weight = max(0.0, self._weight - TICK_S / 0.4)
        for place, held in enumerate(self.carried):
            held.pose = self._chest_pose(place)
        if self.carried:
            last = self.carried[-1]
            self._tips = _both(last.parcel, last.pose)
        else:
            self._tips = {}


def _mix(a: Vec, b: Vec, share: float) -> Vec:
    return (
        a[0] + (b[0] - a[0]) * share,
        a[1] + (b[1] - a[1]) * share,
        a[2] + (b[2] - a[2]) * share,
    )


def _between(start: ParcelPose, out: ParcelPose, end: ParcelPose, share: float) -> ParcelPose:
    """On the way from start to end past `out` (a quadratic curve), turning evenly."""
    a, c, b = start.at_m, out.at_m, end.at_m
    p, q, r = (1 - share) ** 2, 2 * share * (1 - share), share**2
    at = tuple(round(p * x + q * y + r * z, 5) for x, y, z in zip(a, c, b, strict=True))
    turns = (
        x + (y - x) * share
        for x, y in (
            (start.yaw_deg, end.yaw_deg), (start.tilt_deg, end.tilt_deg),
            (start.roll_deg, end.roll_deg),
        )
    )  # fmt: skip
    yaw, tilt, roll = (round(v, 4) for v in turns)
    return ParcelPose((at[0], at[1], at[2]), yaw, tilt, roll)


def _edge(parcel: SimParcel, pose: ParcelPose, side: float) -> Vec:
    """Where a hand holds a parcel: the middle of its front's side, a little below and behind."""
    right, up, out = frame_of(pose)
    w, h, d = parcel.size_m
    point = np.array(pose.at_m) + right * side * (w / 2 + 0.006) - up * 0.1 * h - out * 0.3 * d
    return (float(point[0]), float(point[1]), float(point[2]))


def _both(parcel: SimParcel, pose: ParcelPose) -> dict[str, Vec]:
    return {"l": _edge(parcel, pose, -1.0), "r": _edge(parcel, pose, 1.0)}


def _grips(parcel: SimParcel, pose: ParcelPose, stand_u: float) -> dict[str, Vec]:
    """Fingertips at a parcel: one hand at the nearer side, two at a large one."""
    nearer, other = ("r", "l") if pose.at_m[0] > stand_u else ("l", "r")
    if parcel.size_m[0] > _TWO_HANDS_M:
        tips = _both(parcel, pose)
        return {nearer: tips[nearer], other: tips[other]}
    return {nearer: _edge(parcel, pose, -1.0 if nearer == "r" else 1.0)}
