"""One thing as one camera follows it: its label's readings, its look, its place and its state."""

from __future__ import annotations

import math
from collections.abc import Iterable
from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from vision.wall.geometry import Depth, WallLens
from vision.wall.parts import best_place
from vision.wall.place import Place
from vision.wall.records import Corners, Sight, SightState
from vision.wall.scene import F32, Mask, Scene
from vision.wall.votes import Votes

__all__ = ["Look", "Patch", "Track", "cover_hidden", "on_code"]

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]

_Metres = tuple[Corners, Corners | None, tuple[float, float, float], float]

PATCH_PX_MAX = 420
MARGIN_PX = 10
FLAT_SD = 4.0
COVERED_NCC = 0.5
"""A label that is less like itself has something in front of it, or has moved."""
SAME_NCC = 0.8
"""A label with a sleeve before a part of it is still so much like itself."""
LABEL_AREA_MIN = 25.0
"""Square pixels: a label that looks smaller tells nothing of what is around it."""


@dataclass(frozen=True, slots=True, eq=False)
class Patch:
    """How a label looks, full pixels: `gray` (H, W), its top left corner at `x`, `y`, and `printed`
    (H, W) where its code is: what is beside one that hangs slanted belongs to its box."""

    gray: Gray
    printed: Mask
    x: int
    y: int

    @staticmethod
    def of(gray: Gray, quad_px: NDArray[np.float32]) -> Patch | None:
        """The label at `quad_px`, or the middle of it if it is large; None outside the picture or
        where nothing is printed."""
        centre, half = quad_px.mean(axis=0), PATCH_PX_MAX / 2
        low = np.maximum(quad_px.min(axis=0), centre - half).astype(int)
        high = np.minimum(quad_px.max(axis=0), centre + half).astype(int) + 1
        x0, y0 = max(0, int(low[0])), max(0, int(low[1]))
        cut = gray[y0 : int(high[1]), x0 : int(high[0])]
        if min(cut.shape) < 8 or float(cut.std()) < FLAT_SD:
            return None
        printed = np.zeros(cut.shape, np.uint8)
        cv2.fillConvexPoly(printed, np.round(quad_px - (x0, y0)).astype(np.int32), 1)
        return Patch(cut.copy(), printed.astype(np.bool_), x0, y0)

    def find(self, gray: Gray, margin_px: int = MARGIN_PX) -> tuple[float, Floats]:
        """Correlation of the best place within `margin_px` of where it was, and the shift (2,) to
        it to a part of a pixel; correlation 0 outside the picture."""
        high, wide = self.gray.shape
        x0, y0 = self.x - margin_px, self.y - margin_px
        x1, y1 = x0 + wide + 2 * margin_px, y0 + high + 2 * margin_px
        cx, cy = max(0, x0), max(0, y0)
        cut = gray[cy : max(cy, y1), cx : max(cx, x1)]
        if cut.shape[0] < high or cut.shape[1] < wide:
            return 0.0, np.zeros(2)
        marks = cv2.matchTemplate(cut, self.gray, cv2.TM_CCOEFF_NORMED)
        _, best, _, (x, y) = cv2.minMaxLoc(marks)
        if not math.isfinite(best):
            return 0.0, np.zeros(2)
        dx = _peak(np.asarray(marks[y], np.float32), x)
        dy = _peak(np.asarray(marks[:, x], np.float32), y)
        return float(best), np.array([cx + dx - self.x, cy + dy - self.y])


def _corners(points: Floats) -> Corners:
    """(u, z) of points (N, 3) on the wall."""
    return tuple((round(float(u), 5), round(float(z), 5)) for u, _, z in points)


def _label_frame(quad_px: NDArray[np.float32]) -> tuple[Floats, Floats] | None:
    """A label's middle (2,) and its axes (2, 2), one a row, along and down; None if it is seen
    from the side."""
    a, b, c, d = np.asarray(quad_px, np.float64)
    axes = np.stack([(b - a + c - d) / 2, (d - a + c - b) / 2])
    if abs(float(np.linalg.det(axes))) < LABEL_AREA_MIN:
        return None
    return (a + b + c + d) / 4, axes


