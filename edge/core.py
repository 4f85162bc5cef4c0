"""The node's pure core: readings in, messages out. No clock, no thread, no file, no socket.

    core = NodeCore(config, boot_id="b1", perception=perception, reaches=builders)
    outputs = core.step(NodeInputs(frames=frames, scales=scales), now_s)
    for message in outputs.events: ...     # number, store, publish, in this order

One step perceives frames (or takes observations made elsewhere), joins them with plates to
reaches and floor tracks, notices sensors that went blind, and says with a watermark up to when
everything has been said. A camera without frames is judged by `now_s` alone and holds up nothing.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any

import numpy as np

from contracts.messages import (
    ClockPong,
    FloorTracksMoved,
    GateScanned,
    Message,
    NodeBorn,
    NodeConfig,
    NodeHealth,
    OpenReach,
    ReachClosed,
    ReachOpened,
    SendTiles,
    SensorOutage,
    Watermark,
)
from edge.bays import BayDesk, ReachJoiner
from edge.errors import NodeConfigError, SnapshotError
from edge.exchange import EvidenceRequest, NodeInputs, NodeOutputs, Observation, Tile
from edge.perception import Perception
from edge.sensors import Sensor, SensorBoard
from edge.sequencer import monotonic_us
from edge.settings import NodeSettings
from edge.walls import WallDesk, WallNews
from hardware.ports import Frame
from vision.floor import FloorTracker
from vision.observations import CeilingObservation, ShelfObservation
from vision.wall import WallObservation

__all__ = ["SNAPSHOT_SCHEMA", "NodeCore", "ReachJoiner"]

SNAPSHOT_SCHEMA = 1
_HEAD_CLASS = 0  # "head" is the first class of both detectors
_OPEN_REACHES_MAX = 256


class NodeCore:
    """One boot of one node.

    `perception` holds the pipelines of the cameras, `reaches` a joiner for each bay. Sequence
    numbers are counted from `first_seq`, one for each event of the outputs, in their order.
    NodeConfigError if the configuration is not one that can be served.
    """

    def __init__(
        self,
        config: NodeConfig,
        *,
        boot_id: str,
        perception: Perception,
        reaches: Mapping[str, ReachJoiner],
        walls: Sequence[WallDesk] = (),
        settings: NodeSettings | None = None,
        software: str = "sortie",
        first_seq: int = 0,
    ) -> None:
        self._config = config
        self._boot_id = boot_id
        self._set = settings or NodeSettings()
        self._perception = perception
        self._software = software
        self._next_seq = first_seq
        self._born_s: float | None = None
        self._mark_told_s = -np.inf
        self._mark_s = 0.0
        self._health_told_s = -np.inf
        self._outbox_full = False
        self._tiles: dict[str, tuple[float, float, float]] = {}
        use_plates = self._set.sensors in ("both", "plates")
        missing = [bay.bay_id for bay in config.bays if bay.bay_id not in reaches]
        if missing:
            raise NodeConfigError(
                f"expected a reach joiner for each bay of node {config.node_id}, got none for "
                f"{', '.join(missing)}"
            )
        lost = {wall.wall_id for wall in config.walls} - {desk.wall.wall_id for desk in walls}
        if lost:
            raise NodeConfigError(
                f"expected a desk for each wall of node {config.node_id}, got none for "
                f"{', '.join(sorted(lost))}"
            )
        self._walls = tuple(walls)
        self._desks = {
            bay.bay_id: BayDesk(
                bay,
                [one for one in config.plates if use_plates and one.bay_id == bay.bay_id],
                reaches[bay.bay_id],
                self._set,
            )
            for bay in config.bays
        }
        self._tracker: FloorTracker | None = None
        if config.floor:
            self._tracker = FloorTracker(
                config.floor_width_m,
                config.floor_depth_m,
                self._set.floor,
                prefix=f"{config.node_id}:{boot_id}",
                gates=config.gates,
                cameras=[one for one in config.cameras if one.role == "ceiling"],
                solids=config.solids,
            )
        self._floor_t_s = 0.0
        self._cameras = {
            one.camera_id: one
            for one in config.eyes
            if one.role != "shelf" or self._set.sensors in ("both", "camera")
        }
        self._wall_of = {
            name: desk.wall.wall_id for desk in self._walls for name in desk.camera_ids
        }
        self._board: SensorBoard | None = None

    # ------------------------------------------------------------ outside

    @property
    def next_seq(self) -> int:
        """The number the next event will have."""
        return self._next_seq

    @property
    def camera_ids(self) -> frozenset[str]:
        """Cameras whose frames are used with these settings; others need not be read."""
        return frozenset(self._cameras) & self._perception.camera_ids

    def perceive(self, frame: Frame) -> Observation:
        """The expensive half of a frame's way, for a thread of its own or a cache."""
        return self._perception.perceive(frame)

    def step(self, inputs: NodeInputs, now_s: float) -> NodeOutputs:
        """Everything that follows from `inputs`; `now_s` must not go back."""
        events: list[Message] = []
        if self._born_s is None:
            events.append(self._be_born(now_s))
        board = self._sensor_board()
        for camera_id, count in inputs.dropped.items():
            if (sensor := board.get("camera", camera_id)) is not None:
                sensor.dropped = count
        observations = self._observations(inputs)
        tiles = self._tiles_due(inputs.tiles, observations, now_s)
        for desk in self._desks.values():
            desk.read_scales(inputs.scales, board)
        outages = board.check(now_s)
        events += outages
        events += self._outbox_outage(inputs.outbox_full, now_s)
        events += self._scans(inputs)
        events += self._walk(observations, now_s)
        reaches = self._join(observations, now_s)
        events += reaches
        walls = self._look_at_walls(inputs, observations, now_s)
        events += [event for news in walls for event in news.events]
        self._next_seq += len(events)
        if now_s - self._mark_told_s >= self._set.watermark_s - 1e-6:
            mark = self._watermark(now_s)
            if mark is not None:
                events.append(mark)
                self._mark_told_s = now_s
                self._next_seq += 1
        return NodeOutputs(
            events=tuple(events),
            health=self._health(inputs, now_s),
            pongs=tuple(
                ClockPong(hub_us=ping.hub_us, boot_id=self._boot_id, device_us=monotonic_us(now_s))
                for ping in inputs.pings
            ),
            evidence=tuple(self._evidence(reaches)),
            tiles=tiles,
            pictures={name: picture for news in walls for name, picture in news.pictures.items()},
            lamps={name: colours for news in walls for name, colours in news.lamps.items()},
        )

    def quiet_bays(self) -> frozenset[str]:
        """Bays with nothing under way; only of these a snapshot is whole."""
        return frozenset(bay_id for bay_id, desk in self._desks.items() if desk.quiet)

    def snapshot(self, cameras: Collection[str] | None = None) -> dict[str, Any]:
        """What must outlive a kill: levels of plates, references of shelves, who is where.

        Plain values that JSON can hold; to be stored together with the events of the same step.
        `cameras`: whose memories are wanted (they are large); None for all.
        """
        return {
            "schema": SNAPSHOT_SCHEMA,
            "node_id": self._config.node_id,
            "plates": {
                name: desk.watch.snapshot()
                for name, desk in self._desks.items()
                if desk.watch is not None
            },
            "shelf": self._perception.snapshot(cameras),
            "floor": [] if self._tracker is None else self._tracker.snapshot(),
            **(
                {"walls": {d.wall.wall_id: d.snapshot() for d in self._walls}}
                if self._walls
                else {}
            ),
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes up an earlier boot's snapshot before the first step; SnapshotError if damaged."""
        if state.get("schema") != SNAPSHOT_SCHEMA or state.get("node_id") != self._config.node_id:
            raise SnapshotError(
                f"expected a snapshot of node {self._config.node_id}, schema {SNAPSHOT_SCHEMA}, "
                f"got node {state.get('node_id')!r}, schema {state.get('schema')!r}; start "
                "without it"
            )
        try:
            for name, desk in self._desks.items():
                if desk.watch is not None and name in state["plates"]:
                    desk.watch.restore(state["plates"][name])
            self._perception.restore(state["shelf"])
            if self._tracker is not None:
                self._tracker.restore(state["floor"])
            for wall in self._walls:
                if wall.wall.wall_id in state.get("walls", {}):
                    wall.restore(state["walls"][wall.wall.wall_id])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise SnapshotError(
                f"expected a whole snapshot, got one that lacks or garbles {error}; start "
                "without it"
            ) from error

    # ------------------------------------------------------------ birth and sensors

    def _be_born(self, now_s: float) -> NodeBorn:
        self._born_s = now_s
        self._mark_s = now_s
        self._floor_t_s = now_s
        sensors = [
            Sensor(
                name,
                "camera",
                one.bay_id,
                now_s,
                self._set.frame_age_s_max,
                wall_id=self._wall_of.get(name),
            )
            for name, one in self._cameras.items()
        ]
        sensors += [
            Sensor(name, "plate", name, now_s, self._set.plates_age_s_max)
            for name, desk in self._desks.items()
            if desk.watch is not None
        ]
        self._board = SensorBoard(
            sensors, start_grace_s=self._set.start_grace_s, recover_s=self._set.recover_s
        )
        return NodeBorn(
            software=self._software,
            config_revision=self._config.revision,
            cameras=tuple(self._cameras),
            plates=tuple(one.plate_id for desk in self._desks.values() for one in desk.plates),
            gates=tuple(one.gate_id for one in self._config.gates),
            walls=tuple(one.wall_id for one in self._config.walls),
            floor=self._config.floor,
            models=self._config.models,
        )

    def _sensor_board(self) -> SensorBoard:
        if self._board is None:
            raise NodeConfigError("expected a born node; call step before asking for its sensors")
        return self._board

    def _observations(self, inputs: NodeInputs) -> list[Observation]:
        """Observations of the cameras in use, in time; notes that these cameras gave something."""
        found: list[Observation] = [
            one for one in inputs.observations if one.camera_id in self._cameras
        ]
        found += [
            self._perception.perceive(frame)
            for frame in inputs.frames
            if frame.camera_id in self.camera_ids
        ]
        found.sort(key=lambda one: (one.t_s, one.camera_id))
        board = self._sensor_board()
        for one in found:
            sensor = board.get("camera", one.camera_id)
            if sensor is not None:
                sensor.reading(one.t_s, one.blind)
            if isinstance(one, ShelfObservation) and one.bay_id in self._desks:
                self._desks[one.bay_id].covered[one.camera_id] = one.covered_since_s
        return found

    def _outbox_outage(self, full: bool, now_s: float) -> list[SensorOutage]:
        if full == self._outbox_full:
            return []
        self._outbox_full = full
        reason = "the outbox is full: nothing more is kept" if full else ""
        return [
            SensorOutage(
                sensor_id="outbox", kind="outbox", bay_id=None, blind=full, t_s=now_s, reason=reason
            )
        ]

    # ------------------------------------------------------------ people and reaches

    def _scans(self, inputs: NodeInputs) -> list[Message]:
        known = {gate.gate_id for gate in self._config.gates}
        return [
            GateScanned(gate_id=scan.gate_id, code=scan.code[:512], t_s=max(scan.t_s, 0.0))
            for scan in sorted(inputs.scans, key=lambda one: one.t_s)
            if scan.gate_id in known and scan.code
        ]

    def _look_at_walls(
        self, inputs: NodeInputs, observations: Sequence[Observation], now_s: float
    ) -> list[WallNews]:
        news = []
        for desk in self._walls:
            desk.hear([one for one in inputs.cues if one.wall_id == desk.wall.wall_id], now_s)
            news.append(
                desk.step(
                    now_s,
                    [
                        one
                        for one in observations
                        if isinstance(one, WallObservation) and one.wall_id == desk.wall.wall_id
                    ],
                    [scan for scan in inputs.scans if scan.gate_id in desk.wall.scanners],
                    inputs.unplugged,
                    inputs.shown_s,
                )
            )
        return news

    def _walk(self, observations: Sequence[Observation], now_s: float) -> list[Message]:
        """News of the floor. Without frames time goes on, so that tracks do not live for ever."""
        if self._tracker is None:
            return []
        seen = [one for one in observations if isinstance(one, CeilingObservation)]
        latest = max((one.t_s for one in seen), default=now_s - self._set.hindsight_s)
        self._floor_t_s = max(self._floor_t_s, min(latest, now_s))
        segments = self._tracker.step(self._floor_t_s, seen)
        size = self._set.segments_per_message
        return [
            FloorTracksMoved(t_s=self._floor_t_s, segments=segments[start : start + size])
            for start in range(0, len(segments), size)
        ]

    def _join(
        self, observations: Sequence[Observation], now_s: float
    ) -> list[ReachOpened | ReachClosed]:
        news: list[ReachOpened | ReachClosed] = []
        for bay_id, desk in self._desks.items():
            seen = [
                one
                for one in observations
                if isinstance(one, ShelfObservation) and one.bay_id == bay_id
            ]
            camera_on = any(
                one.bay_id == bay_id and self._is_on("camera", name)
                for name, one in self._cameras.items()
            )
            plates_on = desk.watch is not None and self._is_on("plate", bay_id)
            plate_news = desk.news if plates_on else None
            found = desk.joiner.step(now_s, seen, plate_news, camera_on, plates_on)
            news += [
                one.model_copy(update={"reach_id": self._named(one.reach_id)}) for one in found
            ]
        return news

    def _named(self, reach_id: str) -> str:
        """Reaches are numbered within one boot of one bay; this makes the name unique for ever."""
        return f"{self._config.node_id}:{self._boot_id}:{reach_id}"

    def _is_on(self, kind: str, sensor_id: str) -> bool:
        sensor = self._sensor_board().get(kind, sensor_id)
        return sensor is not None and not sensor.out and sensor.last_s is not None

    def _evidence(self, reaches: Sequence[ReachOpened | ReachClosed]) -> list[EvidenceRequest]:
        margin, longest = self._set.evidence_margin_s, self._set.evidence_s_max
        requests = []
        for reach in reaches:
            if not isinstance(reach, ReachClosed):
                continue
            stop = reach.t_close_s + margin
            start = max(reach.t_open_s - margin, stop - longest, 0.0)
            requests += [
                EvidenceRequest(reach.reach_id, name, start, stop)
                for name, one in self._cameras.items()
                if one.bay_id == reach.bay_id
            ]
        return requests

    # ------------------------------------------------------------ watermark, pulse, tiles

    def _watermark(self, now_s: float) -> Watermark | None:
        """Up to when everything has been said; None while a restored or fresh sensor is learned.

        Blind sensors do not hold it up: their outage says that nothing is known of their zone.
        What moves, is covered, or was found and waits to be told with a reach holds it up.
        """
        limits = [now_s]
        for sensor in (*self._sensor_board().all("camera"), *self._sensor_board().all("plate")):
            if not sensor.out:
                limits.append(sensor.known_to_s())
        reaches: list[OpenReach] = []
        for bay_id, desk in self._desks.items():
            named = desk.joiner.open_reaches()
            reaches += [
                one.model_copy(update={"reach_id": self._named(one.reach_id)}) for one in named
            ]
            if desk.watch is not None and self._is_on("plate", bay_id) and desk.news is not None:
                if not desk.watch.ready:
                    return None
                limits += [since for _, since in desk.news.moving]
            for camera_id, since in desk.covered.items():
                # Somebody who stands there for minutes must not keep others from their receipt.
                if since is not None and self._is_on("camera", camera_id):
                    limits.append(max(since, now_s - self._set.covered_wait_s_max))
            unnamed_s = desk.joiner.unnamed_since_s()
            if unnamed_s is not None:
                limits.append(unnamed_s)
        reaches.sort(key=lambda one: (one.t_open_s, one.reach_id))
        left_out = reaches[_OPEN_REACHES_MAX:]
        if left_out:
            limits.append(left_out[0].t_open_s)
        self._mark_s = max(self._mark_s, min(limits) - self._set.hindsight_s)
        return Watermark(
            t_s=self._mark_s,
            last_seq=self._next_seq - 1,
            open_reaches=tuple(reaches[:_OPEN_REACHES_MAX]),
        )

    def _health(self, inputs: NodeInputs, now_s: float) -> NodeHealth | None:
        if now_s - self._health_told_s < self._set.health_s - 1e-6:
            return None
        self._health_told_s = now_s
        ages = [
            max(0.0, now_s - sensor.known_to_s()) for sensor in self._sensor_board().all("plate")
        ]
        return NodeHealth(
            boot_id=self._boot_id,
            t_s=max(now_s, 0.0),
            cameras=self._sensor_board().healths(now_s),
            plates_age_s=max(ages) if ages else None,
            outbox_waiting=inputs.outbox_waiting,
            outbox_full=inputs.outbox_full,
            cpu_share=inputs.cpu_share,
        )

    def _tiles_due(
        self, asked: Sequence[SendTiles], observations: Sequence[Observation], now_s: float
    ) -> tuple[Tile, ...]:
        """Pictures that were asked for, at most at the asked rate, until the asking runs out."""
        for one in asked:
            # A wall's camera tells no heads apart, so nothing of it could be blurred.
            if one.camera_id in self._cameras and one.camera_id not in self._wall_of:
                _, _, due_s = self._tiles.get(one.camera_id, (0.0, 0.0, -np.inf))
                self._tiles[one.camera_id] = (now_s + one.for_s, 1.0 / one.fps_max, due_s)
        self._tiles = {name: row for name, row in self._tiles.items() if row[0] > now_s}
        tiles = []
        for seen in observations:
            until_s, period_s, due_s = self._tiles.get(seen.camera_id, (0.0, 0.0, np.inf))
            if seen.t_s + 1e-6 >= due_s:
                self._tiles[seen.camera_id] = (until_s, period_s, seen.t_s + period_s)
                heads = seen.detections.boxes_px[seen.detections.classes == _HEAD_CLASS]
                tiles.append(Tile(seen.camera_id, seen.t_s, seen.detections, heads))
        return tuple(tiles)
