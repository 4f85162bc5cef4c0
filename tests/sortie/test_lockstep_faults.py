"""Bad networks, killed processes and wrong clocks under the lockstep clock: receipts stay theirs.

A generated day is run through the cores of production with plates and ceiling cameras. What faults
do to receipts is the question here, not how well heads are found, so that a frame holds the heads
themselves. The undisturbed day is the reference, and what shoppers truly kept.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from auditor.ledger import HOLD_ENDS, audit
from contracts.geometry import Camera
from contracts.messages import NodeConfig
from contracts.store_file import StoreFile, load_store_file
from edge.core import NodeCore
from edge.perception import Perception
from edge.settings import NodeSettings
from hardware.ports import Frame
from hub.attribution.engine import Engine
from hub.service import Hub
from hub.wallet.fake import FakeGateway
from sortie.day import DayPlan, _nodes_die, _seen_dials, day_scenario, demo_store_path
from sortie.lockstep import Lockstep, Phones
from sortie.lockstep_faults import FaultPlan, goes_wrong
from sortie.lockstep_node import node_clock_s, node_clocks
from store_sim.dials import ClockDials, Dials, Mishap, NetworkDials, turned
from store_sim.errors import DialError
from store_sim.scenarios import build
from store_sim.scene import JOINTS
from store_sim.stream import SensorTick, SimulatedStream
from vision.observations import CeilingObservation
from vision.reaches import ReachBuilder

SEED, SHOPPERS = 6, 3
QUIET_S = 21.0
"""Between two reaches of that day: one ended four seconds ago, the next begins in seven."""
HEAD = JOINTS.index("head")
SEEN_M = (2.2, 1.25)
"""How far from the point below a camera a head may be to be in its picture, in x and y."""


class HeadsEye:
    """A ceiling camera's pipeline for frames whose rows are x, y and colour of heads."""

    def __init__(self, camera: Camera) -> None:
        self._camera_id = camera.camera_id

    def step(self, frame: Frame, /) -> CeilingObservation:
        rows: Any = frame.rgb
        count = len(rows)
        spread = np.tile([0.05, 0.9], (count, 1))
        return CeilingObservation(
            camera_id=self._camera_id,
            t_s=frame.t_s,
            heads=np.hstack([rows[:, :2], spread]),
            wrists=np.zeros((0, 4)),
            colours=rows[:, 2:].astype(np.float32),
        )


def make_core(config: NodeConfig, boot_id: str) -> NodeCore:
    """A node of production but for its eyes; of walls nothing is tried here."""
    config = config.model_copy(update={"walls": ()})
    eyes = {one.camera_id: HeadsEye(one) for one in config.cameras if one.role == "ceiling"}
    return NodeCore(
        config,
        boot_id=boot_id,
        perception=Perception(config, shelf={}, ceiling=eyes),
        reaches={bay.bay_id: ReachBuilder(bay, config.plates) for bay in config.bays},
        settings=NodeSettings(sensors="plates"),
    )


class HeadsStream:
    """A simulated store whose ceiling cameras' frames are lists of heads; `kept` is the truth."""

    def __init__(self, store: StoreFile, seed: int, phone: Callable[[int], str | None]) -> None:
        scenario = build("easy", store, seed, SHOPPERS)
        self._inner = SimulatedStream(store, scenario, seed, cameras=(), phone=phone)
        self._cameras = [one for one in store.cameras if one.role == "ceiling"]
        self.kept: dict[int, dict[str, int]] = {}

    def __iter__(self) -> Iterator[SensorTick]:
        for number, tick in enumerate(self._inner):
            frames = tuple(self._frame(one, tick.t_s, number) for one in self._cameras)
            yield SensorTick(tick.t_s, frames, tick.scales, tick.scans)
            for visit in self._inner.world.take_finished():
                self.kept[visit.shopper] = visit.kept

    def _frame(self, camera: Camera, t_s: float, number: int) -> Frame:
        at = camera.pose.position_m
        rows: Any = np.array(
            [
                (x, y, 80.0 * body.person_index, 200.0 - 60.0 * body.person_index, 90.0)
                for body in self._inner.world.scene().bodies
                for x, y in [body.joints_m[HEAD, :2]]
                if abs(x - at[0]) < SEEN_M[0] and abs(y - at[1]) < SEEN_M[1]
            ]
        ).reshape(-1, 5)
        return Frame(camera.camera_id, t_s, number, rows)


@dataclass(frozen=True)
class Day:
    """What is left of a day: receipts and truth by shopper, the books, and the faults."""

    receipts: dict[int, tuple[Any, ...]]
    kept: dict[int, dict[str, int]]
    export: dict[str, Any]
    counts: dict[str, int]
    visits: dict[int, str]

    def charged(self, shopper: int) -> Counter[str]:
        return Counter({gtin: count for gtin, count, _ in self.receipts.get(shopper, ((),))[0]})

    def overcharged(self) -> set[int]:
        """Shoppers who were charged for something that they did not keep."""
        return {one for one, kept in self.kept.items() if self.charged(one) - Counter(kept)}

    def reviewed(self) -> set[int]:
        flags = {row["visit_id"]: row["needs_review"] for row in self.export["visits"]}
        return {one for one, visit_id in self.visits.items() if flags[visit_id]}


