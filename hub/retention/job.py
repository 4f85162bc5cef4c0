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

from sqlalchemy import ColumnElement, Table, delete, false, func, select, update

from hub.parcels.tables import contacts, orders
from hub.retention.commands import VISITS_MAX
from hub.retention.service import forget_order_record, forget_record
from hub.retention.settings import Retention
from hub.store import tables as t
from hub.store.service import Store
from hub.visits.model import OPEN_STAGES
from hub.wallet.tables import gateway_payers

__all__ = ["Cutoffs", "Due", "cutoffs", "erase", "look"]

DAY_US = 86_400 * 1_000_000
CHUNK = 500


@dataclass(frozen=True, slots=True)
class Cutoffs:
    """What is older than these hub times is due."""

    visits_us: int
    payers_us: int
    orders_us: int
    inputs_us: int
    dead_letters_us: int


@dataclass(frozen=True, slots=True)
class Due:
    """What a run erases."""

    cutoffs: Cutoffs
    visit_ids: tuple[str, ...]
    counts: dict[str, int]
    order_ids: tuple[str, ...] = ()

    @property
    def total(self) -> int:
        """How many things in all."""
        return len(self.visit_ids) + len(self.order_ids) + sum(self.counts.values())


def cutoffs(settings: Retention, now_us: int) -> Cutoffs:
    """The settings as points in time."""

    def before(days: float) -> int:
        return now_us - round(days * DAY_US)

    return Cutoffs(
        visits_us=before(settings.visits_days),
        payers_us=before(settings.payers_days),
        orders_us=before(settings.orders_days),
        inputs_us=before(settings.inputs_days),
        dead_letters_us=before(settings.dead_letters_days),
    )


def look(store: Store, at: Cutoffs) -> Due:
    """What is due; the database is only read."""
    visits = t.visits.c
    rows = store.select(
        select(visits.visit_id)
        .where(
            visits.forgotten == false(),
            # Nobody is seen before the visit began, and this goes by an index.
            visits.opened_us < at.visits_us,
            _last_seen() < at.visits_us,
            visits.stage.not_in(OPEN_STAGES),
        )
        .order_by(visits.opened_us, visits.visit_id)
        .limit(VISITS_MAX)
    )
    counts = {
        name: store.count(table, condition) for name, table, condition in _conditions(store, at)
    }
    closed = store.select(
        select(orders.c.order_id)
        .where(orders.c.forgotten == false(), orders.c.closed_us < at.orders_us)
        .order_by(orders.c.closed_us, orders.c.order_id)
        .limit(VISITS_MAX)
    )
    return Due(
        at,
        tuple(sorted(row["visit_id"] for row in rows)),
        counts,
        tuple(sorted(row["order_id"] for row in closed)),
    )


def erase(store: Store, due: Due) -> None:
    """Erases what is due, in one commit; the core must have forgotten its visits before.
    StoreWriteError."""
    statements: list[Any] = []
    for begin in range(0, len(due.visit_ids), CHUNK):
        statements += _blanked(store, due.visit_ids[begin : begin + CHUNK])
    for begin in range(0, len(due.order_ids), CHUNK):
        statements += _orders_blanked(store, due.order_ids[begin : begin + CHUNK])
    # A forgotten name leaves no saved card behind. The gateway's own copy is the gateway's.
    names = select(t.payers.c.name).where(t.payers.c.used_us < due.cutoffs.payers_us)
    statements.append(delete(gateway_payers).where(gateway_payers.c.payer.in_(names)))
    for _name, table, condition in _conditions(store, due.cutoffs):
        statements.append(delete(table).where(condition))
    store.run_all(statements)
    store.scrub()


def _conditions(store: Store, at: Cutoffs) -> Sequence[tuple[str, Table, ColumnElement[bool]]]:
    last = _needless(store)
    return (
        ("payers", t.payers, t.payers.c.used_us < at.payers_us),
        *(
            (name, table, table.c.position <= min(last, store.older_than(column, at.inputs_us)))
            for name, table, column in (
                ("messages", t.inbox, t.inbox.c.received_us),
                ("commands", t.commands, t.commands.c.at_us),
            )
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
                forgotten=True,
            )
        )
    return statements


def _orders_blanked(store: Store, order_ids: Sequence[str]) -> list[Any]:
    """The same for orders: those that left memory have no other place than their rows."""
    statements: list[Any] = [delete(contacts).where(contacts.c.order_id.in_(order_ids))]
    rows = store.select(
        select(orders.c.order_id, orders.c.record).where(orders.c.order_id.in_(order_ids))
    )
    for row in rows:
        record = json.loads(row["record"])
        forget_order_record(record)
        statements.append(
            update(orders)
            .where(orders.c.order_id == row["order_id"])
            .values(record=json.dumps(record), forgotten=True)
        )
    return statements


def _last_seen() -> ColumnElement[int]:
    return func.coalesce(t.visits.c.settled_us, t.visits.c.exited_us, t.visits.c.opened_us)


def _needless(store: Store) -> int:
    """The position of the latest snapshot: replay begins after it."""
    found = store.select(select(func.max(t.snapshots.c.position).label("n")))
    return int(found[0]["n"] or 0)
