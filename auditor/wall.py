"""What really happened at a pick-up wall, against what shone and what the hub noticed.

Three lists go in, each in the order of time, in store seconds: lights (a mark began or ceased to
fall on a parcel, measured on the boxes themselves), deeds (who took and put back what, and who came
and went), and the hub's events. What comes out is counted, never averaged over cases:

- a light that says "take this" is right only on a parcel of an order whose customer was let in at
  the wall and has not gone, whose label is whole and stands there once;
- a wrong taking is one of a parcel that belongs to no order of whoever took it, noticed if an alarm
  about that parcel came within NOTICED_S; an alarm is that of the last taking before it;
- an alarm about a taking is false if that parcel was not taken wrongly;
- what its customer, or anybody, puts down again while its customer is there has to shine anew, and
  must not count as handed over before;
- a mark's aim is where its middle fell against where the node has it that it belongs; how far that
  was from the middle of the parcel's face counts apart: marks belong about the label.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from auditor.score import wilson

__all__ = [
    "NOTICED_S",
    "STAYS_S",
    "Lamp",
    "ParcelScore",
    "PutBack",
    "Served",
    "Taking",
    "joined",
    "score_wall",
]

NOTICED_S = 1.0
INVITING = ("take_a", "take_b")
TAKING_ALARMS = ("wrong_taken", "taken_by_nobody", "unknown_taken")
AGAIN_S = 2.0
"""What is put back for less need not shine anew."""
LEAVES_S = 1.5
"""A light may begin so long after its customer has gone: it was asked for before."""
STAYS_S = 10.0
"""It must end so long after its customer has gone."""
SOONER_S = 0.3
"""The hub may put a taking so much earlier than the truth, which counts it when it is off its
place."""


@dataclass(frozen=True, slots=True)
class Lamp:
    """A mark fell on a parcel's face from `t0_s` to `t1_s` (None: to the end). Medians over that
    time: `off_mm` how far its middle was from the face's, `label_mm` from that of its label's code
    (None: it has none), `aim_mm` from where the node has that (None: nobody knows). `settled`: it
    was on long enough to be seen and corrected."""

    parcel: str
    look: str
    t0_s: float
    t1_s: float | None
    off_mm: float
    aim_mm: float | None = None
    label_mm: float | None = None
    settled: bool = True


@dataclass(frozen=True, slots=True)
class Served:
    """A customer with a good code was at the wall from the scan to when they went (None: never).

    `parcels` are the names of theirs that stood there, with one whole label each and ready, when
    they scanned, and so should shine.
    """

    customer: str
    scan_s: float
    gone_s: float | None
    parcels: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Taking:
    """A parcel left its place. `key` is what its label says, None if nothing can be read of it;
    `right`: it was the taker's."""

    parcel: str
    key: str | None
    t_s: float
    right: bool


@dataclass(frozen=True, slots=True)
class PutBack:
    """A parcel was put down somewhere at the wall, and stood there until `until_s` (None: to the
    end)."""

    parcel: str
    key: str | None
    t_s: float
    until_s: float | None


