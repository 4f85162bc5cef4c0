"""Which evidence there is, and where each piece stands. Not part of the journal: it expires."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from hub.store.tables import metadata

__all__ = ["evidence"]

# SQLite gives a rowid only to a column that is declared INTEGER.
_BIG = BigInteger().with_variant(Integer(), "sqlite")

evidence = Table(
    "evidence",
    metadata,
    Column("device_id", String(200), primary_key=True),
    Column("evidence_id", String(64), primary_key=True),
    Column("reach_id", String(200), nullable=False),
    Column("sha256", String(64), nullable=False),
    Column("media_type", String(32), nullable=False),
    Column("size", _BIG, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked", Integer, nullable=False),
    Column("next_us", _BIG, nullable=False),
    Column("expires_us", _BIG, nullable=False),
    Index(None, "reach_id"),
)
"""`state`: on the node, asked, here, missing."""
