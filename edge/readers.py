"""Plates and gates as the node's loop reads them: opened when they appear, again when they go.

A sensor that is not there does not stop the node: its zone is told blind by the core, and the
reader tries again now and then. Why it is not there is said once.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol, TypeVar

from contracts.messages import NodeConfig
from edge.kept import Closes, Kept
from edge.process_settings import NodeProcessSettings
from hardware.errors import HardwareError
from hardware.gates import ShmGate, ShmGateSettings
from hardware.ports import GateScan, ScaleBatch
from hardware.rings import Cursor
from hardware.scales import ShmScale, ShmScaleSettings

__all__ = ["GateReader", "ScaleReader"]

RETRY_S = 0.5


class _Device(Closes, Protocol):
    @property
    def cursor(self) -> Cursor: ...


D = TypeVar("D", bound=_Device)


class _Reader(Kept[D]):
    """Keeps a device open, if it is wanted, and remembers how far it was read."""

    def __init__(
        self,
        wanted: bool,
        open_device: Callable[[Cursor | None], D],
        cursor: Cursor | None,
        *,
        clock: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        super().__init__(lambda: open_device(self._cursor), every_s=RETRY_S, clock=clock, say=say)
        self._wanted = wanted
        self._cursor = cursor

    @property
    def cursor(self) -> Cursor | None:
        """How far the device was read; survives its closing."""
        return self._cursor if self.device is None else self.device.cursor

    def ready(self) -> D | None:
        """See Kept; None if it is not wanted."""
        return super().ready() if self._wanted else None

    def close(self) -> None:
        """Closes the device; closing twice is fine."""
        self._cursor = self.cursor
        super().close()


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
        device = self.ready()
        if device is None:
            return None
        try:
            return device.read()
        except HardwareError as error:
            self.failed(error)
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
        device = self.ready()
        if device is None:
            return ()
        try:
            return device.read()
        except HardwareError as error:
            self.failed(error)
            return ()
