"""What all sensors of a store give, in the order of time: the one shape that lockstep runs on.

A tick covers a fifteenth of a second: the frames taken in it, the plates' rows, the scans. Ticks
come from a simulation (SimulatedStream) or from a recorded folder (store_sim.replay); whoever
reads them cannot tell which. Times are store seconds from 0.

>>> from pathlib import Path
>>> from contracts.store_file import load_store_file
>>> from store_sim.scenarios import build
>>> store = load_store_file(Path("store_sim/stores/demo.yaml"))
>>> scenario = build("easy-one", store, seed=1, shoppers=1)
>>> stream = SimulatedStream(store, scenario, seed=1, cameras=(), phone=str)
>>> first = next(iter(stream))
>>> first.scales.grams.shape, first.frames
((4, 48), ())
"""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from contracts.geometry import Camera
from contracts.store_file import StoreFile
from hardware.ports import Frame, GateScan, ScaleBatch
from store_sim.errors import SimulatorError
from store_sim.plates import PlateBank
from store_sim.truth import TruthWriter
from store_sim.world import TICK_HZ, Scenario, World

if TYPE_CHECKING:
    from store_sim.render import SceneRenderer

__all__ = [
    "STEP_HZ",
    "FrameClock",
    "SensorStream",
    "SensorTick",
    "SimulatedStream",
    "chosen_cameras",
    "frame_clocks",
    "make_renderers",
]

STEP_HZ = 15
TICKS_PER_STEP = TICK_HZ // STEP_HZ
TAIL_S = 3.0
"""A stream goes on so long after the last shopper has left, so that everything closes."""


@dataclass(frozen=True, slots=True)
class SensorTick:
    """All readings of (t_s - 1 / STEP_HZ, t_s], each kind in the order of time."""

    t_s: float
    frames: tuple[Frame, ...] = ()
    scales: ScaleBatch | None = None
    scans: tuple[GateScan, ...] = ()


class SensorStream(Protocol):
    """A source of ticks, to be gone through once."""

    @property
    def store(self) -> StoreFile:
        """The store that the readings are of."""
        ...

    def __iter__(self) -> Iterator[SensorTick]:
        """The ticks, from the first on."""
        ...


@dataclass(frozen=True, slots=True)
class FrameClock:
    """When a camera takes its pictures: frame n at world tick `tick_of(n)`."""

    fps: float
    phase_ticks: int

    def tick_of(self, index: int) -> int:
        """World tick of a frame."""
        return self.phase_ticks + math.floor(index * TICK_HZ / self.fps + 0.5)


def chosen_cameras(store: StoreFile, cameras: Collection[str] | None) -> tuple[Camera, ...]:
    """The cameras of these ids in the store's order, all for None; SimulatorError if unknown."""
    known = {camera.camera_id for camera in store.cameras}
    unknown = sorted(set(cameras or ()) - known)
    if unknown:
        raise SimulatorError(
            f"expected cameras of store {store.store_id} ({', '.join(sorted(known))}), got "
            f"{', '.join(unknown)}"
        )
    return tuple(
        camera for camera in store.cameras if cameras is None or camera.camera_id in cameras
    )


def frame_clocks(store: StoreFile) -> dict[str, FrameClock]:
    """A clock for each camera. Cameras do not fire together: each has its fixed phase, which does
    not depend on what other cameras are asked for."""
    return {
        camera.camera_id: FrameClock(camera.fps, 1 + place % TICKS_PER_STEP)
        for place, camera in enumerate(store.cameras)
    }


def make_renderers(
    store: StoreFile, cameras: tuple[Camera, ...], seed: int
) -> dict[str, SceneRenderer]:
    """A renderer for each camera; noise differs from camera to camera and follows the seed."""
    if not cameras:
        return {}
    # Imported here: compiling the rasteriser takes seconds that plates alone need not wait for.
    from store_sim.render import Look, SceneRenderer
    from store_sim.render.raster import store_model

    model = store_model(store, Look())
    places = {camera.camera_id: place for place, camera in enumerate(store.cameras)}
    return {
        camera.camera_id: SceneRenderer(
            store, camera, seed=seed * 1000 + places[camera.camera_id], model=model
        )
        for camera in cameras
    }


class SimulatedStream:
    """A simulated store as a stream: world, plates, and pictures of the cameras asked for.

    `phone(shopper)` gives a shopper's entry code, None while there is none yet. `plates=False`
    leaves the plates out. `truth` receives what really happened; the stream shows it nobody.
    It ends TAIL_S after the last shopper, or at `duration_s`.
    """

    def __init__(
        self,
        store: StoreFile,
        scenario: Scenario,
        seed: int,
        *,
        cameras: Collection[str] | None = None,
        plates: bool = True,
        phone: Callable[[int], str | None],
        truth: TruthWriter | None = None,
        duration_s: float | None = None,
    ) -> None:
        if scenario.loops and duration_s is None:
            raise SimulatorError(
                f"expected duration_s for scenario {scenario.name}, which begins again for ever"
            )
        self.world = World(store, scenario, seed, phone)
        self._store = store
        self._truth = truth
        self._end_s = math.inf if duration_s is None else duration_s
        self._bank = PlateBank(store, seed) if plates and store.plates else None
        self._cameras = chosen_cameras(store, cameras)
        clocks = frame_clocks(store)
        self._clocks = {camera.camera_id: clocks[camera.camera_id] for camera in self._cameras}
        self._renderers = make_renderers(store, self._cameras, seed)

    @property
    def store(self) -> StoreFile:
        """The store that is simulated."""
        return self._store

    def __iter__(self) -> Iterator[SensorTick]:
        """The ticks; the stream can be gone through once, because the world runs forward."""
        if self.world.t_s > 0:
            raise SimulatorError("a simulated stream runs once; make a new one")
        indexes = dict.fromkeys(self._clocks, 0)
        step = 0
        finished_s: float | None = None
        while True:
            step += 1
            t_s = step / STEP_HZ
            if t_s > self._end_s + 1e-9 or (finished_s is not None and t_s > finished_s + TAIL_S):
                return
            frames = self._frames(step, indexes)
            loads = self.world.take_loads()
            scales = self._bank.read(loads) if self._bank is not None else None
            yield SensorTick(t_s, frames, scales, self.world.take_scans())
            if self._truth is not None:
                self._truth.write(self.world.take_finished())
            if self.world.finished and finished_s is None:
                finished_s = t_s

    def _frames(self, step: int, indexes: dict[str, int]) -> tuple[Frame, ...]:
        frames = []
        for tick in range((step - 1) * TICKS_PER_STEP + 1, step * TICKS_PER_STEP + 1):
            due = [
                name for name, clock in self._clocks.items() if clock.tick_of(indexes[name]) <= tick
            ]
            t_s = tick / TICK_HZ
            self.world.advance(t_s)
            for name in due:
                picture = self._renderers[name].render(self.world.scene())
                # The renderer draws into the same array again; whoever reads a tick may keep it.
                frames.append(Frame(name, t_s, indexes[name], picture.rgb.copy()))
                indexes[name] += 1
        return tuple(frames)
