"""A thread for each camera: open, read, perceive, hand over. One camera never stalls another.

The newest frame wins at the driver. What perception found is news and waits in a bounded queue
for the node's loop; if the loop does not come, the oldest is dropped and counted. A camera that
cannot be opened, or goes away, is tried again with a growing, bounded pause; `fault` says why.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import BaseModel, ConfigDict, Field

from contracts import geometry
from edge.evidence import EvidenceSettings, FrameMemory
from edge.exchange import Observation
from hardware.errors import HardwareError
from hardware.ports import Camera, Frame
from vision.observations import ShelfObservation

__all__ = ["CameraWorker", "WorkerSettings"]

FULL_FRAMES_KEPT = 4
HEAD_CLASS = 0


class WorkerSettings(BaseModel):
    """A camera thread's patience."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    frame_age_s_max: Annotated[float, Field(gt=0, le=10, description="older is not looked at")] = (
        1.5
    )
    poll_s: Annotated[float, Field(gt=0, le=1, description="between two looks at the driver")] = (
        0.004
    )
    queue_max: Annotated[int, Field(ge=2, le=10_000, description="observations that may wait")] = (
        128
    )
    reopen_first_s: Annotated[float, Field(gt=0, le=60, description="first pause")] = 0.25
    reopen_max_s: Annotated[float, Field(gt=0, le=600, description="longest pause")] = 5.0
    silence_s: Annotated[
        float, Field(gt=0, le=600, description="opened again after no frame for so long")
    ] = 10.0
    join_s: Annotated[float, Field(gt=0, le=60, description="wait for the thread at the end")] = 3.0


@dataclass(frozen=True, slots=True)
class _Kept:
    t_s: float
    rgb: NDArray[np.uint8]


class CameraWorker:
    """Runs one camera. `lock` is held while perception works and its result is handed over, so
    that whoever takes it sees perception and queue in one state."""

    def __init__(
        self,
        camera: geometry.Camera,
        *,
        open_camera: Callable[[geometry.Camera], Camera],
        perceive: Callable[[Frame], Observation],
        clock: Callable[[], float],
        wake: Callable[[], None],
        settings: WorkerSettings,
        evidence: EvidenceSettings,
        say: Callable[[str], None],
    ) -> None:
        self.camera_id = camera.camera_id
        self.lock = threading.Lock()
        self.memory = FrameMemory(evidence)
        self.fault: str | None = None
        self.failure: BaseException | None = None
        self._camera = camera
        self._open_camera = open_camera
        self._perceive = perceive
        self._clock = clock
        self._wake = wake
        self._settings = settings
        self._say = say
        self._stop = threading.Event()
        self._queue: deque[Observation] = deque()
        self._queue_lock = threading.Lock()
        self._kept: deque[_Kept] = deque(maxlen=FULL_FRAMES_KEPT)
        self._dropped_here = 0
        self._dropped_before = 0
        self._device: Camera | None = None
        self._thread = threading.Thread(
            target=self._run, name=f"camera-{self.camera_id}", daemon=True
        )

    @property
    def dropped(self) -> int:
        """Frames and observations lost so far."""
        return self._dropped_before + self._driver_dropped() + self._dropped_here

    def start(self) -> None:
        """Starts the thread."""
        self._thread.start()

    def take(self) -> list[Observation]:
        """What was perceived since the last call, oldest first."""
        with self._queue_lock:
            found = list(self._queue)
            self._queue.clear()
        return found

    def picture_at(self, t_s: float) -> NDArray[np.uint8] | None:
        """The full picture taken at `t_s` if it is one of the last few."""
        with self._queue_lock:
            for kept in reversed(self._kept):
                if kept.t_s == t_s:
                    return kept.rgb
        return None

    def ask_stop(self) -> None:
        """Asks the thread to end."""
        self._stop.set()

    def join(self) -> bool:
        """Waits for the thread, bounded; False if it is stuck in its driver."""
        self._thread.join(self._settings.join_s)
        return not self._thread.is_alive()

    def _driver_dropped(self) -> int:
        return int(getattr(self._device, "dropped", 0))

    def _run(self) -> None:
        failures = 0
        try:
            while not self._stop.is_set():
                seen = False
                try:
                    self._device = self._open_camera(self._camera)
                    self._say(f"camera {self.camera_id}: open ({self._camera.uri.split('@')[-1]})")
                    seen = self._read()
                except HardwareError as error:
                    if str(error) != self.fault:
                        self._say(str(error))
                    self.fault = str(error)
                finally:
                    self._close()
                failures = 1 if seen else failures + 1
                pause = self._settings.reopen_first_s * 2.0 ** min(failures - 1, 30)
                self._stop.wait(min(pause, self._settings.reopen_max_s))
        except BaseException as error:  # noqa: BLE001 the edge of a thread
            # A fault in perception must end the process, loudly, and not leave a camera that is
            # silently dead.
            self.failure = error
            self._wake()

    def _close(self) -> None:
        if self._device is not None:
            self._dropped_before += self._driver_dropped()
            device, self._device = self._device, None
            device.close()

    def _read(self) -> bool:
        """Reads until asked to stop or the camera falls silent; whether there was any frame."""
        assert self._device is not None
        seen = False
        heard_s = self._clock()
        period_s = 1.0 / self._camera.fps
        while not self._stop.is_set():
            frame = self._device.read_latest(max_age_s=self._settings.frame_age_s_max)
            if frame is None:
                if getattr(self._device, "ended", False):
                    # A file is over once; playing it again would be a lie about time.
                    self.fault = f"camera {self.camera_id}: {self._camera.uri} is over"
                    self._stop.wait()
                    return seen
                silent_s = self._clock() - heard_s
                if silent_s > self._settings.silence_s:
                    self.fault = f"camera {self.camera_id}: no frame for {silent_s:.0f} s"
                    return seen
                self._stop.wait(self._settings.poll_s)
                continue
            self.fault = None
            seen = True
            heard_s = self._clock()
            self._look(frame)
            # Cameras are steady: most of a period may be slept through, the rest is polled.
            left_s = 0.8 * period_s - (self._clock() - frame.t_s)
            if left_s > self._settings.poll_s:
                self._stop.wait(left_s)
        return seen

    def _look(self, frame: Frame) -> None:
        with self.lock:
            observation = self._perceive(frame)
            with self._queue_lock:
                if len(self._queue) >= self._settings.queue_max:
                    self._queue.popleft()
                    self._dropped_here += 1
                self._queue.append(observation)
                self._kept.append(_Kept(frame.t_s, frame.rgb))
        self._wake()
        found = observation.detections
        heads = found.boxes_px[found.classes == HEAD_CLASS]
        active = not isinstance(observation, ShelfObservation) or observation.active
        if isinstance(observation, ShelfObservation):
            self.memory.add(frame, heads, active=active)
