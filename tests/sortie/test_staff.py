"""Simulated staff: a badge at the gate, a round of restocking, and what the hub makes of it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from contracts.store_file import StoreFile, load_store_file
from edge.compose import CoreMaker
from edge.settings import NodeSettings
from hub.attribution.engine import Engine
from hub.commands import Command, Reply
from hub.service import Hub
from sortie.day import demo_store_path
from sortie.errors import HubAwayError
from sortie.gatekeeper import gated
from sortie.lockstep import Lockstep, Phones
from store_sim.scenarios import build
from store_sim.stream import SimulatedStream
from store_sim.world import StaffWord

SEED = 7
WORDS = (
    StaffWord("began", 0, 1),
    StaffWord("moved", 0, 1, 1, "bay-a-1-l", "2000000011011", 2),
    StaffWord("ended", 0, 1),
)


@pytest.fixture
def store() -> StoreFile:
    return load_store_file(demo_store_path())


@pytest.fixture
def hub(store: StoreFile) -> Iterator[Hub]:
    made = Hub.open(store, attributor=Engine)
    yield made
    made.close()


@pytest.mark.parametrize(
    ("case", "pieces"),
    [("staff-restocking-in-uniform", [1, 1, 1]), ("staff-without-uniform", [-1, 1, -1, 1])],
)
def test_staff_of_a_case_scan_restock_and_owe_nothing(
    store: StoreFile, hub: Hub, case: str, pieces: list[int]
) -> None:
    """Nobody sees anything here: what is asked is what staff do, not what cameras make of it."""
    maker = CoreMaker(NodeSettings(sensors="camera"), eyes=False)
    lockstep = Lockstep(store, hub, maker, observations={})
    phones = Phones(lockstep, SEED, lambda: lockstep.hub_now_s)
    scenario = build(case, store, SEED, 1)
    stream = SimulatedStream(store, scenario, SEED, cameras=(), plates=False, phone=phones)
    phones.is_staff = stream.world.people.is_staff
    before = sum(row["on_hand"] for row in _stock(hub))
    lockstep.run(gated(stream, lambda: hub, phones))
    events = hub.export_json()["events"]
    (came_in,) = _of(events, "staff.came_in")
    assert came_in["data"]["holder"] == "sim-0"
    (opened,) = [e for e in _of(events, "visit.opened") if e["visit_id"] == came_in["visit_id"]]
    assert opened["data"]["payer"] == "staff:sim-0"
    (started,), (finished,) = _of(events, "restocking.started"), _of(events, "restocking.finished")
    moves = _of(events, "restocking.moved")
    assert [move["data"]["quantity"] for move in moves] == pieces
    order = [e["number"] for e in (came_in, started, *moves, finished)]
    assert order == sorted(order)
    assert finished["data"]["moves"] == len(pieces)
    assert sum(row["on_hand"] for row in _stock(hub)) == before + sum(pieces)
    assert came_in["visit_id"] not in {row["visit_id"] for row in hub.export_json()["receipts"]}


def test_what_staff_say_waits_for_the_hub(hub: Hub) -> None:
    store = _Away(hub)
    phones = Phones(store, SEED, lambda: 1.0)
    hub.start(0.0)
    phones.tell(WORDS[:2])
    store.away = False
    phones.tell(())
    store.away = True
    phones.tell(WORDS[2:])
    assert not _of(hub.export_json()["events"], "restocking.finished")
    store.away = False
    phones.tell(())
    events = hub.export_json()["events"]
    kinds = [e["kind"] for e in events if e["kind"].startswith("restocking.")]
    assert kinds == ["restocking.started", "restocking.moved", "restocking.finished"]


class _Away:
    """A hub that is away at first."""

    def __init__(self, hub: Hub) -> None:
        self.away = True
        self._hub = hub

    def command(self, command: Command, now_s: float) -> Reply:
        if self.away:
            raise HubAwayError("away")
        return self._hub.command(command, now_s)


def _of(events: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in events if event["kind"] == kind]


def _stock(hub: Hub) -> list[dict[str, Any]]:
    return list(hub.export_json()["stock"])
