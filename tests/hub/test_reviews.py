"""Reviews: what is unclear waits for staff where they say so, and doubt favours the shopper."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from hub.attribution.model import Decision
from hub.errors import ConflictError, RejectedError
from hub.levels import DOUBT_RETURN_LEVEL, LEVEL
from hub.review.commands import Choice, DecideReview, SetAftercare
from hub.review.policy import policy_of
from hub.rules import Rules
from tests.hub.after_kit import BREAD, COLA, Place
from tests.hub.conftest import NearestAttributor
from tests.hub.test_evidence import STRIP, send_strip, unsure_with_strip
from tests.hub.visits_kit import let_in, walk_in, walk_out

WAIT = Rules(review_wait_s=60.0)


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_shop("hub.db", rules=WAIT), tmp_path)


def sound(place: Place) -> None:
    findings = audit(place.shop.hub.export_json())
    assert {name: rows for name, rows in findings.items() if rows} == {}


def shop_unsure(
    place: Place, day: Any, gtin: str = COLA, *, pick: bool = True, start_s: float = 1.0
) -> tuple[dict[str, str], float, str]:
    """Somebody takes a loaf, and perhaps something else (or perhaps puts it back), and leaves."""
    opened = place.opened()
    track = f"t{start_s:.0f}"
    day.step(start_s, track, 1.0, 0.3, "born")
    day.scan(start_s + 0.1, opened["code"])
    day.step(start_s + 0.5, track, 1.0, 0.8)
    day.step(start_s + 1.0, track, 1.1, 3.4)
    day.reach(start_s + 1.1, track, BREAD)
    day.step(start_s + 2.0, track, 1.1, 3.4)
    reach = day.reach(start_s + 2.1, track, gtin, pick=pick, sure=False)
    day.step(start_s + 3.0, track, 1.1, 3.4)
    day.step(start_s + 3.5, track, 5.0, 1.2)
    day.step(start_s + 4.0, track, 5.0, 0.6)
    day.step(start_s + 4.5, track, 5.0, 0.1)
    day.watermark(start_s + 5.5)
    script, day.script[:] = list(day.script), []
    place.play(script, start_s + 6.0)
    return opened, start_s + 4.5, reach


def decide(
    place: Place, opened: Any, reach: str, choice: Choice | None, name: str = "rev-1"
) -> Any:
    return place.driver.command(
        DecideReview(
            review_id=name,
            visit_id=opened["visit_id"],
            reach_id=reach,
            line=0,
            choice=choice,
            by="clerk.7",
        )
    )


def took(opened: Any, gtin: str = COLA, quantity: int = 1) -> Choice:
    return Choice(visit_id=opened["visit_id"], gtin=gtin, quantity=quantity)


def test_by_default_nothing_waits_and_nothing_unclear_is_charged(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop(), tmp_path)
    opened, exit_s, reach = shop_unsure(place, day)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249)
    assert shown["receipt"]["not_charged"] == 1
    assert place.shop.hub.core.state.visits[opened["visit_id"]].settled_s < exit_s + 5.0
    with pytest.raises(RejectedError, match="only go down"):
        decide(place, opened, reach, took(opened))
    assert "review.opened" not in place.kinds()
    sound(place)


def test_a_visit_waits_in_review_and_staff_confirm(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    shown = place.phone(opened["token"])
    assert (shown["status"], shown["state"]) == ("in review", "checking 1 item")
    assert shown["review_until_s"] > place.now_s + 50.0
    queue = place.http.get("/api/v1/staff/reviews").json()
    assert queue["visits"][0]["visit_id"] == opened["visit_id"]
    assert queue["visits"][0]["lines"][0]["alternatives"][0][1] == COLA
    stock = place.shop.hub.core.state.stock
    before = stock.on_shelves(COLA)
    body = {
        "review_id": "rev-1",
        "visit_id": opened["visit_id"],
        "reach_id": reach,
        "line": 0,
        "choice": {"visit_id": opened["visit_id"], "gtin": COLA, "quantity": 1},
        "by": "clerk.7",
    }
    assert place.http.post("/api/v1/staff/reviews/decide", body).status_code == 200
    assert place.http.post("/api/v1/staff/reviews/decide", body).json()["repeated"]
    assert stock.on_shelves(COLA) == before - 1
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249 + 119)
    assert shown["receipt"]["not_charged"] == 0
    event = next(e for e in place.events if e["kind"] == "decision.reviewed")
    assert (event["data"]["by"], event["data"]["certain"]) == ("staff", True)
    assert place.rebuilt().digest() == place.shop.hub.digest()
    sound(place)


def test_after_the_deadline_doubt_favours_the_shopper(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    until_s = place.phone(opened["token"])["review_until_s"]
    place.play([], until_s - 0.4)
    assert place.phone(opened["token"])["status"] == "in review"
    place.play([], until_s + 0.6)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249)
    closed = next(e for e in place.events if e["kind"] == "review.closed")
    assert closed["data"] == {"why": "the deadline passed", "not_charged": 1}
    assert place.rebuilt().digest() == place.shop.hub.digest()
    with pytest.raises(RejectedError, match="only go down"):
        decide(place, opened, reach, took(opened))
    sound(place)


def test_nothing_taken_settles_at_once(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    decide(place, opened, reach, None)
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249)
    with pytest.raises(ConflictError):
        decide(place, opened, reach, took(opened), "rev-2")
    assert decide(place, opened, reach, None).repeated
    sound(place)


def test_only_what_vision_named_can_be_confirmed(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    other = place.opened()
    before = place.frozen()
    for choice in (
        took(opened, BREAD),
        took(opened, COLA, 2),
        took(other),
        Choice(visit_id=None, gtin=COLA, quantity=1),
    ):
        with pytest.raises(RejectedError, match="expected one of"):
            decide(place, opened, reach, choice)
    with pytest.raises(RejectedError, match="unclear line"):
        decide(place, opened, "r-none", took(opened))
    with pytest.raises(RejectedError):
        decide(place, {"visit_id": "v-nobody"}, reach, None)
    assert place.frozen() == before


def test_two_lines_of_one_reach_cannot_be_the_same_piece(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    carts = place.shop.hub.core.state.carts
    carts.apply(replace(carts.get((reach, 0)), line=1))
    decide(place, opened, reach, took(opened))
    body = DecideReview(
        review_id="rev-2",
        visit_id=opened["visit_id"],
        reach_id=reach,
        line=1,
        choice=took(opened),
    )
    with pytest.raises(RejectedError, match="clear already"):
        place.driver.command(body)
    place.driver.command(body.model_copy(update={"choice": None}))
    place.play([], place.now_s + 1.0)
    assert place.phone(opened["token"])["total_minor"] == 249 + 119


def test_what_the_attributor_thinks_after_a_review_moves_nothing(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    decide(place, opened, reach, None)
    attributor = place.shop.hub.core.state.attributor
    told = attributor.told[reach]
    # The engine has second thoughts: suddenly it is sure.
    del attributor.told[reach]
    closed = attributor.reaches[reach]
    sure = closed.hands[0].products.top[0].model_copy(update={"log_likelihood": -0.1})
    hand = closed.hands[0].model_copy(
        update={"products": closed.hands[0].products.model_copy(update={"top": (sure,)})}
    )
    attributor.reaches[reach] = closed.model_copy(update={"hands": (hand,)})
    place.play([], place.now_s + 1.0)
    assert told.certain is False
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249)
    assert place.shop.hub.core.state.counters["decisions_after_review"] == 1


class Twice(NearestAttributor):
    """Tells also what a test puts on another line of a reach."""

    def decide(self, *, now_s: float) -> tuple[Decision, ...]:
        return (*super().decide(now_s=now_s), *(one for one in self.told.values() if one.line))

    def forget(self, *, visit_id: str) -> None:
        self.told = {name: one for name, one in self.told.items() if not one.line}
        super().forget(visit_id=visit_id)


@pytest.mark.parametrize(("level", "total_minor"), [(LEVEL, 249 + 119), (10, 249 + 2 * 119)])
def test_a_piece_that_staff_saw_taken_is_not_charged_on_another_line(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any, level: int, total_minor: int
) -> None:
    place = Place(make_shop("hub.db", rules=WAIT, attributor=Twice), tmp_path)
    place.shop.hub.core.state.hold_level(level)
    opened, _exit_s, reach = shop_unsure(place, day)
    attributor = place.shop.hub.core.state.attributor
    told = attributor.told[reach]
    decide(place, opened, reach, took(opened))
    # Second thoughts: beside something else that is told on the first line it was that piece.
    attributor.told[f"{reach}/1"] = replace(told, line=1, certain=True)
    place.play([], place.now_s + 62.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", total_minor)


@pytest.mark.parametrize(("level", "in_carts"), [(LEVEL, 0), (10, 1)])
def test_what_staff_say_that_staff_took_is_in_no_cart(
    place: Place, day: Any, level: int, in_carts: int
) -> None:
    place.shop.hub.core.state.hold_level(level)
    day.step(1.0, "t1", 1.0, 0.3, "born")
    place.play(list(day.script), 1.2)
    helper = {"visit_id": let_in(place.shop, who="staff").visit_id}
    day.script.clear()
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    reach = day.reach(2.1, "t1", COLA, sure=False)
    place.play(list(day.script), 3.0)
    day.script.clear()
    decide(place, helper, reach, took(helper))
    walk_out(day, 4.0, "t1")
    day.watermark(6.5)
    place.play(list(day.script), 9.0)
    assert place.shop.hub.core.state.visits[helper["visit_id"]].stage == "final"
    counts = place.shop.hub.core.state.stock.counts[COLA]
    assert (sum(counts.carts.values()), counts.unaccounted) == (in_carts, 1 - in_carts)
    sound(place)


def test_what_waits_is_decided_also_when_nothing_new_would_wait(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day)
    place.driver.command(SetAftercare())
    decide(place, opened, reach, took(opened))
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249 + 119)
    sound(place)


def test_a_put_back_is_confirmed_before_the_receipt(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day, BREAD, pick=False)
    assert place.phone(opened["token"])["total_minor"] == 249
    decide(place, opened, reach, took(opened, BREAD, -1))
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 0)
    sound(place)


def test_a_put_back_after_the_receipt_is_given_back(place: Place, day: Any) -> None:
    opened, _exit_s, reach = shop_unsure(place, day, BREAD, pick=False)
    place.play([], place.now_s + 62.0)
    assert place.phone(opened["token"])["total_minor"] == 249
    assert decide(place, opened, reach, took(opened, BREAD, -1)).amount_minor == 249
    assert decide(place, opened, reach, took(opened, BREAD, -1)).repeated
    assert place.phone(opened["token"])["state"] == "corrected"
    assert place.kinds().count("visit.corrected") == 1
    sound(place)


class Unlikely(NearestAttributor):
    """An unsure put-back was most likely nobody's."""

    def _decision(self, reach: Any, revision: int) -> Decision:
        decision = super()._decision(reach, revision)
        if decision.certain or decision.best.quantity > 0:
            return decision
        nobody = replace(decision.best, visit_id=None, probability=0.55)
        maybe = replace(decision.best, probability=0.15)
        return replace(decision, best=nobody, alternatives=(nobody, maybe))


