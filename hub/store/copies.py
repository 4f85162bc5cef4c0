"""Backups: every row of a hub's database in one consistent file, and back into an empty one.

    backup("sqlite:///hub.sqlite", Path("monday.sqlite"))     # the hub may be running
    restore(Path("monday.sqlite"), "postgresql+psycopg://…")  # empty, or not there yet

A backup is a SQLite file with the hub's own schema, whatever database it was taken from, so a
store moves from SQLite to PostgreSQL and back by the same two calls. It is written under another
name, synchronised, and only then gets its own: a file that is there is whole.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import tempfile
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, func, insert, select
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.schema import Table

from hub.accounts import tables as _accounts  # noqa: F401 - its tables are copied too
from hub.errors import StoreError
from hub.store import tables as t
from hub.store.database import (
    is_memory,
    migrate,
    newest_revision,
    open_engine,
    revision_of,
    short,
)
from hub.store.service import Store
from hub.webhooks import tables as _webhooks  # noqa: F401 - its tables are copied too

__all__ = [
    "Copied",
    "Progress",
    "backup",
    "check_database",
    "copy_to_read",
    "opened",
    "restore",
]

CHUNK = 2_000
NOT_COPIED = ("leases", "mails", "dispute_words")
"""A lease says who writes to this database now, which is no part of what it holds. Addresses and
words of shoppers are erased on a schedule that a copy would not know."""
Progress = Callable[[str, int], None]
"""Gets the table that is being copied and how many rows of it are."""


@dataclass(frozen=True, slots=True)
class Copied:
    """What was copied: rows by table, and the heads of the two hash chains (number, hash)."""

    rows: dict[str, int]
    events: tuple[int, str]
    transactions: tuple[int, str]


def backup(url: str, target: Path, *, told: Progress = lambda _t, _n: None) -> Copied:
    """Copies a database, also one in use, as it is at one moment. StoreError if it is no hub's,
    of another version, or if `target` exists."""
    if target.exists():
        raise StoreError(f"expected a new file, {target} exists; give another name")
    if not target.parent.is_dir():
        raise StoreError(f"expected the folder {target.parent} to exist; make it first")
    _check_lasting(url)
    source = _existing(url)
    part = target.with_name(f".{target.name}.part")
    try:
        part.unlink(missing_ok=True)
        copied = _copied(source, f"sqlite:///{part}", told)
        for beside in ("-wal", "-shm"):
            part.with_name(part.name + beside).unlink(missing_ok=True)
        _synced(part)
        os.replace(part, target)
        _synced(target.parent)
    finally:
        part.unlink(missing_ok=True)
        source.dispose()
    return copied


def copy_to_read(url: str, target: Path, *, told: Progress = lambda _t, _n: None) -> None:
    """Copies a database, also one in use, as it is at one moment, to be read and thrown away: of
    SQLite page by page, which is far quicker than by rows, and all tables. StoreError as backup."""
    if not url.startswith("sqlite:///"):
        backup(url, target, told=told)
        return
    _check_lasting(url)
    source = _existing(url)
    try:
        with source.connect().execution_options(reading=True) as reading:
            raw: Any = reading.connection.driver_connection
            with closing(sqlite3.connect(target)) as writing:
                writing.execute("PRAGMA synchronous=OFF")
                # In one step: between two, a hub that writes would make it begin anew.
                raw.backup(writing)
    except (SQLAlchemyError, sqlite3.Error) as error:
        raise StoreError(f"nothing was copied: {error}") from error
    finally:
        source.dispose()


def restore(source: Path, url: str, *, told: Progress = lambda _t, _n: None) -> Copied:
    """Fills an empty database from a backup; an older backup is brought to today's schema first.
    StoreError if `source` is no backup or the database holds anything."""
    if not source.is_file():
        raise StoreError(f"expected a backup, {source} is not there")
    _check_lasting(url)
    with tempfile.TemporaryDirectory(prefix="sortie-restore-") as folder:
        # The backup itself is never written to, not even by a migration.
        copy = Path(folder) / "backup.sqlite"
        shutil.copyfile(source, copy)
        engine = _existing(f"sqlite:///{copy}", older=True)
        try:
            with engine.connect() as connection:
                migrate(connection)
                connection.commit()
            return _copied(engine, url, told)
        except SQLAlchemyError as error:
            raise StoreError(f"expected a backup that can be read: {short(error)}") from error
        finally:
            engine.dispose()


def check_database(url: str) -> None:
    """StoreError if there is no hub's database at `url`, or one of another version."""
    _check_lasting(url)
    _existing(url).dispose()


