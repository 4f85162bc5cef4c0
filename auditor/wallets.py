"""Checks of wallets: balances, gift cards, sources of a visit, debts, tabs and tips.

Exports of before there were wallets lack those parts: what they have is checked all the same.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

from auditor.sums import balances_of, unanswered

__all__ = ["WALLET_CHECKS"]

Export = Mapping[str, Any]
SPENT = ("captured", "tabbed")
ENDS = ("captured", "voided", "expired", "refused", "tabbed")


def _balances(export: Export) -> Iterable[str]:
    """A stored balance or a gift card never falls below zero, what is reserved counted as gone."""
    posted: Counter[str] = Counter()
    reserved: Counter[str] = Counter()
    pending: dict[str, list[list[Any]]] = {}
    for row in export["transactions"]:
        for account, amount in pending.pop(row["resolves"], ()):
            reserved[account] -= max(0, amount)
        if row["phase"] == "pending":
            pending[row["tx_id"]] = row["entries"]
            for account, amount in row["entries"]:
                reserved[account] += max(0, amount)
        elif row["phase"] == "posted":
            for account, amount in row["entries"]:
                posted[account] += amount
        for account, _amount in row["entries"]:
            kind = account.split(":", 1)[0]
            if kind in ("stored", "gift") and -posted[account] - reserved[account] < 0:
                yield f"transaction {row['number']}: {account} falls below zero"
            if kind in ("tab", "debt") and posted[account] < 0:
                yield f"transaction {row['number']}: {account} was paid more than was owed"


def _pending_once(export: Export) -> Iterable[str]:
    """A pending transfer ends once, and takes no more from its source than it had reserved."""
    pending: dict[str, list[list[Any]]] = {}
    seen: set[str] = set()
    for row in export["transactions"]:
        name = f"transaction {row['number']}"
        if row["tx_id"] in seen:
            yield f"{name}: {row['tx_id']} was written before"
        seen.add(row["tx_id"])
        if row["resolves"]:
            held = pending.pop(row["resolves"], None)
            if held is None:
                yield f"{name}: {row['resolves']} is not pending"
            elif row["phase"] == "posted":
                yield from _within(name, held, row["entries"])
        if row["phase"] == "pending":
            pending[row["tx_id"]] = row["entries"]


def _within(name: str, held: list[list[Any]], entries: list[list[Any]]) -> Iterator[str]:
    most = {account: amount for account, amount in held if amount > 0}
    for account, amount in entries:
        if account in most and amount > most[account]:
            yield f"{name}: takes {amount} of {account}, {most[account]} were held"


def _sources(export: Export) -> Iterable[str]:
    """Each source of a visit ends once, gives no more than it held, and gets no more back; the
    sources of a visit add up to what was captured of it."""
    with_sources = {row["visit_id"] for row in export.get("funding", ())}
    stages = {
        visit["visit_id"]: (visit["stage"], visit["captured_minor"])
        for visit in (export["visits"] if with_sources else ())
        if visit["visit_id"] in with_sources
    }
    asked = {row["visit_id"] for row in unanswered(export)}
    captured: Counter[str] = Counter()
    for row in export.get("funding", ()):
        name = f"source {row['key']}"
        if not 0 <= row["captured_minor"] <= row["amount_minor"]:
            yield f"{name}: captured {row['captured_minor']} of {row['amount_minor']}"
        got = row["charged_minor"] if row["state"] == "tabbed" else row["captured_minor"]
        if not 0 <= row["refunded_minor"] <= got:
            yield f"{name}: {row['refunded_minor']} went back, it had paid {got}"
        if row["captured_minor"] and row["state"] not in SPENT:
            yield f"{name}: captured {row['captured_minor']} though it is {row['state']}"
        visit = stages.get(row["visit_id"])
        ended = row["state"] in ENDS or row["visit_id"] in asked
        if not ended and visit is not None and visit[0] in ("final", "refused"):
            yield f"{name}: is {row['state']} though its visit is {visit[0]}"
        captured[row["visit_id"]] += row["captured_minor"] if row["purpose"] != "tip" else 0
    for visit_id, amount in captured.items():
        visit = stages.get(visit_id)
        if visit is not None and visit[1] != amount:
            yield f"visit {visit_id}: captured {visit[1]}, its sources gave {amount}"


def _debts(export: Export) -> Iterable[str]:
    """What payers owe, and what waits on their tabs, is what their visits say."""
    balances = balances_of(export)
    debts: Counter[str] = Counter()
    tabs: Counter[str] = Counter()
    for visit in export["visits"]:
        debts[f"debt:{visit['payer']}"] += visit.get("debt_minor", 0)
    for row in export.get("funding", ()):
        if row["state"] == "tabbed":
            tabs[f"tab:{row['payer']}"] += row["charged_minor"] - row["refunded_minor"]
    for kind, expected in (("debt:", debts), ("tab:", tabs)):
        for account in {name for name in balances if name.startswith(kind)} | set(expected):
            if balances[account] != expected[account]:
                yield f"{account} holds {balances[account]}, its visits say {expected[account]}"


def _shown(export: Export) -> Iterable[str]:
    """What wallets and gift cards show is what their entries sum to; a card was worth no more than
    it was issued for."""
    balances = balances_of(export)
    for row in export.get("wallets", ()):
        account = f"stored:{row['payer']}"
        if row["stored_minor"] != -balances[account]:
            yield f"{account} holds {-balances[account]}, the wallet shows {row['stored_minor']}"
        if row["debt_minor"] != balances[f"debt:{row['payer']}"]:
            yield f"wallet {row['payer']}: shows a debt of {row['debt_minor']}"
    for row in export.get("gift_cards", ()):
        left = -balances[f"gift:{row['card_id']}"]
        if row["left_minor"] != left:
            yield f"gift card {row['card_id']} holds {left}, it shows {row['left_minor']}"
        if not 0 <= left <= row["amount_minor"]:
            yield f"gift card {row['card_id']}: {left} are on a card of {row['amount_minor']}"


def _tips(export: Export) -> Iterable[str]:
    """Tips are what shoppers' sources gave for them."""
    rows = [row for row in export.get("funding", ()) if row["purpose"] == "tip"]
    given = sum(
        row["charged_minor"] if row["state"] == "held" else row["captured_minor"] for row in rows
    )
    booked = -balances_of(export)["tips"]
    if booked != given:
        yield f"tips hold {booked}, sources gave {given}"


def _refunds_within(export: Export) -> Iterable[str]:
    """Of no hold more goes back than was captured of it."""
    captured: Counter[str] = Counter()
    refunded: Counter[str] = Counter()
    for row in export.get("gateway_attempts", ()):
        if row["outcome"] == "approved" and row["kind"] == "capture":
            captured[row["hold_key"]] += row["amount_minor"]
        elif row["outcome"] == "approved" and row["kind"] == "refund":
            refunded[row["hold_key"]] += row["amount_minor"]
    for key, amount in refunded.items():
        if amount > captured[key]:
            yield f"hold {key}: {amount} went back, {captured[key]} were captured"


WALLET_CHECKS: dict[str, Callable[[Export], Iterable[str]]] = {
    "balances above zero": _balances,
    "pending transfers end once": _pending_once,
    "sources add up": _sources,
    "debts and tabs replay": _debts,
    "wallets show their entries": _shown,
    "tips are given": _tips,
    "refunds within captures": _refunds_within,
}
"""Name to check; each yields findings as sentences."""
