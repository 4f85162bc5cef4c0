"""Joint hypotheses over reaches that bear on each other.

Reaches are linked where one may put back what another may have taken, where one may take what
another may have misplaced, and where two at the same time may be one body's. Linked reaches are
solved together, in time order, with a beam: only a holder can put back, and nothing is taken from
a place twice. Reaches that nothing links stay apart, so beams stay short.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from hub.attribution.chances import NEVER, log_sum
from hub.attribution.choices import Choice
from hub.attribution.evidence import Evidence
from hub.attribution.people import ANONYMOUS
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Ledger, Move

__all__ = [
    "Group",
    "Hypothesis",
    "Live",
    "begun",
    "is_visit",
    "key_of",
    "partition",
    "solve",
    "without",
]

LINK_NATS = 7.0
"""Choices worse than the best by more than this link nothing."""
SAME_TIME_S = 0.4
"""Reaches closer in time than this could be one body's two hands."""
ARM_SPAN_M = 1.3
"""Two hands of one body are hardly further apart along the front."""


@dataclass(slots=True)
class Live:
    """A reach that is not settled yet, with its explanations."""

    reach_id: str
    bay_id: str
    t0_s: float
    t_s: float
    t_sd_s: float
    evidence: Evidence
    who: dict[int, dict[str | None, float]]
    choices: tuple[Choice, ...]
    version: int
    takes: dict[tuple[str, str], int] = field(default_factory=dict)
    puts: set[tuple[str | None, str]] = field(default_factory=set)
    strays: set[tuple[int, str]] = field(default_factory=set)
    boards: set[tuple[str, str, str]] = field(default_factory=set)
    drains: dict[tuple[int, str], int] = field(default_factory=dict)
    owners: frozenset[str] = frozenset()

    def index(self, layout: Layout) -> None:
        """Sums up the choices for whoever asks what may be where."""
        self.takes, self.puts, self.strays, self.boards = {}, set(), set(), set()
        self.drains = {}
        owners = set()
        least = self.choices[0].score - LINK_NATS
        for choice in self.choices:
            for move in choice.moves:
                if move.quantity > 0:
                    at = (move.place, move.gtin)
                    self.drains[at] = max(self.drains.get(at, 0), move.quantity)
            if choice.score < least:
                continue
            for move in choice.moves:
                if move.owner is not None:
                    owners.add(move.owner)
                if move.quantity < 0:
                    self.puts.add((move.owner, move.gtin))
                    if layout.places[move.place].gtin != move.gtin:
                        self.strays.add((move.place, move.gtin))
                    continue
                self.boards.add((self.bay_id, layout.places[move.place].board_id, move.gtin))
                if move.owner is not None:
                    key = (move.owner, move.gtin)
                    self.takes[key] = max(self.takes.get(key, 0), move.quantity)
        self.owners = frozenset(owners)


class Hypothesis(NamedTuple):
    """One joint explanation: the choice of each reach in time order, and what it moves."""

    score: float
    chosen: tuple[int, ...]
    moves: tuple[Move, ...]


@dataclass(slots=True)
class Group:
    """Linked reaches in time order and their joint hypotheses; scores are log-probabilities.

    `key` names what was solved: the reaches and the versions their choices had then. `beams` are
    the hypotheses after each reach, kept so that a changed end does not cost the beginning.
    """

    key: tuple[tuple[str, int], ...]
    lives: tuple[Live, ...]
    hypotheses: list[Hypothesis]
    beams: list[list[Hypothesis]] = field(default_factory=list)
    _chances: list[dict[int, float]] | None = None
    _moved: dict[tuple[str, str], dict[int, float]] | None = None

    def chances(self, index: int) -> dict[int, float]:
        """Probability of each choice of one reach, by the choice's number."""
        if self._chances is None:
            self._chances = [{} for _ in self.lives]
            for hypothesis in self.hypotheses:
                chance = math.exp(hypothesis.score)
                for found, chosen in zip(self._chances, hypothesis.chosen, strict=True):
                    found[chosen] = found.get(chosen, 0.0) + chance
        return self._chances[index]

    def moved(self, owner: str, gtin: str) -> dict[int, float] | None:
        """Distribution of the pieces an owner took here, net; None if the group is not about it."""
        if self._moved is None:
            self._moved = {}
        key = (owner, gtin)
        if key not in self._moved:
            if not any(key in live.takes or key in live.puts for live in self.lives):
                return None
            found: dict[int, float] = {}
            for hypothesis in self.hypotheses:
                pieces = sum(
                    m.quantity for m in hypothesis.moves if m.owner == owner and m.gtin == gtin
                )
                found[pieces] = found.get(pieces, 0.0) + math.exp(hypothesis.score)
            self._moved[key] = found
        return self._moved[key]


def key_of(lives: Sequence[Live]) -> tuple[tuple[str, int], ...]:
    """What a group of these reaches would be named."""
    return tuple((live.reach_id, live.version) for live in lives)


