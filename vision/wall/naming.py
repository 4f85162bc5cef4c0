"""Which thing a code that was read belongs to, and where to read next.

A code on a thing confirms it, names it, or contests it. A code elsewhere that is known of a thing
which is missing is that thing, put down there; of a thing that is seen standing, it is a twin.
"""

from __future__ import annotations

from collections.abc import Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.labels import LABEL_CHARS_MAX, label_key
from contracts.wall import Wall
from vision.geometry import grown
from vision.labels import Code, part_of
from vision.wall.corners import refined
from vision.wall.follow import NUDGED_M, PULLED_M, Follower
from vision.wall.geometry import NAMELESS_DEPTH, Depth, WallLens, label_print
from vision.wall.outline import Face, face_of_label
from vision.wall.scene import Scene, Seen
from vision.wall.settings import WallSettings
from vision.wall.tracks import Patch, Track, on_code
from vision.wall.votes import Votes

__all__ = ["Naming", "Roi"]

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]
Rgb = NDArray[np.uint8]
Roi = tuple[int, int, int, int]

UNKNOWN_DEPTH = Depth(0.0, 0.1)
"""Of a label whose size nobody knows: near the front plane."""
FACES_A_FRAME, QUIET_PX = 4, 8
ROUGH_FACE_M, FACE_TRIES = 0.03, 2
"""Of an outline that is made of the label only; its face is looked for so often."""
SURE_FACE_M = 0.02
"""An outline known so well holds one thing only."""
ROUGH = 6.0
"""Corners as readers give them are so much less sure."""
MOVED_PX, STILL_PX = 3.0, 2.0
OFF_SHARE = 0.08
"""A label read so much of its size beside where it was has been moved."""
ODD_MAX = 3
"""So many readings in a row that differ: it is another thing."""
TILE_PX, STEP_PX = 512, 352
SWEEP_S = 4.0
COVERED_MAX = 2
"""Labels that were just covered, beside whose place is read in a frame."""


