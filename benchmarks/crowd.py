"""A big shop, crowded: 50 shoppers and 30 cameras in one process, its cost and its memory.

    python -m benchmarks.crowd --seconds 60 --json crowd.json

The shop is the six-bay store twice, side by side, with two more ceiling cameras; 50 people come as
fast as the gate lets them in and wait until all are inside, then go on their trips. The nodes'
eyes open when the shop is full. World, pictures of all cameras, plates, perception of all nodes
and the hub run in lockstep, slower than real time.
"""

from __future__ import annotations

import argparse
import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from contracts.store_file import StoreFile, load_store_file
from edge.compose import CoreMaker
from edge.settings import NodeSettings
from hub.attribution.engine import Engine
from hub.service import Hub
from sortie.gallery import store_gallery
from sortie.lockstep import Lockstep, Phones
from sortie.stores import store_path
from store_sim.scenarios.script import parse_script
from store_sim.stream import SensorTick, SimulatedStream

__all__ = ["big_store", "measure"]

PEOPLE = 50
CAMERAS = 30
COPIES = 2
SEED = 4301
SCRIPT = f"title a crowd\nat-most {PEOPLE}\ncrowd {PEOPLE}\n"


def big_store(copies: int = COPIES) -> StoreFile:
    """The six-bay store some times, side by side, with CAMERAS cameras or as many as it has."""
    store = load_store_file(store_path("six-bay"))
    wide_m = store.floor.width_m
    document = store.model_dump(mode="json")
    grown: dict[str, Any] = {**document, "store_id": "big"}
    grown["floor"] = {**document["floor"], "width_m": copies * wide_m}
    for part in ("bays", "plates", "cameras", "slots", "nodes"):
        grown[part] = [
            row
            for copy in range(copies)
            for one in document[part]
            if (row := _copied(part, one, copy, wide_m)) is not None
        ]
    ceilings = [one for one in grown["cameras"] if one["role"] == "ceiling"]
    extra = CAMERAS - len(grown["cameras"])
    for k in range(extra):
        one = ceilings[k % len(ceilings)]
        grown["cameras"].append({**one, "camera_id": f"{one['camera_id']}-again-{k}"})
    return StoreFile.model_validate_json(json.dumps(grown))


def _copied(part: str, row: dict[str, Any], copy: int, wide_m: float) -> dict[str, Any] | None:
    """A row of the store file for one copy: other ids, moved along the wall."""
    if copy == 0:
        return row
    if part == "nodes":
        # The floor and the gates have one owner, who has them already.
        bays = [f"{bay}-{copy}" for bay in row["bays"]]
        new = {"node_id": f"{row['node_id']}-{copy}", "floor": False, "bays": bays, "gates": False}
        return new if bays else None
    named = {
        key: f"{value}-{copy}"
        for key, value in row.items()
        if key.endswith("_id") and isinstance(value, str)
    }
    new = {**row, **named}
    by_m = copy * wide_m
    if "origin_m" in row:
        new["origin_m"] = [row["origin_m"][0] + by_m, row["origin_m"][1]]
        new["boards"] = [
            {**board, "board_id": f"{board['board_id']}-{copy}"} for board in row["boards"]
        ]
    if "pose" in row:
        pose = row["pose"]
        new["pose"] = {
            **pose,
            "position_m": [pose["position_m"][0] + by_m, *pose["position_m"][1:]],
            "look_at_m": [pose["look_at_m"][0] + by_m, *pose["look_at_m"][1:]],
        }
        new["uri"] = f"{row['uri']}-{copy}"
    return new


def measure(seconds: float, *, full_s: float) -> dict[str, Any]:
    """Figures of `seconds` of the crowded store, from `full_s` on, by when people have come in."""
    store = big_store()
    hub = Hub.open(store, attributor=Engine)
    maker = CoreMaker(NodeSettings(sensors="both"), gallery=store_gallery(store))
    lockstep = Lockstep(store, hub, maker)
    phones = Phones(lockstep, SEED, lambda: lockstep.hub_now_s)
    scenario = parse_script(SCRIPT, "crowd.case").build("crowd", "", store, SEED)
    stream = SimulatedStream(
        store, scenario, SEED, phone=phones, begin_s=full_s, duration_s=full_s + seconds
    )
    inside: list[int] = []

    def watched() -> Iterator[SensorTick]:
        for tick in stream:
            inside.append(len(stream.world.scene().bodies))
            yield tick

    began_s = time.process_time()
    lockstep.run(watched(), progress=lambda t_s: _say(t_s - full_s, seconds))
    cpu_s = time.process_time() - began_s
    hub.close()
    return {
        "cameras": len(store.cameras),
        "plates": len(store.plates),
        "people_most": max(inside),
        "people_mean": round(sum(inside) / len(inside), 1),
        "store_s": seconds,
        "cpu_s_per_store_s": round(cpu_s / seconds, 2),
        "rss_max_mb": round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024),
    }


def _say(done_s: float, seconds: float) -> None:
    sys.stderr.write(f"\r{done_s:.0f} of {seconds:.0f} store seconds")
    sys.stderr.flush()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument("--full-s", type=float, default=320.0)
    parser.add_argument("--json", type=Path)
    arguments = parser.parse_args()
    result = measure(arguments.seconds, full_s=arguments.full_s)
    for name, value in result.items():
        sys.stdout.write(f"{name:20} {value}\n")
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
