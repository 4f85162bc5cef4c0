"""`sortie bench edge|hub|parcels|sim|torture|year`: what the store costs, beside its limits.

The measuring itself lies in the checkout's folder benchmarks/.
"""

from __future__ import annotations

import importlib
import os
import resource
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.table import Table

from sortie.errors import UsageError
from sortie.output import write_json
from sortie.stores import store_path

__all__ = ["PARTS", "bench_document", "print_bench", "run_bench"]

SCHEMA = 1
RASTER_MS_MAX = {"people_4_without_noise_ms": 3.5, "people_4_optics_ms": 6.0}
"""Limits of a ceiling camera's picture."""
RASTER_WORDS = {
    "people_4_optics_ms": "four people, shadows, optics (distortion, blur, vignette, exposure, "
    "noise)",
    "people_4_every_dial_ms": "four people walking, every dial of light and lens",
    "h264_alone_ms": "through its H.264 stream, apart from drawing",
}
LOAD_S = 8.0
"""The load on the hub's process is kept up for so long, once in each way of sending."""
WALL_SEEDS = (5_001, 5_002)
"""Kept for reporting, as all from 5000 on: nothing may be tuned on them."""
TORTURE_SEEDS = 3_000
TORTURE_ROUNDS = 200
CHECKOUT = Path(__file__).resolve().parent.parent


def run_bench(part: str, *, json_file: Path | None) -> None:
    """Measures, prints a table, writes JSON; UsageError outside a checkout."""
    if json_file is not None and not json_file.parent.is_dir():
        raise UsageError(f"expected an existing folder for --json, got {json_file.parent}")
    if part not in PARTS:
        raise UsageError(f"expected one of {', '.join(PARTS)}, got {part!r}")
    with Console(stderr=True).status(f"measuring {part}; other programs change the figures"):
        result = bench_document(part, PARTS[part]())
    print_bench(Console(), result)
    if json_file is not None:
        write_json(json_file, result)


def bench_document(part: str, figures: Iterable[Any]) -> dict[str, Any]:
    """The JSON document: the figures of benchmarks.figures, and what they were measured on."""
    rows = [{**asdict(figure), "kept": figure.kept} for figure in figures]
    machine = _module("figures").machine()
    return {"schema": SCHEMA, "part": part, "machine": machine, "figures": rows}


def print_bench(console: Console, result: dict[str, Any]) -> None:
    """The figures as a table."""
    table = Table(title=f"sortie bench {result['part']}", title_justify="left")
    table.add_column("figure", overflow="fold")
    for column in ("median", "p95", "mean", "limit", "ratio", "n"):
        table.add_column(column, justify="right")
    for row in result["figures"]:
        table.add_row(
            row["name"],
            f"{_short(row['value'])} {row['unit']}",
            _short(row["p95"]),
            _short(row["mean"]),
            _limit(row),
            "" if row["ratio"] is None else f"{row['ratio']:.2f} x",
            str(row["n"]),
        )
    console.print(table)
    names = sorted({row["ratio_to"] for row in result["figures"] if row["ratio"] is not None})
    if names:
        console.print(f"ratio: to {', '.join(names)} in the same run")
    machine = result["machine"]
    console.print(
        f"{machine['cpu']}, {machine['cores']} cores, Python {machine['python']}, load "
        f"{machine['load_1min']}",
        highlight=False,
    )


def _edge() -> list[Any]:
    return list(_module("edge").measure())


def _hub() -> list[Any]:
    figure, hub = _module("figures").Figure, _module("hub")
    found = hub.run()
    count = found["events"]
    return [
        *_durable("SQLite", "hub", found),
        figure(
            "with decisions, six people reaching at once",
            found["with_decisions_events_per_s"],
            "1/s",
            count,
        ),
        *_durable("PostgreSQL", "hub on PostgreSQL", hub.run_postgres()),
        *_under_load(),
        *_on_phones(),
        *_in_store_time(),
    ]


def _durable(database: str, hub: str, found: dict[str, Any] | None) -> list[Any]:
    """Events durable in one hub process beside bare commits; nothing where nothing was found."""
    if found is None:
        Console(stderr=True).print(f"{database} is not installed: its figures are left out")
        return []
    figure, count = _module("figures").Figure, found["events"]
    return [
        figure(f"durable events a second, {hub}", found["hub_events_per_s"], "1/s", count),
        figure(
            f"durable events a second, bare {database}", found["bare_events_per_s"], "1/s", count
        ),
        figure(
            f"hub's share of bare {database}",
            found["share"],
            "share",
            count,
            limit=found["share_target"],
            at_least=True,
        ),
        figure(f"CPU of one event in the {hub}", found["hub_cpu_us_per_event"], "us", count),
    ]


