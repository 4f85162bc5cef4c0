"""Change classifier: did a stretch of shelf lose an item, gain one, or neither?

>>> import numpy as np
>>> from models.change import ChangeClassifier
>>> same = np.zeros((64, 64, 3), np.uint8)
>>> ChangeClassifier("change").classify(same, same).shape
(3,)
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import ManifestError, ModelInputError
from models.letterbox import check_rgb, shrink
from models.manifest import Manifest, load_manifest, verify
from models.runtime import open_session

__all__ = ["CHANGE_CLASSES", "ChangeClassifier"]

CHANGE_CLASSES: Final = ("pick", "put_back", "nothing")


class ChangeClassifier:
    """Before and after of the same stretch become log-likelihoods of (pick, put_back, nothing).

    The network saw the three classes equally often, so the logarithm of its output is a
    log-likelihood up to a constant shared by the three. Swapping before and after swaps pick and
    put_back exactly.
    """

    def __init__(self, model: str | Path = "change", *, threads: int = 1) -> None:
        """Raises ModelNotFoundError, ManifestError or DigestMismatchError."""
        self.manifest: Manifest = load_manifest(model, task="change")
        if self.manifest.classes != CHANGE_CLASSES:
            raise ManifestError(
                f"expected the classes {CHANGE_CLASSES}, {self.manifest.name} has "
                f"{self.manifest.classes}; ship the model this program was written for."
            )
        weights = verify(model, self.manifest)
        self._session = open_session(weights, self.manifest.input, threads=threads)
        self._input = self._session.get_inputs()[0].name
        self._temperature = np.float32(self.manifest.calibration.get("temperature", 1.0))

    def classify(self, before: NDArray[np.uint8], after: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Log-likelihoods (3,) of one pair of RGB uint8 crops (H, W, 3), stretched to 64 x 64."""
        spec = self.manifest.input
        pair = []
        for crop in (before, after):
            check_rgb(crop)
            pair.append(shrink(crop, spec.width_px, spec.height_px))
        answer = self.classify_many(pair[0][None], pair[1][None])
        return np.asarray(answer[0])

    def classify_many(
        self, before: NDArray[np.uint8], after: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """Log-likelihoods (N, 3) of pairs, each (N, 64, 64, 3) RGB uint8."""
        logits = self.logits_many(before, after) / self._temperature
        top = logits.max(axis=1, keepdims=True, initial=-np.inf)
        total = np.log(np.exp(logits - top).sum(axis=1, keepdims=True)) + top
        return np.asarray(logits - total, np.float32)

    def logits_many(
        self, before: NDArray[np.uint8], after: NDArray[np.uint8]
    ) -> NDArray[np.float32]:
        """What the network itself says (N, 3), before its temperature."""
        spec = self.manifest.input
        want = (spec.height_px, spec.width_px, 3)
        if before.shape != after.shape or before.ndim != 4 or before.shape[1:] != want:
            raise ModelInputError(
                f"expected two arrays (N, {want[0]}, {want[1]}, 3), got {before.shape} and "
                f"{after.shape}; cut both from the same stretch and resize them."
            )
        if len(before) == 0:
            return np.zeros((0, 3), np.float32)
        pairs = np.concatenate([before, after], axis=3).transpose(0, 3, 1, 2)
        blob = np.ascontiguousarray(pairs, np.float32) * np.float32(spec.scale)
        return np.asarray(self._session.run(None, {self._input: blob})[0], np.float32)
