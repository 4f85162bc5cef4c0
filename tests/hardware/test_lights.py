"""Strips of lamps: what every driver does, and the Adalight line."""

from __future__ import annotations

import os
import pty
from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.wall import LightStrip
from hardware import ports
from hardware.errors import (
    BrokenSourceError,
    DeviceLostError,
    DeviceOpenError,
    UnknownDriverError,
)
from hardware.lights import (
    AdalightSettings,
    AdalightStrip,
    MemoryLight,
    ShmLight,
    ShmLightSettings,
    adalight,
    light_settings,
    open_light,
)
from hardware.rings import RingReader

Colours = NDArray[np.uint8]
RED = np.array([[255, 0, 0], [255, 0, 0], [0, 0, 0]], np.uint8)
Made = tuple[ports.Light, Callable[[], bytes]]


def strip(uri: str) -> LightStrip:
    return LightStrip(light_id="led", board_id="b", u0_m=0.0, u1_m=1.0, lamps=3, uri=uri)


@pytest.fixture(params=["memory", "shm", "serial"])
def made(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Made]:
    """A strip of three lamps, and the colours that it was sent last."""
    if request.param == "memory":
        memory = MemoryLight("led", lamps=3)
        yield memory, lambda: memory.shown.tobytes()
        return
    if request.param == "shm":
        driver = ShmLight("led", ShmLightSettings(name="led", root=tmp_path, lamps=3))
        ring = RingReader("led", root=tmp_path)
        yield driver, lambda: bytes(ring.pending(10)[-1].payload)
        driver.close()
        return
    reader, writer = pty.openpty()
    line = AdalightStrip("led", AdalightSettings(path=Path(os.ttyname(writer)), lamps=3))
    yield line, lambda: os.read(reader, 1000)[-9:]
    line.close()
    os.close(reader)
    os.close(writer)


def test_colours_shine_and_go_dark_at_the_end(made: Made) -> None:
    light, now = made
    light.show(RED, now_s=1.0)
    assert now() == RED.tobytes()
    light.close()
    light.close()
    assert now() == bytes(9)


def test_more_or_fewer_lamps_are_refused(made: Made) -> None:
    with pytest.raises(BrokenSourceError, match=r"\(3, 3\).*\(5, 3\)"):
        made[0].show(np.zeros((5, 3), np.uint8), now_s=1.0)


def test_an_adalight_record_names_its_length_with_a_check_byte() -> None:
    record = adalight(np.zeros((300, 3), np.uint8))
    assert record[:6] == b"Ada" + bytes((1, 43, 1 ^ 43 ^ 0x55))
    assert len(record) == 6 + 900


def test_a_serial_strip_sends_changes_and_repeats_itself() -> None:
    reader, writer = pty.openpty()
    light = AdalightStrip("led", AdalightSettings(path=Path(os.ttyname(writer)), lamps=3))
    for now_s in (1.0, 1.1, 1.2):
        light.show(RED, now_s=now_s)
    assert os.read(reader, 1000) == adalight(RED)
    light.show(RED, now_s=4.0)
    assert os.read(reader, 1000) == adalight(RED)
    light.close()
    os.close(reader)
    os.close(writer)


def test_a_strip_that_is_pulled_out_is_lost_and_found_again(tmp_path: Path) -> None:
    reader, writer = pty.openpty()
    device = tmp_path / "led"
    device.symlink_to(os.ttyname(writer))
    light = AdalightStrip("led", AdalightSettings(path=device, lamps=3))
    os.close(writer)
    os.close(reader)
    with pytest.raises(DeviceLostError, match="plug the strip in again"):
        light.show(RED, now_s=1.0)
    device.unlink()
    with pytest.raises(DeviceOpenError, match="check the cable"):
        light.show(RED, now_s=1.1)
    reader, writer = pty.openpty()
    device.symlink_to(os.ttyname(writer))
    light.show(RED, now_s=1.2)
    assert os.read(reader, 1000) == adalight(RED)
    light.close()
    os.close(reader)
    os.close(writer)


def test_uris_and_what_is_wrong_in_them(tmp_path: Path) -> None:
    line = light_settings(strip("serial:/dev/ttyUSB0?baud=921600"))
    assert line == AdalightSettings(path=Path("/dev/ttyUSB0"), baud=921600, lamps=3)
    opened = open_light(strip("shm://led"), shm_root=tmp_path)
    assert isinstance(opened, ShmLight)
    opened.close()
    with pytest.raises(UnknownDriverError, match="serial: or shm://, got 'spi:0'"):
        open_light(strip("spi:0"))
    with pytest.raises(DeviceOpenError, match="baud"):
        open_light(strip("serial:/dev/ttyUSB0?baud=12345"))
    plain = tmp_path / "plain"
    plain.write_bytes(b"")
    with pytest.raises(DeviceOpenError, match="expected a serial line at 115200 baud"):
        open_light(strip(f"serial:{plain}"))
    with pytest.raises(DeviceOpenError, match="check the cable"):
        open_light(strip(f"serial:{tmp_path / 'nothing'}"))
