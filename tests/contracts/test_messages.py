"""Every message: its fixture decodes, encodes back, and bad payloads are named."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from contracts import codec
from contracts.envelope import MESSAGE_BYTES_MAX
from contracts.errors import InvalidMessageError, UnknownMessageError
from contracts.messages import MESSAGES, GateScanned, Message
from contracts.topics import TOPICS, device_of, topic

FIXTURES = Path(__file__).parent / "fixtures"


def wrap(message: Message, sequence: int = 7) -> bytes:
    return codec.encode(
        codec.envelope(
            message,
            store_id="demo",
            device_id="node-a",
            boot_id="b1",
            sequence=sequence,
            monotonic_us=1_500_000,
            config_revision=3,
            time=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC),
        )
    )


def fixture(kind: str) -> dict[str, object]:
    value = json.loads((FIXTURES / f"{kind}.json").read_text(encoding="utf-8"))
    assert isinstance(value, dict)
    return value


@pytest.mark.parametrize("kind", sorted(MESSAGES))
def test_fixture_decodes_and_comes_back_the_same(kind: str) -> None:
    data = fixture(kind)
    message = MESSAGES[kind].model_validate(data)
    assert json.loads(message.model_dump_json(exclude_defaults=True)) == data
    assert codec.message_of(codec.decode(wrap(message))) == message


def test_there_is_a_fixture_for_each_message_and_no_other() -> None:
    assert {path.stem for path in FIXTURES.glob("*.json")} == set(MESSAGES)


def test_each_message_has_one_topic() -> None:
    carried = [message for row in TOPICS.values() for message in row.messages]
    assert sorted(m.TYPE for m in carried) == sorted(MESSAGES)
    assert device_of(topic("events", store_id="demo", device_id="node-a")) == "node-a"
    with pytest.raises(ValueError, match="expected sortie/v1"):
        device_of("elsewhere/x")


def test_unknown_field_is_refused_and_named() -> None:
    data = fixture(GateScanned.TYPE) | {"face": "none"}
    envelope = codec.decode(wrap(GateScanned.model_validate(fixture(GateScanned.TYPE))))
    with pytest.raises(InvalidMessageError, match="face"):
        codec.message_of(envelope.model_copy(update={"data": data}))


def test_nan_is_refused() -> None:
    payload = wrap(GateScanned.model_validate(fixture(GateScanned.TYPE)))
    broken = payload.replace(b'"t_s":12.5', b'"t_s":NaN')
    assert broken != payload
    with pytest.raises(InvalidMessageError):
        codec.message_of(codec.decode(broken))


def test_unknown_type_and_garbage_are_named() -> None:
    envelope = codec.decode(wrap(GateScanned(gate_id="entry", code="x", t_s=1.0)))
    with pytest.raises(UnknownMessageError, match=r"sortie\.odd\.thing\.v1"):
        codec.message_of(envelope.model_copy(update={"type": "sortie.odd.thing.v1"}))
    with pytest.raises(InvalidMessageError, match="CloudEvents"):
        codec.decode(b"\x00garbage")
    with pytest.raises(InvalidMessageError, match=str(MESSAGE_BYTES_MAX)):
        codec.decode(b"x" * (MESSAGE_BYTES_MAX + 1))
