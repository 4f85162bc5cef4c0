"""What the simulation of the whole hub found, held by a test each."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from auditor.ledger import audit
from contracts import messages as m
from hub.commands import OpenVisit, OpenWallet, SettleAtDesk, TopUp
from hub.driver import HubClock
from hub.levels import LEVEL
from hub.rules import Rules
from hub.wallet.fake import FakeGateway, Fault
from hub.wallet.gateway import GatewayRequest

COLA = "4006381333931"


def _overtaken(day: Any, node: Any) -> list[tuple[float, str, bytes]]:
    """Somebody walks in; the floor's node dies, and its last news come after its next birth."""
    day.step(1.0, "t", 1.0, 0.3, "born")
    day.scan(1.1, "code-of-somebody")
    day.step(1.5, "t", 1.0, 0.8)
    day.step(2.5, "t", 1.1, 3.0)
    script = list(day.script)
    late = day.floor.wrap(
        m.FloorTracksMoved(
            t_s=2.9,
            segments=(
                m.TrackSegment(
                    track_id="t",
                    state="alive",
                    points=(m.TrackPoint(t_s=2.9, x_m=1.1, y_m=3.2, sd_m=0.1),),
                ),
            ),
        ),
        2.9,
    )
    reborn = node("node-floor", "boot-2")
    born = m.NodeBorn(software="test", config_revision=1, floor=True)
    script.append((4.0, *reborn.wrap(born, 4.0)))
    script.append((5.0, *late))
    for t_s in range(6, 60):
        script.append((float(t_s), *reborn.wrap(m.Watermark(t_s=float(t_s), last_seq=0), t_s)))
        script.append((float(t_s), *day.shelf.wrap(m.Watermark(t_s=float(t_s), last_seq=0), t_s)))
    return script


