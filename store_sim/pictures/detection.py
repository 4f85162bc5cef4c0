"""Pictures with boxes for the shelf and the ceiling detector.

Boxes come from the id mask of the renderer that also makes the simulated store's frames, so a box
holds what can be seen of a thing and nothing else.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Camera
from contracts.store_file import Product
from store_sim.pictures.filters import Wear, boxes_of_ids, crop_resized, wear
from store_sim.pictures.people import LOOSE_BASE, PEOPLE_MAX, Crowd, crowd_at, random_appearance
from store_sim.pictures.worlds import RandomWorld, camera_of, drawn_products, random_world
from store_sim.render.looks import Optics
from store_sim.render.raster import Rendered, SceneRenderer
from store_sim.render.static import bay_axes
from store_sim.scene import ITEM_ID_BASE, PART_STRIDE, PARTS, Appearance, ItemPose, Scene

__all__ = [
    "CEILING_CLASSES", "SHELF_CLASSES", "Picture", "ceiling_pictures", "picture_boxes",
    "shelf_pictures",
]  # fmt: skip

Rng = np.random.Generator
View = Literal["shelf", "ceiling"]

SHELF_CLASSES = ("head", "arm", "hand", "held")
CEILING_CLASSES = ("head", "person", "hand")
VISIBLE_PX_MIN = 25
CEILING_HAND_PX_MIN = 12
VISIBLE_SHARE_MIN = 0.25

_SLOTS = 256
_CAMERAS_A_WORLD = 4
_PICTURES_A_CAMERA = 6
_SHELF_SIZE = (416, 256)
_CEILING_SIZE = (416, 256)
_SHELF_PART = {"head": 0, "l_arm": 1, "r_arm": 1, "l_hand": 2, "r_hand": 2}
_CEILING_PART = {"head": 0, "l_hand": 2, "r_hand": 2}


@dataclass(frozen=True, slots=True)
class Picture:
    """`rgb` (H, W, 3) uint8; `boxes` (N, 4) float32 pixels x0, y0, x1, y1; `classes` (N,) int64."""

    rgb: NDArray[np.uint8]
    boxes: NDArray[np.float32]
    classes: NDArray[np.int64]
    view: View


def picture_boxes(
    rendered: Rendered, view: View, people: int, scale: float = 1.0
) -> tuple[NDArray[np.float32], NDArray[np.int64]]:
    """Boxes and classes of what is seen of `people` persons and of what they hold.

    A thing is left out when fewer than VISIBLE_PX_MIN of its pixels are seen (`scale` squared
    counts a pixel of a picture that will shrink by `scale`), or less than VISIBLE_SHARE_MIN of
    what the picture would show of it if nothing stood before it.
    """
    rows = np.empty((2 * _SLOTS, 5), np.int64)
    boxes_of_ids(rendered.ids, ITEM_ID_BASE + LOOSE_BASE, _SLOTS, rows)
    parts = _SHELF_PART if view == "shelf" else _CEILING_PART
    boxes: list[list[float]] = []
    classes: list[int] = []

    def seen(row: int, key: int, least: float) -> bool:
        count = int(rows[row, 4])
        return count >= least * scale * scale and (
            count >= VISIBLE_SHARE_MIN * rendered.cover.get(key, 0)
        )

    for person in range(people):
        first = person * PART_STRIDE + 1
        for index, name in enumerate(PARTS):
            key = first + index
            least = CEILING_HAND_PX_MIN if view == "ceiling" and "hand" in name else VISIBLE_PX_MIN
            if name in parts and seen(key, key, least):
                boxes.append([float(v) for v in rows[key, :4]])
                classes.append(parts[name])
        if view == "ceiling":
            body = rows[first : first + len(PARTS)]
            body = body[body[:, 4] > 0]
            total = sum(rendered.cover.get(first + i, 0) for i in range(len(PARTS)))
            count = int(body[:, 4].sum())
            if count >= 4 * VISIBLE_PX_MIN * scale**2 and count >= 0.15 * total:
                low, high = body[:, :2].min(axis=0), body[:, 2:4].max(axis=0)
                boxes.append([float(v) for v in (*low, *high)])
                classes.append(1)
    if view == "shelf":
        for loose in range(_SLOTS):
            row = _SLOTS + loose
            if rows[row, 4] and seen(row, ITEM_ID_BASE + LOOSE_BASE + loose, VISIBLE_PX_MIN):
                boxes.append([float(v) for v in rows[row, :4]])
                classes.append(3)
    found = np.array(boxes, np.float32).reshape(-1, 4) / np.float32(scale)
    return found, np.array(classes, np.int64)


def _bay_of(rng: Rng, world: RandomWorld) -> Bay:
    return world.store.bays[int(rng.integers(len(world.store.bays)))]


def _shelf_camera(
    rng: Rng, world: RandomWorld, bay: Bay, size: tuple[int, int]
) -> tuple[Camera, str, float]:
    """A camera at a bay, its kind (header, aisle, eye), and the u it looks at."""
    origin, u_axis, normal = bay_axes(bay)
    depth_free = float(origin[1])
    u = bay.width_m / 2 + float(rng.normal(0, 0.12))
    kind = ("header", "aisle", "eye")[int(rng.choice(3, p=(0.55, 0.17, 0.28)))]
    roll = float(rng.normal(0, 0.06))
    if kind == "header":
        out = float(rng.uniform(0.25, 0.85))
        z = float(rng.uniform(2.25, 3.1))
        spot = origin + u_axis * u + normal * out
        target = origin + u_axis * (u + rng.normal(0, 0.08)) + normal * rng.uniform(-0.15, 0.45)
        spot[2] = z
        span = float(rng.uniform(0.95, 2.6))
        focal = size[0] * (z - 1.0) / span
        up = -normal + u_axis * roll
    elif kind == "aisle":
        out = float(min(depth_free - 0.1, rng.uniform(1.3, 3.0)))
        spot = origin + u_axis * (u + rng.normal(0, 0.7)) + normal * max(0.8, out)
        spot[2] = float(rng.uniform(1.9, 3.2))
        target = origin + u_axis * u + np.array([0, 0, rng.uniform(0.7, 1.3)])
        focal = size[0] * float(rng.uniform(0.55, 1.3))
        up = np.array([0.0, 0.0, 1.0]) + u_axis * roll
    else:
        board = bay.boards[int(rng.integers(len(bay.boards)))]
        out = float(min(depth_free - 0.1, rng.uniform(0.55, 1.7)))
        spot = origin + u_axis * (u + rng.normal(0, 0.25)) + normal * max(0.5, out)
        spot[2] = float(np.clip(board.z_m + rng.normal(0.25, 0.25), 0.4, 2.0))
        target = origin + u_axis * u + np.array([0, 0, board.z_m + rng.uniform(0.0, 0.25)])
        focal = size[0] * float(rng.uniform(0.6, 1.3))
        up = np.array([0.0, 0.0, 1.0]) + u_axis * roll
    flip = rng.random()
    if kind == "header" and flip < 0.15:
        up = up * -1.0
    return (
        camera_of(spot.tolist(), target.tolist(), up.tolist(), focal, size, "shelf", bay.bay_id),
        kind,
        u,
    )


def _shelf_crowd(
    rng: Rng,
    world: RandomWorld,
    bay: Bay,
    kind: str,
    u: float,
    pool: Sequence[Appearance],
    camera: Camera,
) -> Crowd:
    count = int(rng.choice([0, 1, 2, 3, 4, 5], p=(0.10, 0.26, 0.26, 0.20, 0.12, 0.06)))
    if kind == "eye":
        count = min(count, 3)
    order = [pool[int(k)] for k in rng.permutation(len(pool))[:count]]
    if kind != "eye":
        return crowd_at(rng, world, bay, order, u_centre=u, spread_m=0.25 + 0.18 * count)
    # Seen from before the shelf, shoppers come in from the sides, or only their hands do.
    side = 1.0 if rng.random() < 0.5 else -1.0
    shift = float(rng.uniform(0.38, 0.75))
    crowd = crowd_at(
        rng, world, bay, order, u_centre=u + side * shift, spread_m=0.2, reach=0.95,
        stand_m=(0.25, 0.50), aim_u=u,
    )  # fmt: skip
    position = np.array(camera.pose.position_m)
    keep = [
        body
        for body in crowd.bodies
        if float(np.sqrt(((body.joints_m - position) ** 2).sum(axis=1)).min()) > 0.42
    ]
    kept = {body.person_index for body in keep}
    items = tuple(item for item in crowd.items if item.holder_index in kept)
    return Crowd(tuple(keep), items, crowd.rolls)


def shelf_pictures(seed: int, count: int) -> Iterator[Picture]:
    """`count` pictures (256, 416) of shelves with boxes of SHELF_CLASSES; the same for a seed."""
    made, chapter = 0, 0
    stock: list[Product] = []
    while made < count:
        rng = np.random.Generator(np.random.PCG64([seed, chapter, 0x5E1F]))
        chapter += 1
        world = random_world(rng, drawn_products(rng, stock))
        pool = [random_appearance(rng) for _ in range(PEOPLE_MAX)]
        for _ in range(_CAMERAS_A_WORLD):
            scale = 1.5 if rng.random() < 0.4 else 1.0
            size = (round(_SHELF_SIZE[0] * scale), round(_SHELF_SIZE[1] * scale))
            bay = _bay_of(rng, world)
            camera, kind, u = _shelf_camera(rng, world, bay, size)
            renderer = SceneRenderer(
                world.store, camera, seed=0, light=world.light, model=world.model,
                optics=Optics(noise=0.0),
            )  # fmt: skip
            items = () if rng.random() < 0.06 else world.items()
            for _ in range(_PICTURES_A_CAMERA):
                crowd = _shelf_crowd(rng, world, bay, kind, u, pool, camera)
                yield _picture(rng, renderer, crowd, items, "shelf", scale, _SHELF_SIZE)
                made += 1
                if made == count:
                    return


def ceiling_pictures(seed: int, count: int) -> Iterator[Picture]:
    """`count` pictures (256, 416) from a ceiling with boxes of CEILING_CLASSES."""
    made, chapter = 0, 0
    stock: list[Product] = []
    while made < count:
        rng = np.random.Generator(np.random.PCG64([seed, chapter, 0xCE11]))
        chapter += 1
        world = random_world(rng, drawn_products(rng, stock))
        pool = [random_appearance(rng) for _ in range(PEOPLE_MAX)]
        for _ in range(_CAMERAS_A_WORLD):
            scale = 1.5 if rng.random() < 0.4 else 1.0
            size = (round(_CEILING_SIZE[0] * scale), round(_CEILING_SIZE[1] * scale))
            bay = _bay_of(rng, world)
            camera, target = _ceiling_camera(rng, world, size)
            renderer = SceneRenderer(
                world.store, camera, seed=0, light=world.light, model=world.model,
                optics=Optics(noise=0.0),
            )  # fmt: skip
            items = world.items()
            for _ in range(_PICTURES_A_CAMERA):
                crowd = _ceiling_crowd(rng, world, bay, pool, target)
                yield _picture(rng, renderer, crowd, items, "ceiling", scale, _CEILING_SIZE)
                made += 1
                if made == count:
                    return


def _ceiling_camera(
    rng: Rng, world: RandomWorld, size: tuple[int, int]
) -> tuple[Camera, tuple[float, float]]:
    """A camera under the ceiling and the point of the floor that it looks at: straight down,
    across the floor, or from a corner like a guard's, which shows people whole and upright."""
    floor = world.store.floor
    z = float(rng.uniform(2.5, max(2.6, floor.ceiling_m - 0.08)))
    x = float(rng.uniform(0.2, 0.8)) * floor.width_m
    y = float(rng.uniform(0.15, 0.75)) * floor.depth_m
    around = float(rng.uniform(0, 2 * math.pi)) if rng.random() < 0.5 else math.pi / 2
    kind = ("down", "across", "corner")[int(rng.choice(3, p=(0.5, 0.25, 0.25)))]
    share = rng.uniform(0.28, 0.7)
    if kind == "down":
        tilt = abs(float(rng.normal(0, 0.08)))
    elif kind == "across":
        tilt = float(rng.uniform(0.3, 1.05))
    else:
        # From near a wall to the far side, through a lens that is less wide.
        tilt, share = float(rng.uniform(0.75, 1.2)), rng.uniform(0.45, 1.1)
        x = float(rng.choice((0.1, 0.9)) + rng.uniform(-0.08, 0.08)) * floor.width_m
        y = float(rng.uniform(0.05, 0.95)) * floor.depth_m
        middle = math.atan2(floor.depth_m / 2 - y, floor.width_m / 2 - x)
        around = middle + float(rng.normal(0, 0.35))
    ahead = math.tan(tilt) * (z - 0.9)
    target = (x + ahead * math.cos(around), y + ahead * math.sin(around))
    if kind == "corner":
        target = (float(np.clip(target[0], 0.5, floor.width_m - 0.5)),
                  float(np.clip(target[1], 0.5, floor.depth_m - 0.5)))  # fmt: skip
        around = math.atan2(target[1] - y, target[0] - x)
    up = (math.cos(around), math.sin(around), 0.0)
    focal = size[0] * float(share)
    camera = camera_of((x, y, z), (*target, 0.9), up, focal, size, "ceiling", None)
    return camera, target


