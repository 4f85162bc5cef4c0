"""One picture of everything: the plan, the plates, all cameras, and what is going on in words.

title                                                                     clock
+-----------------+  +-----------------------------+ +--------------+
|                 |  |                             | |   camera     |
|   floor plan    |  |  the camera that matters    | +--------------+
|                 |  |                             | |   camera     |
+-----------------+  +--------------+--------------+ +--------------+
|                 |  |   camera     |    camera    | |   camera     |
|  plates around  |  +--------------+--------------+ +--------------+
|    the event    |  |   camera     |    camera    | |   close-up   |
+-----------------+  +--------------+--------------+ +--------------+
what is happening
time line with a tick for each event
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw

from store_sim.viewer.known import LEAVES_BOARD, MEETS_BOARD, ShownAction, sentence
from store_sim.viewer.paint import (
    ACCENT,
    BACK,
    FAINT,
    INK,
    LINE,
    PANEL,
    QUIET,
    Canvas,
    Rgb,
    chip,
    fitted,
    font,
    shopper_rgb,
)
from store_sim.viewer.plan import FloorPlan
from store_sim.viewer.shows import Show
from store_sim.viewer.snapshot import Snapshot
from store_sim.viewer.strip import CurveStrip
from store_sim.viewer.tile import Tiles

__all__ = ["MOSAIC_SIZE", "Mosaic"]

MOSAIC_SIZE = (1600, 900)
GAP = 8
EDGE = 12
HEAD = 44
CELL = (326, 184)
CELLS = 8
RIGHT_X = MOSAIC_SIZE[0] - EDGE - 3 * CELL[0] - 2 * GAP
LEFT_W = RIGHT_X - EDGE - GAP
BODY_H = 4 * CELL[1] + 3 * GAP
STRIP_H = 228
"""At least so much is left for the plates under the plan."""
COMING_S = 2.5
"""The camera that matters is that of what happens within so long, or of what happened last."""
TOLD_S = 4.0
CLOSE_UP = 0.3
"""Share of the picture's width that the close-up shows."""


