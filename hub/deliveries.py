"""What arrives from the broker: batches taken apart, and topics read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache

from contracts.codec import decode, split
from contracts.envelope import Envelope
from contracts.errors import ContractError
from contracts.messages import ClockPong
from contracts.topics import device_of
from hub.commands import GatewayAnswered, PongArrived
from hub.devices.model import Device
from hub.store.rows import Row

__all__ = [
    "Answers",
    "Delivery",
    "address",
    "believed",
    "envelope_of",
    "inbox_row",
    "pong_of",
    "unpacked",
]

Delivery = bytes | tuple[str, bytes]
"""A topic and its payload, or the bytes of an envelope."""
Answers = Sequence[GatewayAnswered]
"""What the gateway said to questions of the hub."""


def unpacked(
    deliveries: Sequence[Delivery],
) -> tuple[list[Delivery], list[tuple[str, bytes, str]]]:
    """Single messages, those of batches among them; and batches that are none, with the reason."""
    single: list[Delivery] = []
    unreadable: list[tuple[str, bytes, str]] = []
    for delivery in deliveries:
        if isinstance(delivery, bytes) or not delivery[0].endswith("/batch"):
            single.append(delivery)
            continue
        name, payload = delivery
        try:
            single.extend((name, line) for line in split(payload))
        except ContractError as error:
            unreadable.append((name, payload, str(error)))
    return single, unreadable


@lru_cache(maxsize=4_096)
def address(name: str) -> tuple[str, str]:
    """Device and channel of a topic; bare bytes are an envelope of any device."""
    if not name:
        return "", "events"
    return device_of(name), name.rsplit("/", 1)[1]


def envelope_of(
    payload: bytes, store_id: str, device_id: str, devices: Mapping[str, Device]
) -> Envelope:
    """The envelope of one of the store's nodes that came on a device's topic; ValueError or
    ContractError if it is none."""
    item = decode(payload)
    _authentic(item, store_id, device_id)
    believed(devices.get(item.deviceid), item.deviceid, "; add it to nodes")
    return item


def _authentic(item: Envelope, store_id: str, device_id: str) -> None:
    """ValueError if an envelope is another store's, or not of the device whose topic it came on."""
    if item.storeid != store_id:
        raise ValueError(f"expected store {store_id}, got {item.storeid}")
    if device_id and device_id != item.deviceid:
        raise ValueError(f"expected device {device_id} on its topic, got {item.deviceid}")


def believed(device: Device | None, device_id: str, advice: str = "") -> None:
    """ValueError if a device is none of the store's nodes, or is not trusted."""
    if device is None:
        raise ValueError(f"expected a node of the store file, got {device_id}{advice}")
    if device.revoked:
        raise ValueError(f"expected a node that is trusted, {device_id} is revoked")


def pong_of(device_id: str, payload: bytes) -> PongArrived:
    """A node's answer to a ping; ValueError if it is none."""
    answer = ClockPong.model_validate_json(payload)
    return PongArrived(
        device_id=device_id,
        boot_id=answer.boot_id,
        hub_us=answer.hub_us,
        device_us=answer.device_us,
    )


def inbox_row(item: Envelope, payload: bytes, position: int, received_us: int, dead: bool) -> Row:
    """A message as the journal keeps it."""
    return {
        "position": position,
        "device_id": item.deviceid,
        "boot_id": item.bootid,
        "sequence": item.sequence,
        "received_us": received_us,
        "dead": dead,
        "payload": payload.decode(),
    }
