"""The movements that verbs are made of: waiting, walking, reaching, carrying.

All are generators that end one tick at each `yield`; they steer a shopper's goals and hands and
leave the smoothing to time. Times of a reach are those of people at shelves: 0.5 to 0.9 s in,
0.2 to 0.6 s there, 0.5 to 0.9 s out.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.store_file import Product
from store_sim.world.crowd import SIDESTEP_M, wrapped
from store_sim.world.hold import grip_point, in_hand
from store_sim.world.posture import STAND_MAX_M, STAND_MIN_M, Posture, reach_posture
from store_sim.world.shopper import Hand, Shopper
from store_sim.world.stock import Item, SlotPlace
from store_sim.world.vectors import Vec, add, blend, smooth, unit

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = [
    "LIFT_M", "Target", "can_reach", "drive_hand", "face", "find_stance", "pause", "reach_in",
    "reach_out", "slip_from", "target_of", "walk", "walk_until",
]  # fmt: skip

LIFT_M = 0.014
"""How high an item is lifted off its board before it is drawn out."""
WAYPOINT_M = 0.30
LOOK_ROUND_TICKS = 6
"""How often somebody who walks looks for the way again."""
BACK_OFF_M = 0.75
_BACK_OFF_SHARES = (1.0, 0.6, 0.3)
LEAN_PENALTY_RAD = 1.1
_ASIDES_M = (0.10, 0.20, 0.02, 0.28, -0.08, 0.36)
"""How far the target lies on the reaching hand's side of the body, best first."""


@dataclass(frozen=True, slots=True)
class Target:
    """A fingertip's goal in a shelf: world point, hand direction, and the way into the shelf."""

    place: SlotPlace
    tip_m: Vec
    direction: Vec
    inward: tuple[float, float]

    @property
    def depth_m(self) -> float:
        """How far behind the front plane the fingertip goes."""
        return -self.ahead_m(self.tip_m[0], self.tip_m[1])

    def ahead_m(self, x: float, y: float) -> float:
        """Distance of a floor point before the front plane."""
        origin = self.place.bay.origin_m
        return -((x - origin[0]) * self.inward[0] + (y - origin[1]) * self.inward[1])

    def aside_m(self, x: float, y: float) -> float:
        """How far to the left the fingertip is for somebody at (x, y) who faces the shelf."""
        left = (-self.inward[1], self.inward[0])
        return (self.tip_m[0] - x) * left[0] + (self.tip_m[1] - y) * left[1]

    @property
    def heading_rad(self) -> float:
        """Heading of somebody who faces the shelf."""
        return math.atan2(self.inward[1], self.inward[0])


def target_of(shopper: Shopper, place: SlotPlace, base: Vec, hand: str, product: Product) -> Target:
    """The goal of a hand that grips, or lets go of, an item of a product that stands at `base`."""
    inward = (-place.bay.normal[0], -place.bay.normal[1])
    direction = unit((inward[0], inward[1], -0.10))
    tip, _ = grip_point(base, product.packaging, direction, hand, shopper.frame.hand)
    return Target(place, tip, direction, inward)


def pause(world: World, seconds: float) -> Iterator[None]:
    """Lets time pass."""
    end_s = world.t_s + seconds - 1e-9
    while world.t_s < end_s:
        yield


def face(world: World, shopper: Shopper, heading_rad: float) -> Iterator[None]:
    """Turns on the spot."""
    shopper.goal_heading = heading_rad
    while abs(wrapped(shopper.heading - heading_rad)) > 0.02:
        yield


