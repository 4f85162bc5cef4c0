"""The explanations of one reach: who moved what, with what the sensors and habits say of each.

What depends on carts and on what stands where is not weighed here but in hub.attribution.joint,
because it differs between joint hypotheses.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from hub.attribution.chances import NEVER, log_sum
from hub.attribution.evidence import UNSEEN_HAND, Evidence, Line
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Move, Place

__all__ = ["Choice", "Whereabouts", "explain"]

PLACES_MAX = 6
"""Places of a bay that are looked at for one reach."""
LINES_PER_PLACE_MAX = 6
"""Lines weighed in full per place and direction."""
LINES_MAX = 14
"""Single lines that are combined with owners."""
PAIRED_MAX = 7
"""Single lines that are combined into pairs."""
ALONE_OFF_MAX = 3.0
"""A line fits a place's own plates if it is no further off than so many spreads."""
NAMED_MAX = 2
"""Products named by a picture that are tried where nothing else puts them."""

Who = Mapping[str | None, float]


class Choice(NamedTuple):
    """One explanation: its moves (none for nothing) and its log-score but for carts and stock.

    `bound` is the most that stock can weigh for it, and stands in the score already.
    """

    moves: tuple[Move, ...]
    score: float
    bound: float = 0.0


class Whereabouts(Protocol):
    """What may be where, over all that is still believed possible."""

    def strays_at(self, place: int) -> list[str]:
        """Articles that may stand at a place where the planogram does not have them."""
        ...

    def may_hold(self, owner: str) -> list[tuple[str, int]]:
        """Articles an owner may hold, with the most pieces of each."""
        ...


def explain(
    layout: Layout,
    settings: AttributionSettings,
    evidence: Evidence,
    who: Mapping[int, Who],
    whereabouts: Whereabouts,
    t_s: float,
) -> tuple[Choice, ...]:
    """All explanations worth keeping, best first. `who` gives the owners of each hand."""
    return _Explainer(layout, settings, evidence, who, whereabouts, t_s).choices()


class _Scored(NamedTuple):
    """A line and what the shelf says of it; `fits` is what each hand says, in their order."""

    line: Line
    owners: tuple[str | None, ...]
    shelf: float
    best: float
    fits: tuple[float, ...]


