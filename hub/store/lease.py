"""Which of several hubs may write to a database: a lease in PostgreSQL, a file lock beside SQLite.

    lease = open_lease("postgresql+psycopg://…", "my-store", owner="till-1")
    if lease.take():                       # False: another hub has it; try again later
        store = Store(url, lease)          # every commit checks the lease in its own transaction
        ...
        lease.renew()                      # every ttl / 3; LeaseLostError if another took it
        lease.release()

The row of `leases` names the owner and an epoch, which rises with every change of owner; time is
the database's, so that wrong clocks of machines do no harm. A commit locks that row and compares
the epoch: once another hub has taken the lease nothing of the old owner's can be stored, however
late it wakes up. An owner that stops inside a transaction would keep the row locked, so the server
is told to end a session that idles in one for longer than the lease. See docs/decisions on leases.
"""

from __future__ import annotations

import errno
import fcntl
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Protocol

from sqlalchemy import Connection, TextClause, text
from sqlalchemy.engine import make_url
from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from hub.errors import LeaseLostError, StoreError, StoreTakenError
from hub.store import tables as t
from hub.store.database import is_memory, open_engine, short, shown

__all__ = ["TTL_S", "FileLease", "Lease", "NoLease", "RowLease", "open_lease"]

TTL_S = 5.0
LOCK_WAIT_MS = 1_000
LOCK_NOT_AVAILABLE = "55P03"
"""PostgreSQL's code for a wait that was given up."""
_NOW_US = "CAST(extract(epoch FROM clock_timestamp()) * 1000000 AS bigint)"
_SEED = text(
    "INSERT INTO leases (name, owner, epoch, taken_us, expires_us) VALUES (:name, '', 0, 0, 0) "
    "ON CONFLICT (name) DO NOTHING"
)
_TAKE = text(
    f"UPDATE leases SET owner = :owner, epoch = epoch + 1, taken_us = {_NOW_US}, "
    f"expires_us = {_NOW_US} + :ttl_us WHERE name = :name AND expires_us < {_NOW_US} "
    "RETURNING epoch"
)
_RENEW = text(
    f"UPDATE leases SET expires_us = {_NOW_US} + :ttl_us WHERE name = :name AND epoch = :epoch"
)
_RELEASE = text("UPDATE leases SET expires_us = 0 WHERE name = :name AND epoch = :epoch")
# One round trip: it also bounds how long a stopped owner may keep the row locked.
_FENCE = text(
    "SELECT epoch, set_config('idle_in_transaction_session_timeout', :idle, true) FROM leases "
    "WHERE name = :name AND epoch = :epoch FOR SHARE"
)

# The server itself does not end a session that stopped after a pipeline (libpq's batches end in a
# Flush, which switches its timer off), nor one that stopped within one: whoever waits does.
_END_STOPPED = text(
    "SELECT count(pg_terminate_backend(a.pid)) FROM pg_stat_activity AS a JOIN pg_locks AS l "
    "ON l.pid = a.pid AND l.relation = 'leases'::regclass AND l.granted "
    "WHERE a.datname = current_database() AND a.pid <> pg_backend_pid() "
    "AND a.xact_start IS NOT NULL AND a.wait_event_type = 'Client' "
    "AND a.state_change < clock_timestamp() - make_interval(secs => :ttl_s)"
)


class Lease(Protocol):
    """The right of one hub to write."""

    @property
    def held(self) -> bool:
        """Whether it is this hub's, as far as this machine can tell without asking."""
        ...

    @property
    def epoch(self) -> int:
        """How often the store changed hands; 0 where nobody counts."""
        ...

    def take(self) -> bool:
        """Takes it if it is free."""
        ...

    def renew(self) -> None:
        """Keeps it; LeaseLostError if another hub has it, StoreError if nobody answers."""
        ...

    def fence(self, connection: Connection) -> None:
        """In a transaction: LeaseLostError unless it may be committed."""
        ...

    def release(self) -> None:
        """Lets another hub have it at once."""
        ...


class NoLease:
    """One hub alone, as in tests and lockstep stores."""

    held = True
    epoch = 0

    def take(self) -> bool:
        """There is nobody else."""
        return True

    def renew(self) -> None:
        """Nothing runs out."""

    def fence(self, connection: Connection) -> None:
        """Everything may be committed."""

    def release(self) -> None:
        """Nobody waits."""


class FileLease:
    """A lock on FILE.lock, which the kernel frees when the process ends, however it ends."""

    epoch = 0

    def __init__(self, database: Path) -> None:
        self._database = database
        self._path = database.with_name(database.name + ".lock")
        self._descriptor = -1

    @property
    def held(self) -> bool:
        """Whether this process has the lock."""
        return self._descriptor >= 0

    def take(self) -> bool:
        """Takes the lock. StoreTakenError if another hub has it: on one machine a second hub is
        a mistake, and SQLite no place to wait in line."""
        if self.held:
            return True
        try:
            descriptor = os.open(self._path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(
                f"expected to make {self._path}: {error.strerror}; make its folder, or correct "
                "the database's address"
            ) from error
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            other = os.pread(descriptor, 32, 0).decode("ascii", errors="replace").strip()
            os.close(descriptor)
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES):
                raise StoreError(f"{self._path} cannot be locked: {error.strerror}") from error
            raise StoreTakenError(
                f"expected {self._database} for one hub alone, another one has it open (process "
                f"{other or 'unknown'}); stop that one, or use PostgreSQL for two hubs"
            ) from error
        os.ftruncate(descriptor, 0)
        os.pwrite(descriptor, str(os.getpid()).encode(), 0)
        self._descriptor = descriptor
        return True

    def renew(self) -> None:
        """The kernel keeps it."""

    def fence(self, connection: Connection) -> None:
        """LeaseLostError without the lock."""
        if not self.held:
            raise LeaseLostError(f"expected the lock of {self._database}; take it first")

    def release(self) -> None:
        """Gives the lock back."""
        if self.held:
            os.close(self._descriptor)
            self._descriptor = -1


