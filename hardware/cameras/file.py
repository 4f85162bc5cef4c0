"""A video file as a camera, in real time or as fast as it decodes.

With `pace="real"` the file runs along the clock from the moment it was opened: a call gives the
newest frame that is due and counts those in between as dropped. With `pace="fast"` each call gives
the next frame, and `t_s` is the opening time plus the frame's time in the file.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.errors import DeviceLostError, DeviceOpenError, NotAVideoError
from hardware.ports import Frame
from hardware.settings import DriverSettings

if TYPE_CHECKING:
    import av.container

__all__ = ["FileCamera", "FileCameraSettings", "read_video"]

CATCH_UP_FRAMES_MAX = 256
FALLBACK_FPS = 25.0
NO_VIDEO_FORMATS = frozenset({"tty", "bin", "xbin", "adf", "idf", "image2"})
"""Formats of FFmpeg that draw text files or open single pictures; nobody's shelf camera."""


class FileCameraSettings(DriverSettings):
    """Which file, and how it is played."""

    path: Annotated[Path, Field(description="a video that FFmpeg reads: mp4, mkv, avi …")]
    pace: Annotated[
        Literal["real", "fast"],
        Field(description="real: along the clock; fast: one frame a call"),
    ] = "real"
    loop: Annotated[bool, Field(description="begin again at the end")] = False
    threads: Annotated[int, Field(ge=1, le=16, description="decoder threads")] = 1


def read_video(
    path: Path, *, threads: int = 1
) -> Generator[tuple[float, NDArray[np.uint8]], None, None]:
    """Time in the file (seconds, from 0) and RGB picture of each frame, in order, upright.

    DeviceOpenError if the file cannot be read; NotAVideoError if it is not a video, or if it is
    cut off: everything up to the cut is given first.
    """
    container = _open(path, threads)
    try:
        yield from _frames(path, container)
    finally:
        container.close()


def _open(path: Path, threads: int) -> av.container.InputContainer:
    import av

    if not path.exists():
        raise DeviceOpenError(f"file:{path}: no such file; check the path")
    if path.is_dir():
        raise DeviceOpenError(f"file:{path}: expected a video file, got a folder; name a file")
    try:
        container = av.open(str(path))
    except av.error.PermissionError as error:
        raise DeviceOpenError(f"file:{path}: may not be read; change its permissions") from error
    except (av.error.FFmpegError, OSError) as error:
        raise NotAVideoError(
            f"file:{path}: expected a video that FFmpeg reads, got {path.stat().st_size} bytes "
            f"that are none, or a file that is cut off ({_reason(error)}); check or copy it again"
        ) from error
    kind = container.format.name
    if kind in NO_VIDEO_FORMATS or kind.endswith("_pipe") or not container.streams.video:
        container.close()
        raise NotAVideoError(
            f"file:{path}: expected a video, got a file without moving pictures ({kind}); "
            "check the path"
        )
    container.streams.video[0].codec_context.thread_count = threads
    return container


def _frames(
    path: Path, container: av.container.InputContainer
) -> Generator[tuple[float, NDArray[np.uint8]], None, None]:
    import av

    stream = container.streams.video[0]
    fps = float(stream.average_rate or stream.guessed_rate or FALLBACK_FPS)
    first_s: float | None = None
    given = 0
    last_s = 0.0
    try:
        for picture in container.decode(stream):
            raw_s = picture.time if picture.time is not None else given / fps
            first_s = raw_s if first_s is None else first_s
            last_s = max(raw_s - first_s, last_s)
            given += 1
            yield last_s, _upright(picture)
    except (av.error.FFmpegError, OSError) as error:
        raise NotAVideoError(
            f"file:{path}: cut off or damaged after {given} frames, {last_s:.2f} s "
            f"({_reason(error)}); copy it again"
        ) from error
    if given == 0:
        raise NotAVideoError(f"file:{path}: expected pictures, got none; copy it again")
    promised = stream.frames or 0
    if promised and given + max(2, promised // 50) < promised:
        raise NotAVideoError(
            f"file:{path}: cut off: expected {promised} frames, got {given}; copy it again"
        )


def _upright(picture: av.VideoFrame) -> NDArray[np.uint8]:
    """The picture as a player shows it: phones store it as the sensor lay and note the turn."""
    rgb: NDArray[np.uint8] = np.asarray(picture.to_ndarray(format="rgb24"), np.uint8)
    quarters = round(picture.rotation / 90) % 4
    return np.ascontiguousarray(np.rot90(rgb, quarters)) if quarters else rgb


def _reason(error: Exception) -> str:
    return str(getattr(error, "strerror", None) or error)


class FileCamera:
    """Plays a video file. `ended` tells that there is nothing more to come."""

    def __init__(
        self,
        camera_id: str,
        settings: FileCameraSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._camera_id = camera_id
        self._settings = settings
        self._clock = clock
        self._closed = False
        self._index = 0
        self.dropped = 0
        self.ended = False
        self._offset_s = 0.0
        self._given_in_round = 0
        self._next: tuple[float, NDArray[np.uint8]] | None = None
        self._video = read_video(settings.path, threads=settings.threads)
        # The first picture is decoded now: a broken file fails where it is opened.
        self._advance()
        self._opened_s = clock()

    @property
    def camera_id(self) -> str:
        """The camera's id in the store file."""
        return self._camera_id

    def read_latest(self, *, max_age_s: float) -> Frame | None:
        """The newest frame due and not older than `max_age_s` (in real pace); None if none.

        NotAVideoError when the file turns out to be cut off.
        """
        if self._closed:
            raise DeviceLostError(f"camera {self._camera_id} is closed; open it again")
        if self._settings.pace == "fast":
            return self._take()
        now_s = self._clock()
        frame: Frame | None = None
        for _ in range(CATCH_UP_FRAMES_MAX):
            if self._next is None or self._opened_s + self._next[0] > now_s:
                break
            if frame is not None:
                self.dropped += 1
            frame = self._take()
        if frame is not None and now_s - frame.t_s > max_age_s:
            self.dropped += 1
            return None
        return frame

    def close(self) -> None:
        """Closes the file; closing twice is fine."""
        self._closed = True
        self._next = None
        self._video.close()

    def _take(self) -> Frame | None:
        if self._next is None:
            return None
        t_s, rgb = self._next
        frame = Frame(self._camera_id, self._opened_s + t_s, self._index, rgb)
        self._index += 1
        self._advance()
        return frame

    def _advance(self) -> None:
        found = next(self._video, None)
        if found is None and self._settings.loop and self._next is not None:
            last_s = self._next[0]
            step_s = (last_s - self._offset_s) / max(1, self._given_in_round - 1)
            self._offset_s = last_s + (step_s if step_s > 0 else 1 / FALLBACK_FPS)
            self._given_in_round = 0
            self._video = read_video(self._settings.path, threads=self._settings.threads)
            found = next(self._video, None)
        if found is None:
            self._next = None
            self.ended = True
            return
        self._given_in_round += 1
        self._next = (self._offset_s + found[0], found[1])
