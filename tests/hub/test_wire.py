"""The hub's way of running paho: few calls for many packets, and no bell that is lost."""

from __future__ import annotations

import socket
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import paho.mqtt.client as paho
import pytest
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode

import hub.wire
from hub.wire import READ_BYTES, KeepingSocket, WireClient
from sortie.supervisor import free_port
from tests.hub.process_kit import Wire, broker_of

WAIT_S = 60.0
TOPIC = "sortie/v1/tiny/node-shelf/events"


@dataclass
class Counted:
    """A socket beneath that counts what the system is asked."""

    socket: socket.socket
    reads: int = 0
    writes: int = 0

    def recv(self, buffer_size: int) -> bytes:
        self.reads += 1
        return self.socket.recv(buffer_size)

    def send(self, buffer: bytes | bytearray) -> int:
        self.writes += 1
        return self.socket.send(buffer)

    def close(self) -> None:
        self.socket.close()

    def fileno(self) -> int:
        return self.socket.fileno()

    def setblocking(self, flag: bool) -> None:
        self.socket.setblocking(flag)


@pytest.fixture
def ends() -> Iterator[tuple[Counted, KeepingSocket, socket.socket]]:
    near, far = socket.socketpair()
    beneath = Counted(near)
    keeping = KeepingSocket(beneath)
    keeping.setblocking(False)
    yield beneath, keeping, far
    near.close()
    far.close()


def test_small_pieces_come_of_one_read(
    ends: tuple[Counted, KeepingSocket, socket.socket],
) -> None:
    beneath, keeping, far = ends
    with pytest.raises(BlockingIOError):
        keeping.recv(1)
    far.sendall(bytes(range(200)))
    taken = keeping.recv(1) + keeping.recv(1)
    assert keeping.pending() == 198
    while keeping.pending():
        taken += keeping.recv(7)
    assert taken == bytes(range(200))
    assert beneath.reads == 2
    with pytest.raises(BlockingIOError):
        keeping.recv(1)
    far.close()
    assert keeping.recv(1) == b""


def test_what_is_sent_goes_at_once_and_nothing_is_lost_where_the_system_takes_less(
    ends: tuple[Counted, KeepingSocket, socket.socket],
) -> None:
    beneath, keeping, far = ends
    for _ in range(100):
        assert keeping.send(b"ack!") == 4
    assert (beneath.writes, keeping.unsent) == (0, 400)
    keeping.flush()
    assert (beneath.writes, keeping.unsent) == (1, 0)
    assert far.recv(READ_BYTES) == b"ack!" * 100
    much = bytes(range(256)) * 16_384
    keeping.send(much)
    keeping.flush()
    assert 0 < keeping.unsent < len(much)
    taken = b""
    while len(taken) < len(much):
        taken += far.recv(READ_BYTES)
        keeping.flush()
    assert taken == much
    keeping.send(b"goodbye")
    keeping.close()
    assert far.recv(READ_BYTES) == b"goodbye"


class Racing(WireClient):
    """Another thread sends something between paho's last look for packets and its own word that
    there are none, when the bell is not rung."""

    late: bytes | None = None
    _writing = False

    def loop_write(self) -> MQTTErrorCode:
        self._writing = True
        try:
            return super().loop_write()
        finally:
            self._writing = False

    def want_write(self) -> bool:
        wants = super().want_write()
        if self._writing and not wants and self.late is not None:
            late, self.late = self.late, None
            self.publish(TOPIC, late, 0)
        return wants


@dataclass
class End:
    """A client in its thread, and what became of it."""

    client: Racing = field(init=False)
    taken: deque[paho.MQTTMessage] = field(default_factory=deque)
    failures: list[OSError] = field(default_factory=list)
    news: threading.Condition = field(default_factory=threading.Condition)
    sessions: int = 0

    def tell(self, *_: Any) -> None:
        with self.news:
            self.news.notify_all()

    def connected(self, client: paho.Client, *_: Any) -> None:
        client.subscribe(TOPIC, 1)

    def subscribed(self, *_: Any) -> None:
        self.sessions += 1
        self.tell()

    def arrived(self, _client: Any, _data: Any, message: paho.MQTTMessage) -> None:
        self.taken.append(message)
        self.tell()

    def failed(self, error: OSError) -> None:
        self.failures.append(error)
        self.tell()

    def wait(self, done: Any) -> None:
        with self.news:
            assert self.news.wait_for(done, WAIT_S), "gave up waiting"


@contextmanager
def running(port: int, password: str = "") -> Iterator[End]:
    end = End()
    end.client = Racing(
        CallbackAPIVersion.VERSION2, client_id="wire", manual_ack=True, on_failed=end.failed
    )
    end.client.username_pw_set("hub", password)
    end.client.on_connect = end.connected
    end.client.on_subscribe = end.subscribed
    end.client.on_message = end.arrived
    end.client.connect_async("127.0.0.1", port)
    thread = threading.Thread(target=end.client.run)
    thread.start()
    try:
        yield end
    finally:
        end.client.end()
        thread.join(WAIT_S)
        assert not thread.is_alive()


def test_a_flood_passes_in_order_though_nothing_wakes_it_but_its_bell(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """More messages than the broker leaves unacknowledged; they are acknowledged late, from another
    thread. Whoever sleeps through the bell here sleeps longer than the test waits."""
    monkeypatch.setattr(hub.wire, "IDLE_S", 10.0 * WAIT_S)
    many = 6_000
    with (
        broker_of(tmp_path / "broker", "node-shelf") as (port, password),
        running(port, password) as end,
    ):
        end.wait(lambda: end.sessions)
        node = Wire(port, password)
        for number in range(many):
            node.client.publish(TOPIC, b"%d" % number, 1)
        heard: list[int] = []
        while len(heard) < many:
            end.wait(lambda: end.taken)
            while end.taken:
                message = end.taken.popleft()
                heard.append(int(message.payload))
                end.client.ack(message.mid, message.qos)
        assert heard == list(range(many))
        node.client.disconnect()
        node.client.loop_stop()


def test_what_is_sent_while_other_packets_are_written_waits_for_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.wire, "IDLE_S", 10.0 * WAIT_S)
    with (
        broker_of(tmp_path / "broker", "node-shelf") as (port, password),
        running(port, password) as end,
    ):
        end.wait(lambda: end.sessions)
        end.client.late = b"late"
        end.client.publish("sortie/v1/tiny/node-shelf/config", b"nobody listens", 0)
        end.wait(lambda: end.taken)
        assert end.taken[0].payload == b"late"


def test_it_comes_again_when_the_broker_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.wire, "RECONNECT_S", (0.01, 0.1))
    port = free_port()
    with running(port) as end:
        end.wait(lambda: len(end.failures) > 1)
        assert isinstance(end.failures[0], ConnectionRefusedError)
        assert end.sessions == 0
    with (
        broker_of(tmp_path / "broker", "node-shelf") as (port, password),
        running(port, password) as end,
    ):
        end.wait(lambda: end.sessions == 1)
        near = end.client.socket()
        assert isinstance(near, KeepingSocket)
        beneath = near._beneath
        assert isinstance(beneath, socket.socket)
        beneath.shutdown(socket.SHUT_RDWR)
        end.wait(lambda: end.sessions == 2)


def test_one_that_is_ended_while_it_connects_does_not_stay() -> None:
    """The listener takes the connection and never says a word of MQTT."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        with running(listener.getsockname()[1]) as end:
            taken, _ = listener.accept()
        assert end.sessions == 0
        taken.close()