def _ceiling_crowd(
    rng: Rng,
    world: RandomWorld,
    bay: Bay,
    pool: Sequence[Appearance],
    target: tuple[float, float],
) -> Crowd:
    count = int(rng.choice([0, 1, 2, 3, 4, 6], p=(0.08, 0.20, 0.24, 0.22, 0.16, 0.10)))
    order = [pool[int(k)] for k in rng.permutation(len(pool))[:count]]
    if rng.random() < 0.35:
        return crowd_at(
            rng, world, bay, order, u_centre=bay.width_m / 2, spread_m=0.5 + 0.15 * count
        )
    # People anywhere on the floor, around where the camera looks.
    origin, u_axis, normal = bay_axes(bay)
    away = np.array([target[0], target[1], 0.0]) - origin
    u, out = float((away * u_axis).sum()), float((away * normal).sum())
    spread = float(rng.uniform(0.4, 1.3))
    low = max(0.35, out - spread)
    return crowd_at(
        rng, world, bay, order, u_centre=u, spread_m=spread, reach=0.35, hold=0.35,
        stand_m=(low, max(low + 0.2, out + spread)),
    )  # fmt: skip


def _picture(
    rng: Rng,
    renderer: SceneRenderer,
    crowd: Crowd,
    items: tuple[ItemPose, ...],
    view: View,
    scale: float,
    size: tuple[int, int],
) -> Picture:
    scene = Scene(0.0, crowd.bodies, crowd.items, items, 1)
    rendered = renderer.render(scene, hand_rolls=crowd.rolls)
    people = max((body.person_index + 1 for body in crowd.bodies), default=0)
    boxes, classes = picture_boxes(rendered, view, people, scale)
    rgb = rendered.rgb
    if scale != 1.0:
        rgb = np.empty((size[1], size[0], 3), np.uint8)
        h, w = rendered.rgb.shape[:2]
        crop_resized(rendered.rgb, np.array([0.0, 0.0, w, h]), rgb)
    worn = wear(rgb, Wear(rng, float(rng.choice([0.35, 0.8, 1.0]))), rng)
    return Picture(worn, boxes, classes, view)
