"""`sortie torture`: the whole hub under every fault, by seed; and kills of real processes."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from sortie.errors import UsageError
from sortie.output import check_output, write_json

__all__ = ["register", "seeds_of"]

SEEDS_MAX = 10_000_000
SHOWN_MAX = 20


def seeds_of(text: str) -> range:
    """`7` or `1-200` as seeds; UsageError for anything else."""
    first, dash, last = text.strip().partition("-")
    try:
        begin, end = int(first), int(last) if dash else int(first)
    except ValueError as error:
        raise UsageError(f"expected --seeds such as 7 or 1-200, got {text!r}") from error
    if not 0 <= begin <= end <= SEEDS_MAX:
        raise UsageError(f"expected --seeds from 0 to {SEEDS_MAX}, the smaller first, got {text!r}")
    return range(begin, end + 1)


def register(app: typer.Typer) -> None:
    """Adds the command."""
    app.command()(torture)


def torture(
    *,
    seeds: Annotated[str, typer.Option("--seeds", help="a seed, or A-B")] = "1-100",
    minutes: Annotated[
        float | None, typer.Option(min=0.01, help="begin no further seed after so long")
    ] = None,
    jobs: Annotated[
        int | None, typer.Option(min=1, max=256, help="processes; as many as cores if not given")
    ] = None,
    mutation: Annotated[
        str, typer.Option(help="break production code on purpose: this must be found out")
    ] = "",
    trace: Annotated[
        bool, typer.Option("--trace", help="print the steps; one seed at a time, in this process")
    ] = False,
    busy: Annotated[
        float, typer.Option(min=10.0, max=3600.0, help="seconds of store time with faults, a seed")
    ] = 60.0,
    processes: Annotated[
        bool, typer.Option("--processes", help="kill real processes instead, round by round")
    ] = False,
    rounds: Annotated[int, typer.Option(min=1, max=100_000, help="with --processes")] = 20,
    json_file: Annotated[
        Path | None, typer.Option("--json", help="write the result to this file as JSON")
    ] = None,
) -> None:
    """Break the store in every way there is, by seed, and audit it after each step.

    Exit status 1 if anything was found. A finding names its seed; `--seeds N --trace` plays it
    again, step by step.
    """
    check_output("--json", json_file)
    console = Console(stderr=True)
    if processes:
        from sortie.torture.rounds import run_rounds

        document = run_rounds(rounds, seed=seeds_of(seeds).start, tell=console.print)
    elif trace:
        document = _traced(seeds_of(seeds), mutation, busy)
    else:
        document = _silent(
            seeds_of(seeds),
            minutes=minutes,
            jobs=jobs,
            mutation=mutation,
            busy_s=busy,
            console=console,
        )
    _print(console, document, replays=not processes)
    if json_file is not None:
        write_json(json_file, document)
    if document["violations"]:
        raise typer.Exit(1)


def _traced(seeds: range, mutation: str, busy_s: float) -> dict[str, Any]:
    from sortie.torture.run import Result, run_seed

    result = Result()
    say: Callable[[str], None] = Console(highlight=False, soft_wrap=True).print
    for seed in seeds:
        say(f"seed {seed}")
        outcome = run_seed(seed, mutation=mutation, busy_s=busy_s, say=say)
        say(f"seed {seed}: trace {outcome.trace}, {outcome.store_s:.0f} s of store time")
        result.add(outcome)
    return result.document()


def _silent(
    seeds: range,
    *,
    minutes: float | None,
    jobs: int | None,
    mutation: str,
    busy_s: float,
    console: Console,
) -> dict[str, Any]:
    from sortie.torture.mutations import mutated
    from sortie.torture.run import Outcome, Result, run_seeds

    with mutated(mutation):
        # An unknown name is told before processes are started.
        pass
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("starting")

        def tell(outcome: Outcome, result: Result) -> None:
            bar.update(
                task,
                description=f"{result.seeds} of {len(seeds)} seeds, {result.visits} visits, "
                f"{len(result.violations)} violations",
            )
            if outcome.violations:
                bar.console.print(f"seed {outcome.seed}: {outcome.violations[0]['finding']}")

        return run_seeds(
            seeds,
            jobs=jobs or os.cpu_count() or 1,
            minutes=minutes,
            mutation=mutation,
            busy_s=busy_s,
            tell=tell,
        ).document()


def _print(console: Console, document: dict[str, Any], *, replays: bool) -> None:
    faults, checks = document["faults"], document["checks"]
    console.print(
        f"{document['seeds']} seeds, {document['visits']} visits; "
        f"{sum(faults.values())} faults of {len(faults)} kinds, "
        f"{sum(checks.values())} checks of {len(checks)} kinds; "
        f"{len(document['violations'])} violations",
        highlight=False,
    )
    for violation in document["violations"][:SHOWN_MAX]:
        console.print(
            f"{'seed' if replays else 'round'} {violation['seed']}, step {violation['step']}: "
            f"{violation['invariant']}: {violation['finding']}",
            highlight=False,
            markup=False,
        )
    if document["violations"] and replays:
        seed = document["violations"][0]["seed"]
        console.print(f"play it again: sortie torture --seeds {seed} --trace", highlight=False)
