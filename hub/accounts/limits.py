"""Slowing down who guesses: after some free tries each failure doubles the wait, up to a bound.

Nobody is ever locked out for good: the wait ends by itself, and what failed is forgotten.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from dataclasses import dataclass

__all__ = ["Backoff"]

KEYS_MAX = 10_000


@dataclass(slots=True)
class _Failures:
    count: int
    last_s: float
    until_s: float


class Backoff:
    """Failures by key. Seconds of any clock that only rises. Safe from any thread."""

    def __init__(
        self, free: int, *, first_s: float, most_s: float, forget_s: float = 3600.0
    ) -> None:
        self._free, self._first_s, self._most_s = free, first_s, most_s
        self._forget_s = forget_s
        self._failed: OrderedDict[str, _Failures] = OrderedDict()
        self._lock = threading.Lock()

    def wait_s(self, key: str, now_s: float) -> float:
        """How long this key must wait; 0 if it may try."""
        with self._lock:
            found = self._failed.get(key)
        return 0.0 if found is None else max(0.0, found.until_s - now_s)

    def failed(self, key: str, now_s: float) -> None:
        """One more failure."""
        with self._lock:
            self._count(key, now_s)

    def _count(self, key: str, now_s: float) -> None:
        found = self._failed.get(key)
        if found is None or now_s - found.last_s > self._forget_s:
            found = _Failures(0, now_s, now_s)
        found.count += 1
        found.last_s = now_s
        if found.count >= self._free:
            doubled = self._first_s * 2.0 ** min(found.count - self._free, 30)
            found.until_s = now_s + min(self._most_s, doubled)
        self._failed[key] = found
        self._failed.move_to_end(key)
        while len(self._failed) > KEYS_MAX:
            self._failed.popitem(last=False)

    def succeeded(self, key: str) -> None:
        """The failures of a key are forgotten."""
        with self._lock:
            self._failed.pop(key, None)
