"""The checks of the time after the exit: each can fail, and accepts exports from before."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from auditor import aftercare
from auditor.ledger import CHECKS

COLA = "4006381333931"
LIMITS = {
    "limit_line_minor": 150,
    "limit_payer_minor": 300,
    "limit_payer_count": 2,
    "limit_store_minor": 400,
}


def events(*rows: tuple[str, str | None, dict[str, Any]], step_us: int = 1) -> dict[str, Any]:
    """An export with these events and nothing else."""
    return {
        "visits": [{"visit_id": "v1", "payer": "p1"}, {"visit_id": "v2", "payer": "p2"}],
        "receipts": [],
        "events": [
            {"number": n, "at_us": n * step_us, "kind": kind, "visit_id": visit, "data": data}
            for n, (kind, visit, data) in enumerate(rows, 1)
        ],
    }


def unclear(**more: Any) -> tuple[str, str, dict[str, Any]]:
    data = {
        "reach_id": "r1", "line": 0, "to_visit": "v1", "gtin": COLA, "quantity": 1,
        "certain": False, "alternatives": [["v1", COLA, 1, "0.6"], [None, None, 0, "0.4"]],
    }  # fmt: skip
    return "decision.made", "v1", {**data, **more}


def reviewed(**more: Any) -> tuple[str, str, dict[str, Any]]:
    _kind, visit, data = unclear(certain=True, review_id="rev", by="clerk")
    return "decision.reviewed", visit, {**data, **more}


SETTLED: tuple[str, str, dict[str, Any]] = ("visit.settled", "v1", {})
NOTHING = {"to_visit": None, "gtin": None, "quantity": 0}


def opened(name: str = "d1", visit: str = "v1", **more: Any) -> tuple[str, str, dict[str, Any]]:
    data = {
        "dispute_id": name, "line": 1, "gtin": COLA, "quantity": 1, "amount_minor": 119,
        "automatic": False,
    }  # fmt: skip
    return "dispute.opened", visit, {**data, **more}


def corrected(**more: Any) -> tuple[str, str, dict[str, Any]]:
    data = {"refund_id": "dispute:d1", "amount_minor": 119, "lines": [[1, COLA, 1]]}
    return "visit.corrected", "v1", {**data, **more}


UPHELD = (
    "dispute.upheld",
    "v1",
    {"dispute_id": "d1", "refund_id": "dispute:d1", "amount_minor": 119, "by": "clerk"},
)
REJECTED = ("dispute.rejected", "v1", {"dispute_id": "d1", "by": "clerk", "reason": "seen"})


def found(check: Callable[[Any], Any], *rows: Any, **more: Any) -> str:
    return "; ".join(check(events(*rows, **more)))


def test_a_review_in_order() -> None:
    assert found(aftercare.reviews_by_staff, unclear(), reviewed(), SETTLED) == ""
    assert found(aftercare.reviews_by_staff, unclear(), SETTLED, reviewed(**NOTHING)) == ""


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((reviewed(),), "no unclear decision"),
        ((unclear(certain=True), reviewed()), "no unclear decision"),
        ((unclear(), reviewed(quantity=2)), "not among what vision named"),
        ((unclear(), reviewed(to_visit="v2")), "not among what vision named"),
        ((unclear(), SETTLED, reviewed()), "final already"),
        ((unclear(), reviewed(by="")), "nobody is named"),
        ((unclear(), reviewed(), reviewed()), "reviewed before"),
        ((unclear(), reviewed(), unclear()), "decided again"),
        ((unclear(), unclear(line=1), reviewed(), reviewed(line=1)), "more pieces"),
        ((unclear(line=1), unclear(certain=True), reviewed(line=1)), "more pieces"),
    ],
)
def test_a_review_that_is_wrong_is_found(rows: Any, said: str) -> None:
    assert said in found(aftercare.reviews_by_staff, *rows)


def test_disputes_in_order() -> None:
    check = aftercare.disputes_answered
    assert found(check, opened(), corrected(), UPHELD) == ""
    assert found(check, opened(), REJECTED) == ""
    assert found(check, opened()) == "", "it waits"


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((opened(), opened()), "opened twice"),
        ((REJECTED,), "never opened"),
        ((opened(), REJECTED, REJECTED), "answered 2 times"),
        ((opened(), UPHELD), "0 refunds"),
        ((opened(), corrected(), corrected(), UPHELD), "2 refunds"),
        ((opened(quantity=2), corrected(), UPHELD), "the refund gave"),
        ((opened(), corrected(amount_minor=120), UPHELD), "120 given"),
        ((opened(), (REJECTED[0], "v1", {**REJECTED[2], "reason": ""})), "without a reason"),
    ],
)
def test_a_dispute_that_is_wrong_is_found(rows: Any, said: str) -> None:
    assert said in found(aftercare.disputes_answered, *rows)


def automatic(name: str, visit: str = "v1", **more: Any) -> tuple[str, str, dict[str, Any]]:
    return opened(name, visit, automatic=True, **{**LIMITS, **more})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ((automatic("a"), automatic("b")), ""),
        ((automatic("a", amount_minor=151),), "the line comes to 151"),
        ((automatic("a", limit_payer_minor=100),), "the payer's day"),
        ((automatic("a", limit_payer_count=0),), "the payer's count"),
        ((automatic("a"), automatic("b", "v2", limit_store_minor=200)), "the store's day"),
    ],
)
def test_automatic_refunds_keep_their_limits(rows: Any, said: str) -> None:
    text = found(aftercare.refunds_within_limits, *rows)
    assert (text == "") if not said else (said in text)


def test_limits_are_for_a_day() -> None:
    rows = [automatic(f"d{n}") for n in range(4)]
    assert "count" in found(aftercare.refunds_within_limits, *rows)
    assert found(aftercare.refunds_within_limits, *rows, step_us=aftercare.DAY_US) == ""


def receipts(*numbers: int | None, order: str = "v1 v2 v3") -> dict[str, Any]:
    made = events(*(("visit.settled", visit, {}) for visit in order.split()))
    made["receipts"] = [
        {"visit_id": f"v{n}", **({} if number is None else {"number": number})}
        for n, number in enumerate(numbers, 1)
    ]
    return made


@pytest.mark.parametrize(
    ("export", "said"),
    [
        (receipts(1, 2, 3), ""),
        (receipts(None, None, None), ""),
        (receipts(1, 2, 4), "number 4, not 3"),
        (receipts(1, 2, 2), "number 2, not 3"),
        (receipts(0, 1, 2), "number 0, not 1"),
        (receipts(1, None, 2), "1 receipts have no number"),
        (receipts(1, 2, 3, order="v2 v1 v3"), "order of their settlements"),
    ],
)
def test_numbers_of_receipts(export: Any, said: str) -> None:
    text = "; ".join(aftercare.receipts_numbered(export))
    assert (text == "") if not said else (said in text)


def test_the_checks_are_part_of_every_audit() -> None:
    assert {
        aftercare.receipts_numbered,
        aftercare.reviews_by_staff,
        aftercare.disputes_answered,
        aftercare.refunds_within_limits,
    } <= set(CHECKS.values())
