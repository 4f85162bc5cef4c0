"""Manifests: one JSON beside each weight file says what it is, where it came from, how good it is.

>>> from models.manifest import list_manifests
>>> [manifest.name for manifest in list_manifests()]
['change', 'embedding', 'shelf', ...]
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, ValidationError

from contracts.base import Contract
from models.errors import DigestMismatchError, ManifestError, ModelNotFoundError

__all__ = [
    "WEIGHTS",
    "InputSpec",
    "Manifest",
    "Score",
    "file_sha256",
    "list_manifests",
    "load_manifest",
    "manifest_path",
    "save_manifest",
    "verify",
]

WEIGHTS = Path(__file__).resolve().parent / "weights"
"""Folder of the weights that ship."""

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class InputSpec(Contract):
    """What a network takes: one float32 tensor (1 or N, channels, height, width), colour / 255."""

    width_px: Annotated[int, Field(gt=0, le=4096)]
    height_px: Annotated[int, Field(gt=0, le=4096)]
    channels: Annotated[int, Field(ge=1, le=16)] = 3
    layout: Literal["NCHW"] = "NCHW"
    colour: Literal["RGB"] = "RGB"
    scale: Annotated[float, Field(gt=0)] = 1.0 / 255.0
    fit: Literal["letterbox", "stretch"] = "letterbox"
    pad_value: Annotated[int, Field(ge=0, le=255)] = 114


class Score(Contract):
    """One held-out figure and the number of instances, crops or pairs behind it."""

    metric: str
    subject: str
    value: float
    n: Annotated[int, Field(ge=0)]


class Manifest(Contract):
    """What a weight file is. `calibration` holds the numbers its runner needs, by name."""

    schema_version: Literal[1] = 1
    name: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}$")]
    task: Literal["detect", "embed", "change"]
    file: Annotated[str, Field(pattern=r"^[a-z0-9-]{1,64}\.onnx$")]
    classes: tuple[str, ...]
    input: InputSpec
    sha256: Sha256
    bytes: Annotated[int, Field(gt=0)]
    parameters: Annotated[int, Field(gt=0)]
    recipe: dict[str, str | int | float | bool]
    pictures: Annotated[int, Field(ge=0, description="pictures, crops or pairs trained on")]
    trained_on: str
    held_out: tuple[Score, ...]
    held_out_on: str
    licence: str = "AGPL-3.0-or-later"
    versions: dict[str, str]
    opset: Annotated[int, Field(gt=0)]
    torch_onnx_max_difference: dict[str, float]
    calibration: dict[str, float] = Field(default_factory=dict)

    def score(self, metric: str, subject: str = "all") -> float | None:
        """The held-out figure of that name, None where it was not measured."""
        for score in self.held_out:
            if (score.metric, score.subject) == (metric, subject):
                return score.value
        return None


def manifest_path(model: str | Path) -> Path:
    """The manifest of a shipped name ("shelf"), of an .onnx file or of a .json file."""
    if isinstance(model, str) and not model.endswith((".onnx", ".json")):
        return WEIGHTS / f"{model}.json"
    return Path(model).with_suffix(".json")


def load_manifest(model: str | Path, *, task: str | None = None) -> Manifest:
    """Read the manifest of a shipped name or of a path; with `task`, insist on what it is for.

    Raises ModelNotFoundError where there is none, ManifestError where it is broken.
    """
    path = manifest_path(model)
    try:
        text = path.read_text(encoding="utf-8")
    except (FileNotFoundError, NotADirectoryError):
        known = ", ".join(sorted(entry.stem for entry in path.parent.glob("*.json"))) or "none"
        raise ModelNotFoundError(
            f"expected the manifest {path}, it does not exist; models there: {known}. "
            "Give one of these names, or train and ship it with `sortie train`."
        ) from None
    try:
        manifest = Manifest.model_validate_json(text)
    except ValidationError as error:
        raise ManifestError(
            f"{path} is not a manifest of schema 1: {error}. Ship the model again with "
            "`sortie train ship`."
        ) from None
    if task is not None and manifest.task != task:
        raise ManifestError(
            f"expected a model for {task!r}, {path} describes one for {manifest.task!r}; "
            "give another model."
        )
    return manifest


def save_manifest(manifest: Manifest, path: Path) -> None:
    """Write `path` in one piece: a reader sees the old manifest or the new one."""
    part = path.with_suffix(".part")
    part.write_text(manifest.model_dump_json(indent=2) + "\n", encoding="utf-8")
    os.replace(part, path)


def list_manifests(folder: Path = WEIGHTS) -> tuple[Manifest, ...]:
    """All manifests of a folder, by name."""
    return tuple(load_manifest(path) for path in sorted(folder.glob("*.json")))


def file_sha256(path: Path) -> str:
    """Hex sha256 of a file."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def verify(model: str | Path, manifest: Manifest | None = None) -> Path:
    """Check a weight file against its manifest and return its path.

    Raises ModelNotFoundError where the weights are missing, DigestMismatchError naming both
    digests where they differ.
    """
    found = load_manifest(model) if manifest is None else manifest
    weights = manifest_path(model).parent / found.file
    if not weights.is_file():
        raise ModelNotFoundError(
            f"{manifest_path(model)} describes {found.file}, but {weights} does not exist; "
            "restore it from the repository or ship it again with `sortie train ship`."
        )
    digest = file_sha256(weights)
    if digest != found.sha256:
        raise DigestMismatchError(
            f"{weights}: expected sha256 {found.sha256} as its manifest says, the file has "
            f"{digest}. The weights are not the ones that were checked: restore the file from the "
            "repository, or ship file and manifest together with `sortie train ship`."
        )
    return weights
