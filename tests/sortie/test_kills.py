"""SIGKILL of hub, node and broker in the middle of a day: the receipts stay what they were.

Real processes, real Mosquitto, real time, real plates; only the heads in the ceiling cameras'
pictures need not be found (see kill_rig). The same scripted day runs undisturbed and disturbed.
Conditions are waited for with deadlines that a slow machine keeps; nothing is timed.
"""

from __future__ import annotations

import importlib.util
import os
import signal
import sys
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import paho.mqtt.client as mqtt
import pytest
from paho.mqtt.enums import CallbackAPIVersion

from auditor.ledger import HOLD_ENDS, audit
from auditor.read import read_export, read_truth
from contracts.topics import topic
from sortie.day import demo_store_path
from sortie.serve import StorePlan, StoreProcesses, get_json
from sortie.supervisor import Supervisor

RIG = Path(__file__).with_name("kill_rig.py")
DEADLINE_S = 150.0
SEED = 11
NODES = ("node-shelf",)
"""Plates are read on from where they were. Pictures are not kept by anybody, so that a floor node
that is away for long has not seen who stood where; that is no receipt's fault and not tested."""
PATIENCE = {
    "SORTIE_NODE_CAMERA__FRAME_AGE_S_MAX": "5",
    "SORTIE_NODE_CORE__FRAME_AGE_S_MAX": "20",
    "SORTIE_NODE_CORE__PLATES_AGE_S_MAX": "20",
}
"""A machine that is busy with other things is not taken for a blind store."""


def _load_rig() -> Any:
    spec = importlib.util.spec_from_file_location("kill_rig", RIG)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


rig = _load_rig()


@dataclass(frozen=True)
class Day:
    """What is left of a day."""

    export: dict[str, Any]
    receipts: dict[int, tuple[Any, ...]]
    kept: dict[int, dict[str, int]]
    killed: list[str]


class Store:
    """The processes of one day."""

    def __init__(self, folder: Path) -> None:
        plan = StorePlan(
            store_path=demo_store_path(),
            folder=folder,
            scenario=rig.NAME,
            seed=SEED,
            sensors="plates",
        )
        self.said: list[str] = []
        self.processes = StoreProcesses(plan)
        self.supervisor = Supervisor(folder / "logs", say=self.said.append)
        self.killed: list[str] = []

    def start(self) -> None:
        """Starts everything; the doors open when all nodes see."""
        processes = self.processes
        world = replace(processes.simulator(), command=[sys.executable, str(RIG), "world"])
        nodes = [
            replace(
                child, command=[sys.executable, str(RIG), "node"], env={**child.env, **PATIENCE}
            )
            for child in map(processes.node, processes.node_ids)
        ]
        for child in (processes.broker(), processes.hub(), world, *nodes):
            self.supervisor.launch(child)
        self.supervisor.wait_ready()
        self.until(lambda: not processes.blind(), "nodes that see")
        processes.open_doors()

    def kill(self, name: str) -> None:
        """Without a warning; the supervisor starts it again."""
        pid = self.supervisor.pid(name)
        assert not self.supervisor.ended("simulator"), f"the day was over before {name} was killed"
        os.kill(pid, signal.SIGKILL)
        self.killed.append(name)
        self.until(lambda: self.supervisor.pid(name) != pid, f"a new {name}")

    def kill_node(self, node_id: str) -> None:
        """Kills a node and waits until the hub hears of its next boot."""
        before = self.boot(node_id)
        self.kill(node_id)
        self.until(lambda: self.boot(node_id) not in (None, before), f"a next boot of {node_id}")

    def garble(self) -> None:
        """Sends something that is no message, on a node's own topic."""
        files = self.processes.broker_files
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="garbler")
        client.username_pw_set("node-shelf", files.passwords["node-shelf"])
        client.connect("127.0.0.1", files.port)
        client.loop_start()
        name = topic("events", store_id=self.processes.store.store_id, device_id="node-shelf")
        client.publish(name, b'{"specversion": "1.0", "type": ', qos=1).wait_for_publish(DEADLINE_S)
        client.disconnect()
        client.loop_stop()

    def until(self, holds: Callable[[], bool], what: str) -> None:
        """Lets the supervisor work until a condition holds."""
        deadline_s = time.monotonic() + DEADLINE_S

        def done() -> bool:
            if holds():
                return True
            assert time.monotonic() < deadline_s, f"gave up waiting for {what}; {self._words()}"
            return False

        self.supervisor.watch(until=done)

    def state(self) -> dict[str, Any]:
        """What staff see; empty while the hub is away."""
        try:
            return self.processes.state()
        except OSError:
            return {}

    def items(self) -> int:
        """Pieces in carts and on receipts, by what the hub believes."""
        visits = self.state().get("visits", [])
        return sum(line["quantity"] for visit in visits for line in visit["lines"])

    def boot(self, node_id: str) -> str | None:
        """The boot of a node that the hub knows of."""
        return self._boots().get(node_id)

    def finish(self) -> Day:
        """Waits for the last shopper and the last receipt."""
        self.until(lambda: self.supervisor.ended("simulator"), "the end of the day")
        export: dict[str, Any] = {}

        def settled() -> bool:
            nonlocal export
            try:
                export = get_json(f"{self.processes.hub_url}/api/v1/audit/export")
            except OSError:
                return False
            ends = all(hold["state"] in HOLD_ENDS for hold in export["holds"])
            return ends and len(export["receipts"]) == len(rig.PLANS)

        self.until(settled, "the last receipt")
        truth = read_truth(self.processes.truth)
        by_visit = {row["visit_id"]: _receipt(row) for row in read_export(export)["receipts"]}
        return Day(
            export=export,
            receipts={one.shopper: by_visit[one.visit_id or ""] for one in truth},
            kept={one.shopper: dict(one.kept) for one in truth},
            killed=self.killed,
        )

    def close(self) -> None:
        """Stops everything."""
        self.supervisor.stop()
        self.processes.close()

    def _boots(self) -> dict[str, str]:
        devices = self.state().get("devices", [])
        return {row["device_id"]: row["boot_id"] for row in devices if row["boot_id"]}

    def _words(self) -> str:
        logs = sorted((self.processes.folder / "logs").glob("*.log"))
        tails = [f"{log.name}: {log.read_text(errors='replace')[-600:]}" for log in logs]
        return "\n".join([*self.said[-5:], *tails])


