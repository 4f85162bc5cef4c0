"""The ports: what a driver gives to a node. Small Protocols, one data class for each reading.

Frames are RGB, uint8, C-contiguous, shape (height, width, 3). Times are the node's monotonic
seconds at the moment the driver took the reading.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.signs import GateSigns

__all__ = [
    "Camera",
    "ExitDisplay",
    "Frame",
    "Gate",
    "GateScan",
    "Light",
    "Projector",
    "Scale",
    "ScaleBatch",
]


@dataclass(frozen=True, slots=True)
class Frame:
    """One picture of one camera. `index` counts frames of the source, dropped ones included."""

    camera_id: str
    t_s: float
    index: int
    rgb: NDArray[np.uint8]


@dataclass(frozen=True, slots=True)
class ScaleBatch:
    """Readings of a set of plates: `t_s` (N,) float64, `grams` (N, P) float32, column p is
    `plate_ids[p]`. NaN means that the plate gave no reading."""

    plate_ids: tuple[str, ...]
    t_s: NDArray[np.float64]
    grams: NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class GateScan:
    """A code read at a gate."""

    gate_id: str
    t_s: float
    code: str


class Camera(Protocol):
    """A source of frames."""

    @property
    def camera_id(self) -> str:
        """The camera's id in the store file."""
        ...

    def read_latest(self, *, max_age_s: float) -> Frame | None:
        """The newest frame not given before and not older than `max_age_s`; None if none."""
        ...

    def close(self) -> None:
        """Releases the device; closing twice is fine."""
        ...


class Scale(Protocol):
    """A bank of plates read together."""

    def read(self) -> ScaleBatch | None:
        """All readings since the last call; None if none."""
        ...

    def close(self) -> None:
        """Releases the device; closing twice is fine."""
        ...


class Gate(Protocol):
    """A scanner at a gate."""

    def read(self) -> tuple[GateScan, ...]:
        """All scans since the last call."""
        ...

    def close(self) -> None:
        """Releases the device; closing twice is fine."""
        ...


class ExitDisplay(Protocol):
    """A display at a gate."""

    def show(self, signs: GateSigns, *, now_s: float) -> None:
        """Shows these signs in place of what was shown; `now_s` is in hub seconds, as theirs are.
        Signs whose time is over are left out."""
        ...

    def close(self) -> None:
        """Clears the display and releases it; closing twice is fine."""
        ...


class Projector(Protocol):
    """A projector: what it is given lies on the wall until it is given something else."""

    @property
    def projector_id(self) -> str:
        """The projector's id in the store file."""
        ...

    @property
    def size(self) -> tuple[int, int]:
        """(width, height) of its pictures, pixels."""
        ...

    @property
    def plugged(self) -> bool:
        """False once it is known to be gone: cable out, window closed. It comes back by itself."""
        ...

    def show(self, rgb: NDArray[np.uint8], *, now_s: float) -> None:
        """Throws a picture (height, width, 3); BrokenSourceError if it is of another size."""
        ...

    def close(self) -> None:
        """Goes dark and releases the device; closing twice is fine."""
        ...


class Light(Protocol):
    """A strip of lamps."""

    @property
    def light_id(self) -> str:
        """The strip's id in the store file."""
        ...

    def show(self, colours: NDArray[np.uint8], *, now_s: float) -> None:
        """Gives every lamp its colour, (lamps, 3) RGB from the strip's u0 to its u1;
        BrokenSourceError if there are more or fewer, DeviceLostError once it is gone."""
        ...

    def close(self) -> None:
        """Goes dark and releases the device; closing twice is fine."""
        ...
