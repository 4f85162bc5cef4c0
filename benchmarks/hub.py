"""Durable events per second through the hub, against bare SQLite group commits of the same rows.

    python -m benchmarks.hub [--json FILE]

Two nodes of the demo store send a mix as of a busy store: floor tracks, reaches that open and
close, watermarks. They go through the facade as in production: decoded, checked, applied,
handed to the real attribution engine, journaled and committed in batches of 256 to a file in WAL
mode with full synchronisation. Deciding is apart (a tick a batch): what it costs depends on how
many people reach at once, not on storage. The bare run writes the very rows that came of it into
the same tables, in as many transactions, with the driver's executemany and nothing else. Medians of
REPEATS runs, taken in turns; wall clock, because waiting for the disk is part of both.

The same on PostgreSQL, if it is installed: a server of its own on a Unix socket that synchronises
each commit, a database for each run, and bare group commits of the same rows beside it there.
"""

from __future__ import annotations

import argparse
import json
import os
import sqlite3
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from statistics import median
from typing import Any, Literal

import psycopg
from psycopg import sql

import store_sim
from benchmarks.cluster import Cluster, programs
from benchmarks.letters import Letters
from contracts import messages as m
from contracts.store_file import Slot, StoreFile, load_store_file
from hub.attribution.engine import Engine
from hub.memory import settle_collector
from hub.rules import Rules
from hub.service import BATCH_MAX, Hub
from hub.store.service import Store

__all__ = ["Did", "bare_commits", "closed_reach", "run", "run_postgres"]

Did = Literal["pick", "put_back", "touch"]

EVENTS = 5_120
REPEATS = 5
DECIDED_EVENTS = 512
"""Reaches come six times a second here: far denser than a day in a store."""
MESSAGES_A_SECOND = 50.0
PEOPLE_X_M = (0.8, 1.3, 2.7, 4.6)
"""Four people before the bays of the demo store."""
TABLES = ("inbox", "commands", "events")
TARGET_SHARE = 0.2


def run() -> dict[str, Any]:
    """Both rates in events per second, their share, and the share's target."""
    layout, messages = _prepared()
    spent: dict[str, list[float]] = {"taken": [], "bare": [], "cpu": []}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for repeat in range(REPEATS):
            path = folder / f"taken-{repeat}.sqlite"
            wall_s, cpu_s = _through_hub(layout, f"sqlite:///{path}", messages, decide=False)
            spent["taken"].append(wall_s)
            spent["cpu"].append(cpu_s)
            spent["bare"].append(bare_commits(path, folder / f"bare-{repeat}.sqlite"))
        few, url = messages[:DECIDED_EVENTS], f"sqlite:///{folder / 'decided.sqlite'}"
        decided_s, _ = _through_hub(layout, url, few, decide=True)
    return {
        **_compared(spent),
        "with_decisions_events_per_s": round(DECIDED_EVENTS / decided_s),
        "load_1min": round(os.getloadavg()[0], 1),
    }


def run_postgres() -> dict[str, Any] | None:
    """The same on PostgreSQL, without decisions; None if it is not installed."""
    found = programs()
    if found is None:
        return None
    layout, messages = _prepared()
    spent: dict[str, list[float]] = {"taken": [], "bare": [], "cpu": []}
    server = Cluster(found)
    try:
        server.start()
        empty = server.create()
        Store(server.url(empty)).close()
        for _ in range(REPEATS):
            taken, bare = server.create(empty), server.create(empty)
            wall_s, cpu_s = _through_hub(layout, server.url(taken), messages, decide=False)
            spent["taken"].append(wall_s)
            spent["cpu"].append(cpu_s)
            spent["bare"].append(_bare_on_postgres(server.url(taken), server.url(bare)))
            server.drop(taken)
            server.drop(bare)
    finally:
        server.remove()
    return {**_compared(spent), "load_1min": round(os.getloadavg()[0], 1)}


def _prepared() -> tuple[StoreFile, list[tuple[str, bytes]]]:
    layout = load_store_file(Path(store_sim.__file__).parent / "stores" / "demo.yaml")
    # As the process does (hub.main).
    settle_collector()
    return layout, _messages(layout, EVENTS)


