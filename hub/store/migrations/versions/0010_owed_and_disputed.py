"""Refunds that wait, payments disputed at banks, and who owes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

_ID = sa.String(200)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    op.create_table(
        "payouts",
        sa.Column("key", _ID, primary_key=True),
        sa.Column("visit_id", _ID, nullable=False),
        sa.Column("payer", _ID, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("asked_as", _ID, nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("rounds", sa.Integer(), nullable=False),
        sa.Column("since_us", _BIG, nullable=False),
        sa.Column("again_us", _BIG),
    )
    op.create_index("ix_payouts_state_since_us_key", "payouts", ["state", "since_us", "key"])
    _chargebacks()
    owed = sa.column("debt_minor") > 0
    op.create_index(
        "ix_visits_debts",
        "visits",
        ["payer", "settled_us"],
        sqlite_where=owed,
        postgresql_where=owed,
    )


def downgrade() -> None:
    """Goes one version back."""
    op.drop_index("ix_visits_debts", "visits")
    op.drop_table("chargebacks")
    op.drop_table("payouts")


def _chargebacks() -> None:
    op.create_table(
        "chargebacks",
        sa.Column("dispute_id", _ID, primary_key=True),
        sa.Column("hold_key", _ID, nullable=False),
        sa.Column("visit_id", _ID, nullable=False),
        sa.Column("payer", _ID, nullable=False),
        sa.Column("currency", sa.String(3), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.Column("reason", sa.String(200), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("withdrawn_minor", _BIG, nullable=False),
        sa.Column("returned_minor", _BIG, nullable=False),
        sa.Column("fee_minor", _BIG, nullable=False),
        sa.Column("lost_minor", _BIG, nullable=False),
        sa.Column("owed_minor", _BIG, nullable=False),
        sa.Column("keeps_out", sa.Boolean(), nullable=False),
        sa.Column("decision", sa.String(16), nullable=False),
        sa.Column("by", _ID, nullable=False),
        sa.Column("opened_us", _BIG, nullable=False),
        sa.Column("changed_us", _BIG, nullable=False),
    )
    op.create_index(
        "ix_chargebacks_opened_us_dispute_id", "chargebacks", ["opened_us", "dispute_id"]
    )
