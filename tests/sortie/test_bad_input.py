"""What a user can get wrong on the command line: one line that names it, and exit status 1."""

from __future__ import annotations

import shutil
import socket
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from models.manifest import WEIGHTS, load_manifest
from sortie import day
from sortie.cli import main
from sortie.day import demo_store_path
from sortie.errors import UsageError
from sortie.serve import StorePlan, StoreProcesses, take_folder
from sortie.supervisor import free_port

Refused = Callable[..., str]


@pytest.fixture
def refused(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path
) -> Refused:
    """Gives a command that must fail; what it said on standard error."""

    def give(*arguments: str) -> str:
        monkeypatch.setattr(sys, "argv", ["sortie", *arguments])
        monkeypatch.setenv("SORTIE_RUN", str(tmp_path / "run"))
        monkeypatch.setenv("SORTIE_CACHE", str(tmp_path / "cache"))
        with pytest.raises(SystemExit) as ended:
            main()
        assert ended.value.code == 1
        said = capsys.readouterr().err.strip()
        assert "Traceback" not in said
        last = said.splitlines()[-1].strip()
        assert last.startswith("sortie: ")
        return last

    return give


def _store(folder: Path, old: str, new: str) -> tuple[Path, int]:
    """The demo store with one change; its path and the line of the change."""
    text = demo_store_path().read_text(encoding="utf-8")
    assert text.count(old) >= 1
    line = text[: text.index(old)].count("\n") + 1
    path = folder / "broken.yaml"
    path.write_text(text.replace(old, new, 1), encoding="utf-8")
    return path, line


COMMANDS = (
    ("demo", "--headless", "--store"),
    ("demo", "--store"),
    ("record", "DIR", "--store"),
)


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_broken_store_file_names_line_and_field(
    command: tuple[str, ...], tmp_path: Path, refused: Refused
) -> None:
    path, line = _store(tmp_path, "currency: EUR", "currency: euros")
    arguments = [str(tmp_path / "rec") if word == "DIR" else word for word in command]
    said = refused(*arguments, str(path))
    assert f"broken.yaml:{line}: currency" in said
    assert not (tmp_path / "rec").exists()


def test_an_unknown_gtin_names_its_line(tmp_path: Path, refused: Refused) -> None:
    old = 'u1_m: 0.5, gtin: "2000000013015"'
    path, line = _store(tmp_path, old, 'u1_m: 0.5, gtin: "2000000099996"')
    said = refused("demo", "--headless", "--store", str(path))
    assert f"broken.yaml:{line}: " in said
    assert "2000000099996" in said


def test_a_store_file_that_is_not_there(tmp_path: Path, refused: Refused) -> None:
    assert "none.yaml" in refused("demo", "--headless", "--store", str(tmp_path / "none.yaml"))


@pytest.mark.parametrize(
    "command", [("demo", "--headless"), ("demo",), ("record", "x")], ids=" ".join
)
def test_an_unknown_scenario_lists_what_there_is(
    command: tuple[str, ...], tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    said = refused(*command, "--scenario", "rush-hour")
    assert "rush-hour" in said
    assert "demo-day" in said
    assert list(tmp_path.iterdir()) == []


def test_a_taken_port_names_the_option(refused: Refused, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        said = refused("demo", "--port", str(port))
    assert f"port {port}" in said
    assert "--port" in said
    assert not (tmp_path / "run").exists(), "nothing was started"


@pytest.mark.parametrize("command", [("demo", "--headless"), ("replay", "x"), ("bench", "hub")])
def test_the_folder_of_the_result_must_exist(
    command: tuple[str, ...], tmp_path: Path, refused: Refused
) -> None:
    said = refused(*command, "--json", str(tmp_path / "none" / "result.json"))
    assert "expected an existing folder for --json" in said


def test_a_recording_is_not_written_over(tmp_path: Path, refused: Refused) -> None:
    (tmp_path / "kept.txt").write_text("mine")
    assert "expected a name that is free" in refused("record", str(tmp_path))
    assert (tmp_path / "kept.txt").read_text() == "mine"


def test_a_folder_without_a_recording_is_refused(tmp_path: Path, refused: Refused) -> None:
    empty = tmp_path / "empty"
    empty.mkdir()
    assert "expected" in refused("replay", str(empty))
    assert "nowhere" in refused("replay", str(tmp_path / "nowhere"))


def test_a_recording_with_a_file_that_is_no_video_is_refused(
    tmp_path: Path, refused: Refused
) -> None:
    store, _ = _store(tmp_path, "store_id: demo", "store_id: demo")
    folder = tmp_path / "videos"
    folder.mkdir()
    shutil.copy(store, folder / "store.yaml")
    (folder / "ceil-1.mp4").write_bytes(bytes(np.arange(4_000) % 251))
    assert "ceil-1.mp4" in refused("replay", str(folder))


def test_a_camera_that_cannot_be_opened_is_named(refused: Refused) -> None:
    assert "usb:61" in refused("watch", "usb:61")


def test_weights_with_another_digest_stop_the_command(
    tmp_path: Path, refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "weights"
    shutil.copytree(WEIGHTS, folder)
    changed = bytearray((folder / "shelf.onnx").read_bytes())
    changed[200] ^= 1
    (folder / "shelf.onnx").write_bytes(bytes(changed))
    monkeypatch.setattr("models.manifest.WEIGHTS", folder)
    said = refused("demo", "--headless", "--shoppers", "1")
    assert "shelf.onnx" in said
    assert load_manifest("shelf").sha256 in said


def test_settings_of_single_processes_are_refused(
    refused: Refused, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SORTIE_HUB_PORT", "8080")
    assert "SORTIE_HUB_PORT" in refused("demo", "--port", str(free_port()))


# ---------------------------------------------------------------- the folder of a run


def test_nobodys_files_are_deleted_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "letter.txt").write_text("mine")
    with pytest.raises(UsageError, match="SORTIE_RUN"):
        StoreProcesses(StorePlan(store_path=day.demo_store_path(), folder=tmp_path))
    assert (tmp_path / "letter.txt").read_text() == "mine"


def test_two_stores_do_not_share_a_folder(tmp_path: Path) -> None:
    plan = StorePlan(store_path=day.demo_store_path(), folder=tmp_path / "run")
    first = StoreProcesses(plan)
    try:
        with pytest.raises(UsageError, match="another store runs there"):
            StoreProcesses(plan)
    finally:
        first.close()
    assert not first.rings.exists()


def test_what_an_earlier_run_left_goes(tmp_path: Path) -> None:
    folder = tmp_path / "run"
    plan = StorePlan(store_path=day.demo_store_path(), folder=folder)
    killed = StoreProcesses(plan)
    (killed.rings / "sortie-plates.ring").write_bytes(b"old")
    (folder / "hub.sqlite").write_bytes(b"old")
    # A killed process gives its lock back and takes nothing away.
    killed.release()
    second = StoreProcesses(plan)
    try:
        assert not killed.rings.exists()
        assert not (folder / "hub.sqlite").exists()
        assert second.rings.exists()
    finally:
        second.close()


def test_a_file_is_no_folder_for_a_run(tmp_path: Path) -> None:
    (tmp_path / "run").write_text("mine")
    with pytest.raises(UsageError, match="got the file"):
        take_folder(tmp_path / "run")
