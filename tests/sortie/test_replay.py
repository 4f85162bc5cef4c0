"""A recorded day through nodes and hub again, with its truth and without it."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
import yaml

from sortie.day import demo_store_path, replay_day
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
