"""The broker's ACL: made from the topic table, enforced by a real Mosquitto."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from contracts.topics import topic
from sortie.broker import BrokerFiles, acl_text, broker_command, write_broker_files
from sortie.supervisor import free_port, wait_for_port

TIMEOUT_S = 15.0


@pytest.fixture
def broker(tmp_path: Path) -> Iterator[BrokerFiles]:
    files = write_broker_files(
        tmp_path / "broker", store_id="demo", node_ids=["node-a", "node-b"], port=free_port()
    )
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


def connect(files: BrokerFiles, user: str, password: str) -> tuple[mqtt.Client, list[str], int]:
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=f"test-{user}")
    client.username_pw_set(user, password)
    answered = Event()
    codes: list[int] = []
    got: list[str] = []

    def on_connect(_c: object, _u: object, _f: object, reason: object, _p: object) -> None:
        codes.append(getattr(reason, "value", -1))
        answered.set()

    client.on_connect = on_connect
    client.on_message = lambda _c, _u, message: got.append(message.topic)
    client.connect("127.0.0.1", files.port)
    client.loop_start()
    assert answered.wait(TIMEOUT_S)
    return client, got, codes[0]


def finish(client: mqtt.Client) -> None:
    client.disconnect()
    client.loop_stop()


def test_a_wrong_password_is_refused(broker: BrokerFiles) -> None:
    client, _, code = connect(broker, "node-a", "guess")
    finish(client)
    assert code != 0


def test_a_node_reaches_the_hub_only_on_its_own_topics(broker: BrokerFiles) -> None:
    hub, got, code = connect(broker, "hub", broker.passwords["hub"])
    assert code == 0
    subscribed = Event()
    hub.on_subscribe = lambda *_: subscribed.set()
    hub.subscribe("sortie/v1/demo/+/events", qos=1)
    assert subscribed.wait(TIMEOUT_S)
    node, _, code = connect(broker, "node-a", broker.passwords["node-a"])
    assert code == 0
    forged = topic("events", store_id="demo", device_id="node-b")
    own = topic("events", store_id="demo", device_id="node-a")
    for name in (forged, own):
        node.publish(name, b"{}", qos=1).wait_for_publish(TIMEOUT_S)
    arrived = Event()

    def on_own(_client: object, _user: object, message: mqtt.MQTTMessage) -> None:
        got.append(message.topic)
        arrived.set()

    hub.message_callback_add(own, on_own)
    node.publish(own, b"{}", qos=1).wait_for_publish(TIMEOUT_S)
    assert arrived.wait(TIMEOUT_S)
    finish(node)
    finish(hub)
    assert forged not in got
    assert own in got


def test_acl_lets_a_node_read_only_what_the_hub_publishes() -> None:
    text = acl_text("demo", ["node-a"])
    assert "topic write sortie/v1/demo/node-a/events" in text
    assert "topic read sortie/v1/demo/node-a/ack" in text
    assert "topic write sortie/v1/demo/node-a/ack" not in text
