"""What parcels, boards and walls look like: textures (H, W, 4) uint8, 1 or 2 mm a texel."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy import ndimage

from store_sim.wall.parcels import Kind

__all__ = [
    "KRAFT",
    "front_skin",
    "handle_skin",
    "panel_skin",
    "plain_skin",
    "shadow_skin",
    "side_skin",
]

Pixels = NDArray[np.uint8]
Rgb = tuple[int, int, int]
Noise = NDArray[np.float64]

KRAFT: Rgb = (172, 132, 90)
_BRANDS = ("mondo", "KAUFHOF", "zebra & co", "PLANT", "Studio 9", "VELO", "Librairie", "nuvola")
_MARKS: tuple[Rgb, ...] = ((40, 36, 34), (150, 30, 40), (20, 70, 120), (30, 100, 60))


def _noise(rng: np.random.Generator, shape: tuple[int, int], cell: float) -> Noise:
    """Smooth noise of about unit size, its lumps `cell` texels across."""
    rows, columns = (max(2, int(n / cell) + 2) for n in shape)
    coarse = rng.normal(size=(rows, columns))
    zoomed = ndimage.zoom(coarse, (shape[0] / rows, shape[1] / columns), order=1, grid_mode=True,
                          mode="nearest")  # fmt: skip
    return np.asarray(zoomed[: shape[0], : shape[1]])


def _sheet(rng: np.random.Generator, size: tuple[int, int], rgb: Rgb, rough: float) -> Noise:
    """(H, W, 3) of one material: its colour, unevenness and fine grain."""
    width, height = size
    uneven = 1 + 0.02 * _noise(rng, (height, width), 60) + rough * _noise(rng, (height, width), 3)
    return np.asarray(np.array(rgb, np.float64) * uneven[..., None])


def _finish(sheet: Noise, alpha: Pixels | None = None) -> Pixels:
    rgb = np.clip(sheet, 4, 250).astype(np.uint8)
    if alpha is None:
        alpha = np.full(rgb.shape[:2], 255, np.uint8)
    return np.ascontiguousarray(np.dstack([rgb, alpha]))


def plain_skin(rng: np.random.Generator, size_m: tuple[float, float], rgb: Rgb) -> Pixels:
    """One material without anything on it."""
    size = (max(8, round(size_m[0] * 500)), max(8, round(size_m[1] * 500)))
    return _finish(_sheet(rng, size, rgb, 0.012))


def panel_skin(rng: np.random.Generator, size_m: tuple[float, float], rgb: Rgb) -> Pixels:
    """The back of a wall: painted steel with rows of holes."""
    size = (round(size_m[0] * 1000), round(size_m[1] * 1000))
    sheet = _sheet(rng, size, rgb, 0.006)
    rows, columns = np.mgrid[0 : size[1], 0 : size[0]]
    hole = ((rows % 50 - 25) ** 2 + (columns % 50 - 25) ** 2) < 9
    sheet[hole] *= 0.45
    return _finish(sheet)


def front_skin(
    rng: np.random.Generator, kind: Kind, size_m: tuple[float, float], rgb: Rgb
) -> Pixels:
    """The front of a parcel, without its label."""
    size = (round(size_m[0] * 1000), round(size_m[1] * 1000))
    if kind in ("box", "white_box"):
        return _box_front(rng, size, rgb)
    if kind == "envelope":
        return _envelope_front(rng, size, rgb)
    if kind == "mailer":
        return _mailer_front(rng, size, rgb)
    return _bag_front(rng, size, rgb)


def _box_front(rng: np.random.Generator, size: tuple[int, int], rgb: Rgb) -> Pixels:
    sheet = _sheet(rng, size, rgb, 0.012)
    width, height = size
    flutes = 1 + 0.008 * np.sin(np.arange(height) * 2 * np.pi / 7.0)
    sheet *= flutes[:, None, None]
    if rng.random() < 0.6:
        # A strip of tape across, where the flaps meet.
        wide = int(rng.integers(38, 55))
        x = (width - wide) // 2
        tape = np.array((206, 180, 130) if rng.random() < 0.7 else (232, 232, 226), np.float64)
        sheet[:, x : x + wide] = 0.45 * sheet[:, x : x + wide] + 0.55 * tape
    if rng.random() < 0.7:
        _stamp(sheet, rng, size)
    if rng.random() < 0.5:
        _arrows(sheet, rng, size)
    _edges(sheet, 0.72, 3)
    return _finish(sheet)


def _stamp(sheet: Noise, rng: np.random.Generator, size: tuple[int, int]) -> None:
    """A shop's name printed on the material."""
    text = _BRANDS[int(rng.integers(len(_BRANDS)))]
    picture = Image.new("L", size, 0)
    font = ImageFont.load_default(size=max(12, int(min(size) * (0.12 + 0.12 * rng.random()))))
    at = (int(size[0] * 0.06), int(size[1] * rng.choice([0.04, 0.8])))
    ImageDraw.Draw(picture).text(at, text, fill=255, font=font)
    ink = np.array(_MARKS[int(rng.integers(len(_MARKS)))], np.float64)
    share = np.asarray(picture, np.float64)[..., None] / 255 * 0.8
    sheet *= 1 - share
    sheet += share * ink


