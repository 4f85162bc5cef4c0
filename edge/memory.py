"""What a node remembers over a kill: the core's state and how far each sensor was read.

The state of a bay is only whole while nothing is under way in it: a reach that is open lives in
the core and not in a snapshot. So each bay's part is taken when the bay is quiet, together with
the place in the plates' ring up to which it is true. After a kill the bay reads on from there,
finds again what was under way, and tells it.

What a shelf camera remembers is a picture and costs milliseconds to write down. It is taken anew
when a reach of its bay was told, because the shelf looks different from then on, and now and then
besides, because light changes. Each camera is a part of its own in the outbox's state.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterable, Mapping
from typing import Any

from contracts.messages import Message, NodeConfig, ReachClosed
from edge.errors import SnapshotError
from hardware.rings import Cursor

__all__ = ["NodeMemory"]

MEMORY_SCHEMA = 1
BASE = "node"
SHELF_PREFIX = "shelf:"
SHELF_REFRESH_S = 15.0


class NodeMemory:
    """The stored state of one node, brought up to date bay by bay."""

    def __init__(self, config: NodeConfig) -> None:
        self._bays = {
            camera.camera_id: camera.bay_id
            for camera in config.cameras
            if camera.bay_id is not None
        }
        self._base: dict[str, Any] = {}
        self._shelf: dict[str, Any] = {}
        self._scales: dict[str, Cursor] = {}
        self._gate: Cursor | None = None
        self._changed: set[str] = set()
        self._taken_s: dict[str, float] = {}

    @property
    def core(self) -> dict[str, Any]:
        """The core's state, for `NodeCore.restore`."""
        return {**self._base, "shelf": self._shelf}

    @property
    def gate_cursor(self) -> Cursor | None:
        """How far the gates were read."""
        return self._gate

    def scale_cursor(self, bay_id: str) -> Cursor | None:
        """How far a bay's plates were read when its state was taken."""
        return self._scales.get(bay_id)

    def told(self, events: Iterable[Message]) -> None:
        """Notes bays whose shelves look different from now on."""
        self._changed |= {event.bay_id for event in events if isinstance(event, ReachClosed)}

    def cameras_due(self, quiet: Collection[str], now_s: float, *, all_of_them: bool) -> set[str]:
        """Cameras whose memory should be taken now."""
        return {
            camera_id
            for camera_id, bay_id in self._bays.items()
            if bay_id in quiet
            and (
                all_of_them
                or bay_id in self._changed
                or now_s - self._taken_s.get(camera_id, -1e18) >= SHELF_REFRESH_S
            )
        }

    def update(
        self,
        core: Mapping[str, Any],
        *,
        quiet: Collection[str],
        now_s: float,
        scales: Mapping[str, Cursor | None],
        gate: Cursor | None,
    ) -> dict[str, bytes]:
        """Takes a fresh snapshot in; the parts to store, by name.

        Of bays that are not quiet the older part stays. `core["shelf"]` holds the cameras that
        were due, no others.
        """
        older = self._base.get("plates", {})
        plates = {
            bay_id: core["plates"][bay_id] if bay_id in quiet else older[bay_id]
            for bay_id in core["plates"]
            if bay_id in quiet or bay_id in older
        }
        self._base = {
            **{name: part for name, part in core.items() if name != "shelf"},
            "plates": plates,
        }
        self._gate = gate
        for bay_id, cursor in scales.items():
            if bay_id in quiet and cursor is not None:
                self._scales[bay_id] = cursor
        parts = {BASE: self._encode_base()}
        for camera_id, state in core["shelf"].items():
            self._shelf[camera_id] = state
            self._taken_s[camera_id] = now_s
            parts[SHELF_PREFIX + camera_id] = _json(state)
        taken = {self._bays[camera_id] for camera_id in core["shelf"] if camera_id in self._bays}
        self._changed -= taken
        # Bays without a camera have nothing more to take.
        self._changed &= set(self._bays.values())
        return parts

    @staticmethod
    def load(read: Callable[[str], bytes | None], config: NodeConfig) -> NodeMemory:
        """The memory that an outbox holds, empty if it holds none; SnapshotError if damaged."""
        memory = NodeMemory(config)
        base = read(BASE)
        if base is None:
            return memory
        try:
            document = json.loads(base)
            if document["schema"] != MEMORY_SCHEMA:
                raise SnapshotError(
                    f"expected a memory of schema {MEMORY_SCHEMA}, got {document['schema']!r}"
                )
            memory._base = dict(document["core"])
            memory._scales = {name: _cursor(row) for name, row in document["scales"].items()}
            memory._gate = None if document["gate"] is None else _cursor(document["gate"])
            for camera_id in memory._bays:
                part = read(SHELF_PREFIX + camera_id)
                if part is not None:
                    memory._shelf[camera_id] = json.loads(part)
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise SnapshotError(
                f"expected the memory of an earlier boot, got bytes that are none ({error})"
            ) from error
        return memory

    def _encode_base(self) -> bytes:
        return _json(
            {
                "schema": MEMORY_SCHEMA,
                "core": self._base,
                "scales": {name: _fields(cursor) for name, cursor in self._scales.items()},
                "gate": None if self._gate is None else _fields(self._gate),
            }
        )


def _json(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()


def _fields(cursor: Cursor) -> list[int]:
    return [cursor.generation, cursor.next_record]


def _cursor(row: Any) -> Cursor:
    return Cursor(int(row[0]), int(row[1]))