@contextmanager
def opened(url: str) -> Iterator[Store]:
    """A database that a hub has written, with today's schema; the hub may be running. StoreError
    if it is no hub's or of another version: nothing is made and nothing brought up to date."""
    check_database(url)
    store = Store(url)
    try:
        yield store
    finally:
        store.close()


def _check_lasting(url: str) -> None:
    if is_memory(url):
        raise StoreError("expected a database that outlives its process, got one in memory")


def _existing(url: str, *, older: bool = False) -> Engine:
    """An engine on a database that a hub has written, with today's schema unless `older`."""
    path = url.removeprefix("sqlite:///")
    if path != url and not Path(path).is_file():
        raise StoreError(f"expected a hub's database, {path} is not there")
    engine = open_engine(url)
    try:
        with engine.connect().execution_options(reading=True) as connection:
            revision = revision_of(connection)
        _check_schema(revision, str(engine.url.database), older=older)
    except SQLAlchemyError as error:
        engine.dispose()
        raise StoreError(f"expected a hub's database that can be read: {short(error)}") from error
    except StoreError:
        engine.dispose()
        raise
    return engine


def _check_schema(revision: str | None, name: str, *, older: bool) -> None:
    newest = newest_revision()
    if revision is None:
        raise StoreError(f"expected a hub's database, {name} holds no hub's tables")
    if revision != newest and not older:
        raise StoreError(
            f"expected schema {newest}, {name} has {revision}; start the hub once, which brings it "
            "up to date"
        )


def _copied(source: Engine, url: str, told: Progress) -> Copied:
    target = open_engine(url)
    try:
        with target.connect() as writing:
            migrate(writing)
            writing.commit()
        with source.connect().execution_options(reading=True) as reading:
            if source.dialect.name == "postgresql":
                # One snapshot for all tables; in SQLite a reading transaction is one by itself.
                reading = reading.execution_options(isolation_level="REPEATABLE READ")
            with reading.begin(), target.begin() as writing:
                _refuse_full(writing)
                rows = {
                    table.name: _copy(reading, writing, table, told)
                    for table in t.metadata.sorted_tables
                    if table.name not in NOT_COPIED
                }
                heads = [_head(reading, table) for table in (t.events, t.ledger_transactions)]
        if target.dialect.name == "sqlite":
            with target.connect() as writing:
                # All in the one file, without a log beside it.
                writing.exec_driver_sql("COMMIT")
                writing.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)")
                writing.exec_driver_sql("BEGIN")
        return Copied(rows, heads[0], heads[1])
    except SQLAlchemyError as error:
        raise StoreError(f"nothing was copied: {short(error)}") from error
    finally:
        target.dispose()


def _refuse_full(connection: Connection) -> None:
    for table in t.metadata.sorted_tables:
        if table is t.leases:
            continue
        count = connection.execute(select(func.count()).select_from(table)).scalar_one()
        if count:
            raise StoreError(
                f"expected an empty database to restore into, table {table.name} has {count} "
                "rows; give a new file or an empty database"
            )


def _copy(reading: Connection, writing: Connection, table: Table, told: Progress) -> int:
    keys = list(table.primary_key.columns)
    found = reading.execution_options(yield_per=CHUNK).execute(select(table).order_by(*keys))
    count = 0
    for part in found.mappings().partitions(CHUNK):
        writing.execute(insert(table), [dict(row) for row in part])
        count += len(part)
        told(table.name, count)
    if writing.dialect.name == "postgresql":
        _go_on_numbering(writing, table)
    return count


def _go_on_numbering(writing: Connection, table: Table) -> None:
    """The database numbers new rows after those that were copied."""
    column = table.autoincrement_column
    if column is None:
        return
    sequence = func.pg_get_serial_sequence(table.name, column.name)
    last = select(func.coalesce(func.max(column), 0)).scalar_subquery()
    writing.execute(select(func.setval(sequence, last + 1, False)))


def _head(connection: Connection, table: Table) -> tuple[int, str]:
    row = connection.execute(
        select(table.c.number, table.c.hash).order_by(table.c.number.desc()).limit(1)
    ).first()
    return (0, "") if row is None else (int(row[0]), str(row[1]))


def _synced(path: Path) -> None:
    """Waits until a file, or the names in a folder, are on the disk."""
    handle = os.open(path, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
