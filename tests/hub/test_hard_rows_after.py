"""Rows of HARD_CASES.md E about the time after the exit, by their names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from hub.review.commands import Choice, DecideReview, SetAftercare
from hub.rules import Rules
from tests.hub.after_kit import BREAD, COLA, Place, at_once

WORKERS = 20


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_shop("hub.db"), tmp_path)


def sound(place: Place) -> None:
    findings = audit(place.shop.hub.export_json())
    assert {name: rows for name, rows in findings.items() if rows} == {}
    totals = place.shop.hub.gateway.totals()
    assert totals.refunded_minor <= totals.captured_minor


def test_refund_twice_at_once_one_wins(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])

    def refund(number: int) -> int:
        body = {
            "refund_id": f"worker-{number}",
            "visit_id": opened["visit_id"],
            "lines": [{"line": 1, "quantity": 1}],
        }
        return place.http.post("/api/v1/staff/refunds", body).status_code

    statuses = Counter(at_once(WORKERS, refund))
    assert statuses[200] == 1
    assert set(statuses) <= {200, 409, 422}
    place.play([], place.now_s + 2.0)
    assert place.kinds().count("visit.corrected") == 1
    assert place.shop.hub.gateway.totals().refunded_minor == 119
    sound(place)


def test_the_same_refund_twenty_times_is_one(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    body = {
        "refund_id": "once",
        "visit_id": opened["visit_id"],
        "lines": [{"line": 1, "quantity": 1}],
    }
    answers = at_once(WORKERS, lambda _n: place.http.post("/api/v1/staff/refunds", body).json())
    assert sorted(answer["repeated"] for answer in answers) == [False] + [True] * (WORKERS - 1)
    place.play([], place.now_s + 2.0)
    sound(place)


def test_refund_after_dispute_and_dispute_after_refund_one_wins(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True), (COLA, True), (BREAD, True)])
    token, visit_id = opened["token"], opened["visit_id"]
    name = place.dispute(token, line=2).json()["dispute_id"]

    def work(number: int) -> int:
        if number % 2:
            body: dict[str, Any] = {"dispute_id": name, "visit_id": visit_id, "uphold": True}
            return place.http.post("/api/v1/staff/disputes/decide", body).status_code
        lines = [{"line": 2, "quantity": 1}]
        body = {"refund_id": f"w-{number}", "visit_id": visit_id, "lines": lines}
        return place.http.post("/api/v1/staff/refunds", body).status_code

    statuses = at_once(WORKERS, work)
    assert set(statuses) <= {200, 409, 422}
    place.play([], place.now_s + 2.0)
    corrected = [e for e in place.events if e["kind"] == "visit.corrected"]
    assert [event["data"]["lines"] for event in corrected] == [[[2, BREAD, 1]]]
    assert place.phone(token)["disputes"][0]["state"] == "refunded"
    assert place.dispute(token, line=2, dispute_id="dispute-two").status_code == 422
    sound(place)


def test_twenty_disputes_of_one_piece_are_one_refund(place: Place, day: Any) -> None:
    place.driver.command(
        SetAftercare(
            refund_line_minor=1000,
            refund_payer_day_minor=100_000,
            refund_payer_day_count=1000,
            refund_store_day_minor=100_000,
        )
    )
    opened = place.bought(day, [(COLA, True)])

    def tap(number: int) -> int:
        return place.dispute(opened["token"], dispute_id=f"tap-number-{number}").status_code

    statuses = Counter(at_once(WORKERS, tap))
    assert statuses == {201: 1, 422: WORKERS - 1}
    place.play([], place.now_s + 2.0)
    assert place.shop.hub.gateway.totals().refunded_minor == 119
    sound(place)


def _late(place: Place, day: Any, *, pick: bool) -> tuple[dict[str, str], str]:
    """A reach whose news come after the receipt; its shelf node was cut off until then."""
    opened = place.opened()
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, opened["code"])
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", COLA)
    day.step(3.0, "t1", 1.1, 3.4)
    reach = day.reach(3.1, "t1", COLA, pick=pick)
    late = day.script[-2:]
    del day.script[-2:]
    for at_s, y_m in ((4.0, 1.2), (4.5, 0.6), (5.0, 0.1)):
        day.step(at_s, "t1", 5.0, y_m)
    place.play(day.script, 45.0)
    assert place.phone(opened["token"])["stage"] == "final"
    place.play([(45.2, name, payload) for _at, name, payload in late], 47.0)
    return opened, reach


@pytest.mark.parametrize("wait_s", [0.0, 60.0])
def test_event_after_the_exit_is_never_a_silent_charge(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any, wait_s: float
) -> None:
    place = Place(make_shop(rules=Rules(review_wait_s=wait_s)), tmp_path)
    opened, reach = _late(place, day, pick=True)
    assert "decision.late" in place.kinds()
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 119)
    queue = place.http.get("/api/v1/staff/reviews").json()["visits"]
    assert [line["reach_id"] for row in queue for line in row["late"]] == (
        [reach] if wait_s else []
    )
    sound(place)


def test_event_after_the_exit_lowers_the_receipt_after_review(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop(rules=Rules(review_wait_s=60.0)), tmp_path)
    opened, reach = _late(place, day, pick=False)
    assert place.phone(opened["token"])["total_minor"] == 119
    place.driver.command(
        DecideReview(
            review_id="late-one",
            visit_id=opened["visit_id"],
            reach_id=reach,
            line=0,
            choice=Choice(visit_id=opened["visit_id"], gtin=COLA, quantity=-1),
        )
    )
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["state"], shown["receipt"]["refunded_minor"]) == ("corrected", 119)
    sound(place)
