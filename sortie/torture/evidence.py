"""What the kill rounds read and keep: phones that open visits, and the books on disk.

The hub's database is looked at from outside: the auditor follows new rows in the file itself, and
everything else is judged on a copy of one moment.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
import urllib.request
from collections import Counter
from contextlib import closing
from pathlib import Path
from typing import Any

from auditor.follow import Follower
from auditor.ledger import audit
from hub.attribution.engine import Engine
from hub.errors import HubError
from hub.store.export import export_json
from hub.store.service import Store
from hub.store.verify import verify
from hub.visits.model import OPEN_STAGES
from hub.wallet.fake import FakeGateway
from sortie.supervisor import Child
from sortie.torture.checks import ACKED, CLOSED, DRAINED, REPLAY
from sortie.torture.clients import Prices
from sortie.torture.node_process import NodeWork
from sortie.torture.people import Shopper
from sortie.torture.receipts import Receipts
from sortie.torture.shop import layout

__all__ = ["Books", "Phones", "node_child", "read_status"]

OPEN_BEFORE_S = 5.0
ANSWER_S = 2.0
TOLD_BEFORE_S = 1.0
"""A code that comes later than so long before the gate is no good any more."""


def node_child(work: NodeWork, path: Path) -> Child:
    """A node's process; what it is told lies in a file only this user can read."""
    document = work.model_dump(mode="json")
    document["password"] = work.password.get_secret_value()
    path.touch(mode=0o600)
    path.write_text(json.dumps(document), encoding="utf-8")
    command = [sys.executable, "-m", "sortie.torture.node_process", str(path)]
    return Child(work.node_id, command, env={"PYTHONUNBUFFERED": "1"})


def read_status(path: Path) -> dict[str, Any]:
    """How a node stands; nothing if it has not said so yet."""
    if not path.exists():
        return {"stored": {}, "acked": {}}
    found: dict[str, Any] = json.loads(path.read_text(encoding="utf-8"))
    return found


class Phones:
    """Opens a visit for each shopper a little before the gate, and tells the nodes' file. While
    the hub is away nobody gets in."""

    def __init__(self, hub_url: str, codes: Path, shoppers: list[Shopper], begin_s: float) -> None:
        self.opened = 0
        self._url = f"{hub_url}/api/v1/phones/visits"
        self._codes = codes
        self._shoppers = shoppers
        self._begin_s = begin_s
        self._next = 0

    def step(self) -> None:
        """Whose time has come."""
        while (
            self._next < len(self._shoppers)
            and self._shoppers[self._next].scan_s - OPEN_BEFORE_S <= self._now_s()
        ):
            one = self._shoppers[self._next]
            if self._open(one) or self._now_s() >= one.scan_s - TOLD_BEFORE_S:
                self._next += 1
                with self._codes.open("a", encoding="utf-8") as file:
                    file.write(json.dumps([one.number, one.code]) + "\n")
                continue
            return

    def close(self) -> None:
        """Nobody comes any more."""
        self._next = len(self._shoppers)

    def _open(self, one: Shopper) -> bool:
        body = json.dumps({"payer": one.payer} if one.payer else {}).encode()
        request = urllib.request.Request(
            self._url, data=body, headers={"Content-Type": "application/json"}
        )
        try:
            with urllib.request.urlopen(request, timeout=ANSWER_S) as answer:
                made = json.loads(answer.read())
        except (OSError, ValueError):
            one.turned_away = True
            return False
        one.turned_away = self._now_s() >= one.scan_s - TOLD_BEFORE_S
        one.visit_id = made["visit_id"]
        one.code = "" if one.turned_away else made["code"]
        self.opened += not one.turned_away
        return True

    def _now_s(self) -> float:
        return time.time() - self._begin_s