# ---------------------------------------------------------------- links


def partition(lives: Sequence[Live], layout: Layout) -> list[tuple[Live, ...]]:
    """Splits reaches, in time order, into groups that bear on each other."""
    parent = list(range(len(lives)))

    def root(index: int) -> int:
        while parent[index] != index:
            parent[index] = parent[parent[index]]
            index = parent[index]
        return index

    def union(indexes: Sequence[int]) -> None:
        for index in indexes[1:]:
            a, b = root(indexes[0]), root(index)
            parent[max(a, b)] = min(a, b)

    for indexes in _shared_carts(lives):
        union(indexes)
    for indexes in _shared_strays(lives, layout):
        union(indexes)
    for pair in _shared_bodies(lives):
        union(pair)
    groups: dict[int, list[Live]] = {}
    for index, live in enumerate(lives):
        groups.setdefault(root(index), []).append(live)
    return [tuple(group) for group in groups.values()]


def _shared_carts(lives: Sequence[Live]) -> list[list[int]]:
    """Reaches that move an article of a cart which one of them may put back."""
    wanted = {key for live in lives for key in live.puts if key[0] is not None}
    found: dict[tuple[str | None, str], list[int]] = {}
    for index, live in enumerate(lives):
        for key in wanted & (live.puts | live.takes.keys()):
            found.setdefault(key, []).append(index)
    return list(found.values())


def _shared_strays(lives: Sequence[Live], layout: Layout) -> list[list[int]]:
    """Reaches that may take what another may have misplaced on the same board."""
    found: dict[tuple[str, str, str], list[int]] = {}
    for index, live in enumerate(lives):
        for place_index, gtin in live.strays:
            place = layout.places[place_index]
            found.setdefault((place.bay_id, place.board_id, gtin), []).append(index)
    if not found:
        return []
    for index, live in enumerate(lives):
        for key in found.keys() & live.boards:
            found[key].append(index)
    return [sorted(set(indexes)) for indexes in found.values()]


def _shared_bodies(lives: Sequence[Live]) -> list[list[int]]:
    """Reaches at the same time that may be the same body's."""
    pairs = []
    for index, live in enumerate(lives):
        for earlier in range(index - 1, max(index - 12, -1), -1):
            other = lives[earlier]
            if other.t_s < live.t0_s - SAME_TIME_S:
                continue
            if len(live.owners | other.owners) > 1 and live.owners & other.owners:
                pairs.append([earlier, index])
    return pairs


# ---------------------------------------------------------------- the beam


def solve(
    lives: Sequence[Live],
    ledger: Ledger,
    layout: Layout,
    settings: AttributionSettings,
    known: Sequence[list[Hypothesis]] = (),
) -> Group:
    """Joint hypotheses of a group. `known` are the beams of its beginning, if that was solved."""
    beams = list(known)
    beam = beams[-1] if beams else [Hypothesis(0.0, (), ())]
    for index in range(len(beams), len(lives)):
        beam = _extended(beam, lives[: index + 1], ledger, layout, settings)
        beams.append(beam)
    return Group(key_of(lives), tuple(lives), beam, beams)


def begun(groups: Sequence[Group], lives: Sequence[Live]) -> Sequence[list[Hypothesis]]:
    """The beams of the longest solved beginning of a group; empty if none is known."""
    key = key_of(lives)
    best: Sequence[list[Hypothesis]] = ()
    for group in groups:
        if group.key[0] != key[0] or len(group.beams) != len(group.key):
            continue
        length = 0
        while length < min(len(key), len(group.key)) and group.key[length] == key[length]:
            length += 1
        if length > len(best):
            best = group.beams[:length]
    return best


def _extended(
    beam: list[Hypothesis],
    lives: Sequence[Live],
    ledger: Ledger,
    layout: Layout,
    settings: AttributionSettings,
) -> list[Hypothesis]:
    weigher = _Weigher(lives, ledger, layout, settings)
    choices = [(c.score, c, weigher.is_free(c)) for c in lives[-1].choices]
    grown: list[Hypothesis] = []
    top = NEVER
    nats = settings.limits.hypotheses_nats
    for hypothesis in beam:
        for number, (alone, choice, free) in enumerate(choices):
            score = hypothesis.score + alone
            if score < top - nats:
                # Choices come best first and their weights only lower them.
                break
            if not free:
                score += weigher.weight(choice, hypothesis)
                if score < top - nats:
                    continue
            if score > top:
                top = score
            grown.append(
                Hypothesis(score, (*hypothesis.chosen, number), hypothesis.moves + choice.moves)
            )
    grown.sort(key=lambda h: (-h.score, h.chosen))
    grown = [h for h in grown if h.score >= top - nats][: settings.limits.hypotheses_max]
    return _normalised(grown)


def _normalised(beam: list[Hypothesis]) -> list[Hypothesis]:
    total = log_sum(h.score for h in beam)
    return [h._replace(score=h.score - total) for h in beam]


