"""The node's core with scripted pipelines: order, watermark truth, blindness, restart."""

from __future__ import annotations

import itertools
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import numpy as np
import pytest

from contracts.geometry import Bay, Board, Camera, Intrinsics, Plate, Pose
from contracts.messages import (
    ClockPing,
    FloorTracksMoved,
    GateScanned,
    Message,
    NodeBorn,
    NodeConfig,
    OpenReach,
    ReachClosed,
    ReachOpened,
    SendTiles,
    SensorOutage,
    Watermark,
)
from edge.core import NodeCore
from edge.errors import NodeConfigError, SnapshotError
from edge.exchange import NodeInputs, NodeOutputs
from edge.perception import Perception
from edge.sequencer import Sequencer
from edge.settings import NodeSettings
from hardware.ports import Frame, ScaleBatch
from vision.errors import FrameError
from vision.observations import Detections, PlateNews, ShelfObservation

T0 = 500.0


def shelf_config() -> NodeConfig:
    bays = tuple(
        Bay(
            bay_id=name,
            origin_m=(0.6 + 1.9 * index, 4.05),
            facing_deg=-90.0,
            width_m=1.0,
            depth_m=0.4,
            height_m=2.1,
            boards=(Board(board_id="1", z_m=0.7, clearance_m=0.33),),
        )
        for index, name in enumerate(("bay-a", "bay-b"))
    )
    plates = tuple(
        Plate(
            plate_id=f"{bay.bay_id}-p{index}",
            bay_id=bay.bay_id,
            board_id="1",
            u0_m=0.25 * index,
            u1_m=0.25 * (index + 1),
        )
        for bay in bays
        for index in range(4)
    )
    cameras = tuple(camera(f"cam-{bay.bay_id[-1]}", "shelf", bay.bay_id) for bay in bays)
    return NodeConfig(
        revision=7,
        store_id="demo",
        node_id="node-shelf",
        cameras=cameras,
        bays=bays,
        plates=plates,
    )


def camera(name: str, role: Any, bay_id: str | None) -> Camera:
    return Camera(
        camera_id=name,
        role=role,
        bay_id=bay_id,
        fps=15,
        intrinsics=Intrinsics(width=96, height=54, fx=80, fy=80, cx=47.5, cy=26.5),
        pose=Pose(position_m=(1, 3, 2.7), look_at_m=(1, 3.1, 0), up=(0, 1, 0)),
    )


class ScriptedShelf:
    """Says nothing happened, but for the hands it was told of; remembers its last frame."""

    def __init__(self, name: str, bay_id: str) -> None:
        self.name, self.bay_id = name, bay_id
        self.covered: float | None = None
        self.blind: str | None = None
        self.refuse = False
        self.last = -1

    def step(self, frame: Frame, /) -> ShelfObservation:
        if self.refuse:
            raise FrameError("expected (54, 96, 3), got (1, 1, 3)")
        self.last = frame.index
        detections = Detections(
            np.array([[1, 1, 9, 9], [20, 20, 30, 30]], np.float32),
            np.array([0.9, 0.8], np.float32),
            np.array([0, 2], np.int32),
        )
        return ShelfObservation(
            camera_id=self.name,
            bay_id=self.bay_id,
            t_s=frame.t_s,
            active=False,
            detections=detections,
            covered_since_s=self.covered,
            blind=self.blind,
        )

    def snapshot(self) -> dict[str, int]:
        return {"last": self.last}

    def restore(self, state: dict[str, int]) -> None:
        self.last = state["last"]


