"""Cameras that are drawn more slowly than they look: what a live simulator says of it."""

from __future__ import annotations

from typing import Protocol

__all__ = ["TOO_SLOW", "Drawing", "Slowness"]

TOO_SLOW = "this machine is too slow"
"""What a line says in which pictures were left out."""
SAY_S = 30.0


class Drawing(Protocol):
    """Whoever draws, and counts what was drawn and what was not."""

    pictures: int
    pictures_left_out: int


class Slowness:
    """Says now and then how many pictures were left out, if there were more."""

    def __init__(self, now_s: float) -> None:
        self._said_s, self._left_out = now_s, 0

    def line(self, now_s: float, live: Drawing) -> str | None:
        """What is to be said now; None if there is nothing new, or something was said just now."""
        if now_s - self._said_s <= SAY_S or live.pictures_left_out <= self._left_out:
            return None
        self._said_s, self._left_out = now_s, live.pictures_left_out
        return f"{TOO_SLOW}: {live.pictures_left_out} pictures left out, {live.pictures} drawn"
