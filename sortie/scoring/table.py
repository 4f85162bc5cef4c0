"""A scoring on the terminal: progress while it runs, tables when it is done."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table

from sortie.scoring.runner import Told
from sortie.scoring.work import Outcome
from store_sim.scenarios import CASES

__all__ = ["GROUPS", "print_cases", "print_scores", "progress"]

GROUPS = {
    "A": "Re-enactments of the AutoCheckout 2020 cases",
    "B": "People",
    "C": "Adversarial",
    "D": "Sensors and light",
}
WINNER = (
    "winner: MPS, AutoCheckout 2020, item F1 on that case; over the 18 cases it was scored on it "
    "reached precision 0.875, recall 0.926, F1 0.900"
)
COLUMNS = (
    "F1", "95 %", "winner", "items", "P", "R", "exact", "visits", "over", "under", "review",
    "payer", "receipt s",
)  # fmt: skip
WIDE_ONLY = ("P", "R", "visits", "under", "payer", "receipt s")
"""Left out where the terminal is narrower than WIDE; the JSON has everything."""
WIDE = 132
ETA_FROM_S = 600.0
"""Runs take about a minute: the estimate looks back so far."""


@contextmanager
def progress(runs: int, console: Console) -> Iterator[Told]:
    """A bar with runs done, F1 so far and time left; a line a run where there is no terminal."""
    counts = {"right": 0, "all": 0}
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
        TextColumn("left"), TimeRemainingColumn(),
    )  # fmt: skip
    with Progress(
        *columns, console=console, transient=True, speed_estimate_period=ETA_FROM_S
    ) as bar:
        task = bar.add_task("scoring", total=runs)

        def told(outcome: Outcome, document: Mapping[str, Any] | None) -> None:
            if document is not None:
                summary = document["summary"]
                counts["right"] += 2 * summary["right_items"]
                counts["all"] += summary["charged_items"] + summary["items"]
            so_far = f"F1 {counts['right'] / counts['all']:.3f}" if counts["all"] else "F1 -"
            bar.update(task, advance=1, description=f"{outcome.run.case}  {so_far}")
            if not outcome.kept and (not console.is_terminal or outcome.state == "failed"):
                console.print(_line(outcome, document), highlight=False, markup=False)

        yield told


def _line(outcome: Outcome, document: Mapping[str, Any] | None) -> str:
    run = outcome.run
    named = f"{run.case} seed {run.seed} {run.sensors}"
    if document is None:
        return f"{named}: {outcome.state}: {outcome.reason}"
    summary = document["summary"]
    return f"{named}: F1 {summary['f1']:.3f}, n = {summary['items']}"


def print_cases(console: Console) -> None:
    """All cases, a line each, by group."""
    for group, title in GROUPS.items():
        named = {name: case for name, case in CASES.items() if case.group == group}
        if not named:
            continue
        table = Table(title=f"{group}. {title}", title_justify="left", box=None, padding=(0, 1))
        table.add_column("case", style="bold", no_wrap=True)
        table.add_column("what happens")
        table.add_column("winner's F1", justify="right")
        for name, case in named.items():
            best = "" if case.winner_f1 is None else f"{case.winner_f1:.2f}"
            table.add_row(name, escape(case.description), best)
        console.print(table)
        console.print()
    console.print(f"{len(CASES)} cases; `sortie score --cases 'base-*'` scores some of them.")


def print_scores(console: Console, result: Mapping[str, Any]) -> None:
    """A row for each case and sensor set, the totals, and what could not be scored."""
    wide = console.width >= WIDE
    table = Table(
        title=f"Scores in store {result['store']}", title_justify="left", box=box.SIMPLE_HEAD,
        pad_edge=False, padding=(0, 1, 0, 0),
    )  # fmt: skip
    table.add_column("case", no_wrap=True)
    table.add_column("sensors", no_wrap=True)
    for column in COLUMNS:
        if wide or column not in WIDE_ONLY:
            table.add_column(column, justify="right", no_wrap=True)
    for case, sets in result["cases"].items():
        for place, (sensors, row) in enumerate(sets.items()):
            table.add_row(
                case if place == 0 else "", sensors, *_cells(row, wide),
                end_section=place == len(sets) - 1,
            )  # fmt: skip
    for place, (sensors, row) in enumerate(result["total"].items()):
        table.add_row("total" if place == 0 else "", sensors, *_cells(row, wide), style="bold")
    console.print(table)
    _print_winner(console, result)
    _print_rest(console, result)


def _cells(row: Mapping[str, Any], wide: bool) -> list[str]:
    low, high = row["f1_interval"]
    wait, winner = row["time_to_receipt_s"]["p50"], row.get("winner_f1")
    cells = {
        "F1": f"{row['f1']:.3f}",
        "95 %": f"{low:.2f}-{high:.2f}",
        "winner": "" if winner is None else f"{winner:.2f}",
        "items": str(row["items"]),
        "P": f"{row['precision']:.3f}",
        "R": f"{row['recall']:.3f}",
        "exact": f"{row['exact_share']:.0%}",
        "visits": str(row["visits"]),
        "over": f"{row['overcharged_share']:.0%}",
        "under": f"{row['undercharged_share']:.0%}",
        "review": f"{row['review_share']:.0%}",
        "payer": f"{row['association_accuracy']:.3f}",
        "receipt s": "-" if wait is None else f"{wait:.1f}",
    }
    return [cells[name] for name in COLUMNS if wide or name not in WIDE_ONLY]


def _print_winner(console: Console, result: Mapping[str, Any]) -> None:
    told = [
        f"{sensors} {row['case_f1']:.3f}"
        for sensors, row in result["total"].items()
        if row["case_f1"] is not None
    ]
    if not told:
        return
    some = next(row for row in result["total"].values() if row["case_f1"] is not None)
    console.print(
        f"mean F1 over the {some['cases_with_winner']} cases with a winner's figure: "
        f"{', '.join(told)}, winner {some['winner_case_f1']:.3f}",
        highlight=False,
    )
    console.print(WINNER, style="dim", highlight=False)


def _print_rest(console: Console, result: Mapping[str, Any]) -> None:
    for row in result["not_playable"]:
        seeds = ", ".join(str(seed) for seed in row["seeds"])
        console.print(
            f"not playable here: {row['case']} (seeds {seeds}): {row['reason']}",
            style="yellow", markup=False, highlight=False,
        )  # fmt: skip
    for row in result["failed"]:
        console.print(
            f"failed: {row['case']} seed {row['seed']} {row['sensors']}: {row['reason']}"
            + (f" ({row['where']})" if row["where"] else ""),
            style="red", markup=False, highlight=False,
        )  # fmt: skip
    findings = sum(row["findings_in_the_books"] for row in result["total"].values())
    if findings:
        console.print(f"[red]{findings} findings in the books[/]")
    seeds = result["seeds"]
    named = str(seeds[0]) if len(seeds) == 1 else f"{seeds[0]}-{seeds[-1]}"
    runs, cpu_s = result["runs"], result["cpu_s"]
    console.print(
        f"seeds {named}; {runs['done']} of {runs['all']} runs, {runs['kept']} of them kept from "
        f"before; CPU {cpu_s['now']:.1f} s now, {cpu_s['runs']:.1f} s for all runs; "
        f"{result['wall_s']:.1f} s by the clock",
        highlight=False,
    )
    for name, sha256 in result["models"].items():
        console.print(f"weights {name} {sha256[:16]}", style="dim", highlight=False)
    if result["dials"]:
        console.print(f"dials {', '.join(result['dials'])}", highlight=False, markup=False)
    if result["reserved_seeds"]:
        console.print(
            "[yellow]note:[/] seeds 10000 to 19999 are kept for reporting: nothing may be tuned "
            "on what they show"
        )
