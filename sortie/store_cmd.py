"""`sortie store`: the shipped stores, and what is right and wrong with a store file."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from contracts.errors import StoreFileError
from contracts.store_file import load_store_file
from sortie.errors import UsageError
from sortie.options import JsonFile
from sortie.output import check_output, write_output
from sortie.stores import store_names, store_path

if TYPE_CHECKING:
    from store_sim.plan import Finding, StoreCheck

__all__ = ["register", "run_check", "run_list"]

store_app = typer.Typer(help="Shipped stores, and checks of store files.", no_args_is_help=True)

StoreArgument = Annotated[str, typer.Argument(help="a store file, or the name of a shipped store")]
HtmlFile = Annotated[Path | None, typer.Option("--html", help="write drawings and findings here")]
PngFile = Annotated[Path | None, typer.Option("--png", help="write the drawings as a picture")]


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(store_app, name="store")


@store_app.command("list")
def list_stores() -> None:
    """List the stores that ship; their names stand wherever a store file does."""
    run_list(Console())


@store_app.command("check")
def check(
    store: StoreArgument,
    html_file: HtmlFile = None,
    png_file: PngFile = None,
    json_file: JsonFile = None,
) -> None:
    """Say what is wrong with a store file, what its cameras cover, and draw it.

    Exit status 1 if there are errors; warnings alone leave it at 0.
    """
    console = Console()
    if not run_check(store, console, html_file=html_file, png_file=png_file, json_file=json_file):
        raise typer.Exit(1)


def run_list(console: Console) -> None:
    """Prints the shipped stores."""
    table = Table("name", "store", "floor, m", "bays", "cameras", "plates", "products")
    for name in store_names():
        store = load_store_file(store_path(name))
        table.add_row(
            name,
            store.name,
            f"{store.floor.width_m:g} x {store.floor.depth_m:g}",
            str(len(store.bays)),
            str(len(store.cameras)),
            str(len(store.plates)),
            str(len(store.products)),
        )
    console.print(table)


def run_check(
    name_or_path: str,
    console: Console,
    *,
    html_file: Path | None = None,
    png_file: Path | None = None,
    json_file: Path | None = None,
) -> bool:
    """Checks, prints and writes; returns whether there are no errors.

    A file that is no store file has its faults printed, and written to `json_file`. UsageError
    for a store that is not there and files that cannot be written.
    """
    for option, path in (("--html", html_file), ("--png", png_file), ("--json", json_file)):
        check_output(option, path)
    path = store_path(name_or_path)
    try:
        store = load_store_file(path)
    except StoreFileError as error:
        faults = str(error).splitlines()
        for fault in faults:
            console.print(f"[red]error[/]   {escape(fault)}", highlight=False, soft_wrap=True)
        _write_text("--json", json_file, _json(_unreadable(path, faults)))
        return False
    # Imported here: the geometry needs numpy and scipy, which a file with faults need not wait for.
    from sortie.photos import photo_faults
    from store_sim.plan import check_store, html_page, write_png

    result = check_store(store, more=photo_faults(store, path.parent))
    _print(result, console)
    _write_text("--json", json_file, _json(result.document()))
    _write_text("--html", html_file, html_page(result))
    if png_file is not None:
        try:
            write_png(result, png_file)
        except OSError as error:
            raise UsageError(f"--png {png_file}: cannot be written ({error.strerror})") from error
    return not result.errors


def _unreadable(path: Path, faults: list[str]) -> dict[str, Any]:
    errors = [
        {"code": "store-file", "where": str(path), "message": fault, "fix": "correct the line"}
        for fault in faults
    ]
    return {"ok": False, "errors": errors, "warnings": []}


def _json(document: dict[str, Any]) -> str:
    return json.dumps(document, indent=1, ensure_ascii=False) + "\n"


def _write_text(option: str, path: Path | None, text: str) -> None:
    if path is not None:
        write_output(option, path, text)


def _print(result: StoreCheck, console: Console) -> None:
    counts = result.counts()
    store = result.store
    console.print(f"[bold]{escape(store.name)}[/] ({store.store_id})")
    console.print(
        f"{counts['bays']} bays, {counts['boards']} boards, {counts['plates']} plates, "
        f"{counts['slots']} slots, {counts['products']} products (GTINs all valid), "
        f"{counts['shelf_cameras']} shelf and {counts['ceiling_cameras']} ceiling cameras",
        highlight=False,
    )
    for sight in result.walls:
        for one in sight.labels:
            console.print(
                f"Wall {sight.wall.wall_id}: {one.label.symbology} of {one.label.modules} modules, "
                f"{one.label.module_mm:g} mm each: {one.least_px:.2f} px a module at worst, median "
                f"{one.median_px:.2f}",
                highlight=False,
            )
    if not result.boards:
        _print_findings(result, console)
        return
    console.print(
        f"Heads are seen over {result.floor.share(1):.1%} of the floor by one ceiling camera, "
        f"over {result.floor.share(2):.1%} by two.",
        highlight=False,
    )
    table = Table("bay", "board", "px/cm at worst", "median", "at least 6 px/cm")
    for board in result.boards:
        table.add_row(
            board.bay_id,
            board.board_id,
            f"{board.least:.1f}",
            f"{board.median:.1f}",
            f"{board.share(6.0):.0%}",
        )
    console.print(table)
    _print_findings(result, console)


def _print_findings(result: StoreCheck, console: Console) -> None:
    for each in (*result.errors, *result.warnings):
        _tell(each, console)
    console.print(f"{len(result.errors)} errors, {len(result.warnings)} warnings", highlight=False)


def _tell(finding: Finding, console: Console) -> None:
    word = "[red]error[/]  " if finding.level == "error" else "[yellow]warning[/]"
    console.print(
        f"{word} {escape(finding.where)}: {escape(finding.message)}. Fix: {escape(finding.fix)}.",
        highlight=False,
        soft_wrap=True,
    )
