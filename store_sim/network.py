"""A bad network, by seed: messages late, lost, doubled, overtaken, and links cut for a while.

>>> from store_sim.dials import NetworkDials
>>> network = Network(NetworkDials(delay_ms=40.0, doubled=1.0), seed=7)
>>> network.send(1.0, ("node-a", "up"), "events", b"hello")
>>> len(network.due(1.0)), [letter.payload for letter in network.due(9.0)]
(0, [b'hello', b'hello'])

It knows bytes and addresses only. A link is one direction of one device, and what it delivers
comes in the order it was sent, except for what is reordered: that is held back, and what was sent
after it comes before it. A link is a fold over time: `send` and `due` must not go back.

Each message draws the same numbers whatever the dials, from a source of its link's own. So a dial
turned up does to a message what it did before, and to more messages, and the links do not depend
on each other.
"""

from __future__ import annotations

import heapq
import math
import zlib
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Literal

import numpy as np

from store_sim.dials import NetworkDials

__all__ = [
    "BYTES_MAX",
    "DELAY_S_MAX",
    "IN_FLIGHT_MAX",
    "Delivery",
    "Direction",
    "Link",
    "Network",
    "Spells",
]

Direction = Literal["up", "down"]
Link = tuple[str, Direction]
"""Device, and which way: `up` from the device to the hub, `down` to the device."""

IN_FLIGHT_MAX = 4096
"""Messages on their way over one link; more are dropped and counted as `overflowed`."""
BYTES_MAX = 64_000_000
"""Payload bytes on their way over all links; more are dropped and counted as `overflowed`."""
DELAY_S_MAX = 120.0
"""No message is under way for longer: a tail of the delays without a bound helps nobody."""
HELD_BACK_S = 0.4
"""A reordered message comes later by so much on average, or by the mean delay if that is more."""
BOTH_SHARE, UP_SHARE = 0.5, 0.25
"""Of the cuts so many cut both ways, and so many only what the device sends; the rest cuts only
what is sent to it, so that it is heard and hears nothing: no acknowledgement."""

_STREAM_LINK, _STREAM_CUTS = 31, 32


@dataclass(frozen=True, slots=True)
class Delivery:
    """A message that arrives; `number` counts all that was ever sent or doubled."""

    due_s: float
    number: int
    link: Link
    address: str
    payload: bytes


class Spells:
    """Something that comes over a thing again and again: a Poisson process of spells by seed.

    `per_min` spells a minute begin on average, each as long as an exponential of mean `mean_s`;
    the next one begins after the last has ended. Asked about times that never go back.
    """

    def __init__(self, seed: int, stream: int, name: str, *, per_min: float, mean_s: float) -> None:
        self._random = np.random.default_rng([seed, stream, zlib.crc32(name.encode())])
        self._gap_s = math.inf if per_min <= 0 else 60.0 / per_min
        self._mean_s = mean_s
        self._begin_s = self._end_s = 0.0
        self.count = 0
        self.kind = 0.0
        if per_min > 0:
            self._next(0.0)

    def on(self, t_s: float) -> bool:
        """Whether a spell is on; `kind` in 0..1 is the spell's own lot, `count` its number."""
        if self._gap_s == math.inf:
            return False
        while t_s >= self._end_s:
            self._next(self._end_s)
        return t_s >= self._begin_s

    def _next(self, after_s: float) -> None:
        gap, length, kind = (float(value) for value in self._random.random(3))
        self._begin_s = after_s + _exponential_s(gap, self._gap_s)
        self._end_s = self._begin_s + max(1e-3, _exponential_s(length, self._mean_s))
        self.kind = kind
        self.count += 1


@dataclass(slots=True)
class _Line:
    random: np.random.Generator
    in_flight: int = 0
    last_due_s: float = 0.0
    closed: bool = False


@dataclass(slots=True)
class _Cuts:
    spells: Spells
    counted: int = 0


