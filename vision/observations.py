"""What one pipeline says about one reading: small, picklable, without pixels.

The vision pass over a recording is expensive and does not depend on the sensor set; these records
are what is cached between runs and what `vision.reaches` and `vision.floor` join.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.messages import FacingChange, GramStep, HandSeen

__all__ = [
    "CeilingObservation",
    "Detections",
    "OpenHand",
    "PlateNews",
    "ShelfObservation",
]


@dataclass(frozen=True, slots=True)
class Detections:
    """Parallel arrays of one frame: `boxes_px` (N, 4) float32 x0 y0 x1 y1 in pixels of the full
    frame, `scores` (N,) float32 in 0..1, `classes` (N,) int32 indexes of the model's classes."""

    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]

    def __post_init__(self) -> None:
        count = len(self.scores)
        if self.boxes_px.shape != (count, 4) or self.classes.shape != (count,):
            raise ValueError(
                f"expected boxes (N, 4), scores (N,), classes (N,), got {self.boxes_px.shape}, "
                f"{self.scores.shape}, {self.classes.shape}"
            )

    @staticmethod
    def empty() -> Detections:
        """No detection."""
        return Detections(
            np.zeros((0, 4), np.float32), np.zeros(0, np.float32), np.zeros(0, np.int32)
        )


@dataclass(frozen=True, slots=True)
class OpenHand:
    """A hand inside the shelf right now; positions as in contracts.messages.HandSeen."""

    hand_id: str
    t_in_s: float
    u_m: float
    z_m: float
    body_x_m: float | None = None
    body_y_m: float | None = None


@dataclass(frozen=True, slots=True)
class ShelfObservation:
    """One frame of one shelf camera.

    `hands_closed`: hands that left the shelf with this frame. `changes`: stretches of shelf that
    were found changed with this frame. `covered_since_s`: since when some stretch that may have
    changed has not been seen clearly; None if all of the shelf is seen. `blind`: why the picture
    cannot be judged (covered lens, frozen, black), None if it can.
    """

    camera_id: str
    bay_id: str
    t_s: float
    active: bool
    detections: Detections = field(default_factory=Detections.empty)
    open_hands: tuple[OpenHand, ...] = ()
    hands_closed: tuple[HandSeen, ...] = ()
    changes: tuple[FacingChange, ...] = ()
    covered_since_s: float | None = None
    blind: str | None = None


@dataclass(frozen=True, slots=True)
class CeilingObservation:
    """One frame of one ceiling camera, projected to the floor.

    `heads` (N, 4) float64: x_m, y_m of the floor point under the head, sd_m, score.
    `wrists` (M, 4) float64: x_m, y_m, sd_m, score of hands stretched out.
    `colours` (N, 3) float32: mean clothing colour near each head, for telling neighbours apart
    during one visit; never published.
    """

    camera_id: str
    t_s: float
    heads: NDArray[np.float64]
    wrists: NDArray[np.float64]
    colours: NDArray[np.float32]
    detections: Detections = field(default_factory=Detections.empty)
    blind: str | None = None


@dataclass(frozen=True, slots=True)
class PlateNews:
    """News of the plates of one bay: lasting steps found, and which plates move right now.

    `moving`: (plate_id, since t_s) of plates that are unsettled.
    """

    bay_id: str
    t_s: float
    steps: tuple[GramStep, ...] = ()
    moving: tuple[tuple[str, float], ...] = ()
    dead: tuple[str, ...] = ()
