"""How shoppers come in and go out."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.geometry import Gate
from contracts.store_file import StoreFile
from store_sim.errors import ScenarioError
from store_sim.world import verbs
from store_sim.world.acts import drive_hand, pause, walk, walk_until
from store_sim.world.shopper import Shopper

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = ["PHONE_PATIENCE_S", "GateWay", "gateway_of", "perform_enter", "perform_exit"]

PHONE_PATIENCE_S = 30.0
"""How long somebody waits before the gate for a code before giving up."""
EXPIRY_S = 130.0
"""How long somebody dawdles whose code shall run out before it is shown."""
TAIL_PATIENCE_S = 120.0
"""How long somebody lurks before the gate for another to slip in behind."""
SPAWN_M = 1.1
SCAN_M = 0.42
INSIDE_M = 1.35
BEYOND_M = 1.0
POST_M = 0.12
"""Nobody goes out nearer to the end of a gate's line than this."""
HELD_UP_S = 0.5
"""Who has not moved for longer is held up by others."""
FAR_IN_M = 0.7
"""Who is held up in a full store so far behind the line has left the gate to the next."""


@dataclass(frozen=True, slots=True)
class GateWay:
    """A gate as a passage: the middle of its line and the way into the store."""

    gate: Gate
    middle: tuple[float, float]
    inward: tuple[float, float]
    width_m: float

    def point(self, inward_m: float, aside_m: float = 0.0) -> tuple[float, float]:
        """A floor point so far inside the line (negative: outside) and to the left."""
        x, y = self.inward
        return (
            self.middle[0] + inward_m * x - aside_m * y,
            self.middle[1] + inward_m * y + aside_m * x,
        )

    def inside_m(self, x: float, y: float) -> float:
        """Signed distance from the line, positive inside."""
        return (x - self.middle[0]) * self.inward[0] + (y - self.middle[1]) * self.inward[1]

    def before(self, x: float, y: float) -> bool:
        """Whether somebody who stands here walks through the gate by going straight out."""
        aside = (y - self.middle[1]) * self.inward[0] - (x - self.middle[0]) * self.inward[1]
        near = 0.0 < self.inside_m(x, y) < INSIDE_M
        return near and abs(aside) < 0.5 * self.width_m - POST_M

    @property
    def heading_rad(self) -> float:
        """Heading of somebody who comes in."""
        return math.atan2(self.inward[1], self.inward[0])


def gateway_of(store: StoreFile, kind: str, gate_id: str | None) -> GateWay:
    """The gate of a kind, the first one if no id is given; ScenarioError if there is none."""
    for gate in store.gates:
        if gate.kind == kind and gate_id in (None, gate.gate_id):
            (x0, y0), (x1, y1) = gate.line_m
            width = math.hypot(x1 - x0, y1 - y0)
            normal = (-(y1 - y0) / width, (x1 - x0) / width)
            middle = ((x0 + x1) / 2, (y0 + y1) / 2)
            floor = (store.floor.width_m / 2, store.floor.depth_m / 2)
            side = (floor[0] - middle[0]) * normal[0] + (floor[1] - middle[1]) * normal[1]
            sign = 1.0 if side > 0 else -1.0
            return GateWay(gate, middle, (sign * normal[0], sign * normal[1]), width)
    raise ScenarioError(f"expected an {kind} gate {gate_id or ''} in store {store.store_id}")


