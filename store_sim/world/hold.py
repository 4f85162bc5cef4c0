"""Where things are that somebody carries: in a hand, or in the crook of an arm.

The hand frame has its palm facing inwards (the left palm to the right and the other way round);
things stay upright while they are carried, turned with the hand.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Packaging
from store_sim.scene import ANGLE_STEP_RAD, JOINTS, POSITION_STEP_M, BodyPose
from store_sim.world.vectors import Vec, add, cross, scaled, sub, unit

__all__ = [
    "CROOK_PLACES",
    "FINGER_THICKNESS_M",
    "grip_point",
    "in_crook",
    "in_hand",
    "quantised",
    "rotation_z",
]

FINGER_THICKNESS_M = 0.011
PALM_SPAN_M = 0.20
PALM_SHARE = 0.62
"""Where along the hand, from wrist to fingertip, a thing is held."""
CROOK_PLACES = 4

_GRIP_SHARE = {
    "bottle": 0.66, "clear_bottle": 0.66, "bag": 0.74, "pouch": 0.66, "net": 0.86, "jar": 0.50,
    "carton": 0.60,
}  # fmt: skip
"""The height of the grip over that of the thing."""

_UP: Vec = (0.0, 0.0, 1.0)
_ROWS = {name: row for row, name in enumerate(JOINTS)}


def grip_height_m(packaging: Packaging) -> float:
    """Height above its base at which a thing is gripped: a bottle's neck, a box's middle."""
    return packaging.height_m * _GRIP_SHARE.get(packaging.shape, 0.55)


def grip_point(
    base_m: Vec, packaging: Packaging, direction: Vec, hand: str, hand_m: float
) -> tuple[Vec, Vec]:
    """Fingertip and palm normal of a hand that grips a standing thing from its side.

    `direction` is the hand's, from wrist to fingertip. Inverse of `in_hand` for an upright thing.
    """
    normal = _palm_normal(direction, hand, direction)
    aside = _half_width_m(packaging) + FINGER_THICKNESS_M
    palm = add(add(base_m, scaled(_UP, grip_height_m(packaging))), scaled(normal, -aside))
    return add(palm, scaled(direction, (1 - PALM_SHARE) * hand_m)), normal


def in_hand(
    pose: BodyPose, hand: str, packaging: Packaging, heading_rad: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Base (3,) and rotation (3, 3) of a thing held in the fingers of a hand ("l" or "r")."""
    wrist = _joint(pose, f"{hand}_wrist")
    tip = _joint(pose, f"{hand}_fingertip")
    along = sub(tip, wrist)
    heading = (math.cos(heading_rad), math.sin(heading_rad), 0.0)
    normal = _palm_normal(unit(along), hand, heading)
    aside = _half_width_m(packaging) + FINGER_THICKNESS_M
    centre = add(add(wrist, scaled(along, PALM_SHARE)), scaled(normal, aside))
    base = sub(centre, scaled(_UP, grip_height_m(packaging)))
    # The palm normal points along the thing's width; its front faces away from the wrist's side.
    side = 1.0 if hand == "l" else -1.0
    yaw = math.atan2(-side * normal[1], -side * normal[0]) + math.pi
    return quantised(base), rotation_z(yaw)


def in_crook(
    pose: BodyPose, hand: str, place: int, packaging: Packaging, heading_rad: float
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Base and rotation of a thing hugged between forearm and chest; `place` counts from 0.

    Things sit side by side on the forearm, from the wrist to the elbow, and then in a second row.
    """
    wrist = _joint(pose, f"{hand}_wrist")
    elbow = _joint(pose, f"{hand}_elbow")
    share = 0.05 + 0.45 * (place % 2)
    rest = add(scaled(wrist, 1 - share), scaled(elbow, share))
    row = place // 2
    heading = (math.cos(heading_rad), math.sin(heading_rad), 0.0)
    inward = scaled(heading, -0.02 - 0.075 * row)
    base = add(add(rest, inward), (0.0, 0.0, 0.035 + 0.02 * row))
    return quantised(base), rotation_z(heading_rad + math.pi / 2 + 0.2 * (place - 1))


def quantised(point: Vec) -> NDArray[np.float64]:
    """A point on the grid of POSITION_STEP_M."""
    return np.rint(np.array(point) / POSITION_STEP_M) * POSITION_STEP_M


def rotation_z(angle_rad: float) -> NDArray[np.float64]:
    """Rotation about the vertical by an angle on the grid of ANGLE_STEP_RAD."""
    angle = round(angle_rad / ANGLE_STEP_RAD) * ANGLE_STEP_RAD
    cos, sin = round(math.cos(angle), 9), round(math.sin(angle), 9)
    return np.array([[cos, -sin, 0.0], [sin, cos, 0.0], [0.0, 0.0, 1.0]])


def _half_width_m(packaging: Packaging) -> float:
    """Half of what lies between fingers and thumb; a wider thing is held at its edge."""
    return 0.5 * min(packaging.width_m, PALM_SPAN_M)


def _palm_normal(direction: Vec, hand: str, heading: Vec) -> Vec:
    """Where the palm faces: level, across the fingers, to the body's middle."""
    leftwards = unit(cross(_UP, add(direction, scaled(heading, 0.35))))
    return scaled(leftwards, -1.0 if hand == "l" else 1.0)


def _joint(pose: BodyPose, name: str) -> Vec:
    x, y, z = pose.joints_m[_ROWS[name]].tolist()
    return (x, y, z)
