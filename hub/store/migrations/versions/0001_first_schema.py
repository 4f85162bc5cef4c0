"""The first schema"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    _clocks()
    _commands()
    _dead_letters()
    _events()
    _gateway_attempts()
    _holds()
    _inbox()
    _ledger_accounts()
    _ledger_transactions()
    _node_configs()
    _planogram()
    _products()
    _snapshots()
    _stock()
    _visits()
    _ledger_entries()
    _prices()
    _receipts()
    _receipt_lines()


def downgrade() -> None:
    """Goes one version back."""
    for table in (
        "receipt_lines",
        "receipts",
        "prices",
        "ledger_entries",
        "visits",
        "stock",
        "snapshots",
        "products",
        "planogram",
        "node_configs",
        "ledger_transactions",
        "ledger_accounts",
        "inbox",
        "holds",
        "gateway_attempts",
        "events",
        "dead_letters",
        "commands",
        "clocks",
    ):
        op.drop_table(table)


def _clocks() -> None:
    op.create_table(
        "clocks",
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("boot_id", sa.String(length=200), nullable=False),
        sa.Column("offset_us", _BIG, nullable=False),
        sa.Column("sd_us", _BIG, nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "boot_id", name=op.f("pk_clocks")),
    )


def _commands() -> None:
    op.create_table(
        "commands",
        sa.Column(
            "position",
            _BIG,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_commands")),
    )


def _dead_letters() -> None:
    op.create_table(
        "dead_letters",
        sa.Column(
            "number",
            _BIG,
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("topic", sa.String(length=512), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_dead_letters")),
    )


def _events() -> None:
    op.create_table(
        "events",
        sa.Column(
            "number",
            _BIG,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("visit_id", sa.String(length=200), nullable=True),
        sa.Column("data", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_events")),
    )
    with op.batch_alter_table("events", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_events_visit_id"), ["visit_id"], unique=False)


def _gateway_attempts() -> None:
    op.create_table(
        "gateway_attempts",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("hold_key", sa.String(length=200), nullable=False),
        sa.Column("payer", sa.String(length=200), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("outcome", sa.String(length=16), nullable=True),
        sa.Column("changed_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_gateway_attempts")),
    )


def _holds() -> None:
    op.create_table(
        "holds",
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("hold_key", sa.String(length=200), nullable=False),
        sa.Column("payer", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("captured_minor", _BIG, nullable=False),
        sa.Column("refunded_minor", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_holds")),
    )


def _inbox() -> None:
    op.create_table(
        "inbox",
        sa.Column(
            "position",
            _BIG,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("boot_id", sa.String(length=200), nullable=False),
        sa.Column("sequence", _BIG, nullable=False),
        sa.Column("received_us", _BIG, nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_inbox")),
        sa.UniqueConstraint(
            "device_id", "boot_id", "sequence", name=op.f("uq_inbox_device_id_boot_id_sequence")
        ),
    )


def _ledger_accounts() -> None:
    op.create_table(
        "ledger_accounts",
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.PrimaryKeyConstraint("account", name=op.f("pk_ledger_accounts")),
    )


def _ledger_transactions() -> None:
    op.create_table(
        "ledger_transactions",
        sa.Column(
            "number",
            _BIG,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("tx_id", sa.String(length=200), nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("phase", sa.String(length=8), nullable=False),
        sa.Column("kind", sa.String(length=200), nullable=False),
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("resolves", sa.String(length=200), nullable=True),
        sa.Column("previous_hash", sa.String(length=64), nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_ledger_transactions")),
        sa.UniqueConstraint("resolves", name=op.f("uq_ledger_transactions_resolves")),
        sa.UniqueConstraint("tx_id", name=op.f("uq_ledger_transactions_tx_id")),
    )


def _node_configs() -> None:
    op.create_table(
        "node_configs",
        sa.Column("node_id", sa.String(length=200), nullable=False),
        sa.Column("revision", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("payload", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("node_id", "revision", name=op.f("pk_node_configs")),
    )


def _planogram() -> None:
    op.create_table(
        "planogram",
        sa.Column("slot_id", sa.String(length=200), nullable=False),
        sa.Column("bay_id", sa.String(length=200), nullable=False),
        sa.Column("board_id", sa.String(length=200), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("facings", sa.Integer(), nullable=False),
        sa.Column("deep", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("slot_id", name=op.f("pk_planogram")),
    )


def _products() -> None:
    op.create_table(
        "products",
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("vat_rate", sa.String(length=8), nullable=False),
        sa.Column("initial", _BIG, nullable=False),
        sa.Column("restocked", _BIG, nullable=False),
        sa.Column("in_carts", _BIG, nullable=False),
        sa.Column("sold", _BIG, nullable=False),
        sa.Column("unaccounted", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("gtin", name=op.f("pk_products")),
    )


def _snapshots() -> None:
    op.create_table(
        "snapshots",
        sa.Column(
            "position",
            _BIG,
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("position", name=op.f("pk_snapshots")),
    )


def _stock() -> None:
    op.create_table(
        "stock",
        sa.Column("slot_id", sa.String(length=200), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("on_hand", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("slot_id", "gtin", name=op.f("pk_stock")),
    )


def _visits() -> None:
    op.create_table(
        "visits",
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("token_sha256", sa.String(length=64), nullable=False),
        sa.Column("payer", sa.String(length=200), nullable=False),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("gate_id", sa.String(length=200), nullable=True),
        sa.Column("opened_us", _BIG, nullable=False),
        sa.Column("scanned_us", _BIG, nullable=True),
        sa.Column("exited_us", _BIG, nullable=True),
        sa.Column("settled_us", _BIG, nullable=True),
        sa.Column("receipt_us", _BIG, nullable=True),
        sa.Column("exit_kind", sa.String(length=200), nullable=True),
        sa.Column("tracks", sa.Text(), nullable=False),
        sa.Column("lost", sa.Boolean(), nullable=False),
        sa.Column("needs_review", sa.Boolean(), nullable=False),
        sa.Column("review_reasons", sa.Text(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("hold_minor", _BIG, nullable=False),
        sa.Column("total_minor", _BIG, nullable=False),
        sa.Column("charged_minor", _BIG, nullable=False),
        sa.Column("captured_minor", _BIG, nullable=False),
        sa.Column("debt_minor", _BIG, nullable=False),
        sa.Column("refunded_minor", _BIG, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_visits")),
        sa.UniqueConstraint("token_sha256", name=op.f("uq_visits_token_sha256")),
    )


def _ledger_entries() -> None:
    op.create_table(
        "ledger_entries",
        sa.Column("number", _BIG, nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["account"], ["ledger_accounts.account"], name=op.f("fk_ledger_entries_account")
        ),
        sa.ForeignKeyConstraint(
            ["number"], ["ledger_transactions.number"], name=op.f("fk_ledger_entries_number")
        ),
        sa.PrimaryKeyConstraint("number", "line", name=op.f("pk_ledger_entries")),
    )


def _prices() -> None:
    op.create_table(
        "prices",
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("from_us", _BIG, nullable=False),
        sa.Column("price_minor", _BIG, nullable=False),
        sa.ForeignKeyConstraint(["gtin"], ["products.gtin"], name=op.f("fk_prices_gtin")),
        sa.PrimaryKeyConstraint("gtin", "from_us", name=op.f("pk_prices")),
    )


def _receipts() -> None:
    op.create_table(
        "receipts",
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("issued_us", _BIG, nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("total_minor", _BIG, nullable=False),
        sa.Column("vat_minor", _BIG, nullable=False),
        sa.Column("charged_minor", _BIG, nullable=False),
        sa.Column("debt_minor", _BIG, nullable=False),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["visits.visit_id"], name=op.f("fk_receipts_visit_id")
        ),
        sa.PrimaryKeyConstraint("visit_id", name=op.f("pk_receipts")),
    )


def _receipt_lines() -> None:
    op.create_table(
        "receipt_lines",
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("line", sa.Integer(), nullable=False),
        sa.Column("gtin", sa.String(length=14), nullable=False),
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("quantity", sa.Integer(), nullable=False),
        sa.Column("unit_price_minor", _BIG, nullable=False),
        sa.Column("vat_rate", sa.String(length=8), nullable=False),
        sa.Column("vat_minor", _BIG, nullable=False),
        sa.Column("total_minor", _BIG, nullable=False),
        sa.Column("reaches", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["visit_id"], ["receipts.visit_id"], name=op.f("fk_receipt_lines_visit_id")
        ),
        sa.PrimaryKeyConstraint("visit_id", "line", name=op.f("pk_receipt_lines")),
    )
