"""Reads a recording as the stream of sensor readings that it was.

A folder with a `manifest.json` is a recording of ours and is checked against it. A folder without
one is somebody's own: a store file (one `*.yaml`), videos named after its cameras
(`CAMERA.mp4`, in the folder or in `cameras/`), which begin together, and, if there are any,
`plates/*.npz` and `gates.jsonl` as in `store_sim.recording`.
"""

from __future__ import annotations

import json
import math
import zipfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from pydantic import ValidationError

from contracts.errors import ContractError
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from hardware.cameras.file import read_video
from hardware.errors import HardwareError
from hardware.ports import Frame, GateScan, ScaleBatch
from store_sim.errors import RecordingError
from store_sim.recording import FileEntry, Manifest, file_entry
from store_sim.stream import STEP_HZ, SensorTick, chosen_cameras
from store_sim.world import TICK_HZ

__all__ = ["RecordedStream", "read_manifest"]

VIDEO_SUFFIXES = (".mp4", ".mkv", ".mov", ".avi", ".webm")
MANIFEST_BYTES_MAX = 10_000_000
SCANS_MAX = 1_000_000
_EPS_S = 1e-6
_Rows = tuple[NDArray[np.float64], NDArray[np.float32]]


@dataclass(frozen=True, slots=True)
class _Video:
    camera: Camera
    path: Path
    first_t_s: float
    frames: int | None
    on_ticks: bool


@dataclass(frozen=True, slots=True)
class _Scan:
    t_s: float
    gate_id: str
    shopper: int | None
    code: str | None


@dataclass(frozen=True, slots=True)
class _Plates:
    plate_ids: tuple[str, ...]
    chunks: tuple[Path, ...]


def read_manifest(folder: Path) -> Manifest | None:
    """The manifest of a recording, None for a folder without one; RecordingError if broken."""
    if not folder.is_dir():
        partial = folder.with_name(folder.name + ".partial")
        hint = (
            f"; {partial} was never finished: record again"
            if partial.is_dir()
            else "; check the path"
        )
        raise RecordingError(f"{folder}: expected a folder with a recording, got none{hint}")
    path = folder / "manifest.json"
    if not path.exists():
        if folder.name.endswith(".partial"):
            raise RecordingError(f"{folder}: a recording that was never finished; record it again")
        return None
    try:
        if path.stat().st_size > MANIFEST_BYTES_MAX:
            raise RecordingError(
                f"{path}: expected at most {MANIFEST_BYTES_MAX} bytes, got {path.stat().st_size}"
            )
        document = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise RecordingError(
            f"{path}: expected JSON, got something else ({error}); copy the recording again"
        ) from error
    version = document.get("schema_version") if isinstance(document, dict) else None
    if version != 1:
        raise RecordingError(
            f"{path}: expected schema_version 1, got {version!r}; replay it with the version that "
            "recorded it"
        )
    try:
        return Manifest.model_validate(document)
    except ValidationError as error:
        fault = error.errors()[0]
        field = ".".join(str(part) for part in fault["loc"])
        raise RecordingError(
            f"{path}: {field}: {fault['msg']}; copy the recording again"
        ) from error


