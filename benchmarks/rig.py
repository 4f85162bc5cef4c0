"""A broker, a hub and what stands in for its nodes, as the benchmarks of the whole process need."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts import messages as m
from contracts.codec import encode
from contracts.geometry import Bay, Gate
from contracts.store_file import Slot, StoreFile
from contracts.topics import device_of, topic
from sortie.broker import broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port

__all__ = [
    "FLOOR_HZ",
    "STRETCH_M",
    "HubProcess",
    "Sender",
    "before",
    "cpu_s_of",
    "device_us",
    "floor_news",
    "hub_process",
    "middle",
    "rss_mb_of",
    "running_hub",
    "seats_of",
]

FLOOR_HZ = 7.5
DEADLINE_S = 60.0
STRETCH_M = 0.5
"""Of shelf, for one person."""


class Sender:
    """Both nodes at once: sends letters when they are due and notes when events are acked."""

    def __init__(self, port: int, password: str, store_id: str) -> None:
        self._store_id = store_id
        self._acked: dict[str, int] = {}
        self._news = threading.Condition()
        self.times: dict[str, list[tuple[int, float]]] = {}
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="load")
        self.client.username_pw_set("hub", password)
        self.client.max_inflight_messages_set(20_000)
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port)
        for name in ("ack", "ping"):
            self.client.subscribe(topic(name, store_id=store_id, device_id="+"), 1)
        self.client.loop_start()

    def _message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        device = device_of(message.topic)
        if message.topic.endswith("/ping"):
            pong = m.ClockPong(
                hub_us=m.ClockPing.model_validate_json(message.payload).hub_us,
                boot_id="load",
                device_us=device_us(),
            )
            name = topic("pong", store_id=self._store_id, device_id=device)
            self.client.publish(name, encode(pong), 0)
            return
        ack = m.HubAck.model_validate_json(message.payload)
        now_s = time.perf_counter()
        with self._news:
            self._acked[device] = max(self._acked.get(device, -1), ack.upto_seq)
            self.times.setdefault(device, []).append((ack.upto_seq, now_s))
            self._news.notify_all()

    def send(self, letters: Sequence[tuple[float, str, bytes]]) -> float:
        """Sends each letter when it is due, or as soon after as can be; returns the start."""
        start_s = time.perf_counter()
        for due_s, name, payload in letters:
            wait_s = start_s + due_s - time.perf_counter()
            if wait_s > 0.0005:
                time.sleep(wait_s)
            self.client.publish(name, payload, 1)
        return start_s

    def wait(self, last: dict[str, int]) -> None:
        """Waits until everything is acknowledged."""
        with self._news:
            done = self._news.wait_for(
                lambda: all(self._acked.get(name, -1) >= n for name, n in last.items()), DEADLINE_S
            )
        if not done:
            raise RuntimeError(f"expected acks up to {last}, got {self._acked}")

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


@dataclass(frozen=True, slots=True)
class HubProcess:
    """A hub and its broker: addresses, process id, and when it was started by perf_counter."""

    http: str
    pid: int
    mqtt_port: int
    password: str
    began_s: float


@contextmanager
def hub_process(
    layout: StoreFile, folder: Path, database: Path, **more: object
) -> Iterator[HubProcess]:
    """A broker and a hub on a database, with `more` settings; it listens, but may not be ready."""
    port, http = free_port(), free_port()
    names = [node.node_id for node in layout.nodes]
    files = write_broker_files(
        folder / "broker", store_id=layout.store_id, node_ids=names, port=port
    )
    store_file = folder / "store.yaml"
    store_file.write_text(layout.model_dump_json(), encoding="utf-8")
    settings = {
        "store_file": store_file,
        "database_url": f"sqlite:///{database}",
        "gateway_file": folder / "gateway.sqlite",
        "port": http,
        "mqtt_port": port,
        "mqtt_username": "hub",
        "mqtt_password": files.passwords["hub"],
        **more,
    }
    told = {f"SORTIE_HUB_{name.upper()}": str(value) for name, value in settings.items()}
    with _child_process(broker_command(files), port, dict(os.environ)):
        began_s = time.perf_counter()
        command = [sys.executable, "-m", "hub.main"]
        with _child_process(command, http, {**os.environ, **told}) as pid:
            yield HubProcess(f"http://127.0.0.1:{http}", pid, port, files.passwords["hub"], began_s)


@contextmanager
def running_hub(layout: StoreFile, folder: Path) -> Iterator[tuple[Sender, str, int]]:
    """A broker, a hub and a sender; the hub's address and process id."""
    with hub_process(layout, folder, folder / "hub.sqlite") as hub:
        _wait_until_ready(f"{hub.http}/readyz")
        sender = Sender(hub.mqtt_port, hub.password, layout.store_id)
        try:
            yield sender, hub.http, hub.pid
        finally:
            sender.close()


def _wait_until_ready(address: str) -> None:
    """What is sent before the hub has subscribed is lost."""
    until_s = time.monotonic() + DEADLINE_S
    while httpx.get(address, timeout=DEADLINE_S).status_code != 200:
        if time.monotonic() > until_s:
            raise RuntimeError(f"expected {address} to say that the hub is ready, it does not")
        time.sleep(0.02)


@contextmanager
def _child_process(command: list[str], port: int, environment: dict[str, str]) -> Iterator[int]:
    child = subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL)
    try:
        ready = wait_for_port(port)
        while not ready():
            if child.poll() is not None:
                raise RuntimeError(f"{command[-1]} ended before it listened")
            time.sleep(0.02)
        yield child.pid
    finally:
        child.send_signal(signal.SIGTERM)
        child.wait(DEADLINE_S)


def seats_of(layout: StoreFile) -> list[tuple[Slot, float, float]]:
    """A slot of each stretch of shelf, and the floor before it."""
    bays = {bay.bay_id: bay for bay in layout.bays}
    firsts: dict[tuple[str, int], Slot] = {}
    for slot in layout.slots:
        firsts.setdefault((slot.bay_id, int(slot.u0_m / STRETCH_M)), slot)
    return [(slot, *before(bays[slot.bay_id], slot)) for slot in firsts.values()]


def before(bay: Bay, slot: Slot) -> tuple[float, float]:
    """Where somebody stands who takes something from the slot."""
    u_m = slot.u0_m + 0.15
    cos, sin = bay.normal
    return (
        bay.origin_m[0] - u_m * sin + 0.5 * cos,
        bay.origin_m[1] + u_m * cos + 0.5 * sin,
    )


def middle(gate: Gate) -> tuple[float, float]:
    """Where somebody stands who shows a code at the gate."""
    zone_m = gate.zone_m
    return sum(x for x, _ in zone_m) / len(zone_m), sum(y for _, y in zone_m) / len(zone_m)


def floor_news(t_s: float, places: dict[int, tuple[float, float]], state: Any) -> m.Message:
    return m.FloorTracksMoved(
        t_s=t_s,
        segments=tuple(
            m.TrackSegment(
                track_id=f"t{k}",
                state=state,
                points=(m.TrackPoint(t_s=t_s, x_m=x_m, y_m=y_m, sd_m=0.1),),
            )
            for k, (x_m, y_m) in places.items()
        ),
    )


def device_us() -> int:
    """The nodes' clock: that of this machine since it started."""
    return time.monotonic_ns() // 1000


def cpu_s_of(pid: int) -> float:
    parts = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(parts[11]) + int(parts[12])) / os.sysconf("SC_CLK_TCK")


def rss_mb_of(pid: int) -> float:
    pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    return round(pages * os.sysconf("SC_PAGE_SIZE") / 1e6, 1)
