"""Pairs of crops before and after something happened, or did not, on a stretch of shelf.

One pair of renders of a random store carries several changes apart from each other; each gives one
pair of crops. `change_box` is the crop's geometry and may be used wherever such crops are cut.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Camera
from contracts.store_file import Product
from store_sim.pictures.filters import Wear, crop_resized, wear
from store_sim.pictures.people import LOOSE_BASE, Crowd, crowd_at, random_appearance
from store_sim.pictures.worlds import (
    RandomWorld,
    ShelfPlace,
    camera_of,
    drawn_products,
    random_world,
)
from store_sim.render.looks import Optics
from store_sim.render.raster import SceneRenderer
from store_sim.render.static import bay_axes
from store_sim.scene import ITEM_ID_BASE, Appearance, Scene

__all__ = ["PAIR_CLASSES", "PAIR_PX", "Pair", "change_box", "header_camera", "pair_pictures"]

Rng = np.random.Generator
Rgbs = NDArray[np.uint8]
Floats = NDArray[np.float64]

PAIR_CLASSES = ("pick", "put_back", "nothing")
PAIR_PX = 64
CHANGED_PX_MIN = 30

_CAMERAS_A_WORLD = 2
_ROUNDS_A_CAMERA = 5
_CHANGES_MAX = 9
_IN_THE_WAY_MAX = 0.03


@dataclass(frozen=True, slots=True)
class Pair:
    """`before`, `after` (64, 64, 3) uint8 of the same stretch; `label` counts PAIR_CLASSES."""

    before: Rgbs
    after: Rgbs
    label: int


def change_box(renderer: SceneRenderer, point: Floats, width_m: float) -> Floats | None:
    """The square (x0, y0, x1, y1) of pixels as wide as `width_m` at the depth of a world point.

    None when the point is behind the camera or its square leaves the picture by a quarter.
    """
    pixel, depth = renderer.project(point)
    if not np.isfinite(pixel).all():
        return None
    lens = renderer.camera.intrinsics
    half = 0.5 * width_m * lens.fx / float(depth[0])
    x, y = float(pixel[0, 0]) + 0.5, float(pixel[0, 1]) + 0.5
    if not (0.5 * half <= x <= lens.width - 0.5 * half):
        return None
    if not (0.5 * half <= y <= lens.height - 0.5 * half):
        return None
    return np.array([x - half, y - half, x + half, y + half])


def header_camera(rng: Rng, bay: Bay, width_px: int) -> Camera:
    """A camera at a bay's header that looks down along the front plane, as in a real store."""
    origin, u_axis, normal = bay_axes(bay)
    u = bay.width_m / 2 + float(rng.normal(0, 0.08))
    z = float(rng.uniform(2.3, 2.95))
    spot = origin + u_axis * u + normal * rng.uniform(0.32, 0.72)
    spot[2] = z
    target = origin + u_axis * (u + rng.normal(0, 0.05)) + normal * rng.uniform(-0.15, 0.35)
    span = bay.width_m * float(rng.uniform(1.0, 1.5))
    focal = width_px * (z - 1.1) / span
    up = -normal + u_axis * float(rng.normal(0, 0.03))
    size = (width_px, int(width_px * 9 / 16))
    return camera_of(spot.tolist(), target.tolist(), up.tolist(), focal, size, "shelf", bay.bay_id)


def _moved(rng: Rng, place: ShelfPlace, amount: float) -> ShelfPlace:
    """The piece a little aside, deeper or turned."""
    return replace(
        place,
        u_m=place.u_m + float(rng.normal(0, 0.009 * amount)),
        v_m=place.v_m + float(abs(rng.normal(0, 0.010 * amount))),
        yaw_rad=place.yaw_rad + float(rng.normal(0, 0.12 * amount)),
    )


def _centre(world: RandomWorld, place: ShelfPlace) -> Floats:
    """The middle of the front of a piece."""
    item = world.item(place)
    look = place.product.packaging
    front = -item.rotation[:, 1] * (look.depth_m / 2)
    up = np.array([0.0, 0.0, look.height_m * 0.5])
    middle: Floats = item.base_m + 0.6 * front + up
    return middle


@dataclass(frozen=True, slots=True)
class _Change:
    place: ShelfPlace
    box: Floats
    label: int


def _choose(rng: Rng, world: RandomWorld, renderer: SceneRenderer, bay: int) -> list[_Change]:
    """Changes of front pieces whose crops keep clear of each other's pieces."""
    fronts = [place for place in world.places if place.front and place.bay == bay]
    chosen: list[_Change] = []
    rects: list[tuple[int, int, int, int]] = []
    for k in rng.permutation(len(fronts)):
        if len(chosen) == _CHANGES_MAX:
            break
        place = fronts[int(k)]
        point = _centre(world, place) + rng.normal(0, 0.012, 3)
        box = change_box(renderer, point, float(rng.uniform(0.16, 0.30)))
        rect = renderer.items_rect([world.item(place)])
        if box is None or rect is None:
            continue
        clear = all(not _meets(box, other) for other in rects)
        if clear and all(not _meets(change.box, rect) for change in chosen):
            chosen.append(_Change(place, box, int(rng.choice(3, p=(0.33, 0.33, 0.34)))))
            rects.append(rect)
    return chosen


def _meets(box: Floats, rect: tuple[int, int, int, int]) -> bool:
    return bool(box[0] < rect[2] and rect[0] < box[2] and box[1] < rect[3] and rect[1] < box[3])


