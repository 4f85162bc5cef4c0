"""When pictures were really thrown, where the driver is later than the step that drew them."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass, replace

from vision.wall.records import WallObservation

__all__ = ["Lateness"]

PICTURES_MAX = 32
"""So many pictures back a camera's may have been taken."""


@dataclass(slots=True)
class _Picture:
    given_s: float
    shown_s: float | None = None


class Lateness:
    """Tells observations the time they would have had if every picture had been thrown in the very
    step that gave it. What is reckoned from steps is right then, however slow the machine is."""

    def __init__(self) -> None:
        self._pictures: deque[_Picture] = deque(maxlen=PICTURES_MAX)

    def given(self, now_s: float) -> None:
        """A step gives a picture back."""
        self._pictures.append(_Picture(now_s))

    @property
    def given_s(self) -> float:
        """When the newest was given back; 0 before the first."""
        return self._pictures[-1].given_s if self._pictures else 0.0

    def shown(self, shown_s: float | None) -> None:
        """When the newest was on its way, as far as is known; None if that was in its step."""
        if self._pictures and self._pictures[-1].shown_s is None:
            newest = self._pictures[-1]
            if shown_s is None or shown_s >= newest.given_s:
                newest.shown_s = newest.given_s if shown_s is None else shown_s

    def timed(self, seen: WallObservation) -> WallObservation:
        """`seen`, earlier by as much as the picture was late that the wall then waited for; without
        its capture while nobody knows whether that picture is there."""
        for one in reversed(self._pictures):
            if one.given_s <= seen.t_s:
                if one.shown_s is None:
                    return replace(seen, capture=None)
                late_s = one.shown_s - one.given_s
                return replace(seen, t_s=seen.t_s - late_s) if late_s > 0 else seen
        return seen
