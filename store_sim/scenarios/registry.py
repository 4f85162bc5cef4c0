"""The table of scenarios: a name, a line about it, and what builds it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from contracts.store_file import StoreFile
from store_sim.errors import ScenarioError, UnknownScenarioError
from store_sim.scenarios import easy, enacted
from store_sim.world.scenario import Scenario

__all__ = ["SCENARIOS", "SHOPPERS_MAX", "Builder", "Entry", "build"]

SHOPPERS_MAX = 100_000

Builder = Callable[[str, str, StoreFile, int, int], Scenario]
"""(name, description, store, seed, shoppers) to a scenario."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario. A script has its own number of shoppers and ignores what is asked for."""

    description: str
    builder: Builder


SCENARIOS: dict[str, Entry] = {
    "easy": Entry(
        "up to four shoppers at once, picks and put-backs in place, no adversary",
        easy.easy,
    ),
    "easy-one": Entry("easy shopping, one shopper at a time", easy.easy_one),
    "demo-day": Entry("a lively ten-minute store day that begins again", easy.demo_day),
    "base-01": Entry("one shopper, one item at each gondola", enacted.base_01),
    "base-02": Entry("one shopper, one item at each gondola, the other way round", enacted.base_02),
    "base-03": Entry("one shopper picks, puts back and picks one at each gondola", enacted.base_03),
    "base-04": Entry("one, then three of the same, one of them put back", enacted.base_04),
}


def build(name: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """The scenario of a name.

    `shoppers` is the number of visits of a generated scenario. UnknownScenarioError lists the
    names there are; ScenarioError says what the store lacks.
    """
    entry = SCENARIOS.get(name)
    if entry is None:
        raise UnknownScenarioError(
            f"expected one of {', '.join(sorted(SCENARIOS))}, got scenario {name!r}"
        )
    if not 1 <= shoppers <= SHOPPERS_MAX:
        raise ScenarioError(f"expected 1 to {SHOPPERS_MAX} shoppers, got {shoppers}")
    return entry.builder(name, entry.description, store, seed, shoppers)
