"""`sortie cases` and `sortie score`: the hard cases, listed, and scored over seeds and sensors."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sortie.output import check_output, write_json, write_output
from sortie.stores import StoreOption, store_path

if TYPE_CHECKING:
    from sortie.scoring.plan import Request

__all__ = ["register", "run_cases", "run_score"]

INTERRUPTED = 130
"""Exit status after Ctrl-C, as shells have it."""


def run_cases(json_file: Path | None, *, console: Console | None = None) -> None:
    """`sortie cases`."""
    from sortie.scoring.table import print_cases
    from store_sim.scenarios import CASES

    check_output("--json", json_file)
    print_cases(console or Console())
    if json_file is not None:
        listed = {
            name: {
                "group": case.group,
                "description": case.description,
                "winner_f1": case.winner_f1,
            }
            for name, case in CASES.items()
        }
        text = json.dumps({"cases": listed}, indent=1, ensure_ascii=False) + "\n"
        write_output("--json", json_file, text)


def run_score(
    request: Request,
    *,
    jobs: int,
    fresh: bool,
    json_file: Path | None,
    html_file: Path | None,
    console: Console | None = None,
) -> int:
    """`sortie score`; returns the exit status: 1 if a run crashed, 130 if it was interrupted."""
    from sortie.scoring.results import Results
    from sortie.scoring.runner import score
    from sortie.scoring.summary import document_of
    from sortie.scoring.table import print_scores, progress

    check_output("--json", json_file)
    check_output("--html", html_file)
    console = console or Console()
    errors = Console(stderr=True)
    results = Results()
    try:
        with progress(len(request.runs), errors) as told:
            scored = score(request, jobs=jobs, fresh=fresh, results=results, told=told)
        result = document_of(scored)
        print_scores(console, result)
        if json_file is not None:
            write_json(json_file, result)
        if html_file is not None:
            from sortie.scoring.page import write_page

            size = write_page(html_file, scored, result, jobs=jobs, results=results, errors=errors)
            console.print(f"report: {html_file} ({size / 1e6:.1f} MB)", highlight=False)
    except KeyboardInterrupt:
        errors.print(
            f"stopped; what is done is kept in {results.folder}: give the same command again "
            "(without --fresh) to go on",
            highlight=False,
        )
        return INTERRUPTED
    return 1 if scored.failed else 0


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""

    @app.command()
    def cases(
        json_file: Annotated[
            Path | None, typer.Option("--json", help="write the list to this file as JSON")
        ] = None,
    ) -> None:
        """List the hard cases of the simulator, a line each."""
        run_cases(json_file)

    @app.command()
    def score(
        *,
        cases: Annotated[
            list[str] | None,
            typer.Option("--cases", help="cases by name or pattern, like 'base-*'"),
        ] = None,
        sensors: Annotated[
            list[str] | None,
            typer.Option(
                "--sensors", help="both, camera, plates; several with commas (default: all)"
            ),
        ] = None,
        seeds: Annotated[str, typer.Option("--seeds", help="A-B, or one seed")] = "1",
        store: StoreOption = None,
        json_file: Annotated[
            Path | None, typer.Option("--json", help="write the scores to this file as JSON")
        ] = None,
        html_file: Annotated[
            Path | None, typer.Option("--html", help="write a report with every failure explained")
        ] = None,
        jobs: Annotated[
            int | None, typer.Option("--jobs", min=1, help="processes (default: one for each core)")
        ] = None,
        fresh: Annotated[
            bool, typer.Option("--fresh", help="run again what has been scored before")
        ] = False,
        dial: Annotated[
            list[str] | None,
            typer.Option("--dial", help="turn a dial of the simulator, like light.dim=0.5"),
        ] = None,
    ) -> None:
        """Score the hard cases: receipts against the truth, per case and sensor set."""
        from sortie.scoring.plan import (
            Request,
            chosen_cases,
            chosen_seeds,
            chosen_sensors,
        )
        from sortie.scoring.runner import jobs_of

        request = Request(
            store_path=store or store_path("demo"),
            cases=chosen_cases(cases or ()),
            seeds=chosen_seeds(seeds),
            sensors=chosen_sensors(sensors or ()),
            dials=tuple(dial or ()),
        )
        status = run_score(
            request, jobs=jobs_of(jobs), fresh=fresh, json_file=json_file, html_file=html_file
        )
        raise typer.Exit(status)
