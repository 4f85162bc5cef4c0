"""The real process with a real broker: refusals at the start, and a SIGKILL in the middle."""

from __future__ import annotations

import json
import signal
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from hub.main import main
from sortie.supervisor import free_port
from tests.hub.bearing import bearing
from tests.hub.process_kit import Process, Wire, broker_of, environment_of


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
    said = refused(environment_of(tmp_path, store_text, host="0.0.0.0"))
    assert "SORTIE_HUB_STAFF_PASSWORD" in said


def test_it_says_that_a_port_is_taken(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused(environment_of(tmp_path, store_text, port=port))
    assert f"port {port} on 127.0.0.1 is taken" in said
    assert not (tmp_path / "hub.sqlite").exists()


def test_it_says_that_there_is_no_broker(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    environment = environment_of(
        tmp_path, store_text, port=0, mqtt_port=free_port(), mqtt_wait_s=0.5
    )
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
    assert named in refused(environment_of(tmp_path, store_text, **change), *arguments)


def test_it_names_the_file_that_is_wrong(
    tmp_path: Path, store_text: str, refused: Callable[..., str]
) -> None:
    missing = str(tmp_path / "none.yaml")
    assert "none.yaml: cannot be read" in refused(
        environment_of(tmp_path, store_text), "--settings", missing
    )
    broken = store_text.replace("currency: EUR", "currency: euros")
    assert "tiny.yaml:5: currency" in refused(environment_of(tmp_path, broken))
    (tmp_path / "hub.sqlite").write_bytes(b"this is no database" * 100)
    assert "file is not a database" in refused(environment_of(tmp_path, store_text, port=0))


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[tuple[int, str]]:
    with broker_of(tmp_path / "broker", "node-shelf", "node-floor") as found:
        yield found


def test_a_killed_hub_loses_nothing_that_it_acknowledged(
    tmp_path: Path, store_text: str, broker: tuple[int, str], day: Any
) -> None:
    port, password = broker
    http = free_port()
    environment = environment_of(
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
    first = Process(environment, tmp_path / "first.log")
    first.until_logged("hub.listening")
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
    second = Process(environment, tmp_path / "second.log")
    try:
        second.until_logged("hub.listening")
        # A node sends again whatever it has; the hub takes each message once.
        wire.send(day.script)
        last = day.shelf.sequence - 1
        wire.wait(lambda: wire.acked("node-shelf") >= last)
        seen = httpx.get(f"{url}/phones/me", headers=bearing(opened["token"])).json()
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
        assert second.end(signal.SIGTERM) == 0