class PlainJoiner:
    """A reach for every stretch of moving plates: opened at once, closed when all rest."""

    def __init__(self, bay_id: str) -> None:
        self.bay_id = bay_id
        self.count = 0
        self.open: OpenReach | None = None
        self.steps: list[Any] = []
        self.asked: list[tuple[bool, bool]] = []

    def step(
        self,
        now_s: float,
        observations: Sequence[ShelfObservation],
        plate_news: PlateNews | None,
        camera_on: bool,
        plates_on: bool,
    ) -> tuple[ReachOpened | ReachClosed, ...]:
        self.asked.append((camera_on, plates_on))
        news: list[ReachOpened | ReachClosed] = []
        moving = plate_news.moving if plate_news else ()
        steps = plate_news.steps if plate_news else ()
        starts = [since for _, since in moving] + [step.t_start_s for step in steps]
        if starts and self.open is None:
            self.count += 1
            name = f"{self.bay_id}-{self.count}"
            self.open = OpenReach(reach_id=name, bay_id=self.bay_id, t_open_s=min(starts), u_m=0.5)
            news.append(ReachOpened(reach_id=name, bay_id=self.bay_id, t_s=min(starts), u_m=0.5))
        self.steps += steps
        if self.open is not None and not moving:
            news.append(
                ReachClosed(
                    reach_id=self.open.reach_id,
                    bay_id=self.bay_id,
                    t_open_s=self.open.t_open_s,
                    t_close_s=now_s,
                    u_m=0.5,
                    grams=tuple(self.steps),
                    camera_ok=camera_on,
                    plates_ok=plates_on,
                )
            )
            self.open, self.steps = None, []
        return tuple(news)

    def open_reaches(self) -> tuple[OpenReach, ...]:
        return () if self.open is None else (self.open,)

    def unnamed_since_s(self) -> float | None:
        return None


class Shelf:
    """A shelf node with its scripted world."""

    def __init__(self, boot_id: str = "b1", first_seq: int = 0, **settings: Any) -> None:
        self.config = shelf_config()
        self.eyes = {
            one.camera_id: ScriptedShelf(one.camera_id, str(one.bay_id))
            for one in self.config.cameras
        }
        self.joiners = {bay.bay_id: PlainJoiner(bay.bay_id) for bay in self.config.bays}
        self.core = NodeCore(
            self.config,
            boot_id=boot_id,
            perception=Perception(self.config, shelf=self.eyes, ceiling={}),
            reaches=self.joiners,
            settings=NodeSettings(**settings),
            first_seq=first_seq,
        )

    def frames(self, now_s: float, dead: Sequence[str] = ()) -> tuple[Frame, ...]:
        picture = np.zeros((54, 96, 3), np.uint8)
        index = round((now_s - T0) * 15)
        return tuple(
            Frame(name, now_s - 0.01, index, picture) for name in self.eyes if name not in dead
        )


class Plates:
    """Readings of all plates of the node, with steps at given times."""

    def __init__(self, steps: Sequence[tuple[int, float, float]] = (), seconds: float = 40) -> None:
        rng = np.random.default_rng(1)
        self.names = tuple(plate.plate_id for plate in shelf_config().plates)
        self.t = T0 + np.arange(round(seconds * 60)) / 60
        self.x = rng.normal(0, 1.0, (len(self.t), len(self.names))) + 2000.0
        for plate, at, delta in steps:
            self.x[self.t >= T0 + at, plate] += delta

    def between(self, start_s: float, stop_s: float) -> tuple[ScaleBatch, ...]:
        inside = (self.t > start_s + 1e-6) & (self.t <= stop_s + 1e-6)
        return (ScaleBatch(self.names, self.t[inside], self.x[inside].astype(np.float32)),)


def run(
    shelf: Shelf,
    seconds: float,
    plates: Plates | None = None,
    dead: Sequence[str] = (),
    start: float = 0.0,
) -> list[tuple[float, NodeOutputs]]:
    outputs = []
    for index in range(round(start * 15) + 1, round(seconds * 15) + 1):
        now = T0 + index / 15
        scales = plates.between(now - 1 / 15, now) if plates else ()
        inputs = NodeInputs(frames=shelf.frames(now, dead), scales=scales)
        outputs.append((now, shelf.core.step(inputs, now)))
    return outputs


