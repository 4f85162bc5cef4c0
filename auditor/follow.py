"""The auditor while the hub works: new rows of its database, judged as they are committed.

    follower = Follower(path)            # a hub's SQLite file
    findings = follower.step()           # what the rows since the last step break
    follower.close()                     # before the file is moved or its machine "crashes"

Each step reads what is new and the stock, so that it costs about as much as what happened. What
needs the whole of the books (auditor.ledger) is judged less often. Reads the documented tables
with SQL of its own. UnreadableError if it is no hub's database.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from auditor.chain import FIRST_HASH, digest_of
from auditor.errors import UnreadableError

__all__ = ["STEP_CHECKS", "Follower"]

EVENTS = ("number", "at_us", "kind", "visit_id", "data")
TRANSACTIONS = ("number", "tx_id", "at_us", "phase", "kind", "visit_id", "currency", "resolves")
BALANCES = ("stored:", "gift:")
STEP_CHECKS = (
    "entries are balanced as they come",
    "chains go on",
    "settled once as it happens",
    "holds resolved once as it happens",
    "funds above the floor as it happens",
    "refunds within charges as it happens",
    "stock is conserved as it moves",
    "inbox only grows and names each once",
)


class Follower:
    """Keeps balances, heads and counts of what it has read. `checked` counts by check."""

    def __init__(self, path: Path) -> None:
        self.checked: Counter[str] = Counter()
        self._path = path
        self._db: sqlite3.Connection | None = None
        self._events = (0, FIRST_HASH)
        self._transactions = (0, FIRST_HASH)
        self._position = 0
        self._posted: Counter[str] = Counter()
        self._pending: dict[str, list[tuple[str, int]]] = {}
        self._resolved: set[str] = set()
        self._settled: set[str] = set()
        self._charged: Counter[str] = Counter()
        self._refunded: Counter[str] = Counter()
        self._messages: set[tuple[str, str, int]] = set()

    def step(self) -> list[str]:
        """Findings in what was committed since the last step, as sentences."""
        try:
            with self._opened() as database:
                database.execute("BEGIN")
                findings = [
                    *self._new_events(database),
                    *self._new_transactions(database),
                    *self._stock(database),
                    *self._new_messages(database),
                ]
                database.execute("COMMIT")
        except sqlite3.Error as error:
            self.close()
            raise UnreadableError(
                f"{self._path}: expected a hub's database that can be read, got {error}"
            ) from error
        return findings

    def close(self) -> None:
        """Lets go of the file; the next step opens it again and goes on where it was."""
        if self._db is not None:
            self._db.close()
            self._db = None

    def _opened(self) -> sqlite3.Connection:
        if self._db is None:
            self._db = sqlite3.connect(self._path, isolation_level=None)
            self._db.row_factory = sqlite3.Row
        return self._db

    def _new_events(self, database: sqlite3.Connection) -> Iterator[str]:
        rows = database.execute(
            "SELECT * FROM events WHERE number > ? ORDER BY number", (self._events[0],)
        ).fetchall()
        for row in rows:
            content = {name: row[name] for name in EVENTS}
            content["data"] = json.loads(row["data"])
            self._events, broken = self._linked("events", self._events, row, content)
            yield from broken
            if row["kind"] == "visit.settled":
                self.checked["settled once as it happens"] += 1
                if row["visit_id"] in self._settled:
                    yield f"event {row['number']}: visit {row['visit_id']} settles again"
                self._settled.add(row["visit_id"])

    def _new_transactions(self, database: sqlite3.Connection) -> Iterator[str]:
        rows = database.execute(
            "SELECT * FROM ledger_transactions WHERE number > ? ORDER BY number",
            (self._transactions[0],),
        ).fetchall()
        for row in rows:
            entries = [
                (entry["account"], entry["amount_minor"])
                for entry in database.execute(
                    "SELECT account, amount_minor FROM ledger_entries WHERE number = ? "
                    "ORDER BY line",
                    (row["number"],),
                )
            ]
            content = {name: row[name] for name in TRANSACTIONS}
            content["entries"] = [list(entry) for entry in entries]
            self._transactions, broken = self._linked(
                "transactions", self._transactions, row, content
            )
            yield from broken
            yield from self._booked(row, entries)

    def _booked(self, row: sqlite3.Row, entries: list[tuple[str, int]]) -> Iterator[str]:
        name = f"transaction {row['number']}"
        self.checked["entries are balanced as they come"] += 1
        if any(type(amount) is not int for _account, amount in entries):
            yield f"{name}: an amount is not a whole number: {entries}"
            return
        if sum(amount for _account, amount in entries):
            yield f"{name}: entries do not sum to 0: {entries}"
        if row["resolves"]:
            self.checked["holds resolved once as it happens"] += 1
            if row["resolves"] in self._resolved or row["resolves"] not in self._pending:
                yield f"{name}: resolves {row['resolves']}, which does not wait for it"
            self._resolved.add(row["resolves"])
            self._pending.pop(row["resolves"], None)
        if row["phase"] == "pending":
            self._pending[row["tx_id"]] = entries
        elif row["phase"] == "posted":
            for account, amount in entries:
                self._posted[account] += amount
        elif row["phase"] != "void":
            yield f"{name}: unknown phase {row['phase']!r}"
        yield from self._limits(name, row, entries)

    def _limits(self, name: str, row: sqlite3.Row, entries: list[tuple[str, int]]) -> Iterator[str]:
        waiting: Counter[str] = Counter()
        leaving: Counter[str] = Counter()
        for held in self._pending.values():
            for account, amount in held:
                waiting[account] += amount
                leaving[account] += max(0, amount)
        for account in {account for account, _ in entries if account.startswith("wallet:")}:
            self.checked["funds above the floor as it happens"] += 1
            if -(self._posted[account] + waiting[account]) < 0:
                yield f"{name}: {account} falls below zero"
        for account in {account for account, _ in entries if account.startswith(BALANCES)}:
            # What is on its way in cannot be spent, what is reserved is spent already.
            self.checked["funds above the floor as it happens"] += 1
            if self._posted[account] + leaving[account] > 0:
                yield f"{name}: {account} falls below zero"
        gross = sum(a for account, a in entries if account.split(":")[0] in ("revenue", "vat"))
        if row["kind"] == "charge":
            self._charged[row["visit_id"]] -= gross
        elif row["kind"] == "refund":
            self.checked["refunds within charges as it happens"] += 1
            self._refunded[row["visit_id"]] += gross
            if self._refunded[row["visit_id"]] > self._charged[row["visit_id"]]:
                yield (
                    f"{name}: {self._refunded[row['visit_id']]} of visit {row['visit_id']} go "
                    f"back, {self._charged[row['visit_id']]} were charged"
                )

    def _linked(
        self, part: str, head: tuple[int, str], row: sqlite3.Row, content: dict[str, Any]
    ) -> tuple[tuple[int, str], Iterable[str]]:
        """The chain's next head, and what is wrong with the row."""
        self.checked["chains go on"] += 1
        found = []
        if row["number"] != head[0] + 1:
            found.append(f"{part}: expected number {head[0] + 1}, found {row['number']}")
        if row["previous_hash"] != head[1] or row["hash"] != digest_of(head[1], content):
            found.append(f"{part} {row['number']}: the row does not fit its hash")
        return (row["number"], row["hash"]), found

    def _stock(self, database: sqlite3.Connection) -> Iterator[str]:
        self.checked["stock is conserved as it moves"] += 1
        rows = database.execute(
            "SELECT gtin, initial + restocked - in_carts - sold - unaccounted - found - removed"
            " - (SELECT coalesce(sum(on_hand), 0) FROM stock WHERE stock.gtin = products.gtin),"
            " min(initial, restocked, in_carts, sold, unaccounted, found, removed,"
            " (SELECT coalesce(min(on_hand), 0) FROM stock WHERE stock.gtin = products.gtin))"
            " FROM products"
        )
        for gtin, missing, least in rows:
            if missing:
                yield f"product {gtin}: {missing} pieces are nowhere"
            if least < 0:
                yield f"product {gtin}: a count is {least}"

    def _new_messages(self, database: sqlite3.Connection) -> Iterator[str]:
        rows = database.execute(
            "SELECT position, device_id, boot_id, sequence FROM inbox WHERE position > ? "
            "ORDER BY position",
            (self._position,),
        ).fetchall()
        self.checked["inbox only grows and names each once"] += 1
        for row in rows:
            key = (row["device_id"], row["boot_id"], row["sequence"])
            self._position = row["position"]
            if key in self._messages:
                yield f"message {'/'.join(map(str, key))} was taken twice"
            self._messages.add(key)
