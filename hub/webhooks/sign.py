"""Signatures as Standard Webhooks says: `webhook-id`, `webhook-timestamp`, `webhook-signature`.

The signature is `v1,` and the base64 of HMAC-SHA256 over `{id}.{timestamp}.{body}`, keyed with the
bytes that follow `whsec_` in base64. While a secret is being changed there are two signatures,
apart by a space; a receiver takes the message if it knows either.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import secrets
from collections.abc import Sequence

__all__ = ["headers_of", "new_secret", "signature", "verified"]

PREFIX = "whsec_"
TOLERANCE_S = 300


def new_secret() -> str:
    """192 random bits."""
    return PREFIX + base64.b64encode(secrets.token_bytes(24)).decode()


def signature(secret: str, message_id: str, timestamp_s: int, body: bytes) -> str:
    """One signature."""
    key = base64.b64decode(secret.removeprefix(PREFIX))
    text = f"{message_id}.{timestamp_s}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, text, hashlib.sha256).digest()).decode()


def headers_of(
    keys: Sequence[str], message_id: str, timestamp_s: int, body: bytes
) -> dict[str, str]:
    """The headers of a message, signed with each of the secrets."""
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(timestamp_s),
        "webhook-signature": " ".join(
            signature(key, message_id, timestamp_s, body) for key in keys
        ),
    }


def verified(secret: str, headers: dict[str, str], body: bytes, now_s: float) -> bool:
    """What a receiver does: whether a message is ours, and fresh."""
    try:
        message_id, given = headers["webhook-id"], headers["webhook-signature"]
        timestamp_s = int(headers["webhook-timestamp"])
        expected = signature(secret, message_id, timestamp_s, body)
    except (KeyError, ValueError, binascii.Error):
        return False
    if abs(now_s - timestamp_s) > TOLERANCE_S:
        return False
    return any(hmac.compare_digest(expected, one) for one in given.split())
