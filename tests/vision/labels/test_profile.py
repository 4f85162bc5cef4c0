"""Profiles of light: read where edges are gone, and nothing made up."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision.labels.prints import printed
from vision.labels.profile import OWN_FORMATS, convincing, read_profile

Floats = NDArray[np.float64]


def _light(
    kind: str, text: str, *, blur: float, noise: float = 1.5, bow: float = 0.0
) -> tuple[Floats, tuple[float, float]]:
    """A code's light at 4 samples a module; `bow` moves its middle by so many modules."""
    row = printed(kind, text)[12].astype(np.float64)
    fine = np.repeat(row, 40)
    smooth = cv2.GaussianBlur(fine[None], (0, 0), 40 * blur).ravel() if blur else fine
    count = 4 * len(row)
    share = (np.arange(count) + 0.5) / count
    at = share - 4.0 * bow / len(row) * share * (1.0 - share)
    light = np.interp(at * len(fine), np.arange(len(fine)) + 0.5, smooth)
    light = light * 0.4 + 60.0 + np.random.default_rng(3).normal(0, noise, count)
    return light, (40.0, float(count - 40))


CASES = [
    ("ean13", "9780441014989"), ("ean8", "42191605"), ("upc_e", "01264904"),
    ("code128", "JD014600006281230701"), ("code39", "2/4-8"), ("itf", "2167361334"),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "text"), CASES)
@pytest.mark.parametrize("blur", [0.0, 0.4])
def test_a_profile_is_read_both_ways_round(kind: str, text: str, blur: float) -> None:
    light, span = _light(kind, text, blur=blur)
    for line, turned in ((light, False), (light[::-1].copy(), True)):
        found = read_profile(line, OWN_FORMATS, span=span)
        assert found is not None
        assert (found.format, found.text, found.reversed) == (kind, text, turned)
        assert convincing(found)
        assert sorted((found.begin, found.end)) == pytest.approx([40, len(light) - 40], abs=6)


def test_blur_wider_than_a_module_is_read_by_digits() -> None:
    light, span = _light("ean13", "9780441014989", blur=0.95)
    found = read_profile(light, ("ean13",), span=span)
    assert found is not None
    assert found.text == "9780441014989"


def test_a_code_whose_middle_is_off_is_read() -> None:
    light, span = _light("ean13", "9780441014989", blur=0.4, bow=1.3)
    found = read_profile(light, ("ean13",), span=span)
    assert found is not None
    assert (found.text, convincing(found)) == ("9780441014989", True)


@pytest.mark.parametrize("seed", range(6))
def test_chance_bars_convince_nobody(seed: int) -> None:
    rng = np.random.default_rng(seed)
    widths = rng.integers(1, 4, 59)
    bars = np.repeat(np.arange(59) % 2, widths * 4) * 150.0 + 40.0
    light = np.concatenate([np.full(60, 190.0), bars, np.full(60, 190.0)])
    smooth = cv2.GaussianBlur(light[None], (0, 0), 2.0).ravel()
    span = (60.0, float(len(light) - 60))
    found = read_profile(np.asarray(smooth, np.float64), OWN_FORMATS, span=span)
    assert found is None or not convincing(found)


def test_part_of_a_code_is_no_code() -> None:
    """A stretch of ITF within another begins and ends beside bars, not beside quiet."""
    light, _ = _light("itf", "21673613342167361334", blur=0.3)
    size = len(light)
    for begin, end in ((0.2, 0.9), (0.05, 0.6), (0.3, 0.8)):
        found = read_profile(light, ("itf",), span=(begin * size, end * size))
        whole = "21673613342167361334"
        assert found is None or found.text == whole or not convincing(found)


def test_flat_light_says_nothing() -> None:
    assert read_profile(np.full(400, 120.0), OWN_FORMATS, span=(60.0, 340.0)) is None
