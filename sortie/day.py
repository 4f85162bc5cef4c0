"""A store day in lockstep, audited: simulated (`sortie demo --headless`) or recorded (`replay`)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, replace
from importlib.resources import files
from pathlib import Path
from typing import Any

from auditor.read import read_truth
from auditor.report import document, score_day
from contracts.store_file import StoreFile, load_store_file
from edge.compose import MODELS, CoreMaker
from edge.exchange import Observation
from edge.settings import NodeSettings
from hub.attribution.engine import Engine
from hub.service import Hub
from models.manifest import load_manifest, verify
from sortie.errors import UsageError
from sortie.gallery import store_gallery
from sortie.lockstep import EPOCH_S, Lockstep, Phones, Sensors
from sortie.vision_cache import ObservationCache, code_digest
from store_sim.dials import turned
from store_sim.replay import RecordedStream, read_visits
from store_sim.scenarios import build
from store_sim.stream import SensorTick, SimulatedStream
from store_sim.truth import TruthWriter
from store_sim.world import Scenario

__all__ = [
    "SEEDS_RESERVED", "DayPlan", "Look", "day_scenario", "day_stream", "demo_store_path",
    "model_hashes", "replay_day", "simulate_day",
]  # fmt: skip

SEEDS_RESERVED = range(10_000, 20_000)
"""Kept for reporting: nothing may be tuned on these seeds."""
Progress = Callable[[float], None]
Look = Callable[[Hub, Path, Mapping[str, Any]], None]
"""Gets the hub before it closes, the truth folder and the document of a day that is over."""


def demo_store_path() -> Path:
    """The store file of the demo."""
    return Path(str(files("store_sim"))) / "stores" / "demo.yaml"


@dataclass(frozen=True, slots=True)
class DayPlan:
    """What to simulate. `duration_s` is needed by scenarios that loop; `dials` ("group.name=value")
    are turned on top of the scenario's own."""

    store_path: Path
    scenario: str
    seed: int
    shoppers: int
    sensors: Sensors
    duration_s: float | None = None
    cached: bool = True
    dials: tuple[str, ...] = ()


def day_scenario(plan: DayPlan, store: StoreFile) -> Scenario:
    """The scenario of a plan with its dials; ScenarioError if the store cannot play it."""
    scenario = build(plan.scenario, store, plan.seed, plan.shoppers)
    return replace(scenario, dials=turned(scenario.dials, *plan.dials))


def day_stream(
    plan: DayPlan,
    store: StoreFile,
    scenario: Scenario,
    *,
    cameras: Collection[str],
    phone: Callable[[int], str | None],
    truth: TruthWriter | None = None,
) -> SimulatedStream:
    """The sensors of a plan: whoever makes it again gets the same readings and pictures."""
    return SimulatedStream(
        store,
        scenario,
        plan.seed,
        cameras=cameras,
        phone=phone,
        truth=truth,
        duration_s=plan.duration_s,
    )


def simulate_day(
    plan: DayPlan, *, progress: Progress = lambda _t: None, look: Look | None = None
) -> dict[str, Any]:
    """Runs a simulated day and audits it: the JSON document of auditor.report."""
    store = load_store_file(plan.store_path)
    hashes = model_hashes()
    scenario = day_scenario(plan, store)
    cache, known = _kept_pass(plan, hashes)
    wanted = [
        camera.camera_id
        for camera in store.cameras
        if camera.role == "ceiling" or plan.sensors != "plates"
    ]
    with tempfile.TemporaryDirectory(prefix="sortie-truth-") as folder:
        truth = Path(folder)

        def source(phones: Phones) -> Iterable[SensorTick]:
            return day_stream(
                plan,
                store,
                scenario,
                cameras=wanted if known is None else (),
                phone=phones,
                truth=TruthWriter(truth),
            )

        day = _Day(store, plan.sensors, plan.seed, known)
        day.run(source, progress)
        if plan.cached and known is None:
            cache.store(day.lockstep.seen)
        day.phones.write(truth)
        (truth / "visits.jsonl").touch()
        return day.audit(truth, hashes, look=look)


