"""Errors of the vision package.

VisionError
├── FrameError          a picture has a shape, a type or a time that cannot be used
└── CalibrationError    a camera cannot see what it is said to watch
"""

from __future__ import annotations

__all__ = ["CalibrationError", "FrameError", "VisionError"]


class VisionError(Exception):
    """Perception was given something it cannot work with."""


class FrameError(VisionError):
    """A picture has a shape, a type or a time that cannot be used."""


class CalibrationError(VisionError):
    """A camera cannot see what it is said to watch."""
