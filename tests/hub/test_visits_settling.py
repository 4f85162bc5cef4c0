"""What an exit waits for where the store settles by place: nodes a shopper has long walked away
from need not say more than they have said."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.visits.commands import SetSettling
from tests.hub.conftest import BREAD, COLA

LEAVES_S = 4.0
"""When the shopper walks away from the shelf."""


def walk(day: Any, track: str, *, by: tuple[tuple[float, float, float], ...]) -> None:
    """From the gate to the shelf, where a can is taken, and out on a way of places."""
    day.step(1.0, track, 1.0, 0.3, "born")
    day.scan(1.1, "code-of-ann")
    day.step(1.5, track, 1.0, 0.8)
    for at_s in (2.0, 2.5, 3.0, 3.5, LEAVES_S):
        day.step(at_s, track, 1.1, 3.4)
    day.reach(2.4, track, COLA)
    for at_s, x_m, y_m in by:
        day.step(at_s, track, x_m, y_m)


STRAIGHT = ((4.5, 3.0, 2.0), (5.0, 4.0, 1.6), (5.5, 5.0, 1.2), (6.0, 5.0, 0.6), (6.4, 5.0, 0.1))
UNSEEN = ((4.5, 3.0, 2.0), (5.0, 4.0, 1.6), (7.2, 5.0, 0.6), (7.6, 5.0, 0.1))
"""Between 5.0 and 7.2 nobody saw where they were."""


def settled_s(shop: Any) -> float | None:
    rows = [event for event in shop.hub.live.feed if event.kind == "visit.settled"]
    return rows[0].at_us / 1e6 if rows else None


@pytest.mark.parametrize(
    ("by_place", "way", "told_s", "settles"),
    [
        pytest.param(True, STRAIGHT, 4.6, True, id="the node told until they were away"),
        pytest.param(True, STRAIGHT, 4.4, False, id="it told less"),
        pytest.param(True, UNSEEN, 4.6, False, id="out of sight they may have come back"),
        pytest.param(True, UNSEEN, 7.3, True, id="until they were seen again"),
        pytest.param(False, STRAIGHT, 6.6, False, id="as ever: until after the exit"),
    ],
)
def test_a_node_is_waited_for_until_its_bays_were_left(
    kept: Any,
    day: Any,
    by_place: bool,
    way: tuple[tuple[float, float, float], ...],
    told_s: float,
    settles: bool,
) -> None:
    if by_place:
        kept.hub.command(SetSettling(by_place=True), kept.now_s)
    kept.open_visit("code-of-ann")
    walk(day, "t1", by=way)
    day.watermark(told_s)
    kept.play(day.script, 9.0)
    assert [e.kind for e in kept.hub.live.feed].count("visit.exited") == 1
    assert (settled_s(kept) is not None) is settles
    if settles:
        exit_s = way[-1][0]
        assert settled_s(kept) == pytest.approx(exit_s, abs=0.41)
        (visit,) = kept.hub.core.state.visits.values()
        assert [(line.gtin, line.quantity) for line in visit.lines] == [(COLA, 1)]


def test_who_was_at_the_shelf_a_moment_ago_waits_for_its_node(kept: Any, day: Any) -> None:
    kept.hub.command(SetSettling(by_place=True), kept.now_s)
    kept.open_visit("code-of-ann")
    walk(day, "t1", by=())
    # Seen at the shelf, and next outside: the whole way was between two looks.
    day.step(4.4, "t1", 5.0, 0.6)
    day.step(4.8, "t1", 5.0, 0.1)
    day.watermark(4.3)
    kept.play(day.script, 6.0)
    assert settled_s(kept) is None
    day.script.clear()
    day.watermark(6.5)
    kept.play(day.script, 7.0)
    assert settled_s(kept) == pytest.approx(6.6, abs=0.11)


def test_a_reach_that_is_not_decided_is_waited_for_all_the_same(kept: Any, day: Any) -> None:
    kept.hub.command(SetSettling(by_place=True), kept.now_s)
    kept.open_visit("code-of-ann")
    walk(day, "t1", by=STRAIGHT)
    day.reach(3.4, "t1", BREAD)
    # It was opened while they stood there; that it closed is told late.
    late = [row for row in day.script if "node-shelf" in row[1]][-1:]
    day.script = [row for row in day.script if row not in late]
    kept.play(day.script, 8.0)
    assert settled_s(kept) is None
    kept.hub.ingest([(name, payload) for _at, name, payload in late], kept.now_s)
    day.script.clear()
    day.watermark(8.2)
    kept.play(day.script, 9.0)
    (visit,) = kept.hub.core.state.visits.values()
    assert {line.gtin for line in visit.lines} == {COLA, BREAD}


def test_it_is_set_once_and_replays(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("again.sqlite")
    assert shop.hub.command(SetSettling(by_place=False), shop.now_s).repeated
    assert "by_place" not in shop.hub.core.dump(), "a store that was never told is as it was"
    assert not shop.hub.command(SetSettling(by_place=True), shop.now_s).repeated
    assert shop.hub.command(SetSettling(by_place=True), shop.now_s).repeated
    assert [e.kind for e in shop.hub.live.feed].count("settling.set") == 1
    shop.open_visit("code-of-ann")
    walk(day, "t1", by=STRAIGHT)
    day.watermark(4.6)
    shop.play(day.script, 9.0)
    assert settled_s(shop) is not None
    assert shop.hub.compact(shop.now_s), "nobody is inside: replay begins at a snapshot"
    shop.hub.close()
    assert make_shop("again.sqlite").hub.core.state.by_place
