"""Products as meshes with label textures: boxes, cans and bottles, and those of `shapes`.

The item frame is that of store_sim.scene.ItemPose: x width, y depth with the front at -y, z up from
the centre of the bottom. One 256x256 texture per product holds all its faces; `clear` is what
one sees through, drawn after everything opaque (see store_sim.render.glass).
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Packaging, Product
from store_sim.render.art import label_front, label_side
from store_sim.render.atlas import BACK, CAP, FRONT, SIDE, TEXTURE_PX, TOP, uv_of
from store_sim.render.finishes import finished, materials
from store_sim.render.glass import Glass
from store_sim.render.mesh import Bank, Mesh, MeshBuilder, make_bank
from store_sim.render.shapes import SHAPES
from store_sim.render.textures import noise

__all__ = ["TEXTURE_PX", "ProductModel", "label_texture", "product_mesh", "product_model"]

Rgbs = NDArray[np.uint8]

_MODELS_MAX = 1024
_SIDES = 14
_PLAIN = ("box", "can", "bottle")


@dataclass(frozen=True, slots=True)
class ProductModel:
    """A product's mesh in its item frame and its texture bank; `radius_m` bounds it."""

    product: Product
    mesh: Mesh
    bank: Bank
    radius_m: float
    clear: Glass | None = None


