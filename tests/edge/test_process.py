"""The node's process with a real broker: what the hub gets, and what survives kills."""

from __future__ import annotations

import hashlib
import http.server
import signal
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from contracts.messages import (
    ClockPing,
    ClockPong,
    GateScanned,
    NodeBorn,
    NodeConfig,
    ReachClosed,
    SendEvidence,
    SendTiles,
    SensorOutage,
)
from edge.errors import OutboxError
from edge.outbox import OutboxSettings
from tests.edge import node_rig as rig
from tests.edge.process_kit import (
    WAIT_S,
    Broker,
    FakeHub,
    Runner,
    Shop,
    node_settings,
    spawn_node,
    until,
)


def test_a_day_of_a_node(tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop) -> None:
    """Configuration, birth, scan, pick with evidence, ping, junk, and a clean end."""
    settings = node_settings(tmp_path, node_broker.port)
    node = Runner(settings)
    until(lambda: node.process.dead_letters == 0 and hub.bus.connected)
    hub.send("config", rig.make_config(), retain=True)
    born = hub.wait_for(NodeBorn)[0]
    assert born.cameras == rig.CAMERAS
    assert born.plates == ("p0", "p1", "p2", "p3")

    shop.scan("code-1")
    scan = hub.wait_for(GateScanned)[0]
    assert (scan.gate_id, scan.code) == ("entry", "code-1")

    hub.send("ping", ClockPing(hub_us=77))
    hub.send("ping", b"{not json")

    def answered() -> bool:
        hub.work()
        return "pong" in hub.other and node.process.dead_letters == 1

    until(answered, "a pong and a dead letter")
    pong = ClockPong.model_validate_json(hub.other["pong"][0])
    assert (pong.hub_us, pong.boot_id) == (77, hub.boots[0])
    assert node.heard("ping: cannot be read and is left aside")

    hub.wait_learned()
    shop.take(1, 330.0)
    closed = hub.wait_for(ReachClosed)[0]
    assert [step.plate_id for step in closed.grams] == ["p1"]
    assert closed.grams[0].delta_g == pytest.approx(-330, abs=5)
    assert closed.camera_ok
    assert len(closed.evidence) == 2, "one strip of each camera of the bay"
    for evidence in closed.evidence:
        files = list((settings.data_dir / "evidence").glob(f"*-{evidence.evidence_id}.jpg"))
        assert len(files) == 1
        assert files[0].stat().st_size == evidence.bytes

    def healthy() -> bool:
        hub.work()
        health = hub.health()
        return (
            health is not None
            and health.outbox_waiting < 20
            and all(camera.ok for camera in health.cameras)
        )

    until(healthy, "a healthy pulse")
    node.stop()
    hub.work()
    assert "died" not in hub.other, "a clean end is no death"
    sequences = sorted(sequence for boot, sequence in hub.taken if boot == hub.boots[0])
    assert sequences == list(range(len(sequences)))


