"""The JSON of a scoring: every figure per case and sensor set, and in total.

    {"cases": {name: {sensors: {"precision", "recall", "f1", "exact_share", "overcharged_share",
                                "undercharged_share", "review_share", "association_accuracy",
                                "visits", "time_to_receipt_s": {"p50", "p95", "p99"}, …}}},
     "total": {sensors: {the same …}}, …}

Beside these stand n, 95 % intervals, seeds and CPU seconds, and for a case of the competition its
winner's F1. `total` also has `case_f1`, the mean over the cases with a winner's figure, beside
`winner_case_f1`, the winner's mean over the same cases: each case counts once, as it did there.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from auditor.report import summary_of_days
from sortie.lockstep import Sensors
from sortie.scoring.plan import Run
from sortie.scoring.runner import Scored
from sortie.scoring.work import Outcome
from store_sim.scenarios import CASES

__all__ = ["document_of", "winner_f1"]

PERCENTILES = ("p50", "p95", "p99")


def winner_f1(case: str) -> float | None:
    """What the competition's winner reached on a case, None where nobody knows."""
    known = CASES.get(case)
    return None if known is None else known.winner_f1


def document_of(scored: Scored) -> dict[str, Any]:
    """The whole document."""
    request = scored.request
    cases: dict[str, dict[str, Any]] = {}
    for case in request.cases:
        for sensors in request.sensors:
            days = _days(scored, sensors, (case,))
            if days:
                row = {**_summary(days), "winner_f1": winner_f1(case)}
                cases.setdefault(case, {})[sensors] = row
    total = {}
    for sensors in request.sensors:
        days = _days(scored, sensors, request.cases)
        total[sensors] = {**_summary(days), **_beside_the_winner(cases, sensors)}
    return {
        "schema": 1,
        "cases": cases,
        "total": total,
        "store": request.store_path.stem,
        "seeds": list(request.seeds),
        "reserved_seeds": list(request.reserved),
        "sensors": list(request.sensors),
        "dials": list(request.dials),
        "models": scored.models,
        "runs": {"all": len(request.runs), "done": len(scored.documents), "kept": scored.kept},
        "not_playable": _grouped(scored.not_playable),
        "failed": [
            {
                "case": outcome.run.case,
                "seed": outcome.run.seed,
                "sensors": outcome.run.sensors,
                "reason": outcome.reason,
                "where": outcome.where,
            }
            for outcome in scored.failed
        ],
        "cpu_s": {
            "runs": round(sum(one["cpu_s"] for one in scored.documents.values()), 1),
            "now": round(scored.cpu_s, 1),
        },
        "wall_s": round(scored.wall_s, 1),
    }


def _days(scored: Scored, sensors: Sensors, cases: Sequence[str]) -> dict[Run, dict[str, Any]]:
    return {
        run: scored.documents[run]
        for run in scored.request.runs
        if run.sensors == sensors and run.case in cases and run in scored.documents
    }


def _summary(days: Mapping[Run, Mapping[str, Any]]) -> dict[str, Any]:
    named = {f"{run.case}/{run.seed}": document for run, document in days.items()}
    summary = summary_of_days(named)
    waits = summary["time_to_receipt_s"]
    return {
        **summary,
        "time_to_receipt_s": {name: waits.get(name) for name in PERCENTILES},
        "days": len(days),
        "seeds": sorted({run.seed for run in days}),
        "findings_in_the_books": sum(
            len(rows) for one in days.values() for rows in one["ledger"]["findings"].values()
        ),
        "cpu_s": round(sum(one["cpu_s"] for one in days.values()), 2),
        "store_s": round(sum(one["store_s"] for one in days.values()), 1),
    }


def _beside_the_winner(
    cases: Mapping[str, Mapping[str, Any]], sensors: Sensors
) -> dict[str, float | int | None]:
    """Means over the cases with a winner's figure; None without any."""
    known = [
        (row[sensors]["f1"], row[sensors]["winner_f1"])
        for row in cases.values()
        if sensors in row and row[sensors]["winner_f1"] is not None
    ]
    return {
        "case_f1": sum(ours for ours, _ in known) / len(known) if known else None,
        "winner_case_f1": sum(winners for _, winners in known) / len(known) if known else None,
        "cases_with_winner": len(known),
    }


def _grouped(outcomes: Sequence[Outcome]) -> list[dict[str, Any]]:
    """Cases that cannot be played here: each reason once, with the seeds it was given for."""
    seeds: dict[tuple[str, str], dict[int, None]] = {}
    for outcome in outcomes:
        seeds.setdefault((outcome.run.case, outcome.reason), {})[outcome.run.seed] = None
    return [
        {"case": case, "seeds": list(found), "reason": reason}
        for (case, reason), found in seeds.items()
    ]
