"""`sortie wall markers`: the markers of a pick-up wall on pages to print, in true size."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from contracts.store_file import load_store_file
from contracts.wall import Wall
from sortie.errors import UsageError
from sortie.output import check_output, whole_lines, write_output
from sortie.stores import store_path

if TYPE_CHECKING:
    from vision.projection.print_sheet import Sheet

__all__ = ["register", "run_markers", "wall_app"]

wall_app = typer.Typer(no_args_is_help=True, add_completion=False)
MM_PER_INCH = 25.4


def register(app: typer.Typer) -> None:
    """Adds the commands to the command line."""
    app.add_typer(wall_app, name="wall", help="Prepare a pick-up wall.")


@wall_app.callback()
def _group() -> None:
    """Prepare a pick-up wall."""


@wall_app.command()
def markers(
    store: Annotated[str, typer.Argument(help="a shipped store's name, or a store file")],
    *,
    wall: Annotated[str, typer.Option(help="a wall of the store; left out: its only one")] = "",
    out: Annotated[Path, typer.Option(help="a .pdf, or a .png of which more pages get numbers")],
) -> None:
    """Write the wall's markers in true size, each with its number and its place."""
    run_markers(store, wall=wall, out=out)


def run_markers(store: str, *, wall: str, out: Path) -> None:
    """Writes the pages and says where; UsageError for what cannot be printed or written."""
    from vision.projection.print_sheet import marker_sheets

    check_output("--out", out)
    if out.suffix not in (".pdf", ".png"):
        raise UsageError(f"--out {out}: expected a name that ends in .pdf or .png")
    chosen = _wall_of(store, wall)
    if not chosen.markers:
        raise UsageError(
            f"{store}: wall {chosen.wall_id} has no markers; a wall with a projector needs at "
            "least four"
        )
    try:
        sheets = marker_sheets(chosen.markers)
    except ValueError as error:
        raise UsageError(f"{store}: wall {chosen.wall_id}: {error}") from error
    paths = [out]
    if out.suffix == ".pdf":
        write_output("--out", out, _pdf(sheets))
    else:
        paths += [out.with_name(f"{out.stem}-{k}.png") for k in range(2, len(sheets) + 1)]
        for path, sheet in zip(paths, sheets, strict=True):
            write_output("--out", path, _png(sheet))
    console = whole_lines()
    for path in paths:
        console.print(f"wrote {path}")
    console.print(
        f"{len(chosen.markers)} markers; print at 100 % (no fitting to the page): the line at the "
        "foot must measure 100 mm"
    )


def _wall_of(store: str, wall: str) -> Wall:
    walls = load_store_file(store_path(store)).walls
    names = ", ".join(one.wall_id for one in walls)
    if not walls:
        raise UsageError(f"{store}: expected a store with a pick-up wall, got one without any")
    if not wall and len(walls) == 1:
        return walls[0]
    for one in walls:
        if one.wall_id == wall:
            return one
    got = repr(wall) if wall else "none; which of them?"
    raise UsageError(f"{store}: expected --wall to be one of its walls ({names}), got {got}")


def _png(sheet: Sheet) -> bytes:
    from PIL import Image

    from vision.projection.print_sheet import DPI

    data = io.BytesIO()
    Image.fromarray(sheet).save(data, "PNG", dpi=(DPI, DPI))
    return data.getvalue()


def _pdf(sheets: list[Sheet]) -> bytes:
    from fpdf import FPDF

    from vision.projection.print_sheet import DPI

    document = FPDF(unit="mm", format="A4")
    document.set_auto_page_break(False)
    for sheet in sheets:
        document.add_page()
        height, width = (MM_PER_INCH * side / DPI for side in sheet.shape)
        document.image(io.BytesIO(_png(sheet)), x=0, y=0, w=width, h=height)
    return bytes(document.output())
