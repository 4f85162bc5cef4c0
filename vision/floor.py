"""Floor tracks: what several ceiling cameras see, joined into people who walk in metres.

    tracker = FloorTracker(6.0, 4.5, prefix="node-floor:b1")
    for segment in tracker.step(t_s, observations): ...     # contracts.messages.TrackSegment

Cameras overlap and are not in step. Each camera's frame is matched to the tracks on its own
(optimal assignment, Kuhn 1955, within a gate), one after the other in time, so that a person seen
by four cameras feeds one filter four times (vision.floor_filter). A track that nobody sees slows
down and waits where it was; after a while it is lost, and a new one that appears near by, later,
and in the same clothes may be linked to it.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import linear_sum_assignment

from contracts.geometry import Camera, Footprint, Gate
from contracts.messages import TrackSegment, WristPoint
from vision.camera_view import CameraView
from vision.floor_filter import PersonFilter
from vision.floor_links import LostTrack, distance_m, link_cost
from vision.floor_settings import FloorSettings
from vision.floor_solids import off_shelves
from vision.floor_track import OpenTrack, Track
from vision.observations import CeilingObservation

__all__ = ["FloorSettings", "FloorTracker", "OpenTrack"]

_WRISTS_MAX = 64
_FAR = 1e6


class FloorTracker:
    """Joins ceiling cameras into floor tracks named `{prefix}-{n}`.

    `gates`, where known, tell a person who left from one who is lost; `cameras`, where known, let
    two cameras agree on somebody who crouches. Heads over `solids`, the floor under shelves, are
    not people. Positions in world metres.
    """

    def __init__(
        self,
        width_m: float,
        depth_m: float,
        settings: FloorSettings | None = None,
        *,
        prefix: str = "t",
        gates: Sequence[Gate] = (),
        cameras: Sequence[Camera] = (),
        solids: Sequence[Footprint] = (),
    ) -> None:
        self._width_m = width_m
        self._depth_m = depth_m
        self._set = settings or FloorSettings()
        self._prefix = prefix
        self._gates = tuple(gates)
        self._views = {one.camera_id: CameraView(one) for one in cameras}
        self._solids = tuple(solids)
        self._tracks: list[Track] = []
        self._lost: list[LostTrack] = []
        self._count = 0
        self._together: dict[tuple[int, int], float] = {}
        self._close: dict[tuple[int, int], float] = {}
        self._news: list[TrackSegment] = []
        self._orphans: list[str] = []

    def open_tracks(self) -> tuple[OpenTrack, ...]:
        """All confirmed tracks that are neither lost nor ended."""
        return tuple(
            OpenTrack(
                track_id=self._id(track),
                t_s=track.filter.t_s,
                x_m=track.x,
                y_m=track.y,
                sd_m=track.filter.sd_m,
                unseen_s=track.filter.t_s - track.seen_s,
            )
            for track in self._tracks
            if track.number is not None
        )

    def snapshot(self) -> list[dict[str, object]]:
        """Who is on the floor, as plain values, for `restore` after a restart."""
        return [
            {
                "track_id": self._id(track),
                "x_m": track.x,
                "y_m": track.y,
                "seen_s": track.seen_s,
                "colour": None if track.colour is None else [float(c) for c in track.colour],
            }
            for track in self._tracks
            if track.number is not None
        ]

    def restore(self, state: Sequence[Mapping[str, Any]]) -> None:
        """Takes up an earlier tracker's people: told as lost, and linked to when seen again."""
        for row in state[: self._set.lost_kept_max]:
            colour = None if row["colour"] is None else np.array(row["colour"], np.float64)
            self._lost.append(
                LostTrack(
                    str(row["track_id"]),
                    float(row["x_m"]),
                    float(row["y_m"]),
                    float(row["seen_s"]),
                    colour,
                )
            )
            self._orphans.append(str(row["track_id"]))

    def step(
        self, t_s: float, observations: Sequence[CeilingObservation]
    ) -> tuple[TrackSegment, ...]:
        """News up to `t_s`: births and endings at once, where people are every `tell_s`."""
        self._news = [TrackSegment(track_id=name, state="lost") for name in self._orphans]
        self._orphans = []
        for seen in sorted(observations, key=lambda one: (one.t_s, one.camera_id)):
            if seen.blind is None:
                self._take(off_shelves(seen, self._solids, self._set.solid_margin_m))
        for track in self._tracks:
            track.predict(t_s, self._set)
        self._merge_doubles(t_s)
        self._close_unseen(t_s)
        for track in self._tracks:
            if track.number is not None and t_s - track.told_s >= self._set.tell_s - 1e-6:
                self._tell(track, "alive")
        self._lost = [
            lost
            for lost in self._lost[-self._set.lost_kept_max :]
            if t_s - lost.seen_s <= self._set.relink_s
        ]
        return tuple(self._news)

    # ------------------------------------------------------------ one camera's frame

    def _take(self, seen: CeilingObservation) -> None:
        for track in self._tracks:
            track.predict(seen.t_s, self._set)
        pairs = self._assign(seen)
        matched: list[Track] = []
        for index, row in pairs:
            track = self._tracks[index]
            sd = float(seen.heads[row, 2])
            eye, noise = self._eye(seen.camera_id, sd)
            track.filter.update(seen.heads[row, :2], noise, eye)
            track.seen_s = max(track.seen_s, seen.t_s)
            weight = self._weight(sd, float(seen.heads[row, 3]))
            track.hits += weight
            track.belief = min(1.0, track.belief + self._set.belief_gain * weight)
            track.cameras.add(seen.camera_id)
            self._learn_colour(track, seen.colours[row], sd)
            matched.append(track)
            if sd <= self._set.vague_sd_m:
                track.head_s = max(track.head_s, seen.t_s)
        self._note_together(seen, pairs)
        self._note_missed(matched, seen.camera_id)
        taken = {row for _, row in pairs}
        for row in range(len(seen.heads)):
            if row not in taken:
                self._begin(seen, row, matched)
        for track in matched:
            if track.number is None and self._is_sure(track):
                self._confirm(track)
        self._give_wrists(seen)

    def _assign(self, seen: CeilingObservation) -> list[tuple[int, int]]:
        """Pairs (track, head) of least total cost within the gate."""
        tracks, heads = self._tracks, seen.heads
        if not tracks or not len(heads):
            return []
        cost = np.full((len(tracks), len(heads)), _FAR)
        inside = np.zeros(cost.shape, bool)
        for index, track in enumerate(tracks):
            farthest = self._set.gate_new_m if track.number is None else self._set.gate_max_m
            for row, (x, y, sd, score) in enumerate(heads):
                eye, noise = self._eye(seen.camera_id, float(sd))
                fit = self._fit(track, np.array([x, y]), noise, eye, farthest)
                if fit is None:
                    continue
                far2, spread = fit
                colour = self._colour_cost(track.colour, seen.colours[row], float(sd))
                if far2 + colour > self._set.gate_sds**2 + self._set.colour_free:
                    continue
                unsure = 2.0 * (score < 0.5 * self._set.sure_score) + 2.0 * (track.number is None)
                inside[index, row], cost[index, row] = True, far2 + spread + colour + unsure
        rows, columns = linear_sum_assignment(cost)
        return [
            (int(row), int(column))
            for row, column in zip(rows, columns, strict=True)
            if inside[row, column]
        ]

    def _eye(self, camera_id: str, sd_m: float) -> tuple[NDArray[np.float64] | None, float]:
        """The camera's place and the noise of a head it sees; a point got otherwise stands for
        itself, with the spread it came with."""
        view = self._views.get(camera_id)
        if view is None or sd_m > self._set.vague_sd_m:
            return None, sd_m
        return view.position, self._set.point_sd_m

    def _fit(
        self,
        track: Track,
        at: NDArray[np.float64],
        noise_m: float,
        eye: NDArray[np.float64] | None,
        farthest_m: float,
    ) -> tuple[float, float] | None:
        """Squared distance in standard deviations and what wide spreads cost; None if outside."""
        expected, jacobian = track.filter.expect(eye)
        apart = at - expected
        if float(apart @ apart) > farthest_m**2:
            return None
        spread2 = jacobian @ track.filter.cov @ jacobian.T
        spread2 += max(noise_m, self._set.gate_sd_min_m) ** 2 * np.eye(2)
        far2 = float(apart @ np.linalg.solve(spread2, apart))
        if far2 > self._set.gate_sds**2:
            return None
        return far2, math.log(float(np.linalg.det(spread2)))

    def _colour_cost(
        self, one: NDArray[np.float64] | None, other: NDArray[np.float32], sd_m: float
    ) -> float:
        """What other clothes cost; a body cut by the border shows as much floor as clothes."""
        if one is None or sd_m > self._set.whole_sd_m or not other.any():
            return 0.0
        gap = float(np.linalg.norm(one - other)) / self._set.colour_sd
        return min(0.5 * gap * gap, self._set.colour_cost_max)

    def _learn_colour(self, track: Track, colour: NDArray[np.float32], sd_m: float) -> None:
        if sd_m > self._set.vague_sd_m or not colour.any():
            return
        fresh = colour.astype(np.float64)
        track.colour = (
            fresh if track.colour is None else track.colour + 0.1 * (fresh - track.colour)
        )

    def _begin(self, seen: CeilingObservation, row: int, matched: list[Track]) -> None:
        """A head that belongs to nobody: somebody new, unless it is too near to be another."""
        x, y, sd, score = (float(value) for value in seen.heads[row])
        vague = sd > self._set.vague_sd_m
        if score < self._set.birth_score_min or len(self._tracks) >= self._set.tracks_max:
            return
        near = self._set.vague_apart_m if vague else self._set.apart_m
        others = self._tracks if vague else matched
        if any(math.hypot(track.x - x, track.y - y) < near for track in others):
            return
        eye, _ = self._eye(seen.camera_id, sd)
        person = PersonFilter(seen.heads[row, :2], sd, eye, seen.t_s, self._set)
        track = Track(person, seen.t_s, seen.t_s, self._weight(sd, score), {seen.camera_id})
        if not vague:
            track.head_s = seen.t_s
        self._learn_colour(track, seen.colours[row], sd)
        self._tracks.append(track)

    def _weight(self, sd_m: float, score: float) -> float:
        """How much one sighting counts towards a track: less if vague, less if unsure."""
        vague = self._set.vague_weight if sd_m > self._set.vague_sd_m else 1.0
        return vague * min(1.0, score / self._set.sure_score)

    def _is_sure(self, track: Track) -> bool:
        age_s = track.seen_s - track.born_s
        if len(track.cameras) >= 2 and track.hits >= self._set.birth_hits_two_cameras:
            return True
        return track.hits >= self._set.birth_hits and age_s >= self._set.birth_age_s

    def _confirm(self, track: Track) -> None:
        link = self._find_link(track)
        track.number = self._count
        self._count += 1
        track.linked_from = link
        track.rival = None if link is not None else self._rival_of(track)
        self._tell(track, "born")

    def _rival_of(self, fresh: Track) -> int | None:
        """The nearest older track that may have lost its person to this one."""
        near = [
            (math.hypot(one.x - fresh.x, one.y - fresh.y), one.number)
            for one in self._tracks
            if one.number is not None and one is not fresh
        ]
        near = [row for row in near if row[0] <= self._set.rival_m]
        return min(near, default=(0.0, None))[1]

    def _give_wrists(self, seen: CeilingObservation) -> None:
        """Each wrist to the nearest body, unless two are about equally near."""
        people = [track for track in self._tracks if track.number is not None]
        for x, y, sd, score in seen.wrists:
            if score < self._set.wrist_score_min or not people:
                continue
            gaps = sorted(
                (math.hypot(track.x - x, track.y - y), index) for index, track in enumerate(people)
            )
            if gaps[0][0] > self._set.arm_m:
                continue
            if len(gaps) > 1 and gaps[1][0] - gaps[0][0] < self._set.wrist_margin_m:
                continue
            owner = people[gaps[0][1]]
            if len(owner.wrists) < _WRISTS_MAX:
                owner.wrists.append(
                    WristPoint(t_s=seen.t_s, x_m=float(x), y_m=float(y), sd_m=float(sd))
                )

    # ------------------------------------------------------------ doubles, losses, links

    def _note_missed(self, matched: list[Track], camera_id: str) -> None:
        """A camera that does not see whom it should takes from the belief in a track."""
        view = self._views.get(camera_id)
        if view is None:
            return
        for track in list(self._tracks):
            if track in matched or not view.covers(
                track.x, track.y, self._set.head_z_m, self._set.covered_px
            ):
                continue
            if track.number is not None:
                track.belief -= self._set.belief_loss
                continue
            track.hits -= self._set.birth_miss
            if track.hits <= 0.0:
                self._tracks.remove(track)

    def _note_together(self, seen: CeilingObservation, pairs: list[tuple[int, int]]) -> None:
        """Two tracks that one frame shows side by side are two people: by their heads, or by
        whole bodies far enough apart; what is cut by the border may be anybody's legs."""
        clear: list[tuple[int, bool, float, float]] = []
        for index, row in pairs:
            number = self._tracks[index].number
            x, y, sd, score = (float(value) for value in seen.heads[row])
            is_head = sd <= self._set.vague_sd_m
            whole = sd <= self._set.whole_sd_m and score >= self._set.sure_score
            if number is not None and (is_head or whole):
                clear.append((number, is_head, x, y))
        clear.sort()
        for first, one in enumerate(clear):
            for other in clear[first + 1 :]:
                apart_m = math.hypot(one[2] - other[2], one[3] - other[3])
                if (one[1] and other[1]) or apart_m >= self._set.beside_m:
                    self._together[one[0], other[0]] = seen.t_s

    def _merge_doubles(self, t_s: float) -> None:
        """Ends the younger of two tracks that stay on one spot and were never seen as two."""
        people = {track.number: track for track in self._tracks if track.number is not None}
        numbers = sorted(
            number for number, track in people.items() if t_s - track.seen_s < self._set.tell_s * 2
        )
        close: dict[tuple[int, int], float] = {}
        for index, older in enumerate(numbers):
            for younger in numbers[index + 1 :]:
                pair = (older, younger)
                apart_s = t_s - self._together.get(pair, -math.inf)
                if apart_s > self._set.double_s and self._is_double(
                    people[older], people[younger], t_s
                ):
                    close[pair] = self._close.get(pair, t_s)
        self._close = close
        self._together = {
            pair: when for pair, when in self._together.items() if people.keys() >= set(pair)
        }
        for pair, since in close.items():
            one, other = people[pair[0]], people[pair[1]]
            if t_s - since >= self._set.double_s and one in self._tracks and other in self._tracks:
                if other.head_s > one.head_s:
                    # The older name goes on with the filter that follows the head.
                    one.filter, one.seen_s, one.head_s = other.filter, other.seen_s, other.head_s
                self._end(other, "ended")

    def _is_double(self, one: Track, other: Track, t_s: float) -> bool:
        """Whether two tracks are near enough to be one person: nearer if both have a head."""
        headless = t_s - min(one.head_s, other.head_s) > self._set.headless_s
        near_m = self._set.double_vague_m if headless else self._set.double_m
        return math.hypot(one.x - other.x, one.y - other.y) < near_m

    def _close_unseen(self, t_s: float) -> None:
        for track in list(self._tracks):
            unseen_s = t_s - track.seen_s
            if track.number is None:
                if unseen_s > self._set.tentative_s:
                    self._tracks.remove(track)
            elif unseen_s > self._set.leave_after_s and self._is_outside(track):
                self._end(track, "ended")
            elif unseen_s > self._set.lost_after_s:
                self._lose(track)
            elif track.belief <= 0.0:
                self._give_up(track)

    def _give_up(self, track: Track) -> None:
        """The cameras do not confirm a track. If another began beside it meanwhile, that one is
        the person, and the older name goes on with it."""
        for other in self._tracks:
            if other.rival is not None and other.rival == track.number and other.belief > 0.0:
                track.filter, track.colour = other.filter, other.colour
                track.seen_s, track.head_s = other.seen_s, other.head_s
                track.belief = other.belief
                self._end(other, "ended")
                return
        if track.filter.t_s - track.born_s < self._set.proven_s:
            self._end(track, "ended")
        else:
            self._lose(track)

    def _is_outside(self, track: Track) -> bool:
        """Whether the track stands where people leave: past the floor's edge or at a gate."""
        edge = self._set.outside_m
        if not (-edge <= track.x <= self._width_m + edge):
            return True
        if not (-edge <= track.y <= self._depth_m + edge):
            return True
        return any(
            distance_m(track.x, track.y, *gate.line_m) < self._set.gate_near_m
            for gate in self._gates
        )

    def _lose(self, track: Track) -> None:
        self._lost.append(self._as_lost(track))
        self._end(track, "lost")

    def _end(self, track: Track, state: str) -> None:
        self._tell(track, state)
        self._tracks.remove(track)

    def _find_link(self, fresh: Track) -> str | None:
        """The lost or unseen track that `fresh` continues, if exactly one fits.

        A track still waiting to be seen is given up for it at once.
        """
        fits: list[tuple[float, str, Track | None]] = []
        for lost in self._lost:
            cost = link_cost(self._as_lost(fresh), fresh.born_s, lost, self._gates, self._set)
            if cost is not None:
                fits.append((cost, lost.track_id, None))
        for track in self._tracks:
            if track.number is None or fresh.born_s - track.seen_s < self._set.relink_after_s:
                continue
            waiting = self._as_lost(track)
            cost = link_cost(self._as_lost(fresh), fresh.born_s, waiting, self._gates, self._set)
            if cost is not None:
                fits.append((cost, waiting.track_id, track))
        fits.sort(key=lambda fit: fit[:2])
        if not fits:
            return None
        if len(fits) > 1 and fits[1][0] - fits[0][0] < self._set.relink_margin:
            return None
        _, track_id, unseen = fits[0]
        if unseen is not None:
            self._lose(unseen)
        self._lost = [lost for lost in self._lost if lost.track_id != track_id]
        return track_id

    def _as_lost(self, track: Track) -> LostTrack:
        return LostTrack(self._id(track), track.x, track.y, track.seen_s, track.colour)

    # ------------------------------------------------------------ telling

    def _id(self, track: Track) -> str:
        return f"{self._prefix}-{track.number}"

    def _tell(self, track: Track, state: str) -> None:
        segment = TrackSegment.model_validate(
            {
                "track_id": self._id(track),
                "state": state,
                "points": (track.point(),),
                "wrists": tuple(track.wrists),
                "linked_from": track.linked_from if state == "born" else None,
            }
        )
        self._news.append(segment)
        track.wrists = []
        track.told_s = track.filter.t_s
