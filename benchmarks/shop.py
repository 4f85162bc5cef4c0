"""A busy store as its two nodes tell it: shoppers come one after another, take things and leave.

    for at_s, device, message in told(layout, floor, shelf, codes, begin_s): ...

The mix is that of the case `twenty-people` as the simulator plays it: per second of the store 7.5
news of the floor with about eight bodies and their wrists, four watermarks and 0.43 reaches. Of ten
reaches two take a piece, one puts one of them back, and seven touch.
"""

from __future__ import annotations

import heapq
import math
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from benchmarks.hub import Did, closed_reach
from benchmarks.rig import FLOOR_HZ, middle, seats_of
from contracts import messages as m
from contracts.store_file import StoreFile

__all__ = ["ARRIVAL_S", "AT_ONCE", "REACH_HZ", "WATERMARK_HZ", "of_two_nodes", "told"]

AT_ONCE = 8
"""Bodies on the floor at a time."""
WATERMARK_HZ, REACH_HZ = 2.0, 0.43
REACHES = 10
"""Of a visit."""
PICKS, PUT_BACKS = (1, 6), (3,)
"""Which of them take a piece, and which put one back, at the same shelf as the pick before."""
ARRIVAL_S = REACHES / REACH_HZ
WALK_M_S = 1.2
Place = tuple[float, float]


@dataclass(frozen=True, slots=True)
class _Stop:
    """One stands there from a time on until it is time to walk to the next stop."""

    t_s: float
    until_s: float
    at: Place


def of_two_nodes(layout: StoreFile) -> StoreFile:
    """The store with one node for the floor and the gates, and one for all shelves."""
    floor = next(node for node in layout.nodes if node.floor)
    bays = tuple(bay.bay_id for bay in layout.bays)
    shelves = next(node for node in layout.nodes if node.bays and not node.floor)
    nodes = (
        floor.model_copy(update={"bays": (), "gates": True}),
        shelves.model_copy(update={"bays": bays, "gates": False}),
    )
    return layout.model_copy(update={"nodes": nodes})


