"""Codes of bars that hang slanted: the place of all bars, from the line that an engine read."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.label_scenes import LabelView, draw_scene
from vision.labels import CodeReader, read_codes
from vision.labels.code import Points
from vision.labels.engines import read_zxing
from vision.labels.extent import part_of, whole_bars


def off_px(found: Points, truth: Points) -> float:
    """How far the corner that is farthest off is off."""
    return float(np.linalg.norm(found - truth, axis=1).max())


@pytest.mark.parametrize("turn_deg", [5, 10, 100, 190, 260, 350])
@pytest.mark.parametrize("slant_deg", [0, 30])
def test_of_slanted_bars_all_are_found(turn_deg: float, slant_deg: float) -> None:
    """An engine's level lines cross them all, and know hardly anything of their height."""
    scene = draw_scene(LabelView("code128", 4.0, turn_deg=turn_deg, slant_deg=slant_deg), 3)
    (line,) = read_zxing(scene.gray, ("code128",))
    assert off_px(line.polygon, scene.polygon) > 30
    assert off_px(whole_bars(scene.gray, line.polygon), scene.polygon) < 7
    for codes in (CodeReader().read(scene.gray), read_codes(scene.gray)):
        assert [off_px(code.polygon, scene.polygon) < 10 for code in codes] == [True]


@pytest.mark.parametrize("turn_deg", [0, 90, 180])
def test_upright_bars_are_where_they_were_read(turn_deg: float) -> None:
    scene = draw_scene(LabelView("code128", 4.0, turn_deg=turn_deg), 3)
    (line,) = read_zxing(scene.gray, ("code128",))
    assert off_px(whole_bars(scene.gray, line.polygon), scene.polygon) < 2


@pytest.mark.parametrize("kind", ["bare", "noise", "small", "edge"])
def test_where_no_bars_are_the_line_stays(kind: str) -> None:
    line = np.array([(20, 50), (120, 50), (120, 52), (20, 52)], np.float32)
    picture: NDArray[np.uint8] = np.full((100, 140), 120, np.uint8)
    if kind == "noise":
        picture = np.random.default_rng(1).integers(0, 255, (100, 140)).astype(np.uint8)
    elif kind == "small":
        line = line * np.float32(0.1)
    elif kind == "edge":
        picture[51:] = 20
    assert np.array_equal(whole_bars(picture, line), line)


def test_a_hand_before_one_end_leaves_it_as_it_was_read() -> None:
    """The other end alone does not say how high the whole is."""
    scene = draw_scene(LabelView("code128", 4.0, turn_deg=10), 3)
    (line,) = read_zxing(scene.gray, ("code128",))
    begin = (line.polygon[0] + line.polygon[3]) / 2
    hidden = scene.gray.copy()
    y, x = np.mgrid[0 : hidden.shape[0], 0 : hidden.shape[1]]
    near = np.hypot(x - begin[0], y - begin[1]) < 160
    hidden[near & (np.abs(y - begin[1]) > 6)] = 90
    assert np.array_equal(whole_bars(hidden, line.polygon), line.polygon)


def test_a_part_lies_in_the_whole_and_is_clearly_less() -> None:
    whole = np.array([(0, 0), (100, 0), (100, 40), (0, 40)], np.float32)
    assert part_of(whole * np.array([1, 0.4], np.float32), whole)
    assert not part_of(whole * np.array([1, 0.8], np.float32), whole)
    assert not part_of(whole * np.array([1, 0.4], np.float32) + np.float32(60), whole)
    assert not part_of(whole, whole)
    along_its_edge = np.array([[-2, -3], [202, 4], [202, 5], [-2, -2]], np.float32)
    assert part_of(along_its_edge, np.array([[0, 0], [200, 0], [200, 60], [0, 60]], np.float32))
