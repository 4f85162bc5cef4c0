"""Promotions: what each kind takes off, and that the shopper gets the best allowed combination."""

from __future__ import annotations

from itertools import combinations

from hypothesis import given, settings
from hypothesis import strategies as st

from contracts.hours import Hours
from hub.catalog.promotions import Piece, Promotion, Saving, best_savings

HALF = Promotion("half", "percent", "Half price", gtins=("a",), percent_bp=5_000)
THREE = Promotion("three", "n_for_m", "3 for 2", gtins=("a", "b"), take=3, pay=2)
LUNCH = Promotion("lunch", "bundle", "Lunch", items=(("a", 1), ("b", 1)), price_minor=300)


def total(pieces: list[Piece], *promotions: Promotion) -> int:
    """What all pieces save together."""
    found = best_savings(pieces, {one.promotion_id: one for one in promotions})
    return sum(saving.discount_minor for saving in found)


def test_a_share_is_rounded_half_up_a_piece() -> None:
    pieces = [Piece("a", 101, ("half",)), Piece("b", 101, ())]
    assert best_savings(pieces, {"half": HALF}) == [Saving(51, ("half",)), Saving()]


def test_an_amount_never_makes_a_piece_cost_less_than_nothing() -> None:
    off = Promotion("off", "amount", "0.50 off", gtins=("a",), amount_minor=50)
    assert total([Piece("a", 120, ("off",)), Piece("a", 30, ("off",))], off) == 80


def test_three_for_two_gives_the_cheapest_of_every_three_and_pairs_the_dear_ones() -> None:
    pieces = [Piece("a", price, ("three",)) for price in (10, 500, 20, 400, 300, 30)]
    assert total(pieces, THREE) == 300 + 10
    assert total(pieces[:2], THREE) == 0
    # What a set saves is spread by price: giving the cheapest back does not give back nothing.
    same = best_savings([Piece("a", 100, ("three",))] * 3, {"three": THREE})
    assert sorted(saving.discount_minor for saving in same) == [33, 33, 34]


def test_a_bundle_costs_its_price_and_is_used_only_where_that_is_less() -> None:
    pieces = [Piece("a", 200, ("lunch",)), Piece("b", 180, ("lunch",))]
    assert total(pieces, LUNCH) == 80
    assert total([Piece("a", 100, ("lunch",)), Piece("b", 180, ("lunch",))], LUNCH) == 0


def test_a_piece_has_one_promotion_unless_all_of_them_say_more() -> None:
    pieces = [Piece("a", 200, ("half", "lunch")), Piece("b", 180, ("lunch",))]
    assert total(pieces, HALF, LUNCH) == 100
    joint = [
        Promotion("half", "percent", "Half", gtins=("a",), percent_bp=5_000, combinable=True),
        Promotion("off", "amount", "0.30 off", gtins=("a",), amount_minor=30, combinable=True),
    ]
    both = Piece("a", 200, ("half", "off"))
    assert best_savings([both], {one.promotion_id: one for one in joint}) == [
        Saving(130, ("half", "off"))
    ]


def test_a_limit_a_visit_is_kept_where_it_saves_most() -> None:
    once = Promotion("half", "percent", "Half", gtins=("a",), percent_bp=5_000, visit_max=1)
    pieces = [Piece("a", price, ("half",)) for price in (100, 300, 200)]
    assert [s.discount_minor for s in best_savings(pieces, {"half": once})] == [0, 150, 0]


def test_a_happy_hour_is_told_in_the_stores_zone_and_may_pass_midnight() -> None:
    late = Hours(begin="22:00", end="02:00", days=("thu",))
    happy = Promotion("h", "percent", "Happy", gtins=("a",), percent_bp=1, hours=(late,), from_s=0)
    assert [happy.valid_at(hour * 3600.0) for hour in (21.9, 22, 25.9, 26)] == [
        False, True, True, False,
    ]  # fmt: skip
    paris = Hours(begin="09:00", end="10:00")
    summer_s = 1_751_360_400.0  # 2025-07-01 09:00 UTC
    assert not paris.holds(summer_s, "Europe/Paris")
    assert paris.holds(summer_s - 2 * 3600, "Europe/Paris")


def _value(promotion: Promotion, group: tuple[Piece, ...]) -> int | None:
    """What a group of pieces saves with one promotion, from its definition; None: not allowed."""
    name = promotion.promotion_id
    if any(name not in piece.promotions for piece in group):
        return None
    prices = sorted(piece.price_minor for piece in group)
    if promotion.kind == "n_for_m":
        return (
            sum(prices[: promotion.take - promotion.pay]) if len(group) == promotion.take else None
        )
    if promotion.kind == "bundle":
        wanted = sorted(gtin for gtin, count in promotion.items for _ in range(count))
        if sorted(piece.gtin for piece in group) != wanted:
            return None
        return sum(prices) - promotion.price_minor
    return promotion.off(prices[0]) if len(group) == 1 else None


