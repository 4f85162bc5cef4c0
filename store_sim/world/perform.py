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
    pause,
    reach_in,
    reach_out,
    slip_from,
    target_of,
    walk,
    walk_until,
)
from store_sim.world.gates import perform_enter, perform_exit
from store_sim.world.hands import (
    carried_item,
    close_grip,
    free_hand,
    into_hand,
    set_down,
    stow,
    stow_in_bag,
)
from store_sim.world.posture import Posture
from store_sim.world.shopper import Hand, Shopper
from store_sim.world.staff import perform_fill_up
from store_sim.world.standing import (
    CLAIM_TRIES,
    Goal,
    choose_column,
    go_before,
    in_s,
    out_s,
    place_of,
    refuse,
    stand_before,
    stand_for,
)
from store_sim.world.stock import Item, SlotPlace, bay_point
from store_sim.world.tricks import TRICKS, unseen_spot
from store_sim.world.verbs import HandName

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = ["PERFORMERS", "Performer", "perform"]

TOUCH_GRAMS = (25.0, 160.0)
PLACE_GRAMS = (40.0, 260.0)
HOVER_M = 0.09

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
    if verb.unseen:
        world.leave_spot(shopper)
        yield from walk(world, shopper, *unseen_spot(world))
    elif verb.slot_id is not None and verb.u_m is not None:
        yield from go_before(world, shopper, place_of(world, verb.slot_id), verb.u_m)
    elif verb.slot_id is not None:
        yield from stand_before(world, shopper, place_of(world, verb.slot_id))
    elif verb.at_m is not None:
        if not (world.ground.clear(*verb.at_m) and world.ground.indoors(*verb.at_m)):
            x, y = verb.at_m
            refuse(shopper, f"expected a free point of the floor, got ({x:.2f}, {y:.2f})")
            return
        world.leave_spot(shopper)
        end_s = world.t_s + verb.patience_s
        yield from walk_until(world, shopper, *verb.at_m, lambda: world.t_s > end_s)


def _look(world: World, shopper: Shopper, verb: verbs.Look) -> Iterator[None]:
    place = place_of(world, verb.slot_id)
    yield from stand_before(world, shopper, place)
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
    place = place_of(world, verb.slot_id)
    hand = yield from free_hand(world, shopper, verb.hand or _nearer_hand(place, verb.stand_u_m))
    column = choose_column(world, shopper, place, verb.column, None, verb.stand_u_m)
    item = None if column is None else world.stock.front(verb.slot_id, column)
    if column is None or item is None:
        refuse(shopper, f"expected something in {verb.slot_id} to reach for, got an empty place")
        return
    u_m, product = item.u_m, item.product
    v_m = item.v_m
    if verb.hover:
        v_m -= HOVER_M + product.packaging.depth_m / 2
    base = bay_point(place.bay, u_m, v_m, place.board.z_m)
    goal = Goal(place, product, base, verb.stand_u_m)
    found = yield from stand_for(world, shopper, goal, hand)
    if found is None:
        return
    target, posture = found
    yield from reach_in(world, shopper, hand, target, posture, in_s(shopper, posture, 1.0))
    dwell_s = float(shopper.rng.uniform(0.25, 0.7))
    if not verb.hover:
        world.press(place, u_m, float(shopper.rng.uniform(*TOUCH_GRAMS)), dwell_s)
    world.record(shopper, "hover" if verb.hover else "touch", place, u_m, None, hand.side)
    yield from pause(world, dwell_s)
    yield from reach_out(world, shopper, hand, target, out_s(shopper, 1.0))
    shopper.look_at = None


def _nearer_hand(place: SlotPlace, stand_u_m: float | None) -> HandName | None:
    """The hand on the side of a slot, for somebody who has to stand elsewhere."""
    if stand_u_m is None:
        return None
    return "l" if 0.5 * (place.slot.u0_m + place.slot.u1_m) < stand_u_m else "r"


