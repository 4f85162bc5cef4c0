"""The invariants of what is promised and forbidden about goods, checked on the hub's export.

Everything is computed anew from events and receipts: what a promotion can take off at most, what
was closed or called back at a pick, what a count must have changed. An export of a store that
never used any of it has no such events, and no findings.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Callable, Iterable, Mapping, Set
from decimal import ROUND_HALF_UP, Decimal
from typing import Any

from auditor.sums import events_of, line_amounts

__all__ = ["CHECKS"]

Export = Mapping[str, Any]


def _discounts_promised(export: Export) -> Iterable[str]:
    """What is taken off a line was promised when its pieces were picked, and never more."""
    promised, ended = _promotions(export)
    picked = _picks(
        export,
        {
            reach
            for receipt in export["receipts"]
            for line in receipt["lines"]
            if line.get("promotions")
            for reach in line["reaches"]
        },
    )
    for receipt in export["receipts"]:
        uses: Counter[str] = Counter()
        for line in receipt["lines"]:
            off, names = line.get("discount_minor", 0), line.get("promotions", [])
            where = f"receipt of visit {receipt['visit_id']}, line {line['line']}"
            if bool(off) != bool(names) and (off or not _saves(receipt, names)):
                yield f"{where}: {off} taken off for the promotions {names}"
            most = 0
            for name in names:
                offer = promised.get(name)
                if offer is None or line["gtin"] not in _products(offer):
                    yield f"{where}: nobody promised {name} for {line['gtin']}"
                    continue
                times = [picked[reach] for reach in line["reaches"] if reach in picked]
                until = min(offer["until_us"] or 2**62, ended.get(name, 2**62))
                if not any(offer["from_us"] <= t_us < until for t_us in times):
                    yield f"{where}: {name} did not hold when the pieces were picked"
                uses[name] += 1
                most += _most_off(offer, line)
            if off > most:
                yield f"{where}: {off} taken off, {most} was promised at most"
        yield from _limits_kept(receipt, promised, uses)


def _saves(receipt: Mapping[str, Any], names: Iterable[str]) -> bool:
    """Whether all of these took something off elsewhere on the receipt: a cheap piece's share of a
    set may come to nothing."""
    saving = {
        name
        for line in receipt["lines"]
        if line.get("discount_minor", 0)
        for name in line.get("promotions", [])
    }
    return set(names) <= saving


def _limits_kept(
    receipt: Mapping[str, Any], promised: Mapping[str, Any], uses: Counter[str]
) -> Iterable[str]:
    """A promotion with a limit a visit took off no more than so many uses of it could."""
    for name, count in uses.items():
        offer = promised.get(name)
        if offer is None or offer["visit_max"] is None or not count:
            continue
        lines = [line for line in receipt["lines"] if line.get("promotions") == [name]]
        once = _most_once(offer, [line["unit_price_minor"] for line in lines])
        off = sum(line["discount_minor"] for line in lines)
        if off > once * offer["visit_max"]:
            yield (
                f"receipt of visit {receipt['visit_id']}: {name} took {off} off, "
                f"{offer['visit_max']} times {once} was promised"
            )


def _most_once(offer: Mapping[str, Any], prices: Iterable[int]) -> int:
    top = max(prices, default=0)
    if offer["offer"] == "percent":
        return _share(top, offer["percent_bp"])
    if offer["offer"] == "amount":
        return int(offer["amount_minor"])
    pieces = (
        sum(count for _, count in offer["items"])
        if offer["offer"] == "bundle"
        else offer["take"] - offer["pay"]
    )
    return int(pieces * top)


def _most_off(offer: Mapping[str, Any], line: Mapping[str, Any]) -> int:
    """An upper bound of what one promotion takes off one line."""
    full = int(line["quantity"] * line["unit_price_minor"])
    if offer["offer"] == "percent":
        return int(line["quantity"]) * _share(line["unit_price_minor"], offer["percent_bp"])
    if offer["offer"] == "amount":
        return min(full, int(line["quantity"] * offer["amount_minor"]))
    return full


def _share(price_minor: int, basis_points: int) -> int:
    share = Decimal(price_minor) * basis_points / 10_000
    return int(share.to_integral_value(rounding=ROUND_HALF_UP))


def _products(offer: Mapping[str, Any]) -> list[str]:
    return [gtin for gtin, _ in offer["items"]] if offer["items"] else list(offer["gtins"])


def _charges_match(export: Export) -> Iterable[str]:
    """The ledger's sales and VAT per rate are those of the receipt's lines, discounts included."""
    booked: dict[str, Counter[str]] = {}
    for row in export["transactions"]:
        if row["kind"] == "charge" and row["phase"] == "posted":
            amounts = booked.setdefault(row["visit_id"], Counter())
            for account, amount in row["entries"]:
                if account.startswith(("revenue:", "vat:")):
                    amounts[account] -= amount
    for receipt in export["receipts"]:
        due: Counter[str] = Counter()
        for line in receipt["lines"]:
            gross, vat = line_amounts(line)
            due[f"revenue:{line['vat_rate']}"] += gross - vat
            due[f"vat:{line['vat_rate']}"] += vat
        found = booked.get(receipt["visit_id"], Counter())
        for account in sorted({*due, *found}):
            if due[account] != found[account]:
                yield (
                    f"receipt of visit {receipt['visit_id']}: {account} is {due[account]} by its "
                    f"lines, the ledger has {found[account]}"
                )


def _refunds_exact(export: Export) -> Iterable[str]:
    """Of a line no more pieces and no more money go back than were charged; all of its pieces
    bring back exactly what the line cost."""
    back: defaultdict[str, Counter[int]] = defaultdict(Counter)
    money: Counter[str] = Counter()
    for event in events_of(export, "visit.corrected"):
        money[event["visit_id"]] += event["data"]["amount_minor"]
        for line, _gtin, quantity in event["data"]["lines"]:
            back[event["visit_id"]][line] += quantity
    for receipt in export["receipts"] if money else ():
        visit_id = receipt["visit_id"]
        if visit_id not in money:
            continue
        due = 0
        for line in receipt["lines"]:
            count, gone = line["quantity"], back[visit_id][line["line"]]
            if gone > count:
                yield f"visit {visit_id}, line {line['line']}: {gone} of {count} pieces given back"
                continue
            left = Decimal(line["total_minor"]) * (count - gone) / count
            due += line["total_minor"] - int(left.to_integral_value(rounding=ROUND_HALF_UP))
        if money[visit_id] != due:
            yield f"visit {visit_id}: {money[visit_id]} given back for pieces that cost {due}"


def _forbidden_unsold(export: Export) -> Iterable[str]:
    """Nothing that was closed at its pick, or called back before its visit settled, is charged."""
    closed: defaultdict[str, list[list[int]]] = defaultdict(list)
    recalled: defaultdict[str, list[list[Any]]] = defaultdict(list)
    for event in events_of(export, "product.", "recall."):
        kind, number, data = event["kind"], event["number"], event["data"]
        if kind == "product.closed":
            closed[data["gtin"]].append([event["at_us"], 2**62])
        elif kind == "product.reopened" and closed[data["gtin"]]:
            closed[data["gtin"]][-1][1] = event["at_us"]
        elif kind == "product.recalled":
            recalled[data["gtin"]].append([number, 2**62, data["recall_id"]])
        elif kind == "recall.lifted":
            for row in recalled[data["gtin"]]:
                if row[2] == data["recall_id"]:
                    row[1] = number
    if not closed and not recalled:
        return
    settled = {row["visit_id"]: row["number"] for row in events_of(export, "visit.settled")}
    picked = _picks(
        export,
        {
            reach
            for receipt in export["receipts"]
            for line in receipt["lines"]
            if line["gtin"] in closed
            for reach in line["reaches"]
        },
    )
    for receipt in export["receipts"]:
        number = settled.get(receipt["visit_id"], 0)
        for line in receipt["lines"]:
            where = f"receipt of visit {receipt['visit_id']}, line {line['line']}"
            if any(begin < number < end for begin, end, _ in recalled[line["gtin"]]):
                yield f"{where}: {line['gtin']} was called back and is charged"
            times = [picked[reach] for reach in line["reaches"] if reach in picked]
            for begin, end in closed[line["gtin"]]:
                if times and all(begin <= t_us < end for t_us in times):
                    yield f"{where}: {line['gtin']} was closed and is charged"


def _counts_agree(export: Export) -> Iterable[str]:
    """A count's correction leads to what was counted; nobody counts fewer than none."""
    for event in events_of(export, "stock.counted"):
        data = event["data"]
        if data["counted"] < 0 or data["counted"] - data["difference"] < 0:
            yield (
                f"event {event['number']}: {data['counted']} counted in {data['slot_id']}, which "
                f"is {data['difference']} more than the books had"
            )
    for row in export["products"]:
        for name in ("found", "removed"):
            if row.get(name, 0) < 0:
                yield f"product {row['gtin']}: {name} is {row[name]}"


def _promotions(export: Export) -> tuple[dict[str, Mapping[str, Any]], dict[str, int]]:
    """Promotions as they were promised, and when they were ended early."""
    promised: dict[str, Mapping[str, Any]] = {}
    ended: dict[str, int] = {}
    for event in events_of(export, "promotion."):
        name = event["data"].get("promotion_id")
        if event["kind"] == "promotion.added":
            promised[name] = event["data"]
            ended.pop(name, None)
        elif event["kind"] == "promotion.ended":
            ended[name] = event["at_us"]
    return promised, ended


def _picks(export: Export, wanted: Set[str]) -> dict[str, int]:
    """When each of these reaches was decided to have happened, in hub microseconds."""
    return {
        event["data"]["reach_id"]: event["data"]["t_us"]
        for event in (events_of(export, "decision.") if wanted else ())
        if event["data"]["reach_id"] in wanted and "t_us" in event["data"]
    }


CHECKS: dict[str, Callable[[Export], Iterable[str]]] = {
    "discounts were promised": _discounts_promised,
    "charges match receipts": _charges_match,
    "refunds are exact": _refunds_exact,
    "forbidden goods are not charged": _forbidden_unsold,
    "counts agree": _counts_agree,
}
"""Name to check; each yields findings as sentences."""
