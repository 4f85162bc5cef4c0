"""Stores for tests: the shipped ones, and the demo store taken apart and put together otherwise."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import yaml

from contracts.store_file import StoreFile, load_store_file
from store_sim.scenarios import build
from store_sim.truth import TruthVisit
from store_sim.world import World
from store_sim.world.verbs import Take

STORES = Path(__file__).parents[2] / "store_sim" / "stores"
NEW = ("six-bay", "fridge", "nano")
DAY_MAX_S = 900.0

Document = dict[str, Any]


def shipped(name: str) -> StoreFile:
    """A shipped store."""
    return load_store_file(STORES / f"{name}.yaml")


def demo_document() -> Document:
    """The demo store as plain values, to be changed."""
    text = (STORES / "demo.yaml").read_text(encoding="utf-8")
    document: Document = yaml.safe_load(text)
    return document


def changed(change: Callable[[Document], object]) -> StoreFile:
    """The demo store after a change of its document."""
    document = copy.deepcopy(demo_document())
    change(document)
    return StoreFile.model_validate(document)


def run_day(
    store: StoreFile, seed: int, shoppers: int, scenario: str = "easy"
) -> tuple[list[TruthVisit], int]:
    """The visits of a day and how many takes its plans hold. Bodies keep out of shelves."""
    world = World(store, build(scenario, store, seed, shoppers), seed, phone=str)
    visits: list[TruthVisit] = []
    while not world.finished:
        world.step(1 / 6)
        world.take_loads()
        visits.extend(world.take_finished())
        assert world.t_s < DAY_MAX_S, "the day does not end"
        for shopper in world._shoppers:
            if 0 < shopper.x < store.floor.width_m and 0 < shopper.y < store.floor.depth_m:
                assert world.ground.clear(shopper.x, shopper.y), (shopper.x, shopper.y)
    planned = sum(isinstance(verb, Take) for plan in world._plans for verb in plan.verbs)
    return visits, planned