def _peak(line: NDArray[np.float32], top: int) -> float:
    """The top of a line of values to a part of a step, by a parabola."""
    if not 0 < top < len(line) - 1:
        return float(top)
    a, b, c = (float(line[top + k]) for k in (-1, 0, 1))
    bend = a - 2 * b + c
    return top + (0.5 * (a - c) / bend if bend < -1e-9 else 0.0)


@dataclass(frozen=True, slots=True, eq=False)
class Look:
    """How a thing looks in the small picture: `gray` float32, its corner at `x`, `y`."""

    gray: F32
    x: int
    y: int

    @staticmethod
    def of(image: F32, place: Place) -> Look:
        x0, y0, x1, y1 = place.box
        return Look(image[y0:y1, x0:x1].mean(axis=2), x0, y0)

    def find(self, image: F32, reach_px: int) -> tuple[float, int, int]:
        """Correlation of the best place in an image (h, w, 3) within `reach_px` of where it was,
        and the shift (dx, dy) to it, small pixels."""
        high, wide = self.gray.shape
        x0, y0 = max(0, self.x - reach_px), max(0, self.y - reach_px)
        x1, y1 = self.x + reach_px + wide, self.y + reach_px + high
        cut = image[y0 : max(y0, y1), x0 : max(x0, x1)].mean(axis=2)
        found = None if min(high, wide) < 4 else best_place(self.gray, cut)
        if found is None:
            return 0.0, 0, 0
        alike, (x, y) = found
        return alike, x0 + x - self.x, y0 + y - self.y


