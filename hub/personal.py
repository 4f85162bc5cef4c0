"""What of the event log is the shopper's and does not leave the hub: neither by key nor webhook."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

__all__ = ["PERSONAL", "public_data"]

_NAMES = """
payer payers from_payer to_payer owner wallet wallet_id account holder shopper
customer name email e_mail address phone token token_sha256 code code_sha256 card
card_id tap card_token reason_text note comment words text
"""
PERSONAL = frozenset(_NAMES.split())
"""Names of fields. Ids of visits, reaches, products, slots and devices are nobody's person."""


def public_data(data: Mapping[str, Any]) -> dict[str, Any]:
    """An event's data without what is personal, at any depth."""
    return {name: _public(value) for name, value in data.items() if name not in PERSONAL}


def _public(value: Any) -> Any:
    if isinstance(value, Mapping):
        return public_data(value)
    if isinstance(value, list | tuple):
        return [_public(item) for item in value]
    return value
