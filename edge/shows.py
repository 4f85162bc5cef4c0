"""Projectors and light strips as the node's loop uses them: opened when they appear, again when
they go, shown the newest picture. One that is not there does not stop the node; it is unplugged."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from contracts.messages import NodeConfig
from edge.kept import Closes, Kept
from hardware.errors import HardwareError
from hardware.ports import Light, Projector

__all__ = ["Shows"]

RETRY_S = 1.0
Picture = NDArray[np.uint8]


D = TypeVar("D", bound=Closes)


class _Shown(Kept[D]):
    """One device, and the picture it should show."""

    wanted: Picture | None = None
    stale = False
    dark = False
    helped_s = -1e18
    shown_s = -1e18

    def try_to(self, show: Callable[[D, Picture], None], *, again: bool = False) -> None:
        """Shows what is wanted if that is not shown yet, the device is a new one, or `again`."""
        before = self.device
        device = self.ready()
        if device is None or self.wanted is None:
            return
        if self.stale or again or device is not before:
            try:
                show(device, self.wanted)
                self.stale, self.dark, self.shown_s = False, False, self._clock()
            except HardwareError as error:
                self.failed(error)

    def darken(self, show: Callable[[D, Picture], None], *, again: bool = False) -> None:
        """Shows nothing, also of what is wanted, until `try_to`."""
        if self.device is None or self.wanted is None or (self.dark and not again):
            return
        try:
            show(self.device, np.zeros_like(self.wanted))
            self.stale = self.dark = True
        except HardwareError as error:
            self.failed(error)


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
            one.projector_id: self._kept(open_projector, one.projector_id)
            for wall in config.walls
            for one in wall.projectors
        }
        self._lights = {
            one.light_id: self._kept(open_light, one.light_id)
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

    @property
    def shown_s(self) -> dict[str, float]:
        """When each projector's newest picture was with it; long ago where that did not work."""
        return {name: kept.shown_s for name, kept in self._projectors.items()}

    def show(self, pictures: Mapping[str, Picture], lamps: Mapping[str, Picture]) -> None:
        """Gives each device its newest picture; what cannot be shown now is shown when it can."""
        now_s = self._clock()
        for news, devices in ((pictures, self._projectors), (lamps, self._lights)):
            for name, picture in news.items():
                if name in devices:
                    devices[name].wanted, devices[name].stale = picture, True
        for projector in self._projectors.values():
            self._help(projector, now_s)
            projector.try_to(lambda one, picture: one.show(picture, now_s=now_s))
        for strip in self._lights.values():
            # The driver repeats them as often as firmware needs it, and what did not go out whole.
            strip.try_to(lambda one, colours: one.show(colours, now_s=now_s), again=True)

    def darken(self) -> None:
        """Shows nothing until `show` is called again: nobody says meanwhile what may shine."""
        now_s = self._clock()
        for projector in self._projectors.values():
            projector.darken(lambda one, picture: one.show(picture, now_s=now_s))
        for strip in self._lights.values():
            strip.darken(lambda one, colours: one.show(colours, now_s=now_s), again=True)

    def close(self) -> None:
        """Goes dark and releases all; closing twice is fine."""
        for projector in self._projectors.values():
            projector.close()
        for light in self._lights.values():
            light.close()

    def _help(self, kept: _Shown[Projector], now_s: float) -> None:
        """A window that has gone is opened again as pictures come, and a beam draws none while its
        projector is unplugged: it is given darkness now and then."""
        one = kept.device
        if one is not None and not one.plugged and now_s - kept.helped_s >= RETRY_S:
            width, height = one.size
            kept.wanted, kept.stale = np.zeros((height, width, 3), np.uint8), True
            kept.helped_s = now_s

    def _kept(self, opens: Callable[[str], D], name: str) -> _Shown[D]:
        return _Shown(
            lambda: opens(name),
            every_s=RETRY_S,
            clock=self._clock,
            say=lambda words: self._say(f"{name}: {words}"),
        )
