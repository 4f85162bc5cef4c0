"""A store of nothing but walls, a node that tells of things, and what the hub answers."""

from __future__ import annotations

import hashlib
from datetime import UTC, datetime
from typing import Any

from auditor.ledger import audit, count_findings
from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.ids import gtin_check_digit
from contracts.store_file import StoreFile
from contracts.topics import topic
from contracts.wall_messages import (
    LabelRead,
    Thing,
    ThingsSeen,
    WallAttended,
    WallCues,
    WallScanned,
)
from hub.parcels.codes import digest_of, holder_of, pickup_code
from hub.parcels.commands import OrderedItem, OrderedParcel, PlaceOrder
from hub.parcels.model import Order, Parcel, Session, Wall
from hub.rules import Rules
from hub.service import Hub
from hub.visits.codes import KeyRing
from hub.wallet.fake import FakeGateway
from tests.contracts.test_wall import wall as wall_document
from tests.hub.conftest import NearestAttributor

COLA, BREAD = "4006381333931", "5901234123457"
KEYS = KeyRing.derived("walls")


def sscc(number: int) -> str:
    """The number-th SSCC."""
    body = f"34012345{number:09d}"
    return body + str(gtin_check_digit(body))


def key(number: int) -> str:
    """The key of the number-th parcel."""
    return f"sscc:{sscc(number)}"


def store_document(**more: Any) -> dict[str, Any]:
    """Two walls on a node each, no bays, no gates."""
    second = wall_document(wall_id="wall-2")
    second["cameras"][0]["camera_id"] = "eye-2"
    second["projectors"][0]["projector_id"] = "beam-2"
    first = wall_document(scanners=["scan-1"])
    return {
        "schema_version": 1,
        "store_id": "tiny",
        "name": "Tiny",
        "currency": "EUR",
        "vat_rates": {"full": "0.19", "food": "0.07"},
        "wallet": {"hold_minor": 2000},
        "floor": {"width_m": 6.0, "depth_m": 4.5, "ceiling_m": 3.0},
        "walls": [first, second],
        "nodes": [
            {"node_id": "node-1", "walls": ["wall-1"]},
            {"node_id": "node-2", "walls": ["wall-2"]},
        ],
        **more,
    }


