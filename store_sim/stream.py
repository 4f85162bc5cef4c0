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
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.geometry import Camera
from contracts.store_file import StoreFile
from hardware.ports import Frame, GateScan, ScaleBatch
from store_sim.camera_faults import CameraFeed, Turn
from store_sim.dials import Dials, Mishap
from store_sim.errors import SimulatorError
from store_sim.plates import PlateBank
from store_sim.scene import Scene
from store_sim.truth import TruthWriter
from store_sim.world import TICK_HZ, Scenario, World

if TYPE_CHECKING:
    from store_sim.render import SceneRenderer

__all__ = [
    "STEP_HZ",
    "CameraRig",
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


def frame_clocks(store: StoreFile, fps: float | None = None) -> dict[str, FrameClock]:
    """A clock for each camera, at the store file's rates or all at `fps`. Cameras do not fire
    together: each has its fixed phase, which does not depend on what other cameras are asked for.
    """
    return {
        camera.camera_id: FrameClock(fps or camera.fps, 1 + place % TICKS_PER_STEP)
        for place, camera in enumerate(store.cameras)
    }


def _camera_seeds(store: StoreFile, seed: int) -> dict[str, int]:
    return {camera.camera_id: seed * 1000 + place for place, camera in enumerate(store.cameras)}


def make_renderers(
    store: StoreFile, cameras: tuple[Camera, ...], seed: int, dials: Dials | None = None
) -> dict[str, SceneRenderer]:
    """A renderer for each camera; noise differs from camera to camera and follows the seed.

    `dials` set light and lens, none as built; the motion blur's frame time is that of
    `dials.camera.fps`.
    """
    if not cameras:
        return {}
    # Imported here: compiling the rasteriser takes seconds that plates alone need not wait for.
    from store_sim.render import Light, Look, Optics, SceneRenderer
    from store_sim.render.raster import store_model

    chosen = dials or Dials()
    model, light = store_model(store, Look()), Light.dialled(chosen.light, seed)
    seeds, optics = _camera_seeds(store, seed), Optics.dialled(chosen.lens)
    rate = {} if chosen.camera.fps is None else {"fps": chosen.camera.fps}
    return {
        camera.camera_id: SceneRenderer(
            store,
            camera.model_copy(update=rate),
            seed=seeds[camera.camera_id],
            light=light,
            optics=optics,
            model=model,
            fog=chosen.light.fog,
            reflections=chosen.light.reflections,
        )
        for camera in cameras
    }


class CameraRig:
    """The cameras of a run: when each takes its pictures, and what arrives of them.

    At each tick of the world, in order: `due`, `expose` for those that shall take their picture,
    then `arrived`.
    """

    def __init__(
        self,
        store: StoreFile,
        cameras: tuple[Camera, ...],
        renderers: Mapping[str, SceneRenderer],
        seed: int,
        dials: Dials,
    ) -> None:
        clocks, seeds = frame_clocks(store, dials.camera.fps), _camera_seeds(store, seed)
        self._renderers = renderers
        self._clocks = {camera.camera_id: clocks[camera.camera_id] for camera in cameras}
        self._indexes = dict.fromkeys(self._clocks, -1)
        self._feeds = {
            camera.camera_id: CameraFeed(
                camera.camera_id,
                (camera.intrinsics.width, camera.intrinsics.height),
                self._clocks[camera.camera_id].fps,
                dials,
                seed=seeds[camera.camera_id],
            )
            for camera in cameras
        }
        self._aside: dict[str, tuple[Turn, SceneRenderer]] = {}

    def due(self, tick: int) -> list[str]:
        """The cameras whose next picture is due; each counts it, taken or not."""
        found = [
            name for name, clock in self._clocks.items()
            if clock.tick_of(self._indexes[name] + 1) <= tick
        ]  # fmt: skip
        for name in found:
            self._indexes[name] += 1
        return found

    def skip_to(self, tick: int) -> None:
        """Counts the pictures up to this tick as taken by nobody."""
        for name, clock in self._clocks.items():
            while clock.tick_of(self._indexes[name] + 1) <= tick:
                self._indexes[name] += 1

    def expose(self, name: str, tick: int, scene: Scene, mishaps: tuple[Mishap, ...]) -> None:
        """Takes a camera's picture of a scene while these mishaps happen."""

        def draw(turn: Turn | None) -> NDArray[np.uint8]:
            return self._draw(name, scene, turn)

        self._feeds[name].expose(tick, self._indexes[name], mishaps, draw)

    def arrived(self, tick: int) -> list[Frame]:
        """The frames that arrive at this tick; the next `expose` may draw into their arrays."""
        found = (feed.arrived(tick) for feed in self._feeds.values())
        return [frame for frame in found if frame is not None]

    def _draw(self, name: str, scene: Scene, turn: Turn | None) -> NDArray[np.uint8]:
        if turn is None:
            # A second renderer is as large as the first; it is kept only while it is looked with.
            self._aside.pop(name, None)
            return self._renderers[name].render(scene).rgb
        if name not in self._aside or self._aside[name][0] != turn:
            self._aside[name] = (turn, self._renderers[name].turned(*turn))
        return self._aside[name][1].render(scene).rgb


class SimulatedStream:
    """A simulated store as a stream: world, plates, and pictures of the cameras asked for.

    `phone(shopper)` gives a shopper's entry code, None while there is none yet. `plates=False`
    leaves the plates out. `truth` receives what really happened; the stream shows it nobody.
    `dials` are the scenario's when not given. It begins at `begin_s`, with the world as it has
    become by then, and ends TAIL_S after the last shopper, or at `duration_s`.
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
        begin_s: float = 0.0,
        dials: Dials | None = None,
    ) -> None:
        if scenario.loops and duration_s is None:
            raise SimulatorError(
                f"expected duration_s for scenario {scenario.name}, which begins again for ever"
            )
        self._dials = scenario.dials if dials is None else dials
        self.world = World(store, scenario, seed, phone, dials=self._dials)
        self._store = store
        self._truth = truth
        self._end_s = math.inf if duration_s is None else duration_s
        self._begin_s = begin_s
        self._bank: PlateBank | None = None
        if plates and store.plates:
            self._bank = PlateBank(store, seed, self._dials.plates)
        chosen = chosen_cameras(store, cameras)
        renderers = make_renderers(store, chosen, seed, self._dials)
        self._rig = CameraRig(store, chosen, renderers, seed, self._dials)

    @property
    def store(self) -> StoreFile:
        """The store that is simulated."""
        return self._store

    def __iter__(self) -> Iterator[SensorTick]:
        """The ticks; the stream can be gone through once, because the world runs forward."""
        if self.world.t_s > 0:
            raise SimulatorError("a simulated stream runs once; make a new one")
        step = round(self._begin_s * STEP_HZ)
        if step:
            self._rig.skip_to(step * TICKS_PER_STEP)
            self.world.run_to(step / STEP_HZ)
            self.world.take_loads()
            self.world.take_scans()
        finished_s: float | None = None
        while True:
            step += 1
            t_s = step / STEP_HZ
            if t_s > self._end_s + 1e-9 or (finished_s is not None and t_s > finished_s + TAIL_S):
                return
            frames = self._frames(step)
            loads = self.world.take_loads()
            scales = None
            if self._bank is not None:
                scales = self._bank.read(loads, self.world.tampering())
            yield SensorTick(t_s, frames, scales, self.world.take_scans())
            if self._truth is not None:
                self._truth.write(self.world.take_finished())
                self._truth.write_traces(self.world.take_traces())
            if self.world.finished and finished_s is None:
                finished_s = t_s

    def _frames(self, step: int) -> tuple[Frame, ...]:
        frames: list[Frame] = []
        for tick in range((step - 1) * TICKS_PER_STEP + 1, step * TICKS_PER_STEP + 1):
            due = self._rig.due(tick)
            self.world.run_to(tick / TICK_HZ)
            mishaps = self.world.tampering()
            for name in due:
                self._rig.expose(name, tick, self.world.scene(), mishaps)
            # A camera draws into the same array again; whoever reads a tick may keep it.
            frames += [replace(one, rgb=one.rgb.copy()) for one in self._rig.arrived(tick)]
        return tuple(frames)
