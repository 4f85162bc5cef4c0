"""A hub's database of a year, made of one day that the hub really took in.

    made = make_year(folder / "hub.sqlite", layout, days=365, visits=1000, block=250)

A block of visits is played through the hub, with its attribution and its money, until staff have
put back what was sold: then the store is as it was, and the block may be told again. Its rows are
written once more for each part of the year with other ids, later times and numbers that go on, and
both hash chains are computed anew. What follows from all rows together (stock, balances, the
latest snapshot) is patched to match, and inputs are kept for as long as the hub keeps them.
`sortie hub verify` judges whether that is right.
"""

from __future__ import annotations

import hashlib
import json
import re
import sqlite3
import time
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.visits import Crowd
from contracts.store_file import StoreFile
from hub.attribution.engine import Engine
from hub.chain import canonical, event_text, link_text
from hub.replay import begun, snapshot_row
from hub.retention.service import forget_record, forgotten_token
from hub.retention.settings import Retention
from hub.rules import Rules
from hub.service import Hub
from hub.store.journal import Snapshot

__all__ = ["Made", "make_year"]

DAY_S = 86_400
LONG_AGO_S = 1e8
"""A number of seconds beyond this is a moment, a smaller one is how long something lasts."""
IDS = re.compile(
    r"v-[0-9a-f]{20}|(?<![0-9a-f])[0-9a-f]{64}(?![0-9a-f])|(?:reach|code|round|bench)-a(?=[-\"]|$)"
)
TIMES = re.compile(r'(?<=_us":)(\d+)|(?<=_us": )(\d+)|(?<=_s": )(\d+\.\d+)')
PLAIN = ("visits", "holds", "gateway_attempts", "receipts", "receipt_lines")
INPUTS = ("inbox", "commands")
RULES = Rules(clock_wait_s=0.0)
"""The nodes of the block answer no ping, so that there is nothing to wait for."""
FAST = ("journal_mode=OFF", "synchronous=OFF", "foreign_keys=OFF", "cache_size=-200000")


@dataclass(frozen=True, slots=True)
class Made:
    """What was built, and what building it took."""

    visits: int
    events: int
    transactions: int
    file_mb: float
    played_s: float
    cloned_s: float
    cpu_s: float


class _Names:
    """Ids and moments of the block by short names, and what they are in other parts of the year."""

    def __init__(self) -> None:
        self._ids: dict[str, str] = {}
        self._us: dict[int, str] = {}
        self._s: dict[float, str] = {}
        self.tokens: dict[str, str] = {}
        """From a token to its visit."""

    def template(self, words: str, *, times: bool = False) -> str:
        """Words with names in the place of ids, and of moments if there are any; a constant has
        no mark."""
        marked = words.replace("%", "%%")
        found = IDS.sub(lambda match: f"%({self._id(match[0])})s", marked)
        if times:
            found = TIMES.sub(self._moment, found)
        return found if found != marked else words

    def of_part(self, part: int, shift_us: int, *, forgotten: bool) -> dict[str, Any]:
        """The values of one part."""
        values: dict[str, Any] = {name: _other(old, part) for old, name in self._ids.items()}
        if forgotten:
            for token, visit_id in self.tokens.items():
                values[self._ids[token]] = forgotten_token(values[self._ids[visit_id]])
        for at_us, name in self._us.items():
            values[name] = at_us + shift_us
        for at_s, name in self._s.items():
            values[name] = repr((round(at_s * 1e6) + shift_us) / 1e6)
        return values

    def _id(self, old: str) -> str:
        return self._ids.setdefault(old, f"i{len(self._ids)}")

    def _moment(self, match: re.Match[str]) -> str:
        if match[3] is not None:
            at_s = float(match[3])
            if at_s < LONG_AGO_S:
                return match[0]
            return f"%({self._s.setdefault(at_s, f's{len(self._s)}')})s"
        at_us = int(match[0])
        if at_us < LONG_AGO_S * 1e6:
            return match[0]
        return f"%({self._us.setdefault(at_us, f'u{len(self._us)}')})d"