def taken_and_back(place: Place, day: Any) -> tuple[dict[str, str], str, str]:
    """Somebody takes a loaf, and perhaps a can, and perhaps puts the can back."""
    opened = place.opened()
    walk_in(day, 1.0, "t1")
    day.scan(1.1, opened["code"])
    day.reach(2.1, "t1", BREAD)
    taken = day.reach(3.1, "t1", COLA, sure=False)
    day.step(4.0, "t1", 1.1, 3.4)
    back = day.reach(4.1, "t1", COLA, pick=False, sure=False)
    walk_out(day, 5.0, "t1")
    day.watermark(7.5)
    place.play(list(day.script), 8.0)
    return opened, taken, back


@pytest.mark.parametrize("said", ["put back", "somebody else", ""])
def test_what_staff_say_was_taken_may_have_been_put_back_since(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any, said: str
) -> None:
    """Whoever took it is much likelier to have put it back than attribution thinks: staff look at
    that, too, and if nobody does it is not charged."""
    place = Place(make_shop("hub.db", rules=WAIT, attributor=Unlikely), tmp_path)
    opened, taken, back = taken_and_back(place, day)
    decide(place, opened, taken, took(opened))
    queue = place.http.get("/api/v1/staff/reviews").json()
    assert [line["reach_id"] for line in queue["visits"][0]["lines"]] == [back]
    assert place.phone(opened["token"])["state"] == "checking 1 item"
    if said:
        choice = took(opened, quantity=-1) if said == "put back" else None
        decide(place, opened, back, choice, "rev-2")
    place.play([], place.now_s + (1.0 if said else 61.0))
    shown = place.phone(opened["token"])
    total_minor = 249 + 119 * (said == "somebody else")
    assert (shown["stage"], shown["total_minor"]) == ("final", total_minor)
    assert shown["receipt"]["not_charged"] == (not said)
    assert place.rebuilt().digest() == place.shop.hub.digest()
    sound(place)


