"""Recordings: what all sensors of a store gave, in a folder that anything can look at.

    manifest.json           what is here, of which schema, with sizes and SHA-256 of every file
    store.yaml              the store file
    cameras/CAMERA.mp4      H.264, yuv420p, plays in a browser; picture times are the frames' times
    plates/0000.npz         t_s (N,) float64, grams (N, P) float32, a minute each
    gates.jsonl             {"t_s": 4.2, "gate_id": "...", "shopper": 0} or, real, {..., "code": ""}
    truth/visits.jsonl      what really happened; nobody but the auditor opens it

A scan carries the shopper's number and no code: codes are used up when they are used, so each
replay issues fresh ones. A recording is written beside its place and moved there when it is whole.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from hardware.ports import Frame, GateScan, ScaleBatch
from store_sim.dials import Dials
from store_sim.errors import RecordingError
from store_sim.scenarios import build
from store_sim.stream import SensorTick, SimulatedStream, chosen_cameras
from store_sim.truth import TruthWriter
from store_sim.world import TICK_HZ

if TYPE_CHECKING:
    import av

__all__ = [
    "CameraEntry",
    "FileEntry",
    "Manifest",
    "PlatesEntry",
    "RecordingWriter",
    "Simulation",
    "record_simulation",
    "shopper_code",
    "shopper_of",
]

RECORDING_SCHEMA = 1
CRF = 20
KEYFRAME_S = 2.0
CHUNK_ROWS = TICK_HZ * 60
PLACEHOLDER = "shopper:"
Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]


class FileEntry(Contract):
    """A file of the recording."""

    file: Annotated[str, Field(pattern=r"^[A-Za-z0-9_./-]+$", max_length=200)]
    bytes: Annotated[int, Field(ge=0)]
    sha256: Sha256


class CameraEntry(FileEntry):
    """A camera's video. `rgb_sha256` is over the pictures before they were compressed."""

    camera_id: str
    width: int
    height: int
    fps: float
    frames: int
    first_t_s: float
    rgb_sha256: Sha256


class PlatesEntry(Contract):
    """The plates' readings."""

    plate_ids: tuple[str, ...]
    rows: int
    chunks: tuple[FileEntry, ...]


class Simulation(Contract):
    """Where a simulated recording came from."""

    scenario: str
    seed: int
    shoppers: int


class Manifest(Contract):
    """`manifest.json`. `simulation` is None for a recording of a real store."""

    schema_version: Literal[1]
    store: FileEntry
    simulation: Simulation | None
    duration_s: float
    cameras: tuple[CameraEntry, ...]
    plates: PlatesEntry | None
    gates: FileEntry | None
    truth: FileEntry | None = None


def shopper_code(shopper: int) -> str:
    """What stands for a shopper's code while a recording is made."""
    return f"{PLACEHOLDER}{shopper}"


def shopper_of(code: str) -> int | None:
    """The shopper of such a code; None for a real code."""
    number = code.removeprefix(PLACEHOLDER)
    return int(number) if code.startswith(PLACEHOLDER) and number.isdigit() else None


class _CameraFile:
    """One camera's video under way."""

    def __init__(self, folder: Path, camera: Camera) -> None:
        import av

        size = camera.intrinsics
        if size.width % 2 or size.height % 2:
            raise RecordingError(
                f"camera {camera.camera_id}: expected an even width and height for H.264, got "
                f"{size.width}x{size.height}; change the store file"
            )
        self._camera = camera
        self._name = f"cameras/{camera.camera_id}.mp4"
        self._path = folder / self._name
        self._container = av.open(
            str(self._path), "w", options={"movflags": "+faststart", "fflags": "+bitexact"}
        )
        # One thread and no B-frames: the same pictures give the same file, and times are plain.
        stream = self._container.add_stream(
            "libx264",
            rate=Fraction(camera.fps).limit_denominator(1001),
            options={"crf": str(CRF), "preset": "veryfast", "bf": "0", "threads": "1"},
        )
        stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
        stream.codec_context.time_base = Fraction(1, TICK_HZ)
        stream.codec_context.gop_size = max(1, round(camera.fps * KEYFRAME_S))
        stream.codec_context.flags |= av.codec.context.Flags.bitexact
        self._stream: av.video.stream.VideoStream = stream
        self._digest = hashlib.sha256()
        self._first_tick: int | None = None
        self._frames = 0

    def write(self, frame: Frame) -> None:
        import av

        size = self._camera.intrinsics
        if frame.rgb.shape != (size.height, size.width, 3):
            raise RecordingError(
                f"camera {frame.camera_id}: expected pictures of {size.width}x{size.height}, got "
                f"{frame.rgb.shape[1]}x{frame.rgb.shape[0]}"
            )
        tick = round(frame.t_s * TICK_HZ)
        if self._first_tick is None:
            self._first_tick = tick
        self._digest.update(frame.rgb.tobytes())
        picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
        picture.pts = tick - self._first_tick
        picture.time_base = Fraction(1, TICK_HZ)
        for packet in self._stream.encode(picture):
            self._container.mux(packet)
        self._frames += 1

    def close(self, root: Path) -> CameraEntry | None:
        if self._frames:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()
        if not self._frames or self._first_tick is None:
            self._path.unlink(missing_ok=True)
            return None
        entry = file_entry(root, self._name)
        size = self._camera.intrinsics
        return CameraEntry(
            file=entry.file,
            bytes=entry.bytes,
            sha256=entry.sha256,
            camera_id=self._camera.camera_id,
            width=size.width,
            height=size.height,
            fps=self._camera.fps,
            frames=self._frames,
            first_t_s=self._first_tick / TICK_HZ,
            rgb_sha256=self._digest.hexdigest(),
        )


