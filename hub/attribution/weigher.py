"""What one joint hypothesis says of the next reach: carts, stock, bodies, and acts told twice."""

from __future__ import annotations

import math
from collections.abc import Sequence

from hub.attribution.chances import NEVER
from hub.attribution.choices import Choice
from hub.attribution.evidence import Line
from hub.attribution.lives import SAME_TIME_S, Hypothesis, Live, may_be_one
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Ledger, Move

__all__ = ["Weigher", "Weights"]

BEFORE_M, AWAY_M = 0.09, 0.2
"""Put nearer than this to where something is taken, an item stands before it; further, aside."""
ARM_SPAN_M = 1.3
"""Two hands of one body are hardly further apart along the front."""


class Weigher:
    """Log-weights of a choice under a hypothesis: carts, stock, bodies, and acts told twice.

    `only_lowers`: no reach near in time may be the same act, so no weight is above zero.

    What other reaches say depends on what a hypothesis chose for the near ones alone, and what
    it says of carts and stock on its net moves, so that both are summed up once for many choices.
    """

    def __init__(
        self,
        lives: Sequence[Live],
        ledger: Ledger,
        layout: Layout,
        settings: AttributionSettings,
    ) -> None:
        self._lives = lives
        self._ledger = ledger
        self._layout = layout
        self._habits = settings.habits
        self._both_hands = math.log(settings.habits.both_hands_p)
        live = lives[-1]
        self._t_s = live.t_s
        self._choices = live.choices
        self._held: dict[tuple[str | None, str], int] = {}
        self._stock: dict[tuple[int, str], int] = {}
        self._near = [
            index for index, other in enumerate(lives[:-1]) if other.t_s >= live.t0_s - SAME_TIME_S
        ]
        self._twins = [i for i, other in enumerate(lives[:-1]) if may_be_one(other, live)]
        self._around = sorted({*self._near, *self._twins})
        self.only_lowers = not self._twins
        self._gains: dict[tuple[int, int, Line], float] = {}
        self._told: dict[tuple[int, int, int], tuple[bool, float]] = {}
        self._far: dict[tuple[int, int, int], int] = {}
        self._by_near: dict[tuple[int, ...], dict[int, tuple[float, float]]] = {}
        self._crowded = {place for other in lives for place, _ in other.strays}
        self._left: dict[int, list[str]] = {}
        self._plenty = [self._is_plenty(choice) for choice in live.choices]

    def is_free(self, number: int) -> bool:
        """Whether the weight of a choice is zero whatever the hypothesis."""
        return self._plenty[number] and not self._around

    def _is_plenty(self, choice: Choice) -> bool:
        """Whether carts and shelves say nothing of a choice: plenty stands at its own place."""
        for move in choice.moves:
            if move.quantity < 0 or self._layout.places[move.place].gtin != move.gtin:
                return False
            if move.place in self._crowded or self._strays(move.place):
                return False
            key = (move.place, move.gtin)
            most = sum(live.drains.get(key, 0) for live in self._lives)
            if self._shelved(*key) < most:
                return False
        return True

    def after(self, hypothesis: Hypothesis) -> Weights:
        """The weights of all choices after one hypothesis."""
        chosen = tuple([hypothesis.chosen[index] for index in self._around])
        others = self._by_near.get(chosen)
        if others is None:
            others = self._by_near[chosen] = {}
        return Weights(self, hypothesis, others)

    def _others(self, number: int, chosen: tuple[int, ...]) -> tuple[float, float]:
        """What the near reaches say of a choice: of distant hands, and of acts told twice."""
        far = self._bodies(number, chosen) if self._near and self._choices[number].moves else 0.0
        told = self._told_twice(number, chosen) if self._twins else 0.0
        return far, told

    def _told_twice(self, number: int, chosen: tuple[int, ...]) -> float:
        """A reach that is nothing of its own may be another look at what a near one did; and
        one hand seldom does two things before it comes out."""
        total = 0.0
        seen = 0.0
        for index in self._twins:
            key = (number, index, chosen[index])
            told = self._told.get(key)
            if told is None:
                told = self._told[key] = self._told_by(*key)
            if told[0]:
                seen = max(seen, told[1])
            else:
                total += told[1]
        return total + seen

    def _told_by(self, number: int, index: int, chosen: int) -> tuple[bool, float]:
        """What a near reach's choice says of this one's; true where it may be what was seen here,
        of which only one can be."""
        last = len(self._lives) - 1
        choice = self._choices[number]
        other = self._lives[index]
        moves = other.choices[chosen].moves
        if moves and choice.moves:
            return False, self._once_more(choice, other)
        if moves:
            return True, max(self._gain(last, index, move) for move in moves)
        gains = (self._gain(index, last, move) for move in choice.moves)
        return False, max(0.0, *gains) if choice.moves else 0.0

    def _tells_more(self, one: int, other: int) -> bool:
        """Of two reaches of one act the weighed one counts, else the earlier one: not either."""
        first = bool(self._lives[one].evidence.reach.grams)
        second = bool(self._lives[other].evidence.reach.grams)
        return one < other if first == second else first

    def _once_more(self, choice: Choice, other: Live) -> float:
        """A hand that already did something: what was seen of it does not count a second time."""
        live = self._lives[-1]
        shared = live.hands & other.hands
        if not shared:
            return 0.0
        lines = [Line(move.gtin, move.quantity, move.place) for move in choice.moves]
        counted = max(
            live.evidence.of_hand(index, lines)
            for index, hand in enumerate(live.evidence.reach.hands)
            if hand.hand_id in shared
        )
        return math.log(self._habits.same_hand_p) - max(0.0, counted)

    def _gain(self, nothing: int, acting: int, move: Move) -> float:
        """How much better a reach is understood as a second look at another's move."""
        if not self._tells_more(acting, nothing):
            return NEVER
        line = Line(move.gtin, move.quantity, move.place)
        key = (nothing, acting, line)
        gain = self._gains.get(key)
        if gain is None:
            evidence = self._lives[nothing].evidence
            gain = evidence.of_second_sight(line, self._lives[acting].evidence)
            self._gains[key] = gain
        return gain

    def _kept(self, owner: str | None, gtin: str) -> int:
        """Pieces settled to be in a cart."""
        key = (owner, gtin)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = self._ledger.held(owner, gtin, self._t_s)
        return held

    def _shelved(self, place: int, gtin: str) -> int:
        """Pieces settled to be at a place."""
        stock = self._stock.get((place, gtin))
        if stock is None:
            stock = self._stock[place, gtin] = self._ledger.stock(place, gtin, self._t_s)
        return stock

    def _strays(self, place: int) -> list[str]:
        """What is settled to stand misplaced at a place."""
        if place not in self._left:
            self._left[place] = self._ledger.strays_at(place)
        return self._left[place]

    def _bodies(self, number: int, chosen: tuple[int, ...]) -> float:
        """One body does not reach at two distant places at once."""
        total = 0.0
        for index in self._near:
            key = (number, index, chosen[index])
            far = self._far.get(key)
            if far is None:
                far = self._far[key] = self._reaches_far(*key)
            for _ in range(far):
                total += self._both_hands
        return total

    def _reaches_far(self, number: int, index: int, chosen: int) -> int:
        """How many pairs of moves of two reaches would be one body's at two distant places. Two
        bodies of one visit are at two places all the time."""
        several = self._lives[-1].several
        return sum(
            move.owner is not None
            and move.owner == other.owner
            and move.owner not in several
            and self._apart(move.place, other.place)
            for other in self._lives[index].choices[chosen].moves
            for move in self._choices[number].moves
        )

    def _apart(self, a: int, b: int) -> bool:
        one, two = self._layout.places[a], self._layout.places[b]
        if one.bay_id == two.bay_id:
            return abs(one.u_m - two.u_m) > ARM_SPAN_M
        origin = self._layout.bays[one.bay_id].origin_m
        away = self._layout.bays[two.bay_id].origin_m
        return math.dist(origin, away) > ARM_SPAN_M + 0.5