def events_of(outputs: list[tuple[float, NodeOutputs]], kind: type[Any]) -> list[Any]:
    return [event for _, out in outputs for event in out.events if isinstance(event, kind)]


def time_of(event: Message) -> float | None:
    """When what an event tells began."""
    if isinstance(event, ReachClosed):
        return event.t_open_s
    if isinstance(event, ReachOpened | GateScanned | FloorTracksMoved):
        return event.t_s
    return None


def test_birth_comes_first_and_once() -> None:
    outputs = run(Shelf(), 4, Plates())
    first = outputs[0][1].events[0]
    assert isinstance(first, NodeBorn)
    assert first.config_revision == 7
    assert first.cameras == ("cam-a", "cam-b")
    assert len(first.plates) == 8
    assert len(events_of(outputs, NodeBorn)) == 1


def test_a_pick_becomes_a_reach_with_its_step_and_evidence() -> None:
    outputs = run(Shelf(), 14, Plates([(5, 8.0, -250.0)]))
    opened, closed = events_of(outputs, ReachOpened), events_of(outputs, ReachClosed)
    assert [one.bay_id for one in opened] == ["bay-b"]
    assert [one.reach_id for one in closed] == [opened[0].reach_id] == ["node-shelf:b1:bay-b-1"]
    assert closed[0].grams[0].plate_id == "bay-b-p1"
    assert closed[0].grams[0].delta_g == pytest.approx(-250, abs=4)
    requests = [request for _, out in outputs for request in out.evidence]
    assert [(request.reach_id, request.camera_id) for request in requests] == [
        (closed[0].reach_id, "cam-b")
    ]
    assert requests[0].t0_s < closed[0].t_open_s
    assert requests[0].t1_s > closed[0].t_close_s


def test_watermarks_are_true_and_rise() -> None:
    steps = [(index % 8, 4.0 + 1.7 * index, -200.0) for index in range(12)]
    outputs = run(Shelf(), 30, Plates(steps))
    marks = events_of(outputs, Watermark)
    assert len(marks) > 40
    assert all(a.t_s <= b.t_s for a, b in itertools.pairwise(marks))
    assert marks[-1].t_s > T0 + 28.5
    said: Watermark | None = None
    for _, out in outputs:
        for event in out.events:
            if isinstance(event, Watermark):
                said = event
                continue
            when = time_of(event)
            if said is None or when is None or when >= said.t_s:
                continue
            assert isinstance(event, ReachClosed)
            assert event.reach_id in {one.reach_id for one in said.open_reaches}
    assert len(events_of(outputs, ReachClosed)) == 12


def test_numbers_fit_the_sequencer() -> None:
    shelf = Shelf(first_seq=40)
    sequencer = Sequencer(
        store_id="demo", device_id="node-shelf", boot_id="b1", config_revision=7, first_seq=40
    )
    letters = []
    for now, out in run(shelf, 12, Plates([(1, 6.0, -100.0)])):
        for event in out.events:
            letters.append(sequencer.wrap(event, now_s=now, time=datetime.now(UTC)))
    assert shelf.core.next_seq == sequencer.next_seq
    assert [letter.sequence for letter in letters] == list(range(40, 40 + len(letters)))
    with pytest.raises(ValueError, match="wrap every event of the core"):
        sequencer.wrap(Watermark(t_s=1.0, last_seq=3), now_s=1.0, time=datetime.now(UTC))


