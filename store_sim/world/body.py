"""A body from a few numbers: where it stands, how it leans, what its hands are after.

>>> import numpy as np
>>> person = sample_appearance(np.random.default_rng(3))
>>> pose = build_pose(person, (1.0, 2.0), 1.57, right_target=HandGoal((1.2, 2.5, 1.1)))
>>> tip = pose.joints_m[JOINTS.index("r_fingertip")]
>>> bool(np.allclose(tip, (1.2, 2.5, 1.1), atol=1e-3))
True

The root frame of a person has x ahead, y to the left, z up, and its origin on the floor under
the standing pelvis. Geometry runs on plain floats: one body is some thirty vectors, and numpy's
cost of a call would be many times that of the arithmetic. Arms and legs are two-bone chains
solved by the cosine rule; a target out of reach is approached as far as the limb goes.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from store_sim.scene import JOINTS, POSITION_STEP_M, Appearance, BodyPose
from store_sim.world.anatomy import Frame, frame_of, sample_appearance
from store_sim.world.vectors import Vec, add, blend, cross, norm, scaled, sub, unit

__all__ = [
    "HIP_DROP_SHARE",
    "SHOULDER_SLIDE_SHARE",
    "STRETCH_SHARE",
    "HandGoal",
    "Torso",
    "build_pose",
    "sample_appearance",
    "stride_length_m",
    "torso_of",
]

HIP_DROP_SHARE = 0.34
"""How far the hip sinks in the deepest crouch, as a share of stature."""
STRETCH_SHARE = 0.985
"""The share of its full length that an arm uses before the shoulder comes along."""
SHOULDER_SLIDE_SHARE = 0.03
"""How far a shoulder blade slides forward, as a share of stature."""
_STANCE = 0.6
_FRAMES = 256


@dataclass(frozen=True, slots=True)
class HandGoal:
    """Where a fingertip should be, in the world.

    `direction` points from the wrist to the fingertip; None lets it follow the arm. `weight` fades
    from the hanging, swinging arm (0) to the goal (1).
    """

    tip_m: Vec
    direction: Vec | None = None
    weight: float = 1.0


@dataclass(frozen=True, slots=True)
class Torso:
    """Trunk joints in the root frame; `left` is the direction from right to left shoulder."""

    pelvis: Vec
    chest: Vec
    neck: Vec
    l_shoulder: Vec
    r_shoulder: Vec
    left: Vec


@lru_cache(maxsize=_FRAMES)
def _frame(appearance: Appearance) -> Frame:
    return frame_of(appearance)


def stride_length_m(stature_m: float, speed_m_s: float) -> float:
    """Length of one cycle of both feet; faster walkers take longer steps."""
    return stature_m * (0.38 + 0.34 * min(speed_m_s, 2.0))


def torso_of(frame: Frame, *, lean: float, crouch: float, twist: float, drop_m: float) -> Torso:
    """The trunk in the root frame.

    `lean` is the spine's angle in radians, `crouch` 0 (upright) to 1 (deepest),
    a little below 0 on tiptoe, `twist` turns the
    shoulders to the left. The pelvis moves back as the trunk comes forward, which keeps balance.
    """
    s = frame.stature
    back = s * (0.085 * math.sin(lean) + 0.075 * crouch)
    pelvis = (-back, 0.0, frame.hip_height - HIP_DROP_SHARE * s * crouch - drop_m)
    low, high = 0.8 * lean, 1.2 * lean
    chest = add(pelvis, (frame.spine_low * math.sin(low), 0.0, frame.spine_low * math.cos(low)))
    up = (math.sin(high), 0.0, math.cos(high))
    neck = add(chest, scaled(up, frame.spine_high))
    girdle = add(chest, scaled(up, frame.shoulder_rise))
    # The shoulder line turns about the spine: ahead in the trunk's own plane, not in the floor's.
    ahead = (math.cos(high), 0.0, -math.sin(high))
    left = add(scaled((0.0, 1.0, 0.0), math.cos(twist)), scaled(ahead, -math.sin(twist)))
    half = scaled(left, frame.shoulder_half)
    return Torso(pelvis, chest, neck, add(girdle, half), sub(girdle, half), left)


def build_pose(
    appearance: Appearance,
    root_xy: tuple[float, float],
    heading_rad: float,
    lean: float = 0.0,
    crouch: float = 0.0,
    left_target: HandGoal | None = None,
    right_target: HandGoal | None = None,
    head_target: Vec | None = None,
    walk_phase: float = 0.0,
    walk_speed: float = 0.0,
    *,
    twist: float = 0.0,
    grip: tuple[float, float] = (0.25, 0.25),
    person_index: int = 0,
) -> BodyPose:
    """The joints of one person.

    `root_xy` in world metres, `heading_rad` from +x to +y. `walk_phase` counts strides (its
    fraction is the place in the cycle) and `walk_speed` is in m/s. `head_target` is a world point
    that the head bends towards. Raises nothing; what is out of reach is approached.
    """
    frame = _frame(appearance)
    stride = min(1.0, walk_speed / 0.6)
    bob = 0.006 * frame.stature * math.cos(4 * math.pi * walk_phase) * stride
    torso = torso_of(
        frame,
        lean=lean + 0.05 * stride,
        crouch=crouch,
        twist=twist - 0.10 * stride * math.cos(2 * math.pi * walk_phase),
        drop_m=0.018 * frame.stature * stride + bob,
    )
    cos, sin = math.cos(heading_rad), math.sin(heading_rad)

    def to_root(point: Vec) -> Vec:
        x, y = point[0] - root_xy[0], point[1] - root_xy[1]
        return (x * cos + y * sin, y * cos - x * sin, point[2])

    def goal_of(goal: HandGoal | None) -> HandGoal | None:
        if goal is None or goal.weight <= 0.0:
            return None
        direction = goal.direction
        if direction is not None:
            x, y, z = direction
            direction = (x * cos + y * sin, y * cos - x * sin, z)
        return HandGoal(to_root(goal.tip_m), direction, goal.weight)

    head, head_top = _head(
        frame, torso, lean, None if head_target is None else to_root(head_target)
    )
    left = _arm(frame, torso.l_shoulder, 1.0, goal_of(left_target), walk_phase + 0.5, stride)
    right = _arm(frame, torso.r_shoulder, -1.0, goal_of(right_target), walk_phase, stride)
    phases = (walk_phase, walk_phase + 0.5)
    l_leg = _leg(frame, torso.pelvis, 1.0, phases[0], walk_speed, crouch)
    r_leg = _leg(frame, torso.pelvis, -1.0, phases[1], walk_speed, crouch)
    rows = (
        torso.pelvis, torso.chest, torso.neck, head, head_top,
        *left, *right, *l_leg, *r_leg,
    )  # fmt: skip
    local = np.array(rows)
    joints = np.empty((len(JOINTS), 3))
    joints[:, 0] = root_xy[0] + local[:, 0] * cos - local[:, 1] * sin
    joints[:, 1] = root_xy[1] + local[:, 0] * sin + local[:, 1] * cos
    joints[:, 2] = local[:, 2]
    joints = np.rint(joints / POSITION_STEP_M) * POSITION_STEP_M
    return BodyPose(person_index, appearance, joints, grip)


def _head(frame: Frame, torso: Torso, lean: float, target: Vec | None) -> tuple[Vec, Vec]:
    """Centre and top of the skull; the neck bends towards the target, 50 degrees at most."""
    pitch, roll = 0.55 * lean + 0.06, 0.0
    if target is not None:
        away = sub(target, torso.neck)
        flat = math.hypot(away[0], away[1])
        down = math.atan2(-(away[2] - frame.neck_to_head), max(flat, 0.05))
        pitch = 0.55 * lean + 0.45 * max(-0.7, min(1.1, down))
        roll = 0.16 * max(-1.0, min(1.0, math.atan2(away[1], max(away[0], 0.05))))
    pitch = max(-0.35, min(lean + 0.87, pitch))
    up = (math.sin(pitch), math.sin(roll) * math.cos(pitch), math.cos(pitch) * math.cos(roll))
    head = add(torso.neck, scaled(up, frame.neck_to_head))
    return head, add(head, scaled(up, frame.head_to_top))


def _arm(
    frame: Frame, shoulder: Vec, side: float, goal: HandGoal | None, phase: float, stride: float
) -> tuple[Vec, Vec, Vec, Vec]:
    """Shoulder, elbow, wrist, fingertip; `side` is +1 for the left arm."""
    swing = 0.05 + 0.42 * stride * math.cos(2 * math.pi * phase)
    flex = swing + 0.22 + 0.18 * stride * max(0.0, swing)
    out = 0.13 * side
    elbow = add(shoulder, scaled(unit((math.sin(swing), out, -math.cos(swing))), frame.upper_arm))
    fore = unit((math.sin(flex), 0.3 * out, -math.cos(flex)))
    wrist = add(elbow, scaled(fore, frame.forearm))
    hand = unit((math.sin(flex + 0.12), -0.4 * out, -math.cos(flex + 0.12)))
    tip = add(wrist, scaled(hand, frame.hand))
    if goal is None:
        return shoulder, elbow, wrist, tip
    weight = min(1.0, goal.weight)
    wanted = goal.direction
    if wanted is None:
        ahead = unit(sub(goal.tip_m, shoulder))
        wanted = unit((ahead[0] + 0.35, ahead[1], 0.6 * ahead[2]))
    hand = unit(blend(hand, unit(wanted), weight))
    tip = blend(tip, goal.tip_m, weight)
    pole = (-0.35, 0.62 * side, -0.9)
    wrist = sub(tip, scaled(hand, frame.hand))
    away = sub(wrist, shoulder)
    missing = norm(away) - STRETCH_SHARE * (frame.upper_arm + frame.forearm)
    if missing > 0.0:
        # The shoulder blade slides forward when the arm is nearly straight.
        slide = min(missing, SHOULDER_SLIDE_SHARE * frame.stature)
        shoulder = add(shoulder, scaled(unit(away), slide))
    elbow, wrist = two_bones(shoulder, wrist, frame.upper_arm, frame.forearm, pole)
    return shoulder, elbow, wrist, add(wrist, scaled(hand, frame.hand))


def _leg(
    frame: Frame, pelvis: Vec, side: float, phase: float, speed: float, crouch: float
) -> tuple[Vec, Vec, Vec, Vec]:
    """Hip, knee, ankle, toe. The foot on the floor stays where it is while the body passes."""
    amount = min(1.0, speed / 0.6)
    length = stride_length_m(frame.stature, speed) * amount
    place = phase % 1.0
    if place < _STANCE:
        x, lift = (0.5 * _STANCE - place) * length, 0.0
    else:
        share = (place - _STANCE) / (1 - _STANCE)
        smooth = share * share * (3 - 2 * share)
        x = (smooth - 0.5) * _STANCE * length
        lift = 0.045 * frame.stature * math.sin(math.pi * share) * amount
    hip = add(pelvis, (0.0, side * frame.hip_half, 0.0))
    # A standing person's feet are a little apart and the deep crouch puts one foot ahead.
    x += 0.02 * frame.stature + side * 0.05 * frame.stature * crouch - 0.01 * frame.stature
    y = side * (frame.hip_half + 0.012 * frame.stature * (1 - amount) + 0.03 * crouch)
    toe = (x + frame.foot, y + side * 0.02, max(0.012, 0.3 * frame.ankle + 0.75 * lift))
    # Where the leg is too short, in a long step or on tiptoe, the heel comes off the floor.
    ankle: Vec = (x, y, frame.ankle + lift)
    knee, ankle = two_bones(
        hip, ankle, frame.thigh, frame.shank, (1.0, side * (0.12 + 0.3 * crouch), 0.1)
    )
    return hip, knee, ankle, toe


def two_bones(start: Vec, end: Vec, first: float, second: float, pole: Vec) -> tuple[Vec, Vec]:
    """Middle and end joint of a two-bone chain from `start` towards `end`.

    The middle joint bends towards `pole` (cosine rule). Where the chain is too short or the end
    too near, the end joint lies on the line as far as the bones allow.
    """
    away = sub(end, start)
    distance = math.sqrt(away[0] * away[0] + away[1] * away[1] + away[2] * away[2])
    line = scaled(away, 1 / distance) if distance > 1e-9 else (1.0, 0.0, 0.0)
    reach = min(max(distance, abs(first - second) + 0.02), 0.9995 * (first + second))
    along = (first * first - second * second + reach * reach) / (2 * reach)
    aside = math.sqrt(max(0.0, first * first - along * along))
    # Pole minus its part along the line, by two cross products.
    bend = cross(cross(line, pole), line)
    size = math.sqrt(bend[0] * bend[0] + bend[1] * bend[1] + bend[2] * bend[2])
    bend = scaled(bend, 1 / size) if size > 1e-9 else (0.0, 0.0, 1.0)
    middle = add(start, add(scaled(line, along), scaled(bend, aside)))
    return middle, add(start, scaled(line, reach))