class Books:
    """The hub's database from outside. `violations` and `counts` as in sortie.torture.checks."""

    def __init__(self, path: Path, copy: Path) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[dict[str, Any]] = []
        self._path = path
        self._copy = copy
        self._follower = Follower(path)
        self._rounds = 0

    def found(self, invariant: str, finding: str) -> None:
        """Something is not as it must be. The seed of a violation is its round here."""
        self.violations.append(
            {
                "seed": self._rounds,
                "step": self._rounds,
                "invariant": invariant,
                "finding": finding,
            }
        )

    def look(self, acked: dict[str, int]) -> None:
        """New rows, the whole of the books, and what was acknowledged."""
        self._rounds += 1
        for finding in self._follower.step():
            self.found("books", finding)
        self._follower.close()
        self._audit(self._export(None))
        for boot_id, upto in acked.items():
            self._stored(boot_id, upto, ACKED)

    def closed(self) -> bool:
        """Whether every visit has ended and nothing is asked of the gateway."""
        marks = ", ".join("?" * len(OPEN_STAGES))
        with closing(sqlite3.connect(self._path)) as database:
            visits = database.execute(
                f"SELECT count(*) FROM visits WHERE stage IN ({marks})", OPEN_STAGES
            ).fetchone()[0]
            asked = database.execute(
                "SELECT count(*) FROM gateway_attempts WHERE outcome IS NULL"
            ).fetchone()[0]
        return not visits and not asked

    def has(self, stored: dict[str, int]) -> bool:
        """Whether all that nodes had stored has arrived."""
        return all(self._count(boot_id, upto)[1] == upto + 1 for boot_id, upto in stored.items())

    def judge(
        self,
        shoppers: list[Shopper],
        *,
        stored: dict[str, int],
        since_s: float,
        gateway: Path,
    ) -> None:
        """When all is over: nothing of what nodes stored is missing, receipts are the truth's,
        and the database says of itself that it is whole."""
        self._rounds += 1
        self.counts[CLOSED] += 1
        if not self.closed():
            self.found(CLOSED, "a visit or a question to the gateway is still open")
        for boot_id, upto in stored.items():
            self._stored(boot_id, upto, DRAINED)
        books = FakeGateway(str(gateway))
        try:
            export = self._export(books.totals())
        finally:
            books.close()
        self._audit(export)
        self._told(shoppers)
        judged = Receipts(export, shoppers, Prices(), {}, since_s=since_s)
        self.counts.update(judged.counts)
        for invariant, finding in judged.findings:
            self.found(invariant, finding)
        self.counts[REPLAY] += 1
        for finding in verify(f"sqlite:///{self._path}", Engine).findings:
            self.found(REPLAY, finding)
        self.counts.update(self._follower.checked)

    def _audit(self, export: dict[str, Any]) -> None:
        for name, findings in audit(export).items():
            self.counts[name] += 1
            for finding in findings:
                self.found(name, finding)

    def _export(self, totals: Any) -> dict[str, Any]:
        """Everything as it is at one moment."""
        self._copy.unlink(missing_ok=True)
        with (
            closing(sqlite3.connect(self._path)) as source,
            closing(sqlite3.connect(self._copy)) as target,
        ):
            source.backup(target)
        try:
            store = Store(f"sqlite:///{self._copy}")
        except HubError as error:
            self.found("the hub works", str(error))
            raise
        try:
            return export_json(store, layout(), totals)
        finally:
            store.close()

    def _stored(self, boot_id: str, upto: int, check: str) -> None:
        self.counts[check] += 1
        count, distinct = self._count(boot_id, upto)
        if (count, distinct) != (upto + 1, upto + 1):
            self.found(check, f"{boot_id}: {count} of {upto + 1} are stored ({distinct} different)")

    def _count(self, boot_id: str, upto: int) -> tuple[int, int]:
        with closing(sqlite3.connect(self._path)) as database:
            found: tuple[int, int] = database.execute(
                "SELECT count(*), count(DISTINCT sequence) FROM inbox WHERE boot_id = ?"
                " AND sequence <= ?",
                (boot_id, upto),
            ).fetchone()
        return found

    def _told(self, shoppers: list[Shopper]) -> None:
        """Which acts nodes could store: those that came, for nothing they stored is missing."""
        with closing(sqlite3.connect(self._path)) as database:
            rows = database.execute(
                "SELECT payload FROM inbox WHERE payload LIKE '%sortie.reach.closed.v1%'"
            ).fetchall()
        for (payload,) in rows:
            reach_id = json.loads(payload)["data"]["reach_id"]
            number, _, act = reach_id.rpartition(":")[2].partition("-")
            shoppers[int(number)].acts[int(act)].told = reach_id
