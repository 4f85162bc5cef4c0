"""Whether anybody is before a wall, put together from all its cameras and over a moment.

>>> from edge.attended import Attended
>>> Attended().step(0.0, ()) is None
True
"""

from __future__ import annotations

from collections.abc import Sequence

from vision.wall import WallObservation
from vision.wall.wallmap import FRESH_S

__all__ = ["GONE_S", "Attended"]

GONE_S = 1.0
"""Nobody is there when no camera that sees has said otherwise for so long."""


class Attended:
    """One wall. Cameras that are blind or quiet say nothing; while all are, nothing is known."""

    def __init__(self) -> None:
        self._says: dict[str, tuple[float, bool]] = {}
        self._doubt_s: float | None = None
        self._told: bool | None = None

    def step(self, now_s: float, observations: Sequence[WallObservation]) -> bool | None:
        """Whether somebody is there, where that is news; None where it is not."""
        for one in sorted(observations, key=lambda one: one.t_s):
            if one.blind is None:
                self._says[one.camera_id] = (now_s, one.somebody)
            else:
                self._says.pop(one.camera_id, None)
        says = [said for at_s, said in self._says.values() if now_s - at_s <= FRESH_S]
        somebody = any(says)
        if somebody or not says or self._doubt_s is None:
            self._doubt_s = now_s
        if not says or (not somebody and now_s - self._doubt_s < GONE_S):
            return None
        if somebody == self._told:
            return None
        self._told = somebody
        return somebody
