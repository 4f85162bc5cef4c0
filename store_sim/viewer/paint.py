"""Colours, letters and small shapes of the viewer."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from PIL import Image, ImageDraw, ImageFont

from contracts.store_file import Packaging

__all__ = [
    "ACCENT", "BACK", "FAINT", "INK", "LINE", "PANEL", "QUIET", "Canvas", "Font", "Rgb", "arrow",
    "chip", "dimmed", "fitted", "font", "icon", "polyline", "shopper_rgb", "shrunk",
]  # fmt: skip

Rgb = tuple[int, int, int]
Point = tuple[float, float]
Font = ImageFont.FreeTypeFont | ImageFont.ImageFont
Canvas = ImageDraw.ImageDraw

BACK: Rgb = (16, 20, 26)
PANEL: Rgb = (26, 32, 41)
LINE: Rgb = (52, 62, 76)
FAINT: Rgb = (92, 104, 122)
QUIET: Rgb = (150, 163, 181)
INK: Rgb = (234, 239, 245)
ACCENT: Rgb = (255, 202, 58)

SHOPPERS: tuple[Rgb, ...] = (
    (66, 165, 245), (255, 138, 101), (102, 217, 140), (206, 147, 250), (255, 213, 79),
    (77, 208, 225), (244, 114, 182), (174, 213, 87),
)  # fmt: skip
"""One after another; they come again after the eighth shopper."""


def shopper_rgb(shopper: int) -> Rgb:
    """A shopper's colour."""
    return SHOPPERS[shopper % len(SHOPPERS)]


def dimmed(rgb: Rgb, share: float, towards: Rgb = PANEL) -> Rgb:
    """A colour faded by a share towards another."""
    r, g, b = (round(a + (z - a) * share) for a, z in zip(rgb, towards, strict=True))
    return (r, g, b)


@lru_cache(maxsize=64)
def font(size: int, bold: bool = False) -> Font:
    """DejaVu Sans where the system has it, else the letters that come with Pillow."""
    try:
        return ImageFont.truetype("DejaVuSans-Bold.ttf" if bold else "DejaVuSans.ttf", size)
    except OSError:
        return ImageFont.load_default(size)


def fitted(text: str, letters: Font, width: float) -> str:
    """The text, cut with an ellipsis where it is wider than `width` pixels."""
    if letters.getlength(text) <= width:
        return text
    while text and letters.getlength(text + "…") > width:
        text = text[:-1]
    return text.rstrip() + "…"


def chip(
    canvas: Canvas,
    at: Point,
    text: str,
    rgb: Rgb,
    *,
    size: int = 12,
    ink: Rgb = BACK,
    within: tuple[float, float] | None = None,
    bold: bool = True,
) -> tuple[float, float]:
    """A label on a filled ground with its lower left corner at `at`; returns its width and height.

    `within` is the size of the picture that it is kept inside of.
    """
    letters = font(size, bold)
    width = letters.getlength(text) + 8
    height = size + 6
    x, y = at[0], at[1] - height
    if within is not None:
        x = min(max(0.0, x), max(0.0, within[0] - width))
        y = min(max(0.0, y), max(0.0, within[1] - height))
    canvas.rounded_rectangle((x, y, x + width, y + height), 3, fill=rgb)
    canvas.text((x + 4, y + height / 2), text, font=letters, fill=ink, anchor="lm")
    return width, height


def arrow(canvas: Canvas, tail: Point, head: Point, rgb: Rgb, width: int) -> None:
    """A line with a filled point."""
    dx, dy = head[0] - tail[0], head[1] - tail[1]
    size = max(1e-6, (dx * dx + dy * dy) ** 0.5)
    dx, dy = dx / size, dy / size
    wing = 2.2 * width
    neck = (head[0] - dx * 2 * wing, head[1] - dy * 2 * wing)
    canvas.line((tail, neck), fill=rgb, width=width)
    left = (neck[0] - dy * wing, neck[1] + dx * wing)
    right = (neck[0] + dy * wing, neck[1] - dx * wing)
    canvas.polygon((head, left, right), fill=rgb)


def icon(canvas: Canvas, at: Point, height: float, look: Packaging, edge: Rgb = INK) -> None:
    """A small sign of a product, its middle at `at`: its proportions and its colours."""
    share = look.width_m / look.height_m
    h = height if share <= 1.0 else height / share
    w = max(h * share, 0.36 * height)
    x0, y0, x1, y1 = at[0] - w / 2, at[1] - h / 2, at[0] + w / 2, at[1] + h / 2
    body, band = look.base_rgb, look.accent_rgb
    round_px = min(w, h) * (0.12 if look.shape == "box" else 0.3)
    top = y0 + (0.26 * h if look.shape == "bottle" else 0.0)
    if look.shape == "bottle":
        neck = 0.2 * w
        canvas.rectangle((at[0] - neck, y0, at[0] + neck, top + round_px), fill=edge)
        canvas.rectangle(
            (at[0] - neck + 1, y0 + 1, at[0] + neck - 1, top + round_px), fill=look.cap_rgb or band
        )
    canvas.rounded_rectangle((x0, top, x1, y1), round_px, fill=body, outline=edge)
    middle, tall = (top + y1) / 2, 0.34 * (y1 - top)
    canvas.rectangle((x0 + 1, middle - tall / 2, x1 - 1, middle + tall / 2), fill=band)


def polyline(canvas: Canvas, points: Sequence[Point], rgb: Rgb, width: int) -> None:
    """A line through points; nothing for fewer than two."""
    if len(points) > 1:
        canvas.line(list(points), fill=rgb, width=width, joint="curve")


def shrunk(image: Image.Image, by: int) -> Image.Image:
    """A picture drawn larger than it is shown, so that its edges are smooth."""
    return image.reduce(by)
