"""What makes people differ: hats, glasses, beards, bags, coats, skirts, aprons, finer hands.

Each function adds to a Loft in bone frames. In the trunk and the head x points to the person's
right, y ahead and z up; `k` is stature over 1.72 m, for heads the head's own scale.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from store_sim.render.frames import FORE, HANG, HEAD, LEG, PALM, SIDE_BONES
from store_sim.render.loft import (
    APRON,
    BAG,
    BOTTOM,
    CARRIED,
    FINGER,
    GLASSES,
    HAIR,
    HAT,
    PALM_SKIN,
    PART,
    SKIN,
    SLEEVE,
    STRIP,
    Loft,
)
from store_sim.scene import Appearance

__all__ = [
    "apron", "basket_on_arm", "beard", "collar", "crossbody", "fine_hand", "hat", "name_strip",
    "rucksack_straps", "short_legs", "skirt", "spectacles", "tote", "wide_cuff",
]  # fmt: skip

Floats = NDArray[np.float64]
Ring = tuple[int, float, float, float, float, float]


def _dome(
    loft: Loft, size: tuple[float, float, float], rim: tuple[float, float], mat: int, y: float
) -> None:
    """A cap over the skull; `rim` is its lower edge's height at the front and back, -1 to 1."""
    sides = 14
    angle = np.arange(sides + 1) * (2 * math.pi / sides)
    front = 0.5 + 0.5 * np.sin(angle)
    edge = rim[1] + (rim[0] - rim[1]) * front**1.6
    share = (np.arange(5) / 4.0)[:, None]
    lift = np.arcsin(np.clip(edge, -1, 1)) * (1 - share) + 0.5 * math.pi * share
    c, s = np.cos(lift), np.sin(lift)
    normal = np.stack([c * np.cos(angle), c * np.sin(angle), s], 2)
    local = normal * np.array(size)
    local[..., 1] += y - 0.012 * s * size[2] / 0.115
    turns = np.broadcast_to(angle / math.pi, s.shape)
    tex = np.stack([turns, np.broadcast_to(1 - share, s.shape)], 2)
    loft.rings(np.full(5, HEAD, np.int64), local, normal, tex, mat, PART["head"])


def hat(loft: Loft, k: float, style: str) -> None:
    """A beanie, a hat with a brim, a hood up or a headscarf."""
    head = PART["head"]
    if style == "beanie":
        _dome(loft, (0.090 * k, 0.112 * k, 0.128 * k), (0.30, -0.38), HAT, -0.004 * k)
        roll: list[Ring] = [
            (HEAD, 0.015 * k, 0.084 * k, 0.104 * k, 0.0, -0.008 * k),
            (HEAD, 0.020 * k, 0.094 * k, 0.116 * k, 0.0, -0.008 * k),
            (HEAD, 0.052 * k, 0.093 * k, 0.115 * k, 0.0, -0.010 * k),
            (HEAD, 0.058 * k, 0.080 * k, 0.100 * k, 0.0, -0.010 * k),
        ]  # fmt: skip
        loft.tube(roll, 12, HAT, head, uv=(2.0, 0.4), tilt=[-0.8, 0.0, 0.1, 0.8])
    elif style == "brim":
        _dome(loft, (0.092 * k, 0.114 * k, 0.132 * k), (0.28, 0.18), HAT, -0.004 * k)
        brim: list[Ring] = [
            (HEAD, 0.030 * k, 0.0, 0.0, 0.0, -0.01 * k),
            (HEAD, 0.022 * k, 0.165 * k, 0.190 * k, 0.0, -0.005 * k),
            (HEAD, 0.028 * k, 0.165 * k, 0.190 * k, 0.0, -0.005 * k),
            (HEAD, 0.046 * k, 0.085 * k, 0.105 * k, 0.0, -0.01 * k),
        ]  # fmt: skip
        loft.tube(brim, 16, HAT, head, uv=(2.0, 1.0), tilt=[-1.0, -0.6, 0.8, 0.9])
    else:
        close = style == "headscarf"
        wide = 1.0 if close else 1.13
        size = (0.090 * k * wide, 0.112 * k * wide, 0.122 * k * (1.0 if close else 1.08))
        _dome(loft, size, (0.42 if close else 0.34, -0.80), HAT, -0.010 * k)
        fall: list[Ring] = [
            (HEAD, -0.235 * k, 0.150 * k, 0.105 * k, 0.0, -0.030 * k),
            (HEAD, -0.165 * k, 0.098 * k * wide, 0.100 * k * wide, 0.0, -0.030 * k),
            (HEAD, -0.075 * k, 0.088 * k * wide, 0.100 * k * wide, 0.0, -0.022 * k),
            (HEAD, 0.030 * k, 0.088 * k * wide, 0.108 * k * wide, 0.0, -0.012 * k),
        ]  # fmt: skip
        tilt = [0.5, 0.25, 0.0, 0.0]
        # The face stays free: columns of the half that faces forward are left out.
        loft.tube(fall, 12, HAT, head, uv=(2.0, 1.0), tilt=tilt, start=5, end=12)
        loft.tube(fall, 12, HAT, head, uv=(2.0, 1.0), tilt=tilt, start=0, end=1)
        throat: list[Ring] = [
            (HEAD, -0.245 * k, 0.150 * k, 0.120 * k, 0.0, 0.0),
            (HEAD, -0.175 * k, 0.085 * k, 0.086 * k, 0.0, 0.0),
            (HEAD, -0.125 * k, 0.062 * k, 0.066 * k, 0.0, 0.012 * k),
        ]  # fmt: skip
        first = 0 if close else 1
        loft.tube(throat[first:], 12, HAT, head, tilt=[0.6, 0.3, 0.1][first:])


