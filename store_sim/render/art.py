"""Label art with Pillow: brand, name, size, motif, and an EAN-13 barcode with its digits.

The symbol follows ISO/IEC 15420: 95 modules, three guards, left digits of set A or B by the first
digit. GTINs of other lengths are drawn as the EAN-13 of their last thirteen digits, shorter ones
with leading zeros, which is how scanners report them.
"""

from __future__ import annotations

import math
import unicodedata
import zlib
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contracts.ids import gtin_check_digit
from contracts.store_file import Packaging, Product
from store_sim.errors import RenderError
from store_sim.render.emblems import paste_picture

__all__ = ["barcode", "ean13_modules", "label_front", "label_side"]

Rgbs = NDArray[np.uint8]
Rgb = tuple[int, int, int]

QUIET_MODULES = 9
_SPELLED = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "ø": "o",
        "æ": "ae",
    }
)
_SET_A = (
    "0001101", "0011001", "0010011", "0111101", "0100011",
    "0110001", "0101111", "0111011", "0110111", "0001011",
)  # fmt: skip
_PARITY = (
    "AAAAAA", "AABABB", "AABBAB", "AABBBA", "ABAABB",
    "ABBAAB", "ABBBAA", "ABABAB", "ABABBA", "ABBABA",
)  # fmt: skip


def ean13_modules(gtin: str) -> str:
    """The 95 modules of the symbol, "1" is a bar."""
    digits = gtin.zfill(13)[-13:]
    if len(gtin) == 14:
        digits = gtin[1:13] + str(gtin_check_digit(gtin[1:13]))
    if not digits.isdigit() or gtin_check_digit(digits[:-1]) != int(digits[-1]):
        raise RenderError(f"expected a GTIN with a right check digit to draw, got {gtin!r}")
    left = []
    for digit, which in zip(digits[1:7], _PARITY[int(digits[0])], strict=True):
        code = _SET_A[int(digit)]
        if which == "B":
            code = "".join("1" if bit == "0" else "0" for bit in code)[::-1]
        left.append(code)
    right = ["".join("1" if bit == "0" else "0" for bit in _SET_A[int(d)]) for d in digits[7:]]
    return "101" + "".join(left) + "01010" + "".join(right) + "101"


