"""Engines and migrations. One writer; SQLite in WAL with full synchronisation, BEGIN IMMEDIATE."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.script import ScriptDirectory
from alembic.util.exc import CommandError
from sqlalchemy import Connection, Engine, create_engine, event, inspect
from sqlalchemy.engine import make_url
from sqlalchemy.engine.interfaces import DBAPIConnection
from sqlalchemy.exc import ArgumentError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry, StaticPool

from hub.errors import StoreError

__all__ = [
    "folder_of",
    "is_memory",
    "migrate",
    "newest_revision",
    "open_engine",
    "revision_of",
    "short",
    "shown",
]

BUSY_TIMEOUT_MS = 5_000
CONNECT_TIMEOUT_S = 5
IDLE_IN_TRANSACTION_MS = 60_000
"""A reader that stopped in the middle keeps nobody waiting for longer."""
VERSION_TABLE = "alembic_version"
MIGRATION_LOCK = 0x50B71E
"""PostgreSQL's advisory lock of whoever brings the schema up to date."""


def shown(url: str) -> str:
    """A database's address without its password."""
    try:
        return make_url(url).render_as_string(hide_password=True)
    except ArgumentError:
        return "(not an address)"


def is_memory(url: str) -> bool:
    """Whether the database lives in this process only."""
    parsed = make_url(url)
    return parsed.get_backend_name() == "sqlite" and parsed.database in (None, "", ":memory:")


def folder_of(url: str) -> Path | None:
    """Where a database's file lies; None where it has none here."""
    parsed = make_url(url)
    if parsed.get_backend_name() != "sqlite" or is_memory(url) or parsed.database is None:
        return None
    return Path(parsed.database).parent


def open_engine(url: str) -> Engine:
    """An engine for `sqlite:///FILE`, `sqlite:///:memory:` or `postgresql+DRIVER://…`."""
    try:
        backend = make_url(url).get_backend_name()
    except ArgumentError as error:
        raise StoreError(
            "expected a database URL such as sqlite:///hub.sqlite, got something else"
        ) from error
    try:
        if backend != "sqlite":
            return create_engine(url, pool_pre_ping=True, connect_args=_session(backend))
        if is_memory(url):
            engine = create_engine(
                url, poolclass=StaticPool, connect_args={"check_same_thread": False}
            )
        else:
            engine = create_engine(url, connect_args={"check_same_thread": False})
    except (SQLAlchemyError, ModuleNotFoundError) as error:
        raise StoreError(f"expected a database this installation can open: {error}") from error
    event.listen(engine, "connect", _configure_sqlite)
    event.listen(engine, "begin", _begin_immediate)
    return engine


def _session(backend: str) -> dict[str, object]:
    """How long a session waits: for its server, for somebody's lock, and for its own client."""
    if backend != "postgresql":
        return {}
    return {
        "connect_timeout": CONNECT_TIMEOUT_S,
        "application_name": "sortie-hub",
        "keepalives_idle": 5,
        "keepalives_interval": 2,
        "keepalives_count": 3,
        "options": f"-c lock_timeout={BUSY_TIMEOUT_MS} "
        f"-c idle_in_transaction_session_timeout={IDLE_IN_TRANSACTION_MS}",
    }


def _scripts() -> Config:
    config = Config()
    config.set_main_option("script_location", str(files("hub.store") / "migrations"))
    return config


def migrate(connection: Connection) -> None:
    """Brings the schema to the newest version. StoreError if a newer program wrote it.

    Who makes many databases (the torture, the tests) waits for the migrations once: a new SQLite
    database takes the statements that the first one took, and one that is up to date takes none.
    """
    if connection.dialect.name == "postgresql":
        # Two programs that start together must not both make the tables.
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({MIGRATION_LOCK})")
    if revision_of(connection) == newest_revision():
        return
    if connection.dialect.name != "sqlite" or inspect(connection).get_table_names():
        _upgrade(connection)
    elif _first_statements:
        for statement, parameters in _first_statements:
            connection.exec_driver_sql(statement, parameters)
    else:
        with _noted(connection) as noted:
            _upgrade(connection)
        _first_statements.extend(noted)


_first_statements: list[tuple[str, Any]] = []
"""What the migrations did to this process's first new SQLite database."""


@contextmanager
def _noted(connection: Connection) -> Iterator[list[tuple[str, Any]]]:
    """Notes the statements that change something, in their order, with their parameters."""
    noted: list[tuple[str, Any]] = []

    def note(_c: object, _cursor: object, statement: str, parameters: Any, *_rest: object) -> None:
        if statement.lstrip().partition(" ")[0].upper() not in ("SELECT", "PRAGMA", "BEGIN"):
            noted.append((statement, parameters))

    event.listen(connection, "before_cursor_execute", note)
    try:
        yield noted
    finally:
        event.remove(connection, "before_cursor_execute", note)


def revision_of(connection: Connection) -> str | None:
    """The schema that a database has; None if it is not a hub's."""
    if VERSION_TABLE not in inspect(connection).get_table_names():
        return None
    found = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}")
    return found.scalar_one_or_none()


def _upgrade(connection: Connection) -> None:
    config = _scripts()
    config.attributes["connection"] = connection
    try:
        command.upgrade(config, "head")
    except CommandError as error:
        raise StoreError(
            f"expected a database of this version or an older one: {error}; start the newer "
            "program that wrote it, or restore a backup"
        ) from error


@cache
def newest_revision() -> str:
    """The schema that `migrate` brings a database to."""
    return str(ScriptDirectory.from_config(_scripts()).get_current_head())


def short(error: SQLAlchemyError) -> str:
    """What the database itself said, in a line."""
    return str(getattr(error, "orig", None) or error).splitlines()[0]


def _configure_sqlite(connection: DBAPIConnection, _record: ConnectionPoolEntry) -> None:
    # The driver must not begin transactions by itself: it would begin them deferred.
    connection.isolation_level = None
    cursor = connection.cursor()
    for pragma in (
        "journal_mode=WAL",
        "synchronous=FULL",
        "foreign_keys=ON",
        # What is erased is overwritten in its page.
        "secure_delete=ON",
        f"busy_timeout={BUSY_TIMEOUT_MS}",
    ):
        cursor.execute(f"PRAGMA {pragma}")
    cursor.close()


def _begin_immediate(connection: Connection) -> None:
    immediate = not connection.get_execution_options().get("reading", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if immediate else "BEGIN")
