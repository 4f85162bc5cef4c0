"""A device that is kept open as well as it can: opened when it appears, and again when it goes."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from hardware.errors import HardwareError

__all__ = ["Closes", "Kept"]


class Closes(Protocol):
    """What every device can."""

    def close(self) -> None:
        """Releases it."""
        ...


D = TypeVar("D", bound=Closes)


class Kept(Generic[D]):
    """`device` is None while there is none; it is tried again `every_s`. Why it is not there is
    said once; `fault` holds it."""

    def __init__(
        self,
        open_device: Callable[[], D],
        *,
        every_s: float,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._open = open_device
        self._every_s = every_s
        self._clock = clock
        self._say = say
        self._retry_s = -1e18
        self.device: D | None = None
        self.fault: str | None = None

    def ready(self) -> D | None:
        """The device, opened if it is time to try; None if it is not there."""
        if self.device is None and self._clock() >= self._retry_s:
            try:
                self.device = self._open()
                self.fault = None
            except HardwareError as error:
                self.failed(error)
        return self.device

    def failed(self, error: HardwareError) -> None:
        """Notes that it went wrong: the device is closed, and opened again later."""
        if str(error) != self.fault:
            self._say(str(error))
        self.fault = str(error)
        self._retry_s = self._clock() + self._every_s
        self.close()

    def close(self) -> None:
        """Closes the device; closing twice is fine."""
        if self.device is not None:
            device, self.device = self.device, None
            device.close()
