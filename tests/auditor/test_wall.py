"""Greens, takings and alarms at a wall are counted as the truth has them; each count can fail."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from auditor.wall import STAYS_S, Lamp, ParcelScore, PutBack, Served, Taking, joined, score_wall

MINE = Served("c1", 10.0, 30.0, ("p1", "p2"))
RIGHT = Lamp("p1", "take_a", 10.2, 15.0, 3.0, aim_mm=0.5, label_mm=1.5)
ALSO = Lamp("p2", "take_a", 10.4, 18.0, 4.0, aim_mm=0.7, label_mm=2.5)


def score(**more: Any) -> ParcelScore:
    facts: dict[str, Any] = {
        "name": "case/1",
        "served": [MINE],
        "takings": [Taking("p1", "sscc:1", 15.0, True), Taking("p2", "sscc:2", 18.0, True)],
        "lamps": [RIGHT, ALSO],
        "unknown": frozenset(),
        "alarms": [],
        "end_s": 40.0,
    }
    return score_wall(**{**facts, **more})


def test_a_retrieval_that_went_well_has_no_fault() -> None:
    found = score().document()
    assert found["retrievals"] == 2
    assert found["faults"] == []
    assert found["green_latency_s"]["p50"] == pytest.approx(0.3)
    assert found["projection_error_mm"] == {"p50": 2.0, "p95": 2.45, "n": 2}
    assert found["aim_mm"]["p50"] == pytest.approx(0.6)
    assert found["off_centre_mm"]["p50"] == 3.5


@pytest.mark.parametrize(
    "lamp",
    [
        replace(RIGHT, parcel="p9"),
        replace(RIGHT, t0_s=9.0),
        replace(RIGHT, t0_s=35.0, t1_s=36.0),
        replace(RIGHT, t1_s=30.5 + STAYS_S),
        replace(RIGHT, look="take_b", parcel="p9"),
    ],
)
def test_a_green_on_anothers_parcel_or_at_another_time_is_wrong(lamp: Lamp) -> None:
    found = score(lamps=[RIGHT, ALSO, lamp])
    assert (found.green_wrong, found.green_unknown) == (1, 0)


def test_a_green_may_stay_for_a_moment_after_its_customer_has_gone() -> None:
    assert score(lamps=[replace(RIGHT, t1_s=29.5 + STAYS_S), ALSO]).faults == []


def test_a_green_on_what_nobody_can_name_is_counted_apart() -> None:
    found = score(lamps=[RIGHT, ALSO, replace(RIGHT, parcel="p9")], unknown=frozenset({"p9"}))
    assert (found.green_wrong, found.green_unknown) == (0, 1)


def test_a_cross_is_no_green() -> None:
    assert score(lamps=[RIGHT, ALSO, Lamp("p9", "not_this", 11.0, None, 1.0)]).faults == []


def test_what_never_shone_is_missing() -> None:
    found = score(lamps=[RIGHT])
    assert found.green_missing == 1
    assert found.document()["green_latency_s"]["p95"] == pytest.approx(0.2)


WRONG = Taking("p3", "sscc:3", 20.0, False)


def alarm(t_s: float, key: str | None = "sscc:3", kind: str = "wrong_taken") -> dict[str, Any]:
    return {"t_s": t_s, "alarm": kind, "key": key}


@pytest.mark.parametrize(
    ("alarms", "noticed", "false"),
    [
        ([alarm(20.8)], 1, 0),
        ([alarm(21.2)], 0, 0),
        ([], 0, 0),
        ([alarm(20.5, "sscc:4")], 0, 1),
        ([alarm(20.5), alarm(22.0)], 1, 1),
        ([alarm(20.5, kind="projector")], 0, 0),
        ([alarm(19.0)], 0, 1),
    ],
)
def test_a_wrong_taking_is_noticed_by_an_alarm_about_it_within_a_second(
    alarms: list[dict[str, Any]], noticed: int, false: int
) -> None:
    found = score(takings=[WRONG], alarms=alarms)
    assert (found.wrong, found.noticed, found.false_alarms) == (1, noticed, false)


@pytest.mark.parametrize("alarm_s", [[30.4], [20.4, 30.4]])
def test_an_alarm_is_that_of_the_last_taking_before_it(alarm_s: list[float]) -> None:
    """Of a parcel that is put back and taken again."""
    again = replace(WRONG, t_s=30.0)
    found = score(takings=[WRONG, again], alarms=[alarm(one) for one in alarm_s])
    assert (found.wrong, found.noticed, found.false_alarms) == (2, len(alarm_s), 0)
    assert sum("nothing was said" in one for one in found.faults) == 2 - len(alarm_s)


def test_a_thing_without_a_label_is_noticed_by_an_alarm_without_one() -> None:
    found = score(takings=[Taking("p4", None, 20.0, False)], alarms=[alarm(20.4, None)])
    assert (found.wrong, found.noticed, found.false_alarms) == (1, 1, 0)


def test_an_alarm_about_what_was_rightly_taken_is_false() -> None:
    found = score(alarms=[alarm(15.2, "sscc:1")])
    assert (found.wrong, found.false_alarms) == (0, 1)


BACK = PutBack("p1", "sscc:1", 17.0, 24.0)
AGAIN = replace(RIGHT, t0_s=17.5, t1_s=24.0)


def test_what_is_put_back_shines_anew() -> None:
    found = score(put_back=[BACK], lamps=[RIGHT, ALSO, AGAIN])
    assert found.faults == []
    assert found.document()["put_back"] == {
        "happened": 1, "dark": 0, "handed_over": 0, "latency_s": {"p50": 0.5, "p95": 0.5},
    }  # fmt: skip


@pytest.mark.parametrize(
    ("again", "handed_s", "dark", "late"),
    [
        (None, None, 1, 0),
        (replace(AGAIN, look="not_this"), None, 1, 0),
        (replace(AGAIN, t0_s=24.5, t1_s=26.0), None, 1, 0),
        (AGAIN, 16.9, 0, 1),
        (AGAIN, 18.0, 0, 1),
        (AGAIN, 9.0, 0, 0),
        (AGAIN, 28.0, 0, 0),
    ],
)
def test_what_is_put_back_and_stays_dark_or_was_handed_over_is_a_fault(
    again: Lamp | None, handed_s: float | None, dark: int, late: int
) -> None:
    lamps = [RIGHT, ALSO, *([] if again is None else [again])]
    handed = [] if handed_s is None else [{"t_s": handed_s, "key": "sscc:1"}]
    found = score(put_back=[BACK], lamps=lamps, handed=handed)
    assert (found.put_back, found.put_back_dark, found.put_back_late) == (1, dark, late)
    assert len(found.faults) == dark + late


@pytest.mark.parametrize(
    "back",
    [
        replace(BACK, parcel="p9", key="sscc:9"),
        replace(BACK, t_s=31.0, until_s=None),
        replace(BACK, until_s=18.0),
    ],
)
def test_what_nobody_waits_for_need_not_shine_anew(back: PutBack) -> None:
    assert score(put_back=[back]).put_back == 0


def test_runs_are_added_and_their_percentiles_taken_together() -> None:
    total = joined([score(), score(lamps=[])])
    assert (total.retrievals, total.green_missing, len(total.latency_s)) == (4, 2, 2)
    assert ParcelScore().document()["green_latency_s"] == {"p50": None, "p95": None}
