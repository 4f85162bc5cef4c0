"""The hub's process under load: events over a real Mosquitto, from sending to the hub's own ack.

    python -m benchmarks.load [--seconds 10] [--json FILE]

A day goes on in a store of twelve bays (benchmarks.shop): one shopper after another comes in, takes
things, leaves and is charged. Its nodes were cut off and now send what they kept, at a fixed rate:
singly, one event a letter, and in batches of 32 as the drain sends what waited. Each event is
decoded, checked, attributed, journaled and projected in the one hub process, on SQLite in WAL mode
with full synchronisation, and acknowledged after its commit; the money is held and captured beside.
A third way, `crowded`, has no limit: batches as before, with 20 bodies on the floor at all times.

Latency counts from the moment an event was due to be sent, so that a sender held up by the hub does
not hide it. Bare: the very rows that came of it, written again in groups of 256 with the driver's
executemany and nothing else.
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
from benchmarks.hub import bare_commits
from benchmarks.letters import Letters
from benchmarks.rig import (
    FLOOR_HZ,
    cpu_s_of,
    device_us,
    rss_mb_of,
    running_hub,
)
from benchmarks.shop import ARRIVAL_S, AT_ONCE, REACH_HZ, WATERMARK_HZ, of_two_nodes, told
from contracts import messages as m
from contracts.codec import joined, packed
from contracts.store_file import StoreFile

__all__ = ["LIMITS", "measure"]

LIMITS = {"singly": 3_000, "batched": 8_000}
"""Events a second that must be taken at P99_MS_MAX."""
P99_MS_MAX = 100.0
BATCH = 32
CROWD = 20
EVENTS_A_SECOND = FLOOR_HZ + 2 * WATERMARK_HZ + 2 * REACH_HZ
VISITS_PER_ADDRESS = 200
"""The hub lets no more begin from one address in a minute."""


def measure(seconds: float = 10.0) -> dict[str, dict[str, float]]:
    """All ways of sending at their rates; see `_run` for what is measured."""
    return {
        "singly": _run(LIMITS["singly"], 1, seconds),
        "batched": _run(LIMITS["batched"], BATCH, seconds),
        "crowded": _run(LIMITS["batched"], BATCH, seconds, at_once=CROWD),
    }


def _run(rate: int, batch: int, seconds: float, at_once: int = AT_ONCE) -> dict[str, float]:
    """Rate achieved, latencies from due to acked, CPU of the hub, and the bare commits' rate."""
    layout = of_two_nodes(big_store())
    with (
        tempfile.TemporaryDirectory() as name,
        running_hub(layout, Path(name)) as (sender, http, pid),
    ):
        count = round(rate * seconds)
        codes = _codes(http, math.ceil(count / EVENTS_A_SECOND / ARRIVAL_S) + 1)
        letters, events, last = _letters(layout, codes, count, rate, batch, at_once)
        cpu_s = cpu_s_of(pid)
        start_s = sender.send(letters)
        sender.wait(last)
        ended_s = max(t for times in sender.times.values() for _, t in times)
        cpu_s = cpu_s_of(pid) - cpu_s
        late_ms = sorted(_latencies_ms(events, sender.times, start_s))
        with closing(sqlite3.connect(Path(name) / "hub.sqlite")) as database:
            stages = dict(
                database.execute("SELECT stage, count(*) FROM visits GROUP BY stage").fetchall()
            )
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
        "visits_begun": sum(stages.values()) - stages.get("issued", 0),
        "visits_over": stages.get("settled", 0) + stages.get("final", 0),
        "rss_mb": rss_mb,
        "load_1min": round(os.getloadavg()[0], 1),
    }


def _codes(http: str, count: int) -> list[str]:
    """The codes of as many visits."""
    codes: list[str] = []
    for k in range(0, count, VISITS_PER_ADDRESS):
        source = httpx.HTTPTransport(local_address=f"127.0.0.{2 + k // VISITS_PER_ADDRESS}")
        with httpx.Client(transport=source) as client:
            codes += [
                client.post(f"{http}/api/v1/phones/visits").raise_for_status().json()["code"]
                for _ in range(min(VISITS_PER_ADDRESS, count - k))
            ]
    return codes


def _letters(
    layout: StoreFile, codes: list[str], count: int, rate: int, batch: int, at_once: int
) -> tuple[list[tuple[float, str, bytes]], dict[str, list[float]], dict[str, int]]:
    """Letters with when they are due; per device when each event is due; the last sequences.

    Events are stamped with the seconds before now in which the nodes were cut off.
    """
    floor = next(node.node_id for node in layout.nodes if node.floor)
    shelf = next(node.node_id for node in layout.nodes if node.bays and not node.floor)
    events = Letters(layout, "load")
    begin_s = device_us() / 1e6 - count / EVENTS_A_SECOND
    rows: list[tuple[str, bytes]] = []
    day = told(layout, floor, shelf, codes, begin_s, at_once=at_once)
    for at_s, device, message in islice(day, count):
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
