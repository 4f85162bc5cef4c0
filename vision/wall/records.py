"""What one camera says about one picture of a wall: small, picklable, without pixels.

`WallObservation` goes from a camera's pipeline to `vision.wall.WallMap`, which joins cameras, and
to the projection's check. Pixels are as in contracts.geometry, metres in the wall's frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Symbology
from contracts.wall_messages import MarkLook
from vision.labels import Code
from vision.observations import Detections

__all__ = ["Corners", "LightSpot", "LitRegion", "Reader", "Sight", "SightState", "WallObservation"]

Corners = tuple[tuple[float, float], ...]
"""Corners (u, z) of something at a wall, metres."""

SightState = Literal["stands", "moves", "gone"]


class Reader(Protocol):
    """Reads codes in parts of a picture; vision.labels.CodeReader does."""

    def read(
        self, gray: NDArray[np.uint8], rois: Sequence[tuple[int, int, int, int]] | None = None
    ) -> tuple[Code, ...]:
        """The codes found inside the rectangles (x0, y0, x1, y1) of `gray` (H, W)."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class LitRegion:
    """Where light of ours falls in a camera's picture: `polygon_px` (N, 2), and how it looks.
    `lamps`: it is not what light falls on but the lamps themselves, which hide what is there."""

    polygon_px: NDArray[np.float32]
    look: MarkLook
    lamps: bool = False


@dataclass(frozen=True, slots=True)
class LightSpot:
    """A spot of coloured light. `look` is a guess by colour and form; `centre_px` half way
    between the ends of the light that is there more than in the reference; `area_px` how many
    pixels it covers, and `box_px` (x0, y0, x1, y1) around them."""

    look: MarkLook
    centre_px: tuple[float, float]
    area_px: float
    box_px: tuple[float, float, float, float]


@dataclass(frozen=True, slots=True)
class Sight:
    """One thing as one camera knows it; as contracts.wall_messages.Thing where names are alike.

    `sight_id` is the camera's own number for it. `symbology`, `text` and `reads` are None and 0
    where no label is known; `doubted`: it has one, and something else is seen in its place.
    `label_m`: its corners (u, z) at `v_m`, None where none was found.
    `centre_m` (u, v, z) of the label, or of the face. `eye_m` is the camera, so that the face can
    be set at another depth along the rays it was seen by.
    """

    sight_id: int
    state: SightState
    hidden: bool
    symbology: Symbology | None
    text: str | None
    reads: int
    contested: bool
    outline_m: Corners
    v_m: float
    sd_m: float
    centre_m: tuple[float, float, float]
    eye_m: tuple[float, float, float]
    since_s: float
    seen_s: float
    label_m: Corners | None = None
    doubted: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class WallObservation:
    """One picture of one camera of a wall.

    `blind`: why it cannot be judged, None if it can; `sights` are then what was known before.
    `active`: something changes in it. `somebody`: a person is before the wall, or was when a
    picture could last be judged; never who. `capture`: the picture in grey while
    `WallCamera.capture` asks for it. `residual_px`: how far markers were from where the camera's
    pose has them when they were last looked at; None if none was seen.
    """

    camera_id: str
    wall_id: str
    t_s: float
    active: bool
    blind: str | None = None
    detections: Detections = field(default_factory=Detections.empty)
    sights: tuple[Sight, ...] = ()
    capture: NDArray[np.uint8] | None = None
    residual_px: float | None = None
    somebody: bool = False
