"""Product embedding: a crop of a product becomes a unit vector; like products lie close.

>>> import numpy as np
>>> from models.embedding import Embedder
>>> Embedder("embedding").embed(np.zeros((120, 80, 3), np.uint8)).shape
(128,)
"""

from __future__ import annotations

import hashlib
import os
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray

from models.errors import GalleryError, ModelInputError
from models.letterbox import Letterbox, check_rgb
from models.manifest import Manifest, load_manifest, verify
from models.runtime import open_session

__all__ = ["VIEWS_MAX", "Embedder", "Gallery", "GalleryScores", "fit_crop"]

VIEWS_MAX: Final = 64
"""Views kept per product; more make a gallery slower and no better. Enrolling more is refused."""


def fit_crop(rgb: NDArray[np.uint8], side_px: int, pad_value: int) -> NDArray[np.uint8]:
    """A crop (H, W, 3) centred in a square (side_px, side_px, 3), its proportions kept."""
    check_rgb(rgb)
    canvas = np.full((side_px, side_px, 3), pad_value, np.uint8)
    Letterbox.of(rgb.shape[1], rgb.shape[0], side_px, side_px).place(rgb, canvas)
    return canvas


class Embedder:
    """The embedding network. `manifest.calibration` holds what a gallery needs for its scores."""

    def __init__(self, model: str | Path = "embedding", *, threads: int = 1) -> None:
        """Raises ModelNotFoundError, ManifestError or DigestMismatchError."""
        self.manifest: Manifest = load_manifest(model, task="embed")
        weights = verify(model, self.manifest)
        self._session = open_session(weights, self.manifest.input, threads=threads)
        self._input = self._session.get_inputs()[0].name

    def embed(self, rgb: NDArray[np.uint8]) -> NDArray[np.float32]:
        """The unit vector (128,) float32 of one crop (H, W, 3) RGB uint8 of any size."""
        vector: NDArray[np.float32] = self.embed_many([rgb])[0]
        return vector

    def embed_many(self, crops: Sequence[NDArray[np.uint8]]) -> NDArray[np.float32]:
        """Unit vectors (N, 128) float32 of crops; one run each, batching gains nothing here."""
        spec = self.manifest.input
        vectors = []
        for crop in crops:
            square = fit_crop(crop, spec.width_px, spec.pad_value)
            blob = square.transpose(2, 0, 1)[None].astype(np.float32) * np.float32(spec.scale)
            vectors.append(self._session.run(None, {self._input: blob})[0][0])
        if not vectors:
            return np.zeros((0, int(self._session.get_outputs()[0].shape[1])), np.float32)
        return np.asarray(vectors, np.float32)


@dataclass(frozen=True, slots=True)
class GalleryScores:
    """How well one vector fits the products of a gallery.

    `top`: (gtin, log-likelihood), best first; `other`: that of any product not enrolled. Natural
    logarithms up to one shared constant.
    """

    top: tuple[tuple[str, float], ...]
    other: float


