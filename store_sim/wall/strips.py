"""A strip of lamps along a board's front edge: what it shows, and above which parcel that is.

Customers see single lamps, and whether they blink; which parcel they mean follows from what stands
above them. What lamps throw on boards and parcels is not drawn: the lamps themselves are, with a
glow around them.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np
from numpy.typing import NDArray

from contracts.wall import LightStrip, Wall
from contracts.wall_messages import MarkLook
from store_sim.wall.frame import Optic
from store_sim.wall.lights import Lit
from store_sim.wall.marks import DARK, GREEN, RED, WHITE, colours_of
from store_sim.wall.parcels import ParcelPose, SimParcel, corners_of

__all__ = ["Strip"]

Floats = NDArray[np.float64]
Colours = NDArray[np.uint8]
Kinds = NDArray[np.int8]

BELOW_M = 0.008
"""Lamps sit so far below a board's face, on its front edge."""
STANDS_M = 0.03
"""A parcel whose lower edge is no higher above a board than this stands on it."""
EYE_S = 0.9
"""Who looks takes a lamp that shone so long ago for one that blinks, and not for a dark one."""
CORE_M, GLOW_M = 0.004, 0.012
"""Radius of a lamp, and the standard deviation of its glow."""
GLOW = 0.3
"""How bright the glow is at the lamp, of white."""
BEHIND_M = 0.03
"""What is so much nearer to a camera hides a lamp."""
LEAST_SHARE = 0.35
"""Lamps of which so many are below a parcel mean it; of two parcels they may mean both."""


class Strip:
    """One strip. `colours` (lamps, 3) uint8 is what it shows now."""

    def __init__(self, wall: Wall, light: LightStrip) -> None:
        self._light = light
        board = next(one for one in wall.boards if one.board_id == light.board_id)
        self._face_m = board.z_m
        pitch = (light.u1_m - light.u0_m) / light.lamps
        self._u = light.u0_m + pitch * (np.arange(light.lamps) + 0.5)
        self.points = np.stack(
            [self._u, np.full(light.lamps, -0.004), np.full(light.lamps, board.z_m - BELOW_M)],
            axis=1,
        )
        """(lamps, 3): where they are in the wall's frame."""
        self.colours = np.zeros((light.lamps, 3), np.uint8)
        self._shone_s = np.full(light.lamps, -np.inf)
        self._now, self._kinds = np.zeros((2, light.lamps), np.int8)

    @property
    def light_id(self) -> str:
        """The strip's id in the store file."""
        return self._light.light_id

    def show(self, colours: Colours) -> None:
        """What it shows from now on; ValueError for a strip of other lamps."""
        if colours.shape != self.colours.shape or colours.dtype != np.uint8:
            raise ValueError(
                f"light {self.light_id}: expected uint8 colours of shape {self.colours.shape}, got "
                f"{colours.dtype} {colours.shape}"
            )
        self.colours = colours.copy()
        self._now = colours_of(self.colours[None])[0]

    def watch(self, t_s: float) -> None:
        """Somebody looks at it at a time: what shines is remembered for a blink."""
        lit = self._now > 0
        self._shone_s[lit] = t_s
        self._kinds[lit] = self._now[lit]

    def lit(
        self, standing: Iterable[tuple[SimParcel, ParcelPose]], t_s: float | None = None
    ) -> dict[int, tuple[Lit, ...]]:
        """The marks below parcels, by the parcels' index: of what shines now, or for somebody who
        has looked until `t_s`."""
        if t_s is None:
            kinds = self._now
        else:
            kinds = np.where(t_s - self._shone_s <= EYE_S, self._kinds, 0).astype(np.int8)
        if not kinds.any():
            return {}
        above = list(self._above(standing))
        found: dict[int, tuple[Lit, ...]] = {}
        for look, lamps in self._groups(kinds):
            at_m = float(self._u[lamps].mean())
            for index, u0, u1 in above:
                share = float(((self._u[lamps] >= u0) & (self._u[lamps] <= u1)).mean())
                if share >= LEAST_SHARE:
                    off_mm = 1000.0 * abs(at_m - (u0 + u1) / 2)
                    lit = Lit(look, self.light_id, round(off_mm, 2), round(share, 3), None)
                    found[index] = (*found.get(index, ()), lit)
        return found

    def _above(
        self, standing: Iterable[tuple[SimParcel, ParcelPose]]
    ) -> Iterator[tuple[int, float, float]]:
        """Index, left and right end of what stands on the strip's board."""
        for parcel, pose in standing:
            corners = corners_of(parcel, pose)
            low_m = float(corners[:, 2].min()) - self._face_m
            if -STANDS_M <= low_m <= STANDS_M:
                yield parcel.index, float(corners[:, 0].min()), float(corners[:, 0].max())

    def _groups(self, kinds: Kinds) -> Iterator[tuple[MarkLook, NDArray[np.intp]]]:
        """Lamps of one colour that shine side by side, one that is dark may be between two."""
        for kind in sorted(set(kinds.tolist()) - {0}):
            lamps = np.flatnonzero(kinds == kind)
            for group in np.split(lamps, np.flatnonzero(np.diff(lamps) > 2) + 1):
                gaps = len(group) > 1 and len(group) <= (group[-1] - group[0]) * 0.75
                if kind == RED:
                    # A cross is two single lamps, a warning is all of them.
                    yield ("not_this" if len(group) <= 2 else "wrong"), group
                elif kind == WHITE:
                    yield ("place" if gaps else "look"), group
                else:
                    yield ("take_a" if kind == GREEN else "take_b"), group

    def glow(self, optic: Optic, depth: NDArray[np.float32], rgb: Colours) -> None:
        """Draws the lamps that shine into a picture (H, W, 3), in place. `depth` (H, W): how far
        ahead the nearest thing is."""
        shining = np.flatnonzero(self.colours.max(axis=1) >= DARK)
        if len(shining) == 0:
            return
        pixels, ahead = optic.pixels(self.points[shining])
        height, width = depth.shape
        for k, (x, y), z in zip(shining, pixels, ahead, strict=True):
            if not (0 <= x < width and 0 <= y < height):
                continue
            column, row = int(x), int(y)
            if depth[row, column] < z - BEHIND_M:
                continue
            px_per_m = float(optic.cam[12]) / float(z)
            core, glow = max(0.8, CORE_M * px_per_m), GLOW_M * px_per_m
            reach = int(3 * glow) + 1
            x0, x1 = max(0, column - reach), min(width, column + reach + 1)
            y0, y1 = max(0, row - reach), min(height, row + reach + 1)
            rows, columns = np.mgrid[y0:y1, x0:x1]
            away2 = (columns - x) ** 2 + (rows - y) ** 2
            light = GLOW * np.exp(-away2 / (2 * glow**2)) + np.exp(-((away2 / core**2) ** 2))
            # What is nearer than the lamp is not covered by its glow.
            light *= depth[y0:y1, x0:x1] >= z - BEHIND_M
            part = rgb[y0:y1, x0:x1]
            more = part + light[..., None] * self.colours[k].astype(np.float64)
            # A lamp that is too bright for the picture is white in its middle.
            more += np.clip(light - 0.9, 0, None)[..., None] * 600.0
            rgb[y0:y1, x0:x1] = np.minimum(more, 255.0).astype(np.uint8)
