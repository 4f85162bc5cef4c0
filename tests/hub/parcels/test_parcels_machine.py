"""Whatever happens at a wall in whatever order: nothing wrong shines, the books are in order, and
the journal leads to the same state."""

from __future__ import annotations

import tempfile
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule

from contracts.wall_messages import INVITING
from hub.errors import RejectedError
from hub.parcels.commands import (
    CancelOrder,
    ClearAlarm,
    LoadRoute,
    MoveRoute,
    ReleaseOrder,
    ReportMissing,
    ReturnGoods,
    RouteStop,
    StowParcel,
)
from hub.parcels.room import UNSEEN_S_MAX
from hub.rules import Rules
from hub.visits.commands import AddBadge
from hub.wallet.fake import FakeGateway, Fault
from tests.hub.parcels.conftest import checked
from tests.hub.parcels.wall_kit import Bench, code_of, key, sha, sscc

ORDERS = ("o1", "o2", "o3")
NUMBERS = st.integers(1, 6)
"""Two parcels an order, the third order's are paid at pick-up."""
FAULTS: tuple[Fault, ...] = ("none", "timeout", "lost", "declined")
BADGE = "SORTIE-STAFF:ANNA"
PLACES = [(0.02 + 0.24 * (k % 4), 0.5 if k < 4 else 0.85) for k in range(8)]


