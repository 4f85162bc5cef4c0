"""Things followed by one camera, frame by frame: seen, hidden, moved, gone, come.

A thing stands until its place is seen without it (vision.wall.place), or its label's look is found
somewhere else. What has come and stays is a thing (vision.wall.arrivals); it gets its label when
that is read (vision.wall.naming).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import cv2
import numpy as np
from numpy.typing import NDArray

from contracts.labels import label_key
from contracts.wall import Wall
from vision.labels import Code
from vision.wall.arrivals import BESIDE, CLOSING, STAYS_FRAMES, Arrivals, wall_of
from vision.wall.colours import BareWall
from vision.wall.geometry import Depth, WallLens
from vision.wall.outline import Face
from vision.wall.parts import Part, find_part
from vision.wall.place import HELD_MIN, Place, PlaceView
from vision.wall.scene import Mask, Scene, Seen
from vision.wall.settings import FollowSettings
from vision.wall.tracks import Track, cover_hidden, on_code
from vision.wall.votes import Votes

__all__ = ["NUDGED_M", "PULLED_M", "Follower"]

Gray = NDArray[np.uint8]
Floats = NDArray[np.float64]

TRACKS_MAX = 256
LEFT_S = 15.0
"""A place that was left is looked at for so long until all of it was seen."""
TOUCHED_SHARE = 0.03
LABEL_CLEAR = 0.1
COVERED_S = 1.4
"""For so long after its label was covered a thing may be on its way."""
IN_PART_MAX = 4
"""Of so many of those half a label is looked for in a frame."""
PULLED_M = 0.15
"""Whoever takes a thing carries it so far off its place within a few frames, its label to the
camera."""
PART_MIN, PART_AHEAD = 0.62, 0.15
"""Half of a label: how alike, and how much more than any other label is there."""
STILL_PX = 1.5
NUDGED_M = 0.012
"""What is found no farther from its place was not taken off it."""
NEWLY_MIN = 0.5
"""Share of a place that has changed where something has come to."""
STILL_FRAMES = 2
OTHER_FRAMES = 6
"""For so long something else than its label must hold still there, with nobody at it."""
LAID_FRAMES = 8
"""Whoever stands before a wall reaches the edge of its camera's picture, or does not hold still for
so many frames."""
PERSON_M_MIN = 0.1
"""Change no larger than a square of this is nobody."""


class Follower:
    """The tracks of one camera. `tracks` holds those that are gone as well, for a while."""

    def __init__(self, wall: Wall, lens: WallLens, scene: Scene, settings: FollowSettings) -> None:
        self._lens, self._scene, self._set = lens, scene, settings
        self.tracks: list[Track] = []
        self._next = 1
        self.somebody = False
        """Whether anybody is before the wall, as far as this camera sees."""
        self._left: list[tuple[Mask, float]] = []
        self._people = np.zeros((scene.size[1], scene.size[0]), np.bool_)
        self._hands = self._people
        """Those of them that may hold something."""
        self._arrivals = Arrivals(wall, lens, scene, settings)
        self._in_part: list[tuple[Track, Part]] = []

    def start(self, t_s: float) -> None:
        """What is seen until now was there before."""
        self._arrivals.started_s = t_s

    def arrivals(self, t_s: float, rgb: NDArray[np.uint8], seen: Seen) -> list[Face]:
        """What came and stays and is no person, see Arrivals.find."""
        waiting = [mask for mask, _ in self._left]
        return self._arrivals.find(t_s, rgb, seen, self.tracks, self._people, waiting)

    def new_track(
        self, t_s: float, outline_px: Floats, depth: Depth, sd_m: float, votes: Votes
    ) -> Track:
        """A thing not known before, not told yet."""
        track = Track(
            self._next, votes, outline_px, depth, sd_m, Place(self._scene, outline_px, None), t_s,
            since_s=t_s, seen_s=t_s, told=False,
        )  # fmt: skip
        self._next += 1
        self.tracks.append(track)
        return track

    def step(self, t_s: float, gray: Gray, seen: Seen) -> None:
        """Who is there, and what became of every thing that is known."""
        self._find_people(seen)
        wall = wall_of(self._scene, seen, self.tracks)
        for track in self.tracks:
            if track.state == "stands":
                self._judge(track, t_s, gray, seen, wall)
            elif track.state == "moves":
                self._carried(track, t_s, gray, seen)
        self._in_part = []
        for track in self.covered(t_s, IN_PART_MAX):
            if track.covered > 0.5 and track.whole:
                self._look_for_part(track, gray, seen)
        self._forget(t_s)
        self._clear_left(t_s, seen)

    def rest(self, t_s: float) -> None:
        """Nothing has changed: what was seen is still seen, and nobody is there."""
        self.somebody = False
        if self._people.any():
            self._people = self._hands = np.zeros_like(self._people)
        for track in self.tracks:
            if track.state == "stands" and not track.hidden:
                track.seen_s = t_s
        self._forget(t_s)

    def _forget(self, t_s: float) -> None:
        keep = self._set.remember_s
        kept = [
            one
            for one in self.tracks
            if one.state != "gone" or (one.told and t_s - one.since_s < keep)
        ]
        if len(kept) > TRACKS_MAX:
            kept.sort(key=lambda one: (one.state != "gone", one.since_s))
            kept = kept[-TRACKS_MAX:]
        self.tracks = kept

    # ------------------------------------------------------------------ things that stand

    def _judge(self, track: Track, t_s: float, gray: Gray, seen: Seen, wall: BareWall) -> None:
        nobody = not self._people.any()
        view = track.place.view(self._scene, seen, wall, nobody=nobody)
        track.covered = view.label
        if view.label <= LABEL_CLEAR:
            track.bared_s = t_s
        if view.seen(self._set):
            track.gone_votes = track.other_frames = 0
            track.unsure |= view.changed > TOUCHED_SHARE
            if view.stirred < TOUCHED_SHARE:
                # What was out of sight counts as seen once it was looked at.
                if track.unsure:
                    self._still_the_same(track, view, t_s, gray, seen)
                track.hidden = False
            if not track.hidden:
                track.seen_s = t_s
            return
        track.unsure = True
        track.hidden |= max(view.changed, view.label) > 0.75
        if track.hidden and view.changed <= 0.75 and view.label <= LABEL_CLEAR:
            self._still_the_same(track, view, t_s, gray, seen)
            track.hidden = False
        if not track.hidden:
            track.seen_s = t_s
        body = self._body(track.place.mask)
        if view.label > 0.5 and self._found_again(track, t_s, gray, seen, body):
            return
        if view.gone(self._set, body, nobody=nobody):
            track.gone_votes += 2 if view.certain and body <= HELD_MIN else 1
        else:
            track.gone_votes = 0
        # An outline that is too large never shows the bare wall alone.
        track.other_frames = track.other_frames + 1 if view.another and body == 0.0 else 0
        if track.gone_votes >= self._set.gone_frames or track.other_frames >= OTHER_FRAMES:
            self.leave(track, seen, t_s)
            track.enter("gone", t_s)
            track.hidden = False

    def covered(self, t_s: float, most: int) -> list[Track]:
        """Things whose label something has just come in front of, the last ones first."""
        found = [
            one
            for one in self.tracks
            if one.state == "stands"
            and one.quad_px is not None
            and one.votes.label is not None
            and 0.0 < t_s - one.bared_s <= COVERED_S
        ]
        return sorted(found, key=lambda one: -one.bared_s)[:most]

    def _still_the_same(
        self, track: Track, view: PlaceView, t_s: float, gray: Gray, seen: Seen
    ) -> None:
        """The label is looked at again after something was in front of it. One that is partly
        covered is taken for the same, unless nothing of the thing was seen in between."""
        if track.patch is None:
            track.unsure = view.changed > TOUCHED_SHARE
            return
        alike, shift = track.patch.find(gray)
        if alike < self._set.alike_ncc:
            if view.label <= LABEL_CLEAR or track.hidden:
                track.doubted = track.votes.label is not None
            return
        track.unsure = view.changed > TOUCHED_SHARE
        track.doubted = False
        if float(np.linalg.norm(shift)) > STILL_PX:
            track.move_by(shift)
            self.stand(track, t_s, gray, seen)

    def _found_again(self, track: Track, t_s: float, gray: Gray, seen: Seen, body: float) -> bool:
        """Whether its look is found: near its place, so that it was pushed or is being carried, or
        where it was, whatever changed around it."""
        found = self._search(track, gray, seen, self._reach_px(track))
        if found is None:
            return False
        off_px = float(np.linalg.norm(found))
        if off_px <= STILL_PX and track.patch is None:
            return False
        if off_px <= self.px_of(track, NUDGED_M):
            # It swings, or somebody touched it; and what was in front of it has gone.
            track.gone_votes = 0
            if body == 0.0:
                self._shift(track, found)
                self.stand(track, t_s, gray, seen)
            return True
        self._lifted(track, found, t_s, seen)
        return True

    def _look_for_part(self, track: Track, gray: Gray, seen: Seen) -> None:
        """Half of its label, still in its place, or in the hand that has just come in front of it
        and may carry it off."""
        patch = track.patch
        if patch is None:
            return
        others = [
            one.patch.gray for one in self.tracks if one is not track and one.patch is not None
        ]
        reach_px = int(self.px_of(track, PULLED_M))
        at = patch.x, patch.y
        part = find_part(patch.gray, patch.printed, at, gray, reach_px, others)
        if part is None or part.alike < PART_MIN or part.ahead < PART_AHEAD:
            return
        if float(np.linalg.norm(part.shift)) <= self.px_of(track, NUDGED_M):
            track.gone_votes = 0
        elif not part.denied and not self._was_there(track, part.shift, seen):
            self._in_part.append((track, part))

    def carry_off(self, codes: Sequence[Code], t_s: float, seen: Seen) -> None:
        """What half a label says is carried off is on its way, unless the label in that place is
        another's, which is known to be carried there or was read there: `codes` of the frame."""
        labels = [(label_key(one.text.strip()), one.polygon) for one in codes]
        labels += [
            (one.votes.leader or "", one.quad_px)
            for one in self.tracks
            if one.state == "moves" and one.seen_s == t_s and one.quad_px is not None
        ]
        for track, part in self._in_part:
            others = [quad for key, quad in labels if key != track.votes.leader]
            place = track.centre_px + part.shift
            if track.state == "stands" and not any(on_code(place, quad) for quad in others):
                self._lifted(track, part.shift, t_s, seen)
        self._in_part = []

    def _lifted(self, track: Track, by_px: Floats, t_s: float, seen: Seen) -> None:
        """It is on its way, and so far from its place now."""
        self.leave(track, seen, t_s)
        self._shift(track, by_px)
        track.enter("moves", t_s)
        track.hidden, track.seen_s, track.still_frames = False, t_s, 0

    def px_of(self, track: Track, metres: float) -> float:
        """Full pixels of so many metres where a thing is."""
        u, v, z = self._lens.on_plane(track.centre_px[None], track.depth.v_m)[0]
        return metres * self._lens.px_per_m((float(u), float(v), float(z)))

    def _reach_px(self, track: Track) -> int:
        return int(self.px_of(track, self._set.search_m)) + 1

    def _search(self, track: Track, gray: Gray, seen: Seen, reach_px: int) -> Floats | None:
        """How far its look has moved, (2,) full pixels; None if it is not found."""
        if track.patch is not None:
            alike, shift = track.patch.find(gray, reach_px)
            if alike < self._set.moved_ncc or self._was_there(track, shift, seen):
                return None
            return shift
        if track.look is None:
            return None
        reach = max(3, round(reach_px / self._scene.scale[0]))
        alike, dx, dy = track.look.find(seen.image, reach)
        if alike < self._set.moved_ncc:
            return None
        x0, y0, x1, y1 = track.place.box
        there = seen.changed[max(0, y0 + dy) : y1 + dy, max(0, x0 + dx) : x1 + dx]
        # A neighbour of the same look has stood there all the time.
        if not there.size or float(there.mean()) < NEWLY_MIN:
            return None
        return np.array([dx * self._scene.scale[0], dy * self._scene.scale[1]])

    def _was_there(self, track: Track, shift: Floats, seen: Seen) -> bool:
        """Whether what looks like its label has been there all the time: a bar code is the same
        all along its bars, and what is left of it beside somebody's arm looks like all of it."""
        if track.state != "stands" or float(np.linalg.norm(shift)) <= STILL_PX:
            return False
        patch = track.patch
        assert patch is not None
        high, wide = patch.gray.shape
        corners = np.array([[0, 0], [wide, 0], [wide, high], [0, high]], np.float64)
        there = seen.changed[
            self._scene.polygon_mask(corners + np.array([patch.x, patch.y]) + shift)
        ]
        return bool(there.size) and float(there.mean()) < NEWLY_MIN

    def _shift(self, track: Track, by_px: Floats) -> None:
        track.move_by(by_px)
        if track.patch is not None:
            dx, dy = round(float(by_px[0])), round(float(by_px[1]))
            track.patch = replace(track.patch, x=track.patch.x + dx, y=track.patch.y + dy)
        if track.look is not None:
            sx, sy = by_px / np.array(self._scene.scale)
            track.look = replace(
                track.look, x=track.look.x + round(float(sx)), y=track.look.y + round(float(sy))
            )

    # ------------------------------------------------------------------ things that move

    def _carried(self, track: Track, t_s: float, gray: Gray, seen: Seen) -> None:
        if track.read_s == t_s:
            return
        found = self._search(track, gray, seen, self._reach_px(track))
        if found is None:
            track.still_frames = 0
            if t_s - track.seen_s > self._set.lost_s:
                # Where it is has not been known since then: who saw it stand later knows better.
                track.enter("gone", track.seen_s)
            return
        self._shift(track, found)
        track.seen_s = t_s
        still = float(np.linalg.norm(found)) <= STILL_PX
        track.still_frames = track.still_frames + 1 if still else 0
        if track.still_frames >= STILL_FRAMES and not self.in_hand(track):
            self.stand(track, t_s, gray, seen)

    def in_hand(self, track: Track) -> bool:
        """Whether a thing is one with somebody in the picture: who holds it still has not put it
        down."""
        place = self._scene.polygon_mask(track.outline_px)
        return bool(place.any()) and float(self._hands[place].mean()) > HELD_MIN

    def _body(self, place: Mask) -> float:
        """Share of a place that is one with somebody, 1 if it is not in the picture."""
        return float(self._people[place].mean()) if place.any() else 1.0

    def stand(self, track: Track, t_s: float, gray: Gray, seen: Seen) -> None:
        """It stands where it is: that is how the scene looks from now on."""
        place = Place(self._scene, track.outline_px, track.quad_px)
        clear = place.grown(2) & ~seen.moving & ~self._hands
        self._scene.accept(clear, seen.image, empty=False)
        cover_hidden(self.tracks, track, clear)
        track.settle(self._scene, gray, t_s, seen.image, self._hands | seen.moving)

    def leave(self, track: Track, seen: Seen, t_s: float) -> None:
        """Its place is empty, or will be when nobody stands in front of it any more."""
        if track.state == "stands":
            self._left.append((track.place.grown(3), t_s))
            self._arrivals.left(track, t_s)
            self._clear_left(t_s, seen)

    def _clear_left(self, t_s: float, seen: Seen) -> None:
        """What is seen of places that were left becomes the scene; the rest waits for a while."""
        waiting = []
        for mask, since_s in self._left:
            outside = (seen.changed & ~mask).astype(np.uint8)
            near = cv2.dilate(outside, BESIDE).astype(np.bool_)
            clear = mask & ~seen.moving & ~near & ~self._people
            for track in self.tracks:
                if track.state == "stands" and not track.gone_votes:
                    clear &= ~track.place.mask
            if clear.any():
                self._scene.accept(clear, seen.image, empty=True)
                mask = mask & ~clear
            if mask.any() and t_s - since_s < LEFT_S:
                waiting.append((mask, since_s))
        self._left = waiting

    # ------------------------------------------------------------------ people

    def _find_people(self, seen: Seen) -> None:
        """Who stands in front: stretches of change that reach the picture's edge, or are larger
        than a thing can be. Parts of them that hold still are no things; one that holds still as a
        whole for STAYS_FRAMES is nobody. One that does not reach the edge need do so for
        LAID_FRAMES only: things with their shadows, or the wall where several stood."""
        joined = cv2.morphologyEx(
            (seen.changed | seen.moving).astype(np.uint8), cv2.MORPH_CLOSE, CLOSING
        )
        count, labels, stats, _ = cv2.connectedComponentsWithStats(joined, connectivity=8)
        wide, high = self._scene.size
        large = self._arrivals.small_px(self._set.thing_m_max)
        least = self._arrivals.small_px(PERSON_M_MIN) ** 2
        body, holds = np.zeros(count, np.bool_), np.zeros(count, np.bool_)
        self.somebody = False
        for k in range(1, count):
            x, y, w, h, area = (int(c) for c in stats[k])
            edge = x <= 1 or y <= 1 or x + w >= wide - 1 or y + h >= high - 1
            body[k] = edge or max(w, h) > large
            if not body[k]:
                continue
            holds[k] = edge
            if not edge or (area >= least and not self.somebody):
                settled = seen.settled[y : y + h, x : x + w][labels[y : y + h, x : x + w] == k]
                moves = float(np.median(settled)) < (STAYS_FRAMES if edge else LAID_FRAMES)
                holds[k] |= moves
                self.somebody |= area >= least and moves
        self._people, self._hands = body[labels], holds[labels]
