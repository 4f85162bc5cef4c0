"""Breaks between the rests of plates: what each left behind, and when it came.

The second step of `vision.plate_events`, after `vision.plate_levels`.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from vision.plate_levels import Levels

__all__ = ["Breaks", "find_breaks", "lasting_gain_g", "moment_s"]

Floats = NDArray[np.float64]
Bools = NDArray[np.bool_]
Places = NDArray[np.intp]

_PRESS_S, _PAUSE_S = 1.5, 0.9
"""A rest that is longer is no hand that presses, and none that pauses while it takes."""
_PRESS_G = 3.0
_PART_SHARE = 0.2
_LASTING_S = 3.0
_CROWD_PLATES = 5
_CROWD_GAP_S = 0.5
_UNLIKE = 0.15
"""A reading this share of the way to the other level might belong to it."""


@dataclass(frozen=True)
class Breaks:
    """Breaks of all plates, arrays (B,), in the order of plates and times.

    `rested` to `begin` is the rest before, `end` to `rests` the one after, in bins; `before_g`,
    `after_g`: their levels next to the break; `gain_g`: the difference less the drift meanwhile;
    `chance_g`: sd of the gain where nothing happens; `shaken_s`: for how long many plates were
    shaken meanwhile.
    """

    plate: Places
    rested: Places
    begin: Places
    end: Places
    rests: Places
    before_g: Floats
    after_g: Floats
    gain_g: Floats
    chance_g: Floats
    shaken_s: Floats


def find_breaks(levels: Levels, gondola: NDArray[np.int64] | None = None) -> Breaks:
    """All breaks between two rests of a plate; pauses of a hand are no rests.

    Neither is a rest that lies within the shaking of a crowd of plates, of the same gondola where
    that is known: somebody leans there, quietly enough for this plate's own noise.
    """
    groups = np.zeros(levels.bins.shape[1], np.int64) if gondola is None else gondola
    crowds = {group: _crowded(levels, groups == group) for group in np.unique(groups).tolist()}
    rows: list[tuple[float, ...]] = []
    for p in range(levels.bins.shape[1]):
        crowd = crowds[int(groups[p])]
        rests = _rests(levels, p, crowd)
        for one, two in pairwise(rests):
            shaken_s = float(np.count_nonzero(crowd[one.end : two.begin])) * levels.bin_s
            bins = (one.begin, one.end, two.begin, two.end)
            rows.append((p, *bins, one.last_g, two.first_g, shaken_s))
    table = np.array(rows, np.float64).reshape(-1, 8).T
    plate, rested, begin, end, rests_to = (column.astype(np.intp) for column in table[:5])
    # Levels lie in the middle of their part of the rest.
    lag_s = (np.maximum(end - begin, 0) + levels.near_bins) * levels.bin_s
    gain = table[6] - table[5] - levels.slope_g_per_s[plate] * lag_s
    chance = levels.chance_at(plate, lag_s)
    return Breaks(plate, rested, begin, end, rests_to, table[5], table[6], gain, chance, table[7])


def lasting_gain_g(levels: Levels, breaks: Breaks, n: int) -> float:
    """The gain of a break from longer stretches of both rests: what only wandered is less there."""
    bins = levels.bins[:, breaks.plate[n]]
    most = max(levels.stretch, round(_LASTING_S / levels.bin_s))
    begin, end = int(breaks.begin[n]), int(breaks.end[n])
    before = bins[max(int(breaks.rested[n]), begin - most) : begin]
    after = bins[end : min(int(breaks.rests[n]), end + most)]
    return float(np.median(after) - np.median(before))


def moment_s(
    levels: Levels, breaks: Breaks, n: int, t_s: Floats, grams: NDArray[np.floating]
) -> tuple[float, float]:
    """When the level changed in a break, and how unsure that is, in seconds.

    It is the cut that leaves readings nearest to the level before it and to the level after it. A
    reading counts at most as much as the levels differ, so shaking and hands that press weigh
    little; one that is far from both, because somebody leans, does not count. A hand presses
    against a pick, so it makes nothing unsure; what looks like the other level does, and a shaking
    that is not small beside the change.
    """
    edges = sorted((int(breaks.begin[n]), int(breaks.end[n])))
    begin_s, end_s = (float(levels.t_s[0]) + levels.bin_s * edge for edge in edges)
    margin_s = 2 * levels.bin_s
    first, last = np.searchsorted(t_s, [begin_s - margin_s, end_s + margin_s])
    x = np.asarray(grams[first:last, breaks.plate[n]], np.float64)
    read = np.isfinite(x)
    times, x = t_s[first:last][read], x[read]
    if not len(x):
        return 0.5 * (begin_s + end_s), end_s - begin_s
    come = (x - breaks.before_g[n]) / (breaks.after_g[n] - breaks.before_g[n])
    nearer = np.abs(come) - np.abs(come - 1.0)
    nearer[(come < -1.0) | (come > 2.0)] = 0.0
    left = np.concatenate([[0.0], np.cumsum(nearer)])
    # Readings that do not count leave several cuts as good as each other: the middle one.
    best = np.flatnonzero(left <= left.min() + 1e-9)
    cut = int(best[len(best) // 2])
    first_half = np.arange(len(x)) < cut
    if breaks.shaken_s[n] > 0:
        unlike = np.abs(np.where(first_half, come, come - 1.0)) > _UNLIKE
    else:
        unlike = np.where(first_half, come > _UNLIKE, come < 1.0 - _UNLIKE)
    share = float(np.mean(unlike))
    # Where most readings say nothing, it may have been at any time of the break.
    unsure_s = (1.0 if share > 0.5 else share) * (end_s - begin_s)
    return float(times[min(cut, len(times) - 1)]), unsure_s


@dataclass(frozen=True, slots=True)
class _Rest:
    begin: int
    end: int
    first_g: float
    last_g: float


def _rests(levels: Levels, p: int, crowd: Bools) -> list[_Rest]:
    quiet = np.concatenate([[False], levels.quiet[:, p], [False]])
    edges = np.flatnonzero(quiet[1:] != quiet[:-1])
    begins, ends = edges[::2], edges[1::2] + levels.stretch - 1
    calm = np.concatenate([[0], np.cumsum(~crowd)])
    own = calm[ends] - calm[begins] >= max(3, levels.stretch // 2)
    column, n = levels.bins[:, p], levels.near_bins
    rests = []
    for begin, end in zip(begins[own].tolist(), ends[own].tolist(), strict=True):
        if end - begin >= n:
            first_g, last_g = float(levels.near[begin, p]), float(levels.near[end - n, p])
        else:
            first_g = last_g = float(np.median(column[begin:end]))
        rests.append(_Rest(begin, end, first_g, last_g))
    longest = round(_PRESS_S / levels.bin_s), round(_PAUSE_S / levels.bin_s)
    return _without_pauses(rests, *longest)


def _crowded(levels: Levels, members: Bools) -> Bools:
    """Bins (K,) in which many of these plates are loud at once."""
    loud = np.count_nonzero(levels.loud[:, members], axis=1)
    many = loud >= _CROWD_PLATES + 2.0 * float(np.percentile(loud, 20))
    crowd = np.zeros(len(levels.bins), bool)
    gap = round(_CROWD_GAP_S / levels.bin_s)
    for start in np.flatnonzero(many):
        crowd[start : start + levels.stretch + gap] = True
    return crowd


def _without_pauses(rests: list[_Rest], press: int, pause: int) -> list[_Rest]:
    """Rests without short ones that are a hand's: it presses (higher than both neighbours), or
    takes some of the load before it takes all (a small part of the way between them). `press` and
    `pause` are the longest of either, in bins."""
    kept = rests[:1]
    for n, rest in enumerate(rests[1:], 2):
        length = rest.end - rest.begin
        if n < len(rests) and length <= press:
            before_g, after_g = kept[-1].last_g, rests[n].first_g
            pressed = min(rest.first_g, rest.last_g) > max(before_g, after_g) + _PRESS_G
            way = after_g - before_g
            share = (0.5 * (rest.first_g + rest.last_g) - before_g) / way if way else 0.5
            small = 0.0 < share < _PART_SHARE or 1.0 - _PART_SHARE < share < 1.0
            if pressed or (small and length <= pause):
                continue
        kept.append(rest)
    return kept
