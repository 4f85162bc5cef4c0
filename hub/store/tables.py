"""The tables. Times are integer microseconds (`_us`), amounts integer minor units (`_minor`).

Append-only: inbox, commands, dead_letters, events, ledger_*, receipts, receipt_lines, prices,
node_configs. Projections that may be rewritten from them: holds, gateway_attempts, visits, stock,
clocks. `position` numbers inbox and commands together: replay reads both in that order.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    UniqueConstraint,
    false,
    true,
)

__all__ = [
    "clocks",
    "commands",
    "dead_letters",
    "events",
    "gateway_attempts",
    "holds",
    "inbox",
    "leases",
    "ledger_accounts",
    "ledger_entries",
    "ledger_transactions",
    "metadata",
    "node_configs",
    "payers",
    "planogram",
    "prices",
    "products",
    "receipt_lines",
    "receipts",
    "snapshots",
    "stock",
    "visits",
]

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
        "pk": "pk_%(table_name)s",
    }
)

_ID = String(200)
_HASH = String(64)
# SQLite gives a rowid only to a column that is declared INTEGER.
_BIG = BigInteger().with_variant(Integer(), "sqlite")

inbox = Table(
    "inbox",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=False),
    Column("device_id", _ID, nullable=False),
    Column("boot_id", _ID, nullable=False),
    Column("sequence", _BIG, nullable=False),
    Column("received_us", _BIG, nullable=False),
    Column("dead", Boolean, nullable=False),
    Column("payload", Text, nullable=False),
    UniqueConstraint("device_id", "boot_id", "sequence"),
)
commands = Table(
    "commands",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=False),
    Column("at_us", _BIG, nullable=False),
    Column("kind", _ID, nullable=False),
    Column("payload", Text, nullable=False),
)
dead_letters = Table(
    "dead_letters",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=True),
    Column("at_us", _BIG, nullable=False),
    Column("topic", String(512), nullable=False),
    Column("reason", Text, nullable=False),
    Column("size", _BIG, nullable=False),
    Column("payload", LargeBinary, nullable=False),
)
events = Table(
    "events",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=False),
    Column("at_us", _BIG, nullable=False),
    Column("kind", _ID, nullable=False),
    Column("visit_id", _ID),
    Column("data", Text, nullable=False),
    Column("previous_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
    Index(None, "visit_id"),
    Index(None, "kind", "number"),
)
ledger_accounts = Table(
    "ledger_accounts",
    metadata,
    Column("account", _ID, primary_key=True),
    Column("kind", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
)
ledger_transactions = Table(
    "ledger_transactions",
    metadata,
    Column("number", _BIG, primary_key=True, autoincrement=False),
    Column("tx_id", _ID, nullable=False, unique=True),
    Column("at_us", _BIG, nullable=False),
    Column("phase", String(8), nullable=False),
    Column("kind", _ID, nullable=False),
    Column("visit_id", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("resolves", _ID, unique=True),
    Column("previous_hash", _HASH, nullable=False),
    Column("hash", _HASH, nullable=False),
)
ledger_entries = Table(
    "ledger_entries",
    metadata,
    Column("number", _BIG, ForeignKey(ledger_transactions.c.number), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("account", _ID, ForeignKey(ledger_accounts.c.account), nullable=False),
    Column("amount_minor", _BIG, nullable=False),
)
holds = Table(
    "holds",
    metadata,
    Column("visit_id", _ID, primary_key=True),
    Column("hold_key", _ID, nullable=False),
    Column("payer", _ID, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("amount_minor", _BIG, nullable=False),
    Column("state", String(16), nullable=False),
    Column("captured_minor", _BIG, nullable=False),
    Column("refunded_minor", _BIG, nullable=False),
)
gateway_attempts = Table(
    "gateway_attempts",
    metadata,
    Column("key", _ID, primary_key=True),
    Column("visit_id", _ID, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("hold_key", _ID, nullable=False),
    Column("payer", _ID, nullable=False),
    Column("amount_minor", _BIG, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("tries", Integer, nullable=False),
    Column("outcome", String(16)),
    Column("changed_us", _BIG, nullable=False),
)
visits = Table(
    "visits",
    metadata,
    Column("visit_id", _ID, primary_key=True),
    Column("token_sha256", _HASH, nullable=False, unique=True),
    Column("payer", _ID, nullable=False),
    Column("stage", String(16), nullable=False),
    Column("gate_id", _ID),
    Column("opened_us", _BIG, nullable=False),
    Column("scanned_us", _BIG),
    Column("exited_us", _BIG),
    Column("settled_us", _BIG),
    Column("receipt_us", _BIG),
    Column("exit_kind", _ID),
    Column("tracks", Text, nullable=False),
    Column("lost", Boolean, nullable=False),
    Column("needs_review", Boolean, nullable=False),
    Column("review_reasons", Text, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("hold_minor", _BIG, nullable=False),
    Column("total_minor", _BIG, nullable=False),
    Column("charged_minor", _BIG, nullable=False),
    Column("captured_minor", _BIG, nullable=False),
    Column("debt_minor", _BIG, nullable=False),
    Column("refunded_minor", _BIG, nullable=False),
    Column("record", Text, nullable=False),
    Column("forgotten", Boolean, nullable=False, server_default=false()),
    Index("ix_visits_opened_us", "opened_us", "visit_id"),
    Index("ix_visits_stage_opened_us", "stage", "opened_us", "visit_id"),
)
for _name, _column, _is in (
    ("ix_visits_needs_review", visits.c.needs_review, true()),
    ("ix_visits_remembered", visits.c.forgotten, false()),
):
    # Few of all visits: the rest costs such an index nothing.
    Index(
        _name,
        visits.c.opened_us,
        visits.c.visit_id,
        sqlite_where=_column == _is,
        postgresql_where=_column == _is,
    )
Index(
    "ix_visits_debts",
    visits.c.payer,
    visits.c.settled_us,
    sqlite_where=visits.c.debt_minor > 0,
    postgresql_where=visits.c.debt_minor > 0,
)
receipts = Table(
    "receipts",
    metadata,
    Column("visit_id", _ID, ForeignKey(visits.c.visit_id), primary_key=True),
    Column("issued_us", _BIG, nullable=False),
    Column("currency", String(3), nullable=False),
    Column("total_minor", _BIG, nullable=False),
    Column("vat_minor", _BIG, nullable=False),
    Column("charged_minor", _BIG, nullable=False),
    Column("debt_minor", _BIG, nullable=False),
    Index("ix_receipts_issued_us", "issued_us", "visit_id"),
    Column("number", _BIG, nullable=False, server_default="0"),
    Index(None, "number", unique=True),
)
receipt_lines = Table(
    "receipt_lines",
    metadata,
    Column("visit_id", _ID, ForeignKey(receipts.c.visit_id), primary_key=True),
    Column("line", Integer, primary_key=True),
    Column("gtin", String(14), nullable=False),
    Column("name", String(80), nullable=False),
    Column("quantity", Integer, nullable=False),
    Column("unit_price_minor", _BIG, nullable=False),
    Column("vat_rate", String(8), nullable=False),
    Column("vat_minor", _BIG, nullable=False),
    Column("total_minor", _BIG, nullable=False),
    Column("reaches", Text, nullable=False),
    Column("discount_minor", _BIG, nullable=False, server_default="0"),
    Column("promotions", Text, nullable=False, server_default="[]"),
)
products = Table(
    "products",
    metadata,
    Column("gtin", String(14), primary_key=True),
    Column("name", String(80), nullable=False),
    Column("vat_rate", String(8), nullable=False),
    Column("initial", _BIG, nullable=False),
    Column("restocked", _BIG, nullable=False),
    Column("in_carts", _BIG, nullable=False),
    Column("sold", _BIG, nullable=False),
    Column("unaccounted", _BIG, nullable=False),
    Column("found", _BIG, nullable=False, server_default="0"),
    Column("removed", _BIG, nullable=False, server_default="0"),
)
prices = Table(
    "prices",
    metadata,
    Column("gtin", String(14), ForeignKey(products.c.gtin), primary_key=True),
    Column("from_us", _BIG, primary_key=True),
    Column("price_minor", _BIG, nullable=False),
)
planogram = Table(
    "planogram",
    metadata,
    Column("slot_id", _ID, primary_key=True),
    Column("bay_id", _ID, nullable=False),
    Column("board_id", _ID, nullable=False),
    Column("gtin", String(14), nullable=False),
    Column("facings", Integer, nullable=False),
    Column("deep", Integer, nullable=False),
)
stock = Table(
    "stock",
    metadata,
    Column("slot_id", _ID, primary_key=True),
    Column("gtin", String(14), primary_key=True),
    Column("on_hand", _BIG, nullable=False),
)
node_configs = Table(
    "node_configs",
    metadata,
    Column("node_id", _ID, primary_key=True),
    Column("revision", Integer, primary_key=True, autoincrement=False),
    Column("payload", Text, nullable=False),
)
clocks = Table(
    "clocks",
    metadata,
    Column("device_id", _ID, primary_key=True),
    Column("boot_id", _ID, primary_key=True),
    Column("offset_us", _BIG, nullable=False),
    Column("sd_us", _BIG, nullable=False),
    Column("at_us", _BIG, nullable=False),
)
payers = Table(
    "payers",
    metadata,
    Column("payer_id", _ID, primary_key=True),
    Column("name", _ID, nullable=False, unique=True),
    Column("used_us", _BIG, nullable=False),
    Index(None, "used_us"),
)
"""The only place where a payer's name stands; everything else knows the number."""
leases = Table(
    "leases",
    metadata,
    Column("name", _ID, primary_key=True),
    Column("owner", _ID, nullable=False),
    Column("epoch", _BIG, nullable=False),
    Column("taken_us", _BIG, nullable=False),
    Column("expires_us", _BIG, nullable=False),
)
"""Who may write, by the database's own clock; it belongs to the database and no backup has it."""
snapshots = Table(
    "snapshots",
    metadata,
    Column("position", _BIG, primary_key=True, autoincrement=False),
    Column("at_us", _BIG, nullable=False),
    Column("digest", _HASH, nullable=False),
    Column("state", Text, nullable=False),
)