def label_texture(product: Product) -> Rgbs:
    """All faces of a product in one (256, 256, 3) texture: front, barcode face, side, top, cap."""
    look = product.packaging
    texture = np.empty((TEXTURE_PX, TEXTURE_PX, 3), np.uint8)
    texture[:] = look.base_rgb

    def put(region: tuple[int, int, int, int], image: Rgbs) -> None:
        x0, y0, x1, y1 = region
        texture[y0:y1, x0:x1] = image

    front = label_front(product, 128, 176)
    put(FRONT, front)
    put(BACK, label_side(product, 128, 176))
    rng = np.random.default_rng(zlib.crc32(product.gtin.encode()))
    side = front[np.arange(80) * 176 // 80][:, 24:104]
    put(SIDE, side)
    if look.shape not in _PLAIN:
        return finished(texture, look, rng)
    top = np.empty((80, 88, 3), np.uint8)
    if look.shape == "box":
        top[:] = look.base_rgb
        top[30:50] = look.accent_rgb
        top[:, 42:46] = (np.array(look.base_rgb) * 0.7).astype(np.uint8)
    else:
        metal = 176 + 22 * noise(rng, 80, 88, 8)
        top[:] = np.clip(metal, 0, 255).astype(np.uint8)[..., None]
        y, x = np.mgrid[0:80, 0:88]
        distance = np.sqrt(((y - 40) / 40) ** 2 + ((x - 44) / 44) ** 2)
        top[(distance > 0.80) & (distance < 0.88)] = 118
        top[(np.abs(x - 44) < 7) & (np.abs(y - 46) < 16) & (distance < 0.7)] = 150
        top[(np.abs(x - 44) < 3) & (np.abs(y - 40) < 6)] = 96
    put(TOP, top)
    cap = np.empty((80, 88, 3), np.uint8)
    cap[:] = look.cap_rgb if look.cap_rgb is not None else look.accent_rgb
    cap[:, ::6] = (cap[:, ::6] * 0.72).astype(np.uint8)
    put(CAP, cap)
    if look.shape != "box":
        # Round things show a bright band left of the middle and darker edges of each half turn.
        for x0 in (0, 128):
            x = np.arange(128)
            gain = 1.0 + 0.26 * np.exp(-(((x - 44) / 9.0) ** 2)) - 0.16 * np.abs(x - 64) / 64
            band = (
                texture[:176, x0 : x0 + 128] * gain[None, :, None] + 10 * (gain - 1)[None, :, None]
            )
            if x0 == 0:
                texture[:176, :128] = np.clip(band, 0, 255).astype(np.uint8)
    grain = rng.normal(0, 2.5, texture.shape[:2])[..., None]
    soft = np.clip(texture + grain, 0, 255)
    return soft.astype(np.uint8)


def product_mesh(look: Packaging) -> Mesh:
    """The opaque faces of a packaging."""
    build = MeshBuilder()
    _shape(build, look)
    return build.build()


def _shape(build: MeshBuilder, look: Packaging) -> Glass | None:
    """Adds the opaque faces and returns the clear ones."""
    if look.shape == "box":
        _box(build, look)
    elif look.shape == "can":
        _can(build, look)
    elif look.shape == "bottle":
        _bottle(build, look)
    else:
        return SHAPES[look.shape](build, look)
    return None


def _box(build: MeshBuilder, look: Packaging) -> None:
    x, y, z = look.width_m / 2, look.depth_m / 2, look.height_m
    faces = (
        ([[-x, -y, z], [x, -y, z], [x, -y, 0], [-x, -y, 0]], (0, -1, 0), FRONT),
        ([[x, y, z], [-x, y, z], [-x, y, 0], [x, y, 0]], (0, 1, 0), BACK),
        ([[-x, y, z], [-x, -y, z], [-x, -y, 0], [-x, y, 0]], (-1, 0, 0), SIDE),
        ([[x, -y, z], [x, y, z], [x, y, 0], [x, -y, 0]], (1, 0, 0), SIDE),
        ([[-x, y, z], [x, y, z], [x, -y, z], [-x, -y, z]], (0, 0, 1), TOP),
        ([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], (0, 0, -1), TOP),
    )
    for corners, normal, region in faces:
        build.quad(np.array(corners), normal, uv_of(region), 0)


def _wrap(
    build: MeshBuilder, radius: float, z0: float, z1: float, squash: float, profile: int = 2
) -> None:
    """The label around a round body: the barcode half at the back, the front half in front."""
    angle = np.linspace(0.0, 1.0, _SIDES // 2 + 1)
    for half, region in ((0, FRONT), (1, BACK)):
        u0, v0, u1, v1 = uv_of(region)
        turn = np.pi + np.pi * angle + half * np.pi
        cos, sin = np.cos(turn), np.sin(turn)
        n = len(angle)
        pos = np.zeros((profile * n, 3))
        normal = np.zeros_like(pos)
        tex = np.zeros((profile * n, 2))
        for k in range(profile):
            at = slice(k * n, (k + 1) * n)
            share = k / (profile - 1)
            pos[at, 0], pos[at, 1] = radius * cos, radius * sin * squash
            pos[at, 2] = z1 + (z0 - z1) * share
            normal[at, 0], normal[at, 1] = cos, sin
            tex[at, 0] = u0 + (u1 - u0) * angle
            tex[at, 1] = v0 + (v1 - v0) * share
        index = np.arange(profile * n).reshape(profile, n)
        a, b = index[:-1, :-1].ravel(), index[:-1, 1:].ravel()
        d, e = index[1:, :-1].ravel(), index[1:, 1:].ravel()
        tris = np.concatenate([np.stack([a, b, e], 1), np.stack([a, e, d], 1)]).astype(np.int64)
        build.add(pos, normal, tex, tris, 0)


def _can(build: MeshBuilder, look: Packaging) -> None:
    r, h = look.width_m / 2, look.height_m
    squash = look.depth_m / look.width_m
    rim = min(0.008, 0.08 * h)
    _wrap(build, r, rim, h - rim, squash)
    metal = uv_of((84, 180, 96, 252))
    build.lathe([(0.90 * r, h), (r, h - rim)], _SIDES, metal, 0, squash=squash)
    build.lathe([(r, rim), (0.90 * r, 0.0)], _SIDES, metal, 0, squash=squash)
    build.disc(0.90 * r, h - 0.002, True, _SIDES, uv_of(TOP), 0)
    build.disc(0.90 * r, 0.0, False, _SIDES, uv_of(TOP), 0)


def _bottle(build: MeshBuilder, look: Packaging) -> None:
    r, h = look.width_m / 2, look.height_m
    squash = look.depth_m / look.width_m
    neck = max(0.010, min(0.016, 0.42 * r))
    glass = uv_of((2, 2, 10, 20))
    body, shoulder = 0.62 * h, 0.82 * h
    _wrap(build, r * 1.01, 0.14 * h, 0.52 * h, squash)
    build.lathe(
        [
            (neck, 0.93 * h), (neck, shoulder + 0.03 * h), (0.62 * r + 0.2 * neck, 0.75 * h),
            (0.93 * r, 0.68 * h), (r, body), (r, 0.10 * h), (0.94 * r, 0.02 * h), (0.85 * r, 0.0),
        ], _SIDES, glass, 0, squash=squash,
    )  # fmt: skip
    build.disc(0.85 * r, 0.0, False, _SIDES, glass, 0)
    cap = uv_of(CAP)
    build.lathe([(neck * 1.22, h), (neck * 1.25, 0.92 * h)], 10, cap, 0)
    build.disc(neck * 1.22, h, True, 10, uv_of((170, 178, 176, 184)), 0)


@lru_cache(maxsize=_MODELS_MAX)
def product_model(product: Product) -> ProductModel:
    """Mesh and texture of a product; cached, the least recently used are dropped."""
    look = product.packaging
    radius = 0.5 * float(np.sqrt(look.width_m**2 + look.depth_m**2 + (2 * look.height_m) ** 2))
    build = MeshBuilder()
    clear = _shape(build, look)
    textures = [label_texture(product)]
    if look.shape not in _PLAIN:
        seed = zlib.crc32(product.gtin.encode())
        textures += materials(look, np.random.default_rng([seed, 1]))
    return ProductModel(
        product=product,
        mesh=build.build(),
        bank=make_bank(textures),
        radius_m=radius,
        clear=clear,
    )
