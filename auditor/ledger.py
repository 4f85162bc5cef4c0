"""The invariants of money, stock and messages, checked on the hub's export.

Written from the export's documented format alone. Each check gives findings as sentences that name
the row; an empty list means that the books are in order.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from auditor import aftercare, goods
from auditor.bank import BANK_CHECKS
from auditor.chain import chained
from auditor.desk import desk_payments, staff_pay_nothing
from auditor.fiscal import CHECKS as FISCAL_CHECKS
from auditor.parcels import PARCEL_CHECKS, pickup_visits
from auditor.sums import Books, balances_of, events_of, line_amounts, unanswered
from auditor.wallets import WALLET_CHECKS

__all__ = ["CHECKS", "audit", "count_findings", "findings_of"]

Export = Mapping[str, Any]
EVENT_FIELDS = ("number", "at_us", "kind", "visit_id", "data")
TRANSACTION_FIELDS = (
    "number", "tx_id", "at_us", "phase", "kind", "visit_id", "currency", "resolves", "entries",
)  # fmt: skip
AUDIT_FIELDS = ("number", "at_us", "who", "action", "target", "origin", "outcome")
UNREADABLE = (ArithmeticError, AttributeError, LookupError, TypeError, ValueError)
"""What reading an edited row may come to."""
HOLD_ENDS = ("captured", "voided", "expired", "refused", "none")


def audit(export: Export) -> dict[str, list[str]]:
    """Every check's findings by its name."""
    books = Books(export)
    return {name: findings_of(name, books) for name in CHECKS}


def findings_of(name: str, books: Export) -> list[str]:
    """One check's findings. A row that is not as the format says was edited: the chains name it,
    and a check that comes upon it says that it went no further."""
    found: list[str] = []
    try:
        found.extend(CHECKS[name](books))
    except UNREADABLE as error:
        found.append(
            f"{name}: went no further, a row is not as the export's format says ({error!r:.100})"
        )
    return found


def _balanced(export: Export) -> Iterable[str]:
    """Debits equal credits in every transaction; amounts are whole minor units."""
    for row in export["transactions"]:
        amounts = [amount for _account, amount in row["entries"]]
        if any(type(amount) is not int for amount in amounts):
            yield f"transaction {row['number']}: an amount is not a whole number: {amounts}"
        elif sum(amounts) != 0:
            yield f"transaction {row['number']}: entries sum to {sum(amounts)}, not to 0"
        if row["phase"] not in ("pending", "posted", "void"):
            yield f"transaction {row['number']}: unknown phase {row['phase']!r}"


def _chains(export: Export) -> Iterable[str]:
    """Events, transactions and what staff did are numbered without a gap, and each names the one
    before it. Exports from before there were accounts have no audit log."""
    kinds: Counter[str] = Counter()
    yield from chained("events", _counted(export["events"], kinds), EVENT_FIELDS)
    yield from chained("transactions", export["transactions"], TRANSACTION_FIELDS)
    yield from chained("audit_log", export.get("audit_log", ()), AUDIT_FIELDS)
    only = getattr(export["events"], "only", None)
    if only is None:
        return
    for kind, count in kinds.items():
        found = len(only((kind,)))
        if found != count:
            yield f"events: {count} are of kind {kind}, {found} are found by it"


def _counted(rows: Iterable[Mapping[str, Any]], kinds: Counter[str]) -> Iterable[Mapping[str, Any]]:
    for row in rows:
        kinds[row["kind"]] += 1
        yield row


def _settled_once(export: Export) -> Iterable[str]:
    """At most one settlement and one receipt a visit."""
    charges = (row for row in export["transactions"] if row["kind"] == "charge")
    for name, rows in (
        ("settled", events_of(export, "visit.settled")),
        ("charged", charges),
        ("given a receipt", export["receipts"]),
    ):
        for visit_id, count in Counter(row["visit_id"] for row in rows).items():
            if count > 1:
                yield f"visit {visit_id} was {name} {count} times"


