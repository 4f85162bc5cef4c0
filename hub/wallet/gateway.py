"""The payment gateway as the hub sees it: ask under an idempotency key, maybe get an answer.

A hold is named by the idempotency key it was asked under, so that a hold whose answer was lost
can still be voided. Asking again under the same key with the same content gives the same answer
and moves no money; with other content it is a conflict (HTTP 409 at Stripe).
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal, Protocol, runtime_checkable

__all__ = [
    "NOT_TAKEN",
    "AskKind",
    "GatewayAnswer",
    "GatewayHold",
    "GatewayRequest",
    "GatewayTotals",
    "HoldLister",
    "Outcome",
    "PaymentGateway",
]

AskKind = Literal["hold", "capture", "void", "refund"]
Outcome = Literal["approved", "declined", "expired", "conflict", "timeout"]
NOT_TAKEN: tuple[Outcome, ...] = ("approved", "expired", "timeout")
"""Answers to a void after which nothing of the hold counts as captured."""


@dataclass(frozen=True, slots=True)
class GatewayRequest:
    """One thing asked of the gateway. `hold_key` is the key of the hold it is about."""

    key: str
    kind: AskKind
    hold_key: str
    payer: str
    amount_minor: int
    currency: str


@dataclass(frozen=True, slots=True)
class GatewayAnswer:
    """What the gateway said. "timeout" stands for no answer at all."""

    key: str
    outcome: Outcome
    reason: str = ""


@dataclass(frozen=True, slots=True)
class GatewayTotals:
    """What the gateway believes it owes: captures less refunds, and what is still on hold. What
    banks have of disputed payments, and the fees for that, are taken off it too."""

    captured_minor: int
    refunded_minor: int
    held_minor: int
    holds_open: int
    disputed_minor: int = 0
    dispute_fees_minor: int = 0

    @property
    def net_minor(self) -> int:
        """What it owes the store."""
        back = self.refunded_minor + self.disputed_minor + self.dispute_fees_minor
        return self.captured_minor - back


@dataclass(frozen=True, slots=True)
class GatewayHold:
    """One hold as the gateway knows it. `state`: held, captured, voided, expired or refused;
    `disputed_minor` is what the payer's bank has of it."""

    hold_key: str
    payer: str
    currency: str
    amount_minor: int
    state: str
    captured_minor: int
    refunded_minor: int
    disputed_minor: int = 0


class PaymentGateway(Protocol):
    """A gateway; GatewayTimeoutError when no answer came."""

    def ask(self, request: GatewayRequest) -> GatewayAnswer:
        """Does what is asked, once per key."""
        ...

    def totals(self) -> GatewayTotals:
        """The gateway's own books, for reconciliation."""
        ...


@runtime_checkable
class HoldLister(Protocol):
    """A gateway that can list its holds, for reconciliation."""

    def holds(self) -> Iterable[GatewayHold]:
        """Every hold of this store."""
        ...
