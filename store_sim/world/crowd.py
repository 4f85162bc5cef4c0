"""How shoppers walk without running into each other.

Every walker looks a second ahead along a fan of directions and takes the one that brings it
furthest at the least risk; a step that would come nearer than PERSONAL_SPACE_M to anybody is not
made. Steps are made one walker after another, so the bound holds whatever the others do.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from contracts.geometry import Gate
from contracts.store_file import StoreFile
from store_sim.world.shopper import Shopper
from store_sim.world.ways import Ways, footprint_of

__all__ = ["ARRIVED_M", "PERSONAL_SPACE_M", "SIDESTEP_M", "Ground", "step_walkers", "wrapped"]

PERSONAL_SPACE_M = 0.54
"""No step brings two bodies' middles nearer than this."""
COMFORT_M = 0.72
LOOK_AHEAD_S = 1.1
NOTICE_M = 2.2
ARRIVED_M = 0.015
TURN_RAD_S = 3.6
ACCELERATION_M_S2 = 1.8
STUCK_S = 2.5
DETOUR_S = 1.4
MEET_M = 1.3
GIVE_WAY_S = 3.5
GATE_MARGIN_M = 0.42
"""Who shops keeps this far off the walls, so that nobody strays over a gate's line."""
SIDESTEP_M = 0.75
"""Shorter ways than this are stepped sideways, without turning."""
PASSAGE_M = 2.5
"""A gate's passage reaches so far to either side of its line."""

Point = tuple[float, float]

_FAN = (0.0, -0.35, 0.35, -0.75, 0.75, -1.2, 1.2, -1.65, 1.65)


class Ground:
    """Where people can walk: before the shelves, in the store, and outside the gates."""

    def __init__(self, store: StoreFile) -> None:
        self._width_m = store.floor.width_m
        self._depth_m = store.floor.depth_m
        self._prints = tuple(footprint_of(bay) for bay in store.bays)
        self._passages = tuple(_passage(gate) for gate in store.gates)
        self._ways = Ways(self._prints, lambda x, y: self.clear(x, y) and self.indoors(x, y))

    @property
    def corners(self) -> frozenset[Point]:
        """The points that ways lead round shelves by."""
        return self._ways.corners

    def clear(self, x: float, y: float) -> bool:
        """Whether a body can stand here: a hand's breadth off shelves and side walls."""
        if not 0.25 <= x <= self._width_m - 0.25 and not self._in_passage(x, y):
            return False
        return not any(each.covers(x, y) for each in self._prints)

    def indoors(self, x: float, y: float) -> bool:
        """Whether a point is on the sales floor, clear of the gates' lines."""
        edge = GATE_MARGIN_M
        return edge <= x <= self._width_m - edge and edge <= y <= self._depth_m - edge

    def beside(self, x: float, y: float) -> tuple[float, float]:
        """The point itself, or the nearest beside the shelf that it lies too near to."""
        places = [
            place
            for each in self._prints
            if each.covers(x, y)
            for place in each.around(x, y)
            if self.clear(*place)
        ]
        return min(places, key=lambda place: math.dist(place, (x, y)), default=(x, y))

    def near_front(self, x: float, y: float) -> tuple[float, float] | None:
        """The outward normal of the front plane that a body stands before, the nearest if any."""
        nearest, found = math.inf, None
        for each in self._prints:
            ahead, aside = each.ahead_m(x, y), each.aside_m(x, y)
            if 0.0 < ahead < min(0.9, nearest) and -0.4 < aside < each.width_m + 0.4:
                nearest, found = ahead, each.normal
        return found

    def blocked(self, ax: float, ay: float, bx: float, by: float) -> bool:
        """Whether a shelf stands on the straight way from a to b."""
        return self._ways.blocked(ax, ay, bx, by)

    def route(self, ax: float, ay: float, bx: float, by: float) -> list[tuple[float, float]]:
        """The corners of shelves to walk round from a to b; empty where the way is straight."""
        return self._ways.route(ax, ay, bx, by)

    def reachable(self, ax: float, ay: float, bx: float, by: float) -> bool:
        """Whether one can walk from a to b at all."""
        return self._ways.reachable(ax, ay, bx, by)

    def _in_passage(self, x: float, y: float) -> bool:
        """Whether a point lies in the way through a gate, where there is no wall."""
        for (mx, my), (ux, uy), half_m in self._passages:
            through = (x - mx) * ux + (y - my) * uy
            aside = (y - my) * ux - (x - mx) * uy
            if -PASSAGE_M <= through <= PASSAGE_M and abs(aside) <= half_m:
                return True
        return False


