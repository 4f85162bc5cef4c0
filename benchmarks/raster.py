"""CPU time of the rasteriser: a frame with people, an idle frame, a change of the goods.

    python -m benchmarks.raster [--json FILE]

Times are CPU time of the calling thread in milliseconds, the median after warm-up, noise included
and, apart from it, without noise. The scenes are those of the demo store with people before the
shelves and on the floor, all of them in sight of the ceiling camera. "varied" people are those of
variety 1; "doors" are glass doors before the two bays nearest to the camera, shut or swinging;
"optics" are distortion, blur, vignette, exposure and noise; "every dial" adds sun, flicker, colour,
reflections and motion blur, with people who walk. A picture through the camera's H.264 stream
stands apart.
"""

from __future__ import annotations

import argparse
import json
import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from statistics import median

import numpy as np

import store_sim
from contracts.geometry import Camera
from contracts.store_file import StoreFile, load_store_file
from store_sim.dials import Dials, LensDials, LightDials
from store_sim.render import Light, Look, Optics, SceneRenderer
from store_sim.render.codec import H264Stream
from store_sim.render.raster import StoreModel, store_model
from store_sim.scene import BodyPose, DoorPose, ItemPose, Scene
from store_sim.world.body import HandGoal, build_pose, sample_appearance
from store_sim.world.stock import Stock

__all__ = ["measure"]

SCENES = 12
REPEATS = 10
OPTICS = LensDials(distortion=-0.1, blur_px=0.8, vignette=0.4, exposure=0.5, noise=4.0)
EVERY = Dials(
    light=LightDials(dim=0.2, flicker=0.3, sun_patch=0.5, colour=0.3, reflections=0.4),
    lens=OPTICS.model_copy(update={"motion_blur": 0.5}),
)
CRF = 28
STEP_M = 0.08
"""How far people walk from one picture to the next."""


def _people(
    seed: int, count: int, middle: tuple[float, float], variety: float = 0.0
) -> tuple[BodyPose, ...]:
    rng = np.random.default_rng(seed)
    bodies = []
    for k in range(count):
        x = middle[0] + (k - (count - 1) / 2) * 0.55 + float(rng.uniform(-0.1, 0.1))
        y = middle[1] + float(rng.uniform(-0.25, 0.05))
        goal = HandGoal((x + 0.1, y + 0.5, float(rng.uniform(0.7, 1.5))))
        bodies.append(
            build_pose(
                sample_appearance(rng, variety), (x, y), math.pi / 2, right_target=goal,
                walk_phase=float(rng.random()), person_index=k,
            )
        )  # fmt: skip
    return tuple(bodies)


def _ms(act: Callable[[int], object], count: int) -> float:
    for k in range(count):
        act(k)
    spent = []
    for _ in range(REPEATS):
        for k in range(count):
            before = time.thread_time()
            act(k)
            spent.append(1e3 * (time.thread_time() - before))
    return round(median(spent), 3)


def _camera(
    store: StoreFile, model: StoreModel, camera: Camera, items: tuple[ItemPose, ...]
) -> dict[str, float]:
    x, y, _ = camera.pose.position_m
    result = {}
    scenes = {
        people: [
            Scene(k * 0.1, _people(k, people, (x, min(y, 3.4))), (), items, 1)
            for k in range(SCENES)
        ]
        for people in (0, 1, 4)
    }
    for name, optics in (("", Optics()), ("_without_noise", Optics(noise=0.0))):
        renderer = SceneRenderer(store, camera, seed=1, model=model, optics=optics)
        for people, some in scenes.items():
            spent = _ms(lambda k, s=some, r=renderer: r.render(s[k]), SCENES)  # type: ignore[misc]
            result[f"people_{people}{name}_ms"] = spent
    result |= _dialled(store, model, camera, items, scenes[4])
    changing = SceneRenderer(store, camera, seed=1, model=model)
    changing.render(scenes[0][0])
    fewer = [Scene(0.0, (), (), items[: -1 - k % 2], k + 2) for k in range(1000)]
    steps = iter(fewer)
    result["one_item_taken_ms"] = _ms(lambda _: changing.render(next(steps)), SCENES)
    whole = [Scene(0.0, (), (), items, k) for k in range(2)]
    full = SceneRenderer(store, camera, seed=1, model=model, incremental=False)
    result["goods_drawn_anew_ms"] = _ms(lambda k: full.render(whole[k % 2]), 2)
    return result


