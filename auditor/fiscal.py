"""The fiscal journal and the VAT of receipts, checked on the hub's export.

An export without `fiscal` is of an older hub or of one that keeps no journal: nothing to check.
Signatures are checked where one key hands over to the next, and at the journal's ends; `sortie hub
fiscal check` checks them all.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from auditor.chain import chained
from auditor.ed25519 import is_signed

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


def _keys_hand_over(export: Export) -> Iterable[str]:
    """Each key of the journal was named by the one before it, which signed that, and by nobody
    twice; who has it has proved so, and signed what came next and last."""
    keys: list[str] = []
    fresh = False
    last: Mapping[str, Any] | None = None
    for row in export.get("fiscal", ()):
        body, name = row["body"], f"fiscal {row['number']}"
        if not keys:
            keys.append(str(body.get("public_key", "")))
            fresh = True
        if fresh and not is_signed(keys[-1], row["hash"], row["signature"]):
            yield f"{name}: not signed by the key that the journal names"
        fresh, last = False, row
        if row["kind"] != "technical" or body.get("what") != "key_changed":
            continue
        old, new = keys[-1], str(body.get("public_key", ""))
        if not is_signed(old, row["hash"], row["signature"]):
            yield f"{name}: another key is named, and the one before did not sign that"
            return
        if new in keys or row["source"] != f"technical:key:{len(keys) + 1}":
            yield f"{name}: expected key {len(keys) + 1} of the journal, got one of before"
        if not is_signed(new, f"fiscal key {old} to {new}", str(body.get("proof", ""))):
            yield f"{name}: nobody has proved to have the key"
        if body.get("fingerprint") != _fingerprint(new):
            yield f"{name}: the fingerprint is not the key's"
        keys.append(new)
        fresh = True
    if last is not None and not fresh and not is_signed(keys[-1], last["hash"], last["signature"]):
        yield f"fiscal {last['number']}: not signed by the journal's last key"


def _fingerprint(key: str) -> str:
    try:
        return hashlib.sha256(bytes.fromhex(key)).hexdigest()
    except ValueError:
        return ""


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
    "fiscal keys hand over": _keys_hand_over,
    "VAT of receipts booked": _vat_of_receipts,
}
"""Name to check; each yields findings as sentences."""