def _kept_pass(
    plan: DayPlan, hashes: dict[str, str]
) -> tuple[ObservationCache, dict[str, list[Observation]] | None]:
    """The cache this day belongs in, and what it or a fuller one holds already.

    The plates-only set never looks at the shelves, so its own pass is of the ceilings alone; a
    pass of all cameras serves it as well.
    """
    parts = {
        "code": code_digest(),
        "store": plan.store_path.read_text(encoding="utf-8"),
        "scenario": plan.scenario,
        "seed": str(plan.seed),
        "shoppers": str(plan.shoppers),
        "duration": str(plan.duration_s),
        "dials": repr(plan.dials),
        "models": repr(sorted(hashes.items())),
    }
    everything = ObservationCache({**parts, "eyes": "all"})
    known = everything.load() if plan.cached else None
    if plan.sensors != "plates" or known is not None:
        return everything, known
    ceilings = ObservationCache({**parts, "eyes": "ceiling"})
    return ceilings, ceilings.load() if plan.cached else None


def replay_day(
    folder: Path,
    sensors: Sensors,
    *,
    lenient: bool = True,
    progress: Progress = lambda _t: None,
) -> dict[str, Any]:
    """Runs a recording through the same cores. Without truth, receipts stand alone. What a torn
    recording lacks is listed under "missing"; not `lenient`, it is refused."""
    hashes = model_hashes()
    late: list[Phones] = []

    def phone(shopper: int) -> str | None:
        return late[0](shopper)

    stream = RecordedStream(
        folder,
        phone=phone,
        # Without shelf cameras the nodes have no eyes for them either.
        roles=("ceiling",) if sensors == "plates" else ("shelf", "ceiling"),
        plates=sensors != "camera",
        lenient=lenient,
    )
    simulation = None if stream.manifest is None else stream.manifest.simulation
    seed = 0 if simulation is None else simulation.seed
    day = _Day(stream.store, sensors, seed, None)
    late.append(day.phones)
    day.run(lambda _phones: stream, progress)
    truth, torn = read_visits(folder, lenient=lenient)
    missing = [*stream.missing, *torn]
    if truth is None:
        return {**day.audit(None, hashes), "missing": missing}
    with tempfile.TemporaryDirectory(prefix="sortie-truth-") as spare:
        copied = Path(spare)
        (copied / "visits.jsonl").write_text(truth, encoding="utf-8")
        day.phones.write(copied)
        return {**day.audit(copied, hashes), "missing": missing}


def model_hashes() -> dict[str, str]:
    """Name to sha256 of the weights in use, each checked against its file."""
    for name in MODELS:
        verify(name)
    return {name: load_manifest(name).sha256 for name in MODELS}


class _Day:
    """Hub, nodes and phones of one run."""

    def __init__(
        self,
        store: StoreFile,
        sensors: Sensors,
        seed: int,
        known: dict[str, list[Observation]] | None,
    ) -> None:
        if sensors not in ("both", "camera", "plates"):
            raise UsageError(f"expected sensors both, camera or plates, got {sensors!r}")
        self._began_s = time.process_time()
        self._sensors = sensors
        self._seed = seed
        self._end_s = 0.0
        self.hub = Hub.open(store, attributor=Engine)
        shelf = sensors != "plates" and known is None
        maker = CoreMaker(
            NodeSettings(sensors=sensors),
            gallery=store_gallery(store) if shelf else None,
            eyes=known is None,
        )
        self.lockstep = Lockstep(store, self.hub, maker, observations=known)
        self.phones = Phones(self.hub, seed, lambda: self.lockstep.hub_now_s)

    def run(self, source: Callable[[Phones], Iterable[SensorTick]], progress: Progress) -> None:
        """Drives the store to the end of the source."""
        self._end_s = self.lockstep.run(source(self.phones), progress=progress)

    def audit(
        self, truth: Path | None, hashes: dict[str, str], *, look: Look | None = None
    ) -> dict[str, Any]:
        """The auditor's document of this day; `truth` is None where nobody knows it."""
        export = self.hub.export_json()
        scores = None if truth is None else score_day(read_truth(truth), export, epoch_s=EPOCH_S)
        result = document(
            scores,
            export,
            sensors=self._sensors,
            seed=self._seed,
            models=hashes,
            cpu_s=time.process_time() - self._began_s,
            store_s=self._end_s,
        )
        result["cpu_parts_s"] = {name: round(s, 3) for name, s in self.lockstep.cpu_s.items()}
        if look is not None and truth is not None:
            look(self.hub, truth, result)
        self.hub.close()
        return result
