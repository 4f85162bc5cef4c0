"""Steps on simulated plates: found, measured, told apart; shoves and drift are none."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import numpy as np
import pytest
from numpy.typing import NDArray

from contracts.geometry import Bay, Board, Plate
from contracts.messages import GramStep
from vision.plates import PlateSettings, PlateWatch

RATE_HZ = 60.0
COUNT = 16


def bay_of(count: int = COUNT) -> tuple[Bay, tuple[Plate, ...]]:
    boards = tuple(
        Board(board_id=str(n + 1), z_m=0.35 * (n + 1), clearance_m=0.33) for n in range(4)
    )
    bay = Bay(
        bay_id="bay-a",
        origin_m=(0.6, 4.05),
        facing_deg=-90.0,
        width_m=1.0,
        depth_m=0.4,
        height_m=2.1,
        boards=boards,
    )
    width = 1.0 / (count // 4)
    plates = tuple(
        Plate(
            plate_id=f"p{n}",
            bay_id="bay-a",
            board_id=str(n // (count // 4) + 1),
            u0_m=width * (n % (count // 4)),
            u1_m=width * (n % (count // 4) + 1),
        )
        for n in range(count)
    )
    return bay, plates


@dataclass
class Stream:
    """Readings of plates with truth beside them."""

    seconds: float
    seed: int
    noise_g: NDArray[np.float64]
    drift_g: float = 0.02
    steps: list[tuple[int, float, float]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = np.random.default_rng(self.seed)
        self.t = np.arange(round(self.seconds * RATE_HZ)) / RATE_HZ + 100.0
        count = len(self.noise_g)
        tare = self.rng.uniform(-4000, 9000, count)
        slope = self.rng.uniform(-self.drift_g, self.drift_g, count)
        self.x = tare + slope * (self.t - 100.0)[:, None]
        self.x += self.rng.normal(0, 1, (len(self.t), count)) * self.noise_g

    def step(
        self, plate: int, at_s: float, delta_g: float, *, hand_g: float = 60.0, push_s: float = 0.5
    ) -> None:
        """A hand presses, the weight changes, the plate rings out."""
        at = 100.0 + at_s
        after = self.t >= at
        ring = np.exp(-np.maximum(self.t - at, 0) / 0.06)
        ring *= np.cos(2 * np.pi * 7.0 * (self.t - at))
        self.x[:, plate] += np.where(after, delta_g * (1 - ring), 0.0)
        phase = (self.t - (at - push_s)) / push_s
        pressing = (phase > 0) & (phase < 1)
        force = hand_g * np.sin(np.pi * np.clip(phase, 0, 1))
        force *= 1 + 0.3 * self.rng.normal(0, 1, len(self.t))
        self.x[:, plate] += np.where(pressing, force, 0.0)
        self.steps.append((plate, at, delta_g))

    def lean(self, at_s: float, for_s: float, plates: list[int], sd_g: float) -> None:
        """Somebody leans on the gondola: plates shake and come back."""
        inside = (self.t >= 100.0 + at_s) & (self.t < 100.0 + at_s + for_s)
        for plate in plates:
            sway = self.rng.normal(0, 1, len(self.t))
            sway = np.convolve(sway, np.ones(6) / 6**0.5, mode="same") * sd_g
            offset = self.rng.normal(0, sd_g)
            window = np.zeros(len(self.t))
            window[inside] = np.hanning(int(inside.sum())) ** 0.25
            self.x[:, plate] += window * (sway + offset)


def noises(seed: int, count: int = COUNT) -> NDArray[np.float64]:
    """Idle noise as measured in a real store: median 1.05 g, 95th percentile 8 g."""
    rng = np.random.default_rng(seed + 999)
    return np.clip(np.exp(rng.normal(np.log(1.05), 1.23, count)), 0.2, 10.0)


def run(
    stream: Stream, watch: PlateWatch, batch: int = 4, until: int | None = None, start: int = 0
) -> list[GramStep]:
    steps: list[GramStep] = []
    stop = len(stream.t) if until is None else until
    for begin in range(start, stop, batch):
        end = min(begin + batch, stop)
        steps += watch.step(stream.t[begin:end], stream.x[begin:end]).steps
    return steps


def score(steps: list[GramStep], stream: Stream, least_g: float = 0.0) -> tuple[int, int, int]:
    """Right, false and missed; echoes and steps below `least_g` are not counted as false."""
    left = [step for step in steps if abs(step.delta_g) >= least_g]
    right = 0
    for plate, at, delta in stream.steps:
        for step in left:
            slack = 4 * step.sd_g + 1.0
            if (
                step.plate_id == f"p{plate}"
                and step.t_start_s - 0.3 <= at <= step.t_end_s + 0.3
                and abs(step.delta_g - delta) <= slack
            ):
                left.remove(step)
                right += 1
                break
    return right, len(left), len(stream.steps) - right


def test_idle_plates_say_nothing() -> None:
    for seed in range(4):
        stream = Stream(60.0, seed, noises(seed), drift_g=0.1)
        assert run(stream, PlateWatch(*bay_of())) == []


def test_steps_are_found_and_measured() -> None:
    right = false = missed = 0
    z_scores = []
    for seed in range(6):
        stream = Stream(90.0, seed, noises(seed))
        rng = np.random.default_rng(seed)
        at = 4.0
        while at < 86.0:
            delta = rng.choice([-1, 1]) * rng.choice([57.0, 105.0, 250.0, 538.0])
            stream.step(int(rng.integers(COUNT)), at, delta, hand_g=rng.uniform(0, 150))
            at += rng.uniform(1.2, 4.0)
        steps = run(stream, PlateWatch(*bay_of()))
        one, two, three = score(steps, stream)
        right, false, missed = right + one, false + two, missed + three
        for plate, when, delta in stream.steps:
            for step in steps:
                if step.plate_id == f"p{plate}" and step.t_start_s <= when <= step.t_end_s:
                    z_scores.append((step.delta_g - delta) / step.sd_g)
    assert 2 * right / (2 * right + false + missed) > 0.98, (right, false, missed)
    spread = float(np.sqrt(np.mean(np.square(z_scores))))
    assert 0.4 < spread < 1.8, spread


def test_leaning_shakes_plates_and_leaves_them() -> None:
    right = false = missed = 0
    for seed in range(6):
        stream = Stream(60.0, seed, noises(seed))
        shaken = list(range(COUNT))
        stream.lean(5.0, 3.0, shaken, 30.0)
        stream.lean(15.0, 1.0, shaken, 60.0)
        stream.lean(25.0, 6.0, shaken[: COUNT // 2], 12.0)
        stream.step(3, 11.0, -105.0)
        stream.step(3, 40.0, -105.0)
        stream.step(9, 45.0, -57.0)
        one, two, three = score(run(stream, PlateWatch(*bay_of())), stream)
        right, false, missed = right + one, false + two, missed + three
    assert missed == 0
    assert false <= 1


def test_a_pick_while_somebody_leans_is_found_after_it() -> None:
    stream = Stream(20.0, 5, np.full(COUNT, 1.05))
    stream.lean(5.0, 3.0, list(range(COUNT)), 30.0)
    stream.step(4, 6.5, -250.0)
    steps = run(stream, PlateWatch(*bay_of()))
    assert [step.plate_id for step in steps] == ["p4"]
    assert abs(steps[0].delta_g + 250.0) < 4 * steps[0].sd_g
    assert steps[0].t_start_s <= 106.5 <= steps[0].t_end_s


def test_real_store_figures_bag_and_bottle() -> None:
    """A bag of 105 g over three plates with echoes, a bottle of 538 g with cross-talk."""
    noise = np.full(COUNT, 1.05)
    stream = Stream(20.0, 3, noise)
    for plate, delta in ((4, -57.0), (5, -25.0), (6, -18.0), (7, -4.0)):
        stream.step(plate, 6.0, delta, hand_g=20.0)
    for plate, delta in ((9, -561.0), (8, -8.0), (10, -7.0)):
        stream.step(plate, 12.0, delta, hand_g=40.0)
    steps = run(stream, PlateWatch(*bay_of()))
    found = {step.plate_id: step for step in steps}
    assert len(steps) == 7
    for plate, at, delta in stream.steps:
        step = found[f"p{plate}"]
        assert abs(step.delta_g - delta) < 4 * step.sd_g + 0.5
        assert step.t_start_s <= at <= step.t_end_s


@pytest.mark.parametrize("rest_s", [0.3, 0.45, 0.8])
def test_two_quick_steps_are_told_apart(rest_s: float) -> None:
    found = 0
    for seed in range(8):
        stream = Stream(12.0, seed, np.full(COUNT, 1.05))
        # Exact steps: the rest between them is `rest_s` long.
        for at, delta in ((106.0, -250.0), (106.0 + rest_s, -250.0)):
            stream.x[stream.t >= at, 2] += delta
        steps = run(stream, PlateWatch(*bay_of()))
        found += len(steps) == 2 and all(abs(step.delta_g + 250) < 5 for step in steps)
    assert found >= 7


def test_put_back_after_a_short_rest_is_two_steps() -> None:
    stream = Stream(12.0, 1, np.full(COUNT, 1.05))
    stream.x[(stream.t >= 105.0) & (stream.t < 105.6), 2] -= 400.0
    deltas = [step.delta_g for step in run(stream, PlateWatch(*bay_of()))]
    assert deltas == pytest.approx([-400.0, 400.0], abs=4.0)


def test_batches_may_be_cut_anyhow() -> None:
    stream = Stream(20.0, 2, noises(2))
    stream.step(1, 6.0, -105.0)
    stream.step(1, 12.0, 105.0)
    whole = run(stream, PlateWatch(*bay_of()), batch=4)
    assert len(whole) == 2
    for batch in (1, 7, 60, 1200):
        assert run(stream, PlateWatch(*bay_of()), batch=batch) == whole


def test_moving_is_known_at_once_and_covers_the_step() -> None:
    stream = Stream(12.0, 4, np.full(COUNT, 1.05))
    stream.step(6, 6.0, -105.0, hand_g=80.0)
    watch = PlateWatch(*bay_of())
    first: tuple[float, float] | None = None
    for begin in range(0, len(stream.t), 4):
        news = watch.step(stream.t[begin : begin + 4], stream.x[begin : begin + 4])
        if first is None and news.moving:
            assert news.moving[0][0] == "p6"
            first = (news.t_s, news.moving[0][1])
        for step in news.steps:
            assert first is not None
            assert first[0] < 106.0
            assert step.t_start_s >= first[1]
            assert news.t_s - step.t_end_s < 0.6
    assert first is not None


def test_a_dead_plate_is_named_and_found_changed_on_return() -> None:
    stream = Stream(20.0, 6, np.full(COUNT, 1.05))
    stream.x[stream.t >= 108.0, 5] -= 250.0
    stream.x[(stream.t >= 106.0) & (stream.t < 110.0), 5] = np.nan
    stuck = stream.x[0, 8]
    stream.x[stream.t >= 106.0, 8] = stuck
    watch = PlateWatch(*bay_of())
    steps: list[GramStep] = []
    dead_at: dict[float, tuple[str, ...]] = {}
    for begin in range(0, len(stream.t), 4):
        news = watch.step(stream.t[begin : begin + 4], stream.x[begin : begin + 4])
        dead_at[round(news.t_s, 1)] = news.dead
        steps += [step for step in news.steps if step.plate_id != "p8"]
    assert dead_at[105.0] == ()
    assert dead_at[108.0] == ("p5",)
    assert dead_at[119.0] == ("p8",)
    assert [step.plate_id for step in steps] == ["p5"]
    assert steps[0].delta_g == pytest.approx(-250.0, abs=4.0)
    assert steps[0].t_start_s == pytest.approx(106.0, abs=0.2)


def test_single_readings_that_fail_do_not_matter() -> None:
    stream = Stream(20.0, 6, np.full(COUNT, 1.05))
    stream.step(2, 10.0, -57.0)
    stream.x[stream.rng.random(stream.x.shape) < 0.01] = np.nan
    steps = run(stream, PlateWatch(*bay_of()))
    assert [step.plate_id for step in steps] == ["p2"]


def test_what_happened_while_the_node_was_down_is_found() -> None:
    stream = Stream(40.0, 7, np.full(COUNT, 1.05))
    stream.step(3, 22.0, -105.0)
    first = PlateWatch(*bay_of())
    assert run(stream, first, until=1200) == []
    state = json.loads(json.dumps(first.snapshot()))
    second = PlateWatch(*bay_of())
    second.restore(state)
    steps = run(stream, second, start=1500)
    assert [step.plate_id for step in steps] == ["p3"]
    assert abs(steps[0].delta_g + 105.0) < 4 * steps[0].sd_g
    assert steps[0].t_start_s == pytest.approx(120.0, abs=0.3)
    assert second.ready


def test_nothing_is_found_after_a_restart_without_change() -> None:
    stream = Stream(60.0, 8, noises(8))
    first = PlateWatch(*bay_of())
    run(stream, first, until=1800)
    second = PlateWatch(*bay_of())
    second.restore(first.snapshot())
    assert run(stream, second, start=2700) == []


def test_a_slow_pick_is_one_change_in_sum() -> None:
    stream = Stream(30.0, 9, np.full(COUNT, 1.05))
    lifted = np.clip((stream.t - 108.0) / 6.0, 0, 1)
    tremor = np.convolve(stream.rng.normal(0, 6, len(stream.t)), np.ones(5) / 5, mode="same")
    stream.x[:, 0] += -330.0 * lifted + np.where((lifted > 0) & (lifted < 1), tremor, 0.0)
    total = sum(step.delta_g for step in run(stream, PlateWatch(*bay_of())))
    assert total == pytest.approx(-330.0, abs=6.0)


def test_shape_and_bay_are_checked() -> None:
    bay, plates = bay_of()
    watch = PlateWatch(bay, plates)
    with pytest.raises(ValueError, match="one column for each plate"):
        watch.step(np.zeros(4), np.zeros((4, 3)))
    stranger = plates[0].model_copy(update={"bay_id": "bay-b"})
    with pytest.raises(ValueError, match="expected plates of bay bay-a"):
        PlateWatch(bay, (stranger,))


def test_settings_change_the_bar() -> None:
    stream = Stream(20.0, 10, np.full(COUNT, 0.5))
    stream.x[stream.t >= 110.0, 3] -= 12.0
    assert len(run(stream, PlateWatch(*bay_of()))) == 1
    deaf = PlateSettings(step_g_min=20.0)
    assert run(stream, PlateWatch(*bay_of(), deaf)) == []
