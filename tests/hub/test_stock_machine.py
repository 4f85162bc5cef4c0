"""Every operation on stock in any order: pieces neither appear nor vanish, and replay agrees."""

from __future__ import annotations

from typing import Any

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from auditor.ledger import audit
from contracts.store_file import parse_store_file
from hub import commands as c
from hub.attribution.model import Alternative, Decision
from hub.errors import RejectedError
from hub.inventory.model import STAFF
from hub.replay import rebuild
from hub.rules import Rules
from hub.service import Hub
from hub.wallet.fake import FakeGateway
from tests.hub.conftest import STORE, NearestAttributor

COLA, BREAD = "4006381333931", "5901234123457"
SLOTS = st.sampled_from(("s1", "s2"))
GTINS = st.sampled_from((COLA, BREAD))
NAMES = st.integers(0, 5).map(lambda number: f"n{number}")
WHO = st.sampled_from((None, "v-a", "v-b", STAFF))


class StockMachine(RuleBasedStateMachine):
    """One hub, its commands, and decisions as attribution would make and revise them."""

    def __init__(self) -> None:
        super().__init__()
        self.gateway = FakeGateway(":memory:")
        layout = parse_store_file(STORE, name="tiny.yaml")
        self.hub = Hub.open(
            layout, attributor=NearestAttributor, gateway=self.gateway, rules=Rules()
        )
        self.hub.start(0.0)
        self.now_s = 0.0
        self.revisions: dict[str, int] = {}

    def do(self, command: c.Command) -> None:
        """A command is done, or refused without a trace."""
        self.now_s += 1.0
        before = self.hub.core.state.stock.dump()
        try:
            self.hub.command(command, self.now_s)
        except RejectedError:
            assert self.hub.core.state.stock.dump() == before

    @rule(name=NAMES, slot=SLOTS, gtin=GTINS, counted=st.integers(0, 30), sure=st.booleans())
    def count(self, name: str, slot: str, gtin: str, counted: int, sure: bool) -> None:
        self.do(
            c.CountSlot(count_id=name, slot_id=slot, gtin=gtin, counted=counted, confirmed=sure)
        )

    @rule(name=NAMES)
    def start(self, name: str) -> None:
        self.do(c.StartRestocking(session_id=name))

    @rule(name=NAMES, move=NAMES, slot=SLOTS, gtin=GTINS, quantity=st.integers(-8, 20))
    def move(self, name: str, move: str, slot: str, gtin: str, quantity: int) -> None:
        self.do(
            c.MoveStock(session_id=name, move_id=move, slot_id=slot, gtin=gtin, quantity=quantity)
        )

    @rule(name=NAMES, move=NAMES, approve=st.booleans())
    def confirm(self, name: str, move: str, approve: bool) -> None:
        self.do(c.ConfirmMove(session_id=name, move_id=move, approve=approve))

    @rule(name=NAMES)
    def finish(self, name: str) -> None:
        self.do(c.FinishRestocking(session_id=name))

    @rule(name=NAMES, gtin=GTINS, quantity=st.integers(1, 4))
    def find(self, name: str, gtin: str, quantity: int) -> None:
        self.do(c.FindPieces(find_id=name, gtin=gtin, quantity=quantity))

    @rule(name=NAMES, slot=st.one_of(st.none(), SLOTS))
    def resolve(self, name: str, slot: str | None) -> None:
        self.do(c.ResolveFind(find_id=name, slot_id=slot))

    @rule(slot=SLOTS, gtin=GTINS, quantity=st.integers(-8, 8))
    def restock(self, slot: str, gtin: str, quantity: int) -> None:
        self.do(c.Restock(slot_id=slot, gtin=gtin, quantity=quantity))

    @rule(slot=SLOTS, gtin=GTINS, facings=st.integers(1, 3))
    def planogram(self, slot: str, gtin: str, facings: int) -> None:
        self.do(c.ChangePlanogram(slot_id=slot, gtin=gtin, facings=facings, deep=2))

    @rule(name=NAMES, who=WHO, slot=SLOTS, gtin=GTINS, quantity=st.integers(-4, 4))
    def decide(self, name: str, who: str | None, slot: str, gtin: str, quantity: int) -> None:
        """Attribution moves pieces, straight in the books: no journal knows of this."""
        revision = self.revisions[name] = self.revisions.get(name, -1) + 1
        best = Alternative(who, gtin, quantity, slot, 0.99)
        self.hub.core.state.stock.apply(
            Decision(name, 0, revision, self.now_s, best, quantity != 3, (best,), "test"), who
        )

    @rule(who=st.sampled_from(("v-a", "v-b")))
    def settle(self, who: str) -> None:
        self.hub.core.state.stock.settle(who, ())

    @invariant()
    def pieces_add_up(self) -> None:
        stock = self.hub.core.state.stock
        stock.check(*stock.counts)
        for gtin, counts in stock.counts.items():
            have = sum(n for (_, g), n in stock.shelf.items() if g == gtin)
            have += sum(counts.carts.values()) + counts.sold + counts.unaccounted
            have += counts.found + counts.removed
            assert counts.initial + counts.restocked == have
        assert all(count >= 0 for count in stock.shelf.values())

    def teardown(self) -> None:
        self.hub.close()
        self.gateway.close()


class JournaledMachine(StockMachine):
    """Commands only: in the end the journal leads to the same books, and the auditor agrees."""

    decide = None  # type: ignore[assignment]
    settle = None  # type: ignore[assignment]

    def teardown(self) -> None:
        export: dict[str, Any] = self.hub.export_json()
        state = self.hub.core.state
        again = rebuild(self.hub.store, state.store, state.factory, state.rules)
        # A refused command is not journaled: only the clock knows that it was asked.
        after, before = again.dump(), self.hub.core.dump()
        del after["now_s"], before["now_s"]
        assert after == before
        assert {name: rows for name, rows in audit(export).items() if rows} == {}
        super().teardown()


TestStock = StockMachine.TestCase
TestStock.settings = settings(max_examples=40, stateful_step_count=40, deadline=None)
TestJournaled = JournaledMachine.TestCase
TestJournaled.settings = settings(max_examples=20, stateful_step_count=30, deadline=None)
