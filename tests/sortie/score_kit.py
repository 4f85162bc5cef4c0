"""Days without vision for tests of scoring: a ceiling camera that says where everybody is.

What the vision pass would have found is put in at the seam of its cache, so that nodes, hub and
auditor run as always; no frame is drawn. A "camera" set has nothing to see the shelves with here,
so every receipt of it is empty: a failure of which everything is known.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import sortie.day
from contracts.store_file import load_store_file
from edge.exchange import Observation
from sortie.day import DayPlan, day_scenario, day_stream
from sortie.lockstep import node_clock_s
from sortie.vision_cache import ObservationCache
from store_sim.dials import Dials
from vision.observations import CeilingObservation

__all__ = ["seen_from_above", "without_vision"]

EVERY = 2
"""Ticks between two looks of the camera."""
HEAD = 3
"""The head's row among the joints of a body."""


def seen_from_above(plan: DayPlan) -> dict[str, list[Observation]]:
    """What a perfect ceiling camera would see of a day, by camera, in its node's time."""
    return _seen(replace(plan, sensors="both", cached=True))


@cache
def _seen(plan: DayPlan) -> dict[str, list[Observation]]:
    store = load_store_file(plan.store_path)
    camera = next(one for one in store.cameras if one.role == "ceiling")
    floor = next(place for place, node in enumerate(store.nodes) if node.floor)
    stream = day_stream(plan, store, day_scenario(plan, store), cameras=(), phone=str)
    seen: list[Observation] = []
    for number, tick in enumerate(stream):
        if number % EVERY:
            continue
        bodies = stream.world.scene().bodies
        heads = [[*body.joints_m[HEAD, :2], 0.05, 0.95] for body in bodies]
        seen.append(
            CeilingObservation(
                camera_id=camera.camera_id,
                t_s=tick.t_s + node_clock_s(floor),
                heads=np.array(heads, np.float64).reshape(-1, 4),
                wrists=np.zeros((0, 4)),
                colours=np.zeros((len(bodies), 3), np.float32),
            )
        )
    return {camera.camera_id: seen}


def without_vision(monkeypatch: pytest.MonkeyPatch, folder: Path) -> list[DayPlan]:
    """Days take what they see from above from the simulation; returns the plans as they come."""
    plans: list[DayPlan] = []

    def kept_pass(
        plan: DayPlan, dials: Dials, hashes: Mapping[str, str]
    ) -> tuple[ObservationCache, dict[str, list[Observation]]]:
        plans.append(plan)
        parts: dict[str, Any] = {"test": plan.scenario}
        return ObservationCache(parts, folder=folder), seen_from_above(plan)

    monkeypatch.setattr(sortie.day, "_kept_pass", kept_pass)
    return plans
