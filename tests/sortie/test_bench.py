"""The benchmarks run on little and give figures; how large these are is no test's business."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from rich.console import Console

import benchmarks.hub
import benchmarks.load
import benchmarks.phones
import benchmarks.raster
import benchmarks.store_time
from benchmarks import edge, figures, store
from benchmarks.listeners import Seen
from sortie import bench
from sortie.bench import bench_document, print_bench, run_bench
from sortie.errors import UsageError


def test_a_node_is_measured_part_by_part() -> None:
    rows = {row.name: row for row in edge.measure(frames=6, day_s_max=40.0)}
    judged = {name for name, row in rows.items() if row.limit is not None}
    assert judged == {
        "shelf camera, moving, outside ONNX Runtime",
        "shelf detector, inside ONNX Runtime",
        "shelf camera, idle",
    }
    assert {"decoding H.264 960x540, apart", "decoding H.264 640x360, apart"} <= set(rows)
    assert all(row.value > 0 and row.n > 0 for row in rows.values())
    assert rows["shelf detector, inside ONNX Runtime"].ratio is not None
    assert rows["shelf camera, moving, outside ONNX Runtime"].n >= 6


def test_world_and_plates_are_measured() -> None:
    rows = store.measure_world(seconds=0.5)
    assert len(rows) == 2
    assert all(row.value > 0 for row in rows)


def test_a_day_gives_its_cost_and_its_waiting_times() -> None:
    rows = {row.name: row for row in store.measure_day(shoppers=1, sensors="plates")}
    whole = rows["CPU seconds a store second, whole demo store in lockstep"]
    parts = [row.value for name, row in rows.items() if name.startswith("  of these")]
    assert whole.value > 0
    assert sum(parts) <= whole.value * 1.01
    assert 0 <= rows["picks that came into the cart"].value <= 1


def test_pick_to_cart_takes_each_decision_once() -> None:
    def decided(at_s: float, reach: str, **more: object) -> dict[str, object]:
        data = {"certain": True, "gtin": "g", "quantity": 1, "reach_id": reach, "line": 0}
        return {
            "kind": "decision.made",
            "visit_id": "v",
            "at_us": round(at_s * 1e6),
            "data": {**data, **more},
        }

    events = [
        decided(9.0, "before"),
        decided(12.0, "r1", certain=False),
        {**decided(13.0, "r1"), "kind": "decision.revised"},
        decided(14.0, "back", quantity=-1),
        {**decided(15.0, "r2"), "visit_id": "other"},
        decided(17.5, "r3"),
        {**decided(18.0, "r3"), "kind": "decision.revised"},
    ]
    takes = [("v", "g", 16.0), ("v", "g", 10.0), ("v", "g", 17.0), ("v", "h", 10.0)]
    assert store.pick_to_cart_s(takes, events) == pytest.approx([3.0, 1.5])


@pytest.mark.usefixtures("postgres")
def test_the_hub_is_measured_against_bare_commits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.hub, "EVENTS", 64)
    monkeypatch.setattr(benchmarks.hub, "DECIDED_EVENTS", 32)
    monkeypatch.setattr(benchmarks.hub, "REPEATS", 1)
    way = {"events": 9, "achieved_per_s": 2_999, "p50_ms": 9.0, "p99_ms": 101.0}
    way |= {"share_of_bare": 0.1, "hub_cpu_us_per_event": 200.0}
    monkeypatch.setattr(benchmarks.load, "_run", lambda *_rates, **_crowd: way)
    seen = {
        f"{part}_p{share}_ms": 250.0 + share
        for part in ("cart", "receipt", "paid")
        for share in (50, 95, 99)
    }
    shares = {f"hub_cpu_share_{part}": 0.2 for part in ("coming_in", "shopping", "leaving")}
    more = {"phones": 240, "picks": 5, "picks_missed": 1, "exits": 60, "rss_mb": 200.0}
    monkeypatch.setattr(benchmarks.phones, "measure", lambda: {**seen, **shares, **more})
    alone = {"picks": 5, "exits": 60, "cpu_share": 0.1, "staff_look_ms": 2.0}
    monkeypatch.setattr(benchmarks.store_time, "measure", lambda: {**seen, **alone})
    result = bench_document("hub", bench.PARTS["hub"]())
    judged = {row["name"]: row for row in result["figures"] if row["limit"] is not None}
    for database in ("SQLite", "PostgreSQL"):
        share = judged.pop(f"hub's share of bare {database}")
        assert share["at_least"]
        assert share["value"] > 0
    assert {name: (row["limit"], row["kept"]) for name, row in judged.items()} == {
        "events a second, singly": (3_000, False),
        "singly: p99 to the ack": (100.0, False),
        "events a second, batched": (8_000, False),
        "batched: p99 to the ack": (100.0, False),
        "240 phones, pick to cart, p99": (300.0, False),
        "240 phones, exit to receipt, p99": (1_000.0, True),
        "in store time, pick to cart, p99": (300.0, False),
        "in store time, exit to receipt, p99": (1_000.0, True),
    }


def test_without_postgresql_its_figures_are_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    sqlite = {"events": 1, "hub_events_per_s": 2, "bare_events_per_s": 8, "share": 0.25}
    sqlite |= {"share_target": 0.2, "hub_cpu_us_per_event": 1, "with_decisions_events_per_s": 1}
    monkeypatch.setattr(benchmarks.hub, "run", lambda: sqlite)
    monkeypatch.setattr(benchmarks.hub, "programs", lambda: None)
    monkeypatch.setattr(bench, "_under_load", list)
    monkeypatch.setattr(bench, "_on_phones", list)
    monkeypatch.setattr(bench, "_in_store_time", list)
    names = [row.name for row in bench.PARTS["hub"]()]
    assert "hub's share of bare SQLite" in names
    assert not [name for name in names if "PostgreSQL" in name]
    assert "PostgreSQL is not installed" in capsys.readouterr().err


def test_phones_are_timed_pick_by_pick() -> None:
    seen = Seen()
    line = {"gtin": "g", "quantity": 1}
    open_visit = {"stage": "shopping", "receipt": None}
    seen.take(1.0, {**open_visit, "lines": []})
    seen.take(2.5, {**open_visit, "lines": [line]})
    seen.take(9.0, {**open_visit, "lines": [line, line]})
    seen.take(
        9.5, {"stage": "final", "lines": [line], "receipt": {"total_minor": 5, "paid": False}}
    )
    seen.take(9.7, {"stage": "final", "lines": [line], "receipt": {"total_minor": 5, "paid": True}})
    assert (seen.final_s, seen.paid_s) == (9.5, 9.7)
    told = [("g", 2.0), ("h", 3.0), ("g", 8.5), ("g", 9.2)]
    person = benchmarks.phones.Person(0, [], front=True, told=told)
    assert benchmarks.phones.carts_ms([person], {0: seen}) == ([500.0, 500.0], 2)


def test_the_crowd_in_store_time_shops_and_leaves(monkeypatch: pytest.MonkeyPatch) -> None:
    little = {"PEOPLE": 8, "ROUNDS": 1, "LEAVING": 4, "PICKS_PER_S": 2.0}
    for name, value in little.items():
        monkeypatch.setattr(benchmarks.phones, name, value)
    monkeypatch.setattr(benchmarks.store_time, "COPIES", 1)
    found, again = benchmarks.store_time.measure(), benchmarks.store_time.measure()
    assert (found["phones"], found["exits"], found["picks_missed"]) == (8, 4, 0)
    assert found["picks"] > 10
    waits = {name: value for name, value in found.items() if name.endswith("_ms")}
    del waits["staff_look_ms"]
    assert all(0.0 <= value < float("inf") for value in waits.values())
    assert waits == {name: again[name] for name in waits}, "store time is the same everywhere"


def test_the_rasteriser_has_its_limits(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(benchmarks.raster, "SCENES", 1)
    monkeypatch.setattr(benchmarks.raster, "REPEATS", 1)
    monkeypatch.setattr(store, "measure_world", list)
    day = figures.Figure("a day", 1.0, "s", 1)
    monkeypatch.setattr(store, "measure_day", lambda **_: [day])
    monkeypatch.setattr(store, "measure_processes", list)
    rows = bench.PARTS["sim"]()
    judged = [row for row in rows if row.limit is not None]
    assert [(row.name, row.limit) for row in judged] == [
        ("rasteriser 640x360, people 4 without noise", 3.5),
        (
            "rasteriser 640x360, four people, shadows, optics (distortion, blur, vignette, "
            "exposure, noise)",
            6.0,
        ),
    ]
    assert all(row.value > 0 for row in rows)


def test_table_and_json_say_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = [
        figures.of_samples("quick", [1.0, 2.0, 9.0], "ms", limit=4.0, bare=1.0, ratio_to="bare"),
        figures.Figure("share", 0.1, "share", 3, limit=0.2, at_least=True),
    ]
    monkeypatch.setitem(bench.PARTS, "edge", lambda: rows)
    path = tmp_path / "bench.json"
    run_bench("edge", json_file=path)
    document = json.loads(path.read_text())
    assert (document["schema"], document["part"]) == (1, "edge")
    assert [row["kept"] for row in document["figures"]] == [True, False]
    assert document["figures"][0]["value"] == 2.0
    assert document["figures"][0]["p95"] == 9.0
    assert document["machine"]["cores"] > 0
    said = capsys.readouterr().out
    assert "2 ms" in said
    assert "2.00 x" in said
    assert "ratio: to bare" in said
    print_bench(Console(), document)


def test_without_a_checkout_it_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bench, "CHECKOUT", tmp_path)
    with pytest.raises(UsageError, match="measure in a checkout"):
        run_bench("edge", json_file=None)


def test_no_samples_is_an_error() -> None:
    with pytest.raises(ValueError, match="expected samples of idle"):
        figures.of_samples("idle", [], "ms")
