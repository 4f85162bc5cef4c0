"""Wallets, gift cards, and the sources that pay a visit"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    op.create_table(
        "funding",
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("payer", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("purpose", sa.String(length=16), nullable=False),
        sa.Column("account", sa.String(length=200), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("charged_minor", _BIG, nullable=False),
        sa.Column("captured_minor", _BIG, nullable=False),
        sa.Column("refunded_minor", _BIG, nullable=False),
        sa.Column("paid_by", sa.String(length=200), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_funding")),
    )
    with op.batch_alter_table("funding", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_funding_visit_id"), ["visit_id"], unique=False)
    op.create_table(
        "gift_cards",
        sa.Column("card_id", sa.String(length=200), nullable=False),
        sa.Column("how", sa.String(length=16), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("amount_minor", _BIG, nullable=False),
        sa.Column("left_minor", _BIG, nullable=False),
        sa.Column("issued_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=True),
        sa.Column("blocked", sa.Boolean(), nullable=False),
        sa.Column("redeemed", sa.Boolean(), nullable=False),
        sa.Column("payer", sa.String(length=200), nullable=True),
        sa.PrimaryKeyConstraint("card_id", name=op.f("pk_gift_cards")),
    )
    op.create_table(
        "wallets",
        sa.Column("payer", sa.String(length=200), nullable=False),
        sa.Column("opened_us", _BIG, nullable=False),
        sa.Column("sources", sa.Text(), nullable=False),
        sa.Column("stored_minor", _BIG, nullable=False),
        sa.Column("tab_minor", _BIG, nullable=False),
        sa.Column("debt_minor", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("payer", name=op.f("pk_wallets")),
    )


def downgrade() -> None:
    """Goes one version back."""
    op.drop_table("wallets")
    op.drop_table("gift_cards")
    op.drop_table("funding")
