"""The process of a projector's window: shows the newest picture of a ring, full screen.

    python -m hardware.projectors.window_process RING X Y [RINGS]

It writes "ready" when the window stands and ends when its standard input is closed.
"""

from __future__ import annotations

import select
import sys
import time
from pathlib import Path
from typing import BinaryIO, Protocol

import numpy as np
from numpy.typing import NDArray

from hardware.cameras.shm import ShmCamera, ShmCameraSettings

__all__ = ["Window", "run_window"]

NAME = "sortie projector"
TICK_MS = 15


class Window(Protocol):
    """What shows pictures."""

    def show(self, rgb: NDArray[np.uint8]) -> None:
        """Puts a picture up."""
        ...

    def wait(self) -> bool:
        """Lets the desktop work for a moment; whether the window still stands."""
        ...


class _HighguiWindow:
    """OpenCV's window, without frame, over the whole screen."""

    def __init__(self, x: int, y: int) -> None:
        import cv2

        self._cv2 = cv2
        cv2.namedWindow(NAME, cv2.WINDOW_NORMAL)
        cv2.moveWindow(NAME, x, y)
        cv2.setWindowProperty(NAME, cv2.WND_PROP_FULLSCREEN, cv2.WINDOW_FULLSCREEN)
        self.show(np.zeros((16, 16, 3), np.uint8))
        cv2.waitKey(TICK_MS)

    def show(self, rgb: NDArray[np.uint8]) -> None:
        self._cv2.imshow(NAME, self._cv2.cvtColor(rgb, self._cv2.COLOR_RGB2BGR))

    def wait(self) -> bool:
        self._cv2.waitKey(TICK_MS)
        return self._cv2.getWindowProperty(NAME, self._cv2.WND_PROP_VISIBLE) >= 1


def run_window(pictures: ShmCamera, window: Window, stop: BinaryIO) -> None:
    """Shows pictures until `stop` is closed at its other end or the window is closed."""
    while True:
        ended, _, _ = select.select([stop], [], [], 0)
        if ended and not stop.read(1):
            return
        frame = pictures.read_latest(max_age_s=float("inf"))
        if frame is not None:
            window.show(frame.rgb)
        if not window.wait():
            return


def main(words: list[str]) -> None:
    """The process: opens ring and window, says so, and shows."""
    name, x, y, *root = words
    settings = ShmCameraSettings(name=name, root=Path(root[0]) if root else None)
    pictures = ShmCamera("window", settings, clock=time.monotonic)
    window = _HighguiWindow(int(x), int(y))
    print("ready", flush=True)
    run_window(pictures, window, sys.stdin.buffer)
    pictures.close()


if __name__ == "__main__":
    main(sys.argv[1:])