def _sides(
    rng: Rng, world: RandomWorld, changes: list[_Change]
) -> tuple[list[ShelfPlace], list[ShelfPlace]]:
    """The goods before and after. Neighbours and untouched pieces are nudged now and then."""
    label = {change.place.index: change.label for change in changes}
    nudge = float(rng.choice([0.0, 0.0, 0.5, 1.0]))
    before: list[ShelfPlace] = []
    after: list[ShelfPlace] = []
    for place in world.places:
        kind = label.get(place.index)
        if kind != 1:
            before.append(place)
        if kind == 1:
            after.append(_moved(rng, place, float(rng.uniform(0.0, 2.0))))
        elif kind == 2:
            after.append(_moved(rng, place, 1.0) if rng.random() < 0.35 else place)
        elif kind is None:
            touched = nudge > 0 and place.front and rng.random() < 0.25
            after.append(_moved(rng, place, nudge) if touched else place)
    return before, after


def _drifted(rng: Rng, fault: Wear) -> Wear:
    """The same camera a moment later: exposure, colour and light moved on."""
    later = copy.copy(fault)
    later.gain = fault.gain * float(np.exp(rng.normal(0, 0.13)))
    later.cast = fault.cast * np.exp(rng.normal(0, 0.03, 3))
    if rng.random() < 0.3:
        later.grid = Wear(rng, 0.8).grid
    return later


def _pictures(
    rng: Rng,
    world: RandomWorld,
    renderer: SceneRenderer,
    bay: Bay,
    sides: list[list[ShelfPlace]],
    pool: list[Appearance],
) -> list[tuple[Rgbs, NDArray[np.int32]]]:
    """Both renders; now and then somebody stands near and casts a shadow."""
    shots = []
    for version, places in enumerate(sides):
        crowd = Crowd((), (), {})
        if rng.random() < 0.35:
            crowd = crowd_at(
                rng, world, bay, [pool[int(rng.integers(len(pool)))]], u_centre=bay.width_m / 2,
                spread_m=0.6, reach=0.3, stand_m=(0.45, 0.9),
            )  # fmt: skip
        items = tuple(world.item(place) for place in places)
        number = int(rng.integers(1 << 60))
        scene = Scene(float(version), crowd.bodies, crowd.items, items, number)
        shot = renderer.render(scene, hand_rolls=crowd.rolls)
        shots.append((shot.rgb.copy(), shot.ids.copy()))
    return shots


def pair_pictures(seed: int, count: int) -> Iterator[Pair]:
    """`count` pairs of crops; the same for a seed. Classes come about equally often."""
    made, chapter = 0, 0
    stock: list[Product] = []
    while made < count:
        rng = np.random.Generator(np.random.PCG64([seed, chapter, 0xBA1A]))
        chapter += 1
        world = random_world(rng, drawn_products(rng, stock))
        pool = [random_appearance(rng) for _ in range(3)]
        for _ in range(_CAMERAS_A_WORLD):
            number = int(rng.integers(len(world.store.bays)))
            bay = world.store.bays[number]
            camera = header_camera(rng, bay, int(rng.choice([640, 800, 960])))
            renderer = SceneRenderer(
                world.store, camera, seed=0, light=world.light, model=world.model,
                optics=Optics(noise=0.0),
            )  # fmt: skip
            for _ in range(_ROUNDS_A_CAMERA):
                for pair in _round(rng, world, renderer, bay, number, pool):
                    yield pair
                    made += 1
                    if made == count:
                        return


def _round(
    rng: Rng,
    world: RandomWorld,
    renderer: SceneRenderer,
    bay: Bay,
    number: int,
    pool: list[Appearance],
) -> Iterator[Pair]:
    changes = _choose(rng, world, renderer, number)
    if not changes:
        return
    shots = _pictures(rng, world, renderer, bay, list(_sides(rng, world, changes)), pool)
    strength = float(rng.choice([0.3, 0.6, 0.9]))
    for change in changes:
        if not _fair(change, shots):
            continue
        fault = Wear(rng, strength)
        if fault.quality:
            fault.quality = max(fault.quality, 35)
        later = _drifted(rng, fault)
        shift = np.tile(rng.normal(0, 0.7, 2), 2)
        crops = []
        for k, one in enumerate((fault, later)):
            crop = np.empty((PAIR_PX, PAIR_PX, 3), np.uint8)
            crop_resized(shots[k][0], change.box + (shift if k else 0.0), crop)
            crops.append(wear(crop, one, rng))
        yield Pair(crops[0], crops[1], change.label)


def _fair(change: _Change, shots: list[tuple[Rgbs, NDArray[np.int32]]]) -> bool:
    """Whether the crop shows what its label says and nobody stands in the way."""
    x0, y0, x1, y1 = (int(v) for v in change.box)
    key = ITEM_ID_BASE + change.place.index
    seen = []
    for _, ids in shots:
        part = ids[max(0, y0) : y1, max(0, x0) : x1]
        bodies = ((part > 0) & (part < ITEM_ID_BASE)) | (part >= ITEM_ID_BASE + LOOSE_BASE)
        if part.size == 0 or bodies.mean() > _IN_THE_WAY_MAX:
            return False
        seen.append(int((part == key).sum()))
    if change.label == 2:
        return True
    return seen[change.label] >= CHANGED_PX_MIN
