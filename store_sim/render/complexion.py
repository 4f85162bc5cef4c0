"""Textures close to a person: face, palms and fingers or gloves, glasses, a basket's mesh."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from store_sim.render.textures import hair, noise, solid
from store_sim.scene import Appearance

__all__ = ["basket", "face", "finger", "glasses", "knit", "name_strip", "palm"]

Rgbs = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rgb = tuple[int, int, int]


def face(rng: np.random.Generator, look: Appearance) -> Rgbs:
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
    bearded = look.hair in ("short", "cap") and rng.random() < 0.3
    if look.beard != "seeded":
        bearded = look.beard != "none"
    if bearded:
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
    done: Rgbs = np.clip(skin_tex * shade[..., None] + 0.5, 0, 255).astype(np.uint8)
    return done


def _bytes(image: Floats) -> Rgbs:
    return np.clip(np.rint(image), 0, 255).astype(np.uint8)


def _palm_tone(skin_rgb: Rgb) -> Floats:
    """The inside of a hand: paler and redder, far paler than the back of a dark hand."""
    tone = np.array(skin_rgb, float)
    return np.asarray(0.58 * tone + 0.42 * np.array([214.0, 158.0, 134.0]), float)


def palm(rng: np.random.Generator, look: Appearance) -> Rgbs:
    """The middle hand (32, 32, 3): u goes around, 1/4 is the palm and 3/4 the back."""
    if look.gloves_rgb is not None:
        return knit(rng, look.gloves_rgb)
    v, u = np.mgrid[0:32, 0:32] / 32.0
    inside = np.clip(0.5 + 1.3 * np.cos(2 * np.pi * (u - 0.25)), 0.0, 1.0)[..., None]
    image = np.array(look.skin_rgb, float) * (1 - inside) + _palm_tone(look.skin_rgb) * inside
    image = image * (1.0 + 0.04 * noise(rng, 32, 32, 8)[..., None])
    lines = inside[..., 0] * (np.abs(v - 0.55 - 0.5 * (u - 0.25)) < 0.03)
    image *= (1.0 - 0.16 * lines)[..., None]
    # Tendons and knuckles on the back.
    back = 1.0 - inside[..., 0]
    image *= (1.0 - 0.10 * back * (np.abs(v - 0.80) < 0.05) * (np.sin(u * 50.0) > 0.2))[..., None]
    return _bytes(image)


def finger(rng: np.random.Generator, look: Appearance) -> Rgbs:
    """A finger (32, 32, 3): v from knuckle to tip, the nail on the back near the tip."""
    if look.gloves_rgb is not None:
        return knit(rng, look.gloves_rgb)
    v, u = np.mgrid[0:32, 0:32] / 32.0
    inside = np.clip(0.5 + 1.2 * np.cos(2 * np.pi * (u - 0.25)), 0.0, 1.0)[..., None]
    image = np.array(look.skin_rgb, float) * (1 - inside) + _palm_tone(look.skin_rgb) * inside
    for joint in (0.20, 0.40, 0.60):
        image *= (1.0 - 0.14 * np.exp(-(((v - joint) / 0.03) ** 2)))[..., None]
    nail = (np.abs(u - 0.75) < 0.13) & (v > 0.68) & (v < 0.92)
    image[nail] = 0.45 * image[nail] + 0.55 * np.array([244.0, 208.0, 196.0])
    tip = (np.abs(u - 0.75) < 0.13) & (v > 0.88) & (v < 0.94)
    image[tip] = 0.5 * image[tip] + 0.5 * 240.0
    return _bytes(image * (1.0 + 0.03 * noise(rng, 32, 32, 8)[..., None]))


def knit(rng: np.random.Generator, colour: Rgb, size: int = 32) -> Rgbs:
    """Knitted wool: rows of small stitches."""
    y, x = np.mgrid[0:size, 0:size]
    stitch = 0.10 * np.sin(y * np.pi / 2) + 0.08 * np.where((x + y) % 4 < 2, 1.0, -1.0)
    soft = 0.06 * noise(rng, size, size, 8)
    return _bytes(np.array(colour, float) * (1.0 + stitch + soft)[..., None])


def glasses(look: Appearance) -> Rgbs:
    """A band round the front of the skull (16, 128, 3): frames, lenses, and skin between them."""
    skin = np.array(look.skin_rgb, float)
    image = np.broadcast_to(skin, (16, 128, 3)).copy()
    v, u = np.mgrid[0:16, 0:128]
    away = np.abs(u / 128.0 - 0.25)
    row = v / 15.0
    frame = np.array([26.0, 24.0, 26.0])
    lens = (np.abs(away - 0.066) < 0.050) & (np.abs(row - 0.46) < 0.46)
    rim = lens & ((np.abs(np.abs(away - 0.066) - 0.046) < 0.007) | (np.abs(row - 0.46) > 0.34))
    if look.glasses == "dark":
        image[lens] = np.array([34.0, 32.0, 38.0])
        image[lens & (row > 0.6) & (row < 0.75)] = 70.0
    else:
        image[lens] = 0.72 * skin + 0.28 * np.array([222.0, 232.0, 240.0])
        eye = (np.abs(away - 0.062) < 0.014) & (np.abs(row - 0.42) < 0.16)
        image[eye] = (44.0, 34.0, 30.0)
        image[lens & (row > 0.70) & (away < 0.08)] += 26.0
    image[rim] = frame
    bridge = ((away < 0.018) | (away > 0.112)) & (np.abs(row - 0.62) < 0.12)
    image[bridge] = frame
    return _bytes(image)


def name_strip(rng: np.random.Generator) -> Rgbs:
    """A white strip with a line of letters, (16, 32, 3)."""
    image = np.full((16, 32, 3), 244.0)
    image[:2] = image[-2:] = (30.0, 120.0, 90.0)
    for x in range(4, 28, 3):
        if rng.random() < 0.85:
            image[5:11, x : x + 2] = 36.0
    return _bytes(image)


def basket(rng: np.random.Generator, colour: Rgb) -> Rgbs:
    """A shopping basket's plastic mesh, (32, 32, 3): dark slots between bars."""
    y, x = np.mgrid[0:32, 0:32]
    image = solid(rng, colour, 32, 5.0).astype(np.float64)
    slot = (x % 4 < 2) & (y % 16 > 3)
    image[slot] *= 0.42
    return _bytes(image)