def walk(
    world: World, shopper: Shopper, x: float, y: float, heading_rad: float | None = None
) -> Iterator[None]:
    """Walks to a point: back from the shelf, along the aisle, up to the shelf again, and round
    whatever stands between. A point too near to a shelf is left for the nearest beside it."""
    shopper.look_at = None
    x, y = world.ground.beside(x, y)
    near = math.hypot(x - shopper.x, y - shopper.y) < SIDESTEP_M
    shopper.sidesteps = near and not world.ground.blocked(shopper.x, shopper.y, x, y)
    shopper.goal_heading = heading_rad
    if not shopper.sidesteps:
        for way in _waypoints(world, shopper, x, y):
            yield from _go(world, shopper, way, WAYPOINT_M)
    yield from _go(world, shopper, (x, y), 0.0)
    shopper.sidesteps = False
    if heading_rad is not None:
        yield from face(world, shopper, heading_rad)


def walk_until(
    world: World, shopper: Shopper, x: float, y: float, enough: Callable[[], bool]
) -> Iterator[None]:
    """Walks to a point, or stops on the way as soon as that is far enough."""
    for _ in walk(world, shopper, x, y):
        if enough():
            shopper.stop()
            return
        yield


def _go(world: World, shopper: Shopper, end: tuple[float, float], near_m: float) -> Iterator[None]:
    """Walks until `near_m` from a point, from corner to corner of the shelves in between.

    The way is looked for again every LOOK_ROUND_TICKS, because others push one off it; the next
    corner is left as soon as what comes after it is in sight.
    """
    ticks = 0
    while True:
        if ticks % LOOK_ROUND_TICKS == 0 or not shopper.walking:
            corners = world.ground.route(shopper.x, shopper.y, *end)
            shopper.goal = corners[0] if corners else end
        ticks += 1
        at_end = shopper.goal == end
        if at_end and math.hypot(end[0] - shopper.x, end[1] - shopper.y) <= near_m > 0.0:
            return
        yield
        if at_end and not shopper.walking:
            return


def _waypoints(world: World, shopper: Shopper, x: float, y: float) -> list[tuple[float, float]]:
    found = []
    here = world.ground.near_front(shopper.x, shopper.y)
    there = world.ground.near_front(x, y)
    if here is not None:
        share = 0.25 * BACK_OFF_M
        away = math.hypot(x - shopper.x, y - shopper.y)
        ahead = share / max(away, share)
        aside = ((x - shopper.x) * ahead, (y - shopper.y) * ahead)
        found.append(_off_shelf(world, (shopper.x, shopper.y), here, aside))
    if there is not None:
        found.append(_off_shelf(world, (x, y), there, (0.0, 0.0)))
    return [point for point in found if point is not None]


def _off_shelf(
    world: World,
    stand: tuple[float, float],
    normal: tuple[float, float],
    aside: tuple[float, float],
) -> tuple[float, float] | None:
    """A point in the aisle before a place at a shelf; nearer in a narrow aisle, None in none."""
    for share in _BACK_OFF_SHARES:
        point = (
            stand[0] + share * BACK_OFF_M * normal[0] + aside[0],
            stand[1] + share * BACK_OFF_M * normal[1] + aside[1],
        )
        if world.ground.clear(*point) and world.ground.indoors(*point):
            return point
    return None


def find_stance(
    world: World, shopper: Shopper, target: Target, hand: str, stand_u_m: float | None = None
) -> tuple[tuple[float, float] | None, Posture] | None:
    """Where to stand for a target, and how: (None, posture) where the shopper already can.

    `stand_u_m` fixes before which place of the bay. None if every place from which the target can
    be reached is taken by somebody else.
    """
    sign = 1.0 if hand == "l" else -1.0
    if stand_u_m is not None:
        return _fixed_stance(world, shopper, target, hand, stand_u_m)
    stand = target.ahead_m(shopper.x, shopper.y)
    aside = target.aside_m(shopper.x, shopper.y)
    here = shopper.spot is not None and STAND_MIN_M <= stand <= STAND_MAX_M + 0.02
    if here and -0.10 <= sign * aside <= 0.36:
        posture = _posture(shopper, target, hand, aside, stand)
        if posture.short_m <= 0.0 and posture.lean < LEAN_PENALTY_RAD:
            return None, posture
    for offset in _ASIDES_M:
        aside = sign * (offset + float(shopper.rng.uniform(-0.04, 0.04)))
        posture = _posture(shopper, target, hand, aside, None)
        if posture.short_m > 0.0:
            continue
        x, y = _before(target, aside, posture)
        if world.claim_spot(shopper, x, y):
            return (x, y), posture
    return None


