"""A simulated display: remembers what it showed, the latest last."""

from __future__ import annotations

from collections import deque

from contracts.signs import ExitSign, GateSigns

__all__ = ["MemoryDisplay"]

KEPT_MAX = 1_000


class MemoryDisplay:
    """`shown` is what stands on it now; `history` what stood on it, at most so many changes."""

    def __init__(self) -> None:
        self.shown: tuple[ExitSign, ...] = ()
        self.history: deque[tuple[ExitSign, ...]] = deque(maxlen=KEPT_MAX)
        self.closed = False

    def show(self, signs: GateSigns, *, now_s: float) -> None:
        """Shows what is not over."""
        self._put(tuple(sign for sign in signs.signs if sign.until_s > now_s))

    def close(self) -> None:
        """Clears it."""
        self._put(())
        self.closed = True

    def _put(self, shown: tuple[ExitSign, ...]) -> None:
        if shown != self.shown:
            self.shown = shown
            self.history.append(shown)
