"""The verbs of a shopper: what scripts and generators are written in.

A plan is a tuple of verbs. Each verb has a performer, registered in store_sim.world.perform or
store_sim.world.tricks; a new verb is a new frozen class and its performer, nothing else. Other
shoppers are named by their place in the day's plans. A product is named by its GTIN.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from store_sim.dials import MishapKind

__all__ = [
    "Carry", "Crouch", "Drop", "Enter", "Exchange", "Exit", "FillUp", "HandName", "HandOver",
    "HideBehind", "HoldOnShelf", "Lean", "Look", "Meet", "PickUp", "PutBack", "Reach",
    "Scripted", "SlipInto", "SwapBehind", "SwapClothes", "Take", "TakeBoth", "Tamper", "Verb",
    "Wait", "WalkTo",
]  # fmt: skip

HandName = Literal["l", "r"]


@dataclass(frozen=True, slots=True)
class Verb:
    """Base of all verbs."""


@dataclass(frozen=True, slots=True)
class Scripted(Verb):
    """A verb that must succeed; `where` is the line of the script it stands on.

    What a wanderer lets be (a shelf that is empty, a place nobody can reach) is then refused with
    that line and the reason.
    """

    verb: Verb
    where: str


@dataclass(frozen=True, slots=True)
class Enter(Verb):
    """Come to the gate, show the code, walk in."""

    gate_id: str | None = None


@dataclass(frozen=True, slots=True)
class WalkTo(Verb):
    """Walk before a slot (`u_m`: before this place of its bay), or to a point of the floor.

    `unseen` walks to where the fewest cameras look. Who has not come to the point of the floor
    within `patience_s` stops on the way.
    """

    slot_id: str | None = None
    at_m: tuple[float, float] | None = None
    u_m: float | None = None
    unseen: bool = False
    patience_s: float = math.inf


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
class Crouch(Verb):
    """Go down on the heels for a while."""

    seconds: float = 2.0


@dataclass(frozen=True, slots=True)
class Meet(Verb):
    """Wait until `parties` shoppers have come to the meeting of this name, or for `patience_s`;
    a script that waits in vain is refused."""

    name: str
    parties: int = 2
    patience_s: float = 600.0


@dataclass(frozen=True, slots=True)
class Reach(Verb):
    """Put a hand into the shelf, touch the front item, and take nothing.

    `hover` stays a hand's breadth before the item and touches nothing.
    """

    slot_id: str
    column: int | None = None
    hand: HandName | None = None
    hover: bool = False
    stand_u_m: float | None = None


@dataclass(frozen=True, slots=True)
class Take(Verb):
    """Take the front item of a column. None lets the shopper choose column and hand.

    `pace` stretches the times of the reach: 2 is twice as slow. `count` pieces, one hidden behind
    the other, come out in one hand. `stand_u_m` fixes before which place of the bay the shopper
    stands. `into_bag` lets the hand go straight on into the bag, or under the jacket. With `gtin`
    only a column with this product in front will do.
    """

    slot_id: str
    column: int | None = None
    hand: HandName | None = None
    pace: float = 1.0
    count: int = 1
    stand_u_m: float | None = None
    into_bag: bool = False
    gtin: str | None = None


@dataclass(frozen=True, slots=True)
class TakeBoth(Verb):
    """Take two pieces in one movement, one with each hand."""

    left_slot_id: str
    right_slot_id: str
    left_column: int | None = None
    right_column: int | None = None


@dataclass(frozen=True, slots=True)
class HoldOnShelf(Verb):
    """Grip the front item and keep it, in the shelf, for long; `lift` holds it off the board.

    With `take` it comes out in the end, else it stays.
    """

    slot_id: str
    seconds: float
    column: int | None = None
    lift: bool = False
    take: bool = True


@dataclass(frozen=True, slots=True)
class PutBack(Verb):
    """Put an item onto a shelf: without `gtin` one of this slot's product, to where it was taken
    or to `column`; with `gtin` any product that is carried, wherever it belongs."""

    slot_id: str
    column: int | None = None
    hand: HandName | None = None
    pace: float = 1.0
    gtin: str | None = None
    stand_u_m: float | None = None


@dataclass(frozen=True, slots=True)
class FillUp(Verb):
    """Staff's: fill every column of a slot with new pieces, in one movement."""

    slot_id: str


@dataclass(frozen=True, slots=True)
class Carry(Verb):
    """Make a hand free: what it holds goes to the other hand, the crook of an arm or the bag."""

    hand: HandName = "r"


@dataclass(frozen=True, slots=True)
class HandOver(Verb):
    """Give a carried item into another shopper's hand; both must stand near each other."""

    to: int
    gtin: str


@dataclass(frozen=True, slots=True)
class Exchange(Verb):
    """Give an item and get another one for it."""

    partner: int
    give_gtin: str
    get_gtin: str


@dataclass(frozen=True, slots=True)
class SlipInto(Verb):
    """Put a carried item into another shopper's bag."""

    owner: int
    gtin: str


@dataclass(frozen=True, slots=True)
class SwapBehind(Verb):
    """Both hands behind the back, where what they hold changes hands."""

    seconds: float = 1.2


@dataclass(frozen=True, slots=True)
class SwapClothes(Verb):
    """Put on what another shopper wears on top; both do, and it is a swap."""

    partner: int


@dataclass(frozen=True, slots=True)
class Drop(Verb):
    """Leave a carried item on the floor."""

    gtin: str


@dataclass(frozen=True, slots=True)
class PickUp(Verb):
    """Pick an item up from the floor."""

    gtin: str


@dataclass(frozen=True, slots=True)
class HideBehind(Verb):
    """Stand close behind another shopper, so that the other hides one from the shelf's camera."""

    other: int
    seconds: float = 3.0


@dataclass(frozen=True, slots=True)
class Lean(Verb):
    """Lean on a bay with the body's weight: tens of kilograms over many plates."""

    slot_id: str
    seconds: float = 3.0
    strength_g: float = 15_000.0


@dataclass(frozen=True, slots=True)
class Tamper(Verb):
    """Do something to a device: the mishap begins now and lasts so long."""

    kind: MishapKind
    target: str = ""
    seconds: float = 10.0
    amount: float = 1.0


@dataclass(frozen=True, slots=True)
class Exit(Verb):
    """Walk out over the exit line."""

    gate_id: str | None = None
