"""The fiscal journal and the VAT of receipts, checked on the hub's export.

An export without `fiscal` is of an older hub or of one that keeps no journal: nothing to check.
Signatures need the key's mathematics and are checked by `sortie hub fiscal check`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from auditor.chain import chained

__all__ = ["CHECKS"]

Export = Mapping[str, Any]
FIELDS = ("number", "source", "kind", "at_us", "day", "body")


def _chained(export: Export) -> Iterable[str]:
    """Entries are numbered without a gap and each names the one before it."""
    return chained("fiscal", export.get("fiscal", ()), FIELDS)


def _complete(export: Export) -> Iterable[str]:
    """Every taxed transaction up to the journal's last has one entry, with its amounts; the
    perpetual total is the sum of the tickets."""
    made = [row for row in export.get("fiscal", ()) if row["kind"] in ("ticket", "correction")]
    if not made:
        return
    numbers = Counter(row["body"]["ledger"] for row in made)
    for number, count in numbers.items():
        if count > 1:
            yield f"fiscal: transaction {number} has {count} entries"
    taxed = {row["number"]: gross for row in export["transactions"] if (gross := _gross(row))}
    last = max(numbers)
    for number in sorted(set(taxed) - set(numbers)):
        if number < last:
            yield f"fiscal: transaction {number} has no entry"
    sales = 0
    for row in made:
        body = row["body"]
        booked = taxed.get(body["ledger"], 0)
        if abs(booked) != body["gross_minor"]:
            yield f"fiscal {row['number']}: {body['gross_minor']}, the ledger has {booked}"
        sales += body["gross_minor"] if row["kind"] == "ticket" else 0
        if body["totals"]["perpetual"]["sales_minor"] != sales:
            yield f"fiscal {row['number']}: the perpetual total is not the sum of the tickets"


def _vat_of_receipts(export: Export) -> Iterable[str]:
    """The VAT of a receipt is what its charge booked on the VAT accounts."""
    booked: Counter[str] = Counter()
    for row in export["transactions"]:
        if row["kind"] == "charge" and row["phase"] == "posted":
            booked[row["visit_id"]] -= sum(
                amount for account, amount in row["entries"] if account.startswith("vat:")
            )
    for receipt in export["receipts"]:
        if receipt.get("vat_minor", booked[receipt["visit_id"]]) != booked[receipt["visit_id"]]:
            yield (
                f"receipt of visit {receipt['visit_id']}: VAT {receipt['vat_minor']}, the ledger "
                f"has {booked[receipt['visit_id']]}"
            )


def _gross(row: Mapping[str, Any]) -> int:
    """What a transaction books as sold with its VAT; negative if it is taken back."""
    if row["phase"] != "posted":
        return 0
    return -sum(
        int(amount)
        for account, amount in row["entries"]
        if account.startswith(("revenue:", "vat:"))
    )


CHECKS: dict[str, Callable[[Export], Iterable[str]]] = {
    "fiscal entries chained": _chained,
    "fiscal journal complete": _complete,
    "VAT of receipts booked": _vat_of_receipts,
}
"""Name to check; each yields findings as sentences."""
