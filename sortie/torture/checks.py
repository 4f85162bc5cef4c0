"""The invariants, counted as they are checked; a finding is a violation that names its step.

The books are judged by the auditor (auditor.follow each step, auditor.ledger now and then), which
shares no code with the hub. What only the simulation can know is judged here: what was
acknowledged, what people truly took, which price they saw, what was refused, and what a replay
must come to.
"""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from collections.abc import Iterator
from typing import Any

from auditor.follow import Follower
from auditor.ledger import audit
from hub.command import Command
from hub.errors import ChainBrokenError, RejectedError
from hub.service import Hub
from hub.store import tables as t
from hub.store.service import Store
from hub.visits.model import Visit
from hub.wallet.gateway import GatewayTotals
from sortie.torture.clients import Prices
from sortie.torture.hubside import AwayError, HubSide
from sortie.torture.nodes import Node
from sortie.torture.people import Shopper
from sortie.torture.receipts import Receipts

__all__ = ["Checks", "let_in", "same_state"]

ACKED = "acknowledged is stored once"
REFUSED = "refused changes nothing"
REPLAY = "replay gives the same digest"
CLOSED = "visits close in time"
DRAINED = "queues drain"
CLEARING = "gateway agrees with clearing"
EDITED = "an edited row is named"
OTHER_AMOUNT = "same key, other amount is a conflict"
LET_IN = "a code lets one in, once"
HOLDS = "no hold is left at the gateway"


