"""What a folder holds: the files of a manifest, or somebody's own videos, times and scans."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from contracts.errors import ContractError
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from store_sim.errors import RecordingError
from store_sim.recording.manifest import FileEntry, Manifest, file_entry
from store_sim.recording.writer import TIMES_FILE
from store_sim.replay.faults import Faults

__all__ = ["STORE_S_MAX", "Scan", "Video", "check_files", "load_store", "read_scans", "videos_of"]

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm", ".m4v")
SCANS_MAX = 1_000_000
STORE_S_MAX = 7 * 24 * 3600.0
"""Store seconds of a recording; what is larger is a date, not a time since the beginning."""


@dataclass(frozen=True, slots=True)
class Video:
    """A camera's video. `frames` is None where nobody promised a number."""

    camera: Camera
    path: Path
    first_t_s: float = 0.0
    frames: int | None = None
    on_ticks: bool = False


@dataclass(frozen=True, slots=True)
class Scan:
    """A line of gates.jsonl: a shopper's number, or a real code; `staff` showed a badge."""

    t_s: float
    gate_id: str
    shopper: int | None
    code: str | None
    staff: bool = False


def check_files(folder: Path, manifest: Manifest, faults: Faults, *, verify: bool) -> None:
    """Every file that the manifest names, but for the truth, which is not ours to open."""
    entries: list[FileEntry] = [manifest.store, *manifest.cameras]
    if manifest.plates is not None:
        entries += manifest.plates.chunks
    if manifest.gates is not None:
        entries.append(manifest.gates)
    for entry in entries:
        _check_file(folder, entry, faults, verify=verify)


def _check_file(folder: Path, entry: FileEntry, faults: Faults, *, verify: bool) -> None:
    path = folder / entry.file
    if ".." in Path(entry.file).parts or entry.file.startswith("/"):
        raise RecordingError(f"{folder}: expected files inside the folder, got {entry.file}")
    if not path.is_file():
        faults.tell(
            f"{path}: missing; the manifest names it: copy the recording again", then="left out"
        )
        return
    size = path.stat().st_size
    if size != entry.bytes:
        faults.tell(
            f"{path}: expected {entry.bytes} bytes, got {size}; copy the recording again",
            then="replayed as far as it goes",
        )
    elif verify and file_entry(folder, entry.file).sha256 != entry.sha256:
        faults.tell(
            f"{path}: its SHA-256 is not that of the manifest: it was altered or damaged; copy "
            "the recording again",
            then="replayed as it is",
        )


def load_store(folder: Path, manifest: Manifest | None) -> StoreFile:
    """The store file of a recording, or the one YAML file of a folder; RecordingError if none."""
    if manifest is not None:
        path = folder / manifest.store.file
    else:
        found = sorted([*folder.glob("*.yaml"), *folder.glob("*.yml")])
        if len(found) != 1:
            names = ", ".join(file.name for file in found) or "none"
            raise RecordingError(
                f"{folder}: expected a manifest.json, or one store file (*.yaml) beside videos, "
                f"got {names}"
            )
        path = found[0]
    try:
        return load_store_file(path)
    except ContractError as error:
        raise RecordingError(str(error)) from error


def videos_of(
    folder: Path, manifest: Manifest | None, store: StoreFile, wanted: set[str], faults: Faults
) -> tuple[Video, ...]:
    """The videos of the cameras wanted, those that are there."""
    if manifest is None:
        return _own_videos(folder, store, wanted, faults)
    known = {camera.camera_id: camera for camera in store.cameras}
    videos = []
    for entry in manifest.cameras:
        if entry.camera_id not in known:
            raise RecordingError(
                f"{folder}: the manifest names camera {entry.camera_id}, which its store file does "
                "not have; copy the recording again"
            )
        path = folder / entry.file
        if entry.camera_id in wanted and path.is_file():
            videos.append(
                Video(known[entry.camera_id], path, entry.first_t_s, entry.frames, entry.on_ticks)
            )
    return tuple(videos)


