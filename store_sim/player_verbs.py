"""The one place that knows which verbs of the world a command of the page becomes.

Verbs that this version of the world does not have are tricks that it does not know: they are left
out of `known_tricks`, and asking for one is refused with a sentence.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields
from typing import Any, cast

from store_sim.errors import BadCommandError, PlayerError
from store_sim.player import PlayerSeat
from store_sim.player_commands import TrickName
from store_sim.world import VisitPlan, World, verbs

__all__ = [
    "DOING",
    "SHELF_TRICKS",
    "TRICKS",
    "admit",
    "known_tricks",
    "knows_elsewhere",
    "plan_of",
    "put_down",
    "trick_verb",
]

TRICKS: dict[TrickName, tuple[str, tuple[str, ...], dict[str, Any]]] = {
    "take_two": ("Take", ("slot_id",), {"count": 2}),
    "hide": ("Take", ("slot_id",), {"into_bag": True}),
    "lean": ("Lean", ("slot_id",), {"seconds": 3.0}),
    "swap_behind": ("SwapBehind", (), {}),
    "drop": ("Drop", ("gtin",), {}),
}
"""Tricks, the verbs that do them, what a person chooses, and what is always so."""
SHELF_TRICKS = frozenset(trick for trick, (_, chosen, _) in TRICKS.items() if "slot_id" in chosen)
"""Tricks that need a slot; the others need something in the hands."""
DOING = {
    "Enter": "coming in",
    "Take": "taking",
    "PutBack": "putting back",
    "SwapBehind": "swapping hands behind the back",
    "Drop": "leaving something on the floor",
    "Lean": "leaning on the shelf",
    "WalkTo": "walking",
    "Look": "looking",
    "Exit": "walking out",
}
"""What a verb looks like from outside."""


def plan_of(seat: PlayerSeat) -> VisitPlan:
    """A visit that begins at the gate and goes on as the seat says."""
    seat.ask(verbs.Enter())
    # The world draws verbs as it needs them; any iterable will do.
    return VisitPlan(0.0, cast(Any, seat))


def admit(world: World, plan: VisitPlan) -> int:
    """Lets a shopper of this plan come now; the shopper's index. PlayerError if it cannot be."""
    join: Callable[[VisitPlan], int] | None = getattr(world, "admit", None)
    if join is None:
        raise PlayerError("expected a world that takes guests (World.admit), got one that does not")
    return join(plan)


def known_tricks() -> list[TrickName]:
    """Tricks for which this world has a verb."""
    return [
        trick
        for trick, (name, chosen, fixed) in TRICKS.items()
        if hasattr(verbs, name) and {*chosen, *fixed} <= _fields_of(name)
    ]


def knows_elsewhere() -> bool:
    """Whether things can be put back into another slot than their own."""
    return "gtin" in _fields_of("PutBack")


def trick_verb(trick: TrickName, *, slot_id: str | None, gtin: str | None) -> verbs.Verb:
    """The verb of a trick; BadCommandError if this world does not know it or a choice is missing.

    Of `slot_id` and `gtin` only what the trick needs is looked at.
    """
    if trick not in known_tricks():
        known = ", ".join(known_tricks()) or "no trick"
        raise BadCommandError(f"trick: this world knows {known}, got {trick}")
    name, chosen, fixed = TRICKS[trick]
    choices = {"slot_id": slot_id, "gtin": gtin}
    for choice in chosen:
        if choices[choice] is None:
            raise BadCommandError(f"{choice}: {trick} needs one, got none")
    verb: verbs.Verb = getattr(verbs, name)(**{one: choices[one] for one in chosen}, **fixed)
    return verb


def put_down(slot_id: str, *, gtin: str, at_home: bool) -> verbs.Verb:
    """Puts a piece onto a slot, its own (`at_home`) or another; BadCommandError where no verb
    can."""
    if at_home:
        return verbs.PutBack(slot_id)
    if not knows_elsewhere():
        raise BadCommandError("slot_id: this world puts things back where they belong")
    elsewhere: dict[str, Any] = {"gtin": gtin}
    return verbs.PutBack(slot_id, **elsewhere)


def _fields_of(verb: str) -> set[str]:
    kind = getattr(verbs, verb, None)
    return set() if kind is None else {field.name for field in fields(kind)}
