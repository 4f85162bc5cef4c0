"""Leases: which of several hubs may write; payers: the names behind numbers"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up. A hub that waits for its lease has made the table already."""
    op.create_table(
        "leases",
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("owner", sa.String(length=200), nullable=False),
        sa.Column("epoch", _BIG, nullable=False),
        sa.Column("taken_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_leases")),
        if_not_exists=True,
    )
    op.create_table(
        "payers",
        sa.Column("payer_id", sa.String(length=200), nullable=False),
        sa.Column("name", sa.String(length=200), nullable=False),
        sa.Column("used_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("payer_id", name=op.f("pk_payers")),
        sa.UniqueConstraint("name", name=op.f("uq_payers_name")),
    )


def downgrade() -> None:
    """Goes one version back."""
    op.drop_table("payers")
    op.drop_table("leases")
