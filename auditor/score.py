"""How receipts are scored against the truth.

An item is right when product and payer are right (the rule of the AutoCheckout 2020 competition).
What nobody owes for (`VisitScore.free`) is no item that could be missed; whoever is charged for it
is overcharged, and right product, wrong person.

Whoever owes nothing and got no receipt is no visit: such a row has `counted` false, keeps its
`free` goods, and is left out of the denominators. See auditor.accounts for who that is.

Intervals: Wilson's for shares (Wilson 1927), the percentile bootstrap over visits for F1 (Efron
1979), because items of one visit are not independent.
"""

from __future__ import annotations

import math
import random
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

__all__ = ["Line", "Summary", "VisitScore", "percentiles", "score_visit", "summarise", "wilson"]

BOOTSTRAP_ROUNDS = 1000
BOOTSTRAP_SEED = 20201
Z_95 = 1.959963984540054


@dataclass(frozen=True, slots=True)
class Line:
    """A line of a receipt."""

    gtin: str
    quantity: int
    unit_price_minor: int


@dataclass(frozen=True, slots=True)
class VisitScore:
    """One visit: truth beside receipt. Amounts in minor units."""

    visit_id: str
    shopper: str
    truth: Mapping[str, int]
    receipt: tuple[Line, ...]
    total_minor: int
    currency: str
    overcharged_minor: int
    undercharged_minor: int
    reviewed: bool
    time_to_receipt_s: float | None
    day: str = ""
    """Which of several days scored together this visit was on."""
    free: Mapping[str, int] = field(default_factory=dict)
    """Goods taken that nobody owes for, by GTIN."""
    members: tuple[int, ...] = ()
    """Other shoppers who pay through this one."""
    counted: bool = True
    """Whether it is a visit in the denominators."""

    @property
    def charged(self) -> Counter[str]:
        """GTIN to charged quantity."""
        counts: Counter[str] = Counter()
        for line in self.receipt:
            counts[line.gtin] += line.quantity
        return counts

    @property
    def exact(self) -> bool:
        """Whether the whole receipt is right."""
        return {g: q for g, q in self.charged.items() if q} == {
            g: q for g, q in self.truth.items() if q
        }

    @property
    def right(self) -> int:
        """Items with the right product and payer."""
        charged = self.charged
        return sum(min(quantity, charged[gtin]) for gtin, quantity in self.truth.items())


@dataclass(frozen=True, slots=True)
class Summary:
    """Scores over visits. `items` counts the items truly owed for; intervals are 95 %."""

    visits: int
    items: int
    charged_items: int
    right_items: int
    precision: float
    recall: float
    f1: float
    f1_interval: tuple[float, float]
    exact_share: float
    exact_interval: tuple[float, float]
    overcharged_share: float
    overcharged_interval: tuple[float, float]
    undercharged_share: float
    review_share: float
    association_accuracy: float
    overcharged_minor: int
    undercharged_minor: int
    time_to_receipt_s: Mapping[str, float] = field(default_factory=dict)


def score_visit(
    *,
    visit_id: str,
    shopper: str,
    truth: Mapping[str, int],
    receipt: Sequence[Line],
    prices_minor: Mapping[str, int],
    currency: str,
    total_minor: int,
    reviewed: bool,
    time_to_receipt_s: float | None,
    free: Mapping[str, int] | None = None,
    members: Sequence[int] = (),
    counted: bool = True,
) -> VisitScore:
    """Compares one receipt with what is owed (`truth`).

    Overcharged: the sum over products of what was charged above what is owed; undercharged the
    other way round. A receipt can be both.
    """
    charged: Counter[str] = Counter()
    price = dict(prices_minor)
    for line in receipt:
        charged[line.gtin] += line.quantity
        price[line.gtin] = line.unit_price_minor
    over = under = 0
    for gtin in {*charged, *truth}:
        difference = charged[gtin] - truth.get(gtin, 0)
        if difference > 0:
            over += difference * price[gtin]
        else:
            under += -difference * price[gtin]
    return VisitScore(
        visit_id=visit_id,
        shopper=shopper,
        truth={gtin: quantity for gtin, quantity in sorted(truth.items()) if quantity},
        receipt=tuple(receipt),
        total_minor=total_minor,
        currency=currency,
        overcharged_minor=over,
        undercharged_minor=under,
        reviewed=reviewed,
        time_to_receipt_s=time_to_receipt_s,
        free={gtin: quantity for gtin, quantity in sorted((free or {}).items()) if quantity},
        members=tuple(members),
        counted=counted,
    )


