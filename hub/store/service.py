"""The database as the hub uses it: one commit at a time, and reading back for replay.

Works on SQLite (a file or :memory:) and PostgreSQL. Not thread-safe by itself: the hub's facade
holds a lock. Every failure is a StoreError, and of a failed commit nothing is stored.
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from operator import itemgetter
from typing import Any

from sqlalchemy import (
    Column,
    ColumnElement,
    Connection,
    Dialect,
    Executable,
    Insert,
    Select,
    Table,
    delete,
    func,
    insert,
    select,
    text,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.sql.compiler import SQLCompiler

from hub.chain import GENESIS, canonical, event_text, link_text
from hub.disputes.tables import dispute_words
from hub.errors import ChainBrokenError, StoreError, StoreWriteError
from hub.evidence.tables import evidence
from hub.fiscal.tables import fiscal_entries
from hub.parcels.tables import contacts, orders
from hub.receipts.tables import mails
from hub.store import tables as t
from hub.store.database import is_memory, migrate, open_engine, short, shown
from hub.store.journal import JournalEntry, Snapshot
from hub.store.lease import Lease, NoLease
from hub.store.rows import Rows
from hub.wallet import purse_tables
from hub.wallet.tables import gateway_intents, gateway_payers

__all__ = ["Store"]

_ORDER: tuple[Table, ...] = (
    t.inbox,
    t.commands,
    t.dead_letters,
    t.events,
    t.ledger_accounts,
    t.ledger_transactions,
    t.ledger_entries,
    t.visits,
    t.holds,
    purse_tables.funding,
    purse_tables.wallets,
    purse_tables.gift_cards,
    purse_tables.payouts,
    purse_tables.chargebacks,
    t.gateway_attempts,
    t.receipts,
    t.receipt_lines,
    t.products,
    t.prices,
    t.planogram,
    t.stock,
    t.node_configs,
    t.clocks,
    t.payers,
    t.snapshots,
    evidence,
    mails,
    dispute_words,
    gateway_payers,
    gateway_intents,
    fiscal_entries,
    orders,
    contacts,
)
READ_CHUNK = 1_000
TOLD_EVERY = 50_000
_TRANSACTION = (
    "number", "tx_id", "at_us", "phase", "kind", "visit_id", "currency", "resolves",
)  # fmt: skip
"""What the hash of a transaction is taken of, its entries aside."""
_Plain = tuple[str, Callable[[dict[str, Any]], Any] | None]


class Store:
    """One store's database. With a lease every commit is made under it, or fails."""

    def __init__(self, url: str, lease: Lease | None = None) -> None:
        self.url = url
        self.lease: Lease = NoLease() if lease is None else lease
        self.memory = is_memory(url)
        self._engine = open_engine(url)
        self._insert_sql: dict[str, _Plain] = {}
        self._upsert_sql: dict[str, _Plain] = {}
        try:
            with self._engine.connect() as connection:
                self.lease.fence(connection)
                migrate(connection)
                connection.commit()
            self._writer: Connection = self._engine.connect()
        except SQLAlchemyError as error:
            self._engine.dispose()
            raise StoreError(
                f"expected a database that can be opened and written at {shown(url)}: "
                f"{short(error)}"
            ) from error
        except StoreError:
            self._engine.dispose()
            raise

    @property
    def dialect(self) -> str:
        """Which kind of database it is: sqlite or postgresql."""
        return self._engine.dialect.name

    def close(self) -> None:
        """Closes all connections."""
        with suppress(SQLAlchemyError):
            # A connection that broke cannot be given back, and need not be.
            self._writer.close()
        self._engine.dispose()

    # -- writing --------------------------------------------------------------------------

    def write(self, rows: Rows) -> None:
        """Commits all rows at once, or raises StoreWriteError and stores none of them;
        LeaseLostError if another hub owns the store by now."""
        with self._commit("stored"):
            for table in _ORDER:
                if table.name in rows.inserts:
                    if table is t.receipts:
                        self._number(rows.inserts[table.name])
                    self._insert(table, rows.inserts[table.name])
                if table.name in rows.upserts:
                    self._upsert(table, list(rows.upserts[table.name].values()))

    def mark_dead(self, device_id: str, boot_id: str, sequence: int) -> bool:
        """A stored message is known to break the rules' code: replay passes over it."""
        with self._commit("stored"):
            result = self._writer.execute(
                update(t.inbox)
                .where(
                    t.inbox.c.device_id == device_id,
                    t.inbox.c.boot_id == boot_id,
                    t.inbox.c.sequence == sequence,
                )
                .values(dead=True)
            )
        return bool(result.rowcount)

    def prune(self, before_position: int, inbox_before_us: int) -> None:
        """Forgets inputs that a snapshot made needless; messages only when old enough."""
        upto = min(before_position, self.older_than(t.inbox.c.received_us, inbox_before_us))
        with self._commit("pruned"):
            # What was needless at the snapshot before went then: only what came since is looked at.
            last = (
                select(func.coalesce(func.max(t.snapshots.c.position), 0))
                .where(t.snapshots.c.position < before_position)
                .scalar_subquery()
            )
            self._writer.execute(
                delete(t.commands).where(
                    t.commands.c.position > last,
                    t.commands.c.position <= before_position,
                    t.commands.c.kind.in_(("tick", "pong")),
                )
            )
            self._writer.execute(delete(t.inbox).where(t.inbox.c.position <= upto))
            self._writer.execute(
                delete(t.snapshots).where(t.snapshots.c.position < before_position)
            )

    def run_all(self, statements: Sequence[Executable]) -> None:
        """Commits changes that are no rows of the hub's own, all or none. StoreWriteError."""
        with self._commit("changed"):
            for statement in statements:
                self._writer.execute(statement)

    def scrub(self, *, whole: bool = False) -> None:
        """Takes what was erased out of the files: the log beside SQLite's, PostgreSQL's dead rows;
        `whole` writes the file anew, which keeps everybody waiting. StoreWriteError."""
        if self.memory:
            return
        try:
            if self._engine.dialect.name != "sqlite":
                with self._engine.connect() as connection:
                    alone = connection.execution_options(isolation_level="AUTOCOMMIT")
                    alone.exec_driver_sql("VACUUM")
                return
            with self.connect() as connection:
                # No transaction may be open, and the engine has begun one.
                connection.exec_driver_sql("ROLLBACK")
                for part in ("VACUUM", "PRAGMA wal_checkpoint(TRUNCATE)")[not whole :]:
                    connection.exec_driver_sql(part)
                connection.exec_driver_sql("BEGIN")
        except SQLAlchemyError as error:
            raise StoreWriteError(f"what was erased was not scrubbed: {short(error)}") from error

    @contextmanager
    def _commit(self, done: str) -> Iterator[None]:
        """One transaction of the writer, under the lease."""
        try:
            with self._writer.begin():
                self.lease.fence(self._writer)
                yield
        except SQLAlchemyError as error:
            raise StoreWriteError(f"nothing was {done}: {short(error)}") from error

    def _insert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        plain = self._insert_sql.get(table.name)
        if plain is None:
            # A number that the database gives is not among a row's keys.
            plain = _plain(insert(table).inline(), self._engine.dialect, list(rows[0]))
            self._insert_sql[table.name] = plain
        self._many(plain, rows)

    def _number(self, receipts: list[dict[str, Any]]) -> None:
        """Numbers receipts in the order of settlements. With the commit, so that no number is
        lost with one that fails."""
        last = self._writer.execute(select(func.max(t.receipts.c.number))).scalar_one() or 0
        for number, row in enumerate(receipts, last + 1):
            row["number"] = number

    def run(self, statement: Any) -> int:
        """One statement about what is not journaled (evidence, mails, words of disputes), in a
        commit of its own; how many rows it changed. The caller holds the hub's lock."""
        with self._commit("stored"):
            return int(self._writer.execute(statement).rowcount)

    def _upsert(self, table: Table, rows: list[dict[str, Any]]) -> None:
        plain = self._upsert_sql.get(table.name)
        if plain is None:
            keys = [column.name for column in table.primary_key.columns]
            name = self._engine.dialect.name
            statement = (postgresql if name == "postgresql" else sqlite).insert(table)
            others = {
                column.name: statement.excluded[column.name]
                for column in table.columns
                if column.name not in keys
            }
            statement = statement.on_conflict_do_update(index_elements=keys, set_=others)
            plain = _plain(statement, self._engine.dialect, list(rows[0]))
            self._upsert_sql[table.name] = plain
        self._many(plain, rows)

    def _many(self, plain: _Plain, rows: list[dict[str, Any]]) -> None:
        """The driver's own executemany: to build the parameters of a row costs SQLAlchemy more
        than to write it. No column needs a conversion that the drivers do not do themselves."""
        statement, ordered = plain
        values: Any = rows if ordered is None else [ordered(row) for row in rows]
        self._writer.exec_driver_sql(statement, values)

    # -- reading --------------------------------------------------------------------------

    def connect(self) -> Connection:
        """A connection that only reads; the caller closes it."""
        return self._engine.connect().execution_options(reading=True)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A connection for one question."""
        with self.connect() as connection:
            yield connection

    def rows(self, table: Table, *order: str) -> list[dict[str, Any]]:
        """All rows of a table, ordered by columns."""
        statement = select(table).order_by(*(table.c[name] for name in order))
        return self._read(statement)

    def select(self, statement: Select[Any]) -> list[dict[str, Any]]:
        """The rows of a question; in memory only between the writes, under the hub's lock."""
        return self._read(statement)

    def stream(self, statement: Select[Any]) -> Iterator[dict[str, Any]]:
        """The rows of a question one by one, READ_CHUNK of them in memory at a time. In memory
        only between the writes, and then all at once."""
        if self.memory:
            yield from self._read(statement)
            return
        names = statement.selected_columns.keys()
        for row in self._tuples(statement):
            yield dict(zip(names, row, strict=True))

    def _tuples(self, statement: Select[Any]) -> Iterator[Sequence[Any]]:
        """As `stream`, without the names."""
        if self.memory:
            yield from (tuple(row.values()) for row in self._read(statement))
            return
        try:
            with (
                self.reading() as connection,
                connection.execution_options(yield_per=READ_CHUNK).execute(statement) as reading,
            ):
                for part in reading.partitions():
                    yield from part
        except SQLAlchemyError as error:
            raise StoreError(f"the database cannot be read: {short(error)}") from error

    def transactions(self, after: int = 0) -> Iterator[tuple[dict[str, Any], list[list[Any]]]]:
        """Transactions after a number, in order, each with its entries as [account, amount]."""
        entry, of = t.ledger_entries.c, t.ledger_transactions.c
        # Transactions are asked for first: what is written meanwhile is among the entries only.
        rows = self.stream(
            select(t.ledger_transactions).where(of.number > after).order_by(of.number)
        )
        lines = self._tuples(
            select(entry.number, entry.account, entry.amount_minor)
            .where(entry.number > after)
            .order_by(entry.number, entry.line)
        )
        row = next(rows, None)
        line = next(lines, None)
        while row is not None:
            number = row["number"]
            entries: list[list[Any]] = []
            while line is not None and line[0] <= number:
                if line[0] == number:
                    entries.append([line[1], line[2]])
                line = next(lines, None)
            yield row, entries
            row = next(rows, None)

    def visit_record(self, *, visit_id: str = "", token_sha256: str = "") -> dict[str, Any] | None:
        """The stored state of a visit, by id or token."""
        column = t.visits.c.visit_id if visit_id else t.visits.c.token_sha256
        found = self._read(select(t.visits.c.record).where(column == (visit_id or token_sha256)))
        return json.loads(found[0]["record"]) if found else None

    def visits_paid_by(self, hold_key: str) -> list[str]:
        """The visits that another's hold, a tab's, has paid."""
        legs = purse_tables.funding.c
        paid = select(legs.visit_id).distinct().order_by(legs.visit_id)
        # The second condition is that of the index.
        rows = self._read(paid.where(legs.paid_by == hold_key, legs.paid_by != ""))
        return [row["visit_id"] for row in rows]

    def count(self, table: Table, *where: ColumnElement[bool]) -> int:
        """How many rows of a table there are, or of those for which conditions hold."""
        statement = select(func.count().label("n")).select_from(table).where(*where)
        return int(self._read(statement)[0]["n"])

    def last_position(self) -> int:
        """The position of the latest journal entry; 0 if there is none."""
        found = [
            self._read(select(func.max(table.c.position).label("n")))[0]["n"] or 0
            for table in (t.inbox, t.commands, t.snapshots)
        ]
        return max(int(value) for value in found)

    def older_than(self, column: Column[int], at_us: int) -> int:
        """The last position of the inputs that came before a time. `column` says when one came;
        times only grow with the positions, so that no more than those inputs are looked at."""
        position = column.table.c.position
        first = select(position).where(column >= at_us).order_by(position).limit(1)
        if found := self._read(first):
            return int(found[0]["position"]) - 1
        return int(self._read(select(func.max(position).label("n")))[0]["n"] or 0)

    def size_bytes(self) -> int:
        """How large the database is, its log aside."""
        if self._engine.dialect.name == "postgresql":
            statement = select(func.pg_database_size(func.current_database()).label("n"))
            return int(self._read(statement)[0]["n"])
        pages, size = (
            int(self._read(text(f"SELECT * FROM pragma_{name}"))[0][name])
            for name in ("page_count", "page_size")
        )
        return pages * size

    def heads(self) -> tuple[tuple[int, str], tuple[int, str]]:
        """Number and hash of the last event and of the last transaction."""
        heads = []
        for table in (t.events, t.ledger_transactions):
            found = self._read(
                select(table.c.number, table.c.hash).order_by(table.c.number.desc()).limit(1)
            )
            heads.append((found[0]["number"], found[0]["hash"]) if found else (0, GENESIS))
        return heads[0], heads[1]

    def snapshot(self) -> Snapshot | None:
        """The latest snapshot."""
        found = self._read(select(t.snapshots).order_by(t.snapshots.c.position.desc()).limit(1))
        return Snapshot(**found[0]) if found else None

    def journal(self, after_position: int) -> Iterator[JournalEntry]:
        """Every input after a position, in order."""
        yield from heapq.merge(
            self._inbox(after_position),
            self._commands(after_position),
            key=lambda entry: entry.position,
        )

    def verify(
        self,
        *,
        after_event: int = 0,
        after_transaction: int = 0,
        told: Callable[[str, int], None] = lambda _table, _number: None,
    ) -> None:
        """Follows both hash chains; ChainBrokenError names the first row that does not fit. `told`
        now and then gets the table and the number that was reached."""
        self._verify_events(after_event, told)
        self._verify_ledger(after_transaction, told)

    def _verify_events(self, after: int, told: Callable[[str, int], None]) -> None:
        previous = self._hash_at(t.events, after)
        number = t.events.c.number
        rows = self.stream(select(t.events).where(number > after).order_by(number))
        for expected, row in enumerate(rows, after + 1):
            previous = _follow("events", expected, row, previous, event_text(row))
            if expected % TOLD_EVERY == 0:
                told("events", expected)

    def _verify_ledger(self, after: int, told: Callable[[str, int], None]) -> None:
        previous = self._hash_at(t.ledger_transactions, after)
        for number, (row, entries) in enumerate(self.transactions(after), after + 1):
            content = {name: row[name] for name in _TRANSACTION}
            content["entries"] = entries
            text = canonical(content)
            previous = _follow("ledger_transactions", number, row, previous, text)
            if number % TOLD_EVERY == 0:
                told("ledger_transactions", number)

    def _hash_at(self, table: Table, number: int) -> str:
        if number == 0:
            return GENESIS
        found = self._read(select(table.c.hash).where(table.c.number == number))
        if not found:
            raise ChainBrokenError(f"{table.name} row {number} is missing")
        return str(found[0]["hash"])

    def _inbox(self, after: int) -> Iterator[JournalEntry]:
        for row in self._paged(t.inbox, after):
            yield JournalEntry(
                row["position"], row["received_us"], "inbox", "", row["payload"], row["dead"]
            )

    def _commands(self, after: int) -> Iterator[JournalEntry]:
        for row in self._paged(t.commands, after):
            yield JournalEntry(
                row["position"], row["at_us"], "command", row["kind"], row["payload"]
            )

    def _paged(self, table: Table, after: int) -> Iterator[dict[str, Any]]:
        position = table.c.position
        while True:
            page = self._read(
                select(table).where(position > after).order_by(position).limit(READ_CHUNK)
            )
            yield from page
            if len(page) < READ_CHUNK:
                return
            after = page[-1]["position"]

    def _read(self, statement: Any) -> list[dict[str, Any]]:
        try:
            if self.memory:
                # There is one connection only, so reads go between the writes.
                with self._writer.begin():
                    return [dict(row) for row in self._writer.execute(statement).mappings()]
            with self.reading() as connection:
                return [dict(row) for row in connection.execute(statement).mappings()]
        except SQLAlchemyError as error:
            raise StoreError(f"the database cannot be read: {short(error)}") from error


def _plain(statement: Insert, dialect: Dialect, keys: list[str]) -> _Plain:
    """The driver's own text of a statement that writes rows with these keys, and what puts a
    row's values into the order of its marks; None where marks have names."""
    compiled = statement.compile(dialect=dialect, column_keys=keys)
    names = compiled.positiontup if isinstance(compiled, SQLCompiler) else None
    return str(compiled), None if names is None else itemgetter(*names)


def _follow(table: str, number: int, row: dict[str, Any], previous: str, content: str) -> str:
    """Checks one row of a chain by its canonical text and returns its hash."""
    expected = link_text(previous, content)
    if row["number"] != number or row["previous_hash"] != previous or row["hash"] != expected:
        raise ChainBrokenError(
            f"{table} row {number}: expected hash {expected}, the row has number "
            f"{row['number']} and hash {row['hash']}; it was changed after it was written"
        )
    return expected
