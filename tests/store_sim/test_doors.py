"""Doors that open later: nobody comes before, and the day is the same one after."""

from __future__ import annotations

from pathlib import Path

import pytest

from contracts.store_file import StoreFile, load_store_file
from store_sim.scenarios import build
from store_sim.world import World

DEMO = Path(__file__).parents[2] / "store_sim" / "stores" / "demo.yaml"
SHUT_S = 9.0


@pytest.fixture(scope="module")
def store() -> StoreFile:
    return load_store_file(DEMO)


def _world(store: StoreFile, *, doors_open: bool) -> World:
    scenario = build("easy-one", store, 1, 1)
    return World(store, scenario, 1, phone=lambda k: f"code-{k}", doors_open=doors_open)


def test_nobody_comes_before_the_doors_open(store: StoreFile) -> None:
    world = _world(store, doors_open=False)
    world.advance(SHUT_S)
    assert world.scene().bodies == ()
    assert world.waiting_for_code() == ()
    assert len(world.take_loads().t_s) == SHUT_S * 60, "the plates weigh all the same"
    assert not world.finished
    world.open_doors()
    world.advance(SHUT_S + 2.0)
    assert len(world.scene().bodies) == 1


def test_the_day_is_only_later(store: StoreFile) -> None:
    early, late = _world(store, doors_open=True), _world(store, doors_open=False)
    late.advance(SHUT_S)
    late.open_doors()
    while not (early.finished and late.finished):
        early.step(1.0)
        late.step(1.0)
    one, other = early.take_finished()[0], late.take_finished()[0]
    assert [(a.kind, a.slot_id, a.item_index) for a in one.actions] == [
        (a.kind, a.slot_id, a.item_index) for a in other.actions
    ]
    assert one.actions
    for a, b in zip(one.actions, other.actions, strict=True):
        assert b.t_s == pytest.approx(a.t_s + SHUT_S, abs=0.05)
