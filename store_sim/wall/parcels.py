"""Parcels: what they are made of, where their label is, how they stand.

A parcel's pose is that of its front face: the centre, and three turns about it. `yaw_deg` turns
it to its left as who faces the wall sees it, `tilt_deg` leans its top into the wall, `roll_deg`
turns it clockwise in its own plane.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contracts.wall import Symbology
from store_sim.wall.prints import Label

__all__ = [
    "Kind",
    "ParcelPose",
    "SimParcel",
    "corners_of",
    "frame_of",
    "label_corners",
    "label_spot",
]

Floats = NDArray[np.float64]

Kind = Literal["box", "white_box", "envelope", "mailer", "bag"]


@dataclass(frozen=True, slots=True)
class ParcelPose:
    """Where the centre of a front face is, (u, v, z) metres, and how the parcel is turned."""

    at_m: tuple[float, float, float]
    yaw_deg: float = 0.0
    tilt_deg: float = 0.0
    roll_deg: float = 0.0

    def moved(self, du: float, dv: float, dz: float) -> ParcelPose:
        """The same turn elsewhere."""
        u, v, z = self.at_m
        return replace(self, at_m=(u + du, v + dv, z + dz))


@dataclass(frozen=True, slots=True)
class SimParcel:
    """One parcel as it was made; where it is says the world.

    `key` is its SSCC, `text` what a reader reports of its label (None: no label that can be read);
    `label_at` (x, y) metres from the front's centre, right and up, and `label_deg` clockwise.
    `gloss` is how much a lamp is mirrored in its label.
    """

    index: int
    key: str
    text: str | None
    symbology: Symbology
    kind: Kind
    size_m: tuple[float, float, float]
    rgb: tuple[int, int, int]
    label: Label | None
    label_at: tuple[float, float] = (0.0, 0.0)
    label_deg: float = 0.0
    gloss: float = 0.0
    hangs: bool = False

    @property
    def name(self) -> str:
        """A name of its own, even where keys are the same."""
        return f"parcel-{self.index:02d}"


def frame_of(pose: ParcelPose) -> Floats:
    """(3, 3): rows are the front face's right, up and outward normal, in the wall's frame."""
    yaw, tilt, roll = (math.radians(v) for v in (pose.yaw_deg, pose.tilt_deg, pose.roll_deg))
    right = np.array([math.cos(yaw), math.sin(yaw), 0.0])
    out = np.array([math.sin(yaw), -math.cos(yaw), 0.0])
    up = np.array([0.0, 0.0, 1.0]) * math.cos(tilt) - out * math.sin(tilt)
    out = out * math.cos(tilt) + np.array([0.0, 0.0, 1.0]) * math.sin(tilt)
    right, up = (
        right * math.cos(roll) - up * math.sin(roll),
        up * math.cos(roll) + right * math.sin(roll),
    )
    return np.stack([right, up, out])


def corners_of(parcel: SimParcel, pose: ParcelPose) -> Floats:
    """(4, 3): corners of the front face, from the top left clockwise."""
    right, up, _ = frame_of(pose)
    w, h, _ = parcel.size_m
    middle = np.array(pose.at_m)
    signs = ((-1, 1), (1, 1), (1, -1), (-1, -1))
    return np.stack([middle + right * (x * w / 2) + up * (y * h / 2) for x, y in signs])


def label_spot(parcel: SimParcel, pose: ParcelPose, x_mm: float, y_mm: float) -> Floats:
    """The point of the wall's frame at (x, y) millimetres from the label's top left corner."""
    if parcel.label is None:
        raise ValueError(f"{parcel.name} has no label")
    right, up, out = frame_of(pose)
    a = math.radians(parcel.label_deg)
    x = (x_mm - parcel.label.width_mm / 2) / 1000
    y = (parcel.label.height_mm / 2 - y_mm) / 1000
    across = parcel.label_at[0] + x * math.cos(a) + y * math.sin(a)
    along = parcel.label_at[1] - x * math.sin(a) + y * math.cos(a)
    spot: Floats = np.array(pose.at_m) + right * across + up * along + 0.0005 * out
    return spot


def label_corners(parcel: SimParcel, pose: ParcelPose, *, code: bool = True) -> Floats:
    """(4, 3): corners of the label's symbol, or of the label, from its top left clockwise."""
    label = parcel.label
    if label is None:
        raise ValueError(f"{parcel.name} has no label")
    x0, y0, x1, y1 = label.code_mm if code else (0.0, 0.0, label.width_mm, label.height_mm)
    return np.stack(
        [label_spot(parcel, pose, x, y) for x, y in ((x0, y0), (x1, y0), (x1, y1), (x0, y1))]
    )