def spectacles(loft: Loft, k: float) -> None:
    """A band before the eyes with the texture of glasses."""
    rx, ry = 0.0825 * k, 0.1045 * k
    rows: list[Ring] = [
        (HEAD, -0.018 * k, rx * 0.985, ry * 0.985, 0.0, 0.002 * k),
        (HEAD, 0.026 * k, rx, ry, 0.0, -0.001 * k),
    ]  # fmt: skip
    loft.tube(rows, 20, GLASSES, PART["head"], start=1, end=9)


def beard(loft: Loft, k: float) -> None:
    """A full beard round chin and jaw."""
    rows: list[Ring] = [
        (HEAD, -0.150 * k, 0.0, 0.0, 0.0, 0.050 * k),
        (HEAD, -0.135 * k, 0.034 * k, 0.038 * k, 0.0, 0.040 * k),
        (HEAD, -0.100 * k, 0.052 * k, 0.066 * k, 0.0, 0.020 * k),
        (HEAD, -0.060 * k, 0.067 * k, 0.083 * k, 0.0, 0.009 * k),
        (HEAD, -0.035 * k, 0.070 * k, 0.088 * k, 0.0, 0.003 * k),
    ]  # fmt: skip
    loft.tube(rows, 14, HAIR, PART["head"], tilt=[-1.0, -0.6, -0.2, 0.1, 0.6], start=0, end=7)