class RowLease:
    """A row in PostgreSQL. `now` is this machine's monotonic clock, which only judges whether a
    renewal is overdue; who owns the store is decided by the database."""

    def __init__(
        self,
        url: str,
        name: str,
        *,
        owner: str,
        ttl_s: float = TTL_S,
        now: Callable[[], float] = time.monotonic,
    ) -> None:
        self._url = url
        self._name = name
        self._owner = owner
        self._ttl_s = ttl_s
        self._now = now
        self._engine = open_engine(url)
        self._epoch = 0
        self._good_until_s = float("-inf")
        self._made = False

    @property
    def held(self) -> bool:
        """Whether it was renewed within its time."""
        return self._now() < self._good_until_s

    @property
    def epoch(self) -> int:
        """The epoch it was taken in."""
        return self._epoch

    def take(self) -> bool:
        """Takes the lease if it ran out or was given back; False if another hub has it. An owner
        that stopped within a transaction loses its session. StoreError if nobody answers."""
        began_s = self._now()
        try:
            epoch = self._taken()
        except SQLAlchemyError as error:
            raise self._no_answer("asked for", error) from error
        if epoch is None:
            return False
        self._epoch = epoch
        self._good_until_s = began_s + self._ttl_s
        return True

    def _taken(self) -> int | None:
        """The epoch it is taken in, None if another hub has it. Where an owner that stopped was in
        the way it is asked for twice."""
        try:
            return self._asked()
        except DBAPIError as error:
            if not (_is_locked(error) and self._stopped_ended()):
                raise
            return self._asked()

    def _asked(self) -> int | None:
        values = {"name": self._name, "owner": self._owner, "ttl_us": round(self._ttl_s * 1e6)}
        with self._engine.begin() as connection:
            if not self._made:
                # A database that no hub has begun yet has no tables; this one comes first.
                t.leases.create(connection, checkfirst=True)
            connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
            connection.execute(_SEED, values)
            epoch = connection.execute(_TAKE, values).scalar_one_or_none()
        self._made = True
        return None if epoch is None else int(epoch)

    def _stopped_ended(self) -> int:
        """How many sessions were ended that held the lease's row and whose client was silent for
        the lease's time: their transactions are taken back, as by the server's own timeout."""
        try:
            with self._engine.begin() as connection:
                found = connection.execute(_END_STOPPED, {"ttl_s": self._ttl_s}).scalar_one()
                return int(found)
        except SQLAlchemyError:
            return 0

    def _no_answer(self, what: str, error: SQLAlchemyError) -> StoreError:
        return StoreError(f"the lease at {shown(self._url)} cannot be {what}: {short(error)}")

    def renew(self) -> None:
        """Keeps the lease, also one that ran out and that nobody else took."""
        began_s = self._now()
        if not self._changed(_RENEW):
            self._lost()
        self._good_until_s = began_s + self._ttl_s

    def fence(self, connection: Connection) -> None:
        """Locks the lease's row until the transaction ends and compares the epoch."""
        idle = str(round(self._ttl_s * 1e3))
        values = {"name": self._name, "epoch": self._epoch, "idle": idle}
        if connection.execute(_FENCE, values).first() is None:
            self._lost()

    def release(self) -> None:
        """Another hub may have it at once; if the database is away it runs out by itself."""
        self._good_until_s = float("-inf")
        try:
            self._changed(_RELEASE)
        except StoreError:
            return
        finally:
            self._engine.dispose()

    def _changed(self, statement: TextClause) -> bool:
        values = {
            "name": self._name,
            "epoch": self._epoch,
            "ttl_us": round(self._ttl_s * 1e6),
        }
        try:
            with self._engine.begin() as connection:
                connection.exec_driver_sql(f"SET LOCAL lock_timeout = {LOCK_WAIT_MS}")
                return bool(connection.execute(statement, values).rowcount)
        except SQLAlchemyError as error:
            raise self._no_answer("renewed", error) from error

    def _lost(self) -> None:
        self._good_until_s = float("-inf")
        raise LeaseLostError(
            f"expected the lease of {self._name} in epoch {self._epoch}, another hub has it by "
            "now; nothing was stored"
        )


def _is_locked(error: DBAPIError) -> bool:
    """Whether somebody else's lock was waited for in vain."""
    return getattr(error.orig, "sqlstate", None) == LOCK_NOT_AVAILABLE


def open_lease(url: str, name: str, *, owner: str, ttl_s: float = TTL_S) -> Lease:
    """The kind of lease that fits a database; it is not taken yet. StoreError."""
    if is_memory(url):
        return NoLease()
    parsed = make_url(url)
    if parsed.get_backend_name() == "sqlite":
        return FileLease(Path(str(parsed.database)))
    return RowLease(url, name, owner=owner, ttl_s=ttl_s)
