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

from contracts.geometry import Bay
from contracts.messages import HandSeen
from hub.attribution.chances import log_sum, normal, with_floor
from hub.attribution.model import FloorNews, FloorPoint
from hub.attribution.settings import Limits, PeopleTrust

__all__ = ["ANONYMOUS", "Floor", "Sighting", "sighting_of_hand"]

ANONYMOUS = "?"
"""Prefix of the owner id of a track that no visit is bound to."""

_TWO_PI = 2.0 * math.pi


@dataclass(frozen=True, slots=True)
class Sighting:
    """A hand, or a movement of grams, at a place of a bay's front plane in hub time."""

    bay: Bay
    u_m: float
    sd_u_m: float
    t0_s: float
    t1_s: float
    t_sd_s: float
    body: tuple[float, float, float] | None = None
    arm_deg: float | None = None


def sighting_of_hand(bay: Bay, hand: HandSeen, t_sd_s: float) -> Sighting:
    """What a shelf camera's hand says of its owner."""
    body = None
    if hand.body_x_m is not None and hand.body_y_m is not None:
        body = (hand.body_x_m, hand.body_y_m, hand.body_sd_m)
    return Sighting(
        bay=bay,
        u_m=hand.u_m,
        sd_u_m=hand.sd_u_m,
        t0_s=min(hand.t_in_s, hand.t_out_s),
        t1_s=max(hand.t_in_s, hand.t_out_s),
        t_sd_s=t_sd_s,
        body=body,
        arm_deg=hand.arm_deg,
    )


