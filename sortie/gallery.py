"""The gallery of a simulated store: its products enrolled from drawn views, made once and kept."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from models.embedding import Embedder, Gallery
from sortie.vision_cache import cache_folder, code_digest

__all__ = ["store_gallery"]

VIEWS = 24
VIEW_PX = 128
SEED = 20_260


def store_gallery(
    store: StoreFile, *, progress: Callable[[int, int], None] = lambda _done, _all: None
) -> Path:
    """Path of the gallery file of a store's products, enrolled now if it is not there yet."""
    embedder = Embedder()
    products = "\n".join(product.model_dump_json() for product in store.products)
    key = hashlib.sha256(f"{embedder.manifest.sha256}{code_digest()}{products}".encode())
    path = cache_folder() / "galleries" / f"{key.hexdigest()}.npz"
    if path.exists():
        return path
    # Imported here: compiling the rasteriser takes seconds that a kept gallery need not wait for.
    from store_sim.render.views import product_views

    views: dict[str, list[NDArray[np.uint8]]] = {}
    for number, product in enumerate(store.products):
        rng = np.random.Generator(np.random.PCG64([SEED, int(product.gtin)]))
        views[product.gtin] = [
            _tight(rgb, mask) for rgb, mask in product_views(product, rng, VIEWS, VIEW_PX)
        ]
        progress(number + 1, len(store.products))
    path.parent.mkdir(parents=True, exist_ok=True)
    Gallery.enrol(embedder, views).save(path)
    return path


def _tight(rgb: NDArray[np.uint8], mask: NDArray[np.bool_]) -> NDArray[np.uint8]:
    """The view cut to what is seen of the product, with a little of its surroundings."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    margin = 3
    y0, y1 = max(0, rows[0] - margin), rows[-1] + 1 + margin
    x0, x1 = max(0, columns[0] - margin), columns[-1] + 1 + margin
    return np.ascontiguousarray(rgb[y0:y1, x0:x1])
