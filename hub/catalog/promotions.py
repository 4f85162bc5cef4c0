"""Promotions, and the combination of them that costs a cart the least. Pure functions.

    savings = best_savings(pieces, promotions)      # one Saving a piece, in the order of pieces

Kinds:
- percent: a share (basis points) off each piece, rounded half up to minor units;
- amount: so much off each piece, never below nothing;
- n_for_m: of `take` pieces of the products, mixed as one likes, `pay` are paid: the dearest;
- bundle: a set of products, each so many times, for one price.

A piece has at most one promotion, or several if every one of them says it is combinable; then
shares come off before amounts, and both after the piece's part in a set. A promotion whose
`visit_max` is reached is used no more in that visit. What a set saves is spread over its pieces
by their prices, so that giving back one of them gives back its part and no more.

The search is exact: over counts of equal pieces, remembering every state, and leaving out ways
that cannot save more than what was found. Carts fall into parts that share no promotion. A part
with more than STEPS_MAX ways, far beyond what a shopper carries, takes the best next step instead
each time.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, islice, product
from typing import Literal

from contracts.hours import Hours

__all__ = ["Piece", "Promotion", "PromotionKind", "Saving", "best_savings"]

PromotionKind = Literal["percent", "amount", "n_for_m", "bundle"]
STEPS_MAX = 10_000
"""Ways that are looked at; a shopper's cart with a handful of offers has some hundreds."""
CHOICES_MAX = 4_000
DEPTH_MAX = 250
SCALE = 27_720
"""The least multiple of all sizes of a set: shares of prices without a rest."""
STACK_MAX = 4
"""Combinable promotions of single pieces that are tried in every selection, the first by name."""