def _by_force(pieces: tuple[Piece, ...], promotions: list[Promotion], used: tuple[str, ...]) -> int:
    """The best combination, by trying every one."""
    if not pieces:
        return 0
    first, rest = pieces[0], pieces[1:]
    best = _by_force(rest, promotions, used)
    for promotion in promotions:
        name = promotion.promotion_id
        if promotion.visit_max is not None and used.count(name) >= promotion.visit_max:
            continue
        for size in range(min(3, len(pieces))):
            for places in combinations(range(len(rest)), size):
                value = _value(promotion, (first, *(rest[place] for place in places)))
                if value is not None and value > 0:
                    left = tuple(x for i, x in enumerate(rest) if i not in places)
                    best = max(best, value + _by_force(left, promotions, (*used, name)))
    return best


PROMOTIONS = [
    HALF,
    THREE,
    LUNCH,
    Promotion("off", "amount", "off", gtins=("b",), amount_minor=70, visit_max=1),
    Promotion("two", "n_for_m", "2 for 1", gtins=("b", "c"), take=2, pay=1, visit_max=1),
    Promotion("pair", "bundle", "pair", items=(("b", 2), ("c", 1)), price_minor=250),
]
PIECES = st.builds(
    Piece,
    st.sampled_from("abc"),
    st.sampled_from((90, 100, 150, 210)),
    st.lists(st.sampled_from([one.promotion_id for one in PROMOTIONS]), unique=True).map(tuple),
)


@settings(max_examples=120, deadline=None)
@given(st.lists(PIECES, max_size=5))
def test_nothing_allowed_saves_more_and_nothing_saves_more_than_it_costs(
    pieces: list[Piece],
) -> None:
    known = {one.promotion_id: one for one in PROMOTIONS}
    fit = [
        Piece(
            x.gtin, x.price_minor, tuple(n for n in x.promotions if x.gtin in known[n].products())
        )
        for x in pieces
    ]
    found = best_savings(fit, known)
    assert all(0 <= s.discount_minor <= x.price_minor for s, x in zip(found, fit, strict=True))
    assert sum(s.discount_minor for s in found) == _by_force(tuple(fit), PROMOTIONS, ())
    backwards = best_savings(fit[::-1], known)
    assert sum(s.discount_minor for s in backwards) == sum(s.discount_minor for s in found)


@settings(max_examples=80, deadline=None)
@given(
    st.lists(st.sampled_from((90, 100, 150, 210)), max_size=9),
    st.sampled_from((None, 1, 2)),
    st.sampled_from(((3, 2), (3, 1), (2, 1))),
)
def test_one_offer_for_sets_gives_the_best_sets(
    prices: list[int], limit: int | None, sizes: tuple[int, int]
) -> None:
    take, pay = sizes
    one = Promotion("s", "n_for_m", "s", gtins=("a",), take=take, pay=pay, visit_max=limit)
    pieces = [Piece("a", price, ("s",)) for price in prices]
    dear = sorted(prices, reverse=True)
    sets = [dear[at : at + take] for at in range(0, len(dear) - take + 1, take)][:limit]
    assert total(pieces, one) == sum(sum(some[pay:]) for some in sets)
    assert len(prices) > 6 or total(pieces, one) == _by_force(tuple(pieces), [one], ())


def test_what_combines_comes_off_sets_too() -> None:
    three = Promotion("t", "n_for_m", "t", gtins=("a",), take=3, pay=2, combinable=True)
    tenth = Promotion("p", "percent", "p", gtins=("a",), percent_bp=1_000, combinable=True)
    alone = Promotion("q", "percent", "q", gtins=("a",), percent_bp=5_000)
    pieces = [Piece("a", 300, ("t", "p"))] * 3
    assert total(pieces, three, tenth) == 300 + 3 * 20
    pieces = [Piece("a", 300, ("t", "p", "q"))] * 3
    assert total(pieces, three, tenth, alone) == 3 * 150


def test_a_cart_beyond_all_measure_still_ends() -> None:
    many = Promotion("many", "n_for_m", "12 for 11", gtins=("a",), take=12, pay=11)
    pieces = [Piece("a", 100 + price, ("many",)) for price in range(60)]
    assert 0 < total(pieces, many) <= 5 * 160
