"""The table of scenarios: generated days, and the hard cases by name.

A case belongs to a group of HARD_CASES (A the AutoCheckout 2020 re-enactments, B people,
C adversarial, D sensors and light). `winner_f1` is what the winner of the competition reached.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from contracts.store_file import StoreFile
from store_sim.errors import ScenarioError, UnknownScenarioError
from store_sim.scenarios import easy, enacted
from store_sim.world.scenario import Scenario

__all__ = ["CASES", "SCENARIOS", "SHOPPERS_MAX", "Builder", "Case", "Entry", "Group", "build"]

SHOPPERS_MAX = 100_000

Builder = Callable[[str, str, StoreFile, int, int], Scenario]
"""(name, description, store, seed, shoppers) to a scenario."""
Group = Literal["A", "B", "C", "D"]


@dataclass(frozen=True, slots=True)
class Entry:
    """One scenario. A script has its own number of shoppers and ignores what is asked for."""

    description: str
    builder: Builder


@dataclass(frozen=True, slots=True)
class Case(Entry):
    """A hard case."""

    group: Group = "A"
    winner_f1: float | None = None


CASES: dict[str, Case] = {
    "base-01": Case("one shopper, one item at each gondola", enacted.base_01, "A", 1.0),
    "base-02": Case("one item at each gondola, the other way round", enacted.base_02, "A", 1.0),
    "base-03": Case("picks, puts back and picks one at each gondola", enacted.base_03, "A", 1.0),
    "base-04": Case("one, then three of the same, one of them put back", enacted.base_04, "A", 1.0),
}
"""The hard cases by name."""

SCENARIOS: dict[str, Entry] = {
    "easy": Entry(
        "up to four shoppers at once, picks and put-backs in place, no adversary",
        easy.easy,
    ),
    "easy-one": Entry("easy shopping, one shopper at a time", easy.easy_one),
    "demo-day": Entry("a lively ten-minute store day that begins again", easy.demo_day),
    **CASES,
}
"""All scenarios by name: generated days and hard cases."""


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
