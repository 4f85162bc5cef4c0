"""The real process with a real broker: refusals at the start, and a SIGKILL in the middle."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contracts import messages as m
from hub.main import main
from sortie.broker import broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port

ROOT = Path(__file__).parents[2]
DEADLINE_S = 60.0


def _environment(tmp_path: Path, store: str, **more: object) -> dict[str, str]:
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


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., str]:
    """Starts the hub in this process with an environment; it must refuse and say why."""

    def start(environment: dict[str, str], *arguments: str) -> str:
        for name, value in environment.items():
            monkeypatch.setenv(name, value)
        assert main(list(arguments)) == 2
        return capsys.readouterr().err

    return start


def test_it_refuses_to_listen_to_others_without_a_password(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    said = refused(_environment(tmp_path, store_text, host="0.0.0.0"))
    assert "SORTIE_HUB_STAFF_PASSWORD" in said


def test_it_says_that_a_port_is_taken(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(_environment(tmp_path, store_text, port=port))
    assert f"port {port} on 127.0.0.1 is taken" in said
    assert not (tmp_path / "hub.sqlite").exists()


def test_it_says_that_there_is_no_broker(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    environment = _environment(tmp_path, store_text, port=0, mqtt_port=free_port(), mqtt_wait_s=0.5)
    assert "no connection to the broker" in refused(environment)


@pytest.mark.parametrize(
    ("change", "file", "named"),
    [
        ({"port": "eighty"}, None, "port: "),
        ({}, "colour: green", "colour: "),
        ({}, "port: [", "not a YAML mapping"),
        ({}, "- port", "not a YAML mapping"),
    ],
)
def test_it_names_the_setting_that_is_wrong(
    tmp_path: Path,
    store_text: str,
    refused: Callable[..., str],
    change: dict[str, Any],
    file: str | None,
    named: str,
) -> None:
    settings = tmp_path / "settings.yaml"
    if file is not None:
        settings.write_text(file, encoding="utf-8")
    arguments = () if file is None else ("--settings", str(settings))
    assert named in refused(_environment(tmp_path, store_text, **change), *arguments)


def test_it_names_the_file_that_is_wrong(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    missing = str(tmp_path / "none.yaml")
    assert "none.yaml: cannot be read" in refused(
        _environment(tmp_path, store_text), "--settings", missing
    )
    broken = store_text.replace("currency: EUR", "currency: euros")
    assert "tiny.yaml:5: currency" in refused(_environment(tmp_path, broken))
    (tmp_path / "hub.sqlite").write_bytes(b"this is no database" * 100)
    assert "file is not a database" in refused(_environment(tmp_path, store_text, port=0))


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
    """The hub as a child; `url` is known once it listens."""

    def __init__(self, environment: dict[str, str]) -> None:
        self.child = subprocess.Popen(
            [sys.executable, "-m", "hub.main"],
            env=environment,
            cwd=ROOT,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.child.stderr is not None
        for line in self.child.stderr:
            if "hub.listening" in line:
                return
        raise AssertionError("the hub ended before it listened")

    def end(self, how: signal.Signals) -> int:
        self.child.send_signal(how)
        code = self.child.wait(DEADLINE_S)
        assert self.child.stderr is not None
        self.child.stderr.close()
        return code


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, str]]:
    port = free_port()
    files = write_broker_files(
        tmp_path / "broker", store_id="tiny", node_ids=["node-shelf", "node-floor"], port=port
    )
    child = subprocess.Popen(broker_command(files), stderr=subprocess.DEVNULL)
    ready = wait_for_port(port)
    while not ready():
        assert child.poll() is None
    yield port, files.passwords["hub"]
    child.terminate()
    child.wait(DEADLINE_S)


def test_a_killed_hub_loses_nothing_that_it_acknowledged(
    tmp_path: Path, store_text: str, broker: tuple[int, str], day: Any
) -> None:
    port, password = broker
    http = free_port()
    environment = _environment(
        tmp_path,
        store_text,
        port=http,
        mqtt_port=port,
        mqtt_username="hub",
        mqtt_password=password,
        rules__settle_delay_s=0,
        rules__clock_wait_s=0,
    )
    environment["PYTHONUNBUFFERED"] = "1"
    first = Process(environment)
    wire = Wire(port, password)
    url = f"http://127.0.0.1:{http}/api/v1"
    opened = httpx.post(f"{url}/phones/visits").json()
    day.shop(1.0, "t1", opened["code"], [("4006381333931", True), ("5901234123457", True)])
    # Times of the script are long past for the hub's clock, which only moves the offset.
    middle = len(day.script) // 2
    wire.send(day.script[:middle])
    shelf = [row for row in day.script[:middle] if "node-shelf" in row[1]]
    wire.wait(lambda: wire.acked("node-shelf") >= len(shelf) - 1)
    assert first.end(signal.SIGKILL) == -signal.SIGKILL
    second = Process(environment)
    try:
        # A node sends again whatever it has; the hub takes each message once.
        wire.send(day.script)
        last = day.shelf.sequence - 1
        wire.wait(lambda: wire.acked("node-shelf") >= last)
        seen = httpx.get(f"{url}/phones/{opened['token']}").json()
        assert seen["visit_id"] == opened["visit_id"]
        assert seen["stage"] != "issued"
        export = httpx.get(f"{url}/audit/export").json()
        sequences = [(r["device_id"], r["sequence"]) for r in export["inbox"]]
        assert len(sequences) == len(set(sequences)) == len(day.script)
        configs = [json.loads(p) for t, p in wire.heard if t.endswith("node-shelf/config")]
        assert configs[0]["bays"][0]["bay_id"] == "bay-a"
        assert httpx.get(f"http://127.0.0.1:{http}/healthz").status_code == 200
    finally:
        wire.close()
        assert second.end(signal.SIGTERM) in (0, -signal.SIGTERM)
