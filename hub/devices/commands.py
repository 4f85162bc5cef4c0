"""Commands about devices."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.ids import BootId, DeviceId
from hub.command import Command

__all__ = ["GiveUpGap", "TrustDevice"]


class TrustDevice(Command):
    """A node was stolen or is not to be believed any more; or it is ours again."""

    kind: Literal["trust_device"] = "trust_device"
    device_id: DeviceId
    trusted: bool


class GiveUpGap(Command):
    """What a boot said up to a number and never came is missing for good; what waits behind it
    counts."""

    kind: Literal["give_up_gap"] = "give_up_gap"
    device_id: DeviceId
    boot_id: BootId
    upto_seq: Annotated[int, Field(ge=0, le=2**53)]
