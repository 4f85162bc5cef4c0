"""One suite for every camera that a test can feed: shared memory and file alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path

import av
import numpy as np
import pytest
from numpy.typing import NDArray

from contracts import geometry
from hardware.cameras import open_camera
from hardware.cameras.shm import FrameRingWriter
from hardware.errors import DeviceLostError
from hardware.ports import Camera

WIDTH, HEIGHT, FPS = 64, 48, 10


class Clock:
    """A clock that stands still until it is told."""

    def __init__(self) -> None:
        self.now_s = 1000.0

    def __call__(self) -> float:
        return self.now_s


def picture(number: int) -> NDArray[np.uint8]:
    """Red rises from picture to picture; the left half has no blue and the right half all."""
    rgb = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    rgb[..., 0] = 20 * number
    rgb[:, WIDTH // 2 :, 2] = 255
    return rgb


def write_video(path: Path, count: int) -> None:
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=FPS, options={"crf": "10"})
        stream.width, stream.height, stream.pix_fmt = WIDTH, HEIGHT, "yuv420p"
        stream.time_base = Fraction(1, FPS)
        for number in range(count):
            for packet in stream.encode(av.VideoFrame.from_ndarray(picture(number), "rgb24")):
                container.mux(packet)
        for packet in stream.encode(None):
            container.mux(packet)


def settings_of(uri: str) -> geometry.Camera:
    return geometry.Camera(
        camera_id="cam-t",
        role="ceiling",
        fps=FPS,
        intrinsics=geometry.Intrinsics(
            width=WIDTH, height=HEIGHT, fx=50, fy=50, cx=WIDTH / 2, cy=HEIGHT / 2
        ),
        pose=geometry.Pose(position_m=(0, 0, 3), look_at_m=(0, 0, 0), up=(0, 1, 0)),
        uri=uri,
    )


@dataclass
class Rig:
    """A camera, its clock, and a way to let the next picture happen (100 ms later)."""

    camera: Camera
    clock: Clock
    advance: Callable[[], None]
    dropped: Callable[[], int]


@pytest.fixture(params=["shm", "file"])
def rig(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Rig]:
    clock = Clock()
    if request.param == "file":
        path = tmp_path / "clip.mp4"
        write_video(path, 10)
        camera = open_camera(settings_of(f"file:{path}"), clock=clock)
        clock.now_s -= 1 / FPS
        yield Rig(camera, clock, lambda: _tick(clock), lambda: camera.dropped)  # type: ignore[attr-defined]  # beyond the port
        camera.close()
        return
    writer = FrameRingWriter("cam-t", width=WIDTH, height=HEIGHT, stream_id=1, root=tmp_path)
    camera = open_camera(settings_of("shm://cam-t"), clock=clock, shm_root=tmp_path)
    numbers = iter(range(100))

    def advance() -> None:
        _tick(clock)
        writer.write(picture(next(numbers)), t_s=clock.now_s)

    yield Rig(camera, clock, advance, lambda: camera.dropped)  # type: ignore[attr-defined]  # beyond the port
    camera.close()
    writer.close()


def _tick(clock: Clock) -> None:
    clock.now_s += 1 / FPS + 1e-6


def test_nothing_before_the_first_picture(rig: Rig) -> None:
    assert rig.camera.read_latest(max_age_s=1.0) is None
    assert rig.camera.camera_id == "cam-t"


def test_a_frame_is_rgb_and_comes_once(rig: Rig) -> None:
    rig.advance()
    frame = rig.camera.read_latest(max_age_s=1.0)
    assert frame is not None
    assert (frame.camera_id, frame.index) == ("cam-t", 0)
    assert frame.rgb.shape == (HEIGHT, WIDTH, 3)
    assert frame.rgb.dtype == np.uint8
    assert frame.rgb.flags["C_CONTIGUOUS"]
    assert frame.rgb[5, 5, 2] < 40
    assert frame.rgb[5, WIDTH - 5, 2] > 215
    assert rig.camera.read_latest(max_age_s=1.0) is None


def test_the_newest_wins_and_the_others_are_counted(rig: Rig) -> None:
    for _ in range(4):
        rig.advance()
    frame = rig.camera.read_latest(max_age_s=1.0)
    assert frame is not None
    assert frame.index == 3
    assert abs(int(frame.rgb[5, 5, 0]) - 60) < 15
    assert rig.dropped() == 3


def test_time_is_the_clock_and_rises(rig: Rig) -> None:
    times = []
    for _ in range(3):
        rig.advance()
        frame = rig.camera.read_latest(max_age_s=1.0)
        assert frame is not None
        assert frame.t_s <= rig.clock.now_s
        assert rig.clock.now_s - frame.t_s < 1.5 / FPS
        times.append(frame.t_s)
    assert times == sorted(set(times))


def test_an_old_frame_is_not_given(rig: Rig) -> None:
    for _ in range(12):
        rig.advance()
    rig.camera.read_latest(max_age_s=10.0)
    rig.advance()
    rig.clock.now_s += 60
    assert rig.camera.read_latest(max_age_s=1.0) is None


def test_closing_twice_is_fine_and_reading_after_it_is_not(rig: Rig) -> None:
    rig.camera.close()
    rig.camera.close()
    with pytest.raises(DeviceLostError, match=r"cam-t.*open it again"):
        rig.camera.read_latest(max_age_s=1.0)
