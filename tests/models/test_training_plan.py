"""Which seeds are trained on, and that nothing scored is among them."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from sortie.pictures_for_training import CLASSES, ceiling, shelf
from sortie.training_plan import DAY_SEED, PLANS, TRAIN_SEED, split

REPORTED_SEEDS = range(10_000, 20_000)


@pytest.mark.parametrize("budget", sorted(PLANS))
def test_no_seed_that_is_reported_on_is_trained_on(budget: str) -> None:
    plan = PLANS[budget]
    for part in (plan.shelf, plan.ceiling, plan.crops, plan.pairs):
        assert not set(part.train) & set(part.val)
        assert not (set(part.train) | set(part.val)) & set(REPORTED_SEEDS)


def test_a_larger_dataset_contains_the_smaller() -> None:
    small, large = split(3, 1, 2, 1), split(5, 2, 4, 2)
    assert set(small.train) < set(large.train)
    assert set(small.val) < set(large.val)
    assert TRAIN_SEED + DAY_SEED in set(small.train)


@pytest.mark.parametrize("view", ["shelf", "ceiling"])
def test_pictures_of_a_day_show_people_where_their_boxes_are(view: str) -> None:
    make = shelf if view == "shelf" else ceiling
    pictures = list(itertools.islice(make(TRAIN_SEED + DAY_SEED), 3))
    again = next(iter(make(TRAIN_SEED + DAY_SEED)))
    assert np.array_equal(pictures[0].rgb, again.rgb), "a seed gives the same picture each time"
    boxes = np.concatenate([picture.boxes_px for picture in pictures])
    classes = np.concatenate([picture.classes for picture in pictures])
    height, width = pictures[0].rgb.shape[:2]
    assert len(boxes) > 0
    assert (boxes[:, 2] > boxes[:, 0]).all()
    assert (boxes[:, 3] > boxes[:, 1]).all()
    assert boxes.min() >= 0
    assert boxes[:, 2].max() <= width
    assert boxes[:, 3].max() <= height
    assert set(classes.tolist()) <= set(
        range(len(CLASSES["shelf" if view == "shelf" else "ceiling"]))
    )
