"""The HTTP interface: phones, staff, tiles, health; and who is refused."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from contracts import messages as m
from hub.api.app import create_app
from hub.api.auth import Limiter
from hub.api.streams import Streams
from hub.api.tiles import TileStore
from hub.errors import StoreWriteError
from hub.settings import HubSettings
from tests.hub.after_kit import Played
from tests.hub.bearing import Mine, bearing

COLA = "4006381333931"
PASSWORD = "correct horse battery"


class Client:
    """Requests to an application in this process, with a cookie jar."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app=app)
        self._cookies = httpx.Cookies()

    def request(self, method: str, url: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://testserver", cookies=self._cookies
            ) as client:
                answer = await client.request(method, url, **more)
                self._cookies = client.cookies
                return answer

        return asyncio.run(ask())

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self.request("GET", url, **more)

    def post(self, url: str, **more: Any) -> httpx.Response:
        return self.request("POST", url, **more)

    def put(self, url: str, **more: Any) -> httpx.Response:
        return self.request("PUT", url, **more)


class Site(Played):
    """The application on a hub whose time the test sets."""

    def __init__(self, shop: Any, password: str | None = None) -> None:
        super().__init__(shop)
        settings: dict[str, Any] = {"store_file": Path("x"), "node_tokens": {"node-shelf": "tok"}}
        if password is not None:
            settings["staff_password"] = password
        self.client = Client(create_app(self.driver, HubSettings(**settings)))


@pytest.fixture
def open_site(make_shop: Callable[..., Any]) -> Callable[..., Site]:
    def made(password: str | None = None) -> Site:
        return Site(make_shop(), password)

    return made


@pytest.fixture
def site(open_site: Callable[..., Site]) -> Site:
    return open_site()


def test_a_phone_from_code_to_receipt(site: Site, day: Any) -> None:
    opened = site.client.post("/api/v1/phones/visits").json()
    phone = Mine(site.client, "phones", opened["token"])
    assert phone.get().json()["state"] == "reserved, not charged"
    qr = phone.get("/qr.svg")
    assert qr.headers["content-type"] == "image/svg+xml"
    assert b"<svg" in qr.content
    exit_s = day.shop(1.0, "t1", opened["code"], [(COLA, True), (COLA, True)])
    site.play(day.script, 4.0)
    seen = phone.get().json()
    assert seen["state"] == "shopping"
    assert seen["total_minor"] == 238
    assert seen["receipt"] is None
    assert phone.get("/qr.svg").status_code == 409
    site.play([], exit_s + 0.4)
    assert phone.get().json()["state"] == "checking 1 item"
    site.play([], exit_s + 4.0)
    seen = phone.get().json()
    assert seen["state"] == "final"
    assert seen["receipt"]["vat"] == [{"rate": "0.1900", "gross_minor": 238, "vat_minor": 38}]
    assert seen["receipt"]["paid"]
    body = {"refund_id": "r", "visit_id": seen["visit_id"], "lines": [{"line": 1, "quantity": 1}]}
    assert site.client.post("/api/v1/staff/refunds", json=body).json()["amount_minor"] == 119
    assert phone.get().json()["state"] == "corrected"
    assert site.bus.acked == list(range(len(day.script)))
    channels = {item.topic.rsplit("/", 1)[1] for item in site.bus.sent}
    assert channels == {"config", "ack", "ping"}


def test_one_phone_cannot_see_another(site: Site) -> None:
    first = site.client.post("/api/v1/phones/visits").json()
    assert site.client.get("/api/v1/phones/me", headers=bearing("x" * 32)).status_code == 404
    guess = bearing(f"{first['visit_id']}xxxx")
    assert site.client.get("/api/v1/phones/me", headers=guess).status_code == 404
    assert site.client.get("/api/v1/phones/me").status_code == 401
    assert site.client.get(f"/api/v1/phones/{first['token']}").status_code == 404
    seen = json.dumps(site.client.get("/api/v1/staff/state").json())
    assert first["token"] not in seen
    assert first["code"] not in seen


