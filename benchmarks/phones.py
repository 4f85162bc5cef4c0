"""A crowded store in real time: 240 phones with a live cart each, and twenty who leave at once.

    python -m benchmarks.phones [--json FILE]

The hub's process on a real Mosquitto and SQLite; the store is the six-bay one ten times over (60
bays, 31 nodes). People come in one after another, each with a phone that opened a visit and holds
a stream of server-sent events, which are read in a process of their own. The first to come stand
before a bay each and take something now and then (ten picks a second in all); the others stand
where there are no shelves. Then, three times, twenty walk to the exit and cross its line within one
second. Nodes tell of the floor 7.5 times a second and have watermarks, as late and as often as the
edge's settings say. Everything goes by this machine's monotonic clock, the store's time included: a
pick counts from the moment its node tells of the closed reach to the line on the phone, a receipt
from the moment the exit's line is crossed.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from benchmarks.crowd import big_store
from benchmarks.hub import closed_reach
from benchmarks.letters import Letters
from benchmarks.listeners import Listeners, Seen
from benchmarks.rig import (
    FLOOR_HZ,
    STRETCH_M,
    before,
    cpu_s_of,
    floor_news,
    middle,
    rss_mb_of,
    running_hub,
)
from contracts import messages as m
from contracts.store_file import Slot, StoreFile
from edge.settings import NodeSettings

__all__ = ["LIMITS", "Nodes", "Person", "Play", "carts_ms", "measure", "printed", "waits"]

LIMITS = {"cart_p99_ms": 300.0, "receipt_p99_ms": 1_000.0}
BOOT = "load"
COPIES = 10
PEOPLE, ROUNDS, LEAVING = 240, 3, 20
PICKS_PER_S = 10.0
SHOP_S = 20.0
STEPS_IN = 2
"""Steps of the floor from one who comes in to the next."""
REACH_S, TOLD_S = 0.1, 0.5
"""How long a reach takes, and how long its node looks on before it tells of it."""
WALK_S, LAST_S, LAST_M = 6.0, 2.0, 2.8
"""How long it takes to the exit, and the last of it: at 1.4 metres a second."""
AFTER_S = 6.0
CLOCKS_S = 7.0
"""So long the nodes only have watermarks: the hub learns what their clocks say."""
SEGMENTS_MAX = 64


class Clock(Protocol):
    """The time that the store goes by, in seconds."""

    def now(self) -> float:
        """Now."""
        ...

    def sleep_until(self, at_s: float) -> None:
        """Lets time pass until then."""
        ...


class Phones(Protocol):
    """Those of the people: `ask` has one more opened, `code` is what it shows at the gate."""

    def ask(self, number: int) -> None:
        """Opens a visit."""
        ...

    def code(self, number: int) -> str:
        """What that phone shows."""
        ...


class WallClock:
    """This machine's."""

    def now(self) -> float:
        """Seconds since it started."""
        return time.monotonic()

    def sleep_until(self, at_s: float) -> None:
        """Sleeps."""
        wait_s = at_s - time.monotonic()
        if wait_s > 0.0:
            time.sleep(wait_s)


@dataclass(slots=True)
class Person:
    """Where somebody stands, what they may take, and when they did and left."""

    number: int
    seats: list[tuple[Slot, float, float]]
    front: bool
    turn: int = 0
    told: list[tuple[str, float]] = field(default_factory=list)
    leaves_s: float = math.inf
    crossed_s: float | None = None
    inside: bool = False

    @property
    def slot(self) -> Slot:
        """The slot before them."""
        return self.seats[self.turn % len(self.seats)][0]

    @property
    def at_m(self) -> tuple[float, float]:
        """Where they stand."""
        _slot, x_m, y_m = self.seats[self.turn % len(self.seats)]
        return x_m, y_m


