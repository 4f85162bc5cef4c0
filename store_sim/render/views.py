"""Views of one product alone: for enrolling galleries and for training the embedding."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Product
from store_sim.render.bodies import body_model, pose_body
from store_sim.render.glass import NO_MIRROR, blend
from store_sim.render.kernels import FAR_M, add_grain, draw, place, shade_vertices
from store_sim.render.looks import Light
from store_sim.render.packaging import product_model
from store_sim.render.textures import noise
from store_sim.scene import PARTS, Appearance
from store_sim.world.body import HandGoal, build_pose, sample_appearance
from store_sim.world.hold import in_hand

__all__ = ["product_views"]

Rng = np.random.Generator
Rgbs = NDArray[np.uint8]
_ITEM = 1
_TRIES = 4
_SEEN_SHARE_MIN = 0.04
_NO_BAYS = np.zeros((0, 10))
_ALL = np.zeros((0, 0), np.float32)


def _camera(rng: Rng, centre: NDArray[np.float64], radius: float, size: int) -> NDArray[np.float64]:
    """A camera on a ball around the product, from level to steep, upright or from the header."""
    around = rng.uniform(0, 2 * math.pi)
    # Products are seen from the front and above far more often than from behind.
    if rng.random() < 0.7:
        around = -math.pi / 2 + rng.normal(0, 0.6)
    rise = rng.uniform(-0.1, 1.45)
    distance = rng.uniform(0.5, 2.2)
    away = np.array(
        [math.cos(around) * math.cos(rise), math.sin(around) * math.cos(rise), math.sin(rise)]
    )
    f = -away
    up = np.array([rng.normal(0, 0.12), rng.normal(0, 0.12), 1.0])
    if rise > 1.2:
        up = np.array([0.0, 1.0, 0.0])
    right = np.array(
        [f[1] * up[2] - f[2] * up[1], f[2] * up[0] - f[0] * up[2], f[0] * up[1] - f[1] * up[0]]
    )
    right /= math.sqrt(float((right * right).sum()))
    down = np.array(
        [
            f[1] * right[2] - f[2] * right[1],
            f[2] * right[0] - f[0] * right[2],
            f[0] * right[1] - f[1] * right[0],
        ]
    )
    position = centre + away * distance
    focal = size * distance / (2 * radius) * rng.uniform(0.95, 1.5)
    middle = (size - 1) / 2 + rng.normal(0, 0.04 * size, 2)
    return np.concatenate([right, down, f, position, [focal, focal], middle])


def _light(rng: Rng) -> Light:
    around = float(rng.uniform(0, 2 * math.pi))
    tint = np.exp(rng.normal(0, 0.05, 3))
    return Light(
        ambient=float(rng.uniform(0.45, 0.85)),
        sun=float(rng.uniform(0.1, 0.6)),
        sun_direction=(math.cos(around), math.sin(around), float(rng.uniform(0.2, 1.5))),
        fill=float(rng.uniform(0.0, 0.3)),
        height_gain=0.0,
        tint=(float(tint[0]), float(tint[1]), float(tint[2])),
    )


def product_views(
    product: Product, rng: Rng, n: int, size: int, *, hand_share: float = 0.4
) -> list[tuple[Rgbs, NDArray[np.bool_]]]:
    """`n` views (size, size, 3) uint8 of a product and masks (size, size) of its visible pixels.

    The background is smooth noise; in `hand_share` of the views a hand holds the product.
    """
    views = []
    person = None
    for k in range(n):
        if k % 6 == 0:
            person = sample_appearance(rng)
        held = rng.random() < hand_share
        view = _view(product, rng, size, person if held else None)
        for _ in range(_TRIES):
            if view[1].mean() >= _SEEN_SHARE_MIN:
                break
            view = _view(product, rng, size, None)
        views.append(view)
    return views


def _view(
    product: Product, rng: Rng, size: int, person: Appearance | None
) -> tuple[Rgbs, NDArray[np.bool_]]:
    model = product_model(product)
    rgb = np.empty((size, size, 3), np.uint8)
    cells = int(rng.integers(2, 9))
    ground = rng.uniform(20, 235, 3) + noise(rng, size, size, cells)[..., None] * rng.uniform(5, 60)
    rgb[:] = np.clip(ground, 0, 255)
    ids = np.zeros((size, size), np.int32)
    depth = np.full((size, size), FAR_M, np.float32)
    light = _light(rng)
    base, rotation = np.zeros(3), np.eye(3)
    meshes = []
    if person is not None:
        side = "r" if rng.random() < 0.5 else "l"
        goal = HandGoal((0.1, 0.5, 1.2))
        pose = build_pose(
            person, (0.0, 0.0), math.pi / 2, grip=(0.5, 0.5),
            left_target=goal if side == "l" else None, right_target=goal if side == "r" else None,
        )  # fmt: skip
        base, rotation = in_hand(pose, side, product.packaging, math.pi / 2)
        body = body_model(pose.appearance)
        pos, normal = pose_body(body, pose)
        keep = np.isin(body.parts, [PARTS.index(f"{side}_hand"), PARTS.index(f"{side}_arm")])
        meshes.append((pos, normal, body.uv, body.tris[keep], body.mats[keep], body.bank, 2))
    mesh = model.mesh
    pos, normal = np.empty_like(mesh.pos), np.empty_like(mesh.normal)
    place(mesh.pos, np.ascontiguousarray(rotation), base, pos)
    place(mesh.normal, np.ascontiguousarray(rotation), np.zeros(3), normal)
    meshes.append((pos, normal, mesh.uv, mesh.tris, mesh.mats, model.bank, _ITEM))
    height = product.packaging.height_m
    cam = _camera(rng, base + np.array([0.0, 0.0, height / 2]), model.radius_m * 0.62, size)
    scissor = np.array([0, 0, size, size], np.int64)
    tint, none = np.array(light.tint), np.zeros(4, np.int64)
    for pos, normal, uv, tris, mats, bank, key in meshes:
        shade = np.empty(len(pos))
        shade_vertices(pos, normal, light.packed(), _NO_BAYS, shade)
        draw(
            pos, shade, uv, np.ascontiguousarray(tris), mats, np.zeros(len(tris), np.int64), key,
            bank.texels, bank.levels, cam, tint, scissor, True, rgb, ids, depth,
            np.zeros(1, np.int64), np.zeros(4, np.int64),
        )  # fmt: skip
    if model.clear is not None:
        glass = model.clear
        pos, normal = np.empty_like(glass.mesh.pos), np.empty_like(glass.mesh.normal)
        place(glass.mesh.pos, np.ascontiguousarray(rotation), base, pos)
        place(glass.mesh.normal, np.ascontiguousarray(rotation), np.zeros(3), normal)
        shade = np.empty(len(pos))
        shade_vertices(pos, normal, light.packed(), _NO_BAYS, shade)
        blend(
            pos, normal, shade, glass.mesh.uv, glass.veil, glass.sheen, glass.mesh.tris,
            glass.mesh.mats, glass.solid, _ITEM, model.bank.texels, model.bank.levels, cam,
            light.packed(), tint, NO_MIRROR, scissor, True, _ALL, rgb, ids, depth, none,
        )  # fmt: skip
    grain = np.rint(rng.normal(0, rng.uniform(0, 5) * 16, 3 * size * 2)).astype(np.int16)
    starts = rng.integers(0, 3 * size, size)
    flat = (size, 3 * size)
    add_grain(rgb.reshape(flat), grain, starts, rgb.reshape(flat))
    return rgb, ids == _ITEM
