"""Other ways in, and several bodies on one payer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub.commands import EndVisit, GrowGroup, OpenVisit, SettleAtDesk
from hub.errors import ConflictError, RejectedError
from hub.levels import LEVEL
from hub.rules import Rules
from hub.visits.judging import entry_code
from tests.hub.visits_kit import (
    code_of,
    enter,
    group,
    keys,
    kinds,
    let_in,
    of_kind,
    play,
    tap,
    visit_of,
    walk_in,
    walk_out,
)

COLA, BREAD = "4006381333931", "5901234123457"


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


def test_a_declined_card_stays_out(kept: Any, day: Any) -> None:
    day.step(1.0, "t1", 1.0, 0.3, "born")
    play(kept, day, 1.0)
    reply = tap(kept, "tap-1", card="declined_visa")
    day.step(1.2, "t1", 1.0, 0.3)
    play(kept, day, 1.5)
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
    assert f"debt:{visit.payer}" not in balances


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
    day.floor_watermark(6.0)
    day.watermark(6.0)
    play(kept, day, 8.0)
    visit = visit_of(kept, reply.visit_id)
    assert (visit.stage, visit.exit_kind) == ("final", "by_staff")
    assert [line.gtin for line in visit.lines] == [BREAD]


# -- groups -----------------------------------------------------------------------------------


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


@pytest.mark.parametrize(("level", "after_s"), [(LEVEL, 9.35), (10, 2.0)])
def test_who_of_a_group_is_seen_again_elsewhere_takes_nobody_else_out(
    shop: Any, day: Any, level: int, after_s: float
) -> None:
    shop.hub.core.state.hold_level(level)
    visit_id = group(shop)
    enter(shop, day, visit_id, "t1")
    enter(shop, day, visit_id, "t2")
    visit = visit_of(shop, visit_id)
    at_s = shop.now_s
    day.step(at_s + 0.1, "t2", 2.4, 3.4, "lost")
    # Somebody of nobody is taken for the second one, who is then found again after all.
    day.step(at_s + 0.6, "t3", 2.5, 3.3, "born")
    day.step(at_s + 1.0, "t1", 1.1, 3.4)
    play(shop, day, at_s + 2.0)
    assert visit.tracks == ["t1", "t2", "t3"]
    at_s = shop.now_s
    walk_out(day, at_s, "t2")
    day.step(at_s + 1.6, "t3", 5.0, 1.2)
    day.step(at_s + 2.0, "t3", 5.0, 0.1)
    day.step(at_s + 3.0, "t1", 1.1, 3.4)
    day.step(at_s + 6.0, "t1", 1.1, 3.4)
    walk_out(day, at_s + 8.0, "t1")
    day.watermark(at_s + 12.0)
    play(shop, day, at_s + 45.0)
    assert visit.stage == "final"
    assert visit.exited_s == pytest.approx(at_s + after_s, abs=0.3)


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
