"""The store in one process under a virtual clock: the same twice, faster than real time.

A sensor source gives ticks; each node's core takes its own sensors' readings; its messages are
numbered and handed to the hub; the hub's answers go back before the next tick. The cores are the
ones of production, and so are the messages: what is missing is only sockets, threads and disks.

What lies between nodes and hub is a line: a direct one, or one on which everything goes wrong
that the dials ask for (sortie.lockstep_faults). There the nodes keep outboxes on disk and the hub
a database, as in production, and both may be killed.
"""

from __future__ import annotations

import hashlib
import json
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Literal, Protocol

from contracts.codec import encode
from contracts.messages import ClockPing, NodeConfig, WallCues
from contracts.store_file import StoreFile
from contracts.topics import device_of, topic
from edge.exchange import NodeOutputs, Observation
from hub.commands import (
    AddBadge,
    Command,
    FinishRestocking,
    MoveStock,
    OpenVisit,
    Reply,
    StartRestocking,
)
from hub.service import Hub, Outgoing
from hub.visits.codes import BADGE_PREFIX
from sortie.errors import HubAwayError
from sortie.lockstep_node import (
    EPOCH_S,
    LockstepNode,
    MakeCore,
    Tick,
    node_clock_s,
    node_clocks,
)
from store_sim.dials import ClockDials
from store_sim.world import StaffWord

__all__ = [
    "EPOCH_S",
    "Commanded",
    "DirectLine",
    "Line",
    "Lockstep",
    "Phones",
    "Sensors",
    "Tick",
    "node_clock_s",
]

HUB_TICK_S = 0.2
DRAIN_S_MAX = 120.0

Sensors = Literal["both", "camera", "plates"]


class Commanded(Protocol):
    """Something that does the hub's commands: the hub, or a store whose hub may be away."""

    def command(self, command: Command, now_s: float) -> Reply:
        """Does a command, or raises HubError, or HubAwayError if nobody answers."""
        ...


class Line(Protocol):
    """What lies between the nodes and the hub. Times are store seconds and never go back.

    `drained` says whether nothing is on its way or kept for later any more. `node_s` and `hub_s`
    are CPU seconds spent for either.
    """

    node_s: float
    hub_s: float

    @property
    def hub(self) -> Hub | None:
        """The hub; None while it is away."""
        ...

    @property
    def drained(self) -> bool: ...

    def begin(self, now_s: float) -> None:
        """A new moment: what happens to processes and links happens first."""
        ...

    def step(self, node: LockstepNode, tick: Tick) -> NodeOutputs | None:
        """Lets a node take a tick; None if it is dead."""
        ...

    def say(self, node: LockstepNode, outputs: NodeOutputs, now_s: float) -> None:
        """Sends what a node says."""
        ...

    def end(self, now_s: float, *, tick: bool) -> None:
        """All nodes have spoken; with `tick` time passes for the hub."""
        ...

    def close(self) -> None:
        """Gives back what the line itself has opened; the hub stays open."""
        ...


