"""A clerk gives back so much of a visit and no more: not in parts, at once, or by a dispute."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from tests.hub.bearing import bearing
from tests.hub.conftest import COLA
from tests.hub.doors import Browser, Door

PIECES = 6
LIMIT_MINOR = 250
"""Two pieces of 119."""


@pytest.fixture
def door(make_shop: Callable[..., Any], day: Any, monkeypatch: pytest.MonkeyPatch) -> Door:
    shop = make_shop("hub.sqlite")
    shop.open_visit("code-one-0001-and-more")
    end_s = day.shop(1.0, "t1", "code-one-0001-and-more", [(COLA, True)] * PIECES)
    shop.play(day.script, end_s + 6.0)
    # Years later nothing may be disputed any more.
    monkeypatch.setattr("tests.hub.doors.NOW_S", shop.now_s)
    made = Door(shop, staff_accounts=True, clerk_refund_minor_max=LIMIT_MINOR)
    made.staff()
    return made


def visit_of(door: Door) -> Any:
    return next(iter(door.hub.core.state.visits.values()))


def test_twenty_refunds_at_once_stay_within_the_limit(door: Door) -> None:
    clerk = door.browser("clerk")

    def give(name: int) -> int:
        mine = Browser(door.app)
        mine.cookies = clerk.cookies
        body = {
            "refund_id": f"r{name}",
            "visit_id": visit_of(door).visit_id,
            "lines": [{"line": 1, "quantity": 1}],
        }
        return mine.post("/api/v1/staff/refunds", json=body).status_code

    with ThreadPoolExecutor(20) as pool:
        said = list(pool.map(give, range(20)))
    assert sorted(said) == [200] * 2 + [403] * 18
    assert visit_of(door).refunded == {1: 2}


def test_a_dispute_gives_no_more_back_than_a_clerk_may(door: Door) -> None:
    """Who works here may shop here: a dispute of one's own is upheld by a manager as well."""
    visit = visit_of(door)
    phone = door.browser()
    phone.headers = bearing("code-one-0001-and-more")
    wish = {"dispute_id": "wish-0001", "line": 1, "quantity": 3}
    opened = phone.post("/api/v1/phones/me/disputes", json=wish)
    assert (opened.status_code, opened.json()["state"]) == (201, "open")
    answer = {
        "dispute_id": opened.json()["dispute_id"],
        "visit_id": visit.visit_id,
        "uphold": True,
        "reason": "",
    }
    url, before = "/api/v1/staff/disputes/decide", door.state()
    refused = door.browser("clerk").post(url, json=answer)
    assert (refused.status_code, "role manager" in refused.json()["detail"]) == (403, True)
    assert door.state() == before
    manager = door.browser("manager")
    assert manager.post(url, json=answer).json()["amount_minor"] == 3 * 119
    assert manager.post(url, json=answer).json()["repeated"]


def test_a_clerk_rejects_and_upholds_what_is_small(door: Door) -> None:
    phone, clerk = door.browser(), door.browser("clerk")
    phone.headers = bearing("code-one-0001-and-more")
    for name, quantity, uphold in (("wish-0001", 3, False), ("wish-0002", 2, True)):
        wish = {"dispute_id": name, "line": 1, "quantity": quantity}
        opened = phone.post("/api/v1/phones/me/disputes", json=wish).json()
        answer = {
            "dispute_id": opened["dispute_id"],
            "visit_id": visit_of(door).visit_id,
            "uphold": uphold,
            "reason": "seen in the basket",
        }
        assert clerk.post("/api/v1/staff/disputes/decide", json=answer).status_code == 200
    assert visit_of(door).refunded == {1: 2}
