"""The bus, in memory and over a real Mosquitto, by one suite; and the drain over both."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

import pytest
from pydantic import SecretStr

from contracts.codec import split
from contracts.envelope import MESSAGE_BYTES_MAX
from contracts.messages import HubAck
from edge.bus import Bus, Letter, MemoryBroker, MemoryBus, matches
from edge.drain import Drain, DrainSettings
from edge.errors import BrokerError
from edge.mqtt import MqttBus, MqttSettings
from edge.outbox import Outbox
from sortie.supervisor import free_port

WAIT_S = 60.0
EVENTS = "sortie/v1/demo/n/events"
BATCH = "sortie/v1/demo/n/batch"


def mosquitto() -> str:
    found = shutil.which(
        "mosquitto", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin"
    )
    assert found is not None, "mosquitto is a required system package: install it"
    return found


@dataclass
class Broker:
    """A Mosquitto of our own on a free loopback port."""

    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        config = self.folder / "mosquitto.conf"
        config.write_text(f"listener {self.port} 127.0.0.1\nallow_anonymous true\n")
        self.process = subprocess.Popen(
            [mosquitto(), "-c", str(config)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )

        def answers() -> bool:
            with socket.socket() as probe:
                return probe.connect_ex(("127.0.0.1", self.port)) == 0

        until(answers)

    def kill(self) -> None:
        if self.process is not None:
            self.process.send_signal(signal.SIGKILL)
            self.process.wait(WAIT_S)
            self.process = None


def until(done: Callable[[], bool]) -> None:
    """Waits for a condition, bounded; polls because the other side is another process."""
    pause = threading.Event()
    deadline_s = time.monotonic() + WAIT_S
    while not done():
        assert time.monotonic() < deadline_s, "gave up waiting"
        pause.wait(0.005)


class Rig(Protocol):
    """A kind of bus: new clients, and a way to break one of them."""

    def client(self, name: str, will: Letter | None = None) -> Bus: ...

    def cut(self, bus: Bus) -> None: ...

    def join(self, bus: Bus) -> None: ...


@dataclass
class MemoryRig:
    broker: MemoryBroker = field(default_factory=MemoryBroker)

    def client(self, name: str, will: Letter | None = None) -> Bus:
        return self.broker.client(name, will=will)

    def cut(self, bus: Bus) -> None:
        assert isinstance(bus, MemoryBus)
        bus.cut()

    def join(self, bus: Bus) -> None:
        assert isinstance(bus, MemoryBus)
        bus.join()


@dataclass
class MqttRig:
    broker: Broker
    clients: list[MqttBus] = field(default_factory=list)

    def client(self, name: str, will: Letter | None = None) -> Bus:
        bus = MqttBus(MqttSettings(port=self.broker.port), client_id=name, will=will)
        bus.start()
        bus.wait_connected(WAIT_S)
        self.clients.append(bus)
        return bus

    def cut(self, bus: Bus) -> None:
        assert isinstance(bus, MqttBus)
        sock = bus._client.socket()
        assert isinstance(sock, socket.socket)
        sock.shutdown(socket.SHUT_RDWR)
        until(lambda: not bus.connected or bus.session > 1)

    def join(self, bus: Bus) -> None:
        until(lambda: bus.connected)


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[Broker]:
    broker = Broker(free_port(), tmp_path)
    broker.start()
    yield broker
    broker.kill()


@pytest.fixture(params=["memory", "mosquitto"])
def rig(request: pytest.FixtureRequest) -> Iterator[Rig]:
    if request.param == "memory":
        yield MemoryRig()
        return
    mqtt = MqttRig(request.getfixturevalue("broker"))
    yield mqtt
    for client in mqtt.clients:
        client.close()


class Inbox:
    """Collects what a bus receives."""

    def __init__(self, bus: Bus) -> None:
        self._bus = bus
        self.letters: list[Letter] = []

    def wait(self, count: int) -> list[Letter]:
        def enough() -> bool:
            self.letters += self._bus.poll()
            return len(self.letters) >= count

        until(enough)
        return self.letters


def _subscribe(bus: Bus, topic: str, through: Bus) -> Inbox:
    """Subscribes and waits until the broker knows it, by a letter that comes round."""
    bus.subscribe((topic, "probe/#"))
    inbox = Inbox(bus)

    def heard() -> bool:
        through.publish(Letter("probe/x", b"probe"))
        return any(letter.topic == "probe/x" for letter in bus.poll())

    until(heard)
    return inbox


def _of(letters: list[Letter], topic: str) -> list[bytes]:
    return [letter.payload for letter in letters if letter.topic == topic]


def _events(letters: list[Letter]) -> list[int]:
    """The numbers of what a drain sent, alone or in batches, in order."""
    parts: list[bytes] = []
    for letter in letters:
        if letter.topic == EVENTS:
            parts.append(letter.payload)
        elif letter.topic == BATCH:
            parts += split(letter.payload)
    return [int(part) for part in parts]


def test_letters_arrive_in_order_where_they_were_asked_for(rig: Rig) -> None:
    node, hub = rig.client("node"), rig.client("hub")
    inbox = _subscribe(hub, "sortie/v1/demo/+/events", node)
    for number in range(50):
        assert node.publish(Letter(EVENTS, b"%d" % number))
        assert node.publish(Letter("sortie/v1/demo/n/health", b"no"))

    def all_here() -> bool:
        inbox.letters += hub.poll()
        return len(_of(inbox.letters, EVENTS)) == 50

    until(all_here)
    assert _of(inbox.letters, EVENTS) == [b"%d" % number for number in range(50)]
    assert _of(inbox.letters, "sortie/v1/demo/n/health") == []


def test_a_retained_letter_reaches_a_late_listener(rig: Rig) -> None:
    hub = rig.client("hub")
    topic = "sortie/v1/demo/n/config"
    assert hub.publish(Letter(topic, b"revision 3", retain=True))
    late = rig.client("late")
    late.subscribe((topic,))
    assert Inbox(late).wait(1)[0].payload == b"revision 3"


def test_the_last_will_is_sent_on_a_broken_line_and_not_on_a_goodbye(rig: Rig) -> None:
    died = "sortie/v1/demo/n/died"
    watcher = rig.client("watcher")
    polite = rig.client("polite", Letter(died, b"polite"))
    inbox = _subscribe(watcher, died, polite)
    broken = rig.client("broken", Letter(died, b"broken"))
    polite.close()
    rig.cut(broken)

    def told() -> bool:
        inbox.letters += watcher.poll()
        return bool(_of(inbox.letters, died))

    until(told)
    assert _of(inbox.letters, died) == [b"broken"]


def test_a_cut_line_refuses_and_a_new_session_is_counted(rig: Rig) -> None:
    node = rig.client("node")
    node.subscribe(("a/b",))
    before = node.session
    rig.cut(node)
    rig.join(node)
    assert node.session == before + 1
    other = rig.client("other")

    def heard() -> bool:
        other.publish(Letter("a/b", b"still subscribed"))
        return bool(node.poll())

    until(heard)


def test_the_drain_delivers_everything_over_a_cut(rig: Rig, tmp_path: Path) -> None:
    outbox = Outbox(tmp_path / "outbox.db", boot_id="b1")
    node, hub = rig.client("node"), rig.client("hub")
    hub.subscribe((BATCH,))
    inbox = _subscribe(hub, EVENTS, node)
    settings = DrainSettings(window=16, batch=8)
    drain = Drain(outbox, node, topic=EVENTS, batch_topic=BATCH, settings=settings)
    outbox.append([(n, b"%d" % n) for n in range(60)])
    taken: set[int] = set()
    now_s = 0.0

    def step() -> bool:
        nonlocal now_s
        now_s += 0.01
        drain.pump(now_s)
        taken.update(_events(hub.poll()))
        upto = -1
        while upto + 1 in taken:
            upto += 1
        drain.acknowledge(HubAck(boot_id="b1", upto_seq=upto), now_s)
        return len(taken) >= 30

    until(step)
    rig.cut(node)
    rig.join(node)
    until(lambda: step() and outbox.waiting == 0)
    assert taken == set(range(60))
    assert inbox.letters == []
    outbox.close()


@pytest.mark.parametrize(
    ("topic_filter", "topic", "fits"),
    [
        ("a/+/c", "a/b/c", True),
        ("a/+/c", "a/b/d", False),
        ("a/+", "a/b/c", False),
        ("a/#", "a/b/c", True),
        ("a/b/c/d", "a/b/c", False),
        ("a/b", "a/b", True),
    ],
)
def test_filters(topic_filter: str, topic: str, fits: bool) -> None:
    assert matches(topic_filter, topic) is fits


# ---------------------------------------------------------------- the drain alone


def _drain(tmp_path: Path, settings: DrainSettings) -> tuple[Outbox, MemoryBus, MemoryBus, Drain]:
    broker = MemoryBroker()
    node, hub = broker.client("node"), broker.client("hub")
    hub.subscribe((EVENTS, BATCH))
    outbox = Outbox(tmp_path / "outbox.db", boot_id="b1")
    outbox.append([(n, b"%d" % n) for n in range(10)])
    drain = Drain(outbox, node, topic=EVENTS, batch_topic=BATCH, settings=settings)
    return outbox, node, hub, drain


def _numbers(hub: MemoryBus) -> list[int]:
    return _events(hub.poll())


def test_the_window_bounds_what_is_under_way(tmp_path: Path) -> None:
    outbox, _, hub, drain = _drain(tmp_path, DrainSettings(window=4, batch=3))
    assert drain.pump(0.0) == 4
    assert drain.pump(0.1) == 0
    assert _numbers(hub) == [0, 1, 2, 3]
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=1), 0.2)
    assert drain.pump(0.2) == 2
    assert _numbers(hub) == [4, 5]
    assert drain.resent == 0
    outbox.close()


def test_stalled_answers_make_it_send_again_with_growing_pauses(tmp_path: Path) -> None:
    settings = DrainSettings(window=2, batch=2, stall_s=1.0, stall_max_s=3.0)
    outbox, _, hub, drain = _drain(tmp_path, settings)
    sent_at = [t / 10 for t in range(120) if drain.pump(t / 10)]
    assert sent_at == [0.0, 1.0, 3.0, 6.0, 9.0]
    assert _numbers(hub) == [0, 1] * 5
    assert drain.resent == 8
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=1), 12.0)
    assert drain.pump(12.0) == 2
    assert _numbers(hub) == [2, 3]
    outbox.close()


def test_a_hub_that_answers_and_misses_something_gets_it_soon(tmp_path: Path) -> None:
    """An answer that confirms nothing new means a gap: no need to wait as for a silent hub."""
    settings = DrainSettings(window=4, batch=4, gap_s=0.5, stall_s=3.0)
    outbox, _, hub, drain = _drain(tmp_path, settings)
    drain.pump(0.0)
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=-1), 0.1)
    assert drain.pump(0.4) == 0
    assert drain.pump(0.5) == 4
    # Without another answer it is silence again; with one, the pause doubles up to the stall's.
    assert drain.pump(1.6) == 0
    sent_at = []
    for t in range(12, 120):
        drain.acknowledge(HubAck(boot_id="b1", upto_seq=-1), t / 10)
        sent_at += [t / 10] if drain.pump(t / 10) else []
    assert sent_at[:4] == [1.5, 3.5, 6.5, 9.5]
    hub.poll()
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=0), 12.0)
    assert drain.pump(12.0) == 1
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=0), 12.1)
    assert drain.pump(12.5) == 4
    assert _numbers(hub) == [4, 1, 2, 3, 4]
    outbox.close()


def test_a_hub_that_is_heard_again_need_not_be_waited_for_as_long(tmp_path: Path) -> None:
    settings = DrainSettings(window=2, batch=2, stall_s=1.0, stall_max_s=60.0)
    outbox, _, _, drain = _drain(tmp_path, settings)
    sent_at = [t / 10 for t in range(200) if drain.pump(t / 10)]
    assert sent_at == [0.0, 1.0, 3.0, 7.0, 15.0]
    drain.heard()
    assert drain.pump(20.0) == 2
    outbox.close()


def test_a_new_session_sends_again_at_once(tmp_path: Path) -> None:
    outbox, node, hub, drain = _drain(tmp_path, DrainSettings(window=100))
    assert drain.pump(0.0) == 10
    assert _numbers(hub) == list(range(10))
    node.cut()
    assert drain.pump(0.1) == 0
    node.join()
    assert drain.pump(0.2) == 10
    assert _numbers(hub) == list(range(10))
    outbox.close()


def test_events_appended_later_are_sent_without_repeating(tmp_path: Path) -> None:
    outbox, _, hub, drain = _drain(tmp_path, DrainSettings(window=100))
    drain.pump(0.0)
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=9), 0.1)
    assert drain.pump(0.1) == 0
    outbox.append([(10, b"10")])
    assert drain.pump(50.0) == 1
    assert _numbers(hub) == list(range(11))
    assert drain.resent == 0
    outbox.close()


def test_what_waits_shares_letters_that_are_never_too_large(tmp_path: Path) -> None:
    outbox, _, hub, drain = _drain(tmp_path, DrainSettings(window=100, batch=8))
    assert drain.pump(0.0) == 10
    letters = hub.poll()
    assert [letter.topic for letter in letters] == [BATCH, BATCH]
    assert _events(letters) == list(range(10))
    drain.acknowledge(HubAck(boot_id="b1", upto_seq=9), 0.1)
    large = [b"%d" % n + b" " * 40_000 for n in (10, 11, 12)]
    outbox.append([(n + 10, payload) for n, payload in enumerate(large)])
    assert drain.pump(0.2) == 3
    letters = hub.poll()
    assert [letter.topic for letter in letters] == [EVENTS] * 3
    assert max(len(letter.payload) for letter in letters) <= MESSAGE_BYTES_MAX
    outbox.close()


# ---------------------------------------------------------------- Mosquitto alone


def test_a_broker_that_is_not_there_is_named() -> None:
    port = free_port()
    bus = MqttBus(MqttSettings(port=port), client_id="n")
    bus.start()
    assert not bus.publish(Letter("a", b"x"))
    until(lambda: bus.last_error is not None and "nobody answers" in bus.last_error)
    with pytest.raises(BrokerError, match=rf"mqtt://127.0.0.1:{port}: nobody answers there"):
        bus.wait_connected(0.01)
    bus.close()
    bus.close()


def test_wrong_credentials_are_told_and_not_printed(tmp_path: Path) -> None:
    port = free_port()
    config = tmp_path / "closed.conf"
    passwords = tmp_path / "passwords"
    passwords.write_text("")
    passwords.chmod(0o600)
    config.write_text(
        f"listener {port} 127.0.0.1\nallow_anonymous false\npassword_file {passwords}\nuser root\n"
    )
    process = subprocess.Popen(
        [mosquitto(), "-c", str(config)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    settings = MqttSettings(port=port, username="n", password=SecretStr("wrong-horse"))
    bus = MqttBus(settings, client_id="n")
    bus.start()
    try:
        until(lambda: bus.last_error is not None and "refuses" in bus.last_error)
        assert not bus.connected
        assert "wrong-horse" not in repr(settings) + str(bus.last_error)
    finally:
        bus.close()
        process.kill()
        process.wait(WAIT_S)


def test_sigkill_of_the_broker_loses_nothing(broker: Broker, tmp_path: Path) -> None:
    """PUBACK is not durability: what counts is the hub's acknowledgement."""
    node = MqttBus(MqttSettings(port=broker.port), client_id="node")
    hub = MqttBus(MqttSettings(port=broker.port), client_id="hub")
    for bus in (node, hub):
        bus.start()
        bus.wait_connected(WAIT_S)
    hub.subscribe((EVENTS, BATCH, "probe/#"))
    _subscribe(hub, EVENTS, node)
    outbox = Outbox(tmp_path / "outbox.db", boot_id="b1")
    settings = DrainSettings(window=500, stall_s=0.5)
    drain = Drain(outbox, node, topic=EVENTS, batch_topic=BATCH, settings=settings)
    outbox.append([(n, b"%d" % n) for n in range(500)])
    assert drain.pump(time.monotonic()) == 500
    broker.kill()
    until(lambda: not node.connected and not hub.connected)
    broker.start()
    taken: set[int] = set()

    def step() -> bool:
        drain.pump(time.monotonic())
        taken.update(_events(hub.poll()))
        upto = -1
        while upto + 1 in taken:
            upto += 1
        drain.acknowledge(HubAck(boot_id="b1", upto_seq=upto), time.monotonic())
        return outbox.waiting == 0

    until(step)
    assert taken == set(range(500))
    for bus in (node, hub):
        bus.close()
    outbox.close()
