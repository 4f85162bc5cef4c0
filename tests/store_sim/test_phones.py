"""Phones and the staff's handheld of the live store: over HTTP, through a hub that fails."""

from __future__ import annotations

import http.server
import json
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, ClassVar

import pytest

from store_sim.phones import HubClient, Phones
from store_sim.world import StaffWord

WAIT_S = 90.0


def until(done: Callable[[], bool]) -> None:
    """Waits for another thread or process, bounded."""
    pause = threading.Event()
    deadline_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline_s, "gave up waiting"
        pause.wait(0.01)


def collect(take: Callable[[], list[Any]], count: int = 1) -> list[Any]:
    """Takes until there are so many."""
    found: list[Any] = []

    def enough() -> bool:
        found.extend(take())
        return len(found) >= count

    until(enough)
    return found


class _Hub(http.server.BaseHTTPRequestHandler):
    """A hub that fails a few times first."""

    failures: ClassVar[int] = 0
    refusals: ClassVar[int] = 0
    stage: ClassVar[str] = "shopping"
    seen: ClassVar[list[tuple[str, str, Any]]] = []

    def _answer(self, status: int, document: dict[str, Any]) -> None:
        body = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_POST(self) -> None:
        kind = type(self)
        length = int(self.headers.get("content-length", 0))
        body = json.loads(self.rfile.read(length))
        if kind.failures > 0:
            kind.failures -= 1
            self._answer(503, {})
            return
        if kind.refusals > 0:
            kind.refusals -= 1
            self._answer(409, {})
            return
        kind.seen.append(("POST", self.path, body))
        number = len(kind.seen)
        self._answer(
            201, {"visit_id": f"v-{number}", "token": f"t-{number}", "code": f"c-{number}"}
        )

    def do_GET(self) -> None:
        kind = type(self)
        kind.seen.append(("GET", f"{self.path} {self.headers['authorization']}", None))
        self._answer(200, {"stage": kind.stage, "code": f"c-now-{len(kind.seen)}"})

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


@pytest.fixture
def hub() -> Iterator[tuple[str, type[_Hub]]]:
    handler = type("Handler", (_Hub,), {"seen": [], "failures": 0})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_address[1]}", handler
    server.shutdown()
    server.server_close()


def test_phones_get_codes_and_the_auditor_learns_whose_visit_is_whose(
    hub: tuple[str, type[_Hub]], tmp_path: Path
) -> None:
    url, handler = hub
    said: list[str] = []
    phones = Phones(HubClient(url), say=said.append, visits_file=tmp_path / "phones.jsonl")
    phones.ask(4)
    phones.ask(4)
    assert collect(phones.take_codes) == [(4, "c-1")]
    phones.close()
    phones.close()
    assert handler.seen == [("POST", "/api/v1/phones/visits", {"payer": "shopper-4"})]
    line = json.loads((tmp_path / "phones.jsonl").read_text(encoding="utf-8"))
    assert line == {"shopper": 4, "visit_id": "v-1"}
    assert said == []


def test_staff_are_heard_in_their_order_through_failures(
    hub: tuple[str, type[_Hub]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store_sim.phones.RETRY_S", 0.01)
    url, handler = hub
    phones = Phones(HubClient(url), say=lambda _text: None)
    phones.ask_badge(6)
    phones.ask_badge(6)
    assert collect(phones.take_codes) == [(6, "c-1")]
    handler.failures = 2
    moved = StaffWord("moved", 6, 1, 1, "bay-a-1-l", "2000000011011", 3)
    phones.tell([StaffWord("began", 6, 1)])
    phones.tell([moved, StaffWord("ended", 6, 1)])
    until(lambda: len(handler.seen) == 5)
    phones.tell([StaffWord("began", 6, 2)])
    until(lambda: len(handler.seen) == 6)
    phones.close()
    staff = "/api/v1/staff"
    assert [path for _, path, _ in handler.seen] == [
        f"{staff}/badges",
        f"{staff}/restocking/start",
        f"{staff}/restocking/moves",
        f"{staff}/restocking/finish",
        f"{staff}/badges/revoke",
        f"{staff}/restocking/start",
    ]
    holder = handler.seen[0][2]["holder"]
    session = handler.seen[1][2]["session_id"]
    assert handler.seen[2][2] == {
        "session_id": session,
        "move_id": f"{session}-1",
        "slot_id": "bay-a-1-l",
        "gtin": "2000000011011",
        "quantity": 3,
    }
    assert handler.seen[3][2] == {"session_id": session}
    assert handler.seen[4][2] == {"holder": holder}
    assert handler.seen[5][2] != {"session_id": session}


def test_staff_whom_the_store_does_not_take_hold_nobody_up(hub: tuple[str, type[_Hub]]) -> None:
    url, handler = hub
    handler.refusals = 2
    said: list[str] = []
    phones = Phones(HubClient(url), say=said.append)
    phones.ask_badge(6)
    phones.tell([StaffWord("began", 6, 1), StaffWord("ended", 6, 1)])
    until(lambda: len(handler.seen) == 2)
    phones.close()
    assert [line.split(":")[0] for line in said] == ["staff got no badge", "staff were not heard"]
    assert [path.rpartition("/")[2] for _, path, _ in handler.seen] == ["finish", "revoke"]


def test_a_phones_code_turns(hub: tuple[str, type[_Hub]]) -> None:
    url, handler = hub
    phones = Phones(HubClient(url), say=lambda _text: None)
    phones.turn(4)
    phones.ask(4)
    assert collect(phones.take_codes) == [(4, "c-1")]
    phones.turn(4)
    assert collect(phones.take_codes) == [(4, "c-now-2")]
    assert [seen[:2] for seen in handler.seen] == [
        ("POST", "/api/v1/phones/visits"),
        ("GET", "/api/v1/phones/me Bearer t-1"),
    ]
    phones.close()


@pytest.mark.parametrize(("stage", "refused"), [("shopping", []), ("refused", [7])])
def test_a_phone_learns_that_it_was_refused(
    hub: tuple[str, type[_Hub]], stage: str, refused: list[int]
) -> None:
    url, handler = hub
    handler.stage = stage
    phones = Phones(HubClient(url), say=print)
    phones.ask(7)
    until(lambda: bool(phones.take_codes()))
    phones.scanned(7)
    until(lambda: any(kind == "GET" for kind, _, _ in handler.seen))
    found = collect(phones.take_refused) if refused else []
    phones.close()
    assert found + phones.take_refused() == refused
    assert handler.seen[1][1] == "/api/v1/phones/me Bearer t-1"


def test_a_hub_that_does_not_answer_is_said_once_and_asked_again(
    hub: tuple[str, type[_Hub]], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("store_sim.phones.RETRY_S", 0.01)
    url, handler = hub
    handler.failures = 3
    said: list[str] = []
    phones = Phones(HubClient(url), say=said.append)
    phones.ask(1)
    collect(phones.take_codes)
    phones.close()
    assert [line.split(":")[0] for line in said] == [
        "the hub does not answer, asked again",
        "the hub answers again",
    ]
