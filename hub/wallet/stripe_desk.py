"""What people and Stripe do beside the questions at the gate: saving a card, and webhooks.

A card is saved on Stripe's own page: no card number ever comes near the hub. When Stripe says
that it is done, the payer's customer and payment method are written into the book.
"""

from __future__ import annotations

import stripe

from hub.errors import GatewayTimeoutError, RejectedError
from hub.wallet.book import Card
from hub.wallet.gateway_commands import GatewayTold
from hub.wallet.stripe import StripeGateway
from hub.wallet.stripe_news import (
    CardSaved,
    IntentOf,
    check_signature,
    read_news,
    visit_of,
)
from hub.wallet.stripe_terms import from_stripe, idempotency, ours

__all__ = ["StripeDesk"]


class StripeDesk:
    """One store's desk at Stripe. `live`: whether its secret key moves real money."""

    def __init__(self, gateway: StripeGateway, *, webhook_secret: str | None, live: bool) -> None:
        self._gateway = gateway
        self._secret = webhook_secret
        self._live = live

    def save_card_at(self, payer: str, *, back_url: str, key: str) -> str:
        """The address of Stripe's page on which the payer saves a card; `key` is drawn anew for
        each wish. GatewayTimeoutError if Stripe does not answer."""
        gateway = self._gateway
        known = gateway.book.card(payer)
        whose = {"sortie_store": gateway.store_id, "sortie_payer": payer}
        name = idempotency(gateway.store_id, key)
        try:
            customer_id = (
                gateway.client.v1.customers.create(
                    {"metadata": whose}, {"idempotency_key": f"{name[:240]}:customer"}
                ).id
                if known is None
                else known.customer_id
            )
            session = gateway.client.v1.checkout.sessions.create(
                {
                    "mode": "setup",
                    "customer": customer_id,
                    "currency": gateway.currency.lower(),
                    "success_url": back_url,
                    "cancel_url": back_url,
                    "metadata": whose,
                    "setup_intent_data": {"metadata": whose},
                },
                {"idempotency_key": f"{name[:240]}:session"},
            )
        except stripe.StripeError as error:
            raise RejectedError(f"Stripe opens no page for a card: {ours(error)[1]}") from error
        if session.url is None:
            raise GatewayTimeoutError("Stripe gave no address for its page; try again")
        return session.url

    def heard(self, body: bytes, signature: str | None, *, now_s: float) -> GatewayTold | None:
        """Takes a webhook in: what the hub must write down, or None if nothing. RejectedError if
        it is not Stripe's; GatewayTimeoutError if Stripe must be asked and does not answer."""
        if self._secret is None:
            raise RejectedError(
                "expected a webhook secret to check this with; set "
                "SORTIE_HUB_STRIPE_WEBHOOK_SECRET to the endpoint's whsec_…"
            )
        check_signature(body, signature, secret=self._secret, now_s=now_s)
        news = read_news(body, store_id=self._gateway.store_id, live=self._live)
        if isinstance(news, CardSaved):
            self._gateway.book.save_card(news.payer, Card(news.customer_id, news.method_id))
            return None
        return self._about(news) if isinstance(news, IntentOf) else news

    def _about(self, news: IntentOf) -> GatewayTold | None:
        try:
            hold_key = self._gateway.hold_key_of(news.intent_id)
        except stripe.StripeError as error:
            raise GatewayTimeoutError(f"the payment is not found: {ours(error)[1]}") from error
        if hold_key is None:
            return None
        money = news.money
        return GatewayTold(
            fact_id=news.fact_id,
            fact=news.fact,
            visit_id=visit_of(hold_key),
            hold_key=hold_key,
            amount_minor=from_stripe(news.amount, self._gateway.currency),
            reason=news.reason,
            dispute_id=news.dispute_id,
            withdrawn_minor=self._minor(money.withdrawn),
            returned_minor=self._minor(money.returned),
            fee_minor=self._minor(money.fee),
            fee_back_minor=self._minor(money.fee_back),
            refund_key=news.refund_key,
        )

    def _minor(self, amount: int | None) -> int | None:
        return None if amount is None else from_stripe(amount, self._gateway.currency)
