"""What promotions take off a line, and pieces found and removed"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    with op.batch_alter_table("receipt_lines") as lines:
        lines.add_column(sa.Column("discount_minor", _BIG, nullable=False, server_default="0"))
        lines.add_column(sa.Column("promotions", sa.Text(), nullable=False, server_default="[]"))
    with op.batch_alter_table("products") as products:
        products.add_column(sa.Column("found", _BIG, nullable=False, server_default="0"))
        products.add_column(sa.Column("removed", _BIG, nullable=False, server_default="0"))


def downgrade() -> None:
    """Goes one version back."""
    with op.batch_alter_table("products") as products:
        products.drop_column("removed")
        products.drop_column("found")
    with op.batch_alter_table("receipt_lines") as lines:
        lines.drop_column("promotions")
        lines.drop_column("discount_minor")
