"""`sortie labels`: its document, its table, its pictures, and what it says of bad files."""

from __future__ import annotations

import io
import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import typer
from PIL import Image
from rich.console import Console
from typer.testing import CliRunner

from sortie.errors import UsageError
from sortie.labels_cmd import LabelsResult, register, run_labels
from tests.vision.labels.prints import Gray, printed, seen
from vision.errors import VisionError

EAN = "9780441014989"
LINK = "https://id.gs1.org/00/340123450000000017"


def _picture(kind: str, text: str) -> Gray:
    return seen(printed(kind, text), module_px=3.0, turn_deg=12)[0]


def _save(path: Path, gray: Gray, **options: Any) -> Path:
    Image.fromarray(gray).save(path, **options)
    return path


def _run(*paths: Path, **options: Any) -> tuple[LabelsResult, str]:
    out = io.StringIO()
    settings = {"json_file": None, "overlay": None, "text": False, **options}
    console = Console(file=out, width=200)
    return run_labels(list(paths), console=console, **settings), out.getvalue()


def _cli(*arguments: str) -> Any:
    app = typer.Typer()
    register(app)
    return CliRunner().invoke(app, list(arguments))


def test_every_file_has_its_codes_in_the_document(tmp_path: Path) -> None:
    one = _save(tmp_path / "one.png", _picture("ean13", EAN))
    two = _save(tmp_path / "two.jpg", _picture("qr", LINK))
    none = _save(tmp_path / "none.webp", np.full((90, 120), 200, np.uint8))
    result = tmp_path / "codes.json"
    found, table = _run(one, two, none, json_file=result)
    document = json.loads(result.read_text(encoding="utf-8"))
    assert found.faults == {}
    assert document["files"].keys() == {str(one), str(two), str(none)}
    (code,) = document["files"][str(one)]
    assert (code["text"], code["format"]) == (EAN, "ean13")
    assert np.asarray(code["polygon"]).shape == (4, 2)
    assert [code["format"] for code in document["files"][str(two)]] == ["qr"]
    assert document["files"][str(none)] == []
    assert EAN in table
    assert "2 codes in 3 pictures, none in 1" in table


def test_bad_files_are_named_and_the_others_still_read(tmp_path: Path) -> None:
    good = _save(tmp_path / "good.png", _picture("ean13", EAN))
    text = tmp_path / "text.png"
    text.write_text("no picture", encoding="utf-8")
    cut = tmp_path / "cut.jpg"
    cut.write_bytes(_save(tmp_path / "whole.jpg", _picture("qr", LINK)).read_bytes()[:900])
    away, result = tmp_path / "away.png", tmp_path / "codes.json"
    files = [str(one) for one in (away, text, tmp_path, cut, good)]
    ended = _cli(*files, "--json", str(result))
    assert ended.exit_code == 1
    document = json.loads(result.read_text(encoding="utf-8"))
    assert [code["text"] for code in document["files"][str(good)]] == [EAN]
    assert document["files"].keys() == {str(good)}
    errors = document["errors"]
    assert errors.keys() == {str(away), str(text), str(tmp_path), str(cut)}
    assert "expected a picture, got nothing of that name" in errors[str(away)]
    assert "expected a picture as JPEG, PNG, WEBP" in errors[str(text)]
    assert "expected a picture, got a folder" in errors[str(tmp_path)]
    assert "broken or cut off" in errors[str(cut)]


def test_all_read_ends_well_and_no_file_is_a_usage_error(tmp_path: Path) -> None:
    good = _save(tmp_path / "good.png", _picture("ean13", EAN))
    ended = _cli(str(good))
    assert ended.exit_code == 0
    assert EAN in ended.output
    assert _cli().exit_code == 2


def test_exif_turns_the_picture_and_polygons_are_of_the_turned_one(tmp_path: Path) -> None:
    gray = _picture("code128", "JD0146")
    upright, _ = _run(_save(tmp_path / "upright.png", gray))
    exif = Image.Exif()
    exif[274] = 6
    turned = _save(tmp_path / "turned.jpg", np.rot90(gray).copy(), exif=exif, quality=95)
    found, _ = _run(turned)
    (code,), (same,) = found.codes[str(turned)], upright.codes[str(tmp_path / "upright.png")]
    assert code.text == same.text == "JD0146"
    assert np.abs(code.polygon - same.polygon).max() < 6.0


