"""People: from the joints of a BodyPose to a skinned mesh with hands, hair and clothes.

A person's mesh is made once per appearance in the local frames of 53 bones; a frame of video only
moves the bones. Hands have a palm, a thumb and four fingers of three segments that curl with
`grip`. The palm faces the body's middle, as in `store_sim.world.hold`.
"""

from __future__ import annotations

import math
from dataclasses import MISSING, dataclass, fields
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from store_sim.render import complexion, outfits
from store_sim.render.frames import BONES, FORE, HEAD, LEG, PALM, SIDE_BONES, UPPER, pose_frames
from store_sim.render.kernels import skin
from store_sim.render.loft import BAG, BOTTOM, FACE, HAIR, PART, SHOES, SKIN, SLEEVE, TOP, Loft
from store_sim.render.mesh import Bank, make_bank
from store_sim.render.textures import cloth, hair, solid
from store_sim.scene import Appearance, BodyPose

__all__ = ["BodyModel", "body_model", "head_scale", "pose_body"]

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]

_MODELS_MAX = 512


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


def _torso(loft: Loft, k: float, look: Appearance, coat: float) -> None:
    girth, broad = look.girth, look.shoulders
    deep = k * (0.55 + 0.45 * girth)
    wide = k * (0.75 + 0.25 * girth)
    rows = [
        (0, -0.03, 0.0, 0.0), (0, -0.03, 0.158, 0.110), (1, 0.0, 0.170, 0.124),
        (2, 0.0, 0.152, 0.112), (3, 0.0, 0.160, 0.118), (4, 0.0, 0.172 * broad, 0.118),
        (5, -0.02, 0.178 * broad, 0.096), (5, 0.018, 0.128, 0.080), (6, 0.0, 0.064, 0.062),
        (6, 0.012, 0.0, 0.0),
    ]  # fmt: skip
    # A belly is in front: the trunk deepens there and moves ahead by half of it.
    round_m = [0.0, 0.2, 0.75, 1.0, 0.6, 0.1, 0.0, 0.0, 0.0, 0.0]
    ahead = [0.060 * look.belly * share * k for share in round_m]
    rings = [
        (bone, z, x * wide, y * deep * girth + more, 0.0, more)
        for (bone, z, x, y), more in zip(rows, ahead, strict=True)
    ]
    tilt = [-1.0, -0.2, 0.0, 0.1, -0.1, 0.0, 0.3, 0.8, 0.7, 1.0]
    loft.tube(rings, 14, TOP, PART["torso"], power=0.85, uv=(2.0, 2.0), tilt=tilt)
    if coat > 0:
        flare = 1.22 if look.coat == "long" else 1.0
        hem = [
            (1, 0.02, 0.186 * wide, 0.140 * deep * girth, 0.0, 0.0),
            (0, -0.5 * coat, 0.192 * wide, 0.150 * deep * girth * flare, 0.0, 0.0),
            (0, -coat, 0.205 * wide * flare, 0.165 * deep * girth * flare, 0.0, 0.01),
        ]
        loft.tube(hem[::-1], 12, TOP, PART["torso"], power=0.9, uv=(2.0, 1.0))


def _head(loft: Loft, k: float, look: Appearance) -> None:
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
    loft.tube(rings, 14, FACE, PART["head"], tilt=tilt)
    # Ears and nose: small bumps that catch light.
    for x in (-1.0, 1.0):
        loft.tube(
            [
                (HEAD, -0.035 * k, 0.0, 0.0, x * rx, 0.0),
                (HEAD, -0.01 * k, 0.012 * k, 0.02 * k, x * rx, -0.01 * k),
                (HEAD, 0.03 * k, 0.0, 0.0, x * rx, -0.005 * k),
            ], 5, SKIN, PART["head"],
        )  # fmt: skip
    loft.tube(
        [
            (HEAD, -0.045 * k, 0.0, 0.0, 0.0, ry),
            (HEAD, -0.035 * k, 0.014 * k, 0.018 * k, 0.0, ry * 0.98),
            (HEAD, 0.01 * k, 0.0, 0.0, 0.0, ry * 0.96),
        ], 5, SKIN, PART["head"],
    )  # fmt: skip
    if look.hat == "none":
        if look.hair != "bald":
            _hair(loft, k, look.hair)
    else:
        outfits.hat(loft, k, look.hat)
        if look.hair == "long" and look.hat in ("beanie", "brim"):
            _falling_hair(loft, k)
    if look.beard == "full":
        outfits.beard(loft, k)
    if look.glasses != "none":
        outfits.spectacles(loft, k)


