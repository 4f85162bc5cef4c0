"""The disk outbox: what a node has said and the hub has not yet committed.

Events are numbered before they come here, stored in one transaction a step (SQLite, WAL,
synchronous FULL: a commit that returned survives SIGKILL and loss of power), and forgotten only
when the hub acknowledges them after its own commit. What an earlier boot left behind is delivered
first, under that boot's id and numbers.

The outbox is bounded. From `rows_max` or `bytes_max` on it is `full`: the node says so and stops
judging. A reserve above the bound is kept for that very message; beyond the reserve an append is
refused whole with OutboxFullError, and so is an append that the disk has no room for.

A node's state (levels of plates, cursors of rings) may be saved in the same transaction as the
events that follow from it, so that neither is ever ahead of the other.
"""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from edge.errors import OutboxError, OutboxFullError

__all__ = ["Outbox", "OutboxSettings", "Stored"]

STATE_BYTES_MAX = 64_000_000
_SCHEMA = 1
_DISK_FULL = {sqlite3.SQLITE_FULL, sqlite3.SQLITE_IOERR}


class OutboxSettings(BaseModel):
    """How much may wait for the hub."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    rows_max: Annotated[int, Field(ge=16, le=50_000_000, description="full from here on")] = 200_000
    bytes_max: Annotated[int, Field(ge=65_536, description="payload bytes; full from here on")] = (
        256_000_000
    )
    reserve_rows: Annotated[int, Field(ge=4, le=10_000, description="kept to say `full`")] = 256
    resume_share: Annotated[
        float, Field(gt=0, lt=1, description="not full any more below this share of the bounds")
    ] = 0.9


@dataclass(frozen=True, slots=True)
class Stored:
    """One stored event. `order` rises over all boots: the order of delivery."""

    order: int
    boot_id: str
    sequence: int
    payload: bytes


class Outbox:
    """The outbox of one node; one process at a time may open it, and one thread use it."""

    def __init__(self, path: Path, *, boot_id: str, settings: OutboxSettings | None = None) -> None:
        self._path = path
        self._settings = settings or OutboxSettings()
        self._boot_id = boot_id
        self._full = False
        self._lock_fd = self._lock()
        try:
            self._db = self._connect()
            self._boot = self._register_boot()
            self._rows, self._bytes = self._count()
        except sqlite3.Error as error:
            os.close(self._lock_fd)
            raise OutboxError(
                f"{path}: expected an outbox of this node, got a file that SQLite refuses "
                f"({error}); move it away and start again: what it held and the hub did not "
                "confirm is then lost"
            ) from error
        except OutboxError:
            os.close(self._lock_fd)
            raise
        self._closed = False
        self._update_full()

    @property
    def boot_id(self) -> str:
        """The boot that appends."""
        return self._boot_id

    @property
    def waiting(self) -> int:
        """Events that the hub has not confirmed, of all boots."""
        return self._rows

    @property
    def waiting_bytes(self) -> int:
        """Their payload bytes."""
        return self._bytes

    @property
    def full(self) -> bool:
        """Whether the bound is reached; stays true until there is clearly room again."""
        return self._full

    def append(
        self, batch: Sequence[tuple[int, bytes]], state: Mapping[str, bytes] | None = None
    ) -> None:
        """Stores numbered events of this boot, and state, in one transaction.

        OutboxFullError if there is no room: nothing of the batch is stored then. OutboxError for
        a number that was used before.
        """
        added_bytes = sum(len(payload) for _, payload in batch)
        limits = self._settings
        if batch and (
            self._rows + len(batch) > limits.rows_max + limits.reserve_rows
            or self._bytes + added_bytes > limits.bytes_max + limits.reserve_rows * 1024
        ):
            self._full = True
            raise OutboxFullError(
                f"{self._path}: expected room for {len(batch)} events, got {self._rows} waiting "
                f"of at most {limits.rows_max} ({self._bytes} of {limits.bytes_max} bytes); the "
                "hub must take some first: check broker and hub"
            )
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                self._db.executemany(
                    "INSERT INTO events (boot, sequence, payload) VALUES (?, ?, ?)",
                    [(self._boot, sequence, payload) for sequence, payload in batch],
                )
                if state:
                    self._put_state(state)
        except sqlite3.IntegrityError as error:
            raise OutboxError(
                f"{self._path}: expected new numbers for boot {self._boot_id}, got "
                f"{[sequence for sequence, _ in batch[:5]]} ({error})"
            ) from error
        except sqlite3.OperationalError as error:
            raise self._refusal(error) from error
        self._rows += len(batch)
        self._bytes += added_bytes
        self._update_full()

    def unacked(self, *, after: int = 0, limit: int = 32) -> list[Stored]:
        """Up to `limit` events whose order is above `after`, in order of delivery."""
        rows = self._db.execute(
            "SELECT place, boot_id, sequence, payload FROM events JOIN boots USING (boot) "
            "WHERE place > ? ORDER BY place LIMIT ?",
            (after, limit),
        )
        return [Stored(*row) for row in rows]

    def waiting_upto(self, order: int) -> int:
        """How many events up to this order are still waiting."""
        row = self._db.execute("SELECT count(*) FROM events WHERE place <= ?", (order,)).fetchone()
        return int(row[0])

    def forget(self, boot_id: str, upto_seq: int) -> int:
        """Forgets what the hub confirmed; how many events that were."""
        try:
            with self._db:
                self._db.execute("BEGIN IMMEDIATE")
                found = self._db.execute(
                    "SELECT count(*), coalesce(sum(length(payload)), 0) FROM events "
                    "WHERE boot = (SELECT boot FROM boots WHERE boot_id = ?) AND sequence <= ?",
                    (boot_id, upto_seq),
                ).fetchone()
                rows, size = int(found[0]), int(found[1])
                if rows:
                    self._db.execute(
                        "DELETE FROM events WHERE boot = "
                        "(SELECT boot FROM boots WHERE boot_id = ?) AND sequence <= ?",
                        (boot_id, upto_seq),
                    )
                    self._db.execute(
                        "DELETE FROM boots WHERE boot <> ? AND boot NOT IN "
                        "(SELECT DISTINCT boot FROM events)",
                        (self._boot,),
                    )
        except sqlite3.OperationalError as error:
            raise self._refusal(error) from error
        self._rows -= rows
        self._bytes -= size
        self._update_full()
        return rows

    def save_state(self, state: Mapping[str, bytes]) -> None:
        """Saves named state apart from any event."""
        self.append((), state)

    def load_state(self, name: str) -> bytes | None:
        """A named state as saved last, by this boot or an earlier one."""
        row = self._db.execute("SELECT value FROM state WHERE name = ?", (name,)).fetchone()
        return None if row is None else bytes(row[0])

    def close(self) -> None:
        """Closes the file; closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._db.close()
        os.close(self._lock_fd)

    def _put_state(self, state: Mapping[str, bytes]) -> None:
        for name, value in state.items():
            if len(value) > STATE_BYTES_MAX:
                raise OutboxError(
                    f"{self._path}: expected at most {STATE_BYTES_MAX} bytes of state {name}, "
                    f"got {len(value)}"
                )
            self._db.execute("INSERT OR REPLACE INTO state VALUES (?, ?)", (name, value))

    def _update_full(self) -> None:
        limits = self._settings
        share = max(self._rows / limits.rows_max, self._bytes / limits.bytes_max)
        self._full = share >= (limits.resume_share if self._full else 1.0)

    def _refusal(self, error: sqlite3.OperationalError) -> OutboxError:
        code = getattr(error, "sqlite_errorcode", 0)
        if code & 0xFF in _DISK_FULL:
            self._full = True
            return OutboxFullError(f"{self._path}: the disk takes no more ({error}); make room")
        return OutboxError(f"{self._path}: cannot be written ({error}); check disk and permissions")

    def _lock(self) -> int:
        lock_path = self._path.with_suffix(self._path.suffix + ".lock")
        try:
            lock_path.parent.mkdir(parents=True, exist_ok=True)
            descriptor = os.open(lock_path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise OutboxError(
                f"{lock_path}: cannot be opened ({error.strerror}); check the node's data folder"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(descriptor)
            raise OutboxError(
                f"{self._path}: another process of this node has it open; stop that one first"
            ) from error
        return descriptor

    def _connect(self) -> sqlite3.Connection:
        database = sqlite3.connect(self._path, isolation_level=None, timeout=10.0)
        try:
            database.execute("PRAGMA journal_mode = WAL")
            database.execute("PRAGMA synchronous = FULL")
            version = int(database.execute("PRAGMA user_version").fetchone()[0])
            if version not in (0, _SCHEMA):
                raise OutboxError(
                    f"{self._path}: expected an outbox of schema {_SCHEMA}, got {version}; run "
                    "the version that wrote it until it is empty"
                )
            if version == 0:
                database.executescript(
                    "BEGIN IMMEDIATE;"
                    "CREATE TABLE boots (boot INTEGER PRIMARY KEY AUTOINCREMENT,"
                    " boot_id TEXT NOT NULL UNIQUE);"
                    "CREATE TABLE events (place INTEGER PRIMARY KEY AUTOINCREMENT,"
                    " boot INTEGER NOT NULL REFERENCES boots, sequence INTEGER NOT NULL,"
                    " payload BLOB NOT NULL, UNIQUE (boot, sequence));"
                    "CREATE TABLE state (name TEXT PRIMARY KEY, value BLOB NOT NULL);"
                    f"PRAGMA user_version = {_SCHEMA};"
                    "COMMIT;"
                )
        except (sqlite3.Error, OutboxError):
            database.close()
            raise
        return database

    def _register_boot(self) -> int:
        try:
            with self._db:
                cursor = self._db.execute(
                    "INSERT INTO boots (boot_id) VALUES (?)", (self._boot_id,)
                )
        except sqlite3.IntegrityError as error:
            self._db.close()
            raise OutboxError(
                f"{self._path}: expected a boot id never used before, got {self._boot_id}; every "
                "start needs a new one"
            ) from error
        return int(cursor.lastrowid or 0)

    def _count(self) -> tuple[int, int]:
        row = self._db.execute(
            "SELECT count(*), coalesce(sum(length(payload)), 0) FROM events"
        ).fetchone()
        return int(row[0]), int(row[1])
