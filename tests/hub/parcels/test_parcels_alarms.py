"""What staff say to an alarm, and what becomes of those that nobody answers."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing

import pytest

from hub.errors import RejectedError
from hub.levels import WALL_SALES_LEVEL
from hub.parcels.alarms import ALARMS_MAX, raise_alarm
from hub.parcels.commands import CancelOrder, ClearAlarm, ReportMissing
from hub.parcels.room import UNSEEN_S_MAX
from hub.parcels.sessions import IDLE_S
from hub.rules import Rules
from tests.hub.parcels.wall_kit import Bench, code_of, key


def test_an_answer_that_cannot_be_changes_nothing(bench: Bench) -> None:
    bench.order("o1", 1)
    bench.stand(1)
    bench.tell(bench.thing("x", None, "stands", 0.6))
    bench.wait(5.0)
    bench.scan(code_of("o1"))
    bench.tell(bench.thing("x", None, "moves", 0.6))
    ((number, alarm),) = bench.wall().alarms.items()
    assert (alarm.kind, bench.session().wrong) == ("wrong_taken", ["x"])
    before = bench.hub.digest()
    with pytest.raises(RejectedError, match="an alarm about a parcel that was taken"):
        bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="missing"))
    assert bench.hub.digest() == before
    bench.do(ClearAlarm(wall_id="wall-1", number=number))
    assert bench.session().wrong == []


def unseen(bench: Bench) -> int:
    """Of two parcels that are paid at the wall one went while the camera was blind; the alarm."""
    bench.order("o1", 1, 2, due=300)
    bench.stand(1, 0.05)
    bench.stand(2, 0.4)
    bench.scan(code_of("o1"))
    bench.lift(1, gone=False)
    bench.outage(blind=True)
    bench.wait(IDLE_S + 20.0)
    ((number, alarm),) = bench.wall().alarms.items()
    assert alarm.kind == "handover_unseen"
    return number


def half_a_day(bench: Bench) -> None:
    bench.wait(1.0)
    bench.now_s += UNSEEN_S_MAX
    bench.wait(1.0)


def sales_over(bench: Bench) -> bool:
    return not bench.hub.core.state.open_visits() and not bench.gateway.totals().holds_open


def test_a_sale_ends_though_staff_only_looked(bench: Bench) -> None:
    number = unseen(bench)
    bench.do(ClearAlarm(wall_id="wall-1", number=number))
    assert not sales_over(bench)
    half_a_day(bench)
    assert sales_over(bench)
    assert bench.state_of(1) == "missing"
    assert bench.hub.compact(bench.now_s), "nobody is there: the journal may begin anew"


def test_a_sale_ends_when_its_parcel_is_reported_missing(bench: Bench) -> None:
    unseen(bench)
    bench.do(ReportMissing(key=key(1)))
    assert sales_over(bench)


def test_a_sale_ends_whose_order_was_cancelled_while_it_was_in_hand(bench: Bench) -> None:
    bench.order("o1", 1, due=300)
    bench.stand(1)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.do(CancelOrder(order_id="o1"))
    bench.wait(IDLE_S + 20.0)
    assert (bench.alarms(), sales_over(bench)) == (["wrong_taken"], False)
    half_a_day(bench)
    assert (bench.alarms(), sales_over(bench)) == ([], True)


def test_an_order_stays_in_memory_until_its_sale_is_over(make_bench: Callable[..., Bench]) -> None:
    bench = make_bench(rules=Rules(orders_closed_kept=0))
    unseen(bench)
    bench.do(CancelOrder(order_id="o1"))
    bench.wait(60.0)
    assert "o1" in bench.room.orders
    half_a_day(bench)
    assert (bench.alarms(), sales_over(bench)) == ([], True)
    assert "o1" not in bench.room.orders
    assert not bench.hub.core.due(bench.now_s)


def test_what_is_taken_after_an_answer_is_charged_too(bench: Bench) -> None:
    bench.order("o1", 1, 2, due=300)
    bench.stand(1, 0.05)
    bench.stand(2, 0.4)
    bench.scan(code_of("o1"))
    bench.lift(1)
    bench.outage(blind=True)
    bench.outage(blind=False)
    bench.wait(6.0)
    (number,) = bench.wall().alarms
    bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="handed_over"))
    assert bench.session().live
    bench.lift(2)
    bench.wait(6.0)
    (number,) = bench.wall().alarms
    bench.do(ClearAlarm(wall_id="wall-1", number=number, outcome="handed_over"))
    bench.wait(IDLE_S)
    assert bench.gateway.totals().captured_minor == 600
    assert sales_over(bench)


def test_older_databases_let_sales_wait() -> None:
    bench = Bench()
    with closing(bench.hub):
        bench.hub.core.state.level = WALL_SALES_LEVEL - 1
        number = unseen(bench)
        bench.do(ClearAlarm(wall_id="wall-1", number=number))
        half_a_day(bench)
        assert not sales_over(bench)
        bench.hub.core.state.level = WALL_SALES_LEVEL
        bench.wait(1.0)
        assert sales_over(bench)


def test_too_many_alarms_let_no_twin_shine() -> None:
    bench = Bench()
    with closing(bench.hub):
        bench.order("o1", 1)
        bench.stand(1)
        bench.stand(1, 0.5, thing_id="twin")
        bench.wait(4.0)
        bench.tell(bench.thing("twin", None, "gone"))
        state = bench.hub.core.state
        for number in range(ALARMS_MAX + 5):
            raise_alarm(state, bench.wall(), "unknown_taken", thing_id=f"x{number}")
        assert len(bench.alarms()) == ALARMS_MAX
        bench.scan(code_of("o1"))
        assert "take_a" not in bench.looks().values()
