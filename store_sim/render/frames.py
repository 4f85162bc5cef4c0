"""Bone frames of a person from the joints: the compiled part of the body.

A frame is (origin, x, y, z). In the trunk x points to the person's right, y ahead, z up the spine.
In limbs z runs from joint to joint at full length, so that a mesh's z goes from 0 to 1 along the
bone. In hands z runs along the hand and y out of the palm. What hangs from an arm has a frame of
its own at the forearm, with z straight up.
"""

from __future__ import annotations

import math

import numpy as np
from numba import njit

__all__ = ["BONES", "FORE", "HANG", "HEAD", "LEG", "PALM", "SIDE_BONES", "UPPER", "pose_frames"]

HEAD = 8
SIDE_BONES = (9, 27)
UPPER, FORE, PALM = 0, 1, 2
LEG = (45, 48)
HANG = (51, 52)
BONES = 53

# Rows of BodyPose.joints_m, see store_sim.scene.JOINTS.
_PELVIS, _CHEST, _NECK, _HEAD, _TOP = 0, 1, 2, 3, 4
_SHOULDER = (5, 9)
_HIP = (13, 17)


@njit(cache=True)
def _unit(v):  # type: ignore[no-untyped-def]
    size = math.sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])
    return v / size if size > 1e-9 else v


@njit(cache=True)
def _cross(a, b):  # type: ignore[no-untyped-def]
    out = np.empty(3)
    out[0] = a[1] * b[2] - a[2] * b[1]
    out[1] = a[2] * b[0] - a[0] * b[2]
    out[2] = a[0] * b[1] - a[1] * b[0]
    return out


@njit(cache=True)
def _dot(a, b):  # type: ignore[no-untyped-def]
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True)
def _across(v, axis, spare):  # type: ignore[no-untyped-def]
    """The unit vector of v without its part along the unit axis, or of spare where v has none."""
    rest = v - axis * _dot(v, axis)
    if _dot(rest, rest) < 1e-4:
        rest = spare - axis * _dot(spare, axis)
    return _unit(rest)


@njit(cache=True)
def _limb(frame, start, end, right, ahead):  # type: ignore[no-untyped-def]
    bone = end - start
    axis = _unit(bone)
    x = _across(right, axis, ahead)
    frame[0], frame[1], frame[2], frame[3] = start, x, _cross(axis, x), bone


@njit(cache=True)
def _trunk(frame, origin, right, up):  # type: ignore[no-untyped-def]
    axis = _unit(up)
    x = _across(right, axis, axis)
    frame[0], frame[1], frame[2], frame[3] = origin, x, _cross(axis, x), axis


@njit(cache=True)
def _hand(frames, base, wrist, tip, sign, ahead, grip, roll, k):  # type: ignore[no-untyped-def]
    """Palm and fifteen finger bones; `sign` is +1 for the left hand."""
    hand = tip - wrist
    length = math.sqrt(_dot(hand, hand))
    along = _unit(hand)
    up = np.zeros(3)
    up[2] = 1.0
    mixed = along + 0.35 * ahead
    inward = _cross(up, mixed) * (-sign)
    normal = _across(inward, along, -up)
    if roll != 0.0:
        normal = normal * math.cos(roll) + _cross(along, normal) * math.sin(roll)
    x = _cross(normal, along)
    frames[base, 0], frames[base, 1], frames[base, 2], frames[base, 3] = wrist, x, normal, hand
    thumb = sign * x
    for finger in range(5):
        if finger == 0:
            at = wrist + along * (0.16 * length) + thumb * (0.030 * k) + normal * (0.006 * k)
            bend = 0.25 + 0.55 * grip
            side = 0.85 - 0.35 * grip
            sizes = (0.20 * length, 0.17 * length, 0.13 * length)
        else:
            place = 1.0 - (finger - 1) / 1.5
            knuckle = 0.50 - 0.02 * abs(place - 0.3)
            at = wrist + along * (knuckle * length) + thumb * (place * 0.031 * k)
            bend = 0.10 + 0.95 * grip
            side = 0.10 * place * (1.0 - grip)
            span = (0.465, 0.50, 0.47, 0.37)[finger - 1] * length
            sizes = (0.42 * span, 0.32 * span, 0.26 * span)
        start = _unit(along + thumb * side)
        out = _across(normal, start, normal)
        angle = bend
        for joint in range(3):
            if joint > 0:
                angle += (0.12 + 0.45 * grip) if finger == 0 else (0.14 + 1.15 * grip)
            direction = start * math.cos(angle) + out * math.sin(angle)
            y = out * math.cos(angle) - start * math.sin(angle)
            row = base + 1 + 3 * finger + joint
            frames[row, 0] = at
            frames[row, 1] = _cross(y, direction)
            frames[row, 2] = y
            frames[row, 3] = direction * sizes[joint]
            at = at + direction * sizes[joint]