@dataclass(slots=True)
class ParcelScore:
    """Counts of one or more runs, and what the percentiles are taken of."""

    retrievals: int = 0
    green_wrong: int = 0
    green_unknown: int = 0
    green_missing: int = 0
    takings: int = 0
    wrong: int = 0
    noticed: int = 0
    false_alarms: int = 0
    put_back: int = 0
    put_back_dark: int = 0
    put_back_late: int = 0
    latency_s: list[float] = field(default_factory=list)
    again_s: list[float] = field(default_factory=list)
    noticed_s: list[float] = field(default_factory=list)
    aim_mm: list[float] = field(default_factory=list)
    label_mm: list[float] = field(default_factory=list)
    off_mm: list[float] = field(default_factory=list)
    faults: list[str] = field(default_factory=list)

    def document(self) -> dict[str, Any]:
        """The figures as `sortie parcels score` gives them. `intervals`: 95 % of the share of
        retrievals, of wrong takings, of takings (Wilson). `projection_error_mm`: how far the
        light's middle fell from that of the label it is drawn about, both as they truly are;
        `aim_mm`: from where the node has it in the wall's frame, which depends on how deep that
        has it. `put_back`: of the parcels that were put down while their customer was there, those
        that did not shine anew, and those that counted as handed over by then."""
        return {
            "retrievals": self.retrievals,
            "green_wrong": self.green_wrong,
            "green_unknown": self.green_unknown,
            "green_missing": self.green_missing,
            "green_latency_s": _percentiles(self.latency_s),
            "takings": self.takings,
            "intervals": {
                "green_wrong": _interval(self.green_wrong, self.retrievals),
                "green_unknown": _interval(self.green_unknown, self.retrievals),
                "green_missing": _interval(self.green_missing, self.retrievals),
                "noticed": _interval(self.noticed, self.wrong),
                "false_alarms": _interval(self.false_alarms, self.takings),
            },
            "wrong_takings": {
                "happened": self.wrong,
                "noticed": self.noticed,
                "false_alarms": self.false_alarms,
                "noticed_s": _percentiles(self.noticed_s),
            },
            "put_back": {
                "happened": self.put_back,
                "dark": self.put_back_dark,
                "handed_over": self.put_back_late,
                "latency_s": _percentiles(self.again_s),
            },
            "projection_error_mm": {**_percentiles(self.label_mm), "n": len(self.label_mm)},
            "aim_mm": {**_percentiles(self.aim_mm), "n": len(self.aim_mm)},
            "off_centre_mm": {**_percentiles(self.off_mm), "n": len(self.off_mm)},
            "faults": self.faults,
        }


def _percentiles(values: Sequence[float]) -> dict[str, float | None]:
    if not values:
        return {"p50": None, "p95": None}
    p50, p95 = np.percentile(np.asarray(values, np.float64), (50, 95))
    return {"p50": round(float(p50), 4), "p95": round(float(p95), 4)}


def _interval(hits: int, n: int) -> list[float]:
    # One taking may raise several alarms: no share of takings is more than all of them.
    return [round(end, 5) for end in wilson(min(hits, n), n)]


def joined(scores: Iterable[ParcelScore]) -> ParcelScore:
    """Several runs as one."""
    total = ParcelScore()
    for one in scores:
        for name in ParcelScore.__slots__:
            setattr(total, name, getattr(total, name) + getattr(one, name))
    return total


def score_wall(
    *,
    name: str,
    served: Sequence[Served],
    takings: Sequence[Taking],
    lamps: Sequence[Lamp],
    unknown: frozenset[str],
    alarms: Sequence[Mapping[str, Any]],
    end_s: float,
    put_back: Sequence[PutBack] = (),
    handed: Sequence[Mapping[str, Any]] = (),
) -> ParcelScore:
    """One run. `unknown`: parcels without a label that can be trusted (none, torn, copied, of
    another store). `alarms`: the hub's alarms with `t_s`, `alarm` and `key`; `handed`: what it
    handed over, with `t_s` and `key`."""
    score = ParcelScore()
    _greens(score, name, served, takings, lamps, unknown)
    for one in served:
        for parcel in one.parcels:
            score.retrievals += 1
            lit = [
                lamp.t0_s
                for lamp in _inviting(lamps, parcel, end_s if one.gone_s is None else one.gone_s)
                if lamp.t1_s is None or lamp.t1_s >= one.scan_s
            ]
            if lit:
                score.latency_s.append(max(0.0, min(lit) - one.scan_s))
            else:
                score.green_missing += 1
                score.faults.append(f"{name}: {parcel} never shone for {one.customer}")
    _wrong(score, name, takings, alarms)
    _put_back(score, name, served, lamps, put_back, handed, end_s)
    return score


def _inviting(lamps: Sequence[Lamp], parcel: str, until_s: float) -> list[Lamp]:
    """Lights on a parcel that say "take this" and began by then."""
    return [
        lamp
        for lamp in lamps
        if lamp.parcel == parcel and lamp.look in INVITING and lamp.t0_s <= until_s
    ]