def _receipt(row: dict[str, Any]) -> tuple[Any, ...]:
    lines = sorted(
        (line["gtin"], line["quantity"], line["unit_price_minor"]) for line in row["lines"]
    )
    return tuple(lines), row["total_minor"], row["charged_minor"]


def _quiet(_store: Store) -> None:
    """Nothing happens to anybody."""


def _kill_each(store: Store) -> None:
    """Hub, nodes and broker, each when the one before is back and somebody shops."""
    store.garble()
    store.until(lambda: store.items() >= 1, "a first piece in a cart")
    store.kill("hub")
    store.until(lambda: bool(store.state()), "the hub")
    for node_id in NODES:
        store.kill_node(node_id)
    store.kill("broker")


@pytest.fixture(scope="module")
def days(tmp_path_factory: pytest.TempPathFactory) -> tuple[Day, Day]:
    """The undisturbed and the disturbed day, side by side: they mostly wait for their shoppers."""
    plans = [("undisturbed", _quiet), ("disturbed", _kill_each)]
    with ThreadPoolExecutor(len(plans)) as pool:
        running = [
            pool.submit(_day, tmp_path_factory.mktemp(name) / "run", disturb)
            for name, disturb in plans
        ]
        undisturbed, disturbed = (one.result() for one in running)
    return undisturbed, disturbed


@pytest.fixture
def undisturbed(days: tuple[Day, Day]) -> Day:
    return days[0]


@pytest.fixture
def disturbed(days: tuple[Day, Day]) -> Day:
    return days[1]


def _day(folder: Path, disturb: Callable[[Store], None]) -> Day:
    store = Store(folder)
    try:
        store.start()
        disturb(store)
        return store.finish()
    finally:
        store.close()


def test_kills_change_no_receipt(undisturbed: Day, disturbed: Day) -> None:
    assert disturbed.killed == ["hub", *NODES, "broker"]
    assert undisturbed.kept == disturbed.kept, "the script is the same day twice"
    assert sum(sum(kept.values()) for kept in undisturbed.kept.values()) == rig.TAKEN
    assert undisturbed.receipts == disturbed.receipts
    charged = sum(total for _, total, _ in undisturbed.receipts.values())
    assert charged > 0, "a day on which nothing is sold shows nothing"


def test_kills_leave_the_books_in_order(undisturbed: Day, disturbed: Day) -> None:
    for day in (undisturbed, disturbed):
        findings = {name: rows for name, rows in audit(day.export).items() if rows}
        assert findings == {}
        assert all(hold["state"] in HOLD_ENDS for hold in day.export["holds"])
    born = [e for e in disturbed.export["events"] if e["kind"] == "device.born"]
    for node_id in NODES:
        boots = {e["data"]["boot_id"] for e in born if e["data"]["device_id"] == node_id}
        assert len(boots) == 2, "the killed node came back as another boot"


def test_what_is_no_message_is_counted_and_harms_nothing(undisturbed: Day, disturbed: Day) -> None:
    assert undisturbed.export["dead_letters"]["count"] == 0
    assert disturbed.export["dead_letters"]["count"] == 1
