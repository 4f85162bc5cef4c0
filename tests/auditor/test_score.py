"""Scoring: worked examples, and properties that must hold for any day."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.score import Line, VisitScore, percentiles, score_visit, summarise, wilson

PRICES = {"a": 100, "b": 250, "c": 5}


def visit(name: str, truth: dict[str, int], charged: dict[str, int]) -> VisitScore:
    lines = [Line(gtin, quantity, PRICES[gtin]) for gtin, quantity in charged.items()]
    return score_visit(
        visit_id=name,
        shopper=name,
        truth=truth,
        receipt=lines,
        prices_minor=PRICES,
        currency="EUR",
        total_minor=sum(line.quantity * line.unit_price_minor for line in lines),
        reviewed=False,
        time_to_receipt_s=2.0,
    )


def test_a_swapped_payer_is_wrong_for_both_and_an_association_fault() -> None:
    day = [visit("v1", {"a": 1}, {}), visit("v2", {}, {"a": 1})]
    summary = summarise(day)
    assert (summary.precision, summary.recall, summary.f1) == (0.0, 0.0, 0.0)
    assert summary.association_accuracy == 0.0
    assert (day[0].undercharged_minor, day[1].overcharged_minor) == (100, 100)


def test_a_wrong_product_is_not_an_association_fault() -> None:
    summary = summarise([visit("v1", {"a": 1, "c": 1}, {"b": 1, "c": 1})])
    assert summary.f1 == 0.5
    assert summary.association_accuracy == 1.0
    assert summary.overcharged_minor == 250
    assert summary.undercharged_minor == 100


def test_counts_matter() -> None:
    one = visit("v1", {"a": 3}, {"a": 2})
    assert not one.exact
    assert one.right == 2
    assert one.undercharged_minor == 100


def test_wilson_agrees_with_the_published_example() -> None:
    low, high = wilson(81, 263)
    assert (low, high) == pytest.approx((0.2553, 0.3662), abs=2e-4)


def test_percentiles_are_nearest_rank() -> None:
    assert percentiles([3.0, 1.0, 2.0, 4.0]) == {"p50": 2.0, "p95": 4.0, "p99": 4.0}
    assert percentiles([]) == {}


GOODS = st.dictionaries(st.sampled_from(sorted(PRICES)), st.integers(1, 4), max_size=3)


@given(st.lists(st.tuples(GOODS, GOODS), max_size=6))
def test_scores_stay_in_range_and_money_adds_up(
    day: list[tuple[dict[str, int], dict[str, int]]],
) -> None:
    visits = [visit(f"v{i}", truth, charged) for i, (truth, charged) in enumerate(day)]
    summary = summarise(visits)
    for share in (summary.precision, summary.recall, summary.f1, summary.association_accuracy):
        assert 0.0 <= share <= 1.0
    assert summary.right_items <= min(summary.items, summary.charged_items)
    for item in visits:
        owed = sum(PRICES[gtin] * quantity for gtin, quantity in item.truth.items())
        assert item.total_minor - owed == item.overcharged_minor - item.undercharged_minor
        assert item.exact == (item.overcharged_minor == item.undercharged_minor == 0)


@given(GOODS)
def test_a_perfect_day_is_perfect(goods: dict[str, int]) -> None:
    summary = summarise([visit("v1", goods, goods)])
    assert summary.f1 == summary.exact_share == summary.association_accuracy == 1.0