class _Explainer:
    def __init__(
        self,
        layout: Layout,
        settings: AttributionSettings,
        evidence: Evidence,
        who: Mapping[int, Who],
        whereabouts: Whereabouts,
        t_s: float,
    ) -> None:
        self._layout = layout
        self._habits = settings.habits
        self._limits = settings.limits
        self._evidence = evidence
        self._who = who
        self._whereabouts = whereabouts
        self._t_s = t_s
        self._hands = tuple(sorted(who))
        self._strays: dict[str, frozenset[str]] = {}
        self._owners = sorted({o for w in who.values() for o in w if o is not None})
        habits = settings.habits
        self._second_hand = math.log((1.0 - habits.nothing_p) / habits.two_articles_p)
        self._of_quantity = [math.log(share) for share in habits.quantity_p]
        self._of_pick = math.log(habits.pick_p / max(len(evidence.places), 1))
        self._where: dict[tuple[int, bool], float | None] = {}
        self._foreign: dict[int, float] = {}
        self._least = NEVER

    def choices(self) -> tuple[Choice, ...]:
        nothing = Choice((), math.log(self._habits.nothing_p) + self._evidence.nothing)
        singles = self._single_lines()
        found = [nothing]
        self._seen(nothing.score)
        for scored in singles[:LINES_MAX]:
            if scored.best + len(self._hands) < self._least:
                # No owner makes up for it, and lines come best first.
                break
            found.extend(self._owned(scored))
        if self._worth_pairing(singles):
            found.extend(self._pairs(singles))
        kept = _in_order([choice for choice in found if choice.score >= self._least])
        kept = kept[: self._limits.choices_max]
        if nothing not in kept:
            kept.append(nothing)
        return tuple(kept)

    def _seen(self, score: float) -> None:
        """There is an explanation of that score: `_least` is what any other must reach."""
        self._least = max(self._least, score - self._limits.choices_nats)

    # ------------------------------------------------------------ single lines

    def _single_lines(self) -> list[_Scored]:
        scored: list[_Scored] = []
        named = self._named()
        holders = [(owner, self._whereabouts.may_hold(owner)) for owner in self._owners]
        have = [(owner, dict(held)) for owner, held in holders]
        for rank, place in enumerate(self._evidence.likely_places(PLACES_MAX)):
            for line in self._screened(place, self._picks(place, named)):
                scored.append(self._score(line, (*self._owners, None)))
            puts = self._put_backs(place, named if rank < NAMED_MAX else [], holders)
            for line in self._screened(place, puts):
                holding = [
                    owner for owner, held in have if held.get(line.gtin, 0) >= -line.quantity
                ]
                scored.append(self._score(line, (*holding, None)))
        scored.sort(key=lambda s: (-s.best, s.line))
        return scored

    def _named(self) -> list[str]:
        """Products that pictures name most clearly."""
        best: dict[str, float] = {}
        reach = self._evidence.reach
        for scores in [c.products for c in reach.changes] + [h.products for h in reach.hands]:
            for entry in scores.top:
                above = entry.log_likelihood - scores.other
                if above > best.get(entry.gtin, 1.0) and entry.gtin in self._layout.articles:
                    best[entry.gtin] = above
        return sorted(best, key=lambda gtin: (-best[gtin], gtin))[:NAMED_MAX]

    def _picks(self, place: Place, named: Iterable[str]) -> list[Line]:
        key = (place.bay_id, place.board_id)
        gtins = [place.gtin, *sorted(self._strays_on(place))]
        gtins.extend(other.gtin for other in self._layout.by_board[key])
        gtins.extend(named)
        return [Line(g, k, place.index) for g in dict.fromkeys(gtins) for k in (1, 2, 3)]

    def _put_backs(
        self,
        place: Place,
        named: Iterable[str],
        holders: Sequence[tuple[str, list[tuple[str, int]]]],
    ) -> list[Line]:
        most: dict[str, int] = {place.gtin: 1}
        for gtin in named:
            most[gtin] = 1
        for _, held in holders:
            for gtin, count in held:
                most[gtin] = max(most.get(gtin, 0), min(count, 3))
        return [Line(g, -k, place.index) for g, n in most.items() for k in range(1, n + 1)]

    def _screened(self, place: Place, lines: list[Line]) -> list[Line]:
        """The lines that fit the grams of a place best; those that do not can hardly win."""
        if len(lines) <= LINES_PER_PLACE_MAX:
            return lines
        found_g = self._evidence.grams.step_total_g(place)
        weighed = self._evidence.reach.plates_ok or found_g != 0.0

        def misfit(line: Line) -> tuple[float, int, int]:
            off = self._off(found_g, line) if weighed else 0.0
            return (min(off, 12.0), abs(line.quantity), int(line.gtin != place.gtin))

        return sorted(lines, key=misfit)[:LINES_PER_PLACE_MAX]

    def _off(self, found_g: float, line: Line) -> float:
        """How far a sum of grams is from what a line moves, in spreads."""
        weight_g = line.quantity * self._layout.articles[line.gtin].weight_g
        return abs(found_g + weight_g) / (8.0 + 0.05 * abs(weight_g))

    def _score(self, line: Line, owners: tuple[str | None, ...]) -> _Scored:
        lines = (line,)
        shelf = self._evidence.of_shelf(lines) + self._prior(line)
        fits = tuple([self._evidence.of_hand(hand, lines) for hand in self._hands])
        return _Scored(line, owners, shelf, shelf + max(fits), fits)

    def _prior(self, line: Line) -> float:
        """Habits: how often this is done at all, were everything at hand."""
        habits = self._habits
        total = self._of_quantity[min(abs(line.quantity), 3) - 1]
        if line.quantity > 0:
            return total + self._of_pick + self._bound(line)
        chance = (1.0 - habits.home_p) / max(len(self._evidence.places), 1)
        if self._layout.places[line.place].gtin == line.gtin:
            homes = sum([place.gtin == line.gtin for place in self._evidence.places])
            chance += habits.home_p / homes
        return total + math.log(habits.put_back_p * chance)

    def _bound(self, line: Line) -> float:
        """The most that stock can say for a pick: not much, where nothing can have put the item."""
        if line.quantity < 0:
            return 0.0
        place = self._layout.places[line.place]
        if place.gtin == line.gtin:
            return 0.0
        if line.gtin in self._strays_on(place):
            return math.log(self._habits.misplaced_taken_p)
        return math.log(self._habits.stray_p)

    def _strays_on(self, place: Place) -> frozenset[str]:
        """What may stand misplaced anywhere on a place's board."""
        known = self._strays.get(place.board_id)
        if known is None:
            known = frozenset(
                gtin
                for other in self._layout.by_board[place.bay_id, place.board_id]
                for gtin in self._whereabouts.strays_at(other.index)
            )
            self._strays[place.board_id] = known
        return known

    # ------------------------------------------------------------ owners

    def _owned(self, scored: _Scored) -> list[Choice]:
        line = scored.line
        bound = self._bound(line)
        gtin, quantity, place = line
        where_m = self._where_m(line)
        by_hand = tuple(zip(self._hands, scored.fits, strict=True))
        choices = []
        for owner in scored.owners:
            if owner is not None or quantity > 0:
                terms = [fit + self._who[hand].get(owner, NEVER) for hand, fit in by_hand]
            else:
                terms = [fit + self._chance(hand, owner, line) for hand, fit in by_hand]
            score = scored.shelf + log_sum(terms)
            if score < self._least:
                continue
            self._seen(score)
            move = Move(self._t_s, owner, gtin, quantity, place, where_m)
            choices.append(Choice((move,), score, bound))
        return choices

    def _chance(self, hand: int, owner: str | None, line: Line) -> float:
        """Log-probability that a hand is the owner's.

        None also takes the put-backs by a body that was never seen taking the article.
        """
        who = self._who[hand]
        if owner is None and line.quantity < 0:
            chance = self._foreign.get(hand)
            if chance is None:
                foreign = self._habits.foreign_p
                none = math.exp(who[None])
                chance = self._foreign[hand] = math.log(none + foreign * (1.0 - none))
            return chance
        return who.get(owner, NEVER)

    def _move(self, owner: str | None, line: Line) -> Move:
        return Move(self._t_s, owner, line.gtin, line.quantity, line.place, self._where_m(line))

    def _where_m(self, line: Line) -> float | None:
        """Where along the bay a line was done, if a sensor says so."""
        key = (line.place, line.quantity > 0)
        if key not in self._where:
            self._where[key] = self._evidence.where_m(line)
        return self._where[key]

    # ------------------------------------------------------------ pairs

    def _worth_pairing(self, singles: Sequence[_Scored]) -> bool:
        """Whether something is left that one line does not explain."""
        reach = self._evidence.reach
        if not singles:
            return False
        if (
            len(reach.hands) > 1
            or self._evidence.grams.weighed_places() > 1
            or len(reach.changes) > 1
        ):
            return True
        best = singles[0].line
        found_g = self._evidence.grams.step_total_g(self._layout.places[best.place])
        if found_g == 0.0:
            return False
        weight_g = best.quantity * self._layout.articles[best.gtin].weight_g
        return abs(found_g + weight_g) > 12.0 + 0.1 * abs(weight_g)

    def _pairs(self, singles: Sequence[_Scored]) -> list[Choice]:
        found: list[Choice] = []
        extra = math.log(self._habits.two_articles_p)
        tops = self._pairable(singles)
        for index, first in enumerate(tops):
            for second in tops[index + 1 :]:
                a, b = first.line, second.line
                if a.place == b.place and a.gtin == b.gtin:
                    continue
                shelf = self._evidence.of_shelf((a, b)) + self._prior(a) + self._prior(b) + extra
                found.extend(self._owned_pair(first, second, shelf))
            if first.line.quantity == 2:
                found.extend(self._owned_twice(first, extra))
        return _in_order(found)[: self._limits.choices_max]

    def _both_acted(self, a: int, b: int) -> float:
        """Two hands of two people in a shelf at once: that the second did something as well is as
        likely as of any hand, and not the second thing of one shopper."""
        return 0.0 if UNSEEN_HAND in (a, b) else self._second_hand

    def _owned_twice(self, two: _Scored, extra: float) -> list[Choice]:
        """Two pieces of an article from one place, by two people with a piece each."""
        line = two.line._replace(quantity=1)
        shelf = self._evidence.of_shelf((line, line)) + 2.0 * self._prior(line) + extra
        fits = {hand: self._evidence.of_hand(hand, (line,)) for hand in self._hands}
        bound = 2.0 * self._bound(line)
        choices = []
        for index, owner_a in enumerate(two.owners):
            for owner_b in two.owners[index + 1 :]:
                terms = [
                    fits[a] + fits[b] + self._both_acted(a, b)
                    + self._chance(a, owner_a, line) + self._chance(b, owner_b, line)
                    for a in self._hands
                    for b in self._hands
                    if a != b
                ]  # fmt: skip
                moves = (self._move(owner_a, line), self._move(owner_b, line))
                choices.append(Choice(moves, shelf + log_sum(terms), bound))
        return choices

    def _pairable(self, singles: Sequence[_Scored]) -> list[_Scored]:
        """The best lines, no more than two per place and direction, so that others get a turn."""
        kept: list[_Scored] = []
        counts: dict[tuple[int, bool], int] = {}
        for scored in (*self._alone(singles), *singles):
            if scored in kept:
                continue
            key = (scored.line.place, scored.line.quantity > 0)
            if counts.get(key, 0) >= 2:
                continue
            counts[key] = counts.get(key, 0) + 1
            kept.append(scored)
            if len(kept) == PAIRED_MAX:
                break
        return kept

    def _alone(self, singles: Sequence[_Scored]) -> list[_Scored]:
        """Of each place that saw a step the line that fits its own plates best: as the only line
        of the reach it would have to explain the neighbours' plates too, and look bad."""
        best: dict[int, tuple[int, int]] = {}
        for rank, scored in enumerate(singles):
            place = scored.line.place
            own_g = self._evidence.grams.own_g(self._layout.places[place])
            off = self._off(own_g, scored.line)
            if own_g != 0.0 and off <= ALONE_OFF_MAX:
                entry = (round(off), rank)
                best[place] = min(best.get(place, entry), entry)
        ranks = sorted(rank for _, rank in best.values())
        return [singles[rank] for rank in ranks] if len(ranks) > 1 else []

    def _owned_pair(self, first: _Scored, second: _Scored, shelf: float) -> list[Choice]:
        """Both lines by one hand, or each by its own hand."""
        a, b = first.line, second.line
        scores: dict[tuple[str | None, str | None], list[float]] = {}
        for hand_a, fit_a in zip(self._hands, first.fits, strict=True):
            for hand_b, fit_b in zip(self._hands, second.fits, strict=True):
                if hand_a == hand_b:
                    fit = self._evidence.of_hand(hand_a, (a, b))
                    for owner in first.owners:
                        if owner in second.owners:
                            chance = self._chance(hand_a, owner, a)
                            scores.setdefault((owner, owner), []).append(fit + chance)
                    continue
                fit = fit_a + fit_b
                both = self._both_acted(hand_a, hand_b)
                chances_b = [(owner, self._chance(hand_b, owner, b)) for owner in second.owners]
                for owner_a in first.owners:
                    chance_a = self._chance(hand_a, owner_a, a)
                    for owner_b, chance_b in chances_b:
                        chance = chance_a + chance_b
                        if owner_a != owner_b:
                            chance += both
                        scores.setdefault((owner_a, owner_b), []).append(fit + chance)
        bound = self._bound(a) + self._bound(b)
        choices = []
        for (owner_a, owner_b), terms in scores.items():
            score = shelf + log_sum(terms)
            if score >= self._least:
                self._seen(score)
                moves = (self._move(owner_a, a), self._move(owner_b, b))
                choices.append(Choice(moves, score, bound))
        return choices


def _in_order(found: list[Choice]) -> list[Choice]:
    """The choices, best first."""
    return sorted(found, key=lambda choice: (-choice.score, _order(choice)))


def _order(choice: Choice) -> tuple[tuple[str, str, int, int], ...]:
    """A total order on choices of one reach, so that ties fall the same way every time."""
    return tuple((move.owner or "", move.gtin, move.quantity, move.place) for move in choice.moves)
