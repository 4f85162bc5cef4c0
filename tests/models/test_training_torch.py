"""What needs torch: cropped batches, the networks, and runs that go on after a stop."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from models.change import ChangeClassifier
from models.embedding import Embedder
from models.errors import TrainingError
from models.training.augment import augment_crops, augment_pairs
from models.training.backend import pick_device
from models.training.change import change_scores, temperature_of, train_change
from models.training.dataset import Shard, Split, write_shards
from models.training.detector import crop_batch
from models.training.embedding import calibrate, few_shot, train_embedding
from models.training.fit import FitRecipe
from models.training.networks import build_change, build_embedding, count_parameters


def batch_of(*boxes: tuple[float, float, float, float]) -> dict[str, torch.Tensor]:
    pixels = torch.zeros(1, 3, 100, 100)
    pixels[:, :, 40:60] = 1.0
    return {
        "img": pixels,
        "bboxes": torch.tensor(boxes),
        "cls": torch.arange(len(boxes)).float()[:, None],
        "batch_idx": torch.zeros(len(boxes)),
    }


def test_rows_are_cut_from_the_middle_and_boxes_follow() -> None:
    cut = crop_batch(
        batch_of((0.5, 0.5, 0.2, 0.2), (0.5, 0.05, 0.2, 0.1), (0.5, 0.2, 0.1, 0.1)), 60
    )
    assert cut["img"].shape == (1, 3, 60, 100)
    assert bool((cut["img"][0, 0, 20:40] == 1.0).all())
    assert cut["cls"][:, 0].tolist() == [0.0, 2.0], "the box above the cut is gone"
    expected = torch.tensor([[0.5, 0.5, 0.2, 20 / 60], [0.5, 2.5 / 60, 0.1, 5 / 60]])
    assert torch.allclose(cut["bboxes"], expected, atol=1e-5)


def test_a_batch_that_is_flat_enough_is_left_alone() -> None:
    assert crop_batch(batch_of((0.5, 0.5, 0.2, 0.2)), 100)["img"].shape == (1, 3, 100, 100)


def test_the_networks_are_small_and_answer_in_their_shapes() -> None:
    embedding, change = build_embedding().eval(), build_change().eval()
    assert count_parameters(embedding) < 300_000
    assert count_parameters(change) < 300_000
    with torch.no_grad():
        vectors = embedding(torch.rand(2, 3, 96, 96))
        pair = torch.rand(2, 6, 64, 64)
        there, back = change(pair), change(torch.cat([pair[:, 3:], pair[:, :3]], dim=1))
    assert torch.allclose(vectors.norm(dim=1), torch.ones(2), atol=1e-5)
    assert vectors.shape == (2, 128)
    assert torch.allclose(there[:, [1, 0, 2]], back, atol=1e-5)


def test_augmentation_keeps_shapes_and_range_and_follows_its_seed() -> None:
    crops, pairs = torch.rand(6, 3, 96, 96), torch.rand(6, 6, 64, 64)
    for augment, pixels in ((augment_crops, crops), (augment_pairs, pairs)):
        one = augment(pixels, torch.Generator().manual_seed(3))
        two = augment(pixels, torch.Generator().manual_seed(3))
        other = augment(pixels, torch.Generator().manual_seed(4))
        assert one.shape == pixels.shape
        assert 0.0 <= float(one.min()) <= float(one.max()) <= 1.0
        assert torch.equal(one, two)
        assert not torch.equal(one, other)


COLOURS = np.random.default_rng(1).integers(0, 256, (12, 3, 3, 3)).astype(np.uint8)


def crops_of(seed: int) -> Shard:
    """Chequered cards: six of them trained on, twelve held out."""
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % (6 if seed < 50 else 12)
    cards = np.kron(COLOURS[labels], np.ones((1, 32, 32, 1), np.uint8))
    shade = rng.uniform(0.8, 1.0, (24, 1, 1, 1))
    return {
        "rgb": (cards * shade).astype(np.uint8),
        "label": labels.astype(np.int64),
        "group": (labels >= 6).astype(np.int64),
    }


def pairs_of(seed: int) -> Shard:
    """A light square that goes, comes or stays."""
    rng = np.random.default_rng(seed)
    labels = np.arange(24) % 3
    empty = np.full((24, 64, 64, 3), 80, np.uint8)
    full = empty.copy()
    full[:, 16:48, 16:48] = rng.integers(150, 256, (24, 1, 1, 3))
    here = np.where(rng.random((24, 1, 1, 1)) < 0.5, empty, full)
    kind = labels[:, None, None, None]
    before = np.where(kind == 0, full, np.where(kind == 1, empty, here))
    after = np.where(kind == 0, empty, np.where(kind == 1, full, here))
    return {"before": before, "after": after, "label": labels.astype(np.int64)}


RECIPE = FitRecipe(epochs=2, batch=12)


def test_an_embedding_is_trained_exported_and_described(tmp_path: Path) -> None:
    write_shards(tmp_path / "crops", crops_of, Split(range(2), range(50, 60)))
    manifest = train_embedding(
        tmp_path / "crops", tmp_path / "run", tmp_path / "embedding.onnx",
        recipe=RECIPE, source="cards", groups=("old", "new"),
    )  # fmt: skip
    assert manifest.pictures == 48
    assert manifest.score("top1", "old") is not None
    assert manifest.score("top1", "new") is not None
    assert manifest.torch_onnx_max_difference["vector"] < 1e-3
    assert manifest.calibration["temperature"] > 0
    assert Embedder(tmp_path / "embedding.onnx").manifest == manifest
    assert str(tmp_path).encode() not in (tmp_path / "embedding.onnx").read_bytes()


def test_a_stopped_run_is_taken_up_and_a_finished_one_is_not_repeated(tmp_path: Path) -> None:
    write_shards(tmp_path / "pairs", pairs_of, Split(range(2), range(50, 52)))
    arguments = (tmp_path / "pairs", tmp_path / "run", tmp_path / "change.onnx")
    manifest = train_change(*arguments, recipe=RECIPE, source="squares")
    log = tmp_path / "run" / "log.jsonl"
    epochs = [json.loads(line)["epoch"] for line in log.read_text("utf-8").splitlines()]
    assert epochs == [1, 2]
    again = train_change(*arguments, recipe=RECIPE, source="squares")
    assert len(log.read_text("utf-8").splitlines()) == 2
    assert again.sha256 == manifest.sha256
    assert ChangeClassifier(tmp_path / "change.onnx").manifest.score("accuracy") is not None
    with pytest.raises(TrainingError, match="another recipe"):
        train_change(*arguments, recipe=FitRecipe(epochs=3, batch=12), source="squares")


def test_calibration_tells_known_from_unknown() -> None:
    rng = np.random.default_rng(2)
    centres = np.linalg.qr(rng.normal(size=(128, 10)))[0].T
    labels = np.repeat(np.arange(10), 20)
    vectors = centres[labels] + rng.normal(0, 0.02, (200, 128))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    calibration, likelihood = calibrate(vectors, labels)
    assert 0.1 < calibration["other_cosine"] < 0.95
    assert likelihood > -0.05
    scores = few_shot(vectors, labels, labels // 5, ("a", "b"))
    assert {score.subject: (score.value, score.n) for score in scores} == {
        "all": (1.0, 80), "a": (1.0, 40), "b": (1.0, 40)
    }  # fmt: skip


def test_temperature_cools_what_is_too_sure() -> None:
    rng = np.random.default_rng(3)
    labels = rng.integers(0, 3, 300)
    told = np.where(rng.random(300) < 0.7, labels, rng.integers(0, 3, 300))
    logits = (np.eye(3)[told] * 12.0).astype(np.float32)
    assert temperature_of(logits, labels) > 2.0


def test_shares_right_are_counted_per_class() -> None:
    answers = np.log(np.array([[0.8, 0.1, 0.1], [0.6, 0.3, 0.1], [0.1, 0.1, 0.8]], np.float32))
    scores = {s.subject: s for s in change_scores(answers, np.array([0, 1, 2])) if
              s.metric == "accuracy"}  # fmt: skip
    assert scores["all"].value == pytest.approx(2 / 3, abs=1e-4)
    assert scores["put_back"].value == 0.0
    assert scores["nothing"].n == 1


def test_a_missing_gpu_is_said_plainly() -> None:
    assert pick_device("cpu") == "cpu"
    if not torch.cuda.is_available():
        with pytest.raises(TrainingError, match="--device cpu"):
            pick_device("cuda")
