"""The bus: how a node publishes and hears, over Mosquitto (edge.mqtt) or in memory.

The in-memory broker keeps what MQTT promises at QoS 1 within one process: order per publisher,
retained messages, last wills, topic filters with `+` and `#`. It has no thread and no clock, so
that lockstep runs are the same twice.

>>> broker = MemoryBroker()
>>> node, hub = broker.client("node"), broker.client("hub")
>>> hub.subscribe(("sortie/v1/+/+/events",))
>>> node.publish(Letter("sortie/v1/demo/node/events", b"hello"))
True
>>> hub.poll()
[Letter(topic='sortie/v1/demo/node/events', payload=b'hello', qos=1, retain=False)]
"""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Literal, Protocol

__all__ = ["Bus", "Letter", "MemoryBroker", "MemoryBus", "matches"]

INBOX_MAX = 1_000_000


@dataclass(frozen=True, slots=True)
class Letter:
    """One message on the wire."""

    topic: str
    payload: bytes
    qos: Literal[0, 1] = 1
    retain: bool = False


class Bus(Protocol):
    """What a driver needs of a broker.

    `session` counts connections: when it changes, whatever was under way may be lost.
    """

    @property
    def session(self) -> int:
        """How often this client was connected; 0 before the first time."""
        ...

    @property
    def connected(self) -> bool:
        """Whether publishing can succeed now."""
        ...

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Asks for topics, now and after every reconnection."""
        ...

    def publish(self, letter: Letter) -> bool:
        """Hands a letter over; False if it was not taken (not connected, or too much under way)."""
        ...

    def poll(self) -> list[Letter]:
        """What arrived since the last call."""
        ...

    def close(self) -> None:
        """Says goodbye; closing twice is fine."""
        ...


def matches(topic_filter: str, topic: str) -> bool:
    """Whether a topic fits a filter (MQTT 3.1.1, section 4.7)."""
    wanted, given = topic_filter.split("/"), topic.split("/")
    for index, part in enumerate(wanted):
        if part == "#":
            return True
        if index >= len(given) or part not in ("+", given[index]):
            return False
    return len(wanted) == len(given)


class MemoryBroker:
    """A broker within one process."""

    def __init__(self) -> None:
        self._clients: list[MemoryBus] = []
        self._retained: dict[str, Letter] = {}

    def client(self, name: str, *, will: Letter | None = None) -> MemoryBus:
        """A new, connected client."""
        bus = MemoryBus(self, name, will)
        self._clients.append(bus)
        return bus

    def deliver(self, letter: Letter) -> None:
        """Hands a letter to everybody who asked for its topic."""
        if letter.retain:
            if letter.payload:
                self._retained[letter.topic] = letter
            else:
                self._retained.pop(letter.topic, None)
        for client in self._clients:
            client.receive(letter)

    def retained(self, filters: tuple[str, ...]) -> list[Letter]:
        """Retained letters that fit."""
        return [
            letter
            for topic, letter in sorted(self._retained.items())
            if any(matches(wanted, topic) for wanted in filters)
        ]


class MemoryBus:
    """One client of a MemoryBroker; follows the Bus protocol. `dropped` counts an overrun inbox."""

    def __init__(self, broker: MemoryBroker, name: str, will: Letter | None) -> None:
        self._broker = broker
        self._filters: tuple[str, ...] = ()
        self._inbox: deque[Letter] = deque()
        self._will = will
        self.name = name
        self.dropped = 0
        self._session = 1
        self._connected = True

    @property
    def session(self) -> int:
        """How often this client was connected."""
        return self._session

    @property
    def connected(self) -> bool:
        """Whether publishing can succeed now."""
        return self._connected

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Asks for topics; retained letters come at once."""
        self._filters += filters
        for letter in self._broker.retained(filters):
            self._put(letter)

    def publish(self, letter: Letter) -> bool:
        """Delivers a letter; False while cut off."""
        if not self._connected:
            return False
        self._broker.deliver(letter)
        return True

    def poll(self) -> list[Letter]:
        """What arrived since the last call."""
        letters = list(self._inbox)
        self._inbox.clear()
        return letters

    def close(self) -> None:
        """A clean goodbye: no last will."""
        self._connected = False
        self._inbox.clear()

    def cut(self) -> None:
        """The connection breaks: what was under way is lost and the last will is sent."""
        if self._connected:
            self._connected = False
            self._inbox.clear()
            if self._will is not None:
                self._broker.deliver(self._will)

    def join(self) -> None:
        """The connection is back; subscriptions are renewed."""
        if not self._connected:
            self._connected = True
            self._session += 1
            for letter in self._broker.retained(self._filters):
                self._put(letter)

    def receive(self, letter: Letter) -> None:
        """Takes a letter from the broker if it was asked for."""
        if self._connected and any(matches(wanted, letter.topic) for wanted in self._filters):
            self._put(letter)

    def _put(self, letter: Letter) -> None:
        if len(self._inbox) >= INBOX_MAX:
            self.dropped += 1
            return
        self._inbox.append(letter)
