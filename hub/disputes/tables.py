"""What shoppers wrote to their disputes: personal, so outside of the journal, and erased."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table

from hub.store.tables import metadata

__all__ = ["dispute_words"]

# SQLite gives a rowid only to a column that is declared INTEGER.
_BIG = BigInteger().with_variant(Integer(), "sqlite")

dispute_words = Table(
    "dispute_words",
    metadata,
    Column("dispute_id", String(100), primary_key=True),
    Column("words", String(200), nullable=False),
    Column("expires_us", _BIG, nullable=False),
)
