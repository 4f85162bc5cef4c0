"""Things that come: what has changed, holds still, and is no person, no shadow and no bare wall.

What is seen where a thing went away (its lid, its shadow, the part of it that its outline did not
hold) is the wall; what is seen beside a thing that was just put down is the rest of that.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.wall import Wall
from vision.geometry import grown
from vision.wall.borders import faded
from vision.wall.colours import FAR_PX, BareWall, bare_share
from vision.wall.geometry import NAMELESS_DEPTH, WallLens, marker_corners_m
from vision.wall.outline import Face, face_of_change
from vision.wall.place import Place
from vision.wall.scene import Mask, Scene, Seen
from vision.wall.settings import FollowSettings
from vision.wall.shades import gap_px, is_shade
from vision.wall.tracks import Track

__all__ = ["BESIDE", "CLOSING", "STAYS_FRAMES", "Arrivals", "wall_of"]

Floats = NDArray[np.float64]

FRESH_S = 3.0
"""For so long after a thing was put down, or after somebody stood beside it, more of it is seen."""
SHADED_S, SHADE_M = 15.0, 0.3
"""What comes so near a thing with a label, and so soon after it, may be its shadow."""
EMPTIED_S, EMPTIED_PX = 15.0, 4
"""What is seen so soon after a thing went, and so near its place, may be the wall behind it."""
EMPTIED_BARE = 0.6
"""It is, where it has so much of the colours of the wall beside it."""
SPECK_FRAMES = 15
STAYS_FRAMES = 200
"""What came and stays is nobody standing there: after so many frames it belongs to the scene."""
BESIDE_PEOPLE_M = 0.25
"""Nothing that comes without a label is told so near somebody."""
CLOSING = np.ones((9, 9), np.uint8)
BESIDE = np.ones((9, 9), np.uint8)


class Arrivals:
    """What comes before one camera. `started_s`: until then what is seen was there before."""

    def __init__(self, wall: Wall, lens: WallLens, scene: Scene, settings: FollowSettings) -> None:
        self._lens, self._scene, self._set = lens, scene, settings
        self._px_per_m = _px_per_m(wall, lens, scene, settings.thing_m_max)
        self.started_s = math.inf
        self._emptied: list[tuple[Mask, float]] = []
        reach_px = max(1, round(self.small_px(BESIDE_PEOPLE_M)))
        self._near = np.ones((2 * reach_px + 1,) * 2, np.uint8)
        self._markers = np.zeros((scene.size[1], scene.size[0]), np.bool_)
        for marker in wall.markers:
            corners = lens.pixels(marker_corners_m(marker))
            if np.isfinite(corners).all():
                self._markers |= scene.polygon_mask(grown(corners, 1.4))

    def small_px(self, metres: float) -> float:
        """Small pixels of so many metres at the wall's middle; the largest thing has four at
        least."""
        return metres * self._px_per_m

    def left(self, track: Track, t_s: float) -> None:
        """A thing went from where it stood."""
        self._emptied = [one for one in self._emptied if t_s - one[1] < EMPTIED_S]
        self._emptied.append((track.place.grown(EMPTIED_PX), t_s))

    def find(
        self, t_s: float, rgb: NDArray[np.uint8], seen: Seen, tracks: Sequence[Track],
        people: Mask, waiting: Iterable[Mask],
    ) -> list[Face]:  # fmt: skip
        """What came and stays and is no person; what left without having been known, and specks,
        become the scene. `people` (h, w): where somebody is; `waiting`: places that were left and
        not seen since."""
        young = self._young(t_s, tracks)
        lasting = seen.settled >= self._set.settled_frames
        if not young and not lasting.any():
            return []
        beside = people
        if people.any():
            beside = cv2.dilate(people.astype(np.uint8), self._near).astype(np.bool_)
        fresh = _fresh(t_s, young, beside)
        if not lasting.any():
            return []
        unsettled = seen.changed & ~lasting
        known = self._markers | people
        for mask in waiting:
            known |= mask
        for track in tracks:
            if track.state != "gone":
                known |= track.place.grown(2)
        for track in fresh:
            # Of what came only the label is known yet: the rest of it goes with it.
            known &= ~track.place.grown(2)
            lasting = lasting | track.place.mask
        lasting = lasting & ~known
        joined = cv2.morphologyEx(lasting.astype(np.uint8), cv2.MORPH_CLOSE, CLOSING)
        contours, _ = cv2.findContours(joined, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
        if not contours:
            return []
        faces = []
        for contour in contours:
            region = np.zeros(lasting.shape, np.uint8)
            cv2.drawContours(region, [contour], -1, 1, thickness=cv2.FILLED)
            if (unsettled & cv2.dilate(region, BESIDE).astype(np.bool_)).any():
                continue
            whole = (region > 0) & ~known
            mine = any(whole[one.place.mask].any() for one in fresh)
            if (whole & beside).any() and not mine:
                # A shadow or a sleeve of somebody who holds still.
                continue
            edge = contour[:, 0].astype(np.float64)
            face = self._arrival(edge, whole, rgb, seen, t_s, tracks, mine=mine)
            if face is not None:
                faces.append(face)
        return faces

    def _young(self, t_s: float, tracks: Sequence[Track]) -> list[Track]:
        """Things that were put down lately, of which more than is known may come to sight."""
        return [
            one
            for one in tracks
            if one.state == "stands"
            and one.quad_px is not None
            and (one.outer_px is None or one.shape is not None)
            and self.started_s < one.since_s > t_s - SHADED_S
        ]

    def _arrival(
        self, contour: Floats, region: Mask, rgb: NDArray[np.uint8], seen: Seen, t_s: float,
        tracks: Sequence[Track], *, mine: bool,
    ) -> Face | None:  # fmt: skip
        """The face of what came; None for what became the scene, or may yet. `mine`: it is one
        with a thing that was just put down."""
        inside = region & (seen.settled > 0)
        frames = int(np.median(seen.settled[inside])) if inside.any() else 0
        wide, high = self._scene.size
        low, top = contour.min(axis=0), contour.max(axis=0)
        if (low <= 0).any() or top[0] >= wide - 1 or top[1] >= high - 1:
            if frames >= STAYS_FRAMES:
                self._scene.accept(region, seen.image, empty=False)
            return None
        size_m = (self._set.thing_m_min, self._set.thing_m_max)
        contour_px = self._scene.to_full(contour)
        face = face_of_change(rgb, self._lens, contour_px, NAMELESS_DEPTH.v_m, size_m)
        if face is None:
            small = (top - low).max() < self.small_px(self._set.thing_m_max)
            if frames >= (SPECK_FRAMES if small else STAYS_FRAMES):
                self._scene.accept(region, seen.image, empty=False)
            return None
        before = self._scene.image
        if before is not None:
            taken = _taken_up(seen, tracks)
            bare = self._uncovered(face, seen, taken) or (
                not mine and self._emptied_there(region, seen, taken, t_s)
            )
            if bare or faded(before, seen.image, contour):
                self._scene.accept(region, seen.image, empty=True)
                return None
            came = self._came_near(contour, t_s, tracks)
            if came and is_shade(before, seen.image, region):
                self._scene.accept(region, seen.image, empty=False)
                return None
        # Its sides and its shadow came with it.
        self._scene.accept(region, seen.image, empty=False)
        return face

    def _came_near(self, contour: Floats, t_s: float, tracks: Sequence[Track]) -> bool:
        """Whether a thing with a label was put so near lately that it may shade the wall there."""
        low, top = contour.min(axis=0), contour.max(axis=0)
        return any(
            track.state == "stands"
            and track.votes.label is not None
            and self.started_s < track.since_s > t_s - SHADED_S
            and gap_px(track.place.box, low, top) <= self.small_px(SHADE_M)
            for track in tracks
        )

    def _uncovered(self, face: Face, seen: Seen, taken: Mask) -> bool:
        """Whether what is seen there is the wall itself: from aside, what was behind a thing that
        went, and the shadow that went with it, are somewhere else than its face."""
        place = Place(self._scene, face.outline_px, None)
        return (
            place.usable and place.bare(seen, BareWall(seen.image, ~taken)) >= self._set.bare_share
        )

    def _emptied_there(self, region: Mask, seen: Seen, taken: Mask, t_s: float) -> bool:
        """Whether it is the wall beside a place that was left lately. The region is judged, not
        its face: what is seen is seldom a rectangle, and one around it holds neighbours."""
        lately = (mask for mask, since_s in self._emptied if t_s - since_s < EMPTIED_S)
        if not any((mask & region).any() for mask in lately):
            return False
        rows, columns = np.flatnonzero(region.any(axis=1)), np.flatnonzero(region.any(axis=0))
        high = slice(int(rows[0]), int(rows[-1]) + 1)
        wide = slice(max(0, int(columns[0]) - FAR_PX), int(columns[-1]) + 1 + FAR_PX)
        here, spots = seen.image[high, wide], region[high, wide]
        return bare_share(here, spots, here, ~taken[high, wide] & ~spots, 0) >= EMPTIED_BARE


def _fresh(t_s: float, young: Sequence[Track], beside: Mask) -> list[Track]:
    """Those of which more comes to sight now. `beside` (h, w): where somebody is, or near."""
    for one in young:
        if beside[one.place.mask].any():
            one.beside_s = t_s
    # Of one that stood somewhere before, all is known: nothing is learnt of it late.
    return [
        one
        for one in young
        if one.shape is not None or t_s - max(one.since_s, one.beside_s) < FRESH_S
    ]


def wall_of(scene: Scene, seen: Seen, tracks: Iterable[Track]) -> BareWall:
    """The wall where nothing stands: as it looks now, and where somebody is before it as it looked;
    not where something went that it shows instead."""
    covered = seen.changed | seen.moving
    before = seen.image if scene.image is None else scene.image
    image = np.where(covered[..., None], before, seen.image)
    free = np.ones_like(covered)
    for track in tracks:
        rows, mask = track.place.rows, track.place.mask
        here = mask[rows] if track.state != "gone" else mask[rows] & covered[rows]
        free[rows] &= ~here
    return BareWall(image, free)


def _taken_up(seen: Seen, tracks: Iterable[Track]) -> Mask:
    """(h, w): where the wall itself is not seen: what stands there, and what is in front of it."""
    taken = seen.changed | seen.moving
    for track in tracks:
        if track.state != "gone":
            taken[track.place.rows] |= track.place.mask[track.place.rows]
    return taken


def _px_per_m(wall: Wall, lens: WallLens, scene: Scene, thing_m_max: float) -> float:
    middle = (wall.width_m / 2, 0.0, wall.height_m / 2)
    px_per_m = lens.px_per_m(middle) / scene.scale[0]
    least = 4.0 / thing_m_max
    return max(least, px_per_m) if math.isfinite(px_per_m) else least