class Bench:
    """A hub with walls, its node, and the time; what a test does, a node or a page would do."""

    def __init__(
        self,
        *,
        gateway: FakeGateway | None = None,
        url: str = "sqlite:///:memory:",
        rules: Rules | None = None,
        document: dict[str, Any] | None = None,
    ) -> None:
        self.gateway = gateway or FakeGateway()
        self.layout = StoreFile.model_validate(document or store_document())
        self.url = url
        self.rules = rules or Rules()
        self.hub = Hub.open(
            self.layout,
            url=url,
            attributor=NearestAttributor,
            gateway=self.gateway,
            rules=self.rules,
            entry_keys=KEYS,
        )
        self.now_s = 1_000.0
        self.cues: dict[str, list[tuple[float, WallCues]]] = {"wall-1": [], "wall-2": []}
        self._seq = {"node-1": 0, "node-2": 0}
        self._boot = {"node-1": "boot-1", "node-2": "boot-1"}
        self.take(self.hub.start(self.now_s))
        for node, wall_id in (("node-1", "wall-1"), ("node-2", "wall-2")):
            self.born(node, wall_id)

    # -- the node -------------------------------------------------------------------------

    def say(self, message: m.Message, node: str = "node-1") -> None:
        """The next message of a node, now."""
        item = envelope(
            message,
            store_id="tiny",
            device_id=node,
            boot_id=self._boot[node],
            sequence=self._seq[node],
            monotonic_us=round(self.now_s * 1e6),
            config_revision=1,
            time=datetime(2026, 1, 1, tzinfo=UTC),
        )
        self._seq[node] += 1
        name = topic("events", store_id="tiny", device_id=node)
        self.take(self.hub.ingest([(name, encode(item))], self.now_s))

    def born(self, node: str = "node-1", wall_id: str = "wall-1", boot: str = "boot-1") -> None:
        """A node begins to run and tells of an empty wall."""
        self._boot[node], self._seq[node] = boot, 0
        self.say(m.NodeBorn(software="t", config_revision=1, walls=(wall_id,)), node)
        pong = m.ClockPong(
            boot_id=boot, hub_us=round(self.now_s * 1e6), device_us=round(self.now_s * 1e6)
        )
        name = topic("pong", store_id="tiny", device_id=node)
        self.take(self.hub.ingest([(name, pong.model_dump_json().encode())], self.now_s))
        self.say(ThingsSeen(wall_id=wall_id, t_s=self.now_s, whole=True, things=()), node)

    def thing(
        self,
        thing_id: str,
        label: str | None,
        state: str = "stands",
        u: float = 0.1,
        z: float = 0.5,
        **more: Any,
    ) -> Thing:
        """News of a thing 0.2 m wide."""
        read = None if label is None else LabelRead(symbology="qr", text=label, reads=5)
        return Thing(
            thing_id=thing_id,
            state=state,
            label=read,
            outline_m=((u, z), (u + 0.2, z), (u + 0.2, z + 0.15), (u, z + 0.15)),
            since_s=self.now_s,
            seen_s=self.now_s,
            **more,
        )

    def tell(self, *things: Thing, wall_id: str = "wall-1", whole: bool = False) -> None:
        """The node tells of things."""
        node = "node-1" if wall_id == "wall-1" else "node-2"
        self.say(ThingsSeen(wall_id=wall_id, t_s=self.now_s, whole=whole, things=things), node)

    def stand(self, number: int, u: float = 0.1, z: float = 0.5, **more: Any) -> None:
        """The number-th parcel stands."""
        wall_id = more.pop("wall_id", "wall-1")
        name = more.pop("thing_id", f"t{number}")
        self.tell(self.thing(name, f"00{sscc(number)}", "stands", u, z, **more), wall_id=wall_id)

    def lift(self, number: int, *, gone: bool = True, **more: Any) -> None:
        """The number-th parcel is lifted, and carried out of sight."""
        name = more.pop("thing_id", f"t{number}")
        label = f"00{sscc(number)}"
        self.tell(self.thing(name, label, "moves", **more))
        if gone:
            self.wait(0.4)
            self.tell(self.thing(name, label, "gone", **more))

    def scan(self, code: str, wall_id: str = "wall-1") -> None:
        """A code is read at the node's scanner."""
        self.say(
            WallScanned(wall_id=wall_id, scanner_id="scan-1", code=code, t_s=self.now_s),
            "node-1" if wall_id == "wall-1" else "node-2",
        )

    def come(self, *, node: str = "node-1") -> None:
        """Somebody is before the first wall."""
        self.say(WallAttended(wall_id="wall-1", t_s=self.now_s, somebody=True), node)

    def go(self) -> None:
        """Nobody is before the first wall any more."""
        self.say(WallAttended(wall_id="wall-1", t_s=self.now_s, somebody=False))

    def outage(self, *, blind: bool, sensor: str = "eye-1") -> None:
        """The first wall's camera goes blind, or sees again."""
        self.say(
            m.SensorOutage(
                sensor_id=sensor, kind="camera", bay_id=None, wall_id="wall-1", blind=blind,
                t_s=self.now_s, reason="covered" if blind else "",
            )
        )  # fmt: skip

    # -- time and what is sent ------------------------------------------------------------

    def wait(self, seconds: float) -> None:
        """Time passes, with ticks five times a second."""
        until_s = self.now_s + seconds
        while self.now_s < until_s - 1e-4:
            self.now_s = round(min(self.now_s + 0.2, until_s), 6)
            self.take(self.hub.tick(self.now_s))

    def take(self, outgoing: Any) -> None:
        """Keeps the cues of what the hub sent."""
        for item in outgoing:
            if item.topic.endswith("/cues"):
                found = WallCues.model_validate_json(item.payload)
                self.cues[found.wall_id].append((self.now_s, found))

    def do(self, command: Any) -> Any:
        """A command, and the cues that follow it at once."""
        reply = self.hub.command(command, self.now_s)
        self.take(self.hub.cues(self.now_s))
        return reply

    def looks(self, wall_id: str = "wall-1") -> dict[str, str]:
        """What was last sent to shine, by thing; places by "area"."""
        sent = self.cues[wall_id]
        if not sent:
            return {}
        return {mark.thing_id or f"area:{mark.look}": mark.look for mark in sent[-1][1].marks}

    # -- orders ---------------------------------------------------------------------------

    def order(self, order_id: str, *numbers: int, **more: Any) -> Any:
        """An order of these parcels, with a code that is its own id and more."""
        due = more.pop("due", 0)
        parcels = tuple(
            OrderedParcel(
                label=sscc(number),
                due_minor=due,
                items=(OrderedItem(gtin=COLA, unit_price_minor=due, vat_rate="0.19"),)
                if due
                else (),
            )
            for number in numbers
        )
        if not ({"token_sha256", "wallet_sha256", "code_sha256"} & set(more)):
            more["code_sha256"] = digest_of(code_of(order_id))
        return self.do(PlaceOrder(order_id=order_id, parcels=parcels, **more))

    def phone_code(self, token: str) -> str:
        """The pick-up code that a phone shows now."""
        holder = holder_of(sha(token))
        used = self.room.holders.get(holder, 0)
        return pickup_code(KEYS, self.rules, "tiny", holder, used=used, now_s=self.now_s)[0]

    # -- looking --------------------------------------------------------------------------

    @property
    def room(self) -> Any:
        return self.hub.core.state.parcels

    def wall(self, wall_id: str = "wall-1") -> Wall:
        found = self.room.walls[wall_id]
        assert isinstance(found, Wall)
        return found

    def session(self, wall_id: str = "wall-1") -> Session:
        """The latest session."""
        return self.wall(wall_id).sessions[-1]

    def parcel(self, number: int) -> Parcel:
        found = self.room.all[key(number)]
        assert isinstance(found, Parcel)
        return found

    def state_of(self, number: int) -> str:
        return self.parcel(number).state

    def order_of(self, order_id: str) -> Order:
        found = self.room.orders[order_id]
        assert isinstance(found, Order)
        return found

    def events(self, *kinds: str) -> list[dict[str, Any]]:
        """Events of these kinds, as the export has them."""
        export = self.hub.export_json()
        return [row for row in export["events"] if row["kind"] in kinds]

    def alarms(self, wall_id: str = "wall-1") -> list[str]:
        return [one.kind for one in self.wall(wall_id).alarms.values()]

    def audited(self) -> None:
        """The books are in order."""
        findings = audit(self.hub.export_json())
        assert count_findings(findings) == 0, {k: v for k, v in findings.items() if v}


def code_of(order_id: str) -> str:
    """An order's own code."""
    return f"PU-{order_id}-0815"


def sha(token: str) -> str:
    return hashlib.sha256(token.encode()).hexdigest()
