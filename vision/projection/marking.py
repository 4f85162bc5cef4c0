"""All marks of one projector: aimed at, thrown, looked for in captures, and steered."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import INVITING, Mark, Thing
from vision.projection.aim import Aim, Drawing, corners_of, make_aim, place_of
from vision.projection.draw import Raster, on_plane, raster
from vision.projection.model import Floats, Optics
from vision.projection.records import MarkState
from vision.projection.settings import BeamSettings
from vision.wall.records import LitRegion

__all__ = ["Captures", "Marking"]

Corners = Sequence[tuple[float, float]]
Captures = Mapping[str, tuple[float, NDArray[np.uint8]]]
"""By camera: when it was taken, and the grey picture (H, W)."""

BEHIND_M = 0.03
"""Things at least so far behind another do not stand in its light."""
UNDONE_SHARE = 0.6
"""Where another's outline hides so much of what a mark is drawn in from every camera, nobody could
have seen the label: that outline is wrong."""
APART_SHARE = 0.1
SHARE_MIN = 0.5
"""Marks of which more is in the shadow of other things are not shown."""
LOOKS_MAX = 4
"""Marks looked for in one capture; the others wait for the next."""
BEFORE_S_MAX = 20.0
"""A capture older than that does not tell what a place looks like without light."""
MISSES_DIP = 4
"""Captures without a mark after which it goes dark for one, to see its place without light."""
DIPS_MAX = 2
HELD_S = 3.0
"""A mark that cannot be steered to its place is tried anew after so long."""
BLINK_SHARE = 0.6


@dataclass(frozen=True, slots=True)
class Looked:
    """What captures say: a mark is `astray` if it is not where it should be, or not seen at all;
    `jumped` if it was there before."""

    astray: bool
    jumped: bool


@dataclass(frozen=True, slots=True)
class _Before:
    t_s: float
    grey: NDArray[np.uint8]
    lit: frozenset[str]


class Marking:
    """The marks that shine now."""

    def __init__(self, cameras: Mapping[str, Optics], settings: BeamSettings) -> None:
        self._cameras, self._settings = cameras, settings
        self._aims: dict[str, Aim] = {}
        self._before: dict[str, _Before] = {}
        self._turn = 0
        self._scene = _Scene(None, (), next(iter(cameras.values())), ())

    def clear(self) -> None:
        """Nothing shines any more."""
        self._aims.clear()

    def forget(self) -> None:
        """What places look like without light is not known any more."""
        self._before.clear()

    def look(self, now_s: float, captures: Captures) -> Looked:
        """Looks for marks in captures, in turn, and steers them."""
        aims = list(self._aims.values())
        astray = jumped = False
        for _ in range(min(LOOKS_MAX, len(aims)) if captures else 0):
            self._turn = (self._turn + 1) % len(aims)
            aim = aims[self._turn]
            if aim.dipped_s is not None:
                self._end_dip(aim, now_s, captures)
                continue
            settled = {
                name: grey for name, (t_s, grey) in captures.items() if self._shows(aim, t_s)
            }
            if not settled or aim.held_s is not None:
                continue
            aim.look_at(settled, self._cameras, self._settings, now_s=now_s)
            off = aim.off_mm_now > self._settings.mark_off_mm
            astray |= off or aim.misses == MISSES_DIP
            jumped |= aim.jumped
            if aim.misses == MISSES_DIP and aim.dips < DIPS_MAX:
                aim.dipped_s, aim.dips = now_s, aim.dips + 1
        return Looked(astray, jumped)

    def keep(self, captures: Captures, dark_s: float) -> None:
        """Keeps captures as what places without marks look like; those after `dark_s` show what
        is thrown now."""
        lit = frozenset(aim.place for aim in self._aims.values())
        for name, (t_s, grey) in captures.items():
            if t_s >= dark_s + self._settings.settle_s:
                self._before[name] = _Before(t_s, grey, lit)

    def follow(
        self,
        now_s: float,
        things: Mapping[str, Thing],
        marks: Sequence[Mark],
        model: Optics,
        why_dark: Callable[[Mark], str | None],
    ) -> dict[str, MarkState]:
        """Aims at what may shine and drops what may not; how every mark stands."""
        there = [one for one in things.values() if one.state != "gone"]
        scene_key = (
            id(model),
            *((one.thing_id, one.outline_m, one.mark_m, one.v_m) for one in there),
        )
        if scene_key != self._scene.key:
            self._scene = _Scene(scene_key, there, model, tuple(self._cameras.values()))
        states: dict[str, MarkState] = {}
        kept: dict[str, Aim] = {}
        for mark in marks:
            why = why_dark(mark)
            aim = None
            if why is None:
                aim = self._aimed(mark, things, now_s)
                aim.label_seen |= _shows_label(things.get(mark.thing_id or ""))
                why = self._why_not_there(aim, model)
            if aim is None or why is not None:
                states[mark.mark_id] = ("withheld", why or "")
                continue
            kept[mark.mark_id] = aim
            if self._held(aim, now_s):
                why = f"the light is {aim.off_mm_now:.0f} mm beside the thing"
                states[mark.mark_id] = ("withheld", why)
                continue
            seen = aim.off_mm is not None and aim.off_mm <= self._settings.seen_mm
            states[mark.mark_id] = ("seen" if seen else "shown", "")
        self._aims = kept
        return states

    def lit(self, now_s: float, model: Optics) -> list[tuple[Aim, Raster]]:
        """What is thrown now: every mark that does not blink dark, clipped by what is in its
        way."""
        found = []
        for aim in self._aims.values():
            form = self._raster(aim, model) if self.on(aim, now_s) else None
            if form is not None:
                found.append((aim, form))
        return found

    def on(self, aim: Aim, now_s: float) -> bool:
        """Whether a mark shines or is in the dark half of its blinking."""
        if aim.dipped_s is not None or aim.held_s is not None:
            return False
        blink_s = self._settings.blink_s
        return aim.mark.look != "wrong" or (now_s % blink_s) < BLINK_SHARE * blink_s

    def key(self, now_s: float) -> tuple[object, ...]:
        """The same as long as what is thrown is the same."""
        return tuple(
            (name, id(aim), *np.round(aim.steer, 4).tolist(), self.on(aim, now_s))
            for name, aim in self._aims.items()
        )

    def regions(self, camera_id: str) -> list[LitRegion]:
        """Where marks fall in a camera's picture."""
        return [
            aim.in_cameras[camera_id] for aim in self._aims.values() if camera_id in aim.in_cameras
        ]

    def _aimed(self, mark: Mark, things: Mapping[str, Thing], now_s: float) -> Aim:
        """The aim there was, if thing and mark are the same; else a new one."""
        thing = None if mark.thing_id is None else things[mark.thing_id]
        corners = corners_of(mark, thing)
        outline = np.array(corners, np.float64)
        v_m = 0.0 if thing is None else thing.v_m
        old = self._aims.get(mark.mark_id)
        over = old is not None and old.held_s is not None and now_s - old.held_s > HELD_S
        if old is not None and not over and old.mark == mark and old.same_place(outline, v_m):
            return old
        before = {
            name: one.grey
            for name, one in self._before.items()
            if now_s - one.t_s <= BEFORE_S_MAX and place_of(mark) not in one.lit
        }
        earlier = next((one for one in self._aims.values() if one.place == place_of(mark)), None)
        if earlier is not None:
            before = dict(earlier.before) | before
        new = make_aim(mark, thing, self._cameras, before, self._settings, now_s=now_s)
        if (
            earlier is not None
            and float(np.abs(earlier.form.centre - new.form.centre).max()) < 0.02
        ):
            new.steer = earlier.steer
        return new

    def _held(self, aim: Aim, now_s: float) -> bool:
        """Whether a mark is dark because it cannot be steered to where it belongs."""
        far = aim.astray and aim.off_mm_now > self._settings.mark_off_mm
        if aim.held_s is None and far and aim.mark.look in INVITING:
            aim.held_s = now_s
        return aim.held_s is not None

    def _why_not_there(self, aim: Aim, model: Optics) -> str | None:
        """Why a mark cannot be thrown where it belongs."""
        form = self._raster(aim, model)
        if form is None:
            return "outside of the projector's picture"
        if aim.mark.look in INVITING and form.share < SHARE_MIN:
            return "another thing is in the way of the light"
        return None

    def _raster(self, aim: Aim, model: Optics) -> Raster | None:
        """The mark as it is thrown, None if the projector does not wholly reach it; drawn anew
        only when the mark or a thing has moved."""
        key = (self._scene.key, id(model), aim.label_seen, *aim.steer.tolist())
        if aim.drawing is None or aim.drawing.key != key:
            form = None
            clip = model.project(on_plane(aim.thrown.clip, aim.v_m))
            if model.reaches(clip):
                blocks = self._scene.in_the_way(aim, clip)
                form = raster(aim.thrown, aim.v_m, model, without=blocks)
            aim.drawing = Drawing(key, form)
        return aim.drawing.form

    def _shows(self, aim: Aim, t_s: float) -> bool:
        """Whether a capture taken then shows the mark as it is thrown now."""
        settle_s = self._settings.settle_s
        if t_s < aim.drawn_s + settle_s:
            return False
        if aim.mark.look != "wrong":
            return True
        within = t_s % self._settings.blink_s
        return settle_s <= within < BLINK_SHARE * self._settings.blink_s

    def _end_dip(self, aim: Aim, now_s: float, captures: Captures) -> None:
        """A capture without the mark's light is there: it shines again and is looked for anew."""
        assert aim.dipped_s is not None
        since_s = aim.dipped_s + self._settings.settle_s
        dark = {name: grey for name, (t_s, grey) in captures.items() if t_s >= since_s}
        if dark or now_s > since_s + self._settings.step_s_max:
            aim.before = dict(aim.before) | dark
            aim.dipped_s, aim.drawn_s, aim.misses = None, now_s, 0