def test_a_journal_of_before_charges_what_staff_said_was_taken(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop("hub.db", rules=WAIT, attributor=Unlikely), tmp_path)
    place.shop.hub.core.state.hold_level(DOUBT_RETURN_LEVEL - 1)
    opened, taken, _back = taken_and_back(place, day)
    decide(place, opened, taken, took(opened))
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 249 + 119)
    sound(place)


def test_what_was_put_back_before_says_nothing_of_a_later_taking(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop("hub.db", rules=WAIT, attributor=Unlikely), tmp_path)
    opened = place.opened()
    walk_in(day, 1.0, "t1")
    day.scan(1.1, opened["code"])
    day.reach(2.1, "t1", COLA, pick=False, sure=False)
    day.step(3.0, "t1", 1.1, 3.4)
    taken = day.reach(3.1, "t1", COLA, sure=False)
    walk_out(day, 5.0, "t1")
    day.watermark(7.5)
    place.play(list(day.script), 8.0)
    decide(place, opened, taken, took(opened))
    place.play([], place.now_s + 1.0)
    shown = place.phone(opened["token"])
    assert (shown["stage"], shown["total_minor"]) == ("final", 119)


def test_staff_may_decide_while_the_shopper_is_still_here(place: Place, day: Any) -> None:
    opened = place.opened()
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, opened["code"])
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    reach = day.reach(2.1, "t1", COLA, sure=False)
    day.step(3.0, "t1", 1.1, 3.4)
    place.play(day.script, 4.0)
    assert place.phone(opened["token"])["state"] == "checking 1 item"
    decide(place, opened, reach, took(opened))
    shown = place.phone(opened["token"])
    assert (shown["state"], shown["total_minor"]) == ("shopping", 119)
    assert place.rebuilt().digest() == place.shop.hub.digest()


