"""Carts: the latest decision of every reach, and what a visit owes for the certain ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from hub.attribution.model import Decision
from hub.catalog.model import Catalog
from hub.wallet.service import ChargeLine

__all__ = ["Carts"]

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Piece:
    price_minor: int
    vat_rate: str
    reach_id: str


class Carts:
    """Decisions by reach and line, and by every visit they name."""

    def __init__(self, decisions_max: int) -> None:
        self._decisions: dict[Key, Decision] = {}
        self._by_visit: dict[str, dict[Key, None]] = {}
        self._max = decisions_max

    def __iter__(self) -> Iterator[Decision]:
        return iter(self._decisions.values())

    def get(self, key: Key) -> Decision | None:
        """The latest decision of a reach's line, if it is still known."""
        return self._decisions.get(key)

    def apply(self, decision: Decision) -> Decision | None:
        """Replaces the decision of the same reach and line; returns the one before."""
        key = (decision.reach_id, decision.line)
        before = self._decisions.get(key)
        if before is not None:
            self._unlist(key, before)
        self._decisions[key] = decision
        for visit_id in _named(decision):
            self._by_visit.setdefault(visit_id, {})[key] = None
        if len(self._decisions) > self._max:
            self._drop(next(iter(self._decisions)))
        return before

    def of(self, visit_id: str) -> list[Decision]:
        """Certain decisions that moved this visit's cart, in the order they happened."""
        found = [
            self._decisions[key]
            for key in self._by_visit.get(visit_id, ())
            if self._moves(self._decisions[key], visit_id)
        ]
        return sorted(found, key=lambda decision: (decision.t_s, decision.reach_id, decision.line))

    def unclear(self, visit_id: str, probability: float) -> list[Decision]:
        """Uncertain decisions that may be this visit's."""
        return [
            decision
            for key in self._by_visit.get(visit_id, ())
            if not (decision := self._decisions[key]).certain
            and any(
                choice.visit_id == visit_id
                and choice.quantity != 0
                and choice.probability >= probability
                for choice in (decision.best, *decision.alternatives)
            )
        ]

    def lines(
        self, visit_id: str, quantities: Mapping[str, int], catalog: Catalog
    ) -> list[ChargeLine]:
        """What the visit owes: certain pieces at the price and VAT rate seen at their pick.

        A piece put back takes the dearest of its kind out of the cart. `quantities` is the
        attributor's own count; where the two differ the smaller one is charged.
        """
        pieces: dict[str, list[_Piece]] = {}
        for decision in self.of(visit_id):
            gtin, quantity = decision.best.gtin, decision.best.quantity
            if gtin is None or gtin not in catalog.products:
                continue
            held = pieces.setdefault(gtin, [])
            if quantity > 0:
                product = catalog.products[gtin]
                price, vat_rate = product.price_at(decision.t_s), product.vat_at(decision.t_s)
                held.extend([_Piece(price, vat_rate, decision.reach_id)] * quantity)
            else:
                _take_dearest(held, -quantity)
        lines: list[ChargeLine] = []
        for gtin, held in pieces.items():
            _take_dearest(held, len(held) - max(0, quantities.get(gtin, 0)))
            lines.extend(_priced(gtin, held, len(lines)))
        return lines

    def settle(self, visit_id: str) -> None:
        """Drops the decisions that moved this visit's cart; they are in the event log."""
        for key in list(self._by_visit.get(visit_id, ())):
            if self._decisions[key].best.visit_id == visit_id:
                self._drop(key)
        self._by_visit.pop(visit_id, None)

    def clear(self) -> None:
        """Drops everything: no visit is open."""
        self._decisions.clear()
        self._by_visit.clear()

    @staticmethod
    def _moves(decision: Decision, visit_id: str) -> bool:
        best = decision.best
        return (
            decision.certain
            and best.visit_id == visit_id
            and best.gtin is not None
            and best.quantity != 0
        )

    def _drop(self, key: Key) -> None:
        self._unlist(key, self._decisions.pop(key))

    def _unlist(self, key: Key, decision: Decision) -> None:
        for visit_id in _named(decision):
            listed = self._by_visit.get(visit_id)
            if listed is not None:
                listed.pop(key, None)
                if not listed:
                    del self._by_visit[visit_id]


def _named(decision: Decision) -> dict[str, None]:
    choices = (decision.best, *decision.alternatives)
    return {choice.visit_id: None for choice in choices if choice.visit_id is not None}


def _take_dearest(held: list[_Piece], count: int) -> None:
    for _ in range(min(count, len(held))):
        dearest = max(range(len(held)), key=lambda index: (held[index].price_minor, index))
        del held[dearest]


def _priced(gtin: str, held: list[_Piece], offset: int) -> list[ChargeLine]:
    by_price: dict[tuple[int, str], list[str]] = {}
    for piece in held:
        by_price.setdefault((piece.price_minor, piece.vat_rate), []).append(piece.reach_id)
    return [
        ChargeLine(
            line=offset + index + 1,
            gtin=gtin,
            quantity=len(reaches),
            unit_price_minor=price_minor,
            vat_rate=vat_rate,
            reaches=tuple(dict.fromkeys(reaches)),
        )
        for index, ((price_minor, vat_rate), reaches) in enumerate(by_price.items())
    ]