@njit(cache=True)
def pose_frames(joints, dims, l_grip, r_grip, l_roll, r_roll, frames):  # type: ignore[no-untyped-def]
    """Fills `frames` (BONES, 4, 3) from `joints` (21, 3); `dims` = (scale to 1.72 m, girth)."""
    k = dims[0]
    pelvis, chest, neck = joints[_PELVIS], joints[_CHEST], joints[_NECK]
    hips = _unit(joints[_HIP[1]] - joints[_HIP[0]])
    shoulders = _unit(joints[_SHOULDER[1]] - joints[_SHOULDER[0]])
    middle = 0.5 * (joints[_SHOULDER[0]] + joints[_SHOULDER[1]])
    low, high = chest - pelvis, neck - chest
    spine = _unit(low)
    ring = frames
    _trunk(ring[0], pelvis - spine * (0.085 * k), hips, low)
    _trunk(ring[1], pelvis.copy(), hips, low)
    _trunk(ring[2], pelvis + 0.55 * low, 0.65 * hips + 0.35 * shoulders, low)
    _trunk(ring[3], chest.copy(), 0.35 * hips + 0.65 * shoulders, low + high)
    _trunk(ring[4], 0.45 * chest + 0.55 * middle, shoulders, high)
    _trunk(ring[5], 0.12 * chest + 0.88 * middle + _unit(high) * (0.018 * k), shoulders, high)
    _trunk(ring[6], neck + _unit(high) * (0.012 * k), shoulders, high)
    ahead = ring[4, 2].copy()
    skull = joints[_HEAD]
    _limb(ring[7], neck, skull, shoulders, ahead)
    _trunk(ring[8], skull.copy(), shoulders, joints[_TOP] - skull)
    level = ahead.copy()
    level[2] = 0.0
    level = _unit(level)
    for side in range(2):
        row = _SHOULDER[side]
        base = 9 if side == 0 else 27
        sign = 1.0 if side == 0 else -1.0
        # The joint lies near the top of the shoulder; the arm's thickness goes below it.
        start = joints[row] - _unit(high) * (0.020 * k) + sign * 0.010 * shoulders
        _limb(frames[base], start, joints[row + 1], shoulders, ahead)
        _limb(frames[base + 1], joints[row + 1], joints[row + 2], shoulders, ahead)
        grip = l_grip if side == 0 else r_grip
        roll = l_roll if side == 0 else r_roll
        _hand(frames, base + 2, joints[row + 2], joints[row + 3], sign, level, grip, roll, k)
        hanging = frames[51 + side]
        hanging[0] = 0.7 * joints[row + 1] + 0.3 * joints[row + 2]
        hanging[2], hanging[3] = level, np.array([0.0, 0.0, 1.0])
        hanging[1] = _cross(level, hanging[3])
        hip = _HIP[side]
        first = 45 if side == 0 else 48
        _limb(frames[first], joints[hip], joints[hip + 1], hips, ring[1, 2].copy())
        _limb(frames[first + 1], joints[hip + 1], joints[hip + 2], hips, ring[1, 2].copy())
        _limb(frames[first + 2], joints[hip + 2], joints[hip + 3], hips, spine)
