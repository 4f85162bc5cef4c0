"""Who: floor tracks, the visits bound to them, and how well each body fits a hand at a shelf.

A body that reaches stands about half a metre before the front plane, roughly opposite its hand;
a wrist that a ceiling camera saw at the place, the floor point under the head at the other end of
the arm, and the arm's direction each say more. Every term is a likelihood ratio against a person
who is not reaching, so people far away weigh next to nothing and somebody unseen stays possible.
Between two points of a track the variance grows as a Brownian bridge's, after the last one with
time.
"""

from __future__ import annotations

import math
from bisect import bisect_left, insort
from collections.abc import Sequence
from dataclasses import dataclass, field

from hub.attribution.chances import log_sum
from hub.attribution.looks import Look, Sighting
from hub.attribution.model import FloorNews, FloorPoint
from hub.attribution.settings import Limits, PeopleTrust

__all__ = ["ANONYMOUS", "Floor"]

ANONYMOUS = "?"
"""Prefix of the owner id of a track that no visit is bound to."""


@dataclass(slots=True)
class _Body:
    track_id: str
    ended: bool = False
    points: list[FloorPoint] = field(default_factory=list)
    wrists: list[FloorPoint] = field(default_factory=list)
    bound: list[tuple[float, str]] = field(default_factory=list)


class Floor:
    """All tracks in hub time. Points may come late, twice and in any order."""

    def __init__(self, trust: PeopleTrust, limits: Limits) -> None:
        self._trust = trust
        self._limits = limits
        self._points_max = limits.points_max
        self._bodies: dict[str, _Body] = {}
        self._ended: dict[str, float] = {}
        self._wrists_reported = False
        self.known_until_s = -math.inf

    # ------------------------------------------------------------ news

    def add(self, segment: FloorNews) -> tuple[float, float] | None:
        """Takes news of a track; returns the span of the new points, None if there are none."""
        track_id, state, points, wrists, _linked_from = segment
        body = self._bodies.get(track_id)
        if body is None:
            body = self._body(track_id)
        if state == "ended":
            body.ended = True
        elif points and state != "lost":
            body.ended = False
        span = _keep(body.points, points, self._points_max)
        if wrists:
            self._wrists_reported = True
            near = _keep(body.wrists, wrists, self._points_max)
            if span is None:
                span = near
            elif near is not None and near != span:
                span = min(span[0], near[0]), max(span[1], near[1])
        if span is not None and body.points and body.points[-1][0] > self.known_until_s:
            self.known_until_s = body.points[-1][0]
        return span

    def bind(self, visit_id: str, track_id: str, t_s: float) -> bool:
        """Binds a track to a visit from a time on; False if that was known."""
        body = self._body(track_id)
        if (t_s, visit_id) in body.bound:
            return False
        insort(body.bound, (t_s, visit_id))
        return True

    def names_of(self, track_id: str) -> frozenset[str]:
        """All that a track was ever called: nobody known, and the visits it was bound to."""
        bound = self._body(track_id).bound
        return frozenset([ANONYMOUS + track_id, *(visit_id for _, visit_id in bound)])

    def end(self, visit_id: str, t_s: float) -> None:
        """The visit is over: nothing later is its own."""
        self._ended[visit_id] = t_s

    def forget(self, visit_id: str) -> None:
        """Drops the tracks that only this visit was bound to."""
        for track_id, body in list(self._bodies.items()):
            if any(who == visit_id for _, who in body.bound) and all(
                who == visit_id for _, who in body.bound
            ):
                del self._bodies[track_id]
        self._ended.pop(visit_id, None)

    def tidy(self, now_s: float) -> None:
        """Thins points older than `fine_s`; drops tracks silent for long, or beyond the bound."""
        before_s = now_s - self._limits.fine_s
        for track_id, body in list(self._bodies.items()):
            if body.points and body.points[-1][0] < now_s - self._limits.live_s:
                del self._bodies[track_id]
                continue
            _thin(body.points, before_s, self._limits.coarse_step_s)
            _thin(body.wrists, before_s - self._limits.fine_s, self._limits.coarse_step_s)
        while len(self._bodies) > self._limits.tracks_max:
            silent = min(
                self._bodies.values(),
                key=lambda b: (b.points[-1][0] if b.points else -math.inf, b.track_id),
            )
            del self._bodies[silent.track_id]

    def _body(self, track_id: str) -> _Body:
        body = self._bodies.get(track_id)
        if body is None:
            body = self._bodies[track_id] = _Body(track_id)
        return body

    @property
    def size(self) -> int:
        """Points in memory."""
        return sum(len(body.points) + len(body.wrists) for body in self._bodies.values())

    def several(self, t_s: float) -> frozenset[str]:
        """Visits of which several bodies were on the floor at a time."""
        once: set[str] = set()
        more: set[str] = set()
        for body in self._bodies.values():
            if not (body.bound and body.points and body.points[0][0] <= t_s <= body.points[-1][0]):
                continue
            visit = self._owner(body, t_s)
            if visit is not None:
                (more if visit in once else once).add(visit)
        return frozenset(more)

    # ------------------------------------------------------------ who

    def who(self, sighting: Sighting) -> dict[str | None, float]:
        """Log-probabilities of the owners of a hand; they sum to one with None, somebody unseen.

        At most `owners_max` owners beside None; visits that had not begun or had ended are none.
        """
        trust = self._trust
        middle_s = 0.5 * (sighting.t0_s + sighting.t1_s)
        scores: dict[str | None, float] = {}
        look = Look(trust, sighting)
        for _, body in sorted(self._bodies.items()):
            owner = self._owner(body, middle_s)
            if owner is None:
                continue
            wrists = body.wrists if self._wrists_reported else None
            score = look.fit(body.points, wrists, ended=body.ended)
            if score is not None and score > scores.get(owner, -math.inf):
                scores[owner] = score
        scores = dict(
            sorted(scores.items(), key=lambda item: (-item[1], str(item[0])))[: trust.owners_max]
        )
        unseen = math.log(trust.unseen_p)
        if sighting.body is not None:
            x_m, y_m, sd_m = sighting.body
            unseen += trust.temper * look.stand(x_m, y_m, sd_m * sd_m)
        scores[None] = unseen
        total = log_sum(scores.values())
        return {owner: score - total for owner, score in scores.items()}

    def _owner(self, body: _Body, t_s: float) -> str | None:
        """The owner of a track at a time; None if its visit was over by then."""
        visit = None
        for from_s, visit_id in body.bound:
            if from_s <= t_s + self._trust.edge_s:
                visit = visit_id
        if visit is None and body.bound and body.points and t_s < body.points[0][0]:
            # Before its first point a track can only be the body that it was found to be.
            visit = body.bound[0][1]
        if visit is None:
            return ANONYMOUS + body.track_id
        ended_s = self._ended.get(visit)
        if ended_s is not None and t_s > ended_s + self._trust.edge_s:
            return None
        return visit