def summarise(rows: Sequence[VisitScore]) -> Summary:
    """Scores over all visits; an empty day scores 1 with an interval of (0, 1)."""
    visits = [row for row in rows if row.counted]
    counts = [(v.right, sum(v.charged.values()), sum(v.truth.values())) for v in visits]
    right, charged, taken = (sum(count[column] for count in counts) for column in range(3))
    n = len(visits)
    exact = sum(v.exact for v in visits)
    over = sum(v.overcharged_minor > 0 for v in visits)
    under = sum(v.undercharged_minor > 0 for v in visits)
    return Summary(
        visits=n,
        items=taken,
        charged_items=charged,
        right_items=right,
        precision=_share(right, charged),
        recall=_share(right, taken),
        f1=_f1(right, charged, taken),
        f1_interval=_bootstrap_f1(counts),
        exact_share=_share(exact, n),
        exact_interval=wilson(exact, n),
        overcharged_share=_share(over, n, empty=0.0),
        overcharged_interval=wilson(over, n),
        undercharged_share=_share(under, n, empty=0.0),
        review_share=_share(sum(v.reviewed for v in visits), n, empty=0.0),
        association_accuracy=_association(rows),
        overcharged_minor=sum(v.overcharged_minor for v in visits),
        undercharged_minor=sum(v.undercharged_minor for v in visits),
        time_to_receipt_s=percentiles(
            [v.time_to_receipt_s for v in visits if v.time_to_receipt_s is not None]
        ),
    )


def wilson(hits: int, n: int) -> tuple[float, float]:
    """95 % score interval of a share; (0, 1) for no observation."""
    if n == 0:
        return (0.0, 1.0)
    share = hits / n
    centre = share + Z_95**2 / (2 * n)
    spread = Z_95 * math.sqrt(share * (1 - share) / n + Z_95**2 / (4 * n * n))
    scale = 1 + Z_95**2 / n
    return (max(0.0, (centre - spread) / scale), min(1.0, (centre + spread) / scale))


def percentiles(values: Sequence[float]) -> dict[str, float]:
    """p50, p95 and p99 by the nearest-rank method; an empty mapping for no value."""
    if not values:
        return {}
    ordered = sorted(values)
    return {f"p{p}": ordered[max(0, math.ceil(p / 100 * len(ordered)) - 1)] for p in (50, 95, 99)}


def _association(visits: Sequence[VisitScore]) -> float:
    """Among items whose product is right, the share with the right payer.

    An item's product is right when somebody took one and somebody was charged for one: per
    product, the smaller of both totals over all visits of a day.
    """
    taken: Counter[tuple[str, str]] = Counter()
    charged: Counter[tuple[str, str]] = Counter()
    for visit in visits:
        for goods in (visit.truth, visit.free):
            taken.update({(visit.day, gtin): count for gtin, count in goods.items()})
        charged.update({(visit.day, gtin): count for gtin, count in visit.charged.items()})
    product_right = sum(min(count, charged[key]) for key, count in taken.items())
    return _share(sum(visit.right for visit in visits), product_right)


def _share(part: int, whole: int, *, empty: float = 1.0) -> float:
    return part / whole if whole else empty


def _f1(right: int, charged: int, taken: int) -> float:
    return 2 * right / (charged + taken) if charged + taken else 1.0


def _bootstrap_f1(counts: Sequence[tuple[int, int, int]]) -> tuple[float, float]:
    if not counts:
        return (0.0, 1.0)
    draw = random.Random(BOOTSTRAP_SEED)
    values = []
    for _ in range(BOOTSTRAP_ROUNDS):
        sample = draw.choices(counts, k=len(counts))
        values.append(_f1(*(sum(column) for column in zip(*sample, strict=True))))
    values.sort()
    low, high = int(0.025 * BOOTSTRAP_ROUNDS), int(0.975 * BOOTSTRAP_ROUNDS) - 1
    return (values[low], values[high])
