"""What a benchmark's nodes say: events in their envelopes, numbered node by node."""

from __future__ import annotations

from datetime import UTC, datetime

from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.store_file import StoreFile
from contracts.topics import topic

__all__ = ["Letters"]


class Letters:
    """Wraps the events of a store's nodes, all of them in one boot of that name."""

    def __init__(self, layout: StoreFile, boot_id: str) -> None:
        self._store_id = layout.store_id
        self._boot_id = boot_id
        self.latest: dict[str, int] = {}
        """The number of a node's latest event."""

    def wrapped(self, device: str, message: m.Message, monotonic_us: int) -> bytes:
        """A node's next event."""
        sequence = self.latest.get(device, -1) + 1
        self.latest[device] = sequence
        item = envelope(
            message,
            store_id=self._store_id,
            device_id=device,
            boot_id=self._boot_id,
            sequence=sequence,
            monotonic_us=monotonic_us,
            config_revision=1,
            time=datetime(2026, 1, 1, tzinfo=UTC),
        )
        return encode(item)

    def channel(self, device: str, name: str = "events") -> str:
        """Where a node's events go."""
        return topic(name, store_id=self._store_id, device_id=device)
