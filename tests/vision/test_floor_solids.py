"""Heads over the floor under shelves are no people."""

from __future__ import annotations

import numpy as np
import pytest

from contracts.geometry import Footprint
from vision.floor import FloorTracker
from vision.floor_solids import off_shelves
from vision.observations import CeilingObservation

ISLAND = Footprint(origin_m=(2.0, 2.0), facing_deg=-90.0, width_m=1.0, depth_m=0.5)
"""From (2, 2) to (3, 2.5), its front towards the gates."""


def _seen(t_s: float, *points: tuple[float, float]) -> CeilingObservation:
    heads = np.array([[x, y, 0.1, 0.9] for x, y in points], np.float64).reshape(-1, 4)
    colours = np.arange(3 * len(points), dtype=np.float32).reshape(-1, 3)
    return CeilingObservation("ceil-1", t_s, heads, np.zeros((0, 4)), colours)


@pytest.mark.parametrize(
    ("point", "kept"),
    [
        ((2.5, 1.6), True),
        ((2.5, 2.15), True),
        ((2.5, 2.3), False),
        ((1.9, 2.3), True),
        ((3.1, 2.3), True),
        ((2.5, 2.6), True),
    ],
)
def test_only_heads_well_inside_a_shelf_go(point: tuple[float, float], kept: bool) -> None:
    found = off_shelves(_seen(0.0, point, (0.5, 0.5)), (ISLAND,), 0.2)
    assert len(found.heads) == len(found.colours) == 1 + kept
    assert found.heads[-1, 0] == 0.5
    assert found.colours[-1, 0] == 3.0


def test_a_ghost_in_an_island_is_never_a_track() -> None:
    with_island = FloorTracker(6.0, 4.5, solids=(ISLAND,))
    without = FloorTracker(6.0, 4.5)
    for k in range(40):
        seen = _seen(k / 8, (2.5, 2.3), (1.0, 1.0))
        with_island.step(k / 8, (seen,))
        without.step(k / 8, (seen,))
    assert len(without.open_tracks()) == 2
    (track,) = with_island.open_tracks()
    assert abs(track.x_m - 1.0) < 0.1
