"""The hub's process under load: events over a real Mosquitto, from sending to the hub's own ack.

    python -m benchmarks.load [--seconds 10] [--json FILE]

Twenty people shop in a store of twelve bays at once. Its nodes were cut off and now send what they
kept, at a fixed rate: singly, one event a letter, and in batches of 32 as the drain sends what
waited. The mix is that of the case `twenty-people` as the simulator plays it: per second of the
store 7.5 news of the floor, four watermarks and 0.43 reaches. Each event is decoded, checked,
attributed, journaled and projected in the one hub process, on SQLite in WAL mode with full
synchronisation, and acknowledged after its commit. Latency counts from the moment an event was due
to be sent, so that a sender held up by the hub does not hide it. Bare: the very rows that came of
it, written again in groups of 256 with the driver's executemany and nothing else.
"""

from __future__ import annotations

import argparse
import json
import math
import os
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path

import httpx

from benchmarks.crowd import big_store
from benchmarks.hub import bare_commits, closed_reach
from benchmarks.letters import Letters
from benchmarks.rig import (
    FLOOR_HZ,
    cpu_s_of,
    device_us,
    floor_news,
    middle,
    rss_mb_of,
    running_hub,
    seats_of,
)
from contracts import messages as m
from contracts.codec import joined, packed
from contracts.store_file import StoreFile

__all__ = ["LIMITS", "measure"]

LIMITS = {"singly": 3_000, "batched": 8_000}
"""Events a second that must be taken at P99_MS_MAX."""
P99_MS_MAX = 100.0
PEOPLE = 20
WATERMARK_HZ, REACH_HZ = 2.0, 0.43
BATCH = 32


def measure(seconds: float = 10.0) -> dict[str, dict[str, float]]:
    """Both ways of sending at their rates; see `_run` for what is measured."""
    return {
        "singly": _run(LIMITS["singly"], 1, seconds),
        "batched": _run(LIMITS["batched"], BATCH, seconds),
    }


