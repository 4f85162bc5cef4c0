"""What the whole demo store costs and how quick it is: in lockstep, and as its real processes.

The lockstep day is an easy one with pictures, networks and all; its CPU seconds are one process's.
The real processes are those of `sortie demo` (broker, hub, pages, nodes, simulator), watched for a
while after their start; nobody looks at the pages meanwhile. Pick to cart is the time from the
moment an item left its board to the decision that first put it into the right cart, exit to
receipt that from the true crossing of the exit line: both in store time, over the lockstep day.
"""

from __future__ import annotations

import json
import tempfile
import time
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psutil

from auditor.read import read_truth
from auditor.report import score_day
from auditor.score import percentiles, summarise
from benchmarks.figures import Figure
from contracts.store_file import StoreFile, load_store_file
from edge.compose import CoreMaker
from edge.settings import NodeSettings
from hub.attribution.engine import Engine
from hub.service import Hub
from sortie.day import demo_store_path
from sortie.gallery import store_gallery
from sortie.lockstep import EPOCH_S, Lockstep, Phones, Sensors
from sortie.serve import StorePlan, StoreProcesses
from sortie.supervisor import Supervisor, free_port
from store_sim.plates import PlateBank
from store_sim.scenarios import build
from store_sim.stream import SimulatedStream
from store_sim.truth import TruthWriter
from store_sim.world import World

__all__ = ["measure_day", "measure_processes", "measure_world", "pick_to_cart_s"]

SEED = 4243
CPU_S_MAX = 1.5
WORLD_WARM_UP_S = 15.0
PROCESSES_WARM_UP_S = 20.0


def measure_day(
    *, shoppers: int = 8, sensors: Sensors = "both", path: Path | None = None
) -> list[Figure]:
    """A day in lockstep: CPU seconds per store second and the two waiting times. `path` is the
    demo's store file if None; the limit is the demo's alone."""
    store = load_store_file(path or demo_store_path())
    with tempfile.TemporaryDirectory(prefix="sortie-bench-") as folder:
        truth = Path(folder)
        hub = Hub.open(store, attributor=Engine)
        gallery = None if sensors == "plates" else store_gallery(store)
        maker = CoreMaker(NodeSettings(sensors=sensors), gallery=gallery)
        lockstep = Lockstep(store, hub, maker)
        phones = Phones(hub, SEED, lambda: lockstep.hub_now_s)
        ceiling = [camera.camera_id for camera in store.cameras if camera.role == "ceiling"]
        stream = SimulatedStream(
            store,
            build("easy", store, SEED, shoppers),
            SEED,
            cameras=ceiling if sensors == "plates" else None,
            plates=sensors != "camera",
            phone=phones,
            truth=TruthWriter(truth),
        )
        began_s = time.process_time()
        store_s = lockstep.run(stream)
        cpu_s = time.process_time() - began_s
        phones.write(truth)
        export = hub.export_json()
        hub.close()
        takes = _takes(truth / "visits.jsonl", phones.visits)
        summary = summarise(score_day(read_truth(truth), export, epoch_s=EPOCH_S))
    seconds = round(store_s)
    rows = [
        Figure(
            f"CPU seconds a store second, whole {store.store_id} store in lockstep",
            cpu_s / store_s,
            "s",
            seconds,
            limit=CPU_S_MAX if path is None else None,
        )
    ]
    rows += [
        Figure(f"  of these {name}", spent_s / store_s, "s", seconds)
        for name, spent_s in lockstep.cpu_s.items()
    ]
    waits = pick_to_cart_s(takes, export["events"])
    rows += _percentiles("pick to cart", percentiles(waits), len(waits))
    # Not every pick is ever found, and a median of the found ones alone would hide that.
    rows.append(Figure("picks that came into the cart", len(waits) / max(1, len(takes)), "share",
                       len(takes)))  # fmt: skip
    exits = dict(summary.time_to_receipt_s)
    return [*rows, *_percentiles("exit to receipt", exits, summary.visits)]


def pick_to_cart_s(
    takes: Iterable[tuple[str, str, float]], events: Iterable[Mapping[str, Any]]
) -> list[float]:
    """Seconds from each take (visit, GTIN, hub time) to the first decision that put this product
    into this visit's cart and that no earlier take has used; takes that never came are left out."""
    decisions: dict[tuple[str, str], list[float]] = {}
    counted: set[tuple[str, int]] = set()
    for event in events:
        data = event["data"]
        if not event["kind"].startswith("decision.") or not data["certain"]:
            continue
        if event["visit_id"] is None or data["gtin"] is None or data["quantity"] <= 0:
            continue
        key = (data["reach_id"], data["line"])
        if key in counted:
            continue
        counted.add(key)
        found = decisions.setdefault((event["visit_id"], data["gtin"]), [])
        found += [event["at_us"] / 1e6] * data["quantity"]
    waits = []
    for visit_id, gtin, at_s in sorted(takes, key=lambda take: take[2]):
        later = [t for t in decisions.get((visit_id, gtin), []) if t >= at_s]
        if later:
            decisions[visit_id, gtin].remove(min(later))
            waits.append(min(later) - at_s)
    return waits