def _gripped(
    world: World,
    shopper: Shopper,
    hand: Hand,
    slot_id: str,
    column: int | None,
    gtin: str | None,
    stand_u_m: float | None,
) -> Generator[None, None, tuple[Target, Posture, Item, int] | None]:
    """Goes where the front item of a column can be taken, with the item kept for this hand."""
    place = place_of(world, slot_id)
    for _ in range(3):
        chosen = choose_column(world, shopper, place, column, gtin, stand_u_m)
        item = None if chosen is None else world.stock.front(slot_id, chosen)
        if chosen is None or item is None:
            wanted = "" if gtin is None else f" with {gtin} in front"
            refuse(shopper, f"expected a column of {slot_id}{wanted} to take from, got none")
            return None
        base = bay_point(place.bay, item.u_m, item.v_m, place.board.z_m)
        goal = Goal(place, item.product, base, stand_u_m)
        found = yield from stand_for(world, shopper, goal, hand)
        if found is None:
            return None
        if world.stock.front(slot_id, chosen) is item and world.reserve(shopper, item):
            return *found, item, chosen
    refuse(shopper, f"expected to get at {slot_id}, got others who were quicker three times")
    return None


def _lift_off(world: World, shopper: Shopper, hand: Hand, place: SlotPlace, column: int) -> Item:
    """The front item leaves its board and is in the hand."""
    slot_id = place.slot.slot_id
    item = world.stock.take(slot_id, column)
    base = bay_point(place.bay, item.u_m, item.v_m, place.board.z_m)
    yaw = math.radians(place.bay.facing_deg) + math.pi / 2 + item.yaw_rad
    if hand.item is not None:
        # The one that was gripped first is now hidden behind the one in front.
        hand.also.append(item)
    else:
        slip_from(world, shopper, hand, item, base, yaw)
        hand.item = item
    return item


def _take(world: World, shopper: Shopper, verb: verbs.Take) -> Iterator[None]:
    place = place_of(world, verb.slot_id)
    hand = yield from free_hand(world, shopper, verb.hand or _nearer_hand(place, verb.stand_u_m))
    found = yield from _gripped(
        world, shopper, hand, verb.slot_id, verb.column, verb.gtin, verb.stand_u_m
    )
    if found is None:
        return
    target, posture, item, column = found
    rng = shopper.rng
    yield from reach_in(world, shopper, hand, target, posture, in_s(shopper, posture, verb.pace))
    dwell_s = float(rng.uniform(0.2, 0.6)) * verb.pace
    world.press(place, item.u_m, float(rng.uniform(*TOUCH_GRAMS)), dwell_s)
    yield from close_grip(world, hand, dwell_s)
    for _ in range(verb.count):
        if world.stock.front(verb.slot_id, column) is None:
            refuse(shopper, f"expected {verb.count} pieces in one column of {verb.slot_id}")
            break
        taken = _lift_off(world, shopper, hand, place, column)
        world.record(shopper, "take", place, taken.u_m, taken, hand.side)
        shopper.taken_from[taken.index] = (verb.slot_id, column)
    heavy = item.product.packaging.shape == "bottle" and item.weight_g > 400
    hand.hangs = heavy and rng.random() < 0.5
    yield from reach_out(world, shopper, hand, target, out_s(shopper, verb.pace))
    shopper.look_at = None
    if verb.into_bag:
        yield from stow_in_bag(world, shopper, hand)


