"""The store in one process under a virtual clock: the same twice, faster than real time.

A sensor source gives ticks; each node's core takes its own sensors' readings; its messages are
numbered and handed to the hub; the hub's answers go back before the next tick. The cores are the
ones of production, and so are the messages: what is missing is only sockets, threads and disks.

Every node has a clock of its own, set off against the store's, and the hub has to find that out.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal, Protocol

from contracts.codec import encode
from contracts.messages import ClockPing, NodeConfig
from contracts.store_file import StoreFile
from contracts.topics import device_of, topic
from edge.core import NodeCore
from edge.exchange import NodeInputs, Observation
from edge.sequencer import Sequencer
from hardware.ports import Frame, GateScan, ScaleBatch
from hub.commands import OpenVisit
from hub.service import Hub, Outgoing

__all__ = ["EPOCH_S", "Lockstep", "Phones", "Sensors", "Tick", "node_clock_s"]

EPOCH_S = 1_760_000_000.0
"""Hub time at store second 0."""
HUB_TICK_S = 0.2
DRAIN_S_MAX = 120.0
FRAME_SLACK_S = 1e-6

Sensors = Literal["both", "camera", "plates"]


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
    """What the n-th node's clock shows at store second 0."""
    return 211.25 + 97.5 * index


@dataclasses.dataclass(slots=True)
class _Node:
    config: NodeConfig
    core: NodeCore
    sequencer: Sequencer
    offset_s: float
    cached: dict[str, Iterator[Observation]]
    waiting: dict[str, Observation]
    pings: list[ClockPing] = dataclasses.field(default_factory=list)
    cpu_s: float = 0.0


class Phones:
    """The shoppers' phones: each asks the hub for a visit and shows its code.

    Codes are made from the seed, so that a day can be run again with the same digest.
    """

    def __init__(self, hub: Hub, seed: int, now_s: Callable[[], float]) -> None:
        self._hub = hub
        self._seed = seed
        self._now_s = now_s
        self.visits: dict[int, str] = {}

    def __call__(self, shopper: int) -> str | None:
        """The entry code of a shopper, asked from the hub."""
        text = f"sortie:{self._seed}:{shopper}"
        code = "SRT-" + hashlib.sha256(text.encode()).hexdigest()[:24]
        token = hashlib.sha256(f"token:{text}".encode()).hexdigest()
        reply = self._hub.command(
            OpenVisit(token_sha256=token, code=code, payer=f"shopper-{shopper}"), self._now_s()
        )
        if reply.visit_id is not None:
            self.visits[shopper] = reply.visit_id
        return code

    def write(self, folder: Path) -> None:
        """Says in the truth folder whose visit is whose."""
        folder.mkdir(parents=True, exist_ok=True)
        lines = [
            json.dumps({"shopper": shopper, "visit_id": visit_id}) + "\n"
            for shopper, visit_id in self.visits.items()
        ]
        (folder / "phones.jsonl").write_text("".join(lines), encoding="utf-8")


