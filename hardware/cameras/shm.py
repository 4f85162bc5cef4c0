"""A camera whose frames lie in a shared-memory ring: the simulator's way in, and any local
process's.

The writer stamps frames with the machine's monotonic clock, which both processes share. Its
stamps are still only believed up to the reader's own clock: a frame from the future is taken as
taken now.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.errors import BrokenSourceError, DeviceLostError
from hardware.ports import Frame
from hardware.rings import RingReader, RingWriter
from hardware.settings import DriverSettings

__all__ = ["FrameRingWriter", "ShmCamera", "ShmCameraSettings"]

KIND = "frames"


class ShmCameraSettings(DriverSettings):
    """Where the ring is."""

    name: Annotated[str, Field(min_length=1, max_length=120, description="name in shm://NAME")]
    root: Annotated[Path | None, Field(description="directory of rings; None: /dev/shm")] = None


class FrameRingWriter:
    """Writes RGB frames of one size. `index` of a frame is its number in this writer's stream.

    `stream_id` names this run of the writer: a restarted one needs another (a clock in
    nanoseconds does).
    """

    def __init__(
        self,
        name: str,
        *,
        width: int,
        height: int,
        stream_id: int,
        slots: int = 4,
        root: Path | None = None,
    ) -> None:
        self._shape = (height, width, 3)
        self._ring = RingWriter(
            name,
            payload_bytes=height * width * 3,
            slots=slots,
            description={"kind": KIND, "width": width, "height": height},
            generation=stream_id,
            root=root,
        )

    def write(self, rgb: NDArray[np.uint8], *, t_s: float) -> int:
        """Publishes a frame (height, width, 3); its index."""
        if rgb.shape != self._shape or rgb.dtype != np.uint8:
            raise BrokenSourceError(
                f"expected a uint8 frame of shape {self._shape}, got {rgb.dtype} {rgb.shape}"
            )
        self._ring.begin().reshape(self._shape)[:] = rgb
        return self._ring.commit(t_s=t_s)

    def close(self) -> None:
        """Takes the ring away; closing twice is fine."""
        self._ring.close()


class ShmCamera:
    """Reads the newest frame of a ring; goes on by itself when the writer was restarted.

    `dropped` counts frames that were overtaken before they were read.
    """

    def __init__(
        self,
        camera_id: str,
        settings: ShmCameraSettings,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._camera_id = camera_id
        self._settings = settings
        self._clock = clock
        self._ring: RingReader | None = RingReader(settings.name, root=settings.root)
        self._attachments = 1
        self._index_base = 0
        self._last_index = -1
        self._check()

    @property
    def camera_id(self) -> str:
        """The camera's id in the store file."""
        return self._camera_id

    @property
    def dropped(self) -> int:
        """Frames never given because newer ones came."""
        return self._ring.lost if self._ring is not None else 0

    def read_latest(self, *, max_age_s: float) -> Frame | None:
        """The newest frame not given before and not older than `max_age_s`; None if none."""
        if self._ring is None:
            raise DeviceLostError(f"camera {self._camera_id} is closed; open it again")
        record = self._ring.newest()
        if record is None:
            return None
        if self._ring.attachments != self._attachments:
            self._attachments = self._ring.attachments
            self._check()
            # Indexes go on counting over a restart, so that they never name two frames.
            self._index_base = self._last_index + 1
        now_s = self._clock()
        t_s = min(record.t_s, now_s)
        self._last_index = self._index_base + record.number
        if now_s - t_s > max_age_s:
            return None
        return Frame(self._camera_id, t_s, self._last_index, record.payload.reshape(self._shape))

    def close(self) -> None:
        """Lets the ring go; closing twice is fine."""
        if self._ring is not None:
            self._ring.close()
            self._ring = None

    def _check(self) -> None:
        assert self._ring is not None
        description = self._ring.description
        if description.get("kind") != KIND:
            raise BrokenSourceError(
                f"shm://{self._settings.name}: expected a ring of {KIND}, got "
                f"{description.get('kind')!r}; give the camera another name"
            )
        self._shape = (int(description["height"]), int(description["width"]), 3)
