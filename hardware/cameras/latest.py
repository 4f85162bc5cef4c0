"""The newest frame of a driver that has its own thread: one place, the latest wins."""

from __future__ import annotations

import threading

from hardware.ports import Frame

__all__ = ["LatestFrame"]


class LatestFrame:
    """A place for one frame. `dropped` counts frames replaced before anybody took them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._frame: Frame | None = None
        self.dropped = 0

    def put(self, frame: Frame) -> None:
        """Puts a frame where the next `take` finds it."""
        with self._lock:
            if self._frame is not None:
                self.dropped += 1
            self._frame = frame

    def take(self, *, now_s: float, max_age_s: float) -> Frame | None:
        """The frame, once, if it is not too old."""
        with self._lock:
            frame, self._frame = self._frame, None
        if frame is None or now_s - frame.t_s > max_age_s:
            return None
        return frame
