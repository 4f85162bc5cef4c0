"""What is wrong with a uri, said alike for all devices."""

from __future__ import annotations

from pydantic import ValidationError

from hardware.errors import DeviceOpenError

__all__ = ["unusable_uri"]


def unusable_uri(device: str, uri: str, error: ValidationError) -> DeviceOpenError:
    """The error to raise for a uri whose settings are refused; `device` such as "camera cam-1"."""
    fault = error.errors()[0]
    field = ".".join(str(part) for part in fault["loc"])
    return DeviceOpenError(f"{device}: {uri!r}: {field}: {fault['msg']}; correct the uri")
