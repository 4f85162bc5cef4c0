"""The lockstep store when things go wrong: a bad network, and processes killed, by seed.

    plan = FaultPlan(dials=dials, seed=7, folder=folder, reopen=open_hub)
    lockstep = Lockstep(store, open_hub(), make_core, line=plan.line)
    lockstep.run(ticks)
    plan.counts                       # how much of what was done to the store

Nodes and hub do here what they do in production. A node stores its numbered events in its outbox
on disk, drains it over a bus, and forgets what the hub says it has committed; the hub's database
is a file, and a killed hub opens it again and replays. What both send goes through
store_sim.network. A broker that is down loses what it had; a killed node loses all but its outbox
and comes back as another boot; a killed hub has committed what it was just given and its answers
are lost, which is the worst moment there is.
"""

from __future__ import annotations

import math
import time
from collections import Counter
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from contracts.codec import encode
from contracts.messages import ClockPing, HubAck, NodeDied
from contracts.topics import device_of, topic
from edge.bus import Letter
from edge.drain import Drain
from edge.exchange import NodeOutputs
from edge.outbox import Outbox
from hub.service import Hub, Outgoing
from sortie.lockstep_node import EPOCH_S, LockstepNode, Tick
from sortie.network_bus import NetworkBus
from store_sim.dials import PROCESS_MISHAPS, Dials, Mishap, MishapKind
from store_sim.network import Delivery, Link, Network

__all__ = ["FaultPlan", "goes_wrong"]

AWAY_S = (1.0, 6.0)
"""A process killed at random comes back after so long, as a supervisor starts it again."""
HUB = "hub"
_STREAM_KILLS = 51


def goes_wrong(dials: Dials, tampering: Collection[MishapKind] = ()) -> bool:
    """Whether these dials ask for a bad network or for killed processes, or shoppers do who
    tamper with these things."""
    kinds = {mishap.kind for mishap in dials.mishaps} | set(tampering)
    return not dials.network.perfect or not kinds.isdisjoint(PROCESS_MISHAPS)


@dataclass(slots=True)
class FaultPlan:
    """What goes wrong, where the disks are, and how a killed hub comes back.

    `folder` is for the nodes' outboxes. `reopen()` opens the hub's database again. `tampering()`
    gives the mishaps that are under way in the world; those of the dials may be among them.

    A mishap `broker_down` of a node's name cuts this node off; "NODE/up" and "NODE/down" cut only
    what it sends, or only what is sent to it.
    """

    dials: Dials
    seed: int
    folder: Path
    reopen: Callable[[], Hub]
    tampering: Callable[[], Iterable[Mishap]] = tuple
    made: FaultyLine | None = None

    def line(self, nodes: Sequence[LockstepNode], hub: Hub) -> FaultyLine:
        """The line of one run."""
        self.made = FaultyLine(self, nodes, hub)
        return self.made

    @property
    def counts(self) -> Mapping[str, int]:
        """How often each thing went wrong, and what became of it; empty before a run."""
        return {} if self.made is None else self.made.counts

    def books(self) -> Hub:
        """The hub after a run, opened once more if it was away at the end."""
        hub = None if self.made is None else self.made.hub
        return self.reopen() if hub is None else hub

    def mishaps(self, kind: str, t_s: float) -> list[Mishap]:
        """Mishaps of processes that are under way."""
        return [
            mishap
            for mishap in (*self.dials.mishaps, *self.tampering())
            if mishap.kind == kind and mishap.begin_s <= t_s < mishap.end_s
        ]


class _Seat:
    """A node's process: the node, its outbox on disk, its connection; dead from time to time."""

    def __init__(self, node: LockstepNode, network: Network, path: Path) -> None:
        config = node.config
        self.node = node
        self.topics = {
            name: topic(name, store_id=config.store_id, device_id=config.node_id)
            for name in ("events", "batch", "pong", "health", "died", "ack", "ping")
        }
        self.bus = NetworkBus(network, config.node_id)
        self.back_s = math.inf
        self.alive = True
        self.resent = 0
        self._path = path
        self._open()

    def kill(self) -> None:
        """SIGKILL: all is lost but the outbox, and the broker tells that the line broke."""
        self.alive = False
        self.resent += self.drain.resent
        self.drain.resent = 0
        self.outbox.close()
        self.bus.close()
        died = encode(NodeDied(boot_id=self.node.boot_id))
        self.bus.publish(Letter(self.topics["died"], died))

    def boot(self) -> None:
        """Starts again, under another boot id."""
        self.node.boot()
        self.bus.opened()
        self.alive = True
        self._open()

    def read(self) -> None:
        """Letters from the hub. Its configuration is the one the node has cached."""
        upto: dict[str, HubAck] = {}
        for letter in self.bus.poll():
            if letter.topic == self.topics["ack"]:
                ack = HubAck.model_validate_json(letter.payload)
                # Acknowledgements are cumulative: of each boot the highest says it all.
                if ack.boot_id not in upto or ack.upto_seq > upto[ack.boot_id].upto_seq:
                    upto[ack.boot_id] = ack
            elif letter.topic == self.topics["ping"]:
                self.node.pings.append(ClockPing.model_validate_json(letter.payload))
                self.drain.heard()
        for ack in upto.values():
            self.drain.acknowledge(ack, self.bus.now_s)

    def say(self, outputs: NodeOutputs, now_s: float) -> None:
        """Numbered events to the disk first, what may be lost to the broker at once."""
        letters = [(item.sequence, encode(item)) for item in self.node.wrap(outputs.events, now_s)]
        if letters:
            self.outbox.append(letters)
        for pong in outputs.pongs:
            self.bus.publish(Letter(self.topics["pong"], encode(pong), qos=0))
        if outputs.health is not None:
            self.bus.publish(Letter(self.topics["health"], encode(outputs.health), qos=0))

    def _open(self) -> None:
        self.outbox = Outbox(self._path, boot_id=self.node.boot_id)
        self.drain = Drain(
            self.outbox, self.bus, topic=self.topics["events"], batch_topic=self.topics["batch"]
        )


