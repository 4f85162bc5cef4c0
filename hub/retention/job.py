"""One run of retention: what is due by the settings, and erasing it.

    due = look(store, cutoffs(settings, now_us))     # changes nothing
    erase(store, due)                                # after the core forgot its visits

Pure in `cutoffs`; `look` only reads. A visit is due when it is closed and older; inputs are due
when they are older and a snapshot made them needless.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, delete, func, select, update

from hub.retention.commands import VISITS_MAX
from hub.retention.service import forget_record, forgotten_token
from hub.retention.settings import Retention
from hub.store import tables as t
from hub.store.service import Store
from hub.wallet.tables import gateway_payers

__all__ = ["Cutoffs", "Due", "cutoffs", "erase", "look"]

DAY_US = 86_400 * 1_000_000
CHUNK = 500
OPEN = ("issued", "entering", "binding", "shopping", "left")


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is older than these hub times is due."""

    visits_us: int
    payers_us: int
    inputs_us: int
    dead_letters_us: int


@dataclass(frozen=True, slots=True)
class Due:
    """What a run erases."""

    cutoffs: Cutoffs
    visit_ids: tuple[str, ...]
    counts: dict[str, int]

    @property
    def total(self) -> int:
        """How many things in all."""
        return len(self.visit_ids) + sum(self.counts.values())


def cutoffs(settings: Retention, now_us: int) -> Cutoffs:
    """The settings as points in time."""

    def before(days: float) -> int:
        return now_us - round(days * DAY_US)

    return Cutoffs(
        visits_us=before(settings.visits_days),
        payers_us=before(settings.payers_days),
        inputs_us=before(settings.inputs_days),
        dead_letters_us=before(settings.dead_letters_days),
    )


def look(store: Store, at: Cutoffs) -> Due:
    """What is due; the database is only read."""
    rows = store.select(
        select(t.visits.c.visit_id, t.visits.c.token_sha256)
        .where(_last_seen() < at.visits_us, t.visits.c.stage.not_in(OPEN))
        .order_by(t.visits.c.visit_id)
    )
    visits = [
        row["visit_id"] for row in rows if row["token_sha256"] != forgotten_token(row["visit_id"])
    ]
    counts = {
        name: _count(store, table, condition)
        for name, table, condition in _conditions(at, _needless(store))
    }
    return Due(at, tuple(visits[:VISITS_MAX]), counts)


def erase(store: Store, due: Due) -> None:
    """Erases what is due, in one commit; the core must have forgotten its visits before.
    StoreWriteError."""
    statements: list[Any] = []
    for begin in range(0, len(due.visit_ids), CHUNK):
        statements += _blanked(store, due.visit_ids[begin : begin + CHUNK])
    # A forgotten name leaves no saved card behind. The gateway's own copy is the gateway's.
    names = select(t.payers.c.name).where(t.payers.c.used_us < due.cutoffs.payers_us)
    statements.append(delete(gateway_payers).where(gateway_payers.c.payer.in_(names)))
    for _name, table, condition in _conditions(due.cutoffs, _needless(store)):
        statements.append(delete(table).where(condition))
    store.run_all(statements)
    store.scrub()


def _conditions(at: Cutoffs, needless: int) -> Sequence[tuple[str, Table, ColumnElement[bool]]]:
    return (
        ("payers", t.payers, t.payers.c.used_us < at.payers_us),
        (
            "messages",
            t.inbox,
            and_(t.inbox.c.position <= needless, t.inbox.c.received_us < at.inputs_us),
        ),
        (
            "commands",
            t.commands,
            and_(t.commands.c.position <= needless, t.commands.c.at_us < at.inputs_us),
        ),
        ("dead_letters", t.dead_letters, t.dead_letters.c.at_us < at.dead_letters_us),
    )


def _blanked(store: Store, visit_ids: Sequence[str]) -> list[Any]:
    statements = []
    rows = store.select(
        select(t.visits.c.visit_id, t.visits.c.record).where(t.visits.c.visit_id.in_(visit_ids))
    )
    for row in rows:
        record = json.loads(row["record"])
        forget_record(record)
        statements.append(
            update(t.visits)
            .where(t.visits.c.visit_id == row["visit_id"])
            .values(
                record=json.dumps(record),
                tracks="[]",
                token_sha256=record["visit"]["token_sha256"],
            )
        )
    return statements


def _last_seen() -> ColumnElement[int]:
    return func.coalesce(t.visits.c.settled_us, t.visits.c.exited_us, t.visits.c.opened_us)


def _needless(store: Store) -> int:
    """The position of the latest snapshot: replay begins after it."""
    found = store.select(select(func.max(t.snapshots.c.position).label("n")))
    return int(found[0]["n"] or 0)


def _count(store: Store, table: Table, condition: ColumnElement[bool]) -> int:
    statement = select(func.count().label("n")).select_from(table).where(condition)
    return int(store.select(statement)[0]["n"])