def _hair(loft: Loft, k: float, style: str) -> None:
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
    mat = HAIR if style != "cap" else BAG
    loft.rings(np.full(5, HEAD, np.int64), local, normal, tex, mat, PART["head"])
    if style == "cap":
        visor = [
            (HEAD, 0.040 * k, 0.0, 0.0, 0.0, 0.06 * k),
            (HEAD, 0.040 * k, 0.075 * k, 0.10 * k, 0.0, 0.075 * k),
            (HEAD, 0.052 * k, 0.075 * k, 0.10 * k, 0.0, 0.075 * k),
            (HEAD, 0.056 * k, 0.0, 0.0, 0.0, 0.06 * k),
        ]
        loft.tube(visor, 8, BAG, PART["head"], tilt=[-1.0, -0.4, 0.6, 1.0])
    if style == "bun":
        ball = [
            (HEAD, 0.02 * k, 0.0, 0.0, 0.0, -0.115 * k),
            (HEAD, 0.045 * k, 0.04 * k, 0.04 * k, 0.0, -0.12 * k),
            (HEAD, 0.085 * k, 0.038 * k, 0.038 * k, 0.0, -0.115 * k),
            (HEAD, 0.105 * k, 0.0, 0.0, 0.0, -0.105 * k),
        ]
        loft.tube(ball, 8, HAIR, PART["head"], tilt=[-1.0, -0.3, 0.4, 1.0])
    if style == "long":
        _falling_hair(loft, k)


def _falling_hair(loft: Loft, k: float) -> None:
    fall = [
        (HEAD, -0.36 * k, 0.06 * k, 0.025 * k, 0.0, -0.085 * k),
        (HEAD, -0.26 * k, 0.085 * k, 0.05 * k, 0.0, -0.07 * k),
        (HEAD, -0.12 * k, 0.09 * k, 0.07 * k, 0.0, -0.05 * k),
        (HEAD, 0.02 * k, 0.084 * k, 0.085 * k, 0.0, -0.02 * k),
    ]
    # Only the sides and the back: columns of the half that does not face forward.
    loft.tube(fall, 12, HAIR, PART["head"], uv=(2.0, 1.0), start=5, end=12)
    loft.tube(fall, 12, HAIR, PART["head"], uv=(2.0, 1.0), start=0, end=1)


def _arm(loft: Loft, k: float, girth: float, left: bool, sleeves: str) -> None:
    base = SIDE_BONES[0 if left else 1]
    part = PART["l_arm" if left else "r_arm"]
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
    if sleeves != "short":
        cuffed = [(b, z, x * loose, y * loose, ox, oy) for b, z, x, y, ox, oy in forearm]
        cuffed[4] = (fore, 0.97, 0.036 * g, 0.034 * g, 0.0, 0.0)
        cuffed[5] = (fore, 0.975, 0.0, 0.0, 0.0, 0.0)
        if sleeves == "wide":
            loose = 1.34
            outfits.wide_cuff(loft, g, left)
        else:
            loft.tube(cuffed, 8, SLEEVE, part, tilt=fore_tilt)
        wide = [(b, z, x * loose, y * loose, ox, oy) for b, z, x, y, ox, oy in shoulder]
        loft.tube(wide[::-1], 8, SLEEVE, part, tilt=tilt[::-1])
    else:
        loft.tube(forearm, 8, SKIN, part, tilt=fore_tilt)
        loft.tube(shoulder[2::-1], 8, SKIN, part, tilt=tilt[2::-1])
        sleeve = [
            (upper, 0.56, 0.0, 0.0, 0.0, 0.0), (upper, 0.55, 0.064 * g, 0.066 * g, 0.0, 0.0),
            (upper, 0.14, 0.062 * g, 0.066 * g, 0.0, 0.0),
            (upper, -0.04, 0.050 * g, 0.055 * g, 0.0, 0.0), (upper, -0.14, 0.0, 0.0, 0.0, 0.0),
        ]  # fmt: skip
        loft.tube(sleeve[::-1], 8, SLEEVE, part, tilt=[-1.0, -0.75, -0.1, 0.0, 1.0])


def _hand(loft: Loft, k: float, left: bool) -> None:
    base = SIDE_BONES[0 if left else 1]
    part = PART["l_hand" if left else "r_hand"]
    palm, fingers = base + PALM, base + PALM + 1
    rings = [
        (palm, -0.06, 0.0, 0.0, 0.0, 0.0), (palm, 0.0, 0.028 * k, 0.020 * k, 0.0, 0.0),
        (palm, 0.22, 0.036 * k, 0.018 * k, 0.0, 0.0), (palm, 0.50, 0.042 * k, 0.015 * k, 0.0, 0.0),
        (palm, 0.57, 0.0, 0.0, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(rings, 8, SKIN, part, tilt=[-1.0, -0.3, 0.0, 0.2, 1.0])
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
            ], 5, SKIN, part, tilt=[0.0, 0.0, 0.0, 0.35, 1.0],
        )  # fmt: skip


