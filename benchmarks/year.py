"""A year of a busy store in the hub's database: is the hub as quick and as small as on day one?

    python -m benchmarks.year [--days 365] [--visits 1000] [--block 250] [--database FILE]

The database is made by benchmarks.year_rows from a block of visits that the hub really took in.
Measured then: opening it, a hub's process on it until it answers and the memory it holds, entry,
cart and receipt on it and on a fresh database in turns (what the shopper waits in the hub's time,
and CPU, which other programs disturb least), and `sortie hub verify`, which must find it all well.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from statistics import median

import httpx

from benchmarks.figures import Figure
from benchmarks.rig import cpu_s_of, hub_process
from benchmarks.visits import Crowd, Spent
from benchmarks.year_rows import RULES, Made, make_year
from contracts.store_file import StoreFile, load_store_file
from hub.attribution.engine import Engine
from hub.memory import settle_collector
from hub.service import Hub
from sortie.stores import store_path

__all__ = ["figures", "measure"]

RATIO_MAX = 1.2
START_S_MAX = 5.0
RSS_MB_MAX = 250.0
VERIFY_S_MAX = 1_800.0
WARM = 5
STEPS = ("entry", "cart", "receipt")
ANSWER_S_MAX = 120.0


def measure(
    *,
    days: int = 365,
    visits: int = 1_000,
    block: int = 250,
    measured: int = 60,
    database: Path | None = None,
) -> list[Figure]:
    """All figures; a `database` that is there is taken as it is, else it is built."""
    layout = load_store_file(store_path("demo"))
    settle_collector()
    with tempfile.TemporaryDirectory(prefix="sortie-year-") as name:
        folder = Path(name)
        path = database or folder / "year.sqlite"
        rows = []
        if not path.is_file():
            end_s = time.time() // 86_400 * 86_400
            made = make_year(path, layout, days=days, visits=visits, block=block, end_s=end_s)
            rows += _built(made)
            # What a hub writes first would else wait until all of a year is on the disk.
            os.sync()
        return [
            *rows,
            *_verified(path),
            *_process(path, layout, folder),
            *_steps(path, layout, folder, measured),
        ]


def figures() -> list[Figure]:
    """The whole year, as `sortie bench year` has it."""
    return measure()


def _built(made: Made) -> list[Figure]:
    count = made.visits
    return [
        Figure(f"the year: {name.replace('_', ' ')}", float(value), "", count)
        for name, value in asdict(made).items()
    ]


def _steps(path: Path, layout: StoreFile, folder: Path, measured: int) -> list[Figure]:
    """Both databases in turns, so that what else the machine does falls on both."""
    spent: dict[str, list[Spent]] = {"first day": [], "year": []}
    began, cpu_s = time.perf_counter(), time.process_time()
    old = Hub.open(layout, url=f"sqlite:///{path}", attributor=Engine, rules=RULES)
    opened_s, opened_cpu_s = time.perf_counter() - began, time.process_time() - cpu_s
    new = Hub.open(
        layout, url=f"sqlite:///{folder / 'fresh.sqlite'}", attributor=Engine, rules=RULES
    )
    try:
        begin_s = old.core.state.now_s + 60.0
        crowds = {}
        for name, hub in (("first day", new), ("year", old)):
            hub.start(begin_s)
            # Every run on a database has ids of its own.
            tag = f"m{hub.core.state.log.number}"
            crowds[name] = Crowd(hub, layout, begin_s=begin_s, name=tag)
        for number in range(WARM + measured):
            for name, crowd in crowds.items():
                steps = crowd.visit()
                spent[name] += steps if number >= WARM else []
        for crowd in crowds.values():
            crowd.restock()
    finally:
        old.close()
        new.close()
    return [
        Figure("opening it in a process that runs", opened_s, "s", 1, limit=START_S_MAX),
        Figure("opening it in a process that runs, CPU", opened_cpu_s, "s", 1),
        *(
            row
            for step in STEPS
            for row in (
                _compared(f"{step}, CPU", "ms", spent, step, lambda one: one.cpu_ms),
                _compared(f"{step}, waited in the store", "s", spent, step, _waited),
            )
        ),
    ]


def _waited(one: Spent) -> float:
    return one.waited_s


def _compared(
    name: str,
    unit: str,
    spent: dict[str, list[Spent]],
    step: str,
    value: Callable[[Spent], float],
) -> Figure:
    """The year's median as a share of the first day's, and the year's own in the unit."""
    medians = {
        which: median(value(one) for one in rows if one.step == step)
        for which, rows in spent.items()
    }
    first, year = medians["first day"], medians["year"]
    ratio = year / first if first else 1.0 + year
    shown = f"{name}: {year:.3g} {unit} after a year, {first:.3g} {unit} on the first day"
    count = sum(one.step == step for one in spent["year"])
    return Figure(shown, ratio, "x", count, limit=RATIO_MAX)