class Gallery:
    """Vectors of the products that may be met, enrolled from views of each.

    `vectors` (V, D) float32 unit vectors, `gtins` the product of each row. A product's likeness
    is the best cosine among its views. `temperature` turns cosines into log-likelihoods and
    `other_cosine` is what an unknown product scores: both are fitted on held-out crops, half of
    them of products left out of the gallery, and stand in the embedder's manifest.
    """

    def __init__(
        self,
        vectors: NDArray[np.float32],
        gtins: Sequence[str],
        *,
        embedder_sha256: str,
        temperature: float,
        other_cosine: float,
    ) -> None:
        """Raises GalleryError where the arrays do not belong together."""
        if vectors.ndim != 2 or len(vectors) == 0 or len(vectors) != len(gtins):
            raise GalleryError(
                f"expected one vector per GTIN and at least one, got {vectors.shape} and "
                f"{len(gtins)} GTINs; enrol the gallery again."
            )
        norms = np.linalg.norm(vectors, axis=1)
        if not np.all(np.abs(norms - 1.0) < 1e-2):
            raise GalleryError(
                f"expected unit vectors, norms reach from {norms.min():.3f} to {norms.max():.3f}; "
                "enrol the gallery again."
            )
        if not temperature > 0.0:
            raise GalleryError(f"expected a temperature above 0, got {temperature}")
        self.vectors: NDArray[np.float32] = np.ascontiguousarray(vectors, np.float32)
        self.gtins: tuple[str, ...] = tuple(gtins)
        self.embedder_sha256 = embedder_sha256
        self.temperature = float(temperature)
        self.other_cosine = float(other_cosine)
        self.products: tuple[str, ...] = tuple(sorted(set(self.gtins)))
        column = {gtin: index for index, gtin in enumerate(self.products)}
        order = np.argsort([column[gtin] for gtin in self.gtins], kind="stable")
        self._ordered = self.vectors[order]
        self._starts = np.searchsorted(
            np.array([column[self.gtins[row]] for row in order]), np.arange(len(self.products))
        )

    @staticmethod
    def enrol(embedder: Embedder, views: Mapping[str, Sequence[NDArray[np.uint8]]]) -> Gallery:
        """A gallery from views (H, W, 3) RGB uint8 of each GTIN."""
        gtins: list[str] = []
        vectors: list[NDArray[np.float32]] = []
        for gtin in sorted(views):
            crops = views[gtin]
            if not 0 < len(crops) <= VIEWS_MAX:
                raise GalleryError(
                    f"expected 1 to {VIEWS_MAX} views of {gtin}, got {len(crops)}; "
                    "photograph it again or thin the views out."
                )
            vectors.extend(embedder.embed_many(crops))
            gtins.extend([gtin] * len(crops))
        if not vectors:
            raise GalleryError("expected views of at least one product, got none")
        calibration = embedder.manifest.calibration
        return Gallery(
            np.stack(vectors),
            gtins,
            embedder_sha256=embedder.manifest.sha256,
            temperature=calibration["temperature"],
            other_cosine=calibration["other_cosine"],
        )

    @property
    def sha256(self) -> str:
        """Digest of vectors, GTINs and calibration, the same wherever the gallery is saved."""
        digest = hashlib.sha256()
        digest.update("\n".join((self.embedder_sha256, *self.gtins)).encode())
        digest.update(np.array([self.temperature, self.other_cosine], "<f8").tobytes())
        digest.update(self.vectors.astype("<f4").tobytes())
        return digest.hexdigest()

    def cosines(self, vector: NDArray[np.float32]) -> NDArray[np.float32]:
        """The best cosine of each of `products` (P,) float32."""
        if vector.shape != (self.vectors.shape[1],):
            raise ModelInputError(
                f"expected a vector ({self.vectors.shape[1]},), got {vector.shape}; "
                "embed the crop with the gallery's own embedder."
            )
        return np.maximum.reduceat(self._ordered @ vector, self._starts)

    def scores(self, vector: NDArray[np.float32], top_k: int = 5) -> GalleryScores:
        """Log-likelihoods of the `top_k` best products and of "other"."""
        cosines = self.cosines(vector)
        logits = np.append(cosines, self.other_cosine).astype(np.float64) / self.temperature
        shift = logits.max()
        logits -= shift + np.log(np.exp(logits - shift).sum())
        best = np.argsort(-cosines, kind="stable")[: max(top_k, 0)]
        top = tuple((self.products[index], float(logits[index])) for index in best)
        return GalleryScores(top, float(logits[-1]))

    def save(self, path: Path) -> None:
        """Write an .npz in one piece."""
        part = path.with_suffix(".part")
        with part.open("wb") as file:
            np.savez(
                file,
                vectors=self.vectors,
                gtins=np.array(self.gtins),
                embedder_sha256=np.array(self.embedder_sha256),
                calibration=np.array([self.temperature, self.other_cosine], np.float64),
                sha256=np.array(self.sha256),
            )
        os.replace(part, path)

    @staticmethod
    def load(path: Path, *, embedder: Embedder | None = None) -> Gallery:
        """Read an .npz; with `embedder`, insist that it was enrolled with these weights.

        Raises GalleryError where the file is missing, damaged or of other weights.
        """
        try:
            with np.load(path, allow_pickle=False) as data:
                temperature, other_cosine = (float(value) for value in data["calibration"])
                gallery = Gallery(
                    data["vectors"],
                    [str(gtin) for gtin in data["gtins"]],
                    embedder_sha256=str(data["embedder_sha256"]),
                    temperature=temperature,
                    other_cosine=other_cosine,
                )
                written = str(data["sha256"])
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
            raise GalleryError(
                f"{path} is not a gallery that can be read ({error}); enrol it again."
            ) from error
        if gallery.sha256 != written:
            raise GalleryError(
                f"{path}: expected sha256 {written}, its content has {gallery.sha256}; "
                "the file was changed after it was written: enrol it again."
            )
        if embedder is not None and gallery.embedder_sha256 != embedder.manifest.sha256:
            raise GalleryError(
                f"{path} was enrolled with weights {gallery.embedder_sha256}, the embedder has "
                f"{embedder.manifest.sha256}; enrol it again with these."
            )
        return gallery
