"""Live reaches: those that later news may still change, and how two of them may hang together."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from hub.attribution.choices import Choice
from hub.attribution.evidence import Evidence
from hub.attribution.people import ANONYMOUS
from hub.attribution.stock import Layout, Move

__all__ = ["NEAR_MAX", "SAME_TIME_S", "Hypothesis", "Live", "is_visit", "may_be_one"]

LINK_NATS = 7.0
"""Choices worse than the best by more than this link nothing."""
SAME_TIME_S = 0.4
"""Reaches closer in time than this could be one body's two hands."""
SAME_ACT_S = 3.0
"""Two reaches that tell of one act are hardly further apart."""
NEAR_MAX = 12
"""Reaches before one that are looked at for being the same body's or the same act."""


@dataclass(slots=True)
class Live:
    """A reach that is not settled yet, with its explanations."""

    reach_id: str
    bay_id: str
    t0_s: float
    t_s: float
    t_sd_s: float
    evidence: Evidence
    who: dict[int, dict[str | None, float]]
    choices: tuple[Choice, ...]
    version: int
    takes: dict[tuple[str, str], int] = field(default_factory=dict)
    puts: set[tuple[str | None, str]] = field(default_factory=set)
    strays: set[tuple[int, str]] = field(default_factory=set)
    boards: set[tuple[str, str, str]] = field(default_factory=set)
    drains: dict[tuple[int, str], int] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()
    named: frozenset[str] = frozenset()
    several: frozenset[str] = frozenset()
    hands: frozenset[str] = frozenset()

    def index(self, layout: Layout) -> None:
        """Sums up the choices for whoever asks what may be where. `named` are all owners of the
        choices, `owners` those of likely ones."""
        self.takes, self.puts, self.strays, self.boards = {}, set(), set(), set()
        self.drains = {}
        owners = set()
        least = self.choices[0].score - LINK_NATS
        for choice in self.choices:
            for move in choice.moves:
                if move.quantity > 0:
                    at = (move.place, move.gtin)
                    self.drains[at] = max(self.drains.get(at, 0), move.quantity)
            if choice.score < least:
                continue
            for move in choice.moves:
                if move.owner is not None:
                    owners.add(move.owner)
                if move.quantity < 0:
                    self.puts.add((move.owner, move.gtin))
                    if layout.places[move.place].gtin != move.gtin:
                        self.strays.add((move.place, move.gtin))
                    continue
                self.boards.add((self.bay_id, layout.places[move.place].board_id, move.gtin))
                if move.owner is not None:
                    key = (move.owner, move.gtin)
                    self.takes[key] = max(self.takes.get(key, 0), move.quantity)
        self.owners = frozenset(owners)
        self.named = frozenset(
            move.owner for choice in self.choices for move in choice.moves if move.owner is not None
        )


class Hypothesis(NamedTuple):
    """One joint explanation: the choice of each reach in time order, and what it moves."""

    score: float
    chosen: tuple[int, ...]
    moves: tuple[Move, ...]


def may_be_one(earlier: Live, later: Live) -> bool:
    """Whether two reaches may tell of one act, or were done by the same hand."""
    if earlier.bay_id != later.bay_id:
        return False
    if earlier.hands & later.hands:
        return True
    one, two = earlier.evidence.reach, later.evidence.reach
    return (
        bool(one.changes or two.changes)
        and not (one.grams and two.grams)
        and bool(one.changes or one.grams)
        and bool(two.changes or two.grams)
        and later.t0_s - earlier.t_s <= SAME_ACT_S
    )


def is_visit(owner: str | None) -> bool:
    """Whether an owner is a visit and not an anonymous body."""
    return owner is not None and not owner.startswith(ANONYMOUS)
