"""What a scenario is to the world: visits with their plans, day by day."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from store_sim.world.verbs import Verb

__all__ = ["Scenario", "VisitPlan"]


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """One shopper's visit: `not_before_s` counts from the beginning of the day."""

    not_before_s: float
    verbs: tuple[Verb, ...]
    has_bag: bool = False
    look_seed: int | None = None


@dataclass(frozen=True, slots=True)
class Scenario:
    """Visits of each day; `at_most` shoppers are in the store at once.

    `day(n)` gives the visits of the n-th day in the order of arrival. A scenario that does not
    loop has one day. Between two days the shelves are filled and the store is empty for a while.
    """

    name: str
    description: str
    day: Callable[[int], tuple[VisitPlan, ...]]
    at_most: int = 4
    loops: bool = False
    day_s: float = 0.0
