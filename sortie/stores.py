"""The stores that ship, by name, and the one place where a name becomes a path.

>>> store_path("demo").name
'demo.yaml'
"""

from __future__ import annotations

import hashlib
from functools import lru_cache
from importlib.resources import files
from pathlib import Path
from typing import Annotated

import typer

from contracts.store_file import load_store_file
from sortie.errors import UsageError

__all__ = [
    "WALL_STORES",
    "StoreOption",
    "store_digest",
    "store_names",
    "store_path",
    "stores_folder",
]

DEMO = "demo"
WALL_STORES = ("demo", "wall-24", "wall-4k", "van", "wall-strips")
"""Shipped stores with pick-up walls; each case is played at the first that has room for it."""


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


def store_digest(path: Path) -> str:
    """SHA-256 over a store file and the pictures that it names; one that is not there is empty.

    StoreFileError if it is no store file.
    """
    text = path.read_text(encoding="utf-8")
    digest = hashlib.sha256(text.encode())
    for name in _picture_names(path, text):
        picture = path.parent / name
        digest.update(hashlib.sha256(picture.read_bytes() if picture.is_file() else b"").digest())
    return digest.hexdigest()


@lru_cache(maxsize=8)
def _picture_names(path: Path, text: str) -> tuple[str, ...]:
    """`text` is what `path` holds now; it tells a changed file from the one read before."""
    return tuple(name for one in load_store_file(path).products for name in one.pictures)


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
