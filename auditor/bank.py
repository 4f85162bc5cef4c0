"""Refunds that waited, and payments disputed at banks, checked on the hub's export.

Written from the export's documented format alone. Exports of before there were such parts have
nothing to be checked here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping
from typing import Any

__all__ = ["BANK_CHECKS"]

Export = Mapping[str, Any]
GIVEN = ("refund", "refund_failed")
PAID_BACK = ("refund_paid", "refund_balance", "refund_tab", "refund_desk")
OPEN = ("asked", "unanswered", "refused")
REFUSED = ("declined", "expired")
OUTSIDE = ("issued", "entering", "refused", "expired")


def _refunds_paid_once(export: Export) -> Iterable[str]:
    """Of each visit no more is paid back than its refunds gave, by whatever way; what waits is
    still owed."""
    owed: Counter[str] = Counter()
    for row in export["transactions"]:
        if row["phase"] != "posted" or row["kind"] not in (*GIVEN, *PAID_BACK):
            continue
        owed[row["visit_id"]] -= sum(
            amount for account, amount in row["entries"] if account.startswith("wallet:")
        )
        if owed[row["visit_id"]] < 0:
            yield f"transaction {row['number']}: {-owed[row['visit_id']]} paid back once too often"
    waiting: Counter[str] = Counter()
    for row in export.get("payouts", ()):
        if row["state"] in OPEN:
            waiting[row["visit_id"]] += row["amount_minor"]
    for visit_id, amount in waiting.items():
        if amount > owed[visit_id]:
            yield f"visit {visit_id}: refunds of {amount} wait, {owed[visit_id]} are owed"


def _asked_under_one_key(export: Export) -> Iterable[str]:
    """A refund is asked under another key only after the gateway refused it under the one before,
    and is paid by the gateway once."""
    asked: defaultdict[str, dict[int, str | None]] = defaultdict(dict)
    for row in export.get("gateway_attempts", ()):
        if row["kind"] == "refund":
            key, _, again = row["key"].partition(":again")
            asked[key][int(again or 0)] = row["outcome"]
    for key, answers in asked.items():
        outcomes = [answers[number] for number in sorted(answers)]
        if outcomes.count("approved") > 1:
            yield f"refund {key}: paid {outcomes.count('approved')} times"
        if any(outcome not in REFUSED for outcome in outcomes[:-1]):
            yield f"refund {key}: asked under another key though it may have been paid"


def _disputes_booked(export: Export) -> Iterable[str]:
    """What a bank took of a payment, keeps, or gave back is in the ledger once."""
    moved: defaultdict[str, Counter[str]] = defaultdict(Counter)
    for row in export["transactions"]:
        if row["kind"] != "dispute_moved":
            continue
        for account, amount in row["entries"]:
            moved[row["tx_id"].split(":")[1]][account.split(":", 1)[0]] += amount
    known = {row["dispute_id"]: row for row in export.get("chargebacks", ())}
    for dispute_id in sorted(set(moved) - set(known)):
        yield f"dispute {dispute_id}: booked, and nobody told of it"
    for dispute_id, row in known.items():
        has = moved[dispute_id]
        taken = max(0, row["withdrawn_minor"] - row["returned_minor"])
        held = taken if row["state"] == "open" else 0
        expected = {"disputed": held, "fees": row["fee_minor"]}
        expected["clearing"] = -taken - row["fee_minor"]
        for account, amount in expected.items():
            if has[account] != amount:
                yield f"dispute {dispute_id}: {account} has {has[account]}, expected {amount}"
        if has["chargeback"] + has["debt"] != taken - held:
            yield f"dispute {dispute_id}: {taken - held} are lost, the books have another loss"
        if (has["chargeback"], has["debt"]) != (row["lost_minor"], row["owed_minor"]):
            yield f"dispute {dispute_id}: shows {row['lost_minor']} lost, {row['owed_minor']} owed"


def _kept_out(export: Export) -> Iterable[str]:
    """Who is kept out for a dispute has not come in since."""
    since: dict[str, int] = {}
    for row in export.get("chargebacks", ()):
        if row["keeps_out"] and row["payer"]:
            since[row["payer"]] = min(row["changed_us"], since.get(row["payer"], 2**62))
    for visit in export["visits"]:
        scanned_us = visit.get("scanned_us")
        if scanned_us is None or visit["stage"] in OUTSIDE:
            continue
        if scanned_us > since.get(visit["payer"], 2**62):
            yield f"visit {visit['visit_id']}: came in though its payer is kept out"


BANK_CHECKS: dict[str, Callable[[Export], Iterable[str]]] = {
    "refunds are paid once": _refunds_paid_once,
    "refunds keep their keys": _asked_under_one_key,
    "disputes are booked once": _disputes_booked,
    "who disputes stays out": _kept_out,
}
"""Name to check; each yields findings as sentences."""
