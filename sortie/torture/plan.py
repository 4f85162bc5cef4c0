"""What goes wrong in one run, and when: drawn from the seed before anything happens.

Every row of the table of faults is here or in `clients` and `junk`; see docs/torture.md.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from random import Random

from hub.wallet.fake import Fault
from hub.wallet.gateway import GatewayRequest
from sortie.torture.points import NAMES
from store_sim.dials import NetworkDials

__all__ = ["BUSY_S", "FAULTS", "LONG_AWAY_S", "Plan", "Trouble", "gateway_plan"]

BUSY_S = 60.0
"""For so long people come in and things go wrong; then everything works again."""
LONG_AWAY_S = 600.0
LONG_AWAY_EVERY = 40
"""Of so many seeds one keeps the hub down for LONG_AWAY_S while everybody shops on."""
DISK_OPERATIONS = 60
OPENING_OPERATIONS = 90

FAULTS: dict[str, int] = {
    "partition": 5,
    "broker_kill": 3,
    "hub_away": 3,
    "hub_point": 9,
    "hub_disk_kill": 6,
    "hub_disk_power": 6,
    "hub_opening_kill": 3,
    "hub_opening_power": 3,
    "hub_disk_full": 3,
    "hub_disk_io": 3,
    "hub_locked": 3,
    "second_hub": 3,
    "node_kill": 4,
    "node_disk_kill": 3,
    "node_disk_power": 3,
    "node_disk_full": 2,
    "node_clock_jump": 1,
    "node_wall_jump": 3,
    "hub_clock_back": 1,
    "hub_clock_forward": 1,
    "old_death": 3,
    "malformed": 5,
    "rogue": 4,
    "scan_twice": 3,
    "exit_twice": 3,
    "track_lost": 4,
}
"""Name and how often it is drawn against the others."""


@dataclass(frozen=True, slots=True)
class Trouble:
    """One thing that goes wrong. `lot` in 0..1 and `count` say how."""

    t_s: float
    name: str
    for_s: float
    lot: float
    count: int
    point: str


@dataclass(frozen=True, slots=True)
class Plan:
    """All that goes wrong in one run."""

    network: NetworkDials
    troubles: tuple[Trouble, ...]
    gateway_share: float
    busy_s: float

    @classmethod
    def of(cls, seed: int, busy_s: float = BUSY_S) -> Plan:
        """The plan of a seed."""
        random = Random(f"plan {seed}")
        level = random.choice((0.0, 0.1, 0.3, 0.5))
        network = NetworkDials(
            delay_ms=random.choice((0.0, 40.0, 200.0, 800.0)),
            dropped=round(level * random.random(), 3),
            doubled=round(level * random.random(), 3),
            reordered=round(level * random.random(), 3),
            cuts_per_min=random.choice((0.0, 0.0, 1.0, 3.0)),
        )
        troubles = sorted(_drawn(random, busy_s), key=lambda trouble: trouble.t_s)
        if seed % LONG_AWAY_EVERY == 0 and busy_s >= BUSY_S:
            away = Trouble(busy_s / 3, "hub_away", LONG_AWAY_S, 0.0, 0, "")
            troubles = [one for one in troubles if one.t_s < away.t_s] + [away]
        return cls(network, tuple(troubles), random.choice((0.0, 0.1, 0.4)), busy_s)

    @property
    def long(self) -> bool:
        """Whether the hub is away for very long."""
        return any(trouble.for_s >= LONG_AWAY_S for trouble in self.troubles)

    @property
    def end_s(self) -> float:
        """From here on nothing goes wrong any more."""
        last_s = max((one.t_s + one.for_s for one in self.troubles), default=0.0)
        return max(self.busy_s, last_s) + 1.0


def gateway_plan(
    seed: int, share: float, calm: Callable[[], bool], told: Callable[[str], None]
) -> Callable[[GatewayRequest, int], Fault]:
    """The gateway's faults: by key and try, so that the order of questions does not matter."""

    def fault(request: GatewayRequest, times: int) -> Fault:
        random = Random(f"gateway {seed} {request.key} {times}")
        if calm() or random.random() >= share:
            return "none"
        kinds: tuple[Fault, ...] = ("timeout", "lost", "lost", "timeout")
        if request.kind == "hold":
            kinds = (*kinds, "declined")
        if request.kind == "capture":
            kinds = (*kinds, "expired", "declined")
        if request.kind == "void":
            kinds = (*kinds, "expired")
        kind = random.choice(kinds)
        told(f"gateway_{request.kind}_{kind}")
        return kind

    return fault


def _drawn(random: Random, busy_s: float) -> Iterator[Trouble]:
    names, weights = list(FAULTS), list(FAULTS.values())
    for _ in range(random.randint(3, 9)):
        name = random.choices(names, weights)[0]
        span = OPENING_OPERATIONS if "opening" in name else DISK_OPERATIONS
        yield Trouble(
            t_s=round(random.uniform(2.0, busy_s - 2.0), 3),
            name=name,
            for_s=round(random.choice((1.0, 3.0, 8.0, 20.0)) * random.uniform(0.5, 1.5), 3),
            lot=random.random(),
            count=random.randint(1, span),
            point=random.choice(NAMES),
        )
