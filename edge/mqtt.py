"""The bus over MQTT, by paho-mqtt 2: MQTT 3.1.1, QoS 1, clean sessions, a last will.

paho's own thread does the network and reconnects with a bounded pause; letters arrive in a
bounded inbox that the node's loop empties. Nothing here is durable: the outbox is. After a
reconnection paho repeats what the broker did not confirm and the outbox repeats what the hub did
not commit; the overlap is at most the drain's window, and the hub takes each event once.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion, MQTTErrorCode, MQTTProtocolVersion
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from edge.bus import Letter
from edge.errors import BrokerError

__all__ = ["MqttBus", "MqttSettings"]

INBOX_MAX = 10_000
QUEUE_MAX = 4096
IN_FLIGHT_MAX = 512


class MqttSettings(BaseModel):
    """Where the broker is and who we are to it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    host: Annotated[str, Field(min_length=1, description="name or address")] = "127.0.0.1"
    port: Annotated[int, Field(ge=1, le=65535, description="TCP port")] = 1883
    username: Annotated[str | None, Field(description="None: anonymous")] = None
    password: Annotated[SecretStr | None, Field(description="of the user")] = None
    tls_ca: Annotated[Path | None, Field(description="CA file; None: no TLS")] = None
    tls_cert: Annotated[
        Path | None, Field(description="this node's certificate; None: a password will do")
    ] = None
    tls_key: Annotated[Path | None, Field(description="the certificate's key")] = None
    keepalive_s: Annotated[int, Field(ge=2, le=3600, description="MQTT keep-alive")] = 5
    reconnect_first_s: Annotated[int, Field(ge=1, le=60, description="first pause")] = 1
    reconnect_max_s: Annotated[int, Field(ge=1, le=600, description="longest pause")] = 10

    @property
    def shown(self) -> str:
        """The broker's address fit for a log."""
        return f"mqtt{'s' if self.tls_ca else ''}://{self.host}:{self.port}"


class MqttBus:
    """One MQTT client; follows the Bus protocol. `on_news` is called, from paho's thread, when
    something arrived or the connection changed, so that a loop can sleep until then."""

    def __init__(
        self,
        settings: MqttSettings,
        *,
        client_id: str,
        will: Letter | None = None,
        on_news: Callable[[], None] | None = None,
    ) -> None:
        self._settings = settings
        self._on_news = on_news or (lambda: None)
        self._lock = threading.Lock()
        self._changed = threading.Condition(self._lock)
        self._filters: tuple[str, ...] = ()
        self._inbox: deque[Letter] = deque()
        self._session = 0
        self._connected = False
        self._closed = False
        self.dropped = 0
        self.last_error: str | None = f"{settings.shown}: not connected yet"
        client = paho.Client(
            CallbackAPIVersion.VERSION2,
            client_id=client_id,
            clean_session=True,
            protocol=MQTTProtocolVersion.MQTTv311,
            reconnect_on_failure=True,
        )
        client.max_inflight_messages_set(IN_FLIGHT_MAX)
        client.max_queued_messages_set(QUEUE_MAX)
        client.reconnect_delay_set(settings.reconnect_first_s, settings.reconnect_max_s)
        if settings.username is not None:
            password = settings.password
            client.username_pw_set(
                settings.username, password.get_secret_value() if password else None
            )
        if settings.tls_ca is not None:
            try:
                client.tls_set(
                    str(settings.tls_ca),
                    None if settings.tls_cert is None else str(settings.tls_cert),
                    None if settings.tls_key is None else str(settings.tls_key),
                )
            except (OSError, ValueError) as error:
                raise BrokerError(
                    f"{settings.shown}: CA file {settings.tls_ca}, certificate "
                    f"{settings.tls_cert} or its key cannot be used ({error}); give PEM files"
                ) from error
        if will is not None:
            client.will_set(will.topic, will.payload, will.qos, will.retain)
        client.on_connect = self._connection_made
        client.on_disconnect = self._connection_lost
        client.on_connect_fail = self._connection_failed
        client.on_message = self._letter_came
        self._client = client

    def start(self) -> None:
        """Begins to connect, and goes on trying; `wait_connected` and `last_error` tell how."""
        self._client.connect_async(
            self._settings.host, self._settings.port, keepalive=self._settings.keepalive_s
        )
        self._client.loop_start()

    def wait_connected(self, timeout_s: float) -> None:
        """BrokerError, with address and reason, if there is no connection in time."""
        deadline_s = time.monotonic() + timeout_s
        with self._changed:
            while not self._connected:
                left_s = deadline_s - time.monotonic()
                if left_s <= 0 or not self._changed.wait(left_s):
                    raise BrokerError(
                        f"no connection within {timeout_s:g} s: {self.last_error}; start the "
                        "broker or correct host, port and credentials"
                    )

    @property
    def session(self) -> int:
        """How often this client was connected; 0 before the first time."""
        with self._lock:
            return self._session

    @property
    def connected(self) -> bool:
        """Whether publishing can succeed now."""
        with self._lock:
            return self._connected

    def subscribe(self, filters: tuple[str, ...]) -> None:
        """Asks for topics, now and after every reconnection."""
        with self._lock:
            self._filters += filters
            connected = self._connected
        if connected and filters:
            self._client.subscribe([(wanted, 1) for wanted in filters])

    def publish(self, letter: Letter) -> bool:
        """Hands a letter to paho; False if not connected or its queue is full."""
        if not self.connected:
            return False
        answer = self._client.publish(letter.topic, letter.payload, letter.qos, letter.retain)
        return answer.rc == MQTTErrorCode.MQTT_ERR_SUCCESS

    def poll(self) -> list[Letter]:
        """What arrived since the last call."""
        with self._lock:
            letters = list(self._inbox)
            self._inbox.clear()
        return letters

    def close(self) -> None:
        """A clean goodbye: the broker does not send the last will. Closing twice is fine."""
        if self._closed:
            return
        self._closed = True
        self._client.disconnect()
        self._client.loop_stop()

    def _connection_made(
        self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        if reason.is_failure:
            with self._changed:
                self.last_error = f"{self._settings.shown}: the broker refuses us ({reason})"
                self._changed.notify_all()
            self._on_news()
            return
        with self._lock:
            filters = self._filters
        if filters:
            client.subscribe([(wanted, 1) for wanted in filters])
        with self._changed:
            self._connected = True
            self._session += 1
            self.last_error = None
            self._changed.notify_all()
        self._on_news()

    def _connection_lost(
        self, client: paho.Client, userdata: Any, flags: Any, reason: Any, properties: Any
    ) -> None:
        with self._changed:
            if self._connected:
                # After a refusal the line breaks too; the refusal is the better reason then.
                self.last_error = f"{self._settings.shown}: the connection broke ({reason})"
            self._connected = False
            self._changed.notify_all()
        self._on_news()

    def _connection_failed(self, client: paho.Client, userdata: Any) -> None:
        with self._changed:
            self.last_error = f"{self._settings.shown}: nobody answers there"
            self._changed.notify_all()
        self._on_news()

    def _letter_came(self, client: paho.Client, userdata: Any, message: paho.MQTTMessage) -> None:
        letter = Letter(
            topic=message.topic,
            payload=bytes(message.payload),
            qos=1 if message.qos else 0,
            retain=message.retain,
        )
        with self._lock:
            if len(self._inbox) >= INBOX_MAX:
                self.dropped += 1
                return
            self._inbox.append(letter)
        self._on_news()
