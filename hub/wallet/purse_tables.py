"""Tables of wallets, gift cards, the sources that paid a visit, refunds that the gateway did not
pay at once, and payments that are disputed at banks. Projections of the state: what
they say follows from the ledger and the journal. Secrets and codes are in neither, only hashes in
the journal."""

from __future__ import annotations

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, column

from hub.store.tables import metadata

__all__ = ["chargebacks", "funding", "gift_cards", "payouts", "wallets"]

_ID = String(200)
_BIG = BigInteger().with_variant(Integer(), "sqlite")

funding = Table(
    "funding",
    metadata,
    Column("key", _ID, primary_key=True),
    Column("visit_id", _ID, nullable=False),
    Column("payer", _ID, nullable=False),
    Column("source", String(16), nullable=False),
    Column("purpose", String(16), nullable=False),
    Column("account", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", _BIG, nullable=False),
    Column("state", String(16), nullable=False),
    Column("charged_minor", _BIG, nullable=False),
    Column("captured_minor", _BIG, nullable=False),
    Column("refunded_minor", _BIG, nullable=False),
    Column("paid_by", _ID, nullable=False),
    Index(None, "visit_id"),
    Index(
        "ix_funding_paid_by",
        "paid_by",
        "visit_id",
        sqlite_where=column("paid_by") != "",
        postgresql_where=column("paid_by") != "",
    ),
)
wallets = Table(
    "wallets",
    metadata,
    Column("payer", _ID, primary_key=True),
    Column("opened_us", _BIG, nullable=False),
    Column("sources", Text, nullable=False),
    Column("stored_minor", _BIG, nullable=False),
    Column("tab_minor", _BIG, nullable=False),
    Column("debt_minor", _BIG, nullable=False),
)
gift_cards = Table(
    "gift_cards",
    metadata,
    Column("card_id", _ID, primary_key=True),
    Column("how", String(16), nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", _BIG, nullable=False),
    Column("left_minor", _BIG, nullable=False),
    Column("issued_us", _BIG, nullable=False),
    Column("expires_us", _BIG),
    Column("blocked", Boolean, nullable=False),
    Column("redeemed", Boolean, nullable=False),
    Column("payer", _ID),
)
payouts = Table(
    "payouts",
    metadata,
    Column("key", _ID, primary_key=True),
    Column("visit_id", _ID, nullable=False),
    Column("payer", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", _BIG, nullable=False),
    Column("state", String(16), nullable=False),
    Column("asked_as", _ID, nullable=False),
    Column("reason", String(16), nullable=False),
    Column("rounds", Integer, nullable=False),
    Column("since_us", _BIG, nullable=False),
    Column("again_us", _BIG),
    Index(None, "state", "since_us", "key"),
)
chargebacks = Table(
    "chargebacks",
    metadata,
    Column("dispute_id", _ID, primary_key=True),
    Column("hold_key", _ID, nullable=False),
    Column("visit_id", _ID, nullable=False),
    Column("payer", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", _BIG, nullable=False),
    Column("reason", String(200), nullable=False),
    Column("state", String(16), nullable=False),
    Column("withdrawn_minor", _BIG, nullable=False),
    Column("returned_minor", _BIG, nullable=False),
    Column("fee_minor", _BIG, nullable=False),
    Column("lost_minor", _BIG, nullable=False),
    Column("owed_minor", _BIG, nullable=False),
    Column("keeps_out", Boolean, nullable=False),
    Column("decision", String(16), nullable=False),
    Column("by", _ID, nullable=False),
    Column("opened_us", _BIG, nullable=False),
    Column("changed_us", _BIG, nullable=False),
    Index(None, "opened_us", "dispute_id"),
)
