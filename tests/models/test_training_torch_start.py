"""Training that begins with shipped weights: the network must answer as the export does."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch

from models.detector import Detector
from models.errors import TrainingError
from models.manifest import WEIGHTS
from models.training.backend import load_ultralytics
from models.training.dataset import LabelledPicture, Split, write_pictures
from models.training.detector import fresh_model

CLASSES = ("head", "person", "hand")


def noise(seed: int) -> list[LabelledPicture]:
    """Pictures that are all colours of everything."""
    rng = np.random.default_rng(seed)
    pictures = []
    for _ in range(4):
        coarse = rng.integers(0, 256, (16, 26, 3), dtype=np.uint8)
        rgb = np.repeat(np.repeat(coarse, 16, axis=0), 16, axis=1)
        boxes = np.array([[10, 10, 60, 60]], np.float32)
        pictures.append(LabelledPicture(rgb, boxes, np.zeros(1, np.int32)))
    return pictures


def test_loaded_weights_answer_as_the_export_does(tmp_path: Path) -> None:
    ultralytics = load_ultralytics(tmp_path / "ultralytics")
    dataset = write_pictures(
        tmp_path / "data", noise, Split((1, 2), (3,)), per_seed=4, classes=CLASSES,
        width_px=416, height_px=256,
    )  # fmt: skip
    model = fresh_model(ultralytics, dataset, tmp_path, WEIGHTS / "ceiling.onnx")
    detector = Detector("ceiling")
    spec = detector.manifest.input
    blob = np.random.default_rng(5).random((1, 3, spec.height_px, spec.width_px), np.float32)
    network = model.model.float().eval()
    network.end2end = True
    with torch.no_grad():
        answer = network(torch.from_numpy(blob))
    rows = (answer[0] if isinstance(answer, tuple) else answer)[0].numpy()
    exported = detector.infer(blob)
    assert np.allclose(rows[:20, 4], exported[:20, 4], atol=1e-3)
    norm = next(one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d))
    assert float(norm.running_var.std()) > 0.0, "statistics are those of real activations"


def test_weights_of_other_classes_are_refused(tmp_path: Path) -> None:
    ultralytics = load_ultralytics(tmp_path / "ultralytics")
    dataset = write_pictures(
        tmp_path / "data", noise, Split((1,), (3,)), per_seed=4, classes=CLASSES[:2],
        width_px=416, height_px=256,
    )  # fmt: skip
    with pytest.raises(TrainingError, match="no fitting weights"):
        fresh_model(ultralytics, dataset, tmp_path, WEIGHTS / "ceiling.onnx")
