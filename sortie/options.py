"""Options that several commands have."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

__all__ = ["URL", "Database", "JsonFile"]

Database = Annotated[
    str,
    typer.Option(
        "--database",
        envvar="SORTIE_HUB_DATABASE_URL",
        help="sqlite:///FILE, or postgresql+DRIVER://…",
    ),
]
URL = "sqlite:///hub.sqlite"
"""The database that a hub makes where no other is named."""
JsonFile = Annotated[Path | None, typer.Option("--json", help="write the result as JSON")]