def _process(path: Path, layout: StoreFile, folder: Path) -> list[Figure]:
    """`python -m hub.main` on it: until it answers, and its memory then and after its metrics."""
    with hub_process(layout, folder, path, metrics_open="true") as hub:
        _answered(f"{hub.http}/healthz")
        started_s, started_cpu_s = time.perf_counter() - hub.began_s, cpu_s_of(hub.pid)
        waited_s = _core_waited_s(hub.pid)
        _answered(f"{hub.http}/metrics")
        now_mb, peak_mb = _memory_mb(hub.pid)
    return [
        Figure("hub's process, until it answers", started_s, "s", 1, limit=START_S_MAX),
        Figure("hub's process, until it answers, CPU", started_cpu_s, "s", 1),
        Figure("hub's process, until it answers, waited for a core", waited_s, "s", 1),
        Figure("hub's process, memory", now_mb, "MB", 1, limit=RSS_MB_MAX),
        Figure("hub's process, most memory", peak_mb, "MB", 1, limit=RSS_MB_MAX),
    ]


def _answered(url: str) -> None:
    """Waits for an answer: the socket listens before the database is open."""
    httpx.get(url, timeout=ANSWER_S_MAX).raise_for_status()


def _verified(path: Path) -> list[Figure]:
    """The command itself; RuntimeError with what it said if it finds anything."""
    words = "import sys; sys.argv[0] = 'sortie'; from sortie.cli import main; main()"
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    began = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-c", words, "hub", "verify", "--database", f"sqlite:///{path}"],
        capture_output=True,
        text=True,
        check=False,
    )
    took_s = time.perf_counter() - began
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise RuntimeError(f"expected a year that verifies, got:\n{done.stdout}{done.stderr}")
    cpu_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return [
        Figure("sortie hub verify", took_s, "s", 1, limit=VERIFY_S_MAX),
        Figure("sortie hub verify, CPU", cpu_s, "s", 1),
        Figure("sortie hub verify, most memory of one process", after.ru_maxrss / 1e3, "MB", 1),
    ]


def _core_waited_s(pid: int) -> float:
    """How long its threads could run and had no core: what else the machine does costs that."""
    tasks = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(task.read_text().split()[1]) for task in tasks) / 1e9


def _memory_mb(pid: int) -> tuple[float, float]:
    """Resident now, and at most so far."""
    lines = Path(f"/proc/{pid}/status").read_text().splitlines()
    found = {name: int(rest.split()[0]) for name, _, rest in (x.partition(":") for x in lines)
             if name in ("VmRSS", "VmHWM")}  # fmt: skip
    return found["VmRSS"] / 1e3, found["VmHWM"] / 1e3


def main() -> None:
    """Prints the figures, and writes them as JSON if asked."""
    parser = argparse.ArgumentParser(description="A year in the hub's database.")
    parser.add_argument("--days", type=int, default=365)
    parser.add_argument("--visits", type=int, default=1_000, help="a day")
    parser.add_argument("--block", type=int, default=250, help="visits that are really played")
    parser.add_argument("--measured", type=int, default=60, help="visits measured on each side")
    parser.add_argument("--database", type=Path, default=None, help="build it here, or take it")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    rows = measure(
        days=options.days,
        visits=options.visits,
        block=options.block,
        measured=options.measured,
        database=options.database,
    )
    for row in rows:
        limit = "" if row.limit is None else f"limit {row.limit:g}"
        print(f"{row.name:80} {row.value:12.3f} {row.unit:4} {limit}")
    print(f"load {os.getloadavg()[0]:.1f}")
    if options.json is not None:
        shown = [asdict(row) for row in rows]
        options.json.write_text(json.dumps(shown, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
