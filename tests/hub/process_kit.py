"""Hubs as real processes, and a node's end of a real broker."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from contracts import messages as m
from sortie.broker import broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0
POLL_S = 0.05


def environment_of(tmp_path: Path, store: str, **more: object) -> dict[str, str]:
    """The settings of a hub in a folder, and the environment around them."""
    path = tmp_path / "tiny.yaml"
    path.write_text(store, encoding="utf-8")
    settings = {
        "store_file": path,
        "database_url": f"sqlite:///{tmp_path / 'hub.sqlite'}",
        "gateway_file": tmp_path / "gateway.sqlite",
        **more,
    }
    names = {f"SORTIE_HUB_{name.upper()}": str(value) for name, value in settings.items()}
    return {**os.environ, **names}


@contextmanager
def broker_of(folder: Path, *node_ids: str) -> Iterator[tuple[int, str]]:
    """A real broker for these nodes; its port and the hub's password."""
    port = free_port()
    files = write_broker_files(folder, store_id="tiny", node_ids=list(node_ids), port=port)
    child = subprocess.Popen(broker_command(files), stderr=subprocess.DEVNULL)
    try:
        ready = wait_for_port(port)
        while not ready():
            assert child.poll() is None
        yield port, files.passwords["hub"]
    finally:
        child.terminate()
        child.wait(DEADLINE_S)


class Wire:
    """A node's end of the broker: sends, and hears what the hub says."""

    def __init__(self, port: int, password: str) -> None:
        self.heard: list[tuple[str, bytes]] = []
        self.news = threading.Condition()
        self.client = paho.Client(CallbackAPIVersion.VERSION2, client_id="test")
        self.client.username_pw_set("hub", password)
        self.client.on_message = self._message
        self.client.connect("127.0.0.1", port)
        self.client.subscribe("sortie/v1/tiny/+/ack", 1)
        self.client.subscribe("sortie/v1/tiny/+/config", 1)
        self.client.loop_start()

    def _message(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        with self.news:
            self.heard.append((message.topic, bytes(message.payload)))
            self.news.notify_all()

    def send(self, script: list[tuple[float, str, bytes]]) -> None:
        for _, name, payload in script:
            self.client.publish(name, payload, 1)

    def acked(self, device: str) -> int:
        acks = [p for t, p in self.heard if t.endswith(f"{device}/ack")]
        return max((m.HubAck.model_validate_json(p).upto_seq for p in acks), default=-1)

    def wait(self, condition: Callable[[], bool]) -> None:
        with self.news:
            assert self.news.wait_for(condition, timeout=DEADLINE_S)

    def close(self) -> None:
        self.client.disconnect()
        self.client.loop_stop()


class Process:
    """The hub as a child; what it says goes to a file."""

    def __init__(self, environment: dict[str, str], log: Path, module: str = "hub.main") -> None:
        self.log = log
        with log.open("ab") as sink:
            self.child = subprocess.Popen(
                [sys.executable, "-m", module],
                env={**environment, "PYTHONUNBUFFERED": "1"},
                cwd=ROOT,
                stderr=sink,
            )

    def said(self, words: str) -> bool:
        """Whether these words are in its log."""
        return words in self.log.read_text(encoding="utf-8", errors="replace")

    def until_logged(self, words: str) -> None:
        """Waits until it says something; it must not end before."""
        until(lambda: self.said(words) or self.child.poll() is not None)
        assert self.said(words), f"ended with {self.child.poll()}: {self.log.read_text()[-2000:]}"

    def end(self, how: signal.Signals) -> int:
        """Sends a signal and waits for the end."""
        self.child.send_signal(how)
        return self.child.wait(DEADLINE_S)


def until(holds: Callable[[], bool], deadline_s: float = DEADLINE_S) -> float:
    """Looks until a condition holds; how long that took, in seconds."""
    began_s = time.monotonic()
    pause = threading.Event()
    while not holds():
        assert time.monotonic() < began_s + deadline_s, "gave up waiting"
        pause.wait(POLL_S)
    return time.monotonic() - began_s
