"""Ids at the payment gateway, and the fiscal journal"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    op.create_table(
        "gateway_payers",
        sa.Column("payer", sa.String(200), nullable=False),
        sa.Column("customer_id", sa.String(200), nullable=False),
        sa.Column("method_id", sa.String(200), nullable=False),
        sa.Column("changed_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("payer", name=op.f("pk_gateway_payers")),
    )
    op.create_table(
        "gateway_intents",
        sa.Column("hold_key", sa.String(200), nullable=False),
        sa.Column("intent_id", sa.String(200)),
        sa.Column("asked_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("hold_key", name=op.f("pk_gateway_intents")),
    )
    op.create_table(
        "fiscal_entries",
        sa.Column("number", _BIG, autoincrement=False, nullable=False),
        sa.Column("source", sa.String(200), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
        sa.Column("day", sa.String(10), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("previous_hash", sa.String(64), nullable=False),
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("signature", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("number", name=op.f("pk_fiscal_entries")),
        sa.UniqueConstraint("source", name=op.f("uq_fiscal_entries_source")),
    )
    op.create_index(op.f("ix_fiscal_entries_day"), "fiscal_entries", ["day"])


def downgrade() -> None:
    """Goes one version back."""
    op.drop_table("fiscal_entries")
    op.drop_table("gateway_intents")
    op.drop_table("gateway_payers")
