"""The motion gate: sleeps through light and noise, wakes on motion, says when it is blind."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from vision.shelf_gate import GateSettings, ShelfGate


def _shelf(seed: int = 0) -> NDArray[np.uint8]:
    rng = np.random.default_rng(seed)
    coarse = rng.integers(40, 210, (27, 48, 3)).astype(np.uint8)
    return np.repeat(np.repeat(coarse, 20, axis=0), 20, axis=1)


def _noisy(rgb: NDArray[np.uint8], rng: np.random.Generator) -> NDArray[np.uint8]:
    return np.clip(rgb + rng.normal(0, 2.5, rgb.shape), 0, 255).astype(np.uint8)


def _asleep() -> tuple[ShelfGate, float, np.random.Generator]:
    gate, rng, t_s = ShelfGate(GateSettings()), np.random.default_rng(5), 0.0
    while t_s < 3.0:
        gate.step(t_s, _noisy(_shelf(), rng))
        t_s += 0.1
    assert not gate.step(t_s, _noisy(_shelf(), rng))
    return gate, t_s + 0.1, rng


def test_an_idle_shelf_lets_it_sleep_even_while_the_light_swings() -> None:
    gate, t_s, rng = _asleep()
    for index in range(40):
        lit = _shelf().astype(np.float32) + 6.0 * np.sin(index / 6)
        assert not gate.step(t_s + index / 10, _noisy(lit.clip(0, 255).astype(np.uint8), rng))
        assert gate.blind is None


def test_a_hand_wakes_it_and_it_stays_awake_a_while() -> None:
    gate, t_s, rng = _asleep()
    hand = _shelf()
    hand[200:330, 300:400] = (205, 160, 140)
    assert gate.step(t_s, _noisy(hand, rng))
    assert gate.step(t_s + 0.5, _noisy(hand, rng))
    assert not gate.step(t_s + 2.0, _noisy(hand, rng))


@pytest.mark.parametrize(
    ("picture", "word"),
    [
        (np.zeros((540, 960, 3), np.uint8), "black"),
        (np.full((540, 960, 3), 90, np.uint8), "covered"),
    ],
)
def test_a_dark_or_covered_lens_is_blind_after_a_while(
    picture: NDArray[np.uint8], word: str
) -> None:
    gate, t_s, rng = _asleep()
    told = []
    for after_s, shown in ((0.0, picture), (2.0, picture), (2.1, _noisy(_shelf(), rng))):
        gate.step(t_s + after_s, shown)
        told.append((gate.dull, (gate.blind or "").split(":")[0]))
    assert told == [(True, ""), (True, word), (False, "")]


def _torch() -> NDArray[np.uint8]:
    y, x = np.mgrid[0:540, 0:960]
    glow = 420.0 * np.exp(-(((x - 480) / 420) ** 2 + ((y - 270) / 300) ** 2))
    lit: NDArray[np.uint8] = np.clip(0.45 * _shelf() + glow[..., None], 0, 255).astype(np.uint8)
    return lit


@pytest.mark.parametrize(
    "picture",
    [
        np.roll(_shelf(), (190, 330), axis=(0, 1)),
        cv2.GaussianBlur(_shelf(), (0, 0), 32.0),
        _torch(),
        np.clip(0.05 * _shelf(9) + 8.0, 0, 255).astype(np.uint8),
    ],
    ids=["turned", "out of focus", "torch", "cloth with a leak"],
)
def test_a_camera_that_does_not_show_its_shelf_is_blind(picture: NDArray[np.uint8]) -> None:
    gate, t_s, rng = _asleep()
    told = []
    for after_s, shown in ((0.0, picture), (2.0, picture), (2.1, _shelf())):
        gate.step(t_s + after_s, _noisy(shown, rng))
        told.append((gate.dull, gate.blind is not None))
    # Dull at once, so that nothing of the picture becomes a change; blind after a while.
    assert told == [(True, False), (True, True), (False, False)]


def test_a_crowd_before_the_shelf_is_no_cloth() -> None:
    """People hide more than half of the picture, and bring edges of their own."""
    gate, t_s, rng = _asleep()
    crowd = _shelf()
    crowd[180:, 100:900] = _shelf(4)[180:, 100:900]
    for k in range(40):
        gate.step(t_s + k / 10, _noisy(crowd, rng))
        assert not gate.dull
        assert gate.blind is None


def test_lamps_that_go_half_out_are_no_cloth() -> None:
    gate, t_s, rng = _asleep()
    for k in range(40):
        gate.step(t_s + k / 10, _noisy((0.4 * _shelf()).astype(np.uint8), rng))
        assert gate.blind is None


def test_a_frozen_picture_is_blind() -> None:
    gate = ShelfGate(GateSettings())
    for t_s in range(30):
        gate.step(float(t_s), _shelf())
    assert gate.blind is not None
    assert "frozen" in gate.blind
    gate.step(30.0, _shelf(1))
    assert gate.blind is None
