"""The play page's server between a real seat in a small world and a hub that says what tests want.

The world runs in a thread, a good deal faster than the clock, so that nobody waits for feet.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import uvicorn
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from hub.pages.words import label
from sortie.play.server import create_app
from sortie.play.settings import PlaySettings
from sortie.supervisor import free_port
from store_sim.control import ControlServer
from store_sim.player_commands import Command
from store_sim.player_page import PlayerPage
from store_sim.tampering import Troubles
from tests.store_sim.player_kit import Phone, Table

__all__ = ["FakeHub", "PlayRig", "until"]

TOKEN = "the-token-of-the-play-tests"
DEADLINE_S = 60.0
FASTER = 6
STEP_S = 0.02
PIXEL = bytes.fromhex(
    "ffd8ffe000104a46494600010100000100010000ffdb004300080606070605080707070909080a0c140d0c0b0b0c1912"
    "130f141d1a1f1e1d1a1c1c20242e2720222c231c1c2837292c30313434341f27393d38323c2e333432ffc0000b080001"
    "000101011100ffc4001f0000010501010101010100000000000000000102030405060708090a0bffc400b51000020103"
    "03020403050504040000017d01020300041105122131410613516107227114328191a1082342b1c11552d1f02433627282"
    "090a161718191a25262728292a3435363738393a434445464748494a535455565758595a636465666768696a737475767778"
    "797a838485868788898a92939495969798999aa2a3a4a5a6a7a8a9aab2b3b4b5b6b7b8b9bac2c3c4c5c6c7c8c9cad2d3d4d5"
    "d6d7d8d9dae1e2e3e4e5e6e7e8e9eaf1f2f3f4f5f6f7f8f9faffda0008010100003f00fbd0ffd9"
)


def until(condition: Any, what: str, deadline_s: float = DEADLINE_S) -> Any:
    """Asks again and again until a condition holds; the value it had then."""
    end_s = time.monotonic() + deadline_s
    pause = threading.Event()
    while not (value := condition()):
        assert time.monotonic() < end_s, f"expected {what} within {deadline_s} s"
        pause.wait(0.02)
    return value


class Server:
    """An application on a free port, in a thread of its own."""

    def __init__(self, app: Starlette, port: int) -> None:
        config = uvicorn.Config(
            app, host="127.0.0.1", port=port, log_level="error", timeout_graceful_shutdown=1
        )
        self.url = f"http://127.0.0.1:{port}"
        self.server = uvicorn.Server(config)
        self._thread = threading.Thread(target=self.server.run)
        self._thread.start()
        until(lambda: self.server.started, "the server to start")

    def close(self) -> None:
        """Ends it."""
        self.server.should_exit = True
        self._thread.join()


class FakeHub:
    """The hub's interface as far as the page asks it; tests write into its fields."""

    def __init__(self) -> None:
        self.broker = True
        self.blind: list[dict[str, Any]] = []
        self.events: list[dict[str, Any]] = []
        self.lines: list[dict[str, Any]] = []
        self.stage = "shopping"
        self.unclear = 0
        self.reasons: list[str] = []
        self.watched: list[str] = []
        self.ended = False
        self.server = Server(Starlette(routes=self._routes()), free_port())

    @property
    def url(self) -> str:
        """Its address."""
        return self.server.url

    def close(self) -> None:
        """Ends it, streams first."""
        self.ended = True
        self.server.close()

    def decide(self, reach_id: str, **data: Any) -> None:
        """A decision about the avatar."""
        usual = {
            "reach_id": reach_id, "line": 0, "t_us": round(self.now_s * 1e6),
            "gtin": "2000000013015", "quantity": 1, "to_visit": Phone.visit_id,
            "probability": "0.970000", "certain": True, "why": "plates -351 g against -352 g",
            "alternatives": [],
        }  # fmt: skip
        self.events.append(
            {
                "number": len(self.events) + 1,
                "at_us": usual["t_us"],
                "kind": "decision.made",
                "visit_id": Phone.visit_id,
                "data": {**usual, **data},
            }
        )

    @property
    def now_s(self) -> float:
        """Hub seconds."""
        return time.monotonic() + 1000.0

    def state(self) -> dict[str, Any]:
        """The store as staff see it."""
        health = {"outbox_waiting": 0, "cameras": [], "plates_age_s": 0.1}
        return {
            "name": "Test", "now_s": self.now_s, "log_number": len(self.events),
            "broker": self.broker, "alarm": None, "halted": None, "blind": self.blind,
            "tracks": [], "reaches": [], "counters": {}, "waiting_codes": 0,
            "devices": [
                {"device_id": "node-shelf", "alive": True, "behind_gap": 0, "heard_s_ago": 0.2,
                 "health": health}
            ],
            "visits": [
                {
                    "visit_id": Phone.visit_id, "state": self.stage, "stage": self.stage,
                    "lines": self.lines, "unclear": self.unclear, "at_m": None,
                    "total_minor": sum(line["total_minor"] for line in self.lines),
                    "debt_minor": 0, "refunded_minor": 0, "captured_minor": 0, "refusal": None,
                    "reasons": self.reasons,
                }
            ],
        }  # fmt: skip

    def phone(self) -> dict[str, Any]:
        """The visit as its phone shows it."""
        total = sum(line["total_minor"] for line in self.lines)
        receipt = None
        if self.stage == "final":
            receipt = {
                "store": "Test", "settled_s": self.now_s, "currency": "EUR", "total_minor": total,
                "vat": [], "refunded": [], "refunded_minor": 0, "captured_minor": total,
                "debt_minor": 0, "paid": True, "not_charged": len(self.reasons),
            }  # fmt: skip
        return {
            "visit_id": Phone.visit_id, "state": self.stage, "stage": self.stage, "store": "Test",
            "currency": "EUR", "code": None, "code_expires_s": None, "hold_minor": 5000,
            "held": True, "lines": self.lines, "unclear": self.unclear, "total_minor": total,
            "refusal": None, "receipt": receipt, "disputes": [],
        }  # fmt: skip

    def _routes(self) -> list[Route]:
        async def state(_request: Request) -> Response:
            return JSONResponse(self.state())

        async def layout(_request: Request) -> Response:
            store = Table().store
            return JSONResponse(
                {
                    "currency": "EUR",
                    "floor": store.floor.model_dump(),
                    "bays": [bay.model_dump(mode="json") for bay in store.bays],
                    "gates": [],
                    "cameras": [
                        {"camera_id": one.camera_id, "role": one.role, "bay_id": one.bay_id,
                         "position_m": list(one.pose.position_m)}
                        for one in store.cameras
                    ],
                    "products": {product.gtin: product.name for product in store.products},
                }
            )  # fmt: skip

        async def review(_request: Request) -> Response:
            return JSONResponse([])

        async def watch(request: Request) -> Response:
            self.watched.append(request.path_params["camera"])
            return JSONResponse({"node_id": "node-shelf"})

        async def tile(_request: Request) -> Response:
            return Response(PIXEL, media_type="image/jpeg")

        async def phone(_request: Request) -> Response:
            return JSONResponse(self.phone())

        async def mails(_request: Request) -> Response:
            return JSONResponse({"available": False, "mails": []})

        async def events(_request: Request) -> Response:
            return StreamingResponse(self._log(), media_type="text/event-stream")

        async def phone_events(request: Request) -> Response:
            if request.headers.get("authorization") != f"Bearer {Phone.token}":
                return PlainTextResponse("no", status_code=404)
            return StreamingResponse(self._phone_states(), media_type="text/event-stream")

        staff = "/api/v1/staff"
        return [
            Route(f"{staff}/state", state),
            Route(f"{staff}/layout", layout),
            Route(f"{staff}/review", review),
            Route(f"{staff}/events", events),
            Route(f"{staff}/tiles/{{camera}}/watch", watch, methods=["POST"]),
            Route(f"{staff}/tiles/{{camera}}.jpg", tile),
            Route("/api/v1/phones/me", phone),
            Route("/api/v1/phones/me/receipt/mails", mails),
            Route("/api/v1/phones/me/events", phone_events),
        ]

    async def _log(self) -> AsyncIterator[str]:
        told = 0
        while not self.ended:
            for row in self.events[told:]:
                told += 1
                yield f"event: log\ndata: {_json(row)}\n\n"
            await asyncio.sleep(0.02)

    async def _phone_states(self) -> AsyncIterator[str]:
        sent = ""
        while not self.ended:
            text = _json(self.phone())
            if text != sent:
                sent = text
                yield f"event: visit\ndata: {text}\n\n"
            await asyncio.sleep(0.02)


