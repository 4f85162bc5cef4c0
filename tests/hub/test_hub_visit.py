"""Visits through the facade: entry, binding, leaving, settlement, corrections."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from contracts import messages as m
from hub import commands as c
from hub.errors import ConflictError, RejectedError
from hub.levels import LEVEL, NOBODYS_RIVAL_LEVEL
from hub.rules import Rules
from hub.store import tables
from hub.wallet.fake import FakeGateway

COLA, BREAD = "4006381333931", "5901234123457"


@pytest.fixture(params=["sqlite", "postgresql"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def _visit(shop: Any, visit_id: str) -> dict[str, Any]:
    return next(v for v in shop.hub.export_json()["visits"] if v["visit_id"] == visit_id)


def _lines(shop: Any, visit_id: str) -> list[tuple[str, int, int]]:
    receipts = shop.hub.export_json()["receipts"]
    receipt = next(r for r in receipts if r["visit_id"] == visit_id)
    return [(x["gtin"], x["quantity"], x["unit_price_minor"]) for x in receipt["lines"]]


def _kinds(shop: Any) -> list[str]:
    return [event["kind"] for event in shop.hub.export_json()["events"]]


def test_a_shopper_pays_for_what_was_taken(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (BREAD, True), (BREAD, False), (COLA, True)])
    shop.play(day.script, 20.0)
    visit = _visit(shop, visit_id)
    assert visit["stage"] == "final"
    assert visit["total_minor"] == visit["captured_minor"] == 238
    assert not visit["needs_review"]
    receipt = shop.hub.export_json()["receipts"][0]
    assert [(x["gtin"], x["quantity"], x["vat_minor"]) for x in receipt["lines"]] == [(COLA, 2, 38)]
    assert shop.hub.gateway.totals().captured_minor == 238
    assert shop.hub.core.state.wallets.ledger.posted("clearing") == 238


def test_an_empty_visit_voids_the_hold(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [])
    shop.play(day.script, 12.0)
    visit = _visit(shop, visit_id)
    assert (visit["stage"], visit["total_minor"]) == ("final", 0)
    assert shop.hub.export_json()["holds"][0]["state"] == "voided"
    totals = shop.hub.gateway.totals()
    assert (totals.captured_minor, totals.holds_open) == (0, 0)


def test_two_shoppers_each_pay_their_own(shop: Any, day: Any) -> None:
    one, two = shop.open_visit("code-one"), shop.open_visit("code-two")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    day.shop(2.0, "t2", "code-two", [(BREAD, True), (BREAD, True)])
    shop.play(day.script, 20.0)
    assert _lines(shop, one) == [(COLA, 1, 119)]
    assert _lines(shop, two) == [(BREAD, 2, 249)]


def test_clocks_that_differ_by_half_a_minute_do_not_matter(shop: Any, day: Any) -> None:
    day.script.clear()
    day.shelf.sequence = day.floor.sequence = 0
    day.shelf.behind_s, day.floor.behind_s = 30.0, 15.0
    visit_id = shop.open_visit("code-one")
    day.born(40.0)
    for node in (day.shelf, day.floor):
        pong = m.ClockPong(
            hub_us=39_900_000, boot_id="boot-1", device_us=round((40.0 - node.behind_s) * 1e6)
        )
        name = f"sortie/v1/tiny/{node.device_id}/pong"
        day.script.append((40.1, name, pong.model_dump_json().encode()))
    exit_s = day.shop(45.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 60.0)
    visit = _visit(shop, visit_id)
    assert _lines(shop, visit_id) == [(COLA, 1, 119)]
    assert abs(visit["exited_us"] / 1e6 - exit_s) < 0.5
    assert len(shop.hub.store.rows(tables.clocks)) == 2


def test_a_code_is_good_once_and_not_for_long(shop: Any, day: Any) -> None:
    shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.scan(1.2, "code-one")
    day.scan(1.3, "never-issued")
    day.scan(400.0, "code-late")
    shop.open_visit("code-late")
    shop.play(day.script, 3.0)
    shop.now_s = 399.0
    shop.play(day.script[-1:], 402.0)
    refused = [e for e in shop.hub.export_json()["events"] if e["kind"] == "entry.refused"]
    assert [e["data"]["reason"] for e in refused] == [
        "code unknown or used before",
        "code unknown or used before",
        "code expired",
    ]
    assert "code-one" not in str(shop.hub.export_json())


def test_a_declined_card_does_not_enter(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one", payer="declined-card")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 15.0)
    assert _visit(shop, visit_id)["stage"] == "refused"
    document = shop.hub.export_json()
    assert document["transactions"] == []
    assert document["products"][0]["unaccounted"] == 1
    assert shop.hub.core.state.floor.tracks["t1"].visit_id is None


def test_the_price_is_the_one_seen_at_the_pick(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True), (COLA, True)])
    shop.play(day.script, 3.2)
    shop.hub.command(c.ChangePrice(gtin=COLA, price_minor=500), shop.now_s)
    shop.play([row for row in day.script if row[0] > 3.2], 15.0)
    assert sorted(_lines(shop, visit_id)) == [(COLA, 1, 119), (COLA, 1, 500)]


def test_more_than_the_hold_becomes_a_debt(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(BREAD, True)] * 9)
    shop.play(day.script, 25.0)
    visit = _visit(shop, visit_id)
    assert (visit["total_minor"], visit["captured_minor"], visit["debt_minor"]) == (2241, 2000, 241)


def test_what_is_unsure_is_not_charged_and_goes_to_review(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    exit_s = day.shop(1.0, "t1", "code-one", [(COLA, True)])
    day.reach(2.4, "t1", BREAD, sure=False)
    day.watermark(exit_s + 2.0)
    shop.play(day.script, 20.0)
    visit = _visit(shop, visit_id)
    assert visit["needs_review"]
    assert _lines(shop, visit_id) == [(COLA, 1, 119)]


def test_an_exit_waits_for_news_and_no_longer_than_its_grace(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    late = [row for row in day.script if "node-shelf" in row[1] and row[0] > 0.5]
    soon = [row for row in day.script if row not in late]
    shop.play(soon, 10.0)
    assert _visit(shop, visit_id)["stage"] == "left"
    shop.play([(shop.now_s + 1.0, name, payload) for _, name, payload in late], 16.0)
    assert _lines(shop, visit_id) == [(COLA, 1, 119)]

    slow = shop.open_visit("code-two")
    day.script.clear()
    day.shop(20.0, "t2", "code-two", [(COLA, True)])
    shop.play([row for row in day.script if "node-floor" in row[1]], 40.0)
    assert _visit(shop, slow)["stage"] == "left"
    shop.play([], 60.0)
    visit = _visit(shop, slow)
    assert (visit["stage"], visit["total_minor"], visit["needs_review"]) == ("final", 0, True)


def test_a_decision_after_settlement_charges_nobody(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    exit_s = day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, exit_s + 6.0)
    assert _visit(shop, visit_id)["stage"] == "final"
    day.script.clear()
    day.reach(exit_s + 7.0, "t1", BREAD)
    shop.play(day.script, exit_s + 12.0)
    assert "decision.late" in _kinds(shop)
    assert _visit(shop, visit_id)["total_minor"] == 119
    bread = next(p for p in shop.hub.export_json()["products"] if p["gtin"] == BREAD)
    assert bread["unaccounted"] == 1


def test_a_linked_track_keeps_its_visit(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 2.0)
    day.step(2.0, "t1", 1.1, 3.0, "lost")
    day.step(3.0, "t9", 1.1, 3.4, "born", linked_from="t1")
    day.reach(3.2, "t9", COLA)
    for at_s, y_m in ((5.0, 1.0), (5.5, 0.1)):
        day.step(at_s, "t9", 5.0, y_m)
    day.watermark(7.0)
    shop.play(day.script, 12.0)
    assert _lines(shop, visit_id) == [(COLA, 1, 119)]
    assert _visit(shop, visit_id)["tracks"] == ["t1", "t9"]


def test_a_body_found_again_in_mid_store_is_the_one_that_was_lost(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 2.0)
    day.step(2.0, "t1", 1.1, 3.0, "lost")
    day.step(3.0, "t9", 1.4, 3.2, "born")
    shop.play(day.script, 4.0)
    assert _visit(shop, visit_id)["tracks"] == ["t1", "t9"]


@pytest.mark.parametrize(
    ("at_s", "x_m", "rival"), [(3.0, 4.8, False), (15.0, 1.2, False), (3.0, 1.3, True)]
)
def test_a_body_that_could_be_somebody_else_is_not_taken_for_the_lost_one(
    shop: Any, day: Any, at_s: float, x_m: float, rival: bool
) -> None:
    """Too far away, too late, or with a rival as near."""
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 2.0)
    day.step(2.0, "t1", 1.1, 3.0, "lost")
    if rival:
        day.step(at_s, "t8", 0.9, 3.2, "born")
    day.step(at_s, "t9", x_m, 3.2, "born")
    shop.play(day.script, at_s + 1.0)
    assert _visit(shop, visit_id)["tracks"] == ["t1"]


@pytest.mark.parametrize(("away_s", "tracks"), [(0.8, ["t1", "t9"]), (3.0, ["t1"])])
def test_while_nobody_watched_somebody_else_may_have_come(
    shop: Any, day: Any, away_s: float, tracks: list[str]
) -> None:
    """The floor's node begins anew: who stands there now need not be who stood there before."""
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 2.0)
    day.step(2.0, "t1", 1.1, 3.0)
    day.floor.boot_id, day.floor.sequence = "boot-2", 0
    day.say(day.floor, 2.0 + away_s, m.NodeBorn(software="test", config_revision=1, floor=True))
    day.step(2.0 + away_s, "t9", 1.2, 3.1, "born")
    shop.play(day.script, 4.0 + away_s)
    assert _visit(shop, visit_id)["tracks"] == tracks