def _legs(loft: Loft, k: float, look: Appearance) -> None:
    girth, bottom = look.girth, look.bottom
    # A long coat parts over the thighs in a stride; they bear its cloth.
    above = TOP if look.coat == "long" else BOTTOM
    part = PART["legs"]
    g = k * (0.6 + 0.4 * girth)
    for side in range(2):
        thigh, shin, foot = LEG[side], LEG[side] + 1, LEG[side] + 2
        upper = [
            (thigh, -0.16, 0.0, 0.0, 0.0, 0.0), (thigh, -0.02, 0.086 * g, 0.092 * g, 0.0, 0.0),
            (thigh, 0.5, 0.074 * g, 0.078 * g, 0.0, 0.0),
            (thigh, 1.0, 0.056 * g, 0.060 * g, 0.0, 0.0),
            (thigh, 1.08, 0.0, 0.0, 0.0, 0.0),
        ]  # fmt: skip
        loft.tube(upper, 8, above, part, tilt=[-1.0, -0.2, 0.1, 0.1, 1.0], uv=(1.0, 2.0))
        lower = [
            (shin, -0.08, 0.0, 0.0, 0.0, 0.0), (shin, 0.0, 0.057 * g, 0.060 * g, 0.0, 0.0),
            (shin, 0.3, 0.056 * g, 0.058 * g, 0.0, -0.008 * k),
            (shin, 0.96, 0.048 * g, 0.050 * g, 0.0, 0.0), (shin, 0.965, 0.0, 0.0, 0.0, 0.0),
        ]  # fmt: skip
        if bottom == "trousers":
            loft.tube(lower, 8, BOTTOM, part, tilt=[-1.0, -0.2, 0.0, 0.05, 1.0], uv=(1.0, 2.0))
        shoe = [
            (foot, -0.35, 0.0, 0.0, 0.0, 0.0), (foot, -0.28, 0.036 * k, 0.040 * k, 0.0, 0.005 * k),
            (foot, 0.15, 0.043 * k, 0.048 * k, 0.0, 0.010 * k),
            (foot, 0.70, 0.049 * k, 0.030 * k, 0.0, -0.005 * k),
            (foot, 1.10, 0.038 * k, 0.022 * k, 0.0, -0.008 * k),
            (foot, 1.22, 0.0, 0.0, 0.0, -0.008 * k),
        ]  # fmt: skip
        loft.tube(shoe, 8, SHOES, part, tilt=[-1.0, -0.5, 0.0, 0.2, 0.5, 1.0])


@lru_cache(maxsize=_MODELS_MAX)
def body_model(appearance: Appearance) -> BodyModel:
    """The mesh and textures of a person; cached, the least recently used are dropped."""
    look = appearance
    rng = np.random.default_rng(look.texture_seed)
    k = look.stature_m / 1.72
    coat = float(rng.uniform(0.22, 0.55)) * k if rng.random() < 0.16 else 0.0
    coat = {"seeded": coat, "none": 0.0, "jacket": 0.17 * k, "long": 0.62 * k}[look.coat]
    loft = Loft()
    _torso(loft, k, look, coat)
    _neck(loft, k)
    _head(loft, head_scale(look), look)
    for left in (True, False):
        _arm(loft, k, look.girth, left, look.sleeves)
        if look.hands == "fine" or look.gloves_rgb is not None:
            outfits.fine_hand(loft, k if look.gloves_rgb is None else 1.10 * k, left)
        else:
            _hand(loft, k, left)
    _legs(loft, k, look)
    worn = rng.random() < 0.14
    if worn if look.bag == "seeded" else look.bag == "rucksack":
        _rucksack(loft, k)
    _outfit(loft, k, look)
    return BodyModel(
        local=np.ascontiguousarray(np.concatenate(loft.local)),
        normal=np.ascontiguousarray(np.concatenate(loft.normal)),
        bone=np.concatenate(loft.bone),
        uv=np.ascontiguousarray(np.concatenate(loft.uv)),
        tris=np.ascontiguousarray(np.concatenate(loft.tris)),
        mats=np.concatenate(loft.mats),
        parts=np.concatenate(loft.parts),
        bank=_textures(rng, look),
        dims=np.array([k, look.girth]),
    )