class RecordedStream:
    """A recording as a stream of ticks; may be gone through any number of times.

    `phone(shopper)` gives a fresh code for a recorded scan; a scan without code is left out.
    `cameras` (all for None), `roles` of cameras and `plates` choose sensors. `verify=False` leaves
    out the digests. Raises RecordingError, naming file and fix, for anything missing, torn or
    altered.
    """

    def __init__(
        self,
        folder: Path,
        *,
        phone: Callable[[int], str | None],
        cameras: Collection[str] | None = None,
        roles: Collection[str] = ("shelf", "ceiling"),
        plates: bool = True,
        verify: bool = True,
    ) -> None:
        self._folder = folder
        self._phone = phone
        self.manifest = read_manifest(folder)
        if self.manifest is not None:
            _check_files(folder, self.manifest, verify)
        self._store = _load_store(folder, self.manifest)
        wanted = {
            camera.camera_id
            for camera in chosen_cameras(self._store, cameras)
            if camera.role in roles
        }
        if self.manifest is not None:
            self._videos = _videos_of_manifest(folder, self.manifest, self._store, wanted)
        else:
            self._videos = _videos_of_folder(folder, self._store, wanted)
        self._plates = _plates_of(folder, self.manifest, self._store) if plates else None
        self._scans = _read_scans(folder / "gates.jsonl", self._store)
        if not self._videos and self._plates is None:
            raise RecordingError(
                f"{folder}: expected videos named after the store's cameras (such as "
                f"{self._store.cameras[0].camera_id if self._store.cameras else 'CAMERA'}.mp4) or "
                "plates, got neither"
            )

    @property
    def store(self) -> StoreFile:
        """The store that was recorded."""
        return self._store

    @property
    def duration_s(self) -> float | None:
        """How long the recording is; None for a folder without a manifest."""
        return None if self.manifest is None else self.manifest.duration_s

    def __iter__(self) -> Iterator[SensorTick]:
        """The ticks from the beginning."""
        feeds = {video.camera.camera_id: _Feed(self._frames(video)) for video in self._videos}
        rows = None
        if self._plates is not None:
            rows = _RowFeed(self._plates.plate_ids, self._rows(self._plates))
        scans = list(self._scans)
        scans.reverse()
        step = 0
        while True:
            step += 1
            t_s = step / STEP_HZ
            over = self.duration_s is not None and t_s > self.duration_s + _EPS_S
            if self.duration_s is None:
                over = not scans and all(feed.head is None for feed in feeds.values())
                over = over and (rows is None or rows.empty)
            if over:
                return
            frames = [frame for feed in feeds.values() for frame in feed.upto(t_s)]
            frames.sort(key=lambda frame: frame.t_s)
            batch = rows.upto(t_s) if rows is not None else None
            yield SensorTick(t_s, tuple(frames), batch, tuple(self._due_scans(scans, t_s)))

    def _due_scans(self, scans: list[_Scan], t_s: float) -> Iterator[GateScan]:
        while scans and scans[-1].t_s <= t_s + _EPS_S:
            scan = scans.pop()
            code = scan.code if scan.shopper is None else self._phone(scan.shopper)
            if code is not None:
                yield GateScan(scan.gate_id, scan.t_s, code)

    def _frames(self, video: _Video) -> Iterator[Frame]:
        size = video.camera.intrinsics
        index = 0
        try:
            for file_s, rgb in read_video(video.path):
                if rgb.shape != (size.height, size.width, 3):
                    raise RecordingError(
                        f"{video.path}: expected pictures of {size.width}x{size.height} as the "
                        f"store file says, got {rgb.shape[1]}x{rgb.shape[0]}; correct the "
                        "camera's intrinsics or scale the video"
                    )
                t_s = video.first_t_s + file_s
                if video.on_ticks:
                    t_s = round(t_s * TICK_HZ) / TICK_HZ
                yield Frame(video.camera.camera_id, t_s, index, rgb)
                index += 1
        except HardwareError as error:
            raise RecordingError(f"{self._folder}: {error}") from error
        if video.frames is not None and index != video.frames:
            raise RecordingError(
                f"{video.path}: expected {video.frames} frames, got {index}; copy it again"
            )

    def _rows(self, plates: _Plates) -> Iterator[_Rows]:
        last_s = -math.inf
        for path in plates.chunks:
            t_s, grams = _read_chunk(path, len(plates.plate_ids))
            if len(t_s) and (t_s[0] < last_s or np.any(np.diff(t_s) < 0)):
                raise RecordingError(f"{path}: expected times that rise, got some that fall")
            last_s = float(t_s[-1]) if len(t_s) else last_s
            yield t_s, grams


class _Feed:
    """Frames of one camera with the next one in hand."""

    def __init__(self, frames: Iterator[Frame]) -> None:
        self._frames = frames
        self.head: Frame | None = next(frames, None)

    def upto(self, t_s: float) -> Iterator[Frame]:
        while self.head is not None and self.head.t_s <= t_s + _EPS_S:
            frame, self.head = self.head, next(self._frames, None)
            yield frame


class _RowFeed:
    """Rows of plates, cut to ticks."""

    def __init__(self, plate_ids: tuple[str, ...], chunks: Iterator[_Rows]) -> None:
        self._plate_ids = plate_ids
        self._chunks = chunks
        self._t_s: NDArray[np.float64] = np.zeros(0)
        self._grams: NDArray[np.float32] = np.zeros((0, 0), np.float32)
        self._place = 0
        self.empty = False
        self._refill()

    def _refill(self) -> None:
        while self._place >= len(self._t_s) and not self.empty:
            chunk = next(self._chunks, None)
            if chunk is None:
                self.empty = True
            else:
                (self._t_s, self._grams), self._place = chunk, 0

    def upto(self, t_s: float) -> ScaleBatch | None:
        parts: list[_Rows] = []
        while not self.empty:
            end = int(np.searchsorted(self._t_s, t_s + _EPS_S, side="right"))
            if end <= self._place:
                break
            parts.append((self._t_s[self._place : end], self._grams[self._place : end]))
            self._place = end
            self._refill()
        if not parts:
            return None
        return ScaleBatch(
            self._plate_ids,
            np.concatenate([part[0] for part in parts]),
            np.concatenate([part[1] for part in parts]),
        )