def measure_world(*, seconds: float = 60.0) -> list[Figure]:
    """CPU milliseconds of a store second of the world and of its plates, without pictures."""
    store = load_store_file(demo_store_path())
    world = World(store, build("demo-day", store, SEED, 4), SEED, phone=lambda k: f"code-{k}")
    bank = PlateBank(store, SEED)
    world.advance(WORLD_WARM_UP_S)
    bank.read(world.take_loads())
    spent = {"world": 0.0, "plates": 0.0}
    people = steps = 0
    while world.t_s < WORLD_WARM_UP_S + seconds:
        began_s = time.thread_time()
        scene = world.advance(world.t_s + 1 / 15)
        between_s = time.thread_time()
        bank.read(world.take_loads())
        spent["world"] += between_s - began_s
        spent["plates"] += time.thread_time() - between_s
        people += len(scene.bodies)
        steps += 1
    named = {"world": f"world with {people / steps:.1f} people on average", "plates": "plates"}
    return [
        Figure(f"{named[part]}, a store second", 1e3 * cpu_s / seconds, "ms", round(seconds))
        for part, cpu_s in spent.items()
    ]


def measure_processes(
    *, seconds: float = 60.0, warm_up_s: float = PROCESSES_WARM_UP_S, sensors: Sensors = "both"
) -> list[Figure]:
    """The demo's real processes: CPU seconds of each in a second of the clock, start left out."""
    store = load_store_file(demo_store_path())
    with tempfile.TemporaryDirectory(prefix="sortie-bench-") as folder:
        plan = StorePlan(
            store_path=demo_store_path(),
            folder=Path(folder) / "run",
            seed=SEED,
            sensors=sensors,
            pages_port=free_port(),
        )
        processes = StoreProcesses(plan)
        supervisor = Supervisor(processes.folder / "logs", say=lambda _line: None)
        try:
            names = _launch(processes, supervisor, store, sensors)
            _watch(supervisor, warm_up_s)
            before = {name: _cpu_s(supervisor.pid(name)) for name in names}
            began_s = time.monotonic()
            _watch(supervisor, seconds)
            wall_s = time.monotonic() - began_s
            spent = {name: _cpu_s(supervisor.pid(name)) - before[name] for name in names}
        finally:
            supervisor.stop()
            processes.close()
    count = round(wall_s)
    total = Figure(
        "CPU seconds a store second, real processes of the demo",
        sum(spent.values()) / wall_s,
        "s",
        count,
        limit=CPU_S_MAX,
    )
    return [
        total,
        *(Figure(f"  of these {name}", s / wall_s, "s", count) for name, s in spent.items()),
    ]


def _launch(
    processes: StoreProcesses, supervisor: Supervisor, store: StoreFile, sensors: Sensors
) -> list[str]:
    gallery = None if sensors == "plates" else store_gallery(store)
    nodes = [processes.node(node_id, gallery) for node_id in processes.node_ids]
    children = [
        processes.broker(),
        processes.hub(),
        processes.pages(),
        *nodes,
        processes.simulator(),
    ]
    for child in children:
        supervisor.launch(child)
    supervisor.wait_ready()
    processes.open_doors()
    return [child.name for child in children]


def _watch(supervisor: Supervisor, seconds: float) -> None:
    end_s = time.monotonic() + seconds
    supervisor.watch(until=lambda: time.monotonic() >= end_s)


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


def _takes(path: Path, visits: Mapping[int, str]) -> list[tuple[str, str, float]]:
    """Visit, GTIN and hub time of every piece that was taken and kept until the end or put back."""
    found = []
    for line in path.read_text(encoding="utf-8").splitlines():
        row = json.loads(line)
        visit_id = visits.get(row["shopper"])
        if visit_id is None:
            continue
        found += [
            (visit_id, action["gtin"], EPOCH_S + action["t_s"])
            for action in row["actions"]
            if action["kind"] == "take"
        ]
    return found


def _percentiles(name: str, values: Mapping[str, float], count: int) -> list[Figure]:
    return [Figure(f"{name}, {at}", value, "s", count) for at, value in values.items()]
