"""The store's world: bodies, shoppers, shelves, and time."""

from __future__ import annotations

from store_sim.world.anatomy import sample_appearance
from store_sim.world.body import HandGoal, build_pose
from store_sim.world.loads import PlateLoads
from store_sim.world.scenario import Scenario, VisitPlan
from store_sim.world.staff import StaffWord
from store_sim.world.world import TICK_HZ, World

__all__ = [
    "TICK_HZ",
    "HandGoal",
    "PlateLoads",
    "Scenario",
    "StaffWord",
    "VisitPlan",
    "World",
    "build_pose",
    "sample_appearance",
]
