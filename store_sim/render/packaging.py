"""Products as meshes with label textures: boxes, cans, bottles.

The item frame is that of store_sim.scene.ItemPose: x width, y depth with the front at -y, z up from
the centre of the bottom. One 256x256 texture per product holds all its faces.
"""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Packaging, Product
from store_sim.render.art import label_front, label_side
from store_sim.render.mesh import Bank, Mesh, MeshBuilder, make_bank
from store_sim.render.textures import noise

__all__ = ["TEXTURE_PX", "ProductModel", "label_texture", "product_mesh", "product_model"]

Rgbs = NDArray[np.uint8]

TEXTURE_PX = 256
_MODELS_MAX = 1024
_SIDES = 14

# Regions of the texture in pixels: x0, y0, x1, y1.
_FRONT = (0, 0, 128, 176)
_BACK = (128, 0, 256, 176)
_SIDE = (0, 176, 80, 256)
_TOP = (80, 176, 168, 256)
_CAP = (168, 176, 256, 256)


@dataclass(frozen=True, slots=True)
class ProductModel:
    """A product's mesh in its item frame and its texture bank; `radius_m` bounds it."""

    product: Product
    mesh: Mesh
    bank: Bank
    radius_m: float


def _inset(region: tuple[int, int, int, int], margin: float = 1.5) -> tuple[float, ...]:
    x0, y0, x1, y1 = region
    size = float(TEXTURE_PX)
    return (
        (x0 + margin) / size, (y0 + margin) / size, (x1 - margin) / size, (y1 - margin) / size,
    )  # fmt: skip


def _uv(region: tuple[int, int, int, int]) -> tuple[float, float, float, float]:
    u0, v0, u1, v1 = _inset(region)
    return (u0, v0, u1, v1)


def label_texture(product: Product) -> Rgbs:
    """All faces of a product in one (256, 256, 3) texture: front, barcode face, side, top, cap."""
    look = product.packaging
    texture = np.empty((TEXTURE_PX, TEXTURE_PX, 3), np.uint8)
    texture[:] = look.base_rgb

    def put(region: tuple[int, int, int, int], image: Rgbs) -> None:
        x0, y0, x1, y1 = region
        texture[y0:y1, x0:x1] = image

    front = label_front(product, 128, 176)
    put(_FRONT, front)
    put(_BACK, label_side(product, 128, 176))
    rng = np.random.default_rng(zlib.crc32(product.gtin.encode()))
    side = front[np.arange(80) * 176 // 80][:, 24:104]
    put(_SIDE, side)
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
    put(_TOP, top)
    cap = np.empty((80, 88, 3), np.uint8)
    cap[:] = look.cap_rgb if look.cap_rgb is not None else look.accent_rgb
    cap[:, ::6] = (cap[:, ::6] * 0.72).astype(np.uint8)
    put(_CAP, cap)
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
    """The shape of a packaging."""
    build = MeshBuilder()
    if look.shape == "box":
        _box(build, look)
    elif look.shape == "can":
        _can(build, look)
    else:
        _bottle(build, look)
    return build.build()


def _box(build: MeshBuilder, look: Packaging) -> None:
    x, y, z = look.width_m / 2, look.depth_m / 2, look.height_m
    faces = (
        ([[-x, -y, z], [x, -y, z], [x, -y, 0], [-x, -y, 0]], (0, -1, 0), _FRONT),
        ([[x, y, z], [-x, y, z], [-x, y, 0], [x, y, 0]], (0, 1, 0), _BACK),
        ([[-x, y, z], [-x, -y, z], [-x, -y, 0], [-x, y, 0]], (-1, 0, 0), _SIDE),
        ([[x, -y, z], [x, y, z], [x, y, 0], [x, -y, 0]], (1, 0, 0), _SIDE),
        ([[-x, y, z], [x, y, z], [x, -y, z], [-x, -y, z]], (0, 0, 1), _TOP),
        ([[-x, -y, 0], [x, -y, 0], [x, y, 0], [-x, y, 0]], (0, 0, -1), _TOP),
    )
    for corners, normal, region in faces:
        build.quad(np.array(corners), normal, _uv(region), 0)


def _wrap(
    build: MeshBuilder, radius: float, z0: float, z1: float, squash: float, profile: int = 2
) -> None:
    """The label around a round body: the barcode half at the back, the front half in front."""
    angle = np.linspace(0.0, 1.0, _SIDES // 2 + 1)
    for half, region in ((0, _FRONT), (1, _BACK)):
        u0, v0, u1, v1 = _uv(region)
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
    metal = _uv((84, 180, 96, 252))
    build.lathe([(0.90 * r, h), (r, h - rim)], _SIDES, metal, 0, squash=squash)
    build.lathe([(r, rim), (0.90 * r, 0.0)], _SIDES, metal, 0, squash=squash)
    build.disc(0.90 * r, h - 0.002, True, _SIDES, _uv(_TOP), 0)
    build.disc(0.90 * r, 0.0, False, _SIDES, _uv(_TOP), 0)


def _bottle(build: MeshBuilder, look: Packaging) -> None:
    r, h = look.width_m / 2, look.height_m
    squash = look.depth_m / look.width_m
    neck = max(0.010, min(0.016, 0.42 * r))
    glass = _uv((2, 2, 10, 20))
    body, shoulder = 0.62 * h, 0.82 * h
    _wrap(build, r * 1.01, 0.14 * h, 0.52 * h, squash)
    build.lathe(
        [
            (neck, 0.93 * h), (neck, shoulder + 0.03 * h), (0.62 * r + 0.2 * neck, 0.75 * h),
            (0.93 * r, 0.68 * h), (r, body), (r, 0.10 * h), (0.94 * r, 0.02 * h), (0.85 * r, 0.0),
        ], _SIDES, glass, 0, squash=squash,
    )  # fmt: skip
    build.disc(0.85 * r, 0.0, False, _SIDES, glass, 0)
    cap = _uv(_CAP)
    build.lathe([(neck * 1.22, h), (neck * 1.25, 0.92 * h)], 10, cap, 0)
    build.disc(neck * 1.22, h, True, 10, _uv((170, 178, 176, 184)), 0)


@lru_cache(maxsize=_MODELS_MAX)
def product_model(product: Product) -> ProductModel:
    """Mesh and texture of a product; cached, the least recently used are dropped."""
    look = product.packaging
    radius = 0.5 * float(np.sqrt(look.width_m**2 + look.depth_m**2 + (2 * look.height_m) ** 2))
    return ProductModel(
        product=product,
        mesh=product_mesh(look),
        bank=make_bank([label_texture(product)]),
        radius_m=radius,
    )
