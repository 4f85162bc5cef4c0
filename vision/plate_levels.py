"""Where plates rested, and at which level: the part of `vision.plate_events` for single plates.

A plate is judged against itself only. Its readings are put into bins of about a tenth of a second;
a stretch of half a second is *quiet* when it spreads no more than such stretches of this plate
mostly do. Quiet stretches that follow each other are a *rest*; between two rests lies a *break*:
a hand, a step, a shaking, a gap. What a break left is the level after it minus the level before it,
and how much that would be by chance is read off the same plate: how far levels as far apart differ
where nothing happened. So white noise, slow noise and drift each count as what they are.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

__all__ = ["Levels", "bin_width_s", "levels_of", "percentile"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]

_BIN_S = 0.1
_QUIET_S = 0.5
_LEVEL_S = 1.0
_USUAL_PERCENT = 25.0
"""So much of a log at least is taken to be rest; more where nobody shops."""
_QUIET_TIMES = 3.2
_QUIET_G = 1.5
"""Plates that spread less than this are quiet, however quiet they mostly are."""
_LOUD_TIMES, _LOUD_G = 5.0, 6.0
_HOLD_BINS = 2
"""Missing bins that are bridged."""
_LAGS = (1, 2, 4, 8, 16)
"""Distances of levels, in quiet stretches, at which chance is measured."""
_LAGS_IN_LOG = 9
"""In a log shorter than this many lags, what was taken meanwhile would pass for chance."""
_SLOPE_LAG = 4
_TAIL_LAG, _TAIL_TIMES = 2, 2.0
_FEW_PAIRS = 8
_CHANCE_G_MIN = 0.2
_BLOCK_PLATES = 64
_STUCK_S = 1.0
_STUCK_READINGS = 12
_OFF_S = 0.3
_OFF_READINGS = 4
_ALIVE_SHARE, _ALIVE_PERCENT = 0.2, 70.0
"""A plate has noise greater than its steps if more of its readings than this are several steps from
the last one, in this part of all seconds at most."""
_TARED_G, _TARED_SHARE = 30.0, 0.08
"""Where more plates than this share rest this near to zero, plates are tared."""
_OFF_G, _HEAVY_G = 200.0, 5000.0
"""A plate that mostly rests this near to zero may well rest at it, unless what it reads otherwise
is more than a product weighs."""


@dataclass(frozen=True)
class Levels:
    """Levels in bins: `bins` (K, P), NaN where nothing was read; bin k begins at `t_s[k]`.

    `quiet` (K - w + 1, P): whether the stretch of `w = stretch` bins that begins there is quiet,
    `loud`: whether it is far from that. `near` (K - n + 1, P): median of the `n = near_bins` bins,
    about a second, that begin there. `chance_g` (L, P): sd, by chance, of the difference of two
    levels that lie `lags_s` (L,) apart. `slope_g_per_s` (P,): drift.
    """

    t_s: Floats
    bin_s: float
    stretch: int
    near_bins: int
    bins: Floats
    quiet: Bools
    loud: Bools
    near: Floats
    chance_g: Floats
    lags_s: Floats
    slope_g_per_s: Floats

    def chance_at(self, plate: NDArray[np.intp], lag_s: Floats) -> Floats:
        """Sd of chance of plates at lags, between and beyond those that were measured."""
        place = np.clip(np.searchsorted(self.lags_s, lag_s), 1, len(self.lags_s) - 1)
        low, high = self.lags_s[place - 1], self.lags_s[place]
        share = np.clip((lag_s - low) / (high - low), 0.0, 1.0)
        at = (1.0 - share) * self.chance_g[place - 1, plate] + share * self.chance_g[place, plate]
        return np.asarray(at * np.maximum(1.0, lag_s / self.lags_s[-1]))


def bin_width_s(t_s: Floats) -> float:
    """A tenth of a second, more where readings are too few for that."""
    return max(_BIN_S, 1.5 * float(np.median(np.diff(t_s))))


def levels_of(
    t_s: Floats, grams: NDArray[np.floating], on_block: Callable[[int], None] | None = None
) -> Levels:
    """Levels of all plates from readings `t_s` (N,) that rise and `grams` (N, P).

    `on_block` is told how many plates are done. ValueError if the log is too short for levels.
    """
    bin_s = bin_width_s(t_s)
    index = ((t_s - t_s[0]) / bin_s).astype(np.intp)
    starts = np.flatnonzero(np.diff(index, prepend=-1))
    count = int(index[-1]) + 1
    stretch = max(4, round(_QUIET_S / bin_s))
    near_bins = max(stretch, round(_LEVEL_S / bin_s))
    if count < 2 * near_bins:
        raise ValueError(f"expected a log of at least {2 * near_bins * bin_s:.1f} s")
    rate_hz = 1.0 / float(np.median(np.diff(t_s)))
    parts = []
    zeros = _zeros_are_outages(grams)
    for first in range(0, grams.shape[1], _BLOCK_PLATES):
        block = np.array(grams[:, first : first + _BLOCK_PLATES], np.float64)
        _forget_stuck(block, rate_hz, zeros)
        bins = np.full((count, block.shape[1]), np.nan)
        bins[index[starts]] = _medians(block, starts)
        _bridge(bins)
        parts.append((bins, *_rests(bins, stretch, near_bins)))
        if on_block is not None:
            on_block(min(first + _BLOCK_PLATES, grams.shape[1]))
    bins, quiet, loud, near, chance, slope = (
        np.concatenate(one, axis=-1) for one in zip(*parts, strict=True)
    )
    lags_s = np.array(_LAGS) * stretch * bin_s
    times = t_s[0] + bin_s * np.arange(count)
    return Levels(
        times, bin_s, stretch, near_bins, bins, quiet, loud, near, chance, lags_s, slope / bin_s
    )


def percentile(x: Floats, share: float) -> Floats:
    """Percentile of each column, NaN left out; NaN for a column of nothing else."""
    ordered = np.sort(x, axis=0)
    good = np.isfinite(ordered).sum(axis=0)
    place = np.maximum((good - 1) * share / 100.0, 0.0).astype(np.intp)
    return np.asarray(np.take_along_axis(ordered, place[None], axis=0)[0])


def _zeros_are_outages(grams: NDArray[np.floating]) -> bool:
    """Whether a plate that reads exactly nothing is switched off: not where plates are tared, so
    that many rest near zero."""
    some = np.asarray(grams[:: max(1, len(grams) // 50)], np.float64)
    rests = np.abs(percentile(some, 50.0))
    return bool(np.mean(rests < _TARED_G) < _TARED_SHARE)


def _forget_stuck(x: Floats, rate_hz: float, zeros: bool) -> None:
    """Readings of plates that are stuck or switched off become NaN.

    A plate whose noise shows in its last digits does not repeat itself for a second. One that
    mostly does, because its steps are coarser than its noise, is only disbelieved when it reads
    exactly nothing and `zeros` says that this is no weight.
    """
    length = max(round(_STUCK_S * rate_hz), _STUCK_READINGS)
    short = max(round(_OFF_S * rate_hz), _OFF_READINGS)
    repeats = np.count_nonzero(x[1:] == x[:-1], axis=0)
    for p in np.flatnonzero(repeats >= short // 2):
        rows = np.flatnonzero(np.isfinite(x[:, p]))
        y = x[rows, p]
        jumps = np.abs(np.diff(y))
        changes = np.flatnonzero(jumps)
        if not len(changes):
            continue
        edges = np.concatenate([[-1], changes, [len(y) - 1]])
        runs = np.diff(edges)
        step = float(np.percentile(jumps[changes], 10))
        busy = np.mean(_cut(jumps, length) > 1.5 * step, axis=1)
        alive = float(np.percentile(busy, _ALIVE_PERCENT)) > _ALIVE_SHARE
        mostly, else_ = abs(float(np.median(y))), abs(float(np.median(y[y != 0.0])))
        off = (y[edges[:-1] + 1] == 0.0) & zeros & (mostly > _OFF_G or else_ > _HEAVY_G)
        for run in np.flatnonzero(((runs >= length) & alive) | ((runs >= short) & off)):
            x[rows[edges[run] + 1 : edges[run + 1] + 1], p] = np.nan


def _cut(x: Floats, length: int) -> Floats:
    """`x` in rows of this length, what is left over left out; one row if it is shorter."""
    if len(x) < length:
        return x[None]
    return x[: len(x) // length * length].reshape(-1, length)


def _medians(x: Floats, starts: NDArray[np.intp]) -> Floats:
    """Medians of the rows from each start to the next; NaN rows are left out."""
    ends = np.append(starts[1:], len(x))
    out = np.empty((len(starts), x.shape[1]))
    for size in np.unique(ends - starts):
        rows = np.flatnonzero(ends - starts == size)
        # Sorting puts NaN last, so the middle of those that are numbers is found by their count.
        group = np.sort(x[starts[rows][:, None] + np.arange(size)], axis=1)
        good = np.isfinite(group).sum(axis=1)
        high = np.take_along_axis(group, (good // 2)[:, None].clip(0, size - 1), axis=1)
        low = np.take_along_axis(group, ((good - 1) // 2)[:, None].clip(0, size - 1), axis=1)
        out[rows] = 0.5 * (low + high)[:, 0]
    return out


def _bridge(bins: Floats) -> None:
    """Holds the last level over a bin or two without readings."""
    for _ in range(_HOLD_BINS):
        missing = np.isnan(bins[1:]) & ~np.isnan(bins[:-1])
        bins[1:][missing] = bins[:-1][missing]


def _rests(
    bins: Floats, stretch: int, near_bins: int
) -> tuple[Bools, Bools, Floats, Floats, Floats]:
    """Quiet and loud stretches, levels, sds of chance, and drift per bin, of some plates."""
    windows = np.sort(np.lib.stride_tricks.sliding_window_view(bins, stretch, axis=0), axis=-1)
    spread = windows[..., -1] - windows[..., 0]
    middle = 0.5 * (windows[..., (stretch - 1) // 2] + windows[..., stretch // 2])
    usual = percentile(spread, _USUAL_PERCENT)
    quiet = spread <= np.maximum(_QUIET_TIMES * usual, _QUIET_G)
    loud = spread > np.maximum(_LOUD_TIMES * usual, _LOUD_G)
    middle[~quiet] = np.nan
    near = np.median(np.lib.stride_tricks.sliding_window_view(bins, near_bins, axis=0), axis=-1)
    chance = np.full((len(_LAGS), bins.shape[1]), np.nan)
    slope = np.zeros(bins.shape[1])
    for row, lag in enumerate(_LAGS):
        apart = lag * stretch
        if len(middle) < _LAGS_IN_LOG * apart:
            break
        jump = middle[apart:] - middle[:-apart]
        centre = percentile(jump, 50.0)
        off = np.abs(jump - centre)
        enough = np.isfinite(jump).sum(axis=0) >= _FEW_PAIRS * stretch
        # Less than the middle of it, because what was taken is in it as well.
        sd = percentile(off, 40.0) / 0.5244
        if lag <= _TAIL_LAG:
            # Slow noise has wider tails than its middle says.
            sd = np.clip(percentile(off, 90.0) / 1.645, sd, _TAIL_TIMES * sd)
        chance[row] = np.where(enough, sd, np.nan)
        if lag <= _SLOPE_LAG:
            # The mean of what is near the centre: the median of coarse steps would be coarse.
            close = off <= 3.0 * np.maximum(sd, _CHANCE_G_MIN)
            mean = np.where(close, jump, 0.0).sum(axis=0) / np.maximum(close.sum(axis=0), 1)
            slope = np.where(enough, mean / apart, slope)
    return quiet, loud, near, _filled_chance(chance, usual), slope


def _filled_chance(chance: Floats, usual: Floats) -> Floats:
    """Chance grows with the lag; where a plate was measured too little it is what plates with as
    much spread mostly have, and nowhere is it believed to be much less."""
    usual = np.where(np.isfinite(usual), np.maximum(usual, 0.05), 1.0)
    growth = 0.5
    filled: list[Floats] = []
    for row in chance:
        known = np.isfinite(row)
        # A walk grows by the root of two when the lag doubles.
        growth = growth * 1.4 if filled else growth
        if known.any():
            measured = float(np.median(row[known] / usual[known]))
            growth = max(measured, growth / 1.4) if filled else measured
        one = np.where(known, np.maximum(row, 0.6 * growth * usual), 1.4 * growth * usual)
        filled.append(np.maximum(one, filled[-1]) if filled else one)
    return np.maximum(np.array(filled), _CHANCE_G_MIN)
