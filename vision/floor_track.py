"""What vision.floor keeps of one person on the floor."""

from __future__ import annotations

import math
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.messages import TrackPoint, WristPoint
from vision.floor_filter import PersonFilter
from vision.floor_settings import FloorSettings

__all__ = ["OpenTrack", "Track"]


@dataclass(frozen=True, slots=True)
class OpenTrack:
    """Where a living track is: `sd_m` of the position, `unseen_s` since a camera saw it."""

    track_id: str
    t_s: float
    x_m: float
    y_m: float
    sd_m: float
    unseen_s: float


@dataclass(slots=True)
class Track:
    """A person, sure (numbered) or not yet."""

    filter: PersonFilter
    seen_s: float
    born_s: float
    hits: float
    cameras: set[str]
    colour: NDArray[np.float64] | None = None
    number: int | None = None
    told_s: float = -math.inf
    head_s: float = -math.inf
    belief: float = 0.5
    rival: int | None = None
    wrists: list[WristPoint] = field(default_factory=list)
    linked_from: str | None = None

    @property
    def x(self) -> float:
        """Position across, metres."""
        return self.filter.x

    @property
    def y(self) -> float:
        """Position along, metres."""
        return self.filter.y

    def predict(self, t_s: float, settings: FloorSettings) -> None:
        """Moves the filter to `t_s`."""
        self.filter.predict(t_s, unseen=t_s - self.seen_s > settings.coast_after_s)

    def point(self) -> TrackPoint:
        """The state as a published point."""
        return TrackPoint(
            t_s=max(self.filter.t_s, 0.0),
            x_m=self.x,
            y_m=self.y,
            sd_m=max(self.filter.sd_m, 0.01),
        )
