"""What the headless commands do: run, show progress, print, write JSON."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.markup import escape
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from auditor.report import print_report
from contracts.store_file import load_store_file
from sortie.day import DayPlan, demo_store_path, replay_day, simulate_day
from sortie.errors import UsageError
from sortie.lockstep import Sensors
from sortie.output import write_json
from store_sim.dials import turned
from store_sim.recording import Simulation, record_simulation
from store_sim.scenarios import build

__all__ = ["run_headless", "run_record", "run_replay"]

SLOWEST_S = 0.25
"""Real time is kept in naps no longer than this."""


def run_headless(
    *,
    store_path: Path | None,
    scenario: str,
    seed: int,
    shoppers: int,
    sensors: Sensors,
    real_time: bool,
    json_file: Path | None,
    dials: Sequence[str] = (),
) -> None:
    """`sortie demo --headless`; `dials` are settings NAME=VALUE on top of the scenario's."""
    _check_writable(json_file)
    plan = DayPlan(
        store_path=store_path or demo_store_path(),
        scenario=scenario,
        seed=seed,
        shoppers=shoppers,
        sensors=sensors,
        duration_s=600.0 if scenario == "demo-day" else None,
        dials=tuple(dials),
    )
    with _progress(f"{scenario}, seed {seed}, {sensors}") as tell:
        result = simulate_day(plan, progress=_paced(tell) if real_time else tell)
    _finish(result, json_file)


def run_record(
    folder: Path,
    *,
    store_path: Path | None,
    scenario: str,
    seed: int,
    shoppers: int,
    duration_s: float | None,
    cameras: list[str] | None = None,
    dials: Sequence[str] = (),
) -> None:
    """`sortie record`; `dials` are settings NAME=VALUE on top of the scenario's."""
    path = store_path or demo_store_path()
    chosen = None
    if dials:
        own = build(scenario, load_store_file(path), seed, shoppers).dials
        chosen = turned(own, *dials)
    simulation = Simulation(scenario=scenario, seed=seed, shoppers=shoppers, dials=chosen)
    with _progress(f"recording {scenario}, seed {seed}, into {folder}") as tell:
        manifest = record_simulation(
            folder,
            path,
            simulation,
            cameras=cameras or None,
            duration_s=duration_s,
            progress=tell,
        )
    size = sum(camera.bytes for camera in manifest.cameras)
    Console().print(
        f"{folder}: {manifest.duration_s:.1f} s of {len(manifest.cameras)} cameras, "
        f"{size / 1e6:.1f} MB of video"
    )


def run_replay(
    folder: Path, *, sensors: Sensors, json_file: Path | None, strict: bool = False
) -> None:
    """`sortie replay`."""
    _check_writable(json_file)
    with _progress(f"replaying {folder}, {sensors}") as tell:
        result = replay_day(folder, sensors, lenient=not strict, progress=tell)
    _finish(result, json_file)
    for what in result["missing"]:
        Console().print(f"[yellow]missing[/] {escape(what)}", highlight=False)


def _finish(result: dict[str, Any], json_file: Path | None) -> None:
    print_report(Console(), result)
    if "faults" in result:
        told = ", ".join(f"{name} {count}" for name, count in result["faults"].items() if count)
        Console().print(f"what went wrong: {told or 'nothing'}")
    if json_file is not None:
        write_json(json_file, result)


def _check_writable(json_file: Path | None) -> None:
    """Told before the work, not after it."""
    if json_file is not None and not json_file.parent.is_dir():
        raise UsageError(f"expected an existing folder for --json, got {json_file.parent}")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[float], None]]:
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(what)

        def tell(t_s: float) -> None:
            bar.update(task, description=f"{what}: {t_s:.0f} s of store time")

        yield tell


def _paced(tell: Callable[[float], None]) -> Callable[[float], None]:
    """Progress that also waits until the wall clock has come as far as the store's."""
    began_s = time.monotonic()

    def wait(t_s: float) -> None:
        tell(t_s)
        while (ahead_s := began_s + t_s - time.monotonic()) > 0:
            time.sleep(min(ahead_s, SLOWEST_S))

    return wait
