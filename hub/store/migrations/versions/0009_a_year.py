"""Indexes for questions that a year of rows would make slow; which visits are forgotten"""

from __future__ import annotations

import hashlib

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

PAGE = 5_000


def upgrade() -> None:
    """Goes one version up."""
    op.add_column(
        "visits", sa.Column("forgotten", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    _mark_forgotten()
    op.create_index("ix_events_kind_number", "events", ["kind", "number"])
    op.create_index("ix_visits_stage_opened_us", "visits", ["stage", "opened_us", "visit_id"])
    for name, condition in (
        ("ix_visits_needs_review", sa.column("needs_review") == sa.true()),
        ("ix_visits_remembered", sa.column("forgotten") == sa.false()),
    ):
        op.create_index(
            name,
            "visits",
            ["opened_us", "visit_id"],
            sqlite_where=condition,
            postgresql_where=condition,
        )
    op.create_index("ix_payers_used_us", "payers", ["used_us"])


def downgrade() -> None:
    """Goes one version back."""
    op.drop_index("ix_payers_used_us", "payers")
    op.drop_index("ix_visits_remembered", "visits")
    op.drop_index("ix_visits_needs_review", "visits")
    op.drop_index("ix_visits_stage_opened_us", "visits")
    op.drop_index("ix_events_kind_number", "events")
    op.drop_column("visits", "forgotten")


def _mark_forgotten() -> None:
    """Visits whose token says so."""
    visits = sa.table(
        "visits", sa.column("visit_id"), sa.column("token_sha256"), sa.column("forgotten")
    )
    connection, after = op.get_bind(), ""
    while True:
        page = connection.execute(
            sa.select(visits.c.visit_id, visits.c.token_sha256)
            .where(visits.c.visit_id > after)
            .order_by(visits.c.visit_id)
            .limit(PAGE)
        ).all()
        found = [
            {"one": visit_id}
            for visit_id, token in page
            if token == hashlib.sha256(f"forgotten {visit_id}".encode()).hexdigest()
        ]
        if found:
            mark = sa.update(visits).where(visits.c.visit_id == sa.bindparam("one"))
            connection.execute(mark.values(forgotten=sa.true()), found)
        if len(page) < PAGE:
            return
        after = page[-1][0]