def _under_load() -> list[Any]:
    """The hub's process at the rates it must take, over a real broker."""
    figure, load = _module("figures").Figure, _module("load")
    rows = []
    for way, found in load.measure(LOAD_S).items():
        count, rate = found["events"], found["achieved_per_s"]
        # A crowd stands beside the others, to compare; nothing is asked of it.
        limit, late_ms = (load.LIMITS[way], load.P99_MS_MAX) if way in load.LIMITS else (None, None)
        rows += [
            figure(f"events a second, {way}", rate, "1/s", count, limit=limit, at_least=True),
            figure(f"{way}: p99 to the ack", found["p99_ms"], "ms", count, limit=late_ms),
            figure(f"{way}: median to the ack", found["p50_ms"], "ms", count),
            figure(f"{way}: share of bare commits", found["share_of_bare"], "share", count),
            figure(f"{way}: CPU of one event", found["hub_cpu_us_per_event"], "us", count),
        ]
    return rows


def _on_phones() -> list[Any]:
    """A crowded store in real time: live carts and receipts as phones see them."""
    figure, found = _module("figures").Figure, _module("phones").measure()
    rows = _waits(found, f"{found['phones']} phones")
    rows.append(figure("picks no phone showed", found["picks_missed"], "", found["picks"]))
    for part in ("coming_in", "shopping", "leaving"):
        share = found[f"hub_cpu_share_{part}"]
        rows.append(figure(f"hub's share of a core, {part.replace('_', ' ')}", share, "share", 1))
    rows.append(figure("hub's memory after that", found["rss_mb"], "MB", 1))
    return rows


def _in_store_time() -> list[Any]:
    """The same crowd in store time: what the hub itself lets people wait, on any machine."""
    figure, found = _module("figures").Figure, _module("store_time").measure()
    return [
        *_waits(found, "in store time"),
        figure("in store time: hub's share of a core", found["cpu_share"], "share", 1),
        figure("in store time: a look of the staff page", found["staff_look_ms"], "ms", 1),
    ]


def _waits(found: dict[str, float], who: str) -> list[Any]:
    """Picks and receipts as phones show them."""
    figure, phones = _module("figures").Figure, _module("phones")
    rows = []
    for part, words, count in (
        ("cart", "pick to cart", found["picks"]),
        ("receipt", "exit to receipt", found["exits"]),
        ("paid", "exit to paid", found["exits"]),
    ):
        for share in (50, 95, 99):
            name = f"{part}_p{share}_ms"
            limit = phones.LIMITS.get(name)
            rows.append(
                figure(
                    f"{who}, {words}, p{share}",
                    found[name],
                    "ms",
                    count,
                    limit=limit,
                )
            )
    return rows


def _sim() -> list[Any]:
    figure, store = _module("figures").Figure, _module("store")
    raster = _module("raster")
    count = raster.REPEATS * raster.SCENES
    rows = []
    for camera, cases in raster.measure().items():
        size = camera.rpartition("_")[2]
        for case, spent_ms in cases.items():
            words = RASTER_WORDS.get(case) or case.removesuffix("_ms").replace("_", " ")
            name = f"rasteriser {size}, {words}"
            limit = RASTER_MS_MAX.get(case) if camera.startswith("ceiling") else None
            rows.append(figure(name, spent_ms, "ms", count, limit=limit))
    return [
        *rows,
        *store.measure_world(),
        *store.measure_day(),
        # Of the bigger shop only what it costs: the waits are the demo's to keep.
        store.measure_day(shoppers=4, path=store_path("six-bay"))[0],
        *store.measure_processes(),
    ]


def _torture() -> list[Any]:
    """Thousands of seeds and hundreds of kill rounds: what was done, checked and found."""
    from sortie.torture.rounds import run_rounds
    from sortie.torture.run import run_seeds

    figure = _module("figures").Figure
    began_s = _children_cpu_s()
    seeds = run_seeds(range(1, TORTURE_SEEDS + 1), jobs=os.cpu_count() or 1)
    spent_s = _children_cpu_s() - began_s
    rows = [
        figure("visits a CPU minute", 60.0 * seeds.visits / spent_s, "1/min", seeds.visits),
    ]
    parts = ((f"{TORTURE_SEEDS} seeds", seeds.document()),
             (f"{TORTURE_ROUNDS} kill rounds", run_rounds(TORTURE_ROUNDS)))  # fmt: skip
    for name, document in parts:
        count = document["seeds"]
        found = float(len(document["violations"]))
        rows.append(figure(f"{name}: violations", found, "", count, limit=0.0))
        rows.append(figure(f"{name}: visits", float(document["visits"]), "", count))
        for part in ("faults", "checks"):
            for what, many in document[part].items():
                rows.append(figure(f"{name}, {part}: {what}", float(many), "", count))
    return rows


