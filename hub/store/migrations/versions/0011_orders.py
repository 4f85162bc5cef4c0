"""Orders to be fetched, and how to reach their customers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

_ID = sa.String(200)
_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    op.create_table(
        "orders",
        sa.Column("order_id", _ID, primary_key=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("payer", _ID, nullable=False),
        sa.Column("placed_us", _BIG, nullable=False),
        sa.Column("deadline_us", _BIG),
        sa.Column("closed_us", _BIG),
        sa.Column("due_minor", _BIG, nullable=False),
        sa.Column("record", sa.Text(), nullable=False),
        sa.Column("forgotten", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.create_index("ix_orders_closed_us", "orders", ["closed_us", "order_id"])
    op.create_table(
        "order_contacts",
        sa.Column("order_id", _ID, primary_key=True),
        sa.Column("name", sa.String(120), nullable=False),
        sa.Column("phone", sa.String(40), nullable=False),
        sa.Column("at_us", _BIG, nullable=False),
    )


def downgrade() -> None:
    """Goes one version back."""
    op.drop_table("order_contacts")
    op.drop_table("orders")
