"""From joint hypotheses to decisions: what is clear enough to charge, and why.

A pick is certain when the probability that the visit took (at least) that many pieces is above a
bar, and nobody's when the probability that no visit took any is above it; if only fewer pieces are
clear, fewer are charged. A put-back is believed above a lower bar, because to overcharge is the
worse fault. Where a doubtful put-back makes it unclear whether the piece is still in the cart, the
pick becomes uncertain again.
"""

from __future__ import annotations

import math
from collections.abc import Container, Iterable
from dataclasses import dataclass

from hub.attribution.joint import Group
from hub.attribution.lives import Live, is_visit
from hub.attribution.model import Alternative, Decision
from hub.attribution.settings import AttributionSettings
from hub.attribution.stock import Layout, Move

__all__ = ["Verdict", "cart_chances", "clear_count", "demote", "share_out", "verdicts_of"]

ALTERNATIVES_MAX = 5
"""Alternatives told with an uncertain decision."""

Item = tuple[str | None, str, int]
"""Visit (None for nobody known), article, signed quantity."""


@dataclass(frozen=True, slots=True)
class Verdict:
    """A decision but for its revision."""

    reach_id: str
    line: int
    t_s: float
    best: Alternative
    certain: bool
    alternatives: tuple[Alternative, ...]
    why: str

    def revised(self, revision: int) -> Decision:
        """The decision to tell."""
        return Decision(
            reach_id=self.reach_id,
            line=self.line,
            revision=revision,
            t_s=self.t_s,
            best=self.best,
            certain=self.certain,
            alternatives=self.alternatives,
            why=self.why,
        )


def verdicts_of(
    group: Group,
    index: int,
    layout: Layout,
    settings: AttributionSettings,
    gone: Container[str],
    *,
    doubts_nobody: bool,
    doubts_returns: bool,
) -> list[Verdict]:
    """The verdicts on one reach, a line for each article; at least one. `gone` visits are final.

    `doubts_nobody`, `doubts_returns`: see hub.attribution.model.Attributor.
    """
    doubts = (doubts_nobody, doubts_returns)
    return _Judge(group, index, layout, settings, gone, doubts).verdicts()