def _take_both(world: World, shopper: Shopper, verb: verbs.TakeBoth) -> Iterator[None]:
    """The right hand leads; the left one goes in and out beside it."""
    for side in ("l", "r"):
        if shopper.hands[side].item is not None:
            yield from stow(world, shopper, shopper.hands[side])
    hand_r = yield from free_hand(world, shopper, "r")
    hand_l = yield from free_hand(world, shopper, "l")
    right = place_of(world, verb.right_slot_id)
    left = place_of(world, verb.left_slot_id)
    middle = 0.5 * (right.slot.u0_m + left.slot.u1_m)
    found = yield from _gripped(
        world, shopper, hand_r, verb.right_slot_id, verb.right_column, None, middle
    )
    if found is None:
        return
    target, posture, item, column = found
    other_column = choose_column(world, shopper, left, verb.left_column)
    other = None if other_column is None else world.stock.front(verb.left_slot_id, other_column)
    if other_column is None or other is None or not world.reserve(shopper, other):
        refuse(shopper, f"expected something in {verb.left_slot_id} to take, got an empty place")
        return
    base = bay_point(left.bay, other.u_m, other.v_m, left.board.z_m)
    target_l = target_of(shopper, left, base, "l", other.product)
    seconds = in_s(shopper, posture, 1.0)
    yield from _together(
        reach_in(world, shopper, hand_r, target, posture, seconds),
        reach_in(world, shopper, hand_l, target_l, posture, seconds),
    )
    dwell_s = float(shopper.rng.uniform(0.25, 0.5))
    world.press(right, item.u_m, float(shopper.rng.uniform(*TOUCH_GRAMS)), dwell_s)
    world.press(left, other.u_m, float(shopper.rng.uniform(*TOUCH_GRAMS)), dwell_s)
    yield from _together(close_grip(world, hand_r, dwell_s), close_grip(world, hand_l, dwell_s))
    for hand, place, at in ((hand_r, right, column), (hand_l, left, other_column)):
        taken = _lift_off(world, shopper, hand, place, at)
        world.record(shopper, "take", place, taken.u_m, taken, hand.side)
        shopper.taken_from[taken.index] = (place.slot.slot_id, at)
        hand.hangs = False
    seconds = out_s(shopper, 1.0)
    yield from _together(
        reach_out(world, shopper, hand_r, target, seconds),
        reach_out(world, shopper, hand_l, target_l, seconds),
    )
    shopper.look_at = None


def _hold_on_shelf(world: World, shopper: Shopper, verb: verbs.HoldOnShelf) -> Iterator[None]:
    place = place_of(world, verb.slot_id)
    hand = yield from free_hand(world, shopper, None)
    found = yield from _gripped(world, shopper, hand, verb.slot_id, verb.column, None, None)
    if found is None:
        return
    target, posture, item, column = found
    yield from reach_in(world, shopper, hand, target, posture, in_s(shopper, posture, 1.0))
    yield from close_grip(world, hand, 0.4)
    world.record(shopper, "hold", place, item.u_m, None, hand.side)
    standing = (item.u_m, item.v_m, item.yaw_rad)
    if verb.lift:
        _lift_off(world, shopper, hand, place, column)
        yield from pause(world, verb.seconds)
        if not verb.take:
            hand.item = None
            world.stock.put(item, verb.slot_id, column, standing)
    else:
        end_s = world.t_s + verb.seconds
        while world.t_s < end_s:
            # A resting hand weighs now more, now less.
            beat_s = min(float(shopper.rng.uniform(0.6, 1.4)), end_s - world.t_s + 0.01)
            world.press(place, item.u_m, float(shopper.rng.uniform(*TOUCH_GRAMS)), beat_s)
            yield from pause(world, beat_s)
        if verb.take:
            _lift_off(world, shopper, hand, place, column)
    if verb.take:
        world.record(shopper, "take", place, item.u_m, item, hand.side)
        shopper.taken_from[item.index] = (verb.slot_id, column)
        hand.hangs = False
    else:
        world.let_go(shopper, item)
    yield from reach_out(world, shopper, hand, target, out_s(shopper, 1.0))
    shopper.look_at = None


