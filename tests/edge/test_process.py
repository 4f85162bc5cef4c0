"""The node's process with a real broker: what the hub gets, and what survives kills."""

from __future__ import annotations

import http.server
import importlib.util
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from contracts.codec import decode, encode, message_of
from contracts.envelope import Envelope
from contracts.messages import (
    ClockPing,
    ClockPong,
    GateScanned,
    HubAck,
    Message,
    NodeBorn,
    NodeConfig,
    NodeHealth,
    ReachClosed,
    SendTiles,
    SensorOutage,
    Watermark,
)
from contracts.topics import topic
from edge.bus import Letter
from edge.errors import NodeSettingsError, OutboxError, PortTakenError
from edge.evidence import EvidenceSettings
from edge.metrics import NodeMetrics
from edge.mqtt import MqttBus, MqttSettings
from edge.outbox import OutboxSettings
from edge.process import NodeProcess, new_boot_id
from edge.process_settings import NodeProcessSettings, load_settings
from edge.settings import NodeSettings
from edge.worker import CameraWorker, WorkerSettings
from hardware.cameras.shm import FrameRingWriter
from hardware.errors import DeviceOpenError
from hardware.gates import GateRingWriter
from hardware.ports import Frame, GateScan
from hardware.scales import ScaleRingWriter
from vision.observations import ShelfObservation
from vision.plates_settings import PlateSettings

RIG_PATH = Path(__file__).with_name("node_rig.py")
ROOT = Path(__file__).parents[2]
WAIT_S = 90.0
WARM_UP_S = 1.0
LEARNED_S = 2.0


def _load_rig() -> Any:
    spec = importlib.util.spec_from_file_location("node_rig", RIG_PATH)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rig = _load_rig()


def until(done: Callable[[], bool], what: str = "it") -> None:
    """Waits for a condition of another thread or process, bounded."""
    pause = threading.Event()
    deadline_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline_s, f"gave up waiting for {what}"
        pause.wait(0.01)


