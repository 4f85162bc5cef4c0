"""Any order of entries, scans, bodies and words of staff keeps visits whole.

A state machine plays the store for the production hub. After every step nobody is in two visits and
nothing is settled twice; at the end the auditor finds nothing and the journal leads to the state.
"""

from __future__ import annotations

import hashlib
from typing import Any

import pytest
from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from auditor.ledger import audit
from contracts import messages as m
from contracts.store_file import parse_store_file
from hub.commands import (
    AddBadge,
    AssignTrack,
    Command,
    EndVisit,
    GrowGroup,
    OpenForTrack,
    OpenVisit,
    RenewCode,
    SettleAtDesk,
)
from hub.errors import RejectedError
from hub.replay import rebuild
from hub.rules import Rules
from hub.service import Hub
from hub.visits.commands import LetIn, TapCard
from hub.visits.entry import waiting_bodies
from hub.visits.judging import entry_code
from hub.visits.model import Companion
from hub.wallet.fake import FakeGateway
from tests.hub.conftest import STORE, Day, NearestAttributor, Shop

COLA, BREAD = "4006381333931", "5901234123457"
BADGE = "SORTIE-STAFF:SAM"
EXAMPLES = 25
PLACES = {"gate": (1.0, 0.4), "shelf": (1.1, 3.4), "aisle": (3.0, 2.5), "exit": (5.0, 0.6)}
TRACKS = st.sampled_from([f"t{number}" for number in range(6)])
NUMBERS = st.integers(0, 5)
AMOUNTS = st.sampled_from([1, 119, 249])
SEEN = st.sampled_from(["alive", "lost"])


