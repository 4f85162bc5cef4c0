"""Going where a hand can reach: places to stand, doors to open, columns to choose."""

from __future__ import annotations

import math
from collections.abc import Generator, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from contracts.store_file import Product
from store_sim.errors import ScenarioError
from store_sim.world.acts import Target, can_reach, drive_hand, find_stance, pause, target_of, walk
from store_sim.world.posture import Posture
from store_sim.world.shopper import Hand, Shopper
from store_sim.world.stock import SlotPlace, bay_point
from store_sim.world.vectors import Vec

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = [
    "CLAIM_TRIES", "Goal", "choose_column", "go_before", "in_s", "out_s", "place_of", "refuse",
    "stand_aside", "stand_before", "stand_for",
]  # fmt: skip

CLAIM_TRIES = 40
"""How often somebody looks for a free place before a bay before going on without."""
ASIDE_EVERY = 8
"""Of these tries, at one the own place is given up."""
HANDLE_M = (0.05, 0.06, 1.10)
"""The door's handle: from its free edge, before the front plane, and its height."""


@dataclass(frozen=True, slots=True)
class Goal:
    """What a hand goes for: a product that stands, or shall stand, at `base`."""

    place: SlotPlace
    product: Product
    base: Vec
    stand_u_m: float | None = None


def refuse(shopper: Shopper, reason: str) -> None:
    """A scripted verb that cannot be done is an error; a wanderer just goes on."""
    if shopper.line is not None:
        raise ScenarioError(reason)


def place_of(world: World, slot_id: str) -> SlotPlace:
    place = world.stock.places.get(slot_id)
    if place is None:
        raise ScenarioError(f"expected a slot of store {world.store.store_id}, got {slot_id!r}")
    return place


def stand_for(
    world: World, shopper: Shopper, goal: Goal, hand: Hand
) -> Generator[None, None, tuple[Target, Posture] | None]:
    """Goes where the hand can reach; returns (target, posture).

    None if the arm is too short, or everything is taken by others for too long; a script is
    refused then.
    """
    place = goal.place
    target = target_of(shopper, place, goal.base, hand.side, goal.product)
    if not can_reach(shopper, target, hand.side):
        refuse(shopper, f"expected a place that an arm can reach, got {place.slot.slot_id}")
        return None
    for attempt in range(CLAIM_TRIES):
        found = find_stance(world, shopper, target, hand.side, goal.stand_u_m)
        if found is not None:
            break
        if _makes_room(attempt, fixed=goal.stand_u_m is not None):
            yield from stand_aside(world, shopper, place)
        yield from pause(world, float(shopper.rng.uniform(0.3, 0.8)))
    else:
        refuse(
            shopper,
            f"expected room to stand before {place.slot.slot_id}"
            + ("" if goal.stand_u_m is None else f" at {goal.stand_u_m:.2f} m of its bay")
            + ", got others in the way, or an arm too short, for too long",
        )
        return None
    spot, posture = found
    shopper.stays = goal.stand_u_m is not None
    if spot is not None:
        yield from walk(world, shopper, *spot, target.heading_rad)
    else:
        shopper.goal_heading = target.heading_rad
        yield from walk(world, shopper, shopper.x, shopper.y, target.heading_rad)
    if world.doors.has(place.bay.bay_id):
        yield from _open_door(world, shopper, place)
    shopper.look_at = goal.base
    for _ in pause(world, float(shopper.rng.uniform(0.15, 0.5))):
        world.doors.hold(place.bay.bay_id)
        yield
    return target, posture


def _open_door(world: World, shopper: Shopper, place: SlotPlace) -> Iterator[None]:
    """Pulls the door by its handle until a hand can pass."""
    bay = place.bay
    if world.doors.open(bay.bay_id):
        return
    free = [hand for hand in shopper.hands.values() if hand.item is None]
    puller = free[0] if free else None
    if puller is not None:
        edge, ahead, height = HANDLE_M
        handle = shopper.to_root(bay_point(bay, bay.width_m - edge, -ahead, height))
        yield from drive_hand(world, shopper, puller, handle, (0.9, 0.0, 0.1), 0.45)
    while not world.doors.open(bay.bay_id):
        world.doors.hold(bay.bay_id)
        yield
    if puller is not None:
        puller.driven = False


