"""Surfaces of the newer packagings: foil with creases, lids, what is seen through glass.

`finished` works over a label atlas whose faces are drawn; `materials` gives the textures 1 to 3
that store_sim.render.shapes refers to: the stuff, the clear material, the liquid.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Packaging
from store_sim.render.atlas import BACK, CAP, FRONT, SIDE, TOP
from store_sim.render.textures import noise

__all__ = ["finished", "materials"]

Rgbs = NDArray[np.uint8]
Floats = NDArray[np.float64]

_WATER = (206, 226, 234)
_ROUND = ("jar", "tub", "clear_bottle", "tube", "net")


def finished(texture: Rgbs, look: Packaging, rng: np.random.Generator) -> Rgbs:
    """The atlas (256, 256, 3) with the surface of its shape: creases, seams, lids, shine."""
    image = texture.astype(np.float64)
    _top(image, look, rng)
    _cap(image, look)
    for region in (FRONT, BACK):
        x0, y0, x1, y1 = region
        panel = image[y0:y1, x0:x1]
        if look.shape == "bag":
            _foil(panel, rng, 0.30, ribs=True)
        elif look.shape == "pouch":
            _foil(panel, rng, 0.12, ribs=False)
            panel[26:28] *= 0.80
            panel[28:29] = panel[28:29] * 0.5 + 125
            y, x = np.mgrid[0:176, 0:128]
            panel[((x - 64) / 9.0) ** 2 + ((y - 12) / 5.0) ** 2 < 1.0] = 62
        elif look.shape in _ROUND and region == FRONT:
            x_at = np.arange(128)
            gain = 1.0 + 0.20 * np.exp(-(((x_at - 44) / 9.0) ** 2)) - 0.14 * abs(x_at - 64) / 64
            panel *= gain[None, :, None]
        if look.shape == "tube":
            panel[:10] = np.where(np.arange(128) % 4 < 2, 0.88, 1.0)[None, :, None] * 214
        if look.shape == "carton" and region == FRONT:
            panel *= (1.0 - 0.05 * np.abs(np.linspace(-1, 1, 128)))[None, :, None]
    image += rng.normal(0, 2.5, image.shape[:2])[..., None]
    return np.clip(image, 0, 255).astype(np.uint8)


def _foil(panel: Floats, rng: np.random.Generator, amount: float, *, ribs: bool) -> None:
    """Creases of a foil: sharp bright ridges with a dark side, more of them near the seams."""
    height, width = panel.shape[:2]
    folds = noise(rng, height, width, 5) + 0.6 * noise(rng, height, width, 9)
    ridge = np.clip(1.0 - 4.5 * np.abs(folds), 0.0, 1.0) ** 2
    slope = np.clip(noise(rng, height, width, 7), -1.0, 1.0)
    rise = np.abs(np.linspace(-1.0, 1.0, height)) ** 2
    weight = (0.55 + 0.9 * rise)[:, None]
    panel *= 1.0 + (amount * weight * (0.9 * slope - 0.15))[..., None]
    panel += (amount * 260.0 * weight * ridge * np.clip(slope + 0.2, 0.0, 1.0))[..., None]
    # A pillow is lit from above: its upper part bulges to the light, its sides turn away.
    across = np.abs(np.linspace(-1.0, 1.0, width)) ** 4
    panel *= (1.0 - 0.8 * amount * across)[None, :, None]
    if ribs:
        seam = height // 20
        stripe = np.where(np.arange(width) % 3 == 0, 0.72, 1.08)[None, :, None]
        for rows in (slice(0, seam), slice(height - seam, height)):
            panel[rows] = (0.55 * panel[rows] + 0.45 * 178) * stripe


def _top(image: Floats, look: Packaging, rng: np.random.Generator) -> None:
    x0, y0, x1, y1 = TOP
    top = image[y0:y1, x0:x1]
    height, width = top.shape[:2]
    y, x = np.mgrid[0:height, 0:width]
    distance = np.sqrt(
        ((y - height / 2) / (height / 2)) ** 2 + ((x - width / 2) / (width / 2)) ** 2
    )
    base, accent = np.array(look.base_rgb, float), np.array(look.accent_rgb, float)
    if look.shape == "jar":
        top[:] = look.cap_rgb if look.cap_rgb is not None else look.accent_rgb
        top[(distance > 0.80) & (distance < 0.86)] *= 0.75
        top[(distance > 0.20) & (distance < 0.24)] *= 0.85
        top *= (1.0 + 0.18 * np.exp(-(((x - y - 8) / 12.0) ** 2)))[..., None]
    elif look.shape == "tub":
        fx0, fy0, fx1, fy1 = FRONT
        front = image[fy0:fy1, fx0:fx1]
        top[:] = front[np.arange(height) * 176 // height][:, np.arange(width) * 128 // width]
        wrinkle = noise(rng, height, width, 9)
        top *= (1.0 + 0.16 * wrinkle)[..., None]
        top[distance > 0.90] = 0.5 * top[distance > 0.90] + 0.5 * 200
    else:
        top[:] = base
        top[height // 2 - 9 : height // 2 + 9] = accent
        top[:10] = 0.75 * base + 0.25 * 255
    sx0, sy0, sx1, sy1 = SIDE
    if look.shape == "carton":
        image[sy0:sy1, sx0:sx1][:, ::40] *= 0.85


def _cap(image: Floats, look: Packaging) -> None:
    x0, y0, x1, y1 = CAP
    cap = image[y0:y1, x0:x1]
    plain = {"tub": look.base_rgb, "tray": look.base_rgb}.get(look.shape, look.accent_rgb)
    cap[:] = look.cap_rgb if look.cap_rgb is not None else plain
    if look.shape in ("clear_bottle", "carton", "tube"):
        cap[:, ::4] *= 0.72
    elif look.shape == "jar":
        cap[:, ::8] *= 0.86
        cap[60:] *= 0.9


def materials(look: Packaging, rng: np.random.Generator) -> list[Rgbs]:
    """Textures 1 to 3: the stuff (64, 64, 3), the clear material and the liquid (8, 8, 3)."""
    fill = np.array(look.fill_rgb if look.fill_rgb is not None else look.accent_rgb, float)
    water = np.array(look.fill_rgb if look.fill_rgb is not None else _WATER, float)
    if look.shape == "net":
        stuff = _fruits(fill, rng, np.array(look.cap_rgb or (212, 60, 40), float))
    elif look.shape == "lump":
        stuff = _stone(np.array(look.base_rgb, float), rng)
    else:
        stuff = _chunks(fill, rng, 26 if look.shape == "tray" else 60)
    clear = np.full((8, 8, 3), 232.0) + np.array([-4.0, 2.0, 2.0])
    liquid = np.broadcast_to(water, (8, 8, 3)) * np.linspace(1.06, 0.94, 8)[:, None, None]
    return [np.clip(part, 0, 255).astype(np.uint8) for part in (stuff, clear, liquid)]


def _blob(size: int, cx: float, cy: float, r: float) -> Floats:
    """Squared distance from a centre over r squared, on a tiling square."""
    y, x = np.mgrid[0:size, 0:size]
    dx, dy = (x - cx + size / 2) % size - size / 2, (y - cy + size / 2) % size - size / 2
    return np.asarray((dx * dx + dy * dy) / (r * r), float)


def _chunks(fill: Floats, rng: np.random.Generator, count: int) -> Floats:
    """Pieces of food in their juice, lit from above."""
    image = fill * (0.72 + 0.10 * noise(rng, 64, 64, 8)[..., None])
    large = count < 40
    for _ in range(count):
        cx, cy = rng.uniform(0, 64, 2)
        r = float(rng.uniform(6, 10) if large else rng.uniform(2.0, 5.5))
        near = _blob(64, cx, cy, r)
        lit = _blob(64, cx - 0.3 * r, cy - 0.35 * r, 0.6 * r)
        tone = fill * rng.uniform(0.82, 1.14) + rng.normal(0, 5, 3)
        image[near < 1.15] *= 0.8
        image[near < 1.0] = tone
        image[(lit < 0.5) & (near < 1.0)] = 0.75 * tone + 0.25 * 255
    return np.asarray(image, float)


def _fruits(fill: Floats, rng: np.random.Generator, net: Floats) -> Floats:
    """Round fruits behind the meshes of a net."""
    image = np.broadcast_to(fill * 0.42, (64, 64, 3)).copy()
    for row in range(3):
        for column in range(3):
            cx, cy = (column + 0.5 * (row % 2)) * 21.3 + 10, row * 21.3 + 10
            near = _blob(64, cx, cy, 11.6)
            tone = fill * rng.uniform(0.92, 1.06)
            inside = near < 1.0
            shade = (1.08 - 0.5 * near)[..., None] * tone
            image[inside] = shade[inside]
            image[_blob(64, cx - 3, cy - 4, 2.4) < 1.0] = 0.45 * tone + 0.55 * 255
    y, x = np.mgrid[0:64, 0:64]
    thread = ((x + y) % 8 == 0) | ((x - y) % 8 == 0)
    image[thread] = 0.35 * image[thread] + 0.65 * net
    return np.asarray(image, float)


def _stone(base: Floats, rng: np.random.Generator) -> Floats:
    grain = 0.16 * noise(rng, 64, 64, 6) + 0.10 * noise(rng, 64, 64, 20)
    vein = np.clip(1.0 - 9.0 * np.abs(noise(rng, 64, 64, 4)), 0.0, 1.0)
    image = base * (1.0 + grain + rng.normal(0, 0.05, (64, 64)))[..., None]
    return np.asarray(image + 34.0 * vein[..., None], float)
