"""An index for which visits a tab's hold has paid: a bank may dispute it months later"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Goes one version up."""
    condition = sa.column("paid_by") != ""
    op.create_index(
        "ix_funding_paid_by",
        "funding",
        ["paid_by", "visit_id"],
        sqlite_where=condition,
        postgresql_where=condition,
    )


def downgrade() -> None:
    """Goes one version back."""
    op.drop_index("ix_funding_paid_by", "funding")
