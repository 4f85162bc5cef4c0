"""A lock that is given to whoever has waited longest.

With threading.RLock a thread that lets go and comes back at once mostly has it again before one
that waits has woken up: under load the writer would keep everybody else out for seconds, and a
shopper at the gate would wait for an answer of the gateway that came long ago.
"""

from __future__ import annotations

import threading
from collections import deque

__all__ = ["Turns"]


class Turns:
    """For `with`, as often as its owner likes. Whoever lets go hands it to the next in turn."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._owner: int | None = None
        self._depth = 0
        self._waiting: deque[tuple[int, threading.Lock]] = deque()

    @property
    def waiting(self) -> int:
        """How many stand in line."""
        return len(self._waiting)

    def __enter__(self) -> None:
        me = threading.get_ident()
        # Nobody else can make this thread the owner, nor take that from it, while it runs here.
        if self._owner == me:
            self._depth += 1
            return
        with self._guard:
            if self._owner is None:
                self._owner, self._depth = me, 1
                return
            bell = threading.Lock()
            bell.acquire()
            self._waiting.append((me, bell))
        try:
            bell.acquire()
        except BaseException:
            with self._guard:
                given = self._owner == me
                if not given:
                    self._waiting.remove((me, bell))
            if given:
                self.__exit__()
            raise

    def __exit__(self, *_error: object) -> None:
        if self._depth > 1:
            self._depth -= 1
            return
        with self._guard:
            if self._waiting:
                self._owner, bell = self._waiting.popleft()
                bell.release()
            else:
                self._owner, self._depth = None, 0
