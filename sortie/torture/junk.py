"""What arrives that no honest node sent: fuzzed payloads, wrong topics, unknown devices."""

from __future__ import annotations

import json
from random import Random
from typing import Any

from contracts.envelope import MESSAGE_BYTES_MAX
from contracts.topics import topic
from sortie.torture.shop import layout

__all__ = ["malformed", "rogue"]

BOOT = "forged-boot"


def malformed(random: Random, device_id: str) -> list[tuple[str, bytes]]:
    """Payloads on a node's own topics of which none is a message."""
    name = topic("events", store_id=layout().store_id, device_id=device_id)
    good = _envelope(device_id)
    payloads = [
        b"",
        b"\x00\xff\xfe",
        b"{",
        b"null",
        b"[" * 2_000,
        b'{"specversion": NaN}',
        b"9" * 5_000,
        b"x" * (MESSAGE_BYTES_MAX + 1),
        _json({**good, "sequence": -1}),
        _json({**good, "sequence": 2**80}),
        _json({**good, "sequence": 1.5}),
        _json({**good, "monotonicus": -5}),
        _json({**good, "deviceid": "../../etc"}),
        _json({**good, "storeid": "elsewhere"}),
        _json({**good, "unheard": 1}),
        _json({**good, "type": "sortie.node.born"}),
        _json({**good, "data": [1, 2]}),
        json.dumps({**good, "monotonicus": float("nan")}).encode(),
        json.dumps({**good, "monotonicus": float("inf")}).encode(),
    ]
    chosen = random.sample(payloads, random.randint(1, len(payloads)))
    garbled = bytearray(_json(good))
    for _ in range(3):
        garbled[random.randrange(len(garbled))] = random.randrange(128, 256)
    others = [
        (topic(channel, store_id=layout().store_id, device_id=device_id), payload)
        for channel, payload in (
            ("pong", b'{"hub_us": -1, "boot_id": "x", "device_us": 1}'),
            ("pong", b'{"hub_us": NaN}'),
            ("health", b"[]"),
            ("died", b'{"boot_id": 7}'),
        )
    ]
    return [(name, payload) for payload in (*chosen, bytes(garbled))] + others


def rogue(random: Random, device_id: str) -> list[tuple[str, bytes]]:
    """Whole messages of somebody who may not send them, or not here."""
    store_id = layout().store_id
    scan = {"gate_id": "entry", "code": "stolen-code", "t_s": 1.0}
    stranger = _envelope("stranger", type="sortie.gate.scanned.v1", data=scan)
    other = next(node.node_id for node in layout().nodes if node.node_id != device_id)
    made = [
        (topic("events", store_id=store_id, device_id="stranger"), _json(stranger)),
        (topic("events", store_id=store_id, device_id=device_id), _json(_envelope(other))),
        (topic("ack", store_id=store_id, device_id=device_id), b'{"boot_id":"x","upto_seq":9}'),
        (topic("pong", store_id=store_id, device_id="stranger"), b"{}"),
        ("sortie/v1/elsewhere", _json(_envelope(device_id))),
        ("$SYS/broker", b"1"),
    ]
    random.shuffle(made)
    return made[: random.randint(1, len(made))]


def _envelope(device_id: str, **more: Any) -> dict[str, Any]:
    return {
        "specversion": "1.0",
        "id": f"{device_id}:{BOOT}:0",
        "source": f"/stores/torture/devices/{device_id}",
        "type": "sortie.node.born.v1",
        "time": "2026-01-01T00:00:00Z",
        "datacontenttype": "application/json",
        "storeid": layout().store_id,
        "deviceid": device_id,
        "bootid": BOOT,
        "sequence": 0,
        "monotonicus": 1,
        "configrevision": 1,
        "data": {"software": "x", "config_revision": 1},
        **more,
    }


def _json(document: dict[str, Any]) -> bytes:
    return json.dumps(document).encode()
