"""A recorded day through nodes and hub again, with its truth and without it."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest
import yaml

from sortie.commands import run_replay
from sortie.day import demo_store_path, replay_day
from store_sim.errors import RecordingError
from store_sim.recording import Simulation, record_simulation


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One shopper, plates, and two slow cameras: one above a shelf, one on the ceiling."""
    folder = tmp_path_factory.mktemp("recordings")
    document = yaml.safe_load(demo_store_path().read_text(encoding="utf-8"))
    document["cameras"] = [document["cameras"][0], document["cameras"][3]]
    for camera in document["cameras"]:
        camera["fps"] = 1.0
    store = folder / "store.yaml"
    store.write_text(yaml.safe_dump(document), encoding="utf-8")
    record_simulation(folder / "day", store, Simulation(scenario="easy-one", seed=5, shoppers=1))
    return folder / "day"


def test_without_its_truth_a_day_has_the_same_receipts_and_no_scores(
    recorded: Path, tmp_path: Path
) -> None:
    shutil.copytree(recorded, tmp_path / "day")
    shutil.rmtree(tmp_path / "day" / "truth")
    known, alone = (replay_day(one, "plates") for one in (recorded, tmp_path / "day"))
    assert [row["receipt"] for row in known["visits"]] == [
        row["receipt"] for row in alone["visits"]
    ]
    assert sum(line["quantity"] for row in alone["visits"] for line in row["receipt"]) > 0
    assert [row["shopper"] for row in alone["visits"]] == ["shopper-0"]
    assert known["visits"][0]["truth"] != []
    assert alone["visits"][0]["truth"] is None
    assert known["summary"]["f1"] is not None
    assert alone["summary"]["f1"] is None
    assert known["ledger"] == alone["ledger"]


def test_a_torn_day_is_scored_as_far_as_it_goes_and_says_what_it_lacks(
    recorded: Path, tmp_path: Path
) -> None:
    shutil.copytree(recorded, tmp_path / "day")
    (tmp_path / "day" / "cameras" / "cam-a.mp4").unlink()
    whole, torn = (replay_day(one, "plates") for one in (recorded, tmp_path / "day"))
    assert whole["missing"] == []
    assert len(torn["missing"]) == 1
    assert "cam-a.mp4: missing" in torn["missing"][0]
    assert whole["visits"] == torn["visits"], "this set of sensors never looks at the shelf"
    with pytest.raises(RecordingError, match=r"cam-a.mp4: missing"):
        replay_day(tmp_path / "day", "plates", lenient=False)


def test_the_command_prints_what_is_missing_and_refuses_it_when_strict(
    recorded: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    shutil.copytree(recorded, tmp_path / "day")
    (tmp_path / "day" / "gates.jsonl").write_text("torn", encoding="utf-8")
    run_replay(tmp_path / "day", sensors="plates", json_file=tmp_path / "out.json")
    printed = capsys.readouterr().out
    assert "missing" in printed
    document = json.loads((tmp_path / "out.json").read_text(encoding="utf-8"))
    assert any("gates.jsonl:1" in what for what in document["missing"])
    with pytest.raises(RecordingError, match=r"gates.jsonl"):
        run_replay(tmp_path / "day", sensors="plates", json_file=None, strict=True)