@dataclass(slots=True)
class Network:
    """All links of a store. Deterministic by dials, seed and what is sent when."""

    dials: NetworkDials
    seed: int
    _lines: dict[Link, _Line] = field(default_factory=dict)
    _cuts: dict[str, _Cuts] = field(default_factory=dict)
    _flying: list[tuple[float, int, Delivery]] = field(default_factory=list)
    _counts: Counter[str] = field(default_factory=Counter)
    _number: int = 0
    _bytes: int = 0

    @property
    def counts(self) -> Mapping[str, int]:
        """How many messages were `sent`, `delivered`, `dropped`, `doubled`, `reordered`, lost by
        a `cut` link, `lost` with the broker, `overflowed`; and how many `cuts` there were."""
        return dict(sorted(self._counts.items()))

    @property
    def in_flight(self) -> int:
        """Messages on their way."""
        return len(self._flying)

    def close(self, links: Iterable[Link]) -> None:
        """Exactly these links are cut from now on, beside those cut at random."""
        closed = set(links)
        for link in closed:
            self._line(link)
        for link, line in self._lines.items():
            line.closed = link in closed

    def cut(self, link: Link, now_s: float) -> bool:
        """Whether nothing passes over a link now."""
        return self._line(link).closed or self._cut_at_random(link, now_s)

    def send(self, now_s: float, link: Link, address: str, payload: bytes) -> None:
        """Takes a message; it arrives later, twice, or never."""
        line = self._line(link)
        self._counts["sent"] += 1
        dropped, doubled, held, delay, held_s, again_s = (
            float(value) for value in line.random.random(6)
        )
        if self.cut(link, now_s):
            self._counts["cut"] += 1
            return
        dials = self.dials
        if dropped < dials.dropped:
            self._counts["dropped"] += 1
            return
        mean_s = dials.delay_ms / 1000.0
        due_s = max(line.last_due_s, now_s + _exponential_s(delay, mean_s))
        if held < dials.reordered:
            self._counts["reordered"] += 1
            due_s += _exponential_s(held_s, max(HELD_BACK_S, mean_s))
        else:
            line.last_due_s = due_s
        self._fly(line, due_s, link, address, payload)
        if doubled < dials.doubled:
            self._counts["doubled"] += 1
            self._fly(line, due_s + _exponential_s(again_s, mean_s), link, address, payload)

    def due(self, now_s: float) -> list[Delivery]:
        """What has arrived by now, in the order of arrival; what a cut link carried is lost."""
        found = []
        while self._flying and self._flying[0][0] <= now_s:
            _, _, letter = heapq.heappop(self._flying)
            self._lines[letter.link].in_flight -= 1
            self._bytes -= len(letter.payload)
            if self.cut(letter.link, now_s):
                self._counts["cut"] += 1
                continue
            found.append(letter)
        self._counts["delivered"] += len(found)
        return found

    def lose_all(self) -> None:
        """The broker is gone, and with it everything on its way."""
        self._counts["lost"] += len(self._flying)
        self._flying.clear()
        self._bytes = 0
        for line in self._lines.values():
            line.in_flight = 0

    def _fly(self, line: _Line, due_s: float, link: Link, address: str, payload: bytes) -> None:
        if line.in_flight >= IN_FLIGHT_MAX or self._bytes + len(payload) > BYTES_MAX:
            self._counts["overflowed"] += 1
            return
        line.in_flight += 1
        self._bytes += len(payload)
        self._number += 1
        letter = Delivery(due_s, self._number, link, address, payload)
        heapq.heappush(self._flying, (due_s, self._number, letter))

    def _line(self, link: Link) -> _Line:
        line = self._lines.get(link)
        if line is None:
            name = zlib.crc32("/".join(link).encode())
            line = self._lines[link] = _Line(np.random.default_rng([self.seed, _STREAM_LINK, name]))
        return line

    def _cut_at_random(self, link: Link, now_s: float) -> bool:
        device, direction = link
        cuts = self._cuts.get(device)
        if cuts is None:
            dials = self.dials
            cuts = self._cuts[device] = _Cuts(
                Spells(
                    self.seed,
                    _STREAM_CUTS,
                    device,
                    per_min=dials.cuts_per_min,
                    mean_s=dials.cut_s,
                )
            )
        spells = cuts.spells
        if not spells.on(now_s):
            return False
        if cuts.counted != spells.count:
            cuts.counted = spells.count
            self._counts["cuts"] += 1
        if spells.kind < BOTH_SHARE:
            return True
        return (spells.kind < BOTH_SHARE + UP_SHARE) == (direction == "up")


def _exponential_s(share: float, mean_s: float) -> float:
    """An exponential of this mean from a number in 0..1, in whole microseconds.

    Rounded, because the last bit of a logarithm differs between machines.
    """
    return min(DELAY_S_MAX, round(-mean_s * math.log1p(-share), 6)) if mean_s > 0 else 0.0
