"""What a real gateway's adapter keeps: ids only, never a card.

These rows are no part of the fold: they name things at the gateway, and could be read again from
there. `gateway_payers` says which customer and saved payment method stand for a payer,
`gateway_intents` which of the gateway's ids a hold got.
"""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from hub.store.tables import metadata

__all__ = ["gateway_intents", "gateway_payers"]

_ID = String(200)
_BIG = BigInteger().with_variant(Integer(), "sqlite")

gateway_payers = Table(
    "gateway_payers",
    metadata,
    Column("payer", _ID, primary_key=True),
    Column("customer_id", _ID, nullable=False),
    Column("method_id", _ID, nullable=False),
    Column("changed_us", _BIG, nullable=False),
)
gateway_intents = Table(
    "gateway_intents",
    metadata,
    Column("hold_key", _ID, primary_key=True),
    Column("intent_id", _ID),
    Column("asked_us", _BIG, nullable=False),
)
