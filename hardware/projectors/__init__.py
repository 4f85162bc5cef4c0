"""Projector drivers: a window on a screen, shared memory, memory. `open_projector` picks one."""

from hardware.projectors.memory import MemoryProjector
from hardware.projectors.opening import open_projector, projector_settings
from hardware.projectors.shm import ShmProjector, ShmProjectorSettings
from hardware.projectors.window import WindowProjector, WindowProjectorSettings

__all__ = [
    "MemoryProjector",
    "ShmProjector",
    "ShmProjectorSettings",
    "WindowProjector",
    "WindowProjectorSettings",
    "open_projector",
    "projector_settings",
]
