"""What is printed: shipping labels with their symbols, and markers. All arrays are RGBA uint8."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from contracts.wall import LabelPrint
from store_sim.wall.codes import marker_bits, plain_symbol, symbol

__all__ = ["Label", "PrintDials", "label_size_mm", "make_label", "marker_print"]

Pixels = NDArray[np.uint8]

QUIET = {"qr": 4, "code128": 10, "datamatrix": 2}
"""Modules of white that each symbology wants around itself."""
BARS_MM = 26.0
"""How high a Code 128 is printed."""
MARGIN_MM = 3.0
_FIRST = ("Ada", "Bela", "Chidi", "Dana", "Emre", "Freya", "Goran", "Hana", "Ivo", "Jun", "Kofi",
          "Lena", "Mira", "Nils", "Oda", "Pia")  # fmt: skip
_LAST = ("Abend", "Berg", "Cichy", "Duman", "Eklund", "Fabre", "Ganz", "Holm", "Ito", "Jansen",
         "Kaya", "Lindt", "Mohr", "Novak", "Okoro", "Prinz")  # fmt: skip
_STREETS = ("Mill Lane", "Harbour St", "Lindenweg", "Rue du Port", "Kiln Road", "Via Roma",
            "Orchard Way", "Bahnhofstr.")  # fmt: skip
_CARRIERS = (("SWIFTLINE", (206, 44, 36)), ("nordpost", (24, 72, 150)), ("PAKETO", (230, 150, 0)),
             ("greenvan", (34, 120, 60)), ("ECONOMY", (20, 20, 20)))  # fmt: skip


@dataclass(frozen=True, slots=True)
class PrintDials:
    """What is wrong with a print: `fade` 0 (black) to 1 (gone), `specks` share of white specks,
    `streaks` how many thin white lines of a worn print head, `wrinkle_mm` how far paper is pushed
    about, `smudge` 0 to 1."""

    fade: float = 0.0
    specks: float = 0.0
    streaks: int = 0
    wrinkle_mm: float = 0.0
    smudge: float = 0.0


@dataclass(frozen=True, slots=True)
class Label:
    """A print: `pixels` (H, W, 4), its size, and where on it the symbol is, (left, top, right,
    bottom) in millimetres from its top left corner."""

    pixels: Pixels
    width_mm: float
    height_mm: float
    code_mm: tuple[float, float, float, float]


def _code_mm(kind: LabelPrint) -> tuple[float, float]:
    wide = kind.modules * kind.module_mm
    return wide, (BARS_MM if kind.symbology == "code128" else wide)


def label_size_mm(kind: LabelPrint) -> tuple[float, float]:
    """Width and height of the smallest label with this symbol and an address."""
    wide, high = _code_mm(kind)
    quiet = QUIET[kind.symbology] * kind.module_mm
    if kind.symbology == "code128":
        return wide + 2 * quiet + 2, high + 2 * MARGIN_MM + 42
    return max(wide + 2 * quiet + 2, 70.0), high + 2 * quiet + 28


def make_label(
    kind: LabelPrint,
    key: str,
    rng: np.random.Generator,
    dials: PrintDials | None = None,
    *,
    plain: str | None = None,
    bare: bool = False,
) -> Label:
    """Prints a label for the SSCC `key`. `plain`: a symbol of that text instead, which is none of
    GS1's. `bare`: a label without any symbol."""
    dials = dials or PrintDials()
    modules = plain_symbol(kind.symbology, plain) if plain else symbol(kind.symbology, key)
    step = max(3, min(12, round(kind.module_mm / 0.25)))
    per_mm = step / kind.module_mm
    width_mm, height_mm = label_size_mm(kind)
    code_w, code_h = modules.shape[1] * kind.module_mm, _code_mm(kind)[1]
    if kind.symbology != "code128":
        code_h = modules.shape[0] * kind.module_mm
    quiet = QUIET[kind.symbology] * kind.module_mm
    width_mm = max(width_mm, code_w + 2 * quiet + 2)
    sheet = Image.new("RGB", (round(width_mm * per_mm), round(height_mm * per_mm)), (244, 244, 241))
    left, top = (width_mm - code_w) / 2, height_mm - code_h - max(quiet, MARGIN_MM)
    if kind.symbology == "code128":
        top -= 7.0
    _address(sheet, per_mm, top - quiet * (kind.symbology != "code128"), key, rng)
    x0, y0 = round(left * per_mm), round(top * per_mm)
    if not bare:
        black = 26 + int(150 * dials.fade)
        ink = np.where(np.repeat(np.repeat(modules, step, 0), step, 1), black, 244)
        if kind.symbology == "code128":
            ink = np.repeat(ink[:1], round(code_h * per_mm), 0)
        sheet.paste(Image.fromarray(ink.astype(np.uint8)).convert("RGB"), (x0, y0))
        if kind.symbology == "code128":
            _words(sheet, f"(00) {key}", (x0, y0 + code_h * per_mm + per_mm), 4.4 * per_mm)
    pixels = np.dstack([np.asarray(sheet), np.full(sheet.size[::-1], 255, np.uint8)])
    pixels = _worn(pixels, per_mm, rng, dials)
    return Label(pixels, width_mm, height_mm, (left, top, left + code_w, top + code_h))


