"""Photos of products for enrolling: any size, turned by EXIF, cut out or on a plain background.

    crop = read_photo(Path("photos/tea-front.jpg"))     # (H, W, 3) RGB uint8, cut to the product

A cut-out picture (PNG with transparency) is cut to what is opaque and put on grey; a picture on a
plain background is cut to what differs from it; any other is taken as it is, so it should show
little but the product.
"""

from __future__ import annotations

import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Product, StoreFile
from sortie.errors import UsageError

if TYPE_CHECKING:
    from store_sim.plan import Finding

__all__ = [
    "PHOTO_SIDE_MIN_PX", "photo_faults", "product_photos", "read_photo", "read_picture", "shrunk",
]  # fmt: skip

Rgb = NDArray[np.uint8]

PHOTO_SIDE_MIN_PX = 32
"""A product smaller than this on its photo is not recognised by it."""
PHOTO_PIXELS_MAX = 80_000_000
SIDE_MAX_PX = 512
"""Larger photos are made smaller; the embedding sees far less."""
FORMATS = ("JPEG", "PNG", "WEBP")
GREY, WHITE = 114, 255
OPAQUE_MIN = 64
PLAIN_SD_MAX = 12.0
"""Levels by which a plain background's border may spread (standard deviation)."""
UNLIKE_MIN = 28.0
"""Levels by which a pixel differs from the background to be the product's."""
PRODUCT_SHARE_MIN = 0.02
MARGIN_SHARE = 0.03


def read_photo(path: Path) -> Rgb:
    """The product on a photo, (H, W, 3) RGB uint8, its longer side at most SIDE_MAX_PX.

    UsageError names the file, what was expected and what came.
    """
    rgb, alpha = _decoded(path)
    box = _opaque_box(alpha) if alpha is not None else _plain_box(rgb)
    if alpha is not None:
        if box is None:
            raise UsageError(f"{path}: expected a picture of a product, got a transparent one")
        rgb = _laid_on(rgb, alpha, GREY)
    if box is not None:
        x0, y0, x1, y1 = box
        rgb = rgb[y0:y1, x0:x1]
    if min(rgb.shape[:2]) < PHOTO_SIDE_MIN_PX:
        raise UsageError(
            f"{path}: expected a product of at least {PHOTO_SIDE_MIN_PX} pixels on its shorter "
            f"side, got {rgb.shape[1]} x {rgb.shape[0]}; photograph it from nearer"
        )
    return shrunk(rgb, SIDE_MAX_PX)


def product_photos(product: Product, folder: Path) -> list[Rgb]:
    """The photos of a product, in the order of the store file. UsageError as `read_photo`."""
    return [read_photo(folder / name) for name in product.pictures]


def photo_faults(store: StoreFile, folder: Path) -> tuple[Finding, ...]:
    """An error finding for each picture that cannot be used."""
    # Imported here: reading photos needs nothing of the simulator.
    from store_sim.plan.findings import error

    found = []
    for product in store.products:
        for name in product.pictures:
            try:
                read_photo(folder / name)
            except UsageError as fault:
                found.append(
                    error(
                        "picture", product.gtin, str(fault),
                        f"give {product.name} another picture or take this one out of `pictures`",
                    )
                )  # fmt: skip
    return tuple(found)


def read_picture(path: Path) -> Rgb:
    """A whole picture in its full size, (H, W, 3) RGB uint8, turned as EXIF says; what is
    transparent is white, as paper is. UsageError as `read_photo`."""
    if not path.is_file():
        what = "a folder" if path.is_dir() else "nothing of that name"
        raise UsageError(f"{path}: expected a picture, got {what}; check the path")
    rgb, alpha = _decoded(path, draft_px=None)
    return rgb if alpha is None else _laid_on(rgb, alpha, WHITE)


def _laid_on(rgb: Rgb, alpha: NDArray[np.uint8], level: int) -> Rgb:
    """A picture with transparency on an even ground."""
    share = alpha[..., None].astype(np.float32) / 255.0
    return np.asarray(np.rint(rgb * share + level * (1.0 - share)), np.uint8)


