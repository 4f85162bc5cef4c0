"""The audit of a day: scores and books as one JSON document and as a table for the terminal.

Without a truth the receipts stand alone: their rows and the summary have the same keys, and null
where only a truth could tell.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table

from auditor.accounts import NOBODY, Account, accounts_of
from auditor.ledger import audit, count_findings
from auditor.read import TrueVisit
from auditor.score import Line, Summary, VisitScore, percentiles, score_visit, summarise

__all__ = [
    "document", "print_report", "score_day", "scores_of_days", "summary_document",
    "summary_of_days",
]  # fmt: skip


def score_day(
    truth: Sequence[TrueVisit], export: Mapping[str, Any], *, epoch_s: float = 0.0
) -> list[VisitScore]:
    """Receipts beside the truth, one row for each account of auditor.accounts.

    A payer without a receipt counts as charged nothing; one with several (a group's) has them
    added up. `epoch_s` is the hub's time at store second 0: the time to a receipt counts from
    when the last of those who pay through it truly crossed the exit, to the last receipt.
    """
    prices: dict[str, int] = {}
    for row in sorted(export["prices"], key=lambda price: price["from_us"]):
        prices[row["gtin"]] = row["price_minor"]
    receipts = {row["visit_id"]: row for row in export["receipts"]}
    visits = {row["visit_id"]: row for row in export["visits"]}
    return [
        _score(account, receipts, visits, prices, str(export["currency"]), epoch_s)
        for account in accounts_of(truth, export)
    ]


def document(
    scores: Sequence[VisitScore] | None,
    export: Mapping[str, Any],
    *,
    sensors: str,
    seed: int | None,
    models: Mapping[str, str],
    cpu_s: float,
    store_s: float,
) -> dict[str, Any]:
    """The JSON result of `sortie demo --headless` and `sortie replay`, schema 1; `scores` is None
    where no truth is known."""
    findings = audit(export)
    if scores is None:
        visits = _receipts_alone(export)
        summary = _summary_without_truth(visits)
    else:
        visits = [_visit(score) for score in scores]
        summary = summary_document(summarise(scores))
    return {
        "schema": 1,
        "visits": visits,
        "summary": summary,
        "ledger": {
            "balanced": not findings["debits equal credits"],
            "entries": sum(len(row["entries"]) for row in export["transactions"]),
            "findings": {name: rows for name, rows in findings.items() if rows},
        },
        "sensors": sensors,
        "seed": seed,
        "models": dict(models),
        "cpu_s": round(cpu_s, 3),
        "store_s": round(store_s, 3),
    }


def print_report(console: Console, result: Mapping[str, Any]) -> None:
    """A table of visits, the scores with their intervals, and what the books say."""
    table = Table(title=f"Visits ({result['sensors']})", title_justify="left")
    for column in ("visit", "took", "charged", "total", "over", "under", "receipt after"):
        table.add_column(column, overflow="fold")
    for row in result["visits"]:
        truth = row["truth"]
        charged = sum(line["quantity"] for line in row["receipt"])
        after = row["time_to_receipt_s"]
        marks = " *" if row["exact"] is False else ""
        if row["members"]:
            marks += f" + {len(row['members'])} of the group"
        marks += " (review)" if row["reviewed"] else ""
        marks += "" if row["counted"] else " (owes nothing)"
        table.add_row(
            f"{row['shopper']}{marks}",
            "?" if truth is None else str(sum(line["quantity"] for line in truth)),
            str(charged),
            f"{row['total_minor'] / 100:.2f} {row['currency']}",
            _cents(row["overcharged_minor"]),
            _cents(row["undercharged_minor"]),
            "-" if after is None else f"{after:.1f} s",
        )
    console.print(table)
    _print_summary(console, result["summary"])
    console.print(f"CPU {result['cpu_s']:.1f} s for {result['store_s']:.1f} s of store time")
    findings = result["ledger"]["findings"]
    if not findings:
        console.print(f"[green]books in order[/], {result['ledger']['entries']} ledger entries")
        return
    console.print(f"[red]{count_findings(findings)} findings in the books[/]")
    for name, rows in findings.items():
        for row in rows[:5]:
            console.print(f"  {name}: {row}")


def scores_of_days(documents: Mapping[str, Mapping[str, Any]]) -> list[VisitScore]:
    """All rows of several days' documents, by a name for each day."""
    return [
        VisitScore(
            visit_id=row["visit_id"],
            shopper=row["shopper"],
            truth={line["gtin"]: line["quantity"] for line in row["truth"]},
            receipt=tuple(Line(**line) for line in row["receipt"]),
            total_minor=row["total_minor"],
            currency=row["currency"],
            overcharged_minor=row["overcharged_minor"],
            undercharged_minor=row["undercharged_minor"],
            reviewed=row["reviewed"],
            time_to_receipt_s=row["time_to_receipt_s"],
            day=day,
            free={line["gtin"]: line["quantity"] for line in row["free"]},
            members=tuple(row["members"]),
            counted=row["counted"],
        )
        for day, one in documents.items()
        for row in one["visits"]
    ]


def summary_of_days(documents: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """One summary over several days' documents, by a name for each day."""
    return summary_document(summarise(scores_of_days(documents)))


def _print_summary(console: Console, s: Mapping[str, Any]) -> None:
    if s["f1"] is None:
        console.print(
            "[yellow]no truth here: receipts stand alone and are not scored[/]; "
            f"receipts {s['visits']}, items charged {s['items']}, review {s['review_share']:.1%}"
        )
        return
    low, high = s["f1_interval"]
    console.print(
        f"item F1 {s['f1']:.3f} (95 % {low:.3f} to {high:.3f}, n = {s['items']}), "
        f"precision {s['precision']:.3f}, recall {s['recall']:.3f}, "
        f"right payer {s['association_accuracy']:.3f}"
    )
    console.print(
        f"exact receipts {s['exact_share']:.1%} of {s['visits']}, overcharged "
        f"{s['overcharged_share']:.1%}, undercharged {s['undercharged_share']:.1%}, "
        f"review {s['review_share']:.1%}"
    )


def _score(
    account: Account,
    receipts: Mapping[str, Mapping[str, Any]],
    visits: Mapping[str, Mapping[str, Any]],
    prices: Mapping[str, int],
    currency: str,
    epoch_s: float,
) -> VisitScore:
    own = [receipts[visit_id] for visit_id in account.receipts]
    named = dict.fromkeys((account.visit_id or "", *account.receipts))
    waited = None
    if own and account.left_s is not None:
        waited = max(row["issued_us"] for row in own) / 1e6 - epoch_s - account.left_s
    return score_visit(
        visit_id=account.visit_id or "",
        shopper="nobody" if account.shopper == NOBODY else f"shopper-{account.shopper}",
        # What the store does not sell (somebody left it there) is owed by nobody.
        truth={gtin: count for gtin, count in account.owed.items() if gtin in prices},
        receipt=[
            Line(line["gtin"], line["quantity"], line["unit_price_minor"])
            for row in own
            for line in row["lines"]
        ],
        prices_minor=prices,
        currency=currency,
        total_minor=sum(row["total_minor"] for row in own),
        reviewed=any(visits.get(visit_id, {}).get("needs_review", False) for visit_id in named),
        time_to_receipt_s=waited,
        free=account.free,
        members=account.members,
        counted=account.counted,
    )


def _visit(score: VisitScore) -> dict[str, Any]:
    return {
        "visit_id": score.visit_id,
        "shopper": score.shopper,
        "truth": [{"gtin": gtin, "quantity": count} for gtin, count in score.truth.items()],
        "receipt": [
            {
                "gtin": line.gtin,
                "quantity": line.quantity,
                "unit_price_minor": line.unit_price_minor,
            }
            for line in score.receipt
        ],
        "total_minor": score.total_minor,
        "currency": score.currency,
        "exact": score.exact,
        "overcharged_minor": score.overcharged_minor,
        "undercharged_minor": score.undercharged_minor,
        "reviewed": score.reviewed,
        "time_to_receipt_s": score.time_to_receipt_s,
        "free": [{"gtin": gtin, "quantity": count} for gtin, count in score.free.items()],
        "members": list(score.members),
        "counted": score.counted,
    }


def summary_document(summary: Summary) -> dict[str, Any]:
    """A summary as JSON values."""
    return {
        "visits": summary.visits,
        "items": summary.items,
        "charged_items": summary.charged_items,
        "right_items": summary.right_items,
        "precision": summary.precision,
        "recall": summary.recall,
        "f1": summary.f1,
        "f1_interval": list(summary.f1_interval),
        "exact_share": summary.exact_share,
        "exact_interval": list(summary.exact_interval),
        "overcharged_share": summary.overcharged_share,
        "overcharged_interval": list(summary.overcharged_interval),
        "undercharged_share": summary.undercharged_share,
        "review_share": summary.review_share,
        "association_accuracy": summary.association_accuracy,
        "overcharged_minor": summary.overcharged_minor,
        "undercharged_minor": summary.undercharged_minor,
        "time_to_receipt_s": dict(summary.time_to_receipt_s),
    }


def _receipts_alone(export: Mapping[str, Any]) -> list[dict[str, Any]]:
    """A row for each receipt, called by its payer. The time to it counts from when the hub took
    the visitor to have left, for want of a better witness."""
    visits = {row["visit_id"]: row for row in export["visits"]}
    rows = []
    for receipt in export["receipts"]:
        visit = visits[receipt["visit_id"]]
        exited_us = visit["exited_us"]
        waited_us = None if exited_us is None else receipt["issued_us"] - exited_us
        rows.append(
            {
                "visit_id": receipt["visit_id"],
                "shopper": visit["payer"],
                "truth": None,
                "receipt": [
                    {key: line[key] for key in ("gtin", "quantity", "unit_price_minor")}
                    for line in receipt["lines"]
                ],
                "total_minor": receipt["total_minor"],
                "currency": str(export["currency"]),
                "exact": None,
                "overcharged_minor": None,
                "undercharged_minor": None,
                "reviewed": bool(visit["needs_review"]),
                "time_to_receipt_s": None if waited_us is None else waited_us / 1e6,
                "free": [],
                "members": [],
                "counted": True,
            }
        )
    return rows


def _summary_without_truth(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any]:
    """The keys of `summary_document`. `items` is what was charged: nobody knows what was taken."""
    charged = sum(line["quantity"] for row in rows for line in row["receipt"])
    waits = [row["time_to_receipt_s"] for row in rows if row["time_to_receipt_s"] is not None]
    reviewed = sum(row["reviewed"] for row in rows)
    unknown = dict.fromkeys(summary_document(summarise([])))
    return {
        **unknown,
        "visits": len(rows),
        "items": charged,
        "charged_items": charged,
        "review_share": reviewed / len(rows) if rows else 0.0,
        "time_to_receipt_s": percentiles(waits),
    }


def _cents(amount_minor: int | None) -> str:
    if amount_minor is None:
        return "?"
    return f"{amount_minor / 100:.2f}" if amount_minor else ""
