"""Receipts that wait to be sent by e-mail. Not part of the journal, and left out of backups."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table

from hub.store.tables import metadata

__all__ = ["mails"]

# SQLite gives a rowid only to a column that is declared INTEGER.
_BIG = BigInteger().with_variant(Integer(), "sqlite")

mails = Table(
    "mails",
    metadata,
    Column("mail_id", String(64), primary_key=True),
    Column("visit_id", String(200), nullable=False),
    Column("address", String(254)),
    Column("state", String(16), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_us", _BIG, nullable=False),
    Column("expires_us", _BIG, nullable=False),
    Index(None, "visit_id"),
)
"""`state`: waiting, sent, refused, expired; the address is there only while it is waiting."""