def fine_hand(loft: Loft, k: float, left: bool) -> None:
    """A hand with knuckles, paler palms and nails, or in a glove."""
    base = SIDE_BONES[0 if left else 1]
    part = PART["l_hand" if left else "r_hand"]
    first = base + PALM
    rings: list[Ring] = [
        (first, -0.06, 0.0, 0.0, 0.0, 0.0), (first, 0.0, 0.028 * k, 0.020 * k, 0.0, 0.0),
        (first, 0.20, 0.036 * k, 0.0185 * k, 0.0, 0.002 * k),
        (first, 0.42, 0.042 * k, 0.0150 * k, 0.0, 0.0),
        (first, 0.50, 0.043 * k, 0.0172 * k, 0.0, -0.001 * k),
        (first, 0.57, 0.0, 0.0, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(rings, 8, PALM_SKIN, part, tilt=[-1.0, -0.3, 0.0, 0.0, 0.3, 1.0])
    radii = (0.0126, 0.0098, 0.0102, 0.0098, 0.0084)
    for f in range(5):
        r = radii[f] * k
        at = first + 1 + 3 * f
        loft.tube(
            [
                (at, -0.1, r * 0.95, r * 0.95, 0.0, 0.0), (at + 1, -0.04, r * 1.06, r * 1.06, 0, 0),
                (at + 2, -0.04, r * 1.0, r * 0.98, 0.0, 0.0),
                (at + 2, 0.45, r * 0.90, r * 0.86, 0.0, 0.0),
                (at + 2, 0.85, r * 0.74, r * 0.62, 0.0, 0.0),
                (at + 2, 1.0, 0.0, 0.0, 0.0, 0.0),
            ], 5, FINGER, part, tilt=[0.0, 0.0, 0.0, 0.1, 0.45, 1.0],
        )  # fmt: skip


def wide_cuff(loft: Loft, g: float, left: bool) -> None:
    """The lower half of a wide sleeve, open at the wrist and dark within."""
    fore = SIDE_BONES[0 if left else 1] + FORE
    rows: list[Ring] = [
        (fore, -0.16, 0.0, 0.0, 0.0, 0.0), (fore, 0.0, 0.062 * g, 0.062 * g, 0.0, 0.0),
        (fore, 0.45, 0.068 * g, 0.066 * g, 0.0, 0.0), (fore, 0.86, 0.086 * g, 0.080 * g, 0.0, 0.0),
        (fore, 0.80, 0.030 * g, 0.028 * g, 0.0, 0.0),
    ]  # fmt: skip
    part = PART["l_arm" if left else "r_arm"]
    loft.tube(rows, 9, SLEEVE, part, tilt=[-1.0, -0.3, 0.0, 0.0, 0.2])
    wrist: list[Ring] = [
        (fore, 0.78, 0.031 * g, 0.029 * g, 0.0, 0.0), (fore, 1.0, 0.029 * g, 0.025 * g, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(wrist, 7, SKIN, part)


def collar(loft: Loft, k: float) -> None:
    """The standing collar of a jacket or coat."""
    rows: list[Ring] = [
        (5, 0.030 * k, 0.112 * k, 0.088 * k, 0.0, 0.0), (6, 0.010 * k, 0.078 * k, 0.080 * k, 0, 0),
        (6, 0.045 * k, 0.080 * k, 0.084 * k, 0.0, -0.006 * k),
        (6, 0.040 * k, 0.066 * k, 0.068 * k, 0.0, -0.006 * k),
    ]  # fmt: skip
    loft.tube(rows, 10, SLEEVE, PART["torso"], tilt=[0.6, 0.2, 0.3, 1.0])


def skirt(loft: Loft, k: float, girth: float, long: bool) -> None:
    """A skirt to the knee or to the ankle, and the legs under it."""
    wide, deep = k * (0.75 + 0.25 * girth), k * (0.55 + 0.45 * girth) * girth
    hem = 0.74 if long else 0.40
    flare = 1.55 if long else 1.32
    rows: list[Ring] = [
        (0, -hem * k, 0.178 * wide * flare, 0.150 * deep * flare, 0.0, 0.015 * k),
        (0, -0.55 * hem * k, 0.188 * wide * (1 + 0.55 * (flare - 1)), 0.150 * deep * 1.14, 0, 0.01),
        (0, -0.06 * k, 0.180 * wide, 0.140 * deep, 0.0, 0.0),
        (1, 0.03 * k, 0.162 * wide, 0.118 * deep, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(rows, 14, BOTTOM, PART["legs"], power=0.85, uv=(3.0, 2.0), tilt=[0.1, 0.1, 0.0, 0.1])
    inside = [(b, z + 0.002, x * 0.985, y * 0.985, ox, oy) for b, z, x, y, ox, oy in rows[1::-1]]
    loft.tube(inside, 14, BOTTOM, PART["legs"], power=0.85, uv=(3.0, 1.0))
    short_legs(loft, k, girth)


def short_legs(loft: Loft, k: float, girth: float) -> None:
    """Bare shanks, as shorts and skirts leave them; the cloth ends at the knee."""
    g = k * (0.6 + 0.4 * girth)
    for side in range(2):
        shin = LEG[side] + 1
        rows: list[Ring] = [
            (shin, -0.10, 0.0, 0.0, 0.0, 0.0), (shin, -0.02, 0.050 * g, 0.054 * g, 0.0, 0.0),
            (shin, 0.28, 0.050 * g, 0.056 * g, 0.0, -0.010 * k),
            (shin, 0.80, 0.034 * g, 0.036 * g, 0.0, 0.0),
            (shin, 1.0, 0.034 * g, 0.038 * g, 0.0, 0.0),
        ]  # fmt: skip
        loft.tube(rows, 8, SKIN, PART["legs"], tilt=[-1.0, -0.2, 0.0, 0.1, 0.0])


def apron(loft: Loft, k: float, girth: float, belly: float) -> None:
    """A bib apron: the front of the trunk from the chest to above the knee, and its ribbon."""
    wide = k * (0.75 + 0.25 * girth)
    deep = k * (0.55 + 0.45 * girth) * girth
    # The trunk's own rings, a little wider, with the same columns: the cloth lies on the top.
    trunk = ((1, 0.0, 0.170, 0.124, 0.75), (2, 0.0, 0.152, 0.112, 1.0), (3, 0.0, 0.160, 0.118, 0.6),
             (4, 0.0, 0.172, 0.118, 0.1))  # fmt: skip
    rows: list[Ring] = []
    for bone, z, x, y, share in trunk:
        more = 0.060 * belly * share * k
        rows.append((bone, z, x * wide + 0.008, y * deep + more + 0.010, 0.0, more))
    below: list[Ring] = [
        (0, -0.36 * k, 0.200 * wide, 0.180 * deep, 0.0, 0.020 * k),
        (0, -0.04 * k, 0.182 * wide, 0.145 * deep + 0.03 * belly * k, 0.0, 0.012 * k),
    ]  # fmt: skip
    torso = PART["torso"]
    loft.tube([*below, *rows[:2]], 14, APRON, torso, power=0.85, uv=(2.0, 1.0), start=0, end=7)
    loft.tube(rows[1:], 14, APRON, torso, power=0.85, uv=(2.0, 1.0), tilt=[0.0, 0.0, 0.1],
              start=2, end=5)  # fmt: skip
    ribbon: list[Ring] = [
        (2, -0.022 * k, 0.158 * wide, 0.117 * deep + 0.03 * belly * k, 0.0, 0.03 * belly * k),
        (2, 0.012 * k, 0.158 * wide, 0.117 * deep + 0.03 * belly * k, 0.0, 0.03 * belly * k),
    ]  # fmt: skip
    loft.tube(ribbon, 14, APRON, torso, power=0.85)


def name_strip(loft: Loft, k: float, girth: float) -> None:
    """A strip with a name on the left of the chest."""
    deep = k * (0.55 + 0.45 * girth) * girth
    y = 0.128 * deep + 0.006
    x0, x1, z0, z1 = -0.125 * k, -0.045 * k, 0.018 * k, 0.044 * k
    # The chest is round: the strip's outer end lies a little further back.
    local = np.array([[[x1, y, z0], [x0, y - 0.022, z0]], [[x1, y, z1], [x0, y - 0.022, z1]]])
    normal = np.tile(np.array([-0.25, 0.95, 0.15]), (2, 2, 1))
    tex = np.array([[[0.02, 0.98], [0.98, 0.98]], [[0.02, 0.02], [0.98, 0.02]]])
    loft.rings(np.full(2, 4, np.int64), local, normal, tex, STRIP, PART["torso"])


def _strap(
    loft: Loft, nodes: list[tuple[int, float, float, float]], width: float, mat: int
) -> None:
    """A band along points (bone, x, y, z) that run anticlockwise about the trunk from above."""
    points = np.array([node[1:] for node in nodes])
    out = points * np.array([1.0, 1.0, 0.0])
    out = out / np.maximum(1e-9, np.sqrt((out**2).sum(axis=1, keepdims=True)))
    half = np.array([0.0, 0.0, width / 2])
    local = np.stack([points + half, points - half], 1)
    normal = np.stack([out, out], 1)
    along = np.linspace(0.0, 2.0, len(nodes))
    tex = np.stack([np.stack([along, 0 * along], 1), np.stack([along, 0 * along + 0.2], 1)], 1)
    bones = np.array([node[0] for node in nodes], np.int64)
    loft.rings(bones, local, normal, tex, mat, PART["bag"])


def _diagonal(k: float, look: Appearance) -> list[tuple[int, float, float, float]]:
    """A closed line about the trunk from the left shoulder to the right hip and back."""
    girth = look.girth
    wide, deep = k * (0.75 + 0.25 * girth), k * (0.55 + 0.45 * girth) * girth
    levels = ((1, 0.182, 0.140), (2, 0.168, 0.130), (3, 0.172, 0.132), (4, 0.176, 0.130),
              (5, 0.130, 0.098))  # fmt: skip
    nodes = []
    for step in range(15):
        angle = 2 * math.pi * step / 14
        share = 0.5 - 0.5 * math.cos(angle)
        place = min(3.999, 4 * share)
        low = int(place + 0.5)
        bone, rx, ry = levels[low]
        rest = (place - low) * 0.085 * k
        front = 1.0 + (0.6 * look.belly if math.sin(angle) > 0 and bone < 4 else 0.0)
        nodes.append((bone, math.cos(angle) * rx * wide, math.sin(angle) * ry * deep * front, rest))
    return nodes


def crossbody(loft: Loft, k: float, look: Appearance) -> None:
    """A small bag at the right hip on a strap over the left shoulder."""
    _strap(loft, _diagonal(k, look), 0.034 * k, CARRIED)
    x = 0.19 * k * (0.75 + 0.25 * look.girth) + 0.02
    rows: list[Ring] = [
        (1, -0.19 * k, 0.0, 0.0, x, 0.03), (1, -0.18 * k, 0.035 * k, 0.10 * k, x, 0.03),
        (1, -0.02 * k, 0.035 * k, 0.10 * k, x, 0.03), (1, 0.0, 0.0, 0.0, x, 0.03),
    ]  # fmt: skip
    loft.tube(rows, 10, CARRIED, PART["bag"], power=0.5, tilt=[-1.0, -0.2, 0.3, 1.0])


def tote(loft: Loft, k: float, girth: float) -> None:
    """A shopping bag under the left arm, its handles over the shoulder."""
    x = -0.225 * k * (0.75 + 0.25 * girth)
    rows: list[Ring] = [
        (2, -0.27 * k, 0.0, 0.0, x, -0.03), (2, -0.26 * k, 0.055 * k, 0.17 * k, x, -0.03),
        (3, -0.05 * k, 0.048 * k, 0.19 * k, x, -0.03), (3, -0.06 * k, 0.0, 0.0, x, -0.03),
    ]  # fmt: skip
    loft.tube(rows, 10, CARRIED, PART["bag"], power=0.45, tilt=[-1.0, -0.1, 0.2, 1.0])
    for y, sign in ((0.085 * k, 1.0), (-0.085 * k, -1.0)):
        band: list[Ring] = [
            (3, -0.07 * k, 0.006 * k, 0.016 * k, x, y - 0.03),
            (4, 0.0, 0.006 * k, 0.016 * k, x + 0.012 * k, y - 0.02),
            (5, 0.02 * k, 0.010 * k, 0.016 * k, -0.150 * k, 0.35 * y),
            (5, 0.055 * k, 0.012 * k, 0.016 * k, -0.118 * k, 0.012 * sign),
        ]  # fmt: skip
        loft.tube(band, 5, CARRIED, PART["bag"])


def rucksack_straps(loft: Loft, k: float) -> None:
    """A rucksack's straps over both shoulders."""
    for x in (-0.10 * k, 0.10 * k):
        rows: list[Ring] = [
            (3, 0.0, 0.020 * k, 0.012 * k, x, 0.112 * k),
            (4, 0.03 * k, 0.020 * k, 0.012 * k, x, 0.116 * k),
            (5, 0.028 * k, 0.020 * k, 0.020 * k, x, 0.05 * k),
            (5, 0.036 * k, 0.020 * k, 0.020 * k, x, -0.03 * k),
        ]  # fmt: skip
        loft.tube(rows, 6, BAG, PART["bag"], tilt=[0.0, 0.2, 0.7, 0.9])


def basket_on_arm(loft: Loft, k: float, left: bool) -> None:
    """A shopping basket that hangs upright from the forearm, open at the top."""
    hang = HANG[0 if left else 1]
    side = -0.085 if left else 0.085
    low, rim, part = -0.37 * k, -0.16 * k, PART["bag"]
    outer: list[Ring] = [
        (hang, low, 0.0, 0.0, side, 0.03), (hang, low, 0.100, 0.150, side, 0.03),
        (hang, rim, 0.130, 0.195, side, 0.03), (hang, rim + 0.012, 0.138, 0.203, side, 0.03),
        (hang, rim + 0.012, 0.124, 0.189, side, 0.03),
        (hang, low + 0.012, 0.096, 0.146, side, 0.03), (hang, low + 0.012, 0.0, 0.0, side, 0.03),
    ]  # fmt: skip
    tilt = [-1.0, -0.2, 0.1, 0.8, 0.8, 0.3, 1.0]
    loft.tube(outer, 14, CARRIED, part, power=0.4, uv=(6.0, 3.0), tilt=tilt)
    for y in (-0.10, 0.16):
        handle: list[Ring] = [
            (hang, rim, 0.008, 0.008, side, y), (hang, -0.02, 0.008, 0.008, side, 0.03),
            (hang, 0.035, 0.010, 0.010, 0.4 * side, 0.03),
        ]  # fmt: skip
        loft.tube(handle, 5, BAG, part)