def test_codes_turn_by_themselves(site: Site) -> None:
    opened = site.client.post("/api/v1/phones/visits", json={"payer": "anna"}).json()
    phone = Mine(site.client, "phones", opened["token"])
    position = site.driver.hub.store.last_position()
    shown = set()
    for site.now_s in (0.0, 29.9, 30.0, 61.0):
        seen = phone.get().json()
        assert site.now_s < seen["code_turns_s"] <= site.now_s + 30.0
        shown.add(seen["code"])
    assert len(shown) == 3
    assert opened["code"] in shown
    assert site.driver.hub.store.last_position() == position
    site.now_s = 901.0
    assert phone.get().json()["code"] is None
    assert phone.get("/qr.svg").status_code == 409
    again = phone.post("/code").json()
    assert again["code"].startswith("SORTIE:")
    assert again["code"] not in shown
    assert site.client.post("/api/v1/phones/visits", json={"payer": "a b"}).status_code == 422
    assert site.client.post("/api/v1/phones/visits", json={"x": 1}).status_code == 422


def test_staff_see_the_store(site: Site, day: Any) -> None:
    opened = site.client.post("/api/v1/phones/visits").json()
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, opened["code"])
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.1, "t1", COLA, sure=False)
    health = m.NodeHealth(boot_id="boot-1", t_s=2.0, outbox_waiting=3)
    day.script.append((2.5, "sortie/v1/tiny/node-shelf/health", health.model_dump_json().encode()))
    site.play(day.script, 3.2)
    state = site.client.get("/api/v1/staff/state").json()
    visit = state["visits"][0]
    assert (visit["state"], visit["at_m"]) == ("checking 1 item", [1.1, 3.4])
    assert state["tracks"][0]["visit_id"] == opened["visit_id"]
    shelf = next(d for d in state["devices"] if d["device_id"] == "node-shelf")
    assert shelf["alive"]
    assert shelf["health"]["outbox_waiting"] == 3
    review = site.client.get("/api/v1/staff/review").json()
    assert review[0]["lines"][0]["gtin"] == COLA
    export = site.client.get("/api/v1/audit/export").json()
    assert export["events"][0]["kind"] == "visit.opened"
    metrics = site.client.get("/metrics").text
    assert 'sortie_hub_visits{stage="shopping"} 1.0' in metrics
    assert 'sortie_hub_total{what="messages_next"}' in metrics


def test_prices_and_stock_by_staff(site: Site) -> None:
    site.now_s = 1.0
    body = {"gtin": COLA, "price_minor": 99}
    assert site.client.post("/api/v1/staff/prices", json=body).status_code == 200
    assert site.driver.hub.core.state.catalog.products[COLA].price_at(2.0) == 99
    wrong = {"gtin": "96385074", "price_minor": 99}
    assert site.client.post("/api/v1/staff/prices", json=wrong).status_code == 422
    stock = {"slot_id": "s1", "gtin": COLA, "quantity": -7}
    assert site.client.post("/api/v1/staff/stock", json=stock).status_code == 422
    stock["quantity"] = 4
    assert site.client.post("/api/v1/staff/stock", json=stock).status_code == 200
    assert site.driver.hub.core.state.stock.on_shelves(COLA) == 10


STAFF = [
    ("GET", "/api/v1/staff/state"),
    ("GET", "/api/v1/staff/live"),
    ("GET", "/api/v1/staff/events"),
    ("GET", "/api/v1/staff/review"),
    ("POST", "/api/v1/staff/refunds"),
    ("POST", "/api/v1/staff/prices"),
    ("POST", "/api/v1/staff/stock"),
    ("POST", "/api/v1/staff/tiles/cam/watch"),
    ("GET", "/api/v1/staff/tiles/cam.jpg"),
    ("GET", "/api/v1/audit/export"),
]


@pytest.mark.parametrize(("method", "path"), STAFF)
def test_staff_pages_need_the_password(
    open_site: Callable[..., Site], method: str, path: str
) -> None:
    site = open_site(PASSWORD)
    digest = site.driver.hub.digest()
    assert site.client.request(method, path, json={}).status_code == 401
    wrong = {"Authorization": "Bearer wrong"}
    assert site.client.request(method, path, json={}, headers=wrong).status_code == 403
    assert site.driver.hub.digest() == digest


def test_a_session_and_its_end(open_site: Callable[..., Site]) -> None:
    site = open_site(PASSWORD)
    answer = site.client.post("/api/v1/staff/login", json={"password": PASSWORD})
    assert answer.status_code == 204
    cookie = answer.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert site.client.get("/api/v1/staff/state").status_code == 200
    assert site.client.post("/api/v1/staff/logout").status_code == 403
    token = {"X-CSRF-Token": answer.headers["x-csrf-token"]}
    assert site.client.post("/api/v1/staff/logout", headers=token).status_code == 204
    assert site.client.get("/api/v1/staff/state").status_code == 401
    bearer = {"Authorization": f"Bearer {PASSWORD}"}
    assert site.client.get("/api/v1/staff/state", headers=bearer).status_code == 200


