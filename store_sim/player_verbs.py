"""The one place that knows which verbs of the world a command of the page becomes."""

from __future__ import annotations

from typing import Any

from store_sim.errors import BadCommandError
from store_sim.player import PlayerSeat
from store_sim.player_commands import TrickName
from store_sim.world import VisitPlan, verbs

__all__ = [
    "DOING",
    "SHELF_TRICKS",
    "TRICKS",
    "plan_of",
    "put_down",
    "trick_verb",
]

TRICKS: dict[TrickName, tuple[type[verbs.Verb], tuple[str, ...], dict[str, Any]]] = {
    "take_two": (verbs.Take, ("slot_id",), {"count": 2}),
    "hide": (verbs.Take, ("slot_id",), {"into_bag": True}),
    "lean": (verbs.Lean, ("slot_id",), {"seconds": 3.0}),
    "swap_behind": (verbs.SwapBehind, (), {}),
    "drop": (verbs.Drop, ("gtin",), {}),
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
    return VisitPlan(0.0, seat)


def trick_verb(trick: TrickName, *, slot_id: str | None, gtin: str | None) -> verbs.Verb:
    """The verb of a trick; BadCommandError if a choice is missing.

    Of `slot_id` and `gtin` only what the trick needs is looked at.
    """
    kind, chosen, fixed = TRICKS[trick]
    choices = {"slot_id": slot_id, "gtin": gtin}
    for choice in chosen:
        if choices[choice] is None:
            raise BadCommandError(f"{choice}: {trick} needs one, got none")
    return kind(**{one: choices[one] for one in chosen}, **fixed)


def put_down(slot_id: str, *, gtin: str, at_home: bool) -> verbs.Verb:
    """Puts a piece onto a slot, its own (`at_home`) or another."""
    return verbs.PutBack(slot_id, gtin=None if at_home else gtin)
