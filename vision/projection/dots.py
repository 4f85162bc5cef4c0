"""The check of a projector's aim: a dim dot on every marker, seen where it should be or not.

A check takes two captures, without the dots and with them. Markers stand in the way of nothing and
their depth is known, so a dot that is off means that the projector was bumped, whatever stands on
the wall.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from vision.markers import detect_markers
from vision.projection.check import Spot, cut_out, expected_spot, find_light
from vision.projection.draw import Raster, on_plane, raster
from vision.projection.model import Optics
from vision.projection.settings import BeamSettings
from vision.projection.shapes import Shape, disc
from vision.wall.records import LitRegion, WallObservation

__all__ = ["DotCheck", "DotVerdict"]

RADIUS_SHARE = 0.45
"""Of a marker's side."""
REACH_MM = 60.0
SAME_MIN = 0.6
"""Correlation of a marker with how it looked before: nobody stands before it."""


@dataclass(frozen=True, slots=True)
class DotVerdict:
    """`off_mm` of every dot seen. `lost`: dots that are not there though their marker is seen."""

    off_mm: tuple[float, ...]
    lost: int

    @property
    def residual_mm(self) -> float | None:
        """95th percentile; None without dots."""
        return float(np.percentile(self.off_mm, 95)) if self.off_mm else None

    def bumped(self, bound_mm: float) -> bool:
        """Whether the aim is off: two dots or more, and no fewer than are where they should be."""
        off = sum(one > bound_mm for one in self.off_mm) + self.lost
        return off >= 2 and 2 * off >= len(self.off_mm) + self.lost


@dataclass(slots=True)
class _Dot:
    form: Shape
    v_m: float
    lit: Raster
    spots: dict[str, Spot]
    in_cameras: dict[str, LitRegion]


class DotCheck:
    """Checks one after the other, of one place that the projector hangs at."""

    def __init__(
        self, wall: Wall, model: Optics, cameras: Mapping[str, Optics], settings: BeamSettings
    ) -> None:
        self._settings = settings
        self._cameras = dict(cameras)
        self._dots: list[_Dot] = []
        self._markers: list[int] = []
        self._usual: dict[tuple[int, str], NDArray[np.uint8]] = {}
        for marker in wall.markers:
            u, v, z = marker.centre_m
            form = disc((u, z), RADIUS_SHARE * marker.size_m)
            lit = raster(form, v, model)
            if lit is None or not model.reaches(model.project(on_plane(form.clip, v)), 1.0):
                continue
            spots, regions = {}, {}
            for name, camera in cameras.items():
                spot = expected_spot(form, v, camera, reach_mm=REACH_MM)
                if spot is not None:
                    spots[name] = spot
                    seen = camera.project(on_plane(form.clip, v)).astype(np.float32)
                    regions[name] = LitRegion(seen, "look")
            if spots:
                self._dots.append(_Dot(form, v, lit, spots, regions))
                self._markers.append(marker.marker)
        self._phase: Literal["rest", "before", "after"] = "rest"
        self._since_s = 0.0
        self._asked_s = 0.0
        self._taken: dict[str, NDArray[np.uint8]] = {}
        self._before: dict[str, NDArray[np.uint8]] = {}

    @property
    def busy(self) -> bool:
        """A check is under way: captures are needed."""
        return self._phase != "rest"

    @property
    def showing(self) -> bool:
        """The dots are lit."""
        return self._phase == "after"

    def light(self) -> Sequence[Raster]:
        """The dots as the projector throws them."""
        return [dot.lit for dot in self._dots]

    def regions(self, camera_id: str) -> list[LitRegion]:
        """Where a camera sees dots."""
        return [dot.in_cameras[camera_id] for dot in self._dots if camera_id in dot.in_cameras]

    def start(self, now_s: float, *, dark_since_s: float) -> None:
        """Begins a check; no dots have been lit since `dark_since_s`."""
        if self._phase == "rest":
            self._phase, self._asked_s, self._taken = "before", now_s, {}
            self._since_s = dark_since_s

    def step(self, now_s: float, observations: Sequence[WallObservation]) -> DotVerdict | None:
        """Takes captures; the verdict when a check is done. Cameras that give none within
        `step_s_max` are left out of it."""
        if self._phase == "rest":
            return None
        ready_s = self._since_s + self._settings.settle_s
        for one in observations:
            if one.capture is not None and not one.blind and one.t_s >= ready_s:
                self._taken.setdefault(one.camera_id, one.capture)
        late = now_s - max(ready_s, self._asked_s) > self._settings.step_s_max
        if not late and not set(self._cameras) <= set(self._taken):
            return None
        taken, self._taken = self._taken, {}
        if self._phase == "before" and taken:
            self._before = taken
            self._phase, self._since_s = "after", now_s
            return None
        self._phase = "rest"
        return self._judge(taken)

    def _judge(self, after: Mapping[str, NDArray[np.uint8]]) -> DotVerdict:
        off_mm: list[float] = []
        lost = 0
        for number, dot in enumerate(self._dots):
            best: float | None = None
            missed = False
            for name, spot in dot.spots.items():
                if name not in after or name not in self._before:
                    continue
                dark, lit = cut_out(self._before[name], spot), cut_out(after[name], spot)
                found = find_light(dark, lit, spot)
                if found is None:
                    missed |= self._as_usual(number, name, dark)
                    continue
                middle = on_plane(dot.form.centre[None], dot.v_m)[0]
                off = float(np.linalg.norm(found.off_px)) * self._cameras[name].mm_per_px(middle)
                if off > self._settings.bumped_mm and not self._in_sight(number, name, dark, lit):
                    # Light on somebody in front is somewhere else, wherever the projector hangs.
                    continue
                best = off if best is None else min(best, off)
                if off < self._settings.residual_mm_max:
                    self._usual[number, name] = dark
            if best is not None:
                off_mm.append(best)
            else:
                lost += missed
        return DotVerdict(tuple(off_mm), lost)

    def _in_sight(
        self, number: int, camera_id: str, dark: NDArray[np.uint8], lit: NDArray[np.uint8]
    ) -> bool:
        """Whether the marker was seen without light, and the same with it: nobody stands before
        it, and nobody came in between."""
        if (number, camera_id) in self._usual:
            seen = self._as_usual(number, camera_id, dark)
        else:
            seen = self._markers[number] in detect_markers(dark)
        return seen and _alike(dark, lit) >= SAME_MIN

    def _as_usual(self, number: int, camera_id: str, dark: NDArray[np.uint8]) -> bool:
        usual = self._usual.get((number, camera_id))
        if usual is None:
            return False
        return _alike(dark, usual) >= SAME_MIN


def _alike(one: NDArray[np.uint8], other: NDArray[np.uint8]) -> float:
    """Correlation of two pictures of one size."""
    return float(cv2.matchTemplate(one, other, cv2.TM_CCOEFF_NORMED)[0, 0])
