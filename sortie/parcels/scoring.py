"""`sortie parcels score`: the cases of a pick-up wall over seeds, audited against the truth."""

from __future__ import annotations

import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from auditor.wall import ParcelScore, joined
from contracts.store_file import load_store_file
from contracts.wall import Wall
from sortie.errors import UsageError
from sortie.parcels.day import run_case
from sortie.scoring.pool import in_parallel
from sortie.stores import store_digest
from store_sim.errors import SimulatorError
from store_sim.wall import cases
from store_sim.wall.casting import cast_filling

__all__ = ["Outcome", "Task", "WallRequest", "chosen_wall_cases", "document_of", "score_walls"]

SCHEMA = 1


@dataclass(frozen=True, slots=True)
class Task:
    """One run: a case and a seed at a wall of a store file."""

    store_path: Path
    wall_id: str
    case: str
    seed: int


@dataclass(slots=True)
class Outcome:
    """What came of a task; `error` says why nothing did. `store_s` and `cpu_s` by part in
    seconds."""

    task: Task
    score: ParcelScore = field(default_factory=ParcelScore)
    store_s: float = 0.0
    cpu_s: dict[str, float] = field(default_factory=dict)
    error: str | None = None


@dataclass(frozen=True, slots=True)
class WallRequest:
    """What to score. Each case is played at the first of the stores' walls that has room for it."""

    stores: tuple[Path, ...]
    cases: tuple[str, ...]
    seeds: tuple[int, ...]

    def tasks(self) -> list[Task]:
        """All runs; UsageError if no store has a wall."""
        walls = [(path, wall) for path in self.stores for wall in load_store_file(path).walls]
        if not walls:
            named = ", ".join(str(path) for path in self.stores)
            raise UsageError(f"expected a store with a wall, {named} has none; add walls: to it")
        found = []
        for case in self.cases:
            fitting = [(path, wall) for path, wall in walls if _fits(wall, case)]
            if not fitting:
                raise UsageError(
                    f"expected a wall that case {case} can be played at; give another --store"
                )
            path, wall = fitting[0]
            found += [Task(path, wall.wall_id, case, seed) for seed in self.seeds]
        return found


def chosen_wall_cases(patterns: Sequence[str]) -> tuple[str, ...]:
    """Names of cases that match; all without a pattern. UsageError if one matches nothing."""
    known = list(cases())
    if not patterns:
        return tuple(known)
    chosen: list[str] = []
    for pattern in patterns:
        found = [name for name in known if fnmatchcase(name, pattern)]
        if not found:
            raise UsageError(f"expected a case of {', '.join(known)}, got {pattern!r}; see --cases")
        chosen += [name for name in found if name not in chosen]
    return tuple(chosen)


def score_walls(
    request: WallRequest, *, jobs: int, told: Callable[[Outcome], None] = lambda _one: None
) -> list[Outcome]:
    """Runs everything; `told` hears each run as it ends. Outcomes in the order of the request."""
    tasks = request.tasks()
    done: dict[Task, Outcome] = {}
    for outcome in in_parallel(_work, tasks, jobs=jobs, died=_died):
        done[outcome.task] = outcome
        told(outcome)
    return [done[task] for task in tasks]


def document_of(outcomes: Sequence[Outcome]) -> dict[str, Any]:
    """The JSON document: all together, then each case apart, with what was run. `walls`: the
    SHA-256 of each store file. Walls are seen by cameras alone, and nothing in it has weights:
    `models` is empty."""
    names = list(dict.fromkeys(one.task.case for one in outcomes))
    well = [one for one in outcomes if one.error is None]
    together = joined(one.score for one in well).document()
    return {
        "schema": SCHEMA,
        **together,
        "runs": len(outcomes),
        "failed": [
            {"case": one.task.case, "seed": one.task.seed, "error": one.error}
            for one in outcomes
            if one.error is not None
        ],
        "seeds": sorted({one.task.seed for one in outcomes}),
        "walls": {
            f"{path.stem}/{wall_id}": store_digest(path)
            for path, wall_id in sorted({(o.task.store_path, o.task.wall_id) for o in outcomes})
        },
        "sensor_set": "camera",
        "models": {},
        "store_s": round(sum(one.store_s for one in well), 1),
        "cpu_s": {
            part: round(sum(one.cpu_s.get(part, 0.0) for one in well), 1)
            for part in ("perceive", "node", "hub", "all")
        },
        "cases": {
            name: joined(one.score for one in well if one.task.case == name).document()
            for name in names
        },
    }


def _fits(wall: Wall, case: str) -> bool:
    """Whether a wall can be filled as a case asks, whatever the seed."""
    found = cases()[case]
    wanted = found.filling.labels
    printed = {label.symbology for label in wall.labels}
    if wanted is not None and not printed.issuperset(wanted):
        return False
    if (wall.kind == "van") != found.van:
        return False
    if (found.lamps and wall.projectors) or not (wall.projectors or wall.lights):
        return False
    try:
        cast_filling(found, wall)
    except SimulatorError:
        return False
    return True


def _work(task: Task) -> Outcome:
    import cv2

    cv2.setNumThreads(1)
    try:
        store = load_store_file(task.store_path)
        wall = next(one for one in store.walls if one.wall_id == task.wall_id)
        run = run_case(store, wall, task.case, task.seed)
    except Exception:  # noqa: BLE001 one run must not end the others; it is told
        return Outcome(task, error=traceback.format_exc(limit=6))
    return Outcome(task, run.score, run.store_s, run.cpu_s)


def _died(task: Task) -> Outcome:
    return Outcome(task, error="its process died: out of memory, or a crash in native code")
