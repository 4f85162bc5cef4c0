"""Drivers of lamp strips: Adalight over a serial line, shared memory, memory."""

from hardware.lights.memory import MemoryLight
from hardware.lights.opening import light_settings, open_light
from hardware.lights.serial import AdalightSettings, AdalightStrip, adalight
from hardware.lights.shm import ShmLight, ShmLightSettings

__all__ = [
    "AdalightSettings",
    "AdalightStrip",
    "MemoryLight",
    "ShmLight",
    "ShmLightSettings",
    "adalight",
    "light_settings",
    "open_light",
]