@pytest.mark.parametrize(
    ("level", "tracks"), [(LEVEL, ["t1"]), (NOBODYS_RIVAL_LEVEL - 1, ["t1", "t9"])]
)
def test_who_has_no_visit_may_be_who_is_seen_after_the_floors_node_stopped(
    shop: Any, day: Any, level: int, tracks: list[str]
) -> None:
    """Their code may not have been told yet."""
    visit_id = shop.open_visit("code-one")
    shop.hub.core.state.hold_level(level)
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 2.0)
    day.step(1.6, "t2", 1.0, 0.3, "born")
    day.step(2.0, "t1", 1.1, 3.0)
    day.step(2.2, "t2", 1.4, 2.9)
    day.floor.boot_id, day.floor.sequence = "boot-2", 0
    day.say(day.floor, 2.6, m.NodeBorn(software="test", config_revision=1, floor=True))
    day.step(2.7, "t9", 1.2, 3.1, "born")
    shop.play(day.script, 4.8)
    assert _visit(shop, visit_id)["tracks"] == tracks


def test_who_was_given_up_is_still_somebody_who_may_stand_there(shop: Any, day: Any) -> None:
    """Two lost at one moment, two bodies found again: when the first is given up the second must
    not get the body that may be the first one's."""
    one, two = shop.open_visit("code-one"), shop.open_visit("code-two")
    for at_s, track, code in ((1.0, "t1", "code-one"), (3.0, "t2", "code-two")):
        day.step(at_s, track, 1.0, 0.3, "born")
        day.scan(at_s + 0.1, code)
        day.step(at_s + 0.5, track, 1.0, 2.0)
    day.step(6.0, "t1", 1.1, 3.0, "lost")
    day.step(6.1, "t2", 1.9, 3.0, "lost")
    day.step(8.0, "t8", 1.4, 3.1, "born")
    for at_s in range(9, 40):
        day.step(float(at_s), "t8", 1.4, 3.1)
    shop.play(day.script, 42.0)
    for visit_id, track in ((one, "t1"), (two, "t2")):
        visit = _visit(shop, visit_id)
        assert (visit["tracks"], visit["lost"], visit["needs_review"]) == ([track], True, True)


