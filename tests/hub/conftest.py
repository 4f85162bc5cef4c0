"""A small store, a trivial attributor and a day's messages for the hub's tests."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.store_file import StoreFile, parse_store_file
from contracts.topics import topic
from hub.attribution.model import Alternative, Decision, FloorNews, Ground
from hub.commands import OpenVisit
from hub.devices import service as devices
from hub.events import KINDS
from hub.replay import rebuild
from hub.rules import Rules
from hub.service import Hub
from hub.state import HubState
from hub.store.service import Store
from hub.wallet.fake import FakeGateway

STORE = """
schema_version: 1
store_id: tiny
name: Tiny
currency: EUR
vat_rates: {full: "0.19", food: "0.07"}
wallet: {hold_minor: 2000}
floor: {width_m: 6.0, depth_m: 4.5, ceiling_m: 3.0}
bays:
  - bay_id: bay-a
    origin_m: [0.6, 4.05]
    facing_deg: -90
    width_m: 1.0
    depth_m: 0.4
    height_m: 2.0
    boards: [{board_id: b1, z_m: 0.5, clearance_m: 0.4}]
gates:
  - gate_id: entry
    kind: entry
    line_m: [[0.5, 0.0], [1.5, 0.0]]
    zone_m: [[0.3, 0.0], [1.7, 0.0], [1.7, 1.0], [0.3, 1.0]]
  - gate_id: exit
    kind: exit
    line_m: [[4.5, 0.25], [5.5, 0.25]]
    zone_m: [[4.3, 0.0], [5.7, 0.0], [5.7, 1.0], [4.3, 1.0]]
nodes:
  - {node_id: node-shelf, bays: [bay-a]}
  - {node_id: node-floor, floor: true, gates: true}
products:
  - gtin: "4006381333931"
    name: Cola
    brand: Fizz
    size_label: 330 ml
    weight_g: 350
    weight_sd_g: 2
    price_minor: 119
    vat: full
    packaging: &look {shape: can, width_m: 0.07, depth_m: 0.07, height_m: 0.12,
                      base_rgb: [1, 2, 3], accent_rgb: [4, 5, 6]}
  - gtin: "5901234123457"
    name: Bread
    brand: Crust
    size_label: 500 g
    weight_g: 500
    weight_sd_g: 5
    price_minor: 249
    vat: food
    packaging: *look
slots:
  - {slot_id: s1, bay_id: bay-a, board_id: b1, u0_m: 0.0, u1_m: 0.5, gtin: "4006381333931",
     facings: 3, deep: 2}
  - {slot_id: s2, bay_id: bay-a, board_id: b1, u0_m: 0.5, u1_m: 1.0, gtin: "5901234123457",
     facings: 3, deep: 2}
