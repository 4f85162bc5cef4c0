"""What several checks compute of the export in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from decimal import ROUND_HALF_UP, Decimal
from functools import cache
from typing import Any

__all__ = ["Books", "balances_of", "events_of", "line_amounts", "unanswered"]

Export = Mapping[str, Any]


class Books(dict[str, Any]):
    """An export as it is, with what more than one check adds up of it, which is done once."""

    def __init__(self, export: Export) -> None:
        super().__init__(export)
        self.balances = cache(lambda: _balances(export))
        self.unanswered = cache(lambda: _unanswered(export))


def events_of(export: Export, *kinds: str) -> Iterator[Mapping[str, Any]]:
    """Events of these kinds in their order; a name that ends in a dot stands for all kinds that
    begin so. A list that can tell them apart itself (`only`) is asked to: whether it gives all of
    them is checked beside the hash chain."""
    names = frozenset(kinds)
    prefixes = tuple(kind for kind in kinds if kind.endswith("."))
    rows = export["events"]
    only = getattr(rows, "only", None)
    for row in rows if only is None else only(kinds):
        if row["kind"] in names or row["kind"].startswith(prefixes):
            yield row


def balances_of(export: Export) -> Counter[str]:
    """Posted balances of all accounts; debits positive. Not to be changed."""
    return export.balances() if isinstance(export, Books) else _balances(export)


def _balances(export: Export) -> Counter[str]:
    sums: Counter[str] = Counter()
    for row in export["transactions"]:
        if row["phase"] == "posted":
            for account, amount in row["entries"]:
                sums[account] += amount
    return sums


def line_amounts(line: Mapping[str, Any]) -> tuple[int, int]:
    """What a receipt's line comes to, less what promotions took off, and the VAT inside. Exports
    of before there were promotions have no discounts."""
    gross = line["quantity"] * line["unit_price_minor"] - line.get("discount_minor", 0)
    rate = Decimal(line["vat_rate"])
    vat = int((gross * rate / (1 + rate)).to_integral_value(rounding=ROUND_HALF_UP))
    return gross, vat


def unanswered(export: Export) -> list[Mapping[str, Any]]:
    """Questions to the gateway without a final answer; older exports do not name them."""
    return export.unanswered() if isinstance(export, Books) else _unanswered(export)


def _unanswered(export: Export) -> list[Mapping[str, Any]]:
    return [row for row in export.get("gateway_attempts", ()) if row["outcome"] is None]