class RecordingWriter:
    """Writes a stream's ticks into a folder; nothing stands at `folder` until `close`.

    Raises RecordingError if something stands there already. `abandon` removes what was written.
    """

    def __init__(
        self,
        folder: Path,
        store: StoreFile,
        store_text: str,
        *,
        cameras: tuple[Camera, ...],
        simulation: Simulation | None = None,
    ) -> None:
        if folder.exists():
            raise RecordingError(
                f"{folder}: expected a name that is free, got something that exists; remove it or "
                "choose another folder"
            )
        self._folder = folder
        self._work = folder.with_name(folder.name + ".partial")
        if self._work.exists():
            shutil.rmtree(self._work)
        for name in ("cameras", "plates", "truth"):
            (self._work / name).mkdir(parents=True)
        (self._work / "store.yaml").write_text(store_text, encoding="utf-8")
        self._simulation = simulation
        self._cameras = {camera.camera_id: _CameraFile(self._work, camera) for camera in cameras}
        self._plate_ids = tuple(plate.plate_id for plate in store.plates)
        self._rows: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []
        self._row_count = 0
        self._chunks: list[FileEntry] = []
        self._scans = (self._work / "gates.jsonl").open("w", encoding="utf-8")
        self._t_s = 0.0

    @property
    def truth_folder(self) -> Path:
        """Where the truth of this recording goes while it is written."""
        return self._work / "truth"

    def write(self, tick: SensorTick) -> None:
        """Adds a tick."""
        self._t_s = tick.t_s
        for frame in tick.frames:
            if frame.camera_id in self._cameras:
                self._cameras[frame.camera_id].write(frame)
        if tick.scales is not None and len(tick.scales.t_s):
            self._write_plates(tick.scales)
        for scan in tick.scans:
            self._scans.write(json.dumps(_scan_line(scan)) + "\n")

    def close(self) -> Manifest:
        """Finishes all files and moves the recording to its place."""
        entries = [entry for file in self._cameras.values() if (entry := file.close(self._work))]
        self._scans.close()
        self._flush_plates()
        plates = None
        if self._chunks:
            plates = PlatesEntry(
                plate_ids=self._plate_ids, rows=self._row_count, chunks=tuple(self._chunks)
            )
        truth = self._work / "truth" / "visits.jsonl"
        manifest = Manifest(
            schema_version=RECORDING_SCHEMA,
            store=file_entry(self._work, "store.yaml"),
            simulation=self._simulation,
            duration_s=self._t_s,
            cameras=tuple(entries),
            plates=plates,
            gates=file_entry(self._work, "gates.jsonl"),
            truth=file_entry(self._work, "truth/visits.jsonl") if truth.exists() else None,
        )
        text = manifest.model_dump_json(indent=2, exclude_none=False)
        (self._work / "manifest.json").write_text(text + "\n", encoding="utf-8")
        os.replace(self._work, self._folder)
        return manifest

    def abandon(self) -> None:
        """Removes what was written so far."""
        for file in self._cameras.values():
            file.close(self._work)
        self._scans.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def _write_plates(self, batch: ScaleBatch) -> None:
        if batch.plate_ids != self._plate_ids:
            raise RecordingError(
                f"expected readings of the store's {len(self._plate_ids)} plates in its order, got "
                f"{len(batch.plate_ids)}"
            )
        self._rows.append((batch.t_s, batch.grams))
        if sum(len(t_s) for t_s, _ in self._rows) >= CHUNK_ROWS:
            self._flush_plates()

    def _flush_plates(self) -> None:
        if not self._rows:
            return
        name = f"plates/{len(self._chunks):04d}.npz"
        t_s = np.concatenate([rows for rows, _ in self._rows])
        grams = np.concatenate([rows for _, rows in self._rows])
        np.savez_compressed(self._work / name, t_s=t_s, grams=grams)
        self._chunks.append(file_entry(self._work, name))
        self._row_count += len(t_s)
        self._rows.clear()


def _scan_line(scan: GateScan) -> dict[str, Any]:
    shopper = shopper_of(scan.code)
    who = {"code": scan.code} if shopper is None else {"shopper": shopper}
    return {"t_s": scan.t_s, "gate_id": scan.gate_id, **who}


def file_entry(root: Path, name: str) -> FileEntry:
    """Size and SHA-256 of a file of the recording."""
    digest = hashlib.sha256()
    path = root / name
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    return FileEntry(file=name, bytes=path.stat().st_size, sha256=digest.hexdigest())


def record_simulation(
    folder: Path,
    store_path: Path,
    simulation: Simulation,
    *,
    cameras: Iterable[str] | None = None,
    duration_s: float | None = None,
    dials: Dials | None = None,
) -> Manifest:
    """Simulates a scenario and records all its sensors, truth apart, into `folder`.

    `dials` are the scenario's own if None.
    """
    store = load_store_file(store_path)
    scenario = build(simulation.scenario, store, simulation.seed, simulation.shoppers)
    if dials is not None:
        scenario = replace(scenario, dials=dials)
    wanted = chosen_cameras(store, None if cameras is None else set(cameras))
    writer = RecordingWriter(
        folder,
        store,
        store_path.read_text(encoding="utf-8"),
        cameras=wanted,
        simulation=simulation,
    )
    try:
        stream = SimulatedStream(
            store,
            scenario,
            simulation.seed,
            cameras=[camera.camera_id for camera in wanted],
            phone=shopper_code,
            truth=TruthWriter(writer.truth_folder),
            duration_s=duration_s,
        )
        for tick in stream:
            writer.write(tick)
    except BaseException:
        # Interrupted or failed: half a recording is worth nothing and must not be taken for one.
        writer.abandon()
        raise
    return writer.close()
