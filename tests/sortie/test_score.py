"""`sortie cases` and `sortie score`: what is chosen, run, kept, told and written."""

from __future__ import annotations

import io
import json
import multiprocessing
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import psutil
import pytest
import typer
import yaml
from rich.console import Console
from typer.testing import CliRunner

import sortie.scoring.work
from sortie.day import demo_store_path, simulate_day
from sortie.errors import UsageError
from sortie.score_cmd import INTERRUPTED, register, run_cases, run_score
from sortie.scoring.plan import (
    Request,
    Run,
    chosen_cases,
    chosen_seeds,
    chosen_sensors,
    tasks_of,
)
from sortie.scoring.pool import in_parallel
from sortie.scoring.results import Results
from sortie.scoring.runner import score
from sortie.scoring.summary import document_of
from sortie.stores import store_path
from store_sim.errors import DialError, ScenarioError
from store_sim.scenarios import CASES
from tests.sortie.score_kit import without_vision

ASKED = (
    "precision", "recall", "f1", "exact_share", "overcharged_share", "undercharged_share",
    "review_share", "association_accuracy", "visits",
)  # fmt: skip


@pytest.fixture(autouse=True)
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache of the test's own."""
    monkeypatch.setenv("SORTIE_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def request_of(*cases: str, seeds: tuple[int, ...] = (3,), **more: Any) -> Request:
    """A small request in the demo store."""
    return Request(demo_store_path(), cases or ("base-01",), seeds, **more)


# ---------------------------------------------------------------- choosing


def test_cases_are_chosen_by_pattern_and_by_name() -> None:
    assert set(chosen_cases(())) == set(CASES)
    assert chosen_cases(["base-0[34]"]) == ("base-03", "base-04")
    assert chosen_cases(["base-04,base-01", "base-04"]) == ("base-01", "base-04")
    assert chosen_cases(["easy"]) == ("easy",)
    with pytest.raises(UsageError, match="--cases nothing-\\*: no case matches"):
        chosen_cases(["nothing-*"])


def test_seeds_are_a_range_or_one() -> None:
    assert chosen_seeds("3-5") == (3, 4, 5)
    assert chosen_seeds("7") == (7,)
    for text in ("5-3", "a-b", "", "1-", "-4", "1-99999"):
        with pytest.raises(UsageError, match="--seeds"):
            chosen_seeds(text)


def test_sensors_are_several_options_or_a_list() -> None:
    assert chosen_sensors([]) == ("both", "camera", "plates")
    assert chosen_sensors(["plates,both"]) == chosen_sensors(["plates", "both"])
    assert chosen_sensors(["camera"]) == ("camera",)
    with pytest.raises(UsageError, match="--sensors radar: expected both, camera, plates"):
        chosen_sensors(["radar"])


def test_a_store_is_a_file_or_ships_by_name(tmp_path: Path) -> None:
    assert store_path("demo") == demo_store_path()
    assert store_path(str(demo_store_path())) == demo_store_path()
    with pytest.raises(UsageError, match=r"expected a store file .* demo"):
        store_path(str(tmp_path / "none.yaml"))


def test_a_dial_that_there_is_not_is_told_at_once() -> None:
    with pytest.raises(DialError, match=r"light\.dim"):
        request_of(dials=("light.bright=1",))


def test_a_key_knows_all_that_decides(tmp_path: Path) -> None:
    run, models = Run("base-01", 3, "both"), {"shelf": "1"}
    other_store = tmp_path / "store.yaml"
    other_store.write_text(demo_store_path().read_text(encoding="utf-8") + "\n", encoding="utf-8")
    keys = [
        request_of().key(run, models),
        request_of().key(Run("base-02", 3, "both"), models),
        request_of().key(Run("base-01", 4, "both"), models),
        request_of().key(Run("base-01", 3, "plates"), models),
        request_of().key(run, {"shelf": "2"}),
        request_of(dials=("light.dim=0.5",)).key(run, models),
        request_of(shoppers=2).key(run, models),
        Request(other_store, ("base-01",), (3,)).key(run, models),
    ]
    assert len(set(keys)) == len(keys)
    assert request_of(seeds=(3, 4)).key(run, models) == keys[0], "what else is asked is no matter"


def test_the_sets_of_a_day_are_one_task_with_the_full_pass_first(tmp_path: Path) -> None:
    request = request_of("base-01", "base-02", seeds=(1, 2), sensors=("plates", "camera", "both"))
    tasks = tasks_of(request, request.runs, {}, tmp_path)
    assert [(task.runs[0].case, task.runs[0].seed) for task in tasks] == [
        ("base-01", 1), ("base-01", 2), ("base-02", 1), ("base-02", 2),
    ]  # fmt: skip
    for task in tasks:
        assert [run.sensors for run in task.runs] == ["both", "camera", "plates"]


# ---------------------------------------------------------------- scoring


def test_scores_stand_beside_the_winners_with_n_intervals_and_seeds(
    monkeypatch: pytest.MonkeyPatch, cache: Path
) -> None:
    without_vision(monkeypatch, cache)
    scored = score(request_of("base-01", "base-04", seeds=(3, 4), sensors=("camera", "plates")))
    result = document_of(scored)
    assert list(result["cases"]) == ["base-01", "base-04"]
    assert list(result["total"]) == ["camera", "plates"]
    rows = [row for sets in result["cases"].values() for row in sets.values()]
    for row in [*rows, *result["total"].values()]:
        assert set(ASKED) <= row.keys()
        assert set(row["time_to_receipt_s"]) == {"p50", "p95", "p99"}
    plates, camera = (result["cases"]["base-01"][name] for name in ("plates", "camera"))
    assert (plates["f1"], plates["visits"], plates["items"]) == (1.0, 2, 6)
    assert plates["winner_f1"] == 1.0
    assert plates["seeds"] == [3, 4]
    assert plates["f1_interval"] == [1.0, 1.0]
    assert (camera["f1"], camera["recall"], camera["precision"]) == (0.0, 0.0, 1.0)
    total = result["total"]["plates"]
    assert total["items"] == sum(sets["plates"]["items"] for sets in result["cases"].values())
    assert (total["case_f1"], total["winner_case_f1"], total["cases_with_winner"]) == (1.0, 1.0, 2)
    assert set(result["models"]) == {"shelf", "ceiling", "change", "embedding"}
    assert result["failed"] == result["not_playable"] == []
    assert json.loads(json.dumps(result)) == result


def test_what_was_scored_is_not_run_again(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    plans = without_vision(monkeypatch, cache)
    request = request_of(sensors=("plates",))
    first = score(request)
    assert (len(plans), first.kept) == (1, 0)
    assert first.cpu_s > 0
    again = score(request)
    assert (len(plans), again.kept, again.cpu_s) == (1, 1, 0.0)
    assert again.documents == first.documents
    more = score(request_of(sensors=("camera", "plates")))
    assert [plan.sensors for plan in plans] == ["plates", "camera"]
    assert more.kept == 1
    fresh = score(request, fresh=True)
    assert (len(plans), fresh.kept) == (3, 0)
    before, after = (one.documents[request.runs[0]]["visits"] for one in (first, fresh))
    assert after == before, "the same seed, the same day"


def test_a_scoring_that_was_stopped_goes_on(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    plans = without_vision(monkeypatch, cache)
    request = request_of(seeds=(3, 4, 5), sensors=("plates",))
    errors, shown = io.StringIO(), io.StringIO()
    whole = simulate_day

    def stopped(plan: Any, **more: Any) -> dict[str, Any]:
        if plan.seed == 5:
            raise KeyboardInterrupt
        return whole(plan, **more)

    monkeypatch.setattr(sortie.scoring.work, "simulate_day", stopped)
    monkeypatch.setattr("sortie.score_cmd.Console", lambda **_: Console(file=errors, width=200))
    more: dict[str, Any] = {"jobs": 1, "fresh": False, "json_file": None, "html_file": None}
    assert run_score(request, console=Console(file=shown), **more) == INTERRUPTED
    assert "give the same command again" in errors.getvalue()
    assert str(cache / "scores") in errors.getvalue()
    monkeypatch.setattr(sortie.scoring.work, "simulate_day", whole)
    assert len(plans) == 2
    scored = score(request)
    assert (len(plans), scored.kept, len(scored.documents)) == (3, 2, 3)


def test_a_run_that_crashes_is_told_and_the_others_go_on(
    monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path
) -> None:
    without_vision(monkeypatch, cache)
    whole = simulate_day

    def sometimes(plan: Any, **more: Any) -> dict[str, Any]:
        if plan.seed == 3:
            raise ZeroDivisionError("a fault of the test")
        return whole(plan, **more)

    monkeypatch.setattr(sortie.scoring.work, "simulate_day", sometimes)
    out, path = io.StringIO(), tmp_path / "scores.json"
    status = run_score(
        request_of(seeds=(3, 4), sensors=("plates",)),
        jobs=1, fresh=False, json_file=path, html_file=None,
        console=Console(file=out, width=200),
    )  # fmt: skip
    assert status == 1
    result = json.loads(path.read_text(encoding="utf-8"))
    (failed,) = result["failed"]
    assert (failed["case"], failed["seed"], failed["sensors"]) == ("base-01", 3, "plates")
    assert failed["reason"] == "ZeroDivisionError: a fault of the test"
    assert "test_score.py" in failed["where"]
    assert result["cases"]["base-01"]["plates"]["seeds"] == [4]
    assert "failed: base-01 seed 3 plates: ZeroDivisionError" in out.getvalue()
    monkeypatch.setattr(sortie.scoring.work, "simulate_day", whole)
    assert score(request_of(seeds=(3, 4), sensors=("plates",))).kept == 1, "a crash is not kept"


def test_a_case_that_the_store_cannot_play_is_listed_and_not_scored(
    monkeypatch: pytest.MonkeyPatch, cache: Path, tmp_path: Path
) -> None:
    without_vision(monkeypatch, cache)
    document = yaml.safe_load(demo_store_path().read_text(encoding="utf-8"))
    document["slots"] = [slot for slot in document["slots"] if slot["bay_id"] != "bay-b"]
    store = tmp_path / "bare.yaml"
    store.write_text(yaml.safe_dump(document), encoding="utf-8")
    out = io.StringIO()
    path = tmp_path / "scores.json"
    status = run_score(
        Request(store, ("base-01",), (1, 2), sensors=("plates", "camera")),
        jobs=1, fresh=False, json_file=path, html_file=None,
        console=Console(file=out, width=200),
    )  # fmt: skip
    assert status == 0
    result = json.loads(path.read_text(encoding="utf-8"))
    (row,) = result["not_playable"]
    assert (row["case"], row["seeds"]) == ("base-01", [1, 2])
    assert "lacks 3 parts for 'gondolas'" in row["reason"]
    assert result["cases"] == {}
    assert result["total"]["plates"]["visits"] == 0
    assert (
        "not playable here: base-01 (seeds 1, 2): base-01.case:4: store demo lacks 3 parts"
        in out.getvalue()
    )


def test_seeds_kept_for_reporting_get_a_note(monkeypatch: pytest.MonkeyPatch, cache: Path) -> None:
    def refused(plan: Any, **_: Any) -> dict[str, Any]:
        raise ScenarioError("not here")

    monkeypatch.setattr(sortie.scoring.work, "simulate_day", refused)
    for seed, noted in ((10_000, True), (9_999, False)):
        out = io.StringIO()
        run_score(
            request_of(seeds=(seed,)), jobs=1, fresh=False, json_file=None, html_file=None,
            console=Console(file=out, width=200),
        )  # fmt: skip
        assert ("kept for reporting" in out.getvalue()) is noted


# ---------------------------------------------------------------- processes


def slow_pid(number: int) -> tuple[int, int]:
    """Work for a pool: who did it."""
    return number, os.getpid()


def dies_at_three(number: int) -> str:
    """Work of which one piece kills its process."""
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return f"done {number}"


def never_ends(number: int) -> int:
    """Work that nobody can wait for."""
    threading.Event().wait()
    return number


def test_work_is_spread_and_a_dead_process_costs_only_its_own_task() -> None:
    with closing(
        in_parallel(dies_at_three, range(6), jobs=2, died=lambda number: f"died {number}")
    ) as results:
        found = sorted(results)
    assert found == ["died 3", "done 0", "done 1", "done 2", "done 4", "done 5"]


def test_one_job_works_in_this_process() -> None:
    with closing(in_parallel(slow_pid, range(2), jobs=1, died=slow_pid)) as results:
        assert list(results) == [(0, os.getpid()), (1, os.getpid())]


def test_ctrl_c_ends_the_workers(monkeypatch: pytest.MonkeyPatch) -> None:
    strangers = {child.pid for child in multiprocessing.active_children()}
    workers: list[Any] = []

    def interrupted(*_: Any, **__: Any) -> Iterator[int]:
        workers.extend(
            child for child in multiprocessing.active_children() if child.pid not in strangers
        )
        raise KeyboardInterrupt

    monkeypatch.setattr("sortie.scoring.pool.wait", interrupted)
    with (
        pytest.raises(KeyboardInterrupt),
        closing(in_parallel(never_ends, range(4), jobs=2, died=never_ends)) as results,
    ):
        list(results)
    assert len(workers) == 2
    for worker in workers:
        worker.join()
        # Who reaps it first, the pool or this test, is a race; gone it must be.
        assert worker.exitcode in (-signal.SIGTERM, None)
        assert not psutil.pid_exists(worker.pid)


# ---------------------------------------------------------------- the command line


def test_results_are_bounded_by_bytes(tmp_path: Path) -> None:
    results = Results(tmp_path, bytes_max=2_500)
    for place, name in enumerate("abc"):
        results.save(name, {"filler": "x" * 980})
        os.utime(tmp_path / f"{name}.json", (place, place))
    assert results.load("a") is not None, "reading makes it the newest"
    assert results.trim() == 1
    assert results.load("b") is None
    assert results.load("a") is not None
    assert results.load("c") is not None


def test_a_torn_result_is_done_again(tmp_path: Path) -> None:
    results = Results(tmp_path)
    results.save("a", {"document": {}})
    (tmp_path / "a.json").write_text('{"docum', encoding="utf-8")
    assert results.load("a") is None


def test_cases_are_listed_with_the_winners_figure(tmp_path: Path) -> None:
    out, path = io.StringIO(), tmp_path / "cases.json"
    run_cases(path, console=Console(file=out, width=120))
    listed = json.loads(path.read_text(encoding="utf-8"))["cases"]
    assert list(listed) == list(CASES)
    for name, case in CASES.items():
        assert name in out.getvalue()
        assert listed[name]["winner_f1"] == case.winner_f1


def test_the_command_line_says_what_is_wrong() -> None:
    app = typer.Typer()
    register(app)
    run = CliRunner().invoke
    assert "base-01" in run(app, ["cases"]).output
    for arguments, said in (
        (["--cases", "nothing"], "no case matches"),
        (["--seeds", "x"], "expected A-B"),
        (["--json", "no/such/folder/x.json", "--cases", "base-01"], "there is no folder"),
    ):
        error = run(app, ["score", *arguments]).exception
        assert isinstance(error, UsageError)
        assert said in str(error)