def _arrows(sheet: Noise, rng: np.random.Generator, size: tuple[int, int]) -> None:
    """This side up."""
    picture = Image.new("L", size, 0)
    draw = ImageDraw.Draw(picture)
    x, y, k = int(size[0] * 0.86), int(size[1] * 0.08), max(8, size[1] // 14)
    for shift in (0, -int(1.4 * k)):
        draw.polygon([(x + shift, y), (x + shift + k, y + k), (x + shift - k, y + k)], fill=255)
        draw.rectangle((x + shift - k // 3, y + k, x + shift + k // 3, y + 2 * k), fill=255)
    share = np.asarray(picture, np.float64)[..., None] / 255 * 0.7
    sheet *= 1 - share
    sheet += share * 40


def _edges(sheet: Noise, dark: float, wide: int) -> None:
    """Worn, darker edges."""
    for k in range(wide):
        value = dark + (1 - dark) * k / wide
        sheet[k, :] *= value
        sheet[-1 - k, :] *= value
        sheet[:, k] *= value
        sheet[:, -1 - k] *= value


def _envelope_front(rng: np.random.Generator, size: tuple[int, int], rgb: Rgb) -> Pixels:
    sheet = _sheet(rng, size, rgb, 0.008)
    width, height = size
    bubbles = 1 + 0.016 * _noise(rng, (height, width), 9)
    sheet *= bubbles[..., None]
    seam = int(height * 0.13)
    if rng.random() < 0.5:
        sheet[seam : seam + 2] *= 0.75
        sheet[seam + 2 : seam + 5] *= 1.06
    if rng.random() < 0.4:
        _stamp(sheet, rng, size)
    _edges(sheet, 0.8, 4)
    return _finish(sheet, _rounded(rng, size, 6, 0.6))


def _mailer_front(rng: np.random.Generator, size: tuple[int, int], rgb: Rgb) -> Pixels:
    """A bag of plastic film: folds that shine, an outline that is not quite straight."""
    width, height = size
    sheet = _sheet(rng, size, rgb, 0.004)
    folds = ndimage.gaussian_filter(rng.normal(size=(height, width)), (18, 7))
    folds = folds / max(1e-9, float(np.abs(folds).max()))
    x, y = np.linspace(-1, 1, width), np.linspace(-1, 1, height)
    pillow = 1.08 - 0.28 * np.abs(x[None, :]) ** 4 - 0.2 * np.abs(y[:, None]) ** 4
    sheet *= (pillow + 0.16 * folds)[..., None]
    sheet += 70 * np.maximum(0.0, folds - 0.55)[..., None]
    if rng.random() < 0.7:
        _stamp(sheet, rng, size)
    return _finish(sheet, _rounded(rng, size, 14, 2.5))


def _bag_front(rng: np.random.Generator, size: tuple[int, int], rgb: Rgb) -> Pixels:
    sheet = _sheet(rng, size, rgb, 0.012)
    width, height = size
    creases = ndimage.gaussian_filter(rng.normal(size=(height, width)), (9, 5))
    sheet *= (1 + 0.06 * creases / max(1e-9, float(np.abs(creases).max())))[..., None]
    fold = int(height * 0.07)
    sheet[fold : fold + 3] *= 0.7
    if rng.random() < 0.8:
        _stamp(sheet, rng, size)
    _edges(sheet, 0.8, 3)
    return _finish(sheet)


def _rounded(rng: np.random.Generator, size: tuple[int, int], radius: float, wave: float) -> Pixels:
    """An outline with round corners whose sides waver by `wave` texels."""
    width, height = size
    x = np.abs(np.arange(width) + 0.5 - width / 2)[None, :]
    y = np.abs(np.arange(height) + 0.5 - height / 2)[:, None]
    in_x = ndimage.gaussian_filter1d(rng.normal(size=height), 14) * wave * 5
    in_y = ndimage.gaussian_filter1d(rng.normal(size=width), 14) * wave * 5
    half_x = width / 2 - 1.5 - np.clip(np.abs(in_x), 0, 2 * wave)[:, None]
    half_y = height / 2 - 1.5 - np.clip(np.abs(in_y), 0, 2 * wave)[None, :]
    dx, dy = np.maximum(0, x - half_x + radius), np.maximum(0, y - half_y + radius)
    return np.where(dx * dx + dy * dy <= radius * radius, 255, 0).astype(np.uint8)


def side_skin(rng: np.random.Generator, kind: Kind, rgb: Rgb) -> Pixels:
    """The other faces of a parcel."""
    sheet = _sheet(rng, (96, 96), rgb, 0.012)
    if kind in ("box", "white_box") and rng.random() < 0.8:
        sheet[:, 40:56] = 0.45 * sheet[:, 40:56] + 0.55 * np.array((206, 180, 130))
    _edges(sheet, 0.8, 2)
    return _finish(sheet)


def handle_skin(rgb: Rgb) -> Pixels:
    """Two cords from the top's middle to the bag: holes elsewhere."""
    width, height = 60, 90
    picture = Image.new("L", (width, height), 0)
    ImageDraw.Draw(picture).line(
        [(6, height), (width // 2, 4), (width - 6, height)], fill=255, width=5
    )
    ink = np.empty((height, width, 3))
    ink[:] = [max(20, c * 0.5) for c in rgb]
    return _finish(ink, np.where(np.asarray(picture) > 100, 255, 0).astype(np.uint8))


def shadow_skin(rgb: Rgb) -> Pixels:
    """The soft shadow under or behind a thing: dark, with ever more holes towards its edges.

    Holes are an ordered dither (Bayer, 1973), fine enough that samples of a pixel average it.
    """
    width, height = 640, 384
    cells = np.zeros((1, 1))
    for _ in range(3):
        cells = np.block([[4 * cells, 4 * cells + 2], [4 * cells + 3, 4 * cells + 1]])
    limit = np.tile((cells + 0.5) / cells.size, (height // 8, width // 8))
    x = np.clip((1 - np.abs(np.linspace(-1, 1, width))) / 0.35, 0, 1)
    y = np.clip((1 - np.abs(np.linspace(-1, 1, height))) / 0.5, 0, 1)
    dark = (x * x * (3 - 2 * x))[None, :] * (y * y * (3 - 2 * y))[:, None]
    ink = np.empty((height, width, 3))
    ink[:] = rgb
    return _finish(ink, np.where(dark > limit, 255, 0).astype(np.uint8))