class Weights:
    """The weights of a reach's choices after one hypothesis."""

    def __init__(
        self,
        weigher: Weigher,
        hypothesis: Hypothesis,
        others: dict[int, tuple[float, float]],
    ) -> None:
        self._weigher = weigher
        self._hypothesis = hypothesis
        self._others = others
        self._shelf: dict[tuple[int, str], int] | None = None
        self._carts: dict[tuple[str | None, str], int] = {}
        self._put: dict[int, dict[str, float | None]] = {}

    def of(self, number: int) -> float:
        """Log-weight of the choice of that number, beyond the bound it has already."""
        weigher = self._weigher
        choice = weigher._choices[number]
        total = -choice.bound
        if not weigher._plenty[number]:
            if self._shelf is None:
                self._sum_up()
            for index, move in enumerate(choice.moves):
                before = choice.moves[:index] if index else ()
                if move.quantity > 0:
                    total += self._presence(move, before)
                elif move.owner is not None and self._holding(move, before) < -move.quantity:
                    return NEVER
        others = self._others.get(number)
        if others is None:
            others = self._others[number] = weigher._others(number, self._hypothesis.chosen)
        return total + others[0] + others[1]

    def _sum_up(self) -> None:
        """Net moves of the hypothesis on each shelf and in each cart, and what it put where."""
        shelf: dict[tuple[int, str], int] = {}
        carts = self._carts
        for _t_s, owner, gtin, quantity, place, u_m in self._hypothesis.moves:
            at = (place, gtin)
            shelf[at] = shelf.get(at, 0) + quantity
            line = (owner, gtin)
            carts[line] = carts.get(line, 0) + quantity
            if quantity < 0:
                self._put.setdefault(place, {})[gtin] = u_m
        self._shelf = shelf

    def _holding(self, move: Move, before: tuple[Move, ...]) -> int:
        held = self._weigher._kept(move.owner, move.gtin)
        held += self._carts.get((move.owner, move.gtin), 0)
        for other in before:
            if other.owner == move.owner and other.gtin == move.gtin:
                held += other.quantity
        return held

    def _on_shelf(self, place: int, gtin: str, before: tuple[Move, ...]) -> int:
        stock = self._weigher._shelved(place, gtin)
        if self._shelf:
            stock -= self._shelf.get((place, gtin), 0)
        for other in before:
            if other.place == place and other.gtin == gtin:
                stock -= other.quantity
        return stock

    def _presence(self, move: Move, before: tuple[Move, ...]) -> float:
        """How likely the pieces stand there to be taken."""
        habits = self._weigher._habits
        layout = self._weigher._layout
        place = layout.places[move.place]
        there = self._on_shelf(move.place, move.gtin, before)
        if place.gtin == move.gtin:
            blocked = math.log(habits.behind_stray_p) if self._blocked(move, before) else 0.0
            return blocked if there >= move.quantity else blocked + math.log(habits.empty_p)
        if there >= 1:
            missing = 1.0 if there >= move.quantity else habits.empty_p
            put_m = self._put_m(move.place, move.gtin, before)
            if put_m is not None and move.u_m is not None and abs(put_m - move.u_m) > AWAY_M:
                missing *= habits.stray_away_p
            return math.log(habits.misplaced_taken_p * missing)
        for other in layout.by_board[place.bay_id, place.board_id]:
            if other.gtin != move.gtin and self._on_shelf(other.index, move.gtin, before) >= 1:
                # Misplaced on this board, perhaps nearer to here than the put-back looked.
                return math.log(0.25 * habits.misplaced_taken_p)
        return math.log(habits.stray_p)

    def _blocked(self, move: Move, before: tuple[Move, ...]) -> bool:
        """Whether something misplaced stands before the very pieces that a move takes."""
        if move.u_m is None:
            return False
        left, put = self._weigher._strays(move.place), self._put.get(move.place)
        if not (left or put or before):
            return False
        own = self._weigher._layout.places[move.place].gtin
        strays = {*left, *(put or ())}
        strays.update(m.gtin for m in before if m.place == move.place and m.quantity < 0)
        strays.discard(own)
        for gtin in strays:
            put_m = self._put_m(move.place, gtin, before)
            near = put_m is not None and abs(put_m - move.u_m) < BEFORE_M
            if near and self._on_shelf(move.place, gtin, before) >= 1:
                return True
        return False

    def _put_m(self, place: int, gtin: str, before: tuple[Move, ...]) -> float | None:
        """Where along the bay an article was last put at a place."""
        for move in reversed(before):
            if move.place == place and move.gtin == gtin and move.quantity < 0:
                return move.u_m
        put = self._put.get(place)
        if put is not None and gtin in put:
            return put[gtin]
        return self._weigher._ledger.put_at(place, gtin)
