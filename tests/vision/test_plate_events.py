"""Weight events in logs of plates: found, weighed, timed, joined; and nothing else is told."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from tests.vision import plate_logs
from tests.vision.plate_logs import PlateStory, matched
from vision.plate_events import EventSettings, WeightEvent, find_weight_events
from vision.plate_names import names_tell

Found = list[tuple[float, tuple[str, ...], float]]


def found(log: PlateStory) -> Found:
    report = find_weight_events(log.names, log.t, log.x.astype(np.float32))
    return [(one.t_s, one.plates, one.weight_delta_g) for one in report.events]


def quiet(
    seconds: float = 30.0, rate_hz: float = 60.0, plates: int = 8, sd: float = 0.8, seed: int = 1
) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    rng = np.random.default_rng(seed)
    t = np.arange(round(seconds * rate_hz)) / rate_hz
    return t, rng.normal(0, sd, (len(t), plates)) + rng.uniform(1000, 9000, plates)


def events(
    t: NDArray[np.float64], x: NDArray[np.float64], names: list[str] | None = None
) -> tuple[WeightEvent, ...]:
    names = names or [f"p{n}" for n in range(x.shape[1])]
    return find_weight_events(names, t, x).events


@pytest.mark.parametrize("seed", range(8))
def test_the_log_of_a_real_store_gives_its_two_events_and_no_other(seed: int) -> None:
    """HARD_CASES.md D: 348 plates, a bag of 105 g on three of them, a bottle of 538 g, leaning."""
    log = plate_logs.real_store(seed)
    (bag, bottle) = found(log)
    for event, truth in zip((bag, bottle), log.happened, strict=True):
        ordered = sorted(truth.gains, key=lambda plate: truth.gains[plate])
        assert event[1] == tuple(log.names[plate] for plate in ordered)
        assert event[2] == pytest.approx(truth.delta_g, abs=8.0)
    assert bottle[0] == pytest.approx(log.happened[1].t_s, abs=0.4)
    assert matched(log, [bag, bottle]) == (2, 0, 0)


@pytest.mark.parametrize("noise", ["white", "tailed", "pink", "hum"])
@pytest.mark.parametrize("rate_hz", [10.0, 60.0])
def test_whatever_the_noise_the_same_two_events(noise: str, rate_hz: float) -> None:
    right = false = 0
    for seed in range(3):
        log = plate_logs.plain_store(300 + seed, noise, rate_hz=rate_hz)
        one, two, _ = matched(log, found(log))
        right, false = right + one, false + two
    assert (right, false) in ((6, 0), (5, 1), (5, 0))


def test_logs_of_any_kind() -> None:
    """Precision and recall over logs whose difficulty goes from none to more than a store has."""
    easy, hard = np.zeros(3, int), np.zeros(3, int)
    for seed in range(40):
        hardness = (seed % 10) / 9.0
        log = plate_logs.varied(400 + seed, hardness)
        (easy if hardness < 0.5 else hard).__iadd__(matched(log, found(log)))
    right, false, missed = easy.tolist()
    assert right / (right + false) > 0.96
    assert right / (right + missed) > 0.9
    right, false, missed = hard.tolist()
    assert right / (right + false) > 0.85
    assert right / (right + missed) > 0.80


@pytest.mark.parametrize("rate_hz", [5.0, 12.0, 60.0, 200.0])
def test_a_step_is_weighed_and_timed_at_any_rate(rate_hz: float) -> None:
    t, x = quiet(rate_hz=rate_hz)
    x[t >= 12.0, 3] -= 105.0
    x[t >= 21.0, 3] += 105.0
    taken, back = events(t, x)
    assert (taken.plates, back.plates) == (("p3",), ("p3",))
    assert taken.weight_delta_g == pytest.approx(-105.0, abs=2.0)
    assert back.weight_delta_g == pytest.approx(105.0, abs=2.0)
    assert taken.t_s == pytest.approx(12.0, abs=1.5 / rate_hz + 0.05)
    assert back.t_s == pytest.approx(21.0, abs=1.5 / rate_hz + 0.05)


def test_irregular_readings_with_gaps() -> None:
    rng = np.random.default_rng(4)
    t, x = quiet(rate_hz=40.0)
    x[t >= 12.0, 3] -= 105.0
    keep = np.sort(rng.permutation(len(t))[: len(t) * 2 // 3])
    keep = keep[(t[keep] < 17.0) | (t[keep] > 18.5)]
    x[rng.random(x.shape) < 0.1] = np.nan
    t = np.sort(t + rng.uniform(0, 0.02, len(t))) + 1.6e9
    (event,) = events(t[keep], x[keep])
    assert event.weight_delta_g == pytest.approx(-105.0, abs=2.0)
    assert event.t_s == pytest.approx(1.6e9 + 12.0, abs=0.1)


def test_pick_then_put_back_after_a_second_are_two_events() -> None:
    t, x = quiet()
    x[(t >= 10.0) & (t < 11.2), 2] -= 330.0
    assert [round(one.weight_delta_g / 330) for one in events(t, x)] == [-1, 1]


def test_a_slow_pick_with_tremor_is_one_event() -> None:
    t, x = quiet(seed=3)
    lifted = np.clip((t - 10.0) / 6.0, 0.0, 1.0)
    tremor = np.random.default_rng(1).normal(0, 6, len(t)) * ((lifted > 0) & (lifted < 1))
    x[:, 0] += -330.0 * lifted + tremor
    (event,) = events(t, x)
    assert event.weight_delta_g == pytest.approx(-330.0, abs=6.0)
    assert event.t_s == pytest.approx(13.0, abs=1.0)


def test_seconds_apart_on_far_plates_are_two_events_without_any_help_of_names() -> None:
    t, x = quiet(plates=60)
    names = [f"{n * n + 17}" for n in range(60)]
    x[t >= 10.0, 5] -= 105.0
    x[t >= 11.5, 50] -= 538.0
    one, two = events(t, x, names)
    assert (one.plates, two.plates) == ((names[5],), (names[50],))


@pytest.mark.parametrize("names", [
    [f"{n // 30 + 1}_{n % 30}" for n in range(60)],
    [f"plate-{n:03d}" for n in range(60)],
])  # fmt: skip
def test_at_the_same_moment_names_tell_two_events_apart(names: list[str]) -> None:
    t, x = quiet(plates=60)
    x[t >= 10.0, 5] -= 105.0
    x[t >= 10.0, 50] -= 538.0
    told = {one.plates: round(one.weight_delta_g) for one in events(t, x, names)}
    assert set(told) == {(names[5],), (names[50],)}


def test_a_product_over_three_plates_is_one_event_and_echoes_are_left_out() -> None:
    t, x = quiet()
    for plate, gain in ((3, -25.0), (4, -57.0), (5, -18.0), (6, 4.0), (2, -4.0)):
        x[t >= 10.0, plate] += gain
    (event,) = events(t, x)
    assert event.plates == ("p4", "p3", "p5")
    assert event.weight_delta_g == pytest.approx(-100.0, abs=2.0)


def test_a_push_from_plate_to_plate_is_no_event() -> None:
    t, x = quiet()
    x[t >= 10.0, 3] -= 300.0
    x[t >= 10.0, 4] += 300.0
    assert events(t, x) == ()


def test_who_leans_leaves_nothing_behind() -> None:
    rng = np.random.default_rng(5)
    t, x = quiet(plates=45, seed=6)
    leaning = (t >= 8.0) & (t < 12.0)
    for plate in range(45):
        load = rng.exponential(600.0)
        x[leaning, plate] += load + rng.normal(0, 40, int(leaning.sum()))
    x[(t >= 10.0), 7] -= 105.0
    (event,) = events(t, x)
    assert event.plates == ("p7",)
    assert event.weight_delta_g == pytest.approx(-105.0, abs=3.0)
    assert 7.5 < event.t_s < 12.5


def test_a_lasting_change_of_a_whole_gondola_is_no_product() -> None:
    rng = np.random.default_rng(2)
    t, x = quiet(plates=45)
    names = [f"p{n}" for n in range(45)]
    everything = x + np.where(t[:, None] >= 10.0, rng.normal(0, 60, 45), 0.0)
    assert find_weight_events(names, t, everything).events == ()
    shaken = (t >= 10.0) & (t < 11.0)
    x[shaken] += rng.normal(0, 20, (int(shaken.sum()), 45))
    x[t >= 10.5, :12] += 50.0
    report = find_weight_events(names, t, x)
    assert report.events == ()
    assert "12 plates changed together" in report.notes[0]


@pytest.mark.parametrize("slope", [-1.0, 0.5])
def test_drift_and_creep_are_no_events(slope: float) -> None:
    t, x = quiet(seconds=90.0)
    x += slope * t[:, None]
    x[t >= 20.0, 3] -= 800.0 * (1.0 - 0.05 * np.exp(-(t[t >= 20.0] - 20.0) / 20.0))
    (event,) = events(t, x)
    assert event.plates == ("p3",)
    assert event.weight_delta_g == pytest.approx(-770.0, abs=15.0)


def test_plates_that_are_dead_constant_or_stuck_say_nothing() -> None:
    t, x = quiet()
    x[:, 0] = np.nan
    x[:, 1] = 4095.0
    x[(t > 8) & (t < 15), 2] = 0.0
    x[t > 20, 3] = x[np.searchsorted(t, 20.0), 3]
    x[(t > 9) & (t < 19), 4] = np.nan
    x[t >= 19, 4] -= 40.0
    x[:, 5] += 900.0 * (np.random.default_rng(3).random(len(t)) < 0.004)
    x[t >= 16.0, 6] -= 105.0
    assert [one.plates for one in events(t, x)] == [("p6",)]


def test_a_tared_plate_that_is_emptied_reads_nothing_and_is_an_event() -> None:
    t, x = quiet(sd=0.05)
    x = np.round(x - x.mean(axis=0))
    x[t < 12.0, 2] += 330.0
    (event,) = events(t, x)
    assert event.weight_delta_g == pytest.approx(-330.0, abs=1.0)


def test_what_the_log_begins_or_ends_in_is_not_told() -> None:
    rng = np.random.default_rng(8)
    t, x = quiet(plates=20)
    for inside in (t < 3.0, t > 27.0):
        x[inside] += rng.normal(0, 60, (int(inside.sum()), 20)) + rng.normal(0, 80, 20)
    x[t >= 2.0, 4] -= 250.0
    x[t >= 28.0, 5] -= 250.0
    assert events(t, x) == ()
    assert events(t[:20], x[:20]) == ()
    assert events(t[:0], x[:0]) == ()


def test_no_event_is_told_across_a_long_gap() -> None:
    t, x = quiet(seconds=60.0)
    x[t >= 30.0, 2] -= 500.0
    x[t >= 50.0, 3] -= 500.0
    keep = (t < 20.0) | (t > 45.0)
    assert [one.plates for one in events(t[keep], x[keep])] == [("p3",)]


def test_a_plate_that_jumps_to_and_fro_is_left_out_and_said() -> None:
    t, x = quiet(seconds=60.0)
    x[:, 2] += 30.0 * ((t // 6.0) % 2)
    report = find_weight_events([f"p{n}" for n in range(8)], t, x)
    assert report.events == ()
    assert report.notes == ("plate p2 jumps to and fro: left out",)


def test_the_lightest_event_is_a_setting() -> None:
    t, x = quiet(sd=0.2)
    x[t >= 12.0, 1] -= 7.0
    names = [f"p{n}" for n in range(8)]
    assert find_weight_events(names, t, x).events == ()
    light = find_weight_events(names, t, x, EventSettings(least_g=5.0)).events
    assert light[0].weight_delta_g == pytest.approx(-7.0, abs=0.5)


def test_progress_rises_to_the_whole() -> None:
    t, x = quiet(plates=150)
    shares: list[float] = []
    find_weight_events([f"p{n}" for n in range(150)], t, x, on_progress=shares.append)
    assert shares == sorted(shares)
    assert shares[-1] == 1.0


def test_shapes_and_times_are_checked() -> None:
    t, x = quiet(seconds=1.0)
    with pytest.raises(ValueError, match="expected grams of shape"):
        find_weight_events(["a"], t, x)
    with pytest.raises(ValueError, match="times that rise"):
        find_weight_events([f"p{n}" for n in range(8)], t[::-1], x)


@pytest.mark.parametrize(("names", "groups"), [
    ([f"{g}_{b}_{p}" for g in range(5) for b in range(6) for p in range(12)], 5),
    ([f"g{g}s{b}p{p}" for g in range(3) for b in range(6) for p in range(12)], 3),
    ([f"Gondola {g}, plate {p:02d}" for g in "ABC" for p in range(20)], 3),
    ([f"store-7/bay-{g}/p{p}" for g in "abc" for p in range(20)], 3),
    ([f"A{n}" for n in range(9)] + [f"B{n}" for n in range(9)], 2),
])  # fmt: skip
def test_gondolas_in_names(names: list[str], groups: int) -> None:
    tell = names_tell(names)
    assert tell.gondola is not None
    assert len(np.unique(tell.gondola)) == groups


def test_counts_and_serial_numbers_in_names() -> None:
    counted = names_tell([f"plate-{n:03d}" for n in range(100)])
    assert counted.gondola is None
    assert counted.order is not None
    assert counted.apart(0, np.array([5, 90])).tolist() == [False, True]
    for names in (["7103", "4921", "880"], ["left", "right"], ["", "?"], ["a-1", "a-1x"]):
        told = names_tell(names)
        assert told.gondola is None
        assert not told.apart(0, np.array([1])).any()