def _decoded(
    path: Path, *, draft_px: int | None = 4 * SIDE_MAX_PX
) -> tuple[Rgb, NDArray[np.uint8] | None]:
    """RGB and, where the picture has transparency, alpha; turned as EXIF says. A picture larger
    than `draft_px` on its longer side may come smaller."""
    from PIL import Image, ImageOps, UnidentifiedImageError

    if not path.is_file():
        raise UsageError(f"{path}: there is no such picture; give a path from the store file on")
    try:
        with warnings.catch_warnings():
            # Pillow warns of large pictures; these are refused below.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            picture = Image.open(path, formats=FORMATS)
        with picture:
            width, height = picture.size
            if width * height > PHOTO_PIXELS_MAX:
                raise _too_large(path, f"{width} x {height}")
            # Decoding straight to a smaller size spares time and memory; JPEG only.
            if draft_px is not None:
                picture.draft("RGB", (draft_px, draft_px))
            upright: Any = ImageOps.exif_transpose(picture)
            if upright.has_transparency_data:
                rgba = np.asarray(upright.convert("RGBA"), np.uint8)
                return np.ascontiguousarray(rgba[..., :3]), np.ascontiguousarray(rgba[..., 3])
            return np.array(upright.convert("RGB"), np.uint8), None
    except UnidentifiedImageError as fault:
        raise UsageError(
            f"{path}: expected a picture as {', '.join(FORMATS)}, got something else"
        ) from fault
    except Image.DecompressionBombError as fault:
        raise _too_large(path, "many more") from fault
    except (OSError, SyntaxError, ValueError) as fault:
        raise UsageError(
            f"{path}: the picture is broken or cut off ({fault}); save it again"
        ) from fault


def _too_large(path: Path, size: str) -> UsageError:
    return UsageError(
        f"{path}: expected at most {PHOTO_PIXELS_MAX // 1_000_000} megapixels, got {size}; "
        "make it smaller"
    )


def _opaque_box(alpha: NDArray[np.uint8]) -> tuple[int, int, int, int] | None:
    return _box(alpha >= OPAQUE_MIN)


def _plain_box(rgb: Rgb) -> tuple[int, int, int, int] | None:
    """The box of what differs from a plain background, None if the background is not plain."""
    edge = max(1, min(rgb.shape[:2]) // 50)
    border = np.concatenate(
        [
            rgb[:edge].reshape(-1, 3), rgb[-edge:].reshape(-1, 3),
            rgb[:, :edge].reshape(-1, 3), rgb[:, -edge:].reshape(-1, 3),
        ]
    ).astype(np.float32)  # fmt: skip
    ground = np.median(border, axis=0)
    # A product that touches the border does not make the rest of it less plain.
    off = np.abs(border - ground).max(axis=1)
    plain = off <= UNLIKE_MIN
    if plain.mean() < 0.75 or float(off[plain].std()) > PLAIN_SD_MAX:
        return None
    unlike = np.abs(rgb.astype(np.float32) - ground).max(axis=2) > UNLIKE_MIN
    if unlike.mean() < PRODUCT_SHARE_MIN:
        return None
    # Dust and JPEG noise are thinner than anything of a product.
    rows = unlike.mean(axis=1) > 0.01
    columns = unlike.mean(axis=0) > 0.01
    return _box(unlike & rows[:, None] & columns[None])


def _box(mask: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if not len(rows) or not len(columns):
        return None
    high, wide = mask.shape
    dx = round(MARGIN_SHARE * (columns[-1] + 1 - columns[0]))
    dy = round(MARGIN_SHARE * (rows[-1] + 1 - rows[0]))
    return (
        max(0, int(columns[0]) - dx), max(0, int(rows[0]) - dy),
        min(wide, int(columns[-1]) + 1 + dx), min(high, int(rows[-1]) + 1 + dy),
    )  # fmt: skip


def shrunk(rgb: Rgb, side_px: int) -> Rgb:
    """The picture (H, W, 3) with its longer side at most `side_px`; never larger."""
    from PIL import Image

    high, wide = rgb.shape[:2]
    share = side_px / max(high, wide)
    if share >= 1.0:
        return np.ascontiguousarray(rgb)
    size = (max(1, round(wide * share)), max(1, round(high * share)))
    smaller = Image.fromarray(rgb).resize(size, Image.Resampling.BOX)
    return np.asarray(smaller, np.uint8).copy()