def without(group: Group, index: int, chosen: int) -> Group | None:
    """The group after one of its reaches was settled; None if that was its last."""
    lives = group.lives[:index] + group.lives[index + 1 :]
    if not lives:
        return None
    settled = list(group.lives[index].choices[chosen].moves)
    beam = []
    for hypothesis in group.hypotheses:
        if hypothesis.chosen[index] != chosen:
            continue
        moves = list(hypothesis.moves)
        for move in settled:
            moves.remove(move)
        rest = hypothesis.chosen[:index] + hypothesis.chosen[index + 1 :]
        beam.append(Hypothesis(hypothesis.score, rest, tuple(moves)))
    return Group(key_of(lives), lives, _normalised(beam))


class _Weigher:
    """Log-weights of a choice under a hypothesis: carts, stock and bodies. Never above zero."""

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
        live = lives[-1]
        self._t_s = live.t_s
        self._held: dict[tuple[str | None, str], int] = {}
        self._stock: dict[tuple[int, str], int] = {}
        self._near = [
            index for index, other in enumerate(lives[:-1]) if other.t_s >= live.t0_s - SAME_TIME_S
        ]

    def is_free(self, choice: Choice) -> bool:
        """Whether the weight is zero whatever the hypothesis: plenty stands at its own place."""
        if not choice.moves:
            return True
        if self._near:
            return False
        for move in choice.moves:
            if move.quantity < 0 or self._layout.places[move.place].gtin != move.gtin:
                return False
            key = (move.place, move.gtin)
            most = sum(live.drains.get(key, 0) for live in self._lives)
            if self._on_shelf(*key, ()) < most:
                return False
        return True

    def weight(self, choice: Choice, hypothesis: Hypothesis) -> float:
        """Log-weight of a choice after a hypothesis, beyond the bound it has already."""
        total = -choice.bound
        moves = hypothesis.moves
        for index, move in enumerate(choice.moves):
            before = moves if index == 0 else moves + choice.moves[:index]
            if move.quantity > 0:
                total += self._presence(move, before)
            elif move.owner is not None and self._holding(move, before) < -move.quantity:
                return NEVER
        if self._near and choice.moves:
            total += self._bodies(choice, hypothesis)
        return total

    def _holding(self, move: Move, before: tuple[Move, ...]) -> int:
        key = (move.owner, move.gtin)
        held = self._held.get(key)
        if held is None:
            held = self._held[key] = self._ledger.held(move.owner, move.gtin, self._t_s)
        for other in before:
            if other.owner == move.owner and other.gtin == move.gtin:
                held += other.quantity
        return held

    def _on_shelf(self, place: int, gtin: str, before: tuple[Move, ...]) -> int:
        stock = self._stock.get((place, gtin))
        if stock is None:
            stock = self._stock[place, gtin] = self._ledger.stock(place, gtin, self._t_s)
        for other in before:
            if other.place == place and other.gtin == gtin:
                stock -= other.quantity
        return stock

    def _presence(self, move: Move, before: tuple[Move, ...]) -> float:
        """How likely the pieces stand there to be taken."""
        habits = self._habits
        place = self._layout.places[move.place]
        there = self._on_shelf(move.place, move.gtin, before)
        if place.gtin == move.gtin:
            return 0.0 if there >= move.quantity else math.log(habits.empty_p)
        if there >= 1:
            missing = 1.0 if there >= move.quantity else habits.empty_p
            return math.log(habits.misplaced_taken_p * missing)
        for other in self._layout.by_board[place.bay_id, place.board_id]:
            if other.gtin != move.gtin and self._on_shelf(other.index, move.gtin, before) >= 1:
                # Misplaced on this board, perhaps nearer to here than the put-back looked.
                return math.log(0.25 * habits.misplaced_taken_p)
        return math.log(habits.stray_p)

    def _bodies(self, choice: Choice, hypothesis: Hypothesis) -> float:
        """One body does not reach at two distant places at once."""
        total = 0.0
        for index in self._near:
            live = self._lives[index]
            for other in live.choices[hypothesis.chosen[index]].moves:
                for move in choice.moves:
                    if move.owner is None or move.owner != other.owner:
                        continue
                    if self._apart(move.place, other.place):
                        total += math.log(self._habits.both_hands_p)
        return total

    def _apart(self, a: int, b: int) -> bool:
        one, two = self._layout.places[a], self._layout.places[b]
        if one.bay_id == two.bay_id:
            return abs(one.u_m - two.u_m) > ARM_SPAN_M
        origin = self._layout.bays[one.bay_id].origin_m
        away = self._layout.bays[two.bay_id].origin_m
        return math.dist(origin, away) > ARM_SPAN_M + 0.5


def is_visit(owner: str | None) -> bool:
    """Whether an owner is a visit and not an anonymous body."""
    return owner is not None and not owner.startswith(ANONYMOUS)
