"""People: from the joints of a BodyPose to a skinned mesh with hands, hair and clothes.

A person's mesh is made once per appearance in the local frames of 51 bones; a frame of video only
moves the bones. Hands have a palm, a thumb and four fingers of three segments that curl with
`grip`. The palm faces the body's middle, as in `store_sim.world.hold`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from store_sim.render.frames import BONES, FORE, HEAD, LEG, PALM, SIDE_BONES, UPPER, pose_frames
from store_sim.render.kernels import skin
from store_sim.render.mesh import Bank, make_bank
from store_sim.render.textures import cloth, hair, solid
from store_sim.scene import PARTS, Appearance, BodyPose

__all__ = ["BodyModel", "body_model", "pose_body"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MODELS_MAX = 512
_SKIN, _FACE, _TOP, _BOTTOM, _SHOES, _HAIR, _SLEEVE, _BAG = range(8)
_PART = {name: index for index, name in enumerate(PARTS)}


@dataclass(frozen=True, slots=True)
class BodyModel:
    """A person's mesh in bone frames: `local`, `normal` (V, 3), `bone` (V,), `uv` (V, 2),
    `tris` (T, 3), `mats`, `parts` (T,), and the texture bank."""

    local: Floats
    normal: Floats
    bone: Ints
    uv: Floats
    tris: Ints
    mats: Ints
    parts: Ints
    bank: Bank
    dims: Floats


@lru_cache(maxsize=64)
def _circle(sides: int, power: float) -> tuple[Floats, Floats, Floats, Floats]:
    """Cosine and sine of a closed ring, and the same of a superellipse of this power."""
    angle = np.arange(sides + 1) * (2 * math.pi / sides)
    cos, sin = np.cos(angle), np.sin(angle)
    return cos, sin, np.sign(cos) * np.abs(cos) ** power, np.sign(sin) * np.abs(sin) ** power


class _Loft:
    """Rings of vertices bound to bones, joined by bands of triangles."""

    def __init__(self) -> None:
        self.local: list[Floats] = []
        self.normal: list[Floats] = []
        self.bone: list[Ints] = []
        self.uv: list[Floats] = []
        self.tris: list[Ints] = []
        self.mats: list[Ints] = []
        self.parts: list[Ints] = []
        self.count = 0

    def tube(
        self,
        rings: list[tuple[int, float, float, float, float, float]],
        sides: int,
        mat: int,
        part: int,
        *,
        power: float = 1.0,
        uv: tuple[float, float] = (1.0, 1.0),
        tilt: list[float] | None = None,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """`rings`: (bone, z, radius x, radius y, offset x, offset y); a radius 0 closes the end.

        Triangles run anticlockwise from outside when z grows from ring to ring. `tilt` is the z
        part of each ring's normal. `start` and `end` limit the columns drawn.
        """
        cos, sin, px, py = _circle(sides, power)
        table = np.array(rings, np.float64)
        n = len(rings)
        z, rx, ry, ox, oy = (table[:, k : k + 1] for k in range(1, 6))
        up = np.zeros((n, 1)) if tilt is None else np.array(tilt, np.float64)[:, None]
        local = np.empty((n, sides + 1, 3))
        local[..., 0] = px * rx + ox
        local[..., 1] = py * ry + oy
        local[..., 2] = z
        normal = np.empty_like(local)
        flat_x, flat_y = cos * np.maximum(ry, 1e-6), sin * np.maximum(rx, 1e-6)
        size = np.sqrt(np.maximum(0.0, 1 - up * up) / (flat_x**2 + flat_y**2))
        normal[..., 0], normal[..., 1], normal[..., 2] = flat_x * size, flat_y * size, up
        tex = np.empty((n, sides + 1, 2))
        tex[..., 0] = np.arange(sides + 1) / sides * uv[0]
        tex[..., 1] = np.arange(n)[:, None] / max(1, n - 1) * uv[1]
        self.rings(table[:, 0].astype(np.int64), local, normal, tex, mat, part, start, end)

    def rings(
        self,
        bones: Ints,
        local: Floats,
        normal: Floats,
        tex: Floats,
        mat: int,
        part: int,
        start: int = 0,
        end: int | None = None,
    ) -> None:
        """Joins (n, sides + 1) vertices into bands; bands at a ring of one point are fans."""
        n, columns = local.shape[:2]
        self.local.append(local.reshape(-1, 3))
        self.normal.append(normal.reshape(-1, 3))
        self.bone.append(np.repeat(bones, columns))
        self.uv.append(tex.reshape(-1, 2))
        column = np.arange(start, columns - 1 if end is None else end)
        a = (self.count + np.arange(n - 1)[:, None] * columns + column).ravel()
        low = np.stack([a, a + 1, a + columns + 1], 1)
        high = np.stack([a, a + columns + 1, a + columns], 1)
        point = (np.abs(local - local[:, :1]).max(axis=(1, 2)) < 1e-9).repeat(len(column))
        keep_low, keep_high = ~point[: len(a)], ~point[len(column) :]
        tris = np.concatenate([low[keep_low], high[keep_high]])
        self.tris.append(tris)
        self.mats.append(np.full(len(tris), mat, np.int64))
        self.parts.append(np.full(len(tris), part, np.int64))
        self.count += n * columns


def _torso(loft: _Loft, k: float, girth: float, coat: float) -> None:
    deep = k * (0.55 + 0.45 * girth)
    wide = k * (0.75 + 0.25 * girth)
    rows = [
        (0, -0.03, 0.0, 0.0), (0, -0.03, 0.158, 0.110), (1, 0.0, 0.170, 0.124),
        (2, 0.0, 0.152, 0.112), (3, 0.0, 0.160, 0.118), (4, 0.0, 0.172, 0.118),
        (5, -0.02, 0.178, 0.096), (5, 0.018, 0.128, 0.080), (6, 0.0, 0.064, 0.062),
        (6, 0.012, 0.0, 0.0),
    ]  # fmt: skip
    rings = [(bone, z, x * wide, y * deep * girth, 0.0, 0.0) for bone, z, x, y in rows]
    tilt = [-1.0, -0.2, 0.0, 0.1, -0.1, 0.0, 0.3, 0.8, 0.7, 1.0]
    loft.tube(rings, 14, _TOP, _PART["torso"], power=0.85, uv=(2.0, 2.0), tilt=tilt)
    if coat > 0:
        hem = [
            (1, 0.02, 0.186 * wide, 0.140 * deep * girth, 0.0, 0.0),
            (0, -0.5 * coat, 0.192 * wide, 0.150 * deep * girth, 0.0, 0.0),
            (0, -coat, 0.205 * wide, 0.165 * deep * girth, 0.0, 0.01),
        ]
        loft.tube(hem[::-1], 12, _TOP, _PART["torso"], power=0.9, uv=(2.0, 1.0))


def _head(loft: _Loft, k: float, style: str) -> None:
    rx, ry, up, down = 0.078 * k, 0.099 * k, 0.106 * k, 0.128 * k
    turns = np.linspace(-0.5 * math.pi, 0.5 * math.pi, 8)
    rings, tilt = [], []
    for a in turns:
        c, s = math.cos(a), math.sin(a)
        jaw = 1.0 if s >= 0 else 1.0 + 0.22 * s
        rings.append(
            (HEAD, s * (up if s > 0 else down), rx * c * jaw, ry * c * jaw, 0.0, -0.012 * k * s)
        )
        tilt.append(s)
    rings[0] = (HEAD, -down, 0.0, 0.0, 0.0, 0.02 * k)
    rings[-1] = (HEAD, up, 0.0, 0.0, 0.0, -0.012 * k)
    loft.tube(rings, 14, _FACE, _PART["head"], tilt=tilt)
    # Ears and nose: small bumps that catch light.
    for x in (-1.0, 1.0):
        loft.tube(
            [
                (HEAD, -0.035 * k, 0.0, 0.0, x * rx, 0.0),
                (HEAD, -0.01 * k, 0.012 * k, 0.02 * k, x * rx, -0.01 * k),
                (HEAD, 0.03 * k, 0.0, 0.0, x * rx, -0.005 * k),
            ], 5, _SKIN, _PART["head"],
        )  # fmt: skip
    loft.tube(
        [
            (HEAD, -0.045 * k, 0.0, 0.0, 0.0, ry),
            (HEAD, -0.035 * k, 0.014 * k, 0.018 * k, 0.0, ry * 0.98),
            (HEAD, 0.01 * k, 0.0, 0.0, 0.0, ry * 0.96),
        ], 5, _SKIN, _PART["head"],
    )  # fmt: skip
    if style != "bald":
        _hair(loft, k, style)


def _hair(loft: _Loft, k: float, style: str) -> None:
    rx, ry, up = 0.085 * k, 0.106 * k, 0.115 * k
    sides = 14
    angle = np.arange(sides + 1) * (2 * math.pi / sides)
    # Lower rim of the hair: high over the forehead (+y), low at the neck.
    front = 0.5 + 0.5 * np.sin(angle)
    rim = np.full(sides + 1, 0.42) if style == "cap" else -0.62 + 1.02 * front**1.4
    share = (np.arange(5) / 4.0)[:, None]
    lift = np.arcsin(np.clip(rim, -1, 1)) * (1 - share) + 0.5 * math.pi * share
    c, s = np.cos(lift), np.sin(lift)
    normal = np.stack([c * np.cos(angle), c * np.sin(angle), s], 2)
    local = normal * np.array([rx, ry, up])
    local[..., 1] -= 0.012 * k * s + 0.004 * k
    turns = np.broadcast_to(angle / math.pi, s.shape)
    tex = np.stack([turns, np.broadcast_to(1 - share, s.shape)], 2)
    mat = _HAIR if style != "cap" else _BAG
    loft.rings(np.full(5, HEAD, np.int64), local, normal, tex, mat, _PART["head"])
    if style == "cap":
        visor = [
            (HEAD, 0.040 * k, 0.0, 0.0, 0.0, 0.06 * k),
            (HEAD, 0.040 * k, 0.075 * k, 0.10 * k, 0.0, 0.075 * k),
            (HEAD, 0.052 * k, 0.075 * k, 0.10 * k, 0.0, 0.075 * k),
            (HEAD, 0.056 * k, 0.0, 0.0, 0.0, 0.06 * k),
        ]
        loft.tube(visor, 8, _BAG, _PART["head"], tilt=[-1.0, -0.4, 0.6, 1.0])
    if style == "bun":
        ball = [
            (HEAD, 0.02 * k, 0.0, 0.0, 0.0, -0.115 * k),
            (HEAD, 0.045 * k, 0.04 * k, 0.04 * k, 0.0, -0.12 * k),
            (HEAD, 0.085 * k, 0.038 * k, 0.038 * k, 0.0, -0.115 * k),
            (HEAD, 0.105 * k, 0.0, 0.0, 0.0, -0.105 * k),
        ]
        loft.tube(ball, 8, _HAIR, _PART["head"], tilt=[-1.0, -0.3, 0.4, 1.0])
    if style == "long":
        fall = [
            (HEAD, -0.36 * k, 0.06 * k, 0.025 * k, 0.0, -0.085 * k),
            (HEAD, -0.26 * k, 0.085 * k, 0.05 * k, 0.0, -0.07 * k),
            (HEAD, -0.12 * k, 0.09 * k, 0.07 * k, 0.0, -0.05 * k),
            (HEAD, 0.02 * k, 0.084 * k, 0.085 * k, 0.0, -0.02 * k),
        ]
        # Only the sides and the back: columns of the half that does not face forward.
        loft.tube(fall, 12, _HAIR, _PART["head"], uv=(2.0, 1.0), start=5, end=12)
        loft.tube(fall, 12, _HAIR, _PART["head"], uv=(2.0, 1.0), start=0, end=1)


def _arm(loft: _Loft, k: float, girth: float, left: bool, sleeves: str) -> None:
    base = SIDE_BONES[0 if left else 1]
    part = _PART["l_arm" if left else "r_arm"]
    g = k * (0.7 + 0.3 * girth)
    upper, fore = base + UPPER, base + FORE
    loose = 1.12 if sleeves == "long" else 1.16
    shoulder = [
        (upper, 1.06, 0.0, 0.0, 0.0, 0.0), (upper, 1.0, 0.042 * g, 0.042 * g, 0.0, 0.0),
        (upper, 0.55, 0.048 * g, 0.050 * g, 0.0, 0.0),
        (upper, 0.14, 0.056 * g, 0.060 * g, 0.0, 0.0),
        (upper, -0.04, 0.046 * g, 0.052 * g, 0.0, 0.0), (upper, -0.13, 0.0, 0.0, 0.0, 0.0),
    ]  # fmt: skip
    tilt = [1.0, 0.2, 0.05, -0.1, -0.75, -1.0]
    forearm = [
        (fore, -0.13, 0.0, 0.0, 0.0, 0.0), (fore, 0.0, 0.044 * g, 0.044 * g, 0.0, 0.0),
        (fore, 0.28, 0.045 * g, 0.043 * g, 0.0, 0.0), (fore, 0.75, 0.033 * g, 0.030 * g, 0.0, 0.0),
        (fore, 1.0, 0.029 * g, 0.025 * g, 0.0, 0.0), (fore, 1.04, 0.0, 0.0, 0.0, 0.0),
    ]  # fmt: skip
    fore_tilt = [-1.0, -0.3, 0.0, 0.1, 0.1, 1.0]
    if sleeves == "long":
        cuffed = [(b, z, x * loose, y * loose, ox, oy) for b, z, x, y, ox, oy in forearm]
        cuffed[4] = (fore, 0.97, 0.036 * g, 0.034 * g, 0.0, 0.0)
        cuffed[5] = (fore, 0.975, 0.0, 0.0, 0.0, 0.0)
        loft.tube(cuffed, 8, _SLEEVE, part, tilt=fore_tilt)
        wide = [(b, z, x * loose, y * loose, ox, oy) for b, z, x, y, ox, oy in shoulder]
        loft.tube(wide[::-1], 8, _SLEEVE, part, tilt=tilt[::-1])
    else:
        loft.tube(forearm, 8, _SKIN, part, tilt=fore_tilt)
        loft.tube(shoulder[2::-1], 8, _SKIN, part, tilt=tilt[2::-1])
        sleeve = [
            (upper, 0.56, 0.0, 0.0, 0.0, 0.0), (upper, 0.55, 0.064 * g, 0.066 * g, 0.0, 0.0),
            (upper, 0.14, 0.062 * g, 0.066 * g, 0.0, 0.0),
            (upper, -0.04, 0.050 * g, 0.055 * g, 0.0, 0.0), (upper, -0.14, 0.0, 0.0, 0.0, 0.0),
        ]  # fmt: skip
        loft.tube(sleeve[::-1], 8, _SLEEVE, part, tilt=[-1.0, -0.75, -0.1, 0.0, 1.0])


def _hand(loft: _Loft, k: float, left: bool) -> None:
    base = SIDE_BONES[0 if left else 1]
    part = _PART["l_hand" if left else "r_hand"]
    palm, fingers = base + PALM, base + PALM + 1
    rings = [
        (palm, -0.06, 0.0, 0.0, 0.0, 0.0), (palm, 0.0, 0.028 * k, 0.020 * k, 0.0, 0.0),
        (palm, 0.22, 0.036 * k, 0.018 * k, 0.0, 0.0), (palm, 0.50, 0.042 * k, 0.015 * k, 0.0, 0.0),
        (palm, 0.57, 0.0, 0.0, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(rings, 8, _SKIN, part, tilt=[-1.0, -0.3, 0.0, 0.2, 1.0])
    radii = (0.0120, 0.0098, 0.0102, 0.0098, 0.0084)
    for f in range(5):
        r = radii[f] * k
        first = fingers + 3 * f
        loft.tube(
            [
                (first, -0.1, r * 0.9, r * 0.9, 0.0, 0.0), (first + 1, 0.0, r, r, 0.0, 0.0),
                (first + 2, 0.0, r * 0.92, r * 0.92, 0.0, 0.0),
                (first + 2, 0.8, r * 0.8, r * 0.75, 0.0, 0.0),
                (first + 2, 1.0, 0.0, 0.0, 0.0, 0.0),
            ], 5, _SKIN, part, tilt=[0.0, 0.0, 0.0, 0.35, 1.0],
        )  # fmt: skip


def _legs(loft: _Loft, k: float, girth: float) -> None:
    part = _PART["legs"]
    g = k * (0.6 + 0.4 * girth)
    for side in range(2):
        thigh, shin, foot = LEG[side], LEG[side] + 1, LEG[side] + 2
        upper = [
            (thigh, -0.16, 0.0, 0.0, 0.0, 0.0), (thigh, -0.02, 0.086 * g, 0.092 * g, 0.0, 0.0),
            (thigh, 0.5, 0.074 * g, 0.078 * g, 0.0, 0.0),
            (thigh, 1.0, 0.056 * g, 0.060 * g, 0.0, 0.0),
            (thigh, 1.08, 0.0, 0.0, 0.0, 0.0),
        ]  # fmt: skip
        loft.tube(upper, 8, _BOTTOM, part, tilt=[-1.0, -0.2, 0.1, 0.1, 1.0], uv=(1.0, 2.0))
        lower = [
            (shin, -0.08, 0.0, 0.0, 0.0, 0.0), (shin, 0.0, 0.057 * g, 0.060 * g, 0.0, 0.0),
            (shin, 0.3, 0.056 * g, 0.058 * g, 0.0, -0.008 * k),
            (shin, 0.96, 0.048 * g, 0.050 * g, 0.0, 0.0), (shin, 0.965, 0.0, 0.0, 0.0, 0.0),
        ]  # fmt: skip
        loft.tube(lower, 8, _BOTTOM, part, tilt=[-1.0, -0.2, 0.0, 0.05, 1.0], uv=(1.0, 2.0))
        shoe = [
            (foot, -0.35, 0.0, 0.0, 0.0, 0.0), (foot, -0.28, 0.036 * k, 0.040 * k, 0.0, 0.005 * k),
            (foot, 0.15, 0.043 * k, 0.048 * k, 0.0, 0.010 * k),
            (foot, 0.70, 0.049 * k, 0.030 * k, 0.0, -0.005 * k),
            (foot, 1.10, 0.038 * k, 0.022 * k, 0.0, -0.008 * k),
            (foot, 1.22, 0.0, 0.0, 0.0, -0.008 * k),
        ]  # fmt: skip
        loft.tube(shoe, 8, _SHOES, part, tilt=[-1.0, -0.5, 0.0, 0.2, 0.5, 1.0])


def _face(rng: np.random.Generator, look: Appearance) -> NDArray[np.uint8]:
    """Texture of the skull, 64x64: u around (0.25 is the front), v from chin to crown."""
    skin_tex = solid(rng, look.skin_rgb, 64, 4.0, 8).astype(np.float64)
    v, u = np.mgrid[0:64, 0:64] / 64.0
    away = np.abs((u - 0.25 + 0.5) % 1.0 - 0.5)
    rosy = np.exp(-(((away - 0.07) / 0.035) ** 2) - ((v - 0.42) / 0.06) ** 2)
    skin_tex += rosy[..., None] * np.array([14.0, -6.0, -6.0])

    def mark(mask: NDArray[np.bool_], colour: tuple[float, ...], keep: float) -> None:
        skin_tex[mask] = skin_tex[mask] * keep + np.array(colour) * (1 - keep)

    eyes = (np.abs(away - 0.062) < 0.022) & (np.abs(v - 0.525) < 0.022)
    mark(eyes, (235.0, 232.0, 228.0), 0.25)
    mark((np.abs(away - 0.062) < 0.010) & (np.abs(v - 0.525) < 0.022), (40.0, 30.0, 25.0), 0.1)
    brows = (np.abs(away - 0.065) < 0.034) & (np.abs(v - 0.585) < 0.012)
    mark(brows, tuple(c * 0.8 for c in look.hair_rgb), 0.25)
    mouth = (away < 0.045) & (np.abs(v - 0.30) < 0.018)
    mark(mouth, (168.0, 82.0, 78.0), 0.5)
    if look.hair in ("short", "cap") and rng.random() < 0.3:
        mark((away < 0.14) & (v < 0.36) & ~mouth, tuple(map(float, look.hair_rgb)), 0.45)
    strands = hair(rng, look.hair_rgb).astype(np.float64)
    if look.hair != "bald":
        line = 0.70 - 0.42 * np.clip((away - 0.14) / 0.16, 0, 1)
        grown = v > line
        skin_tex[grown] = strands[grown]
    if look.hair == "bald" and rng.random() < 0.4:
        ring = (away > 0.22) & (v > 0.3) & (v < 0.62)
        skin_tex[ring] = 0.5 * skin_tex[ring] + 0.5 * strands[ring]
    shade = 1.0 - 0.22 * np.clip((0.22 - v) / 0.22, 0, 1)
    face: NDArray[np.uint8] = np.clip(skin_tex * shade[..., None] + 0.5, 0, 255).astype(np.uint8)
    return face


@lru_cache(maxsize=_MODELS_MAX)
def body_model(appearance: Appearance) -> BodyModel:
    """The mesh and textures of a person; cached, the least recently used are dropped."""
    rng = np.random.default_rng(appearance.texture_seed)
    k = appearance.stature_m / 1.72
    coat = float(rng.uniform(0.22, 0.55)) * k if rng.random() < 0.16 else 0.0
    loft = _Loft()
    _torso(loft, k, appearance.girth, coat)
    _neck(loft, k)
    _head(loft, k, appearance.hair)
    for left in (True, False):
        _arm(loft, k, appearance.girth, left, appearance.sleeves)
        _hand(loft, k, left)
    _legs(loft, k, appearance.girth)
    if rng.random() < 0.14:
        _rucksack(loft, k)
    top = cloth(rng, appearance.top_pattern, appearance.top_rgb, appearance.top2_rgb)
    sleeve_rgb = appearance.top_rgb if rng.random() < 0.8 else appearance.top2_rgb
    bank = make_bank(
        [
            solid(rng, appearance.skin_rgb, 32, 4.0),
            _face(rng, appearance),
            top,
            cloth(rng, "plain", appearance.bottom_rgb, appearance.bottom_rgb, 32),
            solid(rng, appearance.shoes_rgb, 16, 6.0),
            hair(rng, appearance.hair_rgb),
            top
            if sleeve_rgb == appearance.top_rgb
            else cloth(rng, "plain", sleeve_rgb, sleeve_rgb, 32),
            cloth(rng, "plain", rng.integers(15, 220, 3), appearance.top2_rgb, 32),
        ]
    )
    return BodyModel(
        local=np.ascontiguousarray(np.concatenate(loft.local)),
        normal=np.ascontiguousarray(np.concatenate(loft.normal)),
        bone=np.concatenate(loft.bone),
        uv=np.ascontiguousarray(np.concatenate(loft.uv)),
        tris=np.ascontiguousarray(np.concatenate(loft.tris)),
        mats=np.concatenate(loft.mats),
        parts=np.concatenate(loft.parts),
        bank=bank,
        dims=np.array([k, appearance.girth]),
    )


def _neck(loft: _Loft, k: float) -> None:
    rings = [
        (7, -0.25, 0.058 * k, 0.060 * k, 0.0, 0.0), (7, 0.15, 0.052 * k, 0.055 * k, 0.0, 0.0),
        (7, 0.75, 0.048 * k, 0.054 * k, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(rings, 8, _SKIN, _PART["torso"])


def _rucksack(loft: _Loft, k: float) -> None:
    rings = [
        (3, -0.16 * k, 0.0, 0.0, 0.0, -0.17 * k),
        (3, -0.15 * k, 0.13 * k, 0.07 * k, 0.0, -0.18 * k),
        (4, 0.0, 0.14 * k, 0.075 * k, 0.0, -0.18 * k),
        (5, 0.0, 0.11 * k, 0.055 * k, 0.0, -0.15 * k),
        (5, 0.02 * k, 0.0, 0.0, 0.0, -0.15 * k),
    ]  # fmt: skip
    loft.tube(rings, 10, _BAG, _PART["bag"], power=0.6, tilt=[-1.0, -0.3, 0.0, 0.4, 1.0])


def pose_body(
    model: BodyModel, pose: BodyPose, hand_roll: tuple[float, float] = (0.0, 0.0)
) -> tuple[Floats, Floats]:
    """World positions and normals (V, 3) of a person's mesh.

    `hand_roll` turns the left and right hand about the forearm, in radians.
    """
    frames = np.empty((BONES, 4, 3))
    pose_frames(
        pose.joints_m, model.dims, pose.grip[0], pose.grip[1], hand_roll[0], hand_roll[1], frames
    )
    pos = np.empty_like(model.local)
    normal = np.empty_like(model.local)
    skin(model.local, model.normal, model.bone, frames, pos, normal)
    return pos, normal