class _Judge:
    def __init__(
        self,
        group: Group,
        index: int,
        layout: Layout,
        settings: AttributionSettings,
        gone: Container[str],
        doubts: tuple[bool, bool],
    ) -> None:
        self._live = group.lives[index]
        self._layout = layout
        self._beliefs = settings.beliefs
        self._doubts_nobody, self._doubts_returns = doubts
        self._gone = gone
        self._chances = group.chances(index)
        self._explained: dict[tuple[Item, ...], float] = {}
        self._slots: dict[Item, dict[int, float]] = {}
        for chosen, chance in sorted(self._chances.items()):
            moves = self._live.choices[chosen].moves
            told = [_item(move) for move in moves]
            items = tuple(told if len(told) < 2 else sorted(told, key=_by_name))
            self._explained[items] = self._explained.get(items, 0.0) + chance
            for item, move in zip(told, moves, strict=True):
                slots = self._slots.setdefault(item, {})
                slots[move.place] = slots.get(move.place, 0.0) + chance

    def verdicts(self) -> list[Verdict]:
        best = max(self._explained, key=lambda items: (self._explained[items], -len(items)))
        if not best:
            return [self._nothing()]
        lines = [self._verdict(n, item) for n, item in enumerate(best)]
        for verdict, item in list(zip(lines, best, strict=True)):
            rest = abs(item[2]) - abs(verdict.best.quantity)
            if verdict.certain and rest > 0:
                lines.append(self._rest(len(lines), item, rest))
        return lines

    def _rest(self, line: int, item: Item, pieces: int) -> Verdict:
        """What moved beside the pieces that are clear: whose it is, nobody is sure of."""
        visit, gtin, quantity = item
        left = (visit, gtin, pieces if quantity > 0 else -pieces)
        best = self._alternative(left, self._probability(item), place=self._place(item))
        return Verdict(
            self._live.reach_id, line, self._live.t_s, best, False, self._alternatives(),
            f"{reason(self._live, best, self._layout)}; fewer are clear",
        )  # fmt: skip

    def _verdict(self, line: int, item: Item) -> Verdict:
        visit, gtin, quantity = item
        if visit is None:
            # What somebody took is free if nobody is told of it, so that it must be as clear
            # as a pick that is charged; and who put it back must not pay for it.
            doubted = self._doubts_nobody if quantity > 0 else self._doubts_returns
            bar = self._beliefs.certain_p if doubted else self._beliefs.nothing_p
            certain = 1.0 - self._charging() >= bar
            best = self._alternative(item, self._probability(item))
        else:
            bar = self._beliefs.certain_p if quantity > 0 else self._beliefs.put_back_p
            clear, chance = self._clear_quantity(visit, gtin, quantity, bar)
            certain = clear != 0 and visit not in self._gone
            told = clear if certain else quantity
            best = self._alternative(
                (visit, gtin, told),
                chance if certain else self._probability(item),
                place=self._place(item),
            )
        why = reason(self._live, best, self._layout)
        return Verdict(
            self._live.reach_id, line, self._live.t_s, best, certain,
            () if certain else self._alternatives(), why,
        )  # fmt: skip

    def _nothing(self) -> Verdict:
        chance = 1.0 - self._charging()
        certain = chance >= self._beliefs.nothing_p
        best = Alternative(None, None, 0, None, min(self._explained.get((), 0.0), 1.0))
        why = reason(self._live, best, self._layout)
        return Verdict(
            self._live.reach_id, 0, self._live.t_s, best, certain,
            () if certain else self._alternatives(), why,
        )  # fmt: skip

    def _charging(self) -> float:
        """Probability that some visit's cart is touched at all."""
        return sum(
            chance
            for items, chance in self._explained.items()
            if any(visit is not None for visit, _, _ in items)
        )

    def _clear_quantity(
        self, visit: str, gtin: str, quantity: int, bar: float
    ) -> tuple[int, float]:
        """The most pieces that are clear at the bar, signed, and how clear; 0 if none are."""
        sign = 1 if quantity > 0 else -1
        for pieces in range(abs(quantity), 0, -1):
            chance = sum(
                share
                for items, share in self._explained.items()
                if sum(q for v, g, q in items if v == visit and g == gtin) * sign >= pieces
            )
            if chance >= bar:
                return sign * pieces, chance
        return 0, 0.0

    def _probability(self, item: Item) -> float:
        return sum(share for items, share in self._explained.items() if item in items)

    def _place(self, item: Item) -> int:
        slots = self._slots[item]
        return max(sorted(slots), key=lambda place: slots[place])

    def _alternative(self, item: Item, probability: float, place: int | None = None) -> Alternative:
        visit, gtin, quantity = item
        where = self._place(item) if place is None else place
        slot_id = self._layout.places[where].slot_id
        return Alternative(visit, gtin, quantity, slot_id, min(probability, 1.0))

    def _alternatives(self) -> tuple[Alternative, ...]:
        found = [self._alternative(item, self._probability(item)) for item in self._slots]
        if () in self._explained:
            found.append(Alternative(None, None, 0, None, min(self._explained[()], 1.0)))
        found.sort(key=lambda a: (-a.probability, a.visit_id or "", a.gtin or "", a.quantity))
        return tuple(a for a in found[:ALTERNATIVES_MAX] if a.probability >= 0.005)


def _item(move: Move) -> Item:
    return (move.owner if is_visit(move.owner) else None, move.gtin, move.quantity)


def _by_name(item: Item) -> tuple[str, str, int]:
    return (item[0] or "", item[1], item[2])


# ---------------------------------------------------------------- carts


def cart_chances(groups: Iterable[Group], visit: str, gtin: str, settled: int) -> dict[int, float]:
    """Distribution of the pieces of an article in a cart; groups are independent."""
    chances = {settled: 1.0}
    for group in groups:
        moved = group.moved(visit, gtin)
        if moved is None:
            continue
        joint: dict[int, float] = {}
        for have, chance in chances.items():
            for pieces, share in moved.items():
                joint[have + pieces] = joint.get(have + pieces, 0.0) + chance * share
        chances = joint
    return chances


def clear_count(chances: dict[int, float], bar: float) -> int:
    """The most pieces that are in the cart with at least the bar's probability."""
    total = 0.0
    for pieces in sorted(chances, reverse=True):
        total += chances[pieces]
        if total >= bar:
            return max(pieces, 0)
    return 0


def share_out(
    group: Group,
    verdicts: list[list[Verdict]],
    layout: Layout,
    settings: AttributionSettings,
    gone: Container[str],
) -> list[list[Verdict]]:
    """The verdicts on a group, where two reaches tell of what may be one act.

    Which of them it was may stay open while it is clear that the visit took the article: the
    reach that is likelier gets the pick, the others then tell of nothing.
    """
    if len(group.lives) < 2:
        return verdicts
    told = list(verdicts)
    keys = {key for live in group.lives for key in live.takes if is_visit(key[0])}
    for owner, gtin in sorted((str(owner), gtin) for owner, gtin in keys):
        if owner in gone:
            continue
        moved = group.moved(owner, gtin) or {}
        clear = clear_count(moved, settings.beliefs.certain_p)
        if clear == 0:
            continue
        missing = clear - sum(
            verdict.best.quantity
            for lines in told
            for verdict in lines
            if verdict.certain and (verdict.best.visit_id, verdict.best.gtin) == (owner, gtin)
        )
        if missing > 0:
            _give(group, told, (owner, gtin, missing), moved, layout, settings)
    return told


