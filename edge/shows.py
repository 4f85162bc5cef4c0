"""Projectors and light strips as the node's loop uses them: opened when they appear, again when
they go, shown the newest picture. One that is not there does not stop the node; it is unplugged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Generic, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.messages import NodeConfig
from hardware.errors import HardwareError
from hardware.ports import Light, Projector

__all__ = ["Shows"]

RETRY_S = 1.0
Picture = NDArray[np.uint8]


class _Shows(Protocol):
    def close(self) -> None: ...


D = TypeVar("D", bound=_Shows)


class _Kept(Generic[D]):
    """One device that is kept open as well as it can, and the picture it should show."""

    def __init__(self, open_device: Callable[[], D]) -> None:
        self.open_device = open_device
        self.device: D | None = None
        self.retry_s = -1e18
        self.wanted: Picture | None = None
        self.stale = False
        self.fault: str | None = None

    def close(self) -> None:
        if self.device is not None:
            device, self.device = self.device, None
            device.close()


class Shows:
    """All projectors and light strips of a node's walls, by id. Used by one thread."""

    def __init__(
        self,
        config: NodeConfig,
        *,
        open_projector: Callable[[str], Projector],
        open_light: Callable[[str], Light],
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._clock = clock
        self._say = say
        self._projectors = {
            one.projector_id: _Kept(_opening(open_projector, one.projector_id))
            for wall in config.walls
            for one in wall.projectors
        }
        self._lights = {
            one.light_id: _Kept(_opening(open_light, one.light_id))
            for wall in config.walls
            for one in wall.lights
        }

    @property
    def unplugged(self) -> frozenset[str]:
        """Projectors that show nothing now."""
        return frozenset(
            name
            for name, kept in self._projectors.items()
            if kept.device is None or not kept.device.plugged
        )

    def show(self, pictures: Mapping[str, Picture], lamps: Mapping[str, Picture]) -> None:
        """Gives each device its newest picture; what cannot be shown now is shown when it can."""
        now_s = self._clock()
        for news, devices in ((pictures, self._projectors), (lamps, self._lights)):
            for name, picture in news.items():
                if name in devices:
                    devices[name].wanted, devices[name].stale = picture, True
        for name, kept in self._projectors.items():
            self._try(name, kept, lambda one, picture: one.show(picture, now_s=now_s))
        for name, strip in self._lights.items():
            self._try(name, strip, lambda one, colours: one.show(colours, now_s=now_s))

    def close(self) -> None:
        """Goes dark and releases all; closing twice is fine."""
        for projector in self._projectors.values():
            projector.close()
        for light in self._lights.values():
            light.close()

    def _try(self, name: str, kept: _Kept[D], show: Callable[[D, Picture], None]) -> None:
        try:
            if kept.device is None:
                if self._clock() < kept.retry_s:
                    return
                kept.device = kept.open_device()
                kept.fault, kept.stale = None, kept.wanted is not None
            if kept.stale and kept.wanted is not None:
                show(kept.device, kept.wanted)
                kept.stale = False
        except HardwareError as error:
            if str(error) != kept.fault:
                self._say(f"{name}: {error}")
            kept.fault = str(error)
            kept.retry_s = self._clock() + RETRY_S
            kept.close()


def _opening(opens: Callable[[str], D], name: str) -> Callable[[], D]:
    return lambda: opens(name)