def _free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class Broker:
    """A Mosquitto of our own."""

    def __init__(self, folder: Path) -> None:
        self.port = _free_port()
        self._config = folder / "mosquitto.conf"
        self._config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        path = f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
        command = shutil.which("mosquitto", path=path)
        assert command is not None, "mosquitto is a required system package: install it"
        self._process = subprocess.Popen(
            [command, "-c", str(self._config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(answers, "the broker")

    def stop(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(WAIT_S)
            self._process = None


class FakeHub:
    """Takes each event once, acknowledges cumulatively, sends configuration and wishes."""

    def __init__(self, port: int) -> None:
        self.bus = MqttBus(MqttSettings(port=port), client_id="hub")
        self.bus.subscribe(("sortie/v1/demo/+/events", "sortie/v1/demo/+/health"))
        self.bus.subscribe(("sortie/v1/demo/+/pong", "sortie/v1/demo/+/died"))
        self.bus.start()
        self.bus.wait_connected(WAIT_S)
        self.taken: dict[tuple[str, int], Envelope] = {}
        self.boots: list[str] = []
        self.other: dict[str, list[bytes]] = {}
        self.acks = True

    def send(self, name: str, message: Message | bytes, *, retain: bool = False) -> None:
        payload = message if isinstance(message, bytes) else encode(message)
        target = topic(name, store_id="demo", device_id="node-t")
        assert self.bus.publish(Letter(target, payload, retain=retain))

    def work(self) -> None:
        """Takes what came and acknowledges."""
        for letter in self.bus.poll():
            if not letter.topic.endswith("/events"):
                self.other.setdefault(letter.topic.rsplit("/", 1)[1], []).append(letter.payload)
                continue
            item = decode(letter.payload)
            self.taken[(item.bootid, item.sequence)] = item
            if item.bootid not in self.boots:
                self.boots.append(item.bootid)
        if not self.acks:
            return
        for boot_id in self.boots:
            upto = -1
            while (boot_id, upto + 1) in self.taken:
                upto += 1
            ack = encode(HubAck(boot_id=boot_id, upto_seq=upto))
            # Lost while the broker is away; the next one says the same and more.
            self.bus.publish(Letter(topic("ack", store_id="demo", device_id="node-t"), ack))

    def events(self, kind: type[Any]) -> list[Any]:
        order = sorted(self.taken.values(), key=lambda e: (self.boots.index(e.bootid), e.sequence))
        messages = [message_of(item) for item in order]
        return [message for message in messages if isinstance(message, kind)]

    def wait_for(self, kind: type[Any], count: int = 1) -> list[Any]:
        def enough() -> bool:
            self.work()
            return len(self.events(kind)) >= count

        until(enough, f"{count} {kind.__name__}")
        return self.events(kind)

    def wait_learned(self) -> None:
        """Until a watermark says that the plates' first seconds are behind it."""

        def learned() -> bool:
            self.work()
            born = [e for e in self.taken.values() if e.sequence == 0]
            marks = self.events(Watermark)
            since_s = min(e.monotonicus for e in born) / 1e6 if born else np.inf
            return bool(marks) and max(mark.t_s for mark in marks) > since_s + LEARNED_S

        until(learned, "learned plates")

    def health(self) -> NodeHealth | None:
        found = self.other.get("health", [])
        return NodeHealth.model_validate_json(found[-1]) if found else None


class Shop:
    """The sensors' side: rings that the node reads, in real time."""

    def __init__(self, root: Path) -> None:
        self._rng = np.random.default_rng(4)
        self._levels = np.array([900.0, 700.0, 500.0, 300.0])
        self._scale = ScaleRingWriter(
            "plates", plate_ids=("p0", "p1", "p2", "p3"), stream_id=1, root=root
        )
        self._gate = GateRingWriter("gates", stream_id=1, root=root)
        self._cameras = [
            FrameRingWriter(name, width=rig.WIDTH, height=rig.HEIGHT, stream_id=1, root=root)
            for name in rig.CAMERAS
        ]
        self._stop = threading.Event()
        self._lock = threading.Lock()
        # The plates have been weighing for a while: a node has something to learn from.
        self._written_s = time.monotonic() - 30.0
        self._write_plates()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def take(self, plate: int, grams: float) -> None:
        with self._lock:
            self._write_plates()
            self._levels[plate] -= grams

    def scan(self, code: str) -> None:
        self._gate.write(GateScan("entry", time.monotonic(), code))

    def close(self) -> None:
        self._stop.set()
        self._thread.join(WAIT_S)
        self._scale.close()
        self._gate.close()
        for camera in self._cameras:
            camera.close()

    def _write_plates(self) -> None:
        count = int((time.monotonic() - self._written_s) * 60)
        if count:
            t_s = self._written_s + np.arange(1, count + 1) / 60
            noise = self._rng.normal(0, 0.6, (count, 4))
            self._scale.write(t_s, (self._levels + noise).astype(np.float32))
            self._written_s = float(t_s[-1])

    def _run(self) -> None:
        picture = (np.indices((rig.HEIGHT, rig.WIDTH)).sum(axis=0) % 2 * 255).astype(np.uint8)
        rgb = np.repeat(picture[..., None], 3, axis=2)
        while not self._stop.wait(1 / 15):
            with self._lock:
                self._write_plates()
            for camera in self._cameras:
                camera.write(rgb, t_s=time.monotonic())


class Runner:
    """A NodeProcess in a thread of the test."""

    def __init__(self, settings: NodeProcessSettings) -> None:
        self.said: list[str] = []
        self.error: BaseException | None = None
        self.process = NodeProcess(
            settings,
            lambda config, boot_id: rig.make_core(settings, config, boot_id),
            say=self.said.append,
        )
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self.process.stop()
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        if self.error is not None:
            raise self.error

    def heard(self, text: str) -> bool:
        return any(text in line for line in self.said)

    def _run(self) -> None:
        try:
            self.process.run()
        except Exception as error:  # noqa: BLE001 the edge of a thread; `stop` raises it again
            self.error = error


def _settings(folder: Path, port: int, **changes: Any) -> NodeProcessSettings:
    values: dict[str, Any] = {
        "store_id": "demo",
        "node_id": "node-t",
        "data_dir": folder / "data",
        "shm_root": folder,
        "mqtt": MqttSettings(port=port),
        "core": NodeSettings(
            start_grace_s=2.0,
            health_s=0.2,
            watermark_s=0.2,
            plates=PlateSettings(warm_up_s=WARM_UP_S),
        ),
    }
    return NodeProcessSettings(**{**values, **changes})


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(tmp_path)
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture
def hub(broker: Broker) -> Iterator[FakeHub]:
    hub = FakeHub(broker.port)
    yield hub
    hub.bus.close()


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    shop = Shop(tmp_path)
    yield shop
    shop.close()


def test_a_day_of_a_node(tmp_path: Path, broker: Broker, hub: FakeHub, shop: Shop) -> None:
    """Configuration, birth, scan, pick with evidence, ping, junk, and a clean end."""
    settings = _settings(tmp_path, broker.port)
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
    tmp_path: Path, broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    hub.send("config", rig.make_config(1), retain=True)
    node = Runner(_settings(tmp_path, broker.port))
    hub.wait_for(NodeBorn)
    hub.send("config", rig.make_config(2), retain=True)
    born = hub.wait_for(NodeBorn, 2)
    assert [one.config_revision for one in born] == [1, 2]
    assert len(set(hub.boots)) == 2
    node.stop()
    cached = (tmp_path / "data" / "config.json").read_bytes()
    assert NodeConfig.model_validate_json(cached).revision == 2


def test_without_a_broker_it_goes_on_and_tells_later(tmp_path: Path, shop: Shop) -> None:
    broker = Broker(tmp_path)
    data = tmp_path / "data"
    data.mkdir()
    (data / "config.json").write_text(rig.make_config(5).model_dump_json())
    node = Runner(_settings(tmp_path, broker.port))
    until(lambda: node.heard("boot"), "the boot")
    until(lambda: node.heard("nobody answers there; "), "a word about the broker")
    assert node.heard(f"mqtt://127.0.0.1:{broker.port}")
    broker.start()
    hub = FakeHub(broker.port)
    assert hub.wait_for(NodeBorn)[0].config_revision == 5
    hub.wait_learned()
    broker.stop()
    until(lambda: node.heard("the connection broke"), "a word about the broken line")
    shop.take(0, 250.0)
    broker.start()
    closed = hub.wait_for(ReachClosed)
    assert closed[0].grams[0].delta_g == pytest.approx(-250, abs=5)
    node.stop()
    hub.bus.close()
    broker.stop()


def test_a_full_outbox_is_told_and_the_node_comes_back(
    tmp_path: Path, broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    hub.acks = False
    hub.send("config", rig.make_config(), retain=True)
    outbox = OutboxSettings(rows_max=16, reserve_rows=8)
    node = Runner(_settings(tmp_path, broker.port, outbox=outbox))

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
    tmp_path: Path, broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    got: list[tuple[str, str | None, bytes]] = []
    handler = type("Handler", (_TileServer,), {"got": got})
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    hub.send("config", rig.make_config(), retain=True)
    url = f"http://127.0.0.1:{server.server_address[1]}"
    node = Runner(_settings(tmp_path, broker.port, hub_url=url, hub_token="t-1"))
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


# ---------------------------------------------------------------- kills


def _spawn(folder: Path, port: int) -> subprocess.Popen[str]:
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "SORTIE_NODE_STORE_ID": "demo",
        "SORTIE_NODE_NODE_ID": "node-t",
        "SORTIE_NODE_DATA_DIR": str(folder / "data"),
        "SORTIE_NODE_SHM_ROOT": str(folder),
        "SORTIE_NODE_MQTT__PORT": str(port),
        "SORTIE_NODE_CORE__PLATES__WARM_UP_S": str(WARM_UP_S),
    }
    return subprocess.Popen(
        [sys.executable, str(RIG_PATH)], env=environment, stdout=subprocess.DEVNULL, text=True
    )


def test_sigkill_of_a_node_tells_every_pick_once(
    tmp_path: Path, broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    """Killed after a pick was told, and again in the middle of one; taken meanwhile, too."""
    hub.send("config", rig.make_config(), retain=True)
    node = _spawn(tmp_path, broker.port)
    try:
        # The first watermark says that the plates have been learned.
        hub.wait_learned()
        shop.take(0, 300.0)
        hub.wait_for(ReachClosed, 1)
        node.send_signal(signal.SIGKILL)
        node.wait(WAIT_S)
        shop.take(1, 210.0)
        shop.scan("while-away")
        node = _spawn(tmp_path, broker.port)
        hub.wait_for(ReachClosed, 2)
        assert [scan.code for scan in hub.wait_for(GateScanned)] == ["while-away"]
        shop.take(2, 150.0)
        node.send_signal(signal.SIGKILL)
        node.wait(WAIT_S)
        node = _spawn(tmp_path, broker.port)
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
    tmp_path: Path, broker: Broker, hub: FakeHub, shop: Shop
) -> None:
    hub.send("config", rig.make_config(), retain=True)
    node = Runner(_settings(tmp_path, broker.port))
    hub.wait_for(NodeBorn)
    second = Runner(_settings(tmp_path, broker.port))
    until(lambda: second.error is not None, "the refusal")
    with pytest.raises(OutboxError, match="another process of this node has it open"):
        second.stop()
    node.stop()


# ---------------------------------------------------------------- cameras' threads


class _Blocked:
    """A camera whose driver hangs in a read."""

    camera_id = "cam-1"

    def __init__(self) -> None:
        self.inside = threading.Event()
        self.release = threading.Event()

    def read_latest(self, *, max_age_s: float) -> Frame | None:
        self.inside.set()
        self.release.wait(WAIT_S)
        return None

    def close(self) -> None:
        self.release.set()


class _Steady:
    """A camera that gives a frame whenever it is asked."""

    camera_id = "cam-2"
    dropped = 0

    def __init__(self) -> None:
        self.index = 0

    def read_latest(self, *, max_age_s: float) -> Frame | None:
        self.index += 1
        picture = np.zeros((rig.HEIGHT, rig.WIDTH, 3), np.uint8)
        return Frame("cam-2", time.monotonic(), self.index, picture)

    def close(self) -> None:
        """Nothing to release."""


def _worker(camera: Any, opener: Callable[[Any], Any], **changes: Any) -> CameraWorker:
    values: dict[str, Any] = {"poll_s": 0.001, "reopen_first_s": 0.001, "reopen_max_s": 0.002}
    eye = rig.QuietEye(camera.camera_id)
    said: list[str] = changes.pop("said", [])
    return CameraWorker(
        camera,
        open_camera=opener,
        perceive=changes.pop("perceive", eye.step),
        clock=time.monotonic,
        wake=lambda: None,
        settings=WorkerSettings(**{**values, **changes}),
        evidence=EvidenceSettings(),
        say=said.append,
    )


def test_a_hanging_camera_stalls_no_other() -> None:
    first, second = rig.make_config().cameras
    blocked = _Blocked()
    slow = _worker(first, lambda _: blocked)
    good = _worker(second, lambda _: _Steady())
    slow.start()
    assert blocked.inside.wait(WAIT_S)
    good.start()
    seen: list[Any] = []

    def enough() -> bool:
        seen.extend(good.take())
        return len(seen) >= 5

    until(enough, "frames of the good camera")
    assert slow.take() == []
    good.ask_stop()
    assert good.join()
    slow.ask_stop()
    blocked.release.set()
    assert slow.join()


def test_a_camera_that_cannot_be_opened_is_tried_again_and_said_once() -> None:
    camera = rig.make_config().cameras[1]
    tries: list[int] = []
    said: list[str] = []

    def opener(_: Any) -> Any:
        tries.append(1)
        if len(tries) < 4:
            raise DeviceOpenError("shm://cam-2: start the process that writes it")
        return _Steady()

    worker = _worker(camera, opener, said=said)
    worker.start()
    until(lambda: bool(worker.take()), "a frame")
    worker.ask_stop()
    assert worker.join()
    assert said == [
        "shm://cam-2: start the process that writes it",
        "camera cam-2: open (shm://cam-2)",
    ]
    assert worker.fault is None


def test_a_loop_that_does_not_come_loses_the_oldest_and_counts() -> None:
    worker = _worker(rig.make_config().cameras[1], lambda _: _Steady(), queue_max=3)
    worker.start()
    until(lambda: worker.dropped >= 2, "drops")
    worker.ask_stop()
    assert worker.join()
    times = [seen.t_s for seen in worker.take()]
    assert len(times) == 3
    assert times == sorted(times)


def test_a_fault_in_perception_is_not_swallowed() -> None:
    def broken(frame: Frame) -> ShelfObservation:
        raise ZeroDivisionError

    worker = _worker(rig.make_config().cameras[1], lambda _: _Steady(), perceive=broken)
    worker.start()
    until(lambda: worker.failure is not None, "the fault")
    assert isinstance(worker.failure, ZeroDivisionError)
    assert worker.join()


# ---------------------------------------------------------------- settings and small things


def test_settings_come_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SORTIE_NODE_STORE_ID", "demo")
    monkeypatch.setenv("SORTIE_NODE_NODE_ID", "node-t")
    monkeypatch.setenv("SORTIE_NODE_DATA_DIR", "/var/lib/x")
    monkeypatch.setenv("SORTIE_NODE_MQTT__PORT", "1999")
    monkeypatch.setenv("SORTIE_NODE_MQTT__PASSWORD", "horse-battery")
    monkeypatch.setenv("SORTIE_NODE_CORE__SENSORS", "plates")
    settings = load_settings()
    assert settings.mqtt.port == 1999
    assert settings.core.sensors == "plates"
    assert "horse-battery" not in repr(settings)
    monkeypatch.setenv("SORTIE_NODE_MQTT__PORT", "99999")
    with pytest.raises(NodeSettingsError, match=r"SORTIE_NODE_MQTT__PORT: .*65535"):
        load_settings()
    monkeypatch.delenv("SORTIE_NODE_MQTT__PORT")
    monkeypatch.setenv("SORTIE_NODE_HUB_ULR", "http://x")
    with pytest.raises(NodeSettingsError, match="SORTIE_NODE_HUB_ULR: no such setting; expected"):
        load_settings()


def test_missing_settings_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in list(os.environ):
        if name.startswith("SORTIE_NODE_"):
            monkeypatch.delenv(name)
    with pytest.raises(NodeSettingsError, match="SORTIE_NODE_STORE_ID: Field required"):
        load_settings()


def test_a_taken_metrics_port_is_told() -> None:
    with socket.socket() as holder:
        holder.bind(("127.0.0.1", 0))
        holder.listen()
        port = holder.getsockname()[1]
        with pytest.raises(PortTakenError, match=rf"{port} cannot be served .*METRICS_PORT"):
            NodeMetrics(port)


def test_boot_ids_differ_and_are_slugs() -> None:
    names = {new_boot_id(1_700_000_000.5) for _ in range(50)}
    assert len(names) == 50
    assert all(HubAck(boot_id=name, upto_seq=0).boot_id == name for name in names)