def _give(
    group: Group,
    told: list[list[Verdict]],
    item: Item,
    moved: dict[int, float],
    layout: Layout,
    settings: AttributionSettings,
) -> None:
    """Gives a clear pick to the likeliest reach that tells of nothing for sure."""
    owner, gtin, missing = item
    taking: list[tuple[float, int, Move]] = []
    for index, live in enumerate(group.lives):
        if any(verdict.certain and verdict.best.quantity for verdict in told[index]):
            continue
        chances = group.chances(index)
        moves = [
            (chance, move)
            for chosen, chance in chances.items()
            for move in live.choices[chosen].moves
            if (move.owner, move.gtin) == (owner, gtin) and move.quantity > 0
        ]
        if moves:
            total = sum(chance for chance, _ in moves)
            taking.append((total, index, max(moves, key=lambda one: one[0])[1]))
    if len(taking) < 2:
        # Nothing to choose between: the reach's own doubt stands.
        return
    taking.sort(key=lambda one: (-one[0], one[1]))
    _, index, move = taking[0]
    live = group.lives[index]
    chance = sum(share for pieces, share in moved.items() if pieces > 0)
    slot_id = layout.places[move.place].slot_id
    best = Alternative(owner, gtin, min(missing, move.quantity), slot_id, min(chance, 1.0))
    why = f"{reason(live, best, layout)}; one act told by {len(taking)} reaches"
    told[index] = [Verdict(live.reach_id, 0, live.t_s, best, True, (), why)]
    for _, other, _ in taking[1:]:
        _take_back(group, told, other, (owner, gtin), settings)


def _take_back(
    group: Group,
    told: list[list[Verdict]],
    index: int,
    key: tuple[str | None, str],
    settings: AttributionSettings,
) -> None:
    """What a reach tells beside an act that another one was given: nothing, if that is clear."""
    live = group.lives[index]
    same = sum(
        chance
        for chosen, chance in group.chances(index).items()
        if all((move.owner, move.gtin) == key for move in live.choices[chosen].moves)
    )
    if same < settings.beliefs.certain_p:
        return
    best = Alternative(None, None, 0, None, min(same, 1.0))
    told[index] = [
        Verdict(live.reach_id, 0, live.t_s, best, True, (), "the act of another reach, told there")
    ]


def demote(verdict: Verdict, why: str) -> Verdict:
    """The same verdict, no longer certain."""
    return Verdict(
        verdict.reach_id, verdict.line, verdict.t_s, verdict.best, False,
        verdict.alternatives or (verdict.best,), f"{verdict.why}; {why}",
    )  # fmt: skip


# ---------------------------------------------------------------- reasons


def reason(live: Live, best: Alternative, layout: Layout) -> str:
    """A short readable account of which evidence spoke and how."""
    parts = []
    reach = live.evidence.reach
    place = next((p for p in live.evidence.places if p.slot_id == best.slot_id), None)
    if reach.grams:
        found_g = (
            live.evidence.grams.step_total_g(place)
            if place is not None
            else sum(step.delta_g for step in reach.grams)
        )
        text = f"plates {found_g:+.0f} g"
        if best.gtin is not None:
            expected_g = -best.quantity * layout.articles[best.gtin].weight_g
            text += f" against {expected_g:+.0f} g"
        parts.append(text)
    elif reach.plates_ok:
        parts.append("plates still")
    if reach.changes:
        change = max(reach.changes, key=lambda c: max(c.action.pick, c.action.put_back))
        said = max(
            (change.action.pick, "taken"),
            (change.action.put_back, "put back"),
            (change.action.nothing, "unchanged"),
        )[1]
        parts.append(f"shelf looks {said} at {0.5 * (change.u0_m + change.u1_m):.2f} m")
    if reach.hands:
        held_in = max(hand.held_in for hand in reach.hands)
        held_out = max(hand.held_out for hand in reach.hands)
        parts.append(f"hand full {held_in:.0%} in, {held_out:.0%} out")
    if best.quantity != 0:
        owners = max(
            (math.exp(chance), owner or "")
            for who in live.who.values()
            for owner, chance in who.items()
            if (owner if is_visit(owner) else None) == best.visit_id
        ) if any(
            (owner if is_visit(owner) else None) == best.visit_id
            for who in live.who.values()
            for owner in who
        ) else (0.0, "")  # fmt: skip
        name = "the visit" if best.visit_id is not None else "nobody known"
        parts.append(f"hand is {name}'s {owners[0]:.0%}")
    parts.append(f"in all {best.probability:.0%}")
    return ", ".join(parts)
