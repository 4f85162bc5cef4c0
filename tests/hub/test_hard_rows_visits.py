"""The rows of HARD_CASES.md that visits must hold, by their names: codes at gates (C), groups and
who tags along (B, see test_visits_entries), news after the exit and settling once (E)."""

from __future__ import annotations

import threading
from collections import Counter
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest

from auditor.ledger import audit
from contracts import messages as m
from hub.commands import ChangePrice, ChangeVat, EndVisit
from hub.driver import Driver
from hub.errors import RejectedError
from hub.rules import Rules
from tests.hub.visits_kit import enter, group, visit_of, walk_out

COLA, BREAD = "4006381333931", "5901234123457"


def in_order(shop: Any) -> None:
    """The auditor, which shares no code with the hub, finds nothing."""
    assert {name: found for name, found in audit(shop.hub.export_json()).items() if found} == {}


def settlements(shop: Any) -> Counter[str | None]:
    return Counter(e.visit_id for e in shop.hub.live.feed if e.kind == "visit.settled")


def charges(shop: Any) -> Counter[str]:
    return Counter(
        row["visit_id"] for row in shop.hub.export_json()["transactions"] if row["kind"] == "charge"
    )


def reach_message(day: Any, name: str, at_s: float, track: str, gtin: str) -> m.ReachClosed:
    hand = m.HandSeen(
        hand_id=track, t_in_s=at_s, t_out_s=at_s + 0.5, u_m=0.2, z_m=0.6, sd_u_m=0.05, sd_z_m=0.05,
        held_out=1.0,
        products=m.ProductScores(top=(m.ProductLikelihood(gtin=gtin, log_likelihood=-0.1),)),
    )  # fmt: skip
    return m.ReachClosed(
        reach_id=name, bay_id="bay-a", t_open_s=at_s, t_close_s=at_s + 0.5, u_m=0.2, hands=(hand,),
        camera_ok=True, plates_ok=False,
    )  # fmt: skip


def test_event_after_the_exit_waits_within_the_grace(shop: Any, day: Any) -> None:
    """What was taken before the exit and is told within the grace is on the receipt."""
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True)])
    # The shelf node is cut off: neither its watermark nor the second reach comes.
    script = [row for row in day.script if "node-shelf" not in row[1] or row[0] < 2.0]
    late = [row for row in day.script if row not in script]
    shop.play(script, exit_s + 20.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert visit.stage == "left"
    shop.hub.ingest([(name, payload) for _at, name, payload in late], shop.now_s)
    shop.play([], shop.now_s + 2.0)
    assert visit.stage == "final"
    assert [(line.gtin, line.quantity) for line in visit.lines] == [(COLA, 1)]
    in_order(shop)


def test_event_after_the_exit_and_after_the_grace_is_never_a_silent_charge(
    shop: Any, day: Any
) -> None:
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True)])
    script = [row for row in day.script if "node-shelf" not in row[1]]
    late = [row for row in day.script if "node-shelf" in row[1]]
    shop.play(script, exit_s + 35.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert visit.stage == "final"
    assert visit.lines == []
    assert visit.needs_review
    before = shop.hub.core.state.wallets.account(visit_id)
    shop.hub.ingest([(name, payload) for _at, name, payload in late], shop.now_s)
    shop.play([], shop.now_s + 5.0)
    assert visit.lines == []
    assert before.total_minor == 0
    (told,) = [e for e in shop.hub.live.feed if e.kind.startswith("decision.")]
    assert told.kind == "decision.late" or told.visit_id is None
    assert charges(shop) == Counter()
    in_order(shop)


def test_event_after_the_exit_that_happened_after_it_is_not_the_visits(shop: Any, day: Any) -> None:
    """Somebody reaches in when the shopper has walked out already."""
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True)])
    day.step(exit_s + 0.2, "t2", 1.1, 3.4, "born")
    day.reach(exit_s + 0.3, "t2", BREAD)
    shop.play(day.script, exit_s + 6.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert [(line.gtin, line.quantity) for line in visit.lines] == [(COLA, 1)]
    in_order(shop)


def test_exit_twice_is_one_charge(shop: Any, day: Any) -> None:
    """The body crosses the exit line, turns round, and crosses it again; all of it comes twice."""
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True)])
    day.step(exit_s + 0.5, "t1", 5.0, 0.6)
    day.step(exit_s + 1.0, "t1", 5.0, 0.1)
    again = [(at_s + 0.05, name, payload) for at_s, name, payload in day.script]
    shop.play([*day.script, *again], exit_s + 6.0)
    exited = [e for e in shop.hub.live.feed if e.kind == "visit.exited"]
    assert len(exited) == 1
    assert settlements(shop) == Counter({visit_id: 1})
    assert charges(shop) == Counter({visit_id: 1})
    in_order(shop)


