"""One mark on the wall: where it is thrown, where it is seen, and the steering between the two.

How far away a face is is known to a centimetre or two, and a camera and a projector that hang apart
turn that into millimetres beside it. The camera sees both the thing and the light, so the light is
moved until it is where it belongs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from contracts.wall_messages import Mark, Thing
from vision.projection.check import ALIKE_MIN, Spot, cut_out, expected_spot, find_light
from vision.projection.draw import Raster, on_plane
from vision.projection.model import Floats, Optics
from vision.projection.settings import BeamSettings
from vision.projection.shapes import Shape, shape
from vision.wall.records import LitRegion

__all__ = ["Aim", "Drawing", "corners_of", "make_aim", "place_of"]

KEPT_ALIKE = 0.1
"""A mark is looked for by the camera that saw it last unless another sees it so much clearer."""
REDRAW_MM = 3.0
"""Outlines that differ less are the same."""
STEER = 0.8
STEER_MM_MIN = 0.8
CLEAR_SHARE = 0.85
SD_MARGIN_MM_MAX = 10.0


@dataclass(frozen=True, slots=True)
class Drawing:
    """A mark as it is thrown, None if the projector does not reach it, and what it was drawn
    for: the same `key` needs no new one."""

    key: object
    form: Raster | None


@dataclass(slots=True)
class Aim:
    """`form` at `v_m` is where the light belongs; it is thrown `steer` (2,) m beside that.

    `off_mm`: how far beside it was last seen, None if not yet. `misses`: captures in a row without
    it. `dipped_s`: since when it is dark so that its place can be seen without light, None if it is
    not; `dips` counts. `astray`: it is farther off than it may be steered; `held_s`: since when
    it is dark because of that. `jumped`: in the last capture it was as clear as ever, and not where
    it had been. `alike`: how clear it was at best. `seen_by`: the camera that saw it last.
    `in_cameras`: where cameras see the face. `label_seen`: its thing's label was seen there.
    """

    mark: Mark
    outline: Floats
    form: Shape
    v_m: float
    spots: dict[str, Spot]
    before: Mapping[str, NDArray[np.uint8]]
    steer: Floats = field(default_factory=lambda: np.zeros(2))
    drawn_s: float = 0.0
    off_mm: float | None = None
    misses: int = 0
    dipped_s: float | None = None
    dips: int = 0
    astray: bool = False
    jumped: bool = False
    alike: float = 0.0
    seen_by: str = ""
    in_cameras: dict[str, LitRegion] = field(default_factory=dict)
    drawing: Drawing | None = None
    held_s: float | None = None
    label_seen: bool = False

    @property
    def place(self) -> str:
        """The thing, or the area, it is aimed at."""
        return place_of(self.mark)

    @property
    def off_mm_now(self) -> float:
        """How far beside it was last seen; 0 if not yet."""
        return 0.0 if self.off_mm is None else self.off_mm

    @property
    def thrown(self) -> Shape:
        """The form as it is thrown."""
        return self.form.moved(self.steer)

    def same_place(self, outline: Floats, v_m: float) -> bool:
        """Whether a thing with this outline and depth is where this was aimed at."""
        if outline.shape != self.outline.shape:
            return False
        apart = float(np.abs(outline - self.outline).max())
        return max(apart, abs(v_m - self.v_m)) * 1000 < REDRAW_MM

    def look_at(
        self,
        captures: Mapping[str, NDArray[np.uint8]],
        cameras: Mapping[str, Optics],
        settings: BeamSettings,
        *,
        now_s: float,
    ) -> None:
        """Takes captures with this mark lit: where is it, and what must be done about it?"""
        best, seen_by, alike, best_off = ALIKE_MIN, "", 0.0, np.zeros(2)
        for name, spot in self.spots.items():
            if name not in captures or name not in self.before:
                continue
            found = find_light(
                cut_out(self.before[name], spot), cut_out(captures[name], spot), spot
            )
            # Two cameras have a face whose depth is not known well at two places: one is kept to.
            rank = 0.0 if found is None else found.alike + KEPT_ALIKE * (name == self.seen_by)
            if found is not None and rank > best:
                best, seen_by, alike, best_off = rank, name, found.alike, found.off_px
        self.jumped = False
        if not seen_by:
            self.misses += 1
            return
        self.misses = 0
        beside = _beside(cameras[seen_by], self.form.centre, self.v_m, best_off)
        off_mm = 1000 * float(np.linalg.norm(beside))
        # A hand before the face shifts what is left of the form, but then it is less like it.
        clear = alike >= CLEAR_SHARE * self.alike
        same_eye, self.seen_by = seen_by == self.seen_by, seen_by
        was_there = same_eye and self.off_mm is not None and self.off_mm <= settings.bumped_mm / 2
        self.jumped = was_there and clear and off_mm > settings.bumped_mm
        self.alike = max(self.alike, alike)
        self.off_mm = off_mm
        steered = self.steer - STEER * beside
        far = 1000 * float(np.linalg.norm(steered))
        self.astray = far > settings.correction_mm_max
        if self.off_mm > STEER_MM_MIN and not self.astray:
            self.steer = steered
            self.drawn_s = now_s


def place_of(mark: Mark) -> str:
    """The thing, or the area, that a mark is for."""
    return mark.thing_id or str(mark.area_m)


def corners_of(mark: Mark, thing: Thing | None) -> Sequence[tuple[float, float]]:
    """What a mark is drawn in: its area, or what of its thing is sure to be about the label."""
    corners = mark.area_m if thing is None else thing.mark_m or thing.outline_m
    assert corners is not None
    return corners


def make_aim(
    mark: Mark,
    thing: Thing | None,
    cameras: Mapping[str, Optics],
    before: Mapping[str, NDArray[np.uint8]],
    settings: BeamSettings,
    *,
    now_s: float,
) -> Aim:
    """Aims a mark at its thing, or at its area on the front plane."""
    corners = corners_of(mark, thing)
    v_m = 0.0 if thing is None else thing.v_m
    sd_mm = 0.0 if thing is None else min(1000 * thing.sd_m, SD_MARGIN_MM_MAX)
    form = shape(
        mark.look,
        corners,
        stroke_m=settings.stroke_mm / 1000,
        margin_m=(settings.margin_mm + sd_mm) / 1000,
    )
    spots = {}
    for name, camera in cameras.items():
        spot = expected_spot(form, v_m, camera, reach_mm=settings.correction_mm_max + 10)
        if spot is not None:
            spots[name] = spot
    aim = Aim(mark, np.array(corners, np.float64), form, v_m, spots, before, drawn_s=now_s)
    for name, camera in cameras.items():
        polygon = camera.project(on_plane(form.clip, v_m))
        if np.isfinite(polygon).all():
            aim.in_cameras[name] = LitRegion(polygon.astype(np.float32), mark.look)
    return aim


def _beside(camera: Optics, centre: Floats, v_m: float, off_px: Floats) -> Floats:
    """(2,) metres along u and z on the plane of the face that pixels in the camera are."""
    here = on_plane(centre[None], v_m)
    there = camera.on_depth(camera.project(here) + off_px, v_m)
    beside: Floats = (there - here)[0, [0, 2]]
    return beside
