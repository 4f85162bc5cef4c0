"""What the hub shows but does not keep: the health of nodes, the latest of each, in memory."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from typing import Any

from contracts.messages import NodeDied, NodeHealth
from hub.effects import NOTHING, Effects, LogEvent

__all__ = ["FEED_MAX", "Live", "NodeState"]

FEED_MAX = 500
"""Latest events kept for the staff page."""
VISITS_MAX = 10_000
"""Visits whose latest change is remembered; beyond that all of them count as changed."""


SEEN_S = 5.0
"""So old what is kept of a visit may be."""
_OF_NO_PHONE = (
    "decision.", "device.", "entry.", "gate.", "node.", "order.", "parcel.", "pickup.", "route.",
    "stock.", "wall.",
)  # fmt: skip
"""Events of no visit that no phone shows; visits that a decision names are told apart."""


@dataclass(slots=True)
class NodeState:
    """One node as it was last heard of. Hub seconds."""

    heard_s: float | None = None
    health: NodeHealth | None = None
    health_s: float | None = None
    dead_boot: str | None = None


@dataclass(frozen=True, slots=True)
class _Kept:
    """What was made of a visit, of which version of it and when, in hub seconds."""

    version: int
    sign: object
    made_s: float
    view: dict[str, Any]


@dataclass(slots=True)
class Live:
    """All nodes of the store, and how many messages of each kind came."""

    nodes: dict[str, NodeState] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    feed: deque[LogEvent] = field(default_factory=lambda: deque(maxlen=FEED_MAX))
    refused: Counter[str] = field(default_factory=Counter)
    version: int = 0
    _all_at: int = 0
    _visit_at: dict[str, int] = field(default_factory=dict)
    _wall_at: dict[str, int] = field(default_factory=dict)
    _kept: dict[str, _Kept] = field(default_factory=dict)

    def happened(self, effects: Effects) -> None:
        """Events for the feed; anything watching sees that something changed."""
        self.version += 1
        for wall_id in effects.walls:
            self._wall_at[wall_id] = self.version
        if effects is NOTHING or not effects:
            return
        self.feed.extend(effects.events)
        if any(
            event.visit_id is None and not event.kind.startswith(_OF_NO_PHONE)
            for event in effects.events
        ):
            self.changed_all()
        attempted = {attempt.visit_id for attempt in effects.attempts.values()}
        for visit_id in effects.visits | effects.named | attempted:
            self._visit_at[visit_id] = self.version
        if len(self._visit_at) > VISITS_MAX:
            self._visit_at.clear()
            self.changed_all()

    def changed_all(self) -> None:
        """Something changed that every phone may show."""
        self.version += 1
        self._all_at = self.version

    def recovered(self) -> None:
        """The hub read its database again: what was not stored did not happen."""
        self.feed.clear()
        self.changed_all()

    def visit_version(self, visit_id: str) -> int:
        """Rises whenever something happened that the phone of a visit may show."""
        return max(self._all_at, self._visit_at.get(visit_id, 0))

    def wall_version(self, wall_id: str) -> int:
        """Rises whenever something changed that the pages of a wall may show."""
        return max(self._all_at, self._wall_at.get(wall_id, 0))

    def seen(
        self, visit_id: str, sign: object, now_s: float, make: Callable[[], dict[str, Any]]
    ) -> dict[str, Any]:
        """What `make` made of a visit, made anew when something happened that its phone may show,
        `sign` is another one, or it is SEEN_S old: what a moment makes of it, as an opening hour
        does, is in nobody's version. Not to be changed."""
        version = self.visit_version(visit_id)
        kept = self._kept.get(visit_id)
        if (
            kept is None
            or (kept.version, kept.sign) != (version, sign)
            or not 0.0 <= now_s - kept.made_s < SEEN_S
        ):
            kept = self._kept[visit_id] = _Kept(version, sign, now_s, make())
        return kept.view

    def forget_seen(self, shown: Collection[str]) -> None:
        """Of visits that are not shown any more nothing is kept."""
        if len(self._kept) > len(shown):
            self._kept = {name: self._kept[name] for name in shown if name in self._kept}

    def count(self, name: str, by: int = 1) -> None:
        """Counts something for the metrics page."""
        self.counts[name] = self.counts.get(name, 0) + by

    def heard(self, device_id: str, now_s: float) -> None:
        """Any message of a node is a sign of life."""
        node = self.nodes.get(device_id)
        if node is not None:
            node.heard_s = now_s

    def unnumbered(self, channel: str, device_id: str, payload: bytes, now_s: float) -> None:
        """What is no part of a node's stream, by its channel; ValueError if it is of none."""
        if channel == "health":
            self.pulse(device_id, NodeHealth.model_validate_json(payload), now_s)
        elif channel == "died":
            self.died(device_id, NodeDied.model_validate_json(payload))
        else:
            raise ValueError(f"expected a channel of nodes, got {channel}")

    def pulse(self, device_id: str, health: NodeHealth, now_s: float) -> None:
        """A node's own word on its health."""
        node = self.nodes[device_id]
        node.health, node.health_s, node.heard_s = health, now_s, now_s

    def died(self, device_id: str, message: NodeDied) -> None:
        """The broker's word that a connection broke; it says nothing of a later boot."""
        self.nodes[device_id].dead_boot = message.boot_id
