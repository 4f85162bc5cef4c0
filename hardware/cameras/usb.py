"""A USB camera by its number, through OpenCV. A thread reads it; the newest frame wins."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Annotated, Any

from pydantic import Field

from hardware.cameras.latest import LatestFrame
from hardware.errors import DeviceLostError, DeviceOpenError
from hardware.ports import Frame
from hardware.settings import DriverSettings

__all__ = ["UsbCamera", "UsbCameraSettings"]

READ_FAILURES_MAX = 30
JOIN_S = 2.0


class UsbCameraSettings(DriverSettings):
    """Which device, and the mode it is asked for."""

    device: Annotated[int, Field(ge=0, le=63, description="number of the video device")]
    width: Annotated[int, Field(ge=16, le=7680, description="asked for, in pixels")] = 1280
    height: Annotated[int, Field(ge=16, le=4320, description="asked for, in pixels")] = 720
    fps: Annotated[float, Field(gt=0, le=120, description="asked for")] = 15.0


class UsbCamera:
    """A webcam. Frames come in whatever size the camera agreed to."""

    def __init__(
        self,
        camera_id: str,
        settings: UsbCameraSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        import cv2

        self._camera_id = camera_id
        self._clock = clock
        self._latest = LatestFrame()
        self._stop = threading.Event()
        self._lost = False
        capture = cv2.VideoCapture(settings.device)
        if not capture.isOpened():
            capture.release()
            raise DeviceOpenError(
                f"usb:{settings.device}: the camera cannot be opened; plug it in, close other "
                "programs that use it, and check that this user may read "
                f"/dev/video{settings.device}"
            )
        capture.set(cv2.CAP_PROP_FRAME_WIDTH, settings.width)
        capture.set(cv2.CAP_PROP_FRAME_HEIGHT, settings.height)
        capture.set(cv2.CAP_PROP_FPS, settings.fps)
        self._thread = threading.Thread(
            target=self._run, args=(capture,), name=f"usb-{camera_id}", daemon=True
        )
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
        """The newest frame not given before; DeviceLostError once the camera is gone."""
        if self._lost:
            raise DeviceLostError(
                f"camera {self._camera_id}: the USB camera gives no more frames; plug it in again"
            )
        return self._latest.take(now_s=self._clock(), max_age_s=max_age_s)

    def close(self) -> None:
        """Stops the thread and releases the device; closing twice is fine."""
        self._stop.set()
        self._thread.join(JOIN_S)

    def _run(self, capture: Any) -> None:
        import cv2

        failures = 0
        index = 0
        try:
            while not self._stop.is_set() and failures < READ_FAILURES_MAX:
                good, bgr = capture.read()
                if not good:
                    failures += 1
                    self._stop.wait(0.05)
                    continue
                failures = 0
                rgb = cv2.cvtColor(bgr, cv2.COLOR_BGR2RGB)
                self._latest.put(Frame(self._camera_id, self._clock(), index, rgb))
                index += 1
        finally:
            capture.release()
            self._lost = True
