"""The simulator's process with one more scenario: a short scripted day for the kills.

Run as a program it is `python -m store_sim.live` that also knows the scenario `kills`. Three
shoppers overlap, each before a bay of their own, so that what they take is theirs beyond doubt;
they stand about between two takes, so that there is always somebody whom a kill could harm.
"""

from __future__ import annotations

import sys

from contracts.store_file import StoreFile
from store_sim.live import main
from store_sim.scenarios import SCENARIOS, Entry
from store_sim.world.scenario import Scenario, VisitPlan
from store_sim.world.verbs import Enter, Exit, PutBack, Take, Verb, Wait

NAME = "kills"
TAKEN = 7
"""Pieces that leave the store."""
PLANS: tuple[tuple[float, tuple[Verb, ...]], ...] = (
    (
        0.5,
        (
            Take("bay-a-4-l", column=0),
            Wait(6.0),
            Take("bay-a-3-r", column=5),
            Wait(9.0),
            Take("bay-a-4-l", column=1),
        ),
    ),
    (
        4.0,
        (
            Take("bay-c-4-r", column=4),
            Wait(8.0),
            Take("bay-c-3-l", column=0),
            Wait(8.0),
            PutBack("bay-c-4-r"),
            Wait(2.0),
            Take("bay-c-4-l", column=0),
        ),
    ),
    (
        14.0,
        (
            Take("bay-b-4-l", column=0),
            Wait(12.0),
            Take("bay-b-4-r", column=3),
        ),
    ),
)


def scripted(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """The day; `shoppers` is given by the script."""
    plans = tuple(
        VisitPlan(begin_s, (Enter(), *verbs, Exit()), has_bag=True, look_seed=index)
        for index, (begin_s, verbs) in enumerate(PLANS)
    )
    return Scenario(name, description, lambda _day: plans, at_most=len(plans))


if __name__ == "__main__":
    SCENARIOS[NAME] = Entry("a scripted day for the kills", scripted)
    sys.exit(main())
