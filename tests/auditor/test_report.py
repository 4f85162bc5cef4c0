"""The document of a day, with a truth and without one."""

from __future__ import annotations

import io
from typing import Any

import pytest
from rich.console import Console

from auditor.read import TrueVisit
from auditor.report import document, print_report, score_day

GTIN = "4006381333931"
JUDGED = (
    "right_items", "precision", "recall", "f1", "f1_interval", "exact_share", "exact_interval",
    "overcharged_share", "overcharged_interval", "undercharged_share", "association_accuracy",
    "overcharged_minor", "undercharged_minor",
)  # fmt: skip


def _export(visits: list[tuple[str, int, bool]]) -> dict[str, Any]:
    """An export of visits with so many pieces each, charged 2 s after the exit."""
    line = {
        "line": 1,
        "gtin": GTIN,
        "unit_price_minor": 150,
        "vat_minor": 24,
        "vat_rate": "0.19",
        "reaches": [],
    }
    return {
        "schema": 1,
        "currency": "EUR",
        "visits": [
            {
                "visit_id": name,
                "payer": f"payer-{name}",
                "stage": "final",
                "exited_us": 7_000_000,
                "needs_review": review,
            }
            for name, _, review in visits
        ],
        "receipts": [
            {
                "visit_id": name,
                "issued_us": 9_000_000,
                "total_minor": 150 * count,
                "charged_minor": 150 * count,
                "debt_minor": 0,
                "lines": [{**line, "quantity": count, "total_minor": 150 * count}],
            }
            for name, count, _ in visits
        ],
        "prices": [{"gtin": GTIN, "from_us": 0, "price_minor": 150}],
        **{part: [] for part in ("events", "transactions", "holds", "products", "stock", "inbox")},
    }


def _document(export: dict[str, Any], truth: list[TrueVisit] | None) -> dict[str, Any]:
    scores = None if truth is None else score_day(truth, export)
    return document(scores, export, sensors="both", seed=1, models={}, cpu_s=1.0, store_s=9.0)


def _printed(result: dict[str, Any]) -> str:
    out = io.StringIO()
    print_report(Console(file=out, width=160), result)
    return out.getvalue()


def test_without_a_truth_receipts_stand_alone() -> None:
    result = _document(_export([("v1", 2, False), ("v2", 1, True)]), None)
    assert result["schema"] == 1
    first, second = result["visits"]
    assert first["receipt"] == [{"gtin": GTIN, "quantity": 2, "unit_price_minor": 150}]
    assert (first["visit_id"], first["shopper"], first["total_minor"]) == ("v1", "payer-v1", 300)
    assert (first["reviewed"], second["reviewed"]) == (False, True)
    assert first["time_to_receipt_s"] == 2.0
    for row in result["visits"]:
        unknown = ("truth", "exact", "overcharged_minor", "undercharged_minor")
        assert {key: row[key] for key in unknown} == dict.fromkeys(unknown)
    summary = result["summary"]
    assert {key: summary[key] for key in JUDGED} == dict.fromkeys(JUDGED)
    known = {key: value for key, value in summary.items() if key not in JUDGED}
    assert known == {
        "visits": 2,
        "items": 3,
        "charged_items": 3,
        "review_share": 0.5,
        "time_to_receipt_s": {"p50": 2.0, "p95": 2.0, "p99": 2.0},
    }


def test_who_was_not_seen_to_leave_has_no_time_to_the_receipt() -> None:
    export = _export([("v1", 1, False)])
    export["visits"][0]["exited_us"] = None
    result = _document(export, None)
    assert result["visits"][0]["time_to_receipt_s"] is None
    assert result["summary"]["time_to_receipt_s"] == {}


def test_the_same_keys_with_a_truth_and_without_one() -> None:
    export = _export([("v1", 2, False)])
    known = _document(export, [TrueVisit(0, "v1", 1.0, 6.0, {GTIN: 2}, 2, payer=0)])
    alone = _document(export, None)
    assert known["visits"][0].keys() == alone["visits"][0].keys()
    assert known["summary"].keys() == alone["summary"].keys()
    assert known["visits"][0]["exact"] is True
    assert known["summary"]["f1"] == 1.0


@pytest.mark.parametrize("visits", [[], [("v1", 2, False)]])
def test_the_report_says_that_there_is_no_truth(visits: list[tuple[str, int, bool]]) -> None:
    said = _printed(_document(_export(visits), None))
    assert "no truth here: receipts stand alone and are not scored" in said
    assert "F1" not in said
    assert "*" not in said


def test_a_truth_in_which_nobody_left_is_a_truth() -> None:
    result = _document(_export([("v1", 2, False)]), [])
    assert result["visits"][0]["shopper"] == "nobody"
    assert result["visits"][0]["truth"] == []
    assert result["summary"]["precision"] == 0.0
    assert "no truth" not in _printed(result)
