"""Digests of what sensors gave, so that two runs can be compared without keeping either.

>>> import numpy as np
>>> digest = SensorDigest(("p0",))
>>> digest.add(SensorTick(1 / 15, (Frame("cam-a", 1 / 60, 0, np.zeros((2, 2, 3), np.uint8)),)))
>>> len(digest.frames_sha256), digest.plates_sha256 == SensorDigest(("p0",)).plates_sha256
(64, True)

Frames are taken as they leave the renderer, before any video codec. Times go in as whole
microseconds and a missing reading as one bit pattern, so that nothing depends on a last bit that
differs between Python versions or processors.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np

from hardware.ports import Frame
from store_sim.stream import SensorTick

__all__ = ["SensorDigest", "code_sha256", "file_sha256", "truth_files", "truth_sha256"]

BLOCK_BYTES = 1 << 20
US_PER_S = 1_000_000


class SensorDigest:
    """SHA-256 of frames and of plates, tick by tick.

    `frame_marks` and `plate_marks` hold a byte for each tick, of all that was digested up to it:
    the first byte that differs between two runs tells the tick in which they part (but for one
    chance in 256 that it tells the next one).
    """

    def __init__(self, plate_ids: tuple[str, ...]) -> None:
        self._cameras: dict[str, hashlib._Hash] = {}
        self._plates = hashlib.sha256("\n".join(plate_ids).encode())
        self.frame_marks = bytearray()
        self.plate_marks = bytearray()

    def add(self, tick: SensorTick) -> None:
        """Takes in a tick."""
        mark = 0
        for frame in tick.frames:
            mark ^= self._frame(frame)
        self.frame_marks.append(mark)
        if tick.scales is not None and len(tick.scales.t_s):
            self._plates.update(np.rint(tick.scales.t_s * US_PER_S).astype("<i8").tobytes())
            grams = tick.scales.grams.astype("<f4")
            self._plates.update(np.where(np.isnan(grams), np.float32(np.nan), grams).tobytes())
        self.plate_marks.append(self._plates.digest()[0])

    @property
    def cameras(self) -> dict[str, str]:
        """Camera id to the SHA-256 of its frames, by id."""
        return {name: self._cameras[name].hexdigest() for name in sorted(self._cameras)}

    @property
    def frames_sha256(self) -> str:
        """One digest of the frames of all cameras."""
        lines = [f"{name} {digest}\n" for name, digest in self.cameras.items()]
        return hashlib.sha256("".join(lines).encode()).hexdigest()

    @property
    def plates_sha256(self) -> str:
        """One digest of the readings of all plates."""
        return self._plates.hexdigest()

    def _frame(self, frame: Frame) -> int:
        digest = self._cameras.setdefault(frame.camera_id, hashlib.sha256())
        digest.update(np.array(round(frame.t_s * US_PER_S), "<i8").tobytes())
        digest.update(np.ascontiguousarray(frame.rgb).data)
        return digest.digest()[0]


def truth_files(folder: Path) -> tuple[str, ...]:
    """Names of the files of a truth folder, sorted; none for a folder that is not there."""
    return tuple(sorted(path.name for path in folder.glob("*.jsonl") if path.is_file()))


def truth_sha256(folder: Path) -> str:
    """One digest of all files of a truth folder."""
    lines = [f"{name} {file_sha256(folder / name)}\n" for name in truth_files(folder)]
    return hashlib.sha256("".join(lines).encode()).hexdigest()


def file_sha256(path: Path) -> str:
    """SHA-256 of a file."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()


def code_sha256() -> str:
    """One digest of the simulator's own source files."""
    root = Path(__file__).parent
    paths = sorted(root.rglob("*.py"), key=lambda path: path.relative_to(root).as_posix())
    lines = [f"{path.relative_to(root).as_posix()} {file_sha256(path)}\n" for path in paths]
    return hashlib.sha256("".join(lines).encode()).hexdigest()
