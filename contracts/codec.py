"""Bytes to messages and back; every fault says what was expected and what came."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, Final, Literal

from pydantic import ValidationError, create_model

from contracts.envelope import BATCH_EVENTS_MAX, MESSAGE_BYTES_MAX, Envelope
from contracts.errors import InvalidMessageError, UnknownMessageError
from contracts.messages import MESSAGES, Message

__all__ = ["decode", "encode", "envelope", "joined", "message_of", "packed", "split"]

_TYPE: Final = re.compile(rb'"type":\s*"([a-z0-9_.]{1,100})"')


def envelope(
    message: Message,
    *,
    store_id: str,
    device_id: str,
    boot_id: str,
    sequence: int,
    monotonic_us: int,
    config_revision: int,
    time: datetime,
) -> Envelope:
    """Wraps a message; the id is made of device, boot and sequence, so that it is stable."""
    return Envelope(
        id=f"{device_id}:{boot_id}:{sequence}",
        source=f"/stores/{store_id}/devices/{device_id}",
        type=message.TYPE,
        time=time,
        storeid=store_id,
        deviceid=device_id,
        bootid=boot_id,
        sequence=sequence,
        monotonicus=monotonic_us,
        configrevision=config_revision,
        data=message.model_dump(mode="json", exclude_defaults=True),
    )


def encode(item: Envelope | Message) -> bytes:
    """JSON bytes; InvalidMessageError above MESSAGE_BYTES_MAX."""
    if isinstance(item, Envelope):
        payload = item.model_dump_json().encode()
    else:
        payload = item.model_dump_json(exclude_defaults=True).encode()
    if len(payload) > MESSAGE_BYTES_MAX:
        raise InvalidMessageError(
            f"expected at most {MESSAGE_BYTES_MAX} bytes, got {len(payload)}; split the message"
        )
    return payload


def decode(payload: bytes) -> Envelope:
    """An envelope from bytes; InvalidMessageError tells what is wrong with it."""
    if len(payload) > MESSAGE_BYTES_MAX:
        raise InvalidMessageError(f"expected at most {MESSAGE_BYTES_MAX} bytes, got {len(payload)}")
    found = _TYPE.search(payload)
    whole = None if found is None else _whole(found.group(1))
    if whole is not None:
        # Envelope and message in one pass; what is wrong with either is told below.
        try:
            return whole.model_validate_json(payload)
        except ValidationError:
            pass
    try:
        return Envelope.model_validate_json(payload)
    except ValidationError as error:
        raise InvalidMessageError(f"expected a CloudEvents envelope: {_short(error)}") from error


def packed(payloads: Sequence[bytes], *, most: int = BATCH_EVENTS_MAX) -> Iterator[list[bytes]]:
    """Envelopes in the letters that may carry them: at most so many, and no letter too large."""
    part: list[bytes] = []
    size = 0
    for payload in payloads:
        more = len(payload) + 1
        if part and (len(part) >= most or size + more > MESSAGE_BYTES_MAX):
            yield part
            part, size = [], 0
        part.append(payload)
        size += more
    if part:
        yield part


def joined(payloads: Sequence[bytes]) -> bytes:
    """One letter of the `batch` channel: envelopes as they stand, a line each."""
    return b"\n".join(payloads)


def split(payload: bytes) -> list[bytes]:
    """The envelopes of a `batch` letter; InvalidMessageError if it is too large or too many."""
    if len(payload) > MESSAGE_BYTES_MAX:
        raise InvalidMessageError(f"expected at most {MESSAGE_BYTES_MAX} bytes, got {len(payload)}")
    lines = payload.split(b"\n")
    if len(lines) > BATCH_EVENTS_MAX:
        raise InvalidMessageError(f"expected at most {BATCH_EVENTS_MAX} lines, got {len(lines)}")
    return lines


def message_of(item: Envelope) -> Message:
    """The message inside an envelope, by its type."""
    data: object = item.data
    if isinstance(data, Message) and item.type == data.TYPE:
        return data
    kind = MESSAGES.get(item.type)
    if kind is None:
        raise UnknownMessageError(f"expected one of {sorted(MESSAGES)}, got {item.type!r}")
    try:
        return kind.model_validate(data)
    except ValidationError as error:
        raise InvalidMessageError(f"expected {item.type}: {_short(error)}") from error


@lru_cache(maxsize=256)
def _whole(type_name: bytes) -> type[Envelope] | None:
    """The envelope of one type of message, its data that message; None for types not known.

    The type is looked for in the bytes and may stand in another place than the envelope's, so it
    is checked again as a field.
    """
    name = type_name.decode()
    kind = MESSAGES.get(name)
    if kind is None:
        return None
    fields: dict[str, Any] = {"type": (Literal[name], ...), "data": (kind, ...)}
    made: type[Envelope] = create_model(f"{kind.__name__}Envelope", __base__=Envelope, **fields)
    return made


def _short(error: ValidationError) -> str:
    faults = [
        f"{'.'.join(str(part) for part in fault['loc']) or 'document'}: {fault['msg']}"
        for fault in error.errors()[:5]
    ]
    return "; ".join(faults)
