"""A projector at an HDMI socket: a full-screen window on one of the desktop's screens.

The window lives in a process of its own (`window_process`), which reads pictures from a ring: a
desktop that goes away takes its windows' processes with it, and the node must not be one of them.
"""

from __future__ import annotations

import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.errors import DeviceOpenError
from hardware.projectors.screens import Screen, cable_in, check_display, environment, screens
from hardware.projectors.shm import ShmProjector, ShmProjectorSettings
from hardware.settings import DriverSettings

__all__ = ["WindowProjector", "WindowProjectorSettings"]

READY = b"ready"
OPEN_S = 15.0
CABLE_S = 1.0
AGAIN_S = 5.0
STOP_S = 2.0


class WindowProjectorSettings(DriverSettings):
    """Which screen, and the size of pictures."""

    screen: Annotated[int, Field(ge=0, le=15, description="number that xrandr gives it")]
    x: Annotated[int | None, Field(ge=-32768, le=32767, description="left edge; None: ask")] = None
    y: Annotated[int | None, Field(ge=-32768, le=32767, description="top edge; None: ask")] = None
    width: Annotated[int, Field(ge=16, le=7680, description="of pictures, pixels")]
    height: Annotated[int, Field(ge=16, le=4320, description="of pictures, pixels")]
    root: Annotated[Path | None, Field(description="directory of rings; None: /dev/shm")] = None


class WindowProjector:
    """Shows pictures in the window; DeviceOpenError, which says what to do, without a desktop.

    `plugged` is False when the cable is out (where the kernel tells) or the window has gone; a
    window that has gone is opened again every AGAIN_S as pictures come. `program`: what is started,
    for tests.
    """

    def __init__(
        self,
        projector_id: str,
        settings: WindowProjectorSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        program: Sequence[str] | None = None,
        listed: Callable[[], tuple[Screen, ...]] = screens,
        cable: Callable[[str], bool | None] = cable_in,
    ) -> None:
        self._settings, self._clock, self._cable = settings, clock, cable
        self._uri = f"window:{settings.screen}"
        if program is None:
            check_display(environment(), self._uri)
        self._place, self._connector = self._find(listed())
        self._ring_name = f"window-{os.getpid()}-{settings.screen}"
        self._pictures = ShmProjector(
            projector_id,
            ShmProjectorSettings(
                name=self._ring_name, root=settings.root,
                width=settings.width, height=settings.height,
            ),
        )  # fmt: skip
        self._program = list(
            program or (sys.executable, "-m", "hardware.projectors.window_process")
        )
        self._cable_asked_s = -CABLE_S
        self._cable_in = True
        self._window: subprocess.Popen[bytes] | None = None
        try:
            self._window = self._start()
            self._wait_ready(self._window)
        except BaseException:
            self.close()
            raise
        self._started_s = clock()

    @property
    def projector_id(self) -> str:
        """The projector's id in the store file."""
        return self._pictures.projector_id

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self._pictures.size

    @property
    def plugged(self) -> bool:
        """Whether the window stands and, where the kernel tells, the cable is in."""
        now_s = self._clock()
        if self._connector and now_s - self._cable_asked_s >= CABLE_S:
            self._cable_asked_s = now_s
            self._cable_in = self._cable(self._connector) is not False
        return self._cable_in and self._window is not None and self._window.poll() is None

    def show(self, rgb: NDArray[np.uint8], *, now_s: float) -> None:
        """Hands the picture to the window, and opens the window again if it has gone."""
        self._pictures.show(rgb, now_s=now_s)
        gone = self._window is not None and self._window.poll() is not None
        if gone and self._clock() - self._started_s >= AGAIN_S:
            self._started_s = self._clock()
            self._window = self._start()

    def close(self) -> None:
        """Closes the window; closing twice is fine."""
        self._pictures.close()
        if self._window is None:
            return
        window, self._window = self._window, None
        if window.stdin is not None:
            window.stdin.close()
        try:
            window.wait(STOP_S)
        except subprocess.TimeoutExpired:
            window.kill()
            window.wait()
        if window.stdout is not None:
            window.stdout.close()

    def _find(self, listed: tuple[Screen, ...]) -> tuple[tuple[int, int], str]:
        """Where the window goes and the connector's name ("" if not known)."""
        wanted = self._settings
        for screen in listed:
            if screen.number == wanted.screen:
                x = screen.x if wanted.x is None else wanted.x
                return (x, screen.y if wanted.y is None else wanted.y), screen.name
        if listed:
            there = ", ".join(f"{one.number} ({one.name})" for one in listed)
            raise DeviceOpenError(
                f"{self._uri}: expected one of the desktop's screens {there}, got "
                f"{wanted.screen}; plug the projector in, or correct the uri"
            )
        if wanted.screen > 0 and wanted.x is None:
            raise DeviceOpenError(
                f"{self._uri}: xrandr does not tell where screen {wanted.screen} lies; install "
                f"xrandr, or give its left edge: {self._uri}?x=1920"
            )
        return (wanted.x or 0, wanted.y or 0), ""

    def _start(self) -> subprocess.Popen[bytes]:
        wanted = self._settings
        root = [] if wanted.root is None else [str(wanted.root)]
        x, y = self._place
        words = [self._ring_name, str(x), str(y), *root]
        try:
            return subprocess.Popen(
                [*self._program, *words], stdin=subprocess.PIPE, stdout=subprocess.PIPE
            )
        except OSError as error:
            raise DeviceOpenError(
                f"{self._uri}: the window's process cannot be started ({error.strerror}); check "
                "the installation"
            ) from error

    def _wait_ready(self, window: subprocess.Popen[bytes]) -> None:
        """Until the window stands; DeviceOpenError if its process ends first."""
        assert window.stdout is not None
        ready, _, _ = select.select([window.stdout], [], [], OPEN_S)
        line = window.stdout.readline().strip() if ready else b""
        if line != READY:
            said = line.decode(errors="replace") or "no answer"
            raise DeviceOpenError(
                f"{self._uri}: the window did not open ({said}); check that this user may use the "
                "desktop (XAUTHORITY), and that OpenCV comes with windows (opencv-python, not the "
                "headless one)"
            )
