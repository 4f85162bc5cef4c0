"""Disputes of Stripe's as the hub counts them: what was withdrawn, returned and taken as fees.

A dispute carries the balance transactions it led to, which are only ever added. Where they are in
another currency than the store's (an account that is paid out in one of its own), they say nothing
that can be booked, and the dispute's own amount counts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["DisputeMoney", "bank_has", "money_of"]

OPEN_WITH_MONEY = frozenset(
    {"needs_response", "under_review", "appeal_needs_response", "appeal_under_review", "lost"}
)
"""States in which the bank has the money; a mere question of the bank's (warning_…) takes none."""


@dataclass(frozen=True, slots=True)
class DisputeMoney:
    """All that moved so far, in Stripe's smallest units, none of it negative; None: not told."""

    withdrawn: int | None = None
    returned: int | None = None
    fee: int | None = None
    fee_back: int | None = None


def bank_has(dispute: Mapping[str, Any]) -> tuple[int, int]:
    """What the bank has of a payment now, and the fees that were taken, in Stripe's units."""
    money = money_of(dispute)
    if money.withdrawn is None:
        taken = int(dispute["amount"]) if dispute["status"] in OPEN_WITH_MONEY else 0
        return taken, 0
    fee = (money.fee or 0) - (money.fee_back or 0)
    return max(0, money.withdrawn - (money.returned or 0)), fee


def money_of(dispute: Mapping[str, Any]) -> DisputeMoney:
    """What a dispute's balance transactions come to. KeyError, TypeError or ValueError if they are
    not what Stripe documents."""
    currency = str(dispute.get("currency") or "").lower()
    rows = dispute.get("balance_transactions") or ()
    if not rows or any(str(row["currency"]).lower() != currency for row in rows):
        return DisputeMoney()
    amounts = [int(row["amount"]) for row in rows]
    fees = [int(row.get("fee") or 0) for row in rows]
    return DisputeMoney(
        withdrawn=-sum(amount for amount in amounts if amount < 0),
        returned=sum(amount for amount in amounts if amount > 0),
        fee=sum(fee for fee in fees if fee > 0),
        fee_back=-sum(fee for fee in fees if fee < 0),
    )