class _Table:
    """The block's rows of one table, ready to be written again."""

    def __init__(
        self, names: _Names, columns: Sequence[str], rows: Sequence[Sequence[Any]], step: int
    ) -> None:
        self.columns = tuple(columns)
        self._step = step
        self.rows = [
            [_cell(names, name, value) for name, value in zip(columns, row, strict=True)]
            for row in rows
        ]

    def of_part(self, part: int, values: dict[str, Any], shift_us: int) -> Iterator[list[Any]]:
        """The rows as they are in one part; hashes are still those of the block."""
        change = (0, shift_us, part * self._step)
        for row in self.rows:
            yield [
                (value % values if mark else value)
                if isinstance(value, str)
                else (value + change[kind] if kind else value)
                for kind, mark, value in row
            ]


def _cell(names: _Names, column: str, value: Any) -> tuple[int, bool, Any]:
    """A value and how it changes: as a moment (1), as a number that goes on (2), or by its ids."""
    if isinstance(value, str):
        told = value
        if column not in ("previous_hash", "hash"):
            told = names.template(value, times=column in ("data", "record"))
        return 0, told != value, told
    if value is None:
        return 0, False, None
    return (1 if column.endswith("_us") else 2 * (column in ("number", "position"))), False, value


def _other(old: str, part: int) -> str:
    if old.endswith("-a"):
        return f"{old[:-1]}{part}" if part else old
    if not part:
        return old
    digest = hashlib.sha256(f"{part} {old}".encode()).hexdigest()
    return f"v-{digest[:20]}" if old.startswith("v-") else digest


def make_year(
    path: Path, layout: StoreFile, *, days: int, visits: int, block: int, end_s: float
) -> Made:
    """Builds the database at `path`, its last day ending at `end_s`. RuntimeError if the block
    does not leave the store as it was, ValueError if visits a day are not whole blocks."""
    if visits % block:
        raise ValueError(f"expected visits a day in whole blocks of {block}, got {visits}")
    parts = days * visits // block
    period_s = DAY_S * block // visits
    began, cpu_s = time.perf_counter(), time.process_time()
    first = _play(path, layout, block, end_s - parts * period_s)
    played_s = time.perf_counter() - began
    with closing(sqlite3.connect(path)) as database:
        _Year(database, first, period_s=period_s, parts=parts).write()
        numbers = [
            int(database.execute(f"SELECT max(number) FROM {name}").fetchone()[0])
            for name in ("events", "ledger_transactions")
        ]
    return Made(
        visits=parts * block,
        events=numbers[0],
        transactions=numbers[1],
        file_mb=round(path.stat().st_size / 1e6, 1),
        played_s=round(played_s, 1),
        cloned_s=round(time.perf_counter() - began - played_s, 1),
        cpu_s=round(time.process_time() - cpu_s, 1),
    )


def _play(path: Path, layout: StoreFile, block: int, begin_s: float) -> tuple[int, int, int]:
    """Plays the block; the event, transaction and position before it."""
    hub = Hub.open(layout, url=f"sqlite:///{path}", attributor=Engine, rules=RULES)
    try:
        hub.start(begin_s)
        crowd = Crowd(hub, layout, begin_s=begin_s)
        hub.compact(begin_s)
        state = hub.core.state
        before = state.log.number, state.wallets.ledger.number, hub.store.last_position()
        shelf = dict(state.stock.shelf)
        for _ in range(block):
            crowd.visit()
        crowd.restock()
        if not hub.compact(crowd.now_s) or state.stock.shelf != shelf:
            raise RuntimeError("expected the store to be as it was before the block, it is not")
        return before
    finally:
        hub.close()


