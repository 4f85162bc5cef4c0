"""What several checks compute of the export in the same way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

__all__ = ["balances_of", "line_amounts", "unanswered"]

Export = Mapping[str, Any]


def balances_of(export: Export) -> Counter[str]:
    """Posted balances of all accounts; debits positive."""
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
    return [row for row in export.get("gateway_attempts", ()) if row["outcome"] is None]
