"""A store day in lockstep, audited: simulated (`sortie demo --headless`) or recorded (`replay`)."""

from __future__ import annotations

import tempfile
import time
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import ExitStack, closing
from dataclasses import dataclass, replace
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
from hub.wallet.fake import FakeGateway
from models.manifest import load_manifest, verify
from sortie.errors import UsageError
from sortie.gallery import store_gallery
from sortie.gatekeeper import gated
from sortie.lockstep import EPOCH_S, Lockstep, Phones, Sensors
from sortie.lockstep_faults import FaultPlan, goes_wrong
from sortie.stores import store_digest, store_path
from sortie.vision_cache import ObservationCache, code_digest
from store_sim.dials import Dials, Mishap, MishapKind, NetworkDials, PlateDials, turned
from store_sim.errors import RecordingError
from store_sim.replay import RecordedStream, read_visits
from store_sim.scenarios import build, script_text
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
    return store_path("demo")


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
    dials, tampered = scenario.dials, scenario.tampering()
    cache, known = _kept_pass(plan, dials, hashes)
    wanted = [
        camera.camera_id
        for camera in store.cameras
        if camera.role == "ceiling" or plan.sensors != "plates"
    ]
    with tempfile.TemporaryDirectory(prefix="sortie-truth-") as folder:
        truth = Path(folder)
        streams: list[SimulatedStream] = []

        def tampering() -> tuple[Mishap, ...]:
            return streams[0].world.tampering() if streams else ()

        def source(phones: Phones) -> Iterable[SensorTick]:
            stream = day_stream(
                plan,
                store,
                scenario,
                cameras=wanted if known is None else (),
                phone=phones,
                truth=TruthWriter(truth),
            )
            streams.append(stream)
            phones.wallet_of = stream.world.people.wallet_of
            phones.is_staff = stream.world.people.is_staff
            return gated(stream, lambda: day.lockstep.hub, phones)

        gallery = plan.store_path.parent
        with closing(
            _Day(
                store,
                plan.sensors,
                plan.seed,
                known,
                dials,
                tampering if goes_wrong(dials, tampered) else None,
                gallery,
            )
        ) as day:
            day.run(source, progress)
            if plan.cached and known is None and not _nodes_die(dials, tampered):
                cache.store(day.lockstep.seen)
            day.phones.write(truth)
            (truth / "visits.jsonl").touch()
            return day.audit(truth, hashes, look=look)


def _kept_pass(
    plan: DayPlan, dials: Dials, hashes: dict[str, str]
) -> tuple[ObservationCache, dict[str, list[Observation]] | None]:
    """The cache this day belongs in, and what it or a fuller one holds already.

    The plates-only set never looks at the shelves, so its own pass is of the ceilings alone; a
    pass of all cameras serves it as well.
    """
    parts = {
        "code": code_digest(),
        "store": store_digest(plan.store_path),
        "scenario": plan.scenario,
        "script": script_text(plan.scenario),
        "seed": str(plan.seed),
        "shoppers": str(plan.shoppers),
        "duration": str(plan.duration_s),
        "models": repr(sorted(hashes.items())),
        "dials": _seen_dials(dials),
    }
    everything = ObservationCache({**parts, "eyes": "all"})
    known = everything.load() if plan.cached else None
    if plan.sensors != "plates" or known is not None:
        return everything, known
    ceilings = ObservationCache({**parts, "eyes": "ceiling"})
    return ceilings, ceilings.load() if plan.cached else None


def _seen_dials(dials: Dials) -> str:
    """The dials that change what a pass sees: pictures, clocks, and when people do what.

    Plates and what happens to messages and nodes change nothing that a camera sees. A hub that is
    away does: nobody gets a code, so that shoppers wait at the gate.
    """
    network = dials.network
    away = {"kills_per_min": network.kills_per_min} if network.kills_per_min else {}
    mishaps = [one for one in dials.mishaps if one.kind not in ("broker_down", "node_down")]
    shown = dials.model_copy(update={"plates": PlateDials(), "network": NetworkDials(**away)})
    return shown.model_copy(update={"mishaps": tuple(mishaps)}).model_dump_json()


def _nodes_die(dials: Dials, tampering: Collection[MishapKind] = ()) -> bool:
    """Whether a dead node may have left gaps in what was seen."""
    kinds = {mishap.kind for mishap in dials.mishaps} | set(tampering)
    return dials.network.kills_per_min > 0 or "node_down" in kinds


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
    day = _Day(stream.store, sensors, seed, None, Dials(), folder=folder)
    late.append(day.phones)
    day.phones.is_staff = stream.is_staff
    day.run(lambda _phones: stream, progress)
    if not day.lockstep.seen and not stream.has_plates:
        raise RecordingError(f"{folder}: nothing to replay: {'; '.join(stream.missing)}")
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
        dials: Dials,
        tampering: Callable[[], Iterable[Mishap]] | None = None,
        folder: Path | None = None,
    ) -> None:
        """`tampering()` gives what shoppers have done to devices so far; without it the network is
        perfect and no process dies. Photos of products lie beside the store file, in `folder`."""
        if sensors not in ("both", "camera", "plates"):
            raise UsageError(f"expected sensors both, camera or plates, got {sensors!r}")
        self._began_s = time.process_time()
        self._sensors = sensors
        self._seed = seed
        self._end_s = 0.0
        self._closing = ExitStack()
        self._faults: FaultPlan | None = None
        if tampering is not None:
            self._faults = self._disks(store, dials, tampering)
        hub = Hub.open(store, attributor=Engine) if self._faults is None else self._faults.reopen()
        shelf = sensors != "plates" and known is None
        maker = CoreMaker(
            NodeSettings(sensors=sensors),
            gallery=store_gallery(store, folder=folder) if shelf else None,
            eyes=known is None,
        )
        self.lockstep = Lockstep(
            store,
            hub,
            maker,
            observations=known,
            clock=dials.clock,
            seed=seed,
            line=None if self._faults is None else self._faults.line,
        )
        self.phones = Phones(self.lockstep, seed, lambda: self.lockstep.hub_now_s)

    def _disks(
        self, store: StoreFile, dials: Dials, tampering: Callable[[], Iterable[Mishap]]
    ) -> FaultPlan:
        """What outlives a kill: the hub's database, the nodes' outboxes, the gateway's books."""
        folder = Path(
            self._closing.enter_context(tempfile.TemporaryDirectory(prefix="sortie-disks-"))
        )
        gateway = FakeGateway()
        self._closing.callback(gateway.close)
        url = f"sqlite:///{folder / 'hub.sqlite'}"

        def reopen() -> Hub:
            return Hub.open(store, url=url, attributor=Engine, gateway=gateway)

        return FaultPlan(dials, self._seed, folder, reopen, tampering)

    def run(self, source: Callable[[Phones], Iterable[SensorTick]], progress: Progress) -> None:
        """Drives the store to the end of the source."""
        self._end_s = self.lockstep.run(source(self.phones), progress=progress)

    def close(self) -> None:
        """Gives disks back."""
        self._closing.close()

    def audit(
        self, truth: Path | None, hashes: dict[str, str], *, look: Look | None = None
    ) -> dict[str, Any]:
        """The auditor's document of this day; `truth` is None where nobody knows it."""
        hub = self.lockstep.hub if self._faults is None else self._faults.books()
        export = hub.export_json()
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
        if self._faults is not None:
            result["faults"] = dict(self._faults.counts)
        result["cpu_parts_s"] = {name: round(s, 3) for name, s in self.lockstep.cpu_s.items()}
        if look is not None and truth is not None:
            look(hub, truth, result)
        hub.close()
        return result
