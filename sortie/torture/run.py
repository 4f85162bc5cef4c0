"""Many seeds, several processes: what was done to the store, what was checked, what was found."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
import traceback
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ProcessPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from multiprocessing import get_context
from pathlib import Path
from typing import Any

from sortie.torture.mutations import mutated
from sortie.torture.plan import BUSY_S
from sortie.torture.world import World

__all__ = ["Outcome", "Result", "run_seed", "run_seeds", "scratch"]

MEMORY = Path("/dev/shm")
VIOLATIONS_MAX = 100


@dataclass(frozen=True, slots=True)
class Outcome:
    """One seed. `trace` is the digest of its steps; a violation names step, invariant, finding."""

    seed: int
    visits: int
    faults: dict[str, int]
    checks: dict[str, int]
    violations: list[dict[str, Any]]
    trace: str
    store_s: float


@dataclass(slots=True)
class Result:
    """All seeds so far."""

    seeds: int = 0
    visits: int = 0
    faults: Counter[str] = field(default_factory=Counter)
    checks: Counter[str] = field(default_factory=Counter)
    violations: list[dict[str, Any]] = field(default_factory=list)

    def add(self, outcome: Outcome) -> None:
        """One more seed."""
        self.seeds += 1
        self.visits += outcome.visits
        self.faults.update(outcome.faults)
        self.checks.update(outcome.checks)
        room = VIOLATIONS_MAX - len(self.violations)
        self.violations.extend(
            {"seed": outcome.seed, **violation} for violation in outcome.violations[:room]
        )

    def document(self) -> dict[str, Any]:
        """What `--json` writes."""
        return {
            "seeds": self.seeds,
            "visits": self.visits,
            "faults": {name: count for name, count in sorted(self.faults.items()) if count},
            "checks": {name: count for name, count in sorted(self.checks.items()) if count},
            "violations": self.violations,
        }


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder for one run's disks, in memory where there is such a place: what is durable is
    decided by the simulated disk, and to wait for a real one would prove nothing."""
    where = MEMORY if os.access(MEMORY, os.W_OK) else None
    folder = Path(tempfile.mkdtemp(prefix="sortie-torture-", dir=where))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def run_seed(
    seed: int,
    *,
    mutation: str = "",
    busy_s: float = BUSY_S,
    say: Callable[[str], None] | None = None,
) -> Outcome:
    """One seed from its beginning to its end, here."""
    with (
        scratch() as folder,
        mutated(mutation),
        World(seed, folder, busy_s=busy_s, say=say) as world,
    ):
        try:
            world.run()
        except Exception as error:  # noqa: BLE001 - whatever breaks is a finding of this seed
            where = traceback.extract_tb(error.__traceback__)[-1]
            world.checks.found(
                "the hub works", f"{error!r} at {Path(where.filename).name}:{where.lineno}"
            )
        return Outcome(
            seed=seed,
            visits=world.visits,
            faults=dict(world.faults),
            checks=dict(world.checks.summary()),
            violations=world.checks.violations,
            trace=world.trace,
            store_s=world.now_s,
        )


def run_seeds(
    seeds: Iterable[int],
    *,
    jobs: int,
    minutes: float | None = None,
    mutation: str = "",
    busy_s: float = BUSY_S,
    stop_at_first: bool = False,
    tell: Callable[[Outcome, Result], None] = lambda _outcome, _result: None,
) -> Result:
    """Runs seeds in so many processes, for at most so many minutes; seeds that had begun end."""
    result = Result()
    until = None if minutes is None else time.monotonic() + 60.0 * minutes
    left = iter(seeds)
    with ProcessPoolExecutor(jobs, mp_context=get_context("spawn")) as pool:
        running: set[Future[Outcome]] = set()
        over = False
        while True:
            over = over or (until is not None and time.monotonic() >= until)
            if not over:
                for seed in islice(left, 2 * jobs - len(running)):
                    running.add(pool.submit(run_seed, seed, mutation=mutation, busy_s=busy_s))
            if not running:
                return result
            done, running = wait(running, return_when=FIRST_COMPLETED)
            for future in done:
                outcome = future.result()
                result.add(outcome)
                tell(outcome, result)
                over = over or (stop_at_first and bool(outcome.violations))