def _varied(
    store: StoreFile, model: StoreModel, camera: Camera, items: tuple[ItemPose, ...]
) -> dict[str, float]:
    """Four people of all kinds, then with two glass doors in view."""
    x, y, _ = camera.pose.position_m
    crowds = [_people(k, 4, (x, min(y, 3.4)), 1.0) for k in range(SCENES)]
    near = sorted(store.bays, key=lambda bay: math.dist(bay.origin_m, (x, y)))[:2]
    names = [bay.bay_id for bay in near]
    bays = tuple(
        bay.model_copy(update={"door": "glass"}) if bay.bay_id in names else bay
        for bay in store.bays
    )
    doored = store.model_copy(update={"bays": bays})
    plain = SceneRenderer(store, camera, seed=1, model=model)
    hung = SceneRenderer(doored, camera, seed=1, model=model, fog=0.5, reflections=0.5)
    shut = [Scene(k * 0.1, crowd, (), items, 1) for k, crowd in enumerate(crowds)]
    swinging = [
        replace(scene, doors=tuple(DoorPose(name, 0.1 + 0.1 * k) for name in names))
        for k, scene in enumerate(shut)
    ]
    return {
        "people_4_varied_ms": _ms(lambda k: plain.render(shut[k]), SCENES),
        "people_4_varied_doors_shut_ms": _ms(lambda k: hung.render(shut[k]), SCENES),
        "people_4_varied_doors_swing_ms": _ms(lambda k: hung.render(swinging[k]), SCENES),
    }


def _dialled(
    store: StoreFile,
    model: StoreModel,
    camera: Camera,
    items: tuple[ItemPose, ...],
    scenes: list[Scene],
) -> dict[str, float]:
    """Four people through optics, with every dial turned, and through the codec."""
    optics = SceneRenderer(store, camera, seed=1, model=model, optics=Optics.dialled(OPTICS))
    every = SceneRenderer(
        store, camera, seed=1, model=model,
        light=Light.dialled(EVERY.light, 1), optics=Optics.dialled(EVERY.lens),
    )  # fmt: skip
    x, y, _ = camera.pose.position_m
    places = [(x + STEP_M * (k - SCENES / 2), min(y, 3.4)) for k in range(SCENES)]
    walkers = [_people(0, 4, place) for place in places]
    times = iter(range(1_000_000))

    def walk(k: int) -> object:
        return every.render(Scene(next(times) / 15, walkers[k], (), items, 1))

    pictures = [optics.render(scene).rgb.copy() for scene in scenes]
    size = camera.intrinsics
    codec = H264Stream((size.width, size.height), camera.fps, CRF)
    return {
        "people_4_optics_ms": _ms(lambda k: optics.render(scenes[k]), SCENES),
        "people_4_every_dial_ms": _ms(walk, SCENES),
        "h264_alone_ms": _ms(lambda k: codec.through(pictures[k]), SCENES),
    }


def measure() -> dict[str, dict[str, float]]:
    """Milliseconds by camera (with its size) and case."""
    store = load_store_file(Path(store_sim.__file__).parent / "stores" / "demo.yaml")
    model = store_model(store, Look())
    stock = Stock(store, np.random.default_rng(1))
    stock.fill()
    items = stock.shelf_items()
    results = {}
    for role in ("ceiling", "shelf"):
        camera = next(c for c in reversed(store.cameras) if c.role == role)
        lens = camera.intrinsics
        results[f"{role}_{lens.width}x{lens.height}"] = {
            **_camera(store, model, camera, items),
            **_varied(store, model, camera, items),
        }
    return results


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("--json", type=Path)
    chosen = parser.parse_args()
    results = measure()
    for camera, cases in results.items():
        print(camera)
        for case, spent in cases.items():
            print(f"  {case:32s} {spent:8.3f}")
    if chosen.json is not None:
        chosen.json.write_text(json.dumps(results, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
