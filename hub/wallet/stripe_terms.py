"""Stripe's words in ours: amounts, errors, and what state a PaymentIntent stands for."""

from __future__ import annotations

import hashlib
from typing import Protocol

import stripe

from hub.errors import GatewaySetupError, GatewayTimeoutError
from hub.wallet.gateway import Outcome

__all__ = [
    "Told",
    "check_currency",
    "from_stripe",
    "hold_state",
    "idempotency",
    "ours",
    "to_stripe",
]

KEY_CHARS_MAX = 255
TWO_PLACES_AT_STRIPE = frozenset({"ISK", "UGX"})
"""Without minor units in ISO 4217; Stripe wants them times a hundred."""
UNEVEN = frozenset({"BHD", "JOD", "KWD", "OMR", "TND", "MGA"})
"""Stripe takes these only in steps of its own, so that some amounts cannot be charged."""
EXPIRED = frozenset({"charge_expired_for_capture", "capture_charge_authorization_expired"})
DECLINED = frozenset(
    {
        "amount_too_large",
        "amount_too_small",
        "charge_already_captured",
        "charge_already_refunded",
        "charge_disputed",
        "charge_exceeds_source_limit",
        "insufficient_funds",
        "payment_intent_authentication_failure",
        "payment_intent_unexpected_state",
        "payment_method_unactivated",
        "payment_method_unexpected_state",
        "refund_disputed_payment",
        "resource_missing",
    }
)
"""Refusals of the one request: asking again changes nothing, and the hub is not at fault."""
DECLINED_PARAMS = frozenset({"amount", "amount_to_capture", "customer", "payment_method"})
AGAIN = frozenset({"idempotency_key_in_use", "lock_timeout", "rate_limit"})
STRIPE_GAVE_UP = frozenset({"automatic", "expired"})
Told = tuple[Outcome, str]
"""What an answer says: its outcome, and why."""


class IntentLike(Protocol):
    """What is read of a PaymentIntent."""

    status: str
    cancellation_reason: str | None


def check_currency(currency: str) -> None:
    """GatewaySetupError for a currency in which Stripe cannot take every amount."""
    if currency in UNEVEN:
        raise GatewaySetupError(
            f"expected a currency that Stripe takes to its last minor unit, got {currency}; "
            "use another gateway for this store"
        )


def to_stripe(amount_minor: int, currency: str) -> int:
    """Our minor units in Stripe's. They are the same but for ISK and UGX.

    >>> to_stripe(500, "JPY"), to_stripe(500, "EUR"), to_stripe(500, "ISK")
    (500, 500, 50000)
    """
    return amount_minor * 100 if currency in TWO_PLACES_AT_STRIPE else amount_minor


def from_stripe(amount: int, currency: str) -> int:
    """Stripe's amount in our minor units; GatewaySetupError if that is no whole number."""
    if currency not in TWO_PLACES_AT_STRIPE:
        return amount
    if amount % 100:
        raise GatewaySetupError(f"expected whole {currency} from Stripe, got {amount} hundredths")
    return amount // 100


def idempotency(store_id: str, key: str) -> str:
    """The Idempotency-Key of a request: stores of one account never meet in one."""
    name = f"sortie:{store_id}:{key}"
    if len(name) <= KEY_CHARS_MAX:
        return name
    return f"sortie:{hashlib.sha256(name.encode()).hexdigest()}"


def hold_state(intent: IntentLike) -> str:
    """The hold that a PaymentIntent is: held, captured, voided, expired, asked or refused."""
    if intent.status == "canceled":
        return "expired" if intent.cancellation_reason in STRIPE_GAVE_UP else "voided"
    return {
        "requires_capture": "held",
        "succeeded": "captured",
        "requires_confirmation": "asked",
        "processing": "asked",
    }.get(intent.status, "refused")


def ours(error: stripe.StripeError) -> Told:
    """What an error comes to. Raises GatewayTimeoutError where asking again may help, and
    GatewaySetupError where the hub itself is refused: neither is an answer."""
    status = error.http_status or 0
    code = _code(error)
    if isinstance(error, stripe.CardError):
        return "declined", _card_reason(error, code)
    if isinstance(error, stripe.IdempotencyError):
        return "conflict", "same key, other content"
    if isinstance(error, stripe.APIConnectionError):
        raise GatewayTimeoutError("Stripe gave no answer; ask again under the same key") from error
    if code in AGAIN or isinstance(error, stripe.RateLimitError) or status >= 500:
        raise GatewayTimeoutError(f"Stripe is busy ({code or status}); ask again") from error
    if status == 409:
        return "conflict", f"Stripe is at odds with the request: {code}"
    if code in EXPIRED:
        return "expired", "the hold ran out"
    if isinstance(error, stripe.InvalidRequestError) and (
        code in DECLINED or (error.param or "") in DECLINED_PARAMS
    ):
        return "declined", f"refused: {code or error.param}"
    if isinstance(error, stripe.AuthenticationError | stripe.PermissionError):
        raise GatewaySetupError(
            "expected a secret key that Stripe accepts for this call, it refused ours; check "
            "SORTIE_HUB_STRIPE_SECRET_KEY and the key's permissions"
        ) from error
    raise GatewaySetupError(
        f"Stripe does not understand the hub ({status} {code or type(error).__name__}); "
        "the API base or the installed version does not fit"
    ) from error


def _code(error: stripe.StripeError) -> str:
    """Stripe's code; the library leaves it out of some errors and keeps it in their body."""
    return error.code or (None if error.error is None else error.error.code) or ""


def _card_reason(error: stripe.CardError, code: str) -> str:
    """A plain reason; Stripe's own text is left out, it may name the card."""
    decline = getattr(error.error, "decline_code", None) if error.error is not None else None
    if "authentication_required" in (code, decline):
        return "the bank wants the shopper's approval; save the card again"
    return f"card declined: {decline or code or 'no reason given'}".replace("_", " ")
