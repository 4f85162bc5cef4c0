"""Lines of a receipt as ledger entries: revenue and VAT per rate, rounded per line."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any

from contracts.money import Money, minor_places, vat_included_minor
from hub.errors import LedgerError
from hub.levels import PLACES_LEVEL
from hub.wallet.model import Entry

__all__ = [
    "ChargeLine",
    "amount_text",
    "pair",
    "refunded_entries",
    "sales_entries",
    "side",
    "vat_minor",
]

PLACES_BEFORE = {"BHD": 3, "CLP": 0, "ISK": 0, "JPY": 0, "KRW": 0, "KWD": 3, "OMR": 3, "TND": 3}
"""Currencies of which journals of before knew that their minor unit is not a hundredth."""


def amount_text(amount_minor: int, currency: str, *, level: int = PLACES_LEVEL) -> str:
    """An amount as a shopper reads it; what stands in events, by the level of the rules.

    >>> amount_text(1230, "EUR"), amount_text(1230, "VND")
    ('12.30 EUR', '1230 VND')
    """
    known = level >= PLACES_LEVEL
    places = minor_places(currency) if known else PLACES_BEFORE.get(currency, 2)
    return f"{Decimal(amount_minor).scaleb(-places):.{places}f} {currency}"


def vat_minor(gross_minor: int, rate: str, currency: str) -> int:
    """The VAT inside a gross amount at a rate such as "0.1900"."""
    gross = Money(amount_minor=gross_minor, currency=currency)
    return vat_included_minor(gross, Decimal(rate)).amount_minor


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """So many pieces of one product at one price; prices include VAT. `discount_minor` is what
    promotions take off the whole line."""

    line: int
    gtin: str
    quantity: int
    unit_price_minor: int
    vat_rate: str
    reaches: tuple[str, ...] = ()
    discount_minor: int = 0
    promotions: tuple[str, ...] = ()

    @property
    def gross_minor(self) -> int:
        """What is paid for the line: quantity times price, less the discount."""
        return self.quantity * self.unit_price_minor - self.discount_minor

    def left(self, quantity: int) -> ChargeLine:
        """What the line comes to when so many of its pieces are left: their share of what was
        paid, rounded half up. Parts given back one after the other sum to the line exactly."""
        if not 0 <= quantity <= self.quantity:
            raise LedgerError(f"expected 0 to {self.quantity} pieces, got {quantity}")
        paid_minor = (2 * self.gross_minor * quantity + self.quantity) // (2 * self.quantity)
        return replace(
            self,
            quantity=quantity,
            discount_minor=quantity * self.unit_price_minor - paid_minor,
        )

    def given_back(self, left: int, quantity: int) -> ChargeLine:
        """So many pieces, out of those that are left, with what was paid for them."""
        paid_minor = self.left(left).gross_minor - self.left(left - quantity).gross_minor
        return replace(
            self,
            quantity=quantity,
            discount_minor=quantity * self.unit_price_minor - paid_minor,
        )

    def dump(self) -> dict[str, Any]:
        """The line as JSON values; a line without promotions looks as it did before there were
        any, so that old digests hold."""
        row = asdict(self)
        if not self.discount_minor and not self.promotions:
            del row["discount_minor"], row["promotions"]
        return row

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> ChargeLine:
        """The line that `dump` described."""
        lists = {name: tuple(row[name]) for name in ("reaches", "promotions") if name in row}
        return cls(**{**row, **lists})


def side(account: str, amount_minor: int) -> tuple[Entry, ...]:
    """One entry, none if there is nothing to book."""
    return (Entry(account, amount_minor),) if amount_minor else ()


def pair(debit: str, credit: str, amount_minor: int) -> tuple[Entry, Entry]:
    """An amount from one account to another."""
    return Entry(debit, amount_minor), Entry(credit, -amount_minor)


def sales_entries(lines: Sequence[ChargeLine], currency: str) -> list[Entry]:
    """Credits of revenue and VAT per rate."""
    taxes: dict[str, int] = {}
    nets: dict[str, int] = {}
    for line in lines:
        tax = vat_minor(line.gross_minor, line.vat_rate, currency)
        taxes[line.vat_rate] = taxes.get(line.vat_rate, 0) + tax
        nets[line.vat_rate] = nets.get(line.vat_rate, 0) + line.gross_minor - tax
    return _by_rate(nets, taxes, -1)


def refunded_entries(
    lines: Sequence[ChargeLine], before: Sequence[ChargeLine], currency: str
) -> list[Entry]:
    """Debits of what is taken back; `before` is what was left of the same lines, so that the VAT
    of several part refunds sums to the VAT of the line."""
    taxes: dict[str, int] = {}
    nets: dict[str, int] = {}
    for line, left in zip(lines, before, strict=True):
        rest_minor = left.gross_minor - line.gross_minor
        tax = vat_minor(left.gross_minor, left.vat_rate, currency) - vat_minor(
            rest_minor, left.vat_rate, currency
        )
        taxes[line.vat_rate] = taxes.get(line.vat_rate, 0) + tax
        nets[line.vat_rate] = nets.get(line.vat_rate, 0) + line.gross_minor - tax
    return _by_rate(nets, taxes, 1)


def _by_rate(nets: Mapping[str, int], taxes: Mapping[str, int], sign: int) -> list[Entry]:
    entries: list[Entry] = []
    for rate in sorted(nets):
        entries.extend(side(f"revenue:{rate}", sign * nets[rate]))
        entries.extend(side(f"vat:{rate}", sign * taxes[rate]))
    return entries
