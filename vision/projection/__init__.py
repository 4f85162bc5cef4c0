"""Marks thrown onto what stands at a wall: aimed by calibration, checked by cameras, and dark when
in doubt."""

from vision.projection.beam import Beam
from vision.projection.lamps import Lamps
from vision.projection.model import Optics
from vision.projection.records import BeamOut
from vision.projection.settings import BeamSettings

__all__ = ["Beam", "BeamOut", "BeamSettings", "Lamps", "Optics"]
