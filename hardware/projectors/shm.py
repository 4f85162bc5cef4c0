"""A projector whose pictures lie in a shared-memory ring: the simulator reads them there, and the
process that shows them in a window."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.cameras.shm import FrameRingWriter
from hardware.pictures import check_picture
from hardware.settings import DriverSettings

__all__ = ["ShmProjector", "ShmProjectorSettings"]


class ShmProjectorSettings(DriverSettings):
    """Where the ring is and how large its pictures are."""

    name: Annotated[str, Field(min_length=1, max_length=120, description="name in shm://NAME")]
    root: Annotated[Path | None, Field(description="directory of rings; None: /dev/shm")] = None
    width: Annotated[int, Field(ge=16, le=7680, description="of pictures, pixels")]
    height: Annotated[int, Field(ge=16, le=4320, description="of pictures, pixels")]


class ShmProjector:
    """Writes pictures. Whoever reads them is not known, so it always counts as plugged."""

    def __init__(
        self,
        projector_id: str,
        settings: ShmProjectorSettings,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._projector_id = projector_id
        self._size = (settings.width, settings.height)
        self._ring: FrameRingWriter | None = FrameRingWriter(
            settings.name,
            width=settings.width,
            height=settings.height,
            stream_id=clock_ns(),
            slots=2,
            root=settings.root,
        )

    @property
    def projector_id(self) -> str:
        """The projector's id in the store file."""
        return self._projector_id

    @property
    def size(self) -> tuple[int, int]:
        """(width, height), pixels."""
        return self._size

    @property
    def plugged(self) -> bool:
        """Until it is closed."""
        return self._ring is not None

    def show(self, rgb: NDArray[np.uint8], *, now_s: float) -> None:
        """Publishes the picture."""
        check_picture(rgb, self._size, f"projector {self._projector_id}")
        if self._ring is not None:
            self._ring.write(rgb, t_s=now_s)

    def close(self) -> None:
        """Publishes darkness and takes the ring away."""
        if self._ring is not None:
            width, height = self._size
            self._ring.write(np.zeros((height, width, 3), np.uint8), t_s=0.0)
            self._ring.close()
            self._ring = None
