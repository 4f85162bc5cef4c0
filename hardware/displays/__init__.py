"""Drivers of displays at gates."""

from hardware.displays.memory import MemoryDisplay
from hardware.displays.text import TextDisplay, TextDisplaySettings

__all__ = ["MemoryDisplay", "TextDisplay", "TextDisplaySettings"]