"""
COLA, BREAD = "4006381333931", "5901234123457"


class NearestAttributor:
    """Believes every reach at once: what the hand's top product says, for the body it names.

    `hand_id` of the first hand is the track; held_out > 0.5 is a pick, else a put-back; a top
    log-likelihood below -1 is unsure.
    """

    def __init__(self, ground: Ground) -> None:
        self.ground = ground
        self.names_late = False
        self.binds_narrowly = False
        self.doubts_nobody = False
        self.doubts_returns = False
        self.visits: dict[str, str] = {}
        self.dateless: set[str] = set()
        self.reaches: dict[str, m.ReachClosed] = {}
        self.told: dict[str, Decision] = {}

    def bind(self, *, visit_id: str, track_id: str, t_s: float) -> None:
        self.visits[track_id] = visit_id

    def end(self, *, visit_id: str, t_s: float) -> None:
        return

    def forget(self, *, visit_id: str) -> None:
        for name in [n for n, d in self.told.items() if d.best.visit_id == visit_id]:
            del self.told[name]
            del self.reaches[name]

    def track(self, segment: FloorNews) -> None:
        return

    def opened(self, reach: m.ReachOpened) -> None:
        return

    def closed(self, reach: m.ReachClosed, *, t_sd_s: float) -> None:
        self.reaches[reach.reach_id] = reach
        if math.isinf(t_sd_s):
            self.dateless.add(reach.reach_id)

    def decide(self, *, now_s: float) -> tuple[Decision, ...]:
        made = []
        for name, reach in self.reaches.items():
            before = self.told.get(name)
            decision = self._decision(reach, 0 if before is None else before.revision)
            if decision != before:
                if before is not None:
                    decision = replace(decision, revision=before.revision + 1)
                self.told[name] = decision
                made.append(decision)
        return tuple(made)

    def cart(self, visit_id: str) -> dict[str, int]:
        cart: dict[str, int] = {}
        for decision in self.told.values():
            best = decision.best
            if decision.certain and best.visit_id == visit_id and best.gtin is not None:
                cart[best.gtin] = cart.get(best.gtin, 0) + best.quantity
        return {gtin: count for gtin, count in cart.items() if count > 0}

    def _decision(self, reach: m.ReachClosed, revision: int) -> Decision:
        hand = reach.hands[0]
        top = hand.products.top[0]
        slot = next((s.slot_id for s in self.ground.shelves if s.gtin == top.gtin), None)
        if reach.reach_id in self.dateless:
            best = Alternative(None, None, 0, None, 0.0)
            return Decision(
                reach.reach_id, 0, revision, reach.t_close_s, best, False, (best,), "test"
            )
        sure = top.log_likelihood >= -1.0
        best = Alternative(
            self.visits.get(hand.hand_id),
            top.gtin,
            1 if hand.held_out > 0.5 else -1,
            slot,
            0.99 if sure else 0.6,
        )
        other = Alternative(None, None, 0, None, 1.0 - best.probability)
        return Decision(
            reach.reach_id, 0, revision, reach.t_close_s, best, sure, (best, other), "test"
        )


@dataclass
class Node:
    """Numbers and wraps messages as a node does; `behind_s` is how late its clock is."""

    device_id: str
    boot_id: str = "boot-1"
    behind_s: float = 0.0
    sequence: int = 0

    def wrap(self, message: m.Message, at_s: float) -> tuple[str, bytes]:
        """The next message of the boot, made at this hub time."""
        item = envelope(
            message,
            store_id="tiny",
            device_id=self.device_id,
            boot_id=self.boot_id,
            sequence=self.sequence,
            monotonic_us=round((at_s - self.behind_s) * 1e6),
            config_revision=1,
            time=datetime(2026, 1, 1, tzinfo=UTC),
        )
        self.sequence += 1
        return topic("events", store_id="tiny", device_id=self.device_id), encode(item)


@dataclass
class Day:
    """A script of what happens in the store, as timed messages: (time, topic, payload)."""

    shelf: Node = field(default_factory=lambda: Node("node-shelf"))
    floor: Node = field(default_factory=lambda: Node("node-floor"))
    script: list[tuple[float, str, bytes]] = field(default_factory=list)
    reaches: int = 0

    def say(self, node: Node, at_s: float, message: m.Message) -> None:
        """One message, sent at a hub time."""
        self.script.append((at_s, *node.wrap(message, at_s)))

    def born(self, at_s: float) -> None:
        """Both nodes start."""
        self.say(self.shelf, at_s, m.NodeBorn(software="test", config_revision=1))
        self.say(self.floor, at_s, m.NodeBorn(software="test", config_revision=1, floor=True))

    def step(
        self, at_s: float, track: str, x_m: float, y_m: float, state: Any = "alive", **more: Any
    ) -> None:
        """A body on the floor."""
        t_s = at_s - self.floor.behind_s
        point = m.TrackPoint(t_s=t_s, x_m=x_m, y_m=y_m, sd_m=0.1)
        segment = m.TrackSegment(track_id=track, state=state, points=(point,), **more)
        self.say(self.floor, at_s, m.FloorTracksMoved(t_s=t_s, segments=(segment,)))

    def scan(self, at_s: float, code: str) -> None:
        """A code at the entry gate."""
        t_s = at_s - self.floor.behind_s
        self.say(self.floor, at_s, m.GateScanned(gate_id="entry", code=code, t_s=t_s))

    def reach(
        self, at_s: float, track: str, gtin: str, *, pick: bool = True, sure: bool = True
    ) -> str:
        """A hand that takes one piece or puts it back."""
        self.reaches += 1
        name = f"r{self.reaches}"
        t_s = at_s - self.shelf.behind_s
        opened = m.ReachOpened(reach_id=name, bay_id="bay-a", t_s=t_s, u_m=0.2)
        self.say(self.shelf, at_s, opened)
        likely = m.ProductLikelihood(gtin=gtin, log_likelihood=-0.1 if sure else -2.0)
        hand = m.HandSeen(
            hand_id=track,
            t_in_s=t_s,
            t_out_s=t_s + 0.5,
            u_m=0.2,
            z_m=0.6,
            sd_u_m=0.05,
            sd_z_m=0.05,
            held_out=1.0 if pick else 0.0,
            products=m.ProductScores(top=(likely,)),
        )
        closed = m.ReachClosed(
            reach_id=name,
            bay_id="bay-a",
            t_open_s=t_s,
            t_close_s=t_s + 0.5,
            u_m=0.2,
            hands=(hand,),
            camera_ok=True,
            plates_ok=False,
        )
        self.say(self.shelf, at_s + 0.6, closed)
        return name

    def watermark(self, at_s: float) -> None:
        """The shelf node has said everything up to now."""
        self.say(
            self.shelf,
            at_s,
            m.Watermark(t_s=at_s - self.shelf.behind_s, last_seq=self.shelf.sequence - 1),
        )

    def floor_watermark(self, at_s: float) -> None:
        """The floor's node has said everything up to now."""
        t_s, last = at_s - self.floor.behind_s, self.floor.sequence - 1
        self.say(self.floor, at_s, m.Watermark(t_s=t_s, last_seq=last))

    def shop(self, start_s: float, track: str, code: str, items: list[tuple[str, bool]]) -> float:
        """Scan, walk to the bay, take things, leave; returns the time of the exit."""
        self.step(start_s, track, 1.0, 0.3, "born")
        self.scan(start_s + 0.1, code)
        self.step(start_s + 0.5, track, 1.0, 0.8)
        at_s = start_s + 1.0
        for gtin, pick in items:
            self.step(at_s, track, 1.1, 3.4)
            self.reach(at_s + 0.1, track, gtin, pick=pick)
            at_s += 1.0
            self.step(at_s, track, 1.1, 3.4)
        self.step(at_s + 0.5, track, 5.0, 1.2)
        self.step(at_s + 1.0, track, 5.0, 0.6)
        self.step(at_s + 1.5, track, 5.0, 0.1)
        self.watermark(at_s + 2.5)
        return at_s + 1.5