def _keep(
    kept: list[FloorPoint], news: Sequence[FloorPoint], most: int
) -> tuple[float, float] | None:
    """Adds points to those of a body; the span of those that were not known, None if none."""
    first_s, last_s = math.inf, -math.inf
    for point in news:
        t_s = point[0]
        # News mostly comes in order.
        if not kept or t_s > kept[-1][0]:
            kept.append(point)
        elif not _insert(kept, point):
            continue
        if t_s < first_s:
            first_s = t_s
        if t_s > last_s:
            last_s = t_s
    if len(kept) > most:
        del kept[: len(kept) - most]
    return (first_s, last_s) if last_s > -math.inf else None


def _insert(entries: list[FloorPoint], entry: FloorPoint) -> bool:
    """Puts a point in time order; False if that instant is known."""
    index = bisect_left(entries, entry[:1])
    # Two different points of one instant are two wrists, or two cameras: both stay, sorted.
    if entry in entries[index : index + 8]:
        return False
    insort(entries, entry)
    return True


def _thin(entries: list[FloorPoint], before_s: float, step_s: float) -> None:
    """Keeps one point per step among those older than `before_s`."""
    end = bisect_left(entries, (before_s,))
    if end < 3:
        return
    kept = []
    last_cell: int | None = None
    for entry in entries[:end]:
        cell = math.floor(entry[0] / step_s)
        if cell != last_cell:
            kept.append(entry)
            last_cell = cell
    entries[:end] = kept