def _run(rate: int, batch: int, seconds: float) -> dict[str, float]:
    """Rate achieved, latencies from due to acked, CPU of the hub, and the bare commits' rate."""
    layout = big_store()
    with (
        tempfile.TemporaryDirectory() as name,
        running_hub(layout, Path(name)) as (sender, http, pid),
    ):
        codes = [httpx.post(f"{http}/api/v1/phones/visits").json()["code"] for _ in range(PEOPLE)]
        count = round(rate * seconds)
        letters, events, last = _letters(layout, codes, count, rate, batch)
        cpu_s = cpu_s_of(pid)
        start_s = sender.send(letters)
        sender.wait(last)
        ended_s = max(t for times in sender.times.values() for _, t in times)
        cpu_s = cpu_s_of(pid) - cpu_s
        late_ms = sorted(_latencies_ms(events, sender.times, start_s))
        with closing(sqlite3.connect(Path(name) / "hub.sqlite")) as database:
            (bound,) = database.execute(
                "SELECT count(*) FROM visits WHERE stage != 'issued'"
            ).fetchone()
        bare_s = bare_commits(Path(name) / "hub.sqlite", Path(name) / "bare.sqlite")
        rss_mb = rss_mb_of(pid)
    achieved = count / (ended_s - start_s)
    return {
        "events": count,
        "offered_per_s": rate,
        "achieved_per_s": round(achieved),
        "p50_ms": round(late_ms[len(late_ms) // 2], 1),
        "p99_ms": round(late_ms[math.ceil(0.99 * len(late_ms)) - 1], 1),
        "hub_cpu_us_per_event": round(1e6 * cpu_s / count, 1),
        "bare_per_s": round(count / bare_s),
        "share_of_bare": round(achieved * bare_s / count, 3),
        "visits_bound": bound,
        "rss_mb": rss_mb,
        "load_1min": round(os.getloadavg()[0], 1),
    }


def _letters(
    layout: StoreFile, codes: list[str], count: int, rate: int, batch: int
) -> tuple[list[tuple[float, str, bytes]], dict[str, list[float]], dict[str, int]]:
    """Letters with when they are due; per device when each event is due; the last sequences.

    Events are stamped with the seconds before now in which the nodes were cut off.
    """
    floor = next(node.node_id for node in layout.nodes if node.floor)
    shelf = next(node.node_id for node in layout.nodes if node.bays and not node.floor)
    events = Letters(layout, "load")
    per_s = FLOOR_HZ + 2 * WATERMARK_HZ + 2 * REACH_HZ
    begin_us = device_us() - round(count / per_s * 1e6)
    rows: list[tuple[str, bytes]] = []
    for at_s, device, message in islice(_script(layout, floor, shelf, codes, begin_us), count):
        if isinstance(message, m.Watermark):
            message = message.model_copy(update={"last_seq": events.latest[device]})
        rows.append((device, events.wrapped(device, message, round(at_s * 1e6))))
    due: dict[str, list[float]] = {floor: [], shelf: []}
    letters = []
    waiting: dict[str, list[bytes]] = {floor: [], shelf: []}
    for number, (device, payload) in enumerate(rows):
        waiting[device].append(payload)
        if len(waiting[device]) >= batch or number >= count - 2 * batch:
            for part in packed(waiting[device], most=batch):
                due[device] += [number / rate] * len(part)
                channel = "events" if len(part) == 1 else "batch"
                letters.append((number / rate, events.channel(device, channel), joined(part)))
            waiting[device] = []
    return letters, due, events.latest


def _script(
    layout: StoreFile, floor: str, shelf: str, codes: list[str], begin_us: int
) -> Iterator[tuple[float, str, m.Message]]:
    """Everybody comes in at once, then stands at the bays and takes something now and then."""
    t_s = begin_us / 1e6
    for device in (floor, shelf):
        born = m.NodeBorn(software="load", config_revision=1, floor=device == floor)
        yield t_s, device, born
    gate = next(gate for gate in layout.gates if gate.kind == "entry")
    x_m, y_m = middle(gate)
    for k, code in enumerate(codes):
        t_s += 0.4
        yield t_s, floor, floor_news(t_s, {k: (x_m, y_m)}, "born")
        yield t_s, floor, m.GateScanned(gate_id=gate.gate_id, code=code, t_s=t_s)
        yield t_s, floor, floor_news(t_s + 0.2, {k: (x_m, y_m + 0.5)}, "alive")
    seats = seats_of(layout)[: len(codes)]
    if len(seats) < len(codes):
        raise RuntimeError(f"expected room for {len(codes)} before the shelves, got {len(seats)}")
    reaches = 0
    for step in range(10**9):
        at_s = t_s + step / FLOOR_HZ
        places = {k: (x + 0.02 * (step % 3), y) for k, (_, x, y) in enumerate(seats)}
        yield at_s, floor, floor_news(at_s, places, "alive")
        if step % round(FLOOR_HZ / WATERMARK_HZ) == 0:
            for device in (floor, shelf):
                yield at_s, device, m.Watermark(t_s=at_s, last_seq=-1)
        if step * REACH_HZ / FLOOR_HZ > reaches:
            slot, x_m, y_m = seats[reaches % len(seats)]
            name = f"load-{reaches}"
            pick = reaches // len(seats) % 2 == 0
            reaches += 1
            u_m = slot.u0_m + 0.1
            yield at_s, shelf, m.ReachOpened(reach_id=name, bay_id=slot.bay_id, t_s=at_s, u_m=u_m)
            closed = closed_reach(name, slot, x_m, at_s, body_y_m=y_m, pick=pick)
            yield at_s + closed.t_close_s - closed.t_open_s, shelf, closed


def _latencies_ms(
    due: dict[str, list[float]], times: dict[str, list[tuple[int, float]]], start_s: float
) -> Iterator[float]:
    for device, moments in due.items():
        acks = iter(times.get(device, ()))
        upto, at_s = -1, start_s
        for number, due_s in enumerate(moments):
            while upto < number:
                upto, at_s = next(acks)
            yield 1e3 * (at_s - start_s - due_s)


def main() -> None:
    """Prints the figures, and writes them as JSON if asked."""
    parser = argparse.ArgumentParser(description="The hub's process under load.")
    parser.add_argument("--seconds", type=float, default=10.0)
    parser.add_argument("--json", type=Path, default=None)
    options = parser.parse_args()
    result = measure(options.seconds)
    for way, figures in result.items():
        for name, value in figures.items():
            print(f"{way:8} {name:22} {value}")
    if options.json is not None:
        options.json.write_text(json.dumps(result, indent=2) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
