"""What staff do in the store, and what they say of it: a badge at the gate, a round of restocking
that begins, what was put where, and its end.

Who stands before a shelf with a handheld says what the hands do; what is said leaves the world as
words (`StaffWork.take`) and never as truth. A round begins with the badge and ends when its staff
have left. In a scenario that loops somebody comes each night and fills what is not full.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from store_sim.truth import ActionKind
from store_sim.world import verbs
from store_sim.world.acts import pause, reach_in, reach_out
from store_sim.world.foreign import FOREIGN
from store_sim.world.hands import free_hand, set_down
from store_sim.world.scenario import Looks, VisitPlan
from store_sim.world.shopper import Shopper
from store_sim.world.standing import Goal, in_s, out_s, place_of, refuse, stand_for
from store_sim.world.stock import Item, SlotPlace, Stock, bay_point

if TYPE_CHECKING:
    from store_sim.world.world import World

__all__ = ["WORDS_MAX", "StaffWord", "StaffWork", "night_round", "perform_fill_up"]

WORDS_MAX = 4096
"""Words kept until they are taken; the oldest are dropped."""
TRAY_S = (0.8, 1.6)
"""How long it takes to let a tray's pieces slide into their columns."""


@dataclass(frozen=True, slots=True)
class StaffWord:
    """Something staff say. `round_number` counts the rounds of a run, `number` the moves of a
    round; `pieces` are negative for what was taken from a shelf."""

    kind: Literal["began", "moved", "ended"]
    shopper: int
    round_number: int
    number: int = 0
    slot_id: str = ""
    gtin: str = ""
    pieces: int = 0


class StaffWork:
    """The rounds that go on, and the words that nobody has taken yet."""

    def __init__(self) -> None:
        self._rounds: dict[int, int] = {}
        self._moves: Counter[int] = Counter()
        self._began = 0
        self._filling = False
        self._words: deque[StaffWord] = deque(maxlen=WORDS_MAX)

    def came(self, shopper: Shopper) -> None:
        """Somebody has shown a code at the gate; staff's round begins."""
        if shopper.plan.staff:
            self._begin(shopper.index)

    def did(
        self, shopper: Shopper, kind: ActionKind, place: SlotPlace | None, item: Item | None
    ) -> None:
        """A hand did something; staff say what went to a shelf or from it."""
        round_number = self._rounds.get(shopper.index)
        if round_number is None or place is None or item is None or item.product.gtin in FOREIGN:
            return
        pieces = {"put_back": 1, "take": -1}.get(kind, 0)
        if pieces:
            slot_id, gtin = place.slot.slot_id, item.product.gtin
            self._move(StaffWord("moved", shopper.index, round_number, 0, slot_id, gtin, pieces))

    def left(self, shopper: Shopper) -> None:
        """Somebody is gone; staff's round is over."""
        self._end(shopper.index)

    def take(self) -> tuple[StaffWord, ...]:
        """What was said since the last call."""
        words = tuple(self._words)
        self._words.clear()
        return words

    def night(self, world: World) -> bool:
        """Whether somebody is sent to fill the shelves now, before the next day begins.

        What that one could not do (turned away at the gate, a slot nobody can reach) is said all
        the same: it is done before the doors open.
        """
        plan = night_round(world.stock)
        if plan is not None and not self._filling:
            self._filling = True
            world.admit(plan)
            return True
        self._filling = False
        if plan is not None:
            round_number = self._begin(-1)
            for slot_id in world.stock.places:
                lacking = Counter(p.gtin for _, p in world.stock.lacking(slot_id))
                for gtin, pieces in lacking.items():
                    self._move(StaffWord("moved", -1, round_number, 0, slot_id, gtin, pieces))
            self._end(-1)
        return False

    def _begin(self, index: int) -> int:
        self._began += 1
        self._rounds[index] = self._began
        self._words.append(StaffWord("began", index, self._began))
        return self._began

    def _end(self, index: int) -> None:
        round_number = self._rounds.pop(index, None)
        if round_number is not None:
            self._moves.pop(round_number, None)
            self._words.append(StaffWord("ended", index, round_number))

    def _move(self, word: StaffWord) -> None:
        """A tray is one word, not one a piece."""
        last = self._words[-1] if self._words else None
        if last is not None and replace(last, number=0, pieces=word.pieces) == word:
            pieces = last.pieces + word.pieces
            if pieces and pieces * word.pieces > 0:
                self._words[-1] = replace(last, pieces=pieces)
                return
        self._moves[word.round_number] += 1
        self._words.append(replace(word, number=self._moves[word.round_number]))


def night_round(stock: Stock) -> VisitPlan | None:
    """The visit of whoever fills the shelves at night; None if there is nothing to fill."""
    lacking = [slot_id for slot_id in stock.places if stock.lacking(slot_id)]
    if not lacking:
        return None
    fill = [verbs.FillUp(slot_id) for slot_id in lacking]
    plan_verbs = (verbs.Enter(), *fill, verbs.Exit())
    return VisitPlan(0.0, plan_verbs, looks=Looks(uniform=True), staff=True)


def perform_fill_up(world: World, shopper: Shopper, verb: verbs.FillUp) -> Iterator[None]:
    """Puts new pieces into every column of a slot that has room, all in one movement of a hand."""
    place = place_of(world, verb.slot_id)
    lacking = world.stock.lacking(verb.slot_id)
    if not lacking:
        refuse(shopper, f"expected room in {verb.slot_id}, got a full one")
        return
    hand = yield from free_hand(world, shopper, None)
    column, product = lacking[len(lacking) // 2]
    u, v, _ = world.stock.standing(verb.slot_id, column, product)
    goal = Goal(place, product, bay_point(place.bay, u, v, place.board.z_m), None)
    found = yield from stand_for(world, shopper, goal, hand)
    if found is None:
        return
    target, posture = found
    yield from reach_in(world, shopper, hand, target, posture, in_s(shopper, posture, 1.0))
    seconds = float(shopper.rng.uniform(*TRAY_S))
    yield from set_down(world, shopper, hand, target, seconds)
    for item in world.stock.fill_slot(verb.slot_id):
        world.record(shopper, "put_back", place, item.u_m, item, hand.side)
    yield from pause(world, 0.2)
    yield from reach_out(world, shopper, hand, target, out_s(shopper, 1.0))
    shopper.look_at = None
