"""What differs between the camera drivers, and their bad days."""

from __future__ import annotations

import importlib.util
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from contracts import geometry
from hardware.cameras import open_camera
from hardware.cameras.file import FileCamera, FileCameraSettings, read_video
from hardware.cameras.rtsp import RtspCamera, RtspCameraSettings, backoff_s, without_password
from hardware.cameras.shm import FrameRingWriter, ShmCamera, ShmCameraSettings
from hardware.errors import (
    BrokenSourceError,
    DeviceOpenError,
    HardwareError,
    NotAVideoError,
    UnknownDriverError,
)
from hardware.scales import ScaleRingWriter


def _video(path: Path, count: int, *, fps: int = 10) -> None:
    noise = np.random.default_rng(1)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        for _ in range(count):
            rgb = noise.integers(0, 255, (48, 64, 3), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def _camera(uri: str) -> geometry.Camera:
    return geometry.Camera(
        camera_id="cam-x",
        role="ceiling",
        fps=10,
        intrinsics=geometry.Intrinsics(width=64, height=48, fx=50, fy=50, cx=32, cy=24),
        pose=geometry.Pose(position_m=(0, 0, 3), look_at_m=(0, 0, 0), up=(0, 1, 0)),
        uri=uri,
    )


def test_fast_pace_gives_every_frame_with_its_time_in_the_file(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _video(path, 7)
    camera = FileCamera("c", FileCameraSettings(path=path, pace="fast"), clock=lambda: 50.0)
    frames = []
    while not camera.ended:
        frame = camera.read_latest(max_age_s=0.0)
        assert frame is not None
        frames.append(frame)
    assert [frame.index for frame in frames] == list(range(7))
    assert [round(frame.t_s - 50.0, 6) for frame in frames] == [n / 10 for n in range(7)]
    assert camera.read_latest(max_age_s=0.0) is None
    camera.close()


def test_a_looping_file_goes_on_in_time(tmp_path: Path) -> None:
    path = tmp_path / "clip.mp4"
    _video(path, 3)
    settings = FileCameraSettings(path=path, pace="fast", loop=True)
    camera = FileCamera("c", settings, clock=lambda: 0.0)
    times = []
    for _ in range(8):
        frame = camera.read_latest(max_age_s=1.0)
        assert frame is not None
        times.append(round(frame.t_s, 6))
    assert times == [n / 10 for n in range(8)]
    camera.close()


@pytest.mark.parametrize("name", ["notes.txt", "empty.mp4", "noise.mp4"])
def test_what_is_no_video_is_refused_by_name(tmp_path: Path, name: str) -> None:
    content = {"notes.txt": b"milk, bread\n" * 50, "empty.mp4": b"", "noise.mp4": b"\x17" * 9000}
    path = tmp_path / name
    path.write_bytes(content[name])
    with pytest.raises(NotAVideoError, match=rf"file:.*{name}.*(check|copy) "):
        open_camera(_camera(f"file:{path}"))


@pytest.mark.parametrize("share", [0.3, 0.9])
def test_a_cut_off_video_is_told_and_not_taken_for_its_end(tmp_path: Path, share: float) -> None:
    whole = tmp_path / "whole.mp4"
    _video(whole, 40)
    cut = tmp_path / "cut.mp4"
    data = whole.read_bytes()
    cut.write_bytes(data[: int(len(data) * share)])
    with pytest.raises(NotAVideoError, match=r"cut"):
        list(read_video(cut))


def test_a_matroska_that_stops_in_the_middle_is_told(tmp_path: Path) -> None:
    """Its index stands in front, so that it opens; the pictures run out."""
    whole = tmp_path / "whole.mp4"
    with av.open(str(whole), "w", options={"movflags": "faststart"}) as container:
        stream = container.add_stream("libx264", rate=10, options={"crf": "20"})
        stream.width, stream.height, stream.pix_fmt = 64, 48, "yuv420p"
        noise = np.random.default_rng(1)
        for _ in range(40):
            rgb = noise.integers(0, 255, (48, 64, 3), np.uint8)
            for packet in stream.encode(av.VideoFrame.from_ndarray(rgb, "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)
    data = whole.read_bytes()
    cut = tmp_path / "cut.mp4"
    cut.write_bytes(data[: len(data) // 2])
    frames = read_video(cut)
    given = 0
    with pytest.raises(NotAVideoError, match="copy it again"):  # noqa: PT012 the loop is the read
        for _ in frames:
            given += 1
    assert 0 < given < 40


def test_a_missing_file_and_a_folder_name_the_fix(tmp_path: Path) -> None:
    with pytest.raises(DeviceOpenError, match="no such file; check the path"):
        open_camera(_camera(f"file:{tmp_path / 'gone.mp4'}"))
    with pytest.raises(DeviceOpenError, match="got a folder"):
        open_camera(_camera(f"file:{tmp_path}"))


@pytest.mark.parametrize(
    ("uri", "pattern"),
    [
        ("", r"cam-x: expected a uri that begins with shm://"),
        ("gopher://x", r"got 'gopher://x'; correct the store file"),
        ("usb:first", r"'usb:first': device: .*correct the uri"),
        ("shm://no-such-ring-here", r"shm://no-such-ring-here: .*start the process"),
        ("file:x.mp4?pace=warp", r"pace: .*correct the uri"),
        ("usb:63", r"usb:63: the camera cannot be opened; plug it in"),
    ],
)
def test_a_camera_that_cannot_be_opened_names_uri_and_fix(uri: str, pattern: str) -> None:
    with pytest.raises(HardwareError, match=pattern):
        open_camera(_camera(uri))


def test_an_unknown_scheme_is_its_own_error() -> None:
    with pytest.raises(UnknownDriverError):
        open_camera(_camera("gopher://x"))


def test_shm_camera_follows_a_restarted_writer_and_goes_on_counting(tmp_path: Path) -> None:
    writer = FrameRingWriter("c", width=8, height=4, stream_id=1, root=tmp_path)
    settings = ShmCameraSettings(name="c", root=tmp_path)
    camera = ShmCamera("c", settings, clock=lambda: 10.0)
    picture = np.zeros((4, 8, 3), np.uint8)
    writer.write(picture, t_s=9.9)
    first = camera.read_latest(max_age_s=1.0)
    writer.close()
    assert camera.read_latest(max_age_s=1.0) is None
    second_writer = FrameRingWriter("c", width=16, height=4, stream_id=2, root=tmp_path)
    second_writer.write(np.ones((4, 16, 3), np.uint8), t_s=9.95)
    second = camera.read_latest(max_age_s=1.0)
    assert first is not None
    assert second is not None
    assert (first.index, second.index) == (0, 1)
    assert second.rgb.shape == (4, 16, 3)
    camera.close()
    second_writer.close()


def test_shm_camera_does_not_believe_in_the_future(tmp_path: Path) -> None:
    writer = FrameRingWriter("c", width=8, height=4, stream_id=1, root=tmp_path)
    camera = ShmCamera("c", ShmCameraSettings(name="c", root=tmp_path), clock=lambda: 10.0)
    writer.write(np.zeros((4, 8, 3), np.uint8), t_s=99.0)
    frame = camera.read_latest(max_age_s=1.0)
    assert frame is not None
    assert frame.t_s == 10.0
    camera.close()
    writer.close()


def test_shm_camera_refuses_a_ring_of_plates(tmp_path: Path) -> None:
    writer = ScaleRingWriter("c", plate_ids=("p",), stream_id=1, root=tmp_path)
    with pytest.raises(BrokenSourceError, match="expected a ring of frames, got 'plates'"):
        ShmCamera("c", ShmCameraSettings(name="c", root=tmp_path))
    writer.close()


def test_frame_writer_refuses_another_size(tmp_path: Path) -> None:
    writer = FrameRingWriter("c", width=8, height=4, stream_id=1, root=tmp_path)
    with pytest.raises(BrokenSourceError, match=r"shape \(4, 8, 3\), got uint8 \(8, 4, 3\)"):
        writer.write(np.zeros((8, 4, 3), np.uint8), t_s=0.0)
    writer.close()


def test_pause_between_attempts_doubles_and_is_bounded() -> None:
    pauses = [backoff_s(n, first_s=0.5, longest_s=3.0) for n in (1, 2, 3, 4, 100)]
    assert pauses == [0.5, 1.0, 2.0, 3.0, 3.0]


def test_password_of_a_stream_stays_out_of_messages() -> None:
    assert without_password("rtsp://u:secret@cam:554/a?b=c") == "rtsp://cam:554/a"


class _Stream:
    """A stream of one picture that then breaks, as a network does."""

    def __init__(self, opened: threading.Semaphore) -> None:
        self._opened = opened

    def decode(self, *, video: int) -> Iterator[Any]:
        assert video == 0
        self._opened.release()
        yield av.VideoFrame.from_ndarray(np.full((4, 8, 3), 7, np.uint8), "rgb24")
        raise av.error.ConnectionResetError(104, "reset")

    def close(self) -> None:
        pass


def test_rtsp_comes_back_after_the_stream_broke() -> None:
    opened = threading.Semaphore(0)
    settings = RtspCameraSettings(
        url="rtsp://u:secret@cam/a", backoff_first_s=0.001, backoff_max_s=0.001
    )
    camera = RtspCamera("c", settings, open_stream=lambda _: _Stream(opened), clock=lambda: 5.0)
    for _ in range(3):
        assert opened.acquire(timeout=30)
    camera.close()
    frame = camera.read_latest(max_age_s=1.0)
    assert frame is not None
    assert frame.rgb[0, 0].tolist() == [7, 7, 7]
    assert camera.reconnects >= 2
    assert camera.dropped >= 1


def test_rtsp_says_why_there_is_no_picture() -> None:
    tried = threading.Semaphore(0)

    def refuse(_: RtspCameraSettings) -> Any:
        tried.release()
        raise av.error.ConnectionRefusedError(111, "Connection refused")

    settings = RtspCameraSettings(
        url="rtsp://u:secret@cam/a", backoff_first_s=0.001, backoff_max_s=0.001
    )
    camera = RtspCamera("c", settings, open_stream=refuse)
    for _ in range(2):
        assert tried.acquire(timeout=30)
    camera.close()
    assert camera.last_error is not None
    assert "rtsp://cam/a: no picture" in camera.last_error
    assert "secret" not in camera.last_error
    assert camera.read_latest(max_age_s=1.0) is None


def test_importing_the_ports_loads_no_device_library() -> None:
    """Checked in a fresh interpreter: this one has long loaded them."""
    import subprocess
    import sys

    assert importlib.util.find_spec("cv2") is not None
    code = (
        "import sys, hardware.ports, hardware.cameras, hardware.scales, hardware.gates; "
        "sys.exit('cv2' in sys.modules or 'av' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=60).returncode == 0
