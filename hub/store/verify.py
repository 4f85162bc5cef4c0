"""Is what a hub's database says of itself true: chains, sums, stock, and a rebuild from its inputs.

    report = verify("sqlite:///hub.sqlite", Engine)
    for finding in report.findings: print(finding)

The hub may be running: a copy of one moment is looked at, and the database itself is only read.
Books, receipts and stock are judged once more by the auditor, which shares no code with this
(`sortie hub verify` does both).
"""

from __future__ import annotations

import hashlib
import json
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, closing, nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Table, func, select, tuple_

from contracts.store_file import StoreFile
from hub.accounts.audit import broken_row
from hub.accounts.tables import audit_log
from hub.chain import canonical
from hub.core import HubCore
from hub.errors import ChainBrokenError, ReplayDivergedError, StoreTakenError
from hub.replay import rebuild, stored_layout
from hub.rules import Rules
from hub.state import AttributorFactory
from hub.store import tables as t
from hub.store.copies import copy_to_read, opened
from hub.store.lease import open_lease
from hub.store.rows import Row, projections
from hub.store.service import Store

__all__ = ["Report", "rebuild_projections", "verify"]

Told = Callable[[str], None]
Beside = Callable[[Store, StoreFile], AbstractContextManager[object]]
"""Work on the copy that goes on while the hub's own checks run; it ends with the context."""
FINDINGS_MAX = 100
KEYS_A_QUESTION = 200
UNDER_WAY = ("record", "tracks", "lost", "needs_review", "review_reasons", "exited_us")


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, by name, from where to where, and what is wrong, a sentence each."""

    counts: dict[str, int]
    scope: tuple[str, ...]
    findings: tuple[str, ...]


def verify(
    url: str,
    factory: AttributorFactory,
    rules: Rules | None = None,
    *,
    told: Told = lambda _part: None,
    beside: Beside = lambda _store, _layout: nullcontext(),
) -> Report:
    """Follows all hash chains from their beginning, adds up the ledger, rebuilds the state from
    the latest snapshot and the inputs after it, and compares every projection that follows from
    it. `beside` gets the copy and the store file that it was written under. StoreError if it is
    no hub's database, or of another version."""
    with tempfile.TemporaryDirectory(prefix="sortie-verify-") as folder:
        copy = Path(folder) / "hub.sqlite"
        told("copying the database")
        copy_to_read(url, copy, told=lambda table, count: told(f"copying {table}: {count} rows"))
        return _verified(f"sqlite:///{copy}", factory, rules or Rules(), told, beside)


def rebuild_projections(
    url: str, factory: AttributorFactory, rules: Rules | None = None
) -> tuple[str, ...]:
    """Writes every projection anew that is not what the log makes of it; what was changed, a
    sentence each. StoreTakenError while a hub has the database. StoreError, and nothing written, if
    the log itself is not in order: a chain is broken, or the inputs do not lead to what was
    recorded."""
    rules = rules or Rules()
    with opened(url) as store:
        layout = stored_layout(store)
    lease = open_lease(url, layout.store_id, owner=f"rebuild:{os.getpid()}")
    try:
        if not lease.take():
            raise StoreTakenError("expected no hub to own the store, one does; stop it first")
        with closing(Store(url, lease)) as store:
            store.verify()
            core = rebuild(store, layout, factory, rules)
            rows = projections(core.state)
            changed = tuple(_differences(store, core, rows.upserts))
            if changed:
                store.write(rows)
            return changed
    finally:
        lease.release()


def _verified(
    url: str, factory: AttributorFactory, rules: Rules, told: Told, beside: Beside
) -> Report:
    store = Store(url)
    findings: list[str] = []
    counts = {
        "events": store.heads()[0][0],
        "transactions": store.heads()[1][0],
        "visits": store.count(t.visits),
        "receipts": store.count(t.receipts),
        "audit entries": store.count(audit_log),
    }
    scope = ["hash chains: every row from the first one on"]
    try:
        layout = stored_layout(store)
        with beside(store, layout):
            findings.extend(_chains(store, counts, told))
            told("adding up the ledger")
            findings.extend(_unbalanced(store))
            told("rebuilding the state from its inputs")
            findings.extend(_snapshot_digest(store))
            scope.append(_rebuilt_from(store))
            core = _rebuilt(store, layout, factory, rules, findings)
            if core is not None:
                told("comparing what is shown with what was rebuilt")
                expected = projections(core.state).upserts
                counts["projections"] = sum(len(rows) for rows in expected.values())
                kept = len(core.state.visits)
                scope.append(
                    f"projections: stock, products, wallets and cards, and the {kept:,} visits "
                    "that the rebuilt state has; earlier visits by the sums of the auditor"
                )
                findings.extend(_differences(store, core, expected))
    finally:
        store.close()
    return Report(counts, tuple(scope), tuple(findings[:FINDINGS_MAX]))


