"""`sortie labels IMAGE…`: every code in photos, as a table, as JSON, and drawn in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import chain, count
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from sortie.errors import UsageError
from sortie.options import JsonFile
from sortie.output import check_output, whole_lines, write_json
from sortie.photos import read_picture

if TYPE_CHECKING:
    from vision.labels import Code, TextLine, TextReader

__all__ = ["LabelsResult", "register", "run_labels"]

Rgb = NDArray[np.uint8]

OVERLAY_SIDE_MAX_PX = 1600
SCHEMA = 1


@dataclass(slots=True)
class LabelsResult:
    """What was read, by file as it was named; and what could not be read, with the reason."""

    codes: dict[str, tuple[Code, ...]] = field(default_factory=dict)
    texts: dict[str, tuple[TextLine, ...]] = field(default_factory=dict)
    faults: dict[str, str] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """The JSON document: polygons are four corners [x, y] in pixels, top left first."""
        files = {
            path: [
                {"text": code.text, "format": code.format, "polygon": _corners(code.polygon)}
                for code in codes
            ]
            for path, codes in self.codes.items()
        }
        document: dict[str, Any] = {"schema": SCHEMA, "files": files, "errors": self.faults}
        if self.texts:
            document["texts"] = {
                path: [
                    {"text": line.text, "polygon": _corners(line.polygon), "score": line.score}
                    for line in lines
                ]
                for path, lines in self.texts.items()
            }
        return document


def run_labels(
    paths: Sequence[Path],
    *,
    json_file: Path | None,
    overlay: Path | None,
    text: bool,
    console: Console,
) -> LabelsResult:
    """Reads all that can be read; UsageError if nothing could be written where it should go."""
    from vision.labels import missing_engines, open_text_reader, read_codes
    from vision.labels.code import frame_gray

    check_output("--json", json_file)
    if overlay is not None:
        _make_folder(overlay)
    reader: TextReader | None = open_text_reader() if text else None
    errors = whole_lines(stderr=True)
    for line in missing_engines():
        errors.print(f"sortie: {line}; fewer codes are read without it", style="yellow")
    result = LabelsResult()
    for path in paths:
        try:
            rgb = read_picture(path)
        except UsageError as fault:
            result.faults[str(path)] = str(fault)
            errors.print(f"sortie: {fault}", markup=False)
            continue
        codes = read_codes(rgb)
        result.codes[str(path)] = codes
        if reader is not None:
            result.texts[str(path)] = reader.read(frame_gray(rgb))
        if overlay is not None:
            _draw(rgb, codes, _overlay_path(overlay, path, len(result.codes)))
    if json_file is not None:
        write_json(json_file, result.document())
    _print(console, result)
    return result


def _make_folder(folder: Path) -> None:
    if not folder.parent.is_dir() or (folder.exists() and not folder.is_dir()):
        raise UsageError(
            f"--overlay {folder}: expected a folder, or the name of a new one in a folder that is "
            "there; make it"
        )
    folder.mkdir(exist_ok=True)


def _overlay_path(folder: Path, path: Path, number: int) -> Path:
    """Pictures of one name from several folders each get one of their own, and nothing is written
    over: the folder may be that of the photos."""
    numbered = (folder / f"{path.stem}-{one}.png" for one in count(number))
    return next(one for one in chain([folder / f"{path.stem}.png"], numbered) if not one.exists())


def _draw(rgb: Rgb, codes: Sequence[Code], path: Path) -> None:
    """The picture, not too large, with outlines; the code's upper side is thicker."""
    from PIL import Image, ImageDraw

    from sortie.photos import shrunk

    small = shrunk(rgb, OVERLAY_SIDE_MAX_PX)
    share = small.shape[1] / rgb.shape[1]
    picture = Image.fromarray(small)
    pen = ImageDraw.Draw(picture)
    for code in codes:
        corners = [(float(x * share), float(y * share)) for x, y in code.polygon]
        pen.polygon(corners, outline=(0, 170, 0), width=2)
        pen.line(corners[:2], fill=(220, 0, 120), width=4)
        name = f"{code.format} {_shown(code.text)[:40]}"
        pen.text(corners[3], name, fill=(220, 0, 120), stroke_width=2, stroke_fill=(255, 255, 255))
    try:
        picture.save(path)
    except OSError as error:
        raise UsageError(f"--overlay {path}: cannot be written ({error.strerror})") from error


def _print(console: Console, result: LabelsResult) -> None:
    table = Table(title="codes", title_justify="left")
    for column in ("file", "format", "text"):
        table.add_column(column, overflow="fold")
    for path, codes in result.codes.items():
        for code in codes:
            table.add_row(escape(path), code.format, escape(_shown(code.text)))
        for line in result.texts.get(path, ()):
            table.add_row(escape(path), "(text)", escape(_shown(line.text)))
    console.print(table)
    read = sum(len(codes) for codes in result.codes.values())
    none = sum(not codes for codes in result.codes.values())
    console.print(
        f"{read} codes in {len(result.codes)} pictures, none in {none}; {len(result.faults)} "
        "files could not be read",
        highlight=False,
    )


def _shown(text: str) -> str:
    """A text for the terminal: what would move its cursor or hide is written out."""
    return "".join(one if one.isprintable() else f"\\x{ord(one):02x}" for one in text)


def _corners(polygon: NDArray[np.float32]) -> list[list[float]]:
    return [[round(float(x), 1), round(float(y), 1)] for x, y in polygon]


def register(app: typer.Typer) -> None:
    """Adds the command."""

    @app.command()
    def labels(
        images: Annotated[list[Path], typer.Argument(help="photos: JPEG, PNG or WebP")],
        *,
        json_file: JsonFile = None,
        overlay: Annotated[
            Path | None, typer.Option(help="a folder for the pictures with the codes drawn in")
        ] = None,
        text: Annotated[
            bool, typer.Option("--text", help="read plain text, too; wants Tesseract")
        ] = False,
    ) -> None:
        """Read every code in photos: QR, DataMatrix, EAN, Code 128 and their like."""
        result = run_labels(
            images, json_file=json_file, overlay=overlay, text=text, console=Console()
        )
        if result.faults:
            raise typer.Exit(1)