@dataclass(slots=True)
class _Kills:
    """Which process is killed when, by seed: a Poisson process over nodes and hub together."""

    names: Sequence[str]
    per_min: float
    random: np.random.Generator
    next_s: float = math.inf

    def __post_init__(self) -> None:
        self._draw(0.0)

    def due(self, now_s: float) -> list[tuple[str, float]]:
        """Names of those to be killed now, and when they come back."""
        found = []
        while self.next_s <= now_s:
            which, away = (float(value) for value in self.random.random(2))
            name = self.names[int(which * len(self.names))]
            found.append((name, now_s + AWAY_S[0] + away * (AWAY_S[1] - AWAY_S[0])))
            self._draw(self.next_s)
        return found

    def _draw(self, after_s: float) -> None:
        if self.per_min > 0:
            share = float(self.random.random())
            self.next_s = after_s + round(-60.0 / self.per_min * math.log1p(-share), 3)


class FaultyLine:
    """Nodes and hub with everything between them that can go wrong; see the module."""

    def __init__(self, plan: FaultPlan, nodes: Sequence[LockstepNode], hub: Hub) -> None:
        dials = plan.dials.network
        self.network = Network(dials, plan.seed)
        self.node_s = self.hub_s = 0.0
        self._plan = plan
        self._hub: Hub | None = hub
        self._hub_back_s = math.inf
        self._seats = {
            node.config.node_id: _Seat(
                node, self.network, plan.folder / f"{node.config.node_id}.outbox"
            )
            for node in nodes
        }
        self._kills = _Kills(
            (*self._seats, HUB),
            dials.kills_per_min,
            np.random.default_rng([plan.seed, _STREAM_KILLS]),
        )
        self._broker_up = True
        self._kill_hub = False
        self._counts: Counter[str] = Counter()
        self._of_hubs: Counter[str] = Counter()

    # ------------------------------------------------------------ the line, as Lockstep sees it

    @property
    def hub(self) -> Hub | None:
        """The hub; None while it is away."""
        return self._hub

    @property
    def drained(self) -> bool:
        """Whether the hub has everything: no outbox holds anything."""
        return all(seat.alive and seat.outbox.waiting == 0 for seat in self._seats.values())

    @property
    def counts(self) -> Mapping[str, int]:
        """What the network did, what was killed, and how hub and nodes took it."""
        counts = Counter(self._counts)
        counts.update(self.network.counts)
        counts.update(self._of_hubs)
        self._count_hub(counts)
        counts["resent"] = sum(seat.resent + seat.drain.resent for seat in self._seats.values())
        return dict(sorted(counts.items()))

    def begin(self, now_s: float) -> None:
        """Processes come and go, links are cut, and what has arrived is handed over."""
        for seat in self._seats.values():
            seat.bus.now_s = now_s
        self._broker(now_s)
        self._links(now_s)
        for name, back_s in self._kills.due(now_s):
            self._kill(name, back_s)
        self._by_mishap(now_s)
        self._come_back(now_s)
        self._deliver(now_s)
        began = time.process_time()
        for seat in self._seats.values():
            if seat.alive:
                seat.read()
        self.node_s += time.process_time() - began

    def step(self, node: LockstepNode, tick: Tick) -> NodeOutputs | None:
        """Lets a node take a tick; a dead one misses it."""
        seat = self._seats[node.config.node_id]
        if not seat.alive:
            node.miss(tick)
            return None
        outbox = seat.outbox
        return node.step(tick, outbox_waiting=outbox.waiting, outbox_full=outbox.full)

    def say(self, node: LockstepNode, outputs: NodeOutputs, now_s: float) -> None:
        """Stores what a node says."""
        began = time.process_time()
        seat = self._seats[node.config.node_id]
        seat.say(outputs, now_s)
        most = max(self._counts["outbox_waiting_max"], seat.outbox.waiting)
        self._counts["outbox_waiting_max"] = most
        self.node_s += time.process_time() - began

    def end(self, now_s: float, *, tick: bool) -> None:
        """Outboxes are drained, what arrives at once is delivered, and the hub ticks."""
        began = time.process_time()
        for seat in self._seats.values():
            if seat.alive:
                seat.drain.pump(now_s)
        self.node_s += time.process_time() - began
        self._deliver(now_s)
        if tick and self._hub is not None:
            began = time.process_time()
            self._send(self._hub.tick(EPOCH_S + now_s), now_s)
            self.hub_s += time.process_time() - began

    def close(self) -> None:
        """Closes the outboxes; what they still hold is counted."""
        for seat in self._seats.values():
            if seat.alive:
                self._counts["outbox_waiting_end"] += seat.outbox.waiting
                seat.outbox.close()

    # ------------------------------------------------------------ processes

    def _broker(self, now_s: float) -> None:
        up = not any(mishap.target == "" for mishap in self._plan.mishaps("broker_down", now_s))
        if up == self._broker_up:
            return
        self._broker_up = up
        if not up:
            self._counts["broker_downs"] += 1
            self.network.lose_all()
        for seat in self._seats.values():
            seat.bus.broker(up)

    def _links(self, now_s: float) -> None:
        targets = {mishap.target for mishap in self._plan.mishaps("broker_down", now_s)}
        ways: list[Link] = []
        for device_id in self._seats:
            if device_id in targets or f"{device_id}/up" in targets:
                ways.append((device_id, "up"))
            if device_id in targets or f"{device_id}/down" in targets:
                ways.append((device_id, "down"))
        self.network.close(ways)

    def _by_mishap(self, now_s: float) -> None:
        for mishap in self._plan.mishaps("hub_down", now_s):
            self._kill(HUB, mishap.end_s)
        for mishap in self._plan.mishaps("node_down", now_s):
            for name in self._seats if mishap.target == "" else (mishap.target,):
                self._kill(name, mishap.end_s)

    def _kill(self, name: str, back_s: float) -> None:
        """Kills a process, or keeps it dead for longer."""
        if name == HUB:
            if self._hub is None or self._kill_hub:
                self._hub_back_s = max(self._hub_back_s, back_s)
            else:
                self._kill_hub, self._hub_back_s = True, back_s
                self._counts["hub_kills"] += 1
            return
        seat = self._seats.get(name)
        if seat is None:
            return
        if seat.alive:
            seat.kill()
            seat.back_s = back_s
            self._counts["node_kills"] += 1
        else:
            seat.back_s = max(seat.back_s, back_s)

    def _come_back(self, now_s: float) -> None:
        if self._hub is None and now_s >= self._hub_back_s:
            began = time.process_time()
            self._hub = self._plan.reopen()
            self._send(self._hub.start(EPOCH_S + now_s), now_s)
            self.hub_s += time.process_time() - began
        for seat in self._seats.values():
            if not seat.alive and now_s >= seat.back_s:
                seat.boot()

    # ------------------------------------------------------------ messages

    def _deliver(self, now_s: float) -> None:
        up: list[Delivery] = []
        for letter in self.network.due(now_s):
            device_id, direction = letter.link
            if direction == "up":
                up.append(letter)
            elif self._seats[device_id].alive:
                self._seats[device_id].bus.arrived(Letter(letter.address, letter.payload))
            else:
                self._counts["node_away"] += 1
        hub = self._hub
        if hub is None:
            # Nobody is subscribed: the broker has nobody to keep them for.
            self._counts["hub_away"] += len(up)
            return
        began = time.process_time()
        answers = hub.ingest([(one.address, one.payload) for one in up], EPOCH_S + now_s)
        if self._kill_hub:
            self._kill_hub = False
            self._count_hub(self._of_hubs)
            hub.close()
            self._hub = None
        else:
            self._send(answers, now_s)
        self.hub_s += time.process_time() - began

    def _send(self, messages: Iterable[Outgoing], now_s: float) -> None:
        """What the hub says; without a broker it is lost, as in hub.mqtt."""
        for message in messages:
            device_id = device_of(message.topic)
            if self._broker_up and device_id in self._seats:
                self.network.send(now_s, (device_id, "down"), message.topic, message.payload)

    def _count_hub(self, counts: Counter[str]) -> None:
        if self._hub is not None:
            live = self._hub.live.counts
            for name in ("messages_duplicate", "messages_ahead", "messages_full", "dead_letters"):
                counts[f"hub_{name}"] += live.get(name, 0)
