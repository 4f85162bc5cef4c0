"""First passwords run out"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    op.add_column("staff_accounts", sa.Column("first_until_us", _BIG))


def downgrade() -> None:
    """Goes one version back."""
    op.drop_column("staff_accounts", "first_until_us")