def _parcels() -> list[Any]:
    """Pick-up walls: labels read, what seeing costs, and retrievals against the truth."""
    from auditor.wall import joined
    from sortie.parcels.scoring import WallRequest, chosen_wall_cases, score_walls
    from sortie.stores import WALL_STORES, store_path

    figure = _module("figures").Figure
    cost = _module("wall_seeing").measure()
    request = WallRequest(
        tuple(store_path(name) for name in WALL_STORES), chosen_wall_cases(()), WALL_SEEDS
    )
    outcomes = score_walls(request, jobs=os.cpu_count() or 1)
    score = joined(one.score for one in outcomes)
    found = score.document()
    count, wrong = found["retrievals"], found["wrong_takings"]
    failed = sum(one.error is not None for one in outcomes)
    rows = [
        *_module("labels").figures(),
        figure("wall seeing: 24 parcels, full HD, 5 a second", cost.core_share, "core",
               cost.busy_frames, limit=0.5, ratio=cost.busy_mean_ms / cost.bare_ms,
               ratio_to="bare zxing-cpp"),
        figure("wall seeing: an unchanged wall's frame", cost.idle_ms, "ms", cost.idle_frames,
               ratio=cost.idle_ms / cost.bare_ms, ratio_to="bare zxing-cpp"),
        figure("runs that failed", float(failed), "", len(outcomes), limit=0.0),
        figure("green on a wrong parcel", float(found["green_wrong"]), "", count, limit=0.0),
        figure("green on an unknown parcel", float(found["green_unknown"]), "", count, limit=0.0),
        figure("right parcel never green", float(found["green_missing"]), "", count),
    ]  # fmt: skip
    for name, values, unit, limit in (
        ("green after the scan, p95", found["green_latency_s"]["p95"], "s", 0.3),
        ("light off its label, p95", found["projection_error_mm"]["p95"], "mm", 5.0),
        ("light off where the node has the label, p95", found["aim_mm"]["p95"], "mm", None),
        ("mark off the face's middle, p95", found["off_centre_mm"]["p95"], "mm", None),
    ):
        if values is not None:
            rows.append(figure(name, values, unit, count, limit=limit))
    if wrong["happened"]:
        share = wrong["noticed"] / wrong["happened"]
        rows.append(figure("wrong takings noticed within 1 s", share, "share", wrong["happened"],
                           limit=0.99, at_least=True))  # fmt: skip
    back = found["put_back"]
    if back["happened"]:
        rows += [
            figure("put back and never green again", float(back["dark"]), "", back["happened"]),
            figure("put back after it was handed over", float(back["handed_over"]), "",
                   back["happened"]),
        ]  # fmt: skip
    if found["takings"]:
        share = wrong["false_alarms"] / found["takings"]
        rows.append(figure("false alarms a taking", share, "share", found["takings"], limit=0.005))
    return rows


def _year() -> list[Any]:
    return list(_module("year").figures())


def _children_cpu_s() -> float:
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    return spent.ru_utime + spent.ru_stime


PARTS: dict[str, Callable[[], list[Any]]] = {
    "edge": _edge,
    "hub": _hub,
    "parcels": _parcels,
    "sim": _sim,
    "torture": _torture,
    "year": _year,
}
"""What can be measured."""


def _module(name: str) -> Any:
    """A module of the checkout's benchmarks, which are not installed with the package."""
    if not (CHECKOUT / "benchmarks" / f"{name}.py").is_file():
        raise UsageError(
            f"expected benchmarks/{name}.py beside the package in {CHECKOUT}; measure in a checkout"
        )
    if str(CHECKOUT) not in sys.path:
        sys.path.append(str(CHECKOUT))
    return importlib.import_module(f"benchmarks.{name}")


def _short(value: float | None) -> str:
    if value is None:
        return ""
    return f"{value:,.0f}" if abs(value) >= 1000 else f"{value:.3g}"


def _limit(row: dict[str, Any]) -> str:
    if row["limit"] is None:
        return ""
    sign = ">=" if row["at_least"] else "<="
    colour = "green" if row["kept"] else "red"
    return f"[{colour}]{sign} {_short(row['limit'])}[/]"