def stand_before(world: World, shopper: Shopper, place: SlotPlace) -> Iterator[None]:
    """Goes before a slot to look at it, or stays if it is near enough."""
    normal = place.bay.normal
    middle = (place.slot.u0_m + place.slot.u1_m) / 2
    x0, y0, _ = bay_point(place.bay, middle, 0.0, 0.0)
    near = abs((shopper.x - x0) * normal[1] - (shopper.y - y0) * normal[0]) < 0.45
    off = (shopper.x - x0) * normal[0] + (shopper.y - y0) * normal[1]
    heading = math.atan2(-normal[1], -normal[0])
    if shopper.spot is not None and near and off < 1.0:
        yield from walk(world, shopper, shopper.x, shopper.y, heading)
        return
    for attempt in range(CLAIM_TRIES):
        u = middle + float(shopper.rng.uniform(-0.25, 0.25))
        stand = float(shopper.rng.uniform(0.52, 0.85))
        x, y, _ = bay_point(place.bay, u, -stand, 0.0)
        if world.claim_spot(shopper, x, y):
            yield from walk(world, shopper, x, y, heading)
            return
        if _makes_room(attempt, fixed=False):
            yield from stand_aside(world, shopper, place)
        yield from pause(world, 0.3)


def _makes_room(attempt: int, *, fixed: bool) -> bool:
    """Whether somebody who waits for a place gives up his own: two who each want the other's
    would else wait for one another. A place that a script names is waited for a little first."""
    return attempt % ASIDE_EVERY == (ASIDE_EVERY // 2 if fixed else 0)


def stand_aside(world: World, shopper: Shopper, place: SlotPlace) -> Iterator[None]:
    """Waits in the second row until a place at the shelf is free."""
    for _ in range(8):
        u = float(shopper.rng.uniform(-0.3, 0.3)) + place.bay.width_m / 2
        x, y, _ = bay_point(place.bay, u, -float(shopper.rng.uniform(1.8, 2.4)), 0.0)
        if world.claim_spot(shopper, x, y):
            angle = math.radians(place.bay.facing_deg) + math.pi
            yield from walk(world, shopper, x, y, angle)
            return


def go_before(world: World, shopper: Shopper, place: SlotPlace, u_m: float) -> Iterator[None]:
    """Walks before a place of a bay; a script is refused if somebody stands there for long."""
    angle = math.radians(place.bay.facing_deg) + math.pi
    for attempt in range(CLAIM_TRIES):
        x, y, _ = bay_point(place.bay, u_m, -0.62, 0.0)
        if world.claim_spot(shopper, x, y):
            yield from walk(world, shopper, x, y, angle)
            shopper.stays = True
            return
        if _makes_room(attempt, fixed=True):
            yield from stand_aside(world, shopper, place)
        yield from pause(world, 0.3)
    refuse(shopper, f"expected room at {u_m:.2f} m of {place.bay.bay_id}, got somebody there")


def choose_column(
    world: World,
    shopper: Shopper,
    place: SlotPlace,
    column: int | None,
    gtin: str | None = None,
    stand_u_m: float | None = None,
) -> int | None:
    """The column to take from: the one asked for, the nearest to where somebody has to stand, or
    one that stands furthest to the front."""
    filled = world.stock.filled_columns(place.slot.slot_id, gtin)
    free = [c for c in filled if not world.is_blocked(shopper, (place.slot.slot_id, c))]
    if column is not None:
        return column if column in free else None
    if not free:
        return None
    if stand_u_m is not None:
        return min(free, key=lambda c: (abs(_column_u(place, c) - stand_u_m), c))
    # What stands furthest to the front is taken first, and of those any.
    deepest = max(len(world.stock.columns[(place.slot.slot_id, c)]) for c in free)
    weights = [4.0 ** (len(world.stock.columns[(place.slot.slot_id, c)]) - deepest) for c in free]
    draw = float(shopper.rng.uniform(0.0, sum(weights)))
    for candidate, weight in zip(free, weights, strict=True):
        draw -= weight
        if draw <= 0.0:
            return candidate
    return free[-1]


def in_s(shopper: Shopper, posture: Posture, pace: float) -> float:
    """Time into the shelf; a deep bend takes longer."""
    bend = abs(posture.crouch - shopper.crouch) + 0.5 * abs(posture.lean - shopper.lean)
    return (float(shopper.rng.uniform(0.5, 0.9)) + 0.35 * bend) * pace


def out_s(shopper: Shopper, pace: float) -> float:
    bend = shopper.crouch + 0.5 * shopper.lean
    return (float(shopper.rng.uniform(0.5, 0.9)) + 0.35 * bend) * pace


def _column_u(place: SlotPlace, column: int) -> float:
    return place.slot.u0_m + (column + 0.5) * place.pitch_m
