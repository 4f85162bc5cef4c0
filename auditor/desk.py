"""What was paid at the desk, checked on the hub's export: only what was owed, and once each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from auditor.sums import events_of

__all__ = ["desk_payments", "staff_pay_nothing"]

Export = Mapping[str, Any]


def desk_payments(export: Export) -> Iterable[str]:
    """A payment at the desk turns a debt of its payer into money of a till, never more than the
    debt, and the log tells of it with the same amount."""
    debts: Counter[str] = Counter()
    told = Counter(
        (event["visit_id"], event["data"]["method"], event["data"]["amount_minor"])
        for event in events_of(export, "debt.paid_at_desk")
    )
    for row in export["transactions"]:
        if row["phase"] == "posted":
            for account, amount in row["entries"]:
                if account.startswith("debt:"):
                    debts[account] += amount
        if row["kind"] != "desk_paid":
            continue
        name = f"transaction {row['number']}"
        tills = [(a, m) for a, m in row["entries"] if a.startswith("till:")]
        owed = [(a, m) for a, m in row["entries"] if a.startswith("debt:")]
        if len(row["entries"]) != 2 or len(tills) != 1 or len(owed) != 1 or tills[0][1] <= 0:
            yield f"{name}: expected a debit of a till and a credit of a debt, got {row['entries']}"
            continue
        if debts[owed[0][0]] < 0:
            yield f"{name}: {owed[0][0]} is paid {-debts[owed[0][0]]} more than it owed"
        told[row["visit_id"], tills[0][0].removeprefix("till:"), tills[0][1]] -= 1
    for (visit_id, method, amount), count in told.items():
        if count:
            yield f"visit {visit_id}: {amount} by {method} told {count} times more than booked"


def staff_pay_nothing(export: Export) -> Iterable[str]:
    """Visits of staff have no charge, no hold and no receipt."""
    staff = {
        visit["visit_id"]
        for visit in export["visits"]
        if visit["payer"].startswith(("staff:", "helper:"))
    }
    if not staff:
        return
    for row in export["transactions"]:
        if row["visit_id"] in staff:
            yield f"transaction {row['number']}: {row['kind']} on a visit of staff"
    for receipt in export["receipts"]:
        if receipt["visit_id"] in staff:
            yield f"receipt of visit {receipt['visit_id']}: staff pay nothing"
