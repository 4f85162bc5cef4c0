"""Carts: the latest decision of every reach, and what a visit owes for the certain ones."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from hub.attribution.model import Decision
from hub.catalog.model import Catalog
from hub.catalog.offers import Why
from hub.catalog.promotions import Saving
from hub.wallet.service import ChargeLine

__all__ = ["Carts", "named"]

Key = tuple[str, int]


@dataclass(frozen=True, slots=True)
class _Piece:
    price_minor: int
    vat_rate: str
    reach_id: str
    t_s: float


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
        for visit_id in named(decision):
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
        self,
        visit_id: str,
        quantities: Mapping[str, int],
        catalog: Catalog,
        *,
        final: bool = False,
    ) -> list[ChargeLine]:
        """What the visit owes: certain pieces at the price and VAT rate seen at their pick, less
        what the best allowed combination of the promotions seen there takes off.

        A piece put back takes the dearest of its kind out of the cart. `quantities` is the
        attributor's own count; where the two differ the smaller one is charged. What may not be
        sold is left out; `final` says that the visit is over and nobody looks at an ID any more.
        """
        sold = {
            gtin: [p for p in held if self._why(visit_id, gtin, p, catalog, final) is None]
            for gtin, held in self._held(visit_id, quantities, catalog).items()
        }
        flat = [(gtin, piece) for gtin, held in sold.items() for piece in held]
        savings = catalog.offers.savings([(g, p.price_minor, p.t_s) for g, p in flat])
        lines: list[ChargeLine] = []
        begin = 0
        for gtin, held in sold.items():
            parts = list(zip(held, savings[begin : begin + len(held)], strict=True))
            begin += len(held)
            lines.extend(_priced(gtin, parts, len(lines)))
        return lines

    def withheld(
        self,
        visit_id: str,
        quantities: Mapping[str, int],
        catalog: Catalog,
        *,
        final: bool = False,
    ) -> list[dict[str, Any]]:
        """Certain pieces that may not be sold to the visit; see hub.visits.model.Visit."""
        rows: dict[tuple[str, Why], dict[str, Any]] = {}
        if catalog.offers.plain:
            return []
        for gtin, held in self._held(visit_id, quantities, catalog).items():
            for piece in held:
                why = self._why(visit_id, gtin, piece, catalog, final)
                if why is None:
                    continue
                fresh = {"gtin": gtin, "quantity": 0, "why": why, "back": 0, "reaches": []}
                row = rows.setdefault((gtin, why), fresh)
                row["quantity"] += 1
                if piece.reach_id not in row["reaches"]:
                    row["reaches"].append(piece.reach_id)
        return list(rows.values())

    @staticmethod
    def _why(visit_id: str, gtin: str, piece: _Piece, catalog: Catalog, final: bool) -> Why | None:
        return catalog.offers.not_sold(visit_id, gtin, piece.t_s, final=final)

    def _held(
        self, visit_id: str, quantities: Mapping[str, int], catalog: Catalog
    ) -> dict[str, list[_Piece]]:
        """The visit's certain pieces by product, in the order of their picks."""
        pieces: dict[str, list[_Piece]] = {}
        for decision in self.of(visit_id):
            gtin, quantity = decision.best.gtin, decision.best.quantity
            if gtin is None or gtin not in catalog.products:
                continue
            held = pieces.setdefault(gtin, [])
            if quantity > 0:
                product = catalog.products[gtin]
                price, vat_rate = product.price_at(decision.t_s), product.vat_at(decision.t_s)
                piece = _Piece(price, vat_rate, decision.reach_id, decision.t_s)
                held.extend([piece] * quantity)
            else:
                _take_dearest(held, -quantity)
        for gtin, held in pieces.items():
            _take_dearest(held, len(held) - max(0, quantities.get(gtin, 0)))
        return pieces

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
        for visit_id in named(decision):
            listed = self._by_visit.get(visit_id)
            if listed is not None:
                listed.pop(key, None)
                if not listed:
                    del self._by_visit[visit_id]


def named(decision: Decision) -> dict[str, None]:
    """The visits that a decision may concern, in the order of its choices."""
    choices = (decision.best, *decision.alternatives)
    return {choice.visit_id: None for choice in choices if choice.visit_id is not None}


def _take_dearest(held: list[_Piece], count: int) -> None:
    for _ in range(min(count, len(held))):
        dearest = max(range(len(held)), key=lambda index: (held[index].price_minor, index))
        del held[dearest]


def _priced(gtin: str, held: Sequence[tuple[_Piece, Saving]], offset: int) -> list[ChargeLine]:
    by_price: dict[tuple[int, str], list[tuple[_Piece, Saving]]] = {}
    for piece, saving in held:
        by_price.setdefault((piece.price_minor, piece.vat_rate), []).append((piece, saving))
    return [
        ChargeLine(
            line=offset + index + 1,
            gtin=gtin,
            quantity=len(parts),
            unit_price_minor=price_minor,
            vat_rate=vat_rate,
            reaches=tuple(dict.fromkeys(piece.reach_id for piece, _ in parts)),
            discount_minor=sum(saving.discount_minor for _, saving in parts),
            promotions=tuple(sorted({name for _, saving in parts for name in saving.promotions})),
        )
        for index, ((price_minor, vat_rate), parts) in enumerate(by_price.items())
    ]