def test_exit_twice_concurrently_is_one_charge(shop: Any, day: Any) -> None:
    """Twenty workers say at once that the visit is over, while the floor says so too."""
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True)])
    inside = [row for row in day.script if row[0] < exit_s - 0.2]
    rest = [row for row in day.script if row not in inside]
    shop.play(inside, exit_s - 0.2)
    now_s = shop.now_s
    driver = Driver(shop.hub, lambda: now_s)
    faults: list[BaseException] = []

    def leave(number: int) -> None:
        try:
            if number % 2:
                reason = EndVisit(visit_id=visit_id, by=f"w{number}", reason="gone")
                driver.command(reason)
            else:
                with driver.lock:
                    shop.hub.ingest([(name, payload) for _at, name, payload in rest], now_s)
        except Exception as error:  # noqa: BLE001 - whatever it is, the test names it
            faults.append(error)

    workers = [threading.Thread(target=leave, args=(number,)) for number in range(20)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert faults == []
    shop.play([], exit_s + 40.0)
    assert len([e for e in shop.hub.live.feed if e.kind == "visit.exited"]) == 1
    assert settlements(shop) == Counter({visit_id: 1})
    assert charges(shop) == Counter({visit_id: 1})
    in_order(shop)


def test_price_changed_in_mid_visit_is_the_price_seen_at_the_pick(shop: Any, day: Any) -> None:
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True)])
    shop.play([row for row in day.script if row[0] <= 3.0], 3.0)
    shop.hub.command(ChangePrice(gtin=COLA, price_minor=999), shop.now_s)
    shop.play([row for row in day.script if row[0] > 3.0], exit_s + 5.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert [line.unit_price_minor for line in visit.lines] == [119]
    in_order(shop)


def test_vat_changed_in_mid_visit_is_the_rate_of_the_pick(
    make_shop: Callable[..., Any], day: Any
) -> None:
    shop = make_shop("vat.sqlite", snapshot_every=40)
    visit_id = shop.open_visit("code-of-ann")
    exit_s = day.shop(1.0, "t1", "code-of-ann", [(COLA, True), (COLA, True)])
    shop.play([row for row in day.script if row[0] <= 2.95], 2.95)
    change = ChangeVat(gtin=COLA, vat_rate=Decimal("0.07"))
    shop.hub.command(change, 3.0)
    for wrong in (change, change.model_copy(update={"gtin": "9999999999994"})):
        with pytest.raises(RejectedError):
            shop.hub.command(wrong, 3.0)
    shop.play([row for row in day.script if row[0] > 2.95], exit_s + 5.0)
    visit = shop.hub.core.state.visits[visit_id]
    # One line for each rate, so that the VAT of the receipt is that of the picks.
    assert [(line.quantity, line.vat_rate) for line in visit.lines] == [
        (1, "0.1900"),
        (1, "0.0700"),
    ]
    balances = shop.hub.core.state.wallets.ledger.balances()
    assert (balances["vat:0.1900"], balances["vat:0.0700"]) == (-19, -8)
    in_order(shop)
    shop.play([], exit_s + 12.0)
    shop.hub.close()
    again = make_shop("vat.sqlite").hub.core.state.catalog
    assert again.products[COLA].vat_at(2.0) == "0.1900"
    assert again.products[COLA].vat_at(4.0) == "0.0700"


@pytest.mark.parametrize("stop_after", [4, 6, 8, 10, 12])
def test_hub_down_in_a_group_visit_loses_nothing(
    make_shop: Callable[..., Any], day: Any, stop_after: int
) -> None:
    """The hub is gone and back in the middle of two people's visit on one payer."""
    shop = make_shop("group.sqlite", rules=Rules())
    visit_id = group(shop)
    enter(shop, day, visit_id, "t1")
    enter(shop, day, visit_id, "t2")
    at_s = shop.now_s
    day.reach(at_s + 0.3, "t1", COLA)
    day.reach(at_s + 0.4, "t2", BREAD)
    walk_out(day, at_s + 2.0, "t1")
    walk_out(day, at_s + 4.0, "t2")
    day.watermark(at_s + 6.5)
    script = sorted(day.script)
    day.script.clear()
    first, rest = script[:stop_after], script[stop_after:]
    shop.play(first, first[-1][0] + 0.2)
    now_s = shop.now_s
    shop.hub.close()
    again = make_shop("group.sqlite", rules=Rules())
    again.now_s = now_s
    again.play(rest, at_s + 12.0)
    visit = visit_of(again, visit_id)
    assert visit.stage == "final"
    assert {line.gtin: line.quantity for line in visit.lines} == {COLA: 1, BREAD: 1}
    in_order(again)
