"""The drawn labels that the bench measures by: the same again, and read from 2.6 px a module on."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.label_scenes import KINDS, LabelView, draw_scene
from benchmarks.labels import crowded_frame, measure_scenes
from vision.labels import CodeReader


def test_scenes_follow_from_view_and_seed() -> None:
    view = LabelView("qr", 2.6, turn_deg=30, slant_deg=20, glare=0.4)
    one, same, other = draw_scene(view, 5), draw_scene(view, 5), draw_scene(view, 6)
    assert np.array_equal(one.gray, same.gray)
    assert one.text == same.text
    assert one.text != other.text


@pytest.mark.parametrize("kind", KINDS)
def test_corners_are_where_the_code_is(kind: str) -> None:
    scene = draw_scene(LabelView(kind, 4.0, turn_deg=50, slant_deg=30), 3)
    (code,) = CodeReader().read(scene.gray)
    assert code.text == scene.text
    off = np.linalg.norm(code.polygon.mean(axis=0) - scene.polygon.mean(axis=0))
    assert off < 0.1 * np.linalg.norm(scene.polygon[1] - scene.polygon[0])


def test_labels_are_read_in_the_single_frame_and_hidden_ones_never_wrong() -> None:
    found = measure_scenes(seeds=range(3), module_px=(2.6,))["2.6"]
    assert found.keys() == KINDS.keys()
    for kind, hards in found.items():
        for hard, one in hards.items():
            assert one["ours"]["misread"] == 0, (kind, hard)
            assert one["ours"]["read"] >= one["any"]["read"], (kind, hard)
            wanted = 0 if hard == "half hidden" else 3
            assert one["ours"]["read"] == wanted, (kind, hard)


def test_a_crowded_frame_is_read_whole() -> None:
    frame, texts = crowded_frame()
    assert len(texts) == 24
    assert {code.text for code in CodeReader().read(frame)} == texts