class Naming:
    """Labels of one camera's things."""

    def __init__(
        self, wall: Wall, lens: WallLens, scene: Scene, follower: Follower, settings: WallSettings
    ) -> None:
        self._wall, self._lens, self._scene = wall, lens, scene
        self._follow, self._set = follower, settings
        self._turn = 0
        self._swept_s = 0.0

    def votes(self) -> Votes:
        """Readings of a thing that has none yet."""
        return Votes(self._set.read.reads_min)

    # ------------------------------------------------------------------ what was read

    def take(
        self, codes: Sequence[Code], t_s: float, rgb: Rgb, gray: Gray, seen: Seen | None
    ) -> None:
        """Codes of one frame, to the things they are on."""
        read: list[tuple[Code, str, Track | None]] = []
        for code in codes:
            text = code.text.strip()
            if code.symbology is None or not 0 < len(text) <= LABEL_CHARS_MAX:
                continue
            key = label_key(text)
            read.append((code, key, self._at(code, key)))
        # What confirms a thing comes first: whoever carries that label elsewhere is its twin.
        read.sort(key=lambda one: one[2] is None or one[2].votes.leader != one[1])
        for code, key, here in read:
            if here is not None and here in self._follow.tracks:
                self._on_thing(here, code, key, t_s, rgb, gray, seen)
            else:
                self._elsewhere(code, key, t_s, rgb, gray, seen)

    def _at(self, code: Code, key: str) -> Track | None:
        """The thing that a code is on."""
        x, y = (float(c) for c in code.polygon.mean(axis=0))
        best: Track | None = None
        rank = (3, 0.0)
        for track in self._follow.tracks:
            if track.state == "gone":
                continue
            off = float(np.linalg.norm(track.centre_px - (x, y)))
            outline = track.outline_px.astype(np.float32)
            inside = cv2.pointPolygonTest(outline, (x, y), False) >= 0
            on_label = track.quad_px is not None and on_code(track.centre_px, code.polygon)
            if not inside and not on_label:
                continue
            named = track.quad_px is not None and track.votes.leader is not None
            if named and not on_label and track.votes.leader != key:
                # A second label: on the same face if that is known well, else on a neighbour.
                if track.face_sd_m > SURE_FACE_M:
                    continue
                mine = (2, off)
            else:
                mine = (0 if track.votes.leader == key else 1, off)
            if mine < rank:
                best, rank = track, mine
        return best

    def _on_thing(
        self, track: Track, code: Code, key: str, t_s: float, rgb: Rgb, gray: Gray,
        seen: Seen | None,
    ) -> None:  # fmt: skip
        leader = track.votes.leader
        other = leader is not None and leader != key
        missing = self._missing(key, t_s) if leader is None else None
        past = other or (missing is not None and not track.followed(missing))
        if past and seen is not None and self._stirs(code, seen):
            self._elsewhere(code, key, t_s, rgb, gray, seen)  # Somebody carries it past.
            return
        if missing is not None:
            self._follow.tracks.remove(track)
            self._put(missing, code, t_s, rgb, gray, seen, track)
            return
        on_label = track.quad_px is None or on_code(track.centre_px, code.polygon)
        if other and on_label and (track.doubted or track.unsure or track.votes.odd >= ODD_MAX):
            self._replaced(track, code, key, t_s, rgb, gray, seen)
            return
        self._vote(track, code, t_s)
        if other:
            return
        if track.state == "moves":
            self._carry(track, code, t_s, rgb, gray, seen)
        elif (quad := track.quad_px) is None or track.patch is None or part_of(quad, code.polygon):
            self._attach(track, code, t_s, rgb, gray, seen, turned=False)
        elif part_of(code.polygon, quad):
            return  # A hand is before some of its bars.
        elif seen is not None and self._is_off(track, code) and self._stirs(code, seen):
            self._follow.leave(track, seen, t_s)
            track.enter("moves", t_s)
            self._carry(track, code, t_s, rgb, gray, seen)
        elif self._has_moved(track, gray):
            self._attach(track, code, t_s, rgb, gray, seen, turned=True)

    def _is_off(self, track: Track, code: Code) -> bool:
        """Whether a label was read beside where it was. How it looks does not tell: light of ours
        may cross it, or a hand."""
        assert track.quad_px is not None
        size = float(np.linalg.norm(code.polygon[0] - code.polygon[2]))
        off = float(np.linalg.norm((code.polygon - track.quad_px).mean(axis=0)))
        return off > max(MOVED_PX, OFF_SHARE * size, self._follow.px_of(track, NUDGED_M))

    def _has_moved(self, track: Track, gray: Gray) -> bool:
        """Whether the label that was read looks other than it did, or lies elsewhere."""
        assert track.patch is not None
        alike, shift = track.patch.find(gray)
        return alike < self._set.follow.alike_ncc or float(np.linalg.norm(shift)) > MOVED_PX

    def _vote(self, track: Track, code: Code, t_s: float) -> None:
        """One reading counts."""
        assert code.symbology is not None
        track.votes.read(code.text, code.symbology)
        track.read_s, track.tries = t_s, 0
        if track.votes.odd == 0:
            track.doubted = track.unsure = False
        if track.votes.label is not None:
            track.told = True

    def _measured(self, track: Track, code: Code, gray: Gray) -> None:
        """The label's corners to a part of a pixel, and the depth that its size tells."""
        corners = refined(gray, code)
        track.quad_px = code.polygon.copy() if corners is None else corners
        kind = code.symbology and label_print(self._wall, code.symbology, code.modules)
        depth = self._lens.label_depth(track.quad_px, kind) if kind else None
        if depth is None or not -0.6 < depth.v_m < self._wall.depth_m + 0.1:
            return
        if corners is None:
            depth = Depth(depth.v_m, depth.sd_m * ROUGH)
        track.depth = track.depth.joined(depth)

    def _attach(
        self, track: Track, code: Code, t_s: float, rgb: Rgb, gray: Gray, seen: Seen | None,
        *, turned: bool,
    ) -> None:  # fmt: skip
        """The label is where it was read; a face that was turned or pushed is looked for anew."""
        before = track.quad_px
        self._measured(track, code, gray)
        if turned and track.quad_px is not None:
            self._follow_label(track, before, track.quad_px)
        else:
            track.outer_px = track.outline_px
            track.face_sd_m, track.face_tries = ROUGH_FACE_M, 0
        if seen is not None and turned:
            self._follow.leave(track, seen, t_s)
            self._follow.stand(track, t_s, gray, seen)
        else:
            self._ground(track, gray, t_s)

    def _ground(self, track: Track, gray: Gray, t_s: float) -> None:
        image = self._scene.image
        if image is not None:
            track.settle(self._scene, gray, t_s, image)

    def _stand(self, track: Track, t_s: float, gray: Gray, seen: Seen | None) -> None:
        if seen is not None:
            self._follow.stand(track, t_s, gray, seen)
        else:
            self._ground(track, gray, t_s)

    def arrived(self, face: Face, t_s: float, gray: Gray, seen: Seen) -> None:
        """Something came and stays: a thing that is known by its label, or one without."""
        outline = face.outline_px.astype(np.float32)
        for track in self._follow.tracks:
            x, y = (float(c) for c in track.centre_px)
            if track.state != "stands" or cv2.pointPolygonTest(outline, (x, y), False) < 0:
                continue
            if track.quad_px is not None and track.outer_px is None:
                track.outer_px = face.outline_px
                if track.shape is not None:
                    return
                track.outline_px = face.outline_px
                track.face_sd_m, track.face_tries = ROUGH_FACE_M, 0
                self._follow.stand(track, t_s, gray, seen)
            return
        outline_px = face.outline_px
        track = self._follow.new_track(t_s, outline_px, NAMELESS_DEPTH, face.sd_m, self.votes())
        self._follow.stand(track, t_s, gray, seen)

    def faceless(self) -> bool:
        """Whether there are things of which only the label is known."""
        return any(_is_rough(one) and not one.hidden for one in self._follow.tracks)

    def faces(self, t_s: float, rgb: Rgb, gray: Gray, seen: Seen | None) -> None:
        """Looks for the faces of a few things of which only the label is known, where nobody is
        near them."""
        left = FACES_A_FRAME
        for track in self._follow.tracks:
            if not _is_rough(track) or track.quad_px is None or track.hidden or not left:
                continue
            if seen is not None and seen.moving[track.place.grown(QUIET_PX)].any():
                continue
            left -= 1
            track.face_tries += 1
            others = [
                one.quad_px
                for one in self._follow.tracks
                if one is not track and one.state == "stands" and one.quad_px is not None
            ]
            face = face_of_label(
                rgb, self._lens, track.quad_px, track.depth.v_m, track.outer_px, others
            )
            if face is not None:
                track.outline_px, track.face_sd_m = face.outline_px, face.sd_m
                self._stand(track, t_s, gray, seen)

    def _carry(
        self, track: Track, code: Code, t_s: float, rgb: Rgb, gray: Gray, seen: Seen | None
    ) -> None:
        """A thing on the move was read: once its label rests it stands."""
        before = track.quad_px
        track.quad_px = code.polygon.copy()
        self._follow_label(track, before, code.polygon)
        track.patch = Patch.of(gray, code.polygon)
        track.seen_s, track.hidden = t_s, False
        step = None if before is None else (before - code.polygon).mean(axis=0)
        still = step is not None and float(np.linalg.norm(step)) < STILL_PX
        track.still_frames = track.still_frames + 1 if still else 0
        if track.still_frames >= 2 and not self._follow.in_hand(track):
            self._measured(track, code, gray)
            self._stand(track, t_s, gray, seen)

    def _follow_label(
        self, track: Track, before: NDArray[np.float32] | None, now: NDArray[np.float32]
    ) -> None:
        """The outline goes where its label went, and turns with it; without one before it is a
        little more than the label."""
        turn = None if before is None else cv2.estimateAffinePartial2D(before, now)[0]
        if turn is not None and np.isfinite(turn).all():
            track.outline_px = track.outline_px @ turn[:, :2].T + turn[:, 2]
            return
        track.outer_px = None
        known = track.shaped(now)
        if known is not None:
            track.outline_px = known
            return
        track.outline_px = grown(now, 1.5).astype(np.float64)
        track.face_sd_m, track.face_tries = ROUGH_FACE_M, 0

    def _missing(self, key: str, t_s: float) -> Track | None:
        """The thing with this label that is not seen where it was, the one seen last."""
        found = [
            one
            for one in self._follow.tracks
            if one.votes.leader == key
            and one.read_s != t_s
            and (one.state != "stands" or one.hidden or one.unsure)
        ]
        return max(found, key=lambda one: one.seen_s, default=None)

    def _elsewhere(
        self, code: Code, key: str, t_s: float, rgb: Rgb, gray: Gray, seen: Seen | None
    ) -> None:
        if (missing := self._missing(key, t_s)) is not None:
            self._put(missing, code, t_s, rgb, gray, seen, None)
            return
        outline = grown(code.polygon, 1.5).astype(np.float64)
        track = self._follow.new_track(t_s, outline, UNKNOWN_DEPTH, ROUGH_FACE_M, self.votes())
        self._vote(track, code, t_s)
        track.quad_px = code.polygon.copy()
        if seen is not None and self._stirs(code, seen):
            track.enter("moves", t_s)
            track.patch = Patch.of(gray, code.polygon)
            return
        self._measured(track, code, gray)
        self._stand(track, t_s, gray, seen)

    def _stirs(self, code: Code, seen: Seen) -> bool:
        label = self._scene.polygon_mask(code.polygon)
        return bool(label.any()) and float(seen.moving[label].mean()) > 0.1

    def _put(
        self, track: Track, code: Code, t_s: float, rgb: Rgb, gray: Gray, seen: Seen | None,
        found: Track | None,
    ) -> None:  # fmt: skip
        """A missing thing is here: being carried, or put down as `found`."""
        if track.state == "stands" and seen is not None:
            self._follow.leave(track, seen, t_s)
        if track.state != "moves":
            track.enter("moves", t_s)
            if track.face_sd_m <= SURE_FACE_M:
                track.keep_shape()
            track.quad_px = None
        track.depth = UNKNOWN_DEPTH if found is None else found.depth
        self._vote(track, code, t_s)
        self._carry(track, code, t_s, rgb, gray, seen)
        if found is not None:
            track.outer_px = found.outline_px
            if track.shape is None:
                track.outline_px = found.outline_px
            if found.state == "stands":
                self._measured(track, code, gray)
                self._ground(track, gray, t_s)

    def _replaced(
        self, track: Track, code: Code, key: str, t_s: float, rgb: Rgb, gray: Gray,
        seen: Seen | None,
    ) -> None:  # fmt: skip
        """Where one thing stood there is another: while nobody could see it they were changed."""
        if seen is not None:
            self._follow.leave(track, seen, t_s)
        track.enter("gone", t_s)
        track.hidden = False
        self._elsewhere(code, key, t_s, rgb, gray, seen)

    # ------------------------------------------------------------------ where to read

    def requests(self, t_s: float, seen: Seen | None) -> list[Roi]:
        """Rectangles to read in: those of labels just covered, and within the budget what is in
        doubt first, then what came, then what is due."""
        wanted = self._in_doubt(t_s)
        if seen is not None:
            wanted += self._stirred(seen)
        due = self._due(t_s)
        if due is not None:
            wanted.append(due)
        if t_s - self._swept_s >= SWEEP_S:
            self._swept_s = t_s
            tiles = self._tiles((0, 0, self._lens.width, self._lens.height))
            wanted.append(tiles[self._turn % len(tiles)])
            self._turn += 1
        budget = self._set.read.budget_px
        kept = [
            self._around(one, self._follow.px_of(one, PULLED_M))
            for one in self._follow.covered(t_s, COVERED_MAX)
        ]
        for roi in wanted:
            area = (roi[2] - roi[0]) * (roi[3] - roi[1])
            if area <= budget and not any(_within(roi, one) for one in kept):
                kept.append(roi)
                budget -= area
        return kept

    def _in_doubt(self, t_s: float) -> list[Roi]:
        read = self._set.read
        rois: list[tuple[float, Roi]] = []
        for track in self._follow.tracks:
            nameless = track.votes.label is None and (
                track.tries < read.tries or t_s - track.read_s > read.retry_s
            )
            if track.state == "gone" or (track.hidden and track.state == "stands"):
                continue
            due = track.doubted or track.votes.odd > 0 or nameless
            if due or track.state == "moves":
                if nameless and track.tries >= read.tries:
                    track.read_s = t_s
                track.tries += 1
                rois.append((float(track.tries), self._around(track)))
            elif track.gone_votes:
                rois.append((0.0, self._around(track)))
        return [roi for _, roi in sorted(rois)]

    def _due(self, t_s: float) -> Roi | None:
        """The label that was not read for longest, if it is time; a failure waits its turn."""
        late = [
            one
            for one in self._follow.tracks
            if one.state == "stands"
            and not one.hidden
            and one.quad_px is not None
            and t_s - max(one.read_s, one.tried_s) >= self._set.read.confirm_s
        ]
        if not late:
            return None
        track = min(late, key=lambda one: max(one.read_s, one.tried_s))
        track.tried_s = t_s
        return self._around(track)

    def _around(self, track: Track, pad: float | Floats | None = None) -> Roi:
        points = track.outline_px if track.quad_px is None else track.quad_px
        low, high = points.min(axis=0), points.max(axis=0)
        if pad is None:
            wide = 60.0 if track.state == "moves" or track.gone_votes else 12.0
            pad = wide + (0.25 if track.quad_px is not None else 0.05) * (high - low)
        return self._clipped((*(low - pad), *(high + pad)))

    def _clipped(self, box: Sequence[float]) -> Roi:
        x0, y0, x1, y1 = (int(c) for c in box)
        wide, high = self._lens.width, self._lens.height
        return max(0, x0), max(0, y0), max(1, min(wide, x1 + 1)), max(1, min(high, y1 + 1))

    def _stirred(self, seen: Seen) -> list[Roi]:
        """Where something is that was not there, things known left out, a part at a time."""
        new = seen.changed.astype(np.uint8)
        for track in self._follow.tracks:
            if track.state == "stands":
                x0, y0, x1, y1 = track.place.box
                new[y0:y1, x0:x1] &= (~track.place.mask[y0:y1, x0:x1]).astype(np.uint8)
        count, _, stats, _ = cv2.connectedComponentsWithStats(
            cv2.morphologyEx(new, cv2.MORPH_CLOSE, np.ones((7, 7), np.uint8))
        )
        rois: list[Roi] = []
        sx, sy = self._scene.scale
        for x, y, w, h, area in stats[1:count].tolist():
            if area < 40:
                continue
            roi = self._clipped((x * sx - 24, y * sy - 24, (x + w) * sx + 24, (y + h) * sy + 24))
            rois += self._tiles(roi)
        if rois:
            self._turn += 1
            start = self._turn % len(rois)
            rois = rois[start:] + rois[:start]
        return rois

    def _tiles(self, roi: Roi) -> list[Roi]:
        """The rectangle in parts that a frame's budget holds, overlapping by a label."""
        x0, y0, x1, y1 = roi
        return [
            (x, y, min(x1, x + TILE_PX), min(y1, y + TILE_PX))
            for y in _starts(y0, y1)
            for x in _starts(x0, x1)
        ]


def _is_rough(track: Track) -> bool:
    """Whether it stands, and its outline is still to be found."""
    return (
        track.state == "stands"
        and track.quad_px is not None
        and track.face_sd_m >= ROUGH_FACE_M
        and track.face_tries < FACE_TRIES
    )


def _starts(low: int, high: int) -> list[int]:
    if high - low <= TILE_PX:
        return [low]
    count = -(-(high - low - TILE_PX) // STEP_PX) + 1
    return [low + round(k * (high - low - TILE_PX) / (count - 1)) for k in range(count)]


def _within(inner: Roi, outer: Roi) -> bool:
    return (
        outer[0] <= inner[0]
        and outer[1] <= inner[1]
        and inner[2] <= outer[2]
        and inner[3] <= outer[3]
    )