@pytest.mark.parametrize(("level", "stage"), [(LEVEL, "final"), (1, "shopping")])
def test_late_news_of_a_boot_that_ended_revive_no_track(
    make_shop: Callable[..., Any], day: Any, level: int, stage: str
) -> None:
    """Under the rules of before, the track lived on and the visit never closed."""
    shop = make_shop()
    shop.hub.core.state.level = level
    visit_id = shop.open_visit("code-of-somebody", now_s=0.5)
    shop.play(_overtaken(day, type(day.floor)), 60.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert visit.stage == stage
    assert visit.lost == (level == LEVEL)


def test_the_clock_begins_at_what_the_database_knows() -> None:
    passed = [50.0]
    behind = HubClock(at_least_s=1_000.0, utc=lambda: 400.0, monotonic=lambda: passed[0])
    ahead = HubClock(at_least_s=1_000.0, utc=lambda: 2_000.0, monotonic=lambda: passed[0])
    assert (behind(), ahead()) == (1_000.0, 2_000.0)
    passed[0] += 3.0
    assert (behind(), ahead()) == (1_003.0, 2_003.0)


def test_a_question_without_an_answer_is_no_finding(make_shop: Callable[..., Any]) -> None:
    """While the gateway is asked, what it has done and what is booked may differ; not for more."""
    from auditor.ledger import CHECKS

    export = make_shop().hub.export_json()
    export["gateway"] = {"captured_minor": 70, "refunded_minor": 0}
    check = CHECKS["gateway agrees with clearing"]
    assert list(check(export)) == ["clearing holds 0, the gateway says 70"]
    attempt = {"kind": "capture", "hold_key": "h", "amount_minor": 70, "outcome": None}
    export["gateway_attempts"] = [attempt]
    assert list(check(export)) == []
    export["gateway_attempts"] = [{**attempt, "amount_minor": 69}]
    assert list(check(export)) == ["clearing holds 0, the gateway says 70"]
    export["visits"] = [{"visit_id": "v", "stage": "final"}]
    export["holds"] = [
        {"visit_id": "v", "hold_key": "h", "amount_minor": 90, "captured_minor": 0, "state": "held"}
    ]
    holds = CHECKS["holds resolved once"]
    assert list(holds(export)) == []
    export["gateway_attempts"] = [{**attempt, "outcome": "approved"}]
    assert list(holds(export)) == ["hold h is held though its visit is final"]


def _times_out(kinds: dict[str, int]) -> Callable[[GatewayRequest, int], Fault]:
    return lambda request, times: "timeout" if times < kinds.get(request.kind, 0) else "none"


@pytest.mark.parametrize(("level", "tracks"), [(LEVEL, {"t", "tx"}), (2, {"tx"})])
def test_a_body_lost_while_the_gateway_is_asked_keeps_what_it_did_before(
    make_shop: Callable[..., Any], day: Any, level: int, tracks: set[str]
) -> None:
    """Under the rules of before, only the track it had when the answer came was the visit's."""
    with closing(FakeGateway(faults=_times_out({"hold": 3}))) as gateway:
        shop = make_shop(gateway=gateway)
        shop.hub.core.state.level = level
        visit_id = shop.open_visit("code-of-somebody", now_s=0.5)
        day.step(1.0, "t", 1.0, 0.3, "born")
        day.scan(1.1, "code-of-somebody")
        day.step(1.5, "t", 1.0, 0.8)
        day.step(2.0, "t", 1.1, 3.4)
        day.reach(2.1, "t", COLA)
        day.step(3.0, "t", 1.1, 3.0, "lost")
        day.step(3.4, "tx", 1.1, 2.9, "born", linked_from="t")
        for at_s in (5.0, 7.0, 9.0):
            day.step(at_s, "tx", 1.1, 2.8)
        shop.play(day.script, 12.0)
        state = shop.hub.core.state
        visit = state.visits[visit_id]
        assert visit.stage == "shopping"
        bound = {name for name, who in state.attributor.visits.items() if who == visit_id}
        assert bound == tracks
        assert bool(state.carts.of(visit_id)) == (level == LEVEL)
        assert any(y_m > 3.2 for _t, _x, y_m in visit.places()) == (level == LEVEL)


@pytest.mark.parametrize(("level", "held"), [(LEVEL, 0), (2, 1)])
def test_a_declined_capture_lets_go_of_its_hold(
    make_shop: Callable[..., Any], day: Any, level: int, held: int
) -> None:
    """What cannot be charged must not stay reserved on the shopper's card for days."""

    def declines(request: GatewayRequest, _times: int) -> Fault:
        return "declined" if request.kind == "capture" else "none"

    with closing(FakeGateway(faults=declines)) as gateway:
        shop = make_shop(gateway=gateway)
        shop.hub.core.state.level = level
        visit_id = shop.open_visit("code-of-somebody", now_s=0.5)
        end_s = day.shop(1.0, "t", "code-of-somebody", [(COLA, True)])
        shop.play(day.script, end_s + 40.0)
        state = shop.hub.core.state
        account = state.wallets.account(visit_id)
        assert (account.state, account.debt_minor > 0) == ("expired", True)
        assert gateway.totals().holds_open == held
        assert not state.asks
        assert {k: v for k, v in audit(shop.hub.export_json()).items() if v} == {}


@pytest.mark.parametrize(("level", "held"), [(LEVEL, 0), (2, 1)])
def test_a_declined_top_up_lets_go_of_its_hold(
    make_shop: Callable[..., Any], level: int, held: int
) -> None:
    def declines(request: GatewayRequest, _times: int) -> Fault:
        return "declined" if request.kind == "capture" else "none"

    with closing(FakeGateway(faults=declines)) as gateway:
        shop = make_shop(gateway=gateway)
        shop.hub.core.state.level = level
        wallet = "a" * 64
        shop.hub.command(OpenWallet(wallet_sha256=wallet), 1.0)
        shop.hub.command(TopUp(wallet_sha256=wallet, topup_id="top-1", amount_minor=500), 2.0)
        shop.play([], 10.0)
        assert gateway.totals().holds_open == held
        assert not shop.hub.core.state.asks


@pytest.mark.parametrize(("level", "owed"), [(LEVEL, 0), (3, 1)])
def test_a_debt_that_was_paid_at_the_desk_is_off_its_wallet(
    make_shop: Callable[..., Any], day: Any, level: int, owed: int
) -> None:
    """Under the rules of before the wallet's page went on to say that it was owed."""
    shop = make_shop()
    shop.hub.core.state.level = level
    wallet = "a" * 64
    shop.hub.command(OpenWallet(wallet_sha256=wallet), 0.2)
    command = OpenVisit(token_sha256="b" * 64, code="code-of-somebody", wallet_sha256=wallet)
    visit_id = str(shop.hub.command(command, 0.4).visit_id)
    items = [(COLA, True)] * 6 + [("5901234123457", True)] * 6
    end_s = day.shop(1.0, "t", "code-of-somebody", items)
    shop.play(day.script, end_s + 40.0)
    state = shop.hub.core.state
    account = state.wallets.account(visit_id)
    assert account.debt_minor == 208
    pay = SettleAtDesk(
        payment_id="p", visit_id=visit_id, method="cash", amount_minor=208, by="carla"
    )
    shop.hub.command(pay, shop.now_s)
    assert account.debt_minor == 0
    assert len(state.wallets.purses.all[account.payer].debts) == owed
    found = audit(shop.hub.export_json())["wallets show their entries"]
    assert len(found) == owed


UNTOLD = "settled without news from node-shelf"
DATELESS = [
    "nobody knows when a reach was that node-shelf told of",
    "nobody knows when its body was where the floor says",
]


@pytest.mark.parametrize(
    ("level", "reasons"), [(LEVEL, [UNTOLD, *DATELESS]), (5, [UNTOLD]), (3, [])]
)
def test_a_node_whose_clock_nobody_knows_has_told_of_no_moment(
    make_shop: Callable[..., Any], day: Any, level: int, reasons: list[str]
) -> None:
    """What it said is dated by when it came, which may be long after: nobody may settle by it."""
    shop = make_shop(rules=Rules(clock_wait_s=2.0), patient=True)
    shop.hub.core.state.level = level
    visit_id = shop.open_visit("code-of-somebody", now_s=0.5)
    end_s = day.shop(5.0, "t", "code-of-somebody", [(COLA, True)])
    shop.play(day.script, end_s + 60.0)
    visit = shop.hub.core.state.visits[visit_id]
    assert visit.stage == "final"
    assert visit.review_reasons == reasons


def test_a_cheap_piece_of_a_set_may_have_nothing_taken_off() -> None:
    """Two for the price of one, the cheaper at 5: its share of the 5 that are saved is none."""
    from auditor.goods import _saves

    cheap = {"line": 1, "discount_minor": 0, "promotions": ["offer"]}
    dear = {"line": 2, "discount_minor": 5, "promotions": ["offer"]}
    assert _saves({"lines": [cheap, dear]}, ["offer"])
    assert not _saves({"lines": [cheap]}, ["offer"])
    assert not _saves({"lines": [cheap, {**dear, "promotions": ["other"]}]}, ["offer"])