def run_day(folder: Path, dials: Dials | None = None, *, seed: int = SEED) -> Day:
    """A day with these faults; without dials a direct line, as every day has had so far."""
    store = load_store_file(demo_store_path())
    gateway = FakeGateway()
    folder.mkdir(parents=True, exist_ok=True)
    url = f"sqlite:///{folder / 'hub.sqlite'}" if dials is not None else "sqlite:///:memory:"

    def open_hub() -> Hub:
        return Hub.open(store, url=url, attributor=Engine, gateway=gateway)

    plan = FaultPlan(dials or Dials(), seed, folder, open_hub)
    lockstep = Lockstep(
        store,
        open_hub(),
        make_core,
        clock=None if dials is None else dials.clock,
        seed=seed,
        line=None if dials is None else plan.line,
    )
    phones = Phones(lockstep, seed, lambda: lockstep.hub_now_s)
    stream = HeadsStream(store, seed, phones)
    lockstep.run(stream)
    hub = lockstep.hub if dials is None else plan.books()
    export = hub.export_json()
    hub.close()
    gateway.close()
    shopper_of = {visit_id: shopper for shopper, visit_id in phones.visits.items()}
    receipts = {shopper_of[row["visit_id"]]: _receipt(row) for row in export["receipts"]}
    return Day(receipts, stream.kept, export, dict(plan.counts), phones.visits)


def _receipt(row: dict[str, Any]) -> tuple[Any, ...]:
    lines = sorted(
        (line["gtin"], line["quantity"], line["unit_price_minor"]) for line in row["lines"]
    )
    return tuple(lines), row["total_minor"], row["charged_minor"]


@pytest.fixture(scope="module")
def clean(tmp_path_factory: pytest.TempPathFactory) -> Day:
    day = run_day(tmp_path_factory.mktemp("clean"))
    assert {one: dict(day.charged(one)) for one in day.kept} == day.kept
    assert sum(sum(kept.values()) for kept in day.kept.values()) >= 4
    return day


def network(**dials: float) -> Dials:
    return Dials(network=NetworkDials(**dials))


def down(kind: Any, begin_s: float, end_s: float, target: str = "", **dials: float) -> Dials:
    mishap = Mishap(kind=kind, target=target, begin_s=begin_s, end_s=end_s)
    return Dials(network=NetworkDials(**dials), mishaps=(mishap,))


HARMLESS = {
    "doubled": (network(doubled=0.5), "hub_messages_duplicate"),
    "reordered": (network(reordered=0.5), "hub_messages_ahead"),
    "late": (network(delay_ms=300.0), "delivered"),
    "a fifth lost": (network(dropped=0.2, delay_ms=30.0), "dropped"),
    "half lost": (network(dropped=0.5, delay_ms=30.0), "dropped"),
    "all of it": (
        network(delay_ms=60, dropped=0.3, doubled=0.3, reordered=0.3, cuts_per_min=4, cut_s=3),
        "cuts",
    ),
    "links cut": (network(cuts_per_min=8.0, cut_s=4.0), "cuts"),
    "no acks": (down("broker_down", 12.0, 32.0, "node-shelf/down"), "cut"),
    "broker down": (down("broker_down", 15.0, 30.0, delay_ms=40.0), "broker_downs"),
    "cut off from the start": (down("broker_down", 0.0, 25.0, "node-shelf", delay_ms=20.0), "cut"),
    "hub down": (down("hub_down", 15.0, 45.0), "hub_kills"),
    "wrong clocks": (
        Dials(network=NetworkDials(delay_ms=40.0), clock=ClockDials(skew_s=30.0, drift_ppm=100.0)),
        "delivered",
    ),
}
"""By name: the dials, and the count that shows that it came to pass."""


@pytest.mark.parametrize("name", HARMLESS)
def test_what_happens_to_messages_changes_no_receipt(tmp_path: Path, clean: Day, name: str) -> None:
    dials, sign = HARMLESS[name]
    assert goes_wrong(dials)
    day = run_day(tmp_path, dials)
    assert day.counts[sign] > 0, "a fault that did not happen shows nothing"
    assert day.kept == clean.kept, "the shoppers did the same"
    assert day.receipts == clean.receipts
    assert {check: rows for check, rows in audit(day.export).items() if rows} == {}
    assert all(hold["state"] in HOLD_ENDS for hold in day.export["holds"])
    assert day.counts["outbox_waiting_end"] == 0, "queues drain when there is somebody to hear"