class _Scene:
    """What stands at the wall as the projector has it before it; `key` tells scenes apart."""

    def __init__(
        self, key: object, things: Sequence[Thing], model: Optics, cameras: Sequence[Optics]
    ) -> None:
        self.key = key
        self._things = things
        self._model, self._cameras = model, cameras
        self._outlines = [_seen_by(model, one.outline_m, one.v_m) for one in things]

    def in_the_way(self, aim: Aim, clip: Floats) -> list[Floats]:
        """Outlines (K, 2) px of other things that a mark's light within `clip` would fall on."""
        found = []
        for thing, outline in zip(self._things, self._outlines, strict=True):
            behind = thing.v_m > aim.v_m + BEHIND_M
            if thing.thing_id == aim.mark.thing_id or behind or not _meet(outline, clip):
                continue
            if thing.mark_m is not None and self._undone(thing, thing.mark_m, aim):
                # No more of it is sure than what is about its own label.
                outline = _seen_by(self._model, thing.mark_m, thing.v_m)
                if not _meet(outline, clip):
                    continue
            found.append(outline)
        return found

    def _undone(self, other: Thing, sure: Corners, aim: Aim) -> bool:
        """Whether another's outline cannot be right, as a label is seen behind it, where what is
        `sure` of it is not."""
        if not aim.label_seen:
            return False
        for camera in self._cameras:
            place = camera.project(on_plane(aim.outline, aim.v_m))
            if _hidden(place, _seen_by(camera, other.outline_m, other.v_m)) < UNDONE_SHARE:
                return False
            if _hidden(place, _seen_by(camera, sure, other.v_m)) > APART_SHARE:
                return False
        return True


