"""Boots whose clock nobody knew: what they told charges nobody, and hides nothing from staff."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts import messages as m
from hub.core import HubCore
from hub.levels import EARLY_BODY_LEVEL, LEVEL, UNDATED_LEVEL
from hub.rules import Rules
from hub.visits.atgate import TAP_AGAIN
from tests.hub.conftest import Day, NearestAttributor, Node, Shop
from tests.hub.visits_kit import of_kind, play, tap, visit_of, walk_in, walk_out

COLA, BREAD = "4006381333931", "5901234123457"
BEFORE = UNDATED_LEVEL - 1
LATE_S = 20.0
"""When the outbox of a node that has died is heard."""
NO_DATE = "nobody knows when its body was where the floor says"
NO_REACH = "nobody knows when a reach was that node-shelf told of"

MakeShop = Callable[..., Shop]


class Listening(NearestAttributor):
    """Keeps when which tracks were told of."""

    def __init__(self, ground: Any) -> None:
        super().__init__(ground)
        self.tracks: list[tuple[str, float]] = []

    def track(self, segment: Any) -> None:
        self.tracks += [(segment.track_id, point[0]) for point in segment.points]


def patient(make_shop: MakeShop, level: int = LEVEL, **more: Any) -> Shop:
    """A hub that waits two seconds for a boot's first answer to a ping."""
    shop = make_shop(rules=Rules(clock_wait_s=2.0), patient=True, **more)
    shop.hub.core.state.hold_level(level)
    return shop


def answers(day: Day, node: Node, at_s: float) -> None:
    """A node answers a ping at once."""
    pong = m.ClockPong(
        hub_us=round((at_s - 0.1) * 1e6),
        boot_id=node.boot_id,
        device_us=round((at_s - 0.05) * 1e6),
    )
    name = f"sortie/v1/tiny/{node.device_id}/pong"
    day.script.append((at_s, name, pong.model_dump_json().encode()))


def one_code(make_shop: MakeShop, day: Day, level: int = LEVEL) -> tuple[Shop, str]:
    """A patient hub that knows the shelf's clock and not the floor's, and a visit with its code."""
    shop = patient(make_shop, level)
    visit_id = shop.open_visit("code-one")
    answers(day, day.shelf, 0.2)
    return shop, visit_id


def heard_late(day: Day, device_id: str) -> None:
    """All that this node said so far comes when it is long dead."""
    day.script[:] = [
        (LATE_S if device_id in name else at_s, name, data) for at_s, name, data in day.script
    ]


def in_its_place(day: Day, at_s: float) -> None:
    """The floor's node begins anew, and its clock is known."""
    day.floor = Node("node-floor", "boot-2")
    day.say(day.floor, at_s, m.NodeBorn(software="test", config_revision=1, floor=True))
    answers(day, day.floor, at_s + 0.1)


def lines_of(shop: Shop) -> dict[str, list[str]]:
    receipts = shop.hub.export_json()["receipts"]
    return {row["visit_id"]: [line["gtin"] for line in row["lines"]] for row in receipts}


@pytest.mark.parametrize(("level", "strangers"), [(LEVEL, False), (BEFORE, True)])
def test_a_code_read_at_an_unknown_time_is_no_body_of_another_boot(
    make_shop: MakeShop, day: Any, level: int, strangers: bool
) -> None:
    """It was dated by when it came, and was that of whoever stood at the gate then."""
    shop, visit_id = one_code(make_shop, day, level)
    day.scan(5.0, "code-one")
    day.floor_watermark(6.0)
    heard_late(day, "node-floor")
    in_its_place(day, 10.0)
    walk_in(day, 18.8, "stranger")
    day.reach(20.5, "stranger", BREAD)
    day.step(22.0, "stranger", 1.1, 3.4)
    walk_out(day, 24.0, "stranger")
    day.watermark(27.0)
    for at_s in (28.0, 30.0, 40.0):
        day.floor_watermark(at_s)
    play(shop, day, 80.0)
    visit = visit_of(shop, visit_id)
    assert visit.stage == "final"
    assert ("stranger" in visit.tracks) == strangers
    assert lines_of(shop) == {visit_id: [BREAD] if strangers else []}
    assert visit.needs_review != strangers