def _compared(spent: dict[str, list[float]]) -> dict[str, Any]:
    rates = {kind: EVENTS / median(values) for kind, values in spent.items()}
    return {
        "events": EVENTS,
        "batch": BATCH_MAX,
        "hub_events_per_s": round(rates["taken"]),
        "bare_events_per_s": round(rates["bare"]),
        "share": round(rates["taken"] / rates["bare"], 3),
        "share_target": TARGET_SHARE,
        "hub_cpu_us_per_event": round(1e6 / rates["cpu"], 1),
    }


def _through_hub(
    layout: StoreFile, url: str, messages: list[tuple[str, bytes]], *, decide: bool
) -> tuple[float, float]:
    """Wall and CPU seconds from the first message to the last ack."""
    # These nodes answer no ping, so that there is nothing to wait for.
    rules = Rules(clock_wait_s=0.0)
    hub = Hub.open(layout, url=url, attributor=Engine, rules=rules)
    try:
        hub.start(0.0)
        began, cpu_began = time.perf_counter(), time.process_time()
        for index in range(0, len(messages), BATCH_MAX):
            now_s = 1.0 + index / MESSAGES_A_SECOND
            acks = hub.ingest(messages[index : index + BATCH_MAX], now_s)
            if decide:
                hub.tick(now_s)
        spent = time.perf_counter() - began, time.process_time() - cpu_began
        last = {m.HubAck.model_validate_json(ack.payload).upto_seq for ack in acks}
        stored = hub.export_json()["inbox"]
    finally:
        hub.close()
    if len(stored) != len(messages) or min(last) < 0:
        raise RuntimeError(f"expected {len(messages)} stored events, got {len(stored)}")
    return spent


def bare_commits(source: Path, target: Path) -> float:
    """The same rows into the same tables, in as many transactions, and nothing else."""
    with closing(sqlite3.connect(source)) as old, closing(sqlite3.connect(target)) as new:
        new.isolation_level = None
        for pragma in ("journal_mode=WAL", "synchronous=FULL"):
            new.execute(f"PRAGMA {pragma}")
        schema = old.execute(
            "SELECT sql FROM sqlite_master WHERE tbl_name IN (?, ?, ?) AND sql IS NOT NULL", TABLES
        )
        for (statement,) in schema.fetchall():
            new.execute(statement)
        rows = {name: old.execute(f"SELECT * FROM {name}").fetchall() for name in TABLES}
        began = time.perf_counter()
        for groups in _groups(rows):
            new.execute("BEGIN IMMEDIATE")
            for name, part in groups.items():
                marks = ", ".join("?" * len(part[0]))
                new.executemany(f"INSERT INTO {name} VALUES ({marks})", part)
            new.execute("COMMIT")
        return time.perf_counter() - began


def _bare_on_postgres(source: str, target: str) -> float:
    """As `bare_commits`, from one database to another with the same tables, which are empty."""
    with _session(source) as old:
        rows = {
            name: old.execute(sql.SQL("SELECT * FROM {}").format(sql.Identifier(name))).fetchall()
            for name in TABLES
        }
    with _session(target) as new, new.cursor() as cursor:
        began = time.perf_counter()
        for groups in _groups(rows):
            with new.transaction():
                for name, part in groups.items():
                    marks = sql.SQL(", ").join([sql.Placeholder()] * len(part[0]))
                    insert = sql.SQL("INSERT INTO {} VALUES ({})")
                    cursor.executemany(insert.format(sql.Identifier(name), marks), part)
        spent_s = time.perf_counter() - began
        stored = new.execute("SELECT count(*) FROM inbox").fetchone()
    if stored is None or stored[0] != len(rows["inbox"]):
        raise RuntimeError(f"expected {len(rows['inbox'])} stored events, got {stored}")
    return spent_s


def _session(url: str) -> psycopg.Connection[tuple[Any, ...]]:
    return psycopg.connect(url.replace("+psycopg", ""), autocommit=True)