@dataclass(slots=True)
class _Body:
    track_id: str
    ended: bool = False
    points: list[tuple[float, float, float, float]] = field(default_factory=list)
    wrists: list[tuple[float, float, float, float]] = field(default_factory=list)
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
        for body in sorted(self._bodies.values(), key=lambda b: b.track_id):
            owner = self._owner(body, middle_s)
            if owner is None:
                continue
            score = self._fit(body, sighting)
            if score is not None and score > scores.get(owner, -math.inf):
                scores[owner] = score
        scores = dict(
            sorted(scores.items(), key=lambda item: (-item[1], str(item[0])))[: trust.owners_max]
        )
        unseen = math.log(trust.unseen_p)
        if sighting.body is not None:
            x_m, y_m, sd_m = sighting.body
            unseen += trust.temper * self._stand(sighting, x_m, y_m, sd_m * sd_m)
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

    def _fit(self, body: _Body, sighting: Sighting) -> float | None:
        """Log likelihood ratio of one body; None if it was not on the floor then."""
        trust = self._trust
        clock = trust.speed_m_s * sighting.t_sd_s
        total = 0.0
        count = 0
        middle: tuple[float, float, float] | None = None
        for t_s in (sighting.t0_s, 0.5 * (sighting.t0_s + sighting.t1_s), sighting.t1_s):
            at = self._at(body, t_s)
            if at is None:
                continue
            x_m, y_m, variance = at
            variance += clock * clock
            total += self._stand(sighting, x_m, y_m, variance)
            count += 1
            if middle is None or count == 2:
                middle = (x_m, y_m, variance)
        if middle is None:
            return None
        score = total / count
        score += self._wrist(body, sighting)
        score += self._seen_body(sighting, middle)
        score += self._arm(sighting, middle)
        return trust.temper * score

    def _at(self, body: _Body, t_s: float) -> tuple[float, float, float] | None:
        """Position and variance of a body at a time."""
        points = body.points
        if not points:
            return None
        trust = self._trust
        index = bisect_left(points, (t_s,))
        if index == 0:
            gap_s = points[0][0] - t_s
            if gap_s > trust.lost_s:
                return None
            _, x_m, y_m, sd_m = points[0]
            return x_m, y_m, sd_m * sd_m + self._drift(gap_s)
        if index == len(points):
            gap_s = t_s - points[-1][0]
            if gap_s > (trust.edge_s if body.ended else trust.lost_s):
                return None
            _, x_m, y_m, sd_m = points[-1]
            return x_m, y_m, sd_m * sd_m + self._drift(gap_s)
        t0_s, x0_m, y0_m, sd0_m = points[index - 1]
        t1_s, x1_m, y1_m, sd1_m = points[index]
        span_s = t1_s - t0_s
        if span_s > 2.0 * trust.lost_s and min(t_s - t0_s, t1_s - t_s) > trust.lost_s:
            return None
        part = (t_s - t0_s) / span_s
        variance = (1.0 - part) * sd0_m * sd0_m + part * sd1_m * sd1_m
        variance += trust.drift_m2_per_s * span_s * part * (1.0 - part)
        return x0_m + part * (x1_m - x0_m), y0_m + part * (y1_m - y0_m), variance

    def _drift(self, gap_s: float) -> float:
        return self._trust.drift_m2_per_s * gap_s + (0.5 * self._trust.speed_m_s * gap_s) ** 2

    def _stand(self, sighting: Sighting, x_m: float, y_m: float, variance: float) -> float:
        """Log ratio of standing there when reaching to standing anywhere."""
        trust = self._trust
        u_m, out_m = _before_front(sighting.bay, x_m, y_m)
        lateral = trust.lateral_sd_m**2 + sighting.sd_u_m**2 + variance
        depth = trust.stand_sd_m**2 + variance
        density = normal(u_m - sighting.u_m, lateral) * normal(out_m - trust.stand_m, depth)
        flat = trust.elsewhere_per_m2
        return with_floor(density, trust.stand_outlier_p, flat) - math.log(flat)

    def _wrist(self, body: _Body, sighting: Sighting) -> float:
        """Log ratio of the wrists seen near the place while the hand was in."""
        trust = self._trust
        if not self._wrists_reported:
            return 0.0
        slack_s = 0.25 + sighting.t_sd_s
        flat = 2.0 * trust.elsewhere_per_m2
        best: float | None = None
        wrists = body.wrists
        start = bisect_left(wrists, (sighting.t0_s - slack_s,))
        end = bisect_left(wrists, (sighting.t1_s + slack_s, math.inf), start)
        for _, x_m, y_m, sd_m in wrists[start:end]:
            u_m, out_m = _before_front(sighting.bay, x_m, y_m)
            spread = trust.wrist_sd_m**2 + sd_m * sd_m
            away_m = out_m if out_m > 0.0 else min(0.0, out_m + trust.wrist_depth_m)
            density = normal(u_m - sighting.u_m, spread + sighting.sd_u_m**2)
            density *= normal(away_m, spread) * (1.0 - trust.wrist_absent_p)
            ratio = with_floor(density, trust.wrist_outlier_p, flat) - math.log(flat)
            best = ratio if best is None else max(best, ratio)
        absent = math.log(trust.wrist_absent_p)
        # A wrist that is elsewhere may be the other one, while nobody sees the one that reaches.
        return absent if best is None else max(best, absent + math.log(trust.wrist_other_p))

    def _seen_body(self, sighting: Sighting, at: tuple[float, float, float]) -> float:
        """Log ratio of the floor point under the head that the shelf camera saw."""
        if sighting.body is None:
            return 0.0
        trust = self._trust
        x_m, y_m, sd_m = sighting.body
        spread = sd_m * sd_m + at[2] + 0.01
        density = normal(x_m - at[0], spread) * normal(y_m - at[1], spread)
        flat = trust.elsewhere_per_m2
        return with_floor(density, trust.body_outlier_p, flat) - math.log(flat)

    def _arm(self, sighting: Sighting, at: tuple[float, float, float]) -> float:
        """Log ratio of the arm's direction on the floor, from the body to the place."""
        if sighting.arm_deg is None:
            return 0.0
        trust = self._trust
        x_m, y_m = _on_front(sighting.bay, sighting.u_m)
        dx_m, dy_m = x_m - at[0], y_m - at[1]
        distance_m = math.hypot(dx_m, dy_m)
        if distance_m < 0.05:
            return 0.0
        off = math.radians(sighting.arm_deg) - math.atan2(dy_m, dx_m)
        off = (off + math.pi) % _TWO_PI - math.pi
        spread = math.radians(trust.arm_sd_deg) ** 2 + at[2] / max(distance_m, 0.2) ** 2
        return with_floor(normal(off, spread), trust.arm_outlier_p, 1.0 / math.pi) - math.log(
            1.0 / math.pi
        )


def _keep(
    kept: list[tuple[float, float, float, float]], news: Sequence[FloorPoint], most: int
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


def _insert(entries: list[tuple[float, float, float, float]], entry: FloorPoint) -> bool:
    """Puts a point in time order; False if that instant is known."""
    index = bisect_left(entries, (entry.t_s,))
    # Two different points of one instant are two wrists, or two cameras: both stay, sorted.
    if entry in entries[index : index + 8]:
        return False
    insort(entries, entry)
    return True


def _thin(entries: list[tuple[float, float, float, float]], before_s: float, step_s: float) -> None:
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


def _before_front(bay: Bay, x_m: float, y_m: float) -> tuple[float, float]:
    """(u, distance out of the front plane) of a floor point."""
    normal_x, normal_y = bay.normal
    dx_m, dy_m = x_m - bay.origin_m[0], y_m - bay.origin_m[1]
    return -dx_m * normal_y + dy_m * normal_x, dx_m * normal_x + dy_m * normal_y


def _on_front(bay: Bay, u_m: float) -> tuple[float, float]:
    """The floor point under a place of the front plane."""
    normal_x, normal_y = bay.normal
    return bay.origin_m[0] - u_m * normal_y, bay.origin_m[1] + u_m * normal_x