def _words(
    sheet: Image.Image,
    text: str,
    at: tuple[float, float],
    size: float,
    ink: tuple[int, int, int] = (28, 28, 30),
) -> None:
    font = ImageFont.load_default(size=max(8, round(size)))
    ImageDraw.Draw(sheet).text((round(at[0]), round(at[1])), text, fill=ink, font=font)


def _address(
    sheet: Image.Image, per_mm: float, room_mm: float, key: str, rng: np.random.Generator
) -> None:
    """Carrier, address and sorting code in the `room_mm` above the symbol."""
    carrier, colour = _CARRIERS[int(rng.integers(len(_CARRIERS)))]
    draw = ImageDraw.Draw(sheet)
    width, k = sheet.size[0], per_mm * min(1.0, room_mm / 24.0)
    draw.rectangle((0, 0, width, round(6.5 * k)), fill=colour)
    _words(sheet, carrier, (2.5 * k, 0.4 * k), 5.0 * k, (250, 250, 250))
    name = f"{_FIRST[int(rng.integers(16))]} {_LAST[int(rng.integers(16))]}"
    street = f"{_STREETS[int(rng.integers(8))]} {int(rng.integers(1, 180))}"
    town = f"{int(rng.integers(10000, 99999))} Sampleton"
    for row, (line, size) in enumerate(((name, 4.2), (street, 3.4), (town, 3.4))):
        _words(sheet, line, (2.5 * k, (7.6 + 4.6 * row) * k), size * k)
    sort = f"{chr(65 + int(key[-2]))}{key[-4:-2]}"
    _words(sheet, sort, (width - 22 * k, 8.0 * k), 9.0 * k)
    draw.line(
        (2 * k, 22.4 * k, width - 2 * k, 22.4 * k), fill=(40, 40, 40), width=max(1, round(k * 0.4))
    )


def _worn(pixels: Pixels, per_mm: float, rng: np.random.Generator, dials: PrintDials) -> Pixels:
    """Specks, streaks, smudges and wrinkles of a print."""
    height, width = pixels.shape[:2]
    if dials.specks > 0:
        grain = rng.random((height // 3 + 1, width // 3 + 1)) < dials.specks
        pixels[np.repeat(np.repeat(grain, 3, 0), 3, 1)[:height, :width], :3] = 240
    for _ in range(dials.streaks):
        x = int(rng.integers(width))
        pixels[:, x : x + max(1, round(0.3 * per_mm)), :3] = 238
    if dials.smudge > 0:
        rows, columns = np.mgrid[0:height, 0:width]
        y, x = rng.random() * height, rng.random() * width
        blot = np.exp(-(((rows - y) / (6 * per_mm)) ** 2 + ((columns - x) / (14 * per_mm)) ** 2))
        pixels[..., :3] = (pixels[..., :3] * (1 - 0.55 * dials.smudge * blot[..., None])).astype(
            np.uint8
        )
    if dials.wrinkle_mm > 0:
        pixels = _wrinkled(pixels, per_mm, rng, dials.wrinkle_mm)
    return pixels


def _wrinkled(pixels: Pixels, per_mm: float, rng: np.random.Generator, wrinkle_mm: float) -> Pixels:
    """Paper pushed together: a few waves shift what is printed and shade it."""
    height, width = pixels.shape[:2]
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    shift_x, shift_y, shine = (np.zeros((height, width)) for _ in range(3))
    for _ in range(4):
        angle, length = rng.random() * math.pi, (14 + 30 * rng.random()) * per_mm
        phase = (
            2
            * math.pi
            * ((columns * math.cos(angle) + rows * math.sin(angle)) / length + rng.random())
        )
        size = 0.5 * wrinkle_mm * per_mm * (0.5 + rng.random())
        shift_x += size * math.cos(angle) * np.sin(phase)
        shift_y += size * math.sin(angle) * np.sin(phase)
        shine += 0.05 * wrinkle_mm * np.cos(phase)
    y = np.clip(np.rint(rows + shift_y), 0, height - 1).astype(np.intp)
    x = np.clip(np.rint(columns + shift_x), 0, width - 1).astype(np.intp)
    moved = pixels[y, x].copy()
    moved[..., :3] = np.clip(moved[..., :3] * (1 + shine[..., None]), 0, 255).astype(np.uint8)
    return np.asarray(moved, np.uint8)


def marker_print(marker: int) -> Pixels:
    """A marker with a white border one cell wide, (H, W, 4): 8 by 8 cells of 12 pixels."""
    cells = np.pad(marker_bits(marker), 1)
    ink = np.where(np.repeat(np.repeat(cells, 12, 0), 12, 1), 24, 240).astype(np.uint8)
    return np.dstack([ink, ink, ink, np.full_like(ink, 255)])
