"""The seat: verbs one by one, keys and clicks between them, and hands before feet."""

from __future__ import annotations

import math

import pytest

from store_sim.errors import PlayerError
from store_sim.player import PENDING_MAX, STEER_S, PlayerSeat, Steered
from store_sim.world.verbs import Look, Take, Wait
from tests.store_sim.player_kit import Table, carried, rests


@pytest.fixture
def table() -> Table:
    """Somebody has come in."""
    made = Table()
    made.come_in()
    return made


def test_verbs_come_in_the_order_they_were_asked_for() -> None:
    seat = PlayerSeat()
    seat.ask(Take("bay-a-3-l"), Wait(1.0))
    assert [next(seat), next(seat)] == [Take("bay-a-3-l"), Wait(1.0)]
    assert isinstance(next(seat), Steered)
    assert isinstance(next(seat), Steered)
    assert seat.take_done() == [Take("bay-a-3-l"), Wait(1.0)]
    assert seat.take_done() == []


def test_too_much_at_once_is_refused_whole() -> None:
    seat = PlayerSeat()
    seat.ask(*[Wait(1.0)] * (PENDING_MAX - 1))
    with pytest.raises(PlayerError, match=f"at most {PENDING_MAX}"):
        seat.ask(Wait(2.0), Wait(3.0))
    assert seat.waiting == PENDING_MAX - 1
    seat.clear()
    assert seat.waiting == 0


def test_a_held_key_walks_and_a_key_let_go_stops(table: Table) -> None:
    x0, y0 = table.here
    for _ in range(5):
        table.ask(act="steer", dx=1, dy=0)
        table.run(0.2)
    x1, y1 = table.here
    assert x1 - x0 > 0.4
    assert abs(y1 - y0) < 0.15
    table.ask(act="steer", dx=0, dy=0)
    table.run(0.5)
    assert math.dist(table.here, (x1, y1)) < 0.15


def test_a_page_that_vanished_steers_no_further(table: Table) -> None:
    table.ask(act="steer", dx=1, dy=0)
    seen = table.run(STEER_S + 1.0)
    assert seen["you"]["doing"] == "standing"
    x0, _ = table.here
    table.run(2.0)
    assert table.here[0] == x0


def test_a_wall_is_walked_along_and_never_through(table: Table) -> None:
    store = table.store.floor
    for _ in range(60):
        table.ask(act="steer", dx=-1, dy=1)
        table.run(0.2)
    x, y = table.here
    assert 0.4 <= x <= store.width_m
    assert y <= store.depth_m - 0.4
    assert table.world.ground.clear(x, y)


def test_a_click_is_walked_to_and_another_one_changes_the_way(table: Table) -> None:
    table.ask(act="go", x_m=5.0, y_m=2.0)
    table.run(1.0)
    table.ask(act="go", x_m=2.0, y_m=2.4)
    table.run(20.0, rests)
    assert math.dist(table.here, (2.0, 2.4)) < 0.1
    before = table.here
    table.ask(act="go", x_m=5.0, y_m=2.0)
    table.run(0.6)
    table.ask(act="stop")
    table.run(3.0)
    assert 0.0 < math.dist(table.here, before) < 1.2


def test_a_key_ends_a_walk_to_a_point(table: Table) -> None:
    table.ask(act="go", x_m=5.0, y_m=2.0)
    table.run(0.5)
    table.ask(act="steer", dx=0, dy=1)
    table.run(STEER_S + 1.0)
    assert table.here[0] < 2.0
    assert rests(table.desk.look())


def test_hands_come_before_feet(table: Table) -> None:
    table.ask(act="go", x_m=5.0, y_m=2.0)
    table.run(0.5)
    seen = table.do(act="take", slot_id="bay-a-3-l")
    assert carried(seen) == ["2000000013015"]
    assert seen["you"]["near_bay"] == "bay-a"


def test_a_walk_before_a_bay_ends_with_a_look_at_it(table: Table) -> None:
    seen = table.do(act="shelf", bay_id="bay-b")
    me = next(one for one in seen["people"] if one["you"])
    assert seen["you"]["near_bay"] == "bay-b"
    assert me["heading_rad"] == pytest.approx(math.pi / 2, abs=0.1)


def test_a_seat_is_an_endless_plan_of_any_verbs() -> None:
    table = Table()
    table.come_in()
    visit = table.desk._visit
    assert visit is not None
    visit.seat.ask(Look("bay-c-3-l", 0.5), Take("bay-c-3-l"))
    table.run(0.3)
    assert carried(table.run(60.0, rests)) == ["2000000033013"]
