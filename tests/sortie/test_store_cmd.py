"""`sortie store`: names, checks, files written, and what is said of a faulty store file."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from PIL import Image

from sortie.cli import main
from sortie.errors import UsageError
from sortie.stores import store_names, store_path


def _sortie(monkeypatch: pytest.MonkeyPatch, *arguments: str) -> int:
    """Runs the command line; its exit status."""
    monkeypatch.setattr(sys, "argv", ["sortie", *arguments])
    monkeypatch.setenv("COLUMNS", "200")
    with pytest.raises(SystemExit) as ended:
        main()
    return int(ended.value.code or 0)


def _broken(folder: Path, old: str, new: str) -> Path:
    text = store_path("demo").read_text(encoding="utf-8")
    assert text.count(old) >= 1
    path = folder / "broken.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path


def test_a_store_has_a_name_or_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert store_names() == (
        "demo", "fridge", "nano", "six-bay", "van", "wall-24", "wall-4k", "wall-strips",
    )  # fmt: skip
    for name in store_names():
        assert store_path(name).name == f"{name}.yaml"
        assert store_path(store_path(name)) == store_path(name)
    monkeypatch.chdir(tmp_path)
    Path("nano").write_text("x", encoding="utf-8")
    assert store_path("nano") != Path("nano"), "a name wins"
    assert store_path("./nano") == Path("nano")
    with pytest.raises(
        UsageError, match=r"nano, six-bay, van, wall-24, .*strips, got 'nanno'.*no such file"
    ):
        store_path("nanno")
    with pytest.raises(UsageError, match="it is a folder"):
        store_path(tmp_path)


def test_list_names_every_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert _sortie(monkeypatch, "store", "list") == 0
    said = capsys.readouterr().out
    for words in ("six-bay", "Sortie Fridge Wall", "348", "6 x 4.5"):
        assert words in said


def test_a_check_prints_and_writes_everything(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    files = {name: tmp_path / f"out.{name}" for name in ("html", "png", "json")}
    options = [part for name, path in files.items() for part in (f"--{name}", str(path))]
    assert _sortie(monkeypatch, "store", "check", "fridge", *options) == 0
    said = capsys.readouterr().out
    assert "0 errors" in said
    assert "Senn Salted Butter" in said
    assert "Fix: " in said
    document = json.loads(files["json"].read_text(encoding="utf-8"))
    assert document["ok"] is True
    assert document["store_id"] == "fridge"
    assert document["counts"]["plates"] == 63
    assert document["floor"]["seen_by_1"] >= 0.99
    assert len(document["boards"]) == 20
    assert {row["code"] for row in document["warnings"]} == {"equal-weight"}
    assert all(row["fix"] for row in document["warnings"])
    assert files["html"].read_text(encoding="utf-8").startswith("<!doctype html>")
    with Image.open(files["png"]) as picture:
        assert picture.format == "PNG"
    assert not list(tmp_path.glob("*.partial"))


def test_errors_end_in_status_one(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = _broken(tmp_path, "facings: 4, deep: 4", "facings: 9, deep: 4")
    result = tmp_path / "out.json"
    assert _sortie(monkeypatch, "store", "check", str(path), "--json", str(result)) == 1
    said = capsys.readouterr().out
    assert "error   bay-a-1-l: 9 facings of Quellbach Still Water" in said
    assert "set facings to at most 5" in said
    document = json.loads(result.read_text(encoding="utf-8"))
    assert document["ok"] is False
    assert [row["code"] for row in document["errors"]] == ["too-wide"]


def test_a_file_that_is_no_store_is_told_line_by_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = _broken(tmp_path, '- gtin: "2000000011011"', '- gtin: "2000000011012"')
    result = tmp_path / "out.json"
    assert _sortie(monkeypatch, "store", "check", str(path), "--json", str(result)) == 1
    said = capsys.readouterr().out
    assert "its check digit would be 1" in said
    document = json.loads(result.read_text(encoding="utf-8"))
    assert document["ok"] is False
    assert document["errors"][0]["code"] == "store-file"
    assert "its check digit would be 1" in document["errors"][0]["message"]


def test_a_picture_that_is_not_there_is_an_error_of_the_store(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    path = _broken(
        tmp_path, "    vat: standard\n", "    vat: standard\n    pictures: [still.jpg]\n"
    )
    assert _sortie(monkeypatch, "store", "check", str(path)) == 1
    said = capsys.readouterr().out
    assert "error   2000000011011" in said
    assert "there is no such picture" in said
    assert "Quellbach Still Water" in said


def test_bad_arguments_are_refused_in_one_line(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    assert _sortie(monkeypatch, "store", "check", "siz-bay") == 1
    said = capsys.readouterr().err.strip()
    assert said.startswith("sortie: expected a store file or one of demo, fridge, nano, six-bay")
    assert "\n" not in said
    missing = str(tmp_path / "nowhere" / "plan.html")
    assert _sortie(monkeypatch, "store", "check", "demo", "--html", missing) == 1
    assert "there is no folder" in capsys.readouterr().err
    folder = tmp_path / "out.png"
    folder.mkdir()
    assert _sortie(monkeypatch, "store", "check", "demo", "--png", str(folder)) == 1
    assert "cannot be written" in capsys.readouterr().err


def test_a_check_tells_what_a_walls_cameras_resolve(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> None:
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    assert (
        _sortie(monkeypatch, "store", "check", "wall-4k", "--json", str(out), "--html", str(page))
        == 0
    )
    assert "px a module at worst" in capsys.readouterr().out
    (wall,) = json.loads(out.read_text(encoding="utf-8"))["walls"]
    assert [one["symbology"] for one in wall["labels"]] == ["code128", "qr", "datamatrix"]
    assert all(one["px_per_module_min"] >= 2.6 for one in wall["labels"])
    assert all(count >= 4 for count in wall["markers_seen"].values())
    assert "Pick-up walls" in page.read_text(encoding="utf-8")