class Shop:
    """A hub with its fake gateway, and the time."""

    def __init__(self, hub: Hub) -> None:
        self.hub = hub
        self.now_s = 0.0
        self.sent: list[Any] = []

    def open_visit(self, code: str, payer: str | None = None, now_s: float | None = None) -> str:
        """A phone gets a visit."""
        command = OpenVisit(
            token_sha256=hashlib.sha256(code.encode()).hexdigest(), code=code, payer=payer
        )
        reply = self.hub.command(command, self.now_s if now_s is None else now_s)
        assert reply.visit_id is not None
        return reply.visit_id

    def play(
        self, script: list[tuple[float, str, bytes]], until_s: float, *, in_steps: bool = False
    ) -> None:
        """Delivers messages at their times, with ticks five times a second; `in_steps`: each tick
        in one step with what came."""
        waiting = sorted(script, key=lambda row: row[0])
        while self.now_s < until_s:
            self.now_s = round(self.now_s + 0.2, 6)
            due = [row for row in waiting if row[0] <= self.now_s]
            waiting = waiting[len(due) :]
            news = [(name, payload) for _, name, payload in due]
            if in_steps:
                self.sent += self.hub.step(news, self.now_s, tick=True)
                continue
            if due:
                self.sent += self.hub.ingest(news, self.now_s)
            self.sent += self.hub.tick(self.now_s)

    def outcome(self) -> dict[str, Any]:
        """What a day came to: receipts, stock, and which messages were stored."""
        document = self.hub.export_json()
        return {
            "receipts": [
                (r["visit_id"], [(x["gtin"], x["quantity"]) for x in r["lines"]])
                for r in document["receipts"]
            ],
            "stock": document["stock"],
            "inbox": sorted(
                (r["device_id"], r["boot_id"], r["sequence"]) for r in document["inbox"]
            ),
        }


IMPATIENT = {"sqlite": "PRAGMA busy_timeout=1", "postgresql": "SET lock_timeout=50"}
LOCK = {"sqlite": "SELECT 1", "postgresql": "LOCK TABLE inbox"}
"""SQLite's transactions are begun as writers, so that anything locks the file."""


