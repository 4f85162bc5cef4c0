"""`sortie plates FILE.csv`: what was taken and put back, by a log of plates; needs no store file.

The file is read by `store_sim.plate_log`, which says what it may look like; events are found by
`vision.plate_events`. Events go to standard output as a table, progress and what was left out to
standard error, and with --json everything into one file.
"""

from __future__ import annotations

import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from sortie.output import check_output, write_json

if TYPE_CHECKING:
    from store_sim.plate_log import PlateLog
    from vision.plate_events import LogReport

__all__ = ["PlatesResult", "register", "run_plates"]

PROGRESS_EVERY_S = 0.5
PLATES_SHOWN_MAX = 4
NOTES_SHOWN_MAX = 12


@dataclass(frozen=True, slots=True)
class PlatesResult:
    """What `plates` writes: see the README's table of commands."""

    log: PlateLog
    report: LogReport

    @property
    def length_s(self) -> float:
        """From the first reading to the last."""
        return float(self.log.t_s[-1] - self.log.t_s[0])

    def document(self) -> dict[str, Any]:
        """The JSON document. `t_s` is in the log's own time, in seconds."""
        events = [
            {
                "t_s": round(event.t_s, 3),
                "plates": list(event.plates),
                "weight_delta_g": round(event.weight_delta_g, 1),
            }
            for event in self.report.events
        ]
        return {
            "events": events,
            "plates": len(self.log.plate_ids),
            "length_s": round(self.length_s, 3),
            "rows": self.log.rows,
            "rows_left_out": self.log.bad_rows,
            "notes": [*self.log.notes, *self.report.notes],
        }


class _Progress:
    """A line that is written over itself, on terminals only: in files it would be noise."""

    def __init__(self, err: TextIO) -> None:
        self._err = err
        self._on = err.isatty()
        self._next_s = time.monotonic() + PROGRESS_EVERY_S
        self._wrote = False

    def say(self, text: str) -> None:
        if self._on and time.monotonic() >= self._next_s:
            self._next_s = time.monotonic() + PROGRESS_EVERY_S
            self._wrote = True
            print(f"\r\033[K{text}", end="", file=self._err, flush=True)

    def end(self) -> None:
        if self._wrote:
            print("\r\033[K", end="", file=self._err, flush=True)


def run_plates(
    source: Path,
    json_file: Path | None = None,
    *,
    least_g: float | None = None,
    out: TextIO = sys.stdout,
    err: TextIO = sys.stderr,
) -> PlatesResult:
    """The command: reads, finds, prints, writes. UsageError or RecordingError for what cannot be
    read or written."""
    from store_sim.plate_log import read_plate_log
    from vision.plate_events import EventSettings, find_weight_events

    check_output("--json", json_file)
    progress = _Progress(err)
    settings = EventSettings() if least_g is None else EventSettings(least_g=least_g)
    try:
        log = read_plate_log(
            source,
            lambda share, rows: progress.say(f"read {share:.0%} of {source.name}, {rows} rows"),
        )
        report = find_weight_events(
            log.plate_ids,
            log.t_s,
            log.grams,
            settings,
            lambda share: progress.say(f"looked at {share:.0%} of the readings"),
        )
    finally:
        progress.end()
    result = PlatesResult(log, report)
    _print(result, out, err)
    if json_file is not None:
        write_json(json_file, result.document())
    return result


def _print(result: PlatesResult, out: TextIO, err: TextIO) -> None:
    from rich.console import Console
    from rich.table import Table

    log, events = result.log, result.report.events
    if events:
        table = Table(box=None, pad_edge=False)
        for name, side in (("time (s)", "right"), ("weight (g)", "right"), ("", "left")):
            table.add_column(name, justify="right" if side == "right" else "left", no_wrap=True)
        table.add_column("plates, biggest change first", overflow="fold")
        for event in events:
            kind = "taken" if event.weight_delta_g < 0 else "put back"
            shown = ", ".join(event.plates[:PLATES_SHOWN_MAX])
            more = len(event.plates) - PLATES_SHOWN_MAX
            plates = f"{shown} and {more} more" if more > 0 else shown
            table.add_row(f"{event.t_s:.2f}", f"{event.weight_delta_g:+.0f}", kind, plates)
        Console(file=out, highlight=False, markup=False, emoji=False).print(table)
    count = f"{len(events)} weight event{'' if len(events) == 1 else 's'}"
    print(
        f"{count} in {result.length_s:.1f} s of {len(log.plate_ids)} plates ({log.rows} rows)",
        file=out,
    )
    if log.bad_rows:
        print(f"{log.bad_rows} rows left out; the first is {log.first_bad}", file=err)
    notes = [*log.notes, *result.report.notes]
    for note in notes[:NOTES_SHOWN_MAX]:
        print(note, file=err)
    if len(notes) > NOTES_SHOWN_MAX:
        print(f"and {len(notes) - NOTES_SHOWN_MAX} more notes (see --json)", file=err)


def register(app: typer.Typer) -> None:
    """Adds the command to the command line."""

    @app.command()
    def plates(
        source: Annotated[
            Path, typer.Argument(metavar="FILE.csv", help="a log with t_s, plate and weight_g")
        ],
        json_file: Annotated[
            Path | None, typer.Option("--json", help="write the result to this file as JSON")
        ] = None,
        least_g: Annotated[
            float | None,
            typer.Option(help="lightest event that is told, in grams", min=1.0, max=10_000.0),
        ] = None,
    ) -> None:
        """List what was taken and put back by a CSV log of weighing plates, of any store."""
        run_plates(source, json_file, least_g=least_g)