@pytest.mark.parametrize(("seconds", "tracks"), [(2.0, ["t1"]), (0.3, ["t1", "t9"])])
def test_who_is_gone_again_may_have_been_the_lost_one(
    shop: Any, day: Any, seconds: float, tracks: list[str]
) -> None:
    """Of two bodies as near one leaves: the other is not taken for the shopper, unless the one
    was but a shadow."""
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 2.0)
    day.step(2.0, "t1", 1.1, 3.0, "lost")
    day.step(3.0, "t8", 0.9, 3.2, "born")
    day.step(3.0, "t9", 1.3, 3.2, "born")
    day.step(3.0 + seconds, "t8", 0.9, 3.1)
    day.step(3.2 + seconds, "t8", 0.9, 3.1, "lost")
    day.step(7.0, "t9", 1.3, 3.2)
    shop.play(day.script, 8.0)
    assert _visit(shop, visit_id)["tracks"] == tracks


@pytest.mark.parametrize(("inside", "kind"), [(True, "left_by_entry"), (False, "lost")])
def test_leaving_by_the_entry_needs_to_have_been_in_the_store(
    shop: Any, day: Any, inside: bool, kind: str
) -> None:
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    if inside:
        day.step(3.0, "t1", 1.0, 2.5)
    day.step(5.0, "t1", 1.0, 0.4)
    day.step(5.2, "t1", 1.0, 0.3, "lost")
    day.step(30.0, "other", 3.0, 2.0)
    shop.play(day.script, 32.0)
    assert _visit(shop, visit_id)["exit_kind"] == kind


