"""`sortie watch VIDEO|CAMERA`: picks and put-backs in any shelf video or live camera.

A video is a file that FFmpeg reads; a camera is `usb:N` (or just N), `/dev/videoN` or an
`rtsp://` address. Events go to standard output as they are found, progress to standard error,
and with --json everything into one file.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import numpy as np
import typer
from numpy.typing import NDArray

from sortie.errors import UsageError
from sortie.output import check_output, write_json

if TYPE_CHECKING:
    from vision.watch import WatchEvent

__all__ = ["WatchResult", "live_frames", "register", "run_watch", "video_frames", "watch_frames"]

TimedFrame = tuple[float, NDArray[np.uint8]]

MISSING_S_MAX = 1.0
"""A file that ends earlier than it says by more than this is cut off."""
PROGRESS_EVERY_S = 1.0
LIVE_AGE_S_MAX = 1.0
LIVE_POLL_S = 0.005


@dataclass(slots=True)
class WatchResult:
    """What `watch` writes: see the README's table of commands."""

    events: list[WatchEvent] = field(default_factory=list)
    frames: int = 0
    fps: float = 0.0

    def document(self) -> dict[str, Any]:
        """The JSON document."""
        events = [{**asdict(event), "box": list(event.box)} for event in self.events]
        return {"events": events, "frames": self.frames, "fps": round(self.fps, 3)}


def video_frames(path: Path) -> Iterator[TimedFrame]:
    """Frames of a video file with their times in seconds from the first one.

    UsageError if there is no such file, if it is no video, and, after the last good frame, if the
    file is cut off or damaged: the message says up to which time it could be read.
    """
    import av

    if not path.exists():
        raise UsageError(f"{path}: no such file; give a video file or a camera (usb:0, rtsp://…)")
    if path.is_dir():
        raise UsageError(f"{path}: expected a video file, got a folder")
    try:
        container = av.open(str(path))
    except (av.FFmpegError, OSError) as error:
        raise UsageError(
            f"{path}: not a video that can be read, or cut off before its index "
            f"({_reason(error)}); give a whole file, for example MP4 with H.264"
        ) from error
    with container:
        if not container.streams.video:
            raise UsageError(f"{path}: the file has no video stream; give a video")
        yield from _decoded(path, container)


def _decoded(path: Path, container: Any) -> Iterator[TimedFrame]:
    import av

    stream = container.streams.video[0]
    stream.thread_type = "AUTO"
    rate = float(stream.average_rate or 25)
    length_s = float(stream.duration * stream.time_base) if stream.duration else None
    first_s: float | None = None
    t_s, count = 0.0, 0
    fault = ""
    try:
        for frame in container.decode(stream):
            stamp_s = frame.time if frame.time is not None else count / rate
            first_s = stamp_s if first_s is None else first_s
            t_s = max(t_s, stamp_s - first_s)
            count += 1
            yield t_s, frame.to_ndarray(format="rgb24")
    except av.FFmpegError as error:
        fault = f"damaged ({_reason(error)})"
    end_s = t_s + 1.0 / rate
    if not fault and length_s is not None and length_s - end_s > MISSING_S_MAX:
        fault = f"cut off: it says it is {length_s:.1f} s long"
    if count == 0:
        raise UsageError(f"{path}: no frame could be read {fault}; give a whole video file")
    if fault:
        raise UsageError(f"{path}: could be read up to {end_s:.1f} s, then it is {fault}")


def _reason(error: Exception) -> str:
    text = str(getattr(error, "strerror", None) or error)
    return text.split(":", maxsplit=1)[0]


