"""The floor as the hub remembers it: tracks with their recent positions, in hub time."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, field

from hub.attribution.model import FloorNews

__all__ = ["Floor", "Point", "Track"]

Point = tuple[float, float]


@dataclass(slots=True)
class Track:
    """One body on the floor. `lost_s`: when it was last seen, if it is lost; `unwatched`: because
    its node stopped, so that nobody knows who came and went since. `came_by`: the entry gate it was
    first seen at, "" for none, None if nobody has looked. `outside_s`: when it was first seen away
    from that gate. `told`: it had a visit, or staff know that it has none. `follows`: the track
    that it continues, if both were a body's whose entry was not answered yet. `watched_s`: since
    when who tells of it had seen the floor without a gap, None if nobody knows. `undated`: the boot
    that told of it, if it did before anybody knew its clock."""

    track_id: str
    points: deque[tuple[float, float, float]]
    visit_id: str | None = None
    lost_s: float | None = None
    linked: bool = False
    unwatched: bool = False
    born_s: float = 0.0
    came_by: str | None = None
    outside_s: float | None = None
    told: bool = False
    follows: str | None = None
    watched_s: float | None = None
    undated: str | None = None

    def watched(self, t_s: float) -> bool:
        """Whether a body that was first seen after `t_s` would have been seen then, too."""
        return self.watched_s is not None and self.watched_s <= t_s

    @property
    def last(self) -> tuple[float, float, float] | None:
        """The latest (t_s, x_m, y_m)."""
        return self.points[-1] if self.points else None

    def at(self, t_s: float, *, slack_s: float) -> Point | None:
        """Where the body was at a time, between its points or within `slack_s` of one."""
        before = after = None
        for t, x, y in reversed(self.points):
            if t >= t_s:
                after = (t, x, y)
            else:
                before = (t, x, y)
                break
        if before is not None and after is not None and after[0] - before[0] <= 2 * slack_s:
            share = (t_s - before[0]) / (after[0] - before[0])
            return (
                before[1] + share * (after[1] - before[1]),
                before[2] + share * (after[2] - before[2]),
            )
        near = [p for p in (before, after) if p is not None and abs(p[0] - t_s) <= slack_s]
        if not near:
            return None
        best = min(near, key=lambda p: abs(p[0] - t_s))
        return best[1], best[2]


@dataclass(slots=True)
class Floor:
    """All tracks, and up to when the floor's news goes."""

    tracks_max: int
    points_max: int
    time_s: float = 0.0
    tracks: dict[str, Track] = field(default_factory=dict)
    forgotten: int = 0

    def news(self, segment: FloorNews, t_s: float) -> tuple[Track, int]:
        """Takes a segment in (hub time); returns the track and how many points are new."""
        track_id, state, points, _wrists, _linked = segment
        track = self.tracks.get(track_id)
        if track is None:
            track = Track(track_id, deque(maxlen=self.points_max))
            track.born_s = points[0][0] if points else t_s
            self.tracks[track_id] = track
            self._forget_one()
        fresh = 0
        kept = track.points
        for at_s, x_m, y_m, _sd_m in points:
            if not kept or at_s > kept[-1][0]:
                kept.append((at_s, x_m, y_m))
                fresh += 1
        if state == "lost" or state == "ended":
            last = track.last
            if track.lost_s is None:
                track.lost_s = last[0] if last is not None else t_s
        elif fresh or state == "born":
            track.lost_s = None
        return track, fresh

    def lose_all(self, prefix_of: set[str] | None = None) -> None:
        """The node that owns the floor began anew: its old tracks will not move again."""
        for track in self.tracks.values():
            if prefix_of is None or track.track_id in prefix_of:
                self.lose(track)

    def lose(self, track: Track) -> None:
        """The node that owns the track began anew: it will not move again."""
        if track.lost_s is None:
            track.lost_s = track.last[0] if track.last is not None else self.time_s
            track.unwatched = True

    def forget_older(self, t_s: float) -> None:
        """Drops tracks without a visit that were lost before a time."""
        old = [
            name
            for name, track in self.tracks.items()
            if track.visit_id is None and track.lost_s is not None and track.lost_s < t_s
        ]
        for name in old:
            del self.tracks[name]

    def distance_m(self, track: Track, point: Point) -> float:
        """How far the track's latest position is from a point; infinite if it has none."""
        last = track.last
        return math.inf if last is None else math.dist(last[1:], point)

    def _forget_one(self) -> None:
        if len(self.tracks) <= self.tracks_max:
            return
        for name, track in self.tracks.items():
            if track.visit_id is None:
                del self.tracks[name]
                self.forgotten += 1
                return
