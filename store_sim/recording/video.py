"""One camera's frames as an H.264 video whose picture times are the frames' times."""

from __future__ import annotations

import hashlib
import os
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from contracts.geometry import Camera
from hardware.ports import Frame
from store_sim.errors import RecordingError
from store_sim.recording.manifest import CameraEntry, file_entry
from store_sim.world import TICK_HZ

if TYPE_CHECKING:
    import av

__all__ = ["CRF", "PTS_HZ", "CameraFile"]

CRF = 23
PRESET = "veryfast"
KEYFRAME_S = 4.0
"""With these a minute of one camera of the demo store takes 1.6 MB, a third of what it takes with
CRF 20 and a key frame every two seconds, and the detectors change their mind about as few boxes."""
PTS_HZ = 1_000_000
"""Frames of a camera that jitters or drops are on no grid: their times are in microseconds."""
_ON_TICK_S = 1e-9


class CameraFile:
    """One camera's video under way.

    It is written in fragments, which can be read even if nobody closes the file, and rewritten
    with its index in front, as browsers like it, when it is closed.
    """

    def __init__(self, folder: Path, camera: Camera, *, crf: int = CRF) -> None:
        size = camera.intrinsics
        if size.width % 2 or size.height % 2:
            raise RecordingError(
                f"camera {camera.camera_id}: expected an even width and height for H.264, got "
                f"{size.width}x{size.height}; change the store file"
            )
        self._camera = camera
        self._name = f"cameras/{camera.camera_id}.mp4"
        self._path = folder / self._name
        self._container, self._stream = _encoder(self._path, camera, crf)
        self._digest = hashlib.sha256()
        self._last_pts = 0
        self._last_s = 0.0
        self._on_ticks = True
        self._frames = 0
        self.first_t_s: float | None = None

    def write(self, frame: Frame) -> None:
        """Adds a frame; RecordingError for one of another size or one that goes back in time."""
        import av

        size = self._camera.intrinsics
        if frame.rgb.shape != (size.height, size.width, 3):
            raise RecordingError(
                f"camera {frame.camera_id}: expected pictures of {size.width}x{size.height}, got "
                f"{frame.rgb.shape[1]}x{frame.rgb.shape[0]}"
            )
        if self.first_t_s is None:
            self.first_t_s = self._last_s = frame.t_s
        if frame.t_s < self._last_s:
            raise RecordingError(
                f"camera {frame.camera_id}: expected frames in the order of time, got one of "
                f"{frame.t_s:.6f} s after one of {self._last_s:.6f} s"
            )
        pts = round((frame.t_s - self.first_t_s) * PTS_HZ)
        if self._frames and pts <= self._last_pts:
            # A codec knows no two pictures of one moment: the later is one microsecond later.
            pts, self._on_ticks = self._last_pts + 1, False
        off_s = abs(frame.t_s * TICK_HZ - round(frame.t_s * TICK_HZ)) / TICK_HZ
        self._on_ticks = self._on_ticks and off_s <= _ON_TICK_S
        self._digest.update(frame.rgb.tobytes())
        picture = av.VideoFrame.from_ndarray(frame.rgb, format="rgb24")
        picture.pts = pts
        picture.time_base = Fraction(1, PTS_HZ)
        for packet in self._stream.encode(picture):
            self._container.mux(packet)
        self._last_pts, self._last_s = pts, frame.t_s
        self._frames += 1

    @property
    def begun(self) -> bool:
        """Whether there is a frame."""
        return self._frames > 0

    def abandon(self) -> None:
        """Lets go of the file as it is."""
        self._container.close()

    def close(self, root: Path) -> CameraEntry | None:
        """Finishes the file and describes it; None, and no file, if there was no frame."""
        if self._frames:
            for packet in self._stream.encode(None):
                self._container.mux(packet)
        self._container.close()
        if not self._frames or self.first_t_s is None:
            self._path.unlink(missing_ok=True)
            return None
        _index_in_front(self._path)
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
            first_t_s=self.first_t_s,
            last_t_s=self._last_s,
            on_ticks=self._on_ticks,
            codec="h264",
            rgb_sha256=self._digest.hexdigest(),
        )


def _encoder(
    path: Path, camera: Camera, crf: int
) -> tuple[av.container.OutputContainer, av.video.stream.VideoStream]:
    import av

    container = av.open(
        str(path),
        "w",
        options={
            "movflags": "frag_keyframe+empty_moov+default_base_moof",
            "fflags": "+bitexact",
            "flush_packets": "1",
        },
    )
    # One thread and no B-frames: the same pictures give the same file, and times are plain.
    stream = container.add_stream(
        "libx264",
        rate=Fraction(camera.fps).limit_denominator(1001),
        options={"crf": str(crf), "preset": PRESET, "bf": "0", "threads": "1"},
    )
    size = camera.intrinsics
    stream.width, stream.height, stream.pix_fmt = size.width, size.height, "yuv420p"
    stream.time_base = stream.codec_context.time_base = Fraction(1, PTS_HZ)
    stream.codec_context.gop_size = max(1, round(camera.fps * KEYFRAME_S))
    stream.codec_context.flags |= av.codec.context.Flags.bitexact
    return container, stream


def _index_in_front(path: Path) -> None:
    """Rewrites a file of fragments as one with a single index before the pictures."""
    import av

    whole = path.with_suffix(".whole.mp4")
    options = {"movflags": "+faststart", "fflags": "+bitexact"}
    with av.open(str(path)) as source, av.open(str(whole), "w", options=options) as target:
        stream = source.streams.video[0]
        copied = target.add_stream_from_template(stream)
        copied.time_base = stream.time_base
        for packet in source.demux(stream):
            if packet.dts is not None:
                packet.stream = copied
                target.mux(packet)
    os.replace(whole, path)