def test_a_hub_killed_again_and_again_changes_no_receipt(tmp_path: Path, clean: Day) -> None:
    """Each time just after it has committed and before anybody knows; its database stays."""
    mishaps = tuple(
        Mishap(kind="hub_down", begin_s=at_s, end_s=at_s + 1.0)
        for at_s in (8.3, 14.1, 19.7, 26.2, 33.0)
    )
    day = run_day(tmp_path, Dials(mishaps=mishaps))
    assert day.counts["hub_kills"] == len(mishaps)
    assert day.receipts == clean.receipts
    assert {check: rows for check, rows in audit(day.export).items() if rows} == {}
    resumed = [row for row in day.export["events"] if row["kind"] == "hub.resumed"]
    assert len(resumed) == len(mishaps)


def test_a_node_killed_between_reaches_changes_no_receipt(tmp_path: Path, clean: Day) -> None:
    """Nobody reaches at that moment, so that all it lost are levels of plates at rest."""
    day = run_day(tmp_path, down("node_down", QUIET_S, QUIET_S + 1.0, "node-shelf"))
    born = [
        row["data"]["boot_id"]
        for row in day.export["events"]
        if row["kind"] == "device.born" and row["data"]["device_id"] == "node-shelf"
    ]
    assert born == ["boot-1", "boot-2"]
    assert day.receipts == clean.receipts


@pytest.mark.parametrize(
    ("target", "begin_s", "seed"), [("node-shelf", 14.0, 6), ("node-floor", 12.0, 24)]
)
def test_a_node_killed_in_the_middle_charges_nobody_for_what_another_took(
    tmp_path: Path, target: str, begin_s: float, seed: int
) -> None:
    """Tracks and reaches begin anew; what nobody is sure of is free, and staff look at it."""
    day = run_day(tmp_path, down("node_down", begin_s, begin_s + 2.5, target), seed=seed)
    assert day.counts["node_kills"] == 1
    assert day.overcharged() == set()
    assert day.reviewed(), "somebody has to look at it"
    assert {check: rows for check, rows in audit(day.export).items() if rows} == {}


def test_random_kills_leave_the_books_in_order_and_are_the_same_twice(tmp_path: Path) -> None:
    dials = network(
        kills_per_min=5, delay_ms=40, dropped=0.1, doubled=0.1, reordered=0.1, cuts_per_min=2
    )
    one, two = (run_day(tmp_path / name, dials) for name in ("one", "two"))
    assert min(one.counts["hub_kills"], one.counts["node_kills"]) > 0
    assert {check: rows for check, rows in audit(one.export).items() if rows} == {}
    assert json.dumps(one.export, sort_keys=True) == json.dumps(two.export, sort_keys=True)
    assert one.counts == two.counts


def test_a_perfect_network_does_what_a_direct_line_does(tmp_path: Path, clean: Day) -> None:
    day = run_day(tmp_path, Dials())
    assert not goes_wrong(Dials())
    assert day.receipts == clean.receipts
    assert day.counts["sent"] == day.counts["delivered"]
    assert day.counts["resent"] == day.counts["hub_messages_duplicate"] == 0
    assert [row["kind"] for row in day.export["events"]] == [
        row["kind"] for row in clean.export["events"]
    ]


def test_clocks_are_by_seed_and_never_below_zero() -> None:
    assert [one.offset_s for one in node_clocks(2, ClockDials(), 5)] == [
        node_clock_s(0),
        node_clock_s(1),
    ]
    dials = ClockDials(skew_s=3600.0, drift_ppm=500.0)
    clocks = node_clocks(40, dials, 5)
    assert clocks == node_clocks(40, dials, 5) != node_clocks(40, dials, 6)
    assert all(one.at(0.0) >= 0.0 for one in clocks)
    assert max(abs(one.skew_s) for one in clocks) <= 3600.0
    assert max(one.skew_s for one in clocks) - min(one.skew_s for one in clocks) > 5000.0
    assert 4e-4 < max(abs(one.drift) for one in clocks) <= 5e-4


def test_dials_turned_by_hand_stand_on_the_scenarios() -> None:
    plan = DayPlan(demo_store_path(), "five-fps", 1, 1, "plates")
    store = load_store_file(demo_store_path())
    settings = ("network.dropped=0.25", "clock.skew_s=30")
    dials = day_scenario(replace(plan, dials=settings), store).dials
    assert dials == turned(Dials(), "camera.fps=5", *settings)
    with pytest.raises(DialError, match=r"network\.dropped"):
        day_scenario(replace(plan, dials=("network.lost=0.1",)), store)


def test_a_kept_pass_is_of_the_dials_that_it_shows() -> None:
    plain = _seen_dials(Dials())
    node_down = down("node_down", 5.0, 6.0, "node-shelf")
    alike = (network(dropped=0.5), turned(Dials(), "plates.noise=9"), node_down)
    others = (
        turned(Dials(), "light.dim=0.5"),
        turned(Dials(), "clock.skew_s=30"),
        down("hub_down", 5.0, 6.0),
        down("covered", 5.0, 6.0, "cam-1"),
        network(kills_per_min=1.0),
    )
    assert all(_seen_dials(dials) == plain for dials in alike)
    assert len({plain, *(_seen_dials(dials) for dials in others)}) == 1 + len(others)
    assert _nodes_die(node_down)
    assert not _nodes_die(network(dropped=0.5))
