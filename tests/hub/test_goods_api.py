"""Goods over HTTP: every command, what staff read, EPCIS pages, and who is refused."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub import commands as c
from hub.api.app import create_app
from hub.driver import Driver
from hub.settings import HubSettings

COLA, BREAD = "4006381333931", "5901234123457"
STAFF = "/api/v1/staff"


def client(shop: Any, **settings: Any) -> Callable[..., httpx.Response]:
    """Requests to the hub's application in this process."""
    driver = Driver(shop.hub, lambda: shop.hub.core.state.now_s + 1.0)
    app = create_app(driver, HubSettings(store_file=Path("x"), **settings))

    def ask(method: str, path: str, **more: Any) -> httpx.Response:
        async def send() -> httpx.Response:
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(
                transport=transport, base_url="http://testserver"
            ) as talking:
                return await talking.request(method, path, **more)

        return asyncio.run(send())

    return ask


BODIES: list[tuple[str, dict[str, Any]]] = [
    (
        "/promotions",
        {
            "promotion_id": "p1", "offer": "n_for_m", "name": "3 for 2", "gtins": [COLA],
            "take": 3, "pay": 2, "hours": [{"begin": "17:00", "end": "19:00", "days": ["fri"]}],
        },
    ),
    ("/promotions/end", {"promotion_id": "p1"}),
    ("/age-limits", {"gtin": COLA, "age_min": 18}),
    ("/sale-hours", {"gtin": COLA, "hours": [{"begin": "06:00", "end": "22:00"}]}),
    ("/products/close", {"gtin": BREAD, "reason": "mould"}),
    ("/products/reopen", {"gtin": BREAD}),
    ("/recalls", {"recall_id": "r1", "gtin": COLA, "reason": "glass", "batch": "L1"}),
    ("/recalls/lift", {"recall_id": "r1"}),
    ("/goods/policy", {"watch_stock": True, "unproven_age": "sell"}),
    ("/counts", {"count_id": "c1", "slot_id": "s1", "gtin": COLA, "counted": 5}),
    ("/restocking/start", {"session_id": "s1"}),
    (
        "/restocking/moves",
        {"session_id": "s1", "move_id": "m1", "slot_id": "s1", "gtin": COLA, "quantity": 99},
    ),
    ("/restocking/confirm", {"session_id": "s1", "move_id": "m1", "approve": True}),
    ("/restocking/finish", {"session_id": "s1"}),
    ("/finds", {"find_id": "f1", "gtin": COLA, "quantity": 1, "where": "floor"}),
    ("/finds/resolve", {"find_id": "f1", "slot_id": "s1"}),
    ("/planogram", {"slot_id": "s2", "gtin": COLA, "facings": 2, "deep": 2}),
]  # fmt: skip


def test_every_command_is_done_once_and_harmless_again(shop: Any) -> None:
    ask = client(shop)
    for path, body in BODIES:
        first = ask("POST", STAFF + path, json=body)
        assert (first.status_code, first.json().get("repeated")) == (200, False), (path, first.text)
        again = ask("POST", STAFF + path, json=body)
        assert (again.status_code, again.json().get("repeated")) == (200, True), (path, again.text)
    stock = ask("GET", f"{STAFF}/stock").json()
    slots = {row["slot_id"]: row for row in stock["slots"]}
    assert (slots["s1"]["on_hand"], slots["s1"]["state"]) == (105, "over")
    assert [(row["slot_id"], row["gtin"]) for row in stock["misplaced"]] == [("s2", BREAD)]
    assert stock["policy"]["watch_stock"]
    assert [row["state"] for row in stock["finds"]] == ["shelved"]
    goods = ask("GET", f"{STAFF}/goods").json()
    assert [(row["name"], row["active"]) for row in goods["promotions"]] == [("3 for 2", False)]
    assert goods["recalls"][0]["lifted_s"] is not None
    assert ask("GET", f"{STAFF}/alerts").json() == []


