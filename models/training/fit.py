"""The loop both small networks share: batches of arrays, AdamW, cosine rate, checkpoints."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.backend import load_torch
from models.training.progress import track

__all__ = ["FitRecipe", "fit", "run_batches"]


@dataclass(frozen=True, slots=True)
class FitRecipe:
    """How a small network is trained. `margin` and `sharpness` are of the cosine-margin loss."""

    epochs: int = 12
    batch: int = 64
    lr: float = 0.003
    weight_decay: float = 0.02
    warmup_share: float = 0.05
    margin: float = 0.2
    sharpness: float = 20.0
    seed: int = 0


def fit(
    modules: dict[str, Any],
    loss_of: Callable[[NDArray[np.int64], float, Any], Any],
    count: int,
    out: Path,
    recipe: FitRecipe,
    device: str,
) -> None:
    """Train `modules` (kept together in the checkpoint) for `recipe.epochs` over `count` samples.

    `loss_of(rows, done, generator)` gives the loss of the samples `rows`; `done` runs from 0 to 1.
    A checkpoint is written after every epoch and a later call goes on from it.
    """
    torch = load_torch()
    out.mkdir(parents=True, exist_ok=True)
    path = out / "last.pt"
    asked = json.dumps(asdict(recipe), sort_keys=True)
    weights = [weight for module in modules.values() for weight in module.parameters()]
    optimiser = torch.optim.AdamW(weights, lr=recipe.lr, weight_decay=recipe.weight_decay)
    first = 0
    if path.exists():
        state = torch.load(path, map_location=device, weights_only=True)
        if state["recipe"] != asked:
            raise TrainingError(
                f"{path} is of another recipe; give another --out or delete it to begin again."
            )
        for name, module in modules.items():
            module.load_state_dict(state["modules"][name])
        optimiser.load_state_dict(state["optimiser"])
        first = int(state["epoch"])
    steps = max(1, count // recipe.batch)
    total = steps * recipe.epochs
    for epoch in range(first, recipe.epochs):
        generator = torch.Generator().manual_seed(recipe.seed * 100_003 + epoch)
        order = torch.randperm(count, generator=generator).numpy()
        began, losses = time.monotonic(), 0.0
        for module in modules.values():
            module.train()
        for step in track(range(steps), steps, f"{out.name} {epoch + 1}/{recipe.epochs}"):
            done = (epoch * steps + step) / total
            rate = min(1.0, done / recipe.warmup_share) * 0.5 * (1.0 + math.cos(math.pi * done))
            for group in optimiser.param_groups:
                group["lr"] = recipe.lr * max(float(rate), 0.01)
            rows = order[step * recipe.batch : (step + 1) * recipe.batch]
            loss = loss_of(rows, done, generator)
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
            losses += float(loss.detach())
        state = {
            "recipe": asked,
            "epoch": epoch + 1,
            "modules": {name: module.state_dict() for name, module in modules.items()},
            "optimiser": optimiser.state_dict(),
        }
        torch.save(state, path.with_suffix(".part"))
        os.replace(path.with_suffix(".part"), path)
        line = {
            "epoch": epoch + 1,
            "loss": round(losses / steps, 4),
            "wall_s": round(time.monotonic() - began, 1),
        }
        with (out / "log.jsonl").open("a", encoding="utf-8") as log:
            log.write(json.dumps(line) + "\n")


def run_batches(network: Any, pixels: NDArray[np.uint8], device: str) -> NDArray[np.float32]:
    """Outputs of a torch module for samples (N, H, W, C) uint8, in evaluation mode."""
    torch = load_torch()
    network.eval()
    parts = []
    with torch.no_grad():
        for start in range(0, len(pixels), 256):
            batch = torch.from_numpy(pixels[start : start + 256]).to(device)
            parts.append(network(batch.permute(0, 3, 1, 2).float() / 255.0).cpu().numpy())
    return np.concatenate(parts).astype(np.float32)
