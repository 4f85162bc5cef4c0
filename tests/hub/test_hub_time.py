"""Clocks of devices against the hub's, and messages moved to hub time."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import messages as m
from hub.attribution.model import FloorNews
from hub.devices.clock import ONE_WAY_SD_S, SD_S_MIN, TIGHTER_S, Clock, Estimate
from hub.devices.hubtime import closed_in_hub_time, segment_in_hub_time
from hub.levels import DRIFTS_LEVEL, LEVEL

COLA, BREAD = "4006381333931", "5901234123457"


@given(
    offset_s=st.floats(-1e5, 1e5),
    trips=st.lists(st.tuples(st.floats(0, 0.5), st.floats(0, 0.5)), min_size=1, max_size=30),
)
def test_the_true_offset_lies_within_the_error(
    offset_s: float, trips: list[tuple[float, float]]
) -> None:
    """Cristian's bound holds whatever the delays there and back are."""
    clock = Clock()
    now_s = 2e5
    for there_s, back_s in trips:
        sent_s = round(now_s, 6)
        device_us = round((sent_s + there_s - offset_s) * 1e6)
        now_s = sent_s + there_s + back_s
        assert clock.pong(now_s=now_s, hub_us=round(sent_s * 1e6), device_us=device_us)
        now_s += 5.0
    estimate = clock.estimate()
    assert abs(estimate.offset_s - offset_s) <= estimate.sd_s + 1e-4


@given(
    offset_s=st.floats(0, 1e5),
    trips=st.lists(st.tuples(st.floats(0, 9), st.floats(0, 9)), min_size=1, max_size=40),
    drift=st.floats(-5e-5, 5e-5),
)
def test_slow_answers_and_messages_bound_it_together(
    offset_s: float, trips: list[tuple[float, float]], drift: float
) -> None:
    """What is left of all bounds holds the truth, and is no wider than the quickest way each."""
    clock = Clock()
    now_s = 2e5

    def device_s(t_s: float) -> float:
        return (t_s - 2e5) * (1 + drift) + 3e5 - offset_s

    for there_s, back_s in trips:
        sent_s = round(now_s, 6)
        device_us = round(device_s(sent_s + there_s) * 1e6)
        now_s = sent_s + there_s + back_s
        assert clock.pong(now_s=now_s, hub_us=round(sent_s * 1e6), device_us=device_us)
        clock.heard(now_s=now_s, device_us=round(device_s(now_s - back_s) * 1e6))
    estimate = clock.estimate()
    latest = trips[-16:]
    aged_s = 1e-4 * sum(there_s + back_s for there_s, back_s in latest)
    assert abs(now_s - device_s(now_s) - estimate.offset_s) <= estimate.sd_s + aged_s + 1e-3
    quickest_s = min(there for there, _ in latest) + min(back for _, back in latest)
    assert estimate.sd_s <= max(SD_S_MIN, quickest_s / 2 + aged_s) + TIGHTER_S


def test_messages_narrow_what_a_slow_answer_left_open() -> None:
    clock = Clock()
    assert clock.pong(now_s=104.0, hub_us=100_000_000, device_us=13_000_000)
    assert clock.estimate() == Estimate(89.0, 2.0004)
    clock.heard(now_s=105.0, device_us=17_500_000)
    assert clock.estimate().offset_s == pytest.approx(87.25, abs=1e-3)
    assert clock.estimate().sd_s == pytest.approx(0.25, abs=1e-3)
    assert Clock.load(clock.dump()) == clock


def test_clocks_part_while_an_answer_is_on_its_way() -> None:
    """Two answers, one slow on the way back and one on the way out, just meet where a device gains
    50 microseconds a second. Databases of before level 7 say that they miss each other."""
    answers: list[dict[str, Any]] = [
        {"now_s": 109.0, "hub_us": 100_000_000, "device_us": 100_000_000},
        {"now_s": 110.0, "hub_us": 109_000_000, "device_us": 110_000_500},
    ]
    now, before = Clock(), Clock()
    for answer in answers:
        assert now.pong(**answer)
        assert before.pong(**answer, drifts=False)
    assert abs(now.estimate().offset_s - -0.0005) <= now.estimate().sd_s < 0.002
    assert before.estimate().sd_s == 0.5


@pytest.mark.parametrize(("level", "error_s"), [(LEVEL, 1.0002), (DRIFTS_LEVEL - 1, 1.0)])
def test_a_database_goes_by_its_rules_of_clocks(
    make_shop: Callable[..., Any], day: Any, level: int, error_s: float
) -> None:
    shop = make_shop(patient=True)
    shop.hub.core.state.hold_level(level)
    day.watermark(1.0)
    pong = m.ClockPong(hub_us=2_000_000, boot_id="boot-1", device_us=3_000_000)
    name = "sortie/v1/tiny/node-shelf/pong"
    shop.play([*day.script, (4.0, name, pong.model_dump_json().encode())], 5.0)
    clock = shop.hub.core.state.devices.all["node-shelf"].boots["boot-1"].clock
    assert [sample[2] for sample in clock.samples] == [pytest.approx(error_s)]