def _own_videos(
    folder: Path, store: StoreFile, wanted: set[str], faults: Faults
) -> tuple[Video, ...]:
    files: dict[str, Path] = {}
    for path in _video_files(folder):
        if path.stem in files:
            raise RecordingError(
                f"{folder}: expected one video of camera {path.stem}, got {files[path.stem].name} "
                f"and {path.name}; remove one"
            )
        files[path.stem] = path
    known = {camera.camera_id: camera for camera in store.cameras}
    strangers = sorted(set(files) - set(known))
    if strangers:
        raise RecordingError(
            f"{folder}: expected videos named after cameras of the store file "
            f"({', '.join(sorted(known))}), got {', '.join(strangers)}; rename them"
        )
    offsets = _offsets(folder / TIMES_FILE, known)
    if files and faults.lenient:
        for name in sorted(wanted - set(files)):
            faults.tell(f"{folder}: no video of camera {name}", then="replayed without it")
    return tuple(
        Video(known[name], path, offsets.get(name, 0.0))
        for name, path in files.items()
        if name in wanted
    )


def _video_files(folder: Path) -> Iterator[Path]:
    for place in (folder, folder / "cameras"):
        if place.is_dir():
            for path in sorted(place.iterdir()):
                if path.suffix.lower() in VIDEO_SUFFIXES:
                    yield path


def _offsets(path: Path, known: dict[str, Camera]) -> dict[str, float]:
    """Camera to the store second at which its video begins."""
    if not path.exists():
        return {}
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise RecordingError(
            f'{path}: expected JSON such as {{"cam-a": 1.5}}, got something else ({error}); '
            "correct the file"
        ) from error
    if not isinstance(document, dict):
        raise RecordingError(
            f"{path}: expected an object of cameras and seconds, got {type(document).__name__}"
        )
    for name, offset_s in document.items():
        if name not in known:
            raise RecordingError(
                f"{path}: expected cameras of the store file ({', '.join(sorted(known))}), got "
                f"{name}; rename or remove it"
            )
        if not _is_seconds(offset_s):
            raise RecordingError(
                f"{path}: {name}: expected seconds from 0 to {STORE_S_MAX:.0f}, got {offset_s!r}; "
                "where all began earlier, add the same to each, and to plates and gates"
            )
    return {name: float(offset_s) for name, offset_s in document.items()}


def _is_seconds(value: Any) -> bool:
    number = isinstance(value, int | float) and not isinstance(value, bool)
    return number and math.isfinite(value) and 0.0 <= value <= STORE_S_MAX


def read_scans(path: Path, store: StoreFile, faults: Faults) -> tuple[Scan, ...]:
    """The scans of gates.jsonl by time; none for a file that is not there."""
    if not path.exists():
        return ()
    gates = {gate.gate_id for gate in store.gates}
    scans: list[Scan] = []
    with path.open(encoding="utf-8", errors="replace") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            scan = _scan(line)
            shown = repr(line.strip()[:80])
            if scan is None:
                faults.tell(
                    f"{path}:{number}: expected t_s, gate_id and shopper or code, got {shown}; "
                    "correct the line (t_s is in seconds from the beginning)",
                    then="left out",
                )
            elif scan.gate_id not in gates or (scan.shopper is None and not scan.code):
                faults.tell(
                    f"{path}:{number}: expected a gate of the store ({', '.join(sorted(gates))}) "
                    f"and a shopper or a code, got {shown}; correct the line",
                    then="left out",
                )
            elif len(scans) >= SCANS_MAX:
                raise RecordingError(f"{path}: expected at most {SCANS_MAX} scans, got more")
            else:
                scans.append(scan)
    return tuple(sorted(scans, key=lambda scan: scan.t_s))


def _scan(line: str) -> Scan | None:
    try:
        fields = json.loads(line)
        t_s = fields["t_s"]
        if not _is_seconds(t_s):
            return None
        return Scan(
            float(t_s),
            str(fields["gate_id"]),
            None if "shopper" not in fields else int(fields["shopper"]),
            None if "code" not in fields else str(fields["code"]),
            fields.get("staff") is True,
        )
    except (ValueError, KeyError, TypeError):
        return None
