"""A driver that knows the truth: the light that a perfect hub, node and projector would throw."""

from __future__ import annotations

from pathlib import Path

import numpy as np

import store_sim
from contracts.store_file import StoreFile, load_store_file
from contracts.wall_messages import MarkLook
from store_sim.wall import SimOrder, WallWorld
from store_sim.wall.parcels import corners_of
from store_sim.wall.picture import cue_picture

STORES = Path(store_sim.__file__).parent / "stores"
COLOURS: dict[MarkLook, tuple[int, int, int]] = {"take_a": (0, 255, 60), "take_b": (0, 90, 255)}


def store_named(name: str) -> StoreFile:
    return load_store_file(STORES / f"{name}.yaml")


def world_of(name: str, case: str, seed: int) -> WallWorld:
    return WallWorld(store_named(name).walls[0], case, seed, first_s=0.5)


class TrueDriver:
    """Posts orders, lights what was scanned for, and cancels what is to be cancelled. `steps` a
    second; no pictures are asked for unless `frames`."""

    def __init__(self, world: WallWorld, *, frames: bool = False, dark: bool = False) -> None:
        self.world, self._frames, self._dark = world, frames, dark
        self.scanned: dict[str, float] = {}
        self.cancelled: set[str] = set()
        self.k = 0
        self._before: object = None
        for order in world.orders:
            if order.needs_code:
                world.give_code(order.order_id, f"code of {order.order_id}")

    def run(self, until_s: float) -> None:
        """Runs until everybody has left, or until a time."""
        while not self.world.over and self.world.t_s < until_s:
            self.tick()

    def tick(self) -> None:
        self.k += 1
        world = self.world
        world.step(self.k / 5)
        for scan in world.scans():
            self.scanned[scan.code.removeprefix("code of ")] = scan.t_s
        if self._frames:
            world.frames(world.t_s)
        self._light()

    def _light(self) -> None:
        world = self.world
        standing = world.standing()
        active = self._active()
        marks = []
        for order in active:
            look: MarkLook = "take_b" if order is not active[0] else "take_a"
            world.tell_look(order.order_id, look)
            indexes = tuple(k for k in order.indexes if k in standing)
            marks.append((look, indexes, tuple(standing[k][1] for k in indexes)))
        if marks == self._before or self._dark:
            return
        self._before = marks
        if not world.beams:
            self._show_lamps([(look, indexes) for look, indexes, _ in marks])
            return
        width, height = world.beams[0].size
        picture = np.zeros((height, width, 3), np.uint8)
        for look, indexes, _ in marks:
            picture = np.maximum(picture, cue_picture(world, indexes, COLOURS[look]))
        world.show(world.beams[0].projector_id, picture)

    def _show_lamps(self, marks: list[tuple[MarkLook, tuple[int, ...]]]) -> None:
        """The lamps below what is asked for, on the strip of its board."""
        world, standing = self.world, self.world.standing()
        boards = {one.board_id: one.z_m for one in world.wall.boards}
        for light in world.wall.lights:
            at = light.u0_m + (light.u1_m - light.u0_m) * (np.arange(light.lamps) + 0.5) / (
                light.lamps
            )
            colours = np.zeros((light.lamps, 3), np.uint8)
            for look, indexes in marks:
                for k in indexes:
                    corners = corners_of(*standing[k])
                    (u0, _, z0), (u1, _, _) = corners.min(axis=0), corners.max(axis=0)
                    if abs(z0 - boards[light.board_id]) < 0.03:
                        colours[(at >= u0) & (at <= u1)] = COLOURS[look]
            world.show_lamps(light.light_id, colours)

    def _active(self) -> list[SimOrder]:
        """Orders whose customer waits for light: scanned, or here without a scan; not cancelled
        and not gone."""
        world, active = self.world, []
        gone = {deed.customer for deed in world.truth.log if deed.kind == "leave"}
        for order in world.orders:
            if order.needs_code:
                begins = self.scanned.get(order.order_id)
            else:
                here = order.customer in world.visitors and order.behaviour == "take"
                begins = world.t_s if here else None
            if begins is None or order.customer in gone:
                continue
            if order.cancel_after_s is not None and world.t_s - begins > order.cancel_after_s:
                self.cancelled.add(order.order_id)
                continue
            active.append(order)
        return active
