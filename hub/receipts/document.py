"""A receipt as one document: from the stored, unchangeable rows, with what was corrected since.

Number, lines and taxes are those written at the settlement; numbers have no gap and follow the
order of settlements. Amounts are integer minor units, times hub microseconds, which are shown in
the store's time zone.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from sqlalchemy import select

from contracts.store_file import StoreFile
from hub.errors import RejectedError
from hub.receipts.words import amount
from hub.store import tables as t
from hub.store.service import Store
from hub.visits.model import Visit
from hub.wallet.service import Account, ChargeLine, vat_minor

__all__ = ["Correction", "Receipt", "ReceiptLine", "VatRow", "as_json", "receipt_of"]


@dataclass(frozen=True, slots=True)
class ReceiptLine:
    """One line as it was charged; `refunded` pieces were given back since."""

    line: int
    gtin: str
    name: str
    quantity: int
    unit_price_minor: int
    discount_minor: int
    discount: str
    total_minor: int
    vat_rate: str
    vat_minor: int
    refunded: int

    def under(self, currency: str) -> list[str]:
        """What stands in small letters below the line."""
        words = [f"GTIN {self.gtin}"]
        if self.discount_minor:
            taken = amount(-self.discount_minor, currency)
            words.append(f"{self.discount or 'discount'} {taken}")
        if self.refunded:
            words.append(f"{self.refunded} given back")
        return words


@dataclass(frozen=True, slots=True)
class VatRow:
    """All of one rate, after corrections."""

    rate: str
    net_minor: int
    vat_minor: int
    gross_minor: int


@dataclass(frozen=True, slots=True)
class Correction:
    """Something given back after the receipt was written: [name, pieces] each."""

    at_us: int
    amount_minor: int
    reason: str
    lines: tuple[tuple[str, int], ...]


@dataclass(frozen=True, slots=True)
class Receipt:
    """The whole receipt."""

    store: str
    store_id: str
    time_zone: str
    number: int
    visit_id: str
    issued_us: int
    currency: str
    lines: tuple[ReceiptLine, ...]
    vat: tuple[VatRow, ...]
    corrections: tuple[Correction, ...]
    total_minor: int
    refunded_minor: int
    captured_minor: int
    debt_minor: int
    not_charged: int

    @property
    def due_minor(self) -> int:
        """What the visit cost in the end."""
        return self.total_minor - self.refunded_minor

    @property
    def sums(self) -> list[tuple[str, str, int]]:
        """The sums below the lines: a short name, what is said, minor units."""
        rows = [("total", "Total", self.total_minor)]
        if self.refunded_minor:
            rows.append(("refunded", "Given back", -self.refunded_minor))
            rows.append(("due", "Total after corrections", self.due_minor))
        if self.captured_minor:
            rows.append(("paid", "Charged to your wallet", self.captured_minor))
        if self.debt_minor:
            rows.append(("debt", "Still owed", self.debt_minor))
        return rows

    @property
    def notes(self) -> list[str]:
        """What stands at the end."""
        notes = []
        if self.not_charged:
            items = "1 item" if self.not_charged == 1 else f"{self.not_charged} items"
            notes.append(f"We were not sure about {items}: not charged.")
        return [*notes, "After this receipt corrections only go down."]


def receipt_of(
    store: Store,
    visit: Visit,
    account: Account | None,
    *,
    of: StoreFile,
    named: Callable[[str], str],
) -> Receipt:
    """The receipt of a settled visit; RejectedError before that. `of`: whose it is; `named`
    gives a promotion's name."""
    found = store.select(select(t.receipts).where(t.receipts.c.visit_id == visit.visit_id))
    if not found:
        raise RejectedError("expected a settled visit; the receipt comes after the exit")
    head = found[0]
    rows = store.select(
        select(t.receipt_lines)
        .where(t.receipt_lines.c.visit_id == visit.visit_id)
        .order_by(t.receipt_lines.c.line)
    )
    lines = tuple(_line(row, visit.refunded, named) for row in rows)
    corrections = _corrections(store, visit.visit_id, {line.line: line.name for line in lines})
    return Receipt(
        store=of.name,
        store_id=of.store_id,
        time_zone=of.time_zone,
        number=head["number"],
        visit_id=visit.visit_id,
        issued_us=head["issued_us"],
        currency=head["currency"],
        lines=lines,
        vat=_vat(lines, head["currency"]),
        corrections=corrections,
        total_minor=head["total_minor"],
        refunded_minor=sum(one.amount_minor for one in corrections),
        captured_minor=account.captured_minor if account is not None else 0,
        debt_minor=account.debt_minor if account is not None else 0,
        not_charged=len(visit.unclear),
    )


def as_json(receipt: Receipt) -> dict[str, Any]:
    """The document as JSON values."""
    return {**asdict(receipt), "due_minor": receipt.due_minor}


def _line(
    row: Mapping[str, Any], refunded: Mapping[int, int], named: Callable[[str], str]
) -> ReceiptLine:
    return ReceiptLine(
        line=row["line"],
        gtin=row["gtin"],
        name=row["name"],
        quantity=row["quantity"],
        unit_price_minor=row["unit_price_minor"],
        discount_minor=row["quantity"] * row["unit_price_minor"] - row["total_minor"],
        discount=", ".join(named(one) for one in json.loads(row["promotions"])),
        total_minor=row["total_minor"],
        vat_rate=row["vat_rate"],
        vat_minor=row["vat_minor"],
        refunded=refunded.get(row["line"], 0),
    )


def _vat(lines: Sequence[ReceiptLine], currency: str) -> tuple[VatRow, ...]:
    """Taxes by rate of what is left; VAT is rounded per line, as it is booked."""
    gross: dict[str, int] = {}
    tax: dict[str, int] = {}
    for line in lines:
        left = _left_minor(line)
        gross[line.vat_rate] = gross.get(line.vat_rate, 0) + left
        tax[line.vat_rate] = tax.get(line.vat_rate, 0) + vat_minor(left, line.vat_rate, currency)
    return tuple(
        VatRow(rate, gross[rate] - tax[rate], tax[rate], gross[rate]) for rate in sorted(gross)
    )


def _left_minor(line: ReceiptLine) -> int:
    """What is left of a line after its corrections, rounded as they were booked."""
    charged = ChargeLine(
        line.line,
        line.gtin,
        line.quantity,
        line.unit_price_minor,
        line.vat_rate,
        discount_minor=line.discount_minor,
    )
    return charged.left(line.quantity - line.refunded).gross_minor


def _corrections(store: Store, visit_id: str, names: Mapping[int, str]) -> tuple[Correction, ...]:
    rows = store.select(
        select(t.events)
        .where(t.events.c.visit_id == visit_id, t.events.c.kind == "visit.corrected")
        .order_by(t.events.c.number)
    )
    found = []
    for row in rows:
        data = json.loads(row["data"])
        lines = tuple((names.get(line[0], line[1]), line[2]) for line in data["lines"])
        found.append(Correction(row["at_us"], data["amount_minor"], data["reason"], lines))
    return tuple(found)
