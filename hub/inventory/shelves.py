"""What the hub knows of its shelves beside the counts: planogram, strays, staff's work, doubts.

A store in which staff never did anything here, and nothing lies astray, has an empty `dump`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from contracts.store_file import StoreFile
from hub.inventory.model import Place

__all__ = ["Facing", "Find", "Move", "Policy", "Session", "Shelves"]

DONE_KEPT = 200
"""Finished sessions, counts and finds whose ids are remembered, so that repeating is harmless."""
DEFAULT_LOW_PERCENT = 25


@dataclass(frozen=True, slots=True)
class Facing:
    """What a slot is for and how much it holds."""

    gtin: str
    facings: int
    deep: int
    low_at: int | None = None

    @property
    def capacity(self) -> int:
        """Pieces."""
        return self.facings * self.deep

    def row(self) -> list[Any]:
        """As JSON."""
        return [self.gtin, self.facings, self.deep, self.low_at]


@dataclass(slots=True)
class Policy:
    """Whether slots are watched, and how much a node may move. 0 is no bound. `told` is whether
    anybody ever said how it shall be."""

    watch_stock: bool = False
    low_percent: int = DEFAULT_LOW_PERCENT
    pieces_per_minute_max: int = 0
    beyond_stock_max: int = 0
    told: bool = False


@dataclass(slots=True)
class Move:
    """Pieces that staff put in (or took out if negative); `held` waits for a second look."""

    move_id: str
    slot_id: str
    gtin: str
    quantity: int
    role: str
    state: Literal["done", "held", "dropped"]


@dataclass(slots=True)
class Session:
    """One round of restocking. `seen` is what cameras and plates made of the same hands:
    reach and line to (slot, GTIN, pieces put in)."""

    session_id: str
    role: str
    started_s: float
    moves: dict[str, Move] = field(default_factory=dict)
    seen: dict[str, tuple[str, str, int]] = field(default_factory=dict)
    finished_s: float | None = None


@dataclass(slots=True)
class Find:
    """Pieces in the lost-and-found, or that were there."""

    find_id: str
    gtin: str
    quantity: int
    where: str
    visit_id: str | None
    role: str
    at_s: float
    slot_id: str | None = None
    state: Literal["waiting", "shelved", "kept"] = "waiting"


@dataclass(slots=True)
class Shelves:
    """The state of all that. `strays` says since when and by which reach a piece is astray,
    `quarantined` since when and why nothing a node says moves a cart."""

    policy: Policy = field(default_factory=Policy)
    planogram: dict[str, Facing] = field(default_factory=dict)
    changed: set[str] = field(default_factory=set)
    strays: dict[Place, tuple[float, str]] = field(default_factory=dict)
    low: set[str] = field(default_factory=set)
    out: set[str] = field(default_factory=set)
    counts: dict[str, list[Any]] = field(default_factory=dict)
    sessions: dict[str, Session] = field(default_factory=dict)
    finds: dict[str, Find] = field(default_factory=dict)
    quarantined: dict[str, tuple[float, str]] = field(default_factory=dict)
    moved: dict[str, deque[tuple[float, int, int]]] = field(default_factory=dict)
    tellers: dict[str, str] = field(default_factory=dict)
    stale: bool = False

    @classmethod
    def of(cls, store: StoreFile) -> Shelves:
        """What the store file says."""
        return cls(
            planogram={
                slot.slot_id: Facing(slot.gtin, slot.facings, slot.deep, slot.low_at)
                for slot in store.slots
            }
        )

    def low_at(self, slot_id: str) -> int:
        """So many pieces or fewer are low."""
        facing = self.planogram[slot_id]
        if facing.low_at is not None:
            return facing.low_at
        return facing.capacity * self.policy.low_percent // 100

    def open_sessions(self) -> list[Session]:
        """Rounds of restocking that go on."""
        return [one for one in self.sessions.values() if one.finished_s is None]

    def forget_done(self) -> None:
        """Keeps the latest of what is finished; all of it is in the event log."""
        done = [name for name, one in self.sessions.items() if one.finished_s is not None]
        for name in done[:-DONE_KEPT]:
            del self.sessions[name]
        resolved = [name for name, one in self.finds.items() if one.state != "waiting"]
        for name in resolved[:-DONE_KEPT]:
            del self.finds[name]
        for name in list(self.counts)[:-DONE_KEPT]:
            del self.counts[name]

    def dump(self) -> dict[str, Any]:
        """What was made of the store file, as JSON values; empty if nothing was."""
        made: dict[str, Any] = {
            "planogram": {name: self.planogram[name].row() for name in sorted(self.changed)},
            "strays": [[*place, *since] for place, since in sorted(self.strays.items())],
            "low": sorted(self.low),
            "out": sorted(self.out),
            "counts": self.counts,
            "sessions": [asdict(one) for one in self.sessions.values()],
            "finds": [asdict(one) for one in self.finds.values()],
            "quarantined": {name: list(why) for name, why in sorted(self.quarantined.items())},
        }
        if self.policy != Policy():
            made["policy"] = asdict(self.policy)
        if any(self.moved.values()):
            made["moved"] = {n: [list(row) for row in rows] for n, rows in self.moved.items()}
        return {name: value for name, value in made.items() if value}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump` described."""
        self.policy = Policy(**state.get("policy", {}))
        for name, row in state.get("planogram", {}).items():
            if name in self.planogram:
                self.planogram[name] = Facing(*row)
                self.changed.add(name)
        self.strays = {
            (slot, gtin): (since_s, reach_id)
            for slot, gtin, since_s, reach_id in state.get("strays", ())
        }
        self.low, self.out = set(state.get("low", ())), set(state.get("out", ()))
        self.counts = {name: list(row) for name, row in state.get("counts", {}).items()}
        self.sessions = {row["session_id"]: _session(row) for row in state.get("sessions", ())}
        self.finds = {row["find_id"]: Find(**row) for row in state.get("finds", ())}
        self.quarantined = {
            name: (since_s, why) for name, (since_s, why) in state.get("quarantined", {}).items()
        }
        self.moved = {
            name: deque((t_s, pieces, beyond) for t_s, pieces, beyond in rows)
            for name, rows in state.get("moved", {}).items()
        }


def _session(row: Mapping[str, Any]) -> Session:
    return Session(
        **{
            **row,
            "moves": {name: Move(**move) for name, move in row["moves"].items()},
            "seen": {
                name: (slot, gtin, count) for name, (slot, gtin, count) in row["seen"].items()
            },
        }
    )
