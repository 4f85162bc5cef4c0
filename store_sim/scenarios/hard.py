"""Random days of any difficulty, with a share of actions against the store.

`difficulty` (0 to 1) raises how many come at once, how near they stand, how quick hands are and
how often things are taken in twos or put back in wrong places. `adversarial` (0 to 0.4) is the
share of actions that try to deceive: hidden behind another, slipped into a bag, swapped behind the
back, left on another shelf, a stone for a product, a camera covered, a plate unplugged.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from contracts.store_file import Slot, StoreFile
from store_sim.errors import ScenarioError
from store_sim.scenarios.easy import BAG_SHARE, ITEMS_SHARE
from store_sim.world.foreign import THINGS
from store_sim.world.scenario import Brought, Scenario, VisitPlan
from store_sim.world.verbs import (
    Crouch,
    Enter,
    Exit,
    HoldOnShelf,
    Lean,
    Look,
    PutBack,
    Reach,
    SwapBehind,
    Take,
    TakeBoth,
    Tamper,
    Verb,
    Wait,
)

__all__ = ["ADVERSARIAL_MAX", "random_day", "random_trip"]

ADVERSARIAL_MAX = 0.4
DEFAULT = (0.5, 0.2)
STONE = THINGS["stone"]
Rng = np.random.Generator


def random_day(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """`shoppers` visits; `name` may carry the dials, as in "random:0.8,0.4"."""
    difficulty, adversarial = _dials(name)
    gap_s = 9.0 - 6.0 * difficulty

    @lru_cache(maxsize=1)
    def day(number: int) -> tuple[VisitPlan, ...]:
        rng = np.random.default_rng([seed, 15, number])
        plans, begin_s = [], 0.5
        for _ in range(shoppers):
            verbs, brings = random_trip(store, rng, difficulty, adversarial)
            has_bag = bool(rng.random() < BAG_SHARE) or bool(brings)
            plans.append(VisitPlan(round(begin_s, 2), verbs, has_bag, brings=brings))
            begin_s += float(rng.exponential(gap_s))
        return tuple(plans)

    return Scenario(
        name,
        description,
        day,
        at_most=2 + round(6 * difficulty),
        space_m=round(0.54 - 0.14 * difficulty, 3),
    )


def random_trip(
    store: StoreFile, rng: Rng, difficulty: float, adversarial: float
) -> tuple[tuple[Verb, ...], tuple[Brought, ...]]:
    """The verbs of one visit, and what is brought along."""
    verbs: list[Verb] = [Enter()]
    brings: list[Brought] = []
    wanted = int(rng.choice(len(ITEMS_SHARE), p=ITEMS_SHARE)) + 1
    order = rng.permutation(len(store.slots)).tolist()[:wanted]
    for k in sorted(order, key=lambda k: store.slots[k].bay_id):
        slot = store.slots[k]
        if rng.random() < adversarial:
            _adversarial(store, slot, verbs, brings, rng)
        else:
            _honest(store, slot, verbs, rng, difficulty)
    return (*verbs, Exit()), tuple(brings)


def _dials(name: str) -> tuple[float, float]:
    _, _, text = name.partition(":")
    if not text:
        return DEFAULT
    try:
        difficulty, adversarial = (float(part) for part in text.split(","))
    except ValueError:
        difficulty = adversarial = -1.0
    if not (0.0 <= difficulty <= 1.0 and 0.0 <= adversarial <= ADVERSARIAL_MAX):
        raise ScenarioError(
            f"expected random:DIFFICULTY,ADVERSARIAL with 0 to 1 and 0 to {ADVERSARIAL_MAX}, got "
            f"{name!r}"
        )
    return difficulty, adversarial


def _pace(rng: Rng, difficulty: float) -> float:
    """Slow and quick hands; the harder, the further from everybody's."""
    return round(float(np.exp(rng.normal(0.0, 0.15 + 0.35 * difficulty))), 2)


def _honest(store: StoreFile, slot: Slot, verbs: list[Verb], rng: Rng, difficulty: float) -> None:
    here = slot.slot_id
    pace = max(0.5, _pace(rng, difficulty))
    if rng.random() < 0.4:
        verbs.append(Look(here, round(float(rng.uniform(0.4, 1.8)), 2)))
    if rng.random() < 0.12 + 0.1 * difficulty:
        verbs.append(Reach(here, hover=bool(rng.random() < 0.4)))
    fate = rng.random() / max(0.25, difficulty)
    if fate < 0.10:
        verbs.append(HoldOnShelf(here, round(float(rng.uniform(2, 8)), 1)))
    elif fate < 0.22:
        other = _neighbour(store, slot, rng)
        left, right = sorted((here, other), key=lambda slot_id: _u(store, slot_id))
        verbs.append(TakeBoth(left, right))
    elif fate < 0.36:
        verbs += [Take(here, pace=pace), Wait(0.8)]
        verbs.append(PutBack(_neighbour(store, slot, rng), gtin=slot.gtin, pace=pace))
    elif fate < 0.55:
        verbs += [Take(here, pace=pace), Wait(0.6), PutBack(here, pace=pace)]
    elif fate < 0.7:
        verbs += [Take(here, pace=pace), Take(here, pace=pace)]
    elif fate < 0.78:
        verbs += [Crouch(1.5), Take(here, pace=pace)]
    else:
        verbs.append(Take(here, pace=pace))


def _adversarial(
    store: StoreFile, slot: Slot, verbs: list[Verb], brings: list[Brought], rng: Rng
) -> None:
    here = slot.slot_id
    other = _neighbour(store, slot, rng)
    cameras = [camera.camera_id for camera in store.cameras if camera.bay_id == slot.bay_id]
    plates = [plate.plate_id for plate in store.plates if plate.board_id == slot.board_id]
    trick = int(rng.integers(8))
    if trick == 0:
        verbs.append(Take(here, count=2))
    elif trick == 1:
        verbs.append(Take(here, into_bag=True))
    elif trick == 2:
        gtin = next(one.gtin for one in store.slots if one.slot_id == other)
        verbs += [Take(here, hand="r"), Take(other, hand="l"), SwapBehind()]
        verbs.append(PutBack(here, gtin=gtin))
    elif trick == 3:
        verbs += [Take(here), Wait(0.5), PutBack(other, gtin=slot.gtin)]
    elif trick == 4:
        weight = store.product(slot.gtin).weight_g
        brings.append(Brought(STONE, round(weight * float(rng.uniform(0.9, 1.1)), 1)))
        verbs += [Take(here), PutBack(here, gtin=STONE)]
    elif trick == 5 and cameras:
        verbs += [Tamper("covered", cameras[0], 8.0), Take(here)]
    elif trick == 6 and plates:
        verbs += [Tamper("unplugged", plates[0], 8.0), Take(here)]
    else:
        verbs += [Lean(here, 2.0), Take(here)]


def _neighbour(store: StoreFile, slot: Slot, rng: Rng) -> str:
    """Another slot of the same bay, of the same board if there is one."""
    same = [one for one in store.slots if one.bay_id == slot.bay_id and one is not slot]
    board = [one for one in same if one.board_id == slot.board_id]
    found = board or same or [slot]
    return found[int(rng.integers(len(found)))].slot_id


def _u(store: StoreFile, slot_id: str) -> float:
    return next(slot.u0_m for slot in store.slots if slot.slot_id == slot_id)