@contextmanager
def locked(shop: Any, backend: str) -> Iterator[None]:
    """Somebody else holds the hub's database, and the hub does not wait for it."""
    shop.hub.store._writer.exec_driver_sql(IMPATIENT[backend])
    shop.hub.store._writer.commit()
    with closing(Store(shop.hub.store.url)) as other, other._engine.connect() as blocker:
        blocker.exec_driver_sql(LOCK[backend])
        yield


@pytest.fixture(autouse=True)
def events_as_listed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Every event of every test has a kind of hub.events, with exactly the fields listed there."""
    event = HubState.event

    def checked(self: HubState, kind: str, visit_id: str | None = None, **data: object) -> None:
        assert set(data) == set(KINDS[kind].fields), kind
        event(self, kind, visit_id, **data)

    monkeypatch.setattr(HubState, "event", checked)


@pytest.fixture
def broken_outages(monkeypatch: pytest.MonkeyPatch) -> None:
    """A bug: what takes in that a sensor is blind fails, half done."""
    real = devices.apply_message

    def breaks(state: Any, device: Any, boot: Any, item: Any, message: Any) -> None:
        real(state, device, boot, item, message)
        if isinstance(message, m.SensorOutage):
            raise ZeroDivisionError("a bug")

    monkeypatch.setattr(devices, "apply_message", breaks)


@pytest.fixture
def attributor() -> type[NearestAttributor]:
    return NearestAttributor


@pytest.fixture
def store_text() -> str:
    return STORE


@pytest.fixture
def layout() -> StoreFile:
    return parse_store_file(STORE, name="tiny.yaml")


@pytest.fixture
def day() -> Day:
    made = Day()
    made.born(0.0)
    return made


@pytest.fixture
def backend() -> str:
    """The kind of database; a module that overrides it runs on others too."""
    return "sqlite"


@pytest.fixture
def database(backend: str, tmp_path: Path, request: pytest.FixtureRequest) -> Callable[[str], str]:
    """From a name to a database's address: the same name, the same database. Without a name it
    is new, in memory where that can be."""
    if backend == "postgresql":
        found: Callable[[str], str] = request.getfixturevalue("postgres_url")
        return found

    def url(name: str = "") -> str:
        return f"sqlite:///{tmp_path / name}" if name else "sqlite:///:memory:"

    return url


@pytest.fixture
def make_shop(
    layout: StoreFile, tmp_path: Path, database: Callable[[str], str]
) -> Iterator[Callable[..., Shop]]:
    """Opens hubs; `name` is a database file, the same name the same database. `patient`: whether
    news wait for a boot's clock, as in production."""
    opened: list[Hub] = []
    gateways: list[FakeGateway] = []

    def make(name: str = "", *, gateway: FakeGateway | None = None, **more: Any) -> Shop:
        url = database(name)
        if gateway is None:
            gateway = FakeGateway(str(tmp_path / f"{name}.gateway") if name else ":memory:")
            gateways.append(gateway)
        more.setdefault("attributor", NearestAttributor)
        rules = more.pop("rules", Rules())
        if not more.pop("patient", False):
            # Most tests' nodes answer no ping, so that there is nothing to wait for.
            rules = rules.model_copy(update={"clock_wait_s": 0.0})
        more["rules"] = rules
        hub = Hub.open(layout, url=url, gateway=gateway, **more)
        opened.append(hub)
        hub.start(0.0)
        return Shop(hub)

    yield make
    for hub in opened:
        hub.close()
    for gateway in gateways:
        gateway.close()


@pytest.fixture
def shop(make_shop: Callable[..., Shop]) -> Shop:
    return make_shop()


@pytest.fixture
def kept(make_shop: Callable[..., Any], tmp_path: Path) -> Any:
    """A shop on disk that must replay to itself at the end of the test, its books in order."""
    shop = make_shop("hub.sqlite")
    yield shop
    shop.hub._commit()
    core = shop.hub.core
    assert {k: v for k, v in audit(shop.hub.export_json()).items() if v} == {}
    store = Store(f"sqlite:///{tmp_path / 'hub.sqlite'}")
    again = rebuild(store, core.state.store, core.state.factory, core.state.rules)
    store.close()
    assert again.digest() == core.digest()
