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
from operator import itemgetter

from hub.attribution.chances import NEVER, log_sum
from hub.attribution.lives import NEAR_MAX, SAME_TIME_S, Hypothesis, Live, may_be_one
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Ledger, Move
from hub.attribution.weigher import Weigher

__all__ = [
    "Group",
    "begun",
    "key_of",
    "partition",
    "solve",
    "without",
]


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
    _moved: dict[tuple[str, str], dict[int, float]] = field(default_factory=dict)
    _nets: list[tuple[dict[tuple[str | None, str], int], float]] | None = None

    @property
    def first_s(self) -> float:
        """When its first reach ended."""
        return self.lives[0].t_s

    @property
    def last_s(self) -> float:
        """When its last reach ended."""
        return self.lives[-1].t_s

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
        key = (owner, gtin)
        known = self._moved.get(key)
        if known is None:
            if not any(key in live.takes or key in live.puts for live in self.lives):
                return None
            if self._nets is None:
                self._nets = [(_net(h.moves), math.exp(h.score)) for h in self.hypotheses]
            known = self._moved[key] = {}
            for net, chance in self._nets:
                pieces = net.get(key, 0)
                known[pieces] = known.get(pieces, 0.0) + chance
        return known


def _net(moves: Sequence[Move]) -> dict[tuple[str | None, str], int]:
    """Owner and article to the pieces that the owner took, net."""
    found: dict[tuple[str | None, str], int] = {}
    for move in moves:
        key = (move.owner, move.gtin)
        found[key] = found.get(key, 0) + move.quantity
    return found


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
    for index, live in enumerate(lives):
        for earlier in range(max(index - NEAR_MAX, 0), index):
            if may_be_one(lives[earlier], live):
                union((earlier, index))
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
        for earlier in range(index - 1, max(index - NEAR_MAX, -1), -1):
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
    weigher = Weigher(lives, ledger, layout, settings)
    choices = [(c.score, weigher.is_free(number)) for number, c in enumerate(lives[-1].choices)]
    grown: list[tuple[float, tuple[int, ...], int, tuple[Move, ...]]] = []
    nats = settings.limits.hypotheses_nats
    least = NEVER - nats
    only_lowers = weigher.only_lowers
    for hypothesis in beam:
        weights = weigher.after(hypothesis)
        before, chosen, moves = hypothesis
        for number, (alone, free) in enumerate(choices):
            score = before + alone
            if score < least and only_lowers:
                # Choices come best first.
                break
            if not free:
                score += weights.of(number)
            if score < least:
                continue
            least = max(least, score - nats)
            grown.append((-score, chosen, number, moves))
    grown.sort(key=itemgetter(0, 1, 2))
    kept = [entry for entry in grown if -entry[0] >= least][: settings.limits.hypotheses_max]
    total = log_sum([-score for score, _, _, _ in kept])
    last = lives[-1].choices
    return [
        Hypothesis(-score - total, (*chosen, number), moves + last[number].moves)
        for score, chosen, number, moves in kept
    ]


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