class Store(RuleBasedStateMachine):
    """A store in which anything may happen."""

    @initialize(kept=st.sampled_from([1, 1_000]))
    def opens(self, kept: int) -> None:
        """Visits that are over leave memory soon, or not at all."""
        rules = Rules(
            clock_wait_s=0.0, lost_wait_s=4.0, grace_s=6.0, stall_s=6.0, code_rotate_s=5.0,
            visits_final_kept=kept,
        )  # fmt: skip
        self.gateway = FakeGateway()
        self.hub = Hub.open(
            parse_store_file(STORE, name="tiny.yaml"),
            attributor=NearestAttributor,
            gateway=self.gateway,
            rules=rules,
        )
        self.hub.start(0.0)
        self.shop, self.day = Shop(self.hub), Day()
        self.day.born(0.0)
        self.shop.play(self.day.script, 0.2)
        self.day.script.clear()
        self.made = 0
        self.codes: list[str] = ["sha256:" + "0" * 64, BADGE]
        digest = hashlib.sha256(BADGE.encode()).hexdigest()
        self.hub.command(AddBadge(badge_sha256=digest, holder="sam", by="boss"), 0.2)

    def do(self, command: Command) -> None:
        """Staff and phones may ask for what cannot be; then nothing changes."""
        before = self.hub.digest()
        try:
            self.hub.command(command, self.shop.now_s)
        except RejectedError:
            assert self.hub.digest() == before

    def fresh(self) -> dict[str, Any]:
        self.made += 1
        digest = hashlib.sha256(f"visit {self.made}".encode()).hexdigest()
        return {"visit_key": digest[:20], "token_sha256": digest}

    def visit(self, number: int) -> Any:
        visits = list(self.hub.core.state.visits.values())
        return visits[number % len(visits)] if visits else None

    def say(self, message: m.Message) -> None:
        self.day.say(self.day.floor, self.shop.now_s, message)

    @rule(entries=st.integers(1, 3), payer=st.sampled_from(["ann", "declined-dan", None]))
    def phone_opens(self, entries: int, payer: str | None) -> None:
        self.do(OpenVisit(**self.fresh(), payer=payer, entries=entries))

    @rule(number=NUMBERS, entries=st.integers(1, 4))
    def phone_asks(self, number: int, entries: int) -> None:
        visit = self.visit(number)
        if visit is not None:
            self.do(GrowGroup(token_sha256=visit.token_sha256, entries=entries))
            self.do(RenewCode(token_sha256=visit.token_sha256))

    @rule(number=NUMBERS, gate=st.sampled_from(["entry", "entry", "entry", "exit"]))
    def shows_the_code_of_now(self, number: int, gate: str) -> None:
        visit = self.visit(number)
        found = visit and entry_code(
            self.hub.entry_keys, self.hub.core.state.rules, "tiny", visit, self.shop.now_s
        )
        if found:
            self.codes.append(found[0])
            self.say(m.GateScanned(gate_id=gate, code=found[0], t_s=self.shop.now_s))

    @rule(number=st.integers(0, 30))
    def shows_a_code_of_before(self, number: int) -> None:
        code = self.codes[number % len(self.codes)]
        self.say(m.GateScanned(gate_id="entry", code=code, t_s=self.shop.now_s))

    @rule(card=st.sampled_from(["tok_ann_visa", "declined_visa"]))
    def taps(self, card: str) -> None:
        keys = self.fresh()
        self.do(TapCard(tap_id=keys["visit_key"], gate_id="entry", card=card, **keys))

    @rule(who=st.sampled_from(["shopper", "staff"]), track=TRACKS, body=st.booleans())
    def staff_open(self, who: Any, track: str, body: bool) -> None:
        about = {**self.fresh(), "who": who, "by": "carla", "reason": "no phone"}
        if body:
            self.do(OpenForTrack(**about, track_id=track))
        else:
            self.do(LetIn(**about, gate_id="entry"))

    @rule(number=NUMBERS, track=TRACKS)
    def staff_assign(self, number: int, track: str) -> None:
        visit = self.visit(number)
        if visit is not None:
            self.do(AssignTrack(visit_id=visit.visit_id, track_id=track, by="carla"))

    @rule(number=NUMBERS)
    def staff_end(self, number: int) -> None:
        visit = self.visit(number)
        if visit is not None:
            self.do(EndVisit(visit_id=visit.visit_id, by="carla", reason="gone"))

    @rule(
        number=NUMBERS,
        amount=st.sampled_from([1, 119, 249]),
        method=st.sampled_from(["cash", "card"]),
    )
    def pays_at_the_desk(self, number: int, amount: int, method: Any) -> None:
        visit = self.visit(number)
        if visit is not None:
            self.do(
                SettleAtDesk(
                    payment_id=f"p{self.made}", visit_id=visit.visit_id, method=method,
                    amount_minor=amount, by="carla",
                )
            )  # fmt: skip

    @rule(
        track=TRACKS, place=st.sampled_from(sorted(PLACES)), seen=st.sampled_from(["alive", "lost"])
    )
    def body_is_seen(self, track: str, place: str, seen: str) -> None:
        known = track in self.hub.core.state.floor.tracks
        state = seen if known else "born"
        self.day.step(self.shop.now_s, track, *PLACES[place], state)

    @rule(track=TRACKS)
    def body_leaves(self, track: str) -> None:
        self.day.step(self.shop.now_s, track, 5.0, 0.6)
        self.day.step(self.shop.now_s + 0.1, track, 5.0, 0.1)

    @rule(track=TRACKS, gtin=st.sampled_from([COLA, BREAD]), pick=st.booleans(), sure=st.booleans())
    def reaches(self, track: str, gtin: str, pick: bool, sure: bool) -> None:
        self.day.reach(self.shop.now_s, track, gtin, pick=pick, sure=sure)

    @precondition(lambda self: self.day.script)
    @rule(for_s=st.sampled_from([0.4, 1.0, 3.0, 8.0]))
    def time_passes(self, for_s: float) -> None:
        self.day.watermark(self.shop.now_s + for_s)
        self.shop.play(self.day.script, self.shop.now_s + for_s)
        self.day.script.clear()

    @invariant()
    def nobody_is_in_two_visits(self) -> None:
        state = self.hub.core.state
        owner: dict[str, str] = {}
        for visit in state.open_visits():
            for body in visit.inside():
                if body.track_id is not None and body.track_id in state.floor.tracks:
                    assert owner.setdefault(body.track_id, visit.visit_id) == visit.visit_id
                    assert state.floor.tracks[body.track_id].visit_id == visit.visit_id
            assert visit.entered <= max(visit.entries, 1)
            assert len(visit.companions) < 20

    @invariant()
    def who_is_shopping_has_somebody_inside(self) -> None:
        for visit in self.hub.core.state.open_visits():
            assert bool(visit.inside()) == (visit.stage != "left") or not visit.companions

    @invariant()
    def who_waits_at_a_gate_is_found_beside_all_visits(self) -> None:
        state = self.hub.core.state
        waiting = [
            id(body)
            for visit in state.open_visits()
            if visit.stage in ("entering", "binding", "shopping")
            for body in visit.bodies()
            if (
                not body.bound and body.gone_s is None
                if isinstance(body, Companion)
                else visit.stage != "shopping"
            )
        ]
        assert sorted(id(body) for _visit, body in waiting_bodies(state)) == sorted(waiting)

    def teardown(self) -> None:
        if not hasattr(self, "hub"):
            return
        for _ in range(2):
            self.shop.play(self.day.script, self.shop.now_s + 8.0)
            self.day.script.clear()
            for visit in self.hub.core.state.open_visits():
                if visit.stage == "shopping":
                    self.do(EndVisit(visit_id=visit.visit_id, by="carla", reason="closing time"))
        self.shop.play([], self.shop.now_s + 8.0)
        stages = {visit.stage for visit in self.hub.core.state.open_visits()}
        assert stages <= {"issued"}, "every visit closes within a bound"
        export = self.hub.export_json()
        assert {name: found for name, found in audit(export).items() if found} == {}
        core = self.hub.core
        again = rebuild(self.hub.store, core.state.store, core.state.factory, core.state.rules)
        assert again.digest() == core.digest()
        self.hub.close()
        self.gateway.close()


@pytest.mark.usefixtures("events_as_listed")
def test_any_order_keeps_visits_whole() -> None:
    run_state_machine_as_test(
        Store,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=30,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        ),
    )
