"""CPU time of a node's parts: shelf camera, ceiling camera, plates, decoding.

Frames are those of an easy day of the demo store, people and all, drawn one after another and
shown to the same pipelines that a node runs. What is spent inside ONNX Runtime is taken apart from
what is spent around it. Times are CPU milliseconds of the calling thread; the libraries are held
to that one thread. Bare ONNX Runtime is the shelf detector run alone on the same input, in between.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from benchmarks.figures import Figure, of_samples
from contracts.geometry import Camera
from contracts.messages import ProductLikelihood, ProductScores
from contracts.store_file import StoreFile, load_store_file
from edge.compose import CEILING_CLASSES, PRODUCTS_TOLD, SHELF_CLASSES
from hardware.cameras.file import read_video
from hardware.ports import Frame, ScaleBatch
from models.change import ChangeClassifier
from models.detector import Detector
from models.embedding import Embedder, Gallery
from sortie.day import demo_store_path
from sortie.gallery import store_gallery
from store_sim.scenarios import build
from store_sim.stream import SimulatedStream
from vision.ceiling import CeilingCamera
from vision.plates import PlateWatch
from vision.shelf import ShelfCamera

__all__ = ["measure"]

SEED = 4242
SHOPPERS = 6
WARM_UP_S = 1.0
DECODED_FRAMES = 90
BARE_EVERY = 4
OUTSIDE_MS_MAX = 4.0
DETECTOR_MS_MAX = 12.0
IDLE_MS_MAX = 1.2


class _Meter:
    """CPU milliseconds spent in a network since it was last asked."""

    def __init__(self) -> None:
        self._spent_ms = 0.0

    def watch(self, model: Any) -> None:
        """From now on what the model's session runs is counted here."""
        # The session is a model's own affair; here alone somebody listens at its door.
        model._session = _Session(model._session, self)

    def add(self, spent_ms: float) -> None:
        """So much more."""
        self._spent_ms += spent_ms

    def take(self) -> float:
        """What was spent since the last call."""
        spent_ms, self._spent_ms = self._spent_ms, 0.0
        return spent_ms


class _Session:
    """An inference session with a clock before and behind it."""

    def __init__(self, session: Any, meter: _Meter) -> None:
        self._inner = session
        self._meter = meter

    def run(self, *arguments: Any) -> Any:
        """As the session does."""
        before = time.thread_time()
        try:
            return self._inner.run(*arguments)
        finally:
            self._meter.add(1e3 * (time.thread_time() - before))

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


@dataclass(slots=True)
class _Samples:
    """Milliseconds a frame, by what they were spent on."""

    outside: list[float] = field(default_factory=list)
    detector: list[float] = field(default_factory=list)
    networks: list[float] = field(default_factory=list)
    idle: list[float] = field(default_factory=list)
    ceiling_outside: list[float] = field(default_factory=list)
    ceiling_detector: list[float] = field(default_factory=list)
    ceiling_idle: list[float] = field(default_factory=list)
    plates: list[float] = field(default_factory=list)
    bare: list[float] = field(default_factory=list)


class _Node:
    """One shelf camera, one ceiling camera and all plates, as a node has them."""

    def __init__(self, store: StoreFile, shelf: Camera, ceiling: Camera) -> None:
        self.samples = _Samples()
        self._detector = Detector("shelf", classes=SHELF_CLASSES)
        self._blob = self._noise(self._detector)
        self._bare = Detector("shelf", classes=SHELF_CLASSES)
        change, embedder = ChangeClassifier(), Embedder()
        gallery = Gallery.load(store_gallery(store), embedder=embedder)
        ceiling_detector = Detector("ceiling", classes=CEILING_CLASSES)
        self._shelf_meter, self._others, self._ceiling_meter = _Meter(), _Meter(), _Meter()
        self._shelf_meter.watch(self._detector)
        self._others.watch(change)
        self._others.watch(embedder)
        self._ceiling_meter.watch(ceiling_detector)
        bay = next(bay for bay in store.bays if bay.bay_id == shelf.bay_id)
        self._shelf = ShelfCamera(
            shelf,
            bay,
            detector=self._detector,
            change=change,
            products=_recogniser(embedder, gallery),
        )
        self._ceiling = CeilingCamera(ceiling, ceiling_detector)
        self._plates = [
            (PlateWatch(one, plates), [plate.plate_id for plate in plates])
            for one in store.bays
            if (plates := [plate for plate in store.plates if plate.bay_id == one.bay_id])
        ]
        self._frames = 0

    def shelf(self, frame: Frame, *, counts: bool) -> None:
        """A frame of the shelf camera."""
        spent_ms, seen = _timed(lambda: self._shelf.step(frame))
        detector_ms, others_ms = self._shelf_meter.take(), self._others.take()
        if not counts:
            return
        if not seen.active:
            self.samples.idle.append(spent_ms)
            return
        self.samples.outside.append(spent_ms - detector_ms - others_ms)
        self.samples.detector.append(detector_ms)
        self.samples.networks.append(detector_ms + others_ms)
        self._frames += 1
        if self._frames % BARE_EVERY == 0:
            self.samples.bare.append(_timed(lambda: self._bare.infer(self._blob))[0])

    def ceiling(self, frame: Frame, *, counts: bool) -> None:
        """A frame of the ceiling camera."""
        spent_ms, _ = _timed(lambda: self._ceiling.step(frame))
        detector_ms = self._ceiling_meter.take()
        if not counts:
            return
        if detector_ms == 0.0:
            self.samples.ceiling_idle.append(spent_ms)
            return
        self.samples.ceiling_outside.append(spent_ms - detector_ms)
        self.samples.ceiling_detector.append(detector_ms)

    def plates(self, batch: ScaleBatch, *, counts: bool) -> None:
        """A batch of readings of all plates of the store."""
        place = {plate_id: column for column, plate_id in enumerate(batch.plate_ids)}

        def step() -> None:
            for watch, plate_ids in self._plates:
                columns = [place[plate_id] for plate_id in plate_ids]
                watch.step(batch.t_s, batch.grams[:, columns])

        spent_ms, _ = _timed(step)
        if counts:
            self.samples.plates.append(spent_ms)

    @staticmethod
    def _noise(detector: Detector) -> NDArray[np.float32]:
        spec = detector.manifest.input
        rng = np.random.default_rng(1)
        picture = rng.integers(0, 256, (spec.height_px, spec.width_px, 3), dtype=np.uint8)
        return detector.prepare(picture)[0]