def _before(target: Target, aside: float, posture: Posture) -> tuple[float, float]:
    """The floor point of somebody who has the target so far aside and so far ahead."""
    left = (-target.inward[1], target.inward[0])
    back = posture.stand_m + target.depth_m
    return (
        target.tip_m[0] - aside * left[0] - back * target.inward[0],
        target.tip_m[1] - aside * left[1] - back * target.inward[1],
    )


def _fixed_stance(
    world: World, shopper: Shopper, target: Target, hand: str, stand_u_m: float
) -> tuple[tuple[float, float], Posture] | None:
    """A stance as near before `stand_u_m` as the arm is long."""
    origin = target.place.bay.origin_m
    # u runs to the right of somebody who faces the shelf.
    right = (target.inward[1], -target.inward[0])
    tip_u_m = (target.tip_m[0] - origin[0]) * right[0] + (target.tip_m[1] - origin[1]) * right[1]
    for nearer in (0.0, 0.05, 0.10, 0.15, 0.20, 0.25, 0.30):
        wanted = stand_u_m - tip_u_m
        aside = math.copysign(max(0.0, abs(wanted) - nearer), wanted)
        posture = _posture(shopper, target, hand, aside, None)
        if posture.short_m > 0.0:
            continue
        x, y = _before(target, aside, posture)
        if world.claim_spot(shopper, x, y):
            return (x, y), posture
    return None


def can_reach(shopper: Shopper, target: Target, hand: str) -> bool:
    """Whether the arm is long enough from the best place."""
    aside = _ASIDES_M[0] * (1.0 if hand == "l" else -1.0)
    return _posture(shopper, target, hand, aside, None).short_m <= 0.0


def _posture(
    shopper: Shopper, target: Target, hand: str, aside: float, stand: float | None
) -> Posture:
    flat = math.hypot(target.direction[0], target.direction[1])
    return reach_posture(
        shopper.appearance,
        hand,
        tip_in_m=target.depth_m,
        tip_aside_m=aside,
        tip_z_m=target.tip_m[2],
        direction=(flat, 0.0, target.direction[2]),
        roof_z_m=target.place.roof_z_m,
        stand_m=stand,
    )


def reach_in(
    world: World,
    shopper: Shopper,
    hand: Hand,
    target: Target,
    posture: Posture,
    seconds: float,
    rise_m: float = 0.0,
) -> Iterator[None]:
    """Drives a hand from where it is into the shelf, the trunk coming along.

    Ends with the fingertip at the target, `rise_m` above it. The hand stays driven.
    """
    hand.driven = shopper.posture_driven = True
    start, weight, towards = hand.tip, hand.weight, hand.direction
    lean, crouch, twist = shopper.lean, shopper.crouch, shopper.twist
    begin_s = world.t_s
    share = 0.0
    while share < 1.0:
        world.doors.hold(target.place.bay.bay_id)
        yield
        share = min(1.0, (world.t_s - begin_s) / seconds)
        goal = shopper.to_root(add(target.tip_m, (0.0, 0.0, rise_m)))
        hand.tip = _into_shelf(start, goal, target.depth_m, smooth(share))
        hand.weight = weight + (1.0 - weight) * smooth(share / 0.4)
        hand.direction = unit(
            blend(towards, _root_direction(shopper, target.direction), smooth(share * 1.4))
        )
        if hand.item is None:
            hand.grip = 0.25 - 0.2 * smooth(share * 2.0)
        trunk = smooth(share * 1.12)
        shopper.lean = lean + (posture.lean - lean) * trunk
        shopper.crouch = crouch + (posture.crouch - crouch) * trunk
        shopper.twist = twist + (posture.twist - twist) * trunk


