"""Neutral marks: a colour and a symbol that tell people apart who leave at the same time.

The display at the gate and the shopper's own phone show the same mark, so that nobody's name is
needed. Colours and symbols are told apart on their own too, for those who see no colours.
"""

from __future__ import annotations

import hashlib

from hub.state import HubState
from hub.visits.model import Visit

__all__ = ["COLOURS", "MARKS", "SYMBOLS", "free_mark", "mark_of"]

COLOURS = ("blue", "orange", "green", "purple", "red", "teal")
SYMBOLS = ("circle", "square", "triangle", "star", "diamond", "cross", "moon", "ring")
MARKS = len(COLOURS) * len(SYMBOLS)
TOGETHER_S = 60.0
"""Who left within so long may stand at the same gate."""


def free_mark(state: HubState, visit: Visit) -> int:
    """A mark that nobody has who left a moment ago; a visit keeps the one it has."""
    if visit.mark is not None:
        return visit.mark
    taken = {
        other.mark
        for other in state.visits.values()
        if other.mark is not None
        and other.exited_s is not None
        and abs((visit.exited_s or state.now_s) - other.exited_s) < TOGETHER_S
    }
    first = int(hashlib.sha256(visit.visit_id.encode()).hexdigest()[:8], 16) % MARKS
    wanted = (mark for step in range(MARKS) if (mark := (first + step * 7) % MARKS) not in taken)
    return next(wanted, first)


def mark_of(visit: Visit, now_s: float) -> dict[str, str] | None:
    """A visit's mark as colour and symbol; None before the exit and a minute after it."""
    if visit.mark is None or now_s - (visit.exited_s or now_s) > TOGETHER_S:
        return None
    return {
        "colour": COLOURS[visit.mark % len(COLOURS)],
        "symbol": SYMBOLS[visit.mark // len(COLOURS) % len(SYMBOLS)],
    }
