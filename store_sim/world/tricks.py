"""Performers of what people do with one another, and against the store."""

from __future__ import annotations

import math
from collections.abc import Callable, Generator, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np

from store_sim.dials import Mishap
from store_sim.eye import Eye
from store_sim.scene import Appearance, ItemPose
from store_sim.world import verbs
from store_sim.world.acts import drive_hand, face, pause, walk
from store_sim.world.hands import carried_item, free_hand, into_hand
from store_sim.world.hold import quantised, rotation_z
from store_sim.world.shopper import Shopper
from store_sim.world.standing import CLAIM_TRIES, go_before, place_of, refuse
from store_sim.world.stock import Item
from store_sim.world.vectors import Vec

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = ["TRICKS", "unseen_spot"]

ASIDE_S = 1.5
"""Who waits longer before a shelf steps back, so that others can get at it."""
NEAR_M = 1.15
"""From one hand to another's."""
HIDE_S_MAX = 8.0
LEAN_BEAT_S = 0.5
SEEN_AT_M = 1.5
"""Heads are about this high; a spot is unseen when no camera sees them."""


def _meet(world: World, shopper: Shopper, verb: verbs.Meet) -> Iterator[None]:
    there = world.meetings.setdefault(verb.name, set())
    there.add(shopper.index)
    patience_s = world.t_s + verb.patience_s
    begin_s = world.t_s
    while len(there) < verb.parties:
        if world.t_s > begin_s + ASIDE_S and not shopper.stays:
            yield from _make_way(world, shopper)
            begin_s = math.inf
        if world.t_s > patience_s:
            refuse(
                shopper,
                f"expected {verb.parties} shoppers at the meeting {verb.name!r}, got {len(there)} "
                f"within {verb.patience_s:.0f} s",
            )
            return
        yield


def _make_way(world: World, shopper: Shopper) -> Iterator[None]:
    """Steps back from a shelf to where nobody stands."""
    normal = world.ground.near_front(shopper.x, shopper.y)
    if normal is None:
        return
    for back_m, aside_m in (
        (1.4, 0.0),
        (1.4, 0.7),
        (1.4, -0.7),
        (1.8, 0.0),
        (1.0, 1.2),
        (1.0, -1.2),
    ):
        x = shopper.x + back_m * normal[0] - aside_m * normal[1]
        y = shopper.y + back_m * normal[1] + aside_m * normal[0]
        if world.claim_spot(shopper, x, y):
            yield from walk(world, shopper, x, y)
            return


def _crouch(world: World, shopper: Shopper, verb: verbs.Crouch) -> Iterator[None]:
    shopper.crouch_goal, shopper.lean_goal = 1.0, 0.35
    yield from pause(world, verb.seconds)
    shopper.crouch_goal = shopper.lean_goal = 0.0
    yield from pause(world, 0.5)


def _near(
    world: World, shopper: Shopper, place: int, what: str
) -> Generator[None, None, Shopper | None]:
    """Walks up to the other shopper; a script is refused where nobody is, or no way leads."""
    other = world.people.at(place)
    if other is None or other is shopper:
        refuse(shopper, f"expected another shopper in the store to {what}, got nobody")
        return None
    for _ in range(CLAIM_TRIES):
        if _apart(shopper, other) <= NEAR_M:
            return other
        spot = _beside(world, shopper, other)
        if spot is not None:
            yield from walk(world, shopper, *spot, _towards(shopper, other))
        yield from pause(world, 0.3)
    away = _apart(shopper, other)
    refuse(shopper, f"expected to come within {NEAR_M} m to {what}, got {away:.2f} m")
    return None


def _apart(shopper: Shopper, other: Shopper) -> float:
    return math.hypot(other.x - shopper.x, other.y - shopper.y)


