"""Product pictures for labels: fruit, fish, biscuits, drawn from ovals and polygons.

Each is painted about a centre in units of its size, y downwards, at four times the resolution
and reduced, so that edges are soft. Colours are those of the thing; a seed varies hue and place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Final

import numpy as np
from PIL import Image, ImageDraw

__all__ = ["PICTURES", "paste_picture"]

Rgb = tuple[int, int, int]
_OVER = 4


class _Brush:
    """Draws in units of `size` about a centre, turned by `turn` radians."""

    def __init__(
        self, draw: ImageDraw.ImageDraw, x: float, y: float, size: float, turn: float = 0.0
    ) -> None:
        self.draw, self.x, self.y, self.size = draw, x, y, size
        self.cos, self.sin = math.cos(turn), math.sin(turn)

    def at(self, x: float, y: float) -> tuple[float, float]:
        return (
            self.x + self.size * (x * self.cos - y * self.sin),
            self.y + self.size * (x * self.sin + y * self.cos),
        )

    def oval(self, x: float, y: float, rx: float, ry: float, fill: Rgb) -> None:
        ring = [2 * math.pi * k / 28 for k in range(28)]
        self.shape([(x + rx * math.cos(a), y + ry * math.sin(a)) for a in ring], fill)

    def shape(self, points: list[tuple[float, float]], fill: Rgb) -> None:
        self.draw.polygon([self.at(*point) for point in points], fill=fill)

    def line(self, points: list[tuple[float, float]], fill: Rgb, width: float) -> None:
        self.draw.line(
            [self.at(*point) for point in points], fill=fill,
            width=max(1, round(width * self.size)), joint="curve",
        )  # fmt: skip

    def ball(self, x: float, y: float, r: float, fill: Rgb, *, flat: float = 1.0) -> None:
        """A round thing with a dark rim, a lit side and a shine."""
        self.oval(x, y, r, r * flat, _mix(fill, (0, 0, 0), 0.35))
        self.oval(x - 0.04 * r, y - 0.05 * r, 0.93 * r, 0.92 * r * flat, fill)
        self.oval(x - 0.18 * r, y - 0.2 * r, 0.6 * r, 0.58 * r * flat,
                  _mix(fill, (255, 255, 255), 0.16))  # fmt: skip
        self.oval(x - 0.36 * r, y - 0.42 * r * flat, 0.17 * r, 0.13 * r,
                  _mix(fill, (255, 255, 255), 0.7))  # fmt: skip

    def leaf(self, x: float, y: float, long: float, turn: float, fill: Rgb) -> None:
        side = [k / 10 for k in range(11)]
        edge = [(long * t, 0.34 * long * math.sin(math.pi * t**0.8)) for t in side]
        ring = edge + [(a, -b) for a, b in reversed(edge)]
        cos, sin = math.cos(turn), math.sin(turn)
        self.shape([(x + a * cos - b * sin, y + a * sin + b * cos) for a, b in ring], fill)
        self.line(
            [(x, y), (x + 0.92 * long * cos, y + 0.92 * long * sin)],
            _mix(fill, (255, 255, 255), 0.4), 0.035,
        )  # fmt: skip


def _mix(a: Rgb, b: Rgb, share: float) -> Rgb:
    red, green, blue = (int(p + (q - p) * share) for p, q in zip(a, b, strict=True))
    return (red, green, blue)


def _fruit(b: _Brush, rng: np.random.Generator) -> None:
    skin: Rgb = ((196, 32, 40), (128, 176, 48), (224, 176, 48))[int(rng.integers(3))]
    for x in (0.26, -0.26):
        b.ball(x, 0.12, 0.56, skin, flat=1.08)
    b.ball(0.0, 0.16, 0.6, skin, flat=1.02)
    b.line([(0.0, -0.38), (0.04, -0.62), (0.14, -0.82)], (92, 62, 36), 0.08)
    b.leaf(0.06, -0.6, 0.6, -0.35, (72, 140, 52))


def _berry(b: _Brush, rng: np.random.Generator) -> None:
    if rng.random() < 0.5:
        for x, y in ((-0.42, 0.3), (0.38, 0.34), (-0.05, -0.12), (-0.02, 0.55), (0.42, -0.28)):
            b.ball(x, y, 0.36, (62, 70, 140))
            b.oval(x, y - 0.05, 0.1, 0.08, (34, 38, 84))
        return
    b.shape([(-0.62, -0.3), (0.0, -0.5), (0.62, -0.3), (0.5, 0.25), (0.0, 0.92), (-0.5, 0.25)],
            (206, 30, 48))  # fmt: skip
    for x, y in ((-0.33, -0.1), (0.0, -0.18), (0.33, -0.1), (-0.2, 0.2), (0.2, 0.2), (0.0, 0.52)):
        b.oval(x, y, 0.045, 0.07, (246, 206, 110))
    for turn in (-2.6, -2.1, -1.57, -1.0, -0.5):
        b.leaf(0.0, -0.42, 0.46, turn, (64, 136, 58))


def _citrus(b: _Brush, rng: np.random.Generator) -> None:
    peel: Rgb = (240, 140, 28) if rng.random() < 0.6 else (240, 208, 52)
    b.ball(-0.22, -0.12, 0.62, peel)
    b.oval(0.3, 0.28, 0.56, 0.56, peel)
    b.oval(0.3, 0.28, 0.5, 0.5, (252, 244, 220))
    for k in range(8):
        a = k * math.pi / 4
        tip = (0.3 + 0.06 * math.cos(a + 0.39), 0.28 + 0.06 * math.sin(a + 0.39))
        rim = [
            (0.3 + 0.45 * math.cos(a + d), 0.28 + 0.45 * math.sin(a + d))
            for d in (0.07, 0.39, 0.71)
        ]
        b.shape([tip, *rim], _mix(peel, (255, 220, 120), 0.25))
    b.leaf(-0.3, -0.68, 0.5, -0.4, (60, 130, 60))


def _tomato(b: _Brush, rng: np.random.Generator) -> None:
    b.ball(0.12, 0.14, 0.7, (214, 44, 34), flat=0.9)
    b.ball(-0.42, 0.36, 0.42, (222, 58, 40), flat=0.92)
    for turn in (-0.2, 0.9, 2.0, 3.2, 4.4):
        b.leaf(0.12, -0.38, 0.34, turn + float(rng.uniform(-0.2, 0.2)), (58, 122, 46))


def _leaves(b: _Brush, rng: np.random.Generator) -> None:
    for k in range(5):
        green: Rgb = ((66, 140, 58), (98, 164, 64), (46, 110, 56))[k % 3]
        turn = -math.pi / 2 + (k - 2) * 0.62 + float(rng.uniform(-0.1, 0.1))
        b.leaf(0.0, 0.72, 1.35 - 0.12 * abs(k - 2), turn, green)


def _wheat(b: _Brush, rng: np.random.Generator) -> None:
    for stalk in (-0.42, 0.0, 0.42):
        b.line([(0.25 * stalk, 0.95), (stalk, -0.1)], (196, 150, 62), 0.05)
        for k in range(5):
            y = -0.1 - 0.17 * k
            x = stalk * (1.0 + 0.12 * k)
            for side in (-1.0, 1.0):
                b.leaf(x, y + 0.1, 0.3, -math.pi / 2 + side * 0.55, (226, 178, 76))
        b.leaf(stalk * 1.6, -0.85, 0.26, -math.pi / 2, (216, 166, 66))
    b.oval(0.0, 0.5, 0.1, 0.06, (168, 60, 52) if rng.random() < 0.5 else (60, 100, 150))


def _biscuit(b: _Brush, rng: np.random.Generator) -> None:
    for x, y, r in ((0.26, 0.22, 0.6), (-0.26, -0.14, 0.64)):
        b.oval(x, y + 0.07, r, r, (120, 76, 36))
        b.oval(x, y, r, r, (206, 156, 92))
        b.oval(x, y, 0.86 * r, 0.86 * r, (220, 174, 110))
        for _ in range(9):
            a, d = float(rng.uniform(0, 6.28)), 0.75 * r * math.sqrt(float(rng.random()))
            b.oval(x + d * math.cos(a), y + d * math.sin(a), 0.075, 0.065, (78, 44, 26))


def _chocolate(b: _Brush, rng: np.random.Generator) -> None:
    dark: Rgb = (74, 42, 28) if rng.random() < 0.6 else (126, 78, 46)
    b.shape([(-0.85, -0.5), (0.85, -0.62), (0.9, 0.5), (-0.8, 0.6)], _mix(dark, (0, 0, 0), 0.35))
    for j in range(3):
        for k in range(4):
            x, y = -0.78 + 0.41 * k, -0.5 + 0.36 * j
            b.shape([(x, y), (x + 0.36, y - 0.02), (x + 0.36, y + 0.29), (x, y + 0.3)], dark)
            b.line([(x + 0.03, y + 0.27), (x + 0.03, y + 0.03), (x + 0.33, y + 0.01)],
                   _mix(dark, (255, 255, 255), 0.3), 0.035)  # fmt: skip


def _beans(b: _Brush, rng: np.random.Generator) -> None:
    brown: Rgb = (92, 56, 34)
    for x, y in ((-0.45, -0.3), (0.4, -0.42), (0.02, 0.12), (-0.5, 0.52), (0.52, 0.44)):
        bean = _Brush(b.draw, *b.at(x, y), b.size * 0.44, float(rng.uniform(0, 3.1)))
        bean.ball(0.0, 0.0, 0.9, brown, flat=0.62)
        curve = [(-0.82, 0.04), (-0.3, 0.12), (0.25, -0.12), (0.82, -0.02)]
        bean.line(curve, (48, 26, 16), 0.13)


def _nuts(b: _Brush, rng: np.random.Generator) -> None:
    for x, y in ((-0.4, 0.25), (0.42, 0.3), (0.02, -0.3)):
        nut = _Brush(b.draw, *b.at(x, y), b.size * 0.5, float(rng.uniform(-0.5, 0.5)))
        nut.ball(0.0, 0.1, 0.8, (176, 116, 62))
        nut.shape([(-0.72, -0.05), (0.0, -0.95), (0.72, -0.05), (0.0, -0.3)], (212, 168, 112))
        nut.line([(0.0, -0.2), (-0.1, 0.8)], (134, 84, 42), 0.06)


def _cow(b: _Brush, rng: np.random.Generator) -> None:
    spot: Rgb = (40, 36, 36) if rng.random() < 0.6 else (128, 74, 40)
    for side in (-1.0, 1.0):
        b.leaf(side * 0.4, -0.28, 0.5, math.pi * (side < 0) - 0.15 * side, (232, 226, 218))
        b.line([(side * 0.28, -0.5), (side * 0.42, -0.8)], (214, 196, 150), 0.1)
    b.oval(0.0, 0.0, 0.5, 0.66, (246, 243, 238))
    b.oval(-0.26, -0.26, 0.24, 0.3, spot)
    b.oval(0.0, 0.5, 0.46, 0.32, (236, 176, 168))
    for side in (-1.0, 1.0):
        b.oval(side * 0.24, -0.14, 0.08, 0.1, (250, 250, 250))
        b.oval(side * 0.24, -0.12, 0.055, 0.075, (24, 22, 24))
        b.oval(side * 0.17, 0.46, 0.06, 0.08, (150, 92, 88))


def _cheese(b: _Brush, rng: np.random.Generator) -> None:
    b.shape([(-0.9, 0.05), (0.75, -0.55), (0.9, -0.1), (0.9, 0.55), (-0.9, 0.6)], (222, 160, 40))
    b.shape([(-0.9, 0.05), (0.75, -0.55), (0.9, -0.1)], (250, 216, 110))
    b.shape([(-0.9, 0.05), (0.9, -0.1), (0.9, 0.55), (-0.9, 0.6)], (242, 190, 66))
    for x, y, r in ((-0.5, 0.34, 0.12), (0.0, 0.2, 0.15), (0.45, 0.36, 0.11), (0.72, 0.1, 0.08)):
        b.oval(x + float(rng.uniform(-0.05, 0.05)), y, r, r * 0.9, (206, 148, 34))


def _eggs(b: _Brush, rng: np.random.Generator) -> None:
    shell: Rgb = (222, 172, 128) if rng.random() < 0.7 else (244, 236, 222)
    b.ball(-0.34, 0.1, 0.5, shell, flat=1.25)
    b.ball(0.36, 0.2, 0.5, _mix(shell, (255, 255, 255), 0.1), flat=1.22)


def _fish(b: _Brush, rng: np.random.Generator) -> None:
    skin: Rgb = ((92, 132, 166), (222, 128, 92), (128, 140, 148))[int(rng.integers(3))]
    turn = [k / 12 for k in range(13)]
    back = [(-0.8 + 1.3 * t, -0.38 * math.sin(math.pi * t)) for t in turn]
    belly = [(x, 0.85 * -y) for x, y in reversed(back)]
    b.shape([(0.38, 0.0), (0.92, -0.42), (0.8, 0.0), (0.92, 0.42)], _mix(skin, (0, 0, 0), 0.25))
    b.shape([(-0.2, -0.3), (0.1, -0.62), (0.24, -0.24)], _mix(skin, (0, 0, 0), 0.2))
    b.shape(back + belly, _mix(skin, (255, 255, 255), 0.45))
    b.shape([*back, (0.5, 0.0), (0.0, -0.04), (-0.8, 0.02)], skin)
    for k in range(4):
        x = -0.28 + 0.17 * k
        b.line([(x, -0.16), (x + 0.05, 0.0), (x, 0.16)], _mix(skin, (0, 0, 0), 0.25), 0.03)
    b.oval(-0.56, -0.08, 0.08, 0.08, (250, 250, 246))
    b.oval(-0.57, -0.08, 0.045, 0.045, (16, 16, 20))


def _drop(b: _Brush, rng: np.random.Generator) -> None:
    blue: Rgb = ((44, 130, 206), (38, 160, 170), (222, 178, 42))[int(rng.integers(3))]
    for x, y, s in ((0.0, 0.1, 0.9), (0.62, -0.35, 0.4), (-0.62, -0.3, 0.32)):
        ring = [2 * math.pi * k / 30 for k in range(30)]
        outline = [
            (x + 0.55 * s * math.sin(a) * math.sin(a / 2) ** 1.4, y - 0.85 * s * math.cos(a))
            for a in ring
        ]
        b.shape(outline, blue)
        b.oval(x - 0.16 * s, y + 0.3 * s, 0.1 * s, 0.17 * s, _mix(blue, (255, 255, 255), 0.65))


def _flower(b: _Brush, rng: np.random.Generator) -> None:
    petal: Rgb = ((250, 250, 246), (236, 120, 160), (154, 118, 200))[int(rng.integers(3))]
    b.leaf(0.0, 0.2, 0.95, 0.9, (74, 138, 66))
    b.leaf(0.0, 0.2, 0.9, 2.3, (90, 152, 72))
    for k in range(9):
        a = 2 * math.pi * k / 9
        b.leaf(0.14 * math.cos(a), -0.14 + 0.14 * math.sin(a), 0.6, a, petal)
    b.ball(0.0, -0.14, 0.24, (240, 186, 44))


PICTURES: Final[dict[str, Callable[[_Brush, np.random.Generator], None]]] = {
    "fruit": _fruit, "berry": _berry, "citrus": _citrus, "tomato": _tomato, "leaf": _leaves,
    "wheat": _wheat, "biscuit": _biscuit, "chocolate": _chocolate, "bean": _beans, "nut": _nuts,
    "cow": _cow, "cheese": _cheese, "egg": _eggs, "fish": _fish, "drop": _drop, "flower": _flower,
}  # fmt: skip
"""By the value of contracts.store_file.Packaging.picture."""


def paste_picture(
    image: Image.Image, picture: str, box: tuple[int, int, int, int], seed: int
) -> None:
    """Paints a picture of PICTURES over a pale oval into `box` (x0, y0, x1, y1) of an image."""
    x0, y0, x1, y1 = box
    width, height = x1 - x0, y1 - y0
    rng = np.random.default_rng(seed)
    large = image.crop(box).resize((width * _OVER, height * _OVER), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    ground: Rgb = ((252, 248, 236), (236, 244, 240), (250, 238, 220))[int(rng.integers(3))]
    mx, my = width * _OVER / 2, height * _OVER / 2
    halo = _Brush(draw, mx, my, _OVER * 0.5)
    if rng.random() < 0.7:
        halo.oval(0.0, 0.0, width * 0.98, height * 0.98, ground)
    size = 0.40 * _OVER * min(width * 0.95, height)
    brush = _Brush(draw, mx, my, size, float(rng.uniform(-0.12, 0.12)))
    PICTURES[picture](brush, rng)
    if width > 1.5 * height and rng.random() < 0.5:
        for side in (-1.0, 1.0):
            aside = mx + side * width * _OVER * 0.30
            PICTURES[picture](_Brush(draw, aside, my + 0.2 * size, size * 0.72, 0.2 * side), rng)
    image.paste(large.reduce(_OVER), (x0, y0))
