"""`manifest.json` of a recording: its contract, and how manifests of older versions are read.

Schema 1  one file of truth; frames only on the world's ticks; no digests, no dials
Schema 2  every file of truth; when a camera's frames come; dials and code of a simulation; digests

A manifest of an older version goes through UPGRADES, each a pure function from one version's
document to the next one's. A newer one than this code knows is refused.

>>> upgraded({"schema_version": 1, "cameras": [], "truth": None}, name="manifest.json")["truth"]
[]
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any, Literal

from pydantic import Field, ValidationError

from contracts.base import Contract
from store_sim.dials import Dials
from store_sim.digest import file_sha256
from store_sim.errors import RecordingError

__all__ = [
    "RECORDING_SCHEMA",
    "UPGRADES",
    "CameraEntry",
    "FileEntry",
    "Manifest",
    "PlatesEntry",
    "RecordingDigests",
    "Simulation",
    "TornManifestError",
    "file_entry",
    "read_manifest",
    "upgraded",
]

RECORDING_SCHEMA = 2
MANIFEST_BYTES_MAX = 10_000_000
PARTIAL = ".partial"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Document = dict[str, Any]


class TornManifestError(RecordingError):
    """The manifest is not JSON: it was cut off or damaged."""


class FileEntry(Contract):
    """A file of the recording."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$", max_length=200)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class CameraEntry(FileEntry):
    """A camera's video. `rgb_sha256` is over the pictures before they were compressed.

    A frame's time is `first_t_s` plus its presentation time in the video, in whole microseconds:
    frames may come early, late or not at all. Where `on_ticks`, every frame was taken on a tick of
    the world's clock, and the sum is rounded to the nearest sixtieth of a second.
    """

    camera_id: str
    width: int
    height: int
    fps: float
    frames: int
    first_t_s: float
    last_t_s: float | None
    on_ticks: bool
    codec: Literal["h264"]
    rgb_sha256: Sha256


class PlatesEntry(Contract):
    """The plates' readings."""

    plate_ids: tuple[str, ...]
    rows: int
    chunks: tuple[FileEntry, ...]


class Simulation(Contract):
    """Where a simulated recording came from.

    `dials` is None for those of the scenario itself; in a manifest they are written out. `code`
    says which version of the simulator made it.
    """

    scenario: str
    seed: int
    shoppers: int
    dials: Dials | None = None
    code: str = ""


class RecordingDigests(Contract):
    """What store_sim.digest makes of the sensors and of the truth; the same as in the library."""

    frames_sha256: Sha256
    plates_sha256: Sha256
    truth_sha256: Sha256


class Manifest(Contract):
    """`manifest.json`. `simulation` is None for a recording of a real store; `digests` is None
    where the recording was made by a version that had none."""

    schema_version: Literal[2]
    store: FileEntry
    simulation: Simulation | None
    duration_s: float
    cameras: tuple[CameraEntry, ...]
    plates: PlatesEntry | None
    gates: FileEntry | None
    truth: tuple[FileEntry, ...] = ()
    digests: RecordingDigests | None = None


def file_entry(root: Path, name: str) -> FileEntry:
    """Size and SHA-256 of a file of the recording."""
    path = root / name
    return FileEntry(file=name, bytes=path.stat().st_size, sha256=file_sha256(path))


def _from_1_to_2(document: Document) -> Document:
    simulation = document.get("simulation")
    truth = document.get("truth")
    cameras = document.get("cameras")
    new = {**document, "schema_version": 2, "truth": [] if truth is None else [truth]}
    if isinstance(simulation, dict):
        # There were no dials to turn: all stood as built.
        new["simulation"] = {**simulation, "dials": {}, "code": "before schema 2"}
    if isinstance(cameras, list):
        added = {"last_t_s": None, "on_ticks": simulation is not None, "codec": "h264"}
        new["cameras"] = [{**one, **added} if isinstance(one, dict) else one for one in cameras]
    return new


UPGRADES: Mapping[int, Callable[[Document], Document]] = MappingProxyType({1: _from_1_to_2})
"""Schema version to the function that makes the next version's document of it."""


def upgraded(document: Document, *, name: str) -> Document:
    """The document in the present schema. RecordingError, naming both versions, if it cannot be."""
    version = document.get("schema_version")
    if not isinstance(version, int) or isinstance(version, bool) or version < 1:
        raise RecordingError(
            f"{name}: expected a schema_version from 1 to {RECORDING_SCHEMA}, got {version!r}; "
            "copy the recording again"
        )
    if version > RECORDING_SCHEMA:
        raise RecordingError(
            f"{name}: expected schema_version {RECORDING_SCHEMA} or older, got {version}: a newer "
            "Sortie recorded it; update this one, or replay it with the version that recorded it"
        )
    while version < RECORDING_SCHEMA:
        document = UPGRADES[version](document)
        version += 1
    return document


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a recording, None for a folder without one; RecordingError if broken."""
    if not folder.is_dir():
        partial = folder.with_name(folder.name + PARTIAL)
        hint = (
            f"; {partial} was never finished: record again, or replay what there is of it"
            if partial.is_dir()
            else "; check the path"
        )
        raise RecordingError(f"{folder}: expected a folder with a recording, got none{hint}")
    path = folder / "manifest.json"
    if not path.exists():
        if folder.name.endswith(PARTIAL):
            raise RecordingError(f"{folder}: a recording that was never finished; record it again")
        return None
    document = _read_json(path)
    if not isinstance(document, dict):
        raise RecordingError(f"{path}: expected a JSON object, got {type(document).__name__}")
    try:
        return Manifest.model_validate(upgraded(document, name=str(path)))
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise RecordingError(
            f"{path}: {field}: {fault['msg']}; copy the recording again"
        ) from error


def _read_json(path: Path) -> Any:
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise RecordingError(
                f"{path}: expected at most {MANIFEST_BYTES_MAX} bytes, got {path.stat().st_size}"
            )
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise TornManifestError(
            f"{path}: expected JSON, got something else ({error}); copy the recording again"
        ) from error
