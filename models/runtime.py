"""The one way this package opens ONNX Runtime: few threads, no spinning, on the CPU.

A node runs one pipeline per camera; a session that takes all cores for one frame makes every
other camera late. Spinning threads would also hide in CPU figures.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import onnxruntime

from models.errors import ManifestError
from models.manifest import InputSpec

__all__ = ["open_session"]


def open_session(weights: Path, spec: InputSpec, *, threads: int = 1) -> Any:
    """An `onnxruntime.InferenceSession` whose only input has the manifest's shape.

    Raises ManifestError where the graph's input differs from the manifest.
    """
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.execution_mode = onnxruntime.ExecutionMode.ORT_SEQUENTIAL
    options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_ALL
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.inter_op.allow_spinning", "0")
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(
        str(weights), sess_options=options, providers=["CPUExecutionProvider"]
    )
    inputs = session.get_inputs()
    want = [spec.channels, spec.height_px, spec.width_px]
    if len(inputs) != 1 or list(inputs[0].shape[1:]) != want:
        shapes = [list(entry.shape) for entry in inputs]
        raise ManifestError(
            f"{weights}: the manifest promises one input (N, {', '.join(map(str, want))}), the "
            f"graph has {shapes}; ship file and manifest together with `sortie train ship`."
        )
    return session
