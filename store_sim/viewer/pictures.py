"""Pictures of one action: before, during and after, as the cameras saw it, with truth drawn in.

>>> from pathlib import Path
>>> from contracts.store_file import load_store_file
>>> from store_sim.scenarios import build
>>> store = load_store_file(Path("store_sim/stores/demo.yaml"))
>>> scenario = build("base-01", store, seed=1, shoppers=1)
>>> action = ShownAction(1.0, 0, "take", "bay-a-1-l", "2000000011011")
>>> pictures = action_pictures(store, scenario, 1, action, width_px=160)
>>> [(camera_id, rgb.shape) for camera_id, rgb in pictures]
[('cam-a', (116, 488, 3)), ('ceil-3', (116, 488, 3))]
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from contracts.store_file import StoreFile
from store_sim.viewer.known import ShownAction, sentence
from store_sim.viewer.paint import ACCENT, BACK, INK, chip, fitted, font, shopper_rgb
from store_sim.viewer.shows import snapshots
from store_sim.viewer.snapshot import Snapshot
from store_sim.viewer.tile import Tiles, slot_points
from store_sim.world import Scenario

__all__ = ["ActionStrip", "StripMaker", "action_pictures", "pictures_of_actions"]

MOMENTS_S = (-1.0, 0.0, 1.0)
CAMERAS = 2
WIDTH_PX = 400
GAP = 4
HEAD = 26


@dataclass(frozen=True, slots=True)
class ActionStrip:
    """Pictures of an action, one strip (H, W, 3) uint8 for each camera."""

    action: ShownAction
    pictures: tuple[tuple[str, NDArray[np.uint8]], ...]


class StripMaker:
    """Makes strips of actions out of the snapshots of a show, fed in the order of time."""

    def __init__(
        self,
        store: StoreFile,
        actions: Sequence[ShownAction],
        *,
        moments_s: Sequence[float] = MOMENTS_S,
        cameras: int = CAMERAS,
        width_px: int = WIDTH_PX,
    ) -> None:
        self._store = store
        self._moments_s = tuple(sorted(moments_s))
        self._width = width_px
        self._waiting = [
            _Waiting(action, cameras_of(store, action, cameras), {}) for action in actions
        ]

    @property
    def cameras(self) -> frozenset[str]:
        """The cameras that the strips need."""
        return frozenset(name for one in self._waiting for name in one.cameras)

    @property
    def end_s(self) -> float:
        """When the last picture is due."""
        last = max((one.action.t_s for one in self._waiting), default=0.0)
        return last + max(self._moments_s, default=0.0)

    def feed(self, snapshot: Snapshot) -> Iterator[ActionStrip]:
        """Takes in a snapshot; gives the strips that are whole."""
        for waiting in self._waiting:
            for moment_s in self._moments_s:
                due = moment_s not in waiting.taken
                if due and snapshot.t_s >= max(0.0, waiting.action.t_s + moment_s) - 1e-6:
                    waiting.taken[moment_s] = snapshot
        done = [one for one in self._waiting if len(one.taken) == len(self._moments_s)]
        self._waiting = [one for one in self._waiting if one not in done]
        for waiting in done:
            yield self._strip(waiting)

    def finish(self) -> Iterator[ActionStrip]:
        """The strips of which the end of the show cut off a picture."""
        waiting, self._waiting = self._waiting, []
        for one in waiting:
            if one.taken:
                yield self._strip(one)

    def _strip(self, waiting: _Waiting) -> ActionStrip:
        tiles = Tiles(self._store, [waiting.action])
        pictures = tuple((name, self._compose(tiles, waiting, name)) for name in waiting.cameras)
        return ActionStrip(waiting.action, pictures)

    def _compose(self, tiles: Tiles, waiting: _Waiting, name: str) -> NDArray[np.uint8]:
        camera = next(one for one in self._store.cameras if one.camera_id == name)
        lens = camera.intrinsics
        width, height = self._width, round(self._width * lens.height / lens.width)
        count = len(self._moments_s)
        image = Image.new("RGB", (count * width + (count - 1) * GAP, height + HEAD), BACK)
        canvas = ImageDraw.Draw(image)
        action = waiting.action
        canvas.rectangle((0, 5, 5, HEAD - 6), fill=shopper_rgb(action.shopper))
        letters = font(13, True)
        text = f"{action.t_s:.1f} s: {sentence(self._store, action)} ({name})"
        text = fitted(text, letters, image.width - 16)
        canvas.text((12, HEAD / 2), text, font=letters, fill=INK, anchor="lm")
        for place, moment_s in enumerate(self._moments_s):
            snapshot = waiting.taken.get(moment_s)
            if snapshot is None:
                continue
            tile = tiles.draw(snapshot, name, width, height)
            mark = ACCENT if moment_s == 0 else INK
            when = f"{snapshot.t_s:.1f} s"
            chip(ImageDraw.Draw(tile), (4, height - 4), when, mark, size=10)
            image.paste(tile, (place * (width + GAP), HEAD))
        return np.asarray(image, np.uint8)


@dataclass(slots=True, eq=False)
class _Waiting:
    action: ShownAction
    cameras: tuple[str, ...]
    taken: dict[float, Snapshot]


def cameras_of(store: StoreFile, action: ShownAction, most: int) -> tuple[str, ...]:
    """Up to `most` cameras that have the action's slot in view: those of its bay first, then the
    nearest."""
    points = slot_points(store, action.slot_id)
    if points is None:
        return tuple(camera.camera_id for camera in store.cameras[:most])
    middle = points.mean(axis=0).tolist()
    bay = next(slot.bay_id for slot in store.slots if slot.slot_id == action.slot_id)
    tiles = Tiles(store, [])
    ranked = sorted(
        (camera.bay_id != bay, math.dist(camera.pose.position_m, middle), camera.camera_id)
        for camera in store.cameras
        if tiles.sees(camera.camera_id, action.slot_id)
    )
    return tuple(name for _, _, name in ranked[:most])


def pictures_of_actions(
    store: StoreFile,
    scenario: Scenario,
    seed: int,
    actions: Sequence[ShownAction],
    *,
    moments_s: Sequence[float] = MOMENTS_S,
    cameras: int = CAMERAS,
    width_px: int = WIDTH_PX,
) -> Iterator[ActionStrip]:
    """Strips of several actions in one run of the scenario, each as soon as it is whole."""
    maker = StripMaker(store, actions, moments_s=moments_s, cameras=cameras, width_px=width_px)
    if not actions:
        return
    end_s = math.ceil(maker.end_s + 0.5)
    for snapshot in snapshots(store, scenario, seed, cameras=maker.cameras, end_s=end_s):
        yield from maker.feed(snapshot)
    yield from maker.finish()


def action_pictures(
    store: StoreFile,
    scenario: Scenario,
    seed: int,
    action: ShownAction,
    *,
    moments_s: Sequence[float] = MOMENTS_S,
    cameras: int = CAMERAS,
    width_px: int = WIDTH_PX,
) -> list[tuple[str, NDArray[np.uint8]]]:
    """Camera id and strip (H, W, 3) uint8 of an action: a picture `width_px` wide for each of
    `moments_s` (seconds after the action), from the cameras that see its slot best.

    The same arguments give the same pictures. Several actions of one run are cheaper with
    `pictures_of_actions`.
    """
    strips = pictures_of_actions(
        store, scenario, seed, [action], moments_s=moments_s, cameras=cameras, width_px=width_px
    )
    return [picture for strip in strips for picture in strip.pictures]