def test_a_body_lost_in_the_store_ends_the_visit_with_its_certain_lines(
    shop: Any, day: Any
) -> None:
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 1.0, 3.4)
    day.reach(2.0, "t1", COLA)
    day.step(3.0, "t1", 1.1, 3.4, "lost")
    for at_s in range(4, 40):
        day.step(float(at_s), "other", 3.0, 2.0)
        day.watermark(float(at_s))
    shop.play(day.script, 42.0)
    visit = _visit(shop, visit_id)
    assert (visit["lost"], visit["needs_review"], visit["exit_kind"]) == (True, True, "lost")
    assert _lines(shop, visit_id) == [(COLA, 1, 119)]


def test_a_body_lost_in_the_exit_zone_has_left(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, "code-one")
    day.step(1.5, "t1", 4.0, 1.5)
    day.step(2.5, "t1", 5.0, 0.6)
    day.step(2.6, "t1", 5.0, 0.5, "lost")
    day.step(6.0, "other", 3.0, 2.0)
    shop.play(day.script, 8.0)
    visit = _visit(shop, visit_id)
    assert (visit["exit_kind"], visit["stage"]) == ("lost_in_exit_zone", "final")
    assert visit["exited_us"] == 2_600_000


def test_a_scan_without_a_body_charges_nothing(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.scan(1.1, "code-one")
    day.step(9.0, "far", 3.0, 2.0)
    shop.play(day.script, 12.0)
    visit = _visit(shop, visit_id)
    assert (visit["stage"], visit["lost"], visit["needs_review"]) == ("final", True, True)
    assert shop.hub.gateway.totals().holds_open == 0


@pytest.mark.parametrize("bodies", [1, 2])
def test_a_body_first_seen_a_step_into_the_store_is_bound_if_it_is_the_only_one(
    shop: Any, day: Any, bodies: int
) -> None:
    visit_id = shop.open_visit("code-one")
    day.scan(1.1, "code-one")
    for index in range(bodies):
        day.step(2.5, f"t{index}", 1.0 + index * 0.5, 2.0, "born")
    day.step(7.0, "t0", 1.1, 3.4)
    shop.play(day.script, 8.0)
    assert _visit(shop, visit_id)["tracks"] == (["t0"] if bodies == 1 else [])


def _refund(visit_id: str, name: str, quantity: int) -> c.RefundVisit:
    line = c.RefundLine(line=1, quantity=quantity)
    return c.RefundVisit(refund_id=name, visit_id=visit_id, lines=(line,))


def test_refunds_go_down_only_and_once_a_key(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)] * 3)
    with pytest.raises(RejectedError, match="settled"):
        shop.hub.command(_refund(visit_id, "early", 1), 0.0)
    shop.play(day.script, 15.0)
    assert shop.hub.command(_refund(visit_id, "a", 2), 15.0).amount_minor == 238
    assert shop.hub.command(_refund(visit_id, "a", 2), 15.0).repeated
    before = shop.hub.export_json()
    with pytest.raises(ConflictError):
        shop.hub.command(_refund(visit_id, "a", 1), 15.0)
    with pytest.raises(RejectedError, match="at most 1"):
        shop.hub.command(_refund(visit_id, "b", 2), 15.0)
    assert shop.hub.export_json() == before
    visit = _visit(shop, visit_id)
    assert (visit["captured_minor"], visit["refunded_minor"]) == (357, 238)
    totals = shop.hub.gateway.totals()
    assert totals.captured_minor - totals.refunded_minor == 119
    assert shop.hub.core.state.wallets.ledger.posted("clearing") == 119


