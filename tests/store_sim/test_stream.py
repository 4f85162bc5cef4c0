"""A stream may begin when the store is already full."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from contracts.store_file import load_store_file
from store_sim.scenarios import build
from store_sim.stream import STEP_HZ, SensorTick, SimulatedStream

DEMO = Path(__file__).parents[2] / "store_sim" / "stores" / "demo.yaml"


def _ticks(begin_s: float) -> list[SensorTick]:
    store = load_store_file(DEMO)
    scenario = build("easy", store, 2, 3)
    stream = SimulatedStream(
        store, scenario, 2, cameras=["ceil-1"], phone=str, begin_s=begin_s, duration_s=12.0
    )
    return list(stream)


def test_what_comes_later_is_what_a_whole_stream_gives() -> None:
    whole, late = _ticks(0.0), _ticks(10.0)
    assert late[0].t_s == 10.0 + 1 / STEP_HZ
    rest = [tick for tick in whole if tick.t_s > 10.0]
    assert [tick.t_s for tick in rest] == [tick.t_s for tick in late]
    frames = [frame for tick in rest for frame in tick.frames]
    same = [frame for tick in late for frame in tick.frames]
    assert len(frames) >= 10
    assert [(f.t_s, f.index) for f in frames] == [(f.t_s, f.index) for f in same]
    assert all(np.array_equal(a.rgb, b.rgb) for a, b in zip(frames, same, strict=True))
