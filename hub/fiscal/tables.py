"""The fiscal journal's table: append-only, chained and signed; see hub.fiscal.model."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from hub.store.tables import metadata

__all__ = ["fiscal_entries"]

_ID = String(200)
_BIG = BigInteger().with_variant(Integer(), "sqlite")

fiscal_entries = Table(
    "fiscal_entries",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=False),
    Column("source", _ID, nullable=False, unique=True),
    Column("kind", String(16), nullable=False),
    Column("at_us", _BIG, nullable=False),
    Column("day", String(10), nullable=False, index=True),
    Column("body", Text, nullable=False),
    Column("previous_hash", String(64), nullable=False),
    Column("hash", String(64), nullable=False),
    Column("signature", String(128), nullable=False),
)