def barcode(gtin: str, module_px: int, height: int) -> Rgbs:
    """The symbol with quiet zones, (height, 113 * module_px, 3) uint8."""
    modules = "0" * QUIET_MODULES + ean13_modules(gtin) + "0" * QUIET_MODULES
    row = np.array([25 if bit == "1" else 250 for bit in modules], np.uint8)
    row = np.repeat(row, module_px)
    image = np.repeat(np.repeat(row[None, :, None], height, 0), 3, 2)
    edge = max(1, height // 14)
    image[:edge] = 250
    image[-edge:] = 250
    return image


@lru_cache(maxsize=64)
def _font(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    return ImageFont.load_default(size)


def _fitted(draw: ImageDraw.ImageDraw, text: str, width: float, size: int) -> int:
    """The largest font size up to `size` at which the text is no wider than `width`."""
    while size > 6 and draw.textlength(text, font=_font(size)) > width:
        size = max(6, int(size * 0.88))
    return size


def _plain(text: str) -> str:
    """The text in letters that the built-in font has: umlauts spelled out, accents dropped."""
    spelled = text.translate(_SPELLED)
    return unicodedata.normalize("NFKD", spelled).encode("ascii", "ignore").decode()


def _contrast(colour: Rgb) -> Rgb:
    bright = 0.3 * colour[0] + 0.59 * colour[1] + 0.11 * colour[2]
    return (24, 24, 28) if bright > 140 else (248, 247, 242)


def _leaf(cx: float, cy: float, turn: float, size: float) -> list[tuple[float, float]]:
    """A pointed leaf about a centre, its tip in the direction `turn`."""
    points = []
    for sign, angles in ((1.0, np.linspace(0, math.pi, 9)), (-1.0, np.linspace(math.pi, 0, 9))):
        for a in angles.tolist():
            along, aside = math.cos(a), 0.4 * sign * math.sin(2 * a)
            x = along * math.cos(turn) - aside * math.sin(turn)
            y = along * math.sin(turn) + aside * math.cos(turn)
            points.append((cx + size * x, cy + size * y))
    return points


def _motif(draw: ImageDraw.ImageDraw, look: Packaging, width: int, height: int, seed: int) -> None:
    """Paints the packaging's motif over the whole of the panel."""
    colour = look.accent_rgb
    rng = np.random.default_rng(seed)
    step = max(6, width // 7)
    if look.motif == "stripes":
        for x in range(-height, width, step * 2):
            draw.polygon(
                [(x, height), (x + step, height), (x + step + height, 0), (x + height, 0)],
                fill=colour,
            )
    elif look.motif == "dots":
        r = step // 3
        for j, y in enumerate(range(0, height + step, step)):
            for x in range(0, width + step, step):
                cx = x + (step // 2 if j % 2 else 0)
                draw.ellipse([cx - r, y - r, cx + r, y + r], fill=colour)
    elif look.motif == "rings":
        for ring in range(step, width + height, 2 * step):
            mx, my = width // 2, int(height * 0.62)
            draw.ellipse(
                [mx - ring, my - ring, mx + ring, my + ring], outline=colour, width=step // 2
            )
    elif look.motif == "leaf":
        for _ in range(7):
            lx, ly = float(rng.integers(0, width)), float(rng.integers(int(height * 0.35), height))
            turn, long = float(rng.uniform(0, math.pi)), float(width * rng.uniform(0.14, 0.30))
            draw.polygon(_leaf(lx, ly, turn, long), fill=colour)
    elif look.motif == "star":
        mid, low, reach = width / 2, height * 0.66, min(width, height) * 0.38
        points = [
            (
                mid + reach * (1.0 if i % 2 == 0 else 0.42) * math.sin(i * math.pi / 5),
                low - reach * (1.0 if i % 2 == 0 else 0.42) * math.cos(i * math.pi / 5),
            )
            for i in range(10)
        ]
        draw.polygon(points, fill=colour)
    elif look.motif == "wave":
        for k in range(3):
            level = height * (0.52 + 0.17 * k)
            xs = range(0, width + 1, 2)
            top = [(x, level + 0.05 * height * math.sin(x * 9.0 / width + 1.7 * k)) for x in xs]
            under = [(x, y + height * 0.08) for x, y in reversed(top)]
            draw.polygon(top + under, fill=colour)
    elif look.motif == "checks":
        for j in range(0, height, step):
            for x in range((j // step % 2) * step, width, 2 * step):
                draw.rectangle([x, j, x + step - 1, j + step - 1], fill=colour)


def _seed(product: Product) -> int:
    return zlib.crc32(f"{product.gtin}|{product.name}".encode())


def label_front(product: Product, width: int, height: int) -> Rgbs:
    """The face a shopper sees: motif, brand on a band, name, size."""
    look = product.packaging
    seed = _seed(product)
    brand, size_text = _plain(product.brand), _plain(product.size_label)
    image = Image.new("RGB", (width, height), look.base_rgb)
    draw = ImageDraw.Draw(image)
    _motif(draw, look, width, height, seed)
    layout = seed % 3
    band_top = int(height * (0.08, 0.30, 0.16)[layout])
    band = int(height * 0.20)
    plate = look.accent_rgb if layout != 2 else _contrast(look.base_rgb)
    if layout == 1:
        draw.rounded_rectangle(
            [width * 0.06, band_top, width * 0.94, band_top + band], band // 3, fill=plate
        )
    else:
        draw.rectangle([0, band_top, width, band_top + band], fill=plate)
    size = _fitted(draw, brand, width * 0.84, int(band * 0.8))
    draw.text((width / 2, band_top + band / 2), brand, _contrast(plate), _font(size), anchor="mm")
    name_top = band_top + band + int(height * 0.04)
    words = _plain(product.name).split()
    lines = [" ".join(words[: (len(words) + 1) // 2]), " ".join(words[(len(words) + 1) // 2 :])]
    lines = [line for line in lines if line]
    ground = look.base_rgb
    tall = int(height * 0.115)
    draw.rectangle(
        [width * 0.08, name_top, width * 0.92, name_top + tall * len(lines) + 2], fill=ground
    )
    for row, line in enumerate(lines):
        size = _fitted(draw, line, width * 0.80, int(tall * 0.9))
        draw.text(
            (width / 2, name_top + tall * (row + 0.5)), line, _contrast(ground), _font(size),
            anchor="mm",
        )  # fmt: skip
    if look.picture is not None:
        top = name_top + tall * len(lines) + 4
        box = (int(width * 0.06), top, int(width * 0.94), int(height * 0.98))
        paste_picture(image, look.picture, box, seed)
        draw.rectangle([width * 0.66, height * 0.9, width, height * 0.985], fill=ground)
    size = _fitted(draw, size_text, width * 0.5, int(height * 0.09))
    draw.text(
        (width * 0.94, height * 0.965), size_text, _contrast(look.base_rgb), _font(size),
        anchor="rs",
    )  # fmt: skip
    return np.asarray(image).copy()


def label_side(product: Product, width: int, height: int, *, module_px: int = 1) -> Rgbs:
    """The face with the small print and the barcode, which needs width >= 113 * module_px."""
    if width < 113 * module_px:
        raise RenderError(
            f"expected a panel of at least {113 * module_px} pixels for a barcode of {module_px} "
            f"pixels a module, got {width}; use a wider panel"
        )
    look = product.packaging
    image = Image.new("RGB", (width, height), look.base_rgb)
    draw = ImageDraw.Draw(image)
    draw.rectangle([0, 0, width, height * 0.14], fill=look.accent_rgb)
    brand = _plain(product.brand)
    size = _fitted(draw, brand, width * 0.8, int(height * 0.10))
    draw.text(
        (width / 2, height * 0.07), brand, _contrast(look.accent_rgb), _font(size),
        anchor="mm",
    )  # fmt: skip
    ink = _contrast(look.base_rgb)
    rng = np.random.default_rng(_seed(product) ^ 0x51DE)
    line = height * 0.19
    while line < height * 0.56:
        x = width * 0.07
        end = width * rng.uniform(0.7, 0.93)
        while x < end:
            long = width * rng.uniform(0.02, 0.09)
            draw.rectangle([x, line, min(end, x + long), line + max(1, height * 0.012)], fill=ink)
            x += long + width * 0.02
        line += max(3.0, height * 0.035)
    panel = np.asarray(image).copy()
    code = barcode(product.gtin, module_px, int(height * 0.32))
    x0 = (width - code.shape[1]) // 2
    y0 = int(height * 0.62)
    panel[y0 : y0 + code.shape[0], x0 : x0 + code.shape[1]] = code
    return panel
