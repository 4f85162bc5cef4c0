"""Disputes: one tap, staff's answer, automatic refunds under limits; nothing is given twice."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from hub.commands import COMMAND, RefundLine, RefundVisit
from hub.disputes.commands import DecideDispute, OpenDispute
from hub.errors import ConflictError, RejectedError
from hub.review.commands import SetAftercare
from hub.rules import Rules
from tests.hub.after_kit import BREAD, COLA, PASSWORD, Place

SMALL = SetAftercare(
    refund_line_minor=150,
    refund_payer_day_minor=300,
    refund_payer_day_count=2,
    refund_store_day_minor=400,
)


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_shop("hub.db"), tmp_path)


def sound(place: Place) -> None:
    findings = audit(place.shop.hub.export_json())
    assert {name: rows for name, rows in findings.items() if rows} == {}


def test_a_dispute_waits_for_staff_and_is_upheld_once(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True), (BREAD, True)])
    token, visit_id = opened["token"], opened["visit_id"]
    answer = place.dispute(token, words="I put it back <b>")
    assert (answer.status_code, answer.json()["state"]) == (201, "open")
    name = answer.json()["dispute_id"]
    assert place.dispute(token).json()["dispute_id"] == name, "the same tap again"
    assert place.kinds().count("dispute.opened") == 1
    shown = place.phone(token)
    assert (shown["status"], shown["state"]) == ("disputed", "final")
    queue = place.http.get("/api/v1/staff/disputes").json()["disputes"]
    assert [row["words"] for row in queue] == ["I put it back <b>"]
    assert queue[0]["decisions"][0]["reach_id"] == queue[0]["reaches"][0]
    body = {"dispute_id": name, "visit_id": visit_id, "uphold": True, "by": "clerk.1"}
    first = place.http.post("/api/v1/staff/disputes/decide", body)
    assert first.json()["amount_minor"] == 119
    assert place.http.post("/api/v1/staff/disputes/decide", body).json()["repeated"]
    other = {**body, "uphold": False, "reason": "no"}
    assert place.http.post("/api/v1/staff/disputes/decide", other).status_code == 409
    place.play([], place.now_s + 1.0)
    shown = place.phone(token)
    assert (shown["status"], shown["state"]) == ("settled", "corrected")
    assert shown["receipt"]["refunded_minor"] == 119
    assert "by" not in shown["disputes"][0]
    queue = place.http.get("/api/v1/staff/disputes").json()["disputes"]
    assert queue[0]["by"] == "staff", "who decided is what the door knows, not what is claimed"
    assert place.rebuilt().digest() == place.shop.hub.digest()
    sound(place)


def test_what_the_shopper_wrote_is_nowhere_in_the_journal(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    place.dispute(opened["token"], words="CANARY my knee hurt")
    export = str(place.shop.hub.export_json())
    journal = str([entry.payload for entry in place.shop.hub.store.journal(0)])
    assert "CANARY" not in export + journal
    assert "CANARY" not in str(place.shop.hub.core.dump())


def test_a_rejection_needs_a_reason_and_the_phone_shows_it(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    name = place.dispute(opened["token"]).json()["dispute_id"]
    body = {"dispute_id": name, "visit_id": opened["visit_id"], "uphold": False, "reason": " "}
    before = place.shop.hub.digest()
    answer = place.http.post("/api/v1/staff/disputes/decide", body)
    assert answer.status_code == 422
    assert "reason" in answer.json()["detail"]
    assert place.shop.hub.digest() == before
    body["reason"] = "the clip shows it in your bag"
    assert place.http.post("/api/v1/staff/disputes/decide", body).status_code == 200
    shown = place.phone(opened["token"])["disputes"][0]
    assert (shown["state"], shown["reason"]) == ("rejected", "the clip shows it in your bag")
    again = place.dispute(opened["token"], dispute_id="dispute-two")
    assert again.status_code == 422
    assert place.phone(opened["token"])["receipt"]["refunded_minor"] == 0
    sound(place)


def test_only_pieces_that_are_left_can_be_disputed(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True), (COLA, True)])
    token = opened["token"]
    for body in ({"quantity": 3}, {"line": 2}, {"quantity": 0}, {"words": "x" * 201}):
        assert place.dispute(token, **body).status_code == 422
    assert place.dispute(token, quantity=1).status_code == 201
    assert place.dispute(token, quantity=2).status_code == 409, "the same name, other pieces"
    assert place.dispute(token, quantity=2, dispute_id="dispute-two").status_code == 422
    assert place.dispute(token, quantity=1, dispute_id="dispute-two").status_code == 201


def test_a_visit_that_is_not_settled_cannot_be_disputed(place: Place) -> None:
    opened = place.opened()
    assert place.dispute(opened["token"]).status_code == 422
    assert place.dispute("x" * 32).status_code == 404
    assert "dispute.opened" not in place.kinds()


def test_old_receipts_are_for_the_staff(make_shop: Any, tmp_path: Path, day: Any) -> None:
    place = Place(make_shop(rules=Rules(dispute_s_max=5.0)), tmp_path)
    opened = place.bought(day, [(COLA, True)])
    place.now_s += 30.0
    answer = place.dispute(opened["token"])
    assert answer.status_code == 422
    assert "ask the staff" in answer.json()["detail"]


def test_nothing_is_refunded_at_once_by_default(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    assert place.dispute(opened["token"]).json()["state"] == "open"
    assert place.phone(opened["token"])["receipt"]["refunded_minor"] == 0


def test_small_disputes_are_refunded_at_once_within_limits(place: Place, day: Any) -> None:
    place.driver.command(SMALL)
    opened = place.bought(day, [(COLA, True), (COLA, True), (COLA, True), (BREAD, True)])
    token = opened["token"]
    first = place.dispute(token).json()
    assert (first["state"], first["refunded_minor"]) == ("refunded", 119)
    place.play([], place.now_s + 1.0)
    assert place.dispute(token, dispute_id="too-dear-bread", line=2).json()["state"] == "open"
    assert place.dispute(token, dispute_id="dispute-two").json()["state"] == "refunded"
    place.play([], place.now_s + 1.0)
    third = place.dispute(token, dispute_id="dispute-three").json()
    assert (third["state"], third["refunded_minor"]) == ("open", 0), "twice a payer and day"
    place.play([], place.now_s + 1.0)
    assert place.phone(token)["receipt"]["refunded_minor"] == 238
    sound(place)


def test_the_rate_is_for_a_day_and_for_the_whole_store(place: Place, day: Any) -> None:
    place.driver.command(SMALL)
    tokens = [place.bought(day, [(COLA, True)], 1.0 + 20 * n)["token"] for n in range(4)]
    states = [place.dispute(token).json()["state"] for token in tokens]
    assert states == ["refunded", "refunded", "refunded", "open"], "400 a day for the store"
    place.now_s += 86_401.0
    place.driver.step()
    late = place.bought(day, [(COLA, True)], place.now_s + 1.0)
    assert place.dispute(late["token"]).json()["state"] == "refunded"
    sound(place)


def test_an_automatic_refund_waits_for_the_charge(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop("hub.db", ask_inline=False), tmp_path)
    place.driver.command(SMALL)
    opened = place.opened()
    exit_s = day.shop(1.0, "t1", opened["code"], [(COLA, True)])
    place.play(day.script, exit_s)
    held = place.answer
    place.answer = lambda: None  # type: ignore[method-assign]
    place.play([], exit_s + 6.0)
    assert place.phone(opened["token"])["status"] == "settling"
    answer = place.dispute(opened["token"]).json()
    assert (answer["state"], answer["refunded_minor"]) == ("open", 0)
    assert place.shop.hub.core.busy
    assert list(place.rebuilt().state.aftercare.due) == [answer["dispute_id"]]
    place.answer = held  # type: ignore[method-assign]
    place.play([], place.now_s + 2.0)
    shown = place.phone(opened["token"])
    assert shown["disputes"][0]["state"] == "refunded"
    assert shown["receipt"]["refunded_minor"] == 119
    assert not place.shop.hub.core.state.aftercare.due
    sound(place)


def test_a_refund_answers_the_dispute_for_the_same_pieces(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    name = place.dispute(opened["token"]).json()["dispute_id"]
    refund = RefundVisit(
        refund_id="r1", visit_id=opened["visit_id"], lines=(RefundLine(line=1, quantity=1),)
    )
    place.driver.command(refund)
    assert place.phone(opened["token"])["disputes"][0]["state"] == "refunded"
    with pytest.raises(ConflictError):
        place.driver.command(
            DecideDispute(dispute_id=name, visit_id=opened["visit_id"], uphold=True)
        )
    assert place.kinds().count("visit.corrected") == 1
    sound(place)


def test_replay_and_a_long_forgotten_visit(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    rules = Rules(visits_final_kept=1)
    place = Place(make_shop("hub.db", rules=rules, snapshot_every=100), tmp_path)
    first = place.bought(day, [(COLA, True)], 1.0)
    for number in range(1, 3):
        place.bought(day, [(BREAD, True)], 1.0 + 20 * number)
    state = place.shop.hub.core.state
    assert first["visit_id"] not in state.visits
    name = place.dispute(first["token"]).json()["dispute_id"]
    assert state.aftercare.open == {name: first["visit_id"]}
    place.bought(day, [(BREAD, True)], 81.0)
    place.bought(day, [(BREAD, True)], 101.0)
    assert first["visit_id"] in state.visits, "an open dispute keeps its visit in memory"
    assert place.rebuilt().digest() == place.shop.hub.digest()
    body = {"dispute_id": name, "visit_id": first["visit_id"], "uphold": True}
    assert place.http.post("/api/v1/staff/disputes/decide", body).status_code == 200
    assert state.aftercare.open == {}
    core = place.rebuilt()
    assert core.digest() == place.shop.hub.digest()
    assert core.state.visits[first["visit_id"]].disputes[name]["state"] == "refunded"
    sound(place)


def test_commands_survive_their_json() -> None:
    for command in (
        SMALL,
        OpenDispute(dispute_id="d", visit_id="v", line=1, quantity=1),
        DecideDispute(dispute_id="d", visit_id="v", uphold=False, reason="r"),
    ):
        assert COMMAND.validate_json(command.model_dump_json()) == command


def test_unknown_disputes_and_visits_change_nothing(place: Place, day: Any) -> None:
    opened = place.bought(day, [(COLA, True)])
    before = place.frozen()
    for command in (
        DecideDispute(dispute_id="d", visit_id=opened["visit_id"], uphold=True),
        DecideDispute(dispute_id="d", visit_id="v-nobody", uphold=True),
        OpenDispute(dispute_id="d", visit_id="v-nobody", line=1, quantity=1),
    ):
        with pytest.raises(RejectedError):
            place.driver.command(command)
    assert place.frozen() == before


def test_only_staff_decide(make_shop: Callable[..., Any], tmp_path: Path) -> None:
    place = Place(make_shop(), tmp_path, staff_password=PASSWORD)
    for method, url in (
        ("GET", "/api/v1/staff/disputes"),
        ("POST", "/api/v1/staff/disputes/decide"),
        ("GET", "/api/v1/staff/reviews"),
        ("POST", "/api/v1/staff/reviews/decide"),
        ("POST", "/api/v1/staff/aftercare"),
        ("GET", "/api/v1/staff/visits/v-1/receipt.pdf"),
        ("GET", f"/api/v1/staff/evidence/{'0' * 64}"),
        ("POST", "/api/v1/staff/reaches/r1/evidence"),
    ):
        assert place.http(method, url, json={}).status_code == 401, url
