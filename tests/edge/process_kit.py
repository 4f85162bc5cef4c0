"""A kit for tests of the node's process: a broker, a hub, a shop, and ways to run a node."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from contracts.codec import decode, encode, message_of, split
from contracts.envelope import Envelope
from contracts.messages import HubAck, Message, NodeHealth, Watermark
from contracts.topics import topic
from edge.bus import Letter
from edge.mqtt import MqttBus, MqttSettings
from edge.process import NodeProcess
from edge.process_settings import NodeProcessSettings
from edge.settings import NodeSettings
from hardware.cameras.shm import FrameRingWriter
from hardware.gates import GateRingWriter
from hardware.ports import GateScan
from hardware.scales import ScaleRingWriter
from sortie.supervisor import free_port
from tests.edge import node_rig as rig
from vision.plates_settings import PlateSettings

ROOT = Path(__file__).parents[2]
WAIT_S = 90.0
WARM_UP_S = 1.0
LEARNED_S = 2.0


def until(done: Callable[[], bool], what: str = "it") -> None:
    """Waits for a condition of another thread or process, bounded."""
    pause = threading.Event()
    deadline_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline_s, f"gave up waiting for {what}"
        pause.wait(0.01)


class Broker:
    """A Mosquitto of our own."""

    def __init__(self, folder: Path) -> None:
        self.port = free_port()
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
        self.bus.subscribe(("sortie/v1/demo/+/events", "sortie/v1/demo/+/batch"))
        self.bus.subscribe(("sortie/v1/demo/+/health",))
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
            channel = letter.topic.rsplit("/", 1)[1]
            if channel not in ("events", "batch"):
                self.other.setdefault(channel, []).append(letter.payload)
                continue
            for item in map(decode, split(letter.payload)):
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


def node_settings(folder: Path, port: int, **changes: Any) -> NodeProcessSettings:
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


def spawn_node(folder: Path, port: int) -> subprocess.Popen[str]:
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
        [sys.executable, str(Path(rig.__file__))],
        env=environment,
        stdout=subprocess.DEVNULL,
        text=True,
    )
