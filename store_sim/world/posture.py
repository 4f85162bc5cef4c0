"""How somebody stands, leans and crouches to reach a point of a shelf.

A small grid search over standing distance, lean and crouch: the least bent posture in which the
arm reaches, the head stays out of the shelf and the forearm passes under the board above.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from store_sim.scene import Appearance
from store_sim.world.anatomy import frame_of
from store_sim.world.body import HIP_DROP_SHARE, SHOULDER_SLIDE_SHARE, STRETCH_SHARE
from store_sim.world.vectors import Vec

__all__ = ["REACH_TWIST_RAD", "STAND_MAX_M", "STAND_MIN_M", "Posture", "reach_posture"]

STAND_MIN_M = 0.45
STAND_MAX_M = 0.65
REACH_TWIST_RAD = 0.42
"""How far the shoulders turn at full reach, so that the reaching shoulder comes ahead."""

TIPTOE = -0.16
"""The least crouch: heels off the floor by five hundredths of the stature."""

_LEANS = np.linspace(0.0, 1.25, 26)
_CROUCHES = np.concatenate((TIPTOE * np.array([1.0, 0.5]), np.linspace(0.0, 1.0, 21)))
_HEAD_CLEARANCE_M = 0.10


@dataclass(frozen=True, slots=True)
class Posture:
    """Lean and twist (left positive) in radians, crouch TIPTOE..1, distance to the front."""

    lean: float
    crouch: float
    twist: float
    stand_m: float
    short_m: float
    """By how much the arm is too short; 0 when the target is reached."""


def reach_posture(
    appearance: Appearance,
    hand: str,
    *,
    tip_in_m: float,
    tip_aside_m: float,
    tip_z_m: float,
    direction: Vec,
    roof_z_m: float | None = None,
    stand_m: float | None = None,
) -> Posture:
    """The posture for a fingertip `tip_in_m` behind a front plane the person faces.

    `tip_aside_m` is how far to the left of the person's middle the fingertip goes; `direction` is
    the hand's direction in the root frame (x ahead, y left, z up). `roof_z_m` is the underside of
    what is above. `stand_m` fixes the distance to the front plane; None lets it be chosen.
    """
    frame = frame_of(appearance)
    s = frame.stature
    stands = np.linspace(STAND_MIN_M, STAND_MAX_M, 6) if stand_m is None else np.array([stand_m])
    stand, lean, crouch = np.meshgrid(stands, _LEANS, _CROUCHES, indexing="ij")
    side = 1.0 if hand == "l" else -1.0
    twist = -side * REACH_TWIST_RAD
    # The same trunk as in body.torso_of, for all candidates at once.
    back = s * (0.085 * np.sin(lean) + 0.075 * crouch)
    hip_z = frame.hip_height - HIP_DROP_SHARE * s * crouch
    low, high = 0.8 * lean, 1.2 * lean
    chest_x = -back + frame.spine_low * np.sin(low)
    chest_z = hip_z + frame.spine_low * np.cos(low)
    half = side * frame.shoulder_half
    ahead = -half * np.sin(twist)
    shoulder_x = chest_x + frame.shoulder_rise * np.sin(high) + ahead * np.cos(high)
    shoulder_z = chest_z + frame.shoulder_rise * np.cos(high) - ahead * np.sin(high)
    shoulder_y = half * np.cos(twist)
    tilt = 0.55 * lean + 0.25
    head_x = chest_x + frame.spine_high * np.sin(high) + frame.neck_to_head * np.sin(tilt)
    wrist_x = stand + tip_in_m - frame.hand * direction[0]
    wrist_y = tip_aside_m - frame.hand * direction[1]
    wrist_z = tip_z_m - frame.hand * direction[2]
    away = np.sqrt(
        (wrist_x - shoulder_x) ** 2 + (wrist_y - shoulder_y) ** 2 + (wrist_z - shoulder_z) ** 2
    )
    arm = frame.upper_arm + frame.forearm
    short = np.maximum(0.0, away - STRETCH_SHARE * arm - SHOULDER_SLIDE_SHARE * s)
    bumped = np.maximum(0.0, head_x + _HEAD_CLEARANCE_M - stand)
    cost = (
        0.9 * lean**2
        + 0.7 * crouch**2
        + 0.6 * lean * np.maximum(0.0, crouch)
        + 3.0 * (stand - 0.52) ** 2
    )
    cost += np.maximum(0.0, 0.55 * arm - away) * 2.0
    # Tiptoes and the shoulder blade are an effort, leaning a little is less.
    cost += 0.15 * (crouch < 0.0)
    cost += 4.0 * np.maximum(0.0, away - STRETCH_SHARE * arm)
    cost += 400.0 * bumped**2 + 4.0 * bumped + 1e3 * short
    if roof_z_m is not None:
        # Height of the straight arm where it crosses the front plane.
        share = np.clip((stand - shoulder_x) / np.maximum(0.05, wrist_x - shoulder_x), 0.0, 1.0)
        crossing = shoulder_z + (wrist_z - shoulder_z) * share
        cost += 6.0 * np.maximum(0.0, crossing + 0.05 - roof_z_m)
    best = np.unravel_index(int(np.argmin(cost)), cost.shape)
    return Posture(
        lean=float(lean[best]),
        crouch=float(crouch[best]),
        twist=twist,
        stand_m=float(stand[best]),
        short_m=float(short[best]),
    )
