"""Follows a gate at the hub and shows its signs on a display.

A browser needs none of this: it opens the hub's page /exit/GATE. While the hub is away the signs
that stand run out by themselves, and it is asked again with growing pauses.
"""

from __future__ import annotations

import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import httpx

from contracts.signs import GateSigns
from hardware.ports import ExitDisplay
from sortie.errors import UsageError

__all__ = ["Follower"]

WAIT_S = (0.5, 1.0, 2.0, 5.0)
SILENT_S_MAX = 30.0
REDRAW_S = 0.5


class Follower:
    """Puts the signs of a gate onto a display until `stop`. UsageError if the hub refuses it."""

    def __init__(
        self,
        client: httpx.Client,
        gate: str,
        display: ExitDisplay,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._client = client
        self._url = f"/api/v1/exits/{gate}"
        self._display = display
        self._clock = clock
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._signs: GateSigns | None = None
        self._offset_s = 0.0

    def stop(self) -> None:
        """Ends `run`; safe from another thread."""
        self._stop.set()

    def run(self) -> None:
        """Follows, and comes back after the hub was away."""
        tries = 0
        with self._redrawing():
            while not self._stop.is_set():
                try:
                    for signs in self._news():
                        tries = 0
                        self._show(signs)
                        if self._stop.is_set():
                            return
                except httpx.HTTPError:
                    pass
                self._stop.wait(WAIT_S[min(tries, len(WAIT_S) - 1)])
                tries += 1

    def draw(self) -> None:
        """Shows what is not over yet."""
        with self._lock:
            if self._signs is not None:
                self._display.show(self._signs, now_s=self._clock() + self._offset_s)

    def _show(self, signs: GateSigns) -> None:
        with self._lock:
            self._signs = signs
        self.draw()

    def _news(self) -> Iterator[GateSigns]:
        """The signs as they are, then whenever they change, until the stream ends."""
        first = self._client.get(self._url)
        if 400 <= first.status_code < 500:
            raise UsageError(f"the hub refuses this display: {_said(first)}")
        document = first.raise_for_status().json()
        self._offset_s = document.pop("now_s") - self._clock()
        yield GateSigns.model_validate(document)
        with self._client.stream("GET", f"{self._url}/events") as answer:
            answer.raise_for_status()
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    yield GateSigns.model_validate_json(line[6:])
                if self._stop.is_set():
                    return

    @contextmanager
    def _redrawing(self) -> Iterator[None]:
        """Meanwhile signs that are over go by themselves."""
        done = threading.Event()

        def again() -> None:
            while not done.wait(REDRAW_S):
                self.draw()

        thread = threading.Thread(target=again, name="redraw", daemon=True)
        thread.start()
        try:
            yield
        finally:
            done.set()
            thread.join()


def _said(answer: httpx.Response) -> str:
    try:
        return str(json.loads(answer.text)["detail"])
    except (ValueError, KeyError, TypeError):
        return f"status {answer.status_code}"
