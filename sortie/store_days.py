"""Pictures of simulated days in a store of a store file, labelled for the detectors.

Invented stores teach what people and shelves look like anywhere; days in the store where the
cameras hang teach their own angle and light, as a shop would at commissioning.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path
from typing import Final, Literal

import numpy as np

import store_sim
from contracts.store_file import StoreFile, load_store_file
from models.training.dataset import LabelledPicture
from sortie.training_plan import PICTURES_PER_SEED
from store_sim.pictures import picture_boxes
from store_sim.pictures.filters import Wear, wear
from store_sim.pictures.people import LOOSE_BASE
from store_sim.render import SceneRenderer
from store_sim.scenarios import build
from store_sim.scene import Scene
from store_sim.world import World

__all__ = ["DEMO_STORE", "View", "day_pictures"]

View = Literal["shelf", "ceiling"]

DEMO_STORE: Final = Path(store_sim.__file__).parent / "stores" / "demo.yaml"

SHOPPERS: Final = 4
CROWDS: Final[dict[View, int]] = {"shelf": 2, "ceiling": 3}
"""Days of the same store laid over one another: a picture with several people teaches as much as
several pictures, and costs one."""
CROWD_STRIDE: Final = 8
"""Seeds of days kept apart: those laid over one another come from one block of so many."""
STEP_S: Final = (0.5, 4.0)
"""Seconds between looks, at random; a shopper's arm is somewhere else by then."""
EMPTY_SHARE: Final = 0.06
"""How many of the pictures that show nobody are kept."""


@lru_cache(maxsize=1)
def _demo() -> StoreFile:
    return load_store_file(DEMO_STORE)


def _together(scenes: list[Scene]) -> Scene:
    """The people of all scenes in the store of the first one. What is held gets the ids that
    `picture_boxes` takes for held things."""
    everything = [item for scene in scenes for item in scene.loose_items]
    held = [item for item in everything if item.state == "hand"]
    others = tuple(item for item in scenes[0].loose_items if item.state != "hand")
    loose = tuple(replace(item, item_index=LOOSE_BASE + k) for k, item in enumerate(held))
    # People are counted anew too: in a long day their indexes grow beyond what a mask can hold.
    people = [body for scene in scenes for body in scene.bodies]
    bodies = tuple(replace(body, person_index=k) for k, body in enumerate(people))
    return replace(scenes[0], bodies=bodies, loose_items=loose + others)


def day_pictures(seed: int, view: View) -> Iterator[LabelledPicture]:
    """PICTURES_PER_SEED pictures from the cameras of a view on a busy day; the same for a seed."""
    store = _demo()
    rng = np.random.default_rng([seed, 0xDA45])
    worlds = [
        World(store, build("demo-day", store, one, SHOPPERS), one, phone=lambda _: "code")
        for one in range(seed * CROWD_STRIDE, seed * CROWD_STRIDE + CROWDS[view])
    ]
    cameras = [camera for camera in store.cameras if camera.role == view]
    renderers = [SceneRenderer(store, camera, seed=seed) for camera in cameras]
    made = 0
    while made < PICTURES_PER_SEED:
        step_s = float(rng.uniform(*STEP_S))
        scene = _together([world.step(step_s) for world in worlds])
        if not scene.bodies:
            continue
        renderer = renderers[int(rng.integers(len(renderers)))]
        rendered = renderer.render(scene)
        boxes, classes = picture_boxes(rendered, view, len(scene.bodies))
        if len(boxes) == 0 and rng.random() > EMPTY_SHARE:
            continue
        worn = wear(rendered.rgb, Wear(rng, float(rng.choice([0.0, 0.2, 0.6]))), rng)
        yield LabelledPicture(worn, boxes, classes.astype(np.int32))
        made += 1
