"""Stripe behind the `PaymentGateway` port: a hold is a PaymentIntent that is captured later.

    gateway = StripeGateway("sk_test_…", store_id="demo", currency="EUR", book=SqlBook(url))

A hold is made in two calls: the PaymentIntent is created (no card is touched), then confirmed off
session with the payer's saved card. That a hold's answer was lost is thus never dangerous: the
intent is found by its id, by our key in its metadata, or by creating it once more under the same
Idempotency-Key, and cancelled. Stripe replays stored answers for a day, errors 500 included, and
forgets keys after that; so wherever an answer is in doubt, the state at Stripe decides.

The library's own retries are off: the hub asks again, under the same key.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import replace

import stripe

from hub.errors import GatewaySetupError, GatewayTimeoutError
from hub.wallet.book import Card, GatewayBook
from hub.wallet.gateway import GatewayAnswer, GatewayHold, GatewayRequest, GatewayTotals
from hub.wallet.stripe_disputes import bank_has
from hub.wallet.stripe_terms import (
    STRIPE_GAVE_UP,
    Told,
    check_currency,
    from_stripe,
    hold_state,
    idempotency,
    ours,
    to_stripe,
)

__all__ = ["StripeGateway"]

PAGE = 100
LOOK_BACK_MAX = 500
"""PaymentIntents of one customer that are looked through for a hold without an id."""
KEY, STORE, PAYER, CAPTURE = "sortie_key", "sortie_store", "sortie_payer", "sortie_capture"
GONE = frozenset({"failed", "canceled"})
RELEASES = frozenset({"expired_uncaptured_charge", "partial_capture"})


class StripeGateway:
    """Holds, captures, voids and refunds of one store. Thread-safe as far as its book is."""

    remote = True
    """Its books are far away: nobody asks for them while the hub waits."""

    def __init__(
        self,
        secret_key: str,
        *,
        store_id: str,
        currency: str,
        book: GatewayBook,
        api_base: str | None = None,
        timeout_s: float = 20.0,
    ) -> None:
        check_currency(currency)
        self._http = stripe.RequestsClient(timeout=timeout_s)
        api = None if api_base is None else api_base.rstrip("/")
        self.client = stripe.StripeClient(
            secret_key,
            http_client=self._http,
            max_network_retries=0,
            base_addresses={"api": api} if api else {},
        )
        self.store_id = store_id
        self.currency = currency
        self.book = book

    def close(self) -> None:
        """Closes the connections to Stripe."""
        self._http.close()  # type: ignore[no-untyped-call]

    def ask(self, request: GatewayRequest) -> GatewayAnswer:
        """Does what is asked, once per key. GatewayTimeoutError when no answer came,
        GatewaySetupError when Stripe refuses the hub itself."""
        if request.currency != self.currency:
            return GatewayAnswer(
                request.key, "declined", f"expected {self.currency}, got {request.currency}"
            )
        doing = {
            "hold": self._hold,
            "capture": self._capture,
            "void": self._void,
            "refund": self._refund,
        }.get(request.kind)
        if doing is None:
            raise GatewaySetupError(f"expected a hold, capture, void or refund, got {request.kind}")
        try:
            outcome, reason = doing(request)
        except stripe.StripeError as error:
            outcome, reason = ours(error)
        return GatewayAnswer(request.key, outcome, reason)

    def totals(self) -> GatewayTotals:
        """The sums of this store's PaymentIntents and what was paid back of them."""
        captured = refunded = held = open_holds = disputed = fees = 0
        for hold, fee_minor in self._listed():
            captured += hold.captured_minor
            refunded += hold.refunded_minor
            disputed += hold.disputed_minor
            fees += fee_minor
            if hold.state == "held":
                held += hold.amount_minor
                open_holds += 1
        return GatewayTotals(captured, refunded, held, open_holds, disputed, fees)

    def holds(self) -> Iterator[GatewayHold]:
        """Every hold of this store that Stripe knows, newest first."""
        for hold, _fee_minor in self._listed():
            yield hold

    def _listed(self) -> Iterator[tuple[GatewayHold, int]]:
        """Every hold, and the fees for disputes about it."""
        try:
            refunds, disputes = self._refunds(), self._disputes()
            for intent in self.client.v1.payment_intents.list({"limit": PAGE}).auto_paging_iter():
                if _word(intent, STORE) == self.store_id:
                    taken, fee = disputes.get(intent.id, (0, 0))
                    hold = self._as_hold(intent, refunds.get(intent.id, []))
                    minor = from_stripe(taken, self.currency)
                    yield replace(hold, disputed_minor=minor), from_stripe(fee, self.currency)
        except stripe.StripeError as error:
            raise GatewayTimeoutError(f"Stripe's lists cannot be read: {ours(error)[1]}") from error

    def hold_key_of(self, intent_id: str) -> str | None:
        """The key of the hold that a PaymentIntent is; None if it is not this store's. Raises
        Stripe's own errors."""
        intent = self._retrieve(intent_id)
        return _word(intent, KEY) if _word(intent, STORE) == self.store_id else None

    def _refunds(self) -> dict[str, list[stripe.Refund]]:
        """What was paid back of each PaymentIntent, by its id."""
        made: defaultdict[str, list[stripe.Refund]] = defaultdict(list)
        for refund in self.client.v1.refunds.list({"limit": PAGE}).auto_paging_iter():
            if isinstance(refund.payment_intent, str) and refund.status not in GONE:
                made[refund.payment_intent].append(refund)
        return made

    def _disputes(self) -> dict[str, tuple[int, int]]:
        """What banks have of each PaymentIntent, and the fees for it, by its id."""
        made: dict[str, tuple[int, int]] = {}
        for dispute in self.client.v1.disputes.list({"limit": PAGE}).auto_paging_iter():
            if isinstance(dispute.payment_intent, str):
                taken, fee = made.get(dispute.payment_intent, (0, 0))
                more, more_fee = bank_has(dispute.to_dict())
                made[dispute.payment_intent] = (taken + more, fee + more_fee)
        return made

    # -- what is asked --------------------------------------------------------------------

    def _hold(self, request: GatewayRequest) -> Told:
        asked, _intent_id = self.book.intent(request.key)
        intent = self._find(request) if asked else None
        if intent is None:
            card = self.book.card(request.payer)
            if card is None:
                return "declined", "no card is saved for this payer"
            if not asked:
                self.book.save_intent(request.key, None)
            intent = self._create(request, card)
        elif not self._same(intent, request):
            return "conflict", "same key, other content"
        if intent.status == "requires_confirmation":
            intent = self._confirm(intent, request)
        return self._held(intent)

    def _capture(self, request: GatewayRequest) -> Told:
        intent = self._find(request)
        if intent is None:
            return "declined", "no such hold"
        try:
            self.client.v1.payment_intents.capture(
                intent.id,
                {
                    "amount_to_capture": to_stripe(request.amount_minor, request.currency),
                    "metadata": {CAPTURE: request.key},
                },
                {"idempotency_key": self._key(request.key)},
            )
        except stripe.StripeError as error:
            return self._in_doubt(error, intent.id, request)
        return "approved", ""

    def _void(self, request: GatewayRequest) -> Told:
        intent = self._find(request)
        if intent is None:
            card = self.book.card(request.payer)
            if card is None or not self.book.intent(request.hold_key)[0]:
                return "approved", "there was no such hold"
            # Its question may still be on the way. Asked again under its key it cannot come
            # later by itself, and an intent that is not confirmed touches no card.
            intent = self._create(replace(request, key=request.hold_key), card)
        if intent.status == "canceled":
            return self._let_go(intent)
        if intent.status == "succeeded":
            return "declined", "the hold is captured"
        try:
            self.client.v1.payment_intents.cancel(
                intent.id,
                {"cancellation_reason": "abandoned"},
                {"idempotency_key": self._key(request.key)},
            )
        except stripe.StripeError as error:
            return self._in_doubt(error, intent.id, request)
        return "approved", ""

    def _refund(self, request: GatewayRequest) -> Told:
        intent = self._find(request)
        if intent is None:
            return "declined", "no such hold"
        if intent.status != "succeeded":
            return "declined", f"the hold is {hold_state(intent)}"
        before = self._refund_before(intent.id, request)
        if before is not None:
            return before
        try:
            made = self.client.v1.refunds.create(
                {
                    "payment_intent": intent.id,
                    "amount": to_stripe(request.amount_minor, request.currency),
                    "metadata": {KEY: request.key, STORE: self.store_id},
                },
                {"idempotency_key": self._key(request.key)},
            )
        except stripe.StripeError as error:
            if _broken(error):
                again = self._refund_before(intent.id, request)
                if again is not None:
                    return again
            raise
        return _refunded(made)

    # -- finding --------------------------------------------------------------------------

    def _find(self, request: GatewayRequest) -> stripe.PaymentIntent | None:
        """The hold's PaymentIntent as it is now: by its id, or among the customer's by our key."""
        _asked, intent_id = self.book.intent(request.hold_key)
        if intent_id is not None:
            return self._retrieve(intent_id)
        card = self.book.card(request.payer)
        if card is None:
            return None
        found = self.client.v1.payment_intents.list({"customer": card.customer_id, "limit": PAGE})
        for number, intent in enumerate(found.auto_paging_iter()):
            if (_word(intent, STORE), _word(intent, KEY)) == (self.store_id, request.hold_key):
                self.book.save_intent(request.hold_key, intent.id)
                return intent
            if number + 1 >= LOOK_BACK_MAX:
                break
        return None

    def _retrieve(self, intent_id: str) -> stripe.PaymentIntent:
        return self.client.v1.payment_intents.retrieve(intent_id)

    def _refund_before(self, intent_id: str, request: GatewayRequest) -> Told | None:
        """What became of an earlier refund under the same key; Stripe forgets keys in a day."""
        found = self.client.v1.refunds.list({"payment_intent": intent_id, "limit": PAGE})
        for refund in found.auto_paging_iter():
            if _word(refund, KEY) == request.key:
                if from_stripe(refund.amount, self.currency) != request.amount_minor:
                    return "conflict", "same key, other content"
                return _refunded(refund)
        return None

    # -- making and reading PaymentIntents ------------------------------------------------

    def _create(self, request: GatewayRequest, card: Card) -> stripe.PaymentIntent:
        """The PaymentIntent of a hold, made now or by an earlier try under the same key."""
        made = self.client.v1.payment_intents.create(
            {
                "amount": to_stripe(request.amount_minor, request.currency),
                "currency": request.currency.lower(),
                "customer": card.customer_id,
                "payment_method": card.method_id,
                "allowed_payment_method_types": ["card"],
                "capture_method": "manual",
                "metadata": {
                    KEY: request.key,
                    STORE: self.store_id,
                    PAYER: request.payer,
                },
            },
            {"idempotency_key": self._key(request.key)},
        )
        self.book.save_intent(request.key, made.id)
        # A replayed answer tells how it was then.
        return self._retrieve(made.id) if _replayed(made) else made

    def _confirm(
        self, intent: stripe.PaymentIntent, request: GatewayRequest
    ) -> stripe.PaymentIntent:
        try:
            confirmed = self.client.v1.payment_intents.confirm(
                intent.id,
                {"off_session": True},
                {"idempotency_key": self._key(f"{request.key}:confirm")},
            )
        except stripe.StripeError as error:
            if not _broken(error) and error.code != "payment_intent_unexpected_state":
                raise
            confirmed = self._retrieve(intent.id)
            if confirmed.status == "requires_confirmation":
                raise
        return self._retrieve(intent.id) if _replayed(confirmed) else confirmed

    def _held(self, intent: stripe.PaymentIntent) -> Told:
        state = hold_state(intent)
        if state in ("held", "captured"):
            return "approved", ""
        if state in ("voided", "expired"):
            return "expired", f"the hold is {state}"
        if intent.status == "processing":
            raise GatewayTimeoutError("Stripe is still at it; ask again under the same key")
        failure = intent.last_payment_error
        word = None if failure is None else (failure.decline_code or failure.code)
        return "declined", f"card declined: {word or intent.status}".replace("_", " ")

    def _let_go(self, intent: stripe.PaymentIntent) -> Told:
        if intent.cancellation_reason in STRIPE_GAVE_UP:
            return "expired", "the hold ran out"
        return "approved", "the hold was let go before"

    def _in_doubt(self, error: stripe.StripeError, intent_id: str, request: GatewayRequest) -> Told:
        """An error that may hide that it was done: the state decides, else the error stands."""
        if not _broken(error) and error.code != "payment_intent_unexpected_state":
            raise error
        intent = self._retrieve(intent_id)
        state = hold_state(intent)
        if request.kind == "capture" and state == "captured":
            if _word(intent, CAPTURE) != request.key:
                return "declined", "the hold is captured"
            if from_stripe(intent.amount_received, self.currency) != request.amount_minor:
                return "conflict", "same key, other content"
            return "approved", ""
        if state in ("voided", "expired"):
            return (
                self._let_go(intent) if request.kind == "void" else ("expired", "the hold ran out")
            )
        if _broken(error):
            raise error
        return "declined", f"the hold is {state}"

    def _same(self, intent: stripe.PaymentIntent, request: GatewayRequest) -> bool:
        return (
            intent.amount == to_stripe(request.amount_minor, request.currency)
            and intent.currency == request.currency.lower()
            and _word(intent, PAYER) == request.payer
        )

    def _as_hold(self, intent: stripe.PaymentIntent, refunds: list[stripe.Refund]) -> GatewayHold:
        currency = intent.currency.upper()
        refunded = sum(refund.amount for refund in refunds if not _release(intent, refund))
        return GatewayHold(
            hold_key=_word(intent, KEY),
            payer=_word(intent, PAYER),
            currency=currency,
            amount_minor=from_stripe(intent.amount, currency),
            state=hold_state(intent),
            captured_minor=from_stripe(intent.amount_received, currency),
            refunded_minor=from_stripe(refunded, currency),
        )

    def _key(self, key: str) -> str:
        return idempotency(self.store_id, key)


def _replayed(made: stripe.PaymentIntent) -> bool:
    response = made.last_response
    return response is not None and response.headers.get("idempotent-replayed") == "true"


def _release(intent: stripe.PaymentIntent, refund: stripe.Refund) -> bool:
    """Stripe may also call it a refund when it lets go of money that was never captured."""
    if intent.amount_received == 0 or refund.reason in RELEASES:
        return True
    released = intent.amount - intent.amount_received
    return refund.reason is None and refund.amount == released and not _word(refund, KEY)


def _word(item: stripe.PaymentIntent | stripe.Refund, name: str) -> str:
    """One of our words in the metadata; empty where it has none."""
    metadata = item.metadata
    words = {} if metadata is None else metadata.to_dict()
    return str(words.get(name, ""))


def _broken(error: stripe.StripeError) -> bool:
    """Stripe failed inside; it may have done it all the same, and repeats the error for a day."""
    return (error.http_status or 0) >= 500


def _refunded(refund: stripe.Refund) -> Told:
    if refund.status in GONE:
        return "declined", f"the refund {refund.status}: {refund.failure_reason or 'no reason'}"
    return "approved", ""