def test_it_is_a_body_of_its_own_boot_and_staff_look_at_it(make_shop: MakeShop, day: Any) -> None:
    shop, visit_id = one_code(make_shop, day)
    day.step(4.8, "t1", 1.0, 0.3, "born")
    day.scan(5.0, "code-one")
    walk_in(day, 5.2, "t1")
    walk_out(day, 8.0, "t1")
    day.floor_watermark(11.0)
    heard_late(day, "node-floor")
    day.watermark(24.0)
    play(shop, day, 80.0)
    visit = visit_of(shop, visit_id)
    assert (visit.stage, visit.tracks, visit.exit_kind) == ("final", ["t1"], "exit")
    assert visit.review_reasons == [NO_DATE]


@pytest.mark.parametrize(("level", "whose"), [(LEVEL, "t1"), (EARLY_BODY_LEVEL - 1, "t2")])
def test_a_code_may_be_that_of_a_body_which_came_before_the_first_answer(
    make_shop: MakeShop, day: Any, level: int, whose: str
) -> None:
    """Seed 2569 of the torture: each code was the next one's who came in."""
    shop, visit_id = one_code(make_shop, day, level)
    day.floor_watermark(1.0)
    day.step(4.6, "t1", 1.0, 0.3, "born")
    day.step(4.8, "t1", 1.0, 0.4)
    answers(day, day.floor, 5.0)
    day.scan(5.2, "code-one")
    walk_in(day, 5.4, "t1")
    day.step(6.6, "t2", 1.0, 0.3, "born")
    walk_in(day, 6.8, "t2")
    play(shop, day, 12.0)
    visit = visit_of(shop, visit_id)
    assert visit.tracks == [whose]
    assert (visit.undated is not None) == (whose == "t1")


def test_a_body_of_before_that_is_not_at_the_gate_is_not_whose_code_is_read(
    make_shop: MakeShop, day: Any
) -> None:
    shop, visit_id = one_code(make_shop, day)
    day.floor_watermark(1.0)
    day.step(4.0, "t1", 1.0, 0.3, "born")
    walk_in(day, 4.2, "t1")
    answers(day, day.floor, 6.0)
    day.step(7.0, "t2", 1.0, 0.3, "born")
    day.step(7.2, "t2", 1.0, 0.4)
    day.scan(7.4, "code-one")
    walk_in(day, 7.6, "t2")
    play(shop, day, 12.0)
    visit = visit_of(shop, visit_id)
    assert (visit.tracks, visit.undated) == (["t2"], None)


@pytest.mark.parametrize(("level", "refused"), [(LEVEL, True), (BEFORE, False)])
def test_a_tap_is_no_body_that_was_seen_at_an_unknown_time(
    make_shop: MakeShop, day: Any, level: int, refused: bool
) -> None:
    shop = patient(make_shop, level)
    day.floor_watermark(1.0)
    day.step(4.0, "t1", 1.0, 0.4, "born")
    play(shop, day, 5.0)
    visit_id = tap(shop, "tap-1").visit_id
    day.step(5.2, "t1", 1.0, 0.4)
    day.floor_watermark(8.0)
    play(shop, day, 9.0)
    visit = visit_of(shop, visit_id)
    assert (visit.refusal == TAP_AGAIN) == refused
    assert visit.tracks == ([] if refused else ["t1"])


@pytest.mark.parametrize("level", [LEVEL, BEFORE])
def test_a_body_takes_nothing_where_nobody_knows_when(
    make_shop: MakeShop, day: Any, level: int
) -> None:
    """Attribution hears of it from its clock's first answer on."""
    shop = patient(make_shop, level, attributor=Listening)
    day.floor_watermark(0.5)
    day.step(1.0, "t1", 1.0, 0.4, "born")
    answers(day, day.floor, 5.0)
    day.step(6.0, "t1", 1.1, 3.4)
    play(shop, day, 7.0)
    attributor: Any = shop.hub.core.state.attributor
    told = attributor.tracks
    assert [round(t_s) for _name, t_s in told] == ([6] if level == LEVEL else [1, 6])


