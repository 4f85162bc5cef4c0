"""Who tags along, and staff at work."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import pytest

from hub.attribution.model import Alternative, Decision
from hub.commands import (
    AddBadge,
    AssignTrack,
    FinishRestocking,
    MoveStock,
    OpenForTrack,
    RefundLine,
    RefundVisit,
    RevokeBadge,
    StartRestocking,
)
from hub.errors import ConflictError, RejectedError
from hub.inventory.model import STAFF
from hub.levels import LEVEL
from tests.hub.visits_kit import (
    enter,
    group,
    keys,
    kinds,
    let_in,
    of_kind,
    play,
    visit_of,
    walk_in,
    walk_out,
)

COLA, BREAD = "4006381333931", "5901234123457"
BADGE = "SORTIE-STAFF:ABCDEFGH"


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


def test_what_staff_with_a_badge_restock_counts_once(kept: Any, day: Any) -> None:
    digest = hashlib.sha256(BADGE.encode()).hexdigest()
    kept.hub.command(AddBadge(badge_sha256=digest, holder="sam", by="boss"), kept.now_s)
    kept.hub.command(StartRestocking(session_id="r1"), kept.now_s)
    day.step(1.0, "t1", 1.0, 0.3, "born")
    day.scan(1.1, BADGE)
    day.step(1.5, "t1", 1.0, 0.8)
    day.step(2.0, "t1", 1.1, 3.4)
    day.reach(2.2, "t1", COLA, pick=False)
    day.reach(3.4, "t1", BREAD)
    walk_out(day, 6.5, "t1")
    day.watermark(9.0)
    play(kept, day, 12.0)
    assert stock_of(kept, COLA) == (6, 0, 0)
    assert stock_of(kept, BREAD) == (6, 0, 0)
    move = MoveStock(session_id="r1", move_id="m1", slot_id="s1", gtin=COLA, quantity=2)
    kept.hub.command(move, 12.0)
    kept.hub.command(FinishRestocking(session_id="r1"), 12.0)
    (finished,) = of_kind(kept, "restocking.finished")
    assert finished.data["differences"] == [["s1", COLA, 2, 1], ["s2", BREAD, 0, -1]]
    assert stock_of(kept, COLA) == (8, 2, 0)


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
    assert again.hub.core.state.level == LEVEL


def test_a_revised_decision_of_staff_is_undone(shop: Any) -> None:
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