def _json(value: Any) -> str:
    body = JSONResponse(value).body
    return bytes(body).decode()


class PlayRig:
    """World, door, hub and the page's server. `url` is the page's origin."""

    def __init__(self, folder: Path) -> None:
        self.hub = FakeHub()
        self.table = Table()
        self.page = PlayerPage(self.table.world, Troubles(()), visit_of=lambda _index: Phone())
        self.heard: list[tuple[str, Command, bool]] = []
        obey = self.page._desk.obey

        def noted(seat: str, command: Command, *, tour: bool = False) -> dict[str, Any]:
            self.heard.append((seat, command, tour))
            return obey(seat, command, tour=tour)

        self.page._desk.obey = noted  # type: ignore[method-assign, assignment]
        self.door = self.page.listen(port=0, token=TOKEN)
        self.kill_file = folder / "kill"
        self._over = threading.Event()
        self._world = threading.Thread(target=self._run)
        self._world.start()
        port = free_port()
        settings = PlaySettings(
            port=port,
            hub_url=self.hub.url,
            pages_url="http://127.0.0.1:1",
            store_url=f"http://127.0.0.1:{self.door.port}",
            store_token=SecretStr(TOKEN),
            kill_file=self.kill_file,
        )
        self.server = Server(create_app(settings, lambda: self.server.server.should_exit), port)
        self.url = self.server.url

    def _run(self) -> None:
        world = self.table.world
        while not self._over.wait(STEP_S):
            world.advance(world.t_s + FASTER * STEP_S)
            self.page.serve()

    def door_shut(self) -> ControlServer:
        """Shuts the store's door: the simulator is gone."""
        self.door.close()
        return self.door

    def close(self) -> None:
        """Ends all of it."""
        self.hub.ended = True
        self.server.close()
        self._over.set()
        self._world.join()
        self.door.close()
        self.hub.close()

    @property
    def label(self) -> str:
        """How pages call the avatar."""
        return label(Phone.visit_id)
