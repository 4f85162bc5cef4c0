"""Training pictures: repeatable, boxes that match what is seen, labels that mean what they say."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from store_sim.pictures import (
    CEILING_CLASSES,
    PAIR_CLASSES,
    SHELF_CLASSES,
    ceiling_pictures,
    crop_pictures,
    pair_pictures,
    picture_boxes,
    shelf_pictures,
)
from store_sim.pictures.filters import boxes_of_ids, crop_resized
from store_sim.pictures.people import LOOSE_BASE
from store_sim.pictures.worlds import random_product, random_world
from store_sim.render.raster import Rendered
from store_sim.scene import ITEM_ID_BASE, PARTS


def shown(ids: NDArray[np.int32], cover: dict[int, int]) -> Rendered:
    height, width = ids.shape
    return Rendered(
        np.zeros((height, width, 3), np.uint8), ids, np.ones((height, width), np.float32), cover
    )


@pytest.mark.parametrize("make", [shelf_pictures, ceiling_pictures])
def test_pictures_repeat_for_a_seed_and_boxes_lie_inside(make) -> None:  # type: ignore[no-untyped-def]
    first, second = list(make(7, 7)), list(make(7, 7))
    classes = SHELF_CLASSES if make is shelf_pictures else CEILING_CLASSES
    assert len(first) == 7
    for a, b in zip(first, second, strict=True):
        assert (a.rgb == b.rgb).all()
        assert (a.boxes == b.boxes).all()
        assert a.rgb.shape == (256, 416, 3)
        assert a.boxes.shape == (len(a.classes), 4)
        assert (a.boxes[:, 2:] > a.boxes[:, :2]).all()
        assert (a.boxes >= 0).all()
        assert (a.boxes <= np.array([416.01, 256.01, 416.01, 256.01])).all()
        assert set(a.classes.tolist()) <= set(range(len(classes)))
    assert sum(len(p.boxes) for p in first) > 0
    other = next(make(8, 1))
    assert (other.rgb != first[0].rgb).any()


def test_a_prefix_does_not_depend_on_the_count() -> None:
    few, more = list(shelf_pictures(5, 2)), list(shelf_pictures(5, 4))
    assert all((a.rgb == b.rgb).all() for a, b in zip(few, more, strict=False))


def test_boxes_are_the_bounds_of_visible_pixels() -> None:
    ids = np.zeros((60, 80), np.int32)
    head, hand = 1 + PARTS.index("head"), 1 + PARTS.index("r_hand")
    item = ITEM_ID_BASE + LOOSE_BASE + 1
    ids[10:20, 30:40] = head
    ids[40:46, 5:13] = hand
    ids[30:40, 50:60] = item
    cover = {head: 100, hand: 100, item: 120}
    boxes, classes = picture_boxes(shown(ids, cover), "shelf", 1)
    assert classes.tolist() == [0, 2, 3]
    assert boxes.tolist() == [[30, 10, 40, 20], [5, 40, 13, 46], [50, 30, 60, 40]]
    boxes, classes = picture_boxes(shown(ids, cover), "ceiling", 1)
    assert classes.tolist() == [0, 2, 1]
    assert boxes[2].tolist() == [5, 10, 40, 46]


def test_what_is_mostly_hidden_or_tiny_has_no_box() -> None:
    ids = np.zeros((60, 80), np.int32)
    head, hand = 1 + PARTS.index("head"), 1 + PARTS.index("l_hand")
    ids[10:20, 30:40] = head
    ids[40:44, 5:11] = hand
    boxes, _ = picture_boxes(shown(ids, {head: 401, hand: 24}), "shelf", 1)
    assert len(boxes) == 0
    boxes, classes = picture_boxes(shown(ids, {head: 399, hand: 24}), "shelf", 1)
    assert classes.tolist() == [0]


def test_bounds_of_ids() -> None:
    ids = np.zeros((10, 12), np.int32)
    ids[2:5, 3:7] = 9
    ids[6, 1] = 5000
    rows = np.empty((2 * 64, 5), np.int64)
    boxes_of_ids(ids, 5000, 64, rows)
    assert rows[9].tolist() == [3, 2, 7, 5, 12]
    assert rows[64].tolist() == [1, 6, 2, 7, 1]


def test_crops_keep_flat_colour_and_place() -> None:
    picture = np.zeros((40, 60, 3), np.uint8)
    picture[:, 30:] = (10, 120, 250)
    out = np.empty((16, 16, 3), np.uint8)
    crop_resized(picture, np.array([20.0, 5.0, 40.0, 25.0]), out)
    assert (out[:, :7] == 0).all()
    assert (out[:, 9:] == (10, 120, 250)).all()


def test_pairs_show_what_their_label_says() -> None:
    pairs = list(pair_pictures(3, 60))
    labels = [pair.label for pair in pairs]
    assert set(labels) == set(range(len(PAIR_CLASSES)))
    assert all(pair.before.shape == pair.after.shape == (64, 64, 3) for pair in pairs)
    again = list(pair_pictures(3, 60))
    assert all((a.after == b.after).all() for a, b in zip(pairs, again, strict=True))

    def change(pair) -> float:  # type: ignore[no-untyped-def]
        """Difference that gain and offset of the channels do not explain."""
        a, b = pair.before.reshape(-1, 3).astype(float), pair.after.reshape(-1, 3).astype(float)
        a, b = (x - x.mean(axis=0) for x in (a, b))
        return 1.0 - float((a * b).sum() / np.sqrt((a * a).sum() * (b * b).sum() + 1.0))

    moved = np.median([change(pair) for pair in pairs if pair.label != 2])
    still = np.median([change(pair) for pair in pairs if pair.label == 2])
    assert moved > still


def test_crops_carry_the_index_of_their_product() -> None:
    rng = np.random.default_rng(2)
    products = [random_product(rng, k) for k in range(5)]
    crops = list(crop_pictures(4, 40, products))
    assert all(crop.rgb.shape == (96, 96, 3) for crop in crops)
    assert {crop.label for crop in crops} <= set(range(5))
    assert len({crop.label for crop in crops}) > 1
    assert any(crop.held for crop in crops)
    assert any(not crop.held for crop in crops)


def test_random_stores_are_valid_and_differ() -> None:
    rng = np.random.default_rng(6)
    products = [random_product(rng, k) for k in range(4)]
    worlds = [random_world(np.random.default_rng(seed), products) for seed in range(12)]
    assert all(world.store.slots for world in worlds)
    assert len({world.store.bays for world in worlds}) == 12
    for world in worlds:
        for place in world.places:
            bay = world.store.bays[place.bay]
            assert 0 <= place.u_m <= bay.width_m
            assert 0 <= place.v_m <= bay.depth_m + 0.1
