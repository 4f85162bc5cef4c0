"""`sortie models` and `sortie train ship`: what they print, what they refuse, their exit status."""

from __future__ import annotations

import shutil
from pathlib import Path

import numpy as np
import pytest
from typer.testing import CliRunner

from models.errors import ModelNotFoundError, TrainingError
from models.manifest import WEIGHTS, load_manifest, save_manifest
from models.training.dataset import LabelledPicture, Split, write_pictures
from sortie import train
from sortie.models_cli import models_app
from sortie.train import ship_models, train_app

RUNNER = CliRunner()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the smallest shipped model."""
    place = tmp_path / "weights"
    place.mkdir()
    for suffix in ("onnx", "json"):
        shutil.copy(WEIGHTS / f"change.{suffix}", place)
    return place


def test_list_shows_every_model_with_its_score() -> None:
    result = RUNNER.invoke(models_app, ["list"], env={"COLUMNS": "200"})
    assert result.exit_code == 0
    for name in ("shelf", "ceiling", "embedding", "change"):
        assert name in result.output
        assert load_manifest(name).sha256[:12] in result.output
    assert "mAP50" in result.output


def test_verify_accepts_what_ships() -> None:
    result = RUNNER.invoke(models_app, ["verify"])
    assert result.exit_code == 0, result.output
    assert result.output.count(": ok ") == len(list(WEIGHTS.glob("*.json")))


def test_verify_names_a_changed_file_and_fails(folder: Path) -> None:
    content = bytearray((folder / "change.onnx").read_bytes())
    content[100] ^= 1
    (folder / "change.onnx").write_bytes(bytes(content))
    result = RUNNER.invoke(models_app, ["verify", "--folder", str(folder)])
    assert result.exit_code == 1
    assert load_manifest("change").sha256 in result.output
    assert "expected sha256" in result.output


def test_verify_of_an_empty_folder_fails(tmp_path: Path) -> None:
    result = RUNNER.invoke(models_app, ["verify", "--folder", str(tmp_path)])
    assert result.exit_code != 0
    assert isinstance(result.exception, ModelNotFoundError)


def scored(place: Path, value: float, name: str = "change") -> None:
    manifest = load_manifest(place / f"{name}.json")
    held_out = tuple(
        score.model_copy(update={"value": value}) if score.subject == "all" else score
        for score in manifest.held_out
    )
    save_manifest(manifest.model_copy(update={"held_out": held_out}), place / f"{name}.json")


def test_a_better_model_ships_and_a_worse_one_does_not(folder: Path, tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.mkdir()
    scored(folder, 0.5)
    assert "shipped" in ship_models(tmp_path, target)[0]
    assert load_manifest(target / "change.json").score("accuracy") == 0.5
    scored(folder, 0.4)
    assert "kept" in ship_models(tmp_path, target)[0]
    assert load_manifest(target / "change.json").score("accuracy") == 0.5
    assert "shipped" in ship_models(tmp_path, target, force=True)[0]
    assert load_manifest(target / "change.json").score("accuracy") == 0.4


def nowhere(seed: int) -> list[LabelledPicture]:
    """A grey picture in which hands are said to be where there are none."""
    grey = np.full((256, 416, 3), 120, np.uint8)
    boxes = np.array([[40.0, 40.0, 90.0, 90.0]], np.float32)
    return [LabelledPicture(grey, boxes, np.array([2], np.int32))]


def test_detectors_are_compared_on_the_same_pictures(tmp_path: Path) -> None:
    """The figures in manifests may be of pictures that were easier."""
    run, target = tmp_path / "run", tmp_path / "target"
    for place in (run / "weights", target):
        place.mkdir(parents=True)
        for suffix in ("onnx", "json"):
            shutil.copy(WEIGHTS / f"shelf.{suffix}", place)
    scored(run / "weights", 0.01, "shelf")
    assert "kept" in ship_models(run, target)[0], "without pictures the manifests' figures count"
    write_pictures(
        run / "datasets" / "shelf", nowhere, Split((1,), (2,)), per_seed=1,
        classes=load_manifest("shelf").classes, width_px=416, height_px=256,
    )  # fmt: skip
    assert ship_models(run, target) == ["shelf: shipped, mAP50 0.01 (was 0.0)"]


def test_weights_that_grow_too_large_do_not_ship(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(train, "WEIGHTS_BYTES_MAX", 1000)
    target = tmp_path / "target"
    target.mkdir()
    with pytest.raises(TrainingError, match="at most 1,000"):
        ship_models(tmp_path, target)
    assert list(target.iterdir()) == []


def test_a_run_without_models_says_how_to_train(tmp_path: Path) -> None:
    result = RUNNER.invoke(train_app, ["ship", str(tmp_path)])
    assert result.exit_code != 0
    assert isinstance(result.exception, ModelNotFoundError)
    assert "sortie train all" in str(result.exception)


def test_training_names_its_steps() -> None:
    result = RUNNER.invoke(train_app, ["--help"], env={"COLUMNS": "120"})
    for step in ("all", "dataset", "detector", "embedding", "change", "ship"):
        assert step in result.output
