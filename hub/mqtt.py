"""The hub's MQTT client: paho with manual acknowledgement, so that the broker hands out no more
than is being worked on.

PUBACK says that a message is done with, not that it is stored: nodes send again what the hub did
not confirm to them. paho's thread puts messages into a bounded inbox; the writer thread empties it.
When the inbox is full a message is dropped and counted.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion

from contracts.topics import TOPICS, topic
from hub.errors import SettingsError
from hub.service import Outgoing
from hub.settings import HubSettings

__all__ = ["INBOX_MAX", "Arrived", "HubMqtt"]

INBOX_MAX = 20_000
QUEUED_MAX = 10_000
IN_FLIGHT_MAX = 1_000
KEEPALIVE_S = 10
RECONNECT_S = (1, 10)


@dataclass(frozen=True, slots=True)
class Arrived:
    """A message and what acknowledges it; `events`: how many are in it."""

    topic: str
    payload: bytes
    mid: int
    qos: int
    events: int = 1


class HubMqtt:
    """One connection to the broker. `on_news` is called from paho's thread. Hubs of one store
    share a name at the broker, which so hands its messages to whoever came last; one that is not
    the `owner` any more must not come again."""

    def __init__(
        self,
        settings: HubSettings,
        store_id: str,
        *,
        on_news: Callable[[], None],
        owner: Callable[[], bool] = lambda: True,
    ) -> None:
        self._settings = settings
        self._on_news = on_news
        self._owner = owner
        self._filters = [
            (topic(row.name, store_id=store_id, device_id="+"), 1)
            for row in TOPICS.values()
            if row.publisher in ("node", "broker")
        ]
        self._inbox: deque[Arrived] = deque()
        self._lock = threading.Lock()
        self._ready = threading.Event()
        self.dropped = 0
        self.connected = False
        self.sessions = 0
        self.last_error = "not connected yet"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"sortie-hub-{store_id}",
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            manual_ack=True,
        )
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        client.max_queued_messages_set(QUEUED_MAX)
        client.reconnect_delay_set(*RECONNECT_S)
        if settings.mqtt_username is not None:
            password = settings.mqtt_password
            client.username_pw_set(
                settings.mqtt_username, None if password is None else password.get_secret_value()
            )
        _encrypt(client, settings)
        client.on_pre_connect = self._before
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_connect_fail = self._failed
        client.on_message = self._arrived
        self._client = client

    def start(self) -> None:
        """Connects; SettingsError if the broker is not there in time."""
        settings = self._settings
        self._client.connect_async(settings.mqtt_host, settings.mqtt_port, keepalive=KEEPALIVE_S)
        self._client.loop_start()
        if not self._ready.wait(settings.mqtt_wait_s):
            self.stop()
            raise SettingsError(
                f"no connection to the broker at {settings.mqtt_host}:{settings.mqtt_port} within "
                f"{settings.mqtt_wait_s:g} s: {self.last_error}; start it or correct "
                "SORTIE_HUB_MQTT_*"
            )

    def stop(self) -> None:
        """Disconnects; what was not acknowledged comes again from the nodes."""
        self._client.disconnect()
        self._client.loop_stop()

    def take(self, most: int) -> list[Arrived]:
        """The oldest messages, until there are `most` events or a few more in them."""
        taken: list[Arrived] = []
        events = 0
        with self._lock:
            while self._inbox and events < most:
                item = self._inbox.popleft()
                events += item.events
                taken.append(item)
        return taken

    def acknowledge(self, arrived: Iterable[Arrived]) -> None:
        """The messages are done with, committed or not: the broker may forget them."""
        for item in arrived:
            self._client.ack(item.mid, item.qos)

    def publish(self, outgoing: Iterable[Outgoing]) -> None:
        """Hands messages to paho; while there is no connection they are dropped.

        An ack that is lost makes its node send again, a ping is asked again, and retained
        configurations are published anew by the driver after every connection.
        """
        if not self.connected:
            return
        for item in outgoing:
            self._client.publish(item.topic, item.payload, item.qos, item.retain)

    def _before(self, _client: paho.Client, _data: Any) -> None:
        """paho takes this for a connection that failed, and tries again later."""
        if not self._owner():
            raise ConnectionRefusedError("another hub owns the store")

    def _connected(
        self, client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        if reason.is_failure:
            self.last_error = f"refused: {reason}"
            return
        client.subscribe(self._filters)
        self.connected = True
        self.sessions += 1
        self._ready.set()
        self._on_news()

    def _disconnected(
        self, _client: paho.Client, _data: Any, _flags: Any, reason: Any, _properties: Any
    ) -> None:
        self.connected = False
        self.last_error = f"disconnected: {reason}"
        with self._lock:
            # Their acknowledgements would belong to a session that is gone.
            self._inbox.clear()
        self._on_news()

    def _failed(self, _client: paho.Client, _data: Any) -> None:
        self.last_error = f"nobody answers ({MQTTErrorCode.MQTT_ERR_CONN_REFUSED.name})"

    def _arrived(self, client: paho.Client, _data: Any, message: paho.MQTTMessage) -> None:
        name, payload = message.topic, bytes(message.payload)
        events = payload.count(b"\n") + 1 if name.endswith("/batch") else 1
        with self._lock:
            if len(self._inbox) >= INBOX_MAX:
                self.dropped += 1
                client.ack(message.mid, message.qos)
                return
            self._inbox.append(Arrived(name, payload, message.mid, message.qos, events))
        self._on_news()


def _encrypt(client: paho.Client, settings: HubSettings) -> None:
    """TLS with the broker's CA, and this hub's own certificate if it has one."""
    if settings.mqtt_tls_ca is None:
        return
    ca, own, key = settings.mqtt_tls_ca, settings.mqtt_tls_cert, settings.mqtt_tls_key
    try:
        client.tls_set(
            str(ca), None if own is None else str(own), None if key is None else str(key)
        )
    except (OSError, ValueError) as error:
        shown = ", ".join(str(path) for path in (ca, own, key) if path is not None)
        raise SettingsError(f"expected PEM files at {shown}: {error}") from error