class _Year:
    """Writes the parts of the year after the first one, and patches what follows from all."""

    def __init__(
        self,
        database: sqlite3.Connection,
        before: tuple[int, int, int],
        *,
        period_s: int,
        parts: int,
    ) -> None:
        self._db = database
        self._parts = parts
        self._period_us = period_s * 1_000_000
        self._names = _Names()
        database.row_factory = None
        for pragma in FAST:
            database.execute(f"PRAGMA {pragma}").fetchall()
        event, transaction, position = before
        last = self._one("SELECT max(position) FROM snapshots")
        self._steps = {
            "events": self._one("SELECT max(number) FROM events") - event,
            "ledger_transactions": self._one("SELECT max(number) FROM ledger_transactions"),
            "receipts": self._one("SELECT max(number) FROM receipts"),
            "inputs": last - position,
        }
        self._last_position = last
        self._tables = {
            "events": self._table("events", f"number > {event}"),
            "ledger_transactions": self._table("ledger_transactions", f"number > {transaction}"),
            "ledger_accounts": self._table("ledger_accounts", "account LIKE '%guest-%'"),
            "ledger_entries": self._table("ledger_entries", f"number > {transaction}"),
            **{name: self._table(name, "true") for name in PLAIN},
            **{name: self._table(name, f"position > {position}") for name in INPUTS},
        }
        for token, visit_id in database.execute("SELECT token_sha256, visit_id FROM visits"):
            self._names.tokens[token] = visit_id
        self._forgotten = self._forgotten_visits()
        self._heads = {
            name: self._db.execute(f"SELECT hash FROM {name} ORDER BY number DESC").fetchone()[0]
            for name in ("events", "ledger_transactions")
        }

    def write(self) -> None:
        """All of it."""
        retention = Retention()
        indexes = self._db.execute(
            "SELECT name, sql FROM sqlite_master WHERE type = 'index' AND sql IS NOT NULL"
        ).fetchall()
        for name, _sql in indexes:
            self._db.execute(f"DROP INDEX {name}")
        day_us = DAY_S * 1_000_000
        for part in range(self._parts):
            left_us = (self._parts - part) * self._period_us
            self._part(
                part,
                forgotten=left_us > retention.visits_days * day_us,
                inputs=left_us <= retention.inputs_days * day_us,
            )
        for _name, sql in indexes:
            self._db.execute(sql)
        self._patch()
        self._db.commit()
        self._db.execute("PRAGMA journal_mode=WAL").fetchall()
        self._db.execute("ANALYZE")
        self._db.commit()

    def _part(self, part: int, *, forgotten: bool, inputs: bool) -> None:
        shift_us = part * self._period_us
        values = self._names.of_part(part, shift_us, forgotten=forgotten)
        made = {
            name: [*table.of_part(part, values, shift_us)]
            for name, table in self._tables.items()
            if inputs or name not in INPUTS
        }
        if forgotten:
            made["visits"] = [*self._forgotten.of_part(part, values, shift_us)]
        if part == 0:
            # It stands there already; what the hub would have forgotten by now goes.
            kept = ["visits", *([] if inputs else INPUTS)]
            for name in kept:
                self._db.execute(f"DELETE FROM {name}")
            made = {"visits": made["visits"]}
        else:
            self._chain("events", made["events"], {})
            entries: dict[int, list[list[Any]]] = {}
            for number, _line, account, amount in made["ledger_entries"]:
                entries.setdefault(number, []).append([account, amount])
            self._chain("ledger_transactions", made["ledger_transactions"], entries)
        for name, rows in made.items():
            columns = self._tables[name].columns
            marks = ", ".join("?" * len(columns))
            self._db.executemany(
                f"INSERT INTO {name} ({', '.join(columns)}) VALUES ({marks})", rows
            )

    def _chain(self, name: str, rows: list[list[Any]], entries: dict[int, list[list[Any]]]) -> None:
        """Puts the hashes in, each of the row before it."""
        columns = self._tables[name].columns
        if columns[-2:] != ("previous_hash", "hash"):
            raise RuntimeError(f"expected the hashes of {name} last, got {columns}")
        previous = self._heads[name]
        for row in rows:
            content = dict(zip(columns[:-2], row, strict=False))
            if name == "events":
                text = event_text(content)
            else:
                text = canonical({**content, "entries": entries.get(content["number"], [])})
            row[-2] = previous
            row[-1] = previous = link_text(previous, text)
        self._heads[name] = previous

    def _patch(self) -> None:
        """Stock counts, and the latest snapshot: the state after the last part."""
        names = ("restocked", "sold", "unaccounted", "found", "removed")
        changes = ", ".join(f"{name} = {name} * {self._parts}" for name in names)
        self._db.execute(f"UPDATE products SET {changes}")
        columns = ("position", "at_us", "digest", "state")
        row = self._db.execute(
            f"SELECT {', '.join(columns)} FROM snapshots ORDER BY position DESC"
        ).fetchone()
        snapshot = dict(zip(columns, row, strict=True))
        state = json.loads(snapshot["state"])
        self._patch_core(state["core"])
        position = self._last_position + (self._parts - 1) * self._steps["inputs"]
        at_us = snapshot["at_us"] + (self._parts - 1) * self._period_us
        patched = Snapshot(position, at_us, "", json.dumps(state))
        made = snapshot_row(begun(patched, Engine, RULES), position, at_us)
        self._db.execute("DELETE FROM snapshots")
        self._db.execute(
            f"INSERT INTO snapshots ({', '.join(columns)}) VALUES (?, ?, ?, ?)",
            [made[name] for name in columns],
        )

    def _patch_core(self, core: dict[str, Any]) -> None:
        shift_us = (self._parts - 1) * self._period_us
        for name in ("now_s", "floor_s"):
            core[name] = (round(core[name] * 1e6) + shift_us) / 1e6
        core["log"] = [self._one("SELECT max(number) FROM events"), self._heads["events"]]
        ledger = core["wallets"]["ledger"]
        ledger["number"] = self._one("SELECT max(number) FROM ledger_transactions")
        ledger["head"] = self._heads["ledger_transactions"]
        ledger["posted"] = {
            name: amount * self._parts for name, amount in ledger["posted"].items() if amount
        }
        if any("guest-" in name for name in ledger["posted"]):
            raise RuntimeError("expected nobody to owe anything after the block, somebody does")
        records = [
            json.loads(record)
            for (record,) in self._db.execute(
                "SELECT record FROM visits ORDER BY opened_us DESC, visit_id LIMIT ?",
                (RULES.visits_final_kept,),
            )
        ]
        core["visits"] = [record["visit"] for record in reversed(records)]
        core["wallets"]["accounts"] = {
            record["visit"]["visit_id"]: record["account"] for record in records
        }
        for counts in core["stock"]["counts"].values():
            for place in (1, 3, 4, *range(5, len(counts))):
                counts[place] *= self._parts

    def _forgotten_visits(self) -> _Table:
        """The block's visits as retention leaves them."""
        columns = self._tables["visits"].columns
        rows = []
        for row in self._db.execute("SELECT * FROM visits ORDER BY rowid"):
            values = dict(zip(columns, row, strict=True))
            record, token = json.loads(values["record"]), values["token_sha256"]
            forget_record(record)
            # The name of the token stands for what is in its place.
            record["visit"]["token_sha256"] = token
            values.update(record=json.dumps(record), tracks="[]", forgotten=1)
            rows.append([*values.values()])
        return _Table(self._names, columns, rows, 0)

    def _table(self, name: str, where: str) -> _Table:
        found = self._db.execute(f"SELECT * FROM {name} WHERE {where} ORDER BY rowid")
        columns = [column[0] for column in found.description]
        key = {"ledger_entries": "ledger_transactions", "inbox": "inputs", "commands": "inputs"}
        return _Table(
            self._names, columns, found.fetchall(), self._steps.get(key.get(name, name), 0)
        )

    def _one(self, question: str) -> int:
        return int(self._db.execute(question).fetchone()[0] or 0)