def test_staff_set_the_wait_and_a_restart_keeps_it(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop("hub.db"), tmp_path)
    answer = place.http.post("/api/v1/staff/aftercare", {"review_wait_s": 90})
    assert answer.status_code == 200
    assert place.http.post("/api/v1/staff/aftercare", {"review_wait_s": -1}).status_code == 422
    assert place.http.post("/api/v1/staff/aftercare", {"review_wait_s": 90}).json()["repeated"]
    assert policy_of(place.rebuilt().state).review_wait_s == 90
    opened, _exit_s, _reach = shop_unsure(place, day)
    assert place.phone(opened["token"])["status"] == "in review"
    place.driver.command(SetAftercare())
    place.play([], place.now_s + 1.0)
    assert place.phone(opened["token"])["status"] == "in review", "its wait was promised"


def test_what_staff_leave_out_stays_as_it_is(make_shop: Callable[..., Any], tmp_path: Path) -> None:
    place = Place(make_shop(), tmp_path)
    url = "/api/v1/staff/aftercare"
    place.http.post(url, {"review_wait_s": 90, "refund_line_minor": 500})
    place.http.post(url, {"refund_payer_day_count": 3})
    policy = policy_of(place.shop.hub.core.state)
    assert (policy.review_wait_s, policy.refund_line_minor) == (90, 500)
    assert policy.refund_payer_day_count == 3
    place.http.post(url, {"refund_line_minor": 0})
    policy = policy_of(place.shop.hub.core.state)
    assert (policy.review_wait_s, policy.refund_line_minor) == (90, 0)
    assert place.http.post(url, {}).json()["repeated"]
    assert place.http.post(url, {"refund_lines": 5}).status_code == 422


def test_a_restart_in_the_middle_of_a_review_loses_nothing(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop("hub.db", rules=WAIT), tmp_path)
    opened, _exit_s, reach = shop_unsure(place, day)
    gateway = place.shop.hub.gateway
    place.shop.hub.export_json()
    place.shop.hub.close()
    shop = make_shop("hub.db", rules=WAIT, gateway=gateway)
    assert shop.hub.core.state.visits[opened["visit_id"]].review_until_s is not None
    again = Place(shop, tmp_path)
    again.now_s = place.now_s
    decide(again, opened, reach, took(opened))
    again.play([], place.now_s + 1.0)
    assert again.phone(opened["token"])["total_minor"] == 249 + 119
    sound(again)


def test_training_truth_is_kept_only_where_the_setting_says_so(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    for folder in (None, tmp_path / "truth"):
        name = "on" if folder else "off"
        place = Place(make_shop(f"{name}.db", rules=WAIT), tmp_path / name, training_dir=folder)
        opened, reach = unsure_with_strip(place, type(day)())
        place.errands.step()
        assert send_strip(place).status_code == 204
        body = {
            "review_id": "rev-1", "visit_id": opened["visit_id"], "reach_id": reach, "line": 0,
            "choice": {"visit_id": opened["visit_id"], "gtin": COLA, "quantity": 1},
        }  # fmt: skip
        assert place.http.post("/api/v1/staff/reviews/decide", body).status_code == 200
    assert not list((tmp_path / "off").rglob("*.json"))
    labels = [json.loads(path.read_text()) for path in (tmp_path / "truth").glob("*.json")]
    assert [label["truth"] for label in labels] == [{"who": "a", "gtin": COLA, "quantity": 1}]
    assert opened["visit_id"] not in json.dumps(labels)
    picture = (tmp_path / "truth" / labels[0]["pictures"][0]).read_bytes()
    assert picture == STRIP
