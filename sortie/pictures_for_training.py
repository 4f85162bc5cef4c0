"""The simulator's pictures in the form the training takes them; picklable for worker processes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import numpy as np

from contracts.store_file import Product, load_store_file
from models.training.dataset import LabelledPicture, Shard
from sortie.store_days import View, day_pictures
from sortie.stores import store_path
from sortie.training_plan import DAY_SEED, PICTURES_PER_SEED, TRAIN_SEED, VAL_SEED
from store_sim.pictures import (
    CEILING_CLASSES,
    SHELF_CLASSES,
    Picture,
    ceiling_pictures,
    crop_pictures,
    pair_pictures,
    shelf_pictures,
)
from store_sim.pictures.worlds import random_product
from store_sim.render.views import product_views

__all__ = [
    "CLASSES",
    "CROP_GROUPS",
    "SIZES",
    "View",
    "ceiling",
    "crops",
    "group_of",
    "pairs",
    "shelf",
]

CLASSES: dict[View, tuple[str, ...]] = {"shelf": SHELF_CLASSES, "ceiling": CEILING_CLASSES}
SIZES: dict[View, tuple[int, int]] = {"shelf": (416, 256), "ceiling": (416, 256)}
"""Width and height of each detector's input in pixels."""
CROPS_PER_SEED: Final = 600
PRODUCTS_PER_SEED: Final = 60
VIEWS_PER_PRODUCT: Final = 8
CROP_PX: Final = 96
PAIRS_PER_SEED: Final = 256
CROP_GROUPS: Final = ("invented", "demo")
"""Whose products a crop shows: a seed's own, or the demo store's, which are never trained on."""


def _labelled(picture: Picture) -> LabelledPicture:
    return LabelledPicture(picture.rgb, picture.boxes, picture.classes.astype(np.int32))


def _is_day(seed: int) -> bool:
    return seed % TRAIN_SEED >= DAY_SEED


def group_of(seed: int) -> str:
    """What a seed's pictures show; held-out scores are told apart by it."""
    return "demo store" if _is_day(seed) else "invented stores"


def shelf(seed: int) -> Iterator[LabelledPicture]:
    """The shelf cameras' pictures of one invented store, or of a day in the demo store."""
    if _is_day(seed):
        return day_pictures(seed, "shelf")
    return map(_labelled, shelf_pictures(seed, PICTURES_PER_SEED))


def ceiling(seed: int) -> Iterator[LabelledPicture]:
    """The ceiling cameras' pictures of one invented store, or of a day in the demo store."""
    if _is_day(seed):
        return day_pictures(seed, "ceiling")
    return map(_labelled, ceiling_pictures(seed, PICTURES_PER_SEED))


def _assortment(seed: int) -> list[Product]:
    """Sixty invented products; every third is another flavour of the one before it: the same
    packaging in other colours or with another motif."""
    rng = np.random.default_rng([seed, 0xA550])
    products: list[Product] = []
    for number in range(PRODUCTS_PER_SEED):
        fresh = random_product(rng, seed % 10**6 * 1000 + number)
        if number % 3 == 2:
            base, other = products[-1], fresh.packaging
            flavour: dict[str, object] = {"accent_rgb": other.accent_rgb, "cap_rgb": other.cap_rgb}
            if rng.random() < 0.5:
                flavour = {"motif": other.motif, "base_rgb": other.base_rgb}
            packaging = base.packaging.model_copy(update=flavour)
            name = f"{base.brand} {fresh.name.split(maxsplit=1)[1]}"
            fresh = base.model_copy(
                update={"gtin": fresh.gtin, "name": name, "packaging": packaging}
            )
        products.append(fresh)
    return products


def crops(seed: int) -> Shard:
    """Crops of products as shelf cameras see them, on the shelf and in hands, and views of the
    same products alone, as a gallery is enrolled from.

    Every training seed invents its own products. Of the held-out seeds, even ones show the demo
    store's: its look-alikes are what the embedding is for, and it has never met them.
    """
    held_out = seed >= VAL_SEED
    demo = held_out and (seed - VAL_SEED) % 2 == 0
    products = list(load_store_file(store_path("demo")).products) if demo else _assortment(seed)
    made = [(crop.rgb, crop.label) for crop in crop_pictures(seed, CROPS_PER_SEED, products)]
    if not held_out:
        rng = np.random.default_rng([seed, 0x71E5])
        for label, product in enumerate(products):
            views = product_views(product, rng, VIEWS_PER_PRODUCT, CROP_PX)
            made += [(view, label) for view, _ in views]
    base = 0 if demo else (1 + seed - TRAIN_SEED) * 1000
    group = CROP_GROUPS.index("demo" if demo else "invented")
    return {
        "rgb": np.stack([rgb for rgb, _ in made]),
        "label": np.array([base + label for _, label in made], np.int64),
        "group": np.full(len(made), group, np.int64),
    }


def pairs(seed: int) -> Shard:
    """Pairs of a stretch of shelf before and after something happened there, or did not."""
    made = list(pair_pictures(seed, PAIRS_PER_SEED))
    return {
        "before": np.stack([pair.before for pair in made]),
        "after": np.stack([pair.after for pair in made]),
        "label": np.array([pair.label for pair in made], np.int64),
    }
