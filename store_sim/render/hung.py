"""The doors of one camera's picture: hung before the goods, again wherever something changed."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from store_sim.render.doors import Door, door_angles, door_bank, doors_of, swung
from store_sim.render.layers import Layers, Rect, merged, overlap
from store_sim.render.paint import Painter, Placed, points_rect
from store_sim.scene import DoorPose

__all__ = ["HungDoors"]

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class _Hung:
    """A door at one angle: its pane, and the part of the picture that door and pane fill."""

    door: Door
    angle_rad: float
    pane: Placed
    rect: Rect | None


class HungDoors:
    """All glass doors of a store as one camera sees them."""

    def __init__(
        self, store: StoreFile, cam: Floats, size: tuple[int, int], fog: float, reflections: float
    ) -> None:
        """`fog` and `reflections` are 0 to 1."""
        self._doors = doors_of(store, fog)
        self._bank = door_bank()
        self._cam, self._size = cam, size
        # A fogged pane mirrors little.
        self._mirror = reflections * (1.0 - 0.6 * fog)
        self._ceiling_m = store.floor.ceiling_m
        self._hung: dict[str, _Hung] = {}

    def __bool__(self) -> bool:
        return bool(self._doors)

    @property
    def panes(self) -> list[Placed]:
        """The panes where they hang now."""
        return [hung.pane for hung in self._hung.values()]

    def sync(
        self,
        poses: tuple[DoorPose, ...],
        paint: Painter,
        goods: Layers,
        back: Layers,
        changed: Rect | None,
    ) -> list[Rect]:
        """Brings `back` to the goods with the doors before them; gives the rectangles drawn anew.

        `changed` is where the goods are new; a door without a pose is shut.
        """
        angles = door_angles(self._doors, poses)
        rects = [changed] if changed is not None and angles else []
        for bay_id, angle in angles.items():
            before = self._hung.get(bay_id)
            if before is not None and before.angle_rad == angle:
                continue
            now = self._hung[bay_id] = self._hang(self._doors[bay_id], angle, paint)
            rects += [hung.rect for hung in (before, now) if hung is not None and hung.rect]
        drawn = merged(rects)
        for rect in drawn:
            back.copy_from(goods, rect)
            hit = [h for h in self._hung.values() if h.rect is not None and overlap(h.rect, rect)]
            for hung in hit:
                self._frame(hung, rect, paint, back)
            for hung in sorted(hit, key=lambda hung: -hung.pane.middle_m):
                paint.blend(hung.pane, back, rect, smooth=False)
        return drawn

    def _hang(self, door: Door, angle_rad: float, paint: Painter) -> _Hung:
        mesh = door.pane.mesh
        pos = swung(door, mesh.pos, angle_rad)
        normal = swung(door, mesh.normal, angle_rad, turn_only=True)
        mirror = np.array([self._mirror, *normal[0], self._ceiling_m])
        pane = paint.placed(door.pane, self._bank, 0, pos, normal, mirror)
        frame = swung(door, door.frame.pos, angle_rad)
        rect, _, _ = points_rect(self._cam, np.concatenate([pos, frame]), self._size)
        return _Hung(door, angle_rad, pane, rect)

    def _frame(self, hung: _Hung, rect: Rect, paint: Painter, back: Layers) -> None:
        mesh = hung.door.frame
        pos = swung(hung.door, mesh.pos, hung.angle_rad)
        normal = swung(hung.door, mesh.normal, hung.angle_rad, turn_only=True)
        scissor = np.array(rect, np.int64)
        paint.draw(pos, normal, mesh, 0, hung.pane.bank, back, scissor, smooth=True)