def _check_files(folder: Path, manifest: Manifest, verify: bool) -> None:
    """Every file that the manifest names, but for the truth, which is not ours to open."""
    entries: list[FileEntry] = [manifest.store, *manifest.cameras]
    if manifest.plates is not None:
        entries += manifest.plates.chunks
    if manifest.gates is not None:
        entries.append(manifest.gates)
    for entry in entries:
        path = folder / entry.file
        if ".." in Path(entry.file).parts or entry.file.startswith("/"):
            raise RecordingError(f"{folder}: expected files inside the folder, got {entry.file}")
        if not path.is_file():
            raise RecordingError(
                f"{path}: missing; the manifest names it: copy the recording again"
            )
        size = path.stat().st_size
        if size != entry.bytes:
            raise RecordingError(
                f"{path}: expected {entry.bytes} bytes, got {size}; copy the recording again"
            )
        if verify and file_entry(folder, entry.file).sha256 != entry.sha256:
            raise RecordingError(
                f"{path}: its SHA-256 is not that of the manifest: it was altered or damaged; copy "
                "the recording again"
            )


def _load_store(folder: Path, manifest: Manifest | None) -> StoreFile:
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


def _videos_of_manifest(
    folder: Path, manifest: Manifest, store: StoreFile, wanted: set[str]
) -> tuple[_Video, ...]:
    known = {camera.camera_id: camera for camera in store.cameras}
    videos = []
    for entry in manifest.cameras:
        if entry.camera_id not in known:
            raise RecordingError(
                f"{folder}: the manifest names camera {entry.camera_id}, which its store file does "
                "not have; copy the recording again"
            )
        if entry.camera_id in wanted:
            videos.append(
                _Video(
                    known[entry.camera_id],
                    folder / entry.file,
                    entry.first_t_s,
                    entry.frames,
                    manifest.simulation is not None,
                )
            )
    return tuple(videos)


def _videos_of_folder(folder: Path, store: StoreFile, wanted: set[str]) -> tuple[_Video, ...]:
    files = {
        path.stem: path
        for place in (folder, folder / "cameras")
        if place.is_dir()
        for path in sorted(place.iterdir())
        if path.suffix.lower() in VIDEO_SUFFIXES
    }
    known = {camera.camera_id: camera for camera in store.cameras}
    strangers = sorted(set(files) - set(known))
    if strangers:
        raise RecordingError(
            f"{folder}: expected videos named after cameras of the store file "
            f"({', '.join(sorted(known))}), got {', '.join(strangers)}; rename them"
        )
    return tuple(
        _Video(known[name], path, 0.0, None, False)
        for name, path in files.items()
        if name in wanted
    )


def _plates_of(folder: Path, manifest: Manifest | None, store: StoreFile) -> _Plates | None:
    if manifest is not None:
        if manifest.plates is None:
            return None
        chunks = tuple(folder / chunk.file for chunk in manifest.plates.chunks)
        return _Plates(manifest.plates.plate_ids, chunks)
    chunks = tuple(sorted((folder / "plates").glob("*.npz")))
    return _Plates(tuple(plate.plate_id for plate in store.plates), chunks) if chunks else None


def _read_chunk(path: Path, plates: int) -> _Rows:
    try:
        with np.load(path, allow_pickle=False) as chunk:
            t_s, grams = chunk["t_s"], chunk["grams"]
    except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile) as error:
        raise RecordingError(
            f"{path}: expected arrays t_s and grams, got a file without or a torn one ({error}); "
            "copy it again"
        ) from error
    if t_s.ndim != 1 or grams.shape != (len(t_s), plates):
        raise RecordingError(
            f"{path}: expected t_s (N,) and grams (N, {plates}), got {t_s.shape} and "
            f"{grams.shape}; the columns are the store file's plates in its order"
        )
    return t_s.astype(np.float64), grams.astype(np.float32)


def _read_scans(path: Path, store: StoreFile) -> tuple[_Scan, ...]:
    if not path.exists():
        return ()
    gates = {gate.gate_id for gate in store.gates}
    scans: list[_Scan] = []
    with path.open(encoding="utf-8") as lines:
        for number, line in enumerate(lines, start=1):
            if not line.strip():
                continue
            try:
                fields = json.loads(line)
                scan = _Scan(
                    float(fields["t_s"]),
                    str(fields["gate_id"]),
                    None if "shopper" not in fields else int(fields["shopper"]),
                    None if "code" not in fields else str(fields["code"]),
                )
            except (ValueError, KeyError, TypeError) as error:
                raise RecordingError(
                    f"{path}:{number}: expected t_s, gate_id and shopper or code, got "
                    f"{line.strip()[:80]!r}; correct the line"
                ) from error
            if scan.gate_id not in gates or (scan.shopper is None and not scan.code):
                raise RecordingError(
                    f"{path}:{number}: expected a gate of the store ({', '.join(sorted(gates))}) "
                    f"and a shopper or a code, got {line.strip()[:80]!r}; correct the line"
                )
            if len(scans) >= SCANS_MAX:
                raise RecordingError(f"{path}: expected at most {SCANS_MAX} scans, got more")
            scans.append(scan)
    return tuple(sorted(scans, key=lambda scan: scan.t_s))