def _chains(store: Store, counts: dict[str, int], told: Told) -> Iterator[str]:
    """The first row of each hash chain that does not fit."""
    told("following the hash chains")
    try:
        store.verify(told=_pace(counts["events"] + counts["transactions"], counts["events"], told))
    except ChainBrokenError as error:
        yield str(error)
    broken = broken_row(store.stream(select(audit_log).order_by(audit_log.c.number)))
    if broken is not None:
        yield broken


def _pace(total: int, events: int, told: Told) -> Callable[[str, int], None]:
    """Says how far the chains are followed, and how long the rest takes at the pace so far."""
    began_s = time.monotonic()

    def reached(table: str, number: int) -> None:
        done = number + (0 if table == "events" else events)
        rows_a_s = done / max(1e-3, time.monotonic() - began_s)
        told(
            f"following the hash chains: {done:,} of {total:,} rows, {rows_a_s:,.0f} a second, "
            f"{(total - done) / rows_a_s:.0f} s left"
        )

    return reached


def _rebuilt_from(store: Store) -> str:
    """Where the state is rebuilt from, and what came before is no longer replayed."""
    snapshot = store.snapshot()
    if snapshot is None:
        return "state: from an empty store"
    inputs = sum(
        store.count(table, table.c.position > snapshot.position) for table in (t.inbox, t.commands)
    )
    at = datetime.fromtimestamp(snapshot.at_us / 1e6, UTC)
    return (
        f"state: rebuilt from the snapshot after input {snapshot.position:,} of "
        f"{at:%Y-%m-%d %H:%M} UTC and the {inputs:,} inputs after it; inputs before it are not "
        "kept whole and are not replayed"
    )


def _snapshot_digest(store: Store) -> Iterator[str]:
    """The latest snapshot, if it is not what its digest says."""
    snapshot = store.snapshot()
    if snapshot is None:
        return
    # Of what is stored, not of what is made of it: a later hub may well keep less of it.
    stored = canonical(json.loads(snapshot.state)["core"])
    digest = hashlib.sha256(stored.encode()).hexdigest()
    if digest != snapshot.digest:
        yield (
            f"snapshots row {snapshot.position}: expected digest {digest}, the row has "
            f"{snapshot.digest}; it was changed after it was written"
        )


def _rebuilt(
    store: Store, layout: StoreFile, factory: AttributorFactory, rules: Rules, findings: list[str]
) -> HubCore | None:
    """The core that the latest snapshot and the journal lead to, None if they do not."""
    try:
        return rebuild(store, layout, factory, rules)
    except (ChainBrokenError, ReplayDivergedError) as error:
        if str(error) not in findings:
            findings.append(str(error))
        return None


def _unbalanced(store: Store) -> Iterator[str]:
    """Transactions whose debits and credits differ."""
    entry = t.ledger_entries.c
    total = func.sum(entry.amount_minor)
    question = (
        select(entry.number, total.label("total"))
        .group_by(entry.number)
        .having(total != 0)
        .order_by(entry.number)
    )
    for row in store.stream(question):
        yield (
            f"ledger_entries of transaction {row['number']}: they sum to {row['total']}, expected 0"
        )


def _differences(
    store: Store, core: HubCore, upserts: dict[str, dict[tuple[object, ...], Row]]
) -> Iterator[str]:
    """Rows of projections that are not what the rebuilt state makes of them."""
    for name, expected in upserts.items():
        table = t.metadata.tables[name]
        stored = _stored(store, table, list(expected))
        for key, row in sorted(expected.items(), key=lambda entry: str(entry[0])):
            found = stored.get(key)
            where = f"{name} row {'/'.join(map(str, key))}"
            if found is None:
                yield f"{where}: expected a row, there is none"
                continue
            visit = core.state.visits.get(str(key[0])) if table is t.visits else None
            # Of a visit under way only what it comes to is written with each step.
            skipped = UNDER_WAY if visit is not None and visit.open else ()
            for column, value in row.items():
                if column not in skipped and found[column] != value:
                    yield f"{where}: expected {column} {value!r}, the row has {found[column]!r}"


def _stored(
    store: Store, table: Table, keys: list[tuple[object, ...]]
) -> dict[tuple[object, ...], Row]:
    """Those rows of a table that have one of these keys."""
    columns = list(table.primary_key.columns)
    found: dict[tuple[object, ...], Row] = {}
    for begin in range(0, len(keys), KEYS_A_QUESTION):
        part = keys[begin : begin + KEYS_A_QUESTION]
        for row in store.select(select(table).where(tuple_(*columns).in_(part))):
            found[_key(table, row)] = row
    return found


def _key(table: Table, row: Row) -> tuple[object, ...]:
    return tuple(row[column.name] for column in table.primary_key.columns)
