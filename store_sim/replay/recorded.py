"""A recording as the stream of sensor readings that it was."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from hardware.cameras.file import read_video
from hardware.errors import HardwareError
from hardware.ports import Frame, GateScan, ScaleBatch
from store_sim.errors import RecordingError
from store_sim.recording.manifest import PARTIAL, Manifest, TornManifestError, read_manifest
from store_sim.replay.faults import Faults
from store_sim.replay.folder import (
    Scan,
    Video,
    check_files,
    load_store,
    read_scans,
    videos_of,
)
from store_sim.replay.plates import PlateLogReader, Rows, plate_rows, plates_of
from store_sim.stream import STEP_HZ, SensorTick, chosen_cameras
from store_sim.world import TICK_HZ

__all__ = ["RecordedStream"]

_EPS_S = 1e-6


class RecordedStream:
    """A recording as a stream of ticks; may be gone through any number of times.

    `phone(shopper)` gives a fresh code (or badge, see `is_staff`) for a recorded scan; a scan
    without code is left out.
    `cameras` (all for None), `roles` of cameras and `plates` choose sensors. `verify=False` leaves
    out the digests. `read_log` reads a plain log of plates (store_sim.plate_log for None).

    Raises RecordingError, naming file and fix, for anything missing, torn or altered. With
    `lenient` it replays what is there, and `missing` lists what is not: cameras without a video,
    chunks of plates after their last whole row, videos from where they end, lines that cannot be
    read. What cannot be replayed at all, and recordings of newer versions, are refused all the
    same.
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
        lenient: bool = False,
        read_log: PlateLogReader | None = None,
    ) -> None:
        self._phone = phone
        self._faults = Faults(lenient)
        self.manifest = _manifest(folder, self._faults)
        if self.manifest is not None:
            check_files(folder, self.manifest, self._faults, verify=verify)
        self._store = load_store(folder, self.manifest)
        wanted = {
            camera.camera_id
            for camera in chosen_cameras(self._store, cameras)
            if camera.role in roles
        }
        self._videos = videos_of(folder, self.manifest, self._store, wanted, self._faults)
        self._plates = plates_of(folder, self.manifest, self._store, read_log) if plates else None
        self._scans = read_scans(folder / "gates.jsonl", self._store, self._faults)
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

    def is_staff(self, shopper: int) -> bool:
        """Whether the shopper of this number showed a badge of staff."""
        return any(scan.staff and scan.shopper == shopper for scan in self._scans)

    @property
    def duration_s(self) -> float | None:
        """How long the recording is; None for a folder without a manifest."""
        return None if self.manifest is None else self.manifest.duration_s

    @property
    def has_plates(self) -> bool:
        """Whether there are readings of plates, and they were asked for."""
        return self._plates is not None

    @property
    def videos_end_s(self) -> float:
        """When the last video ends, as the files themselves say; 0 where none does."""
        return max((_video_end_s(video) for video in self._videos), default=0.0)

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not there or cannot be read, a sentence each; empty unless `lenient`. Torn
        videos and plates are found only when the stream has been gone through."""
        return self._faults.found

    def __iter__(self) -> Iterator[SensorTick]:
        """The ticks from the beginning."""
        feeds = {video.camera.camera_id: _Feed(self._frames(video)) for video in self._videos}
        rows = None
        if self._plates is not None:
            rows = _RowFeed(self._plates.plate_ids, plate_rows(self._plates, self._faults))
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

    def _due_scans(self, scans: list[Scan], t_s: float) -> Iterator[GateScan]:
        while scans and scans[-1].t_s <= t_s + _EPS_S:
            scan = scans.pop()
            code = scan.code if scan.shopper is None else self._phone(scan.shopper)
            if code is not None:
                yield GateScan(scan.gate_id, scan.t_s, code)

    def _frames(self, video: Video) -> Iterator[Frame]:
        size = video.camera.intrinsics
        name = video.camera.camera_id
        index, t_s = 0, video.first_t_s
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
                yield Frame(name, t_s, index, rgb)
                index += 1
        except HardwareError as error:
            kept = f"{name} ends at {t_s:.1f} s" if index else f"replayed without {name}"
            self._faults.tell(f"{video.path}: {error}", then=kept, cause=error)
            return
        if video.frames is not None and index != video.frames:
            self._faults.tell(
                f"{video.path}: expected {video.frames} frames, got {index}; copy it again",
                then=f"{name} ends at {t_s:.1f} s",
            )


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

    def __init__(self, plate_ids: tuple[str, ...], chunks: Iterator[Rows]) -> None:
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
        parts: list[Rows] = []
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


def _video_end_s(video: Video) -> float:
    import av

    try:
        with av.open(str(video.path)) as container:
            length_s = (container.duration or 0) / av.time_base
    except (av.error.FFmpegError, OSError):
        return 0.0
    return video.first_t_s + length_s


def _manifest(folder: Path, faults: Faults) -> Manifest | None:
    """The manifest; lenient, a recording without a whole one is taken for somebody's own folder."""
    path = folder / "manifest.json"
    if faults.lenient and folder.name.endswith(PARTIAL) and not path.exists() and folder.is_dir():
        faults.tell(
            f"{folder}: a recording that was never finished",
            then="replayed as far as it was written",
        )
        return None
    try:
        return read_manifest(folder)
    except TornManifestError as error:
        faults.tell(str(error), then="replayed without it, each video from 0 s on", cause=error)
        return None
