"""What a shadow does to a wall, and what things do to it."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vision.wall.shades import gap_px, is_shade

F32 = NDArray[np.float32]


def wall() -> F32:
    """A grey wall with pegs and grain (40, 60, 3)."""
    rng = np.random.default_rng(5)
    picture = np.full((40, 60, 3), 0.5, np.float32) * np.array([0.98, 1.0, 1.03], np.float32)
    picture[::8, ::8] *= 0.6
    picture += rng.normal(0.0, 0.01, picture.shape).astype(np.float32)
    return picture


REGION = np.zeros((40, 60), np.bool_)
REGION[10:30, 15:45] = True


@pytest.mark.parametrize(
    ("light", "shade"),
    [
        ((0.6, 0.6, 0.6), True),
        ((0.75, 0.74, 0.73), True),
        ((0.9, 0.8, 0.7), False),
        ((1.3, 1.3, 1.3), False),
        ((1.0, 1.4, 1.0), False),
        ((0.1, 0.1, 0.1), False),
        ((0.97, 0.97, 0.97), False),
    ],
    ids=["shadow", "soft", "brown", "brighter", "green light", "black", "hardly darker"],
)
def test_a_shadow_takes_as_much_of_every_colour(
    light: tuple[float, float, float], shade: bool
) -> None:
    before = wall()
    now = before.copy()
    now[REGION] *= np.array(light, np.float32)
    assert is_shade(before, now, REGION) is shade


def test_half_of_it_may_only_be_enclosed() -> None:
    before = wall()
    now = before.copy()
    now[12:28, 18:42] *= 0.6
    assert is_shade(before, now, REGION)
    now[20:] = before[20:]
    assert not is_shade(before, now, REGION)


def test_nothing_is_told_of_what_was_dark() -> None:
    before = np.full((40, 60, 3), 0.01, np.float32)
    assert not is_shade(before, before * 0.6, REGION)


def test_boxes_are_apart_along_the_axis_that_parts_them_more() -> None:
    low, top = np.array([20.0, 20.0]), np.array([30.0, 30.0])
    assert gap_px((0, 0, 15, 40), low, top) == 5.0
    assert gap_px((0, 33, 10, 40), low, top) == 10.0
    assert gap_px((25, 25, 50, 50), low, top) == 0.0
