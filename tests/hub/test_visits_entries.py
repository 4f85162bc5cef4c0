"""Other ways in, several bodies on one payer, who tags along, and staff at work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.ledger import audit
from contracts import messages as m
from hub.commands import (
    AddBadge,
    AssignTrack,
    EndVisit,
    GrowGroup,
    LetIn,
    OpenForTrack,
    OpenVisit,
    RefundLine,
    RefundVisit,
    RevokeBadge,
    SettleAtDesk,
)
from hub.errors import ConflictError, RejectedError
from hub.replay import rebuild
from hub.rules import Rules
from hub.store.service import Store
from hub.visits.commands import TapCard
from hub.visits.judging import entry_code

COLA, BREAD = "4006381333931", "5901234123457"
BADGE = "SORTIE-STAFF:ABCDEFGH"


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


def keys(name: str) -> dict[str, str]:
    """What is drawn outside for a visit."""
    digest = hashlib.sha256(name.encode()).hexdigest()
    return {"visit_key": digest[:20], "token_sha256": digest}


def visit_of(shop: Any, visit_id: str | None) -> Any:
    return shop.hub.core.state.visits[visit_id]


def kinds(shop: Any) -> list[str]:
    return [event.kind for event in shop.hub.live.feed]


def of_kind(shop: Any, kind: str) -> list[Any]:
    return [event for event in shop.hub.live.feed if event.kind == kind]


def code_of(shop: Any, visit_id: str) -> str:
    hub = shop.hub
    found = entry_code(
        hub.entry_keys, hub.core.state.rules, "tiny", visit_of(shop, visit_id), shop.now_s
    )
    assert found is not None
    return found[0]


def walk_in(day: Any, at_s: float, track: str) -> None:
    """A body from the gate to the shelf."""
    day.step(at_s, track, 1.0, 0.3, "born")
    day.step(at_s + 0.5, track, 1.0, 0.8)
    day.step(at_s + 1.0, track, 1.1, 3.4)


def walk_out(day: Any, at_s: float, track: str) -> None:
    """A body from the shelf over the exit line."""
    day.step(at_s, track, 1.1, 3.4)
    day.step(at_s + 0.5, track, 5.0, 1.2)
    day.step(at_s + 1.0, track, 5.0, 0.6)
    day.step(at_s + 1.5, track, 5.0, 0.1)


def play(shop: Any, day: Any, until_s: float) -> None:
    shop.play(day.script, until_s)
    day.script.clear()


def tap(shop: Any, name: str, card: str = "tok_ann_visa", gate_id: str = "entry") -> Any:
    command = TapCard(tap_id=name, gate_id=gate_id, card=card, **keys(name))
    return shop.hub.command(command, shop.now_s)


# -- cards ------------------------------------------------------------------------------------


def test_a_card_opens_a_visit_and_pays(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    play(kept, day, 1.0)
    reply = tap(kept, "tap-1")
    assert tap(kept, "tap-1").repeated
    walk_in(day, 2.0, "t1")
    day.reach(3.1, "t1", COLA)
    walk_out(day, 4.0, "t1")
    day.watermark(6.5)
    play(kept, day, 9.0)
    visit = visit_of(kept, reply.visit_id)
    assert (visit.payer, visit.channel, visit.stage) == ("card:tok_ann_visa", "card", "final")
    account = kept.hub.core.state.wallets.account(visit.visit_id)
    assert (account.captured_minor, account.state) == (119, "captured")
    assert tap(kept, "tap-1").visit_id == visit.visit_id


def test_a_declined_card_stays_out(kept: Any) -> None:
    reply = tap(kept, "tap-1", card="declined_visa")
    assert visit_of(kept, reply.visit_id).stage == "refused"
    with pytest.raises(ValueError, match="pattern"):
        tap(kept, "tap-2", card="4111111111111111")
    with pytest.raises(RejectedError, match="entry gate"):
        tap(kept, "tap-3", gate_id="exit")


def test_one_card_twice_at_once_is_one_tap(kept: Any, day: Any) -> None:
    play(kept, day, 1.0)
    first = tap(kept, "tap-1")
    again = tap(kept, "tap-2")
    assert (again.visit_id, again.repeated) == (first.visit_id, True)
    assert len(visit_of(kept, first.visit_id).companions) == 0


def test_one_card_later_is_a_group(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    play(kept, day, 1.0)
    first = tap(kept, "tap-1")
    walk_in(day, 1.2, "t1")
    day.step(5.0, "t2", 1.0, 0.3, "born")
    play(kept, day, 5.0)
    second = tap(kept, "tap-2")
    assert (second.visit_id, second.repeated) == (first.visit_id, False)
    assert tap(kept, "tap-2").repeated
    day.step(5.4, "t2", 1.0, 0.8)
    play(kept, day, 7.0)
    visit = visit_of(kept, first.visit_id)
    assert visit.tracks == ["t1", "t2"]
    assert kinds(kept).count("hold.placed") == 1


def test_one_card_later_is_refused_where_groups_are_off(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop(rules=Rules(card_groups=False))
    play(shop, day, 1.0)
    tap(shop, "tap-1")
    shop.now_s = 5.0
    before = shop.hub.digest()
    with pytest.raises(ConflictError, match="another card"):
        tap(shop, "tap-2")
    assert shop.hub.core.state.visits.keys() == {"v-" + keys("tap-1")["visit_key"]}
    assert len(before) == 64


# -- by staff ---------------------------------------------------------------------------------


def let_in(shop: Any, name: str = "cash", who: str = "shopper") -> Any:
    command = LetIn.model_validate(
        {**keys(name), "gate_id": "entry", "who": who, "by": "carla", "reason": "no phone"}
    )
    return shop.hub.command(command, shop.now_s)


def test_who_is_let_in_pays_at_the_desk(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    play(kept, day, 1.0)
    reply = let_in(kept)
    walk_in(day, 1.2, "t1")
    day.reach(2.4, "t1", BREAD)
    walk_out(day, 4.0, "t1")
    day.watermark(6.5)
    play(kept, day, 9.0)
    visit = visit_of(kept, reply.visit_id)
    account = kept.hub.core.state.wallets.account(visit.visit_id)
    assert (visit.stage, visit.payer) == ("final", f"counter:{visit.visit_id}")
    assert (account.debt_minor, account.state) == (249, "none")
    assert "hold.placed" not in kinds(kept)
    paid = {"visit_id": visit.visit_id, "by": "carla"}

    def pay(payment_id: str, amount_minor: int, method: str = "cash") -> Any:
        command = SettleAtDesk.model_validate(
            {**paid, "payment_id": payment_id, "amount_minor": amount_minor, "method": method}
        )
        return kept.hub.command(command, kept.now_s)

    before = kept.hub.digest()
    with pytest.raises(RejectedError, match="1 to 249"):
        pay("p0", 250)
    assert kept.hub.digest() == before
    assert pay("p1", 200).amount_minor == 200
    assert pay("p1", 200).repeated
    with pytest.raises(ConflictError, match="made before as cash:200"):
        pay("p1", 200, "card")
    pay("p2", 49, "card")
    with pytest.raises(RejectedError, match="1 to 0"):
        pay("p3", 1)
    assert account.debt_minor == 0
    balances = kept.hub.core.state.wallets.ledger.balances()
    assert (balances["till:cash"], balances["till:card"]) == (200, 49)
    assert balances[f"debt:{visit.payer}"] == 0


def test_a_desk_payment_waits_for_the_receipt(shop: Any, day: Any) -> None:
    play(shop, day, 1.0)
    reply = let_in(shop)
    command = SettleAtDesk(
        payment_id="p", visit_id=reply.visit_id, method="cash", amount_minor=5, by="carla"
    )
    with pytest.raises(RejectedError, match="settled visit"):
        shop.hub.command(command, shop.now_s)
    with pytest.raises(RejectedError, match="expected a visit"):
        shop.hub.command(command.model_copy(update={"visit_id": "v-none"}), shop.now_s)
    with pytest.raises(ConflictError, match="never used"):
        let_in(shop)


def test_staff_end_a_visit_that_left_unseen(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    play(kept, day, 1.0)
    reply = let_in(kept)
    walk_in(day, 1.2, "t1")
    day.reach(2.4, "t1", BREAD)
    play(kept, day, 4.0)
    command = EndVisit(visit_id=reply.visit_id, by="carla", reason="went out by the back door")
    kept.hub.command(command, kept.now_s)
    assert kept.hub.command(command, kept.now_s).repeated
    day.watermark(6.0)
    play(kept, day, 8.0)
    visit = visit_of(kept, reply.visit_id)
    assert (visit.stage, visit.exit_kind) == ("final", "by_staff")
    assert [line.gtin for line in visit.lines] == [BREAD]


# -- groups -----------------------------------------------------------------------------------


def group(shop: Any, entries: int = 2) -> str:
    command = OpenVisit(**keys("anna"), payer="anna", entries=entries)
    return str(shop.hub.command(command, shop.now_s).visit_id)


def enter(shop: Any, day: Any, visit_id: str, track: str) -> None:
    """Scans what the phone shows now, and walks in."""
    at_s = shop.now_s
    day.step(at_s + 0.2, track, 1.0, 0.3, "born")
    day.scan(at_s + 0.3, code_of(shop, visit_id))
    day.step(at_s + 0.6, track, 1.0, 0.8)
    day.step(at_s + 1.2, track, 1.1 if track == "t1" else 2.4, 3.4)
    play(shop, day, at_s + 2.0)


def test_a_group_on_one_payer_splits_and_leaves_apart(kept: Any, day: Any) -> None:
    visit_id = group(kept)
    first = code_of(kept, visit_id)
    enter(kept, day, visit_id, "t1")
    assert code_of(kept, visit_id) != first
    enter(kept, day, visit_id, "t2")
    visit = visit_of(kept, visit_id)
    assert visit.tracks == ["t1", "t2"]
    at_s = kept.now_s
    day.reach(at_s + 0.3, "t1", COLA)
    day.reach(at_s + 0.4, "t2", BREAD)
    walk_out(day, at_s + 2.0, "t1")
    day.watermark(at_s + 4.0)
    play(kept, day, at_s + 8.0)
    # One has left with a bottle: it is on the same cart, which nobody has paid yet.
    assert visit.stage == "shopping"
    assert [event.data["track_id"] for event in of_kind(kept, "visit.member_left")] == ["t1"]
    at_s = kept.now_s
    day.reach(at_s + 0.3, "t2", BREAD)
    walk_out(day, at_s + 2.0, "t2")
    day.watermark(at_s + 4.0)
    play(kept, day, at_s + 8.0)
    assert visit.stage == "final"
    assert visit.exited_s == pytest.approx(at_s + 3.35, abs=0.2)
    assert {line.gtin: line.quantity for line in visit.lines} == {COLA: 1, BREAD: 2}
    assert kinds(kept).count("visit.settled") == 1
    assert kinds(kept).count("hold.placed") == 1


def test_a_child_comes_in_behind_on_the_same_code(kept: Any, day: Any) -> None:
    """Two scans of one phone at the gate: the parent's and the child's."""
    visit_id = group(kept)
    day.step(0.2, "t1", 1.0, 0.3, "born")
    day.scan(0.4, code_of(kept, visit_id))
    play(kept, day, 0.6)
    day.scan(1.0, code_of(kept, visit_id))
    day.step(1.1, "t1", 1.0, 1.6)
    day.step(1.2, "t2", 1.0, 0.4, "born")
    day.step(2.0, "t2", 1.2, 3.3)
    day.reach(2.2, "t2", COLA)
    play(kept, day, 4.0)
    quantities = kept.hub.core.state.attributor.cart(visit_id)
    assert quantities == {COLA: 1}
    assert visit_of(kept, visit_id).tracks == ["t1", "t2"]


def test_more_people_than_the_group_has_are_refused(kept: Any, day: Any) -> None:
    visit_id = group(kept)
    enter(kept, day, visit_id, "t1")
    second = code_of(kept, visit_id)
    enter(kept, day, visit_id, "t2")
    day.scan(kept.now_s + 0.1, second)
    play(kept, day, kept.now_s + 1.0)
    assert of_kind(kept, "entry.refused")[-1].data["reason"] == "code used before"
    token = keys("anna")["token_sha256"]
    with pytest.raises(RejectedError, match="at least 2"):
        kept.hub.command(GrowGroup(token_sha256=token, entries=1), kept.now_s)
    kept.hub.command(GrowGroup(token_sha256=token, entries=3), kept.now_s)
    enter(kept, day, visit_id, "t3")
    assert visit_of(kept, visit_id).tracks == ["t1", "t2", "t3"]


def test_one_of_a_group_is_lost_and_the_others_go_on(kept: Any, day: Any) -> None:
    visit_id = group(kept)
    enter(kept, day, visit_id, "t1")
    enter(kept, day, visit_id, "t2")
    at_s = kept.now_s
    day.step(at_s + 0.1, "t1", 1.1, 3.4, "lost")
    for step in range(50):
        day.step(at_s + 0.5 * step, "t2", 2.4, 3.4)
    play(kept, day, at_s + 25.0)
    visit = visit_of(kept, visit_id)
    assert visit.stage == "shopping"
    assert visit.needs_review
    assert "visit.member_lost" in kinds(kept)
    at_s = kept.now_s
    day.reach(at_s + 0.3, "t2", BREAD)
    walk_out(day, at_s + 2.0, "t2")
    day.watermark(at_s + 4.0)
    play(kept, day, at_s + 40.0)
    assert visit.stage == "final"
    assert [line.gtin for line in visit.lines] == [BREAD]


def test_a_member_nobody_saw_does_not_end_the_visit(kept: Any, day: Any) -> None:
    visit_id = group(kept)
    enter(kept, day, visit_id, "t1")
    day.scan(kept.now_s + 0.1, code_of(kept, visit_id))
    at_s = kept.now_s
    for step in range(16):
        day.step(at_s + 0.5 * step, "t1", 1.1, 3.4)
    play(kept, day, at_s + 8.0)
    visit = visit_of(kept, visit_id)
    assert visit.stage == "shopping"
    assert visit.review_reasons == ["no body was seen at the gate"]
    at_s = kept.now_s
    walk_out(day, at_s + 1.0, "t1")
    day.watermark(at_s + 4.0)
    play(kept, day, at_s + 40.0)
    assert visit.stage == "final"


def test_a_refused_payer_lets_nobody_of_the_group_in(kept: Any, day: Any) -> None:
    command = OpenVisit(**keys("dan"), payer="declined-dan", entries=3)
    visit_id = str(kept.hub.command(command, kept.now_s).visit_id)
    enter(kept, day, visit_id, "t1")
    assert visit_of(kept, visit_id).stage == "refused"
    found = entry_code(
        kept.hub.entry_keys, kept.hub.core.state.rules, "tiny", visit_of(kept, visit_id), 3.0
    )
    assert found is None


def test_a_group_survives_a_restart(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("group.sqlite")
    visit_id = group(shop)
    enter(shop, day, visit_id, "t1")
    enter(shop, day, visit_id, "t2")
    before = visit_of(shop, visit_id).dump()
    shop.hub.close()
    again = make_shop("group.sqlite")
    assert visit_of(again, visit_id).dump() == before
    again.now_s = 10.0
    again.hub.tick(10.0)
    at_s = 10.0
    for track in ("t1", "t2"):
        walk_out(day, at_s + 1.0, track)
        at_s += 0.2
    day.watermark(15.0)
    play(again, day, 20.0)
    assert visit_of(again, visit_id).stage == "final"


# -- who tags along ---------------------------------------------------------------------------


def shopper_and_shadow(shop: Any, day: Any) -> str:
    """A shopper scans, and somebody without a code walks in behind and takes bread."""
    visit_id = group(shop, 1)
    enter(shop, day, visit_id, "t1")
    at_s = shop.now_s
    day.step(at_s + 0.1, "t9", 1.0, 0.3, "born")
    day.step(at_s + 0.6, "t9", 1.0, 0.8)
    for step in range(18):
        day.step(at_s + 1.0 + 0.5 * step, "t9", 2.0, 3.4)
        day.step(at_s + 1.1 + 0.5 * step, "t1", 1.1, 3.4)
    day.reach(at_s + 2.0, "t9", BREAD)
    play(shop, day, at_s + 10.0)
    return visit_id


def test_who_tags_along_is_told_and_charged_to_nobody_else(kept: Any, day: Any) -> None:
    visit_id = shopper_and_shadow(kept, day)
    (alarm,) = of_kind(kept, "entry.tagged_along")
    assert alarm.data["gate_id"] == "entry"
    assert alarm.data["track_id"] == "t9"
    assert alarm.data["t_us"] == pytest.approx(2_100_000, abs=1_000)
    assert kept.hub.core.state.counters["tag_alongs"] == 1
    at_s = kept.now_s
    walk_out(day, at_s, "t1")
    walk_out(day, at_s + 0.1, "t9")
    day.watermark(at_s + 4.0)
    play(kept, day, at_s + 8.0)
    assert visit_of(kept, visit_id).lines == []


def test_staff_say_whose_a_body_is(kept: Any, day: Any) -> None:
    visit_id = shopper_and_shadow(kept, day)
    command = AssignTrack(visit_id=visit_id, track_id="t9", by="carla")
    with pytest.raises(RejectedError, match="on the floor now"):
        kept.hub.command(command.model_copy(update={"track_id": "t77"}), kept.now_s)
    kept.hub.command(command, kept.now_s)
    assert kept.hub.command(command, kept.now_s).repeated
    play(kept, day, kept.now_s + 1.0)
    assert of_kind(kept, "entry.tag_along_explained")[0].visit_id == visit_id
    at_s = kept.now_s
    day.reach(at_s + 0.3, "t9", COLA)
    walk_out(day, at_s + 2.0, "t1")
    walk_out(day, at_s + 2.5, "t9")
    day.watermark(at_s + 5.0)
    play(kept, day, at_s + 10.0)
    lines = {line.gtin: line.quantity for line in visit_of(kept, visit_id).lines}
    assert lines[COLA] == 1
    with pytest.raises(ConflictError, match="is final"):
        kept.hub.command(command.model_copy(update={"track_id": "t77"}), kept.now_s)


def test_staff_give_a_body_a_visit(kept: Any, day: Any) -> None:
    shopper_and_shadow(kept, day)
    command = OpenForTrack(**keys("shadow"), track_id="t9", by="carla", reason="pays in cash")
    reply = kept.hub.command(command, kept.now_s)
    with pytest.raises(ConflictError, match="has one"):
        kept.hub.command(command, kept.now_s)
    at_s = kept.now_s
    day.reach(at_s + 0.3, "t9", COLA)
    walk_out(day, at_s + 2.0, "t9")
    day.watermark(at_s + 4.5)
    play(kept, day, at_s + 9.0)
    visit = visit_of(kept, reply.visit_id)
    assert visit.stage == "final"
    assert {line.gtin: line.quantity for line in visit.lines}[COLA] == 1
    assert kept.hub.core.state.wallets.account(visit.visit_id).debt_minor >= 119


def test_nobody_tags_along_while_a_scan_waits_for_its_body(kept: Any, day: Any) -> None:
    """The scan came before the floor's news of the same moment, and the gateway is slow."""
    visit_id = group(kept, 1)
    enter(kept, day, visit_id, "t1")
    for step in range(20):
        day.step(kept.now_s + 0.5 * step, "t1", 1.1, 3.4)
    play(kept, day, kept.now_s + 10.0)
    assert "entry.tagged_along" not in kinds(kept)


