"""Marks on a strip of lamps along a board: the lamps below a thing shine in its look.

They are those below the part of it around its label, where a projector's mark would lie: outlines
may reach as far as a neighbour. Looks are told apart by rhythm and by which lamps shine as well as
by colour: `take_a` all, steady; `take_b` all, two short blinks and a pause; `not_this` only the two
outermost; `wrong` all, blinking fast; `place` every second one; `look` all, white.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.wall import LightStrip, Wall
from contracts.wall_messages import INVITING, Mark, MarkLook, MarkSeen, OutlinePoint, Thing
from vision.projection.model import Optics
from vision.projection.records import MarkState, marks_seen
from vision.projection.rules import why_withheld
from vision.projection.settings import BeamSettings
from vision.projection.shapes import COLOURS
from vision.wall.records import LitRegion

__all__ = ["Lamps"]

DOUBLE_BLINK_S = 1.2
DOUBLE_BLINK = ((0.0, 0.2), (0.35, 0.55))
BLINK_SHARE = 0.5
GLOW_M = 0.03
"""A lamp glows in a camera's picture so far to all sides."""


_Glow = tuple[int, int, MarkLook]
"""From which lamp to which they glow, and how."""


class Lamps:
    """One strip. What lies on no board of this strip is none of its business."""

    def __init__(self, light: LightStrip, wall: Wall, settings: BeamSettings | None = None) -> None:
        self._light = light
        self._settings = settings or BeamSettings()
        boards = sorted(wall.boards, key=lambda one: one.z_m)
        board = next(one for one in boards if one.board_id == light.board_id)
        above = [one.z_m for one in boards if one.z_m > board.z_m]
        self._high = min(above, default=np.inf)
        pitch = (light.u1_m - light.u0_m) / light.lamps
        self._at = light.u0_m + pitch * (np.arange(light.lamps) + 0.5)
        self._cameras = {
            one.camera_id: Optics.of(wall, one.intrinsics, one.pose) for one in wall.cameras
        }
        self._board_z = board.z_m
        self._shown: dict[str, MarkSeen] = {}
        self._glows: dict[_Glow, dict[str, LitRegion]] = {}
        self.lit: dict[str, tuple[LitRegion, ...]] = {}
        """By camera, where lamps that shine or blink are in its picture."""

    def step(
        self, now_s: float, things: Sequence[Thing], marks: Sequence[Mark]
    ) -> tuple[NDArray[np.uint8], tuple[MarkSeen, ...]]:
        """Colours (lamps, 3) for now, and how the marks of this board stand."""
        by_id = {one.thing_id: one for one in things}
        colours = np.zeros((self._light.lamps, 3), np.uint8)
        states: dict[str, MarkState] = {}
        glows: dict[_Glow, dict[str, LitRegion]] = {}
        # Where two marks share a lamp, the one that invites has it.
        for mark in sorted(marks, key=lambda one: one.look in INVITING):
            thing = by_id.get(mark.thing_id or "")
            corners = mark.area_m if thing is None else thing.outline_m
            if corners is None or not self._holds(corners):
                continue
            around = None if thing is None else thing.mark_m
            below = self._below(around or corners)
            lamps = self._own(mark, by_id, below) if mark.look in INVITING else below
            why = self._why_dark(mark, by_id, below, lamps, now_s)
            if why is None:
                colour = np.array(COLOURS[mark.look]) * self._settings.brightness
                colours[self._rhythm(mark.look, lamps, now_s)] = colour.astype(np.uint8)
                for place in _glowing(mark.look, lamps):
                    glows[place] = self._glows.get(place) or self._glow(*place)
            states[mark.mark_id] = ("shown", "") if why is None else ("withheld", why)
        self._shown = marks_seen(self._shown, states, now_s)
        if glows.keys() != self._glows.keys():
            self.lit = {
                name: tuple(one[name] for one in glows.values() if name in one)
                for name in self._cameras
            }
        self._glows = glows
        return colours, tuple(self._shown.values())

    def _glow(self, first: int, last: int, look: MarkLook) -> dict[str, LitRegion]:
        """Where the lamps from one to another are in the cameras that see them."""
        u0, u1 = self._at[first] - GLOW_M, self._at[last] + GLOW_M
        z0, z1 = self._board_z - GLOW_M, self._board_z + GLOW_M / 2
        corners = np.array([[u0, 0, z1], [u1, 0, z1], [u1, 0, z0], [u0, 0, z0]], np.float64)
        found = {}
        for name, camera in self._cameras.items():
            pixels = camera.project(corners)
            if np.isfinite(pixels).all():
                found[name] = LitRegion(pixels.astype(np.float32), look, lamps=True)
        return found

    def _holds(self, corners: Sequence[OutlinePoint]) -> bool:
        """Whether a thing stands on the strip's board: its middle is above it, and below the next.
        Corners of what leans, or was measured too large, may be below the board."""
        middle = sum(z for _, z in corners) / len(corners)
        return self._board_z <= middle < self._high

    def _below(self, corners: Sequence[OutlinePoint]) -> NDArray[np.int64]:
        """Lamps under an outline, its margin left out; the nearest one if it is that narrow."""
        margin = self._settings.margin_mm / 1000
        low, high = min(u for u, _ in corners) + margin, max(u for u, _ in corners) - margin
        found = np.flatnonzero((self._at >= low) & (self._at <= high))
        middle = (low + high) / 2
        within = self._light.u0_m <= middle <= self._light.u1_m
        if len(found) == 0 and within:
            found = np.array([int(np.argmin(np.abs(self._at - middle)))])
        return found

    def _own(
        self, mark: Mark, things: Mapping[str, Thing], below: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """Those of the lamps below a thing that are below no other: of two things one behind the
        other a lamp means the nearer one to who looks."""
        own = below
        for other in things.values():
            here = other.state != "gone" and self._holds(other.outline_m)
            if here and other.thing_id != mark.thing_id:
                own = np.setdiff1d(own, self._below(other.outline_m))
        return own

    def _why_dark(
        self,
        mark: Mark,
        things: Mapping[str, Thing],
        below: NDArray[np.int64],
        lamps: NDArray[np.int64],
        now_s: float,
    ) -> str | None:
        if len(below) == 0:
            return "beyond the strip's ends"
        why = why_withheld(mark, things, now_s=now_s, settings=self._settings)
        # An outline that is too wide takes a lamp or two from a neighbour, a thing before it half.
        if why is None and 2 * len(lamps) <= len(below):
            why = "another thing stands at the same lamps"
        return why

    def _rhythm(self, look: MarkLook, lamps: NDArray[np.int64], now_s: float) -> NDArray[np.int64]:
        """Those of the lamps that shine now."""
        none = lamps[:0]
        if look == "take_b":
            within = now_s % DOUBLE_BLINK_S
            return lamps if any(a <= within < b for a, b in DOUBLE_BLINK) else none
        if look == "wrong":
            blink_s = self._settings.blink_s
            return lamps if now_s % blink_s < BLINK_SHARE * blink_s else none
        if look == "not_this":
            return lamps[[0, -1]]
        return lamps[::2] if look == "place" else lamps


def _glowing(look: MarkLook, lamps: NDArray[np.int64]) -> list[_Glow]:
    """Where lamps shine, or blink, that stand for a look."""
    ends = (int(lamps[0]), int(lamps[-1]))
    if look == "not_this":
        return [(end, end, look) for end in ends]
    return [(*ends, look)]
