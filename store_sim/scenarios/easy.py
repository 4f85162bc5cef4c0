"""Easy shopping, generated: people who take what they want and put back what they do not."""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from contracts.store_file import StoreFile
from store_sim.world.scenario import Scenario, VisitPlan
from store_sim.world.verbs import Enter, Exit, Look, PutBack, Reach, Take, Verb, Wait

__all__ = ["demo_day", "easy", "easy_one", "shopping_trip"]

TOUCH_NOTHING_SHARE = 0.10
"""Visits that leave with nothing and touch nothing."""
TOUCH_ONLY_SHARE = 0.10
"""Stops at which a hand touches a product and leaves it."""
PUT_BACK_SHARE = 0.16
AGAIN_SHARE = 0.15
"""Chance of a second piece of the same product."""
ITEMS_SHARE = (0.24, 0.28, 0.22, 0.15, 0.11)
"""Shares of visits that want one to five items."""
BAG_SHARE = 0.5
DEMO_DAY_S = 600.0


def easy(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """`shoppers` visits in all, at most four at once, a few seconds between arrivals."""
    return _generated(name, description, store, seed, shoppers, at_most=4, gap_s=7.0)


def easy_one(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """`shoppers` visits, one after another."""
    return _generated(name, description, store, seed, shoppers, at_most=1, gap_s=2.0)


def demo_day(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """Ten minutes with somebody always about, then the shelves are filled and it begins again.

    `shoppers` is how many may be in the store at once, four at most.
    """

    def day(number: int) -> tuple[VisitPlan, ...]:
        rng = _rng(seed, number)
        plans, begin_s = [], 0.0
        while begin_s < DEMO_DAY_S - 60.0:
            plans.append(VisitPlan(begin_s, shopping_trip(store, rng), rng.random() < BAG_SHARE))
            begin_s += float(rng.uniform(4.0, 18.0))
        return tuple(plans)

    at_most = min(4, shoppers)
    return Scenario(name, description, day, at_most=at_most, loops=True, day_s=DEMO_DAY_S)


def shopping_trip(store: StoreFile, rng: np.random.Generator) -> tuple[Verb, ...]:
    """The verbs of one visit, bay by bay in the order somebody wanders."""
    bays = [bay.bay_id for bay in store.bays]
    order = {bays[k]: place for place, k in enumerate(rng.permutation(len(bays)).tolist())}
    slots = [slot.slot_id for slot in store.slots]
    bay_of = {slot.slot_id: slot.bay_id for slot in store.slots}

    def some(count: int) -> list[str]:
        drawn = rng.choice(len(slots), size=min(count, len(slots)), replace=False)
        return sorted((slots[k] for k in drawn.tolist()), key=lambda s: order[bay_of[s]])

    if rng.random() < TOUCH_NOTHING_SHARE:
        looks = [Look(slot, round(float(rng.uniform(1.0, 4.0)), 2)) for slot in some(2)]
        return (Enter(), *looks, Exit())
    wanted = int(rng.choice(len(ITEMS_SHARE), p=ITEMS_SHARE)) + 1
    verbs: list[Verb] = [Enter()]
    regretted: list[str] = []
    left = wanted
    for slot in some(wanted):
        if left == 0:
            break
        left -= _stop(verbs, regretted, slot, left, rng)
    # Regrets of a while ago: back to where it stood, when all else is in hand.
    verbs.extend(PutBack(slot) for slot in regretted)
    return (*verbs, Exit())


def _stop(
    verbs: list[Verb], regretted: list[str], slot: str, left: int, rng: np.random.Generator
) -> int:
    """What happens before one slot; returns how many items are kept from it."""
    if rng.random() < 0.6:
        verbs.append(Look(slot, round(float(rng.uniform(0.4, 1.8)), 2)))
    if rng.random() < TOUCH_ONLY_SHARE:
        verbs.append(Reach(slot))
    verbs.append(Take(slot))
    fate = rng.random()
    if fate < PUT_BACK_SHARE * 0.6:
        verbs.append(Wait(round(float(rng.uniform(0.6, 2.5)), 2)))
        verbs.append(PutBack(slot))
        if rng.random() < 0.5:
            verbs.append(Take(slot))
            return 1
        return 0
    if fate < PUT_BACK_SHARE:
        regretted.append(slot)
        return 0
    if left >= 2 and rng.random() < AGAIN_SHARE:
        verbs.append(Take(slot))
        return 2
    return 1


def _generated(
    name: str,
    description: str,
    store: StoreFile,
    seed: int,
    shoppers: int,
    *,
    at_most: int,
    gap_s: float,
) -> Scenario:
    @lru_cache(maxsize=1)
    def day(number: int) -> tuple[VisitPlan, ...]:
        rng = _rng(seed, number)
        plans, begin_s = [], 0.5
        for _ in range(shoppers):
            trip = shopping_trip(store, rng)
            plans.append(VisitPlan(round(begin_s, 2), trip, rng.random() < BAG_SHARE))
            begin_s += float(rng.exponential(gap_s))
        return tuple(plans)

    return Scenario(name, description, day, at_most=at_most)


def _rng(seed: int, day: int) -> np.random.Generator:
    return np.random.default_rng(np.random.SeedSequence([seed, 11, day]))
