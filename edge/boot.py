"""One boot of a node: its sensors, its core, its outbox, stepped by the process's loop.

The order within a step makes a kill harmless at any point: read sensors, step the core, number
the events, store them together with the state that follows from them (levels, references, how far
plates and gates were read), and only then publish. After a kill the next boot reads on from the
stored cursors with the stored levels, so that nothing is told twice and nothing is left out that
the sensors' own buffers still hold.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from contracts.codec import encode
from contracts.messages import (
    ClockPing,
    Evidence,
    FloorTracksMoved,
    HubAck,
    Message,
    NodeConfig,
    NodeHealth,
    ReachClosed,
    SendEvidence,
    SendTiles,
    WallCues,
    Watermark,
)
from contracts.topics import topic
from edge.bus import Bus, Letter
from edge.core import NodeCore
from edge.drain import Drain
from edge.errors import EvidenceError, OutboxFullError, SnapshotError
from edge.evidence import EvidenceStore
from edge.evidence_sender import EvidenceSender
from edge.exchange import NodeInputs, NodeOutputs, Observation
from edge.memory import NodeMemory
from edge.outbox import Outbox
from edge.process_settings import NodeProcessSettings
from edge.readers import GateReader, ScaleReader
from edge.sequencer import Sequencer
from edge.shows import Shows
from edge.tiles import TileUploader
from edge.worker import CameraWorker

__all__ = ["Boot", "Mail"]

LOCK_WAIT_S = 0.5
EVIDENCE_PER_REACH_MAX = 8


@dataclass(slots=True)
class Mail:
    """What the hub sent since the last step."""

    acks: list[HubAck] = field(default_factory=list)
    pings: list[ClockPing] = field(default_factory=list)
    tiles: list[SendTiles] = field(default_factory=list)
    evidence: list[SendEvidence] = field(default_factory=list)
    cues: list[WallCues] = field(default_factory=list)


@dataclass(slots=True)
class _Pending:
    batch: list[tuple[int, bytes]]
    state: dict[str, bytes]


class Boot:
    """Everything that lives from one start of the core to its end. Used by one thread."""

    def __init__(
        self,
        settings: NodeProcessSettings,
        config: NodeConfig,
        *,
        boot_id: str,
        core: NodeCore,
        outbox: Outbox,
        bus: Bus,
        evidence: EvidenceStore,
        tiles: TileUploader | None,
        sender: EvidenceSender | None = None,
        make_worker: Callable[[Any], CameraWorker],
        shows: Shows | None = None,
        clock: Callable[[], float],
        unix_s: Callable[[], float],
        say: Callable[[str], None],
    ) -> None:
        self._settings = settings
        self._config = config
        self._boot_id = boot_id
        self._core = core
        self._outbox = outbox
        self._bus = bus
        self._evidence = evidence
        self._tiles = tiles
        self._sender = sender
        self._shows = shows
        self._clock = clock
        self._unix_s = unix_s
        self._say = say
        self._sequencer = Sequencer(
            store_id=config.store_id,
            device_id=config.node_id,
            boot_id=boot_id,
            config_revision=config.revision,
        )
        self._topics = {
            name: topic(name, store_id=config.store_id, device_id=config.node_id)
            for name in ("events", "batch", "health", "pong")
        }
        self.drain = Drain(
            outbox,
            bus,
            topic=self._topics["events"],
            batch_topic=self._topics["batch"],
            settings=settings.drain,
        )
        self._memory = self._restore()
        self._scales = {
            bay.bay_id: ScaleReader(
                config,
                bay.bay_id,
                settings,
                self._memory.scale_cursor(bay.bay_id),
                clock=clock,
                say=say,
            )
            for bay in config.bays
        }
        self._gate = GateReader(config, settings, self._memory.gate_cursor, clock=clock, say=say)
        self._pending: _Pending | None = None
        self._last_health: NodeHealth | None = None
        self._saved_s = clock()
        self._evidence_count = 0
        self._cpu = (time.process_time(), clock(), 0.0)
        self.evidence_failed = self.states_skipped = 0
        seeing = [camera for camera in config.eyes if camera.camera_id in core.camera_ids]
        self.workers = {camera.camera_id: make_worker(camera) for camera in seeing}

    def start(self) -> None:
        """Starts the cameras' threads."""
        for worker in self.workers.values():
            worker.start()

    def step(self, mail: Mail) -> None:
        """Acknowledgements, sensors, core, outbox, broker: one round."""
        now_s = self._clock()
        # Acknowledgements are cumulative: of each boot the highest says it all.
        acks = {ack.boot_id: ack for ack in sorted(mail.acks, key=lambda one: one.upto_seq)}
        for ack in acks.values():
            self.drain.acknowledge(ack, now_s)
        for wish in mail.evidence:
            self._send_evidence(wish)
        if mail.pings:
            self.drain.heard()
        for worker in self.workers.values():
            if worker.failure is not None:
                raise worker.failure
        if self._pending is not None and not self._store(self._pending):
            if self._shows is not None:
                # What shines is only right while somebody looks whether it still is.
                self._shows.darken()
            self._say_full(now_s)
        else:
            self._step_core(mail)
        self.drain.pump(self._clock())

    def close(self, *, save: bool) -> None:
        """Stops cameras and sensors; `save` steps a last time and stores the state."""
        for worker in self.workers.values():
            worker.ask_stop()
        for worker in self.workers.values():
            if not worker.join():
                self._say(f"camera {worker.camera_id}: stuck in its driver; left behind")
        try:
            if save and self._pending is None:
                self._step_core(Mail(), force_state=True)
                self.drain.pump(self._clock())
        finally:
            for scale in self._scales.values():
                scale.close()
            self._gate.close()
            if self._shows is not None:
                self._shows.close()

    @property
    def figures(self) -> dict[str, float]:
        """Figures for metrics."""
        return {
            "outbox_waiting": self._outbox.waiting,
            "outbox_bytes": self._outbox.waiting_bytes,
            "outbox_full": float(self._outbox.full),
            "broker_connected": float(self._bus.connected),
            "events_resent": self.drain.resent,
            "frames_dropped": sum(worker.dropped for worker in self.workers.values()),
            "tiles_sent": self._tiles.sent if self._tiles else 0,
            "tiles_dropped": self._tiles.dropped if self._tiles else 0,
            "evidence_bytes": self._evidence.bytes_kept,
            "evidence_failed": self.evidence_failed,
            "evidence_sent": self._sender.sent if self._sender else 0,
            "evidence_dropped": self._sender.dropped if self._sender else 0,
            "cpu_share": self._cpu[2],
        }

    # ------------------------------------------------------------ one step

    def _step_core(self, mail: Mail, *, force_state: bool = False) -> None:
        observations = self._take_observations()
        batches = [scale.read() for scale in self._scales.values()]
        scans = self._gate.read()
        unplugged, shown_s = self._projectors()
        # Read last: nothing that goes into the step may be newer than the step.
        now_s = self._clock()
        outputs = self._core.step(
            NodeInputs(
                observations=tuple(observations),
                scales=tuple(batch for batch in batches if batch is not None),
                scans=scans,
                pings=tuple(mail.pings),
                tiles=tuple(mail.tiles),
                cues=tuple(mail.cues),
                unplugged=unplugged,
                shown_s=shown_s,
                dropped={name: worker.dropped for name, worker in self.workers.items()},
                outbox_waiting=self._outbox.waiting,
                outbox_full=self._outbox.full,
                cpu_share=self._cpu_share(now_s),
            ),
            now_s,
        )
        if self._shows is not None:
            self._shows.show(outputs.pictures, outputs.lamps)
        batch = self._number(outputs, now_s)
        state: dict[str, bytes] = {}
        due = force_state or now_s - self._saved_s >= self._settings.snapshot_s
        if due or any(not isinstance(e, Watermark | FloorTracksMoved) for e in outputs.events):
            late, state = self._state(now_s, everything=force_state)
            batch += late
        if batch or state:
            pending = _Pending(batch, state)
            if self._store(pending):
                self._saved_s = now_s if state else self._saved_s
            else:
                self._say_full(now_s)
        self._publish(outputs)

    def _projectors(self) -> tuple[frozenset[str], dict[str, float]]:
        """Those that show nothing, and when each one's newest picture was with it."""
        if self._shows is None:
            return frozenset(), {}
        return self._shows.unplugged, self._shows.shown_s

    def _number(self, outputs: NodeOutputs, now_s: float) -> list[tuple[int, bytes]]:
        """Events with their evidence, numbered and encoded, in the core's order."""
        events = self._with_evidence(outputs, now_s)
        self._memory.told(events)
        stamp = datetime.fromtimestamp(self._unix_s(), UTC)
        wrapped = [self._sequencer.wrap(event, now_s=now_s, time=stamp) for event in events]
        return [(letter.sequence, encode(letter)) for letter in wrapped]

    def _state(
        self, now_s: float, *, everything: bool
    ) -> tuple[list[tuple[int, bytes]], dict[str, bytes]]:
        """The state to store, and events of observations that came while it was gathered.

        Cameras' threads change what they remember as they look, so those whose memory is due are
        held while it is read, and what they have already handed over is stepped first: otherwise
        the state would be ahead of the events. If one cannot be held in time the state is left
        out this time; the one stored before is older but whole.
        """
        due = self._memory.cameras_due(self._core.quiet_bays(), now_s, all_of_them=everything)
        with self._hold_cameras(due) as held:
            if not held:
                self.states_skipped += 1
                return [], {}
            late: list[tuple[int, bytes]] = []
            observations = self._take_observations() if due else []
            if observations:
                now_s = max(now_s, self._clock())
                unplugged, shown_s = self._projectors()
                inputs = NodeInputs(
                    observations=tuple(observations),
                    outbox_waiting=self._outbox.waiting,
                    outbox_full=self._outbox.full,
                    unplugged=unplugged,
                    shown_s=shown_s,
                )
                outputs = self._core.step(inputs, now_s)
                if self._shows is not None:
                    self._shows.show(outputs.pictures, outputs.lamps)
                late = self._number(outputs, now_s)
                self._publish(outputs)
            quiet = self._core.quiet_bays()
            still_due = due & self._memory.cameras_due(quiet, now_s, all_of_them=everything)
            parts = self._memory.update(
                self._core.snapshot(still_due),
                quiet=quiet,
                now_s=now_s,
                scales={bay_id: scale.cursor for bay_id, scale in self._scales.items()},
                gate=self._gate.cursor,
            )
        return late, parts

    @contextmanager
    def _hold_cameras(self, names: set[str]) -> Iterator[bool]:
        with ExitStack() as stack:
            for name, worker in self.workers.items():
                if name not in names:
                    continue
                if not worker.lock.acquire(timeout=LOCK_WAIT_S):
                    yield False
                    return
                stack.callback(worker.lock.release)
            yield True

    def _store(self, pending: _Pending) -> bool:
        """Stores a batch; False if there is no room, and then it is tried again next round."""
        try:
            self._outbox.append(pending.batch, pending.state)
        except OutboxFullError as error:
            if self._pending is None:
                self._say(str(error))
            self._pending = pending
            return False
        self._pending = None
        return True

    def _say_full(self, now_s: float) -> None:
        """The core stands still while nothing can be stored, but the pulse says why."""
        last = self._last_health
        if last is None or now_s - last.t_s < self._settings.core.health_s:
            return
        self._last_health = last.model_copy(
            update={"t_s": now_s, "outbox_full": True, "outbox_waiting": self._outbox.waiting}
        )
        self._bus.publish(Letter(self._topics["health"], encode(self._last_health), qos=0))

    def _publish(self, outputs: NodeOutputs) -> None:
        """What is not sequenced and may be lost."""
        for pong in outputs.pongs:
            self._bus.publish(Letter(self._topics["pong"], encode(pong), qos=0))
        if outputs.health is not None:
            self._last_health = outputs.health
            self._bus.publish(Letter(self._topics["health"], encode(outputs.health), qos=0))
        for tile in outputs.tiles:
            worker = self.workers.get(tile.camera_id)
            picture = worker.picture_at(tile.t_s) if worker is not None else None
            if self._tiles is not None and picture is not None:
                self._tiles.show(tile, picture)

    # ------------------------------------------------------------ parts

    def _take_observations(self) -> list[Observation]:
        return [seen for worker in self.workers.values() for seen in worker.take()]

    def _with_evidence(self, outputs: NodeOutputs, now_s: float) -> list[Message]:
        kept: dict[str, list[Evidence]] = {}
        for request in outputs.evidence:
            worker = self.workers.get(request.camera_id)
            found = kept.setdefault(request.reach_id, [])
            if worker is None or len(found) >= EVIDENCE_PER_REACH_MAX:
                continue
            self._evidence_count += 1
            name = f"{self._boot_id}-{self._evidence_count}".replace("_", "-").replace(".", "-")
            try:
                found.append(
                    self._evidence.keep(request, worker.memory, evidence_id=name, now_s=now_s)
                )
            except EvidenceError:
                # The event matters more than its pictures; the count is in the metrics.
                self.evidence_failed += 1
        return [
            event.model_copy(update={"evidence": tuple(kept[event.reach_id])})
            if isinstance(event, ReachClosed) and kept.get(event.reach_id)
            else event
            for event in outputs.events
        ]

    def _send_evidence(self, wish: SendEvidence) -> None:
        """Hands what is still here to the sender; of what is gone the hub is told."""
        if self._sender is None:
            return
        for evidence_id in wish.evidence_ids:
            try:
                self._sender.offer(evidence_id, self._evidence.read(evidence_id))
            except EvidenceError:
                self._sender.offer(evidence_id, None)

    def _cpu_share(self, now_s: float) -> float:
        used_s, then_s, share = self._cpu
        if now_s - then_s >= 1.0:
            used_now_s = time.process_time()
            share = max(0.0, (used_now_s - used_s) / (now_s - then_s))
            self._cpu = (used_now_s, now_s, share)
        return share

    def _restore(self) -> NodeMemory:
        """Gives the core its state back, if an earlier boot left one that fits."""
        try:
            memory = NodeMemory.load(self._outbox.load_state, self._config)
            if memory.core.get("node_id") is not None:
                self._core.restore(memory.core)
        except SnapshotError as error:
            self._say(f"the state of an earlier boot is left aside: {error}")
            return NodeMemory(self._config)
        return memory