# -- staff at work ----------------------------------------------------------------------------


def stock_of(shop: Any, gtin: str) -> tuple[int, int, int]:
    """On shelves, restocked, unaccounted."""
    stock = shop.hub.core.state.stock
    counts = stock.counts[gtin]
    return stock.on_shelves(gtin), counts.restocked, counts.unaccounted


def test_a_badge_opens_a_visit_of_staff(kept: Any, day: Any) -> None:
    digest = hashlib.sha256(BADGE.encode()).hexdigest()
    badge = AddBadge(badge_sha256=digest, holder="sam", by="boss")
    kept.hub.command(badge, kept.now_s)
    with pytest.raises(ConflictError, match="in use"):
        kept.hub.command(badge, kept.now_s)
    before = stock_of(kept, COLA)
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, BADGE)
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.2, "t1", COLA, pick=False)
    day.reach(3.4, "t1", COLA, pick=False)
    day.reach(4.6, "t1", BREAD)
    day.scan(5.0, BADGE)
    walk_out(day, 6.5, "t1")
    day.watermark(9.0)
    play(kept, day, 12.0)
    (came,) = of_kind(kept, "staff.came_in")
    visit = visit_of(kept, came.visit_id)
    assert (visit.kind, visit.stage, visit.lines) == ("staff", "final", [])
    assert stock_of(kept, COLA) == (before[0] + 2, before[1] + 2, before[2])
    assert stock_of(kept, BREAD) == (5, 0, 1)
    assert of_kind(kept, "entry.refused")[0].data["reason"] == "badge is inside already"
    assert "visit.settled" not in kinds(kept)
    assert "staff.left" in kinds(kept)
    assert kept.hub.export_json()["receipts"] == []
    kept.hub.command(RevokeBadge(holder="sam", by="boss"), kept.now_s)
    day.scan(13.0, BADGE)
    play(kept, day, 14.0)
    assert of_kind(kept, "entry.refused")[-1].data["reason"] == "code unknown or used before"
    with pytest.raises(ConflictError, match="holder of a badge"):
        kept.hub.command(RevokeBadge(holder="sam", by="boss"), kept.now_s)


