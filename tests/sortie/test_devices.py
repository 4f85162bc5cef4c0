"""`sortie devices` with a real Mosquitto: TLS, who may connect, and what they may say."""

from __future__ import annotations

import gc
import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion
from typer.testing import CliRunner

from contracts.store_file import load_store_file
from contracts.topics import topic
from edge.mqtt import MqttBus, MqttSettings
from hub.errors import SettingsError
from hub.mqtt import HubMqtt
from hub.settings import HubSettings
from sortie.certificates import LEAF_DAYS, Authority, expires
from sortie.cli import _add_parts, app
from sortie.day import demo_store_path
from sortie.device_book import DeviceBook, exact_rights, mosquitto_hash
from sortie.doctor import find_program
from sortie.errors import UsageError
from sortie.supervisor import free_port, wait_for_port
from tests.hub.process_kit import until

TIMEOUT_S = 15.0
STORE = load_store_file(demo_store_path()).store_id
NOW = datetime.now(UTC)


class Broker:
    """A folder of devices and the broker that reads it."""

    def __init__(self, folder: Path, *, certificates: bool = False) -> None:
        self.folder = folder
        self.port = free_port()
        self.book = DeviceBook.begin(
            folder,
            NOW,
            store_id=STORE,
            hosts=("localhost", "127.0.0.1"),
            port=self.port,
            user="root" if os.geteuid() == 0 else os.environ.get("USER", "nobody"),
            certificates=certificates,
        )
        self.passwords = {n: self.book.add(n) for n in ("hub", "node-shelf", "node-floor")}
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> Broker:
        """Starts the broker on what the book says."""
        self.book.write()
        program = find_program("mosquitto")
        assert program is not None
        self.process = subprocess.Popen(
            [program, "-c", str(self.folder / "mosquitto.conf")], stderr=subprocess.DEVNULL
        )
        up = wait_for_port(self.port)
        while not up():
            assert self.process.poll() is None
        return self

    def change(self) -> None:
        """Writes the book and tells the broker."""
        self.book.write()
        assert self.book.signal()

    def stop(self) -> None:
        if self.process is not None:
            self.process.terminate()
            self.process.wait(TIMEOUT_S)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    made = Broker(tmp_path / "broker").start()
    yield made
    made.stop()


class Client:
    """One connection; `code` is the broker's answer, None if there was none."""

    def __init__(
        self,
        broker: Broker,
        user: str,
        password: str | None = None,
        *,
        tls: bool = True,
        **more: Any,
    ) -> None:
        self.code: int | None = None
        self.error = ""
        self.gone = Event()
        self.got: list[str] = []
        self._answered = Event()
        self._news = Event()
        self.mqtt = mqtt.Client(
            CallbackAPIVersion.VERSION2, client_id=f"t-{user}", reconnect_on_failure=False
        )
        self.mqtt.username_pw_set(user, password or broker.passwords.get(user, ""))
        if tls:
            self.mqtt.tls_set(str(more.pop("ca", broker.folder / "ca.crt")), **more)
        self.mqtt.on_connect = self._connected
        self.mqtt.on_disconnect = self._disconnected
        self.mqtt.on_message = self._heard
        self.mqtt.on_subscribe = lambda *_: self._answered.set()
        try:
            self.mqtt.connect("localhost", broker.port)
        except OSError as error:
            self.error = _told(error)
            return
        self.mqtt.loop_start()
        assert self._answered.wait(TIMEOUT_S)

    def _connected(self, _c: Any, _u: Any, _f: Any, reason: Any, _p: Any) -> None:
        self.code = reason.value
        self._answered.set()

    def _disconnected(self, *_how: Any) -> None:
        self.gone.set()
        self._answered.set()

    def _heard(self, _client: Any, _user: Any, message: mqtt.MQTTMessage) -> None:
        self.got.append(message.topic)
        self._news.set()

    @property
    def refused(self) -> bool:
        return self.code != 0

    def subscribe(self, name: str) -> None:
        self._answered.clear()
        self.mqtt.subscribe(name, 1)
        assert self._answered.wait(TIMEOUT_S)

    def say(self, name: str) -> None:
        self.mqtt.publish(name, b"{}", 1).wait_for_publish(TIMEOUT_S)

    def until_heard(self, name: str) -> None:
        while name not in self.got:
            assert self._news.wait(TIMEOUT_S), self.got
            self._news.clear()

    def close(self) -> None:
        self.mqtt.disconnect()
        self.mqtt.loop_stop()