def _holds_resolved(export: Export) -> Iterable[str]:
    """Each hold ends once, captured no further than held; only open visits keep theirs, and those
    that the gateway was asked about and has not answered yet."""
    asked = {row["hold_key"] for row in unanswered(export)}
    stage = {visit["visit_id"]: visit["stage"] for visit in export["visits"]}
    resolved = Counter(t["resolves"] for t in export["transactions"] if t["resolves"])
    for key, count in resolved.items():
        if count > 1:
            yield f"hold {key} was resolved {count} times"
    for hold in export["holds"]:
        if hold["captured_minor"] > hold["amount_minor"]:
            yield (
                f"hold {hold['hold_key']}: captured {hold['captured_minor']} of "
                f"{hold['amount_minor']}"
            )
        if hold["hold_key"] in asked:
            continue
        if hold["state"] not in HOLD_ENDS and stage.get(hold["visit_id"]) == "final":
            yield f"hold {hold['hold_key']} is {hold['state']} though its visit is final"


def _funds(export: Export) -> Iterable[str]:
    """A wallet's posted and pending credit never falls below zero."""
    posted: Counter[str] = Counter()
    pending: dict[str, list[list[Any]]] = {}
    for row in export["transactions"]:
        if row["resolves"]:
            pending.pop(row["resolves"], None)
        if row["phase"] == "pending":
            pending[row["tx_id"]] = row["entries"]
        elif row["phase"] == "posted":
            for account, amount in row["entries"]:
                posted[account] += amount
        waiting: Counter[str] = Counter()
        for entries in pending.values():
            for account, amount in entries:
                waiting[account] += amount
        for account, _amount in row["entries"]:
            if account.startswith("wallet:") and -(posted[account] + waiting[account]) < 0:
                yield f"transaction {row['number']}: {account} falls below zero"


def _receipts_add_up(export: Export) -> Iterable[str]:
    """A charge is the sum of its lines at the prices of that time, less what promotions took off
    each line, VAT inside per line. Exports of before there were promotions have no discounts."""
    prices: defaultdict[str, set[int]] = defaultdict(set)
    for row in export["prices"]:
        prices[row["gtin"]].add(row["price_minor"])
    pickups = pickup_visits(export)
    for receipt in export["receipts"]:
        name = f"receipt of visit {receipt['visit_id']}"
        for line in receipt["lines"]:
            full = line["quantity"] * line["unit_price_minor"]
            gross, vat = line_amounts(line)
            if line["quantity"] <= 0:
                yield f"{name}, line {line['line']}: quantity {line['quantity']}"
            if not 0 <= gross <= full:
                yield f"{name}, line {line['line']}: {full - gross} taken off {full}"
            if line["total_minor"] != gross:
                yield f"{name}, line {line['line']}: {line['total_minor']} instead of {gross}"
            if line["vat_minor"] != vat:
                yield f"{name}, line {line['line']}: VAT {line['vat_minor']} instead of {vat}"
            if receipt["visit_id"] in pickups:
                # What is fetched has its order's price, whatever the shelf says.
                continue
            if line["unit_price_minor"] not in prices[line["gtin"]]:
                yield f"{name}, line {line['line']}: {line['gtin']} never cost that"
        total = sum(line["total_minor"] for line in receipt["lines"])
        if receipt["total_minor"] != total:
            yield f"{name}: total {receipt['total_minor']}, lines sum to {total}"
        if receipt["charged_minor"] + receipt["debt_minor"] != total:
            yield f"{name}: charged and debt do not add up to {total}"


def _lines_trace(export: Export) -> Iterable[str]:
    """Every charged line names reaches that the event log decided with certainty; those of parcels
    name a hand-over, see auditor.parcels."""
    pickups = pickup_visits(export)
    certain = {
        event["data"]["reach_id"]
        for event in events_of(export, "decision.")
        if event["data"]["certain"]
    }
    for receipt in export["receipts"]:
        if receipt["visit_id"] in pickups:
            continue
        for line in receipt["lines"]:
            if not line["reaches"] or not set(line["reaches"]) <= certain:
                yield (
                    f"receipt of visit {receipt['visit_id']}, line {line['line']}: no certain "
                    f"decision behind it ({line['reaches']})"
                )


