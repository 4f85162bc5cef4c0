"""The pages' line to the hub: kept up, asked gently, and honest when it is cut."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from typing import Any

import httpx
import pytest
from starlette.applications import Starlette

from hub.pages.feed import HubFeed
from hub.pages.routes import add_routes
from hub.pages.settings import PagesSettings

URL = "http://hub.test"
LAYOUT = {"name": "Tiny", "currency": "EUR", "products": {}, "cameras": [{"camera_id": "cam-a"}]}


class FakeHub:
    """Answers as the hub does; `log` is what its event stream sends before it ends."""

    def __init__(self) -> None:
        self.asked: list[str] = []
        self.status = 200
        self.log: list[dict[str, Any]] = []
        self.tile: bytes | None = b"\xff\xd8\xff jpeg"
        self.down = False

    def __call__(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path.removeprefix("/api/v1/staff")
        self.asked.append(f"{request.method} {path}")
        if self.down:
            raise httpx.ConnectError("refused", request=request)
        if self.status != 200:
            return httpx.Response(self.status, json={"detail": "no"})
        if path == "/events":
            after = int(request.url.params.get("after", 0))
            rows = [row for row in self.log if row["number"] > after]
            text = "".join(f"id: {r['number']}\ndata: {json.dumps(r)}\n\n" for r in rows)
            return httpx.Response(200, text=f": still here\n\n{text}")
        if path.endswith(".jpg"):
            return httpx.Response(404 if self.tile is None else 200, content=self.tile or b"")
        if path == "/login":
            wrong = json.loads(request.content)["password"] != "the right password"
            return httpx.Response(403 if wrong else 204)
        bodies: dict[str, Any] = {
            "/layout": LAYOUT,
            "/state": {"log_number": len(self.log), "visits": []},
            "/review": [],
            "/visits/v-1/phone": {"visit_id": "v-1"},
            "/refunds": {"amount_minor": 119},
        }
        if path in bodies or path.endswith("/watch"):
            return httpx.Response(200, json=bodies.get(path, {}))
        return httpx.Response(404, json={"detail": "no such thing"})


def row(number: int) -> dict[str, Any]:
    return {"number": number, "at_us": 0, "kind": "hub.resumed", "visit_id": None, "data": {}}


def with_feed(hub: FakeHub, work: Callable[[HubFeed, list[float]], Any]) -> Any:
    """Runs `work` with a feed whose clock it may move."""
    clock = [0.0]

    async def run() -> Any:
        transport = httpx.MockTransport(hub)
        async with httpx.AsyncClient(transport=transport, base_url=URL) as client:
            feed = HubFeed(client, PagesSettings(hub_url=URL), now=lambda: clock[0])
            task = asyncio.create_task(feed.run())
            try:
                return await asyncio.wait_for(work(feed, clock), 20)
            finally:
                task.cancel()

    return asyncio.run(run())


async def until(condition: Callable[[], bool]) -> None:
    """Lets the loop run until a condition holds; `with_feed` sets the deadline."""
    while not condition():
        await asyncio.sleep(0)


def test_layout_state_review_and_log_become_one_snapshot() -> None:
    hub = FakeHub()
    hub.log = [row(1), row(2)]

    async def work(feed: HubFeed, _clock: list[float]) -> None:
        await until(lambda: feed.shot.connected and len(feed.shot.events) == 2)
        assert feed.shot.layout == LAYOUT
        assert feed.shot.fault == ""

    with_feed(hub, work)


def test_a_hub_on_another_database_starts_its_log_anew() -> None:
    hub = FakeHub()
    hub.log = [row(n) for n in range(1, 6)]

    async def work(feed: HubFeed, _clock: list[float]) -> None:
        await until(lambda: len(feed.shot.events) == 5)
        hub.log = [row(1), row(2)]
        feed.arrive()
        await until(lambda: [event["number"] for event in feed.shot.events] == [1, 2])

    with_feed(hub, work)


def test_a_hub_that_is_away_is_asked_again() -> None:
    hub = FakeHub()
    hub.down = True

    async def work(feed: HubFeed, _clock: list[float]) -> None:
        await until(lambda: "no answer from the hub" in feed.shot.fault)
        assert not feed.shot.connected
        hub.down = False
        await until(lambda: feed.shot.connected)

    with_feed(hub, work)


def test_a_hub_that_wants_a_password_says_which_setting() -> None:
    hub = FakeHub()
    hub.status = 401

    async def work(feed: HubFeed, _clock: list[float]) -> None:
        await until(lambda: "SORTIE_PAGES_STAFF_PASSWORD" in feed.shot.fault)
        assert hub.asked == ["GET /layout"]

    with_feed(hub, work)


def test_tiles_are_asked_for_while_watched_and_shared_by_viewers() -> None:
    hub = FakeHub()

    async def work(feed: HubFeed, clock: list[float]) -> None:
        await until(lambda: feed.shot.connected)
        assert feed.knows_camera("cam-a")
        assert not feed.knows_camera("cam-b")
        assert await feed.tile("cam-a") == hub.tile
        assert await feed.tile("cam-a") == hub.tile
        assert hub.asked.count("GET /tiles/cam-a.jpg") == 1
        clock[0] += 1.0
        await feed.tile("cam-a")
        assert hub.asked.count("GET /tiles/cam-a.jpg") == 2
        assert hub.asked.count("POST /tiles/cam-a/watch") == 1
        clock[0] += 10.0
        hub.tile = None
        assert await feed.tile("cam-a") is None
        assert hub.asked.count("POST /tiles/cam-a/watch") == 2

    with_feed(hub, work)


def test_phones_are_mirrored_and_kept_for_a_moment() -> None:
    hub = FakeHub()

    async def work(feed: HubFeed, clock: list[float]) -> None:
        assert await feed.phone("v-1") == {"visit_id": "v-1"}
        assert await feed.phone("v-1") == {"visit_id": "v-1"}
        assert hub.asked.count("GET /visits/v-1/phone") == 1
        assert await feed.phone("v-2") is None
        clock[0] += 1.0
        hub.down = True
        assert await feed.phone("v-1") == {"visit_id": "v-1"}

    with_feed(hub, work)


def test_refunds_tell_the_hubs_words() -> None:
    hub = FakeHub()

    async def work(feed: HubFeed, _clock: list[float]) -> None:
        done, _words = await feed.refund("r-1", "v-1", {1: 2}, "broken")
        assert done
        hub.status = 422
        assert await feed.refund("r-2", "v-1", {1: 2}, "") == (False, "no")
        hub.down = True
        done, words = await feed.refund("r-2", "v-1", {1: 2}, "")
        assert not done
        assert "changes nothing twice" in words

    with_feed(hub, work)


def test_the_hub_checks_passwords() -> None:
    hub = FakeHub()

    async def work(feed: HubFeed, _clock: list[float]) -> None:
        assert (await feed.login("the right password")).answer == "in"
        assert (await feed.login("a guess")).answer == "wrong"
        hub.status = 429
        assert (await feed.login("a guess")).answer == "wait"
        hub.down = True
        assert (await feed.login("a guess")).answer == "away"

    with_feed(hub, work)


def test_a_mirrored_phone_ends_with_its_visit_and_not_with_a_hub_that_halts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What nobody tells any more must not stand there as if it were live."""
    monkeypatch.setattr("hub.pages.routes.MIRROR_POLL_S", 0.0)
    hub = FakeHub()

    async def work(feed: HubFeed, clock: list[float]) -> list[str]:
        looked: list[float] = []
        app = Starlette()
        add_routes(app, feed, lambda: len(looked) > 40)
        asked = feed.phone

        async def phone(visit_id: str) -> Any:
            clock[0] += 1.0
            looked.append(clock[0])
            hub.status = 503 if len(looked) in (4, 5) else 404 if len(looked) > 6 else 200
            return await asked(visit_id)

        feed.phone = phone  # type: ignore[method-assign]
        transport = httpx.ASGITransport(app=app)
        async with httpx.AsyncClient(transport=transport, base_url="http://pages") as client:
            first = await client.get("/mirrored/v-1/events")
            again = await client.get("/mirrored/v-1/events")
            return [first.text, str(len(looked)), str(again.status_code)]

    text, looks, status = with_feed(hub, work)
    assert text.count("event: visit") == 1
    assert (looks, status) == ("8", "404")
