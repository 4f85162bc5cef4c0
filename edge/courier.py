"""Carries things to the hub one after the other, in a thread of its own that slows nobody down.

    courier = Courier("tiles", put, letter)     # letter(key, job) -> path and bytes
    courier.offer("camera-1", job)              # a newer job of the same key takes its place

What cannot be sent is dropped and counted; after a failure there is a pause.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Courier"]

PAUSE_AFTER_FAILURE_S = 2.0
JOIN_S = 5.0
J = TypeVar("J")


class Courier(Generic[J]):
    """`put(path, data)` sends one letter and raises OSError if it fails; more than `most` waiting
    jobs drop the oldest. `sent` and `dropped` count, `last_error` says why nothing goes."""

    def __init__(
        self,
        name: str,
        put: Callable[[str, bytes], None],
        letter: Callable[[str, J], tuple[str, bytes]],
        *,
        most: int,
    ) -> None:
        self._name = name
        self._put = put
        self._letter = letter
        self._most = most
        self._changed = threading.Condition()
        self._jobs: OrderedDict[str, J] = OrderedDict()
        self._closed = False
        self.sent = 0
        self.dropped = 0
        self.last_error: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def offer(self, key: str, job: J) -> bool:
        """Asks for a job to be done; whether it took the place of an older one of its key."""
        with self._changed:
            newer = key in self._jobs
            self._jobs[key] = job
            while len(self._jobs) > self._most:
                self._jobs.popitem(last=False)
                self.dropped += 1
            self._changed.notify_all()
        return newer

    def close(self) -> None:
        """Stops the thread; closing twice is fine."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        while True:
            with self._changed:
                while not self._jobs and not self._closed:
                    self._changed.wait()
                if self._closed:
                    return
                key, job = self._jobs.popitem(last=False)
            try:
                self._put(*self._letter(key, job))
                self.sent += 1
                self.last_error = None
            except OSError as error:
                self.dropped += 1
                self.last_error = f"{self._name}: {error}"
                self._stop.wait(PAUSE_AFTER_FAILURE_S)