def live_frames(source: str, *, seconds: float | None = None) -> Iterator[TimedFrame]:
    """Frames of a camera, timed from the first one, for `seconds` or until interrupted.

    UsageError if the camera cannot be opened or is lost.
    """
    from hardware.cameras.rtsp import RtspCamera, RtspCameraSettings
    from hardware.cameras.usb import UsbCamera, UsbCameraSettings
    from hardware.errors import HardwareError
    from hardware.ports import Camera

    camera: Camera
    try:
        if source.startswith(("rtsp://", "rtsps://")):
            camera = RtspCamera("watch", RtspCameraSettings(url=source))
        else:
            number = int(source.removeprefix("usb:").removeprefix("/dev/video"))
            camera = UsbCamera("watch", UsbCameraSettings(device=number))
    except (HardwareError, ValueError) as error:
        raise UsageError(f"{source}: {error}") from error
    first_s: float | None = None
    began_s = time.monotonic()
    try:
        while seconds is None or time.monotonic() - began_s < seconds:
            frame = camera.read_latest(max_age_s=LIVE_AGE_S_MAX)
            if frame is None:
                time.sleep(LIVE_POLL_S)
                continue
            first_s = frame.t_s if first_s is None else first_s
            yield frame.t_s - first_s, frame.rgb
    except HardwareError as error:
        raise UsageError(f"{source}: {error}") from error
    finally:
        camera.close()


def is_camera(source: str) -> bool:
    """Whether the argument names a live camera and not a file."""
    return source.startswith(("usb:", "rtsp://", "rtsps://", "/dev/video")) or source.isdecimal()


def watch_frames(
    frames: Iterator[TimedFrame],
    *,
    on_event: Callable[[WatchEvent], None] = lambda _: None,
    on_progress: Callable[[float, int], None] = lambda *_: None,
    result: WatchResult | None = None,
) -> WatchResult:
    """Runs a Watcher over frames. `result`, if given, is filled as frames come, so that it holds
    what was seen when the source breaks."""
    from vision.watch import Watcher

    watcher = Watcher()
    result = result if result is not None else WatchResult()
    told: list[WatchEvent] = []
    t_s = 0.0

    def take(events: tuple[WatchEvent, ...]) -> None:
        for event in events:
            told.append(event)
            on_event(event)
        result.events = sorted(told, key=lambda event: event.t_s)

    try:
        for t_s, rgb in frames:
            take(watcher.step(t_s, rgb))
            result.frames = watcher.frames
            result.fps = (watcher.frames - 1) / t_s if t_s > 0 else 0.0
            on_progress(t_s, watcher.frames)
    finally:
        take(watcher.finish())
    return result


def run_watch(
    source: str,
    json_file: Path | None,
    *,
    seconds: float | None = None,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
) -> WatchResult:
    """The command: watches, prints, writes. UsageError for what cannot be read or written; what
    was seen until then has been printed and written."""
    check_output("--json", json_file)
    frames = live_frames(source, seconds=seconds) if is_camera(source) else video_frames(
        Path(source)
    )  # fmt: skip
    result = WatchResult()
    shown_s = [-PROGRESS_EVERY_S]

    def progress(t_s: float, count: int) -> None:
        if t_s - shown_s[0] >= PROGRESS_EVERY_S:
            shown_s[0] = t_s
            print(f"\rwatched {t_s:.0f} s, {count} frames", end="", file=err, flush=True)

    def tell(event: WatchEvent) -> None:
        x0, y0, x1, y1 = event.box
        print(
            f"{event.t_s:8.1f} s  {event.action:8}  {event.quantity} item  "
            f"at {x0},{y0}-{x1},{y1}  confidence {event.confidence:.2f}",
            file=out, flush=True,
        )  # fmt: skip

    try:
        watch_frames(frames, on_event=tell, on_progress=progress, result=result)
    except KeyboardInterrupt:
        print("\nstopped", file=err)
    finally:
        if result.frames:
            print(f"\rwatched {result.frames} frames, {len(result.events)} events", file=err)
        if json_file is not None and result.frames:
            write_json(json_file, result.document())
    return result


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command()
    def watch(
        source: Annotated[str, typer.Argument(help="a video file, usb:N, /dev/videoN or rtsp://…")],
        json_file: Annotated[
            Path | None, typer.Option("--json", help="write the result to this file as JSON")
        ] = None,
        seconds: Annotated[
            float | None, typer.Option(help="stop a live camera after this many seconds", min=0.1)
        ] = None,
    ) -> None:
        """Report picks and put-backs in a shelf video or from a camera; needs no store file."""
        run_watch(source, json_file, seconds=seconds)
