"""`sortie exit-display`: signs over HTTP onto a display, gone by themselves, back after a break."""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable
from typing import Any

import httpx
import pytest

from hardware.displays import MemoryDisplay
from sortie.errors import UsageError
from sortie.exit_display import Follower

HUB_S = 1000.0


class Hub:
    """Answers for one gate; `breaks` requests fail first."""

    def __init__(self, breaks: int = 0, status: int = 200) -> None:
        self.breaks = breaks
        self.status = status
        self.tokens: list[str | None] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.tokens.append(request.headers.get("authorization"))
        if self.breaks:
            self.breaks -= 1
            raise httpx.ConnectError("away")
        if self.status != 200:
            return httpx.Response(self.status, json={"detail": "expected the token of the display"})
        if request.url.path.endswith("/events"):
            text = f"event: signs\ndata: {json.dumps(gate('3 items, 7.40', 1010.0))}\n\n"
            return httpx.Response(200, text=": still here\n\n" + text)
        return httpx.Response(200, json={**gate("checking one item", 1010.0), "now_s": HUB_S})


def gate(words: str, until_s: float) -> dict[str, Any]:
    sign = {
        "mark": {"colour": "blue", "symbol": "star"},
        "state": "total",
        "words": words,
        "more": "",
        "until_s": until_s,
    }
    return {"gate_id": "exit", "signs": [sign], "waiting": 0}


def follower(hub: Hub, display: MemoryDisplay, clock: Callable[[], float]) -> Follower:
    client = httpx.Client(
        transport=httpx.MockTransport(hub),
        base_url="http://hub",
        headers={"Authorization": "Bearer screen"},
    )
    return Follower(client, "exit", display, clock=clock)


def until(done: Callable[[], bool]) -> None:
    end = time.monotonic() + 30.0
    pause = threading.Event()
    while not done():
        assert time.monotonic() < end
        pause.wait(0.01)


@pytest.mark.parametrize("breaks", [0, 2])
def test_signs_come_change_and_run_out(breaks: int) -> None:
    hub, display, now = Hub(breaks), MemoryDisplay(), [5.0]
    made = follower(hub, display, lambda: now[0])
    thread = threading.Thread(target=made.run)
    thread.start()
    until(lambda: [one.words for one in display.shown] == ["3 items, 7.40"])
    assert [one.words for one in display.history[0]] == ["checking one item"]
    assert set(hub.tokens) == {"Bearer screen"}
    made.stop()
    thread.join()
    now[0] = 20.0
    made.draw()
    assert display.shown == ()


def test_a_display_that_is_refused_says_why() -> None:
    with pytest.raises(UsageError, match="expected the token"):
        follower(Hub(status=403), MemoryDisplay(), lambda: 5.0).run()
