"""What hands do with what is carried: free a hand, stow, bring into a hand."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from typing import TYPE_CHECKING

from store_sim.world.acts import Target, drive_hand, pause
from store_sim.world.hold import CROOK_PLACES
from store_sim.world.shopper import Hand, Shopper
from store_sim.world.stock import Item

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = [
    "carried_item", "close_grip", "free_hand", "into_hand", "set_down", "stow", "stow_in_bag",
]  # fmt: skip


def close_grip(world: World, hand: Hand, seconds: float) -> Iterator[None]:
    begin_s, start = world.t_s, hand.grip
    for _ in pause(world, seconds):
        hand.grip = start + (0.75 - start) * min(1.0, (world.t_s - begin_s) / seconds)
        yield


def set_down(
    world: World, shopper: Shopper, hand: Hand, target: Target, seconds: float
) -> Iterator[None]:
    end = shopper.to_root(target.tip_m)
    yield from drive_hand(world, shopper, hand, end, hand.direction, seconds)


def free_hand(world: World, shopper: Shopper, wanted: str | None) -> Generator[None, None, Hand]:
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
        yield from stow(world, shopper, hand)
    return hand


def stow(world: World, shopper: Shopper, hand: Hand) -> Iterator[None]:
    """What the hand holds goes to the bag, to the crook of the left arm, or to a pocket."""
    item = hand.item
    if item is None:
        return
    hidden, hand.also = hand.also, []
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
            shopper.bag.extend(hidden)
            hand.driven = False
            yield from pause(world, 0.2)
            return
    hand.also = hidden
    yield from stow_in_bag(world, shopper, hand)


def stow_in_bag(world: World, shopper: Shopper, hand: Hand) -> Iterator[None]:
    """What the hand holds, hidden things too, goes into the bag, or under the jacket."""
    item = hand.item
    if item is None:
        return
    bag = (0.02, 0.24, 0.52 * shopper.frame.stature)
    yield from drive_hand(world, shopper, hand, bag, (0.3, 0.5 * -hand.sign, -0.8), 0.6)
    shopper.bag.extend([item, *hand.also])
    hand.item, hand.also = None, []
    hand.driven = False
    yield from pause(world, 0.25)


def _unload_crook(world: World, shopper: Shopper) -> Iterator[None]:
    """Frees the left arm: what it hugs goes to the bag."""
    yield from pause(world, 0.5)
    shopper.bag.extend(shopper.crook)
    shopper.crook.clear()


def carried_item(shopper: Shopper, gtin: str) -> Item | None:
    """The piece of a product that is nearest at hand."""
    held = [hand.item for hand in shopper.hands.values() if hand.item is not None]
    held += [item for hand in shopper.hands.values() for item in hand.also]
    for item in [*held, *reversed(shopper.crook), *reversed(shopper.bag)]:
        if item.product.gtin == gtin:
            return item
    return None


def into_hand(world: World, shopper: Shopper, item: Item) -> Generator[None, None, Hand]:
    """Brings a carried item into a hand and returns the hand."""
    for hand in shopper.hands.values():
        if item in hand.also and hand.item is not None:
            hand.also[hand.also.index(item)], hand.item = hand.item, item
        if hand.item is item:
            return hand
    hand = shopper.hands["r"]
    if hand.item is not None:
        yield from stow(world, shopper, hand)
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
