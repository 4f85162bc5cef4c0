"""The wall in real time: pictures and scans through rings, projected pictures back."""

from __future__ import annotations

import json
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from hardware.cameras.shm import FrameRingWriter, ShmCamera, ShmCameraSettings
from hardware.gates import ShmGate, ShmGateSettings
from hardware.lights.shm import ShmLight, ShmLightSettings
from hardware.ports import Frame, GateScan
from store_sim.wall import WallWorld
from store_sim.wall.live import LiveWall
from store_sim.wall.parcels import corners_of
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


def test_lamps_of_a_live_wall_shine_as_their_ring_says(tmp_path: Path) -> None:
    """The driver begins after the wall, ends, and begins again."""
    wall = store_named("wall-strips").walls[0]
    world = WallWorld(wall, "lamps", 3)
    clock = _Clock()
    rings = tmp_path / "rings"
    rings.mkdir()
    live = LiveWall(world, truth_dir=tmp_path / "t", shm_root=rings, clock=clock, stream_id=1)
    low_m = wall.boards[0].z_m
    faces = [corners_of(*one) for one in world.standing().values()]
    (u0, _, _), (u1, _, _) = next(
        (face.min(axis=0), face.max(axis=0))
        for face in faces
        if abs(face[:, 2].min() - low_m) < 0.02
    )
    at = 0.02 + 1.51 * (np.arange(90) + 0.5) / 90
    colours = np.where((at >= u0) & (at <= u1), 255, 0)[:, None] * np.array([0, 1, 0])

    def lit() -> bool:
        for _ in range(8):
            clock.now_s += 0.1
            live.step()
        marks = [mark.look for lits in world.truth.lights.values() for mark in lits]
        return "take_a" in marks

    try:
        assert not lit()
        for generation in (1, 2):
            settings = ShmLightSettings(name="wall-strips-low", root=rings, lamps=90)
            strip = ShmLight("wall-strips-low", settings, clock_ns=partial(int, generation))
            assert not lit()
            strip.show(colours.astype(np.uint8), now_s=clock())
            assert lit()
            strip.close()
            assert not lit(), "a driver that ends leaves darkness"
    finally:
        live.close()


class _Slow(WallWorld):
    """A wall whose pictures take their time."""

    def __init__(self, clock: _Clock, took_s: float) -> None:
        super().__init__(store_named("demo").walls[0], "labels-12", 3, first_s=60.0)
        self.clock, self.took_s = clock, took_s

    def frames(self, t_s: float) -> tuple[Frame, ...]:
        found = super().frames(t_s)
        if found and t_s > 0.0:
            self.clock.now_s += self.took_s
        return found


@pytest.mark.parametrize(("took_s", "apart_s"), [(0.02, 0.2), (0.2, 0.5), (1.0, 1.8)])
def test_what_is_drawn_too_slowly_is_drawn_less_often_and_counted(
    tmp_path: Path, took_s: float, apart_s: float
) -> None:
    """Four tenths of the time may go into drawing, and nobody waits for a picture for long."""
    clock = _Clock()
    rings = tmp_path / "rings"
    rings.mkdir()
    world = _Slow(clock, took_s)
    live = LiveWall(world, truth_dir=tmp_path / "t", shm_root=rings, clock=clock, stream_id=1)
    eye = ShmCamera("wall-1-eye-1", ShmCameraSettings(name="wall-1-eye-1", root=rings), clock=clock)
    seen: list[float] = []
    try:
        while clock.now_s < 112.0:
            live.step()
            if (frame := eye.read_latest(max_age_s=5.0)) is not None:
                seen.append(frame.t_s)
            clock.now_s += 1 / 30
    finally:
        live.close()
    assert np.median(np.diff(seen)) == pytest.approx(apart_s, abs=0.11)
    due = 2 * round((seen[-1] - seen[0]) * 5 + 1)
    assert live.pictures + live.pictures_left_out == due
    assert (live.pictures_left_out > 0) == (took_s > 0.1)
