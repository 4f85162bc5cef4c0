"""What people of a scenario wear: drawn from a seed, with what the plan fixes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from store_sim.dials import PeopleDials
from store_sim.scene import Appearance
from store_sim.world.anatomy import child_of, sample_appearance, uniform_of
from store_sim.world.scenario import VisitPlan

__all__ = ["dressed"]


def dressed(rng: np.random.Generator, plan: VisitPlan, people: PeopleDials) -> Appearance:
    """The appearance of whoever comes with a plan."""
    appearance = sample_appearance(rng, people.variety)
    if plan.looks.uniform:
        appearance = uniform_of(appearance)
    if plan.looks.child:
        appearance = child_of(appearance)
    if plan.has_bag and people.variety > 0.0 and appearance.bag == "none":
        # The plain crowd carries its bags unseen; a varied one shows them.
        appearance = replace(appearance, bag="tote")
    return appearance