def head_scale(look: Appearance) -> float:
    """The size of the head over that of 1.72 m; a child's is nearly a grown-up's."""
    return 0.62 + 0.22 * look.stature_m if look.child else look.stature_m / 1.72


def _outfit(loft: Loft, k: float, look: Appearance) -> None:
    """What only a varied crowd wears and carries."""
    if look.coat in ("jacket", "long"):
        outfits.collar(loft, k)
    if look.bottom in ("skirt", "long_skirt"):
        outfits.skirt(loft, k, look.girth, look.bottom == "long_skirt")
    elif look.bottom == "shorts":
        outfits.short_legs(loft, k, look.girth)
    if look.apron_rgb is not None:
        outfits.apron(loft, k, look.girth, look.belly)
    if look.name_strip:
        outfits.name_strip(loft, k, look.girth)
    if look.bag == "tote":
        outfits.tote(loft, k, look.girth)
    elif look.bag == "crossbody":
        outfits.crossbody(loft, k, look)
    elif look.bag == "basket":
        outfits.basket_on_arm(loft, k, True)
    elif look.bag == "rucksack":
        outfits.rucksack_straps(loft, k)


def _textures(rng: np.random.Generator, look: Appearance) -> Bank:
    """The bank of a person's textures in the order of store_sim.render.loft."""
    top = cloth(rng, look.top_pattern, look.top_rgb, look.top2_rgb)
    sleeve_rgb = look.top_rgb if rng.random() < 0.8 else look.top2_rgb
    textures = [
        solid(rng, look.skin_rgb, 32, 4.0),
        complexion.face(rng, look),
        top,
        cloth(rng, "plain", look.bottom_rgb, look.bottom_rgb, 32),
        solid(rng, look.shoes_rgb, 16, 6.0),
        hair(rng, look.hair_rgb),
        top if sleeve_rgb == look.top_rgb else cloth(rng, "plain", sleeve_rgb, sleeve_rgb, 32),
        cloth(rng, "plain", rng.integers(15, 220, 3), look.top2_rgb, 32),
    ]
    if _as_ever(look):
        return make_bank(textures)
    more = np.random.default_rng([look.texture_seed, 1])
    if look.bottom_pattern != "plain":
        second = tuple(255 - c // 2 if c < 110 else c // 2 for c in look.bottom_rgb)
        textures[BOTTOM] = cloth(more, look.bottom_pattern, look.bottom_rgb, second)
    if look.bag not in ("seeded", "basket"):
        textures[BAG] = cloth(more, "plain", look.bag_rgb, look.bag_rgb, 32)
    knitted = look.hat == "beanie"
    apron_rgb = look.apron_rgb or look.top_rgb
    textures += [
        complexion.palm(more, look),
        complexion.finger(more, look),
        complexion.knit(more, look.hat_rgb, 64)
        if knitted
        else cloth(more, "plain", look.hat_rgb, look.hat_rgb, 64),
        complexion.basket(more, look.bag_rgb)
        if look.bag == "basket"
        else cloth(more, "plain", look.bag_rgb, look.bag_rgb, 32),
        cloth(more, "plain", apron_rgb, apron_rgb, 32),
        complexion.name_strip(more),
        complexion.glasses(look),
    ]
    return make_bank(textures)


def _as_ever(look: Appearance) -> bool:
    """Whether nothing of the varied crowd's is on this person."""
    return all(
        getattr(look, item.name) == item.default
        for item in fields(look)
        if item.default is not MISSING
    )


def _neck(loft: Loft, k: float) -> None:
    rings = [
        (7, -0.25, 0.058 * k, 0.060 * k, 0.0, 0.0), (7, 0.15, 0.052 * k, 0.055 * k, 0.0, 0.0),
        (7, 0.75, 0.048 * k, 0.054 * k, 0.0, 0.0),
    ]  # fmt: skip
    loft.tube(rings, 8, SKIN, PART["torso"])


def _rucksack(loft: Loft, k: float) -> None:
    rings = [
        (3, -0.16 * k, 0.0, 0.0, 0.0, -0.17 * k),
        (3, -0.15 * k, 0.13 * k, 0.07 * k, 0.0, -0.18 * k),
        (4, 0.0, 0.14 * k, 0.075 * k, 0.0, -0.18 * k),
        (5, 0.0, 0.11 * k, 0.055 * k, 0.0, -0.15 * k),
        (5, 0.02 * k, 0.0, 0.0, 0.0, -0.15 * k),
    ]  # fmt: skip
    loft.tube(rings, 10, BAG, PART["bag"], power=0.6, tilt=[-1.0, -0.3, 0.0, 0.4, 1.0])


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
