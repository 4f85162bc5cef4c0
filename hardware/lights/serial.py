"""A strip of lamps behind a microcontroller on a serial line that speaks Adalight.

Adalight, as its makers' sketch LEDstream and most strips' firmware (WLED among them) take it: the
letters "Ada", the number of lamps less one in two bytes, high byte first, a check byte (both
of them and 0x55, exclusive or), then R G B of every lamp.
"""

from __future__ import annotations

import errno
import os
import termios
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.errors import DeviceLostError, DeviceOpenError
from hardware.pictures import check_colours
from hardware.settings import DriverSettings

__all__ = ["AdalightSettings", "AdalightStrip", "adalight"]

REPEAT_S = 2.0
"""Colours are sent again that often: firmware goes dark when it hears nothing."""
Baud = Literal[9600, 19200, 38400, 57600, 115200, 230400, 460800, 500000, 921600, 1000000]


class AdalightSettings(DriverSettings):
    """The serial device and its speed."""

    path: Annotated[Path, Field(description="the device, such as /dev/ttyUSB0")]
    baud: Annotated[Baud, Field(description="bits a second, as the firmware has it")] = 115200
    lamps: Annotated[int, Field(ge=1, le=2_000, description="on the strip")]


def adalight(colours: NDArray[np.uint8]) -> bytes:
    """The record for colours (lamps, 3).

    >>> adalight(np.array([[255, 0, 0], [0, 255, 0]], np.uint8)).hex(" ")
    '41 64 61 00 01 54 ff 00 00 00 ff 00'
    """
    high, low = divmod(len(colours) - 1, 256)
    return b"Ada" + bytes((high, low, high ^ low ^ 0x55)) + colours.tobytes()


class AdalightStrip:
    """Writes when colours change, and again every REPEAT_S. DeviceOpenError if the device cannot
    be opened or is no serial line."""

    def __init__(self, light_id: str, settings: AdalightSettings) -> None:
        self._light_id = light_id
        self._settings = settings
        self._shown = b""
        self._sent_s = 0.0
        self._line: int | None = self._open()

    @property
    def light_id(self) -> str:
        """The strip's id in the store file."""
        return self._light_id

    def show(self, colours: NDArray[np.uint8], *, now_s: float) -> None:
        """Sends the colours; a line that is full waits for the next call. A strip that was pulled
        out is a DeviceLostError, and opened again at the next call."""
        check_colours(colours, self._settings.lamps, f"light {self._light_id}")
        if self._line is None:
            self._line = self._open()
        record = adalight(np.ascontiguousarray(colours))
        if record != self._shown or now_s - self._sent_s >= REPEAT_S:
            self._shown = record if self._send(record) else b""
            self._sent_s = now_s

    def close(self) -> None:
        """Goes dark and closes the line; closing twice is fine."""
        if self._line is not None:
            dark = np.zeros((self._settings.lamps, 3), np.uint8)
            try:
                self._send(adalight(dark))
            except DeviceLostError:
                return
            os.close(self._line)
            self._line = None

    def _send(self, record: bytes) -> bool:
        """Whether all of it went; half a record is made up for by the next one's "Ada"."""
        assert self._line is not None
        try:
            return os.write(self._line, record) == len(record)
        except BlockingIOError:
            return False
        except OSError as error:
            os.close(self._line)
            self._line = None
            self._shown = b""
            raise DeviceLostError(
                f"light {self._light_id}: {self._settings.path} went away "
                f"({os.strerror(error.errno or errno.EIO)}); plug the strip in again"
            ) from error

    def _open(self) -> int:
        path, baud = self._settings.path, self._settings.baud
        try:
            line = os.open(path, os.O_WRONLY | os.O_NOCTTY | os.O_NONBLOCK)
        except OSError as error:
            raise DeviceOpenError(
                f"serial:{path}: expected a strip of lamps that can be written "
                f"({error.strerror}); check the cable and that this user is in the group of the "
                "device (often dialout)"
            ) from error
        try:
            _set_raw(line, getattr(termios, f"B{baud}"))
        except termios.error as error:
            os.close(line)
            raise DeviceOpenError(
                f"serial:{path}: expected a serial line at {baud} baud, got something else "
                f"({error}); check the path and the speed"
            ) from error
        return line


def _set_raw(line: int, speed: int) -> None:
    """Eight bits, no parity, one stop bit, nothing changed on the way."""
    modes = termios.tcgetattr(line)
    modes[0] = 0
    modes[1] = 0
    modes[2] = termios.CS8 | termios.CREAD | termios.CLOCAL
    modes[3] = 0
    modes[4] = modes[5] = speed
    termios.tcsetattr(line, termios.TCSANOW, modes)