def _groups(rows: dict[str, list[Any]]) -> Iterator[dict[str, list[Any]]]:
    """The rows of each table in as many parts as there were full batches; empty parts left out."""
    commits = -(-len(rows["inbox"]) // BATCH_MAX)
    for index in range(commits):
        parts = {
            name: of_table[
                index * len(of_table) // commits : (index + 1) * len(of_table) // commits
            ]
            for name, of_table in rows.items()
        }
        yield {name: part for name, part in parts.items() if part}


def _messages(layout: StoreFile, count: int) -> list[tuple[str, bytes]]:
    floor = next(node.node_id for node in layout.nodes if node.floor)
    shelf = next(node for node in layout.nodes if node.bays)
    letters = Letters(layout, "bench")
    return [
        (letters.channel(device), letters.wrapped(device, message, round(at_s * 1e6)))
        for at_s, device, message in islice(_script(layout, floor, shelf.node_id), count)
    ]


def _script(layout: StoreFile, floor: str, shelf: str) -> Iterator[tuple[float, str, m.Message]]:
    """Four messages of the floor, a reach's two and a watermark of each node, again and again."""
    slots = layout.slots
    origins = {bay.bay_id: bay.origin_m[0] for bay in layout.bays}
    step = 0
    while True:
        at_s = 0.5 + step * 0.16
        for part in range(4):
            yield at_s, floor, _floor_news(at_s + part * 0.03, step)
        yield at_s + 0.12, floor, m.Watermark(t_s=at_s + 0.12, last_seq=step * 5 + 3)
        slot = slots[step % len(slots)]
        body_x_m = origins[slot.bay_id] + slot.u0_m + 0.2
        name = f"reach-{step}"
        opened = m.ReachOpened(reach_id=name, bay_id=slot.bay_id, t_s=at_s, u_m=slot.u0_m + 0.1)
        yield at_s, shelf, opened
        yield at_s + 0.1, shelf, closed_reach(name, slot, body_x_m, at_s)
        yield at_s + 0.12, shelf, m.Watermark(t_s=at_s + 0.12, last_seq=step * 3 + 1)
        step += 1


def _floor_news(t_s: float, step: int) -> m.FloorTracksMoved:
    return m.FloorTracksMoved(
        t_s=t_s,
        segments=tuple(
            m.TrackSegment(
                track_id=f"track-{index}",
                state="alive" if step else "born",
                points=(m.TrackPoint(t_s=t_s, x_m=x_m, y_m=3.2 + step % 3 * 0.05, sd_m=0.1),),
            )
            for index, x_m in enumerate(PEOPLE_X_M)
        ),
    )


def closed_reach(
    name: str,
    slot: Slot,
    body_x_m: float,
    at_s: float,
    *,
    body_y_m: float = 3.2,
    kind: Did = "pick",
) -> m.ReachClosed:
    """A hand that clearly takes one piece of a slot's article, puts one back, or does neither."""
    likely = m.ProductScores(
        top=(m.ProductLikelihood(gtin=slot.gtin, log_likelihood=-0.1),), other=-4.0
    )
    change = m.FacingChange(
        board_id=slot.board_id,
        u0_m=slot.u0_m + 0.1,
        u1_m=slot.u0_m + 0.2,
        t_before_s=at_s,
        t_after_s=at_s + 0.1,
        action={
            "pick": m.ActionLikelihood(pick=-0.2, put_back=-5.0, nothing=-3.0),
            "put_back": m.ActionLikelihood(pick=-5.0, put_back=-0.2, nothing=-3.0),
            "touch": m.ActionLikelihood(pick=-6.0, put_back=-6.0, nothing=-0.1),
        }[kind],
        pieces=(-0.1, -3.0),
        products=likely,
    )
    hand = m.HandSeen(
        hand_id=f"hand-{name}",
        t_in_s=at_s,
        t_out_s=at_s + 0.1,
        u_m=slot.u0_m + 0.15,
        z_m=0.6,
        sd_u_m=0.05,
        sd_z_m=0.05,
        body_x_m=body_x_m,
        body_y_m=body_y_m,
        held_in=0.9 if kind == "put_back" else 0.1,
        held_out=0.9 if kind == "pick" else 0.1,
        products=likely,
    )
    return m.ReachClosed(
        reach_id=name,
        bay_id=slot.bay_id,
        t_open_s=at_s,
        t_close_s=at_s + 0.1,
        u_m=slot.u0_m + 0.15,
        hands=(hand,),
        changes=(change,),
        camera_ok=True,
        plates_ok=False,
    )


def main() -> None:
    """Prints the figures, and writes them as JSON if asked."""
    parser = argparse.ArgumentParser(description="Durable events per second of the hub.")
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    result = {**run(), "postgresql": run_postgres()}
    for name, value in result.items():
        print(f"{name:22} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
