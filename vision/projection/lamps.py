"""Marks on a strip of lamps along a board: the lamps below a thing shine in its look.

Looks are told apart by rhythm and by which lamps shine as well as by colour: `take_a` all, steady;
`take_b` all, two short blinks and a pause; `not_this` only the two outermost; `wrong` all, blinking
fast; `place` every second one; `look` all, white.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from contracts.wall import LightStrip, Wall
from contracts.wall_messages import INVITING, Mark, MarkLook, MarkSeen, OutlinePoint, Thing
from vision.projection.records import MarkState, marks_seen
from vision.projection.rules import why_withheld
from vision.projection.settings import BeamSettings
from vision.projection.shapes import COLOURS

__all__ = ["Lamps"]

BELOW_M = 0.05
"""A thing whose lower edge is this far below a board's face still stands on it."""
DOUBLE_BLINK_S = 1.2
DOUBLE_BLINK = ((0.0, 0.2), (0.35, 0.55))
BLINK_SHARE = 0.5


class Lamps:
    """One strip. What lies on no board of this strip is none of its business."""

    def __init__(self, light: LightStrip, wall: Wall, settings: BeamSettings | None = None) -> None:
        self._light = light
        self._settings = settings or BeamSettings()
        boards = sorted(wall.boards, key=lambda one: one.z_m)
        board = next(one for one in boards if one.board_id == light.board_id)
        above = [one.z_m for one in boards if one.z_m > board.z_m]
        self._low = board.z_m - BELOW_M
        self._high = min(above, default=np.inf) - BELOW_M
        pitch = (light.u1_m - light.u0_m) / light.lamps
        self._at = light.u0_m + pitch * (np.arange(light.lamps) + 0.5)
        self._shown: dict[str, MarkSeen] = {}

    def step(
        self, now_s: float, things: Sequence[Thing], marks: Sequence[Mark]
    ) -> tuple[NDArray[np.uint8], tuple[MarkSeen, ...]]:
        """Colours (lamps, 3) for now, and how the marks of this board stand."""
        by_id = {one.thing_id: one for one in things}
        colours = np.zeros((self._light.lamps, 3), np.uint8)
        states: dict[str, MarkState] = {}
        for mark in marks:
            thing = by_id.get(mark.thing_id or "")
            corners = mark.area_m if thing is None else thing.outline_m
            if corners is None or not self._low <= min(z for _, z in corners) < self._high:
                continue
            lamps = self._below(corners)
            why = self._why_dark(mark, by_id, lamps, now_s)
            if why is None:
                colour = np.array(COLOURS[mark.look]) * self._settings.brightness
                colours[self._rhythm(mark.look, lamps, now_s)] = colour.astype(np.uint8)
            states[mark.mark_id] = ("shown", "") if why is None else ("withheld", why)
        self._shown = marks_seen(self._shown, states, now_s)
        return colours, tuple(self._shown.values())

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

    def _why_dark(
        self, mark: Mark, things: Mapping[str, Thing], lamps: NDArray[np.int64], now_s: float
    ) -> str | None:
        if len(lamps) == 0:
            return "beyond the strip's ends"
        why = why_withheld(mark, things, now_s=now_s, settings=self._settings)
        if why is not None or mark.look not in INVITING:
            return why
        # Of two things one behind the other a lamp below them means the nearer one to who looks.
        own = things[mark.thing_id or ""]
        for other in things.values():
            here = self._low <= min(z for _, z in other.outline_m) < self._high
            if other.thing_id == own.thing_id or other.state == "gone" or not here:
                continue
            if len(np.intersect1d(self._below(other.outline_m), lamps)) > 0:
                return "another thing stands at the same lamps"
        return None

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
