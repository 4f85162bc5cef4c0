"""Detector: boxes, scores and classes of one RGB frame, by an NMS-free YOLO in ONNX Runtime.

>>> import numpy as np
>>> from models.detector import Detector
>>> detector = Detector("shelf")
>>> detector.detect(np.zeros((540, 960, 3), np.uint8)).boxes_px.shape[1]
4
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from models.errors import ManifestError
from models.letterbox import Letterbox, check_rgb
from models.manifest import Manifest, load_manifest, verify
from models.runtime import open_session

__all__ = ["Detector", "RawDetections"]


@dataclass(frozen=True, slots=True)
class RawDetections:
    """Parallel arrays of one frame, best score first.

    `boxes_px` (N, 4) float32 x0 y0 x1 y1 in pixels of the frame given, `scores` (N,) float32 in
    0..1, `classes` (N,) int32 indexes of the manifest's classes.
    """

    boxes_px: NDArray[np.float32]
    scores: NDArray[np.float32]
    classes: NDArray[np.int32]


class Detector:
    """One detection network and its buffers; not to be shared between threads.

    `model`: a shipped name ("shelf", "ceiling") or the path of an .onnx file with its manifest
    beside it. `classes`: what the caller counts on; a differing manifest is refused.
    """

    def __init__(
        self, model: str | Path, *, threads: int = 1, classes: Sequence[str] | None = None
    ) -> None:
        """Raises ModelNotFoundError, ManifestError or DigestMismatchError."""
        self.manifest: Manifest = load_manifest(model, task="detect")
        if classes is not None and tuple(classes) != self.manifest.classes:
            raise ManifestError(
                f"expected the classes {tuple(classes)}, {self.manifest.name} has "
                f"{self.manifest.classes}; ship the model this program was written for."
            )
        weights = verify(model, self.manifest)
        spec = self.manifest.input
        self._session = open_session(weights, spec, threads=threads)
        self._input = self._session.get_inputs()[0].name
        outputs = self._session.get_outputs()
        if len(outputs) != 1 or len(outputs[0].shape) != 3 or outputs[0].shape[2] != 6:
            raise ManifestError(
                f"{weights}: expected one NMS-free output (1, N, 6), the graph has "
                f"{[list(entry.shape) for entry in outputs]}; export it with `sortie train`."
            )
        self._canvas = np.full((spec.height_px, spec.width_px, 3), spec.pad_value, np.uint8)
        self._fit: Letterbox | None = None

    @property
    def classes(self) -> tuple[str, ...]:
        """Class names, by index."""
        return self.manifest.classes

    def prepare(self, rgb: NDArray[np.uint8]) -> tuple[NDArray[np.float32], Letterbox]:
        """The network's input (1, 3, H, W) float32 of a frame, and how the frame lies in it."""
        check_rgb(rgb)
        height, width = rgb.shape[:2]
        spec = self.manifest.input
        fit = self._fit
        if fit is None or (fit.frame_width_px, fit.frame_height_px) != (width, height):
            fit = self._fit = Letterbox.of(width, height, spec.width_px, spec.height_px)
            self._canvas[:] = spec.pad_value
        fit.place(rgb, self._canvas)
        return np.asarray(cv2.dnn.blobFromImage(self._canvas, spec.scale), np.float32), fit

    def infer(self, blob: NDArray[np.float32]) -> NDArray[np.float32]:
        """Rows (N, 6) of x0 y0 x1 y1 in input pixels, score, class; best score first."""
        rows = self._session.run(None, {self._input: blob})[0][0]
        return np.asarray(rows, np.float32)

    def detect(self, rgb: NDArray[np.uint8], score_min: float = 0.25) -> RawDetections:
        """All boxes of a frame (H, W, 3) RGB uint8 whose score reaches `score_min`."""
        blob, fit = self.prepare(rgb)
        rows = self.infer(blob)
        rows = rows[rows[:, 4] >= score_min]
        boxes = fit.to_frame(rows[:, :4])
        solid = (boxes[:, 2] > boxes[:, 0]) & (boxes[:, 3] > boxes[:, 1])
        return RawDetections(boxes[solid], rows[solid, 4].copy(), rows[solid, 5].astype(np.int32))