def reach_out(
    world: World, shopper: Shopper, hand: Hand, target: Target, seconds: float
) -> Iterator[None]:
    """Draws a hand back out of the shelf to where it is carried, and stands up."""
    lean, crouch, twist = shopper.lean, shopper.crouch, shopper.twist
    start, towards = hand.tip, hand.direction
    full = hand.item is not None
    begin_s = world.t_s
    share = 0.0
    while share < 1.0:
        yield
        share = min(1.0, (world.t_s - begin_s) / seconds)
        end = shopper.carry_tip(hand) if full else shopper.rest_tip(hand)
        hand.tip = _into_shelf(end, start, target.depth_m, 1.0 - smooth(share))
        if full:
            # The item clears the board before it comes out.
            lift = LIFT_M * smooth(share * 4.0) * (1.0 - smooth(share * 1.6 - 0.6))
            hand.tip = add(hand.tip, (0.0, 0.0, lift))
            hand.grip = 0.75
            rest = (0.45, 0.0, -0.9) if hand.hangs else (0.95, -0.25 * hand.sign, 0.0)
        else:
            hand.weight = 1.0 - smooth((share - 0.55) / 0.45)
            hand.grip = 0.05 + 0.2 * share
            rest = (0.4, 0.0, -0.9)
        hand.direction = unit(blend(towards, rest, smooth((share - 0.35) / 0.65)))
        trunk = 1.0 - smooth(share * 1.05)
        shopper.lean, shopper.crouch = lean * trunk, crouch * trunk
        shopper.twist = twist * trunk
    hand.driven = shopper.posture_driven = False


def drive_hand(
    world: World, shopper: Shopper, hand: Hand, tip: Vec, direction: Vec, seconds: float
) -> Iterator[None]:
    """Moves a hand straight to a point of the root frame; the hand stays driven."""
    hand.driven = True
    start, weight, towards = hand.tip, hand.weight, hand.direction
    begin_s = world.t_s
    share = 0.0
    while share < 1.0:
        yield
        share = min(1.0, (world.t_s - begin_s) / seconds)
        hand.tip = blend(start, tip, smooth(share))
        hand.direction = unit(blend(towards, direction, smooth(share)))
        hand.weight = weight + (1.0 - weight) * smooth(share)


def slip_from(
    world: World, shopper: Shopper, hand: Hand, item: Item, base: Vec, yaw_rad: float
) -> None:
    """Notes the difference between where an item was and where the hand now carries it."""
    carried, rotation = in_hand(shopper.pose(), hand.side, item.product.packaging, shopper.heading)
    x, y, z = carried.tolist()
    hand.slip = (base[0] - x, base[1] - y, base[2] - z)
    hand.slip_yaw = wrapped(yaw_rad - math.atan2(rotation[1, 0], rotation[0, 0]))
    hand.slip_t_s = world.t_s


def _into_shelf(outside: Vec, inside: Vec, depth_m: float, share: float) -> Vec:
    """A path that comes to the front plane level with its goal and goes straight in (a cubic
    Bézier curve); `share` 0 is outside."""
    gate = (inside[0] - max(0.15, depth_m + 0.06), inside[1], inside[2] + 0.01)
    before = add(blend(outside, gate, 0.65), (-0.05, 0.0, 0.0))
    k = 1.0 - share
    a, b, c, d = k * k * k, 3 * k * k * share, 3 * k * share * share, share * share * share
    return (
        a * outside[0] + b * before[0] + c * gate[0] + d * inside[0],
        a * outside[1] + b * before[1] + c * gate[1] + d * inside[1],
        a * outside[2] + b * before[2] + c * gate[2] + d * inside[2],
    )


def _root_direction(shopper: Shopper, direction: Vec) -> Vec:
    cos, sin = math.cos(shopper.heading), math.sin(shopper.heading)
    x, y, z = direction
    return (x * cos + y * sin, y * cos - x * sin, z)
