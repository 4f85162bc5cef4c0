"""Labels on simulated walls: read in the single frame and within a second of video.

    python -m benchmarks.labels --only walls --wall-seeds 5

Nobody is at the wall and no light of ours falls on it. In the single frame each engine and ours get
the whole picture; within a second each engine has read what it reads in any of the frames, and ours
is what a node tells: followed, and agreed on over frames. Labels of the same parcel count once,
whatever is written how (contracts.labels). A misread names no parcel that stands there.
"""

from __future__ import annotations

import time
from collections import Counter, defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from auditor.score import wilson
from contracts.labels import label_key
from contracts.store_file import load_store_file
from sortie.parcels.scoring import WallRequest
from sortie.stores import WALL_STORES, store_path
from store_sim.wall import WallWorld
from vision.labels import CodeReader
from vision.labels.code import WALL_FORMATS
from vision.labels.engines import read_zbar, read_zxing
from vision.wall import WallCamera, WallMap

__all__ = ["CASES", "measure_walls", "read_row"]

CASES = (
    "labels-12", "labels-24", "qr", "code128", "datamatrix", "rotated", "slanted", "blurred",
    "glare", "worn",
)  # fmt: skip
VIDEO_S = 1.0
NOBODY_S = 1e6
"""When the first customer would come."""

Gray = NDArray[np.uint8]


def read_row(read: int, count: int, misread: int) -> dict[str, Any]:
    """What a source has read of so many: the share with its Wilson interval, and misreads."""
    return {
        "read": read,
        "share": round(read / max(1, count), 4),
        "interval": [round(end, 3) for end in wilson(read, count)],
        "misread": misread,
    }


@dataclass
class _Tally:
    """What each source has read and misread, of `labels`; in a frame and in a second."""

    labels: int = 0
    read: Counter[str] = field(default_factory=Counter)
    misread: Counter[str] = field(default_factory=Counter)
    cpu_s: defaultdict[str, float] = field(default_factory=lambda: defaultdict(float))
    frames: int = 0

    def take(self, source: str, found: set[str], right: set[str]) -> None:
        self.read[source] += len(found & right)
        self.misread[source] += len(found - right)

    def document(self) -> dict[str, Any]:
        return {
            "labels": self.labels,
            **{
                name: {
                    **read_row(self.read[name], self.labels, self.misread[name]),
                    "cpu_ms_frame": round(1e3 * self.cpu_s[name] / max(1, self.frames), 1),
                }
                for name in sorted(self.read)
            },
        }


def _keys(texts: Sequence[str]) -> set[str]:
    return {label_key(text) for text in texts if text.strip()}


def _engines() -> dict[str, Callable[[Gray], set[str]]]:
    reader, opencv = CodeReader(), cv2.QRCodeDetector()
    return {
        "zxing": lambda gray: _keys([one.text for one in read_zxing(gray, WALL_FORMATS)]),
        "zbar": lambda gray: _keys([one.text for one in read_zbar(gray, WALL_FORMATS)]),
        "cv2": lambda gray: _keys(opencv.detectAndDecodeMulti(gray)[1]),
        "ours": lambda gray: _keys([one.text for one in reader.read(gray)]),
    }


def measure_walls(
    *, seeds: Sequence[int] = (5000, 5001), cases: Sequence[str] = CASES
) -> dict[str, Any]:
    """By case: labels read in the first frame and in the first second, by each source."""
    request = WallRequest(
        tuple(store_path(name) for name in WALL_STORES), tuple(cases), tuple(seeds)
    )
    frame: defaultdict[str, _Tally] = defaultdict(_Tally)
    second: defaultdict[str, _Tally] = defaultdict(_Tally)
    for task in request.tasks():
        wall = next(
            one for one in load_store_file(task.store_path).walls if one.wall_id == task.wall_id
        )
        world = WallWorld(wall, task.case, task.seed, first_s=NOBODY_S)
        _look(world, frame[task.case], second[task.case])
    return {
        case: {"frame": frame[case].document(), "second": second[case].document()} for case in cases
    }


def _look(world: WallWorld, single: _Tally, video: _Tally) -> None:
    """One wall for a second, by all its cameras together."""
    wall = world.wall
    eyes = {one.camera_id: WallCamera(one, wall) for one in wall.cameras}
    things, engines = WallMap(wall, "w"), _engines()
    step_s = 1 / wall.cameras[0].fps
    ever: defaultdict[str, set[str]] = defaultdict(set)
    right: set[str] = set()
    for k in range(1, round(VIDEO_S / step_s) + 1):
        world.step(k * step_s)
        pictures = world.frames(k * step_s)
        right = {label_key(one.text) for one in world.truth.parcels if one.text is not None}
        now: defaultdict[str, set[str]] = defaultdict(set)
        for picture in pictures:
            gray = np.asarray(cv2.cvtColor(picture.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
            for name, read in engines.items():
                began_s = time.process_time()
                now[name] |= read(gray)
                spent_s = time.process_time() - began_s
                video.cpu_s[name] += spent_s
                single.cpu_s[name] += spent_s if k == 1 else 0.0
        now["any"] = now["zxing"] | now["zbar"] | now["cv2"]
        began_s = time.process_time()
        things.step(k * step_s, [eyes[one.camera_id].perceive(one) for one in pictures])
        video.cpu_s["node"] += time.process_time() - began_s
        video.frames += len(pictures)
        if k == 1:
            single.labels += len(right)
            single.frames += len(pictures)
            for name, found in now.items():
                single.take(name, found, right)
        for name, found in now.items():
            ever[name] |= found
    video.labels += len(right)
    for name, found in ever.items():
        video.take(name, found, right)
    told = [
        one.label.text for one in things.things() if one.label is not None and not one.contested
    ]
    video.take("node", _keys(told), right)
