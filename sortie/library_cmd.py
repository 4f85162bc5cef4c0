"""`sortie library`: the pinned recordings, made anew from seeds and compared by digest."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from contextlib import contextmanager
from multiprocessing import get_context
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from store_sim.library import (
    LIBRARY_FILE,
    Entry,
    Made,
    Recipe,
    chosen,
    differences,
    generate,
    make_recording,
    pinned,
    read_library,
    recipes,
    write_library,
)
from store_sim.recording import RecordingDigests

__all__ = ["library_app", "pin", "register", "verify"]

library_app = typer.Typer(no_args_is_help=True)

Jobs = Annotated[
    int | None,
    typer.Option(min=1, max=64, help="processes at once; as many as there are cores if not given"),
]


def make_all(found: Sequence[Recipe], jobs: int, what: str) -> Iterator[tuple[Recipe, Made]]:
    """Makes recipes anew, in `jobs` processes, with a progress bar; in the order of their ends."""
    with _bar() as bar:
        task = bar.add_task(what, total=len(found))
        if jobs == 1 or len(found) == 1:
            for recipe in found:

                def tell(t_s: float, name: str = recipe.name) -> None:
                    bar.update(task, description=f"{what} {name}: {t_s:.0f} s of store time")

                yield recipe, generate(recipe, progress=tell)
                bar.advance(task)
            return
        # Fresh processes: what the compiler has in memory does not survive a fork.
        with ProcessPoolExecutor(min(jobs, len(found)), mp_context=get_context("spawn")) as pool:
            waiting = {pool.submit(generate, recipe): recipe for recipe in found}
            for done in as_completed(waiting):
                yield waiting[done], done.result()
                bar.advance(task)


def verify(pattern: str, *, jobs: int, path: Path, console: Console) -> bool:
    """Makes entries anew and prints what differs; whether nothing did."""
    entries = {entry.name: entry for entry in chosen(read_library(path), pattern)}
    same = True
    for recipe, made in make_all(tuple(entries.values()), jobs, "verifying"):
        lines = differences(entries[recipe.name], made)
        same = same and not lines
        mark = "[red]differs[/]" if lines else "[green]same[/]"
        console.print(f"{mark} {recipe.name}", highlight=False)
        for line in lines:
            console.print(f"  {escape(line)}", highlight=False)
    return same


def pin(pattern: str, *, jobs: int, path: Path, console: Console) -> None:
    """Makes recipes anew and writes down what they give; each is written when it is done."""
    known = {entry.name: entry for entry in read_library(path)}
    for recipe, made in make_all(chosen(recipes(), pattern), jobs, "pinning"):
        write_library(pinned(read_library(path), [made.entry]), path)
        before = known.get(recipe.name)
        lines = ("new",) if before is None else differences(before, made) or ("as before",)
        console.print(f"{recipe.name}: {escape('; '.join(lines))}", highlight=False)
    console.print(f"{path}: {len(read_library(path))} entries, {path.stat().st_size} bytes")


@library_app.command("list")
def show() -> None:
    """The entries, what they are made of, and recipes that are not pinned yet."""
    console = Console()
    table = Table(title=f"{LIBRARY_FILE.name}", title_justify="left")
    for column in ("name", "store", "scenario", "seed", "shoppers", "seconds", "pinned"):
        table.add_column(column)
    entries = {entry.name: entry for entry in read_library()}
    for recipe in recipes():
        entry = entries.pop(recipe.name, None)
        table.add_row(*_row(entry or recipe), "yes" if entry else "[yellow]not yet[/]")
    for entry in entries.values():
        table.add_row(*_row(entry), "[yellow]no recipe any more[/]")
    console.print(table)


def _row(recipe: Recipe) -> tuple[str, ...]:
    seconds = "to the end" if recipe.duration_s is None else f"{recipe.duration_s:g}"
    return (
        recipe.name,
        recipe.store,
        recipe.scenario,
        str(recipe.seed),
        str(recipe.shoppers),
        seconds,
    )


@library_app.command("verify")
def verify_command(
    name: Annotated[str, typer.Argument(help='a name, or a pattern such as "base-*"')] = "*",
    *,
    jobs: Jobs = None,
) -> None:
    """Make recordings anew and compare their digests; exit status 1 if any differs."""
    if not verify(name, jobs=jobs or os.cpu_count() or 1, path=LIBRARY_FILE, console=Console()):
        Console().print("if the change is meant: sortie library pin")
        raise typer.Exit(1)


@library_app.command("pin")
def pin_command(
    name: Annotated[str, typer.Argument(help='a name, or a pattern such as "base-*"')] = "*",
    *,
    jobs: Jobs = None,
) -> None:
    """Write down what recordings give now: the one way to change the library."""
    pin(name, jobs=jobs or os.cpu_count() or 1, path=LIBRARY_FILE, console=Console())


@library_app.command("make")
def make_command(
    name: Annotated[str, typer.Argument(help="an entry by name")],
    folder: Annotated[Path, typer.Argument(help="where the recording goes; must not exist yet")],
) -> None:
    """Record an entry into a folder, with videos, plates, gates and truth."""
    make(name, folder, path=LIBRARY_FILE, console=Console())


def make(name: str, folder: Path, *, path: Path, console: Console) -> None:
    """Records an entry and says whether it is what was pinned."""
    entry = chosen(read_library(path), name)[0]
    with _bar() as bar:
        task = bar.add_task(f"making {entry.name}", total=1)

        def tell(t_s: float) -> None:
            bar.update(task, description=f"making {entry.name}: {t_s:.0f} s of store time")

        manifest = make_recording(entry, folder, progress=tell)
        bar.advance(task)
    size = sum(camera.bytes for camera in manifest.cameras)
    console.print(
        f"{folder}: {manifest.duration_s:.1f} s, {len(manifest.cameras)} cameras, "
        f"{size / 1e6:.1f} MB of video",
        highlight=False,
    )
    if not _as_pinned(entry, manifest.digests):
        console.print(
            f"[yellow]it is not what was pinned[/]: sortie library verify {entry.name}",
            highlight=False,
        )


def _as_pinned(entry: Entry, digests: RecordingDigests | None) -> bool:
    return digests is not None and digests == RecordingDigests(
        frames_sha256=entry.frames_sha256,
        plates_sha256=entry.plates_sha256,
        truth_sha256=entry.truth_sha256,
    )


@contextmanager
def _bar() -> Iterator[Progress]:
    columns = (
        TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(),
    )  # fmt: skip
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        yield bar


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(library_app, name="library", help="Pinned recordings, made anew from seeds.")
