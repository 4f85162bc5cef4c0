"""A device's clock against the hub's, per boot.

Cristian, "Probabilistic clock synchronization" (1989): the hub sends its time, the device answers
with its own, and the true offset lies within half the round trip of the middle. Of the last
answers the one with the shortest round trip is used, its error growing with its age.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

__all__ = ["Clock", "Estimate"]

SAMPLES_MAX = 16
ROUND_TRIP_S_MAX = 2.0
DRIFT = 1e-4
"""Two quartz clocks part by less than 100 microseconds a second."""
SD_S_MIN = 0.001
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
    best: Estimate | None = None

    def pong(self, *, now_s: float, hub_us: int, device_us: int) -> bool:
        """Takes an answer in; False if its round trip is impossible or too long."""
        sent_s = hub_us / 1e6
        round_trip_s = now_s - sent_s
        if not 0.0 <= round_trip_s <= ROUND_TRIP_S_MAX:
            return False
        offset_s = sent_s + round_trip_s / 2 - device_us / 1e6
        self.samples.append((now_s, offset_s, round_trip_s / 2))
        _, best_s, error_s = min(
            self.samples, key=lambda sample: sample[2] + DRIFT * (now_s - sample[0])
        )
        self.best = Estimate(best_s, max(SD_S_MIN, error_s))
        return True

    def heard(self, *, now_s: float, device_us: int) -> None:
        """A message arrived: its delay cannot be negative, so the offset is at most this."""
        bound_s = now_s - device_us / 1e6
        if self.one_way_s is None or bound_s < self.one_way_s:
            self.one_way_s = bound_s

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
            "best": None if best is None else [best.offset_s, best.sd_s],
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Clock:
        """The clock that `dump` described."""
        clock = cls(one_way_s=state["one_way_s"])
        clock.samples.extend((a, b, c) for a, b, c in state["samples"])
        if state["best"] is not None:
            clock.best = Estimate(*state["best"])
        return clock
