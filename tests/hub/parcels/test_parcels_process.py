"""A store of nothing but walls: the real hub's process, a real broker, and light that follows."""

from __future__ import annotations

import signal
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.topics import topic
from contracts.wall_messages import LabelRead, Thing, ThingsSeen, WallCues, WallScanned
from sortie.supervisor import free_port
from tests.hub.parcels.wall_kit import sscc, store_document
from tests.hub.process_kit import Process, Wire, broker_of, environment_of


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, str]]:
    with broker_of(tmp_path / "broker", "node-1", "node-2") as found:
        yield found


class Node:
    """The node's end: sends numbered messages, hears cues."""

    def __init__(self, wire: Wire) -> None:
        self.wire, self.sequence = wire, 0
        wire.client.subscribe("sortie/v1/tiny/node-1/cues", 1)

    def say(self, message: m.Message) -> None:
        item = envelope(
            message,
            store_id="tiny",
            device_id="node-1",
            boot_id="boot-1",
            sequence=self.sequence,
            monotonic_us=round(time.monotonic() * 1e6),
            config_revision=1,
            time=datetime.now(UTC),
        )
        self.sequence += 1
        name = topic("events", store_id="tiny", device_id="node-1")
        self.wire.client.publish(name, encode(item), 1)
        self.wire.wait(lambda: self.wire.acked("node-1") >= self.sequence - 1)

    def looks(self) -> dict[str, str]:
        """What the latest cues say, by thing."""
        cues = [payload for name, payload in self.wire.heard if name.endswith("node-1/cues")]
        if not cues:
            return {}
        marks = WallCues.model_validate_json(cues[-1]).marks
        return {str(mark.thing_id): mark.look for mark in marks if mark.thing_id is not None}


def things(*states: Any) -> ThingsSeen:
    now_s = time.monotonic()
    rows = tuple(
        Thing(
            thing_id=f"t{number}",
            state=state,
            label=LabelRead(symbology="qr", text=f"00{sscc(number)}", reads=3),
            outline_m=((u, 0.5), (u + 0.2, 0.5), (u + 0.2, 0.65)),
            since_s=now_s,
            seen_s=now_s,
        )
        for number, (state, u) in enumerate(states, 1)
    )
    return ThingsSeen(wall_id="wall-1", t_s=now_s, whole=True, things=rows)


def test_light_follows_scans_of_kiosk_and_node(tmp_path: Path, broker: tuple[int, str]) -> None:
    port, password = broker
    http = free_port()
    environment = environment_of(
        tmp_path,
        yaml.safe_dump(store_document()),
        port=http,
        mqtt_port=port,
        mqtt_username="hub",
        mqtt_password=password,
        rules__clock_wait_s=0,
    )
    hub = Process(environment, tmp_path / "hub.log")
    hub.until_logged("hub.listening")
    wire = Wire(port, password)
    node, url = Node(wire), f"http://127.0.0.1:{http}/api/v1"
    try:
        node.say(m.NodeBorn(software="t", config_revision=1, walls=("wall-1",)))
        node.say(things(("stands", 0.05), ("stands", 0.35)))
        codes = []
        for number in (1, 2):
            body = {"order_id": f"o{number}", "parcels": [{"label": sscc(number)}]}
            made = httpx.post(f"{url}/orders", json=body)
            assert made.status_code == 201
            assert made.json()["parcels"][0]["state"] == "ready"
            codes.append(made.json()["code"])
        shown = httpx.post(f"{url}/walls/wall-1/scans", json={"code": codes[0]}).json()
        assert shown["sessions"][0]["state"] == "showing"
        wire.wait(lambda: node.looks() == {"t1": "take_a", "t2": "not_this"})
        scan = WallScanned(
            wall_id="wall-1", scanner_id="scan-1", code=codes[1], t_s=time.monotonic()
        )
        node.say(scan)
        wire.wait(lambda: node.looks() == {"t1": "take_a", "t2": "take_b"})
        node.say(things(("moves", 0.05), ("stands", 0.35)))
        wire.wait(lambda: node.looks() == {"t2": "take_b"})
        assert httpx.post(f"{url}/orders/o2/cancel").status_code == 200
        wire.wait(lambda: node.looks() == {})
        log = (tmp_path / "hub.log").read_text()
        assert not any(code in log for code in codes)
    finally:
        wire.close()
        assert hub.end(signal.SIGTERM) == 0
