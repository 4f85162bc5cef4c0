"""`sortie`, one command for staff and developers; heavy imports wait inside their command."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console

from contracts.errors import ContractError
from sortie.errors import SortieError

__all__ = ["app", "main"]

app = typer.Typer(
    name="sortie",
    help="An open walk-out store: the shop whose checkout is the exit.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)

JsonFile = Annotated[
    Path | None, typer.Option("--json", help="write the result to this file as JSON")
]


@app.command()
def doctor() -> None:
    """Say what this machine lacks to run the store, and how to mend it."""
    from sortie.doctor import run_doctor

    raise typer.Exit(run_doctor(Console()))


def main() -> None:
    """Runs the command line; errors a user can mend end in one line and exit status 1."""
    from models.errors import ModelError

    try:
        app()
    except (ContractError, ModelError, SortieError) as error:
        print(f"sortie: {error}", file=sys.stderr)
        raise SystemExit(1) from error
