"""When nodes are asked for their clocks: often at first, then now and then."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable

__all__ = ["Pings"]

EVERY_S, FIRST_S, FIRST = 5.0, 0.5, 6


class Pings:
    """Remembers when each node was asked last."""

    def __init__(self) -> None:
        self._sent: dict[str, tuple[float, int]] = {}

    def due(self, names: Iterable[str], undated: Callable[[str], bool], now_s: float) -> list[str]:
        """Nodes to be asked now; those whose news wait for an answer (`undated`) are often."""
        found = []
        for name in names:
            last_s, sent = self._sent.get(name, (-math.inf, 0))
            soon = sent <= FIRST or undated(name)
            if now_s >= last_s + (FIRST_S if soon else EVERY_S):
                self._sent[name] = (now_s, sent + 1)
                found.append(name)
        return found