def test_a_dead_camera_stalls_nobody() -> None:
    shelf = Shelf()
    plates = Plates([(5, 10.0, -250.0)])
    first = run(shelf, 6, plates)
    later = run(shelf, 20, plates, dead=["cam-a"], start=6)
    outages = events_of(first + later, SensorOutage)
    assert [(one.sensor_id, one.kind, one.bay_id, one.blind) for one in outages] == [
        ("cam-a", "camera", "bay-a", True)
    ]
    assert T0 + 7.9 < outages[0].t_s < T0 + 8.3
    closed = events_of(later, ReachClosed)
    assert [one.bay_id for one in closed] == ["bay-b"]
    assert closed[0].camera_ok
    marks = events_of(later, Watermark)
    assert marks[-1].t_s > T0 + 18.5
    back = run(shelf, 24, plates, start=20)
    outages = events_of(back, SensorOutage)
    assert [(one.sensor_id, one.blind) for one in outages] == [("cam-a", False)]
    assert outages[0].t_s > T0 + 20.9


def test_a_camera_that_never_starts_is_told_after_a_grace() -> None:
    outputs = run(Shelf(start_grace_s=3.0), 5, Plates(), dead=["cam-b"])
    outages = events_of(outputs, SensorOutage)
    assert [(one.sensor_id, one.blind) for one in outages] == [("cam-b", True)]
    assert "nothing read" in outages[0].reason


def test_blind_pictures_and_broken_frames_are_outages() -> None:
    shelf = Shelf()
    run(shelf, 3, Plates())
    shelf.eyes["cam-a"].blind = "black picture"
    shelf.eyes["cam-b"].refuse = True
    outputs = run(shelf, 5, Plates(), start=3)
    outages = {one.sensor_id: one.reason for one in events_of(outputs, SensorOutage)}
    assert outages["cam-a"] == "black picture"
    assert "expected (54, 96, 3)" in outages["cam-b"]
    assert shelf.joiners["bay-a"].asked[-1] == (False, True)


def test_dead_plates_are_told_one_by_one_and_a_silent_bank_at_once() -> None:
    plates = Plates(seconds=30)
    plates.x[plates.t > T0 + 5, 2] = np.nan
    shelf = Shelf()
    outputs = run(shelf, 8, plates)
    outages = events_of(outputs, SensorOutage)
    assert [(one.sensor_id, one.kind, one.bay_id) for one in outages] == [
        ("bay-a-p2", "plate", "bay-a")
    ]
    outages = events_of(run(shelf, 12, None, start=8), SensorOutage)
    assert {(one.sensor_id, one.blind) for one in outages if one.bay_id == "bay-b"} == {
        ("bay-b", True)
    }
    assert shelf.joiners["bay-b"].asked[-1] == (True, False)
    assert events_of(run(shelf, 14, None, start=12), Watermark)[-1].t_s > T0 + 12


def test_something_covered_holds_the_watermark() -> None:
    shelf = Shelf()
    run(shelf, 6, Plates())
    shelf.eyes["cam-a"].covered = T0 + 5.5
    marks = events_of(run(shelf, 12, Plates(), start=6), Watermark)
    assert all(mark.t_s <= T0 + 5.5 for mark in marks)
    marks = events_of(run(shelf, 30, Plates(), start=12), Watermark)
    assert T0 + 18 < marks[-1].t_s < T0 + 20.1
    shelf.eyes["cam-a"].covered = None
    marks = events_of(run(shelf, 32, Plates(), start=30), Watermark)
    assert marks[-1].t_s > T0 + 30.5


def test_sensor_sets() -> None:
    camera_only = Shelf(sensors="camera")
    outputs = run(camera_only, 12, Plates([(1, 6.0, -100.0)]))
    assert events_of(outputs, NodeBorn)[0].plates == ()
    assert events_of(outputs, ReachOpened) == []
    assert camera_only.joiners["bay-a"].asked[-1] == (True, False)
    plates_only = Shelf(sensors="plates")
    outputs = run(plates_only, 12, Plates([(1, 6.0, -100.0)]))
    assert events_of(outputs, NodeBorn)[0].cameras == ()
    assert len(events_of(outputs, ReachClosed)) == 1
    assert plates_only.eyes["cam-a"].last == -1
    assert plates_only.joiners["bay-a"].asked[-1] == (False, True)
    assert [request for _, out in outputs for request in out.evidence] == []


