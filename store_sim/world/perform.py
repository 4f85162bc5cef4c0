"""How each verb is performed. A performer is a generator: one `yield` is one tick of the world."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from typing import TYPE_CHECKING, Any

from store_sim.errors import ScenarioError
from store_sim.world import verbs
from store_sim.world.acts import (
    LIFT_M,
    Target,
    can_reach,
    drive_hand,
    find_stance,
    pause,
    reach_in,
    reach_out,
    slip_from,
    target_of,
    walk,
)
from store_sim.world.gates import perform_enter, perform_exit
from store_sim.world.hold import CROOK_PLACES
from store_sim.world.posture import Posture
from store_sim.world.shopper import Hand, Shopper
from store_sim.world.stock import Item, SlotPlace, bay_point
from store_sim.world.vectors import Vec

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = ["PERFORMERS", "Performer", "perform"]

CLAIM_TRIES = 40
"""How often somebody looks for a free place before a bay before going on without."""
TOUCH_GRAMS = (25.0, 160.0)
PLACE_GRAMS = (40.0, 260.0)

Performer = Callable[["World", Shopper, Any], Iterator[None]]


def perform(world: World, shopper: Shopper, verb: verbs.Verb) -> Iterator[None]:
    """Performs one verb; ScenarioError for a verb nobody has taught."""
    performer = PERFORMERS.get(type(verb))
    if performer is None:
        raise ScenarioError(
            f"expected a verb with a performer in PERFORMERS, got {type(verb).__name__}; "
            f"register one"
        )
    return performer(world, shopper, verb)


def _walk_to(world: World, shopper: Shopper, verb: verbs.WalkTo) -> Iterator[None]:
    if verb.slot_id is not None:
        yield from _stand_before(world, shopper, _place(world, verb.slot_id))
    elif verb.at_m is not None:
        world.leave_spot(shopper)
        yield from walk(world, shopper, *verb.at_m)


def _look(world: World, shopper: Shopper, verb: verbs.Look) -> Iterator[None]:
    place = _place(world, verb.slot_id)
    yield from _stand_before(world, shopper, place)
    rng = shopper.rng
    end_s = world.t_s + verb.seconds
    while world.t_s < end_s:
        u = float(rng.uniform(place.slot.u0_m, place.slot.u1_m))
        z = place.board.z_m + float(rng.uniform(0.0, 0.2))
        shopper.look_at = bay_point(place.bay, u, 0.02, z)
        # Things on a low board are looked at with a bent back.
        shopper.lean_goal = 0.25 if place.board.z_m < 0.8 else 0.06
        yield from pause(world, min(float(rng.uniform(0.4, 1.0)), end_s - world.t_s + 0.01))
    shopper.lean_goal = 0.0


def _wait(world: World, shopper: Shopper, verb: verbs.Wait) -> Iterator[None]:
    yield from pause(world, verb.seconds)


def _reach(world: World, shopper: Shopper, verb: verbs.Reach) -> Iterator[None]:
    place = _place(world, verb.slot_id)
    hand = yield from _free_hand(world, shopper, verb.hand)
    column = _choose_column(world, shopper, place, verb.column)
    item = None if column is None else world.stock.front(verb.slot_id, column)
    if column is None or item is None:
        return
    base = bay_point(place.bay, item.u_m, item.v_m, place.board.z_m)
    found = yield from _stand_for(world, shopper, place, base, item.u_m, hand)
    if found is None:
        return
    target, posture = found
    yield from reach_in(world, shopper, hand, target, posture, _in_s(shopper, posture, 1.0))
    dwell_s = float(shopper.rng.uniform(0.25, 0.7))
    world.press(place, item.u_m, float(shopper.rng.uniform(*TOUCH_GRAMS)), dwell_s)
    world.record(shopper, "touch", place, item.u_m, None, hand.side)
    yield from pause(world, dwell_s)
    yield from reach_out(world, shopper, hand, target, _out_s(shopper, 1.0))
    shopper.look_at = None


def _take(world: World, shopper: Shopper, verb: verbs.Take) -> Iterator[None]:
    place = _place(world, verb.slot_id)
    hand = yield from _free_hand(world, shopper, verb.hand)
    for _ in range(3):
        column = _choose_column(world, shopper, place, verb.column)
        item = None if column is None else world.stock.front(verb.slot_id, column)
        if column is None or item is None:
            return
        base = bay_point(place.bay, item.u_m, item.v_m, place.board.z_m)
        found = yield from _stand_for(world, shopper, place, base, item.u_m, hand)
        if found is None:
            return
        if world.stock.front(verb.slot_id, column) is item and world.reserve(shopper, item):
            break
    else:
        return
    target, posture = found
    rng = shopper.rng
    yield from reach_in(world, shopper, hand, target, posture, _in_s(shopper, posture, verb.pace))
    dwell_s = float(rng.uniform(0.2, 0.6)) * verb.pace
    world.press(place, item.u_m, float(rng.uniform(*TOUCH_GRAMS)), dwell_s)
    yield from _close_grip(world, hand, dwell_s)
    yaw = math.radians(place.bay.facing_deg) + math.pi / 2 + item.yaw_rad
    world.stock.take(verb.slot_id, column)
    world.record(shopper, "take", place, item.u_m, item, hand.side)
    shopper.taken_from[item.index] = (verb.slot_id, column)
    slip_from(world, shopper, hand, item, base, yaw)
    hand.item = item
    heavy = item.product.packaging.shape == "bottle" and item.weight_g > 400
    hand.hangs = heavy and rng.random() < 0.5
    yield from reach_out(world, shopper, hand, target, _out_s(shopper, verb.pace))
    shopper.look_at = None


def _put_back(world: World, shopper: Shopper, verb: verbs.PutBack) -> Iterator[None]:
    place = _place(world, verb.slot_id)
    item = _carried_item(shopper, place.product.gtin)
    if item is None:
        return
    hand = yield from _into_hand(world, shopper, item)
    column = verb.column
    if column is None:
        column = shopper.taken_from.get(item.index, (verb.slot_id, 0))[1]
    u, v, _ = world.stock.standing(verb.slot_id, column)
    base = bay_point(place.bay, u, v, place.board.z_m)
    found = yield from _stand_for(world, shopper, place, base, u, hand)
    if found is None:
        return
    for _ in range(CLAIM_TRIES):
        if not world.is_blocked(shopper, (verb.slot_id, column)):
            break
        yield from pause(world, 0.3)
    else:
        return
    if len(world.stock.columns[(verb.slot_id, column)]) >= place.slot.deep:
        return
    standing = world.stock.standing(verb.slot_id, column)
    u, v, _ = standing
    base = bay_point(place.bay, u, v, place.board.z_m)
    target = target_of(shopper, place, base, u, hand.side)
    posture = found[1]
    world.block(shopper, (verb.slot_id, column))
    rng = shopper.rng
    seconds = _in_s(shopper, posture, verb.pace)
    yield from reach_in(world, shopper, hand, target, posture, seconds, rise_m=LIFT_M)
    yield from _set_down(world, shopper, hand, target, float(rng.uniform(0.15, 0.35)) * verb.pace)
    dwell_s = float(rng.uniform(0.1, 0.35)) * verb.pace
    world.press(place, u, float(rng.uniform(*PLACE_GRAMS)), dwell_s)
    hand.item = None
    world.stock.put(item, verb.slot_id, column, standing)
    world.block(shopper, None)
    world.record(shopper, "put_back", place, u, item, hand.side)
    shopper.taken_from.pop(item.index, None)
    yield from pause(world, dwell_s)
    yield from reach_out(world, shopper, hand, target, _out_s(shopper, verb.pace))
    shopper.look_at = None


def _carry(world: World, shopper: Shopper, verb: verbs.Carry) -> Iterator[None]:
    yield from _stow(world, shopper, shopper.hands[verb.hand])


# ------------------------------------------------------------------ standing


def _place(world: World, slot_id: str) -> SlotPlace:
    place = world.stock.places.get(slot_id)
    if place is None:
        raise ScenarioError(f"expected a slot of store {world.store.store_id}, got {slot_id!r}")
    return place


def _stand_for(
    world: World, shopper: Shopper, place: SlotPlace, base: Vec, u_m: float, hand: Hand
) -> Generator[None, None, tuple[Target, Posture] | None]:
    """Goes where the hand can reach `base`; returns (target, posture).

    None if the arm is too short, or everything is taken by others for too long.
    """
    target = target_of(shopper, place, base, u_m, hand.side)
    if not can_reach(shopper, target, hand.side):
        return None
    for attempt in range(CLAIM_TRIES):
        found = find_stance(world, shopper, target, hand.side)
        if found is not None:
            break
        if attempt == 0:
            yield from _stand_aside(world, shopper, place)
        yield from pause(world, float(shopper.rng.uniform(0.3, 0.8)))
    else:
        return None
    spot, posture = found
    if spot is not None:
        yield from walk(world, shopper, *spot, target.heading_rad)
    else:
        shopper.goal_heading = target.heading_rad
        yield from walk(world, shopper, shopper.x, shopper.y, target.heading_rad)
    shopper.look_at = base
    yield from pause(world, float(shopper.rng.uniform(0.15, 0.5)))
    return target, posture


def _stand_before(world: World, shopper: Shopper, place: SlotPlace) -> Iterator[None]:
    """Goes before a slot to look at it, or stays if it is near enough."""
    angle = math.radians(place.bay.facing_deg)
    normal = (math.cos(angle), math.sin(angle))
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
        if attempt == 0:
            yield from _stand_aside(world, shopper, place)
        yield from pause(world, 0.3)


def _stand_aside(world: World, shopper: Shopper, place: SlotPlace) -> Iterator[None]:
    """Waits in the second row until a place at the shelf is free."""
    for _ in range(8):
        u = float(shopper.rng.uniform(-0.3, 0.3)) + place.bay.width_m / 2
        x, y, _ = bay_point(place.bay, u, -float(shopper.rng.uniform(1.8, 2.4)), 0.0)
        if world.claim_spot(shopper, x, y):
            angle = math.radians(place.bay.facing_deg) + math.pi
            yield from walk(world, shopper, x, y, angle)
            return


def _choose_column(
    world: World, shopper: Shopper, place: SlotPlace, column: int | None
) -> int | None:
    filled = world.stock.filled_columns(place.slot.slot_id)
    free = [c for c in filled if not world.is_blocked(shopper, (place.slot.slot_id, c))]
    if column is not None:
        return column if column in free else None
    if not free:
        return None
    # What stands furthest to the front is taken first, and of those any.
    deepest = max(len(world.stock.columns[(place.slot.slot_id, c)]) for c in free)
    weights = [4.0 ** (len(world.stock.columns[(place.slot.slot_id, c)]) - deepest) for c in free]
    draw = float(shopper.rng.uniform(0.0, sum(weights)))
    for candidate, weight in zip(free, weights, strict=True):
        draw -= weight
        if draw <= 0.0:
            return candidate
    return free[-1]


def _in_s(shopper: Shopper, posture: Posture, pace: float) -> float:
    """Time into the shelf; a deep bend takes longer."""
    bend = abs(posture.crouch - shopper.crouch) + 0.5 * abs(posture.lean - shopper.lean)
    return (float(shopper.rng.uniform(0.5, 0.9)) + 0.35 * bend) * pace


def _out_s(shopper: Shopper, pace: float) -> float:
    bend = shopper.crouch + 0.5 * shopper.lean
    return (float(shopper.rng.uniform(0.5, 0.9)) + 0.35 * bend) * pace


# ------------------------------------------------------------------ hands


def _close_grip(world: World, hand: Hand, seconds: float) -> Iterator[None]:
    begin_s, start = world.t_s, hand.grip
    for _ in pause(world, seconds):
        hand.grip = start + (0.75 - start) * min(1.0, (world.t_s - begin_s) / seconds)
        yield


def _set_down(
    world: World, shopper: Shopper, hand: Hand, target: Target, seconds: float
) -> Iterator[None]:
    end = shopper.to_root(target.tip_m)
    yield from drive_hand(world, shopper, hand, end, hand.direction, seconds)


def _free_hand(world: World, shopper: Shopper, wanted: str | None) -> Generator[None, None, Hand]:
    """Makes a hand free and returns it; the right one oftener than the left."""
    if wanted is None:
        free = [
            side
            for side, hand in shopper.hands.items()
            if hand.item is None and not (side == "l" and shopper.crook)
        ]
        if len(free) == 2:
            wanted = "r" if shopper.rng.random() < 0.72 else "l"
        else:
            wanted = free[0] if free else "r"
    hand = shopper.hands[wanted]
    if wanted == "l" and shopper.crook and hand.item is None:
        yield from _unload_crook(world, shopper)
    if hand.item is not None:
        yield from _stow(world, shopper, hand)
    return hand


def _stow(world: World, shopper: Shopper, hand: Hand) -> Iterator[None]:
    """What the hand holds goes to the bag, to the crook of the left arm, or to a pocket."""
    item = hand.item
    if item is None:
        return
    if not shopper.plan.has_bag and len(shopper.crook) < CROOK_PLACES:
        other = shopper.hands["l"]
        if other.item is not None and other is not hand:
            shopper.crook.append(other.item)
            other.item = None
            yield from pause(world, 0.35)
        if len(shopper.crook) < CROOK_PLACES:
            if hand.side == "r":
                above = (0.30, 0.06, 0.70 * shopper.frame.stature)
                yield from drive_hand(world, shopper, hand, above, (0.5, 0.85, -0.1), 0.5)
            hand.item = None
            shopper.crook.append(item)
            hand.driven = False
            yield from pause(world, 0.2)
            return
    bag = (0.02, 0.24, 0.52 * shopper.frame.stature)
    yield from drive_hand(world, shopper, hand, bag, (0.3, 0.5 * -hand.sign, -0.8), 0.6)
    hand.item = None
    shopper.bag.append(item)
    hand.driven = False
    yield from pause(world, 0.25)


def _unload_crook(world: World, shopper: Shopper) -> Iterator[None]:
    """Frees the left arm: what it hugs goes to the bag."""
    yield from pause(world, 0.5)
    shopper.bag.extend(shopper.crook)
    shopper.crook.clear()


def _carried_item(shopper: Shopper, gtin: str) -> Item | None:
    """The piece of a product that is nearest at hand."""
    held = [hand.item for hand in shopper.hands.values() if hand.item is not None]
    for item in [*held, *reversed(shopper.crook), *reversed(shopper.bag)]:
        if item.product.gtin == gtin:
            return item
    return None


def _into_hand(world: World, shopper: Shopper, item: Item) -> Generator[None, None, Hand]:
    """Brings a carried item into a hand and returns the hand."""
    for hand in shopper.hands.values():
        if hand.item is item:
            return hand
    hand = shopper.hands["r"]
    if hand.item is not None:
        yield from _stow(world, shopper, hand)
    s = shopper.frame.stature
    hugged = item in shopper.crook
    goal = (0.30, 0.06, 0.70 * s) if hugged else (0.02, 0.24, 0.52 * s)
    yield from drive_hand(world, shopper, hand, goal, (0.4, 0.8, -0.2), 0.55)
    (shopper.crook if hugged else shopper.bag).remove(item)
    hand.item = item
    hand.hangs = False
    hand.driven = False
    yield from pause(world, 0.4)
    return hand


PERFORMERS: dict[type[verbs.Verb], Performer] = {
    verbs.Enter: perform_enter,
    verbs.WalkTo: _walk_to,
    verbs.Look: _look,
    verbs.Wait: _wait,
    verbs.Reach: _reach,
    verbs.Take: _take,
    verbs.PutBack: _put_back,
    verbs.Carry: _carry,
    verbs.Exit: perform_exit,
}
"""Verb to performer; open to verbs of later scenarios."""
