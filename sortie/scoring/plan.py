"""What is to be scored, and the key under which a result is kept."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import get_args

from sortie.day import SEEDS_RESERVED, DayPlan
from sortie.errors import UsageError
from sortie.lockstep import Sensors
from sortie.stores import store_digest
from sortie.vision_cache import code_digest
from store_sim.dials import Dials, turned
from store_sim.scenarios import CASES, SCENARIOS

__all__ = [
    "SENSOR_SETS",
    "Request",
    "Run",
    "Task",
    "chosen_cases",
    "chosen_seeds",
    "chosen_sensors",
    "tasks_of",
]

SENSOR_SETS: tuple[Sensors, ...] = get_args(Sensors)
SEEDS_MAX = 10_000
SHOPPERS = 8
"""Visits of a generated scenario; scripts have their own number."""
ALL_SOURCES = (
    "auditor", "contracts", "edge", "hardware", "hub", "models", "sortie", "store_sim", "vision",
)  # fmt: skip
FORMAT = 1


@dataclass(frozen=True, slots=True)
class Run:
    """One case with one seed and one sensor set."""

    case: str
    seed: int
    sensors: Sensors


@dataclass(frozen=True, slots=True)
class Request:
    """What a user asks to be scored. `dials` are settings like "light.dim=0.5"."""

    store_path: Path
    cases: tuple[str, ...]
    seeds: tuple[int, ...]
    sensors: tuple[Sensors, ...] = SENSOR_SETS
    dials: tuple[str, ...] = ()
    shoppers: int = SHOPPERS

    def __post_init__(self) -> None:
        """DialError names what there is to set."""
        turned(Dials(), *self.dials)

    @property
    def runs(self) -> tuple[Run, ...]:
        """All runs: case by case, seed by seed."""
        return tuple(
            Run(case, seed, sensors)
            for case in self.cases
            for seed in self.seeds
            for sensors in self.sensors
        )

    @property
    def reserved(self) -> tuple[int, ...]:
        """Seeds that are kept for reporting."""
        return tuple(seed for seed in self.seeds if seed in SEEDS_RESERVED)

    def day(self, run: Run) -> DayPlan:
        """The simulated day of a run."""
        return DayPlan(
            store_path=self.store_path,
            scenario=run.case,
            seed=run.seed,
            shoppers=self.shoppers,
            sensors=run.sensors,
            dials=self.dials,
        )

    def key(self, run: Run, models: Mapping[str, str]) -> str:
        """SHA-256 of everything that decides a run's result, with the code as it is."""
        parts = {
            "format": FORMAT,
            "code": code_digest(*ALL_SOURCES),
            "store": store_digest(self.store_path),
            "case": run.case,
            "seed": run.seed,
            "sensors": run.sensors,
            "shoppers": self.shoppers,
            "dials": list(self.dials),
            "models": dict(models),
        }
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Task:
    """What one worker does at a stretch: the sensor sets of one case and seed, which share one
    vision pass. `keys` has a key for each of `runs`."""

    request: Request
    runs: tuple[Run, ...]
    keys: tuple[str, ...]
    folder: Path


def tasks_of(
    request: Request, wanted: Sequence[Run], models: Mapping[str, str], folder: Path
) -> list[Task]:
    """The wanted runs, put together by case and seed.

    The set without shelf cameras comes last: a pass of all cameras serves it, its own does not
    serve the others.
    """
    groups: dict[tuple[str, int], list[Run]] = {}
    for run in wanted:
        groups.setdefault((run.case, run.seed), []).append(run)
    tasks = []
    for group in groups.values():
        runs = tuple(sorted(group, key=lambda run: SENSOR_SETS.index(run.sensors)))
        keys = tuple(request.key(run, models) for run in runs)
        tasks.append(Task(request, runs, keys, folder))
    return tasks


def chosen_cases(patterns: Sequence[str]) -> tuple[str, ...]:
    """Cases that match any of the patterns (`base-*`), in the order of the table.

    A scenario that is no case (`easy`) is taken when it is named in full. UsageError if a pattern
    matches nothing.
    """
    wanted = [part.strip() for pattern in patterns for part in pattern.split(",") if part.strip()]
    found: dict[str, None] = {}
    for pattern in wanted or ["*"]:
        matched = [name for name in CASES if fnmatchcase(name, pattern)]
        if not matched and pattern in SCENARIOS:
            matched = [pattern]
        if not matched:
            raise UsageError(
                f"--cases {pattern}: no case matches; `sortie cases` lists the {len(CASES)} there "
                "are, and patterns look like 'base-*'"
            )
        found.update(dict.fromkeys(matched))
    order = {name: place for place, name in enumerate(SCENARIOS)}
    return tuple(sorted(found, key=lambda name: order[name]))


def chosen_seeds(text: str) -> tuple[int, ...]:
    """ "3-6" or "3" as seeds; UsageError for anything else."""
    first, dash, last = text.strip().partition("-")
    end = last if dash else first
    if not (first.isdecimal() and end.isdecimal()) or int(end) < int(first):
        raise UsageError(f"--seeds {text}: expected A-B with A <= B, or one seed; like 1-5")
    count = int(end) - int(first) + 1
    if count > SEEDS_MAX:
        raise UsageError(f"--seeds {text}: expected at most {SEEDS_MAX} seeds, got {count}")
    return tuple(range(int(first), int(end) + 1))


def chosen_sensors(given: Sequence[str]) -> tuple[Sensors, ...]:
    """Sensor sets from "both,plates" or several options, all three for none; UsageError."""
    named = [part.strip() for text in given for part in text.split(",") if part.strip()]
    unknown = [name for name in named if name not in SENSOR_SETS]
    if unknown:
        raise UsageError(
            f"--sensors {', '.join(unknown)}: expected {', '.join(SENSOR_SETS)}, or several of "
            "them with commas"
        )
    return tuple(one for one in SENSOR_SETS if one in named or not named)