def _passage(gate: Gate) -> tuple[Point, Point, float]:
    """Middle of a gate's line, unit vector across it, half its width."""
    (x0, y0), (x1, y1) = gate.line_m
    width_m = math.hypot(x1 - x0, y1 - y0)
    across = (-(y1 - y0) / width_m, (x1 - x0) / width_m)
    return ((x0 + x1) / 2, (y0 + y1) / 2), across, width_m / 2


def step_walkers(
    shoppers: Sequence[Shopper], ground: Ground, dt_s: float, space_m: float = PERSONAL_SPACE_M
) -> None:
    """One tick of walking and turning for everybody; nobody comes nearer than `space_m`."""
    for shopper in shoppers:
        if shopper.goal is None:
            shopper.speed = max(0.0, shopper.speed - 3.0 * ACCELERATION_M_S2 * dt_s)
            shopper.vx = shopper.vy = 0.0
            if shopper.goal_heading is not None:
                _turn(shopper, shopper.goal_heading, TURN_RAD_S * 0.8, dt_s)
            continue
        _walk(shopper, shoppers, ground, dt_s, space_m)


def _walk(
    shopper: Shopper, shoppers: Sequence[Shopper], ground: Ground, dt_s: float, space_m: float
) -> None:
    assert shopper.goal is not None
    x, y = shopper.detour if shopper.detour is not None else shopper.goal
    dx, dy = x - shopper.x, y - shopper.y
    left_m = math.hypot(dx, dy)
    if left_m < ARRIVED_M and shopper.detour is None:
        shopper.x, shopper.y = x, y
        shopper.goal = None
        shopper.stuck_s = 0.0
        return
    wish = math.atan2(dy, dx)
    top = 0.55 if shopper.sidesteps else shopper.pace_m_s
    braking = math.sqrt(2 * 0.8 * ACCELERATION_M_S2 * max(0.0, left_m - 0.5 * ARRIVED_M))
    course = _course(shopper, shoppers, wish, min(top, max(0.12, braking)), space_m)
    speed = 0.0
    if course is not None:
        off = abs(wrapped(course - shopper.heading))
        # Nobody walks sideways at full pace; turning comes first.
        freedom = 1.0 if shopper.sidesteps else max(0.12, math.cos(min(off, 1.45)))
        wanted = min(top * freedom, max(0.06, braking))
        speed = min(wanted, shopper.speed + ACCELERATION_M_S2 * dt_s)
        if not shopper.sidesteps:
            _turn(shopper, course, TURN_RAD_S, dt_s)
    if shopper.sidesteps and shopper.goal_heading is not None:
        _turn(shopper, shopper.goal_heading, TURN_RAD_S * 0.8, dt_s)
    moved = 0.0
    if course is not None and speed > 0.0:
        length_m = min(speed * dt_s, left_m)
        moved = _move(shopper, shoppers, ground, course, length_m, dt_s, space_m)
    shopper.speed = moved / dt_s
    _unstick(shopper, shoppers, ground, moved, dt_s)


def _course(
    shopper: Shopper, shoppers: Sequence[Shopper], wish: float, speed: float, space_m: float
) -> float | None:
    """The direction to walk in, or None to wait."""
    near = [
        other
        for other in shoppers
        if other is not shopper
        and abs(other.x - shopper.x) < NOTICE_M
        and abs(other.y - shopper.y) < NOTICE_M
    ]
    if not near:
        return wish
    comfort_m = COMFORT_M * space_m / PERSONAL_SPACE_M
    best, best_score = None, -0.25
    for turn in _FAN:
        angle = wish + turn
        vx, vy = speed * math.cos(angle), speed * math.sin(angle)
        risk = 0.0
        for other in near:
            risk = max(risk, _risk(other.x - shopper.x, other.y - shopper.y,
                                   vx - other.vx, vy - other.vy, comfort_m))  # fmt: skip
        score = math.cos(turn) - 0.04 * turn - 2.2 * risk
        if score > best_score:
            best, best_score = angle, score
    return best


