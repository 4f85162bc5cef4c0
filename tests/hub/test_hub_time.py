"""Clocks of devices against the hub's, and messages moved to hub time."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from contracts import messages as m
from hub.attribution.model import FloorNews, FloorPoint
from hub.devices.clock import ONE_WAY_SD_S, Clock
from hub.devices.hubtime import closed_in_hub_time, segment_in_hub_time


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


def test_impossible_answers_are_refused() -> None:
    clock = Clock()
    assert not clock.pong(now_s=1.0, hub_us=2_000_000, device_us=0)
    assert not clock.pong(now_s=9.0, hub_us=1_000_000, device_us=0)
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
        (FloorPoint(3.5, 1.0, 2.0, 0.1),),
        (FloorPoint(4.0, 3.0, 4.0, 0.2),),
        "s",
    )
    assert moved._fields == tuple(m.TrackSegment.model_fields), "nothing is left behind"
    assert segment.points[0].t_s == 1.0
    assert segment_in_hub_time(segment, -5.0).points[0].t_s == pytest.approx(-4.0)


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