@dataclass(frozen=True, slots=True)
class Promotion:
    """One promotion. `from_s` and `until_s` are hub seconds; `hours` are told in `zone`."""

    promotion_id: str
    kind: PromotionKind
    name: str
    gtins: tuple[str, ...] = ()
    percent_bp: int = 0
    amount_minor: int = 0
    take: int = 0
    pay: int = 0
    items: tuple[tuple[str, int], ...] = ()
    price_minor: int = 0
    from_s: float = 0.0
    until_s: float | None = None
    hours: tuple[Hours, ...] = ()
    zone: str = "UTC"
    visit_max: int | None = None
    combinable: bool = False

    @property
    def single(self) -> bool:
        """Whether it is for pieces one by one."""
        return self.kind in ("percent", "amount")

    def products(self) -> tuple[str, ...]:
        """The products it is for."""
        return tuple(gtin for gtin, _ in self.items) if self.kind == "bundle" else self.gtins

    def valid_at(self, t_s: float) -> bool:
        """Whether a piece picked at this time may have it."""
        if t_s < self.from_s or (self.until_s is not None and t_s >= self.until_s):
            return False
        return not self.hours or any(hours.holds(t_s, self.zone) for hours in self.hours)

    def off(self, price_minor: int) -> int:
        """What a single piece saves by it, in minor units."""
        if self.kind == "percent":
            return min(price_minor, (price_minor * self.percent_bp + 5_000) // 10_000)
        return min(price_minor, self.amount_minor) if self.kind == "amount" else 0


@dataclass(frozen=True, slots=True)
class Piece:
    """One piece at the price seen at its pick, with the promotions that held then, by name."""

    gtin: str
    price_minor: int
    promotions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Saving:
    """What comes off one piece, and why."""

    discount_minor: int = 0
    promotions: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Use:
    """One way to use promotions: the kinds of piece it takes, and what each of them saves."""

    taken: tuple[int, ...]
    savings: tuple[Saving, ...]
    spent: tuple[tuple[str, int], ...]
    total_minor: int


State = tuple[tuple[int, ...], tuple[tuple[str, int], ...]]
"""Pieces left of each kind, and uses left of each promotion that has a limit."""


def best_savings(pieces: Sequence[Piece], promotions: Mapping[str, Promotion]) -> list[Saving]:
    """What each piece saves in the combination that costs the shopper the least.

    The same pieces in another order come to the same sum; of equal sums the first by the
    promotions' names wins.
    """
    kinds: dict[Piece, list[int]] = {}
    for index, piece in enumerate(pieces):
        known = tuple(sorted(name for name in set(piece.promotions) if name in promotions))
        if known:
            kinds.setdefault(Piece(piece.gtin, piece.price_minor, known), []).append(index)
    found = [Saving()] * len(pieces)
    for part in _parts(sorted(kinds, key=_order)):
        waiting = [list(kinds[kind]) for kind in part]
        for use in _Search(part, promotions).best([len(held) for held in waiting]):
            for kind, saving in zip(use.taken, use.savings, strict=True):
                found[waiting[kind].pop(0)] = saving
    return found


def _order(piece: Piece) -> tuple[int, str, tuple[str, ...]]:
    return -piece.price_minor, piece.gtin, piece.promotions


def _parts(kinds: Sequence[Piece]) -> list[list[Piece]]:
    """Kinds of piece, put together where a promotion could join them."""
    parts: list[list[Piece]] = []
    for kind in kinds:
        near = [
            part for part in parts if any(set(k.promotions) & set(kind.promotions) for k in part)
        ]
        for part in near:
            parts.remove(part)
        parts.append(sorted([kind, *(k for part in near for k in part)], key=_order))
    return parts


class _TooManyError(Exception):
    """More states than are looked at."""


class _Search:
    """The best uses for one part of a cart."""

    def __init__(self, kinds: Sequence[Piece], promotions: Mapping[str, Promotion]) -> None:
        self._kinds = kinds
        names = sorted({name for kind in kinds for name in kind.promotions})
        self._promotions = {name: promotions[name] for name in names}
        self._limits = tuple(
            (name, most)
            for name, promotion in self._promotions.items()
            if (most := promotion.visit_max) is not None
        )
        self._best: dict[State, tuple[int, _Use | None, State]] = {}
        alone = list(self._promotions.values())
        self._lone = len(alone) == 1 and alone[0].kind == "n_for_m"
        self._most = [self._most_of(kind) for kind in kinds]
        self._plain: dict[tuple[str, tuple[int, ...]], _Use] = {}
        self._steps = 0

    def best(self, counts: Sequence[int]) -> list[_Use]:
        """The uses, in the order they are made."""
        begin: State = (tuple(counts), self._limits)
        if self._lone:
            # Sets of the dearest that are left, again and again: nothing saves more.
            return self._greedy(begin, choices=1)
        if sum(counts) > DEPTH_MAX:
            return self._greedy(begin)
        try:
            self._value(begin)
        except _TooManyError:
            return self._greedy(begin)
        uses = []
        state = begin
        while any(state[0]):
            _, use, state = self._best[state]
            if use is not None:
                uses.append(use)
        return uses

    def _value(self, state: State) -> int:
        """The most that a state can save. Ways are tried from the one that promises most on, and
        no further than they promise more than what was found."""
        known = self._best.get(state)
        if known is not None:
            return known[0]
        if not any(state[0]):
            return 0
        promised = [
            (
                self._bound(after) + (0 if use is None else use.total_minor * SCALE),
                -index,
                use,
                after,
            )
            for index, (use, after) in enumerate(self._ways(state))
        ]
        promised.sort(key=lambda way: way[:2], reverse=True)
        found: tuple[int, _Use | None, State] | None = None
        for most, _, use, after in promised:
            if found is not None and most <= found[0] * SCALE:
                break
            total = (0 if use is None else use.total_minor) + self._value(after)
            if found is None or total > found[0]:
                found = (total, use, after)
        if found is None:
            raise AssertionError("expected a way to leave a piece as it is")
        self._best[state] = found
        return found[0]

    def _bound(self, state: State) -> int:
        """What a state saves at most, times SCALE."""
        return sum(count * most for count, most in zip(state[0], self._most, strict=True))

    def _most_of(self, kind: Piece) -> int:
        """What a piece of a kind saves at most, times SCALE.

        In a set of `take` the pieces that are free cost no more than the others on average; of a
        bundle each piece saves the same share of its price, which is largest where the set is
        dearest.
        """
        most, joint = 0, 0
        price = kind.price_minor
        for name in kind.promotions:
            promotion = self._promotions[name]
            if promotion.single:
                share = promotion.off(price) * SCALE
            elif promotion.kind == "n_for_m":
                share = -(-price * SCALE * (promotion.take - promotion.pay) // promotion.take)
            else:
                dearest = sum(count * self._dearest(gtin) for gtin, count in promotion.items)
                saved = max(0, dearest - promotion.price_minor)
                share = -(-price * SCALE * saved // max(1, dearest))
            most = max(most, share)
            joint += share if promotion.combinable else 0
        return min(price * SCALE, max(most, joint))

    def _dearest(self, gtin: str) -> int:
        return max((kind.price_minor for kind in self._kinds if kind.gtin == gtin), default=0)

    def _ways(self, state: State) -> list[tuple[_Use | None, State]]:
        """What may become of the first kind that is left: every use of it, or none."""
        counts, limits = state
        first = next(index for index, count in enumerate(counts) if count)
        ways: list[tuple[_Use | None, State]] = []
        for use in self._uses(first, counts, dict(limits)):
            self._steps += 1
            if self._steps > STEPS_MAX:
                raise _TooManyError
            ways.append((use, _after(state, use)))
        left = (*counts[:first], counts[first] - 1, *counts[first + 1 :])
        ways.append((None, (left, limits)))
        return ways

    def _greedy(self, state: State, choices: int = CHOICES_MAX) -> list[_Use]:
        """The best next use, again and again; for carts beyond all measure."""
        uses: list[_Use] = []
        while any(state[0]):
            counts, limits = state
            first = next(index for index, count in enumerate(counts) if count)
            top: _Use | None = None
            for number, use in enumerate(self._uses(first, counts, dict(limits))):
                if top is None or use.total_minor > top.total_minor:
                    top = use
                if number + 1 >= choices:
                    break
            if top is None:
                state = ((*counts[:first], 0, *counts[first + 1 :]), limits)
                continue
            uses.append(top)
            state = _after(state, top)
        return uses

    def _uses(self, first: int, counts: Sequence[int], left: Mapping[str, int]) -> Iterator[_Use]:
        kind = self._kinds[first]
        for name in kind.promotions:
            promotion = self._promotions[name]
            if left.get(name, 1) < 1:
                continue
            if promotion.single and not promotion.combinable:
                yield from self._alone(first, (promotion,))
            elif promotion.kind == "n_for_m":
                yield from self._n_for_m(promotion, first, counts, left)
            elif promotion.kind == "bundle":
                yield from self._bundle(promotion, first, counts, left)
        joint = [p for p in self._stack(kind) if left.get(p.promotion_id, 1) > 0][:STACK_MAX]
        for size in range(len(joint), 0, -1):
            for chosen in combinations(joint, size):
                yield from self._alone(first, chosen)

    def _stack(self, kind: Piece) -> list[Promotion]:
        """Combinable promotions of a single piece: shares first, then amounts."""
        found = [self._promotions[name] for name in kind.promotions]
        return sorted(
            (p for p in found if p.single and p.combinable),
            key=lambda p: (p.kind != "percent", p.promotion_id),
        )

    def _alone(self, kind: int, chosen: Sequence[Promotion]) -> Iterator[_Use]:
        """Single-piece promotions on a piece, if they save anything."""
        saving = self._stacked(kind, Saving(), chosen)
        if saving.discount_minor:
            spent = tuple(sorted((name, 1) for name in saving.promotions))
            yield _Use((kind,), (saving,), spent, saving.discount_minor)

    def _stacked(self, kind: int, before: Saving, more: Sequence[Promotion]) -> Saving:
        """What a piece saves with single-piece promotions on top of what it saves already."""
        off = before.discount_minor
        for promotion in more:
            off += promotion.off(self._kinds[kind].price_minor - off)
        return Saving(off, (*before.promotions, *(p.promotion_id for p in more)))

    def _n_for_m(
        self, promotion: Promotion, first: int, counts: Sequence[int], left: Mapping[str, int]
    ) -> Iterator[_Use]:
        name = promotion.promotion_id
        fit = [
            index
            for index in range(first, len(counts))
            if counts[index] and name in self._kinds[index].promotions
        ]
        room = [counts[index] - (index == first) for index in fit]
        for others in _some(fit, room, promotion.take - 1):
            taken = (first, *others)
            prices = sorted(self._kinds[index].price_minor for index in taken)
            yield from self._set(promotion, taken, sum(prices[: -promotion.pay]), left)

    def _bundle(
        self, promotion: Promotion, first: int, counts: Sequence[int], left: Mapping[str, int]
    ) -> Iterator[_Use]:
        name = promotion.promotion_id
        choices = []
        for gtin, count in promotion.items:
            fit = [
                index
                for index in range(first, len(counts))
                if self._kinds[index].gtin == gtin and name in self._kinds[index].promotions
            ]
            choices.append(list(islice(_some(fit, [counts[i] for i in fit], count), CHOICES_MAX)))
        for chosen in product(*choices):
            taken = tuple(index for some in chosen for index in some)
            if first in taken:
                price = sum(self._kinds[index].price_minor for index in taken)
                yield from self._set(promotion, taken, price - promotion.price_minor, left)

    def _set(
        self, promotion: Promotion, taken: tuple[int, ...], off: int, left: Mapping[str, int]
    ) -> Iterator[_Use]:
        """A set that saves so much, spread by price; then with what may come on top."""
        if off <= 0:
            return
        name = promotion.promotion_id
        prices = [self._kinds[index].price_minor for index in taken]
        plain = self._plain.get((name, taken))
        if plain is None:
            savings = tuple(Saving(part, (name,)) for part in _spread(off, prices))
            plain = self._plain[name, taken] = _Use(taken, savings, ((name, 1),), off)
        if promotion.combinable:
            savings = plain.savings
            rest = {**left, name: left.get(name, 1) - 1}
            spent = {name: 1}
            topped = list(savings)
            for place in sorted(range(len(taken)), key=lambda i: (-prices[i], i)):
                more = [
                    p for p in self._stack(self._kinds[taken[place]])
                    if rest.get(p.promotion_id, 1) > 0
                ]  # fmt: skip
                saving = self._stacked(taken[place], topped[place], more)
                if saving.discount_minor:
                    topped[place] = saving
                    for used in (p.promotion_id for p in more):
                        spent[used] = spent.get(used, 0) + 1
                        if used in rest:
                            rest[used] -= 1
            if tuple(topped) != savings:
                total = sum(saving.discount_minor for saving in topped)
                yield _Use(taken, tuple(topped), tuple(sorted(spent.items())), total)
        yield plain


def _some(fit: Sequence[int], room: Sequence[int], size: int) -> Iterator[tuple[int, ...]]:
    """Every choice of so many out of kinds of which so many are left, the first kinds first."""
    if size == 0:
        yield ()
        return
    if sum(room) < size:
        return
    for taken in range(min(room[0], size), -1, -1):
        for rest in _some(fit[1:], room[1:], size - taken):
            yield (fit[0],) * taken + rest


def _after(state: State, use: _Use) -> State:
    counts = list(state[0])
    for index in use.taken:
        counts[index] -= 1
    if not state[1]:
        return tuple(counts), ()
    limits = dict(state[1])
    for name, count in use.spent:
        if name in limits:
            limits[name] -= count
    return tuple(counts), tuple(limits.items())


def _spread(total: int, weights: Sequence[int]) -> list[int]:
    """Whole parts of a sum in the ratio of weights; the rest goes to the largest remainders."""
    whole = sum(weights)
    parts = [total * weight // whole for weight in weights]
    order = sorted(range(len(weights)), key=lambda i: (-(total * weights[i] % whole), i))
    for index in order[: total - sum(parts)]:
        parts[index] += 1
    return parts
