"""What happens after the exit, checked on the hub's export: reviews, disputes, receipt numbers.

Written from the export's documented format alone; an export from before these events and fields
were there has nothing to be checked here.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any

from auditor.sums import events_of

__all__ = ["disputes_answered", "receipts_numbered", "refunds_within_limits", "reviews_by_staff"]

Export = Mapping[str, Any]
DAY_US = 86_400 * 1_000_000


def receipts_numbered(export: Export) -> Iterable[str]:
    """Receipts are numbered from 1 without a gap, in the order of settlements."""
    rows = [(row["number"], row["visit_id"]) for row in export["receipts"] if "number" in row]
    if not rows:
        return
    if len(rows) != len(export["receipts"]):
        yield f"{len(export['receipts']) - len(rows)} receipts have no number"
        return
    rows.sort()
    for expected, (number, visit_id) in enumerate(rows, 1):
        if number != expected:
            yield f"receipt of visit {visit_id}: number {number}, not {expected}"
            return
    settled = {event["visit_id"]: event["number"] for event in events_of(export, "visit.settled")}
    order = [settled[visit_id] for _number, visit_id in rows if visit_id in settled]
    if order != sorted(order):
        yield "receipts are not numbered in the order of their settlements"


def reviews_by_staff(export: Export) -> Iterable[str]:
    """A reviewed line confirms what an unclear decision named, once, by somebody, and adds nothing
    to a visit that is final."""
    reaches = {event["data"]["reach_id"] for event in events_of(export, "decision.reviewed")}
    if not reaches:
        return
    named: dict[tuple[str, int], list[list[Any]]] = {}
    certain: dict[tuple[str, int], bool] = {}
    reviewed: set[tuple[str, int]] = set()
    settled: set[str] = set()
    clear: dict[tuple[str, int], list[Any]] = {}
    for event in events_of(export, "visit.settled", "decision."):
        kind = event["kind"]
        if kind == "visit.settled":
            settled.add(event["visit_id"])
            continue
        data = event["data"]
        if data["reach_id"] not in reaches:
            continue
        key = (data["reach_id"], data["line"])
        said = [data["to_visit"], data["gtin"], data["quantity"]]
        clear[key] = said if data["certain"] else [None, None, 0]
        if kind != "decision.reviewed":
            if key in reviewed:
                yield f"event {event['number']}: {key} was decided again after its review"
            named[key] = [said, *(list(one[:3]) for one in data["alternatives"])]
            certain[key] = data["certain"]
            continue
        where = f"event {event['number']}, review of {key}"
        if key in reviewed:
            yield f"{where}: it was reviewed before"
        reviewed.add(key)
        if not data.get("by") or not data.get("review_id"):
            yield f"{where}: nobody is named who decided"
        if certain.get(key, True):
            yield f"{where}: there was no unclear decision before"
        elif said != [None, None, 0] and said not in named[key]:
            yield f"{where}: {said} was not among what vision named"
        elif _too_many(key, said, named[key], clear):
            yield f"{where}: its reach comes to more pieces than vision named"
        if data["to_visit"] in settled:
            yield f"{where}: visit {data['to_visit']} was final already"


def disputes_answered(export: Export) -> Iterable[str]:
    """Each dispute is opened once and answered at most once; an upheld one was refunded, once."""
    opened: dict[str, dict[str, Any]] = {}
    answered: Counter[str] = Counter()
    refunds: dict[str, list[dict[str, Any]]] = defaultdict(list)
    for event in events_of(export, "visit.corrected", "dispute."):
        kind = event["kind"]
        data = event["data"]
        if kind == "visit.corrected":
            refunds[data["refund_id"]].append({**data, "visit_id": event["visit_id"]})
        elif kind == "dispute.opened":
            if data["dispute_id"] in opened:
                yield f"dispute {data['dispute_id']} was opened twice"
            opened[data["dispute_id"]] = {**data, "visit_id": event["visit_id"]}
        elif kind in ("dispute.upheld", "dispute.rejected", "dispute.closed"):
            name = data["dispute_id"]
            answered[name] += 1
            if name not in opened:
                yield f"dispute {name} was answered and never opened"
            elif kind == "dispute.upheld":
                yield from _refunded(opened[name], data, refunds.get(data["refund_id"], []))
            elif kind == "dispute.rejected" and not data["reason"]:
                yield f"dispute {name} was rejected without a reason"
    for name, count in answered.items():
        if count > 1:
            yield f"dispute {name} was answered {count} times"


def refunds_within_limits(export: Export) -> Iterable[str]:
    """Automatic refunds keep the limits they were given under: a line, a payer and the store."""
    opened = [event for event in events_of(export, "dispute.opened") if event["data"]["automatic"]]
    theirs_of = {event["visit_id"] for event in opened}
    payer = {
        visit["visit_id"]: visit["payer"]
        for visit in (export["visits"] if opened else ())
        if visit["visit_id"] in theirs_of
    }
    given: list[tuple[int, str, int]] = []
    for event in opened:
        data = event["data"]
        name, amount, who = data["dispute_id"], data["amount_minor"], payer[event["visit_id"]]
        given = [row for row in given if row[0] > event["at_us"] - DAY_US]
        given.append((event["at_us"], who, amount))
        theirs = [minor for _at, one, minor in given if one == who]
        for what, value, limit in (
            ("the line", amount, data["limit_line_minor"]),
            ("the payer's day", sum(theirs), data["limit_payer_minor"]),
            ("the payer's count", len(theirs), data["limit_payer_count"]),
            ("the store's day", sum(row[2] for row in given), data["limit_store_minor"]),
        ):
            if value > limit:
                yield f"dispute {name}: {what} comes to {value}, the limit was {limit}"


def _too_many(
    key: tuple[str, int],
    said: list[Any],
    named: list[list[Any]],
    clear: Mapping[tuple[str, int], list[Any]],
) -> bool:
    """Whether the lines of a reach together have more of a product than any explanation."""
    sign = 1 if said[2] > 0 else -1

    def pieces(one: list[Any]) -> int:
        return max(0, sign * int(one[2])) if one[:2] == said[:2] else 0

    together = sum(pieces(one) for other, one in clear.items() if other[0] == key[0])
    return bool(said[2]) and together > max(pieces(one) for one in named)


def _refunded(
    dispute: Mapping[str, Any], answer: Mapping[str, Any], refunds: list[dict[str, Any]]
) -> Iterable[str]:
    name = dispute["dispute_id"]
    wanted = [[dispute["line"], dispute["gtin"], dispute["quantity"]]]
    if len(refunds) != 1:
        yield f"dispute {name} was upheld with {len(refunds)} refunds"
    elif refunds[0]["visit_id"] != dispute["visit_id"] or refunds[0]["lines"] != wanted:
        yield f"dispute {name} was about {wanted}, the refund gave {refunds[0]['lines']}"
    elif refunds[0]["amount_minor"] != answer["amount_minor"]:
        yield f"dispute {name}: {answer['amount_minor']} said, {refunds[0]['amount_minor']} given"
