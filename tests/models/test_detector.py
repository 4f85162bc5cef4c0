"""The detectors that ship, through the runner that production uses."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest

from models.detector import Detector
from models.errors import DigestMismatchError, ManifestError, ModelInputError
from models.manifest import WEIGHTS, load_manifest, save_manifest

SIZES = {"shelf": (540, 960), "ceiling": (360, 640)}


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(5).integers(0, 256, (height, width, 3)).astype(np.uint8)


@pytest.mark.parametrize("name", ["shelf", "ceiling"])
def test_boxes_lie_in_the_frame_best_first(name: str) -> None:
    height, width = SIZES[name]
    found = Detector(name).detect(noise(height, width), score_min=0.0)
    assert len(found.scores) > 0
    assert found.boxes_px.shape == (len(found.scores), 4)
    assert found.boxes_px.dtype == found.scores.dtype == np.float32
    assert found.classes.dtype == np.int32
    assert found.boxes_px.min() >= 0
    assert (found.boxes_px[:, 2] <= width).all()
    assert (found.boxes_px[:, 3] <= height).all()
    assert (np.diff(found.scores) <= 0).all()
    assert set(found.classes.tolist()) <= set(range(len(load_manifest(name).classes)))


def test_only_scores_above_the_least_are_given() -> None:
    detector = Detector("shelf")
    everything = detector.detect(noise(540, 960), score_min=0.0)
    least = float(np.median(everything.scores))
    some = detector.detect(noise(540, 960), score_min=least)
    assert len(some.scores) == int((everything.scores >= least).sum())


def test_a_frame_of_another_size_leaves_no_trace() -> None:
    detector = Detector("shelf")
    first = detector.prepare(noise(540, 960))[0].copy()
    detector.prepare(noise(700, 200))
    assert np.array_equal(detector.prepare(noise(540, 960))[0], first)


def test_the_input_is_rgb_in_0_to_1_with_grey_pads() -> None:
    red = np.zeros((540, 960, 3), np.uint8)
    red[:, :, 0] = 255
    blob, fit = Detector("shelf").prepare(red)
    assert blob.shape == (1, 3, 256, 416)
    assert blob.dtype == np.float32
    assert blob[0, :, 128, 200].tolist() == [1.0, 0.0, 0.0]
    assert np.allclose(blob[0, :, 0, 0], 114 / 255)
    assert fit.pad_top_px == 11


def test_wrong_input_is_refused() -> None:
    with pytest.raises(ModelInputError, match="uint8"):
        Detector("ceiling").detect(np.zeros((360, 640, 3), np.float32))


def test_other_classes_than_the_caller_counts_on_are_refused() -> None:
    with pytest.raises(ManifestError, match="giraffe"):
        Detector("shelf", classes=("giraffe",))
    manifest = load_manifest("shelf")
    assert Detector("shelf", classes=manifest.classes).classes == manifest.classes


def test_a_manifest_with_another_input_is_refused(tmp_path: Path) -> None:
    shutil.copy(WEIGHTS / "shelf.onnx", tmp_path)
    manifest = load_manifest("shelf")
    spec = manifest.input.model_copy(update={"width_px": 640})
    save_manifest(manifest.model_copy(update={"input": spec}), tmp_path / "shelf.json")
    with pytest.raises(ManifestError, match="640"):
        Detector(tmp_path / "shelf.onnx")


def test_changed_weights_are_refused(tmp_path: Path) -> None:
    for file in ("shelf.onnx", "shelf.json"):
        shutil.copy(WEIGHTS / file, tmp_path)
    content = bytearray((tmp_path / "shelf.onnx").read_bytes())
    content[len(content) // 2] ^= 1
    (tmp_path / "shelf.onnx").write_bytes(bytes(content))
    with pytest.raises(DigestMismatchError, match=load_manifest("shelf").sha256):
        Detector(tmp_path / "shelf.onnx")
