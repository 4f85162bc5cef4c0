"""Crops of products for the embedding: on the shelf front and in hands, from a bay's header."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay
from contracts.store_file import Product
from store_sim.pictures.changes import header_camera
from store_sim.pictures.filters import Wear, boxes_of_ids, crop_resized, wear
from store_sim.pictures.people import LOOSE_BASE, crowd_at, random_appearance
from store_sim.pictures.worlds import RandomWorld, random_product, random_world
from store_sim.render.looks import Optics
from store_sim.render.raster import SceneRenderer
from store_sim.scene import ITEM_ID_BASE, ItemPose, Scene

__all__ = ["CROP_PX", "Crop", "crop_pictures"]

Rng = np.random.Generator

CROP_PX = 96
_SLOTS = 2048
_SEEN_PX_MIN = 260
_ROUNDS_A_WORLD = 4
_SHELF_CROPS_A_ROUND = 14
_KINDS_A_WORLD = 10


@dataclass(frozen=True, slots=True)
class Crop:
    """`rgb` (96, 96, 3) uint8 of one product; `label` is its index among the products."""

    rgb: NDArray[np.uint8]
    label: int
    held: bool


def crop_pictures(
    seed: int, count: int, products: Sequence[Product] | None = None
) -> Iterator[Crop]:
    """`count` crops of `products`, or of 60 invented ones; the same for a seed."""
    if products is None:
        drawn = np.random.Generator(np.random.PCG64([seed, 0xC0DE]))
        products = [random_product(drawn, seed % 10**6 * 1000 + k) for k in range(60)]
    label = {product.gtin: k for k, product in enumerate(products)}
    made, chapter = 0, 0
    while made < count:
        rng = np.random.Generator(np.random.PCG64([seed, chapter, 0xC40B]))
        chapter += 1
        order = rng.permutation(len(products))[:_KINDS_A_WORLD]
        world = random_world(rng, [products[int(k)] for k in order])
        bay = world.store.bays[int(rng.integers(len(world.store.bays)))]
        for _ in range(_ROUNDS_A_WORLD):
            for crop in _round(rng, world, bay, label):
                yield crop
                made += 1
                if made == count:
                    return


def _round(rng: Rng, world: RandomWorld, bay: Bay, label: dict[str, int]) -> Iterator[Crop]:
    """One picture of a header camera and the crops in it."""
    camera = header_camera(rng, bay, 960)
    renderer = SceneRenderer(
        world.store, camera, seed=0, light=world.light, model=world.model, optics=Optics(noise=0.0)
    )
    people = [random_appearance(rng) for _ in range(3)]
    crowd = crowd_at(
        rng, world, bay, people, u_centre=bay.width_m / 2, spread_m=0.6, hold=1.0, reach=0.8
    )
    items = world.items()[:_SLOTS]
    rendered = renderer.render(
        Scene(0.0, crowd.bodies, crowd.items, items, 1), hand_rolls=crowd.rolls
    )
    rows = np.empty((2 * _SLOTS, 5), np.int64)
    ids = np.where(rendered.ids < ITEM_ID_BASE, 0, rendered.ids - ITEM_ID_BASE)
    ids = np.where((rendered.ids >= ITEM_ID_BASE) & (ids < _SLOTS - 1), ids + 1, ids)
    boxes_of_ids(ids, LOOSE_BASE, _SLOTS, rows)
    for k, item in enumerate(crowd.items):
        row = rows[_SLOTS + item.item_index - LOOSE_BASE]
        if row[4] >= _SEEN_PX_MIN:
            yield _crop(rng, rendered.rgb, row, label[crowd.items[k].gtin], True)
    shown: list[tuple[ItemPose, NDArray[np.int64]]] = [
        (item, rows[item.item_index + 1])
        for item in items
        if item.item_index < _SLOTS - 1 and rows[item.item_index + 1, 4] >= _SEEN_PX_MIN
    ]
    for pick in rng.permutation(len(shown))[:_SHELF_CROPS_A_ROUND]:
        item, row = shown[int(pick)]
        yield _crop(rng, rendered.rgb, row, label[item.gtin], False)


def _crop(rng: Rng, rgb: NDArray[np.uint8], row: NDArray[np.int64], label: int, held: bool) -> Crop:
    """A square around what is seen, off centre and too wide as boxes are."""
    x0, y0, x1, y1 = (float(v) for v in row[:4])
    side = max(x1 - x0, y1 - y0) * float(rng.uniform(0.92, 1.3))
    cx = (x0 + x1) / 2 + float(rng.normal(0, 0.05)) * side
    cy = (y0 + y1) / 2 + float(rng.normal(0, 0.05)) * side
    box = np.array([cx - side / 2, cy - side / 2, cx + side / 2, cy + side / 2])
    crop = np.empty((CROP_PX, CROP_PX, 3), np.uint8)
    crop_resized(rgb, box, crop)
    return Crop(wear(crop, Wear(rng, float(rng.choice([0.3, 0.7]))), rng), label, held)
