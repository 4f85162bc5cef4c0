"""Orders as they stand, rewritten from the state; and how to reach customers, which is no part of
the journal and is erased on schedule."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, false

from hub.store.tables import metadata

__all__ = ["contacts", "orders"]

_ID = String(200)
# SQLite gives a rowid only to a column that is declared INTEGER.
_BIG = BigInteger().with_variant(Integer(), "sqlite")

orders = Table(
    "orders",
    metadata,
    Column("order_id", _ID, primary_key=True),
    Column("state", String(16), nullable=False),
    Column("payer", _ID, nullable=False),
    Column("placed_us", _BIG, nullable=False),
    Column("deadline_us", _BIG),
    Column("closed_us", _BIG),
    Column("due_minor", _BIG, nullable=False),
    Column("record", Text, nullable=False),
    Column("forgotten", Boolean, nullable=False, server_default=false()),
    Index("ix_orders_closed_us", "closed_us", "order_id"),
)
contacts = Table(
    "order_contacts",
    metadata,
    Column("order_id", _ID, primary_key=True),
    Column("name", String(120), nullable=False),
    Column("phone", String(40), nullable=False),
    Column("at_us", _BIG, nullable=False),
)
"""The only place where a customer's name and telephone number stand."""