def _put_back(world: World, shopper: Shopper, verb: verbs.PutBack) -> Iterator[None]:
    place = place_of(world, verb.slot_id)
    gtin = verb.gtin or place.product.gtin
    item = carried_item(shopper, gtin)
    if item is None:
        refuse(shopper, f"expected to carry {gtin} to put it at {verb.slot_id}, got no such item")
        return
    hand = yield from into_hand(world, shopper, item)
    column = _column_for(world, shopper, verb, item)
    if column is None:
        refuse(shopper, f"expected room for {item.product.name} at {verb.slot_id}, got none")
        return
    u, v, _ = world.stock.standing(verb.slot_id, column, item.product)
    base = bay_point(place.bay, u, v, place.board.z_m)
    goal = Goal(place, item.product, base, verb.stand_u_m)
    found = yield from stand_for(world, shopper, goal, hand)
    if found is None:
        return
    for _ in range(CLAIM_TRIES):
        if not world.is_blocked(shopper, (verb.slot_id, column)):
            break
        yield from pause(world, 0.3)
    else:
        refuse(shopper, f"expected {verb.slot_id} to become free, got others busy there")
        return
    if not world.stock.room(verb.slot_id, column, item.product):
        refuse(shopper, f"expected room in column {column} of {verb.slot_id}, got a full one")
        return
    standing = world.stock.standing(verb.slot_id, column, item.product)
    u, v, _ = standing
    base = bay_point(place.bay, u, v, place.board.z_m)
    target = target_of(shopper, place, base, hand.side, item.product)
    posture = found[1]
    world.block(shopper, (verb.slot_id, column))
    rng = shopper.rng
    seconds = in_s(shopper, posture, verb.pace)
    yield from reach_in(world, shopper, hand, target, posture, seconds, rise_m=LIFT_M)
    yield from set_down(world, shopper, hand, target, float(rng.uniform(0.15, 0.35)) * verb.pace)
    dwell_s = float(rng.uniform(0.1, 0.35)) * verb.pace
    world.press(place, u, float(rng.uniform(*PLACE_GRAMS)), dwell_s)
    hand.item = hand.also.pop() if hand.also else None
    world.stock.put(item, verb.slot_id, column, standing)
    world.block(shopper, None)
    world.record(shopper, "put_back", place, u, item, hand.side)
    shopper.taken_from.pop(item.index, None)
    yield from pause(world, dwell_s)
    yield from reach_out(world, shopper, hand, target, out_s(shopper, verb.pace))
    shopper.look_at = None


def _column_for(world: World, shopper: Shopper, verb: verbs.PutBack, item: Item) -> int | None:
    """Where an item is put: where asked, where it was taken, or where there is most room."""
    if verb.column is not None:
        return verb.column
    slot_id, column = shopper.taken_from.get(item.index, (verb.slot_id, 0))
    own = verb.gtin is None or item.product.gtin == world.stock.places[verb.slot_id].product.gtin
    if own and slot_id == verb.slot_id:
        return column
    facings = range(world.stock.places[verb.slot_id].slot.facings)
    roomy = [c for c in facings if world.stock.room(verb.slot_id, c, item.product)]
    return min(roomy, key=lambda c: (len(world.stock.columns[(verb.slot_id, c)]), c), default=None)


def _carry(world: World, shopper: Shopper, verb: verbs.Carry) -> Iterator[None]:
    yield from stow(world, shopper, shopper.hands[verb.hand])


def _together(*parts: Iterator[None]) -> Iterator[None]:
    """Movements at the same time; ends with the last."""
    going = list(parts)
    while going:
        going = [part for part in going if next(part, StopIteration) is not StopIteration]
        if going:
            yield


PERFORMERS: dict[type[verbs.Verb], Performer] = {
    verbs.Enter: perform_enter,
    verbs.WalkTo: _walk_to,
    verbs.Look: _look,
    verbs.Wait: _wait,
    verbs.Reach: _reach,
    verbs.Take: _take,
    verbs.TakeBoth: _take_both,
    verbs.HoldOnShelf: _hold_on_shelf,
    verbs.PutBack: _put_back,
    verbs.Carry: _carry,
    verbs.FillUp: perform_fill_up,
    verbs.Exit: perform_exit,
    **TRICKS,
}
"""Verb to performer; open to verbs of later scenarios."""