def test_a_new_configuration_begins_a_new_boot(
    tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    hub.send("config", rig.make_config(1), retain=True)
    node = Runner(node_settings(tmp_path, node_broker.port))
    hub.wait_for(NodeBorn)
    hub.send("config", rig.make_config(2), retain=True)
    born = hub.wait_for(NodeBorn, 2)
    assert [one.config_revision for one in born] == [1, 2]
    assert len(set(hub.boots)) == 2
    node.stop()
    cached = (tmp_path / "data" / "config.json").read_bytes()
    assert NodeConfig.model_validate_json(cached).revision == 2


@pytest.fixture
def late_broker(tmp_path: Path) -> Iterator[Broker]:
    """A broker that nobody has started yet."""
    broker = Broker(tmp_path)
    yield broker
    broker.stop()


def test_without_a_broker_it_goes_on_and_tells_later(
    tmp_path: Path, late_broker: Broker, shop: Shop
) -> None:
    node_broker = late_broker
    data = tmp_path / "data"
    data.mkdir()
    (data / "config.json").write_text(rig.make_config(5).model_dump_json())
    node = Runner(node_settings(tmp_path, node_broker.port))
    until(lambda: node.heard("boot"), "the boot")
    until(lambda: node.heard("nobody answers there; "), "a word about the broker")
    assert node.heard(f"mqtt://127.0.0.1:{node_broker.port}")
    node_broker.start()
    hub = FakeHub(node_broker.port)
    assert hub.wait_for(NodeBorn)[0].config_revision == 5
    hub.wait_learned()
    node_broker.stop()
    until(lambda: node.heard("the connection broke"), "a word about the broken line")
    shop.take(0, 250.0)
    node_broker.start()
    closed = hub.wait_for(ReachClosed)
    assert closed[0].grams[0].delta_g == pytest.approx(-250, abs=5)
    node.stop()
    hub.bus.close()


def test_a_full_outbox_is_told_and_the_node_comes_back(
    tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    hub.acks = False
    hub.send("config", rig.make_config(), retain=True)
    outbox = OutboxSettings(rows_max=16, reserve_rows=8)
    node = Runner(node_settings(tmp_path, node_broker.port, outbox=outbox))

    def full() -> bool:
        hub.work()
        health = hub.health()
        return health is not None and health.outbox_full and node.heard("expected room for")

    until(full, "a pulse of a full outbox")
    told = [one for one in hub.wait_for(SensorOutage) if one.kind == "outbox"]
    assert [one.blind for one in told] == [True]
    hub.acks = True

    def back() -> bool:
        hub.work()
        told = [one for one in hub.events(SensorOutage) if one.kind == "outbox"]
        return [one.blind for one in told][:2] == [True, False]

    until(back, "sight again")
    node.stop()
    sequences = sorted(sequence for _, sequence in hub.taken)
    assert sequences == list(range(len(sequences))), "nothing that was numbered is missing"


class _TileServer(http.server.BaseHTTPRequestHandler):
    got: list[tuple[str, str | None, bytes]]

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        self.got.append((self.path, self.headers.get("authorization"), body))
        self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: Any) -> None:
        """Says nothing."""


def test_tiles_are_sent_when_asked_for_and_heads_are_blurred(
    tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    got: list[tuple[str, str | None, bytes]] = []
    handler = type("Handler", (_TileServer,), {"got": got})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.send("config", rig.make_config(), retain=True)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    node = Runner(node_settings(tmp_path, node_broker.port, hub_url=url, hub_token="t-1"))
    hub.wait_for(NodeBorn)
    assert got == []

    def arrived() -> bool:
        hub.work()
        hub.send("tiles", SendTiles(camera_id="cam-2", for_s=5.0, fps_max=4.0))
        return len(got) >= 2

    until(arrived, "two tiles")
    node.stop()
    server.shutdown()
    server.server_close()
    path, token, body = got[0]
    assert path == "/api/v1/nodes/node-t/tiles/cam-2"
    assert token == "Bearer t-1"
    picture = cv2.imdecode(np.frombuffer(body, np.uint8), cv2.IMREAD_GRAYSCALE)
    assert picture is not None
    assert picture[12:28, 12:28].std() < 20 < picture[35:50, 70:90].std()


def test_evidence_is_sent_when_asked_for_and_is_what_was_announced(
    tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    got: list[tuple[str, str | None, bytes]] = []
    handler = type("Handler", (_TileServer,), {"got": got})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.send("config", rig.make_config(), retain=True)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    node = Runner(node_settings(tmp_path, node_broker.port, hub_url=url, hub_token="t-1"))
    hub.wait_learned()
    shop.take(0, 300.0)
    found = hub.wait_for(ReachClosed)[0].evidence[0]
    assert got == [], "nobody asked for it"
    ids = (found.evidence_id, "b0-gone")
    hub.send("evidence", SendEvidence(evidence_ids=ids))
    until(lambda: len(got) == 2, "the piece, and that the other is gone")
    node.stop()
    server.shutdown()
    server.server_close()
    (path, token, body), (gone, _token, nothing) = got
    assert path == f"/api/v1/nodes/node-t/evidence/{found.evidence_id}"
    assert token == "Bearer t-1"
    assert hashlib.sha256(body).hexdigest() == found.sha256
    assert (gone, nothing) == ("/api/v1/nodes/node-t/evidence/b0-gone/gone", b"")


# ---------------------------------------------------------------- kills


def test_sigkill_of_a_node_tells_every_pick_once(
    tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    """Killed after a pick was told, and again in the middle of one; taken meanwhile, too."""
    hub.send("config", rig.make_config(), retain=True)
    node = spawn_node(tmp_path, node_broker.port)
    try:
        # The first watermark says that the plates have been learned.
        hub.wait_learned()
        shop.take(0, 300.0)
        hub.wait_for(ReachClosed, 1)
        node.send_signal(signal.SIGKILL)
        node.wait(WAIT_S)
        shop.take(1, 210.0)
        shop.scan("while-away")
        node = spawn_node(tmp_path, node_broker.port)
        hub.wait_for(ReachClosed, 2)
        assert [scan.code for scan in hub.wait_for(GateScanned)] == ["while-away"]
        shop.take(2, 150.0)
        node.send_signal(signal.SIGKILL)
        node.wait(WAIT_S)
        node = spawn_node(tmp_path, node_broker.port)
        hub.wait_for(ReachClosed, 3)
        shop.take(3, 90.0)
        hub.wait_for(ReachClosed, 4)
        node.send_signal(signal.SIGTERM)
        node.wait(WAIT_S)
        assert node.returncode == 0
    finally:
        node.kill()
        node.wait(WAIT_S)
    told = sorted(
        (step.plate_id, round(step.delta_g / 10) * 10)
        for reach in hub.events(ReachClosed)
        for step in reach.grams
    )
    assert told == [("p0", -300), ("p1", -210), ("p2", -150), ("p3", -90)]
    assert [scan.code for scan in hub.events(GateScanned)] == ["while-away"]
    assert len(hub.boots) == 3
    for boot_id in hub.boots:
        sequences = sorted(sequence for boot, sequence in hub.taken if boot == boot_id)
        assert sequences == list(range(len(sequences)))
    hub.work()
    assert len(hub.other.get("died", [])) == 2, "the broker told both deaths and not the end"


def test_two_processes_of_one_node_are_refused(
    tmp_path: Path, node_broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    hub.send("config", rig.make_config(), retain=True)
    node = Runner(node_settings(tmp_path, node_broker.port))
    hub.wait_for(NodeBorn)
    second = Runner(node_settings(tmp_path, node_broker.port))
    until(lambda: second.error is not None, "the refusal")
    with pytest.raises(OutboxError, match="another process of this node has it open"):
        second.stop()
    node.stop()