class WallMachine(RuleBasedStateMachine):
    """A wall, three orders, and everything that people, nodes and staff may do."""

    @initialize(kept=st.sampled_from([0, 1, 2_000]), fault=st.sampled_from(FAULTS))
    def begin(self, kept: int, fault: Fault) -> None:
        """What is closed leaves memory at once, or not at all; the gateway answers at once, late,
        or not as one would like."""
        self.folder = tempfile.TemporaryDirectory()
        self.url = f"sqlite:///{Path(self.folder.name) / 'hub.sqlite'}"
        self.bench = Bench(
            url=self.url,
            gateway=FakeGateway(faults=lambda _request, times: fault if times < 2 else "none"),
            rules=Rules(orders_closed_kept=kept, visits_final_kept=max(1, kept)),
        )
        self.bench.do(AddBadge(badge_sha256=sha(BADGE), holder="anna", by="staff"))
        self.things: dict[str, tuple[str | None, str, int]] = {}
        self.named = 0
        self.revision = 0
        self.placed: set[str] = set()

    def tell(self, name: str, label: str | None, state: str, place: int) -> None:
        if state == "gone":
            self.things.pop(name, None)
        else:
            self.things[name] = (label, state, place)
        u, z = PLACES[place]
        self.bench.tell(self.bench.thing(name, label, state, u, z))

    def tried(self, command: Any) -> None:
        """A command that may be refused: then nothing has changed."""
        before, known = self.bench.hub.digest(), set(self.bench.room.orders)
        try:
            self.bench.do(command)
        except RejectedError:
            read_back = set(self.bench.room.orders) != known
            assert read_back or self.bench.hub.digest() == before

    @rule(which=st.sampled_from(range(3)))
    def place(self, which: int) -> None:
        """Also again, when it has been closed and left memory."""
        due = 250 if which == 2 else 0
        self.bench.order(ORDERS[which], 2 * which + 1, 2 * which + 2, due=due)
        self.placed.add(ORDERS[which])
        assert len(self.bench.events("order.placed")) == len(self.placed)

    @rule(number=NUMBERS, place=st.integers(0, 7))
    def put(self, number: int, place: int) -> None:
        self.named += 1
        self.tell(f"t{self.named}", f"00{sscc(number)}", "stands", place)

    @rule(place=st.integers(0, 7))
    def put_unknown(self, place: int) -> None:
        self.named += 1
        self.tell(f"t{self.named}", None, "stands", place)

    @rule(data=st.data(), state=st.sampled_from(["stands", "moves", "gone"]))
    def happen(self, data: st.DataObject, state: str) -> None:
        if self.things:
            name = data.draw(st.sampled_from(sorted(self.things)))
            label, _, place = self.things[name]
            self.tell(name, label, state, place)

    @rule(order=st.sampled_from(ORDERS))
    def scan(self, order: str) -> None:
        self.bench.scan(code_of(order))

    @rule()
    def staff_scan(self) -> None:
        self.bench.scan(BADGE)

    @rule(there=st.booleans())
    def attend(self, there: bool) -> None:
        (self.bench.come if there else self.bench.go)()

    @rule(at=st.integers(-1, 2), back=st.booleans())
    def drive(self, at: int, back: bool) -> None:
        self.tried(MoveRoute(route_id="van", at=at, back=back))

    @rule(orders=st.lists(st.sampled_from(ORDERS), min_size=1, max_size=2), label=NUMBERS)
    def load(self, orders: list[str], label: int) -> None:
        stops = (
            RouteStop(name="first", orders=tuple(orders)),
            RouteStop(name="second", labels=(sscc(label),)),
        )
        self.tried(LoadRoute(route_id="van", wall_id="wall-1", stops=stops))

    @rule(seconds=st.sampled_from([0.2, 1.0, 5.0, 50.0]))
    def wait(self, seconds: float) -> None:
        self.bench.wait(seconds)

    @rule(blind=st.booleans())
    def outage(self, blind: bool) -> None:
        self.bench.outage(blind=blind)

    @rule()
    def node_again(self) -> None:
        self.named += 1
        self.bench.born(boot=f"boot-{self.named}")
        self.things.clear()

    @rule(order=st.sampled_from(ORDERS), number=NUMBERS, act=st.integers(0, 4))
    def staff(self, order: str, number: int, act: int) -> None:
        acts = (
            CancelOrder(order_id=order),
            ReleaseOrder(order_id=order),
            ReportMissing(key=key(number)),
            StowParcel(key=key(number), wall_id="wall-1"),
            ReturnGoods(return_id=f"r{self.named}", order_id=order, keys=(key(number),)),
        )
        self.tried(acts[act])

    @rule(data=st.data(), outcome=st.sampled_from(["seen", "handed_over", "missing"]))
    def answer_alarm(self, data: st.DataObject, outcome: Any) -> None:
        alarms = self.bench.wall().alarms
        if alarms:
            number = data.draw(st.sampled_from(sorted(alarms)))
            self.tried(ClearAlarm(wall_id="wall-1", number=number, outcome=outcome))

    @invariant()
    def nothing_wrong_shines(self) -> None:
        if not hasattr(self, "bench"):
            return
        wall = self.bench.wall()
        assert wall.revision >= self.revision
        self.revision = wall.revision
        standing = [thing for thing in wall.things.values() if thing.state == "stands"]
        for mark in wall.marks:
            if mark.look not in INVITING:
                continue
            thing = wall.things[str(mark.thing_id)]
            assert thing.state == "stands"
            assert thing.text == mark.label_text
            assert not wall.blind
            assert sum(other.key == thing.key for other in standing) == 1
            parcel = self.bench.room.all[thing.key]
            order = self.bench.room.orders[parcel.order_id]
            assert (parcel.state, order.state) == ("cued", "open")
            owners = [one for one in wall.live() if parcel.key in one.keys]
            assert [one.look for one in owners] == [mark.look]
            assert parcel.order_id in owners[0].orders
            if parcel.due_minor:
                assert parcel.order_id not in (*owners[0].paying, *owners[0].unpaid)

    @invariant()
    def what_is_cued_is_somebodys(self) -> None:
        if not hasattr(self, "bench"):
            return
        live = {name for one in self.bench.wall().live() for name in one.keys}
        for parcel in self.bench.room.all.values():
            assert parcel.state != "cued" or parcel.key in live

    def teardown(self) -> None:
        if hasattr(self, "bench"):
            checked(self.bench, self.url)
            self.bench.wait(300.0)
            assert [one.who for one in self.bench.wall().live() if one.who != "route"] == []
            self.bench.now_s += UNSEEN_S_MAX
            self.bench.wait(1.0)
            assert self.bench.hub.core.state.open_visits() == [], "every sale ends"
            checked(self.bench, self.url)
            self.bench.hub.close()
            self.folder.cleanup()


WallMachine.TestCase.settings = settings(
    max_examples=25,
    stateful_step_count=30,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
TestWallMachine = WallMachine.TestCase
