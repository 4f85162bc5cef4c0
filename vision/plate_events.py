"""Weight events in a log of plates: what was taken or put back, when, and on which plates.

    report = find_weight_events(plate_ids, t_s, grams)     # (P,), (N,) seconds, (N, P) grams
    for event in report.events: ...                        # WeightEvent

For whole logs, of any store, with nothing known of it: `vision.plates` watches a bay whose
geometry is known while it happens, this looks at both sides of everything. A weight event is a
lasting change of level between two rests of a plate (`vision.plate_levels`) that chance does not
explain. Who shakes a gondola or leans on it leaves levels as they were: no event. Changes of
several plates at one moment are one product lying over them; what is small beside them is their
echo. What is uncertain is not told: a change that the log begins or ends in, a plate that came
back after an outage with another level, a change of so many plates at once that no product is as
wide, a plate that jumps to and fro.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Any

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from contracts.base import Contract
from vision.plate_breaks import Breaks, find_breaks, lasting_gain_g, moment_s
from vision.plate_levels import Levels, bin_width_s, levels_of
from vision.plate_names import NamesTell, names_tell

__all__ = ["EventSettings", "LogReport", "WeightEvent", "find_weight_events"]

Floats = NDArray[np.float64]

_PART_S = 20.0
"""A log is cut where it has no reading for this long: no rest is compared across that."""
_OUTAGE_S_MAX = 2.0
"""A plate that gave no reading for longer may have come back with another zero."""
_CREEP_S = 60.0
_CREEP_SHARE = 0.08
_FLIPS = 5
_UNSURE_S_MAX = 3.0
_SURE_S = 0.5
_CROWD_PLATES = 10
_LASTING_SHARE = 0.6
_BESIDE_S = 0.3
_FAINT_SHARE, _FAR_SHARE = 0.04, 0.01
"""Echoes in the same gondola and in others."""
_NOTHING_SHARE = 0.12
"""What is left of a push from plate to plate."""


class EventSettings(Contract):
    """What counts as a weight event."""

    least_g: Annotated[float, Field(gt=0, le=10_000, description="lightest event that is told")] = (
        10.0
    )
    sds_min: Annotated[
        float, Field(ge=3, le=50, description="least gain of an event's first plate, in its sd")
    ] = 6.0
    part_sds_min: Annotated[float, Field(ge=2, le=50, description="and of its other plates")] = 4.0
    part_g_min: Annotated[float, Field(gt=0, le=1000, description="and in grams")] = 3.0
    echo_share: Annotated[
        float, Field(ge=0, le=0.5, description="smaller gains beside an event's are its echo")
    ] = 0.1
    together_s: Annotated[
        float, Field(ge=0, le=5, description="gains this close in time are one event's")
    ] = 0.35
    plates_max: Annotated[
        int, Field(ge=1, le=100, description="gains of more plates at once are no product's")
    ] = 8
    slow_s: Annotated[
        float, Field(ge=1, le=120, description="longest time that an event may take")
    ] = 15.0


@dataclass(frozen=True, slots=True)
class WeightEvent:
    """A lasting change of weight. `t_s`: when half of it had come, in the log's time; `plates`:
    those that carry it, biggest first; `weight_delta_g`: their changes added, negative: taken."""

    t_s: float
    plates: tuple[str, ...]
    weight_delta_g: float


@dataclass(frozen=True, slots=True)
class LogReport:
    """Events in the order of time, and what was left out, in words."""

    events: tuple[WeightEvent, ...]
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Shifts:
    """Breaks that left something: arrays (S,)."""

    plate: NDArray[np.intp]
    t_s: Floats
    unsure_s: Floats
    begin_s: Floats
    end_s: Floats
    gain_g: Floats
    sds: Floats

    def only(self, which: NDArray[Any]) -> _Shifts:
        return _Shifts(
            self.plate[which], self.t_s[which], self.unsure_s[which], self.begin_s[which],
            self.end_s[which], self.gain_g[which], self.sds[which],
        )  # fmt: skip


def find_weight_events(
    plate_ids: Sequence[str],
    t_s: Floats,
    grams: NDArray[np.floating],
    settings: EventSettings | None = None,
    on_progress: Callable[[float], None] | None = None,
) -> LogReport:
    """Finds the events of a log: `t_s` (N,) seconds that rise, `grams` (N, P), NaN for no reading.

    `on_progress` is told the share that is done. ValueError if shapes do not fit or times fall.
    """
    if grams.shape != (len(t_s), len(plate_ids)):
        raise ValueError(
            f"expected grams of shape ({len(t_s)}, {len(plate_ids)}), got {grams.shape}"
        )
    if len(t_s) > 1 and float(np.min(np.diff(t_s))) <= 0:
        raise ValueError("expected times that rise from reading to reading")
    chosen = settings or EventSettings()
    tell = names_tell(plate_ids)
    cuts = np.flatnonzero(np.diff(t_s) > _PART_S) + 1
    edges = [0, *cuts.tolist(), len(t_s)]
    events: list[WeightEvent] = []
    notes: list[str] = []
    for begin, end in pairwise(edges):
        part_t, part_x = np.asarray(t_s[begin:end], np.float64), grams[begin:end]
        if end - begin < 8 or part_t[-1] - part_t[0] < 24 * bin_width_s(part_t):
            continue

        def told(plates: int, begin: int = begin, end: int = end) -> None:
            if on_progress is not None:
                share = plates / max(1, len(plate_ids))
                on_progress((begin + (end - begin) * share) / len(t_s))

        levels = levels_of(part_t, part_x, told)
        shifts = _shifts(levels, part_t, part_x, chosen, tell)
        shifts = _without_unstable(shifts, plate_ids, notes)
        events += _events(shifts, plate_ids, chosen, tell, notes)
    events.sort(key=lambda event: event.t_s)
    return LogReport(tuple(events), tuple(notes))


def _shifts(
    levels: Levels, t_s: Floats, grams: NDArray[np.floating], chosen: EventSettings, tell: NamesTell
) -> _Shifts:
    """Breaks that left more than chance, each with its moment."""
    breaks = find_breaks(levels, tell.gondola)
    gap_s = np.maximum(breaks.end - breaks.begin, 1) * levels.bin_s
    sds = np.abs(breaks.gain_g) / breaks.chance_g
    good = (sds >= chosen.part_sds_min) & (np.abs(breaks.gain_g) >= chosen.part_g_min)
    good &= gap_s <= chosen.slow_s
    places = [n for n in np.flatnonzero(good).tolist() if not _blind(levels, breaks, n)]
    begin_s = levels.t_s[0] + levels.bin_s * np.minimum(breaks.begin, breaks.end)
    end_s = levels.t_s[0] + levels.bin_s * np.maximum(breaks.begin, breaks.end)
    out: list[tuple[float, ...]] = []
    for n in places:
        crowd_g = _crowd_g(breaks, n, tell)
        gain = float(breaks.gain_g[n])
        sd = float(np.hypot(breaks.chance_g[n], crowd_g))
        if abs(gain) < chosen.part_sds_min * sd:
            continue
        if lasting_gain_g(levels, breaks, n) * np.sign(gain) < _LASTING_SHARE * abs(gain):
            continue
        when_s, unsure_s = moment_s(levels, breaks, n, t_s, grams)
        times = (when_s, min(unsure_s, _UNSURE_S_MAX), float(begin_s[n]), float(end_s[n]))
        out.append((float(breaks.plate[n]), *times, gain, abs(gain) / sd))
    columns = np.array(out, np.float64).reshape(-1, 7).T
    return _Shifts(columns[0].astype(np.intp), *columns[1:])


def _blind(levels: Levels, breaks: Breaks, n: int) -> bool:
    """Whether the plate gave no reading for too long within the break."""
    inside = levels.bins[breaks.begin[n] : breaks.end[n], breaks.plate[n]]
    return int(np.isnan(inside).sum()) * levels.bin_s > _OUTAGE_S_MAX


def _crowd_g(breaks: Breaks, n: int, tell: NamesTell) -> float:
    """What a shaking of many plates leaves on each by friction: sd over those shaken with it."""
    near = (breaks.begin <= breaks.end[n]) & (breaks.end >= breaks.begin[n])
    others = np.flatnonzero(near & (breaks.plate != breaks.plate[n]))
    if tell.gondola is not None:
        others = others[~tell.apart(int(breaks.plate[n]), breaks.plate[others])]
    if len(others) < _CROWD_PLATES:
        return 0.0
    return 1.4826 * float(np.median(np.abs(breaks.gain_g[others])))


def _without_unstable(shifts: _Shifts, plate_ids: Sequence[str], notes: list[str]) -> _Shifts:
    """Leaves out plates that jump to and fro by the same amount again and again, alone."""
    keep = np.ones(len(shifts.plate), bool)
    for p in np.unique(shifts.plate):
        mine = np.flatnonzero(shifts.plate == p)
        gains = shifts.gain_g[mine]
        back = np.abs(gains[1:] + gains[:-1]) < 0.25 * np.abs(gains[1:])
        if len(mine) > _FLIPS and int(back.sum()) >= _FLIPS:
            keep[mine] = False
            notes.append(f"plate {plate_ids[p]} jumps to and fro: left out")
    return shifts.only(keep)


def _events(
    shifts: _Shifts,
    plate_ids: Sequence[str],
    chosen: EventSettings,
    tell: NamesTell,
    notes: list[str],
) -> list[WeightEvent]:
    """Joins shifts of one moment into events, the biggest first; echoes go with them."""
    left = np.ones(len(shifts.plate), bool)
    events = []
    told: list[tuple[float, int, float]] = []
    for n in np.argsort(-np.abs(shifts.gain_g), kind="stable"):
        if not left[n] or shifts.sds[n] < chosen.sds_min:
            continue
        carriers, echoes = _joined(shifts, int(n), left, chosen, tell)
        left[carriers] = left[echoes] = False
        gain = float(shifts.gain_g[carriers].sum())
        t_s = _when_s(shifts, carriers)
        if len(carriers) > chosen.plates_max:
            notes.append(
                f"at {t_s:.1f} s {len(carriers)} plates changed together: a shove or a new zero, "
                "no product; left out"
            )
            continue
        if abs(gain) < max(chosen.least_g, _NOTHING_SHARE * abs(float(shifts.gain_g[n]))):
            continue
        if _creeps(told, t_s, int(shifts.plate[n]), gain):
            continue
        told.append((t_s, int(shifts.plate[n]), gain))
        ordered = carriers[np.argsort(-np.abs(shifts.gain_g[carriers]), kind="stable")]
        names = tuple(plate_ids[p] for p in shifts.plate[ordered])
        events.append(WeightEvent(t_s, names, gain))
    return events


def _joined(
    shifts: _Shifts, n: int, left: NDArray[np.bool_], chosen: EventSettings, tell: NamesTell
) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The shifts that carry the event of shift `n`, itself among them, and its echoes."""
    off_s = np.abs(shifts.t_s - shifts.t_s[n])
    near = off_s <= chosen.together_s + np.maximum(shifts.unsure_s, shifts.unsure_s[n])
    near &= (off_s <= chosen.together_s + _SURE_S) | tell.near(int(shifts.plate[n]), shifts.plate)
    beside = (shifts.begin_s - _BESIDE_S <= shifts.t_s[n]) & (
        shifts.t_s[n] <= shifts.end_s + _BESIDE_S
    )
    share = shifts.gain_g / float(shifts.gain_g[n])
    others = left & (near | (beside & (np.abs(share) < _FAINT_SHARE)))
    others &= shifts.plate != shifts.plate[n]
    members = np.flatnonzero(others)
    share, off_s = share[members], off_s[members]
    apart = tell.apart(int(shifts.plate[n]), shifts.plate[members])
    sure = shifts.sds[members] >= chosen.sds_min
    # Great parts must be as sure as a first plate, or a noisy plate would weigh as much as the
    # product. What gains where another loses as much was pushed over, not taken.
    part = (share >= chosen.echo_share) & (sure | (share <= 0.5))
    pushed = (share <= -0.5) & sure & (off_s <= chosen.together_s + _SURE_S)
    carries = (part | pushed) & ~apart
    # Of a plate that changed twice, the change that is nearer in time.
    order = np.argsort(off_s, kind="stable")
    _, firsts = np.unique(shifts.plate[members[order]], return_index=True)
    nearest = np.zeros(len(members), bool)
    nearest[order[firsts]] = True
    faint = np.where(apart, _FAR_SHARE, chosen.echo_share)
    echoes = (np.abs(share) < faint) | ((share < 0) & (share > -0.5) & ~apart)
    carriers = np.concatenate([np.array([n], np.intp), members[carries & nearest]])
    return carriers, members[echoes & nearest]


def _when_s(shifts: _Shifts, carriers: NDArray[np.intp]) -> float:
    """The moment of the surest plate; of shaken plates, whose moments err each their own way, the
    middle one."""
    unsure_s = shifts.unsure_s[carriers]
    surest = int(np.argmin(unsure_s))
    if unsure_s[surest] <= _SURE_S:
        return float(shifts.t_s[carriers[surest]])
    return float(np.median(shifts.t_s[carriers]))


def _creeps(told: Sequence[tuple[float, int, float]], t_s: float, plate: int, gain: float) -> bool:
    """Whether a change is a load of before that still comes, on the same plate."""
    return any(
        plate == other and 0.0 < t_s - when_s < _CREEP_S and 0.0 < gain / before < _CREEP_SHARE
        for when_s, other, before in told
    )