def _beside(world: World, shopper: Shopper, other: Shopper) -> tuple[float, float] | None:
    """The nearest free place an arm's length from somebody."""
    radius = min(NEAR_M - 0.1, world.space_m + 0.3)
    begin = _towards(other, shopper)
    for turn in (0.0, 0.6, -0.6, 1.2, -1.2, 1.9, -1.9, 2.6, -2.6):
        x = other.x + radius * math.cos(begin + turn)
        y = other.y + radius * math.sin(begin + turn)
        if world.claim_spot(shopper, x, y):
            return x, y
    return None


def _between(shopper: Shopper, other: Shopper) -> Vec:
    height = 0.5 * 0.62 * (shopper.frame.stature + other.frame.stature)
    return (0.5 * (shopper.x + other.x), 0.5 * (shopper.y + other.y), height)


def _towards(shopper: Shopper, other: Shopper) -> float:
    return math.atan2(other.y - shopper.y, other.x - shopper.x)


def _give(world: World, shopper: Shopper, other: Shopper, gtin: str) -> Iterator[None]:
    """From hand to hand: both hands go to the middle, the item changes owner's hand."""
    item = carried_item(shopper, gtin)
    if item is None:
        refuse(shopper, f"expected to carry {gtin} to hand it over, got no such item")
        return
    yield from face(world, shopper, _towards(shopper, other))
    other.goal_heading = _towards(other, shopper)
    hand = yield from into_hand(world, shopper, item)
    taker = next((one for one in other.hands.values() if one.item is None), None)
    if taker is None:
        refuse(shopper, "expected a free hand to give to, got two full ones")
        return
    middle = _between(shopper, other)
    ours = drive_hand(world, shopper, hand, shopper.to_root(middle), (1.0, 0.0, 0.0), 0.7)
    theirs = drive_hand(world, other, taker, other.to_root(middle), (1.0, 0.0, 0.0), 0.7)
    for _ in ours:
        next(theirs, None)
        yield
    for _ in theirs:
        yield
    yield from pause(world, 0.25)
    hand.item = hand.also.pop() if hand.also else None
    taker.item, taker.hangs = item, False
    world.record(shopper, "give", None, 0.0, item, hand.side, other.index)
    world.record(other, "receive", None, 0.0, item, taker.side, shopper.index)
    hand.driven = taker.driven = False
    yield from pause(world, 0.4)


def _hand_over(world: World, shopper: Shopper, verb: verbs.HandOver) -> Iterator[None]:
    other = yield from _near(world, shopper, verb.to, "hand something to")
    if other is not None:
        yield from _give(world, shopper, other, verb.gtin)


def _exchange(world: World, shopper: Shopper, verb: verbs.Exchange) -> Iterator[None]:
    other = yield from _near(world, shopper, verb.partner, "exchange with")
    if other is None:
        return
    yield from _give(world, shopper, other, verb.give_gtin)
    line, other.line = other.line, shopper.line
    yield from _give(world, other, shopper, verb.get_gtin)
    other.line = line


def _slip_into(world: World, shopper: Shopper, verb: verbs.SlipInto) -> Iterator[None]:
    other = yield from _near(world, shopper, verb.owner, "slip something into the bag of")
    item = carried_item(shopper, verb.gtin)
    if other is None or item is None:
        refuse(shopper, f"expected to carry {verb.gtin}, got no such item")
        return
    hand = yield from into_hand(world, shopper, item)
    yield from face(world, shopper, _towards(shopper, other))
    bag = other.to_world((0.0, 0.2, 0.52 * other.frame.stature))
    yield from drive_hand(world, shopper, hand, shopper.to_root(bag), (0.8, 0.0, -0.6), 0.8)
    hand.item = hand.also.pop() if hand.also else None
    other.bag.append(item)
    world.record(shopper, "slip", None, 0.0, item, hand.side, other.index)
    hand.driven = False
    yield from pause(world, 0.4)


