"""Runs what is not done yet, over the cores, with progress; Ctrl-C keeps what is done."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from contextlib import closing
from dataclasses import dataclass, field
from typing import Any

from sortie.day import model_hashes
from sortie.scoring.plan import Request, Run, tasks_of
from sortie.scoring.pool import in_parallel
from sortie.scoring.results import Results
from sortie.scoring.work import Outcome, died, work

__all__ = ["Scored", "jobs_of", "score"]

Told = Callable[[Outcome, Mapping[str, Any] | None], None]
"""Hears of each run as it is done: its outcome, and the day's document if there is one."""


@dataclass(slots=True)
class Scored:
    """Everything a report is made of. `kept` runs were done before and not run again.

    `documents` and `traces` (only of days with a wrong receipt) are by run; `wall_s` and `cpu_s`
    are of this scoring, `cpu_s` of the runs alone.
    """

    request: Request
    models: dict[str, str]
    outcomes: list[Outcome] = field(default_factory=list)
    documents: dict[Run, dict[str, Any]] = field(default_factory=dict)
    traces: dict[Run, dict[str, Any]] = field(default_factory=dict)
    kept: int = 0
    wall_s: float = 0.0
    cpu_s: float = 0.0

    @property
    def failed(self) -> list[Outcome]:
        """Runs that crashed."""
        return [outcome for outcome in self.outcomes if outcome.state == "failed"]

    @property
    def not_playable(self) -> list[Outcome]:
        """Runs that this store cannot play."""
        return [outcome for outcome in self.outcomes if outcome.state == "not playable"]


def jobs_of(wanted: int | None) -> int:
    """Worker processes: as many as wanted, else one for each core."""
    return wanted if wanted is not None else os.cpu_count() or 1


def score(
    request: Request,
    *,
    jobs: int = 1,
    fresh: bool = False,
    results: Results | None = None,
    told: Told = lambda _outcome, _document: None,
) -> Scored:
    """Scores everything asked for; `fresh` runs again what has been done before.

    Results are kept as they come, so that after a KeyboardInterrupt the same call goes on.
    Raises ModelError if weights are not what their manifests say.
    """
    began_s = time.monotonic()
    results = results or Results()
    scored = Scored(request, model_hashes())

    def take(outcome: Outcome) -> None:
        found = results.load(outcome.key) if outcome.state == "done" else None
        if outcome.state == "done" and found is None:
            outcome = Outcome(outcome.run, "failed", reason="its result could not be kept on disk")
        document = None
        if found is not None:
            document = scored.documents[outcome.run] = found["document"]
            if found["trace"] is not None:
                scored.traces[outcome.run] = found["trace"]
            scored.cpu_s += 0.0 if outcome.kept else document["cpu_s"]
        scored.outcomes.append(outcome)
        told(outcome, document)

    wanted = []
    for run in request.runs:
        key = request.key(run, scored.models)
        if fresh or results.load(key) is None:
            wanted.append(run)
        else:
            take(Outcome(run, "done", key, kept=True))
            scored.kept += 1
    tasks = tasks_of(request, wanted, scored.models, results.folder)
    with closing(in_parallel(work, tasks, jobs=jobs, died=died)) as batches:
        for outcomes in batches:
            for outcome in outcomes:
                take(outcome)
    results.trim()
    order = {run: place for place, run in enumerate(request.runs)}
    scored.outcomes.sort(key=lambda outcome: order[outcome.run])
    scored.wall_s = time.monotonic() - began_s
    return scored
