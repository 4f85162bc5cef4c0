"""Envelope and message are read in one pass; what differs from the usual is read as before."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from contracts.codec import decode, encode, envelope, message_of
from contracts.errors import InvalidMessageError, UnknownMessageError
from contracts.messages import GateScanned, Watermark


def wire(**changes: Any) -> bytes:
    item = envelope(
        Watermark(t_s=3.0, last_seq=2), store_id="demo", device_id="node-1", boot_id="b",
        sequence=3, monotonic_us=5, config_revision=1, time=datetime(2026, 1, 1, tzinfo=UTC),
    )  # fmt: skip
    return json.dumps(json.loads(encode(item)) | changes).encode()


def test_the_message_of_the_usual_envelope_is_checked_with_it() -> None:
    item = decode(wire())
    assert message_of(item) == Watermark(t_s=3.0, last_seq=2)
    assert message_of(decode(encode(item))) == Watermark(t_s=3.0, last_seq=2)


def test_a_type_inside_the_data_is_not_the_envelopes() -> None:
    """The bytes name another type first; the envelope's own counts."""
    inside = {"type": Watermark.TYPE, "gate_id": "g", "code": "c", "t_s": 1.0}
    usual = json.loads(wire())
    usual.pop("data")
    usual["type"] = GateScanned.TYPE
    payload = json.dumps({"data": inside} | usual).encode()
    with pytest.raises(InvalidMessageError, match="type"):
        message_of(decode(payload))


@pytest.mark.parametrize("data", [{}, {"t_s": -1.0, "last_seq": 2}, {"t_s": 1.0, "extra": 1}])
def test_wrong_data_still_has_an_envelope(data: dict[str, Any]) -> None:
    item = decode(wire(data=data))
    assert item.sequence == 3, "its place in the stream is known"
    with pytest.raises(InvalidMessageError, match=Watermark.TYPE):
        message_of(item)


def test_an_unknown_type_still_has_an_envelope() -> None:
    item = decode(wire(type="sortie.new.thing.v9"))
    with pytest.raises(UnknownMessageError):
        message_of(item)


def test_a_wrong_envelope_is_told_as_such() -> None:
    with pytest.raises(InvalidMessageError, match="sequence"):
        decode(wire(sequence=-1))