def _swap_behind(world: World, shopper: Shopper, verb: verbs.SwapBehind) -> Iterator[None]:
    left, right = shopper.hands["l"], shopper.hands["r"]
    height = 0.52 * shopper.frame.stature
    ours = drive_hand(world, shopper, left, (-0.22, 0.03, height), (-0.2, -0.9, -0.2), 0.6)
    theirs = drive_hand(world, shopper, right, (-0.22, -0.03, height), (-0.2, 0.9, -0.2), 0.6)
    for _ in ours:
        next(theirs, None)
        yield
    yield from pause(world, 0.5 * verb.seconds)
    left.item, right.item = right.item, left.item
    left.also, right.also = right.also, left.also
    for hand in (left, right):
        if hand.item is not None:
            world.record(shopper, "swap", None, 0.0, hand.item, hand.side)
    yield from pause(world, 0.5 * verb.seconds)
    left.driven = right.driven = False
    yield from pause(world, 0.3)


def _swap_clothes(world: World, shopper: Shopper, verb: verbs.SwapClothes) -> Iterator[None]:
    other = yield from _near(world, shopper, verb.partner, "swap clothes with")
    if other is None:
        return
    yield from pause(world, 3.0)
    mine, theirs = shopper.appearance, other.appearance
    shopper.appearance, other.appearance = _in_top_of(mine, theirs), _in_top_of(theirs, mine)


def _in_top_of(body: Appearance, clothes: Appearance) -> Appearance:
    return replace(
        body,
        top_rgb=clothes.top_rgb,
        top2_rgb=clothes.top2_rgb,
        top_pattern=clothes.top_pattern,
        sleeves=clothes.sleeves,
        texture_seed=clothes.texture_seed,
    )


def _drop(world: World, shopper: Shopper, verb: verbs.Drop) -> Iterator[None]:
    item = carried_item(shopper, verb.gtin)
    if item is None:
        refuse(shopper, f"expected to carry {verb.gtin} to leave it on the floor, got none")
        return
    hand = yield from into_hand(world, shopper, item)
    shopper.crouch_goal, shopper.lean_goal = 1.0, 0.5
    spot = shopper.to_world((0.34, 0.1 * hand.sign, 0.0))
    low = shopper.to_root((spot[0], spot[1], item.product.packaging.height_m * 0.6))
    yield from drive_hand(world, shopper, hand, low, (0.7, 0.0, -0.7), 0.9)
    hand.item = hand.also.pop() if hand.also else None
    base = quantised((spot[0], spot[1], 0.0))
    pose = ItemPose(item.index, item.product.gtin, base, rotation_z(shopper.heading), "floor")
    world.floor_items[item.index] = (item, pose)
    world.record(shopper, "drop", None, 0.0, item, hand.side)
    hand.driven = False
    shopper.crouch_goal = shopper.lean_goal = 0.0
    yield from pause(world, 0.6)


def _pick_up(world: World, shopper: Shopper, verb: verbs.PickUp) -> Iterator[None]:
    lying = [(item, pose) for item, pose in world.floor_items.values()]
    found: tuple[Item, ItemPose] | None = next(
        ((item, pose) for item, pose in lying if item.product.gtin == verb.gtin), None
    )
    if found is None:
        refuse(shopper, f"expected {verb.gtin} on the floor to pick up, got nothing of it")
        return
    item, pose = found
    hand = yield from free_hand(world, shopper, None)
    x, y, _ = pose.base_m.tolist()
    away = math.hypot(shopper.x - x, shopper.y - y) or 1.0
    stand = (x + 0.42 * (shopper.x - x) / away, y + 0.42 * (shopper.y - y) / away)
    world.leave_spot(shopper)
    yield from walk(world, shopper, *stand, math.atan2(y - stand[1], x - stand[0]))
    shopper.crouch_goal, shopper.lean_goal = 1.0, 0.5
    low = shopper.to_root((x, y, item.product.packaging.height_m * 0.6))
    yield from drive_hand(world, shopper, hand, low, (0.7, 0.0, -0.7), 0.9)
    if world.floor_items.pop(item.index, None) is not None:
        hand.item, hand.hangs = item, False
        world.record(shopper, "pick_up", None, 0.0, item, hand.side)
    hand.driven = False
    shopper.crouch_goal = shopper.lean_goal = 0.0
    yield from pause(world, 0.6)