class Nodes:
    """The nodes of the store: tells what happens when it does."""

    def __init__(
        self, layout: StoreFile, publish: Callable[[str, bytes], object], clock: Clock
    ) -> None:
        self._letters = Letters(layout, BOOT)
        self._publish = publish
        self._clock = clock
        self.floor = next(node.node_id for node in layout.nodes if node.floor)
        self.teller = {bay: node.node_id for node in layout.nodes for bay in node.bays}
        self.sent = 0
        for node in layout.nodes:
            born = m.NodeBorn(software="phones", config_revision=1, floor=node.floor)
            self.tell(node.node_id, born)

    def tell(self, device: str, message: m.Message) -> None:
        """Sends an event of a node."""
        payload = self._letters.wrapped(device, message, round(self._clock.now() * 1e6))
        self.sent += 1
        self._publish(self._letters.channel(device), payload)

    def walked(self, t_s: float, places: dict[int, tuple[float, float]], state: str) -> None:
        """News of the floor, in as many messages as it needs."""
        rows = list(places.items())
        for begin in range(0, len(rows), SEGMENTS_MAX):
            part = dict(rows[begin : begin + SEGMENTS_MAX])
            self.tell(self.floor, floor_news(t_s, part, state))

    def watermark(self, device: str, t_s: float) -> None:
        """A node has told everything up to a moment."""
        self.tell(device, m.Watermark(t_s=t_s, last_seq=self._letters.latest[device]))


@dataclass(slots=True)
class _Due:
    """Something to be sent at a moment."""

    at_s: float
    device: str
    message: m.Message
    person: Person | None = None


