"""The display at the exit: what it says, to whom, for how long, and who may show it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from contracts.signs import SIGNS_MAX
from hub import commands as c
from hub.exits.signs import SHOWN_S, gate_signs
from hub.rules import Rules
from hub.visits.marks import COLOURS, MARKS, SYMBOLS, free_mark, mark_of
from tests.hub.after_kit import BREAD, COLA, PASSWORD, Place


@pytest.fixture
def place(make_shop: Callable[..., Any], tmp_path: Path) -> Place:
    return Place(make_shop("hub.db"), tmp_path)


def shown(place: Place, **more: Any) -> list[dict[str, Any]]:
    answer = place.http.get("/api/v1/exits/exit", **more)
    assert answer.status_code == 200
    found: list[dict[str, Any]] = answer.json()["signs"]
    return found


def test_from_the_line_to_thank_you_and_gone(place: Place, day: Any) -> None:
    opened = place.opened()
    exit_s = day.shop(1.0, "t1", opened["code"], [(COLA, True), (COLA, True), (BREAD, True)])
    place.play(day.script, exit_s - 0.2)
    assert shown(place) == [], "nobody has crossed the gate"
    place.play([], exit_s + 0.2)
    sign = shown(place)[0]
    assert (sign["state"], sign["words"]) == ("total", "3 items, 4.87")
    place.play([], exit_s + 2.0)
    sign = shown(place)[0]
    assert (sign["state"], sign["words"], sign["more"]) == ("final", "3 items, 4.87", "thank you")
    assert sign["mark"] == place.phone(opened["token"])["mark"]
    place.play([], exit_s + 2.0 + SHOWN_S)
    assert shown(place) == []


def test_unclear_items_are_said_and_nobody_is_named(
    make_shop: Callable[..., Any], tmp_path: Path, day: Any
) -> None:
    place = Place(make_shop(rules=Rules(review_wait_s=60.0)), tmp_path)
    opened = place.opened()
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, opened["code"])
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", COLA, sure=False)
    for at_s, y_m in ((3.0, 3.4), (3.5, 1.2), (4.0, 0.6), (4.5, 0.1)):
        day.step(at_s, "t1", 1.1 if y_m > 3 else 5.0, y_m)
    day.watermark(5.5)
    place.play(day.script, 6.0)
    sign = shown(place)[0]
    assert (sign["state"], sign["words"]) == ("checking", "checking one item")
    assert opened["visit_id"] not in str(sign)
    place.play([], 4.5 + 20.4)
    assert shown(place) == [], "who waits for a review has walked on"


def test_an_age_limit_asks_for_an_id(place: Place, day: Any) -> None:
    place.shop.hub.command(c.SetAgeLimit(gtin=COLA, age_min=18), 0.5)
    opened = place.opened()
    exit_s = day.shop(1.0, "t1", opened["code"], [(COLA, True)])
    place.play(day.script, exit_s + 0.2)
    sign = gate_signs(place.shop.hub.core.state, "exit", place.now_s).signs[0]
    assert (sign.state, sign.words) == ("ask", "please show ID")


def test_several_people_in_their_order_with_marks_of_their_own(place: Place, day: Any) -> None:
    visits = [place.opened() for _ in range(8)]
    for number, opened in enumerate(visits):
        day.shop(1.0 + 0.4 * number, f"t{number}", opened["code"], [(COLA, True)])
    place.play(day.script, 8.0)
    answer = place.http.get("/api/v1/exits/exit").json()
    assert len(answer["signs"]) == SIGNS_MAX
    assert answer["waiting"] == 2
    marks = [place.phone(opened["token"])["mark"] for opened in visits]
    assert [sign["mark"] for sign in answer["signs"]] == marks[:SIGNS_MAX]
    assert len({(mark["colour"], mark["symbol"]) for mark in marks}) == 8


def test_marks_are_all_different_until_there_are_no_more(place: Place) -> None:
    state = place.shop.hub.core.state
    for number in range(MARKS + 1):
        visit_id = place.opened()["visit_id"]
        visit = state.visits[visit_id]
        visit.exited_s = float(number) / 10
        visit.mark = free_mark(state, visit)
    marks = [visit.mark for visit in state.visits.values()]
    assert len(set(marks[:MARKS])) == MARKS == len(COLOURS) * len(SYMBOLS)
    assert mark_of(visit, 5.0) is not None
    assert mark_of(visit, 500.0) is None, "nobody looks for it any more"


def test_only_exits_of_the_store_have_signs(place: Place) -> None:
    for gate in ("entry", "nowhere"):
        assert place.http.get(f"/api/v1/exits/{gate}").status_code == 422


def test_a_display_has_a_token_of_its_own(make_shop: Callable[..., Any], tmp_path: Path) -> None:
    place = Place(
        make_shop(), tmp_path, staff_password=PASSWORD, screen_tokens={"exit": "screen-token-1"}
    )
    url = "/api/v1/exits/exit"
    assert place.http.get(url).status_code == 403
    assert place.http.get(url, headers={"Authorization": "Bearer wrong"}).status_code == 403
    assert place.http.get(f"{url}/events").status_code == 403
    good = {"Authorization": "Bearer screen-token-1"}
    assert shown(place, headers=good) == []
    assert place.http.get("/api/v1/staff/state", headers=good).status_code == 403
    page = place.http.get("/exit/exit")
    assert page.status_code == 200
    assert "screen-token-1" not in page.text
    assert "connect-src 'self'" in page.headers["content-security-policy"]


def test_without_a_token_a_gate_has_no_display_beyond_this_machine(
    make_shop: Callable[..., Any], tmp_path: Path
) -> None:
    place = Place(make_shop(), tmp_path, staff_password=PASSWORD)
    answer = place.http.get("/api/v1/exits/exit")
    assert answer.status_code == 403
    assert "token" in answer.json()["detail"]


def test_a_restart_may_lose_a_sign_but_no_state(place: Place, day: Any) -> None:
    place.bought(day, [(COLA, True)])
    assert place.rebuilt().digest() == place.shop.hub.digest()
    assert '"mark"' not in str(place.shop.hub.core.dump())
