"""A strip of lamps whose colours lie in a shared-memory ring: the simulator reads them there."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from hardware.pictures import check_colours
from hardware.rings import RingWriter
from hardware.settings import DriverSettings

__all__ = ["ShmLight", "ShmLightSettings"]

KIND = "lamps"
SLOTS = 8


class ShmLightSettings(DriverSettings):
    """Where the ring is and how many lamps there are."""

    name: Annotated[str, Field(min_length=1, max_length=120, description="name in shm://NAME")]
    root: Annotated[Path | None, Field(description="directory of rings; None: /dev/shm")] = None
    lamps: Annotated[int, Field(ge=1, le=2_000, description="on the strip")]


class ShmLight:
    """Writes records of lamps * 3 bytes, R G B of every lamp."""

    def __init__(
        self,
        light_id: str,
        settings: ShmLightSettings,
        *,
        clock_ns: Callable[[], int] = time.time_ns,
    ) -> None:
        self._light_id = light_id
        self._lamps = settings.lamps
        self._ring: RingWriter | None = RingWriter(
            settings.name,
            payload_bytes=3 * settings.lamps,
            slots=SLOTS,
            description={"kind": KIND, "lamps": settings.lamps},
            generation=clock_ns(),
            root=settings.root,
        )

    @property
    def light_id(self) -> str:
        """The strip's id in the store file."""
        return self._light_id

    def show(self, colours: NDArray[np.uint8], *, now_s: float) -> None:
        """Publishes the colours."""
        check_colours(colours, self._lamps, f"light {self._light_id}")
        if self._ring is not None:
            self._ring.publish(colours, t_s=now_s)

    def close(self) -> None:
        """Publishes darkness and takes the ring away."""
        if self._ring is not None:
            self._ring.publish(np.zeros((self._lamps, 3), np.uint8), t_s=0.0)
            self._ring.close()
            self._ring = None
