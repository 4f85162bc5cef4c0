"""A node for tests: real process, rings, plates, reaches and outbox; only the eyes are scripted.

Run as a program it serves `node-t` until it is told to stop, with its settings from the
environment; imported, it gives the parts.
"""

from __future__ import annotations

import signal
import sys

import numpy as np

from contracts.geometry import Bay, Board, Camera, Gate, Intrinsics, Plate, Pose
from contracts.messages import NodeConfig
from edge.core import NodeCore
from edge.perception import Perception
from edge.process import NodeProcess
from edge.process_settings import NodeProcessSettings, load_settings
from hardware.ports import Frame
from vision.observations import Detections, ShelfObservation
from vision.reaches import ReachBuilder

WIDTH, HEIGHT = 96, 54
CAMERAS = ("cam-1", "cam-2")


def make_config(revision: int = 1) -> NodeConfig:
    """One bay with one board of four plates, two cameras, one gate."""
    bay = Bay(
        bay_id="bay-t",
        origin_m=(0.6, 4.05),
        facing_deg=-90.0,
        width_m=1.0,
        depth_m=0.4,
        height_m=2.1,
        boards=(Board(board_id="1", z_m=0.7, clearance_m=0.33),),
    )
    return NodeConfig(
        revision=revision,
        store_id="demo",
        node_id="node-t",
        cameras=tuple(
            Camera(
                camera_id=name,
                role="shelf",
                bay_id="bay-t",
                fps=15,
                intrinsics=Intrinsics(width=WIDTH, height=HEIGHT, fx=80, fy=80, cx=47.5, cy=26.5),
                pose=Pose(position_m=(1, 3, 2.7), look_at_m=(1, 3.1, 0), up=(0, 1, 0)),
                uri=f"shm://{name}",
            )
            for name in CAMERAS
        ),
        bays=(bay,),
        plates=tuple(
            Plate(
                plate_id=f"p{index}",
                bay_id="bay-t",
                board_id="1",
                u0_m=0.25 * index,
                u1_m=0.25 * (index + 1),
            )
            for index in range(4)
        ),
        gates=(
            Gate(
                gate_id="entry",
                kind="entry",
                line_m=((0.5, 0.0), (1.5, 0.0)),
                zone_m=((0.3, 0.0), (1.7, 0.0), (1.7, 1.0)),
            ),
        ),
    )


class QuietEye:
    """Sees a head and a hand in every picture, and nothing happen."""

    def __init__(self, camera_id: str) -> None:
        self._camera_id = camera_id

    def step(self, frame: Frame, /) -> ShelfObservation:
        """What is seen."""
        detections = Detections(
            np.array([[10, 10, 30, 30], [50, 20, 60, 30]], np.float32),
            np.array([0.9, 0.8], np.float32),
            np.array([0, 2], np.int32),
        )
        return ShelfObservation(
            camera_id=self._camera_id,
            bay_id="bay-t",
            t_s=frame.t_s,
            active=True,
            detections=detections,
        )


def make_core(settings: NodeProcessSettings, config: NodeConfig, boot_id: str) -> NodeCore:
    """A core with scripted eyes and real reaches."""
    eyes = {camera.camera_id: QuietEye(camera.camera_id) for camera in config.cameras}
    return NodeCore(
        config,
        boot_id=boot_id,
        perception=Perception(config, shelf=eyes, ceiling={}),
        reaches={bay.bay_id: ReachBuilder(bay, config.plates) for bay in config.bays},
        settings=settings.core,
    )


def main() -> int:
    """Serves until SIGTERM."""
    settings = load_settings()
    process = NodeProcess(
        settings,
        lambda config, boot_id: make_core(settings, config, boot_id),
        say=lambda line: print(line, flush=True),
    )
    signal.signal(signal.SIGTERM, lambda *_: process.stop())
    process.run()
    print("ended", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
