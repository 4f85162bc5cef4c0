"""The loopback door of a running store: who may, what is understood, and the way to the world."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from contracts.store_file import load_store_file
from store_sim.control import BODY_BYTES_MAX, WAITING_MAX, ControlServer, HandOver
from store_sim.errors import PlayerError, SeatTakenError, SimulatorError
from store_sim.player_commands import Command, Stop, parse_command
from tests.store_sim.player_kit import DEMO

TOKEN = "the-token-of-the-tests"
STOP = {"seat": "page", "command": {"act": "stop"}}


class World:
    """Answers commands on a thread of its own, as the world does."""

    def __init__(self, hand_over: HandOver) -> None:
        self.heard: list[tuple[str, Command, bool]] = []
        self.refusal: PlayerError | None = None
        self._hand_over = hand_over
        self._over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self._thread.start()

    def _run(self) -> None:
        while not self._over.wait(0.005):
            self._hand_over.serve(self._obey)

    def _obey(self, seat: str, command: Command, tour: bool) -> dict[str, Any]:
        if self.refusal is not None:
            raise self.refusal
        self.heard.append((seat, command, tour))
        return {"ok": True}

    def close(self) -> None:
        """Ends the thread."""
        self._over.set()
        self._thread.join()


@pytest.fixture
def hand_over() -> HandOver:
    return HandOver()


@pytest.fixture
def world(hand_over: HandOver) -> Iterator[World]:
    made = World(hand_over)
    yield made
    made.close()


@pytest.fixture
def door(hand_over: HandOver) -> Iterator[httpx.Client]:
    """A client with the token."""
    server = ControlServer(
        port=0,
        token=TOKEN,
        store=load_store_file(DEMO),
        hand_over=hand_over,
        clip=lambda from_s, to_s: {"camera_id": "cam-a", "frames": [], "asked": [from_s, to_s]},
    )
    headers = {"Authorization": f"Bearer {TOKEN}"}
    base_url = f"http://127.0.0.1:{server.port}"
    with httpx.Client(base_url=base_url, headers=headers, trust_env=False) as client:
        yield client
    server.close()


@pytest.mark.parametrize("given", ["", "Bearer", f"Basic {TOKEN}", "Bearer another-token-than-it"])
@pytest.mark.parametrize(("method", "path"), [("GET", "/state"), ("POST", "/command")])
def test_without_the_token_nothing_is_told_or_done(
    door: httpx.Client, world: World, given: str, method: str, path: str
) -> None:
    answer = door.request(method, path, headers={"Authorization": given}, json=STOP)
    assert answer.status_code == 401
    assert world.heard == []


def test_a_command_reaches_the_worlds_thread_and_is_answered(
    door: httpx.Client, world: World
) -> None:
    answer = door.post("/command", json={**STOP, "tour": True})
    assert (answer.status_code, answer.json()) == (200, {"ok": True})
    assert world.heard == [("page", Stop(act="stop"), True)]


@pytest.mark.parametrize(
    ("error", "status"), [(PlayerError("Not now."), 409), (SeatTakenError("Taken."), 423)]
)
def test_a_world_that_says_no_is_passed_on(
    door: httpx.Client, world: World, error: PlayerError, status: int
) -> None:
    world.refusal = error
    answer = door.post("/command", json=STOP)
    assert (answer.status_code, answer.json()) == (status, {"detail": str(error)})


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b"{", "expected a JSON object, got none"),
        (b"[1]", "expected a JSON object, got list"),
        (json.dumps({"command": {"act": "stop"}}).encode(), "seat: expected 1 to 80"),
        (json.dumps({**STOP, "seat": "x" * 81}).encode(), "seat: expected 1 to 80"),
        (json.dumps({"seat": "page"}).encode(), "command: "),
        (json.dumps({"seat": "page", "command": {"act": "fly"}}).encode(), "Input tag 'fly'"),
    ],
)
def test_what_is_no_command_is_refused_in_words(
    door: httpx.Client, world: World, body: bytes, words: str
) -> None:
    answer = door.post("/command", content=body)
    assert answer.status_code == 422
    assert words in answer.json()["detail"]
    assert world.heard == []


def test_a_body_that_is_too_long_is_not_read(door: httpx.Client) -> None:
    answer = door.post("/command", content=b" " * (BODY_BYTES_MAX + 1))
    assert answer.status_code == 413


@pytest.mark.parametrize(("method", "path"), [("GET", "/"), ("POST", "/state"), ("GET", "/x")])
def test_other_paths_are_nothing(door: httpx.Client, method: str, path: str) -> None:
    assert door.request(method, path, json={}).status_code == 404


def test_whoever_holds_the_seat_is_told_so(door: httpx.Client, hand_over: HandOver) -> None:
    assert door.get("/state").status_code == 409
    hand_over.show({"t_s": 1.0}, "page")
    assert door.get("/state", params={"seat": "page"}).json() == {"t_s": 1.0, "mine": True}
    assert door.get("/state", params={"seat": "other"}).json()["mine"] is False
    hand_over.show({"t_s": 1.0}, "")
    assert door.get("/state").json()["mine"] is False


def test_the_layout_has_what_the_page_draws(door: httpx.Client) -> None:
    layout = door.get("/layout").json()
    assert {slot["gtin"] for slot in layout["slots"]} <= set(layout["products"])
    assert layout["products"]["2000000013015"]["price_minor"] == 99
    assert layout["bays"][0]["boards"][0]["z_m"] == 0.35


def test_pictures_are_asked_for_by_seconds(door: httpx.Client) -> None:
    assert door.get("/clip?from=1.5&to=3").json()["asked"] == [1.5, 3.0]
    answer = door.get("/clip?from=now&to=3")
    assert (answer.status_code, answer.json()["detail"]) == (
        422,
        "from: expected seconds, got 'now'",
    )


def test_a_world_that_does_not_answer_is_not_waited_for_for_ever(hand_over: HandOver) -> None:
    stop = parse_command({"act": "stop"})
    with pytest.raises(PlayerError, match="has not answered yet"):
        hand_over.ask("page", stop, tour=False, wait_s=0.01)
    for _ in range(WAITING_MAX - 1):
        with pytest.raises(PlayerError, match="has not answered yet"):
            hand_over.ask("page", stop, tour=False, wait_s=0.0)
    with pytest.raises(PlayerError, match="Too many commands"):
        hand_over.ask("page", stop, tour=False, wait_s=0.0)


def test_a_port_that_is_taken_names_the_setting(door: httpx.Client, hand_over: HandOver) -> None:
    port = door.base_url.port
    assert port is not None
    with pytest.raises(SimulatorError, match="set SORTIE_SIM_CONTROL_PORT"):
        ControlServer(
            port=port,
            token=TOKEN,
            store=load_store_file(DEMO),
            hand_over=hand_over,
            clip=lambda _from_s, _to_s: {},
        )