def _shows_label(thing: Thing | None) -> bool:
    return (
        thing is not None
        and thing.state == "stands"
        and not thing.hidden
        and thing.label is not None
    )


def _meet(outline: Floats, clip: Floats) -> bool:
    """Whether the boxes around two outlines (N, 2) px have something in common."""
    low, high = clip.min(axis=0), clip.max(axis=0)
    near = (outline.min(axis=0) < high).all() and (outline.max(axis=0) > low).all()
    return bool(near and np.isfinite(outline).all())


def _hidden(place: Floats, front: Floats) -> float:
    """The share of a place that lies behind what is in front of it, both (N, 2) px of a camera; 0
    where that cannot be said."""
    if not (np.isfinite(place).all() and np.isfinite(front).all()):
        return 0.0
    whole = _hull(place)
    area = cv2.contourArea(whole)
    return float(cv2.intersectConvexConvex(_hull(front), whole)[0]) / area if area else 0.0


def _seen_by(camera: Optics, corners: Corners, v_m: float) -> Floats:
    """(N, 2) px: corners (u, z) at a depth as a camera, or a projector, has them."""
    return camera.project(on_plane(np.array(corners, np.float64), v_m))


def _hull(corners: Floats) -> NDArray[np.float32]:
    return np.asarray(cv2.convexHull(corners.astype(np.float32)), np.float32)
