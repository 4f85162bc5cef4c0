"""Receipt numbers; evidence, mails and words of disputes"""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

_BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Goes one version up."""
    # Not as a batch: SQLite would make the table anew, and lines refer to it.
    op.add_column("receipts", sa.Column("number", _BIG, nullable=False, server_default="0"))
    _number_receipts()
    op.create_index(op.f("ix_receipts_number"), "receipts", ["number"], unique=True)
    _evidence()
    _mails()
    op.create_table(
        "dispute_words",
        sa.Column("dispute_id", sa.String(length=100), nullable=False),
        sa.Column("words", sa.String(length=200), nullable=False),
        sa.Column("expires_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("dispute_id", name=op.f("pk_dispute_words")),
    )


def downgrade() -> None:
    """Goes one version back."""
    for table in ("dispute_words", "mails", "evidence"):
        op.drop_table(table)
    op.drop_index(op.f("ix_receipts_number"), table_name="receipts")
    op.drop_column("receipts", "number")


def _number_receipts() -> None:
    """Numbers in the order of settlements, which the event log has."""
    connection = op.get_bind()
    settled = connection.execute(
        sa.text(
            "SELECT receipts.visit_id FROM receipts LEFT JOIN events ON"
            " events.visit_id = receipts.visit_id AND events.kind = 'visit.settled'"
            " ORDER BY events.number, receipts.issued_us, receipts.visit_id"
        )
    ).scalars()
    rows = [{"n": number, "v": visit_id} for number, visit_id in enumerate(settled.all(), 1)]
    if rows:
        connection.execute(sa.text("UPDATE receipts SET number = :n WHERE visit_id = :v"), rows)


def _evidence() -> None:
    op.create_table(
        "evidence",
        sa.Column("device_id", sa.String(length=200), nullable=False),
        sa.Column("evidence_id", sa.String(length=64), nullable=False),
        sa.Column("reach_id", sa.String(length=200), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("media_type", sa.String(length=32), nullable=False),
        sa.Column("size", _BIG, nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("asked", sa.Integer(), nullable=False),
        sa.Column("next_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("device_id", "evidence_id", name=op.f("pk_evidence")),
    )
    with op.batch_alter_table("evidence", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_evidence_reach_id"), ["reach_id"], unique=False)


def _mails() -> None:
    op.create_table(
        "mails",
        sa.Column("mail_id", sa.String(length=64), nullable=False),
        sa.Column("visit_id", sa.String(length=200), nullable=False),
        sa.Column("address", sa.String(length=254), nullable=True),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("next_us", _BIG, nullable=False),
        sa.Column("expires_us", _BIG, nullable=False),
        sa.PrimaryKeyConstraint("mail_id", name=op.f("pk_mails")),
    )
    with op.batch_alter_table("mails", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_mails_visit_id"), ["visit_id"], unique=False)