def test_transparent_ground_is_paper(tmp_path: Path) -> None:
    gray = printed("qr", LINK)
    large = np.repeat(np.repeat(gray, 4, axis=0), 4, axis=1)
    black = np.zeros((*large.shape, 4), np.uint8)
    black[..., 3] = 255 - large
    path = tmp_path / "clear.png"
    Image.fromarray(black).save(path)
    found, _ = _run(path)
    assert [code.text for code in found.codes[str(path)]] == [LINK]


def test_overlays_show_where_codes_are(tmp_path: Path) -> None:
    path = _save(tmp_path / "one.png", _picture("ean13", EAN))
    other = tmp_path / "other"
    other.mkdir()
    twin = _save(other / "one.png", _picture("qr", LINK))
    folder = tmp_path / "drawn"
    _run(path, twin, overlay=folder)
    assert sorted(one.name for one in folder.iterdir()) == ["one-2.png", "one.png"]
    drawn = np.asarray(Image.open(folder / "one.png").convert("RGB"), np.int16)
    assert (np.ptp(drawn, axis=2) > 100).sum() > 200


def test_overlays_are_written_over_no_photo(tmp_path: Path) -> None:
    first = _save(tmp_path / "photo-2.png", np.full((90, 120), 200, np.uint8))
    second = _save(tmp_path / "photo.png", np.full((90, 120), 200, np.uint8))
    before = first.read_bytes(), second.read_bytes()
    _run(first, second, overlay=tmp_path)
    assert (first.read_bytes(), second.read_bytes()) == before
    assert len(list(tmp_path.iterdir())) == 4


@pytest.mark.parametrize("option", ["json_file", "overlay"])
def test_what_cannot_be_written_is_said_before_the_work(tmp_path: Path, option: str) -> None:
    path = _save(tmp_path / "one.png", _picture("ean13", EAN))
    with pytest.raises(UsageError, match="away"):
        _run(path, **{option: tmp_path / "away" / "out"})


def test_hidden_signs_are_written_out(tmp_path: Path) -> None:
    path = _save(tmp_path / "one.png", _picture("qr", "JD\x1b[31m[bold]01"))
    found, table = _run(path)
    assert [code.text for code in found.codes[str(path)]] == ["JD\x1b[31m[bold]01"]
    assert "JD\\x1b[31m[bold]01" in table
    assert "\x1b" not in table


def _tesseract(*, there: bool) -> Any:
    def version() -> str:
        if not there:
            raise OSError("tesseract is not installed")
        return "5"

    words = {
        "text": ["", "Keep", "dry", "x"], "conf": [-1, 96, 91, 12], "left": [0, 10, 60, 5],
        "top": [0, 20, 22, 70], "width": [0, 40, 30, 4], "height": [0, 12, 12, 6],
        "block_num": [0, 1, 1, 2], "par_num": [0, 1, 1, 1], "line_num": [0, 1, 1, 1],
    }  # fmt: skip
    return SimpleNamespace(
        get_tesseract_version=version,
        image_to_data=lambda gray, output_type: words,
        Output=SimpleNamespace(DICT="dict"),
    )


def test_text_is_read_where_a_reader_is_installed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "pytesseract", _tesseract(there=True))
    path = _save(tmp_path / "one.png", _picture("ean13", EAN))
    found, table = _run(path, text=True)
    (line,) = found.document()["texts"][str(path)]
    assert line["text"] == "Keep dry"
    assert line["polygon"] == [[10, 20], [90, 20], [90, 34], [10, 34]]
    assert line["score"] == pytest.approx(0.91)
    assert "Keep dry" in table


def test_without_a_reader_of_text_it_says_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = _save(tmp_path / "one.png", _picture("ean13", EAN))
    monkeypatch.setitem(sys.modules, "pytesseract", None)
    with pytest.raises(VisionError, match="apt-get install tesseract-ocr, and pip install"):
        _run(path, text=True)
    monkeypatch.setitem(sys.modules, "pytesseract", _tesseract(there=False))
    with pytest.raises(VisionError, match="the program tesseract is not"):
        _run(path, text=True)
