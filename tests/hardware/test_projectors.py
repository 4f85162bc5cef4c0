"""Projectors: what every driver does, what the window's process does, and what uris stand for."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.geometry import Intrinsics, Pose
from contracts.wall import Projector
from hardware import ports
from hardware.cameras.shm import ShmCamera, ShmCameraSettings
from hardware.errors import BrokenSourceError, DeviceOpenError, UnknownDriverError
from hardware.projectors import (
    MemoryProjector,
    ShmProjector,
    ShmProjectorSettings,
    WindowProjector,
    WindowProjectorSettings,
    open_projector,
    projector_settings,
)
from hardware.projectors.screens import Screen, cable_in, check_display, screens
from hardware.projectors.window_process import run_window

Picture = NDArray[np.uint8]
Made = tuple[ports.Projector, Callable[[], Picture | None]]
STAND_IN = """
import sys
from pathlib import Path
from hardware.cameras.shm import ShmCamera, ShmCameraSettings
ring = ShmCamera("w", ShmCameraSettings(name=sys.argv[1], root=Path(sys.argv[4])))
print("ready", flush=True)
sys.stdin.read()
"""


def a_projector(uri: str) -> Projector:
    lens = Intrinsics(width=32, height=18, fx=40, fy=40, cx=15.5, cy=8.5)
    pose = Pose(position_m=(0, -1, 1), look_at_m=(0, 0, 1), up=(0, 0, 1))
    return Projector(projector_id="beam", intrinsics=lens, pose=pose, uri=uri)


def picture(level: int) -> Picture:
    return np.full((18, 32, 3), level, np.uint8)


def window(
    root: Path, *, program: str = STAND_IN, cable: bool | None = None, number: int = 1
) -> WindowProjector:
    listed = (Screen(0, "DP-1", 0, 0, 1920, 1080), Screen(1, "HDMI-1", 1920, 0, 1280, 720))
    return WindowProjector(
        "beam",
        WindowProjectorSettings(screen=number, width=32, height=18, root=root),
        program=(sys.executable, "-c", program),
        listed=lambda: listed,
        cable=lambda name: cable if name == "HDMI-1" else None,
    )


@pytest.fixture(params=["memory", "shm", "window"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    """A projector, and what lies on the wall."""
    if request.param == "memory":
        memory = MemoryProjector("beam", width=32, height=18)
        yield memory, lambda: memory.shown
        return
    if request.param == "shm":
        ring = "wall"
        driver: ports.Projector = ShmProjector(
            "beam", ShmProjectorSettings(name=ring, root=tmp_path, width=32, height=18)
        )
    else:
        driver, ring = window(tmp_path), f"window-{os.getpid()}-1"
    reader = ShmCamera("r", ShmCameraSettings(name=ring, root=tmp_path))

    def newest() -> Picture | None:
        frame = reader.read_latest(max_age_s=float("inf"))
        return None if frame is None else frame.rgb

    yield driver, newest
    driver.close()


def test_a_picture_lies_on_the_wall_until_it_goes_dark(made: Made) -> None:
    projector, on_the_wall = made
    assert projector.size == (32, 18)
    assert projector.plugged
    projector.show(picture(90), now_s=1.0)
    shown = on_the_wall()
    assert shown is not None
    assert (shown == 90).all()
    projector.close()
    projector.close()
    after = on_the_wall()
    assert after is None or not after.any()


def test_a_picture_of_another_size_is_refused(made: Made) -> None:
    with pytest.raises(BrokenSourceError, match=r"\(18, 32, 3\).*\(10, 10, 3\)"):
        made[0].show(np.zeros((10, 10, 3), np.uint8), now_s=1.0)


def test_uris_and_what_is_wrong_in_them(tmp_path: Path) -> None:
    ring = projector_settings(a_projector("shm://wall-1-beam"), shm_root=tmp_path)
    assert ring == ShmProjectorSettings(name="wall-1-beam", root=tmp_path, width=32, height=18)
    screen = projector_settings(a_projector("window:1?x=1920"))
    assert screen == WindowProjectorSettings(screen=1, x=1920, width=32, height=18)
    opened = open_projector(a_projector("shm://wall-1-beam"), shm_root=tmp_path)
    assert isinstance(opened, ShmProjector)
    opened.close()
    with pytest.raises(UnknownDriverError, match="window: or shm://, got 'hdmi:0'"):
        open_projector(a_projector("hdmi:0"))
    with pytest.raises(DeviceOpenError, match=r"'window:left': screen: .*correct the uri"):
        open_projector(a_projector("window:left"))
    with pytest.raises(DeviceOpenError, match="turn"):
        open_projector(a_projector("window:0?turn=90"))


def test_a_window_needs_a_desktop(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    with pytest.raises(DeviceOpenError, match=r"window:0: .*DISPLAY is not set; start the node"):
        open_projector(a_projector("window:0"))
    with pytest.raises(DeviceOpenError, match="no X server answers on DISPLAY=:9173"):
        check_display({"DISPLAY": ":9173"}, "window:0")


def test_a_screen_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(DeviceOpenError, match=r"0 \(DP-1\), 1 \(HDMI-1\), got 2; plug"):
        window(tmp_path, number=2)


def test_a_window_that_does_not_open_says_so(tmp_path: Path) -> None:
    with pytest.raises(DeviceOpenError, match=r"the window did not open .no answer.; check"):
        window(tmp_path, program="raise SystemExit(1)")
    # Nothing is left of it: the next try gets the ring.
    window(tmp_path).close()


def test_unplugged_cable_and_closed_window_are_told(tmp_path: Path) -> None:
    out = window(tmp_path, cable=False)
    assert not out.plugged
    out.close()
    stays = window(tmp_path, cable=True)
    assert stays.plugged
    stays.close()
    gone = window(tmp_path, program='print("ready", flush=True)')
    assert gone._window is not None
    gone._window.wait()
    assert not gone.plugged
    gone.close()


def test_cables_and_screens_as_the_system_tells_them(tmp_path: Path) -> None:
    for name, state in (("card0-HDMI-A-1", "connected"), ("card0-DP-2", "disconnected")):
        (tmp_path / name).mkdir()
        (tmp_path / name / "status").write_text(f"{state}\n")
    assert cable_in("HDMI-1", tmp_path) is True
    assert cable_in("DP-2", tmp_path) is False
    assert cable_in("VGA-1", tmp_path) is None
    told = (
        "Monitors: 2\n 0: +*eDP-1 1920/344x1080/194+0+0  eDP-1\n"
        " 1: +HDMI-1 1280/0x720/0+1920+0  HDMI-1\n"
    )
    assert screens(lambda: told) == (
        Screen(0, "eDP-1", 0, 0, 1920, 1080),
        Screen(1, "HDMI-1", 1920, 0, 1280, 720),
    )
    assert screens(lambda: "") == ()


class _Window:
    """Remembers what it showed, and stands for so many looks."""

    def __init__(self, looks: int) -> None:
        self.shown: list[int] = []
        self._looks = looks

    def show(self, rgb: Picture) -> None:
        self.shown.append(int(rgb[0, 0, 0]))

    def wait(self) -> bool:
        self._looks -= 1
        return self._looks > 0


def test_the_windows_process_shows_the_newest_and_ends_with_its_node(tmp_path: Path) -> None:
    ring = ShmProjector("b", ShmProjectorSettings(name="w", root=tmp_path, width=32, height=18))
    reader = ShmCamera("r", ShmCameraSettings(name="w", root=tmp_path))
    ring.show(picture(10), now_s=1.0)
    ring.show(picture(20), now_s=2.0)
    read, write = os.pipe()
    shown = _Window(looks=3)
    with open(read, "rb", buffering=0) as stop:
        run_window(reader, shown, stop)
        assert shown.shown == [20]
        os.close(write)
        forever = _Window(looks=1_000_000_000)
        run_window(reader, forever, stop)
    assert forever.shown == []
    ring.close()