def _hide_behind(world: World, shopper: Shopper, verb: verbs.HideBehind) -> Iterator[None]:
    other = world.people.at(verb.other)
    if other is None:
        refuse(shopper, "expected another shopper in the store to hide behind, got nobody")
        return
    near = world.space_m + 0.05
    back = (-math.cos(other.heading), -math.sin(other.heading))
    world.leave_spot(shopper)
    spot = (other.x + near * back[0], other.y + near * back[1])
    patience_s = world.t_s + HIDE_S_MAX
    for _ in walk(world, shopper, *spot, other.heading):
        if world.t_s > patience_s:
            # As near as the crowd lets one.
            shopper.goal = None
            break
        yield
    shopper.sidesteps = False
    yield from pause(world, verb.seconds)


def _lean(world: World, shopper: Shopper, verb: verbs.Lean) -> Iterator[None]:
    place = place_of(world, verb.slot_id)
    middle = place.bay.width_m / 2
    yield from go_before(world, shopper, place, middle)
    shopper.lean_goal = 0.5
    world.record(shopper, "lean", place, middle, None, "r")
    end_s = world.t_s + verb.seconds
    while world.t_s < end_s:
        for other in world.stock.places.values():
            if other.bay.bay_id == place.bay.bay_id and other.board.z_m > 0.6:
                share = float(shopper.rng.uniform(0.1, 0.5))
                world.press(other, middle, share * verb.strength_g, LEAN_BEAT_S)
        yield from pause(world, LEAN_BEAT_S)
    shopper.lean_goal = 0.0
    yield from pause(world, 0.4)


def _tamper(world: World, shopper: Shopper, verb: verbs.Tamper) -> Iterator[None]:
    world.tamper(
        Mishap(
            kind=verb.kind,
            target=verb.target,
            begin_s=world.t_s,
            end_s=world.t_s + verb.seconds,
            amount=verb.amount,
        )
    )
    world.record(shopper, "tamper", None, 0.0, None, "r")
    yield


def unseen_spot(world: World) -> tuple[float, float]:
    """The point of the floor that fewest cameras see, nearest to the middle of the store."""
    floor = world.store.floor
    free = [
        (x, y)
        for x in np.arange(0.6, floor.width_m - 0.55, 0.25).tolist()
        for y in np.arange(0.6, floor.depth_m - 0.55, 0.25).tolist()
        if world.ground.clear(x, y) and world.ground.indoors(x, y)
    ]
    heads = np.array([(x, y, SEEN_AT_M) for x, y in free])
    seen = sum(Eye(camera).project(heads)[1].astype(int) for camera in world.store.cameras)
    middle = (floor.width_m / 2, floor.depth_m / 2)
    counts = np.broadcast_to(seen, len(free)).tolist()
    return min(
        zip(counts, free, strict=True),
        key=lambda one: (one[0], round(math.dist(one[1], middle), 6), one[1]),
    )[1]


TRICKS: dict[type[verbs.Verb], Callable[[World, Shopper, Any], Iterator[None]]] = {
    verbs.Meet: _meet,
    verbs.Crouch: _crouch,
    verbs.HandOver: _hand_over,
    verbs.Exchange: _exchange,
    verbs.SlipInto: _slip_into,
    verbs.SwapBehind: _swap_behind,
    verbs.SwapClothes: _swap_clothes,
    verbs.Drop: _drop,
    verbs.PickUp: _pick_up,
    verbs.HideBehind: _hide_behind,
    verbs.Lean: _lean,
    verbs.Tamper: _tamper,
}
