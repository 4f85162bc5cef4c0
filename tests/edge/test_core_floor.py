"""The core of the node that owns the floor, with scripted ceiling cameras."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera, Gate, Intrinsics, Pose
from contracts.messages import (
    FloorTracksMoved,
    GateScanned,
    Message,
    NodeConfig,
    SensorOutage,
    Watermark,
)
from edge.core import NodeCore
from edge.exchange import NodeInputs
from edge.perception import Perception
from hardware.ports import Frame, GateScan
from vision.observations import CeilingObservation

T0 = 500.0
FLOOR = ("ceiling-1", "ceiling-2")


def floor_config() -> NodeConfig:
    gate = Gate(
        gate_id="entry",
        kind="entry",
        line_m=((0.5, 0.0), (1.5, 0.0)),
        zone_m=((0.3, 0.0), (1.7, 0.0), (1.7, 1.0), (0.3, 1.0)),
    )
    return NodeConfig(
        revision=7,
        store_id="demo",
        node_id="node-floor",
        cameras=tuple(camera(name) for name in FLOOR),
        gates=(gate,),
        floor=True,
        floor_width_m=6.0,
        floor_depth_m=4.5,
    )


def camera(name: str) -> Camera:
    return Camera(
        camera_id=name,
        role="ceiling",
        fps=7.5,
        intrinsics=Intrinsics(width=96, height=54, fx=80, fy=80, cx=47.5, cy=26.5),
        pose=Pose(position_m=(1, 3, 2.7), look_at_m=(1, 3.1, 0), up=(0, 1, 0)),
    )


class ScriptedCeiling:
    """Sees one head that walks along x."""

    def __init__(self, name: str) -> None:
        self.name = name

    def step(self, frame: Frame, /) -> CeilingObservation:
        heads = np.array([[1.0 + 0.5 * (frame.t_s - T0), 2.0, 0.08, 0.9]])
        return CeilingObservation(
            camera_id=self.name,
            t_s=frame.t_s,
            heads=heads,
            wrists=np.zeros((0, 4)),
            colours=np.full((1, 3), 90, np.float32),
        )


def test_the_floor_node_publishes_tracks_and_scans() -> None:
    config = floor_config()
    eyes = {name: ScriptedCeiling(name) for name in FLOOR}
    core = NodeCore(
        config,
        boot_id="b1",
        perception=Perception(config, shelf={}, ceiling=eyes),
        reaches={},
    )
    picture: NDArray[np.uint8] = np.zeros((54, 96, 3), np.uint8)
    events: list[Message] = []
    for index in range(1, 60):
        now = T0 + index / 7.5
        frames = tuple(Frame(name, now - 0.02, index, picture) for name in FLOOR)
        scans = (GateScan("entry", now - 0.01, "visit-1"),) if index == 10 else ()
        events += core.step(NodeInputs(frames=frames, scans=scans), now).events
    moved = [event for event in events if isinstance(event, FloorTracksMoved)]
    assert {one.track_id for event in moved for one in event.segments} == {"node-floor:b1-0"}
    assert [event.code for event in events if isinstance(event, GateScanned)] == ["visit-1"]
    marks = [event for event in events if isinstance(event, Watermark)]
    assert marks[-1].t_s > now - 1.5
    for index in range(60, 120):
        now = T0 + index / 7.5
        events += core.step(NodeInputs(), now).events
    last = [event for event in events if isinstance(event, FloorTracksMoved)][-1]
    assert last.segments[0].state == "lost"
    outages = [event for event in events if isinstance(event, SensorOutage)]
    assert {one.sensor_id for one in outages} == set(FLOOR)
