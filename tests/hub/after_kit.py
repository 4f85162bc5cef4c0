"""The time after the exit in tests: a hub behind HTTP whose clock the test sets."""

from __future__ import annotations

import asyncio
import hashlib
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import httpx
from fastapi import FastAPI

from contracts import messages as m
from hub.api.app import create_app
from hub.core import HubCore
from hub.driver import Driver
from hub.mqtt import Arrived
from hub.replay import rebuild
from hub.service import Outgoing
from hub.settings import HubSettings
from tests.hub.bearing import bearing

COLA, BREAD = "4006381333931", "5901234123457"
PASSWORD = "correct horse battery"


class Bus:
    """MQTT without a broker."""

    connected = True
    dropped = 0
    sessions = 1

    def __init__(self) -> None:
        self.waiting: list[Arrived] = []
        self.acked: list[int] = []
        self.sent: list[Outgoing] = []

    def take(self, most: int) -> list[Arrived]:
        taken, self.waiting = self.waiting[:most], self.waiting[most:]
        return taken

    def acknowledge(self, arrived: Any) -> None:
        self.acked += [item.mid for item in arrived]

    def publish(self, outgoing: Any) -> None:
        self.sent += outgoing

    def asked(self) -> list[str]:
        """Evidence ids that nodes were asked for."""
        return [
            name
            for item in self.sent
            if item.topic.endswith("/evidence")
            for name in m.SendEvidence.model_validate_json(item.payload).evidence_ids
        ]


class Client:
    """Requests to an application in this process; safe between threads."""

    def __init__(self, app: FastAPI) -> None:
        self._transport = httpx.ASGITransport(app=app)

    def __call__(self, method: str, url: str, **more: Any) -> httpx.Response:
        async def ask() -> httpx.Response:
            async with httpx.AsyncClient(
                transport=self._transport, base_url="http://testserver"
            ) as client:
                return await client.request(method, url, **more)

        return asyncio.run(ask())

    def get(self, url: str, **more: Any) -> httpx.Response:
        return self("GET", url, **more)

    def post(self, url: str, json: Any = None, **more: Any) -> httpx.Response:
        return self("POST", url, json=json, **more)

    def put(self, url: str, **more: Any) -> httpx.Response:
        return self("PUT", url, **more)


class Played:
    """A hub at work; `play` moves the time."""

    def __init__(self, shop: Any) -> None:
        self.now_s = 0.0
        self.bus = Bus()
        self.script: list[tuple[float, str, bytes]] = []
        self._mid = 0
        self.driver = Driver(shop.hub, lambda: self.now_s, bus=self.bus)
        self.driver.begin()

    def play(self, script: list[tuple[float, str, bytes]], until_s: float) -> None:
        """Takes a script up and plays until a time; what is later waits for the next call."""
        self.script = sorted([*self.script, *script], key=lambda row: row[0])
        while self.now_s < until_s:
            self.now_s = round(self.now_s + 0.2, 6)
            while self.script and self.script[0][0] <= self.now_s:
                _, name, payload = self.script.pop(0)
                self.bus.waiting.append(Arrived(name, payload, self._mid, 1))
                self._mid += 1
            self.driver.step()
            self.answer()

    def answer(self) -> None:
        """What else happens after each step."""


class Place(Played):
    """A store with its application."""

    def __init__(self, shop: Any, folder: Path, **settings: Any) -> None:
        super().__init__(shop)
        self.shop = shop
        settings.setdefault("evidence_dir", folder / "evidence")
        settings.setdefault("node_tokens", {"node-shelf": "tok", "node-floor": "other"})
        self.settings = HubSettings(store_file=Path("x"), **settings)
        self.app = create_app(self.driver, self.settings)
        self.http = Client(self.app)
        self.errands = self.app.state.errands

    @property
    def events(self) -> list[dict[str, Any]]:
        """The event log."""
        return list(self.shop.hub.export_json()["events"])

    def rebuilt(self) -> HubCore:
        """The core that the database leads to."""
        # Inputs without effects wait for the next commit; reading the export makes one.
        self.shop.hub.export_json()
        state = self.shop.hub.core.state
        return rebuild(self.shop.hub.store, state.store, state.factory, state.rules)

    def frozen(self) -> dict[str, Any]:
        """The whole state but for the time."""
        return {**self.shop.hub.core.dump(), "now_s": None}

    def kinds(self) -> list[str]:
        """The kinds of all events."""
        return [event["kind"] for event in self.events]

    def answer(self) -> None:
        """The gateway answers what it was asked, if the hub does not ask inline."""
        while self.shop.hub.asks:
            request = self.shop.hub.asks.popleft()
            self.driver.command(self.shop.hub.ask_gateway(request))

    def opened(self) -> dict[str, str]:
        """A visit as a phone opens it: token, visit_id, code."""
        opened: dict[str, str] = self.http.post("/api/v1/phones/visits").json()
        return opened

    def phone(self, token: str) -> dict[str, Any]:
        """What the phone shows."""
        shown: dict[str, Any] = self.http.get("/api/v1/phones/me", headers=bearing(token)).json()
        return shown

    def bought(self, day: Any, items: list[tuple[str, bool]], start_s: float = 1.0) -> Any:
        """A visit that took something and is final and paid."""
        # Codes turn: one is shown soon after it was asked for.
        self.play([], start_s - 1.0)
        opened = self.opened()
        exit_s = day.shop(start_s, f"t{start_s:.0f}", opened["code"], items)
        script, day.script[:] = list(day.script), []
        self.play(script, exit_s + 6.0)
        shown = self.phone(opened["token"])
        assert shown["stage"] == "final", (shown, self.events[-3:])
        return opened

    def dispute(self, token: str, line: int = 1, **more: Any) -> httpx.Response:
        """One tap on the phone."""
        body = {"dispute_id": "dispute-one", "line": line, **more}
        return self.http.post("/api/v1/phones/me/disputes", body, headers=bearing(token))


def digest_of(data: bytes) -> str:
    """SHA-256."""
    return hashlib.sha256(data).hexdigest()


def at_once(count: int, work: Callable[[int], Any]) -> list[Any]:
    """The same work in so many threads that begin together; what each came to."""
    gate = threading.Barrier(count)
    results: list[Any] = [None] * count

    def run(number: int) -> None:
        gate.wait()
        results[number] = work(number)

    threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return results