class Checks:
    """Counts and findings of one run."""

    def __init__(self, side: HubSide) -> None:
        self.counts: Counter[str] = Counter()
        self.violations: list[dict[str, Any]] = []
        self.step = 0
        self.follower = Follower(side.path)
        self._side = side

    def found(self, invariant: str, finding: str) -> None:
        """Something is not as it must be."""
        self.violations.append({"step": self.step, "invariant": invariant, "finding": finding})

    # -- each step --------------------------------------------------------------------------

    def each_step(self) -> None:
        """What was committed since the last step."""
        if self._side.up:
            for finding in self.follower.step():
                self.found("books", finding)

    def books(self, *, untold: bool = False) -> None:
        """All of the books, by the auditor. `untold`: the gateway did what the hub has not heard
        of yet, so that their totals cannot agree."""
        try:
            export = self._side.look(lambda hub: hub.export_json())
        except AwayError:
            return
        for name, findings in audit(export).items():
            if untold and name == CLEARING:
                continue
            self.counts[name] += 1
            for finding in findings:
                self.found(name, finding)

    def acked(self, nodes: list[Node]) -> None:
        """What the hub said that it has is in its database, each message once."""
        if not self._side.up:
            return
        with sqlite3.connect(self._side.path, isolation_level=None) as database:
            for node in nodes:
                for boot_id, upto in node.acked.items():
                    self.counts[ACKED] += 1
                    count, distinct = database.execute(
                        "SELECT count(*), count(DISTINCT sequence) FROM inbox WHERE device_id = ?"
                        " AND boot_id = ? AND sequence <= ?",
                        (node.node_id, boot_id, upto),
                    ).fetchone()
                    if (count, distinct) != (upto + 1, upto + 1):
                        self.found(
                            ACKED,
                            f"{boot_id}: {upto + 1} were acknowledged, {count} are stored "
                            f"({distinct} different)",
                        )
        database.close()

    def refused(self, command: Command, error: type[RejectedError]) -> None:
        """A command that must be refused: it is, and nothing is different afterwards."""
        try:
            before = self._side.look(_everything)
        except AwayError:
            return
        try:
            reply = self._side.command(command)
        except error:
            self.counts[REFUSED] += 1
        except AwayError:
            return
        else:
            self.found(REFUSED, f"{command.kind} was not refused: {reply}")  # type: ignore[attr-defined]
            return
        self._unchanged(before, str(getattr(command, "kind", "")))

    def ignored(self, deliveries: list[tuple[str, bytes]]) -> None:
        """Messages that must have no effect but dead letters."""
        try:
            before = self._side.look(_everything)
            letters = self._side.look(lambda hub: hub.live.counts.get("dead_letters", 0))
            self._side.ingest(deliveries)
            after = self._side.look(lambda hub: hub.live.counts.get("dead_letters", 0))
        except AwayError:
            return
        self.counts[REFUSED] += 1
        if after - letters != len(deliveries):
            self.found(REFUSED, f"{len(deliveries)} bad messages, {after - letters} dead letters")
        self._unchanged(before, "bad messages")

    def _unchanged(self, before: dict[str, Any], what: str) -> None:
        try:
            after = self._side.look(_everything)
        except AwayError:
            return
        if before != after:
            names = [name for name in before if before[name] != after[name]]
            self.found(REFUSED, f"{what} changed {names}")

    # -- at the end -------------------------------------------------------------------------

    def receipts(
        self, shoppers: list[Shopper], prices: Prices, *, since_s: float
    ) -> dict[str, Any]:
        """Receipts against what people truly took; see sortie.torture.receipts. The export that
        was judged."""
        export: dict[str, Any] = self._side.look(lambda hub: hub.export_json())
        withheld = self._side.look(
            lambda hub: {v.visit_id: v.withheld for v in hub.core.state.visits.values()}
        )
        judged = Receipts(export, shoppers, prices, withheld, since_s=since_s)
        self.counts.update(judged.counts)
        for invariant, finding in judged.findings:
            self.found(invariant, finding)
        return export

    def over(self, nodes: list[Node], shoppers: list[Shopper], totals: GatewayTotals) -> None:
        """When faults have stopped everything comes to its end."""
        for node in nodes:
            self.counts[DRAINED] += 1
            if not node.alive or node.outbox.waiting:
                waiting = node.outbox.waiting if node.alive else "all"
                self.found(DRAINED, f"{node.node_id}: {waiting} messages wait for ever")
        state = self._side.look(lambda hub: hub.core.state)
        self.counts[CLOSED] += 1
        for visit in state.open_visits():
            self.found(CLOSED, f"visit {visit.visit_id} is still {visit.stage}")
        for visit in state.visits.values():
            self.counts[LET_IN] += 1
            people = sum(one.visit_id == visit.visit_id for one in shoppers)
            count = let_in(visit)
            if visit.kind != "staff" and count > people:
                self.found(LET_IN, f"visit {visit.visit_id} of {people} let {count} in")
        for row in self._side.look(lambda hub: hub.store.rows(t.gateway_attempts, "key")):
            if row["outcome"] is None:
                self.found(CLOSED, f"{row['key']} is still unanswered after {row['tries']} tries")
        self.counts[HOLDS] += 1
        if totals.holds_open:
            self.found(HOLDS, f"{totals.holds_open} of {totals.held_minor} in all")

    def replay(self) -> None:
        """The database read twice more: each time the same state."""
        hub = self._side.hub
        if hub is None:
            return
        hub.export_json()
        before = same_state(hub)
        self.follower.close()
        self._side.close()
        for _ in range(2):
            self.counts[REPLAY] += 1
            again = self._side.open_hub()
            after = same_state(again)
            again.close()
            if after != before:
                names = [name for name in before if before[name] != after[name]]
                self.found(REPLAY, f"replay differs in {names}")

    def edited(self, lot: float) -> None:
        """One row of a chain is changed by hand in a copy: both the hub and the auditor say so."""
        copy = self._side.path.with_name("edited.sqlite")
        with sqlite3.connect(self._side.path) as source, sqlite3.connect(copy) as target:
            source.backup(target)
            table, column = (
                ("events", "kind"), ("ledger_transactions", "at_us"), ("ledger_entries", "account"),
                ("events", "data"),
            )[int(lot * 4)]  # fmt: skip
            count = target.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            if not count:
                return
            row = int(lot * 4 % 1 * count)
            new = {"at_us": "at_us + 1", "data": "'{\"edited\": 1}'"}.get(
                column, f"'x' || {column}"
            )
            target.execute("PRAGMA foreign_keys = OFF")
            target.execute(
                f"UPDATE {table} SET {column} = {new} WHERE rowid ="
                f" (SELECT rowid FROM {table} LIMIT 1 OFFSET {row})"
            )
        target.close()
        source.close()
        self.counts[EDITED] += 1
        store = Store(f"sqlite:///{copy}")
        try:
            store.verify()
        except ChainBrokenError:
            pass
        else:
            self.found(EDITED, f"the hub does not see that {table} row {row} was edited")
        finally:
            store.close()
        follower = Follower(copy)
        if not follower.step():
            self.found(EDITED, f"the auditor does not see that {table} row {row} was edited")
        follower.close()
        for name in (copy, *copy.parent.glob("edited.sqlite-*")):
            name.unlink(missing_ok=True)

    def summary(self) -> Iterator[tuple[str, int]]:
        """How often each check was made."""
        yield from self.counts.items()
        yield from self.follower.checked.items()


def let_in(visit: Visit) -> int:
    """How many people a visit let in, or would as soon as they are seen.

    Of a visit whose answer never reached its phone nobody knows, and nobody comes in. One whose
    payment was refused turned away all who had shown a code of it, and staff may have put them on
    another since; whoever it let in before was bound to a body.
    """
    if visit.stage == "refused":
        return sum(body.bound for body in visit.companions)
    return len(visit.companions) + (visit.scanned_s is not None)


def same_state(hub: Hub) -> dict[str, Any]:
    """What must be equal after a replay. Time apart: that it passed is stored with the next input;
    and what a boot knows of its clock is not rounded by being written down."""
    state: dict[str, Any] = json.loads(json.dumps(hub.core.dump()))
    del state["now_s"]
    return state


def _everything(hub: Hub) -> dict[str, Any]:
    """The state and how much is stored; time passes even where nothing happens."""
    return {**same_state(hub), "heads": hub.store.heads()}
