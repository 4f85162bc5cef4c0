"""A device's clock against the hub's, per boot.

Cristian, "Probabilistic clock synchronization" (1989): the hub sends its time, the device answers
with its own, and the true offset lies within half the round trip of the middle. A message bounds
it from above: it was not made after it arrived. So each answer is an interval and each message an
end of one, both growing with their age, and what lies in all of them is left (Marzullo, 1984). On
a quick line that is the answer with the shortest round trip; on a slow one it is far less, for the
quickest way out and the quickest way back need not have been of one round trip.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Clock", "Estimate"]

SAMPLES_MAX = 16
ROUND_TRIP_S_MAX = 30.0
DRIFT = 1e-4
"""Two quartz clocks part by less than 100 microseconds a second."""
SD_S_MIN = 0.001
TIGHTER_S = 1e-4
"""Bounds that narrow an estimate by less are not worth another one."""
ONE_WAY_SD_S = 0.25
"""Without an answer to a ping, messages bound the offset from one side only."""


@dataclass(frozen=True, slots=True)
class Estimate:
    """Hub time = device time + `offset_s`, give or take `sd_s`."""

    offset_s: float
    sd_s: float


@dataclass(slots=True)
class Clock:
    """Answers to pings, and the bound from messages while there are none."""

    samples: deque[tuple[float, float, float]] = field(
        default_factory=lambda: deque(maxlen=SAMPLES_MAX)
    )
    one_way_s: float | None = None
    one_way_at_s: float = 0.0
    best: Estimate | None = None

    def pong(self, *, now_s: float, hub_us: int, device_us: int, drifts: bool = True) -> bool:
        """Takes an answer in; False if its round trip is impossible or too long. `drifts`: the
        clocks may have parted while the answer was on its way."""
        sent_s = hub_us / 1e6
        round_trip_s = now_s - sent_s
        if not 0.0 <= round_trip_s <= ROUND_TRIP_S_MAX:
            return False
        offset_s = sent_s + round_trip_s / 2 - device_us / 1e6
        aged_s = DRIFT * round_trip_s if drifts else 0.0
        self.samples.append((now_s, offset_s, round_trip_s / 2 + aged_s))
        self.best = self._solved(now_s)
        return True

    def heard(self, *, now_s: float, device_us: int) -> None:
        """A message arrived: its delay cannot be negative, so the offset is at most this."""
        bound_s = now_s - device_us / 1e6
        known_s = self.one_way_s
        if known_s is None or bound_s < known_s + DRIFT * (now_s - self.one_way_at_s):
            self.one_way_s, self.one_way_at_s = bound_s, now_s
            best = self.best
            if best is not None and bound_s < best.offset_s + best.sd_s - TIGHTER_S:
                self.best = self._solved(now_s)

    def _solved(self, now_s: float) -> Estimate:
        """What lies in all intervals, or the narrowest one if nothing does or it is hardly less.

        Nothing lies in all of them if the device's clock drifts by more than was thought.
        """
        _, best_s, error_s = min(
            self.samples, key=lambda sample: sample[2] + DRIFT * (now_s - sample[0])
        )
        low_s = max(at - error - DRIFT * (now_s - t) for t, at, error in self.samples)
        high_s = min(at + error + DRIFT * (now_s - t) for t, at, error in self.samples)
        if self.one_way_s is not None:
            high_s = min(high_s, self.one_way_s + DRIFT * (now_s - self.one_way_at_s))
        width_s = high_s - low_s
        if -TIGHTER_S <= width_s < 2.0 * error_s - TIGHTER_S:
            best_s, error_s = (low_s + high_s) / 2, max(0.0, width_s / 2)
        return Estimate(best_s, max(SD_S_MIN, error_s))

    def estimate(self) -> Estimate:
        """The best that is known; offset 0 and a wide error if nothing is."""
        if self.best is not None:
            return self.best
        if self.one_way_s is not None:
            return Estimate(self.one_way_s, ONE_WAY_SD_S)
        return Estimate(0.0, ONE_WAY_SD_S)

    def dump(self) -> dict[str, Any]:
        """The state as JSON values."""
        best = self.best
        return {
            "samples": [list(sample) for sample in self.samples],
            "one_way_s": self.one_way_s,
            "one_way_at_s": self.one_way_at_s,
            "best": None if best is None else [best.offset_s, best.sd_s],
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Clock:
        """The clock that `dump` described."""
        # Snapshots of earlier versions do not say when the bound was met.
        clock = cls(one_way_s=state["one_way_s"], one_way_at_s=state.get("one_way_at_s", 0.0))
        clock.samples.extend((a, b, c) for a, b, c in state["samples"])
        if state["best"] is not None:
            clock.best = Estimate(*state["best"])
        return clock
