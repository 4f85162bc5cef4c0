"""Writes recordings, and records simulations."""

from __future__ import annotations

import dataclasses
import json
import os
import shutil
from collections.abc import Callable, Iterable
from functools import cache
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from hardware.ports import GateScan, ScaleBatch
from store_sim.digest import SensorDigest, code_sha256, truth_files, truth_sha256
from store_sim.errors import RecordingError
from store_sim.recording.manifest import (
    PARTIAL,
    RECORDING_SCHEMA,
    FileEntry,
    Manifest,
    PlatesEntry,
    RecordingDigests,
    Simulation,
    file_entry,
)
from store_sim.recording.video import CameraFile
from store_sim.scenarios import build
from store_sim.stream import SensorTick, SimulatedStream, chosen_cameras
from store_sim.truth import TruthWriter
from store_sim.world import TICK_HZ, World

__all__ = [
    "RecordingWriter",
    "code_version",
    "record_simulation",
    "shopper_code",
    "shopper_of",
    "shown_by",
]

CHUNK_ROWS = TICK_HZ * 60
PLACEHOLDER = "shopper:"
BADGE = "staff:"
TIMES_FILE = "times.json"


def shopper_code(shopper: int) -> str:
    """What stands for a shopper's code while a recording is made."""
    return f"{PLACEHOLDER}{shopper}"


def shown_by(world: World, shopper: int) -> str:
    """The same, or what stands for the badge of somebody of the staff."""
    return f"{BADGE}{shopper}" if world.people.is_staff(shopper) else shopper_code(shopper)


def shopper_of(code: str) -> int | None:
    """The shopper of such a code, or of a staff's badge; None for a real code."""
    for prefix in (PLACEHOLDER, BADGE):
        number = code.removeprefix(prefix)
        if code.startswith(prefix) and number.isdigit():
            return int(number)
    return None


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
        self._work = folder.with_name(folder.name + PARTIAL)
        if self._work.exists():
            shutil.rmtree(self._work)
        for name in ("cameras", "plates", "truth"):
            (self._work / name).mkdir(parents=True)
        (self._work / "store.yaml").write_text(store_text, encoding="utf-8")
        self._simulation = simulation
        self._cameras = {camera.camera_id: CameraFile(self._work, camera) for camera in cameras}
        self._plate_ids = tuple(plate.plate_id for plate in store.plates)
        self._rows: list[tuple[NDArray[np.float64], NDArray[np.float32]]] = []
        self._row_count = 0
        self._chunks: list[FileEntry] = []
        self._digest = SensorDigest(self._plate_ids)
        # A line at a time: what was scanned before a crash is on the disk.
        self._scans = (self._work / "gates.jsonl").open("w", encoding="utf-8", buffering=1)
        self._t_s = 0.0

    @property
    def truth_folder(self) -> Path:
        """Where the truth of this recording goes while it is written."""
        return self._work / "truth"

    def write(self, tick: SensorTick) -> None:
        """Adds a tick. Frames of cameras that are not recorded are left out."""
        self._t_s = tick.t_s
        frames = tuple(frame for frame in tick.frames if frame.camera_id in self._cameras)
        for frame in frames:
            file = self._cameras[frame.camera_id]
            begins = file.first_t_s is None
            file.write(frame)
            if begins:
                self._write_times()
        self._digest.add(dataclasses.replace(tick, frames=frames))
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
        truth = [f"truth/{name}" for name in truth_files(self.truth_folder)]
        manifest = Manifest(
            schema_version=RECORDING_SCHEMA,
            store=file_entry(self._work, "store.yaml"),
            simulation=self._simulation,
            duration_s=self._t_s,
            cameras=tuple(entries),
            plates=plates,
            gates=file_entry(self._work, "gates.jsonl"),
            truth=tuple(file_entry(self._work, name) for name in truth),
            digests=RecordingDigests(
                frames_sha256=self._digest.frames_sha256,
                plates_sha256=self._digest.plates_sha256,
                truth_sha256=truth_sha256(self.truth_folder),
            ),
        )
        text = manifest.model_dump_json(indent=2, exclude_none=False)
        (self._work / "manifest.json").write_text(text + "\n", encoding="utf-8")
        (self._work / TIMES_FILE).unlink(missing_ok=True)
        os.replace(self._work, self._folder)
        return manifest

    def abandon(self) -> None:
        """Removes what was written so far."""
        for file in self._cameras.values():
            file.abandon()
        self._scans.close()
        shutil.rmtree(self._work, ignore_errors=True)

    def _write_times(self) -> None:
        times = {name: file.first_t_s for name, file in self._cameras.items() if file.begun}
        (self._work / TIMES_FILE).write_text(json.dumps(times) + "\n", encoding="utf-8")

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
    who: dict[str, Any] = {"code": scan.code} if shopper is None else {"shopper": shopper}
    if shopper is not None and scan.code.startswith(BADGE):
        who["staff"] = True
    return {"t_s": scan.t_s, "gate_id": scan.gate_id, **who}


@cache
def code_version() -> str:
    """Version of the package and the beginning of the simulator's digest, such as
    "0.1.0+3f2a9c1d5e6b"."""
    try:
        number = version("sortie-store")
    except PackageNotFoundError:
        # Run from a checkout that nobody installed.
        number = "0"
    return f"{number}+{code_sha256()[:12]}"


def record_simulation(
    folder: Path,
    store_path: Path,
    simulation: Simulation,
    *,
    cameras: Iterable[str] | None = None,
    duration_s: float | None = None,
    progress: Callable[[float], None] = lambda _t: None,
) -> Manifest:
    """Simulates a scenario and records all its sensors, truth apart, into `folder`.

    `simulation.dials` stand in the place of the scenario's own. `cameras` (all for None) are
    recorded; `progress` is told the store's time.
    """
    store = load_store_file(store_path)
    scenario = build(simulation.scenario, store, simulation.seed, simulation.shoppers)
    if simulation.dials is not None:
        scenario = dataclasses.replace(scenario, dials=simulation.dials)
    wanted = chosen_cameras(store, None if cameras is None else set(cameras))
    writer = RecordingWriter(
        folder,
        store,
        store_path.read_text(encoding="utf-8"),
        cameras=wanted,
        simulation=simulation.model_copy(update={"dials": scenario.dials, "code": code_version()}),
    )
    try:
        stream = SimulatedStream(
            store,
            scenario,
            simulation.seed,
            cameras=[camera.camera_id for camera in wanted],
            phone=lambda shopper: shown_by(stream.world, shopper),
            truth=TruthWriter(writer.truth_folder),
            duration_s=duration_s,
        )
        for tick in stream:
            writer.write(tick)
            progress(tick.t_s)
    except BaseException:
        # Interrupted or failed: half a recording is worth nothing and must not be taken for one.
        writer.abandon()
        raise
    return writer.close()
