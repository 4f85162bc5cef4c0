"""The gallery of a store: its products enrolled from photos and from drawn views, made once."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import Product, StoreFile
from models.embedding import Embedder, Gallery
from sortie.errors import UsageError
from sortie.photos import product_photos, shrunk
from sortie.vision_cache import cache_folder, code_digest

__all__ = ["store_gallery"]

VIEWS = 24
VIEW_PX = 128
SEED = 20_260
FAR_PX = 56
"""Each photo is enrolled a second time as small as a shelf camera sees a product."""

Rgb = NDArray[np.uint8]


def store_gallery(
    store: StoreFile,
    *,
    folder: Path | None = None,
    drawn: bool = True,
    progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Path:
    """Path of the gallery file of a store's products, enrolled now if it is not there yet.

    A product with `pictures` is enrolled from these, which lie below `folder`, the store file's.
    With `drawn` every product is enrolled from drawn views as well, as a simulated store needs
    it; without, only those that have no picture. UsageError for pictures that cannot be used.
    """
    photos = _photos(store, folder)
    embedder = Embedder()
    products = "\n".join(product.model_dump_json() for product in store.products)
    key = hashlib.sha256(f"{embedder.manifest.sha256}{code_digest()}{drawn}{products}".encode())
    for gtin, pictures in photos.items():
        for rgb in pictures:
            key.update(f"{gtin}{rgb.shape}".encode() + rgb.tobytes())
    path = cache_folder() / "galleries" / f"{key.hexdigest()}.npz"
    if path.exists():
        return path
    views: dict[str, list[Rgb]] = {}
    for number, product in enumerate(store.products):
        seen = [view for rgb in photos.get(product.gtin, []) for view in (rgb, shrunk(rgb, FAR_PX))]
        if drawn or not seen:
            seen += _drawn(product)
        views[product.gtin] = seen
        progress(number + 1, len(store.products))
    path.parent.mkdir(parents=True, exist_ok=True)
    Gallery.enrol(embedder, views).save(path)
    return path


def _photos(store: StoreFile, folder: Path | None) -> dict[str, list[Rgb]]:
    pictured = [product for product in store.products if product.pictures]
    if pictured and folder is None:
        raise UsageError(
            f"expected the folder of the store file of {store.store_id}, from which the paths of "
            f"pictures count; got none for {pictured[0].pictures[0]}"
        )
    return {product.gtin: product_photos(product, folder or Path()) for product in pictured}


def _drawn(product: Product) -> list[Rgb]:
    # Imported here: compiling the rasteriser takes seconds that photos alone need not wait for.
    from store_sim.render.views import product_views

    rng = np.random.Generator(np.random.PCG64([SEED, int(product.gtin)]))
    return [_tight(rgb, mask) for rgb, mask in product_views(product, rng, VIEWS, VIEW_PX)]


def _tight(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The view cut to what is seen of the product, with a little of its surroundings."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = 3
    y0, y1 = max(0, rows[0] - margin), rows[-1] + 1 + margin
    x0, x1 = max(0, columns[0] - margin), columns[-1] + 1 + margin
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])