@pytest.mark.parametrize(("level", "taken"), [(LEVEL, []), (BEFORE, [COLA])])
def test_a_reach_of_an_unknown_time_is_nobodys_and_staff_look(
    make_shop: MakeShop, day: Any, level: int, taken: list[str]
) -> None:
    shop = patient(make_shop, level)
    codes = ("code-one", "code-gone", "code-after")
    one, gone, after = (shop.open_visit(code) for code in codes)
    answers(day, day.floor, 0.2)
    day.shop(2.0, "t1", "code-one", [(COLA, True)])
    day.step(8.0, "t2", 1.0, 0.3, "born")
    day.scan(8.1, "code-gone")
    day.step(8.5, "t2", 1.0, 0.8)
    walk_out(day, 9.0, "t2")
    heard_late(day, "node-shelf")
    play(shop, day, LATE_S + 1.0)
    if level == LEVEL:
        # What is left open outlives a restart; its journal leads there by the newest rules.
        shop.hub.recover()
    day.step(30.0, "t3", 1.0, 0.3, "born")
    day.scan(30.1, "code-after")
    day.step(30.5, "t3", 1.0, 0.8)
    walk_out(day, 31.0, "t3")
    day.floor_watermark(40.0)
    play(shop, day, 90.0)
    found = [visit_of(shop, visit_id) for visit_id in (one, gone, after)]
    assert [visit.stage for visit in found] == ["final"] * 3
    assert lines_of(shop)[one] == taken
    reasons = [NO_REACH in visit.review_reasons for visit in found]
    assert reasons == [level == LEVEL, level == LEVEL, False]
    made = of_kind(shop, "decision.made")
    assert [event.data["certain"] for event in made] == [level != LEVEL]


def test_what_is_left_open_outlives_a_snapshot(make_shop: MakeShop, day: Any) -> None:
    shop = patient(make_shop)
    day.reach(1.0, "t1", COLA)
    play(shop, day, 100.0)
    core = shop.hub.core
    assert [row["bay_id"] for row in core.dump()["undated"]] == ["bay-a"]
    again = HubCore(core.state.store, core.state.factory, core.state.rules)
    again.restore(core.dump())
    assert again.dump() == core.dump()


def test_a_reach_that_ends_when_its_clock_is_known_is_dated(make_shop: MakeShop, day: Any) -> None:
    shop = patient(make_shop)
    reach = day.reach(4.6, "t1", COLA)
    answers(day, day.shelf, 5.0)
    shop.play([row for row in day.script if row[0] < 4.8], 4.8)
    assert list(shop.hub.core.state.undated) == [reach]
    shop.play([row for row in day.script if row[0] > 4.8], 10.0)
    assert shop.hub.core.state.undated == {}
    assert [event.data["certain"] for event in of_kind(shop, "decision.made")] == [True]


def test_old_reaches_are_forgotten(make_shop: MakeShop, day: Any) -> None:
    shop = make_shop(rules=Rules(clock_wait_s=2.0, visit_s_max=30.0), patient=True)
    first = day.reach(1.0, "t1", COLA)
    play(shop, day, 20.0)
    assert list(shop.hub.core.state.undated) == [first]
    second = day.reach(60.0, "t1", COLA)
    play(shop, day, 70.0)
    assert list(shop.hub.core.state.undated) == [second]


def test_where_rules_wait_for_no_clock_news_are_of_now(make_shop: MakeShop, day: Any) -> None:
    shop = make_shop()
    visit_id = shop.open_visit("code-one")
    day.shop(2.0, "t1", "code-one", [(COLA, True)])
    play(shop, day, 20.0)
    assert lines_of(shop) == {visit_id: [COLA]}
    assert visit_of(shop, visit_id).review_reasons == []