def test_a_helper_let_in_by_staff_pays_nothing(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    play(kept, day, 1.0)
    reply = let_in(kept, who="staff")
    walk_in(day, 1.2, "t1")
    day.reach(2.4, "t1", BREAD)
    walk_out(day, 4.0, "t1")
    day.watermark(6.5)
    play(kept, day, 9.0)
    visit = visit_of(kept, reply.visit_id)
    assert (visit.kind, visit.stage, visit.lines) == ("staff", "final", [])
    with pytest.raises(RejectedError):
        kept.hub.command(
            RefundVisit(
                refund_id="r",
                visit_id=visit.visit_id,
                lines=(RefundLine(line=1, quantity=1),),
            ),
            kept.now_s,
        )


def test_badges_survive_a_snapshot(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop("badge.sqlite", snapshot_every=5)
    digest = hashlib.sha256(BADGE.encode()).hexdigest()
    shop.hub.command(AddBadge(badge_sha256=digest, holder="sam", by="boss"), shop.now_s)
    play(shop, day, 6.0)
    for _ in range(12):
        shop.play([], shop.now_s + 1.0)
        day.step(shop.now_s, "t5", 3.0, 3.0)
        play(shop, day, shop.now_s + 0.4)
    assert shop.hub.store.snapshot().position > 0
    shop.hub.close()
    again = make_shop("badge.sqlite")
    assert again.hub.core.state.badges == {digest: "sam"}
    assert again.hub.core.state.level == 1


def test_a_revised_decision_of_staff_is_undone(shop: Any) -> None:
    from hub.attribution.model import Alternative, Decision
    from hub.inventory.model import STAFF

    stock = shop.hub.core.state.stock

    def decision(gtin: str, quantity: int, revision: int) -> Decision:
        best = Alternative("v-s", gtin, quantity, None, 0.99)
        return Decision("r1", 0, revision, 1.0, best, True, (best,), "test")

    before = (stock_of(shop, COLA), stock_of(shop, BREAD))
    stock.apply(decision(COLA, -2, 0), STAFF)
    stock.apply(decision(COLA, 1, 1), STAFF)
    stock.apply(decision(BREAD, -1, 2), STAFF)
    assert stock_of(shop, COLA) == before[0]
    assert stock_of(shop, BREAD) == (before[1][0] + 1, before[1][1] + 1, before[1][2])
    assert m.GateScanned.TYPE.endswith("v1")
