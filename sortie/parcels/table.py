"""A scoring of walls on the terminal."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from rich import box
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from sortie.parcels.scoring import Outcome

__all__ = ["print_walls", "wall_progress"]

FAULTS_SHOWN = 20
WORDS = (
    "n parcels fetched; green on wrong, on unknown, missing, and how long after the scan; wrong "
    "takings, noted within 1 s, false alarms; light off its label in mm, median and p95"
)


@contextmanager
def wall_progress(runs: int, console: Console) -> Iterator[Callable[[Outcome], None]]:
    """A bar with runs done; a line a run where there is no terminal."""
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=console, transient=True) as bar:
        task = bar.add_task("walls", total=runs)

        def told(outcome: Outcome) -> None:
            bar.advance(task)
            name = f"{outcome.task.case}/{outcome.task.seed}"
            bar.update(task, description=name)
            if not console.is_terminal:
                score = outcome.score
                console.print(
                    f"{name}: {score.retrievals} fetched, {len(score.faults)} faults, "
                    f"{outcome.cpu_s.get('all', 0.0):.0f} CPU s"
                    + (" FAILED" if outcome.error else ""),
                    highlight=False,
                )

        yield told


def print_walls(console: Console, document: dict[str, Any]) -> None:
    """The table, a line a case, and the first faults."""
    table = Table(box=box.SIMPLE_HEAD, title="pick-up walls, against the truth", caption=WORDS)
    for name in (
        "case", "n", "wrong", "unkn", "miss", "p95 s", "takes", "noted", "false", "mm", "p95",
    ):  # fmt: skip
        table.add_column(name, justify="left" if name == "case" else "right")
    for name, row in document["cases"].items():
        table.add_row(name, *_cells(row))
    table.add_section()
    table.add_row("[bold]all[/]", *_cells(document))
    console.print(table)
    for fault in document["faults"][:FAULTS_SHOWN]:
        console.print(escape(fault), highlight=False)
    more = len(document["faults"]) - FAULTS_SHOWN
    if more > 0:
        console.print(f"and {more} more faults in the JSON")
    for one in document["failed"]:
        console.print(f"[red]{one['case']}/{one['seed']} failed[/]\n{escape(one['error'])}")


def _cells(row: dict[str, Any]) -> list[str]:
    wrong, light = row["wrong_takings"], row["projection_error_mm"]
    return [
        str(row["retrievals"]),
        str(row["green_wrong"]),
        str(row["green_unknown"]),
        str(row["green_missing"]),
        _shown(row["green_latency_s"]["p95"]),
        str(wrong["happened"]),
        str(wrong["noticed"]),
        str(wrong["false_alarms"]),
        _shown(light["p50"]),
        _shown(light["p95"]),
    ]


def _shown(value: float | None) -> str:
    return "–" if value is None else f"{value:.2f}"
