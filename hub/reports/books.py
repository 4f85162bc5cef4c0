"""The ledger as reports read it: transactions of a period with their entries."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import and_, select

from hub.store import tables as t
from hub.store.service import Store

__all__ = ["Booked", "Taxed", "booked"]

CHUNK = 1_000


@dataclass(frozen=True, slots=True)
class Taxed:
    """What a transaction sold or took back: net and VAT by rate, positive either way."""

    sale: bool
    rates: Mapping[str, tuple[int, int]]


@dataclass(frozen=True, slots=True)
class Booked:
    """One transaction of the ledger; debits positive, times in microseconds."""

    number: int
    tx_id: str
    at_us: int
    phase: str
    kind: str
    visit_id: str
    currency: str
    hash: str
    entries: tuple[tuple[str, int], ...]

    def moved(self, kind: str) -> Mapping[str, int]:
        """What moved on accounts of a kind such as "vat", by what follows the colon."""
        sums: dict[str, int] = {}
        for account, amount in self.entries:
            name, _, rest = account.partition(":")
            if name == kind:
                sums[rest] = sums.get(rest, 0) + amount
        return sums

    def taxed(self) -> Taxed | None:
        """What it sold or took back; None if it is no such transaction."""
        net, vat = self.moved("revenue"), self.moved("vat")
        if self.phase != "posted" or not (net or vat):
            return None
        sale = sum(net.values()) + sum(vat.values()) <= 0
        sign = -1 if sale else 1
        rates = {
            rate: (sign * net.get(rate, 0), sign * vat.get(rate, 0))
            for rate in sorted({*net, *vat})
        }
        return Taxed(sale, rates)


def booked(
    store: Store, *, begins_us: int = 0, ends_us: int = 2**62, after: int = 0
) -> Iterator[Booked]:
    """Transactions of a time, from a number on, in the order of their numbers."""
    tx, entry = t.ledger_transactions, t.ledger_entries
    while True:
        page = store.select(
            select(tx)
            .where(and_(tx.c.number > after, tx.c.at_us >= begins_us, tx.c.at_us < ends_us))
            .order_by(tx.c.number)
            .limit(CHUNK)
        )
        if not page:
            return
        first, after = page[0]["number"], page[-1]["number"]
        entries: dict[int, list[tuple[str, int]]] = {}
        for row in store.select(
            select(entry)
            .where(entry.c.number.between(first, after))
            .order_by(entry.c.number, entry.c.line)
        ):
            entries.setdefault(row["number"], []).append((row["account"], row["amount_minor"]))
        for row in page:
            yield _as_booked(row, tuple(entries.get(row["number"], ())))


def _as_booked(row: Mapping[str, Any], entries: tuple[tuple[str, int], ...]) -> Booked:
    names = ("number", "tx_id", "at_us", "phase", "kind", "visit_id", "currency", "hash")
    return Booked(**{name: row[name] for name in names}, entries=entries)