def test_ready_observations_replace_frames() -> None:
    frames, ready = Shelf(), Shelf()
    plates = Plates([(1, 4.0, -100.0)])
    for index in range(1, 120):
        now = T0 + index / 15
        scales = plates.between(now - 1 / 15, now)
        pictures = frames.frames(now)
        one = frames.core.step(NodeInputs(frames=pictures, scales=scales), now)
        seen = tuple(ready.core.perceive(frame) for frame in pictures)
        other = ready.core.step(NodeInputs(observations=seen, scales=scales), now)
        assert one.events == other.events


def test_pulse_pongs_and_tiles() -> None:
    shelf = Shelf()
    outputs = run(shelf, 5, Plates())
    pulses = [out.health for _, out in outputs if out.health is not None]
    assert len(pulses) == 5
    assert [one.ok for one in pulses[-1].cameras] == [True, True]
    assert pulses[-1].cameras[0].fps == pytest.approx(15, abs=1)
    assert pulses[-1].plates_age_s == pytest.approx(0.0, abs=0.05)
    now = T0 + 5.1
    ask = SendTiles(camera_id="cam-a", for_s=2.0, fps_max=4.0)
    inputs = NodeInputs(pings=(ClockPing(hub_us=77),), tiles=(ask,), dropped={"cam-b": 3})
    out = shelf.core.step(inputs, now)
    assert (out.pongs[0].hub_us, out.pongs[0].device_us) == (77, round(now * 1e6))
    outputs = run(shelf, 10, Plates(), start=5.2)
    tiles = [tile for _, out in outputs for tile in out.tiles]
    assert {tile.camera_id for tile in tiles} == {"cam-a"}
    assert 6 <= len(tiles) <= 9
    assert tiles[0].head_boxes_px.tolist() == [[1, 1, 9, 9]]
    assert [out.health for _, out in outputs if out.health][-1].cameras[1].dropped == 3


def test_a_full_outbox_is_told_once_each_way() -> None:
    shelf = Shelf()
    found = []
    for index, full in enumerate([False, True, True, False, False]):
        now = T0 + index / 15
        out = shelf.core.step(NodeInputs(outbox_full=full), now)
        found += [one.blind for one in out.events if isinstance(one, SensorOutage)]
    assert found == [True, False]


def test_a_killed_node_finds_what_happened_meanwhile() -> None:
    plates = Plates([(6, 12.0, -330.0)])
    before = Shelf("b1")
    run(before, 10, plates)
    state = json.loads(json.dumps(before.core.snapshot()))
    after = Shelf("b2")
    after.core.restore(state)
    assert after.eyes["cam-a"].last == 150
    outputs = run(after, 20, plates, start=15)
    closed = events_of(outputs, ReachClosed)
    assert [one.reach_id for one in closed] == ["node-shelf:b2:bay-b-1"]
    assert closed[0].grams[0].delta_g == pytest.approx(-330, abs=5)
    marks = events_of(outputs, Watermark)
    assert marks
    with pytest.raises(SnapshotError, match="got node 'node-x'"):
        Shelf().core.restore({**state, "node_id": "node-x"})
    with pytest.raises(SnapshotError, match="lacks or garbles"):
        Shelf().core.restore({"schema": 1, "node_id": "node-shelf"})


def test_a_configuration_that_cannot_be_served_is_refused() -> None:
    config = shelf_config()
    with pytest.raises(NodeConfigError, match="got none for bay-a, bay-b"):
        NodeCore(
            config,
            boot_id="b1",
            perception=Perception(config, shelf={}, ceiling={}),
            reaches={},
        )
    with pytest.raises(NodeConfigError, match="got \\['cam-z'\\] as well"):
        Perception(config, shelf={"cam-z": ScriptedShelf("cam-z", "bay-a")}, ceiling={})
