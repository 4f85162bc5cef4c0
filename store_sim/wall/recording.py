"""Recordings of a simulated wall, and their replay.

A folder holds

    wall.json          schema, wall, case, seed, orders and the cameras' videos, once it is closed
    cameras/ID.mp4     a camera's pictures (store_sim.recording.video)
    scans.jsonl        {"scanner_id", "t_s", "code"}
    shown.jsonl        {"projector_id", "t_s", "file"}: what was thrown from then on; null: nothing
    shown/*.png        those pictures
    lamps.jsonl        {"light_id", "t_s", "colours"}: what a strip showed from then on, RRGGBB of
                       one lamp after the other
    truth/deeds.jsonl  what people did, for the auditor alone
"""

from __future__ import annotations

import heapq
import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from contracts.wall import Wall
from hardware.cameras.file import read_video
from hardware.errors import HardwareError
from hardware.ports import Frame
from store_sim.errors import RecordingError
from store_sim.recording.video import CameraFile
from store_sim.wall.world import WallScan, WallWorld

__all__ = ["RecordedWall", "WallEvent", "WallRecorder"]

SCHEMA = 1
CRF = 17
"""Labels of a few pixels a module need more bits than people do."""
Picture = NDArray[np.uint8]


class WallRecorder:
    """Stands between a driver and a world, and writes down what passes."""

    def __init__(self, world: WallWorld, folder: Path) -> None:
        """RecordingError if the folder holds a recording."""
        if (folder / "wall.json").exists():
            raise RecordingError(f"{folder}: expected no recording there yet; give another folder")
        for name in ("cameras", "shown", "truth"):
            (folder / name).mkdir(parents=True, exist_ok=True)
        self.world, self._folder = world, folder
        self._videos = {
            one.camera_id: CameraFile(folder, one, crf=CRF) for one in world.wall.cameras
        }
        self._scans = (folder / "scans.jsonl").open("w", encoding="utf-8")
        self._shown = (folder / "shown.jsonl").open("w", encoding="utf-8")
        self._lamps = (folder / "lamps.jsonl").open("w", encoding="utf-8")
        self._last: dict[str, Picture | None] = {}
        self._count = 0

    def step(self, t_s: float) -> None:
        """WallWorld.step."""
        self.world.step(t_s)

    def frames(self, t_s: float) -> tuple[Frame, ...]:
        """WallWorld.frames, written down."""
        found = self.world.frames(t_s)
        for frame in found:
            self._videos[frame.camera_id].write(frame)
        return found

    def scans(self) -> tuple[WallScan, ...]:
        """WallWorld.scans, written down."""
        found = self.world.scans()
        for scan in found:
            _write(self._scans, asdict(scan))
        return found

    def show(self, projector_id: str, rgb: Picture | None) -> None:
        """WallWorld.show, written down if it is another picture than before."""
        self.world.show(projector_id, rgb)
        last = self._last.get(projector_id)
        same = last is rgb if last is None or rgb is None else np.array_equal(last, rgb)
        if same:
            return
        self._last[projector_id] = None if rgb is None else rgb.copy()
        name = None
        if rgb is not None:
            name = f"shown/{projector_id}-{self._count:05d}.png"
            Image.fromarray(rgb).save(self._folder / name)
            self._count += 1
        row = {"projector_id": projector_id, "t_s": self.world.t_s, "file": name}
        _write(self._shown, row)

    def show_lamps(self, light_id: str, colours: Picture) -> None:
        """WallWorld.show_lamps, written down."""
        self.world.show_lamps(light_id, colours)
        row = {"light_id": light_id, "t_s": self.world.t_s, "colours": colours.tobytes().hex()}
        _write(self._lamps, row)

    def close(self) -> None:
        """Finishes the recording."""
        entries = [video.close(self._folder) for video in self._videos.values()]
        self._scans.close()
        self._shown.close()
        self._lamps.close()
        with (self._folder / "truth" / "deeds.jsonl").open("w", encoding="utf-8") as out:
            for deed in self.world.truth.log:
                _write(out, asdict(deed))
        document = {
            "schema": SCHEMA,
            "case": self.world.case.name,
            "seed": self.world.seed,
            "wall": self.world.wall.model_dump(mode="json"),
            "orders": [asdict(order) for order in self.world.orders],
            "cameras": [one.model_dump(mode="json") for one in entries if one is not None],
        }
        text = json.dumps(document, indent=1) + "\n"
        (self._folder / "wall.json").write_text(text, encoding="utf-8")


def _write(out: IO[str], row: dict[str, Any]) -> None:
    out.write(json.dumps(row) + "\n")


@dataclass(frozen=True, slots=True)
class WallEvent:
    """One thing of a recording: a camera's frame, a scan, what a projector threw from then on
    (`picture` None: nothing), or what a strip's lamps showed (`picture` (lamps, 3))."""

    kind: Literal["frame", "scan", "shown", "lamps"]
    t_s: float
    frame: Frame | None = None
    scan: WallScan | None = None
    projector_id: str = ""
    light_id: str = ""
    picture: Picture | None = None


class RecordedWall:
    """A recording as what happened, in the order of time; goes through any number of times."""

    def __init__(self, folder: Path) -> None:
        """RecordingError if there is no whole recording of this version."""
        path = folder / "wall.json"
        if not path.is_file():
            raise RecordingError(
                f"{folder}: expected a recording of a wall with its wall.json, found none; was the "
                "recording closed?"
            )
        document = json.loads(path.read_text(encoding="utf-8"))
        if document.get("schema") != SCHEMA:
            raise RecordingError(
                f"{path}: expected schema {SCHEMA}, got {document.get('schema')!r}; record it anew"
            )
        self._folder, self._document = folder, document
        self.wall = Wall.model_validate(document["wall"])
        self.case: str = document["case"]
        self.orders: tuple[dict[str, Any], ...] = tuple(document["orders"])

    def __iter__(self) -> Iterator[WallEvent]:
        streams = [self._frames(entry) for entry in self._document["cameras"]]
        streams += [self._rows("scans.jsonl"), self._rows("shown.jsonl")]
        if self.wall.lights:
            streams.append(self._rows("lamps.jsonl"))
        return heapq.merge(*streams, key=lambda event: event.t_s)

    def _frames(self, entry: dict[str, Any]) -> Iterator[WallEvent]:
        path = self._folder / entry["file"]
        try:
            for index, (offset_s, rgb) in enumerate(read_video(path)):
                t_s = entry["first_t_s"] + offset_s
                yield WallEvent("frame", t_s, frame=Frame(entry["camera_id"], t_s, index, rgb))
        except HardwareError as error:
            raise RecordingError(f"{path}: cannot be read ({error}); copy it anew") from error

    def _rows(self, name: str) -> Iterator[WallEvent]:
        path = self._folder / name
        if not path.is_file():
            raise RecordingError(f"{path}: expected this file of the recording; copy it anew")
        for line in path.read_text(encoding="utf-8").splitlines():
            row = json.loads(line)
            if name == "scans.jsonl":
                yield WallEvent("scan", row["t_s"], scan=WallScan(**row))
                continue
            if name == "lamps.jsonl":
                lamps = np.frombuffer(bytes.fromhex(row["colours"]), np.uint8).reshape(-1, 3)
                yield WallEvent("lamps", row["t_s"], light_id=row["light_id"], picture=lamps)
                continue
            picture = None
            if row["file"] is not None:
                picture = np.asarray(Image.open(self._folder / row["file"]).convert("RGB"))
            yield WallEvent("shown", row["t_s"], projector_id=row["projector_id"], picture=picture)
