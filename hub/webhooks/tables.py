"""Tables of webhooks. The outbox is the event log itself: a subscription keeps how far it is."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from hub.store.tables import metadata

__all__ = ["webhook_deliveries", "webhook_subscriptions"]

_ID = String(200)
_BIG = BigInteger().with_variant(Integer(), "sqlite")

webhook_subscriptions = Table(
    "webhook_subscriptions",
    metadata,
    Column("subscription_id", _ID, primary_key=True),
    Column("url", Text, nullable=False),
    Column("kinds", Text, nullable=False),
    Column("secret", _ID, nullable=False),
    Column("old_secret", _ID),
    Column("old_until_us", _BIG),
    Column("state", String(16), nullable=False),
    Column("position", _BIG, nullable=False),
    Column("tries", Integer, nullable=False),
    Column("next_try_us", _BIG, nullable=False),
    Column("failing_since_us", _BIG),
    Column("created_us", _BIG, nullable=False),
)
webhook_deliveries = Table(
    "webhook_deliveries",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("subscription_id", _ID, nullable=False),
    Column("message_id", _ID, nullable=False),
    Column("event_number", _BIG, nullable=False),
    Column("attempt", Integer, nullable=False),
    Column("at_us", _BIG, nullable=False),
    Column("status", Integer),
    Column("fault", _ID, nullable=False),
    Index(None, "subscription_id"),
)
