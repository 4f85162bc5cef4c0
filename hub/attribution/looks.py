"""How well a body on the floor fits a hand at a shelf: where it stood, its wrists, head and arm.

Every reach asks this of every body near it at three moments, so that sums which hold for all bodies
are made once for a sighting, and the densities of hub.attribution.chances are written out.
"""

from __future__ import annotations

import math
from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass

from contracts.geometry import Bay
from contracts.messages import HandSeen
from hub.attribution.chances import normal, with_floor
from hub.attribution.model import FloorPoint
from hub.attribution.settings import PeopleTrust

__all__ = ["Look", "Sighting", "sighting_of_hand"]

_TWO_PI = 2.0 * math.pi
_ROOT_2PI = math.sqrt(_TWO_PI)


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


class Look:
    """One sighting, with all that weighs the same for every body."""

    def __init__(self, trust: PeopleTrust, sighting: Sighting) -> None:
        self._trust = trust
        self._sighting = sighting
        bay, t0_s, t1_s = sighting.bay, sighting.t0_s, sighting.t1_s
        self._times = (t0_s, 0.5 * (t0_s + t1_s), t1_s)
        clock = trust.speed_m_s * sighting.t_sd_s
        self._clock = clock * clock
        self._front = (*bay.origin_m[:2], *bay.normal, sighting.u_m)
        self._lateral = trust.lateral_sd_m**2 + sighting.sd_u_m**2
        self._depth = trust.stand_sd_m**2
        self._kept = 1.0 - trust.stand_outlier_p
        self._floor = trust.stand_outlier_p * trust.elsewhere_per_m2
        self._flat = math.log(trust.elsewhere_per_m2)
        slack_s = 0.25 + sighting.t_sd_s
        self._wrist_span = ((t0_s - slack_s,), (t1_s + slack_s, math.inf))
        self._absent = math.log(trust.wrist_absent_p)

    def fit(
        self, points: Sequence[FloorPoint], wrists: Sequence[FloorPoint] | None, *, ended: bool
    ) -> float | None:
        """Log likelihood ratio of a body; None if it was not on the floor then. `wrists` are None
        where nobody reports any; `ended`: the body left the floor after its last point."""
        total = 0.0
        count = 0
        middle: tuple[float, float, float] | None = None
        for t_s in self._times:
            at = self._at(points, t_s, ended)
            if at is None:
                continue
            x_m, y_m, variance = at
            variance += self._clock
            total += self.stand(x_m, y_m, variance)
            count += 1
            if middle is None or count == 2:
                middle = (x_m, y_m, variance)
        if middle is None:
            return None
        score = total / count
        if wrists is not None:
            score += self._wrist(wrists)
        score += self._seen_body(middle)
        score += self._arm(middle)
        return self._trust.temper * score

    def stand(self, x_m: float, y_m: float, variance: float) -> float:
        """Log ratio of standing there when reaching to standing anywhere."""
        origin_x, origin_y, normal_x, normal_y, u_m = self._front
        dx_m, dy_m = x_m - origin_x, y_m - origin_y
        along = -dx_m * normal_y + dy_m * normal_x - u_m
        out = dx_m * normal_x + dy_m * normal_y - self._trust.stand_m
        lateral = self._lateral + variance
        depth = self._depth + variance
        density = (
            math.exp(-0.5 * along * along / lateral)
            / (_ROOT_2PI * math.sqrt(lateral))
            * (math.exp(-0.5 * out * out / depth) / (_ROOT_2PI * math.sqrt(depth)))
        )
        return math.log(self._kept * density + self._floor) - self._flat

    def _at(
        self, points: Sequence[FloorPoint], t_s: float, ended: bool
    ) -> tuple[float, float, float] | None:
        """Position and variance of a body at a time."""
        if not points:
            return None
        index = bisect_left(points, (t_s,))
        if 0 < index < len(points):
            t0_s, x0_m, y0_m, sd0_m = points[index - 1]
            t1_s, x1_m, y1_m, sd1_m = points[index]
            span_s = t1_s - t0_s
            lost_s = self._trust.lost_s
            if span_s > 2.0 * lost_s and min(t_s - t0_s, t1_s - t_s) > lost_s:
                return None
            part = (t_s - t0_s) / span_s
            rest = 1.0 - part
            variance = rest * sd0_m * sd0_m + part * sd1_m * sd1_m
            variance += self._trust.drift_m2_per_s * span_s * part * rest
            return x0_m + part * (x1_m - x0_m), y0_m + part * (y1_m - y0_m), variance
        trust = self._trust
        if index == 0:
            gap_s = points[0][0] - t_s
            if gap_s > trust.lost_s:
                return None
            _, x_m, y_m, sd_m = points[0]
        else:
            gap_s = t_s - points[-1][0]
            if gap_s > (trust.edge_s if ended else trust.lost_s):
                return None
            _, x_m, y_m, sd_m = points[-1]
        drift = trust.drift_m2_per_s * gap_s + (0.5 * trust.speed_m_s * gap_s) ** 2
        return x_m, y_m, sd_m * sd_m + drift

    def _wrist(self, wrists: Sequence[FloorPoint]) -> float:
        """Log ratio of the wrists seen near the place while the hand was in."""
        trust = self._trust
        begin, end = self._wrist_span
        start = bisect_left(wrists, begin)
        origin_x, origin_y, normal_x, normal_y, u_m = self._front
        blur = self._sighting.sd_u_m**2
        depth_m, seen_p = trust.wrist_depth_m, 1.0 - trust.wrist_absent_p
        own = trust.wrist_sd_m**2
        best = -1.0
        known_sd_m = -1.0
        for _, x_m, y_m, sd_m in wrists[start : bisect_left(wrists, end, start)]:
            if sd_m != known_sd_m:
                known_sd_m = sd_m
                spread = own + sd_m * sd_m
                wide = spread + blur
                by_wide, by_spread = _ROOT_2PI * math.sqrt(wide), _ROOT_2PI * math.sqrt(spread)
            dx_m, dy_m = x_m - origin_x, y_m - origin_y
            along = -dx_m * normal_y + dy_m * normal_x - u_m
            out_m = dx_m * normal_x + dy_m * normal_y
            away_m = out_m if out_m > 0.0 else min(0.0, out_m + depth_m)
            density = math.exp(-0.5 * along * along / wide) / by_wide
            density *= math.exp(-0.5 * away_m * away_m / spread) / by_spread * seen_p
            if density > best:
                best = density
        absent = self._absent
        if best < 0.0:
            return absent
        flat = 2.0 * trust.elsewhere_per_m2
        ratio = with_floor(best, trust.wrist_outlier_p, flat) - math.log(flat)
        # A wrist that is elsewhere may be the other one, while nobody sees the one that reaches.
        return max(ratio, absent + math.log(trust.wrist_other_p))

    def _seen_body(self, at: tuple[float, float, float]) -> float:
        """Log ratio of the floor point under the head that the shelf camera saw."""
        seen = self._sighting.body
        if seen is None:
            return 0.0
        trust = self._trust
        x_m, y_m, sd_m = seen
        spread = sd_m * sd_m + at[2] + 0.01
        density = normal(x_m - at[0], spread) * normal(y_m - at[1], spread)
        flat = trust.elsewhere_per_m2
        return with_floor(density, trust.body_outlier_p, flat) - self._flat

    def _arm(self, at: tuple[float, float, float]) -> float:
        """Log ratio of the arm's direction on the floor, from the body to the place."""
        arm_deg = self._sighting.arm_deg
        if arm_deg is None:
            return 0.0
        trust = self._trust
        x_m, y_m = _on_front(self._sighting.bay, self._sighting.u_m)
        dx_m, dy_m = x_m - at[0], y_m - at[1]
        distance_m = math.hypot(dx_m, dy_m)
        if distance_m < 0.05:
            return 0.0
        off = math.radians(arm_deg) - math.atan2(dy_m, dx_m)
        off = (off + math.pi) % _TWO_PI - math.pi
        spread = math.radians(trust.arm_sd_deg) ** 2 + at[2] / max(distance_m, 0.2) ** 2
        return with_floor(normal(off, spread), trust.arm_outlier_p, 1.0 / math.pi) - math.log(
            1.0 / math.pi
        )


def _on_front(bay: Bay, u_m: float) -> tuple[float, float]:
    """The floor point under a place of the front plane."""
    normal_x, normal_y = bay.normal
    return bay.origin_m[0] - u_m * normal_y, bay.origin_m[1] + u_m * normal_x
