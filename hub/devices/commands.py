"""Commands about devices."""

from __future__ import annotations

from typing import Literal

from contracts.ids import DeviceId
from hub.command import Command

__all__ = ["TrustDevice"]


class TrustDevice(Command):
    """A node was stolen or is not to be believed any more; or it is ours again."""

    kind: Literal["trust_device"] = "trust_device"
    device_id: DeviceId
    trusted: bool
