"""The wall in real time: pictures and scans through rings, projected pictures back."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np

from hardware.cameras.shm import FrameRingWriter, ShmCamera, ShmCameraSettings
from hardware.gates import ShmGate, ShmGateSettings
from hardware.ports import Frame, GateScan
from store_sim.wall import WallWorld
from store_sim.wall.live import LiveWall
from store_sim.wall.picture import cue_picture
from tests.store_sim.wall.wall_kit import store_named


class _Clock:
    def __init__(self) -> None:
        self.now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def test_a_live_wall_speaks_through_rings(tmp_path: Path) -> None:
    store = store_named("demo")
    world = WallWorld(store.walls[0], "labels-12", 3, first_s=0.0)
    clock = _Clock()
    rings, truth = tmp_path / "rings", tmp_path / "truth"
    rings.mkdir()
    live = LiveWall(world, truth_dir=truth, shm_root=rings, clock=clock, stream_id=1)
    orders = json.loads((truth / "orders.json").read_text(encoding="utf-8"))
    with (truth / "codes.jsonl").open("w", encoding="utf-8") as out:
        for order in orders:
            out.write(json.dumps({"order_id": order["order_id"], "code": "c-" + order["order_id"]}))
            out.write("\n")
    eye = ShmCamera("wall-1-eye-1", ShmCameraSettings(name="wall-1-eye-1", root=rings), clock=clock)
    gate = ShmGate(ShmGateSettings(name="wall-scans", root=rings), clock=clock)
    width, height = world.beams[0].size
    beam = FrameRingWriter("wall-1-beam", width=width, height=height, stream_id=2, root=rings)
    frames: list[Frame] = []
    scans: list[GateScan] = []
    try:
        while clock.now_s < 112.0 and not world.truth.takings():
            clock.now_s += 0.1
            assert live.step() >= 0.0
            frame = eye.read_latest(max_age_s=1.0)
            if frame is not None:
                frames.append(frame)
            found = gate.read()
            scans += found
            if found:
                beam.write(cue_picture(world, world.orders[0].indexes, (0, 255, 60)), t_s=clock())
        # A suspended machine: the world goes on where it was.
        before = world.t_s
        clock.now_s += 600.0
        live.step()
        assert world.t_s - before < 0.2
    finally:
        beam.close()
        live.close()
    assert [scan.code for scan in scans] == ["c-order-1"]
    assert scans[0].gate_id == "wall-1-kiosk"
    steps = np.diff([frame.t_s for frame in frames])
    assert np.allclose(steps, 0.2, atol=0.11)
    (deed,) = [json.loads(line) for line in (truth / "deeds.jsonl").read_text().splitlines()]
    assert deed["kind"] == "take"
    assert deed["right"], "what was lit through the ring was taken"