def test_news_of_a_boot_wait_until_its_clock_is_known(
    make_shop: Callable[..., Any], day: Any
) -> None:
    """A node that was cut off from its first moment tells of half a minute ago: dated as if it
    were now, what one shopper took would be charged to whoever stands there now."""
    shop = make_shop(patient=True)
    day.script.clear()
    day.shelf.sequence = day.floor.sequence = 0
    day.shelf.behind_s = day.floor.behind_s = -1_000.0
    one, two = shop.open_visit("code-one"), shop.open_visit("code-two")
    day.born(0.0)
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    day.shop(20.0, "t2", "code-two", [(BREAD, True)])
    late = 12.0
    shelf = [(max(at_s, late), name, data) for at_s, name, data in day.script if "shelf" in name]
    script = [row for row in day.script if "shelf" not in row[1]] + shelf
    for device_id, at_s in (("node-floor", 0.2), ("node-shelf", late + 1.0)):
        pong = m.ClockPong(
            hub_us=round((at_s - 0.1) * 1e6), boot_id="boot-1", device_us=round((at_s + 1e3) * 1e6)
        )
        name = f"sortie/v1/tiny/{device_id}/pong"
        script.append((at_s, name, pong.model_dump_json().encode()))
    shop.play(script, late + 0.2)
    assert shop.hub.core.undated("node-shelf")
    assert not shop.hub.core.quiet
    assert "ping" in {item.topic.rsplit("/", 1)[1] for item in shop.hub.tick(late + 0.8)}
    shop.hub.recover()
    assert shop.hub.core.undated("node-shelf"), "what waits is stored, and waits again"
    shop.play([row for row in script if row[0] > late + 0.2], 40.0)
    lines = {
        row["visit_id"]: [line["gtin"] for line in row["lines"]]
        for row in shop.hub.export_json()["receipts"]
    }
    assert lines == {one: [COLA], two: [BREAD]}
    reaches = [e for e in shop.hub.export_json()["events"] if e["kind"] == "decision.made"]
    assert [e["data"]["t_us"] / 1e6 for e in reaches] == pytest.approx([2.6, 21.6], abs=0.1)


def test_a_boot_that_never_answers_is_not_waited_for_for_ever(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop(patient=True)
    day.watermark(1.0)
    shop.play(day.script, 5.0)
    boot = shop.hub.core.state.devices.all["node-shelf"].boots["boot-1"]
    assert (boot.upto, boot.watermark_s) == (1, None)
    shop.play([], 12.0)
    assert not shop.hub.core.undated("node-shelf")
    assert boot.watermark_s == pytest.approx(1.0, abs=0.3)


def test_impossible_answers_are_refused() -> None:
    clock = Clock()
    assert not clock.pong(now_s=1.0, hub_us=2_000_000, device_us=0)
    assert not clock.pong(now_s=99.0, hub_us=1_000_000, device_us=0)
    assert clock.best is None
    clock.heard(now_s=100.0, device_us=40_000_000)
    clock.heard(now_s=101.5, device_us=41_000_000)
    assert clock.estimate().offset_s == 60.0
    assert clock.estimate().sd_s == ONE_WAY_SD_S
    assert Clock.load(clock.dump()) == clock


def test_moved_segments_say_what_the_segment_said() -> None:
    segment = m.TrackSegment(
        track_id="t",
        state="alive",
        points=(m.TrackPoint(t_s=1.0, x_m=1.0, y_m=2.0, sd_m=0.1),),
        wrists=(m.WristPoint(t_s=1.5, x_m=3.0, y_m=4.0, sd_m=0.2),),
        linked_from="s",
    )
    moved = segment_in_hub_time(segment, 2.5)
    assert moved == FloorNews(
        "t",
        "alive",
        ((3.5, 1.0, 2.0, 0.1),),
        ((4.0, 3.0, 4.0, 0.2),),
        "s",
    )
    assert moved._fields == tuple(m.TrackSegment.model_fields), "nothing is left behind"
    assert segment.points[0].t_s == 1.0
    assert segment_in_hub_time(segment, -5.0).points[0][0] == pytest.approx(-4.0)


def test_every_time_of_a_reach_is_moved() -> None:
    closed = m.ReachClosed(
        reach_id="r",
        bay_id="bay-a",
        t_open_s=1.0,
        t_close_s=2.0,
        u_m=0.1,
        hands=(
            m.HandSeen(
                hand_id="h", t_in_s=1.0, t_out_s=2.0, u_m=0.0, z_m=0.0, sd_u_m=0.1, sd_z_m=0.1
            ),
        ),
        changes=(
            m.FacingChange(
                board_id="b",
                u0_m=0.0,
                u1_m=0.1,
                t_before_s=1.0,
                t_after_s=2.0,
                action=m.ActionLikelihood(pick=0.0, put_back=0.0, nothing=0.0),
            ),
        ),
        grams=(m.GramStep(plate_id="p", t_start_s=1.0, t_end_s=2.0, delta_g=-5.0, sd_g=1.0),),
        camera_ok=True,
        plates_ok=True,
    )
    before = closed.model_dump()
    after = closed_in_hub_time(closed, 10.0).model_dump()

    def times(document: object, name: str = "") -> list[float]:
        if isinstance(document, dict):
            return [t for key, value in document.items() for t in times(value, key)]
        if isinstance(document, list | tuple):
            return [t for value in document for t in times(value, name)]
        is_time = name.startswith("t_") and isinstance(document, float)
        return [document] if is_time and isinstance(document, float) else []

    assert len(times(before)) == 8
    assert times(after) == [t + 10.0 for t in times(before)]
