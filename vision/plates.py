"""Plates: lasting steps of weight in noisy, drifting, shaken 60 Hz readings.

    watch = PlateWatch(bay, plates)
    news = watch.step(t_s, grams)        # (N,) seconds, (N, P) grams, NaN where nothing was read
    for step in news.steps: ...          # contracts.messages.GramStep

Absolute readings mean nothing (tare, drift), so only differences are used. Each plate is judged
against its own idle noise, learned while it rests: a plate *moves* when the variance of the last
`settle_s`, or its slope, leaves that noise, and has *settled* when both are back. The step is the
level after settling minus the level before, with the noise of both, and what the plate wanders
meanwhile, as its spread. A shove or somebody who leans on the gondola moves plates and leaves
their level as it was: no step. Rest between two quick steps tells them apart.

Readings are worked off in hops of 1/15 s whatever the size of the batches, so that the same
readings give the same steps however they are cut.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Bay, Plate
from contracts.messages import GramStep
from vision.observations import PlateNews
from vision.plates_settings import PlateSettings

__all__ = ["PlateSettings", "PlateWatch"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_HOPS_PER_S = 15.0
_SETTLE_HOPS = 6
_PLATEAU_HOPS = 3
_TAIL_HOPS = 2  # the first settled hops may still creep to the level; not measured
_LAG_HOP = 2  # hop of the settled window that feeds the level: three hops old, free of onsets
_SHORT_HOPS = 6
_LONG_HOPS = 96
_LEARN_EVERY = 3  # hops
_FROZEN_S = 0.3
_SLOW_S = 1.0  # slow noise has forgotten itself by then
_PENDING_MAX = 256  # echoes and steps remembered to find each other
_STEPS_MAX = 64  # lasting steps of one call; more is a fault of the readings


class PlateWatch:
    """Finds lasting steps on the plates of one bay. Column p of all arrays is `plates[p]`.

    ValueError if a plate belongs to another bay or readings have the wrong shape.
    """

    def __init__(
        self, bay: Bay, plates: Sequence[Plate], settings: PlateSettings | None = None
    ) -> None:
        strangers = [plate.plate_id for plate in plates if plate.bay_id != bay.bay_id]
        if strangers:
            raise ValueError(f"expected plates of bay {bay.bay_id}, got {', '.join(strangers)}")
        self._bay_id = bay.bay_id
        self._plates = tuple(plates)
        self._set = settings or PlateSettings()
        count = len(self._plates)
        self._hop = max(2, round(self._set.rate_hz / _HOPS_PER_S))
        self._settle = self._hop * _SETTLE_HOPS
        self._level_hops = max(_SETTLE_HOPS, round(self._set.level_s * _HOPS_PER_S))
        self._history = max(2 * self._settle, round(self._set.history_s * self._set.rate_hz))
        self._boards = [plate.board_id for plate in self._plates]

        self._rest_t: Floats = np.zeros(0)
        self._rest_x: Floats = np.zeros((0, count))
        self._ring_t: Floats = np.zeros(2 * self._history)
        self._ring_x: Floats = np.zeros((2 * self._history, count))
        self._end = 0
        self._hops = 0
        self._t = 0.0
        self._last: Floats = np.full(count, np.nan)
        self._seen: Floats = np.full(count, np.nan)
        self._hop_sum: Floats = np.zeros((_SETTLE_HOPS, count))
        self._hop_sq: Floats = np.zeros((_SETTLE_HOPS, count))
        self._means: Floats = np.zeros((_LONG_HOPS + 1, count))
        self._warm: list[Floats] = []
        self._warm_means: list[Floats] = []

        self._ready: Bools = np.zeros(count, bool)
        self._level: Floats = np.zeros(count)
        self._level_t: Floats = np.zeros(count)
        self._level_n: Floats = np.full(count, float(_SETTLE_HOPS))
        self._noise2: Floats = np.ones(count)
        self._half2: Floats = np.ones(count)
        self._short2: Floats = np.ones(count)
        self._long2: Floats = np.ones(count)
        self._flag: Bools = np.zeros(count, bool)
        self._since: Floats = np.zeros(count)
        self._told_to: Floats = np.full(count, -np.inf)
        self._quiet_hops = np.zeros(count, np.int64)
        self._read_hops = np.zeros(count, np.int64)
        self._crowd_until = -np.inf
        self._calm_hops = np.zeros(count, np.int64)
        self._gap_t: Floats = np.full(count, -np.inf)
        self._read_t: Floats = np.full(count, -np.inf)
        self._change_t: Floats = np.full(count, -np.inf)
        self._rest_n = np.zeros(count, np.int64)
        self._rest_level: Floats = np.zeros(count)
        self._rest_at: Floats = np.zeros(count)
        self._told: deque[tuple[int, GramStep]] = deque(maxlen=_PENDING_MAX)
        self._echoes: deque[tuple[int, GramStep]] = deque(maxlen=_PENDING_MAX)

    @property
    def ready(self) -> bool:
        """Whether every plate that gives readings has been learned or restored."""
        return self._hops >= _SETTLE_HOPS and bool(np.all(self._ready | self._dead()))

    def step(self, t_s: NDArray[np.float64], grams: NDArray[Any]) -> PlateNews:
        """Takes readings `t_s` (N,) and `grams` (N, P) and says what is new; N may be 0."""
        readings = np.asarray(grams, np.float64)
        times = np.asarray(t_s, np.float64)
        if readings.ndim != 2 or readings.shape != (len(times), len(self._plates)):
            raise ValueError(
                f"expected grams of shape ({len(times)}, {len(self._plates)}), one column for each "
                f"plate, got {readings.shape}"
            )
        if len(self._rest_t):
            times = np.concatenate([self._rest_t, times])
            readings = np.concatenate([self._rest_x, readings])
        steps: list[GramStep] = []
        whole = len(times) - len(times) % self._hop
        for start in range(0, whole, self._hop):
            stop = start + self._hop
            self._take(times[start:stop], readings[start:stop], steps)
        self._rest_t, self._rest_x = times[whole:].copy(), readings[whole:].copy()
        dead = self._dead()
        moves = np.flatnonzero(self._flag & self._ready & ~dead)
        return PlateNews(
            bay_id=self._bay_id,
            t_s=self._t,
            steps=tuple(steps[:_STEPS_MAX]),
            moving=tuple((self._plates[p].plate_id, float(self._since[p])) for p in moves),
            dead=tuple(self._plates[p].plate_id for p in np.flatnonzero(dead)),
        )

    # ------------------------------------------------------------ state

    def snapshot(self) -> dict[str, dict[str, float]]:
        """Level and noise of each plate by plate id, plain floats, for `restore`."""
        rows = {}
        for p, plate in enumerate(self._plates):
            if self._ready[p]:
                rows[plate.plate_id] = {
                    "level_g": float(self._level[p]),
                    "level_t_s": float(self._level_t[p]),
                    "level_n": float(self._level_n[p]),
                    "noise2": float(self._noise2[p]),
                    "half2": float(self._half2[p]),
                    "short2": float(self._short2[p]),
                    "long2": float(self._long2[p]),
                }
        return rows

    def restore(self, state: Mapping[str, Mapping[str, float]]) -> None:
        """Takes up what an earlier watch of the same plates knew, before the first reading.

        A plate whose level differs once it has settled has stepped in between: the step is told
        as begun when the level was last known. Unknown plates are ignored, missing ones learned.
        """
        for p, plate in enumerate(self._plates):
            row = state.get(plate.plate_id)
            if row is None:
                continue
            self._level[p] = row["level_g"]
            self._level_t[p] = self._since[p] = row["level_t_s"]
            self._level_n[p] = row["level_n"]
            self._noise2[p] = row["noise2"]
            self._half2[p] = row["half2"]
            self._short2[p] = row["short2"]
            self._long2[p] = row["long2"]
            self._ready[p] = True

    # ------------------------------------------------------------ one hop

    def _take(self, t: Floats, x: Floats, steps: list[GramStep]) -> None:
        self._t = float(t[-1])
        x = self._filled(t, x)
        self._remember(t, x)
        self._hops += 1
        self._hop_sum[:-1] = self._hop_sum[1:]
        self._hop_sq[:-1] = self._hop_sq[1:]
        x.sum(axis=0, out=self._hop_sum[-1])
        np.einsum("np,np->p", x, x, out=self._hop_sq[-1])
        if self._hops < _SETTLE_HOPS:
            return
        total = self._hop_sum.sum(axis=0)
        mean = total / self._settle
        variance = self._hop_sq.sum(axis=0) / self._settle - mean * mean
        recent = self._hop * _PLATEAU_HOPS
        late_sum = self._hop_sum[-_PLATEAU_HOPS:].sum(axis=0)
        late = late_sum / recent
        half = late - (total - late_sum) / (self._settle - recent)
        if not self._ready.all():
            self._learn_first(mean, variance)
        # A plate that moved creeps to its new level: its slope is believed less readily.
        slope_max = np.where(self._flag, 5.0, 16.0) * self._half2
        quiet = (variance < 2.6 * self._noise2) & (half * half < slope_max)
        quiet &= self._read_hops >= _SETTLE_HOPS
        offset = self._hop_sum[-1] / self._hop - self._level
        calm = offset * offset < 25.0 * (self._noise2 / self._hop + self._short2)
        settled = quiet & (calm | self._flag) & self._ready
        self._flag_restless(quiet & calm)
        self._find(mean, late, settled, steps)
        self._follow(mean, variance, half, settled & ~self._flag)
        if self._echoes:
            self._publish_echoes(steps)

    def _filled(self, t: Floats, x: Floats) -> Floats:
        """Readings with gaps held at the last value, and who gave none, or always the same."""
        read = np.isfinite(x)
        if read.all():
            self._read_t[:] = t[-1]
            self._read_hops += 1
        else:
            some = read.any(axis=0)
            self._read_t[some] = t[-1]
            self._read_hops[some] += 1
            self._read_hops[~some] = 0
            self._gap_t[~some] = t[-1]
            x = x.copy()
            hold = np.where(np.isfinite(self._last), self._last, 0.0)
            for row, good in zip(x, read, strict=True):
                row[~good] = hold[~good]
                hold = row
        if self._hops % _LEARN_EVERY == 0:
            self._change_t[x[-1] != self._seen] = t[-1]
            self._seen = x[-1]
        self._last = x[-1]
        return x

    def _dead(self) -> Bools:
        silent = self._t - self._read_t > self._set.silent_s
        stuck = self._t - self._change_t > self._set.stuck_s
        return np.asarray((silent | stuck) & (self._hops > 0))

    def _remember(self, t: Floats, x: Floats) -> None:
        count = len(t)
        if self._end + count > len(self._ring_t):
            keep = self._history
            self._ring_t[:keep] = self._ring_t[self._end - keep : self._end]
            self._ring_x[:keep] = self._ring_x[self._end - keep : self._end]
            self._end = keep
        self._ring_t[self._end : self._end + count] = t
        self._ring_x[self._end : self._end + count] = x
        self._end += count

    # ------------------------------------------------------------ noise and level

    def _learn_first(self, mean: Floats, variance: Floats) -> None:
        """Noise and level of plates that nothing is known of, from the calm part of warm-up."""
        self._warm.append(variance)
        self._warm_means.append(mean)
        if len(self._warm) < round(self._set.warm_up_s * _HOPS_PER_S):
            return
        variances = np.array(self._warm)
        means = np.array(self._warm_means)
        self._warm.clear()
        self._warm_means.clear()
        fresh = ~self._ready & (self._read_hops >= len(variances))
        noise2 = 1.2 * np.percentile(variances, 25, axis=0)
        low, high = self._set.noise_g_min**2, self._set.noise_g_max**2
        columns = np.arange(len(self._plates))
        calmest = means[np.argmin(variances, axis=0), columns]
        self._noise2[fresh] = np.clip(noise2, low, high)[fresh]
        self._half2[fresh] = self._noise2[fresh] / 6.0
        self._short2[fresh] = self._noise2[fresh] / 6.0
        self._long2[fresh] = self._noise2[fresh] / 2.5
        self._level[fresh] = calmest[fresh]
        self._level_t[fresh] = self._t
        self._ready |= fresh

    def _flag_restless(self, quiet: Bools) -> None:
        """Flags plates that left their rest and looks up when they did."""
        fresh = np.flatnonzero(~quiet & ~self._flag & self._ready)
        if not len(fresh):
            return
        back = min(self._end, self._settle + self._hop)
        window = self._ring_x[self._end - back : self._end, fresh]
        off = np.abs(window - self._level[fresh]) > 4.0 * np.sqrt(self._noise2[fresh])
        first = np.where(off.any(axis=0), np.maximum(off.argmax(axis=0) - 1, 0), back - self._hop)
        since = self._ring_t[self._end - back + first]
        known_t = self._level_t[fresh]
        gap = (self._read_hops[fresh] < _SETTLE_HOPS) | (known_t < self._ring_t[self._end - back])
        since = np.where(gap, np.minimum(since, known_t), since)
        self._since[fresh] = np.maximum(since, self._told_to[fresh])
        self._flag[fresh] = True
        self._rest_n[fresh] = 0

    def _follow(self, mean: Floats, variance: Floats, half: Floats, idle: Bools) -> None:
        """Lets levels drift and learns noise, while idle; restless plates learn a higher noise."""
        self._quiet_hops = np.where(idle, self._quiet_hops + 1, 0)
        lagged = self._hop_sum[_LAG_HOP] / self._hop
        fed = self._quiet_hops > _SETTLE_HOPS - _LAG_HOP
        gain = np.where(fed, 1.0 / (self._level_n + 1.0), 0.0)
        self._level += gain * (lagged - self._level)
        self._level_t[idle] = self._t
        np.minimum(self._level_n + fed, self._level_hops - 1.0, out=self._level_n)
        self._means[self._hops % len(self._means)] = mean
        if self._hops % _LEARN_EVERY == 0:
            self._learn_noise(variance, half, idle)
        if self._hops % _SHORT_HOPS == 0:
            self._learn_wander(mean)

    def _learn_noise(self, variance: Floats, half: Floats, idle: Bools) -> None:
        rate = np.where(variance < 0.4 * self._noise2, 0.1, 1.0 / 150.0)
        # A plate that always reads the same is stuck or nearly so: it says nothing of its noise.
        alive = self._t - self._change_t < _FROZEN_S
        rate = np.where(idle & alive, _LEARN_EVERY * rate, 0.0)
        if self._flag.any():
            restless = self._flag & (self._t - self._since > self._set.restless_s)
            rate[restless & (self._read_hops >= _SETTLE_HOPS)] = _LEARN_EVERY / 75.0
        self._noise2 += rate * (variance - self._noise2)
        np.maximum(self._noise2, self._set.noise_g_min**2, out=self._noise2)
        np.minimum(self._noise2, self._set.noise_g_max**2, out=self._noise2)
        self._half2 += rate * (half * half - self._half2)
        np.maximum(self._half2, self._noise2 / 8.0, out=self._half2)

    def _learn_wander(self, mean: Floats) -> None:
        size = len(self._means)
        short = mean - self._means[(self._hops - _SHORT_HOPS) % size]
        known = self._quiet_hops >= 2 * _SHORT_HOPS
        self._short2 += np.where(known, 0.03, 0.0) * (short * short - self._short2)
        long = mean - self._means[(self._hops - _LONG_HOPS) % size]
        known = self._quiet_hops >= _LONG_HOPS + _SHORT_HOPS
        self._long2 += np.where(known, 0.03, 0.0) * (long * long - self._long2)
        np.maximum(self._short2, self._noise2 / (2.0 * self._settle), out=self._short2)

    def _window2(self) -> Floats:
        """Variance of the level of one settled window."""
        return np.maximum(0.5 * self._short2, self._noise2 / self._settle)

    def _spread2(self, window2: Floats) -> Floats:
        """Variance of (settled window - level before): noise of both and what wanders between.

        `short2` is the mean square of the difference of two neighbouring windows, twice the
        variance of one. What `long2`, the same six seconds apart, has more is slow noise, there
        after about a second, or drift: a ramp, once the gap is longer than those seconds.
        """
        before = window2 * np.maximum(_SETTLE_HOPS / self._level_n, 0.2)
        gap_s = np.maximum(self._t - self._level_t, _SETTLE_HOPS / _HOPS_PER_S)
        lag_s = (_LONG_HOPS - _SHORT_HOPS) / _HOPS_PER_S
        share = np.minimum(gap_s / _SLOW_S, 1.0) + np.maximum(gap_s / lag_s - 1.0, 0.0) ** 2
        wander = np.maximum(self._long2 - self._short2, 0.0) * share
        return np.asarray(before + 1.57 * window2 + np.minimum(wander, 1e6) + 1e-4)

    # ------------------------------------------------------------ steps

    def _find(self, mean: Floats, late: Floats, settled: Bools, steps: list[GramStep]) -> None:
        flagged = bool(self._flag.any())
        if not flagged and self._hops % 3:
            return
        self._calm_hops = np.where(settled & self._flag, self._calm_hops + 1, 0)
        window2 = self._window2()
        spread2 = self._spread2(window2)
        restless = np.count_nonzero(self._flag & (self._calm_hops == 0))
        if restless >= self._set.crowd_plates:
            self._crowd_until = self._t + _SETTLE_HOPS / _HOPS_PER_S
        ripe = self._calm_hops > _TAIL_HOPS
        if self._t < self._crowd_until:
            ripe &= self._t - self._since > self._set.restless_s
        for p in np.flatnonzero(ripe):
            self._settle_plate(int(p), float(window2[p]), float(spread2[p]), steps)
        least2 = np.maximum(self._set.step_sds_min**2 * spread2, self._set.step_g_min**2)
        jump = mean - self._level
        crept = settled & ~self._flag & (self._calm_hops == 0) & (jump * jump > least2)
        if crept.any():
            # Too slow for the variance to see: looked at again as if it had just settled.
            since = self._t - _SETTLE_HOPS / _HOPS_PER_S
            self._since[crept] = np.maximum(since, self._told_to[crept])
            self._flag |= crept
        if self._flag.any():
            self._find_rests(late, spread2, steps)

    def _settle_plate(self, p: int, window2: float, spread2: float, steps: list[GramStep]) -> None:
        """The plate rests again: a step, an echo of a neighbour's, or nothing.

        A small step is looked at for `confirm_s`, because a light touch rests as quietly.
        """
        look = max(_SETTLE_HOPS, round(self._set.confirm_s * _HOPS_PER_S))
        hops = min(int(self._calm_hops[p]) - 1 - _TAIL_HOPS + _SETTLE_HOPS, look)
        window = self._ring_x[self._end - hops * self._hop : self._end, p]
        after = float(np.median(window))
        size = abs(after - float(self._level[p]))
        sd = float(np.sqrt(spread2 - 1.57 * window2 * (1.0 - _SETTLE_HOPS / hops)))
        small = max(self._set.small_sds_max * sd, self._set.small_g_max)
        quiet = max(self._set.echo_sds_min * sd, self._set.echo_g_min)
        if quiet < size < small and (hops < look or self._waits_for_others(p)):
            return
        self._flag[p] = False
        self._rest_n[p] = 0
        if size > max(self._set.step_sds_min * sd, self._set.step_g_min):
            self._tell(p, after, sd, self._t, steps)
        elif size > quiet:
            self._echoes.append((p, self._gram_step(p, after, sd, self._t)))
            self._set_level(p, after)
        else:
            self._level_n[p] = min(self._level_n[p], 2.0 * _SETTLE_HOPS)
            self._told_to[p] = self._t

    def _waits_for_others(self, p: int) -> bool:
        """Whether others still move, whose echo a small step may be: they are told first."""
        others = np.count_nonzero(self._flag & (self._calm_hops <= _TAIL_HOPS))
        waited_s = float(self._calm_hops[p]) / _HOPS_PER_S
        return bool(others > 0) and waited_s < self._set.echo_wait_s

    def _find_rests(self, late: Floats, spread2: Floats, steps: list[GramStep]) -> None:
        """Short rests between two quick steps: told when the plate moves on."""
        recent = self._hop * _PLATEAU_HOPS
        late_sq = self._hop_sq[-_PLATEAU_HOPS:].sum(axis=0) / recent
        slope = (self._hop_sum[-1] - self._hop_sum[-_PLATEAU_HOPS]) / self._hop
        rests = (late_sq - late * late < 2.2 * self._noise2) & (slope * slope < 4.0 * self._noise2)
        rests &= self._flag & (self._read_hops >= _SETTLE_HOPS)
        if self._t < self._crowd_until:
            rests[:] = False
        crept = rests & ((late - self._rest_level) ** 2 > 16.0 * self._noise2 / self._hop)
        off = np.abs(self._hop_sum[-1] / self._hop - self._rest_level)
        gained = np.abs(self._rest_level - self._level)
        noise = np.sqrt(self._noise2)
        # A plate that creeps on to its level does not move on: the next step is no small part.
        moved_on = self._flag & (self._rest_n > 0) & ~rests
        moved_on &= off > np.maximum(3.0 * noise, 0.1 * gained)
        least = np.maximum(self._set.rest_noises_min * noise, self._set.rest_g_min)
        for p in np.flatnonzero(moved_on & (gained > least)):
            sd = float(np.sqrt(2.0 * spread2[p]))
            self._tell(int(p), float(self._rest_level[p]), sd, float(self._rest_at[p]), steps)
            self._since[p] = self._told_to[p]
        self._rest_n = np.where(moved_on | ~self._flag, 0, self._rest_n + rests)
        self._rest_n[crept] = 1
        step = np.where(rests, late - self._rest_level, 0.0)
        self._rest_level += step / np.maximum(self._rest_n, 1)
        self._rest_at = np.where(rests, self._t, self._rest_at)

    def _tell(self, p: int, after: float, sd: float, t_s: float, steps: list[GramStep]) -> None:
        step = self._gram_step(p, after, sd, t_s)
        steps.append(step)
        self._told.append((p, step))
        self._set_level(p, after)
        self._told_to[p] = step.t_end_s

    def _set_level(self, p: int, after: float) -> None:
        self._level[p] = after
        self._level_t[p] = self._t
        self._level_n[p] = float(_SETTLE_HOPS)
        self._told_to[p] = max(self._told_to[p], self._t - self._settle / self._set.rate_hz)

    def _gram_step(self, p: int, after: float, sd: float, t_s: float) -> GramStep:
        """The step with its motion bracketed: from the last reading at the old level to the first
        of the unbroken run at the new one."""
        before = float(self._level[p])
        since = float(self._since[p])
        kept = max(0, self._end - self._history)
        times = self._ring_t[kept : self._end]
        first, last = np.searchsorted(times, [since, t_s])
        x = self._ring_x[kept + first : kept + last, p]
        t = times[first:last]
        start, end = since, max(since, t_s)
        if len(t) > 2 and t[0] <= since + 0.1:
            slack = max(4.0 * float(np.sqrt(self._noise2[p])), 0.03 * abs(after - before))
            left = np.flatnonzero(np.abs(x - before) > slack)
            off = np.flatnonzero(np.abs(x - after) > slack)
            blind = self._gap_t[p] > since
            if len(left) and not blind:
                start = float(t[max(left[0] - 2, 0)])
            if len(off):
                end = float(t[min(off[-1] + 3, len(t) - 1)])
        return GramStep(
            plate_id=self._plates[p].plate_id,
            t_start_s=max(start, 0.0),
            t_end_s=max(end, start, 0.0),
            delta_g=after - before,
            sd_g=sd,
        )

    def _publish_echoes(self, steps: list[GramStep]) -> None:
        """Tells small steps that coincide with a neighbour's; forgets those that do not."""
        waiting: list[tuple[int, GramStep]] = []
        for p, echo in self._echoes:
            if any(self._beside(p, echo, q, step) for q, step in self._told):
                steps.append(echo)
            elif self._t - echo.t_end_s < 1.5:
                waiting.append((p, echo))
        self._echoes = deque(waiting, maxlen=_PENDING_MAX)

    def _beside(self, p: int, echo: GramStep, q: int, step: GramStep) -> bool:
        slack = self._set.echo_window_s
        return (
            p != q
            and self._boards[p] == self._boards[q]
            and echo.t_start_s < step.t_end_s + slack
            and step.t_start_s < echo.t_end_s + slack
        )