def _risk(dx: float, dy: float, vx: float, vy: float, comfort_m: float) -> float:
    """0 when the nearest approach within LOOK_AHEAD_S is comfortable, 1 when bodies would meet."""
    square = vx * vx + vy * vy
    along = dx * vx + dy * vy
    if along <= 0.0 or square < 1e-9:
        return 0.0
    t = min(LOOK_AHEAD_S, along / square)
    nearest = math.hypot(dx - vx * t, dy - vy * t)
    if nearest >= comfort_m:
        return 0.0
    return (comfort_m - nearest) / comfort_m * (1.0 - 0.4 * t / LOOK_AHEAD_S) * 2.0


def _move(
    shopper: Shopper,
    shoppers: Sequence[Shopper],
    ground: Ground,
    course: float,
    length_m: float,
    dt_s: float,
    space_m: float,
) -> float:
    """Makes the step if nobody's space is entered and the floor is free; returns its length."""
    dx, dy = length_m * math.cos(course), length_m * math.sin(course)
    x, y = shopper.x + dx, shopper.y + dy
    shopper.vx = shopper.vy = 0.0
    for other in shoppers:
        if other is shopper:
            continue
        now = math.hypot(other.x - shopper.x, other.y - shopper.y)
        then = math.hypot(other.x - x, other.y - y)
        if then < space_m and then < now:
            return 0.0
    if not ground.clear(x, y) and ground.clear(shopper.x, shopper.y):
        return 0.0
    if shopper.roams and not ground.indoors(x, y) and ground.indoors(shopper.x, shopper.y):
        return 0.0
    shopper.x, shopper.y = x, y
    shopper.vx, shopper.vy = dx / dt_s, dy / dt_s
    return length_m


def _unstick(
    shopper: Shopper, shoppers: Sequence[Shopper], ground: Ground, moved_m: float, dt_s: float
) -> None:
    """Who has stood too long on the way steps aside for a moment, each to a place of its own."""
    if shopper.detour is not None:
        shopper.detour_s -= dt_s
        assert shopper.detour is not None
        near = math.hypot(shopper.detour[0] - shopper.x, shopper.detour[1] - shopper.y) < 0.1
        if shopper.detour_s <= 0.0 or near:
            shopper.detour = None
        return
    shopper.stuck_s = shopper.stuck_s + dt_s if moved_m < 0.15 * dt_s else 0.0
    if shopper.stuck_s < STUCK_S:
        return
    shopper.stuck_s = 0.0
    if shopper.goal in ground.corners and _gives_way(shopper, shoppers, ground):
        return
    for _ in range(8):
        angle = float(shopper.rng.uniform(-math.pi, math.pi))
        x, y = shopper.x + 0.7 * math.cos(angle), shopper.y + 0.7 * math.sin(angle)
        if ground.clear(x, y) and (ground.indoors(x, y) or not shopper.roams):
            shopper.detour, shopper.detour_s = (x, y), DETOUR_S
            return


def _gives_way(shopper: Shopper, shoppers: Sequence[Shopper], ground: Ground) -> bool:
    """Where two meet between shelves, the one who came later goes back and lets the other by."""
    others = [other for other in shoppers if other is not shopper]
    first = [
        other
        for other in others
        if other.index < shopper.index
        and other.walking
        and math.dist((other.x, other.y), (shopper.x, shopper.y)) < MEET_M
    ]
    if not first:
        return False
    best, best_m = None, 0.0
    for reach_m in (0.9, 1.5):
        for turn in range(12):
            angle = turn * math.pi / 6
            x, y = shopper.x + reach_m * math.cos(angle), shopper.y + reach_m * math.sin(angle)
            if not ground.clear(x, y) or ground.blocked(shopper.x, shopper.y, x, y):
                continue
            if shopper.roams and not ground.indoors(x, y):
                continue
            room_m = min(math.dist((x, y), (other.x, other.y)) for other in others)
            if room_m > best_m + 1e-6:
                best, best_m = (x, y), room_m
    if best is not None:
        shopper.detour, shopper.detour_s = best, GIVE_WAY_S
    return best is not None


def _turn(shopper: Shopper, towards: float, rate_rad_s: float, dt_s: float) -> None:
    off = wrapped(towards - shopper.heading)
    # Proportional near the end, so that a turn does not stop with a jerk.
    step = min(rate_rad_s * dt_s, abs(off) * min(1.0, 7.0 * dt_s))
    if abs(off) < 1e-3:
        shopper.heading = wrapped(towards)
    else:
        shopper.heading = wrapped(shopper.heading + math.copysign(step, off))


def wrapped(angle: float) -> float:
    """An angle in -pi..pi."""
    return (angle + math.pi) % (2 * math.pi) - math.pi
