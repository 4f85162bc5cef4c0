"""A receiver that answers a little now and then keeps nobody else waiting."""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Iterator

import pytest

from hub.webhooks import sender as module
from hub.webhooks.sender import HttpPost

DRIP_S = 0.05


class Dripping:
    """Says a byte of an endless header now and then, for as long as somebody listens."""

    def __init__(self) -> None:
        self.over = threading.Event()
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port = self._listener.getsockname()[1]
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                line, _peer = self._listener.accept()
            except OSError:
                return
            with line:
                try:
                    line.sendall(b"HTTP/1.1 200 OK\r\nX-Slow: ")
                    while not self.over.wait(DRIP_S):
                        line.sendall(b"x")
                except OSError:
                    continue

    def end(self) -> None:
        self.over.set()
        self._listener.close()


@pytest.fixture
def receiver() -> Iterator[Dripping]:
    made = Dripping()
    yield made
    made.end()


def test_an_attempt_ends_although_bytes_keep_coming(
    receiver: Dripping, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MOST_S", 0.3)
    # Without an end of its own the test would hang as the hub did.
    stop = threading.Timer(5.0, receiver.end)
    stop.start()
    post, began_s = HttpPost(private=True), time.monotonic()
    for _ in range(2):
        answer = post(f"http://127.0.0.1:{receiver.port}/hook", {}, b"{}")
        assert (answer.status, answer.fault) == (None, "TooSlow")
    assert time.monotonic() - began_s < 4.0
    stop.cancel()
    post.close()
