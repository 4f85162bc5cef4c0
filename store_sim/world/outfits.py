"""What people of a scenario wear: drawn from a seed, with what the plan fixes."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from store_sim.dials import PeopleDials
from store_sim.scene import Appearance
from store_sim.world.anatomy import sample_appearance
from store_sim.world.scenario import Looks

__all__ = ["dressed"]

UNIFORM_RGB = (196, 34, 44)
APRON_RGB = (238, 236, 230)
CHILD_M = (1.05, 1.25)


def dressed(rng: np.random.Generator, looks: Looks, people: PeopleDials) -> Appearance:
    """Somebody's appearance."""
    appearance = sample_appearance(rng)
    if looks.uniform:
        appearance = replace(
            appearance,
            top_rgb=UNIFORM_RGB,
            top2_rgb=APRON_RGB,
            top_pattern="plain",
            bottom_rgb=(30, 32, 38),
        )
    if looks.child:
        stature = round(float(rng.uniform(*CHILD_M)), 3)
        appearance = replace(appearance, stature_m=stature, girth=0.9)
    return appearance
