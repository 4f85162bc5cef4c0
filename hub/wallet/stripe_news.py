"""Stripe's webhooks: is it really Stripe, is it fresh, and what does it mean for the hub.

    check_signature(body, signature, secret=…, now_s=…)
    news = read_news(body, store_id="demo", live=False)

A body is believed only with a `Stripe-Signature` made with the endpoint's secret and a timestamp
within five minutes of ours, either way. What is not about this store, or says nothing the hub
can use, is None: it is answered with 200, since Stripe would otherwise send it for days.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import stripe

from hub.errors import RejectedError
from hub.wallet.gateway_commands import Fact, GatewayTold
from hub.wallet.stripe_disputes import DisputeMoney, money_of
from hub.wallet.stripe_terms import STRIPE_GAVE_UP, from_stripe

__all__ = ["TOLERANCE_S", "CardSaved", "IntentOf", "check_signature", "read_news", "visit_of"]

TOLERANCE_S = 300.0
DISPUTES: Mapping[str, Fact] = {
    "charge.dispute.created": "disputed",
    "charge.dispute.funds_withdrawn": "dispute_withdrawn",
    "charge.dispute.funds_reinstated": "dispute_reinstated",
}
GONE = ("failed", "canceled")
"""A refund that somebody took back at Stripe is as little paid as one that failed."""
ENDS: Mapping[str, Fact] = {
    "won": "dispute_won",
    "lost": "dispute_lost",
    # The bank had a question and no more of it, or the dispute was averted: no money is lost.
    "warning_closed": "dispute_won",
    "prevented": "dispute_won",
}


@dataclass(frozen=True, slots=True)
class CardSaved:
    """A payer saved a card on Stripe's own page."""

    payer: str
    customer_id: str
    method_id: str


@dataclass(frozen=True, slots=True)
class IntentOf:
    """Which PaymentIntent a dispute or a refund is about: its metadata must still be fetched."""

    intent_id: str
    fact_id: str
    fact: Fact
    amount: int
    reason: str
    dispute_id: str | None = None
    money: DisputeMoney = field(default_factory=DisputeMoney)
    refund_key: str | None = None


def check_signature(body: bytes, header: str | None, *, secret: str, now_s: float) -> None:
    """RejectedError unless Stripe signed these very bytes a moment ago."""
    try:
        text = body.decode("utf-8")
        stripe.WebhookSignature.verify_header(text, header, secret, tolerance=None)
    except (stripe.SignatureVerificationError, UnicodeDecodeError) as error:
        raise RejectedError(
            "expected a Stripe-Signature made with this endpoint's secret; check "
            "SORTIE_HUB_STRIPE_WEBHOOK_SECRET"
        ) from error
    stamp = dict(part.split("=", 1) for part in (header or "").split(",") if "=" in part)["t"]
    if abs(now_s - int(stamp)) > TOLERANCE_S:
        raise RejectedError(
            f"expected a signature of the last {TOLERANCE_S:.0f} s, got one of another time; "
            "check this machine's clock"
        )


def read_news(
    body: bytes, *, store_id: str, live: bool
) -> GatewayTold | IntentOf | CardSaved | None:
    """What a verified body means; RejectedError if it is no event of this mode."""
    try:
        event = json.loads(body)
        kind, item = event["type"], event["data"]["object"]
        event_id, event_live = str(event["id"]), bool(event["livemode"])
    except (ValueError, KeyError, TypeError) as error:
        raise RejectedError("expected an event of Stripe's as JSON") from error
    if event_live is not live:
        raise RejectedError(
            f"expected events in {'live' if live else 'test'} mode, got the other; the endpoint "
            "and the secret key belong to different modes"
        )
    try:
        if kind == "payment_intent.canceled":
            return _canceled(item, store_id)
        if kind in DISPUTES or kind == "charge.dispute.closed":
            return _disputed(kind, item)
        if kind in ("refund.failed", "refund.updated", "charge.refund.updated"):
            return _refund_failed(item)
        if kind == "setup_intent.succeeded":
            return _card_saved(item, store_id)
    except (AttributeError, KeyError, TypeError, ValueError) as error:
        raise RejectedError(f"expected a whole {kind!r:.60} in event {event_id:.60}") from error
    return None


def _canceled(item: dict[str, Any], store_id: str) -> GatewayTold | None:
    metadata = item["metadata"]
    if metadata.get("sortie_store") != store_id or item["cancellation_reason"] == "abandoned":
        # Ours is what the hub itself let go of.
        return None
    hold_key = str(metadata["sortie_key"])
    gave_up = item["cancellation_reason"] in STRIPE_GAVE_UP
    return GatewayTold(
        fact_id=f"{item['id']}:gone",
        fact="hold_gone",
        visit_id=visit_of(hold_key),
        hold_key=hold_key,
        amount_minor=from_stripe(int(item["amount"]), str(item["currency"]).upper()),
        reason="the bank let the hold go" if gave_up else "somebody let the hold go at Stripe",
    )


def _disputed(kind: str, item: dict[str, Any]) -> IntentOf | None:
    fact = DISPUTES.get(kind) or ENDS.get(str(item["status"]))
    intent_id = item.get("payment_intent")
    if fact is None or intent_id is None:
        return None
    return IntentOf(
        str(intent_id),
        f"{item['id']}:{fact}",
        fact,
        int(item["amount"]),
        str(item["reason"])[:100],
        str(item["id"]),
        money_of(item),
    )


def _refund_failed(item: dict[str, Any]) -> IntentOf | None:
    if item["status"] not in GONE or item.get("payment_intent") is None:
        return None
    return IntentOf(
        str(item["payment_intent"]),
        f"{item['id']}:failed",
        "refund_failed",
        int(item["amount"]),
        str(item.get("failure_reason") or "")[:100],
        refund_key=(item.get("metadata") or {}).get("sortie_key"),
    )


def _card_saved(item: dict[str, Any], store_id: str) -> CardSaved | None:
    metadata = item["metadata"]
    if metadata.get("sortie_store") != store_id:
        return None
    return CardSaved(
        str(metadata["sortie_payer"]), str(item["customer"]), str(item["payment_method"])
    )


def visit_of(hold_key: str) -> str:
    """The visit that a hold was asked for: keys begin with it."""
    return hold_key.split(":", 1)[0]
