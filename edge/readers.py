"""Plates and gates as the node's loop reads them: opened when they appear, again when they go.

A sensor that is not there does not stop the node: its zone is told blind by the core, and the
reader tries again now and then. Why it is not there is said once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, Protocol, TypeVar

from contracts.messages import NodeConfig
from edge.process_settings import NodeProcessSettings
from hardware.errors import HardwareError
from hardware.gates import ShmGate, ShmGateSettings
from hardware.ports import GateScan, ScaleBatch
from hardware.rings import Cursor
from hardware.scales import ShmScale, ShmScaleSettings

__all__ = ["GateReader", "ScaleReader"]

RETRY_S = 0.5


class _Device(Protocol):
    @property
    def cursor(self) -> Cursor: ...

    def close(self) -> None: ...


D = TypeVar("D", bound=_Device)


class _Reader(Generic[D]):
    """Keeps a device open as well as it can."""

    def __init__(
        self,
        wanted: bool,
        open_device: Callable[[Cursor | None], D],
        cursor: Cursor | None,
        *,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._wanted = wanted
        self._open = open_device
        self._cursor = cursor
        self._clock = clock
        self._say = say
        self._device: D | None = None
        self._retry_s = -1e18
        self.fault: str | None = None

    @property
    def cursor(self) -> Cursor | None:
        """How far the device was read; survives its closing."""
        return self._cursor if self._device is None else self._device.cursor

    def close(self) -> None:
        """Closes the device; closing twice is fine."""
        if self._device is not None:
            self._cursor = self._device.cursor
            self._device.close()
            self._device = None

    def _ready(self) -> D | None:
        now_s = self._clock()
        if self._device is None and self._wanted and now_s >= self._retry_s:
            try:
                self._device = self._open(self._cursor)
                self.fault = None
            except HardwareError as error:
                self._failed(error)
        return self._device

    def _failed(self, error: HardwareError) -> None:
        if str(error) != self.fault:
            self._say(str(error))
        self.fault = str(error)
        self._retry_s = self._clock() + RETRY_S
        self.close()


class ScaleReader(_Reader[ShmScale]):
    """The plates of one bay; none wanted where there are none or they are switched off.

    Each bay reads the ring by itself, because each has its own place to read on from.
    """

    def __init__(
        self,
        config: NodeConfig,
        bay_id: str,
        settings: NodeProcessSettings,
        cursor: Cursor | None,
        *,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        plate_ids = tuple(plate.plate_id for plate in config.plates if plate.bay_id == bay_id)
        wanted = bool(plate_ids) and settings.core.sensors in ("both", "plates")
        driver = ShmScaleSettings(
            name=settings.scale_ring, root=settings.shm_root, plate_ids=plate_ids
        )
        super().__init__(
            wanted,
            lambda resume: ShmScale(driver, clock=clock, resume=resume),
            cursor,
            clock=clock,
            say=say,
        )

    def read(self) -> ScaleBatch | None:
        """All rows since the last call; None if none."""
        device = self._ready()
        if device is None:
            return None
        try:
            return device.read()
        except HardwareError as error:
            self._failed(error)
            return None


class GateReader(_Reader[ShmGate]):
    """The gates of the node, and the scanners of its walls."""

    def __init__(
        self,
        config: NodeConfig,
        settings: NodeProcessSettings,
        cursor: Cursor | None,
        *,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        scanners = tuple(name for wall in config.walls for name in wall.scanners)
        names = tuple(gate.gate_id for gate in config.gates) + scanners
        driver = ShmGateSettings(name=settings.gate_ring, root=settings.shm_root, gate_ids=names)
        super().__init__(
            bool(names),
            lambda resume: ShmGate(driver, clock=clock, resume=resume),
            cursor,
            clock=clock,
            say=say,
        )

    def read(self) -> tuple[GateScan, ...]:
        """All scans since the last call."""
        device = self._ready()
        if device is None:
            return ()
        try:
            return device.read()
        except HardwareError as error:
            self._failed(error)
            return ()