@dataclass(slots=True, eq=False)
class Track:
    """A thing followed. `outline_px` (N, 2) full pixels; `quad_px` (4, 2) of its label, None while
    none was read; `outer_px`: what changed when it came, if that was seen. `bared_s`: when its
    label was last seen where it is; `beside_s`: when somebody was last beside it, while more of it
    may come to sight; `covered`: the share of its label that was not seen in the last picture;
    `whole`: nothing was in front of it when its look was taken. `unsure`: it was out of sight or
    touched, so whether it is still the same must be looked at; `doubted`: looked at, and it did not
    look the same, so its label does not count until it is read again. `told`: whether it is news
    yet."""

    sight_id: int
    votes: Votes
    outline_px: Floats
    depth: Depth
    face_sd_m: float
    place: Place
    t0_s: float
    quad_px: NDArray[np.float32] | None = None
    patch: Patch | None = None
    look: Look | None = None
    state: SightState = "stands"
    hidden: bool = False
    since_s: float = 0.0
    seen_s: float = 0.0
    bared_s: float = -math.inf
    beside_s: float = -math.inf
    covered: float = 0.0
    whole: bool = True
    told: bool = True
    unsure: bool = False
    doubted: bool = False
    gone_votes: int = 0
    other_frames: int = 0
    still_frames: int = 0
    read_s: float = -math.inf
    tried_s: float = -math.inf
    tries: int = 0
    face_tries: int = 0
    outer_px: Floats | None = None
    shape: Floats | None = None
    """Its outline on its label, (N, 2) label widths and heights from the label's middle: where the
    label is found again its face is there too."""
    _metres: tuple[tuple[int, int, Depth], _Metres] | None = None

    @property
    def centre_px(self) -> Floats:
        """(2,) the middle of its label, or of its outline."""
        if self.quad_px is not None:
            return np.asarray(self.quad_px.mean(axis=0), np.float64)
        return np.asarray(self.outline_px.mean(axis=0), np.float64)

    def followed(self, other: Track) -> bool:
        """Whether it came after another went, and may be that one, put down again."""
        return other.state == "gone" and self.t0_s >= other.since_s

    def enter(self, state: SightState, t_s: float) -> None:
        """Comes into a state."""
        if state != self.state:
            self.state, self.since_s = state, t_s

    def move_by(self, by_px: Floats) -> None:
        """Outline and label go on by (2,) full pixels."""
        self.outline_px = self.outline_px + by_px
        if self.quad_px is not None:
            self.quad_px = (self.quad_px + by_px).astype(np.float32)

    def keep_shape(self) -> None:
        """Remembers how its outline lies around its label, before the label is somewhere else."""
        frame = None if self.quad_px is None else _label_frame(self.quad_px)
        if frame is not None:
            middle, axes = frame
            self.shape = (self.outline_px - middle) @ np.linalg.inv(axes)

    def shaped(self, quad_px: NDArray[np.float32]) -> Floats | None:
        """(N, 2) full pixels: its outline if its label is at `quad_px`, None if nobody knows."""
        frame = _label_frame(quad_px)
        if self.shape is None or frame is None:
            return None
        middle, axes = frame
        return np.asarray(self.shape @ axes + middle, np.float64)

    def settle(
        self, scene: Scene, gray: Gray, t_s: float, image: F32, in_front: Mask | None = None
    ) -> None:
        """It stands where it is now: place and look are taken anew. `in_front` (h, w): where
        somebody is."""
        self.place = Place(scene, self.outline_px, self.quad_px)
        whole = in_front is None or self.place.label_in(in_front) == 0.0
        kept = self._kept_look(gray, t_s, whole=whole)
        if kept is None:
            self.patch = None if self.quad_px is None else Patch.of(gray, self.quad_px)
            self.whole = whole
        else:
            self.patch = kept
        self.look = Look.of(image, self.place) if self.place.usable else None
        self.enter("stands", t_s)
        self.hidden, self.gone_votes, self.other_frames, self.still_frames = False, 0, 0, 0
        self.seen_s = t_s

    def _kept_look(self, gray: Gray, t_s: float, *, whole: bool) -> Patch | None:
        """How its label looked before, where that says more than what is seen of it now; None where
        it does not. What covers a label that was not read just now is not how it looks; nor is what
        a sleeve leaves of one that still looks as it did."""
        if self.patch is None or self.quad_px is None:
            return None
        alike, shift = self.patch.find(gray)
        if alike < COVERED_NCC:
            return None if self.read_s == t_s else self.patch
        if whole or not self.whole or alike < SAME_NCC:
            return None
        dx, dy = (round(float(one)) for one in shift)
        return replace(self.patch, x=self.patch.x + dx, y=self.patch.y + dy)

    def sight(self, lens: WallLens) -> Sight:
        """What is told of it."""
        outline, label_m, centre, sd_m = self._in_metres(lens)
        label = None if self.doubted else self.votes.label
        symbology, text, reads = label or (None, None, 0)
        return Sight(
            self.sight_id, self.state, self.hidden, symbology, text, reads, self.votes.contested,
            outline, round(self.depth.v_m, 5), sd_m, centre, lens.eye_m, self.since_s, self.seen_s,
            label_m, self.doubted,
        )  # fmt: skip

    def _in_metres(self, lens: WallLens) -> _Metres:
        """Outline, label, centre and deviation on the wall; worked out once while it stays."""
        if self._metres is not None and self._metres[0] == (
            id(self.outline_px),
            id(self.quad_px),
            self.depth,
        ):
            return self._metres[1]
        v_m = self.depth.v_m
        outline = _corners(lens.on_plane(self.outline_px, v_m))
        label = None if self.quad_px is None else _corners(lens.on_plane(self.quad_px, v_m))
        u, v, z = (float(c) for c in lens.on_plane(self.centre_px[None], v_m)[0])
        # An error of depth moves the outline along the rays; straight ahead it does not show.
        eye_u, eye_v, eye_z = lens.eye_m
        slant = math.hypot(u - eye_u, z - eye_z) / max(0.1, abs(v_m - eye_v))
        worked_out = (
            outline,
            label,
            (round(u, 5), round(v, 5), round(z, 5)),
            round(math.hypot(self.face_sd_m, self.depth.sd_m * slant), 5),
        )
        self._metres = ((id(self.outline_px), id(self.quad_px), self.depth), worked_out)
        return worked_out


def on_code(place_px: Floats, quad_px: NDArray[np.float32]) -> bool:
    """Whether a place (2,), as a label's middle, is on the label or code at `quad_px` (4, 2)."""
    size = float(np.linalg.norm(quad_px[0] - quad_px[2]))
    return float(np.linalg.norm(place_px - quad_px.mean(axis=0))) < 0.5 * size


def cover_hidden(tracks: Iterable[Track], track: Track, where: Mask) -> None:
    """A thing stands in `where` (h, w), which is how the scene looks now: what of others is hidden
    there is no more told by what changes there."""
    for other in tracks:
        if other is not track and other.state == "stands" and other.hidden:
            other.place.cover(where)
