"""The bad network: what each dial does, that it does it by seed, and that all is bounded."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from store_sim.dials import NetworkDials
from store_sim.network import IN_FLIGHT_MAX, Delivery, Link, Network, Spells

UP: Link = ("node-a", "up")
DOWN: Link = ("node-a", "down")
OTHER: Link = ("node-b", "up")
COUNT = 2_000


def _run(network: Network, *, count: int = COUNT, link: Link = UP) -> list[Delivery]:
    """Ten messages a second, and then a while in which nothing is sent."""
    found: list[Delivery] = []
    for number in range(count):
        network.send(number / 10, link, "events", b"%d" % number)
        found += network.due(number / 10)
    return found + network.due(count / 10 + 1_000.0)


def _numbers(found: list[Delivery]) -> list[int]:
    return [int(letter.payload) for letter in found]


def test_perfect_dials_do_nothing() -> None:
    network = Network(NetworkDials(), seed=1)
    for number in range(50):
        network.send(1.0, UP, "events", b"%d" % number)
    assert _numbers(network.due(1.0)) == list(range(50))
    assert network.counts == {"delivered": 50, "sent": 50}


def test_delays_are_so_long_on_average_and_keep_the_order() -> None:
    found = _run(Network(NetworkDials(delay_ms=30.0), seed=2))
    waits_s = [letter.due_s - int(letter.payload) / 10 for letter in found]
    assert sum(waits_s) / COUNT == pytest.approx(0.030, rel=0.1)
    assert min(waits_s) >= 0.0
    assert _numbers(found) == list(range(COUNT))
    # On a line that is slower than the messages come, nobody overtakes either.
    slow = _run(Network(NetworkDials(delay_ms=2_000.0), seed=2))
    assert _numbers(slow) == list(range(COUNT))


@pytest.mark.parametrize("share", [0.1, 0.5, 1.0])
def test_so_many_are_lost(share: float) -> None:
    network = Network(NetworkDials(dropped=share), seed=3)
    found = _run(network)
    assert len(found) == COUNT - network.counts.get("dropped", 0)
    assert network.counts["dropped"] / COUNT == pytest.approx(share, abs=0.04)


def test_doubles_come_twice_and_say_the_same() -> None:
    network = Network(NetworkDials(doubled=0.3, delay_ms=50.0), seed=4)
    times = Counter(_numbers(_run(network)))
    assert set(times) == set(range(COUNT))
    assert set(times.values()) == {1, 2}
    twice = sum(count == 2 for count in times.values())
    assert twice == network.counts["doubled"]
    assert twice / COUNT == pytest.approx(0.3, abs=0.04)


def test_only_what_is_reordered_is_overtaken() -> None:
    network = Network(NetworkDials(reordered=0.2), seed=5)
    found = _numbers(_run(network))
    assert sorted(found) == list(range(COUNT))
    late = sum(number < max(found[:place], default=-1) for place, number in enumerate(found))
    assert 0.1 * COUNT < late <= network.counts["reordered"]


def test_a_cut_loses_what_is_sent_and_what_is_on_its_way() -> None:
    network = Network(NetworkDials(delay_ms=500.0), seed=6)
    network.send(0.0, UP, "events", b"under way")
    network.close([UP])
    network.send(0.1, UP, "events", b"into the cut")
    network.send(0.1, DOWN, "ack", b"the other way")
    network.send(0.1, OTHER, "events", b"another node")
    assert {letter.payload for letter in network.due(90.0)} == {b"the other way", b"another node"}
    network.close([])
    network.send(90.0, UP, "events", b"mended")
    assert [letter.payload for letter in network.due(200.0)] == [b"mended"]
    assert network.counts["cut"] == 2


def test_random_cuts_are_both_ways_or_one_way_and_last_as_long_as_asked() -> None:
    network = Network(NetworkDials(cuts_per_min=6.0, cut_s=4.0), seed=7)
    seen: Counter[tuple[bool, bool]] = Counter()
    for tick in range(36_000):
        t_s = tick / 10
        seen[network.cut(UP, t_s), network.cut(DOWN, t_s)] += 1
    # Ten seconds from end to beginning, four from beginning to end.
    assert 1 - seen[False, False] / 36_000 == pytest.approx(4 / 14, abs=0.04)
    assert min(seen[True, True], seen[True, False], seen[False, True]) > 1_000
    assert network.counts["cuts"] == pytest.approx(3_600 / 14, rel=0.15)


def test_what_the_broker_had_is_lost_with_it() -> None:
    network = Network(NetworkDials(delay_ms=1_000.0), seed=8)
    for _ in range(5):
        network.send(0.0, UP, "events", b"x")
    network.lose_all()
    assert network.due(500.0) == []
    assert (network.counts["lost"], network.in_flight) == (5, 0)


def test_what_is_on_its_way_is_bounded_and_what_is_too_much_is_counted() -> None:
    network = Network(NetworkDials(delay_ms=60_000.0), seed=9)
    for _ in range(IN_FLIGHT_MAX + 10):
        network.send(0.0, UP, "events", b"x")
    network.send(0.0, DOWN, "ack", b"another link has room")
    assert network.counts["overflowed"] == 10
    assert network.in_flight == IN_FLIGHT_MAX + 1
    assert len(network.due(1e6)) == IN_FLIGHT_MAX + 1
    network.send(1e6, UP, "events", b"room again")
    assert network.counts["overflowed"] == 10


HEAVY = NetworkDials(
    delay_ms=80.0, dropped=0.2, doubled=0.2, reordered=0.2, cuts_per_min=4.0, cut_s=2.0
)
PINNED = {"delivered": 293, "doubled": 55, "dropped": 62, "reordered": 52, "sent": 300}
FIRST = [(0.069666, b"0"), (0.205754, b"2"), (0.240956, b"2"), (0.305501, b"1")]


def test_the_same_seed_does_the_same_and_another_seed_something_else() -> None:
    first, again, other = (Network(HEAVY, seed=seed) for seed in (10, 10, 11))
    one, two, three = _run(first), _run(again), _run(other)
    assert one == two
    assert first.counts == again.counts
    assert _numbers(one) != _numbers(three)


def test_the_numbers_behind_a_seed_are_pinned() -> None:
    """The same on every machine and every Python: nothing of a run may move unnoticed."""
    network = Network(HEAVY, seed=12)
    found = _run(network, count=300)
    assert network.counts == PINNED
    assert [(round(letter.due_s, 6), letter.payload) for letter in found[:4]] == FIRST


def test_a_link_does_not_depend_on_what_others_send() -> None:
    alone = _run(Network(HEAVY, seed=13))
    network = Network(HEAVY, seed=13)
    found: list[Delivery] = []
    for number in range(COUNT):
        network.send(number / 10, OTHER, "events", b"-1")
        network.send(number / 10, UP, "events", b"%d" % number)
        found += network.due(number / 10)
    found += network.due(COUNT / 10 + 1_000.0)
    assert [(x.due_s, x.payload) for x in found if x.link == UP] == [
        (x.due_s, x.payload) for x in alone
    ]


def test_a_dial_turned_up_loses_what_was_lost_before_and_more() -> None:
    few = set(_numbers(_run(Network(NetworkDials(dropped=0.2), seed=14))))
    fewer = set(_numbers(_run(Network(NetworkDials(dropped=0.4), seed=14))))
    assert fewer < few


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    dials=st.builds(
        NetworkDials,
        delay_ms=st.floats(0, 60_000),
        dropped=st.floats(0, 1),
        doubled=st.floats(0, 1),
        reordered=st.floats(0, 1),
        cuts_per_min=st.floats(0, 60),
        cut_s=st.floats(0, 600),
    ),
)
def test_every_message_is_accounted_for(seed: int, dials: NetworkDials) -> None:
    network = Network(dials, seed)
    found = _run(network, count=60)
    counts: Counter[str] = Counter(network.counts)
    assert counts["sent"] == 60
    assert len(found) == counts["delivered"]
    assert counts["delivered"] == (
        counts["sent"] + counts["doubled"] - counts["dropped"] - counts["cut"]
    )
    assert found == sorted(found, key=lambda one: (one.due_s, one.number))


def test_a_spell_that_never_comes_is_never_on() -> None:
    never = Spells(1, 1, "x", per_min=0.0, mean_s=5.0)
    assert not any(never.on(float(t)) for t in range(100))
    assert never.count == 0
