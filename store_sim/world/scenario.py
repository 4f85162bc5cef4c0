"""What a scenario is to the world: visits with their plans, day by day, and what is in the way."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

from store_sim.dials import Dials, MishapKind
from store_sim.errors import ScenarioError
from store_sim.world.verbs import Scripted, Tamper, Verb

__all__ = ["Arrangement", "Brought", "CodeKind", "Looks", "Scenario", "VisitPlan"]

SPACE_MIN_M = 0.30
"""Nearer than this, two bodies would be one."""

CodeKind = Literal["own", "none", "screenshot", "expired", "reused"]
"""What a shopper shows at the gate: the own code (in a group, one that the payer asked for; staff's
is their badge), nothing at all, a picture of another's code that is used at the same time, a code
that has run out, or one used before."""


@dataclass(frozen=True, slots=True)
class Looks:
    """What is fixed about how somebody looks; the rest is drawn from `seed`, or the run's seed.

    `uniform` is staff's; `child` is about 1.1 m tall.
    """

    seed: int | None = None
    uniform: bool = False
    child: bool = False


@dataclass(frozen=True, slots=True)
class Brought:
    """A thing somebody brings along; a weight of its own where the case wants one."""

    gtin: str
    weight_g: float | None = None


@dataclass(frozen=True, slots=True)
class VisitPlan:
    """One shopper's visit: `not_before_s` counts from the beginning of the day.

    `payer` is the place in the day of the visit that pays (a group), None for oneself. Staff pay
    nothing, and neither does whoever came in without a code.
    """

    not_before_s: float
    verbs: Iterable[Verb]
    has_bag: bool = False
    looks: Looks = Looks()
    code: CodeKind = "own"
    code_of: int | None = None
    payer: int | None = None
    staff: bool = False
    brings: tuple[Brought, ...] = ()
    """In the bag before coming in: own things (store_sim.world.foreign), or staff's new stock."""

    def payer_of(self, index: int, at_place: Mapping[int, int]) -> int | None:
        """Who pays for the shopper of this index: an index, or None for nobody. `at_place` gives
        the indexes of those who came, by their places in the day."""
        if self.staff or self.code in ("none", "screenshot", "reused"):
            return None
        return index if self.payer is None else at_place.get(self.payer)


@dataclass(frozen=True, slots=True)
class Arrangement:
    """The shelves before anybody comes: column `column` of a slot holds these, back to front.

    Each is a GTIN of the store, or of store_sim.world.foreign.
    """

    slot_id: str
    column: int
    gtins: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Scenario:
    """Visits of each day; `at_most` shoppers are in the store at once.

    `day(n)` gives the visits of the n-th day in the order of arrival. A scenario that does not
    loop has one day. Between two days the shelves are filled and the store is empty for a while.
    `space_m` is how near two people's middles come; `dials` are those that the case is about.
    """

    name: str
    description: str
    day: Callable[[int], tuple[VisitPlan, ...]]
    at_most: int = 4
    loops: bool = False
    day_s: float = 0.0
    space_m: float | None = None
    shelves: tuple[Arrangement, ...] = ()
    dials: Dials = field(default_factory=Dials)

    def tampering(self) -> frozenset[MishapKind]:
        """What shoppers of the first day's scripts do to devices; wanderers do nothing to any."""
        scripted = [
            verb.verb if isinstance(verb, Scripted) else verb
            for plan in self.day(0)
            if isinstance(plan.verbs, tuple)
            for verb in plan.verbs
        ]
        return frozenset(verb.kind for verb in scripted if isinstance(verb, Tamper))

    def space_or(self, usual_m: float) -> float:
        """How near two people's middles come; ScenarioError for two shoppers in one body."""
        space_m = usual_m if self.space_m is None else self.space_m
        if space_m < SPACE_MIN_M:
            raise ScenarioError(
                f"scenario {self.name}: expected people at least {SPACE_MIN_M} m apart, got "
                f"{space_m} m: two shoppers in one body"
            )
        return space_m
