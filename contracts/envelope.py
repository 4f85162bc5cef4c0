"""The envelope: CloudEvents 1.0 in structured JSON, with the attributes of a sequenced device.

A device numbers its messages per boot: `(deviceid, bootid, sequence)` names a message for ever,
and the hub lets it take effect once. `monotonicus` is the device's monotonic clock in
microseconds; `time` is the device's idea of UTC and is never trusted for order.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, Field

from contracts.base import Contract
from contracts.ids import BootId, DeviceId, StoreId

__all__ = ["BATCH_EVENTS_MAX", "MESSAGE_BYTES_MAX", "Envelope"]

MESSAGE_BYTES_MAX = 65_536
"""Of one letter on the wire."""
BATCH_EVENTS_MAX = 64
"""Envelopes in one letter of the batch channel."""


class Envelope(Contract):
    """One message on the wire; `data` is decoded by `contracts.codec` through `type`."""

    specversion: Literal["1.0"] = "1.0"
    id: Annotated[str, Field(min_length=1, max_length=200)]
    source: Annotated[str, Field(min_length=1, max_length=200)]
    type: Annotated[str, Field(pattern=r"^sortie\.[a-z_]+\.[a-z_]+\.v[0-9]+$")]
    time: AwareDatetime
    datacontenttype: Literal["application/json"] = "application/json"
    storeid: StoreId
    deviceid: DeviceId
    bootid: BootId
    sequence: Annotated[int, Field(ge=0, le=2**53)]
    monotonicus: Annotated[int, Field(ge=0, le=2**53)]
    configrevision: Annotated[int, Field(ge=0, le=2**31)]
    data: dict[str, Any]