def perform_enter(world: World, shopper: Shopper, verb: verbs.Enter) -> Iterator[None]:
    """Waits before the gate for the phone's code, shows it, and walks in."""
    way = gateway_of(world.store, "entry", verb.gate_id)
    rng = shopper.rng
    if shopper.plan.code == "none":
        yield from _slip_in(world, shopper, way)
        return
    yield from walk(world, shopper, *way.point(-0.5), way.heading_rad)
    shopper.look_at = shopper.to_world((0.35, -0.05, 0.95))
    if shopper.plan.code == "expired":
        world.code_of(shopper.index)
        yield from pause(world, EXPIRY_S)
    patience_s = world.t_s + PHONE_PATIENCE_S
    while (code := _code(world, shopper)) is None:
        if world.t_s > patience_s:
            yield from _turn_away(world, shopper, way)
            return
        yield
    aside = float(rng.uniform(-0.12, 0.12)) * way.width_m
    yield from walk(world, shopper, *way.point(SCAN_M, aside), way.heading_rad)
    hand = shopper.hands["r"]
    reader = (0.42, -0.26, 0.60 * shopper.frame.stature)
    shopper.look_at = shopper.to_world((0.7, -0.3, 1.0))
    yield from drive_hand(world, shopper, hand, reader, (0.8, -0.3, -0.4), 0.5)
    if shopper.plan.code == "own":
        # Meanwhile the phone may show a newer one.
        code = world.code_of(shopper.index) or code
    world.scan(way.gate.gate_id, shopper, code)
    yield from pause(world, float(rng.uniform(0.5, 0.9)))
    while world.is_reading(way.gate.gate_id):
        yield
    hand.driven = False
    if world.is_refused(shopper.index):
        yield from _turn_away(world, shopper, way)
        return
    shopper.look_at = None
    deep = INSIDE_M + float(rng.uniform(0.0, 0.5))
    yield from walk_until(
        world,
        shopper,
        *way.point(deep, float(rng.uniform(-0.3, 0.3))),
        lambda: shopper.stuck_s > HELD_UP_S and way.inside_m(shopper.x, shopper.y) > FAR_IN_M,
    )
    shopper.roams = True
    world.open_gate(way.gate.gate_id, shopper)


def _code(world: World, shopper: Shopper) -> str | None:
    """What the shopper shows: the own code, or another's."""
    plan = shopper.plan
    if plan.code in ("own", "expired"):
        return world.code_of(shopper.index)
    owner = None if plan.code_of is None else world.people.at_place.get(plan.code_of)
    if owner is None:
        return None
    if plan.code == "reused" and world.people.is_inside(owner):
        return None
    if plan.code != "screenshot" and world.shown_code(owner) is None:
        return None
    return world.shown_code(owner) or world.code_of(owner)


def _slip_in(world: World, shopper: Shopper, way: GateWay) -> Iterator[None]:
    """Lurks before the gate and walks in close behind whoever passes next; staff have a key."""
    yield from walk(world, shopper, *way.point(-0.62, 0.25 * way.width_m), way.heading_rad)
    patience_s = world.t_s + TAIL_PATIENCE_S
    while not shopper.plan.staff and not any(
        0.55 < way.inside_m(other.x, other.y) < 1.3 and other.truth.entered_s is not None
        for other in world.people.others(shopper)
    ):
        if world.t_s > patience_s:
            shopper.gone = True
            return
        yield
    shopper.truth.entered_s = world.t_s
    yield from walk(world, shopper, *way.point(INSIDE_M - 0.4, 0.1))
    shopper.roams = True


def _turn_away(world: World, shopper: Shopper, way: GateWay) -> Iterator[None]:
    shopper.look_at = None
    yield from walk(world, shopper, *way.point(-BEYOND_M))
    world.open_gate(way.gate.gate_id, shopper)
    shopper.gone = True
    yield


def perform_exit(world: World, shopper: Shopper, verb: verbs.Exit) -> Iterator[None]:
    """Walks to the exit and over its line; the visit ends where the body crosses it."""
    way = gateway_of(world.store, "exit", verb.gate_id)
    world.leave_spot(shopper)
    aside = float(shopper.rng.uniform(-0.22, 0.22)) * way.width_m
    # In a crush nobody gets to the middle of the passage first: who is there goes out.
    yield from walk_until(
        world,
        shopper,
        *way.point(0.6, aside),
        lambda: shopper.stuck_s > HELD_UP_S and way.before(shopper.x, shopper.y),
    )
    shopper.roams = False
    shopper.goal = way.point(-BEYOND_M - 0.3, aside)
    while shopper.walking:
        yield
        if shopper.truth.left_s is None and way.inside_m(shopper.x, shopper.y) < 0.0:
            shopper.truth.left_s = world.t_s
    shopper.gone = True
    yield
