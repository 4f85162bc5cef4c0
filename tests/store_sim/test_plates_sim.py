"""Plates: differences can be trusted, absolutes cannot, and the noise is what was promised."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from contracts.store_file import StoreFile, load_store_file
from store_sim.plates import PlateBank, PlateLoads
from store_sim.scenarios import build
from store_sim.truth import TruthVisit
from store_sim.world import World

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(ROOT / "store_sim" / "stores" / "demo.yaml")


def _loads(seconds: float, plates: int) -> PlateLoads:
    count = int(seconds * 60)
    grams = np.full((count, plates), 3000.0)
    return PlateLoads(np.arange(1, count + 1) / 60, grams, np.zeros((count, plates)))


def test_idle_noise_has_a_median_of_about_a_gram_and_a_tail(store: StoreFile) -> None:
    deviations = np.concatenate(
        [
            np.std(np.diff(PlateBank(store, seed).read(_loads(20, 48)).grams, axis=0), axis=0)
            / np.sqrt(2)
            for seed in range(6)
        ]
    )
    assert 0.7 < np.median(deviations) < 1.5
    assert 3.0 < np.percentile(deviations, 97) < 9.0


def test_readings_do_not_depend_on_batches(store: StoreFile) -> None:
    rng = np.random.default_rng(0)
    loads = _loads(4, 48)
    loads.grams[100:, 5] -= 500.0
    loads.push_g[80:100, 5] = rng.uniform(0, 100, 20)
    whole = PlateBank(store, 3).read(loads).grams
    bank = PlateBank(store, 3)
    parts = [
        bank.read(PlateLoads(loads.t_s[a:b], loads.grams[a:b], loads.push_g[a:b])).grams
        for a, b in ((0, 1), (1, 7), (7, 95), (95, 240))
    ]
    assert np.array_equal(whole, np.concatenate(parts))
    assert not np.array_equal(whole, PlateBank(store, 4).read(loads).grams)


def test_a_step_settles_and_echoes_on_neighbours_only_a_little(store: StoreFile) -> None:
    bank = PlateBank(store, 7)
    loads = _loads(8, 48)
    loads.grams[240:, 5] -= 538.0
    grams = bank.read(loads).grams.astype(np.float64)
    change = grams[320:].mean(axis=0) - grams[:240].mean(axis=0)
    assert change[5] == pytest.approx(-538.0, rel=0.06, abs=4.0)
    others = np.delete(np.arange(48), [4, 5, 6])
    assert np.abs(change[[4, 6]]).max() < 0.05 * 538
    assert change[4] < 0.0
    assert change[6] < 0.0
    assert np.abs(change[others]).max() < 15.0
    # First-order settling: one reading after the step the plate is still on its way.
    assert grams[240, 5] - grams[:240, 5].mean() > 0.75 * change[5]


def test_absolute_values_mean_nothing_and_steps_are_quantised(store: StoreFile) -> None:
    bank = PlateBank(store, 1)
    grams = bank.read(_loads(2, 48)).grams.astype(np.float64)
    assert np.std(grams.mean(axis=0)) > 1000.0
    steps = grams / bank.traits.step_g
    assert np.abs(steps - np.rint(steps)).max() < 0.02
    assert set(bank.traits.step_g.tolist()) == {0.1, 1.0}


def test_every_take_can_be_weighed(store: StoreFile) -> None:
    """The readings of the board around each action change by the item's weight."""
    world = World(store, build("easy-one", store, 6, 3), 6, phone=str)
    bank = PlateBank(store, 6)
    times, grams = [], []
    visits: list[TruthVisit] = []
    while not world.finished:
        world.step(1.0)
        batch = bank.read(world.take_loads())
        times.append(batch.t_s)
        grams.append(batch.grams)
        visits.extend(world.take_finished())
    t, g = np.concatenate(times), np.concatenate(grams).astype(np.float64)
    moved = [a for v in visits for a in v.actions if a.kind != "touch"]
    assert moved
    for action in moved:
        at = int(np.argmin(np.abs(t - action.t_s)))
        rows = [k for k, plate in enumerate(store.plates) if plate.board_id == action.board_id]
        after = g[at + 60 : at + 100, rows].mean(axis=0)
        change = float((after - g[at - 100 : at - 60, rows].mean(axis=0)).sum())
        weight = store.product(action.gtin).weight_g
        sign = -1.0 if action.kind == "take" else 1.0
        assert change == pytest.approx(sign * weight, rel=0.10, abs=10.0)


def test_a_store_without_plates_reads_nothing(store: StoreFile) -> None:
    bare = store.model_copy(update={"plates": ()})
    world = World(bare, build("easy-one", bare, 1, 1), 1, phone=str)
    world.advance(3.0)
    batch = PlateBank(bare, 1).read(world.take_loads())
    assert batch.grams.shape == (180, 0)
