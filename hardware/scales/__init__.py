"""Scale drivers: banks of weighing plates."""

from hardware.scales.shm import ScaleRingWriter, ShmScale, ShmScaleSettings

__all__ = ["ScaleRingWriter", "ShmScale", "ShmScaleSettings"]