class Play:
    """What happens in the store, step by step of the floor's news."""

    def __init__(self, layout: StoreFile, store: Nodes, phones: Phones, clock: Clock) -> None:
        self._layout, self._store, self._phones = layout, store, phones
        self._now, self._sleep_until = clock.now, clock.sleep_until
        self.people = list(_people(layout))
        entry = next(gate for gate in layout.gates if gate.kind == "entry")
        self._entry = entry.gate_id
        self._in_m = middle(entry)
        self._out = next(gate for gate in layout.gates if gate.kind == "exit")
        self._settings = NodeSettings()
        self._due: list[_Due] = []
        # The first of each counts from when it is looked at.
        self._marks = {
            node.node_id: k / len(layout.nodes) * self._settings.watermark_s
            for k, node in enumerate(layout.nodes)
        }
        self._next_mark = dict(self._marks)
        self._reaches = 0
        self._picked = 0.0
        self._front = [one for one in self.people if one.front]

    def run(self, cpu_s: Callable[[], float]) -> dict[str, float]:
        """Plays it; the hub's share of a core while people come in, shop and leave."""
        shares: dict[str, float] = {}
        self._until(self._now() + CLOCKS_S)
        start_s = self._now()
        step = 0
        come_s = len(self.people) * STEPS_IN / FLOOR_HZ
        leave_s = come_s + SHOP_S
        end_s = leave_s + ROUNDS * (WALK_S + AFTER_S)
        for k in range(ROUNDS * LEAVING):
            at_s = leave_s + k // LEAVING * (WALK_S + AFTER_S) + WALK_S
            self._front[k].leaves_s = start_s + at_s + (k % LEAVING) / LEAVING
        phases = {"coming_in": come_s, "shopping": leave_s, "leaving": end_s}
        began = (0.0, cpu_s())
        for name, until_s in phases.items():
            while (at_s := step / FLOOR_HZ) < until_s:
                self._until(start_s + at_s)
                self._step(step, start_s + at_s, shopping=_came_in(at_s, come_s))
                step += 1
            spent_s = cpu_s() - began[1]
            shares[name] = round(spent_s / (until_s - began[0]), 3)
            began = (until_s, cpu_s())
        return shares

    def _until(self, at_s: float) -> None:
        """Sends what is due before the next step, each at its moment."""
        while True:
            device, mark_s = min(self._next_mark.items(), key=lambda row: row[1])
            if mark_s == self._marks[device]:
                # The first of a node; it counts from now.
                self._next_mark[device] = mark_s = self._now() + mark_s
            due = min(self._due, key=lambda one: one.at_s, default=None)
            next_s = mark_s if due is None else min(mark_s, due.at_s)
            if next_s >= at_s:
                self._sleep_until(at_s)
                return
            self._sleep_until(next_s)
            if due is not None and due.at_s <= mark_s:
                self._due.remove(due)
                if due.person is not None:
                    due.person.told.append((due.person.slot.gtin, self._now()))
                    due.person.turn += 1
                self._store.tell(due.device, due.message)
            else:
                self._store.watermark(device, self._now() - self._settings.hindsight_s)
                self._next_mark[device] = mark_s + self._settings.watermark_s

    def _step(self, step: int, t_s: float, *, shopping: bool) -> None:
        who, part = divmod(step, STEPS_IN)
        x_m, y_m = self._in_m
        if part == 0:
            if who + 1 < len(self.people):
                self._phones.ask(who + 1)
            if who < len(self.people):
                self._store.walked(t_s, {who: (x_m, y_m)}, "born")
                code = self._phones.code(who)
                scan = m.GateScanned(gate_id=self._entry, code=code, t_s=t_s)
                self._store.tell(self._store.floor, scan)
        elif who < len(self.people):
            self._store.walked(t_s, {who: (x_m, y_m + 0.5)}, "alive")
            self.people[who].inside = True
        self._walk(step, t_s)
        if shopping:
            self._pick(t_s)

    def _walk(self, step: int, t_s: float) -> None:
        places: dict[int, tuple[float, float]] = {}
        gone: dict[int, tuple[float, float]] = {}
        for one in self.people:
            if not one.inside or (step // STEPS_IN == one.number):
                continue
            x_m, y_m = self._place(one, step, t_s)
            places[one.number] = (x_m, y_m)
            if t_s > one.leaves_s:
                gone[one.number] = (x_m, y_m)
                one.inside = False
        self._store.walked(t_s, places, "alive")
        if gone:
            self._store.walked(t_s + 0.01, gone, "ended")

    def _place(self, one: Person, step: int, t_s: float) -> tuple[float, float]:
        """Where somebody is: at the shelf, on the way, or just outside."""
        left_s = one.leaves_s - t_s
        line_y = self._out.line_m[0][1]
        out_x = self._out.line_m[0][0] + (one.number % LEAVING + 0.5) / LEAVING * (
            self._out.line_m[1][0] - self._out.line_m[0][0]
        )
        if left_s > WALK_S:
            return one.at_m[0] + 0.02 * (step % 3), one.at_m[1]
        if left_s < 0.0:
            # The crossing is where the way between the last two places meets the line.
            one.crossed_s = one.leaves_s
            return out_x, line_y + 1.4 * left_s
        if left_s <= LAST_S:
            return out_x, line_y + 1.4 * left_s
        share = (left_s - LAST_S) / (WALK_S - LAST_S)
        gate = (out_x, line_y + LAST_M)
        return (
            gate[0] + share * (one.at_m[0] - gate[0]),
            gate[1] + share * (one.at_m[1] - gate[1]),
        )

    def _pick(self, t_s: float) -> None:
        self._picked += PICKS_PER_S / FLOOR_HZ
        while self._picked >= 1.0:
            self._picked -= 1.0
            # Neighbours do not reach one after the other.
            one = self._front[self._reaches * 37 % len(self._front)]
            name = f"reach-{self._reaches}"
            self._reaches += 1
            if not one.inside or one.leaves_s - t_s < WALK_S + 2.0:
                continue
            device = self._store.teller[one.slot.bay_id]
            u_m = one.slot.u0_m + 0.1
            opened = m.ReachOpened(reach_id=name, bay_id=one.slot.bay_id, t_s=t_s, u_m=u_m)
            self._due.append(_Due(t_s, device, opened))
            closed = closed_reach(name, one.slot, one.at_m[0], t_s, body_y_m=one.at_m[1])
            self._due.append(_Due(t_s + REACH_S + TOLD_S, device, closed, one))


def _came_in(at_s: float, come_s: float) -> bool:
    """Whether enough people are inside for picks to begin: the last ones come in meanwhile."""
    return at_s > 0.75 * come_s


def measure() -> dict[str, float]:
    """The figures; see the module's first lines."""
    layout = big_store(COPIES)
    with tempfile.TemporaryDirectory() as name, running_hub(layout, Path(name)) as rig:
        sender, http, pid = rig
        with Listeners(http) as listeners:
            clock = WallClock()
            store = Nodes(layout, lambda name, told: sender.client.publish(name, told, 1), clock)
            play = Play(layout, store, listeners, clock)
            listeners.ask(0)
            shares = play.run(lambda: cpu_s_of(pid))
            seen = listeners.close()
            rss_mb = rss_mb_of(pid)
    return {
        "phones": len(seen),
        "streams_most": PEOPLE,
        "events": store.sent,
        **waits(play.people, seen),
        **{f"hub_cpu_share_{part}": share for part, share in shares.items()},
        "rss_mb": rss_mb,
        "load_1min": round(os.getloadavg()[0], 1),
    }


def waits(people: list[Person], seen: dict[int, Seen]) -> dict[str, float]:
    """How long phones took to show picks and receipts, in milliseconds."""
    cart_ms, missed = carts_ms(people, seen)
    left = [one for one in people if one.crossed_s is not None]
    final = sorted(_after_ms(one, seen[one.number].final_s) for one in left)
    paid = sorted(_after_ms(one, seen[one.number].paid_s) for one in left)
    return {
        "picks": len(cart_ms) + missed,
        "picks_missed": missed,
        **_spread("cart", cart_ms),
        "exits": len(left),
        **_spread("receipt", final),
        **_spread("paid", paid),
    }


def carts_ms(people: list[Person], seen: dict[int, Seen]) -> tuple[list[float], int]:
    """For each pick how long the phone took to show it; and how many it never showed."""
    found, missed = [], 0
    for one in people:
        taken: dict[str, int] = {}
        for gtin, told_s in one.told:
            taken[gtin] = taken.get(gtin, 0) + 1
            shown_s = next(
                (
                    at_s
                    for at_s, cart in seen[one.number].carts
                    if at_s >= told_s and cart.get(gtin, 0) >= taken[gtin]
                ),
                None,
            )
            if shown_s is None:
                missed += 1
                taken[gtin] -= 1
            else:
                found.append(1e3 * (shown_s - told_s))
    return sorted(found), missed


def _after_ms(one: Person, at_s: float | None) -> float:
    return math.inf if at_s is None or one.crossed_s is None else 1e3 * (at_s - one.crossed_s)


def _spread(name: str, ordered: list[float]) -> dict[str, float]:
    return {
        f"{name}_p{share}_ms": round(
            ordered[max(0, math.ceil(share / 100 * len(ordered)) - 1)] if ordered else math.inf, 1
        )
        for share in (50, 95, 99)
    }


def _people(layout: StoreFile) -> Iterator[Person]:
    """Those before the shelves first, one a bay, then the others along the street side."""
    for number, bay in enumerate(layout.bays):
        slots = [slot for slot in layout.slots if slot.bay_id == bay.bay_id]
        first = [slot for slot in slots if int(slot.u0_m / STRETCH_M) == 0]
        yield Person(number, [(slot, *before(bay, slot)) for slot in first], front=True)
    slot = layout.slots[0]
    rest = PEOPLE - len(layout.bays)
    for k in range(rest):
        x_m = 7.0 + k / rest * (layout.floor.width_m - 8.0)
        yield Person(PEOPLE - rest + k, [(slot, x_m, 0.8)], front=False)


def main() -> None:
    """Prints the figures, and writes them as JSON if asked."""
    printed("240 phones, and twenty who leave at once.", measure)


def printed(what: str, run: Callable[[], dict[str, float]]) -> None:
    """Runs it as a command, prints the figures, and writes them as JSON if asked."""
    parser = argparse.ArgumentParser(description=what)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    result = run()
    for name, value in result.items():
        limit = LIMITS.get(name)
        judged = (
            "" if limit is None else f"  limit {limit:g}: {'kept' if value <= limit else 'broken'}"
        )
        print(f"{name:22} {value}{judged}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