class Mosaic:
    """Draws the snapshots of a show, in the order of time, as (900, 1600, 3) uint8."""

    def __init__(self, show: Show) -> None:
        self._show = show
        store, actions = show.store, show.known.actions
        self._actions = actions
        self._tiles = Tiles(store, actions)
        plan_h = min(BODY_H - STRIP_H - GAP, FloorPlan.height_for(store, LEFT_W))
        self._strip_y = HEAD + plan_h + GAP
        self._plan = FloorPlan(store, show.known, LEFT_W, plan_h)
        self._strip = CurveStrip(store, show.curves, LEFT_W, BODY_H - plan_h - GAP)
        self._cameras = [camera.camera_id for camera in store.cameras]
        self._ground = self._draw_ground()

    def draw(self, snapshot: Snapshot) -> NDArray[np.uint8]:
        """One frame."""
        image = self._ground.copy()
        canvas = ImageDraw.Draw(image)
        action = self._action(snapshot.t_s)
        canvas.text(
            (MOSAIC_SIZE[0] - EDGE, HEAD / 2 + 2), f"{snapshot.t_s:6.1f} s", font=font(22, True),
            fill=INK, anchor="rm",
        )  # fmt: skip
        image.paste(self._plan.draw(snapshot), (EDGE, HEAD))
        image.paste(self._strip.draw(action, snapshot.t_s), (EDGE, self._strip_y))
        main = self._main_camera(action, snapshot)
        if main is not None:
            self._paste_cameras(image, snapshot, main, action)
        self._caption(canvas, snapshot, action)
        self._time_line(canvas, snapshot.t_s)
        return np.asarray(image, np.uint8)

    # -- what to look at

    def _action(self, t_s: float) -> ShownAction | None:
        """The event that is about to happen, else the last one."""
        coming = [one for one in self._actions if t_s < one.t_s <= t_s + COMING_S]
        gone = [one for one in self._actions if one.t_s <= t_s]
        if coming and (not gone or t_s - gone[-1].t_s > 1.0):
            return coming[0]
        return gone[-1] if gone else (coming[0] if coming else None)

    def _main_camera(self, action: ShownAction | None, snapshot: Snapshot) -> str | None:
        """The camera that watches the event's bay, else one with people in it, else the first."""
        if action is not None:
            for camera in self._show.store.cameras:
                if camera.bay_id is not None and camera.bay_id == action.bay_id:
                    return camera.camera_id
            for name in self._cameras:
                if self._tiles.sees(name, action.slot_id):
                    return name
        for name in reversed(self._cameras):
            if snapshot.marks.get(name):
                return name
        return self._cameras[0] if self._cameras else None

    def _shown(self, main: str) -> list[str]:
        """The cameras of the small cells: all of them, or, of many, the one that matters and
        those that follow it in the store file."""
        if len(self._cameras) <= CELLS:
            return self._cameras
        place = self._cameras.index(main)
        turned = self._cameras[place:] + self._cameras[:place]
        return turned[:CELLS]

    # -- cells

    def _draw_ground(self) -> Image.Image:
        image = Image.new("RGB", MOSAIC_SIZE, BACK)
        canvas = ImageDraw.Draw(image)
        letters = font(17, True)
        title = fitted(f"{self._show.title} in {self._show.store.name}", letters, 1400)
        canvas.text((EDGE, HEAD / 2 + 2), title, font=letters, fill=INK, anchor="lm")
        for place in range(CELLS):
            x, y = _cell(place)
            canvas.rectangle((x, y, x + CELL[0] - 1, y + CELL[1] - 1), fill=PANEL)
        return image

    def _paste_cameras(
        self, image: Image.Image, snapshot: Snapshot, main: str, action: ShownAction | None
    ) -> None:
        size = (2 * CELL[0] + GAP, 2 * CELL[1] + GAP)
        self._paste(image, self._tiles.draw(snapshot, main, *size), (RIGHT_X, HEAD), main, 14)
        shown = self._shown(main)
        for place, name in enumerate(shown):
            tile = self._tiles.draw(snapshot, name, *CELL)
            self._paste(image, tile, _cell(place), name, 11)
            if name == main:
                x, y = _cell(place)
                ImageDraw.Draw(image).rectangle(
                    (x, y, x + CELL[0] - 1, y + CELL[1] - 1), outline=ACCENT, width=2
                )
        if len(shown) < CELLS and action is not None:
            near = self._close_up(snapshot, main, action)
            if near is not None:
                self._paste(image, near, _cell(CELLS - 1), "close-up", 11)
        if len(self._cameras) > CELLS:
            text = f"{len(shown)} of {len(self._cameras)} cameras"
            ImageDraw.Draw(image).text(
                (RIGHT_X + 2 * CELL[0], HEAD / 2 + 2), text, font=font(12), fill=FAINT, anchor="rm"
            )

    def _paste(
        self, image: Image.Image, tile: Image.Image, at: tuple[int, int], name: str, size: int
    ) -> None:
        chip(ImageDraw.Draw(tile), (6, size + 12), name, BACK, size=size, ink=QUIET)
        image.paste(tile, at)

    def _close_up(self, snapshot: Snapshot, main: str, action: ShownAction) -> Image.Image | None:
        """The part of the picture around the slot, enlarged."""
        rgb = snapshot.pictures.get(main)
        at = self._tiles.middle(main, action.slot_id)
        if rgb is None or at is None:
            return None
        height, width = rgb.shape[:2]
        w = min(width, max(64, round(CLOSE_UP * width)))
        h = min(height, round(w * CELL[1] / CELL[0]))
        x = min(max(0, round(at[0] - w / 2)), width - w)
        y = min(max(0, round(at[1] - h / 2)), height - h)
        part = Image.fromarray(rgb[y : y + h, x : x + w])
        return part.resize(CELL, Image.Resampling.BICUBIC)

    # -- words

    def _caption(self, canvas: Canvas, snapshot: Snapshot, action: ShownAction | None) -> None:
        y = HEAD + BODY_H + 26
        text, shopper, ink = self._words(snapshot, action)
        rgb = FAINT if shopper is None else shopper_rgb(shopper)
        canvas.rounded_rectangle((EDGE, y - 13, EDGE + 8, y + 13), 3, fill=rgb)
        letters = font(21, True)
        canvas.text(
            (EDGE + 20, y), fitted(text, letters, MOSAIC_SIZE[0] - 60), font=letters, fill=ink,
            anchor="lm",
        )  # fmt: skip

    def _words(self, snapshot: Snapshot, action: ShownAction | None) -> tuple[str, int | None, Rgb]:
        """What the caption says, of whom, and how bright: the event that is shown, else who came
        in or left lately, else how many there are."""
        t_s = snapshot.t_s
        if action is not None and t_s <= action.t_s + TOLD_S:
            words = f"{action.t_s:.1f} s: {sentence(self._show.store, action)}"
            coming = t_s < action.t_s - 0.05
            return (f"next, {words}", action.shopper, QUIET) if coming else (
                words, action.shopper, INK
            )  # fmt: skip
        told = [
            (when_s, words, visit.shopper)
            for visit in self._show.known.visits
            for when_s, words in ((visit.entered_s, "comes in"), (visit.left_s, "leaves"))
            if when_s is not None and 0.0 <= t_s - when_s <= TOLD_S
        ]
        if told:
            when_s, words, shopper = max(told)
            return f"{when_s:.1f} s: shopper {shopper} {words}", shopper, QUIET
        count = len(snapshot.people)
        return f"{count or 'nobody'} in sight" if count != 1 else "1 person in sight", None, FAINT

    def _time_line(self, canvas: Canvas, t_s: float) -> None:
        x0, x1, y = EDGE, MOSAIC_SIZE[0] - EDGE, MOSAIC_SIZE[1] - 16
        whole_s = max(1e-3, self._show.duration_s)
        canvas.line(((x0, y), (x1, y)), fill=LINE, width=4)
        now = x0 + min(1.0, t_s / whole_s) * (x1 - x0)
        canvas.line(((x0, y), (now, y)), fill=FAINT, width=4)
        for action in self._actions:
            if action.t_s > whole_s:
                continue
            x, rgb = x0 + action.t_s / whole_s * (x1 - x0), shopper_rgb(action.shopper)
            if action.kind in LEAVES_BOARD:
                canvas.polygon(((x - 5, y - 3), (x + 5, y - 3), (x, y - 12)), fill=rgb)
            elif action.kind in MEETS_BOARD:
                canvas.polygon(((x - 5, y + 3), (x + 5, y + 3), (x, y + 12)), fill=rgb)
            else:
                canvas.ellipse((x - 3, y - 3, x + 3, y + 3), fill=rgb)
        canvas.ellipse((now - 6, y - 6, now + 6, y + 6), fill=INK)


def _cell(place: int) -> tuple[int, int]:
    """The upper left corner of a small cell: two beside the large one, then rows of three."""
    if place < 2:
        column, row = 2, place
    else:
        column, row = (place - 2) % 3, 2 + (place - 2) // 3
    return RIGHT_X + column * (CELL[0] + GAP), HEAD + row * (CELL[1] + GAP)
