"""Cameras' threads, settings and small things of the node's process."""

from __future__ import annotations

import os
import socket
import threading
import time
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from contracts.messages import HubAck
from edge.errors import NodeSettingsError, PortTakenError
from edge.evidence import EvidenceSettings
from edge.metrics import NodeMetrics
from edge.process import new_boot_id
from edge.process_settings import load_settings
from edge.worker import CameraWorker, WorkerSettings
from hardware.errors import DeviceOpenError
from hardware.ports import Frame
from tests.edge import node_rig as rig
from tests.edge.process_kit import WAIT_S, until
from vision.observations import ShelfObservation

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
