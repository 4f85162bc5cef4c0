"""The verbs of a shopper: what scripts and generators are written in.

A plan is a tuple of verbs. Each verb has a performer, registered in store_sim.world.perform; a new
verb is a new frozen class and its performer, nothing else.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

__all__ = [
    "Carry", "Enter", "Exit", "HandName", "Look", "PutBack", "Reach", "Take", "Verb", "Wait",
    "WalkTo",
]  # fmt: skip

HandName = Literal["l", "r"]


@dataclass(frozen=True, slots=True)
class Verb:
    """Base of all verbs."""


@dataclass(frozen=True, slots=True)
class Enter(Verb):
    """Come to the gate, show the code, walk in."""

    gate_id: str | None = None


@dataclass(frozen=True, slots=True)
class WalkTo(Verb):
    """Walk before a slot, or to a point of the floor (`at_m`)."""

    slot_id: str | None = None
    at_m: tuple[float, float] | None = None


@dataclass(frozen=True, slots=True)
class Look(Verb):
    """Look at a slot for a while, with empty or full hands, without reaching."""

    slot_id: str
    seconds: float = 1.0


@dataclass(frozen=True, slots=True)
class Wait(Verb):
    """Stand about."""

    seconds: float


@dataclass(frozen=True, slots=True)
class Reach(Verb):
    """Put a hand into the shelf, touch the front item, and take nothing."""

    slot_id: str
    column: int | None = None
    hand: HandName | None = None


@dataclass(frozen=True, slots=True)
class Take(Verb):
    """Take the front item of a column. None lets the shopper choose column and hand.

    `pace` stretches the times of the reach: 2 is twice as slow.
    """

    slot_id: str
    column: int | None = None
    hand: HandName | None = None
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class PutBack(Verb):
    """Put an item of this slot's product back to where it was taken, or to `column`."""

    slot_id: str
    column: int | None = None
    hand: HandName | None = None
    pace: float = 1.0


@dataclass(frozen=True, slots=True)
class Carry(Verb):
    """Make a hand free: what it holds goes to the other hand, the crook of an arm or the bag."""

    hand: HandName = "r"


@dataclass(frozen=True, slots=True)
class Exit(Verb):
    """Walk out over the exit line."""

    gate_id: str | None = None
