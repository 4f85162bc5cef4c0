"""Where snapshots come from: a simulation, whose world tells all, or a recording and its truth."""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from contracts.store_file import StoreFile
from hardware.ports import ScaleBatch
from store_sim.errors import ViewError
from store_sim.recording import shopper_code
from store_sim.replay import RecordedStream
from store_sim.stream import STEP_HZ, SensorTick, SimulatedStream, chosen_cameras, make_renderers
from store_sim.truth import TruthWriter
from store_sim.viewer.guess import guessed_marks, guessed_people
from store_sim.viewer.known import Known, read_known
from store_sim.viewer.snapshot import Mark, Snapshot, marks_of, people_of
from store_sim.world import Scenario, World

__all__ = ["PlateCurves", "RecordedShow", "Show", "SimulatedShow", "snapshots"]

AFTERMATH_S = 120.0
"""A day that begins again is run on so long, so that whoever is in the store has left."""
VIEW_S_MAX = 3600.0
Progress = Callable[[float], None]


@dataclass(frozen=True, slots=True)
class PlateCurves:
    """Readings for drawing: `t_s` (N,) float64, `grams` (N, P) float32, one row a tick."""

    plate_ids: tuple[str, ...]
    t_s: NDArray[np.float64]
    grams: NDArray[np.float32]


class Show(Protocol):
    """Something to look at. `duration_s` is how long it is; iterating gives a snapshot a tick."""

    title: str
    store: StoreFile
    known: Known
    curves: PlateCurves
    duration_s: float

    def __iter__(self) -> Iterator[Snapshot]: ...


class SimulatedShow:
    """A scenario, played twice: once without cameras for its truth and its plates, and once to
    look at, beside a second world from whose id masks the marks are taken.

    `cameras` (all for None) are shown. ScenarioError if the store cannot play it.
    """

    def __init__(
        self,
        store: StoreFile,
        scenario: Scenario,
        seed: int,
        *,
        cameras: Collection[str] | None = None,
        duration_s: float | None = None,
        progress: Progress = lambda _t: None,
    ) -> None:
        if scenario.loops and duration_s is None:
            raise ViewError(
                f"expected a duration for scenario {scenario.name}, which begins again for ever"
            )
        self.store = store
        self.title = f"{scenario.name}: {scenario.description} (seed {seed})"
        self._scenario = scenario
        self._seed = seed
        self._cameras = cameras
        end_s = VIEW_S_MAX if duration_s is None else min(duration_s, VIEW_S_MAX)
        self._end_s = end_s
        with tempfile.TemporaryDirectory(prefix="sortie-view-") as folder:
            stream = SimulatedStream(
                store,
                scenario,
                seed,
                cameras=(),
                phone=shopper_code,
                truth=TruthWriter(Path(folder)),
                duration_s=end_s + AFTERMATH_S,
            )
            ticks = []
            for tick in stream:
                ticks.append(tick)
                progress(tick.t_s)
            self.known = read_known(Path(folder))
        self.curves = _curves(ticks)
        self.duration_s = min(end_s, ticks[-1].t_s if ticks else 0.0)

    def __iter__(self) -> Iterator[Snapshot]:
        """The snapshots from the beginning."""
        return snapshots(
            self.store, self._scenario, self._seed, cameras=self._cameras, end_s=self._end_s
        )


def snapshots(
    store: StoreFile,
    scenario: Scenario,
    seed: int,
    *,
    cameras: Collection[str] | None,
    end_s: float,
) -> Iterator[Snapshot]:
    """A simulation as snapshots, one a tick: what the cameras gave, with the faults that the
    dials ask for, and marks from the id masks of a second world beside it."""
    stream = SimulatedStream(
        store,
        scenario,
        seed,
        cameras=cameras,
        plates=False,
        phone=shopper_code,
        duration_s=end_s,
    )
    world = World(store, scenario, seed, shopper_code)
    renderers = make_renderers(store, chosen_cameras(store, cameras), seed, scenario.dials)
    pictures: dict[str, NDArray[np.uint8]] = {}
    marks: dict[str, tuple[Mark, ...]] = {}
    for tick in stream:
        for frame in tick.frames:
            scene = world.advance(max(frame.t_s, world.t_s))
            drawn = renderers[frame.camera_id].render(scene)
            pictures[frame.camera_id] = frame.rgb
            marks[frame.camera_id] = marks_of(store, scene, drawn.ids, drawn.cover)
        scene = world.advance(max(tick.t_s, world.t_s))
        yield Snapshot(tick.t_s, dict(pictures), dict(marks), people_of(store, scene))


class RecordedShow:
    """A recording, or anybody's own folder, with what its truth folder says drawn in.

    Of a recording nobody knows where each pixel came from: boxes of people and hands are reckoned
    from their tracks and reaches. `missing` lists what a torn recording lacks.
    """

    def __init__(
        self,
        folder: Path,
        *,
        duration_s: float | None = None,
        progress: Progress = lambda _t: None,
    ) -> None:
        self._stream = RecordedStream(folder, phone=shopper_code, lenient=True)
        self.store = self._stream.store
        self.title = f"recording {folder.name}"
        self.known = read_known(folder / "truth")
        ticks = []
        if self._stream.has_plates:
            plates = RecordedStream(
                folder, phone=shopper_code, cameras=(), lenient=True, verify=False
            )
            for tick in plates:
                ticks.append(tick)
                progress(tick.t_s)
        self.curves = _curves(ticks)
        end_s = VIEW_S_MAX if duration_s is None else min(duration_s, VIEW_S_MAX)
        whole_s = self._stream.duration_s
        if whole_s is None:
            whole_s = max(ticks[-1].t_s if ticks else 0.0, self._stream.videos_end_s)
        self.duration_s = min(end_s, whole_s)

    @property
    def missing(self) -> tuple[str, ...]:
        """What of the recording is not there."""
        return self._stream.missing

    def __iter__(self) -> Iterator[Snapshot]:
        """The snapshots from the beginning."""
        pictures: dict[str, NDArray[np.uint8]] = {}
        for tick in self._stream:
            if tick.t_s > self.duration_s + 1e-9:
                return
            for frame in tick.frames:
                pictures[frame.camera_id] = frame.rgb
            people = guessed_people(self.store, self.known, tick.t_s)
            marks = {
                camera.camera_id: guessed_marks(camera, people)
                for camera in self.store.cameras
                if camera.camera_id in pictures
            }
            yield Snapshot(tick.t_s, dict(pictures), marks, people)


def _curves(ticks: list[SensorTick]) -> PlateCurves:
    """The mean of each tick's rows."""
    batches: list[tuple[float, ScaleBatch]] = [
        (tick.t_s, tick.scales) for tick in ticks if tick.scales is not None
    ]
    if not batches:
        return PlateCurves((), np.zeros(0), np.zeros((0, 0), np.float32))
    t_s = np.array([t_s for t_s, _ in batches]) - 0.5 / STEP_HZ
    grams = np.array([_mean(batch.grams) for _, batch in batches], np.float32)
    return PlateCurves(batches[0][1].plate_ids, t_s, grams)


def _mean(grams: NDArray[np.float32]) -> NDArray[np.float64]:
    there = ~np.isnan(grams)
    count = there.sum(axis=0)
    total = np.where(there, grams, 0.0).sum(axis=0, dtype=np.float64)
    return np.where(count > 0, total / np.maximum(count, 1), math.nan)
