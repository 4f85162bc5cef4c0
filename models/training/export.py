"""From torch to ONNX: export, clean, compare with torch on real pictures, write the manifest."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from models.errors import TrainingError
from models.manifest import InputSpec, Manifest, Score, file_sha256, save_manifest
from models.training.backend import load_torch, versions

__all__ = [
    "OPSET",
    "clean_graph",
    "compare_arrays",
    "compare_detections",
    "export_network",
    "write_manifest",
]

OPSET = 17
"""Fixed, so that an export of today runs on the ONNX Runtime of two years ago."""
ROWS_COMPARED = 20
"""Best rows of each picture that are compared; of the last of 300, some fall off either end."""
BOX_DIFFERENCE_MAX_PX = 0.5
SCORE_DIFFERENCE_MAX = 0.01
ARRAY_DIFFERENCE_MAX = 1e-3


def clean_graph(path: Path) -> None:
    """Drop metadata and doc strings: they hold dates and paths of the machine that exported."""
    onnx = importlib.import_module("onnx")
    graph = onnx.load(str(path))
    del graph.metadata_props[:]
    graph.doc_string = ""
    graph.graph.doc_string = ""
    for node in graph.graph.node:
        node.doc_string = ""
        if hasattr(node, "metadata_props"):
            del node.metadata_props[:]
    for value in (*graph.graph.input, *graph.graph.output, *graph.graph.value_info):
        value.doc_string = ""
        if hasattr(value, "metadata_props"):
            del value.metadata_props[:]
    onnx.checker.check_model(graph)
    onnx.save(graph, str(path))


def export_network(network: Any, spec: InputSpec, path: Path, *, output: str) -> None:
    """Write a torch module with one input as ONNX; the batch stays free."""
    torch = load_torch()
    network.eval()
    example = torch.zeros(1, spec.channels, spec.height_px, spec.width_px)
    with warnings.catch_warnings():
        # torch asks for its newer exporter, which needs one more package and brings nothing here.
        warnings.simplefilter("ignore", DeprecationWarning)
        torch.onnx.export(
            network,
            (example,),
            str(path),
            opset_version=OPSET,
            input_names=["pixels"],
            output_names=[output],
            dynamic_axes={"pixels": {0: "n"}, output: {0: "n"}},
            dynamo=False,
        )
    clean_graph(path)


def compare_arrays(
    ours: Sequence[NDArray[np.float32]], theirs: Sequence[NDArray[np.float32]], what: str
) -> dict[str, float]:
    """The largest difference between torch (`ours`) and ONNX (`theirs`). Raises TrainingError
    where it is too large to be rounding, or nothing was compared."""
    if not ours:
        raise TrainingError("expected pictures to compare torch with ONNX on, got none")
    worst = float(np.max([np.abs(a - b).max() for a, b in zip(ours, theirs, strict=True)]))
    if not worst <= ARRAY_DIFFERENCE_MAX:
        raise TrainingError(
            f"torch and ONNX differ by {worst:.2g} in {what}, expected at most "
            f"{ARRAY_DIFFERENCE_MAX}; do not ship this export."
        )
    return {what: worst}


def compare_detections(
    ours: Sequence[NDArray[np.float32]], theirs: Sequence[NDArray[np.float32]]
) -> dict[str, float]:
    """The largest differences of boxes (input pixels) and scores between torch and ONNX.

    Rows (N, 6) are matched by class and nearest box, because rows of nearly equal score may
    change places. Raises TrainingError where they are too large to be rounding.
    """
    box_worst = score_worst = 0.0
    compared = 0
    for mine, other in zip(ours, theirs, strict=True):
        for row in mine[:ROWS_COMPARED]:
            compared += 1
            rivals = other[other[:, 5] == row[5]]
            if len(rivals) == 0:
                box_worst = float("inf")
                continue
            distance = np.maximum(
                np.abs(rivals[:, :4] - row[:4]).max(axis=1), np.abs(rivals[:, 4] - row[4]) * 100
            )
            nearest = rivals[int(np.argmin(distance))]
            box_worst = max(box_worst, float(np.abs(nearest[:4] - row[:4]).max()))
            score_worst = max(score_worst, float(abs(nearest[4] - row[4])))
    if not compared:
        raise TrainingError("expected pictures to compare torch with ONNX on, got none")
    if not (box_worst <= BOX_DIFFERENCE_MAX_PX and score_worst <= SCORE_DIFFERENCE_MAX):
        raise TrainingError(
            f"torch and ONNX differ by {box_worst:.2g} px and {score_worst:.2g} in score, expected "
            f"at most {BOX_DIFFERENCE_MAX_PX} and {SCORE_DIFFERENCE_MAX}; do not ship this export."
        )
    return {"box_px": box_worst, "score": score_worst, "rows_compared": float(compared)}


def write_manifest(
    weights: Path,
    *,
    task: str,
    classes: Sequence[str],
    spec: InputSpec,
    parameters: int,
    recipe: dict[str, str | int | float | bool],
    pictures: int,
    trained_on: str,
    held_out: Sequence[Score],
    held_out_on: str,
    differences: dict[str, float],
    packages: Sequence[str],
    calibration: dict[str, float] | None = None,
) -> Manifest:
    """Describe `weights` in the JSON beside it."""
    manifest = Manifest.model_validate(
        {
            "name": weights.stem,
            "task": task,
            "file": weights.name,
            "classes": tuple(classes),
            "input": spec,
            "sha256": file_sha256(weights),
            "bytes": weights.stat().st_size,
            "parameters": parameters,
            "recipe": recipe,
            "pictures": pictures,
            "trained_on": trained_on,
            "held_out": tuple(held_out),
            "held_out_on": held_out_on,
            "versions": versions(*packages),
            "opset": OPSET,
            "torch_onnx_max_difference": {
                name: float(f"{value:.3g}") for name, value in differences.items()
            },
            "calibration": calibration or {},
        }
    )
    save_manifest(manifest, weights.with_suffix(".json"))
    return manifest
