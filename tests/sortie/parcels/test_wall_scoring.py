"""Cases of pick-up walls in lockstep: a customer's parcel shines and nothing else does; the score's
document; bad requests."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

from auditor.wall import ParcelScore
from contracts.store_file import load_store_file
from sortie.errors import UsageError
from sortie.parcels.day import run_case, store_of
from sortie.parcels.scoring import (
    Outcome,
    Task,
    WallRequest,
    chosen_wall_cases,
    document_of,
    score_walls,
)
from sortie.parcels_cmd import parcels_app
from sortie.stores import WALL_STORES, store_digest, store_path

DEMO = store_path("demo")


def test_a_case_runs_from_scan_to_hand_over_and_only_what_is_right_shines() -> None:
    store = load_store_file(DEMO)
    run = run_case(store, store.walls[0], "labels-12", 11)
    found = run.score
    assert found.retrievals > 0
    assert (found.green_wrong, found.green_unknown, found.green_missing) == (0, 0, 0)
    assert found.takings == found.retrievals
    assert found.wrong == 0
    kinds = [row["kind"] for row in run.events]
    assert kinds.count("parcel.handed_over") == found.retrievals
    assert max(found.latency_s) < 1.0


def test_one_wall_is_a_store_of_its_own() -> None:
    store = load_store_file(DEMO)
    alone = store_of(store, store.walls[0])
    assert (alone.bays, alone.gates, len(alone.walls)) == ((), (), 1)
    assert [node.walls for node in alone.nodes] == [(store.walls[0].wall_id,)]
    nobody = store.model_copy(update={"nodes": ()})
    with pytest.raises(UsageError, match="expected a node that serves wall"):
        store_of(nobody, store.walls[0])


def test_each_case_is_played_at_a_shipped_wall_that_has_room_for_it() -> None:
    paths = tuple(store_path(name) for name in WALL_STORES)
    tasks = WallRequest(paths, chosen_wall_cases(()), (1,)).tasks()
    walls = {task.case: task.store_path.stem for task in tasks}
    assert walls["labels-12"] == "demo"
    assert walls["labels-24"] == "wall-24"
    assert walls["code128"] == "wall-4k"
    assert walls["van-stop"] == "van"
    assert walls["lamps"] == "wall-strips"


def test_a_wish_that_cannot_be_is_refused_with_what_there_is() -> None:
    with pytest.raises(UsageError, match=r"expected a case of .*labels-12.*, got 'zz\*'"):
        chosen_wall_cases(["zz*"])
    with pytest.raises(UsageError, match="expected a wall that case labels-24 can be played at"):
        WallRequest((DEMO,), ("labels-24",), (1,)).tasks()
    with pytest.raises(UsageError, match="expected a store with a wall"):
        WallRequest((store_path("six-bay"),), ("qr",), (1,)).tasks()


def test_a_run_that_breaks_is_told_and_ends_no_other() -> None:
    task = Task(DEMO, "wall-1", "labels-12", 1)
    fine = Outcome(task, ParcelScore(retrievals=2, latency_s=[0.1, 0.2]), 10.0, {"all": 3.0})
    broken = Outcome(Task(DEMO, "wall-1", "qr", 1), error="it broke")
    document = document_of([fine, broken])
    assert document["retrievals"] == 2
    assert document["failed"] == [{"case": "qr", "seed": 1, "error": "it broke"}]
    assert list(document["cases"]) == ["labels-12", "qr"]
    assert document["walls"] == {"demo/wall-1": store_digest(DEMO)}
    low, high = document["intervals"]["green_missing"]
    assert 0.0 <= low <= document["green_missing"] / document["retrievals"] <= high < 1.0
    assert json.loads(json.dumps(document))["cpu_s"]["all"] == 3.0


def test_a_wall_that_is_not_in_the_file_makes_a_failed_run(tmp_path: Path) -> None:
    request = WallRequest((DEMO,), ("labels-12",), (1,))
    (task,) = request.tasks()
    assert (task.wall_id, task.seed) == ("wall-1", 1)
    missing = tmp_path / "no.yaml"
    from sortie.parcels.scoring import _work

    outcome = _work(Task(missing, "wall-1", "labels-12", 1))
    assert outcome.error is not None
    assert "no.yaml" in outcome.error


def test_the_command_says_what_is_wrong_with_what_it_is_given() -> None:
    runner = CliRunner()
    bad = runner.invoke(parcels_app, ["score", "--cases", "nothing-like-it"])
    assert isinstance(bad.exception, UsageError)
    bad = runner.invoke(parcels_app, ["score", "--seeds", "9-2"])
    assert isinstance(bad.exception, UsageError)
    assert score_walls(WallRequest((DEMO,), (), (1,)), jobs=1) == []