def test_an_id_is_confirmed_and_the_alert_goes(shop: Any, day: Any) -> None:
    shop.hub.command(c.SetAgeLimit(gtin=COLA, age_min=18), 0.1)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 3.0)
    ask = client(shop)
    rows = ask("GET", f"{STAFF}/alerts").json()
    assert [(row["kind"], row["visit_id"], row["age_min"]) for row in rows] == [
        ("id", visit_id, 18)
    ]
    proof = {"visit_id": visit_id, "approve": True, "role": "clerk"}
    assert ask("POST", f"{STAFF}/age-proofs", json=proof).status_code == 200
    assert ask("GET", f"{STAFF}/alerts").json() == []
    assert ask("POST", f"{STAFF}/age-proofs", json={**proof, "visit_id": "v-0"}).status_code == 404


def test_who_bought_what_was_called_back_is_listed(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (COLA, True)])
    shop.play(day.script, 20.0)
    ask = client(shop)
    recall = {"recall_id": "r1", "gtin": COLA, "reason": "glass", "batch": "L1"}
    assert ask("POST", f"{STAFF}/recalls", json=recall).status_code == 200
    buyers = ask("GET", f"{STAFF}/recalls/r1/buyers").json()
    assert [(r["visit_id"], r["quantity"]) for r in buyers["receipts"]] == [(visit_id, 2)]
    assert buyers["count"] == 1
    assert ask("GET", f"{STAFF}/recalls/r2/buyers").status_code == 404
    assert ask("GET", f"{STAFF}/alerts").json()[0]["kind"] == "clear_shelf"


def test_epcis_comes_in_pages_with_a_link_to_the_next(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True)])
    shop.play(day.script, 20.0)
    shop.hub.command(
        c.RefundVisit(refund_id="r", visit_id=visit_id, lines=(c.RefundLine(line=1, quantity=1),)),
        21.0,
    )
    ask = client(shop)
    first = ask("GET", "/api/v1/epcis/events?perPage=1")
    assert first.headers["content-type"] == "application/ld+json"
    assert first.headers["gs1-epcis-version"] == "2.0.0"
    steps = [e["bizStep"] for e in first.json()["epcisBody"]["eventList"]]
    link = first.headers["link"]
    assert (steps, link.endswith('; rel="next"')) == (["retail_selling"], True)
    second = ask("GET", link[1:].split(">")[0])
    assert [e["bizStep"] for e in second.json()["epcisBody"]["eventList"]] == ["accepting"]
    later = ask("GET", "/api/v1/epcis/events?GE_recordTime=2020-01-01T00:00:00Z")
    assert later.json()["epcisBody"]["eventList"] == []
    assert "link" not in later.headers
    for wrong in ("perPage=0", "nextPageToken=x", "LT_recordTime=now"):
        assert ask("GET", f"/api/v1/epcis/events?{wrong}").status_code == 422


def test_bad_input_is_refused_in_words_and_changes_nothing(shop: Any) -> None:
    ask = client(shop)
    before = shop.hub.core.dump()
    for path, body, words in (
        ("/counts", {"count_id": "c", "slot_id": "s1", "gtin": COLA, "counted": 90}, "confirmed"),
        ("/promotions", {"promotion_id": "p", "offer": "percent", "name": "x", "gtins": [COLA]},
         "percent_bp above 0"),
        ("/planogram", {"slot_id": "s2", "gtin": "123", "facings": 2, "deep": 2}, "GTIN of 8, 12"),
        ("/sale-hours", {"gtin": COLA, "hours": [{"begin": "6", "end": "22:00"}]}, "pattern"),
        ("/restocking/finish", {"session_id": "none"}, "start one"),
        ("/age-limits", {"gtin": COLA, "age_min": 0}, "greater than or equal to 1"),
    ):  # fmt: skip
        answer = ask("POST", STAFF + path, json=body)
        assert answer.status_code == 422
        assert words in answer.text
    assert shop.hub.core.dump() == {**before, "now_s": shop.hub.core.state.now_s}


@pytest.mark.parametrize(
    ("method", "path"),
    [("POST", STAFF + path) for path, _ in BODIES]
    + [
        ("POST", f"{STAFF}/age-proofs"), ("POST", f"{STAFF}/nodes/release"),
        ("GET", f"{STAFF}/stock"), ("GET", f"{STAFF}/goods"), ("GET", f"{STAFF}/alerts"),
        ("GET", f"{STAFF}/recalls/r/buyers"), ("GET", "/api/v1/epcis/events"),
    ],
)  # fmt: skip
def test_only_staff_may(shop: Any, method: str, path: str) -> None:
    assert client(shop, staff_password="correct horse battery")(method, path).status_code == 401