class Phones:
    """The shoppers' phones: each asks the hub for a visit and shows its code. Staff have a badge,
    and a handheld for what they put where.

    Codes are made from the seed, so that a day can be run again with the same digest.
    """

    def __init__(self, hub: Commanded, seed: int, now_s: Callable[[], float]) -> None:
        self._hub = hub
        self._seed = seed
        self._now_s = now_s
        self.wallet_of: Callable[[int], int] = lambda shopper: shopper
        """On whose wallet a shopper's code is asked for: a group pays through one."""
        self.is_staff: Callable[[int], bool] = lambda _shopper: False
        self.visits: dict[int, str] = {}
        self._said: deque[StaffWord] = deque()

    def __call__(self, shopper: int) -> str | None:
        """The entry code of a shopper, or staff's badge, asked from the hub; None while it is
        away."""
        text = f"sortie:{self._seed}:{shopper}"
        if self.is_staff(shopper):
            return self._badge(shopper, text)
        code = "SRT-" + hashlib.sha256(text.encode()).hexdigest()[:24]
        token = hashlib.sha256(f"token:{text}".encode()).hexdigest()
        payer = f"shopper-{self.wallet_of(shopper)}"
        command = OpenVisit(token_sha256=token, code=code, payer=payer)
        try:
            reply = self._hub.command(command, self._now_s())
        except HubAwayError:
            return None
        if reply.visit_id is not None:
            self.visits[shopper] = reply.visit_id
        return code

    def tell(self, words: Iterable[StaffWord]) -> None:
        """What staff say, in its order; while the hub is away it waits for the next call."""
        self._said.extend(words)
        while self._said:
            try:
                self._hub.command(self._asked(self._said[0]), self._now_s())
            except HubAwayError:
                return
            self._said.popleft()

    def _badge(self, shopper: int, text: str) -> str | None:
        code = BADGE_PREFIX + hashlib.sha256(text.encode()).hexdigest()[:24]
        digest = hashlib.sha256(code.encode()).hexdigest()
        command = AddBadge(badge_sha256=digest, holder=f"sim-{shopper}", by="simulator")
        try:
            self._hub.command(command, self._now_s())
        except HubAwayError:
            return None
        return code

    def _asked(self, word: StaffWord) -> Command:
        session_id = f"sim-{word.round_number}"
        if word.kind == "began":
            return StartRestocking(session_id=session_id)
        if word.kind == "ended":
            return FinishRestocking(session_id=session_id)
        return MoveStock(
            session_id=session_id,
            move_id=f"{session_id}-{word.number}",
            slot_id=word.slot_id,
            gtin=word.gtin,
            quantity=word.pieces,
        )

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
        make_core: MakeCore,
        *,
        observations: Mapping[str, Sequence[Observation]] | None = None,
        clock: ClockDials | None = None,
        seed: int = 0,
        line: Callable[[Sequence[LockstepNode], Hub], Line] | None = None,
    ) -> None:
        """`make_core(config, boot_id)` builds a node's core. With `observations` (camera id to a
        day's observations) nothing is perceived: they are handed in at their own times.

        `clock` and `seed` say how far the nodes' clocks are apart. `line(nodes, hub)` makes what
        lies between them; None is a direct line.
        """
        self._now_s = 0.0
        self._next_hub_tick_s = 0.0
        self.seen: dict[str, list[Observation]] = {}
        self._cpu_s = {"node": 0.0, "source": 0.0}
        configs = [
            NodeConfig.model_validate_json(message.payload)
            for message in hub.start(EPOCH_S)
            if message.topic.endswith("/config")
        ]
        clocks = node_clocks(len(configs), clock or ClockDials(), seed)
        self._nodes = [
            LockstepNode(config, clocks[k], make_core, observations=observations, seen=self.seen)
            for k, config in enumerate(configs)
        ]
        make_line = line or DirectLine
        self._line: Line = make_line(self._nodes, hub)

    @property
    def hub_now_s(self) -> float:
        """Hub seconds now."""
        return EPOCH_S + self._now_s

    @property
    def hub(self) -> Hub:
        """The hub that lives now; HubAwayError if none does."""
        hub = self._line.hub
        if hub is None:
            raise HubAwayError("expected a hub that lives, it is away; let time pass")
        return hub

    @property
    def cpu_s(self) -> dict[str, float]:
        """CPU seconds of perceiving, of the nodes otherwise, of the hub, and of the source."""
        perceive_s = sum(node.perceive_s for node in self._nodes)
        return {
            "perceive": perceive_s,
            "node": self._cpu_s["node"] - perceive_s + self._line.node_s,
            "hub": self._line.hub_s,
            "source": self._cpu_s["source"],
        }

    def command(self, command: Command, now_s: float) -> Reply:
        """Does a command of the hub; HubAwayError while it is away."""
        return self.hub.command(command, now_s)

    def run(
        self, ticks: Iterable[Tick], *, progress: Callable[[float], None] = lambda _t: None
    ) -> float:
        """Runs to the end of the source and until every visit is closed; store seconds run."""
        try:
            for tick in self._timed(ticks):
                self._one(tick)
                progress(self._now_s)
            end_s = self._now_s
            while not self._over() and self._now_s - end_s < DRAIN_S_MAX:
                self._now_s += HUB_TICK_S
                self._line.begin(self._now_s)
                self._line.end(self._now_s, tick=True)
        finally:
            self._line.close()
        return self._now_s

    def _timed(self, ticks: Iterable[Tick]) -> Iterator[Tick]:
        source = iter(ticks)
        while True:
            began = time.process_time()
            tick = next(source, None)
            self._cpu_s["source"] += time.process_time() - began
            if tick is None:
                return
            yield tick

    def _over(self) -> bool:
        hub = self._line.hub
        return hub is not None and not hub.core.state.open_visits() and self._line.drained

    def _one(self, tick: Tick) -> None:
        self._now_s = tick.t_s
        self._line.begin(self._now_s)
        for node in self._nodes:
            began = time.process_time()
            outputs = self._line.step(node, tick)
            self._cpu_s["node"] += time.process_time() - began
            if outputs is not None:
                self._line.say(node, outputs, self._now_s)
        due = self._now_s >= self._next_hub_tick_s
        if due:
            self._next_hub_tick_s = self._now_s + HUB_TICK_S
        self._line.end(self._now_s, tick=due)


class DirectLine:
    """Nothing is late and nothing is lost: the hub has a message when the node has said it."""

    drained = True

    def __init__(self, nodes: Sequence[LockstepNode], hub: Hub) -> None:
        self._nodes = {node.config.node_id: node for node in nodes}
        self._hub = hub
        self.node_s = self.hub_s = 0.0

    @property
    def hub(self) -> Hub:
        return self._hub

    def begin(self, now_s: float) -> None:
        pass

    def step(self, node: LockstepNode, tick: Tick) -> NodeOutputs:
        return node.step(tick)

    def say(self, node: LockstepNode, outputs: NodeOutputs, now_s: float) -> None:
        began = time.process_time()
        name = topic("events", store_id=node.config.store_id, device_id=node.config.node_id)
        deliveries = [(name, encode(item)) for item in node.wrap(outputs.events, now_s)]
        for pong in outputs.pongs:
            deliveries.append((name.replace("/events", "/pong"), encode(pong)))
        if outputs.health is not None:
            deliveries.append((name.replace("/events", "/health"), encode(outputs.health)))
        between = time.process_time()
        self.node_s += between - began
        if deliveries:
            self._route(self._hub.ingest(deliveries, EPOCH_S + now_s))
        self.hub_s += time.process_time() - between

    def end(self, now_s: float, *, tick: bool) -> None:
        if not tick:
            return
        began = time.process_time()
        self._route(self._hub.tick(EPOCH_S + now_s))
        self.hub_s += time.process_time() - began

    def close(self) -> None:
        pass

    def _route(self, messages: Iterable[Outgoing]) -> None:
        """The hub's messages to the nodes: pings are answered at the node's next step."""
        for message in messages:
            node = self._nodes.get(device_of(message.topic))
            if node is not None and message.topic.endswith("/ping"):
                node.pings.append(ClockPing.model_validate_json(message.payload))
            elif node is not None and message.topic.endswith("/cues"):
                node.cues.append(WallCues.model_validate_json(message.payload))