def _greens(
    score: ParcelScore,
    name: str,
    served: Sequence[Served],
    takings: Sequence[Taking],
    lamps: Sequence[Lamp],
    unknown: frozenset[str],
) -> None:
    for lamp in lamps:
        if lamp.look not in INVITING:
            continue
        if lamp.parcel in unknown:
            score.green_unknown += 1
            score.faults.append(f"{name}: {lamp.look} on the unknown {lamp.parcel}")
            continue
        t1_s = lamp.t0_s if lamp.t1_s is None else lamp.t1_s
        right = any(
            lamp.parcel in one.parcels
            and one.scan_s <= lamp.t0_s
            and (one.gone_s is None or lamp.t0_s <= one.gone_s + LEAVES_S)
            and (one.gone_s is None or t1_s <= one.gone_s + STAYS_S)
            for one in served
        )
        if not right:
            score.green_wrong += 1
            score.faults.append(f"{name}: {lamp.look} on {lamp.parcel} at {lamp.t0_s:.2f} s")
        elif lamp.settled:
            score.off_mm.append(lamp.off_mm)
            if lamp.aim_mm is not None:
                score.aim_mm.append(lamp.aim_mm)
            if lamp.label_mm is not None:
                score.label_mm.append(lamp.label_mm)


def _put_back(
    score: ParcelScore,
    name: str,
    served: Sequence[Served],
    lamps: Sequence[Lamp],
    put_back: Sequence[PutBack],
    handed: Sequence[Mapping[str, Any]],
    end_s: float,
) -> None:
    for one in put_back:
        mine = next(
            (
                who
                for who in served
                if one.parcel in who.parcels
                and who.scan_s <= one.t_s < (math.inf if who.gone_s is None else who.gone_s)
            ),
            None,
        )
        if mine is None:
            continue
        ends = (one.until_s, mine.gone_s, end_s)
        until_s = min(end for end in ends if end is not None)
        lit = [
            max(one.t_s, lamp.t0_s)
            for lamp in _inviting(lamps, one.parcel, until_s)
            if lamp.t1_s is None or lamp.t1_s > one.t_s
        ]
        if not lit and until_s < one.t_s + AGAIN_S:
            continue
        score.put_back += 1
        if lit:
            score.again_s.append(min(lit) - one.t_s)
        else:
            score.put_back_dark += 1
            score.faults.append(f"{name}: {one.parcel} never shone anew, put back {one.t_s:.2f} s")
        before = [row for row in handed if row["key"] == one.key and row["t_s"] <= until_s]
        if any(float(row["t_s"]) >= mine.scan_s for row in before):
            score.put_back_late += 1
            score.faults.append(f"{name}: {one.parcel} handed over, and put back {one.t_s:.2f} s")


def _wrong(
    score: ParcelScore,
    name: str,
    takings: Sequence[Taking],
    alarms: Sequence[Mapping[str, Any]],
) -> None:
    raised = [one for one in alarms if one["alarm"] in TAKING_ALARMS]
    used: set[int] = set()
    for taking in takings:
        score.takings += 1
        if taking.right:
            continue
        score.wrong += 1
        again_s = min(
            (one.t_s for one in takings if one.parcel == taking.parcel and one.t_s > taking.t_s),
            default=math.inf,
        )
        found = [
            k
            for k, one in enumerate(raised)
            if k not in used
            and (one["key"] == taking.key or (taking.key is None and one["key"] is None))
            and taking.t_s - SOONER_S <= one["t_s"] < again_s - SOONER_S
        ]
        if not found:
            score.faults.append(f"{name}: {taking.parcel} taken wrongly, and nothing was said")
            continue
        first = min(found, key=lambda k: float(raised[k]["t_s"]))
        used.add(first)
        after_s = float(raised[first]["t_s"]) - taking.t_s
        score.noticed_s.append(after_s)
        if after_s <= NOTICED_S:
            score.noticed += 1
        else:
            score.faults.append(f"{name}: {taking.parcel} noticed after {after_s:.2f} s")
    for k, one in enumerate(raised):
        if k not in used:
            score.false_alarms += 1
            score.faults.append(f"{name}: {one['alarm']} of {one['key']} at {one['t_s']:.2f} s")
