"""Pictures of simulated days in the shipped stores, labelled for the detectors.

Invented stores teach what people and shelves look like anywhere; days in stores whose cameras hang
somewhere teach their angles, racks and islands, as a shop would at commissioning. Half of the days
are the demo store's. People, light and lens are plain on some days and anything on others.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from typing import Final, Literal

import numpy as np

from contracts.store_file import StoreFile, load_store_file
from models.training.dataset import LabelledPicture
from sortie.stores import store_path
from sortie.training_plan import PICTURES_PER_SEED
from store_sim.dials import Dials, LensDials, LightDials, PeopleDials
from store_sim.pictures import picture_boxes
from store_sim.pictures.filters import Wear, wear
from store_sim.pictures.people import LOOSE_BASE
from store_sim.scenarios import build
from store_sim.scene import Scene
from store_sim.stream import make_renderers
from store_sim.world import World

__all__ = ["View", "day_pictures"]

View = Literal["shelf", "ceiling"]

OTHERS: Final = ("fridge", "nano", "six-bay")
CAMERAS_MAX: Final = 4
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


@lru_cache(maxsize=8)
def _store(name: str) -> StoreFile:
    return load_store_file(store_path(name))


def _dials(rng: np.random.Generator) -> Dials:
    """How a day looks: as built on every third, else people, light and lens of any kind."""
    if rng.random() < 1 / 3:
        return Dials()
    sometimes = rng.random(6) < 0.35
    return Dials(
        people=PeopleDials(variety=float(rng.uniform(0.3, 1.0))),
        light=LightDials(
            dim=float(rng.uniform(0.0, 0.6)) * float(sometimes[0]),
            flicker=float(rng.uniform(0.0, 0.5)) * float(sometimes[1]),
            sun_patch=float(rng.uniform(0.2, 0.9)) * float(sometimes[2]),
            colour=float(rng.uniform(-0.8, 0.8)),
            fog=float(rng.uniform(0.0, 0.9)),
            reflections=float(rng.uniform(0.0, 0.6)) * float(sometimes[3]),
        ),
        lens=LensDials(
            blur_px=float(rng.uniform(0.0, 1.2)) * float(sometimes[4]),
            motion_blur=float(rng.uniform(0.2, 0.6)) * float(sometimes[5]),
            noise=float(rng.uniform(1.0, 6.0)),
            exposure=float(rng.uniform(0.0, 0.5)),
            vignette=float(rng.uniform(0.0, 0.4)),
        ),
    )


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
    rng = np.random.default_rng([seed, 0xDA45])
    store = _store("demo" if rng.random() < 0.5 else OTHERS[int(rng.integers(len(OTHERS)))])
    dials = _dials(rng)
    worlds = [
        World(
            store, build("demo-day", store, one, SHOPPERS), one, phone=lambda _: "code", dials=dials
        )
        for one in range(seed * CROWD_STRIDE, seed * CROWD_STRIDE + CROWDS[view])
    ]
    cameras = tuple(camera for camera in store.cameras if camera.role == view)
    # A few of many: each keeps pictures of its own.
    chosen = [cameras[k] for k in rng.permutation(len(cameras)).tolist()[:CAMERAS_MAX]]
    renderers = list(make_renderers(store, tuple(chosen), seed, dials).values())
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