class _Shopper:
    """One visit: in by the gate, to some seats, out by the exit."""

    def __init__(
        self, layout: StoreFile, number: int, code: str, begin_s: float, stay_s: float
    ) -> None:
        self.track_id, self.code, self.begin_s = f"t{number}", code, begin_s
        seats = seats_of(layout)
        gates = {gate.kind: gate for gate in layout.gates}
        came, goes = middle(gates["entry"]), middle(gates["exit"])
        out = goes[0], goes[1] - 1.0
        self.seats = [seats[(3 * number + 5 * k) % len(seats)] for k in range(3)]
        stand_s = (stay_s - 30.0) / len(self.seats)
        places = [came, (came[0], came[1] + 0.8), *((x, y) for _, x, y in self.seats), goes, out]
        waits = [1.0, 0.0, *(stand_s for _ in self.seats), 0.0, 0.0]
        self.stops: list[_Stop] = []
        t_s = begin_s
        for place, wait_s in zip(places, waits, strict=True):
            if self.stops:
                t_s = self.stops[-1].until_s + math.dist(place, self.stops[-1].at) / WALK_M_S
            self.stops.append(_Stop(t_s, t_s + wait_s, place))
        self.end_s = self.stops[-1].t_s
        self._times = [stop.t_s for stop in self.stops]

    def at(self, t_s: float) -> Place:
        """Where the body is."""
        k = bisect_right(self._times, t_s) - 1
        stop = self.stops[k]
        if t_s <= stop.until_s or k + 1 == len(self.stops):
            return stop.at
        after = self.stops[k + 1]
        part = (t_s - stop.until_s) / (after.t_s - stop.until_s)
        (x0_m, y0_m), (x1_m, y1_m) = stop.at, after.at
        return x0_m + part * (x1_m - x0_m), y0_m + part * (y1_m - y0_m)

    def reaches(self) -> Iterator[tuple[float, m.ReachOpened, m.ReachClosed]]:
        """When each begins, and its two messages."""
        for number in range(REACHES):
            k = number * len(self.seats) // REACHES
            slot, x_m, y_m = self.seats[k]
            stop = self.stops[2 + k]
            first = -(-k * REACHES // len(self.seats))
            count = -(-(k + 1) * REACHES // len(self.seats)) - first
            at_s = stop.t_s + (stop.until_s - stop.t_s) * (number - first + 0.5) / count
            name = f"{self.track_id}-{number}"
            kind: Did = "touch"
            if number in PICKS:
                kind = "pick"
            elif number in PUT_BACKS:
                kind = "put_back"
            opened = m.ReachOpened(reach_id=name, bay_id=slot.bay_id, t_s=at_s, u_m=slot.u0_m + 0.1)
            closed = closed_reach(name, slot, x_m, at_s, body_y_m=y_m, kind=kind)
            yield at_s, opened, closed


def told(
    layout: StoreFile,
    floor: str,
    shelf: str,
    codes: Sequence[str],
    begin_s: float,
    *,
    at_once: int = AT_ONCE,
) -> Iterator[tuple[float, str, m.Message]]:
    """(Moment, node, message) in the order of moments, until the last shopper has left.

    A shopper comes every ARRIVAL_S and stays so long that `at_once` are inside. A watermark's
    `last_seq` is left to whoever numbers the messages.
    """
    for device in (floor, shelf):
        yield begin_s, device, m.NodeBorn(software="load", config_revision=1, floor=device == floor)
    shoppers = [
        _Shopper(layout, number, code, begin_s + 1.0 + number * ARRIVAL_S, at_once * ARRIVAL_S)
        for number, code in enumerate(codes)
    ]
    yield from heapq.merge(
        _of_floor(layout, floor, shelf, shoppers, begin_s),
        _of_shelf(shelf, shoppers),
        key=lambda row: row[0],
    )


def _of_shelf(shelf: str, shoppers: Sequence[_Shopper]) -> Iterator[tuple[float, str, m.Message]]:
    rows: list[tuple[float, str, m.Message]] = []
    for shopper in shoppers:
        for at_s, opened, closed in shopper.reaches():
            rows.append((at_s, shelf, opened))
            rows.append((closed.t_close_s, shelf, closed))
    rows.sort(key=lambda row: row[0])
    yield from rows


def _of_floor(
    layout: StoreFile, floor: str, shelf: str, shoppers: Sequence[_Shopper], begin_s: float
) -> Iterator[tuple[float, str, m.Message]]:
    entry = next(gate for gate in layout.gates if gate.kind == "entry")
    coming = list(reversed(shoppers))
    inside: list[_Shopper] = []
    step = 0
    while coming or inside:
        at_s = begin_s + step / FLOOR_HZ
        came = []
        while coming and coming[-1].begin_s <= at_s:
            came.append(coming.pop())
        inside += came
        segments = [_segment(one, at_s, one in came) for one in inside]
        if segments:
            yield at_s, floor, m.FloorTracksMoved(t_s=at_s, segments=tuple(segments))
        for one in came:
            yield at_s, floor, m.GateScanned(gate_id=entry.gate_id, code=one.code, t_s=at_s)
        inside = [one for one in inside if one.end_s > at_s]
        if step % round(FLOOR_HZ / WATERMARK_HZ) == 0:
            for device in (floor, shelf):
                yield at_s, device, m.Watermark(t_s=at_s, last_seq=-1)
        step += 1


def _segment(one: _Shopper, at_s: float, came: bool) -> m.TrackSegment:
    x_m, y_m = one.at(at_s)
    state: Any = "born" if came else "alive" if one.end_s > at_s else "ended"
    wrist = m.WristPoint(t_s=at_s, x_m=x_m + 0.2, y_m=y_m + 0.2, sd_m=0.1)
    return m.TrackSegment(
        track_id=one.track_id,
        state=state,
        points=(m.TrackPoint(t_s=at_s, x_m=x_m, y_m=y_m, sd_m=0.1),),
        wrists=(wrist,),
    )
