"""The day of the kills: the simulator with one more scenario, and a floor node with plain eyes.

    python kill_rig.py world      python -m store_sim.live that also knows the scenario `kills`
    python kill_rig.py node       python -m edge.main whose ceiling cameras read beacons

Three shoppers overlap, each before a bay of their own, and stand about between two takes, so that
there is always somebody whom a kill could harm. What kills do to receipts is the question here,
not how well heads are found: the pictures are grey, and their first bytes say where the heads are
that the camera sees. Everything behind that is the store's own: rings, node, outbox, broker, hub.
"""

from __future__ import annotations

import struct
import sys
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

import edge.compose
import edge.main
import store_sim.live
from contracts.geometry import Camera
from contracts.store_file import StoreFile
from hardware.ports import Frame
from store_sim.dials import Dials
from store_sim.scenarios import Entry
from store_sim.scenarios.registry import GENERATED
from store_sim.scene import JOINTS, Scene
from store_sim.world.scenario import Looks, Scenario, VisitPlan
from store_sim.world.verbs import Enter, Exit, PutBack, Take, Verb, Wait
from vision.observations import CeilingObservation

NAME = "kills"
TAKEN = 7
"""Pieces that leave the store."""
PLANS: tuple[tuple[float, tuple[Verb, ...]], ...] = (
    (
        0.5,
        (
            Take("bay-a-4-l", column=0),
            Wait(6.0),
            Take("bay-a-3-r", column=5),
            Wait(9.0),
            Take("bay-a-4-l", column=1),
        ),
    ),
    (
        4.0,
        (
            Take("bay-c-4-r", column=4),
            Wait(8.0),
            Take("bay-c-3-l", column=0),
            Wait(8.0),
            PutBack("bay-c-4-r"),
            Wait(2.0),
            Take("bay-c-4-l", column=0),
        ),
    ),
    (
        14.0,
        (
            Take("bay-b-4-l", column=0),
            Wait(12.0),
            Take("bay-b-4-r", column=3),
        ),
    ),
)
HEAD = struct.Struct("<3f")
SEEN_M = (2.2, 1.25)
"""How far from the point below a camera a head may be to be in its picture, in x and y."""
SD_M = 0.05
SCORE = 0.9


def scripted(name: str, description: str, store: StoreFile, seed: int, shoppers: int) -> Scenario:
    """The day; `shoppers` is given by the script."""
    plans = tuple(
        VisitPlan(begin_s, (Enter(), *verbs, Exit()), has_bag=True, looks=Looks(seed=index))
        for index, (begin_s, verbs) in enumerate(PLANS)
    )
    return Scenario(name, description, lambda _day: plans, at_most=len(plans))


class Picture(NamedTuple):
    """What a renderer gives."""

    rgb: NDArray[np.uint8]


class Beacons:
    """Draws grey pictures that begin with a count and x, y, person of each head in sight."""

    def __init__(self, camera: Camera) -> None:
        size = camera.intrinsics
        self._at = camera.pose.position_m
        self._rgb = np.full((size.height, size.width, 3), 90, np.uint8)
        self._number = 0

    def render(self, scene: Scene) -> Picture:
        """The picture of a scene."""
        row = JOINTS.index("head")
        heads = [
            (float(body.joints_m[row, 0]), float(body.joints_m[row, 1]), body.person_index)
            for body in scene.bodies
            if abs(body.joints_m[row, 0] - self._at[0]) < SEEN_M[0]
            and abs(body.joints_m[row, 1] - self._at[1]) < SEEN_M[1]
        ]
        data = bytes([len(heads)]) + b"".join(HEAD.pack(*head) for head in heads)
        flat = self._rgb.reshape(-1)
        flat[: len(data)] = np.frombuffer(data, np.uint8)
        return Picture(self._rgb)


class BeaconEye:
    """Reads what Beacons drew; stands where edge.compose puts a CeilingCamera."""

    def __init__(self, camera: Camera, *_detector: Any) -> None:
        self._camera_id = camera.camera_id

    def step(self, frame: Frame, /) -> CeilingObservation:
        """The heads of a picture."""
        flat = frame.rgb.reshape(-1)
        count = int(flat[0])
        data = flat[1 : 1 + HEAD.size * count].tobytes()
        heads = [HEAD.unpack_from(data, HEAD.size * k) for k in range(count)]
        return CeilingObservation(
            camera_id=self._camera_id,
            t_s=frame.t_s,
            heads=np.array([(x, y, SD_M, SCORE) for x, y, _ in heads]).reshape(-1, 4),
            wrists=np.zeros((0, 4)),
            colours=np.array([(80.0 * p, 200.0 - 60 * p, 90.0) for *_, p in heads], np.float32)
            .reshape(-1, 3),
        )  # fmt: skip


def _renderers(
    _store: StoreFile, cameras: tuple[Camera, ...], _seed: int, _dials: Dials
) -> dict[str, Beacons]:
    return {camera.camera_id: Beacons(camera) for camera in cameras}


def main(role: str) -> int:
    """Runs one of the two programs."""
    if role == "node":
        vars(edge.compose)["CeilingCamera"] = BeaconEye
        return edge.main.main()
    GENERATED[NAME] = Entry("a scripted day for the kills", scripted)
    vars(store_sim.live)["make_renderers"] = _renderers
    return store_sim.live.main()


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