def test_a_visit_of_long_ago_can_still_be_refunded(make_shop: Callable[..., Any], day: Any) -> None:
    shop = make_shop(rules=Rules(visits_final_kept=1))
    first = shop.open_visit("code-one")
    shop.open_visit("code-two")
    shop.open_visit("code-three")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    day.shop(8.0, "t2", "code-two", [(COLA, True)])
    day.shop(15.0, "t3", "code-three", [(COLA, True)])
    shop.play(day.script, 25.0)
    assert first not in shop.hub.core.state.visits
    shop.hub.command(_refund(first, "late", 1), 30.0)
    assert _visit(shop, first)["refunded_minor"] == 119
    digest = shop.hub.digest()
    shop.hub.recover()
    assert shop.hub.digest() == digest


@pytest.mark.parametrize("fault", ["timeout", "lost"])
def test_unanswered_questions_are_asked_again_and_charge_once(
    make_shop: Callable[..., Any], day: Any, fault: Any
) -> None:
    gateway = FakeGateway(faults=lambda _request, times: fault if times < 2 else "none")
    shop = make_shop(gateway=gateway)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 30.0)
    assert _visit(shop, visit_id)["captured_minor"] == 119
    assert gateway.totals().captured_minor == 119
    tries = {row["kind"]: row["tries"] for row in shop.hub.export_json()["gateway_attempts"]}
    assert tries == {"hold": 3, "capture": 3}
    gateway.close()


def test_a_hold_that_is_never_answered_refuses_and_is_voided(
    make_shop: Callable[..., Any], day: Any
) -> None:
    gateway = FakeGateway(faults=lambda r, _times: "lost" if r.kind == "hold" else "none")
    shop = make_shop(gateway=gateway)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 60.0)
    assert _visit(shop, visit_id)["stage"] == "refused"
    assert gateway.totals().holds_open == 0
    gateway.close()


def test_a_hold_that_ran_out_becomes_a_debt(make_shop: Callable[..., Any], day: Any) -> None:
    gateway = FakeGateway(faults=lambda r, _n: "expired" if r.kind == "capture" else "none")
    shop = make_shop(gateway=gateway)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 20.0)
    visit = _visit(shop, visit_id)
    assert (visit["captured_minor"], visit["debt_minor"]) == (0, 119)
    assert shop.hub.export_json()["holds"][0]["state"] == "expired"
    gateway.close()
