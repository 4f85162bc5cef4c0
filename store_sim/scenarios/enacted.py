"""Re-enactments of the AutoCheckout 2020 cases, as scripts of verbs.

Products are drawn from the seed; what happens is fixed. Each needs as many bays as it visits.
"""

from __future__ import annotations

import numpy as np

from contracts.store_file import StoreFile
from store_sim.errors import ScenarioError
from store_sim.world.scenario import Scenario, VisitPlan
from store_sim.world.verbs import Enter, Exit, PutBack, Take, Verb, Wait

__all__ = ["base_01", "base_02", "base_03", "base_04"]


def base_01(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """One item at each of up to three gondolas."""
    return _script(name, description, [Take(slot) for slot in _one_of_each_bay(store, seed)])


def base_02(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """The same in the other order."""
    slots = reversed(_one_of_each_bay(store, seed))
    return _script(name, description, [Take(slot) for slot in slots])


def base_03(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """Picks, puts back, picks one at each gondola."""
    verbs: list[Verb] = []
    for slot in _one_of_each_bay(store, seed):
        verbs += [Take(slot), Wait(0.8), PutBack(slot), Wait(0.4), Take(slot)]
    return _script(name, description, verbs)


def base_04(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """One, then three of the same one after another, one of them put back in place."""
    first, second, *_ = [*_one_of_each_bay(store, seed), *_one_of_each_bay(store, seed + 1)]
    verbs: list[Verb] = [Take(first), Take(second), Take(second), Take(second), PutBack(second)]
    return _script(name, description, verbs)


def _script(name: str, description: str, verbs: list[Verb]) -> Scenario:
    plan = VisitPlan(0.5, (Enter(), *verbs, Exit()), has_bag=True)
    return Scenario(name, description, lambda _: (plan,), at_most=1)


def _one_of_each_bay(store: StoreFile, seed: int) -> list[str]:
    rng = np.random.default_rng(np.random.SeedSequence([seed, 13]))
    found = []
    for bay in store.bays[:3]:
        slots = [slot.slot_id for slot in store.slots if slot.bay_id == bay.bay_id]
        if not slots:
            raise ScenarioError(f"expected a slot in {bay.bay_id} of {store.store_id}, got none")
        found.append(slots[int(rng.integers(len(slots)))])
    return found
