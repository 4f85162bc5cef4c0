"""What a node remembers over a kill: the core's state and how far each sensor was read.

The state of a bay is only whole while nothing is under way in it: a reach that is open lives in
the core and not in a snapshot. So each bay's part is taken when the bay is quiet, together with
the place in the plates' ring up to which it is true. After a kill the bay reads on from there,
finds again what was under way, and tells it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from contracts.messages import NodeConfig
from edge.errors import SnapshotError
from hardware.rings import Cursor

__all__ = ["NodeMemory"]

MEMORY_SCHEMA = 1


class NodeMemory:
    """The stored state of one node, brought up to date bay by bay."""

    def __init__(self, config: NodeConfig) -> None:
        self._bay_of = {camera.camera_id: camera.bay_id for camera in config.cameras}
        self._core: dict[str, Any] = {}
        self._scales: dict[str, Cursor] = {}
        self._gate: Cursor | None = None

    @property
    def core(self) -> dict[str, Any]:
        """The core's state, for `NodeCore.restore`."""
        return self._core

    @property
    def gate_cursor(self) -> Cursor | None:
        """How far the gates were read."""
        return self._gate

    def scale_cursor(self, bay_id: str) -> Cursor | None:
        """How far a bay's plates were read when its state was taken."""
        return self._scales.get(bay_id)

    def update(
        self,
        core: Mapping[str, Any],
        *,
        quiet: frozenset[str],
        scales: Mapping[str, Cursor | None],
        gate: Cursor | None,
    ) -> None:
        """Takes a fresh snapshot in, but of bays that are not quiet leaves the older part."""
        fresh = dict(core)
        for name, bays in (("plates", None), ("shelf", self._bay_of)):
            older = self._core.get(name, {})
            fresh[name] = {
                key: core[name].get(key, older.get(key))
                if (key if bays is None else bays.get(key)) in quiet
                else older.get(key)
                for key in {**older, **core[name]}
            }
            # A part that was never taken while its bay was quiet does not exist yet.
            fresh[name] = {key: part for key, part in fresh[name].items() if part is not None}
        self._core = fresh
        self._gate = gate
        for bay_id, cursor in scales.items():
            if bay_id in quiet and cursor is not None:
                self._scales[bay_id] = cursor

    def encode(self) -> bytes:
        """JSON bytes."""
        document = {
            "schema": MEMORY_SCHEMA,
            "core": self._core,
            "scales": {name: _fields(cursor) for name, cursor in self._scales.items()},
            "gate": None if self._gate is None else _fields(self._gate),
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @staticmethod
    def decode(stored: bytes, config: NodeConfig) -> NodeMemory:
        """The memory in these bytes; SnapshotError if they are something else."""
        memory = NodeMemory(config)
        try:
            document = json.loads(stored)
            if document["schema"] != MEMORY_SCHEMA:
                raise SnapshotError(
                    f"expected a memory of schema {MEMORY_SCHEMA}, got {document['schema']!r}"
                )
            memory._core = dict(document["core"])
            memory._scales = {name: _cursor(row) for name, row in document["scales"].items()}
            memory._gate = None if document["gate"] is None else _cursor(document["gate"])
        except (ValueError, KeyError, TypeError, AttributeError, IndexError) as error:
            raise SnapshotError(
                f"expected the memory of an earlier boot, got bytes that are none ({error})"
            ) from error
        return memory


def _fields(cursor: Cursor) -> list[int]:
    return [cursor.generation, cursor.next_record]


def _cursor(row: Any) -> Cursor:
    return Cursor(int(row[0]), int(row[1]))
