"""Training the change classifier on pairs of pictures of one stretch of shelf."""

from __future__ import annotations

from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.change import CHANGE_CLASSES, ChangeClassifier
from models.manifest import InputSpec, Manifest, Score
from models.training.augment import augment_pairs
from models.training.backend import device_name, load_torch, pick_device
from models.training.dataset import load_shards
from models.training.export import compare_arrays, export_network, write_manifest
from models.training.fit import FitRecipe, fit, run_batches
from models.training.networks import build_change, count_parameters

__all__ = ["change_scores", "temperature_of", "train_change"]

SIDE_PX = 64


def _log_softmax(logits: NDArray[np.float64]) -> NDArray[np.float64]:
    top = logits.max(axis=1, keepdims=True)
    return np.asarray(logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True)))


def temperature_of(logits: NDArray[np.float32], labels: NDArray[np.int64]) -> float:
    """The temperature of the best mean log-likelihood (Guo et al., On Calibration, ICML 2017)."""
    rows = np.arange(len(labels))
    fits = [
        (float(_log_softmax(logits.astype(np.float64) / heat)[rows, labels].mean()), float(heat))
        for heat in np.geomspace(0.5, 6.0, 60)
    ]
    return round(max(fits)[1], 4)


def change_scores(
    log_likelihoods: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[Score, ...]:
    """Share right, over all pairs and per class, and the mean log-likelihood of the truth."""
    right = log_likelihoods.argmax(axis=1) == labels
    scores = [
        Score(metric="accuracy", subject="all", value=round(float(right.mean()), 4), n=len(labels))
    ]
    for kind, name in enumerate(CHANGE_CLASSES):
        mine = labels == kind
        if mine.any():
            value = round(float(right[mine].mean()), 4)
            scores.append(Score(metric="accuracy", subject=name, value=value, n=int(mine.sum())))
    truth = log_likelihoods[np.arange(len(labels)), labels]
    value = round(float(truth.mean()), 4)
    scores.append(Score(metric="mean_log_likelihood", subject="all", value=value, n=len(labels)))
    return tuple(scores)


def train_change(
    shards: Path,
    out: Path,
    weights: Path,
    *,
    recipe: FitRecipe,
    source: str,
    device: str = "cpu",
    threads: int = 1,
) -> Manifest:
    """Train on shards of `before`, `after` (N, 64, 64, 3) uint8 and `label` (N,) int64 (indexes
    of CHANGE_CLASSES), export, score."""
    torch = load_torch(threads)
    target = pick_device(device)
    torch.manual_seed(recipe.seed)
    data = load_shards(shards, "train")
    labels = data["label"].astype(np.int64)
    network = build_change().to(target, memory_format=torch.channels_last)
    pixels = torch.from_numpy(np.concatenate([data["before"], data["after"]], axis=3))
    wanted = torch.from_numpy(labels)
    seen = np.bincount(labels, minlength=len(CHANGE_CLASSES))
    # Each class weighs the same, whatever share of the pairs it has: the runner's output is a
    # likelihood, and how often picks happen is the hub's to know.
    weight = torch.from_numpy((len(labels) / (3.0 * np.maximum(seen, 1))).astype(np.float32))

    def loss_of(rows: NDArray[np.int64], done: float, generator: Any) -> Any:
        batch = pixels[rows].to(target).permute(0, 3, 1, 2).float() / 255.0
        pixels_now = augment_pairs(batch, generator)
        logits = network(pixels_now.contiguous(memory_format=torch.channels_last))
        return torch.nn.functional.cross_entropy(
            logits, wanted[rows].to(target), weight=weight.to(target), label_smoothing=0.02
        )

    fit({"network": network}, loss_of, len(pixels), out, recipe, target)
    held = load_shards(shards, "val")
    truth = held["label"].astype(np.int64)
    network = network.to("cpu").eval()
    spec = InputSpec(width_px=SIDE_PX, height_px=SIDE_PX, channels=6, fit="stretch")
    export_network(network, spec, weights, output="logits")
    facts: dict[str, Any] = {
        "task": "change",
        "classes": CHANGE_CLASSES,
        "spec": spec,
        "parameters": count_parameters(network),
        "recipe": {"architecture": "siamese-depthwise-cnn-64", **asdict(recipe)},
        "pictures": len(pixels),
        "trained_on": device_name(target),
        "held_out_on": f"{len(truth)} {source} of seeds not trained on",
        "packages": ("torch", "onnx", "onnxruntime"),
    }
    write_manifest(weights, held_out=(), differences={}, **facts)
    theirs = ChangeClassifier(weights).logits_many(held["before"], held["after"])
    ours = run_batches(network, np.concatenate([held["before"], held["after"]], axis=3), "cpu")
    differences = compare_arrays([ours], [theirs], "logit")
    calibration = {"temperature": temperature_of(theirs, truth)}
    write_manifest(weights, held_out=(), differences=differences, calibration=calibration, **facts)
    answers = ChangeClassifier(weights).classify_many(held["before"], held["after"])
    return write_manifest(
        weights,
        held_out=change_scores(answers, truth),
        differences=differences,
        calibration=calibration,
        **facts,
    )
