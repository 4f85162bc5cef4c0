"""What a worker does: the sensor sets of one case and seed, each result kept at once."""

from __future__ import annotations

import traceback
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from hub.service import Hub
from sortie.day import simulate_day
from sortie.scoring.plan import Run, Task
from sortie.scoring.results import Results
from sortie.scoring.trace import trace_of
from store_sim.errors import ScenarioError

__all__ = ["Outcome", "State", "died", "work"]

State = Literal["done", "not playable", "failed"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of a run: `key` names its result when it is done, `reason` says why it is not;
    `kept`: it was done before."""

    run: Run
    state: State
    key: str = ""
    reason: str = ""
    where: str = ""
    kept: bool = False


def work(task: Task) -> list[Outcome]:
    """Runs a task. A store that cannot play the case, or a fault, is an outcome like any other."""
    results = Results(task.folder)
    outcomes: list[Outcome] = []
    for run, key in zip(task.runs, task.keys, strict=True):
        try:
            results.save(key, _scored(task, run))
            outcomes.append(Outcome(run, "done", key))
        except ScenarioError as error:
            outcomes.append(Outcome(run, "not playable", reason=str(error)))
        except Exception as error:  # noqa: BLE001 - the edge of a process: one fault is one run
            outcomes.append(_failed(run, error))
    return outcomes


def died(task: Task) -> list[Outcome]:
    """The outcomes of a task whose process died."""
    reason = "the process that ran it died (killed, out of memory, or a crash in native code)"
    return [Outcome(run, "failed", reason=reason) for run in task.runs]


def _scored(task: Task, run: Run) -> dict[str, Any]:
    """The day's document, and the trace of it where a receipt is not exact."""
    traces: list[dict[str, Any]] = []

    def look(hub: Hub, truth: Path, document: Mapping[str, Any]) -> None:
        if any(not row["exact"] for row in document["visits"]):
            traces.append(trace_of(hub, truth))

    document = simulate_day(task.request.day(run), look=look)
    return {"document": document, "trace": traces[0] if traces else None}


def _failed(run: Run, error: Exception) -> Outcome:
    frames = traceback.extract_tb(error.__traceback__)
    root = Path(__file__).resolve().parents[2]
    own = [frame for frame in frames if Path(frame.filename).is_relative_to(root)]
    last = (own or frames)[-1]
    path = Path(last.filename)
    shown = path.relative_to(root) if path.is_relative_to(root) else Path(path.name)
    said = str(error) or "no reason given"
    return Outcome(
        run,
        "failed",
        reason=f"{type(error).__name__}: {said}",
        where=f"{shown}:{last.lineno} in {last.name}",
    )