def measure(*, frames: int = 400, day_s_max: float = 120.0) -> list[Figure]:
    """Figures over `frames` moving frames of a shelf camera, or what `day_s_max` seconds give."""
    cv2.setNumThreads(1)
    store = load_store_file(demo_store_path())
    shelf = next(c for c in store.cameras if c.role == "shelf" and c.bay_id == store.bays[1].bay_id)
    ceiling = next(c for c in reversed(store.cameras) if c.role == "ceiling")
    node = _Node(store, shelf, ceiling)
    stream = SimulatedStream(
        store,
        build("easy", store, SEED, SHOPPERS),
        SEED,
        cameras=[shelf.camera_id, ceiling.camera_id],
        phone=lambda shopper: f"bench-code-{shopper}",
        duration_s=day_s_max,
    )
    kept: dict[str, list[NDArray[np.uint8]]] = {shelf.camera_id: [], ceiling.camera_id: []}
    samples = node.samples
    for tick in stream:
        counts = tick.t_s > WARM_UP_S
        for frame in tick.frames:
            if frame.camera_id == shelf.camera_id:
                node.shelf(frame, counts=counts)
            else:
                node.ceiling(frame, counts=counts)
            if samples.outside and len(kept[frame.camera_id]) < min(frames, DECODED_FRAMES):
                kept[frame.camera_id].append(frame.rgb)
        if tick.scales is not None:
            node.plates(tick.scales, counts=counts)
        if len(samples.outside) >= frames and samples.ceiling_detector and samples.idle:
            break
    return [*_figures(samples), *_decoding(kept, {c.camera_id: c for c in (shelf, ceiling)})]


def _figures(samples: _Samples) -> list[Figure]:
    bare = float(np.median(samples.bare)) if samples.bare else None
    to = "bare ONNX Runtime"

    def row(name: str, values: list[float], limit: float | None = None) -> Figure:
        return of_samples(name, values, "ms", limit=limit, bare=bare, ratio_to=to)

    rows = [
        row("shelf camera, moving, outside ONNX Runtime", samples.outside, OUTSIDE_MS_MAX),
        row("shelf detector, inside ONNX Runtime", samples.detector, DETECTOR_MS_MAX),
        row("all networks of a moving shelf frame", samples.networks),
        row("shelf camera, idle", samples.idle, IDLE_MS_MAX),
        row("ceiling camera, moving, outside ONNX Runtime", samples.ceiling_outside),
        row("ceiling detector, inside ONNX Runtime", samples.ceiling_detector),
        row("plates, a batch of 1/15 s of the whole store", samples.plates),
    ]
    if samples.ceiling_idle:
        rows.append(row("ceiling camera, idle", samples.ceiling_idle))
    if samples.bare:
        rows.append(row("bare ONNX Runtime, shelf detector", samples.bare))
    return rows


def _decoding(kept: dict[str, list[NDArray[np.uint8]]], cameras: dict[str, Camera]) -> list[Figure]:
    """H.264 to RGB of what the cameras saw, by PyAV with one decoder thread."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="sortie-bench-") as folder:
        for camera_id, pictures in kept.items():
            if not pictures:
                continue
            path = Path(folder) / f"{camera_id}.mp4"
            _encode(path, pictures, round(cameras[camera_id].fps))
            spent = []
            for _ in range(3):
                # The decoder may have a thread of its own: the whole process is counted.
                before = time.process_time()
                count = sum(1 for _ in read_video(path, threads=1))
                spent.append(1e3 * (time.process_time() - before) / count)
            height, width = pictures[0].shape[:2]
            name = f"decoding H.264 {width}x{height}, apart"
            rows.append(Figure(name, float(np.median(spent)), "ms", 3 * len(pictures)))
    return rows


def _encode(path: Path, pictures: list[NDArray[np.uint8]], fps: int) -> None:
    import av

    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=fps)
        stream.height, stream.width = pictures[0].shape[:2]
        stream.pix_fmt = "yuv420p"
        stream.options = {"crf": "20", "preset": "veryfast"}
        for picture in pictures:
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))


def _recogniser(
    embedder: Embedder, gallery: Gallery
) -> Callable[[NDArray[np.uint8]], ProductScores]:
    """As edge.compose makes it, around an embedder whose session is timed."""

    def recognise(crop: NDArray[np.uint8]) -> ProductScores:
        scores = gallery.scores(embedder.embed(crop), PRODUCTS_TOLD)
        top = tuple(
            ProductLikelihood(gtin=gtin, log_likelihood=value) for gtin, value in scores.top
        )
        return ProductScores(top=top, other=scores.other)

    return recognise


def _timed(act: Callable[[], Any]) -> tuple[float, Any]:
    before = time.thread_time()
    result = act()
    return 1e3 * (time.thread_time() - before), result
