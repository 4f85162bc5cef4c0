"""The simulator's camera: a scene becomes RGB, an id mask and depth.

The static store and the goods on its shelves are drawn once per camera and shelf version and kept;
a frame puts back what the last frame drew over and draws only what moves. When the goods change,
only the part of the picture around the changed goods is drawn again. The bytes are the same as
those of a full redraw, in every process. Glass doors hang before the goods in a layer of their
own, so that a moving door brings the goods behind it back without drawing them.

Clear things are blended after the opaque ones (see store_sim.render.glass): the id mask names what
is behind glass, and the bottle where there is liquid in it. A pane is of the store, id 0, and so
writes nothing either; its frame does.

With a distorting lens all this happens on a larger pinhole canvas, which is laid into the picture
at the end (store_sim.render.lens).
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.store_file import StoreFile
from store_sim.errors import RenderError
from store_sim.render.bodies import body_model, pose_body
from store_sim.render.camera import ball_rect, camera_array, project_points, turned_camera
from store_sim.render.daylight import Gloss, Sun
from store_sim.render.hung import HungDoors
from store_sim.render.kernels import (
    NEAR_M,
    cast_shadow,
    place,
    world_points,
)
from store_sim.render.layers import Layers, Rect, merged, overlap, same_item, union
from store_sim.render.lens import lens_map
from store_sim.render.looks import Light, Look, Optics
from store_sim.render.mesh import Bank, Mesh
from store_sim.render.motion import MotionBlur
from store_sim.render.packaging import ProductModel, product_model
from store_sim.render.paint import Painter, Placed
from store_sim.render.sensor import Sensor
from store_sim.render.static import bay_rows, store_bank, store_mesh
from store_sim.scene import ITEM_ID_BASE, JOINTS, PART_STRIDE, BodyPose, ItemPose, Scene
from store_sim.world.foreign import FOREIGN

__all__ = [
    "Rendered",
    "SceneRenderer",
    "StoreModel",
    "camera_array",
    "project_points",
    "store_model",
]

Floats = NDArray[np.float64]

_RECTS_MAX = 50_000
_PLACED_MAX = 4_000
_NEAR_TRUNK_M = 0.3
_ROW = {name: row for row, name in enumerate(JOINTS)}


@dataclass(frozen=True, slots=True)
class Rendered:
    """One picture: `rgb` (H, W, 3) uint8, `ids` (H, W) int32, `depth` (H, W) float32 metres.

    The arrays belong to the renderer and change with its next call. `cover` counts, per id, the
    pixels of the picture that the thing would fill if nothing stood before it; with a distorting
    lens, pixels of the canvas.
    """

    rgb: NDArray[np.uint8]
    ids: NDArray[np.int32]
    depth: NDArray[np.float32]
    cover: dict[int, int]


@dataclass(frozen=True, slots=True)
class StoreModel:
    """What cameras of one store share: the static mesh, its textures, the products."""

    mesh: Mesh
    bank: Bank
    bays: Floats
    products: dict[str, ProductModel]


def store_model(store: StoreFile, look: Look) -> StoreModel:
    """The model of a store, to be shared by its cameras: its products and those of FOREIGN."""
    products = [*FOREIGN.values(), *store.products]
    return StoreModel(
        mesh=store_mesh(store, look),
        bank=store_bank(look),
        bays=bay_rows(store),
        products={product.gtin: product_model(product) for product in products},
    )


class SceneRenderer:
    """Draws scenes of one store as one camera sees them."""

    def __init__(
        self,
        store: StoreFile,
        camera: Camera,
        *,
        seed: int,
        light: Light | None = None,
        look: Look | None = None,
        optics: Optics | None = None,
        model: StoreModel | None = None,
        incremental: bool = True,
        fog: float = 0.0,
        reflections: float = 0.0,
    ) -> None:
        """`seed` is the noise's; cameras of one store share a `model` (see `store_model`);
        `incremental=False` draws all goods anew when any changed. `fog` (0 to 1) lies on the panes
        of glass doors, `reflections` (0 to 1) is how strongly they mirror the aisle."""
        self.camera = camera
        self.light = light or Light()
        self.optics = optics or Optics()
        self._store, self._seed, self._pane = store, seed, (fog, reflections)
        self._model = model or store_model(store, look or Look())
        self._map = lens_map(camera, self.optics.distortion)
        lens = camera.intrinsics if self._map is None else self._map.canvas
        self._cam = camera_array(camera.model_copy(update={"intrinsics": lens}))
        self._packed = self.light.packed()
        self._tint = np.array(self.light.tint, np.float64)
        self._lean = np.array(self.light.lean, np.float64)
        self._incremental = incremental
        w, h = self._size = (lens.width, lens.height)
        self._back = Layers.empty(w, h)
        self._doors = HungDoors(store, self._cam, self._size, fog, reflections)
        # Without doors the goods are the whole background.
        self._goods = Layers.empty(w, h) if self._doors else self._back
        self._front = Layers.empty(w, h)
        self._paint = Painter(self._cam, self._packed, self._tint, self._model.bays, self._size)
        self._clear_goods: list[Placed] = []
        self._placed: dict[int, tuple[ItemPose, Placed]] = {}
        self._static = Layers.empty(w, h)
        self._world = np.empty((h, w, 3), np.float32)
        self._dirty: list[Rect] = []
        self._stale: list[Rect] = []
        self._shelf: dict[int, ItemPose] | None = None
        self._rects: dict[int, tuple[ItemPose, Rect | None]] = {}
        self._shelf_version: int | None = None
        self._draw_static()
        self._take_optics()

    def _take_optics(self) -> None:
        """What light and lens do to each picture; None for what the dials leave out."""
        light, optics, lens = self.light, self.optics, self.camera.intrinsics
        self._out = np.empty((lens.height, lens.width, 3), np.uint8)
        self._sensor = Sensor(optics, light, (lens.width, lens.height), self._seed)
        self._sun = Sun(self._store, light.sun_patch, light.seed) if light.sun_patch else None
        self._gloss: Gloss | None = None
        if light.gloss:
            self._gloss = Gloss(self._store, light.gloss, self._static, self._cam)
        self._motion: MotionBlur | None = None
        if optics.motion:
            self._motion = MotionBlur(
                optics.motion, self.camera.fps, self._size, partial(project_points, self._cam)
            )

    @property
    def static_depth(self) -> NDArray[np.float32]:
        """Depth of store and shelf goods without what moves, (H, W) float32 metres."""
        return self._goods.depth

    def project(self, points: Floats) -> tuple[Floats, Floats]:
        """Pixels (N, 2) of the picture and depths (N,) of world points (N, 3)."""
        pixels, depths = project_points(self._cam, points)
        return (pixels if self._map is None else self._map.bend(pixels)), depths

    def turned(self, yaw_deg: float, pitch_deg: float) -> SceneRenderer:
        """The same camera pushed aside: to its right by `yaw_deg`, down by `pitch_deg`."""
        return SceneRenderer(
            self._store,
            turned_camera(self.camera, yaw_deg, pitch_deg),
            seed=self._seed,
            light=self.light,
            optics=self.optics,
            model=self._model,
            incremental=self._incremental,
            fog=self._pane[0],
            reflections=self._pane[1],
        )

    def render(
        self,
        scene: Scene,
        *,
        out: NDArray[np.uint8] | None = None,
        hand_rolls: dict[int, tuple[float, float]] | None = None,
    ) -> Rendered:
        """Draws a scene; `out` (H, W, 3) uint8 receives the picture when given.

        `hand_rolls` turns the hands of a person by (left, right) radians about the forearm.
        Raises RenderError for an item whose GTIN the store does not know.
        """
        changed = self._sync_shelf(scene)
        self._dirty += self._doors.sync(scene.doors, self._paint, self._goods, self._back, changed)
        self._restore()
        cover: dict[int, int] = {}
        rolls = hand_rolls or {}
        drawn: dict[int, Rect] = {}
        for body in scene.bodies:
            before = len(self._dirty)
            self._draw_body(body, rolls.get(body.person_index, (0.0, 0.0)), cover)
            for rect in self._dirty[before:]:
                drawn[body.person_index] = union(drawn.get(body.person_index, rect), rect)
        # Shadows fall on the store only; after the bodies, they skip what bodies hide.
        self._shadows(scene)
        for item in scene.loose_items:
            before = len(self._dirty)
            if item.state != "bag":
                self._draw_item(item, self._front, self._full(), self._dirty, cover)
            for rect in self._dirty[before:]:
                drawn[ITEM_ID_BASE + item.item_index] = rect
        self._blend(scene, cover)
        self._light_up(scene, drawn)
        target = self._out if out is None else out
        layers = self._front
        if self._map is not None:
            layers = self._map.lay(layers, self._stale + self._dirty)
        self._sensor.develop(layers.rgb, scene.t_s, target)
        return Rendered(rgb=target, ids=layers.ids, depth=layers.depth, cover=cover)

    def _light_up(self, scene: Scene, drawn: dict[int, Rect]) -> None:
        """Sun and reflections on what is drawn, then the smear of what moves."""
        if self._sun is not None:
            lit = self._sun.apply(scene, self._front, self._cam)
            self._dirty += [] if lit is None else [lit]
        if self._gloss is not None:
            people = [rect for key, rect in drawn.items() if key < ITEM_ID_BASE]
            self._dirty += self._gloss.apply(self._front, people)
        if self._motion is not None:
            self._dirty += self._motion.apply(scene, self._front, drawn)

    def _full(self) -> NDArray[np.int64]:
        return np.array([0, 0, *self._size], np.int64)

    def _draw_static(self) -> None:
        layers, mesh = self._static, self._model.mesh
        layers.clear()
        self._paint.draw(
            mesh.pos, mesh.normal, mesh, 0, self._model.bank, layers, self._full(), smooth=True
        )

    def _sync_shelf(self, scene: Scene) -> Rect | None:
        """Draws changed goods; gives the part of the picture that is new."""
        if self._shelf is not None and scene.shelf_version == self._shelf_version:
            return None
        now = {item.item_index: item for item in scene.shelf_items}
        before = self._shelf
        full = (0, 0, *self._size)
        rect: Rect | None = full
        if before is not None and self._incremental:
            changed = [i for k, i in now.items() if not same_item(before.get(k), i)]
            changed += [i for k, i in before.items() if not same_item(now.get(k), i)]
            rect = self.items_rect(changed)
        self._shelf, self._shelf_version = now, scene.shelf_version
        self._clear_goods = [part for k in sorted(now) for part in self._clear_of(now[k])]
        if rect is None:
            return None
        self._goods.copy_from(self._static, rect)
        scissor = np.array(rect, np.int64)
        for index in sorted(now):
            if self._incremental and before is not None:
                bounds = self.items_rect([now[index]])
                if bounds is None or not overlap(bounds, rect):
                    continue
            self._draw_item(now[index], self._goods, scissor, None, None)
        for part in sorted(self._clear_goods, key=lambda part: -part.middle_m):
            if part.rect is not None and overlap(part.rect, rect):
                self._paint.blend(part, self._goods, rect, smooth=True)
        world_points(self._goods.depth, self._cam, scissor, self._world)
        self._dirty.append(rect)
        return rect

    def _clear_of(self, item: ItemPose) -> tuple[Placed, ...]:
        """The clear parts of an item where it is; goods that stay where they are keep theirs."""
        glass = self._product(item).clear
        if glass is None:
            return ()
        known = self._placed.get(item.item_index)
        if known is not None and same_item(known[0], item):
            return (known[1],)
        rotation = np.ascontiguousarray(item.rotation, np.float64)
        pos, normal = np.empty_like(glass.mesh.pos), np.empty_like(glass.mesh.normal)
        place(glass.mesh.pos, rotation, np.ascontiguousarray(item.base_m, np.float64), pos)
        place(glass.mesh.normal, rotation, np.zeros(3), normal)
        key = ITEM_ID_BASE + item.item_index
        part = self._paint.placed(glass, self._product(item).bank, key, pos, normal)
        if len(self._placed) >= _PLACED_MAX:
            self._placed.clear()
        self._placed[item.item_index] = (item, part)
        return (part,)

    def _blend(self, scene: Scene, cover: dict[int, int]) -> None:
        """Blends what is clear over people and loose things: goods, then the rest by depth."""
        before = self._back.depth
        if self._clear_goods:
            anew = self._paint.renew(self._clear_goods, self._dirty, self._front, before)
            for part, where in anew:
                self._paint.blend(part, self._front, where, smooth=True, before=before)
        loose = [
            part for item in scene.loose_items if item.state != "bag"
            for part in self._clear_of(item)
        ]  # fmt: skip
        for part in sorted([*loose, *self._doors.panes], key=lambda part: -part.middle_m):
            if part.key:
                full = (0, 0, *self._size)
                pixels, rect = self._paint.blend(part, self._front, full, smooth=False)
                if pixels:
                    cover[part.key] = cover.get(part.key, 0) + pixels
                if rect is not None:
                    self._dirty.append(rect)
                continue
            for _, where in self._paint.renew([part], self._dirty, self._front, before):
                self._paint.blend(part, self._front, where, smooth=False, before=before)

    def items_rect(self, items: list[ItemPose]) -> Rect | None:
        """The part of the picture that holds the items, generously; None when out of sight."""
        rect: Rect | None = None
        for item in items:
            known = self._rects.get(item.item_index)
            if known is None or known[0] is not item:
                model = self._product(item)
                middle = item.rotation[:, 2] * (model.product.packaging.height_m / 2)
                known = (
                    item,
                    ball_rect(self._cam, self._size, item.base_m + middle, model.radius_m + 0.01),
                )
                if len(self._rects) >= _RECTS_MAX:
                    self._rects.clear()
                self._rects[item.item_index] = known
            found = known[1]
            rect = found if rect is None else union(rect, found) if found is not None else rect
        return rect

    def _restore(self) -> None:
        self._stale = merged(self._dirty)
        for rect in self._stale:
            self._front.copy_from(self._back, rect)
        self._dirty.clear()

    def _product(self, item: ItemPose) -> ProductModel:
        model = self._model.products.get(item.gtin)
        if model is None:
            raise RenderError(
                f"expected an item of a product of the store, got GTIN {item.gtin} for item "
                f"{item.item_index}; add the product to the store file"
            )
        return model

    def _shadows(self, scene: Scene) -> None:
        strength = self.light.shadow
        if strength <= 0.0:
            return
        for body in scene.bodies:
            joints = body.joints_m
            k = body.appearance.stature_m / 1.72
            blobs = [
                (joints[_ROW["pelvis"]], 0.24 * k, 0.85 * strength, 1.2),
                (0.5 * (joints[_ROW["l_ankle"]] + joints[_ROW["r_ankle"]]), 0.2 * k,
                 0.6 * strength, 0.3),
            ]  # fmt: skip
            trunk = joints[_ROW["pelvis"]]
            for side in ("l", "r"):
                tip, wrist = joints[_ROW[f"{side}_fingertip"]], joints[_ROW[f"{side}_wrist"]]
                away = tip - trunk
                if float(away[0] * away[0] + away[1] * away[1]) > _NEAR_TRUNK_M**2:
                    blobs.append((0.3 * tip + 0.7 * wrist, 0.085 * k, 0.85 * strength, 0.6))
            for at, radius, amount, reach in blobs:
                self._shadow(at, radius, amount, reach)
        for item in scene.loose_items:
            if item.state in ("hand", "floor"):
                look = self._product(item).product.packaging
                radius = 0.5 * max(look.width_m, look.depth_m) + 0.01
                self._shadow(item.base_m + np.array([0, 0, 0.02]), radius, 0.7 * strength, 0.6)

    def _shadow(self, at: Floats, radius: float, amount: float, reach: float) -> None:
        reach = min(reach, float(at[2]) + 0.01)
        if reach <= 0.0:
            return
        rect = self._column_rect(at, reach, radius)
        if rect is None:
            return
        blob = np.array([at[0], at[1], at[2], radius, amount, reach])
        cast_shadow(self._front.rgb, self._front.ids, self._world, np.array(rect), blob, self._lean)
        self._dirty.append(rect)

    def _column_rect(self, at: Floats, reach: float, radius: float) -> Rect | None:
        """Bounds of the leaning cone a shadow falls in."""
        cam = self._cam.tolist()
        dx, dy, dz = (float(at[k]) - cam[9 + k] for k in range(3))
        x0, y0, x1, y1 = math.inf, math.inf, -math.inf, -math.inf
        for drop, across in ((0.0, radius), (reach, radius + 0.4 * reach)):
            px = dx + self._lean[0] * drop
            py = dy + self._lean[1] * drop
            pz = dz - drop
            x = cam[0] * px + cam[1] * py + cam[2] * pz
            y = cam[3] * px + cam[4] * py + cam[5] * pz
            z = cam[6] * px + cam[7] * py + cam[8] * pz
            # How far a level disc goes along each of the camera's axes.
            ex = across * math.hypot(cam[0], cam[1])
            ey = across * math.hypot(cam[3], cam[4])
            ez = across * math.hypot(cam[6], cam[7])
            if z - ez < 2 * NEAR_M:
                return (0, 0, *self._size)
            for depth in (z - ez, z + ez):
                x0, x1 = min(x0, (x - ex) / depth), max(x1, (x + ex) / depth)
                y0, y1 = min(y0, (y - ey) / depth), max(y1, (y + ey) / depth)
        w, h = self._size
        left = max(0, math.floor(cam[14] + cam[12] * x0))
        right = min(w, math.ceil(cam[14] + cam[12] * x1) + 1)
        top = max(0, math.floor(cam[15] + cam[13] * y0))
        bottom = min(h, math.ceil(cam[15] + cam[13] * y1) + 1)
        return (left, top, right, bottom) if left < right and top < bottom else None

    def _draw_body(self, body: BodyPose, roll: tuple[float, float], cover: dict[int, int]) -> None:
        centre = 0.5 * (body.joints_m.min(axis=0) + body.joints_m.max(axis=0))
        span = body.joints_m.max(axis=0) - body.joints_m.min(axis=0)
        radius = 0.5 * math.sqrt(float((span * span).sum())) + 0.55
        if ball_rect(self._cam, self._size, centre, radius) is None:
            return
        model = body_model(body.appearance)
        pos, normal = pose_body(model, body, roll)
        mesh = Mesh(pos, normal, model.uv, model.tris, model.mats, model.parts)
        first = body.person_index * PART_STRIDE + 1
        rect = self._paint.draw(pos, normal, mesh, first, model.bank, self._front, self._full())
        if rect is not None:
            self._dirty.append(rect)
            for part in range(PART_STRIDE - 1):
                if self._paint.cover[part]:
                    cover[first + part] = cover.get(first + part, 0) + int(self._paint.cover[part])

    def _draw_item(
        self,
        item: ItemPose,
        layers: Layers,
        scissor: NDArray[np.int64],
        dirty: list[Rect] | None,
        cover: dict[int, int] | None,
    ) -> None:
        model = self._product(item)
        mesh = model.mesh
        pos, normal = np.empty_like(mesh.pos), np.empty_like(mesh.normal)
        rotation = np.ascontiguousarray(item.rotation, np.float64)
        place(mesh.pos, rotation, np.ascontiguousarray(item.base_m, np.float64), pos)
        place(mesh.normal, rotation, np.zeros(3), normal)
        key = ITEM_ID_BASE + item.item_index
        rect = self._paint.draw(
            pos, normal, mesh, key, model.bank, layers, scissor, smooth=dirty is None
        )
        if rect is not None and dirty is not None:
            dirty.append(rect)
        if cover is not None and self._paint.cover[0]:
            cover[key] = int(self._paint.cover[0])
