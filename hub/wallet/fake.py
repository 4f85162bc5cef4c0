"""A payment gateway of our own: stateful, with declines, timeouts and lost answers.

It keeps its books in SQLite (a file survives a killed hub as a real gateway would), obeys
idempotency keys, and refuses what a gateway refuses: capture above the hold, a second
resolution of a hold, refunds above the capture or of a disputed payment. Payers whose name begins
with `declined` are declined, as test cards are. Faults come from a function that is given, never
from chance here.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from collections.abc import Callable
from typing import Literal

from hub.errors import GatewayTimeoutError
from hub.wallet.gateway import (
    GatewayAnswer,
    GatewayHold,
    GatewayRequest,
    GatewayTotals,
    Outcome,
)

__all__ = ["DECLINED_PREFIX", "FakeGateway", "Fault", "FaultPlan"]

Fault = Literal["none", "timeout", "lost", "declined", "expired"]
"""timeout: nothing happened; lost: it happened and the answer did not come back."""
FaultPlan = Callable[[GatewayRequest, int], Fault]
"""From a request and how often its key was asked before, to a fault."""
DECLINED_PREFIX = "declined"

_TABLES = """
CREATE TABLE IF NOT EXISTS answers (
    key TEXT PRIMARY KEY, content TEXT NOT NULL, outcome TEXT NOT NULL, reason TEXT NOT NULL
);
CREATE TABLE IF NOT EXISTS asked (key TEXT PRIMARY KEY, times INTEGER NOT NULL);
CREATE TABLE IF NOT EXISTS holds (
    hold_key TEXT PRIMARY KEY, payer TEXT NOT NULL, currency TEXT NOT NULL,
    amount_minor INTEGER NOT NULL, state TEXT NOT NULL,
    captured_minor INTEGER NOT NULL DEFAULT 0, refunded_minor INTEGER NOT NULL DEFAULT 0
);
CREATE TABLE IF NOT EXISTS disputes (
    dispute_id TEXT PRIMARY KEY, hold_key TEXT NOT NULL, state TEXT NOT NULL,
    taken_minor INTEGER NOT NULL, fee_minor INTEGER NOT NULL
);
"""


class FakeGateway:
    """The in-house gateway. `path` is a file, or ":memory:"."""

    def __init__(self, path: str = ":memory:", *, faults: FaultPlan | None = None) -> None:
        self._faults = faults
        # Refunds are asked by a thread of their own.
        self._lock = threading.Lock()
        self._db = sqlite3.connect(path, check_same_thread=False, isolation_level=None)
        if path != ":memory:":
            self._db.execute("PRAGMA journal_mode=WAL")
            self._db.execute("PRAGMA synchronous=FULL")
        self._db.executescript(_TABLES)

    def close(self) -> None:
        """Closes the books."""
        self._db.close()

    def ask(self, request: GatewayRequest) -> GatewayAnswer:
        """Does what is asked, once per key; GatewayTimeoutError when no answer comes."""
        with self._lock:
            fault = self._next_fault(request)
            if fault == "timeout":
                raise GatewayTimeoutError(f"no answer to {request.kind} {request.key}; ask again")
            answer = self._answer(request, fault)
        if fault == "lost":
            raise GatewayTimeoutError(f"the answer to {request.kind} {request.key} was lost")
        return answer

    def totals(self) -> GatewayTotals:
        """Captured, refunded and still on hold, in minor units."""
        row = self._db.execute(
            "SELECT COALESCE(SUM(captured_minor), 0), COALESCE(SUM(refunded_minor), 0),"
            " COALESCE(SUM(CASE WHEN state = 'held' THEN amount_minor ELSE 0 END), 0),"
            " COALESCE(SUM(state = 'held'), 0) FROM holds"
        ).fetchone()
        taken = self._db.execute(
            "SELECT COALESCE(SUM(taken_minor), 0), COALESCE(SUM(fee_minor), 0) FROM disputes"
        ).fetchone()
        return GatewayTotals(*(int(value) for value in (*row, *taken)))

    def dispute(self, dispute_id: str, hold_key: str, amount_minor: int, fee_minor: int = 0) -> int:
        """The payer disputes a captured hold: the bank takes the amount, the gateway a fee, once.
        Returns what the bank took; 0 where nothing of the hold was captured."""
        row = self._db.execute(
            "SELECT captured_minor FROM holds WHERE hold_key = ?", (hold_key,)
        ).fetchone()
        taken = min(amount_minor, 0 if row is None else int(row[0]))
        self._db.execute(
            "INSERT INTO disputes VALUES (?, ?, 'open', ?, ?) ON CONFLICT DO NOTHING",
            (dispute_id, hold_key, taken, fee_minor),
        )
        return taken

    def refunds(self) -> list[GatewayRequest]:
        """Every refund that was approved, by key; also one that failed since."""
        found = self._db.execute(
            "SELECT key, content FROM answers WHERE outcome = 'approved' ORDER BY key"
        )
        asked = [(key, *json.loads(content)) for key, content in found]
        return [GatewayRequest(row[0], *row[1:]) for row in asked if row[1] == "refund"]

    def fail_refund(self, key: str) -> None:
        """A refund that was approved under this key does not reach the payer after all."""
        row = self._db.execute("SELECT content FROM answers WHERE key = ?", (key,)).fetchone()
        _kind, hold_key, _payer, amount_minor, _currency = json.loads(row[0])
        self._db.execute(
            "UPDATE holds SET refunded_minor = refunded_minor - ? WHERE hold_key = ?",
            (amount_minor, hold_key),
        )

    def decide_dispute(self, dispute_id: str, *, won: bool) -> None:
        """The bank decides: what it took comes back to the store, or stays taken."""
        self._db.execute(
            "UPDATE disputes SET state = ?, taken_minor = CASE WHEN ? THEN 0 ELSE taken_minor END"
            " WHERE dispute_id = ? AND state = 'open'",
            ("won" if won else "lost", won, dispute_id),
        )

    def holds(self) -> list[GatewayHold]:
        """Every hold, in the order of their keys."""
        return [
            GatewayHold(*row)
            for row in self._db.execute(
                "SELECT hold_key, payer, currency, amount_minor, state, captured_minor,"
                " refunded_minor, (SELECT COALESCE(SUM(taken_minor), 0) FROM disputes"
                " WHERE disputes.hold_key = holds.hold_key) FROM holds ORDER BY hold_key"
            )
        ]

    def _next_fault(self, request: GatewayRequest) -> Fault:
        row = self._db.execute("SELECT times FROM asked WHERE key = ?", (request.key,)).fetchone()
        times = int(row[0]) if row is not None else 0
        self._db.execute(
            "INSERT INTO asked VALUES (?, 1) ON CONFLICT (key) DO UPDATE SET times = times + 1",
            (request.key,),
        )
        return self._faults(request, times) if self._faults is not None else "none"

    def _answer(self, request: GatewayRequest, fault: Fault) -> GatewayAnswer:
        content = json.dumps(
            [
                request.kind,
                request.hold_key,
                request.payer,
                request.amount_minor,
                request.currency,
            ]
        )
        self._db.execute("BEGIN IMMEDIATE")
        try:
            known = self._db.execute(
                "SELECT content, outcome, reason FROM answers WHERE key = ?", (request.key,)
            ).fetchone()
            if known is not None:
                self._db.execute("COMMIT")
                if known[0] != content:
                    return GatewayAnswer(request.key, "conflict", "same key, other content")
                return GatewayAnswer(request.key, known[1], known[2])
            outcome, reason = self._do(request, fault)
            self._db.execute(
                "INSERT INTO answers VALUES (?, ?, ?, ?)", (request.key, content, outcome, reason)
            )
            self._db.execute("COMMIT")
        except sqlite3.Error:
            self._db.execute("ROLLBACK")
            raise
        return GatewayAnswer(request.key, outcome, reason)

    def _do(self, request: GatewayRequest, fault: Fault) -> tuple[Outcome, str]:
        if fault == "declined":
            return "declined", "declined by the fault plan"
        if request.kind == "hold":
            return self._hold(request)
        row = self._db.execute(
            "SELECT state, amount_minor, captured_minor, refunded_minor FROM holds"
            " WHERE hold_key = ?",
            (request.hold_key,),
        ).fetchone()
        if fault == "expired" and row is not None and row[0] == "held":
            self._db.execute(
                "UPDATE holds SET state = 'expired' WHERE hold_key = ?", (request.hold_key,)
            )
            return "expired", "the hold ran out"
        if request.kind == "void":
            return self._void(request, row)
        if row is None:
            return "declined", "no such hold"
        if request.kind == "capture":
            return self._capture(request, row)
        return self._refund(request, row)

    def _hold(self, request: GatewayRequest) -> tuple[Outcome, str]:
        if request.payer.removeprefix("card:").startswith(DECLINED_PREFIX):
            return "declined", "the issuer declined"
        self._db.execute(
            "INSERT INTO holds (hold_key, payer, currency, amount_minor, state)"
            " VALUES (?, ?, ?, ?, 'held')",
            (request.key, request.payer, request.currency, request.amount_minor),
        )
        return "approved", ""

    def _void(
        self, request: GatewayRequest, row: tuple[str, int, int, int] | None
    ) -> tuple[Outcome, str]:
        if row is None:
            return "approved", "there was no such hold"
        if row[0] != "held":
            return "declined", f"the hold is {row[0]}"
        self._db.execute(
            "UPDATE holds SET state = 'voided' WHERE hold_key = ?", (request.hold_key,)
        )
        return "approved", ""

    def _capture(
        self, request: GatewayRequest, row: tuple[str, int, int, int]
    ) -> tuple[Outcome, str]:
        state, held_minor, _captured, _refunded = row
        if state != "held":
            return ("expired" if state == "expired" else "declined"), f"the hold is {state}"
        if not 0 < request.amount_minor <= held_minor:
            return "declined", f"expected 1 to {held_minor}, got {request.amount_minor}"
        self._db.execute(
            "UPDATE holds SET state = 'captured', captured_minor = ? WHERE hold_key = ?",
            (request.amount_minor, request.hold_key),
        )
        return "approved", ""

    def _refund(
        self, request: GatewayRequest, row: tuple[str, int, int, int]
    ) -> tuple[Outcome, str]:
        _state, _held, captured_minor, refunded_minor = row
        disputed = self._db.execute(
            "SELECT 1 FROM disputes WHERE hold_key = ? AND state != 'won'", (request.hold_key,)
        ).fetchone()
        if disputed is not None:
            return "declined", "the payment is disputed at the bank"
        if not 0 < request.amount_minor <= captured_minor - refunded_minor:
            return "declined", f"expected 1 to {captured_minor - refunded_minor}"
        self._db.execute(
            "UPDATE holds SET refunded_minor = refunded_minor + ? WHERE hold_key = ?",
            (request.amount_minor, request.hold_key),
        )
        return "approved", ""