def test_guessing_is_slowed(open_site: Callable[..., Site]) -> None:
    site = open_site(PASSWORD)
    for _ in range(5):
        answer = site.client.post("/api/v1/staff/login", json={"password": "guess"})
        assert answer.status_code == 403
    right = site.client.post("/api/v1/staff/login", json={"password": PASSWORD})
    assert right.status_code == 429


def test_the_limiter_forgets(site: Site) -> None:
    now = [0.0]
    limiter = Limiter(2, 60.0, lambda: now[0])
    limiter.count("a")
    limiter.count("a")
    assert limiter.spent("a")
    assert not limiter.spent("b")
    now[0] = 61.0
    assert not limiter.spent("a")


def test_other_sites_pages_change_nothing(site: Site) -> None:
    evil = {"Origin": "https://evil.example"}
    assert site.client.post("/api/v1/phones/visits", headers=evil).status_code == 403
    refund = site.client.post("/api/v1/staff/refunds", json={}, headers=evil)
    assert refund.status_code == 403
    rebound = site.client.get("/api/v1/staff/state", headers={"Host": "evil.example"})
    assert rebound.status_code == 400
    own = {"Origin": "http://testserver"}
    assert site.client.post("/api/v1/phones/visits", headers=own).status_code == 201


def test_tiles_are_the_nodes_own_and_fresh(site: Site) -> None:
    jpeg = b"\xff\xd8\xff\xe0picture"
    token = {"Authorization": "Bearer tok"}
    url = "/api/v1/nodes/node-shelf/tiles/cam-a"
    assert site.client.put(url, content=jpeg).status_code == 403
    # The tiny store has no cameras, so no node serves this one.
    assert site.client.put(url, content=jpeg, headers=token).status_code == 403
    assert site.client.post("/api/v1/staff/tiles/cam-a/watch").status_code == 422
    assert site.client.get("/api/v1/staff/tiles/cam-a.jpg").status_code == 404
    now = [0.0]
    tiles = TileStore(lambda: now[0])
    tiles.put("cam-a", jpeg)
    now[0] = 9.9
    assert tiles.get("cam-a") == jpeg
    now[0] = 10.1
    assert tiles.get("cam-a") is None


def test_the_alarm_shows(site: Site, monkeypatch: Any) -> None:
    assert site.client.get("/healthz").status_code == 200

    def full(_rows: Any) -> None:
        raise StoreWriteError("nothing was stored: database or disk is full")

    monkeypatch.setattr(site.driver.hub.store, "write", full)
    assert site.client.post("/api/v1/phones/visits").status_code == 503
    site.driver.alarm = site.driver.hub.halted
    answer = site.client.get("/readyz")
    assert (answer.status_code, answer.json()["ready"]) == (503, False)
    assert answer.json()["checks"]["database"] is False
    assert "full" in answer.json()["alarm"]
    assert site.client.get("/healthz").status_code == 200, "it lives, and may mend"
    monkeypatch.undo()
    site.driver.hub.recover()
    assert site.client.post("/api/v1/phones/visits").status_code == 201


async def _first(streams: Streams, response: Any, count: int) -> list[str]:
    chunks = []
    async for chunk in response.body_iterator:
        chunks.append(chunk)
        if len(chunks) == count:
            streams.ended = lambda: True
    return chunks


def test_streams_send_what_changed(site: Site) -> None:
    streams = Streams(lambda: site.driver.version)
    opened = site.client.post("/api/v1/phones/visits").json()
    response = streams.states(lambda: site.driver.phone(opened["token"]), event="visit")
    chunk = asyncio.run(_first(streams, response, 1))[0]
    assert chunk.startswith("event: visit\ndata: {")
    assert json.loads(chunk.split("data: ")[1])["visit_id"] == opened["visit_id"]
    streams.ended = lambda: False
    feed = asyncio.run(_first(streams, streams.feed(site.driver.feed, 0), 1))[0]
    assert feed.startswith("id: 1\nevent: log\n")
    assert streams.open == 0
