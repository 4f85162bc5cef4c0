"""Errors of the models package.

ModelError
├── ModelNotFoundError      no weights or no manifest of that name
├── ManifestError           a manifest cannot be read or does not describe what was asked for
├── DigestMismatchError     a file's sha256 differs from its manifest
├── ModelInputError         an input has the wrong shape, dtype or number of channels
├── GalleryError            a gallery is broken, empty or made with other weights
└── TrainingError           a dataset, training run or export did not come out as it must
"""

from __future__ import annotations

__all__ = [
    "DigestMismatchError",
    "GalleryError",
    "ManifestError",
    "ModelError",
    "ModelInputError",
    "ModelNotFoundError",
    "TrainingError",
]


class ModelError(Exception):
    """Something is wrong with a model, its manifest or what it was given."""


class ModelNotFoundError(ModelError):
    """No weights or no manifest of that name."""


class ManifestError(ModelError):
    """A manifest cannot be read or does not describe what was asked for."""


class DigestMismatchError(ModelError):
    """A file's sha256 differs from its manifest."""


class ModelInputError(ModelError):
    """An input has the wrong shape, dtype or number of channels."""


class GalleryError(ModelError):
    """A gallery is broken, empty or made with other weights."""


class TrainingError(ModelError):
    """A dataset, training run or export did not come out as it must."""