class Lockstep:
    """Nodes and hub of one store; `run` drives them over a source's ticks."""

    def __init__(
        self,
        store: StoreFile,
        hub: Hub,
        make_core: Callable[[NodeConfig, str], NodeCore],
        *,
        observations: Mapping[str, Sequence[Observation]] | None = None,
    ) -> None:
        """`make_core(config, boot_id)` builds a node's core. With `observations` (camera id to a
        day's observations) nothing is perceived: they are handed in at their own times."""
        self._store = store
        self._hub = hub
        self._now_s = 0.0
        self._next_hub_tick_s = 0.0
        self._nodes: dict[str, _Node] = {}
        self._given = observations is not None
        self.seen: dict[str, list[Observation]] = {}
        self.cpu_s: dict[str, float] = {"perceive": 0.0, "node": 0.0, "hub": 0.0, "source": 0.0}
        for index, config in enumerate(self._configs(hub.start(EPOCH_S))):
            core = make_core(config, "boot-1")
            self._nodes[config.node_id] = _Node(
                config=config,
                core=core,
                sequencer=Sequencer(
                    store_id=store.store_id,
                    device_id=config.node_id,
                    boot_id="boot-1",
                    config_revision=config.revision,
                ),
                offset_s=node_clock_s(index),
                cached={
                    camera.camera_id: iter((observations or {}).get(camera.camera_id, ()))
                    for camera in config.cameras
                },
                waiting={},
            )

    @property
    def hub_now_s(self) -> float:
        """Hub seconds now."""
        return EPOCH_S + self._now_s

    def run(
        self, ticks: Iterable[Tick], *, progress: Callable[[float], None] = lambda _t: None
    ) -> float:
        """Runs to the end of the source and until every visit is closed; store seconds run."""
        source = iter(ticks)
        while True:
            began = time.process_time()
            tick = next(source, None)
            self.cpu_s["source"] += time.process_time() - began
            if tick is None:
                break
            self._one(tick)
            progress(self._now_s)
        end_s = self._now_s
        while self._hub.core.state.open_visits() and self._now_s - end_s < DRAIN_S_MAX:
            self._now_s += HUB_TICK_S
            self._tick_hub()
        return self._now_s

    def _one(self, tick: Tick) -> None:
        self._now_s = tick.t_s
        for node in self._nodes.values():
            inputs = self._inputs(node, tick)
            self._step(node, inputs)
        if self._now_s >= self._next_hub_tick_s:
            self._next_hub_tick_s = self._now_s + HUB_TICK_S
            self._tick_hub()

    def _inputs(self, node: _Node, tick: Tick) -> NodeInputs:
        own = {camera.camera_id for camera in node.config.cameras}
        began = time.process_time()
        if self._given:
            observations = self._due(node)
        else:
            frames = [
                dataclasses.replace(frame, t_s=frame.t_s + node.offset_s)
                for frame in tick.frames
                if frame.camera_id in own
            ]
            observations = tuple(node.core.perceive(frame) for frame in frames)
            for seen in observations:
                self.seen.setdefault(seen.camera_id, []).append(seen)
        self.cpu_s["perceive"] += time.process_time() - began
        scales: tuple[ScaleBatch, ...] = ()
        if tick.scales is not None and node.config.plates:
            moved = dataclasses.replace(tick.scales, t_s=tick.scales.t_s + node.offset_s)
            scales = (moved,)
        gates = {gate.gate_id for gate in node.config.gates}
        scans = tuple(
            dataclasses.replace(scan, t_s=scan.t_s + node.offset_s)
            for scan in tick.scans
            if scan.gate_id in gates
        )
        pings, node.pings = tuple(node.pings), []
        return NodeInputs(observations=observations, scales=scales, scans=scans, pings=pings)

    def _due(self, node: _Node) -> tuple[Observation, ...]:
        """Cached observations whose time has come."""
        now_s = self._now_s + node.offset_s + FRAME_SLACK_S
        found = []
        for camera_id, rest in node.cached.items():
            while True:
                one = node.waiting.pop(camera_id, None) or next(rest, None)
                if one is None:
                    break
                if one.t_s > now_s:
                    node.waiting[camera_id] = one
                    break
                found.append(one)
        return tuple(found)

    def _step(self, node: _Node, inputs: NodeInputs) -> None:
        device_now_s = self._now_s + node.offset_s
        began = time.process_time()
        outputs = node.core.step(inputs, device_now_s)
        stamp = datetime.fromtimestamp(self.hub_now_s, UTC)
        deliveries = []
        name = topic("events", store_id=self._store.store_id, device_id=node.config.node_id)
        for event in outputs.events:
            wrapped = node.sequencer.wrap(event, now_s=device_now_s, time=stamp)
            deliveries.append((name, encode(wrapped)))
        for pong in outputs.pongs:
            deliveries.append((name.replace("/events", "/pong"), encode(pong)))
        if outputs.health is not None:
            deliveries.append((name.replace("/events", "/health"), encode(outputs.health)))
        between = time.process_time()
        self.cpu_s["node"] += between - began
        if deliveries:
            self._route(self._hub.ingest(deliveries, self.hub_now_s))
        self.cpu_s["hub"] += time.process_time() - between

    def _tick_hub(self) -> None:
        began = time.process_time()
        self._route(self._hub.tick(self.hub_now_s))
        self.cpu_s["hub"] += time.process_time() - began

    def _route(self, messages: Iterable[Outgoing]) -> None:
        """The hub's messages to the nodes: pings are answered at the node's next step."""
        for message in messages:
            node = self._nodes.get(device_of(message.topic))
            if node is not None and message.topic.endswith("/ping"):
                node.pings.append(ClockPing.model_validate_json(message.payload))

    @staticmethod
    def _configs(messages: Iterable[Outgoing]) -> list[NodeConfig]:
        return [
            NodeConfig.model_validate_json(message.payload)
            for message in messages
            if message.topic.endswith("/config")
        ]
