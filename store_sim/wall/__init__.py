"""The simulated pick-up wall: parcels with printed labels, light that really falls, people.

See store_sim/README.md; `WallWorld` is the way in, `cases` lists what can happen.
"""

from __future__ import annotations

from store_sim.wall.cases import WallCase, cases
from store_sim.wall.customers import SimOrder
from store_sim.wall.lights import Lit
from store_sim.wall.truth import Deed, TrueParcel, WallTruth
from store_sim.wall.world import WallScan, WallWorld

__all__ = [
    "Deed",
    "Lit",
    "SimOrder",
    "TrueParcel",
    "WallCase",
    "WallScan",
    "WallTruth",
    "WallWorld",
    "cases",
]