@pytest.fixture
def client(broker: Broker) -> Iterator[Callable[..., Client]]:
    made: list[Client] = []

    def make(*arguments: Any, **more: Any) -> Client:
        made.append(Client(broker, *arguments, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def _told(error: OSError) -> str:
    """Why a handshake failed; paho leaves its socket to the collector."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ResourceWarning)
        words = repr(error.with_traceback(None))
        gc.collect()
    return words


def _topic(name: str, device: str) -> str:
    return topic(name, store_id=STORE, device_id=device)


def test_wrong_credentials_and_strangers_are_refused(client: Callable[..., Client]) -> None:
    assert client("node-shelf", "guess").refused
    assert client("stranger", "guess").refused
    assert client("", "").refused
    assert not client("node-shelf").refused


def test_without_tls_nobody_is_heard(client: Callable[..., Client]) -> None:
    assert client("node-shelf", tls=False).refused


def test_a_broker_of_another_authority_is_not_trusted(
    client: Callable[..., Client], tmp_path: Path
) -> None:
    other = Authority(tmp_path, NOW)
    other.make("other")
    assert "CERTIFICATE_VERIFY_FAILED" in client("node-shelf", ca=other.certificate).error


def test_a_node_speaks_and_hears_on_its_own_topics_only(client: Callable[..., Client]) -> None:
    hub, node = client("hub"), client("node-shelf")
    hub.subscribe(f"sortie/v1/{STORE}/+/events")
    hub.subscribe(f"sortie/v1/{STORE}/+/health")
    node.subscribe(f"sortie/v1/{STORE}/+/ack")
    node.subscribe(_topic("ack", "node-floor"))
    node.subscribe(_topic("ack", "node-shelf"))
    node.subscribe("#")
    for forged in (
        _topic("events", "node-floor"), _topic("ack", "node-shelf"),
        "sortie/v1/other/node-shelf/events", "anything",
    ):  # fmt: skip
        node.say(forged)
    node.say(_topic("events", "node-shelf"))
    hub.until_heard(_topic("events", "node-shelf"))
    assert hub.got == [_topic("events", "node-shelf")]
    hub.say(_topic("ack", "node-floor"))
    hub.say(_topic("ack", "node-shelf"))
    node.until_heard(_topic("ack", "node-shelf"))
    assert node.got == [_topic("ack", "node-shelf")]


def test_the_hub_neither_speaks_for_nodes_nor_hears_its_own_voice(
    client: Callable[..., Client],
) -> None:
    hub, node = client("hub"), client("node-shelf")
    hub.subscribe("#")
    hub.subscribe(f"sortie/v1/{STORE}/+/events")
    hub.say(_topic("events", "node-shelf"))
    hub.say(_topic("ack", "node-shelf"))
    node.say(_topic("events", "node-shelf"))
    hub.until_heard(_topic("events", "node-shelf"))
    assert hub.got == [_topic("events", "node-shelf")], "once, and by the node"


def test_a_revoked_node_is_out_at_once_and_others_stay(
    broker: Broker, client: Callable[..., Client]
) -> None:
    node, other = client("node-shelf"), client("node-floor")
    broker.book.revoke("node-shelf")
    broker.change()
    assert node.gone.wait(TIMEOUT_S)
    assert client("node-shelf").refused
    assert not other.gone.is_set()
    assert other.mqtt.is_connected()
    with pytest.raises(UsageError, match="hub, node-floor"):
        broker.book.revoke("node-shelf")
    broker.passwords["node-shelf"] = broker.book.add("node-shelf")
    broker.change()
    until(lambda: not client("node-shelf").refused)


def test_a_rotated_password_ends_the_old_one(broker: Broker, client: Callable[..., Client]) -> None:
    node, old = client("node-shelf"), broker.passwords["node-shelf"]
    broker.passwords["node-shelf"] = broker.book.rotate("node-shelf")
    broker.change()
    assert node.gone.wait(TIMEOUT_S)
    assert client("node-shelf", old).refused
    assert not client("node-shelf").refused


def test_an_expired_certificate_of_the_broker_is_refused_and_a_new_one_taken(
    broker: Broker, client: Callable[..., Client]
) -> None:
    broker.book.renew_server(days=-1)
    broker.stop()
    broker.start()
    refused = client("node-shelf")
    assert "certificate has expired" in refused.error
    broker.book.renew_server()
    broker.change()
    until(lambda: not client("node-shelf").refused)


def test_client_certificates_are_needed_where_they_are_asked_for(tmp_path: Path) -> None:
    broker = Broker(tmp_path / "broker", certificates=True).start()
    clients = broker.folder / "clients"

    def connect(name: str, certificate: str = "") -> Client:
        owned = clients / (certificate or name)
        more: dict[str, Any] = (
            {"certfile": f"{owned}.crt", "keyfile": f"{owned}.key"} if certificate else {}
        )
        found = Client(broker, name, **more)
        found.close()
        return found

    try:
        assert connect("node-shelf").refused, "a password alone will not do"
        assert not connect("node-shelf", "node-shelf").refused
        Authority(broker.folder, NOW).client("late", days=-1)
        assert connect("node-shelf", "late").refused, "its certificate is over"
        foreign = Authority(tmp_path / "foreign", NOW)
        foreign.folder.mkdir()
        foreign.make(STORE)
        foreign.client("node-shelf")
        for ending in ("crt", "key"):
            (foreign.folder / f"clients/node-shelf.{ending}").rename(clients / f"forged.{ending}")
        assert connect("node-shelf", "forged").refused, "by another authority"
    finally:
        broker.stop()


def test_hub_and_node_connect_with_their_settings(broker: Broker, tmp_path: Path) -> None:
    ca = broker.folder / "ca.crt"
    node = MqttBus(
        MqttSettings(
            host="localhost",
            port=broker.port,
            username="node-shelf",
            password=broker.passwords["node-shelf"],
            tls_ca=ca,
        ),
        client_id="node",
    )
    given: dict[str, Any] = {
        "mqtt_host": "localhost", "mqtt_port": broker.port, "mqtt_username": "hub",
    }  # fmt: skip
    settings = HubSettings(
        store_file=demo_store_path(),
        mqtt_password=broker.passwords["hub"],
        mqtt_tls_ca=ca,
        mqtt_wait_s=TIMEOUT_S,
        **given,
    )
    hub = HubMqtt(settings, STORE, on_news=lambda: None)
    try:
        hub.start()
        node.start()
        node.wait_connected(TIMEOUT_S)
        assert hub.connected
    finally:
        hub.stop()
        node.close()
    bad = settings.model_copy(update={"mqtt_tls_ca": tmp_path / "none.crt"})
    with pytest.raises(SettingsError, match=r"expected PEM files at .*none\.crt"):
        HubMqtt(bad, STORE, on_news=lambda: None)


# ---------------------------------------------------------------- without a broker


@pytest.fixture
def run(tmp_path: Path) -> Callable[..., Any]:
    if not any(group.name == "devices" for group in app.registered_groups):
        _add_parts()
    runner = CliRunner()

    def invoke(*arguments: str) -> Any:
        return runner.invoke(app, ["devices", *arguments, "--dir", str(tmp_path / "broker")])

    return invoke


def test_the_commands_make_show_and_withdraw(run: Callable[..., Any], tmp_path: Path) -> None:
    store = str(demo_store_path())
    assert isinstance(run("add", "hub").exception, UsageError)
    made = run("add", "hub", "--store", store, "--host", "broker.lan", "--port", "28883")
    assert made.exit_code == 0
    settings = dict(line.split("=", 1) for line in made.stdout.splitlines())
    assert settings["SORTIE_HUB_MQTT_HOST"] == "broker.lan"
    assert settings["SORTIE_HUB_MQTT_PORT"] == "28883"
    file = tmp_path / "node.env"
    node = load_store_file(demo_store_path()).nodes[0].node_id
    assert run("add", node, "--out", str(file)).exit_code == 0
    assert file.stat().st_mode & 0o077 == 0
    assert f"SORTIE_NODE_MQTT__USERNAME={node}\n" in file.read_text()
    stranger = run("add", "stranger", "--store", store)
    assert "expected a node of" in str(stranger.exception)
    assert "rotate or revoke" in str(run("add", node).exception)
    assert run("rotate", node, "--out", str(file)).exit_code == 0
    assert run("certificate", "--days", "30").exit_code == 0
    assert (expires(tmp_path / "broker" / "server.crt") - NOW).days in (29, 30)
    assert run("revoke", node).exit_code == 0
    listed = run("list")
    assert "the broker's certificate is to be replaced within" in listed.stderr
    shown = listed.stdout
    assert "revoked" in shown
    assert "active" in shown
    passwords = (tmp_path / "broker" / "passwords").read_text()
    assert [line.split(":")[0] for line in passwords.splitlines()] == ["hub"]
    assert node not in (tmp_path / "broker" / "acl").read_text()


def test_what_is_to_be_replaced_soon_is_told_in_time(tmp_path: Path) -> None:
    now = NOW.replace(microsecond=0)
    book = DeviceBook.begin(
        tmp_path / "broker", now, store_id="my-store", hosts=("broker.lan",), port=8883,
        user="mosquitto", certificates=True,
    )  # fmt: skip
    for name in ("hub", "node-a", "node-b"):
        book.add(name)
    book.revoke("node-b")
    book.write()

    def told(days: float) -> list[str]:
        return DeviceBook.load(book.folder, now + timedelta(days=days)).ending()

    assert told(LEAF_DAYS - 31) == []
    soon = told(LEAF_DAYS - 20)
    within = "is to be replaced within 20 days: sortie devices"
    assert f"the broker's certificate {within} certificate" in soon
    assert f"the password of node-a {within} rotate node-a" in soon
    assert f"the certificate of node-a {within} rotate node-a" in soon
    assert "node-b" not in str(soon)
    assert "should have been replaced" in told(LEAF_DAYS + 2)[0]
    renewed = DeviceBook.load(book.folder, now + timedelta(days=LEAF_DAYS - 20))
    renewed.rotate("node-a")
    renewed.renew_server()
    renewed.write()
    assert {line.split(" is ")[0] for line in renewed.ending()} == {
        "the password of hub", "the certificate of hub",
    }  # fmt: skip
    assert "the authority's certificate" in str(told(3_640))


def test_no_file_tells_a_password_and_all_are_their_owners(
    run: Callable[..., Any], tmp_path: Path
) -> None:
    made = run("add", "hub", "--store", str(demo_store_path()), "--client-certificates")
    password = made.stdout.split("PASSWORD=")[1].splitlines()[0]
    files = [path for path in (tmp_path / "broker").rglob("*") if path.is_file()]
    assert {"hub.key", "ca.key", "server.key", "passwords", "acl"} <= {p.name for p in files}
    assert [path for path in files if path.stat().st_mode & 0o077] == []
    assert [path for path in files if password.encode() in path.read_bytes()] == []


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("a\ntopic readwrite #", "expected a node's id"),
        ("node-a\n", "expected a node's id"),
        ("../up", "expected a node's id"),
    ],
)
def test_a_name_cannot_smuggle_anything_in(run: Callable[..., Any], name: str, words: str) -> None:
    run("add", "hub", "--store", str(demo_store_path()))
    assert words in str(run("add", name).exception)


def test_a_broken_book_is_named(run: Callable[..., Any], tmp_path: Path) -> None:
    (tmp_path / "broker").mkdir()
    (tmp_path / "broker" / "devices.json").write_text(json.dumps({"schema": 1}))
    assert "cannot be read" in str(run("list").exception)


def test_hashes_are_those_that_mosquitto_reads() -> None:
    kind, rounds, salt, digest = mosquitto_hash("secret").split("$")[1:]
    assert (kind, rounds) == ("7", "1000")
    assert (len(salt), len(digest)) == (16, 88)


def test_every_channel_is_somebodys_and_nobody_has_two_sides() -> None:
    granted = exact_rights("s", ["a", "hub"])
    for mine in granted.values():
        assert not set(mine.read) & set(mine.write)
        assert not any("#" in name for name in (*mine.read, *mine.write))
    assert granted["hub"].write == tuple(name.replace("/a/", "/+/") for name in granted["a"].read)


def test_another_process_with_the_number_of_a_broker_that_was_killed_is_left_alone(
    tmp_path: Path,
) -> None:
    book = DeviceBook.begin(
        tmp_path / "broker", NOW, store_id=STORE, hosts=("localhost",), port=8883, user="mosquitto"
    )
    other = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=-1)
    try:
        (book.folder / "mosquitto.pid").write_text(f"{other.pid}\n", encoding="ascii")
        assert not book.signal()
        assert other.stdin is not None
        other.stdin.close()
        assert other.wait(TIMEOUT_S) == 0
    finally:
        other.kill()
        other.wait()
