"""Sends evidence to the hub when it asks, one piece after the other, in a thread of its own.

What cannot be sent is dropped and counted: the hub asks again. Of a piece that is not here any
more the hub is told, so that nobody waits for it.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable

__all__ = ["WAITING_MAX", "EvidenceSender", "evidence_path"]

WAITING_MAX = 64
PAUSE_AFTER_FAILURE_S = 2.0
JOIN_S = 5.0


def evidence_path(node_id: str, evidence_id: str, *, gone: bool = False) -> str:
    """Where the hub takes a piece, or that there is none."""
    return f"/api/v1/nodes/{node_id}/evidence/{evidence_id}{'/gone' if gone else ''}"


class EvidenceSender:
    """`put(path, data)` sends one piece and raises OSError if it fails."""

    def __init__(self, node_id: str, put: Callable[[str, bytes], None]) -> None:
        self._node_id = node_id
        self._put = put
        self._changed = threading.Condition()
        self._jobs: OrderedDict[str, bytes | None] = OrderedDict()
        self._closed = False
        self.sent = 0
        self.dropped = 0
        self.last_error: str | None = None
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="evidence", daemon=True)
        self._thread.start()

    def offer(self, evidence_id: str, data: bytes | None) -> None:
        """Asks for a piece to be sent, None if it is gone; too many drop the oldest."""
        with self._changed:
            self._jobs[evidence_id] = data
            while len(self._jobs) > WAITING_MAX:
                self._jobs.popitem(last=False)
                self.dropped += 1
            self._changed.notify_all()

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
                evidence_id, data = self._jobs.popitem(last=False)
            try:
                path = evidence_path(self._node_id, evidence_id, gone=data is None)
                self._put(path, b"" if data is None else data)
                self.sent += 1
                self.last_error = None
            except OSError as error:
                self.dropped += 1
                self.last_error = f"evidence: {error}"
                self._stop.wait(PAUSE_AFTER_FAILURE_S)
