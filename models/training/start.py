"""Beginning a training from shipped weights: an ONNX file back into the torch network.

At export every convolution and the batch norm behind it become one convolution. Here the norm
comes back as one that changes nothing on real pictures: its running mean and variance are those
of the convolution's own answers to some of them, scale and shift undo them and add the bias.
The branch that ultralytics trains but does not export starts as a copy of its exported twin.
"""

from __future__ import annotations

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.training.backend import load_torch

__all__ = ["load_shipped"]

ONE2ONE = "one2one_"


def load_shipped(network: Any, weights: Path, blobs: Sequence[NDArray[np.float32]]) -> None:
    """Fill `network` (ultralytics' DetectionModel, unfused) with the weights of an export of the
    same architecture and classes. `blobs`: some inputs (1, 3, H, W) in 0..1.

    Raises TrainingError where names or shapes do not fit.
    """
    onnx = importlib.import_module("onnx")
    graph = onnx.load(str(weights)).graph
    held = {one.name: onnx.numpy_helper.to_array(one) for one in graph.initializer}
    torch = load_torch()
    modules = dict(network.named_modules())
    missing = []
    for name, module in modules.items():
        if not isinstance(module, torch.nn.Conv2d):
            continue
        source = _source(name, held)
        if source is None or held[f"{source}.weight"].shape != tuple(module.weight.shape):
            missing.append(name)
            continue
        module.weight.data = torch.from_numpy(held[f"{source}.weight"].copy())
        bias = torch.from_numpy(held[f"{source}.bias"].copy())
        if module.bias is not None:
            module.bias.data = bias
        else:
            norm = modules[f"{name.removesuffix('.conv')}.bn"]
            norm.weight.data.fill_(1.0)
            norm.bias.data = bias
            norm.running_mean.zero_()
            norm.running_var.fill_(1.0 - norm.eps)
    if missing:
        raise TrainingError(
            f"expected {weights} to be an export of this network, it has no fitting weights for "
            f"{missing[:3]} ({len(missing)} layers); start from another file or from scratch."
        )
    _settle(network, blobs)


def _source(name: str, held: dict[str, Any]) -> str | None:
    """The exported convolution that a convolution's weights come from."""
    if f"{name}.weight" in held:
        return name
    parts = name.split(".")
    for index, part in enumerate(parts):
        twin = ".".join([*parts[:index], ONE2ONE + part, *parts[index + 1 :]])
        if f"{twin}.weight" in held:
            return twin
    return None


def _settle(network: Any, blobs: Sequence[NDArray[np.float32]]) -> None:
    """Gives every batch norm the statistics of what reaches it, its answers staying the same."""
    torch = load_torch()
    norms = [one for one in network.modules() if isinstance(one, torch.nn.BatchNorm2d)]
    sums: dict[int, list[Any]] = {}

    def note(module: Any, inputs: Any, _output: Any) -> None:
        seen = inputs[0].detach()
        rows = seen.transpose(0, 1).flatten(1)
        kept = sums.setdefault(id(module), [0.0, 0.0, 0])
        kept[0] = kept[0] + rows.sum(dim=1)
        kept[1] = kept[1] + (rows * rows).sum(dim=1)
        kept[2] += rows.shape[1]

    hooks = [norm.register_forward_hook(note) for norm in norms]
    network.train(False)
    with torch.no_grad():
        for blob in blobs:
            network(torch.from_numpy(blob))
    for hook in hooks:
        hook.remove()
    for norm in norms:
        if id(norm) not in sums:
            continue
        total, squares, count = sums[id(norm)]
        mean = total / count
        variance = (squares / count - mean * mean).clamp(min=1e-8)
        norm.running_mean.copy_(mean)
        norm.running_var.copy_(variance)
        norm.weight.data = (variance + norm.eps).sqrt()
        norm.bias.data = norm.bias.data + mean
