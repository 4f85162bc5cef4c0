"""Lists in pages: every row once, also while rows come; cursors that mean nothing are refused."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from hub.api.paging import write_cursor
from tests.hub.doors import COLA, Door

LISTS = {
    "/api/v1/visits": "visit_id",
    "/api/v1/events": "number",
    "/api/v1/stock": "slot_id",
    "/api/v1/products": "gtin",
    "/api/v1/staff/audit": "number",
}


@pytest.fixture
def door(make_shop: Callable[..., Any]) -> Door:
    made = Door(make_shop(), staff_accounts=True)
    made.staff()
    return made


def visits(door: Door, count: int) -> None:
    """So many visits, three of each moment."""
    browser = door.browser()
    for n in range(count):
        door.now_s += 1.0 if n % 3 == 0 else 0.0
        assert browser.post("/api/v1/phones/visits").status_code == 201


def walk(door: Door, url: str, limit: int, between: Callable[[], None] = lambda: None) -> list[Any]:
    """All rows, page after page."""
    browser, rows, cursor = door.known("admin"), [], None
    while True:
        params = {"limit": limit} if cursor is None else {"limit": limit, "cursor": cursor}
        page = browser.get(url, params=params).json()
        assert len(page["items"]) <= limit
        rows += page["items"]
        cursor = page["next"]
        if cursor is None:
            return rows
        between()


@pytest.mark.parametrize("url", LISTS)
@pytest.mark.parametrize("limit", [1, 3, 200])
def test_pages_have_every_row_once(door: Door, url: str, limit: int) -> None:
    visits(door, 8)
    whole = door.known("admin").get(url, params={"limit": 200}).json()["items"]
    ids = [row[LISTS[url]] for row in walk(door, url, limit)]
    assert ids == [row[LISTS[url]] for row in whole]
    assert len(set(ids)) == len(ids)


def test_rows_that_come_meanwhile_neither_repeat_nor_hide_others(door: Door) -> None:
    visits(door, 9)
    before = [row["visit_id"] for row in walk(door, "/api/v1/visits", 200)]
    seen = [r["visit_id"] for r in walk(door, "/api/v1/visits", 2, lambda: visits(door, 2))]
    assert seen == before
    log = [r["number"] for r in walk(door, "/api/v1/events", 20, lambda: None)]
    assert log == list(range(1, len(log) + 1))


@pytest.mark.parametrize(
    "cursor",
    [
        "x", "AAAA", write_cursor("events", [1]), write_cursor("visits", [1]),
        write_cursor("visits", ["1", "v"]), write_cursor("visits", [2**70, "v"]),
        write_cursor("visits", [1, "a\x00b"]), write_cursor("visits", [True, "v"]),
        base64.urlsafe_b64encode(json.dumps({"a": 1}).encode()).decode().rstrip("="),
        base64.urlsafe_b64encode(b"[" * 200).decode().rstrip("="),
    ],
)  # fmt: skip
def test_strange_cursors_are_refused(door: Door, cursor: str) -> None:
    answer = door.known("viewer").get("/api/v1/visits", params={"cursor": cursor})
    assert answer.status_code == 422
    assert "cursor" in answer.json()["detail"]


def test_resources_say_what_the_database_has(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("hub.sqlite")
    shop.open_visit("code-one-0001", payer="anna")
    end_s = day.shop(1.0, "t1", "code-one-0001", [(COLA, True), (COLA, True)])
    shop.play(day.script, end_s + 6.0)
    door = Door(shop, staff_accounts=True)
    system = door.key("read:visits", "read:stock", "read:events", "read:devices", "read:review")
    visit = system.get("/api/v1/visits?stage=final").json()["items"][0]
    assert system.get(f"/api/v1/visits/{visit['visit_id']}").json() == visit
    assert (visit["total_minor"], visit["captured_minor"]) == (238, 238)
    receipt = system.get("/api/v1/receipts").json()["items"][0]
    assert system.get(f"/api/v1/receipts/{visit['visit_id']}").json() == receipt
    assert receipt["lines"][0] | {"vat_minor": 0} == {
        "line": 1, "gtin": COLA, "name": "Cola", "quantity": 2, "unit_price_minor": 119,
        "vat_rate": "0.1900", "vat_minor": 0, "total_minor": 238,
    }  # fmt: skip
    product = system.get(f"/api/v1/products/{COLA}").json()
    assert (product["sold"], product["price_minor"]) == (2, 119)
    stock = system.get("/api/v1/stock").json()["items"]
    assert {row["slot_id"]: row["on_hand"] for row in stock} == {"s1": 4, "s2": 6}
    opened = system.get("/api/v1/events?kind=visit.opened").json()["items"][0]
    assert opened["data"] == {}
    assert {row["device_id"] for row in system.get("/api/v1/devices").json()} == {
        "node-shelf", "node-floor",
    }  # fmt: skip
    assert system.get("/api/v1/reviews").json() == {"items": [], "next": None}
    assert "anna" not in json.dumps([visit, receipt, opened])
    for url in ("/api/v1/visits/v-none", "/api/v1/receipts/v-none", "/api/v1/products/96385074"):
        assert system.get(url).status_code == 404
    door.accounts.store.close()
