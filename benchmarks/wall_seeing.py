"""CPU time of a wall camera: 24 parcels at full HD, nobody there and somebody there.

Pictures are those of the simulated wall (store wall-24, case labels-24). Beside them, on the same
pictures in the same run, zxing-cpp alone reading each whole picture: what following costs is given
as a share of that as well, because absolute times are a machine's.

    python -m benchmarks.wall_seeing
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np

import store_sim
from contracts.store_file import load_store_file
from store_sim.wall import WallWorld
from vision.labels.engines import read_zxing
from vision.wall import LitRegion, WallCamera, WallLens, WallMap

__all__ = ["WallCost", "measure"]

SEED = 4242
END_S = 40.0
SPOT_PX = 40
SETTLED_S = 4.0
BARE_EVERY = 10


@dataclass(frozen=True, slots=True)
class WallCost:
    """Milliseconds of CPU time a frame: `idle` and `busy` are medians, `busy_mean` the mean while
    something moves, `bare` zxing-cpp over the whole picture; frames of each."""

    idle_ms: float
    busy_ms: float
    busy_mean_ms: float
    bare_ms: float
    idle_frames: int
    busy_frames: int

    @property
    def core_share(self) -> float:
        """Of one core at five frames a second while somebody is there."""
        return 5.0 * self.busy_mean_ms / 1000.0


def measure(seed: int = SEED) -> WallCost:
    """Runs one wall; its first customer comes after some twenty seconds."""
    cv2.setNumThreads(1)
    store = load_store_file(Path(store_sim.__file__).parent / "stores" / "wall-24.yaml")
    place = store.walls[0]
    world = WallWorld(place, "labels-24", seed)
    for order in world.orders:
        world.give_code(order.order_id, f"code-{order.order_id}")
    eye, things = WallCamera(place.cameras[0], place), WallMap(place, "w")
    idle: list[float] = []
    busy: list[float] = []
    bare: list[float] = []
    t_s = 0.0
    while t_s < END_S:
        t_s = round(t_s + 0.2, 3)
        world.step(t_s)
        if world.scans():
            _mark_first(world, eye)
        for frame in world.frames(t_s):
            spent, seen = _timed(eye.perceive, frame)
            spent += _timed(things.step, t_s, [seen])[0]
            if t_s > SETTLED_S:
                (busy if seen.active else idle).append(spent)
            if frame.index % BARE_EVERY == 0:
                gray = np.asarray(cv2.cvtColor(frame.rgb, cv2.COLOR_RGB2GRAY), np.uint8)
                kinds = ("qr", "datamatrix")
                bare.append(_timed(read_zxing, gray, kinds)[0])
    return WallCost(
        statistics.median(idle), statistics.median(busy), statistics.fmean(busy),
        statistics.median(bare), len(idle), len(busy),
    )  # fmt: skip


def _mark_first(world: WallWorld, eye: WallCamera) -> None:
    """Throws a green spot on the first order's parcel, so that its customer comes and takes it."""
    order, place = world.orders[0], world.wall
    standing = world.standing().get(order.indexes[0])
    if standing is None:
        return
    world.tell_look(order.order_id, "take_a")
    at = np.array([standing[1].at_m])
    beam = world.beams[0]
    picture = np.zeros((beam.size[1], beam.size[0], 3), np.uint8)
    x, y = (round(float(c)) for c in beam.optic.pixels(at)[0][0])
    cv2.circle(picture, (x, y), SPOT_PX, (0, 255, 0), -1)
    world.show(beam.projector_id, picture)
    turn = np.linspace(0.0, 2.0 * np.pi, 24, endpoint=False)
    round_it = SPOT_PX * np.stack([np.cos(turn), np.sin(turn)], axis=1)
    region = WallLens(place.cameras[0], place).pixels(at) + round_it
    eye.shine([LitRegion(region.astype(np.float32), "take_a")])


def _timed(call: Callable[..., Any], *arguments: Any) -> tuple[float, Any]:
    begun = time.process_time()
    result = call(*arguments)
    return (time.process_time() - begun) * 1000.0, result


if __name__ == "__main__":
    cost = measure()
    bare = cost.bare_ms
    print(f"unchanged wall  {cost.idle_ms:6.1f} ms a frame, median of {cost.idle_frames}")
    print(f"somebody there  {cost.busy_ms:6.1f} ms a frame, median of {cost.busy_frames}")
    print(
        f"  mean {cost.busy_mean_ms:.1f} ms: {cost.core_share:.2f} of a core at 5 frames a second"
    )
    print(f"zxing-cpp alone {bare:6.1f} ms a picture")
    print(f"  unchanged costs {cost.idle_ms / bare:.2f} of it, busy {cost.busy_ms / bare:.2f}")
