"""One node of the lockstep store: its clock, its own sensors' readings, its core, boot by boot.

Every node has a clock of its own, set off against the store's and perhaps a little fast or slow;
the hub has to find that out. A boot begins with a fresh core and with number 0.
"""

from __future__ import annotations

import dataclasses
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import Protocol

import numpy as np

from contracts.envelope import Envelope
from contracts.messages import ClockPing, Message, NodeConfig, WallCues
from edge.core import NodeCore
from edge.exchange import NodeInputs, NodeOutputs, Observation
from edge.sequencer import Sequencer
from hardware.ports import Frame, GateScan, ScaleBatch
from store_sim.dials import ClockDials

__all__ = [
    "EPOCH_S",
    "LockstepNode",
    "MakeCore",
    "NodeClock",
    "Tick",
    "node_clock_s",
    "node_clocks",
]

EPOCH_S = 1_760_000_000.0
"""Hub time at store second 0."""
FRAME_SLACK_S = 1e-6
_STREAM_CLOCKS = 41

MakeCore = Callable[[NodeConfig, str], NodeCore]
"""Builds a node's core from its configuration and a boot id."""


class Tick(Protocol):
    """What all sensors of the store gave since the last tick, in store seconds."""

    @property
    def t_s(self) -> float: ...
    @property
    def frames(self) -> tuple[Frame, ...]: ...
    @property
    def scales(self) -> ScaleBatch | None: ...
    @property
    def scans(self) -> tuple[GateScan, ...]: ...


def node_clock_s(index: int) -> float:
    """What the n-th node's clock shows at store second 0, without skew."""
    return 211.25 + 97.5 * index


@dataclasses.dataclass(frozen=True, slots=True)
class NodeClock:
    """What a node's clock shows: `offset_s` at store second 0, and `drift` seconds a second more
    than the store's from then on. `skew_s` is how wrong the node's idea of the time of day is."""

    offset_s: float
    drift: float = 0.0
    skew_s: float = 0.0

    def at(self, t_s: float) -> float:
        """The clock's seconds at a store second."""
        return t_s * (1.0 + self.drift) + self.offset_s


def node_clocks(count: int, dials: ClockDials, seed: int) -> list[NodeClock]:
    """The clocks of the nodes. Skew is up to `skew_s` either way, drift up to `drift_ppm`.

    A clock never shows less than zero, so all of them are `skew_s` further on: what counts is
    how far they are apart.
    """
    random = np.random.default_rng([seed, _STREAM_CLOCKS])
    clocks = []
    for index in range(count):
        skew, drift = (float(2.0 * value - 1.0) for value in random.random(2))
        skew_s = round(skew * dials.skew_s, 3)
        clocks.append(
            NodeClock(
                node_clock_s(index) + dials.skew_s + skew_s,
                round(drift * dials.drift_ppm, 3) * 1e-6,
                skew_s,
            )
        )
    return clocks


class LockstepNode:
    """One node. `core` is that of the boot that lives now.

    With `observations` (camera id to a day's observations) nothing is perceived: they are handed
    in at their own times. Otherwise `seen` collects what the shelves' and ceilings' pipelines say;
    what a wall's camera says may hold its whole picture and is not kept.
    """

    def __init__(
        self,
        config: NodeConfig,
        clock: NodeClock,
        make_core: MakeCore,
        *,
        observations: Mapping[str, Sequence[Observation]] | None,
        seen: dict[str, list[Observation]],
    ) -> None:
        self.config = config
        self.clock = clock
        self.boots = 0
        self.boot_id = ""
        self.pings: list[ClockPing] = []
        self.cues: list[WallCues] = []
        self.unplugged: frozenset[str] = frozenset()
        self.perceive_s = 0.0
        self._make_core = make_core
        self._given = observations is not None
        self._seen = seen
        self._cached: dict[str, Iterator[Observation]] = {
            camera.camera_id: iter((observations or {}).get(camera.camera_id, ()))
            for camera in config.cameras
        }
        self._waiting: dict[str, Observation] = {}
        self.boot()

    def boot(self) -> None:
        """A new life: a new boot id, a core that remembers nothing, numbers from 0."""
        self.boots += 1
        self.boot_id = f"boot-{self.boots}"
        self.pings, self.cues = [], []
        self.core = self._make_core(self.config, self.boot_id)
        self._sequencer = Sequencer(
            store_id=self.config.store_id,
            device_id=self.config.node_id,
            boot_id=self.boot_id,
            config_revision=self.config.revision,
        )

    def miss(self, tick: Tick) -> None:
        """The node is dead: what its sensors gave is gone."""
        if self._given:
            self._due(tick.t_s)

    def step(
        self, tick: Tick, *, outbox_waiting: int = 0, outbox_full: bool = False
    ) -> NodeOutputs:
        """The core takes the tick's readings of the node's own sensors, and answers pings."""
        inputs = self._inputs(tick)
        if outbox_waiting or outbox_full:
            inputs = dataclasses.replace(
                inputs, outbox_waiting=outbox_waiting, outbox_full=outbox_full
            )
        return self.core.step(inputs, self.clock.at(tick.t_s))

    def wrap(self, events: Sequence[Message], t_s: float) -> list[Envelope]:
        """The events numbered, in their order, at a store second."""
        now_s = self.clock.at(t_s)
        stamp = datetime.fromtimestamp(EPOCH_S + t_s + self.clock.skew_s, UTC)
        return [self._sequencer.wrap(event, now_s=now_s, time=stamp) for event in events]

    def _inputs(self, tick: Tick) -> NodeInputs:
        began = time.process_time()
        observations = self._due(tick.t_s) if self._given else self._perceive(tick.frames)
        self.perceive_s += time.process_time() - began
        scales: tuple[ScaleBatch, ...] = ()
        if tick.scales is not None and self.config.plates:
            moved = tick.scales.t_s * (1.0 + self.clock.drift) + self.clock.offset_s
            scales = (dataclasses.replace(tick.scales, t_s=moved),)
        gates = {gate.gate_id for gate in self.config.gates}
        gates |= {name for wall in self.config.walls for name in wall.scanners}
        scans = tuple(
            dataclasses.replace(scan, t_s=self.clock.at(scan.t_s))
            for scan in tick.scans
            if scan.gate_id in gates
        )
        pings, self.pings = tuple(self.pings), []
        cues, self.cues = tuple(self.cues), []
        return NodeInputs(
            observations=observations,
            scales=scales,
            scans=scans,
            pings=pings,
            cues=cues,
            unplugged=self.unplugged,
        )

    def _perceive(self, frames: Sequence[Frame]) -> tuple[Observation, ...]:
        own = {camera.camera_id for camera in self.config.eyes}
        observations = tuple(
            self.core.perceive(dataclasses.replace(frame, t_s=self.clock.at(frame.t_s)))
            for frame in frames
            if frame.camera_id in own
        )
        for seen in (one for one in observations if one.camera_id in self._cached):
            self._seen.setdefault(seen.camera_id, []).append(seen)
        return observations

    def _due(self, t_s: float) -> tuple[Observation, ...]:
        """Cached observations whose time has come."""
        now_s = self.clock.at(t_s) + FRAME_SLACK_S
        found = []
        for camera_id, rest in self._cached.items():
            while True:
                one = self._waiting.pop(camera_id, None) or next(rest, None)
                if one is None:
                    break
                if one.t_s > now_s:
                    self._waiting[camera_id] = one
                    break
                found.append(one)
        return tuple(found)
