"""The pictures of a report: those drawn before from the cache, the rest drawn over the cores."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sortie.scoring.cards import Card, Spot
from sortie.scoring.pictures import PictureTask, draw, picture_key
from sortie.scoring.plan import Run
from sortie.scoring.pool import in_parallel
from sortie.scoring.results import Results
from sortie.scoring.runner import Scored

__all__ = ["SPOTS_MAX", "Drawn", "illustrate"]

SPOTS_MAX = 240
"""Moments drawn for a report; every case gets its first ones before any gets its last."""

Drawn = dict[tuple[str, int, Spot], Mapping[str, Any]]
"""Pictures of a moment by case, seed and spot; {"fault"} where they could not be made."""


@dataclass(frozen=True, slots=True)
class _Job:
    task: PictureTask
    keys: tuple[str, ...]
    folder: Path


def illustrate(
    scored: Scored, cards: Sequence[Card], *, jobs: int, results: Results
) -> tuple[Drawn, int]:
    """Pictures for the moments of the cards, and how many moments go without."""
    wanted, left_out = _chosen(cards)
    drawn: Drawn = {}
    days: dict[tuple[str, int], list[tuple[Spot, str]]] = {}
    for case, seed, spot in wanted:
        key = picture_key(scored.request.key(Run(case, seed, "both"), scored.models), spot)
        known = results.load(key)
        if known is not None:
            drawn[case, seed, spot] = known
        else:
            days.setdefault((case, seed), []).append((spot, key))
    tasks = [_job(scored, case, seed, spots, results) for (case, seed), spots in days.items()]
    with closing(in_parallel(_draw, tasks, jobs=jobs, died=_died)) as done:
        for found in done:
            drawn.update(found)
    return drawn, left_out


def _chosen(cards: Sequence[Card]) -> tuple[list[tuple[str, int, Spot]], int]:
    """The moments to draw: each case in turn gives its next one."""
    by_case: dict[str, dict[tuple[str, int, Spot], None]] = {}
    for card in cards:
        for moment in card.moments:
            if moment.spot is not None:
                spots = by_case.setdefault(card.case, {})
                spots[card.case, card.seed, moment.spot] = None
    ranked = [
        (rank, place, spot)
        for place, spots in enumerate(by_case.values())
        for rank, spot in enumerate(spots)
    ]
    ranked.sort(key=lambda row: row[:2])
    return [spot for _, _, spot in ranked[:SPOTS_MAX]], max(0, len(ranked) - SPOTS_MAX)


def _job(
    scored: Scored, case: str, seed: int, spots: Sequence[tuple[Spot, str]], results: Results
) -> _Job:
    run = next(run for run in scored.traces if (run.case, run.seed) == (case, seed))
    trace = scored.traces[run]
    task = PictureTask(
        request=scored.request,
        run=run,
        spots=tuple(spot for spot, _ in spots),
        opened_s={
            visit["shopper"]: visit["opened_s"]
            for visit in trace["visits"].values()
            if visit["shopper"] is not None
        },
        truth=trace["truth"],
        refused=tuple(
            (news["at_s"], str(news["data"]["gate_id"]))
            for news in trace["news"]
            if news["kind"] == "entry.refused"
        ),
    )
    return _Job(task, tuple(key for _, key in spots), results.folder)


def _draw(job: _Job) -> Drawn:
    """Draws in a worker and keeps each moment; a fault is told in the place of the pictures."""
    results = Results(job.folder)
    run = job.task.run
    try:
        drawn = draw(job.task)
    except Exception as error:  # noqa: BLE001 - the edge of a process: the report goes on without
        return _without(job, f"{type(error).__name__}: {error}")
    for spot, key in zip(job.task.spots, job.keys, strict=True):
        results.save(key, drawn[spot])
    return {(run.case, run.seed, spot): found for spot, found in drawn.items()}


def _died(job: _Job) -> Drawn:
    return _without(job, "the process that drew them died")


def _without(job: _Job, fault: str) -> Drawn:
    run = job.task.run
    return {(run.case, run.seed, spot): {"fault": fault} for spot in job.task.spots}
