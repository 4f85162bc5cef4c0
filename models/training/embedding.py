"""Training the product embedding, and fitting how its cosines become likelihoods.

Cosine-margin loss: Wang et al., CosFace, CVPR 2018. Calibration: two numbers, the temperature and
the cosine that stands for "none of these", by the least negative log-likelihood on held-out crops.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.embedding import Embedder
from models.errors import TrainingError
from models.manifest import InputSpec, Manifest, Score
from models.training.augment import augment_crops
from models.training.backend import device_name, load_torch, pick_device
from models.training.dataset import load_shards
from models.training.export import compare_arrays, export_network, write_manifest
from models.training.fit import FitRecipe, fit, run_batches
from models.training.networks import EMBEDDING_SIZE, build_embedding, count_parameters

__all__ = ["calibrate", "few_shot", "train_embedding"]

SIDE_PX = 96
VIEWS_ENROLLED = 12
"""Held-out crops of each product that play the gallery; the others are the questions."""


def _enrol(
    vectors: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[NDArray[np.float64], NDArray[np.int64], NDArray[np.int64]]:
    """Best cosine of every question against every product (Q, P), with the true product's label
    of each question (Q,) and the product labels (P,)."""
    products = np.unique(labels)
    gallery = [np.flatnonzero(labels == product)[:VIEWS_ENROLLED] for product in products]
    asked = np.setdiff1d(np.arange(len(labels)), np.concatenate(gallery))
    cosines = np.stack([(vectors[asked] @ vectors[rows].T).max(axis=1) for rows in gallery], axis=1)
    return cosines.astype(np.float64), labels[asked], products


def few_shot(
    vectors: NDArray[np.float32],
    labels: NDArray[np.int64],
    groups: NDArray[np.int64],
    names: Sequence[str],
) -> tuple[Score, ...]:
    """Top-1 among the held-out products of each group, and over all groups together."""
    scores, right_all, count_all = [], 0.0, 0
    for group, name in enumerate(names):
        mine = groups == group
        if not mine.any():
            continue
        cosines, truth, products = _enrol(vectors[mine], labels[mine])
        right = products[cosines.argmax(axis=1)] == truth
        value = round(float(right.mean()), 4)
        scores.append(Score(metric="top1", subject=name, value=value, n=len(right)))
        right_all += float(right.sum())
        count_all += len(right)
    value = round(right_all / max(count_all, 1), 4)
    return (Score(metric="top1", subject="all", value=value, n=count_all), *scores)


def calibrate(
    vectors: NDArray[np.float32], labels: NDArray[np.int64]
) -> tuple[dict[str, float], float]:
    """Temperature and other_cosine that fit best, and the mean log-likelihood they reach.

    Every second product is left out of the gallery in turn, so that half the questions are
    about something not enrolled.
    """
    cosines, truth, products = _enrol(vectors, labels)
    if len(products) < 4:
        raise TrainingError(f"expected at least 4 held-out products, got {len(products)}")
    best = (-np.inf, 0.0, 0.0)
    grid = itertools.product(np.geomspace(0.01, 0.3, 18), np.linspace(0.1, 1.3, 49))
    for temperature, other in grid:
        total = 0.0
        for kept in (slice(0, None, 2), slice(1, None, 2)):
            logits = np.column_stack([cosines[:, kept], np.full(len(truth), other)]) / temperature
            top = logits.max(axis=1, keepdims=True)
            logp = logits - top - np.log(np.exp(logits - top).sum(axis=1, keepdims=True))
            column = {int(label): index for index, label in enumerate(products[kept])}
            answer = np.array([column.get(int(label), len(column)) for label in truth])
            total += float(logp[np.arange(len(truth)), answer].mean()) / 2
        best = max(best, (total, float(temperature), float(other)))
    return {"temperature": round(best[1], 4), "other_cosine": round(best[2], 4)}, best[0]


def _margin_loss(vectors: Any, centres: Any, classes: Any, sharpness: float, margin: float) -> Any:
    torch = load_torch()
    directions = torch.nn.functional.normalize(centres, dim=1)
    cosines = vectors @ directions.T
    held = torch.nn.functional.one_hot(classes, len(centres)).float() * margin
    return torch.nn.functional.cross_entropy((cosines - held) * sharpness, classes)


def train_embedding(
    shards: Path,
    out: Path,
    weights: Path,
    *,
    recipe: FitRecipe,
    source: str,
    groups: Sequence[str],
    device: str = "cpu",
    threads: int = 1,
) -> Manifest:
    """Train on shards of `rgb` (N, 96, 96, 3) uint8 and `label` (N,) int64, export, score.

    Held-out shards hold other products, as a shop will; their `group` (N,) int64 counts `groups`,
    each of which is scored as one assortment.
    """
    torch = load_torch(threads)
    target = pick_device(device)
    torch.manual_seed(recipe.seed)
    data = load_shards(shards, "train")
    seen, classes = np.unique(data["label"], return_inverse=True)
    network = build_embedding().to(target, memory_format=torch.channels_last)
    centres = torch.nn.Linear(EMBEDDING_SIZE, len(seen), bias=False).to(target)
    pixels = torch.from_numpy(data["rgb"])
    wanted = torch.from_numpy(classes.astype(np.int64))

    def loss_of(rows: NDArray[np.int64], done: float, generator: Any) -> Any:
        batch = pixels[rows].to(target).permute(0, 3, 1, 2).float() / 255.0
        pixels_now = augment_crops(batch, generator)
        vectors = network(pixels_now.contiguous(memory_format=torch.channels_last))
        # The margin grows over the first third: from random weights a full one learns nothing.
        margin = recipe.margin * min(1.0, done * 3.0)
        return _margin_loss(
            vectors, centres.weight, wanted[rows].to(target), recipe.sharpness, margin
        )

    fit({"network": network, "centres": centres}, loss_of, len(pixels), out, recipe, target)
    held = load_shards(shards, "val")
    network = network.to("cpu").eval()
    spec = InputSpec(width_px=SIDE_PX, height_px=SIDE_PX)
    export_network(network, spec, weights, output="vector")
    facts: dict[str, Any] = {
        "task": "embed",
        "classes": (),
        "spec": spec,
        "parameters": count_parameters(network),
        "recipe": {"architecture": "depthwise-cnn-96", "products": len(seen), **asdict(recipe)},
        "pictures": len(pixels),
        "trained_on": device_name(target),
        "held_out_on": f"{len(held['label'])} {source} of products not trained on, "
        f"{VIEWS_ENROLLED} views of each enrolled",
        "packages": ("torch", "onnx", "onnxruntime"),
    }
    write_manifest(weights, held_out=(), differences={}, **facts)
    embedder = Embedder(weights)
    vectors = embedder.embed_many(list(held["rgb"]))
    differences = compare_arrays([run_batches(network, held["rgb"], "cpu")], [vectors], "vector")
    calibration, likelihood = calibrate(vectors, held["label"])
    value = round(likelihood, 4)
    fitted = Score(metric="mean_log_likelihood", subject="all", value=value, n=len(vectors))
    return write_manifest(
        weights,
        held_out=(*few_shot(vectors, held["label"], held["group"], groups), fitted),
        differences=differences,
        calibration=calibration,
        **facts,
    )
