"""A network camera over RTSP, by PyAV in a thread of its own; the newest frame wins.

A network camera may be away when the node starts and may come back an hour later, so opening
never fails for want of an answer: the thread tries again with a growing pause. `last_error` says
why there is no picture.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Annotated, Any
from urllib.parse import urlsplit, urlunsplit

from pydantic import Field

from hardware.cameras.latest import LatestFrame
from hardware.errors import DeviceOpenError
from hardware.ports import Frame
from hardware.settings import DriverSettings

__all__ = ["RtspCamera", "RtspCameraSettings", "backoff_s", "without_password"]

JOIN_S = 2.0


class RtspCameraSettings(DriverSettings):
    """Which stream, and how patient the driver is."""

    url: Annotated[str, Field(pattern=r"^rtsps?://.+", description="rtsp://[user:pass@]host/path")]
    timeout_s: Annotated[float, Field(gt=0, le=60, description="for opening and each read")] = 5.0
    backoff_first_s: Annotated[float, Field(gt=0, le=60, description="first pause")] = 0.5
    backoff_max_s: Annotated[float, Field(gt=0, le=600, description="longest pause")] = 15.0


def backoff_s(failures: int, *, first_s: float, longest_s: float) -> float:
    """The pause after so many failures in a row: doubling, bounded."""
    return min(longest_s, first_s * 2.0 ** min(max(0, failures - 1), 30))


def without_password(url: str) -> str:
    """The url fit for a log."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    port = f":{parts.port}" if parts.port else ""
    return urlunsplit((parts.scheme, f"{host}{port}", parts.path, "", ""))


class RtspCamera:
    """Reads a stream and reconnects for ever, with a bounded pause."""

    def __init__(
        self,
        camera_id: str,
        settings: RtspCameraSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
        open_stream: Callable[[RtspCameraSettings], Any] | None = None,
    ) -> None:
        try:
            # An unparsable port is found here and not in the thread.
            shown = without_password(settings.url)
        except ValueError as error:
            raise DeviceOpenError(f"camera {camera_id}: broken rtsp address: {error}") from error
        self._shown = shown
        self._camera_id = camera_id
        self._settings = settings
        self._clock = clock
        self._open_stream = open_stream or _open_stream
        self._latest = LatestFrame()
        self._stop = threading.Event()
        self._index = 0
        self.reconnects = 0
        self.last_error: str | None = None
        self._thread = threading.Thread(target=self._run, name=f"rtsp-{camera_id}", daemon=True)
        self._thread.start()

    @property
    def camera_id(self) -> str:
        """The camera's id in the store file."""
        return self._camera_id

    @property
    def dropped(self) -> int:
        """Frames replaced before anybody took them."""
        return self._latest.dropped

    def read_latest(self, *, max_age_s: float) -> Frame | None:
        """The newest frame not given before and not older than `max_age_s`; None if none."""
        return self._latest.take(now_s=self._clock(), max_age_s=max_age_s)

    def close(self) -> None:
        """Stops the thread; closing twice is fine."""
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self) -> None:
        import av

        failures = 0
        while not self._stop.is_set():
            before = self._index
            try:
                self._read_stream()
                reason = "the stream ended"
            except (av.error.FFmpegError, OSError) as error:
                reason = str(getattr(error, "strerror", None) or error)
            if self._stop.is_set():
                return
            failures = 1 if self._index > before else failures + 1
            self.reconnects += 1
            self.last_error = (
                f"{self._shown}: no picture ({reason}); check that the camera is on, the address "
                "and the password"
            )
            self._stop.wait(
                backoff_s(
                    failures,
                    first_s=self._settings.backoff_first_s,
                    longest_s=self._settings.backoff_max_s,
                )
            )

    def _read_stream(self) -> None:
        container = self._open_stream(self._settings)
        try:
            for picture in container.decode(video=0):
                if self._stop.is_set():
                    return
                rgb = picture.to_ndarray(format="rgb24")
                self._latest.put(Frame(self._camera_id, self._clock(), self._index, rgb))
                self._index += 1
                self.last_error = None
        finally:
            container.close()


def _open_stream(settings: RtspCameraSettings) -> Any:
    import av

    return av.open(
        settings.url,
        options={"rtsp_transport": "tcp", "fflags": "nobuffer"},
        timeout=settings.timeout_s,
    )
