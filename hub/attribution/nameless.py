"""Settled reaches of bodies that nobody knew: whose they were may become known later.

A gateway that answers late lets a shopper in, in the books, who has been in the store for long.
Most of what such a body did is still live by then; what had to be settled is remembered here.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import replace

from hub.attribution.lives import is_visit
from hub.attribution.model import Decision
from hub.attribution.stock import Move

__all__ = ["Nameless"]


class Nameless:
    """What was told of reaches that were settled as an anonymous body's; the oldest go first."""

    def __init__(self, kept_max: int) -> None:
        self._max = kept_max
        self._kept: OrderedDict[tuple[str, int], tuple[str, Decision, bool]] = OrderedDict()

    def keep(self, moves: Sequence[Move], told: Sequence[Decision], *, clear: bool) -> None:
        """A reach is settled. `clear`: whether what it moved is clear enough to charge."""
        for move in moves:
            if move.owner is None or is_visit(move.owner):
                continue
            for decision in told:
                best = decision.best
                if best.visit_id is None and (best.gtin, best.quantity) == (
                    move.gtin,
                    move.quantity,
                ):
                    key = (decision.reach_id, decision.line)
                    self._kept[key] = (move.owner, decision, clear)
        while len(self._kept) > self._max:
            self._kept.popitem(last=False)

    def named(self, owner: str, visit_id: str, since_s: float) -> list[Decision]:
        """An anonymous body is a visit's from a time on: its decisions, revised."""
        found = [
            (key, decision, clear)
            for key, (who, decision, clear) in self._kept.items()
            if who == owner and decision.t_s >= since_s
        ]
        revised = []
        for key, decision, clear in found:
            del self._kept[key]
            best = replace(decision.best, visit_id=visit_id)
            revised.append(
                replace(
                    decision,
                    revision=decision.revision + 1,
                    best=best,
                    certain=clear,
                    alternatives=() if clear else (best,),
                    why=f"{decision.why}; whose body it was became known later",
                )
            )
        return revised
