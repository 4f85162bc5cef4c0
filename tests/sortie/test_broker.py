"""The broker's rights: made from the topic table, enforced by Mosquitto and by its stand-in."""

from __future__ import annotations

import logging
import socket
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from threading import Event
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contracts.topics import topic
from sortie import doctor, stand_in_broker
from sortie.broker import BrokerFiles, acl_text, broker_command, rights, write_broker_files
from sortie.errors import MissingPartError
from sortie.stand_in import StandInSettings, StandInUser, password_digest
from sortie.supervisor import free_port, wait_for_port

TIMEOUT_S = 15.0


BATCH = 64 * 1024
"""The largest batch a node sends."""


def write(folder: Path, **more: Any) -> BrokerFiles:
    """The files of a store with two nodes."""
    nodes = ["node-a", "node-b"]
    return write_broker_files(folder, store_id="demo", node_ids=nodes, port=free_port(), **more)


@pytest.fixture
def no_mosquitto(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sortie.broker.find_program", lambda *_names: None)


@pytest.fixture(params=["mosquitto", "stand-in"])
def broker(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[BrokerFiles]:
    if request.param == "stand-in":
        request.getfixturevalue("no_mosquitto")
    files = write(tmp_path / "broker", stand_in_allowed=True)
    assert files.stand_in == (request.param == "stand-in")
    process = subprocess.Popen(
        broker_command(files), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    up = wait_for_port(files.port)
    for _ in range(200):
        if up():
            break
        with pytest.raises(subprocess.TimeoutExpired):
            process.wait(0.05)
    yield files
    process.terminate()
    process.wait(TIMEOUT_S)


class Client:
    """A paho client as nodes and hub use it; `got` is what it heard."""

    def __init__(
        self, files: BrokerFiles, user: str, *, password: str | None = None, will: str | None = None
    ) -> None:
        self.got: list[tuple[str, int]] = []
        self.code = -1
        self.granted: list[bool] = []
        self._answered = Event()
        self._news = Event()
        client = mqtt.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"test-{user}",
            clean_session=True,
            manual_ack=user == "hub",
        )
        client.username_pw_set(user, password or files.passwords[user])
        if will is not None:
            client.will_set(will, b"gone", qos=1)
        client.on_connect = self._connected
        client.on_subscribe = self._subscribed
        client.on_message = self._heard
        client.connect("127.0.0.1", files.port)
        client.loop_start()
        assert self._answered.wait(TIMEOUT_S)
        self.mqtt = client

    def subscribe(self, *filters: str) -> None:
        """Asks for topics and waits for the broker's word; `granted` has it."""
        self._answered.clear()
        self.mqtt.subscribe([(wanted, 1) for wanted in filters])
        assert self._answered.wait(TIMEOUT_S)

    def publish(self, name: str, payload: bytes = b"{}", *, retain: bool = False) -> None:
        """At QoS 1, until the broker has it."""
        self.mqtt.publish(name, payload, qos=1, retain=retain).wait_for_publish(TIMEOUT_S)

    def until(self, done: Callable[[], bool]) -> None:
        """Waits for something to be heard."""
        while not done():
            assert self._news.wait(TIMEOUT_S), f"heard only {self.got}"
            self._news.clear()

    def break_line(self) -> None:
        """What a killed process leaves, if there was a line at all."""
        line = self.mqtt.socket()
        if isinstance(line, socket.socket):
            line.shutdown(socket.SHUT_RDWR)

    def finish(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()

    def _connected(self, _c: object, _u: object, _f: object, reason: Any, _p: object) -> None:
        self.code = reason.value
        self._answered.set()

    def _subscribed(self, _c: object, _u: object, _m: int, codes: Any, _p: object) -> None:
        self.granted = [not code.is_failure for code in codes]
        self._answered.set()

    def _heard(self, client: mqtt.Client, _user: object, message: mqtt.MQTTMessage) -> None:
        self.got.append((message.topic, len(message.payload)))
        client.ack(message.mid, message.qos)
        self._news.set()


def test_a_wrong_password_is_refused(broker: BrokerFiles) -> None:
    client = Client(broker, "node-a", password="guess")
    client.finish()
    assert client.code != 0


def test_a_node_reaches_the_hub_only_on_its_own_topics(broker: BrokerFiles) -> None:
    hub = Client(broker, "hub")
    assert hub.code == 0
    hub.subscribe("sortie/v1/demo/+/events")
    node = Client(broker, "node-a")
    assert node.code == 0
    forged = topic("events", store_id="demo", device_id="node-b")
    own = topic("events", store_id="demo", device_id="node-a")
    node.publish(forged)
    node.publish(own)
    hub.until(lambda: bool(hub.got))
    node.finish()
    hub.finish()
    assert hub.got == [(own, 2)]


def test_a_window_of_full_batches_arrives_in_order(broker: BrokerFiles) -> None:
    hub = Client(broker, "hub")
    hub.subscribe("sortie/v1/demo/+/events")
    node = Client(broker, "node-a")
    own = topic("events", store_id="demo", device_id="node-a")
    sizes = [BATCH - k for k in range(40)]
    for size in sizes:
        node.mqtt.publish(own, bytes(size), qos=1)
    hub.until(lambda: len(hub.got) == len(sizes))
    node.finish()
    hub.finish()
    assert hub.got == [(own, size) for size in sizes]


def test_a_node_hears_no_other_nodes_configuration(broker: BrokerFiles) -> None:
    own, other = (topic("config", store_id="demo", device_id=one) for one in ("node-b", "node-a"))
    hub = Client(broker, "hub")
    first = Client(broker, "node-a")
    first.subscribe(other)
    for name in (other, own):
        hub.publish(name, retain=True)
    node = Client(broker, "node-b")
    node.subscribe("sortie/v1/demo/+/config", own)
    hub.publish(own)
    node.until(lambda: len(node.got) >= 2)
    for client in (node, first, hub):
        client.finish()
    assert {name for name, _ in node.got} == {own}


def test_a_last_will_is_sent_on_ones_own_topic_only(broker: BrokerFiles) -> None:
    """Mosquitto keeps a forged one back, the stand-in refuses whoever has one."""
    hub = Client(broker, "hub")
    hub.subscribe("sortie/v1/demo/+/died")
    own, other = (topic("died", store_id="demo", device_id=one) for one in ("node-a", "node-b"))
    forger = Client(broker, "node-a", will=other)
    forger.break_line()
    node = Client(broker, "node-a", will=own)
    assert node.code == 0
    node.break_line()
    hub.until(lambda: bool(hub.got))
    for client in (forger, node, hub):
        client.finish()
    assert {name for name, _ in hub.got} == {own}


def test_secrets_are_for_this_user_alone(broker: BrokerFiles) -> None:
    folder = broker.config.parent
    assert [path for path in folder.iterdir() if path.stat().st_mode & 0o077] == []
    said = " ".join(broker_command(broker)) + "".join(p.read_text() for p in folder.iterdir())
    assert [name for name, password in broker.passwords.items() if password in said] == []


# ---------------------------------------------------------------- without a broker


def test_acl_lets_a_node_read_only_what_the_hub_publishes() -> None:
    text = acl_text(rights("demo", ["node-a"]))
    assert "topic write sortie/v1/demo/node-a/events" in text
    assert "topic read sortie/v1/demo/node-a/ack" in text
    assert "topic write sortie/v1/demo/node-a/ack" not in text


@pytest.mark.parametrize(
    ("wanted", "covered"),
    [
        ("a/b/#", True),
        ("a/b", True),
        ("a/b/+/d", True),
        ("a/bc", False),
        ("a/+", False),
        ("a/#", False),
        ("+/b/c", False),
        ("#", False),
        ("a/one", True),
        ("a/one/two", False),
    ],
)
def test_a_filter_wider_than_the_right_is_not_covered(wanted: str, covered: bool) -> None:
    user = StandInUser(password_sha256=password_digest("pw"), read=("a/b/#", "a/one"))
    assert user.may_read(wanted) == covered
    assert not user.may_write(wanted)


def test_the_stand_in_is_for_those_who_allow_it(tmp_path: Path, no_mosquitto: None) -> None:
    with pytest.raises(MissingPartError, match="apt-get install mosquitto"):
        write(tmp_path / "broker")
    assert not (tmp_path / "broker").exists()
    assert write(tmp_path / "broker", stand_in_allowed=True).stand_in


def test_without_amqtt_too_the_missing_part_is_named(
    tmp_path: Path, no_mosquitto: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("importlib.util.find_spec", lambda _name: None)
    with pytest.raises(MissingPartError, match="apt-get install mosquitto"):
        write(tmp_path / "broker", stand_in_allowed=True)


def test_the_stand_in_says_why_it_cannot_serve(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(logging, "basicConfig", lambda **_: None)
    path = tmp_path / "stand-in.json"
    path.write_text('{"port": 0}')
    assert stand_in_broker.main([str(path)]) == 1
    assert "stand-in.json: expected the stand-in's configuration" in capsys.readouterr().err
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        path.write_text(StandInSettings(port=port, users={}).model_dump_json())
        assert stand_in_broker.main([str(path)]) == 1
    assert f"expected to listen on 127.0.0.1:{port}, cannot" in capsys.readouterr().err


@pytest.mark.parametrize("amqtt", ["ok", "missing"])
def test_doctor_knows_the_stand_in(amqtt: doctor.State, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(doctor, "find_program", lambda *_names: None)
    monkeypatch.setattr(
        doctor, "_module", lambda name, _otherwise, mend: doctor.Finding(name, amqtt, "", mend)
    )
    (found,) = [finding for finding in doctor.examine() if finding.subject == "Mosquitto"]
    assert found.state == ("limited" if amqtt == "ok" else "missing")
    assert "apt-get install mosquitto" in found.mend