def _gateway_agrees(export: Export) -> Iterable[str]:
    """What the gateway captured less refunds and disputes is what the clearing account was
    debited, but for what it was asked and has not answered."""
    gateway = export.get("gateway")
    if gateway is None:
        return
    clearing = balances_of(export)["clearing"]
    expected = gateway["captured_minor"] - gateway["refunded_minor"]
    # Exports of before there were disputes in the books do not name them.
    expected -= gateway.get("disputed_minor", 0) + gateway.get("dispute_fees_minor", 0)
    open_minor: Counter[str] = Counter()
    for row in export.get("payouts", ()):
        # It may have been paid: the gateway never said.
        open_minor["refund"] += row["amount_minor"] if row["state"] == "unanswered" else 0
    for row in unanswered(export):
        open_minor[row["kind"]] += row["amount_minor"]
    if not clearing - open_minor["refund"] <= expected <= clearing + open_minor["capture"]:
        yield f"clearing holds {clearing}, the gateway says {expected}"
    if gateway["refunded_minor"] > gateway["captured_minor"]:
        yield f"refunds {gateway['refunded_minor']} exceed captures {gateway['captured_minor']}"


def _stock_conserved(export: Export) -> Iterable[str]:
    """Per product: initial and restocked = on shelves, in carts, sold, found, removed and
    unaccounted; nothing is negative. Exports of before finds had neither of the two."""
    shelf: Counter[str] = Counter()
    for row in export["stock"]:
        shelf[row["gtin"]] += row["on_hand"]
        if row["on_hand"] < 0:
            yield f"slot {row['slot_id']}: {row['on_hand']} of {row['gtin']}"
    for row in export["products"]:
        had = row["initial"] + row["restocked"]
        has = shelf[row["gtin"]] + row["in_carts"] + row["sold"] + row["unaccounted"]
        has += row.get("found", 0) + row.get("removed", 0)
        for name in ("initial", "restocked", "in_carts", "sold", "unaccounted"):
            if row[name] < 0:
                yield f"product {row['gtin']}: {name} is {row[name]}"
        if had != has:
            yield f"product {row['gtin']}: had {had}, accounts for {has}"


def _messages_once(export: Export) -> Iterable[str]:
    """Each (device, boot, sequence) is in the inbox once."""
    boots: dict[tuple[str, str], _Sequences] = {}
    again: Counter[tuple[str, str, int]] = Counter()
    for row in export["inbox"]:
        boot, sequence = (row["device_id"], row["boot_id"]), row["sequence"]
        if not boots.setdefault(boot, _Sequences(sequence)).add(sequence):
            again[(*boot, sequence)] += 1
    for key, count in again.items():
        yield f"message {'/'.join(map(str, key))} took effect {count + 1} times"


class _Sequences:
    """Numbers of one boot that were seen: all from the first to `upto`, and some apart."""

    def __init__(self, first: int) -> None:
        self._first = first
        self._upto = first - 1
        self._apart: set[int] = set()

    def add(self, sequence: int) -> bool:
        """Whether it is new."""
        if self._first <= sequence <= self._upto or sequence in self._apart:
            return False
        self._apart.add(sequence)
        while self._upto + 1 in self._apart:
            self._upto += 1
            self._apart.remove(self._upto)
        return True


CHECKS: dict[str, Callable[[Export], Iterable[str]]] = {
    "debits equal credits": _balanced,
    "hash chains hold": _chains,
    "settled at most once": _settled_once,
    "holds resolved once": _holds_resolved,
    "funds above the floor": _funds,
    "receipts add up": _receipts_add_up,
    "lines trace to decisions": _lines_trace,
    "gateway agrees with clearing": _gateway_agrees,
    "stock is conserved": _stock_conserved,
    "messages took effect once": _messages_once,
    "desk payments pay debts": desk_payments,
    "staff pay nothing": staff_pay_nothing,
    "receipts are numbered without a gap": aftercare.receipts_numbered,
    "reviewed lines trace to staff": aftercare.reviews_by_staff,
    "disputes are answered once": aftercare.disputes_answered,
    "automatic refunds keep their limits": aftercare.refunds_within_limits,
    **goods.CHECKS,
    **FISCAL_CHECKS,
    **WALLET_CHECKS,
    **BANK_CHECKS,
    **PARCEL_CHECKS,
}
"""Name to check; each yields findings as sentences."""


def count_findings(findings: Mapping[str, Sequence[str]]) -> int:
    """How many findings there are in all."""
    return sum(len(rows) for rows in findings.values())
