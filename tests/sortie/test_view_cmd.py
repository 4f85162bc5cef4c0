"""`sortie view`: what it writes and what it refuses."""

from __future__ import annotations

from io import StringIO
from pathlib import Path
from typing import Any

import av
import pytest
from rich.console import Console
from typer.testing import CliRunner

from sortie.cli import app
from sortie.errors import UsageError
from sortie.library_cmd import register as register_library
from sortie.view_cmd import register, run_view
from store_sim.errors import UnknownScenarioError

ONE = str(Path(__file__).parents[1] / "store_sim" / "fixtures" / "one.case")
RECORDING = Path(__file__).parents[1] / "store_sim" / "fixtures" / "recording-v1"
KIOSK = RECORDING / "store.yaml"


def _run(source: str, **options: Any) -> str:
    console = Console(file=StringIO(), width=300)
    settings: dict[str, Any] = {
        "store_path": KIOSK, "seed": 3, "shoppers": 1, "duration_s": None, "out": None,
        "pictures": None,
    }  # fmt: skip
    run_view(source, console=console, **{**settings, **options})
    assert isinstance(console.file, StringIO)
    return console.file.getvalue()


def test_a_scenario_becomes_a_video_and_pictures(tmp_path: Path) -> None:
    out, pictures = tmp_path / "v.mp4", tmp_path / "pictures"
    text = _run(ONE, out=out, pictures=pictures, duration_s=11.6)
    assert "174 frames" in text
    assert "1 pictures" in text
    with av.open(str(out)) as container:
        assert container.streams.video[0].frames == 174
    names = sorted(path.name for path in pictures.iterdir())
    assert names == ["0010.53s-shopper0-take-cam-a.png"], "the one that sees the slot"


def test_pictures_alone_need_no_video(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    _run(ONE, pictures=tmp_path / "pictures", duration_s=2.0)
    assert [path.name for path in tmp_path.iterdir()] == ["pictures"]


def test_a_recorded_folder_is_shown_and_names_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    text = _run(str(RECORDING), duration_s=3.0)
    assert "recording-v1-seed3.mp4: 45 frames" in text
    assert (tmp_path / "recording-v1-seed3.mp4").is_file()


def test_what_cannot_be_shown_or_written_is_told(tmp_path: Path) -> None:
    with pytest.raises(UnknownScenarioError, match="got scenario 'nothing-like-it'"):
        _run("nothing-like-it", out=tmp_path / "v.mp4")
    with pytest.raises(UsageError, match=r"ends in .mp4, got .*v.avi"):
        _run(ONE, out=tmp_path / "v.avi")
    with pytest.raises(UsageError, match=r"--pictures in an existing folder, got"):
        _run(ONE, pictures=tmp_path / "no" / "pictures")


def test_the_commands_are_on_the_command_line() -> None:
    register(app)
    register_library(app)
    runner = CliRunner()
    for words in (["view", "--help"], ["library", "--help"], ["library", "list"]):
        result = runner.invoke(app, words)
        assert result.exit_code == 0, result.output
