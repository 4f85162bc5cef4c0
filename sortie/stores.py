"""The stores that ship, by name, and the one place where a name becomes a path.

>>> store_path("demo").name
'demo.yaml'
"""

from __future__ import annotations

from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from sortie.errors import UsageError

__all__ = ["StoreOption", "store_names", "store_path", "stores_folder"]

DEMO = "demo"


def stores_folder() -> Path:
    """Where the shipped store files lie."""
    return Path(str(files("store_sim"))) / "stores"


def store_names() -> tuple[str, ...]:
    """Names of the shipped stores, the demo store first."""
    found = sorted(path.stem for path in stores_folder().glob("*.yaml"))
    return tuple(sorted(found, key=lambda name: name != DEMO))


def store_path(name_or_path: str | Path) -> Path:
    """The store file of a shipped store's name, or of a path.

    A name wins over a file of the same name in the working folder: give `./demo` for that.
    UsageError lists the names where there is neither.
    """
    text = str(name_or_path)
    names = store_names()
    if text in names:
        return stores_folder() / f"{text}.yaml"
    path = Path(name_or_path)
    if path.is_file():
        return path
    problem = "it is a folder" if path.is_dir() else "there is no such file"
    raise UsageError(
        f"expected a store file or one of {', '.join(names)}, got {text!r}: {problem}; "
        "`sortie store list` describes the shipped stores"
    )


StoreOption = Annotated[
    Path | None,
    typer.Option(
        "--store",
        parser=store_path,
        metavar="NAME|FILE",
        help="a shipped store by name, or a store file; without it the demo store",
    ),
]
"""`--store` of any command."""
