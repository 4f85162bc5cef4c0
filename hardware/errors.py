"""Errors of the hardware package.

HardwareError
├── UnknownDriverError     no driver knows the scheme of a uri
├── DeviceOpenError        a device cannot be opened; names the uri and the fix
│   └── DeviceBusyError    somebody else writes to the same device
├── DeviceLostError        a device was open and went away
└── BrokenSourceError      the source answers, but what it gives cannot be used
    └── NotAVideoError     a file is not a video, or is cut off
"""

from __future__ import annotations

__all__ = [
    "BrokenSourceError",
    "DeviceBusyError",
    "DeviceLostError",
    "DeviceOpenError",
    "HardwareError",
    "NotAVideoError",
    "UnknownDriverError",
]


class HardwareError(Exception):
    """Something is wrong with a device."""


class UnknownDriverError(HardwareError):
    """No driver knows the scheme of a uri."""


class DeviceOpenError(HardwareError):
    """A device cannot be opened; the message names the uri and the fix."""


class DeviceBusyError(DeviceOpenError):
    """Somebody else writes to the same device."""


class DeviceLostError(HardwareError):
    """A device was open and went away."""


class BrokenSourceError(HardwareError):
    """The source answers, but what it gives cannot be used."""


class NotAVideoError(BrokenSourceError):
    """A file is not a video, or is cut off."""
