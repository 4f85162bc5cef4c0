"""Comparing looks: light does not count, structure does."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from vision.change import channel_gains, filled, look_at, shift_between, shifted, similarity

FLOOR = 3 * 0.06**2


def _scene(seed: int = 0) -> NDArray[np.float32]:
    rng = np.random.default_rng(seed)
    image = np.full((60, 80, 3), 0.8, np.float32)
    for _ in range(12):
        y, x = rng.integers(5, 45), rng.integers(5, 65)
        image[y : y + 10, x : x + 8] = rng.uniform(0.2, 1.4, 3)
    return image


@pytest.mark.parametrize("gain", [0.6, 0.8, 1.25, 1.5])
@pytest.mark.parametrize("offset", [-0.1, 0.0, 0.2])
def test_gain_and_offset_are_no_change(gain: float, offset: float) -> None:
    scene = look_at(_scene(), 9)
    lit = look_at(_scene() * np.float32(gain) + np.float32(offset), 9)
    assert float(similarity(scene, lit, FLOOR).min()) > 0.7


def test_a_thing_gone_is_a_change_there_and_only_there() -> None:
    before = _scene()
    after = before.copy()
    before[20:40, 30:40] = (1.4, 0.2, 0.2)
    after[18:42, 28:42] = 0.8
    alike = similarity(look_at(before, 9), look_at(after, 9), FLOOR)
    assert float(alike[22:38, 29:32].max()) < 0.5
    assert float(alike[:10].min()) == pytest.approx(1.0, abs=1e-4)


def test_noise_is_no_change() -> None:
    rng = np.random.default_rng(1)
    noisy = [
        look_at(_scene() + rng.normal(0, 0.015, (60, 80, 3)).astype(np.float32), 9)
        for _ in range(2)
    ]
    assert float(similarity(noisy[0], noisy[1], FLOOR).min()) > 0.7


def test_gains_come_back_though_a_third_of_the_picture_changed() -> None:
    scene = _scene()
    image = np.asarray(scene / np.array([0.7, 1.0, 1.3], np.float32), np.float32)
    image[:20] = 0.1
    assert channel_gains(image, scene) == pytest.approx([0.7, 1.0, 1.3], rel=0.05)


def test_a_shift_is_found_and_undone() -> None:
    import cv2

    scene = _scene()
    moved = np.roll(scene, (2, -3), axis=(0, 1))
    window = np.asarray(cv2.createHanningWindow((80, 60), cv2.CV_32F), np.float32)
    dx, dy, response = shift_between(moved.mean(axis=2), scene.mean(axis=2), window)
    assert dx == pytest.approx(-3, abs=0.3)
    assert dy == pytest.approx(2, abs=0.3)
    assert response > 0.3
    back = shifted(moved, -3.0, 2.0)
    assert np.allclose(back[5:-5, 5:-5], scene[5:-5, 5:-5], atol=1e-3)


def test_an_outline_becomes_the_thing() -> None:
    mask = np.zeros((20, 20), np.uint8)
    mask[5:15, 5:15] = 1
    mask[7:13, 7:13] = 0
    assert int(filled(mask).sum()) == 100


def test_a_wrong_image_is_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        look_at(np.zeros((8, 8, 3), np.float64), 3)
