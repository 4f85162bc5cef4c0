"""A customer display of a few lines of text, such as a pole display on a serial port.

Those that speak plain text take lines after a form feed; `path` is the device (or a file). Marks
are words: "BLUE STAR 3 items, 7.40".
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, BinaryIO

from pydantic import Field

from contracts.signs import ExitSign, GateSigns
from hardware.errors import DeviceOpenError
from hardware.settings import DriverSettings

__all__ = ["TextDisplay", "TextDisplaySettings"]


class TextDisplaySettings(DriverSettings):
    """Where the display is and how much fits on it."""

    path: Annotated[Path, Field(description="the device, such as /dev/ttyUSB0")]
    columns: Annotated[int, Field(ge=16, le=200, description="letters in a line")] = 40
    rows: Annotated[int, Field(ge=1, le=40, description="lines")] = 2
    encoding: Annotated[str, Field(description="what the display understands")] = "cp437"
    clear: Annotated[str, Field(max_length=16, description="clears it and goes to its top")] = "\f"


class TextDisplay:
    """Writes only when something changed. DeviceOpenError if the device cannot be opened."""

    def __init__(self, settings: TextDisplaySettings) -> None:
        self._settings = settings
        self._shown: bytes | None = None
        try:
            self._device: BinaryIO | None = settings.path.open("wb", buffering=0)
        except OSError as error:
            raise DeviceOpenError(
                f"{settings.path}: expected a display that can be written ({error.strerror}); "
                "check the cable and the rights of this user"
            ) from error

    def show(self, signs: GateSigns, *, now_s: float) -> None:
        """Shows the first signs that are not over, a line each."""
        lines = [self._line(sign) for sign in signs.signs if sign.until_s > now_s]
        self._put(lines[: self._settings.rows])

    def close(self) -> None:
        """Clears and closes the device."""
        if self._device is not None:
            self._put([])
            self._device.close()
            self._device = None

    def _line(self, sign: ExitSign) -> str:
        text = f"{sign.mark.colour} {sign.mark.symbol}".upper() + f" {sign.words}"
        return text[: self._settings.columns]

    def _put(self, lines: list[str]) -> None:
        text = self._settings.clear + "\r\n".join(lines)
        data = text.encode(self._settings.encoding, errors="replace")
        if self._device is not None and data != self._shown:
            self._device.write(data)
            self._shown = data
