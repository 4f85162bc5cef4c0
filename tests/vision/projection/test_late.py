"""Observations are told the time they would have had on a machine that throws pictures at once."""

from __future__ import annotations

import numpy as np

from vision.projection.late import Lateness
from vision.wall import WallObservation


def seen(t_s: float) -> WallObservation:
    return WallObservation("cam-1", "wall-1", t_s, False, capture=np.zeros((2, 2), np.uint8))


def test_what_was_seen_after_a_late_picture_was_seen_earlier_by_as_much() -> None:
    late = Lateness()
    late.given(10.0)
    late.shown(10.4)
    assert [round(late.timed(seen(t)).t_s, 3) for t in (9.9, 10.3, 10.5)] == [9.9, 9.9, 10.1]


def test_each_picture_has_its_own_lateness() -> None:
    late = Lateness()
    late.given(10.0)
    late.shown(10.4)
    late.given(12.0)
    late.shown(12.1)
    assert [round(late.timed(seen(t)).t_s, 3) for t in (11.0, 12.3)] == [10.6, 12.2]


def test_nothing_is_told_by_a_capture_while_the_picture_may_not_be_there() -> None:
    late = Lateness()
    late.given(10.0)
    late.shown(9.0)
    assert late.timed(seen(10.5)).capture is None
    assert late.timed(seen(9.5)).capture is not None
    late.shown(10.6)
    assert late.timed(seen(10.7)).capture is not None


def test_a_driver_that_says_nothing_is_at_once() -> None:
    late = Lateness()
    late.given(10.0)
    late.shown(None)
    one = seen(10.2)
    assert late.timed(one) is one
