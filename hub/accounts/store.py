"""Accounts in the database: small transactions on a connection of their own.

They are no part of the deterministic core and not journaled: a restored day does not bring back
a dismissed clerk. A database in memory is this store's own; a file or server is the hub's.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, fields
from typing import Any

from sqlalchemy import Connection, Select, Table, and_, delete, insert, select, text, update
from sqlalchemy.exc import SQLAlchemyError

from hub.accounts import tables as a
from hub.accounts.model import Account, ApiKey, Session
from hub.errors import StoreError
from hub.store.database import is_memory, migrate, open_engine, short
from hub.store.tables import metadata
from hub.webhooks import tables as w

__all__ = ["AccountStore"]

ASK_AGAIN_S = 1.0
_LOCK_KEY = 0x5027_13E0
"""PostgreSQL's advisory lock for what must be numbered without gaps."""


class AccountStore:
    """Reads and writes, each call one transaction. Safe to use from several threads."""

    def __init__(self, url: str) -> None:
        self._engine = open_engine(url)
        self._lock = threading.RLock()
        self._any: bool = False
        self._asked_s = float("-inf")
        self._unread = ""
        try:
            with self._engine.connect() as connection:
                if is_memory(url):
                    tables = [*_tables_of(a), *_tables_of(w)]
                    metadata.create_all(connection, tables=tables)
                else:
                    migrate(connection)
                connection.commit()
        except SQLAlchemyError as error:
            raise StoreError(f"expected a database for accounts: {short(error)}") from error

    def close(self) -> None:
        """Closes all connections."""
        self._engine.dispose()

    @contextmanager
    def write(self, *, numbered: bool = False) -> Iterator[Connection]:
        """One transaction. `numbered`: nobody else writes a numbered row meanwhile."""
        try:
            with self._lock, self._engine.begin() as connection:
                if numbered and self._engine.dialect.name == "postgresql":
                    connection.execute(text(f"SELECT pg_advisory_xact_lock({_LOCK_KEY})"))
                yield connection
        except SQLAlchemyError as error:
            raise StoreError(f"nothing was stored: {short(error)}") from error

    def read(self, statement: Select[Any]) -> list[dict[str, Any]]:
        """The rows of a question."""
        try:
            with self._lock, self._engine.connect() as plain:
                connection = plain.execution_options(reading=True)
                return [dict(row) for row in connection.execute(statement).mappings()]
        except SQLAlchemyError as error:
            raise StoreError(f"the database cannot be read: {short(error)}") from error

    # -- people ---------------------------------------------------------------------------

    def accounts(self) -> list[Account]:
        """All of them, by name."""
        rows = self.read(select(a.staff_accounts).order_by(a.staff_accounts.c.name))
        return [Account(**row) for row in rows]

    def account(self, name: str) -> Account | None:
        """One of them."""
        rows = self.read(select(a.staff_accounts).where(a.staff_accounts.c.name == name))
        return Account(**rows[0]) if rows else None

    def any_account(self) -> bool:
        """Whether there is any; StoreError while nobody knows. Accounts are never removed, so a
        yes stands; after anything else it is asked again a second later, because another process
        may add the first, and a database may come back."""
        if self._any:
            return True
        with self._lock:
            # Whoever comes while the first one asks waits for the answer: a no would let them in.
            if time.monotonic() - self._asked_s >= ASK_AGAIN_S:
                self._asked_s = time.monotonic()
                try:
                    self._any = bool(self.read(select(a.staff_accounts.c.name).limit(1)))
                    self._unread = ""
                except StoreError as error:
                    self._unread = str(error)
            if self._unread and not self._any:
                raise StoreError(self._unread)
            return self._any

    def add_account(self, account: Account) -> bool:
        """A new one; False if the name is taken."""
        with self.write() as connection:
            if connection.execute(
                select(a.staff_accounts.c.name).where(a.staff_accounts.c.name == account.name)
            ).first():
                return False
            connection.execute(insert(a.staff_accounts), [asdict(account)])
        self._any = True
        return True

    def change_account(self, name: str, **values: Any) -> bool:
        """Writes fields over; False if there is no such account."""
        return self._change(a.staff_accounts, a.staff_accounts.c.name == name, values)

    def take_totp_step(self, name: str, step: int) -> bool:
        """Marks a one-time code as used; False if it, or a later one, was used already."""
        account = a.staff_accounts.c
        where = and_(account.name == name, account.totp_step < step)
        return self._change(a.staff_accounts, where, {"totp_step": step})

    def set_recovery(self, name: str, digests: list[str]) -> None:
        """The recovery codes of an account, in place of those before."""
        with self.write() as connection:
            connection.execute(delete(a.recovery_codes).where(a.recovery_codes.c.name == name))
            if digests:
                rows = [{"name": name, "code_sha256": digest} for digest in digests]
                connection.execute(insert(a.recovery_codes), rows)

    def take_recovery(self, name: str, digest: str) -> bool:
        """Uses a recovery code up; False if it is not one."""
        code = a.recovery_codes.c
        with self.write() as connection:
            found = connection.execute(
                delete(a.recovery_codes).where(code.name == name, code.code_sha256 == digest)
            )
            return bool(found.rowcount)

    # -- sessions -------------------------------------------------------------------------

    def session_of(self, token_sha256: str) -> tuple[Session, Account | None] | None:
        """A session with its account; none belongs to the shared password."""
        column = a.staff_sessions.c
        rows = self.read(select(a.staff_sessions).where(column.token_sha256 == token_sha256))
        if not rows:
            return None
        return Session(**rows[0]), self.account(rows[0]["name"])

    def sessions(self, name: str | None = None) -> list[Session]:
        """Sessions of one or of all, the newest first."""
        statement = select(a.staff_sessions).order_by(a.staff_sessions.c.created_us.desc())
        if name is not None:
            statement = statement.where(a.staff_sessions.c.name == name)
        return [Session(**row) for row in self.read(statement.limit(1_000))]

    def add_session(self, session: Session, *, instead_of: str = "") -> None:
        """A new session; the one it replaces is over."""
        column = a.staff_sessions.c
        with self.write() as connection:
            over = (column.ends_us <= session.created_us) | (column.token_sha256 == instead_of)
            connection.execute(delete(a.staff_sessions).where(over))
            connection.execute(insert(a.staff_sessions), [asdict(session)])

    def seen_session(self, token_sha256: str, seen_us: int) -> None:
        """It was used."""
        where = a.staff_sessions.c.token_sha256 == token_sha256
        self._change(a.staff_sessions, where, {"seen_us": seen_us})

    def end_sessions(
        self, *, name: str | None = None, session_id: str | None = None, but: str = ""
    ) -> int:
        """Ends sessions of an account, or one by its id; `but` is a token's digest to spare."""
        column = a.staff_sessions.c
        where = column.token_sha256 != but
        if name is not None:
            where = and_(where, column.name == name)
        if session_id is not None:
            where = and_(where, column.session_id == session_id)
        with self.write() as connection:
            return int(connection.execute(delete(a.staff_sessions).where(where)).rowcount)

    # -- keys -----------------------------------------------------------------------------

    def all_keys(self) -> list[ApiKey]:
        """All API keys, the newest first."""
        rows = self.read(select(a.api_keys).order_by(a.api_keys.c.created_us.desc()))
        return [_key(row) for row in rows]

    def key(self, key_id: str) -> ApiKey | None:
        """One of them."""
        rows = self.read(select(a.api_keys).where(a.api_keys.c.key_id == key_id))
        return _key(rows[0]) if rows else None

    def add_key(self, key: ApiKey) -> None:
        """A new key."""
        with self.write() as connection:
            connection.execute(
                insert(a.api_keys), [{**asdict(key), "scopes": json.dumps(key.scopes)}]
            )

    def change_key(self, key_id: str, **values: int) -> bool:
        """Writes `used_us` or `revoked_us`; False if there is no such key."""
        return self._change(a.api_keys, a.api_keys.c.key_id == key_id, values)

    # -- inside ---------------------------------------------------------------------------

    def _change(self, table: Table, where: Any, values: dict[str, Any]) -> bool:
        with self.write() as connection:
            return bool(connection.execute(update(table).where(where).values(**values)).rowcount)


def _tables_of(module: Any) -> list[Table]:
    return [getattr(module, name) for name in module.__all__]


def _key(row: dict[str, Any]) -> ApiKey:
    values = {item.name: row[item.name] for item in fields(ApiKey)}
    return ApiKey(**{**values, "scopes": tuple(json.loads(row["scopes"]))})
