"""A payment disputed at the bank: in the books once, however the news come, and its payer waits."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from hub import commands as c
from hub.errors import ConflictError, RejectedError
from hub.levels import TAB_LEFT_LEVEL
from hub.reports.service import books_of, compare, vat_of
from tests.hub.wallet.till import PRICES, Till

COLA_MINOR = next(iter(PRICES.values()))
AGING: dict[str, Any] = {"tab_visit_minor_max": 500, "tab_minor_max": 1_000, "tab_age_s": 30.0}
"""A tab that is captured when it is old."""


def _told(visit_id: str, fact: Any, **more: Any) -> c.GatewayTold:
    values: dict[str, Any] = {
        "fact_id": f"dp_1:{fact}", "fact": fact, "visit_id": visit_id,
        "hold_key": f"{visit_id}:hold", "amount_minor": 2 * COLA_MINOR, "dispute_id": "dp_1",
        "reason": "fraudulent",
    }  # fmt: skip
    return c.GatewayTold(**{**values, **more})


def _sold(till: Till, payer: str = "ann", code: str = "code-one") -> str:
    visit_id = till.visit(code, payer=payer)
    till.shop(code, 2)
    assert till.account(visit_id).captured_minor == 2 * COLA_MINOR
    return visit_id


def _takes(till: Till, visit_id: str, fee: int = 15) -> None:
    """The bank takes the money: at the gateway, and in what it tells."""
    till.gateway.dispute("dp_1", f"{visit_id}:hold", 2 * COLA_MINOR, fee)
    told = _told(visit_id, "dispute_withdrawn", withdrawn_minor=2 * COLA_MINOR, fee_minor=fee)
    till.do(told)


def _agree(till: Till) -> None:
    report = compare(lambda: books_of(till.hub.store), till.gateway, "EUR")
    assert report.differences == ()


def test_a_dispute_that_is_lost_is_a_loss_and_no_refund_of_the_sale(
    make_till: Callable[..., Till],
) -> None:
    till = make_till()
    visit_id = _sold(till)
    vat = vat_of(till.hub.store, till.layout, "1970-01-01").total
    assert till.do(_told(visit_id, "disputed")).repeated is False
    assert till.posted("clearing") == 2 * COLA_MINOR, "nothing has moved yet"
    _takes(till, visit_id)
    assert till.posted("clearing") == -15
    assert till.posted("disputed") == 2 * COLA_MINOR
    assert till.posted("fees") == 15
    _agree(till)
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(visit_id, "dispute_lost"))
    assert (till.posted("disputed"), till.posted("chargeback")) == (0, 2 * COLA_MINOR)
    assert till.posted("clearing") == -15
    _agree(till)
    assert vat_of(till.hub.store, till.layout, "1970-01-01").total == vat
    assert "the bank took the payment back" in (till.hub.core.state.visits[visit_id].review_reasons)


def test_one_that_is_won_brings_the_money_back(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    _takes(till, visit_id)
    till.gateway.decide_dispute("dp_1", won=True)
    till.do(_told(visit_id, "dispute_won"))
    assert till.posted("clearing") == 2 * COLA_MINOR - 15, "the fee is gone"
    assert (till.posted("disputed"), till.posted("chargeback")) == (0, 0)
    reinstated = _told(
        visit_id, "dispute_reinstated",
        withdrawn_minor=2 * COLA_MINOR, returned_minor=2 * COLA_MINOR, fee_minor=15,
    )  # fmt: skip
    till.do(reinstated)
    assert till.posted("clearing") == 2 * COLA_MINOR - 15, "told in two ways, booked once"
    _agree(till)
    assert till.refund(visit_id).amount_minor == COLA_MINOR
    assert till.posted("clearing") == COLA_MINOR - 15


NEWS: tuple[tuple[str, dict[str, int]], ...] = (
    ("disputed", {}),
    ("dispute_withdrawn", {"withdrawn_minor": 238, "fee_minor": 15}),
    ("dispute_reinstated", {"withdrawn_minor": 238, "returned_minor": 238, "fee_minor": 15}),
    ("dispute_won", {}),
)


@pytest.mark.parametrize("order", list(itertools.permutations(range(4))))
def test_news_in_any_order_and_twice_come_to_the_same(
    make_till: Callable[..., Till], order: tuple[int, ...]
) -> None:
    till = make_till()
    visit_id = _sold(till)
    for number in (*order, *order):
        fact, money = NEWS[number]
        till.do(_told(visit_id, fact, **money))
    till.gateway.dispute("dp_1", f"{visit_id}:hold", 238, 15)
    till.gateway.decide_dispute("dp_1", won=True)
    assert till.posted("clearing") == 2 * COLA_MINOR - 15
    assert (till.posted("disputed"), till.posted("chargeback")) == (0, 0)
    assert till.account(visit_id).classic


def test_told_again_nothing_changes(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    _takes(till, visit_id)
    digest = till.hub.digest()
    told = _told(visit_id, "dispute_withdrawn", withdrawn_minor=238, fee_minor=15)
    assert till.do(told).repeated
    assert till.do(told.model_copy(update={"fact_id": "another"})).repeated is False
    state = till.hub.core.state
    assert state.chargebacks["dp_1"].steps == 1
    till.do(told)
    assert till.hub.digest() != digest, "the fact of another name is known"
    assert till.posted("clearing") == -15


def test_a_gateway_that_tells_only_the_end_is_booked_too(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    till.gateway.dispute("dp_1", f"{visit_id}:hold", 2 * COLA_MINOR)
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(visit_id, "dispute_lost"))
    assert (till.posted("clearing"), till.posted("chargeback")) == (0, 2 * COLA_MINOR)


def test_a_fact_of_before_is_written_down_and_not_booked(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    till.do(_told(visit_id, "dispute_lost", dispute_id=None))
    assert till.posted("clearing") == 2 * COLA_MINOR
    assert till.hub.core.state.chargebacks == {}
    assert till.do(_told(visit_id, "dispute_lost")).repeated is False, "told again, it is booked"
    assert till.posted("chargeback") == 2 * COLA_MINOR
    till.gateway.dispute("dp_1", f"{visit_id}:hold", 2 * COLA_MINOR)


def test_lines_given_back_after_a_loss_are_not_paid_again(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    _takes(till, visit_id, fee=0)
    with pytest.raises(ConflictError, match="until it has decided dp_1"):
        till.refund(visit_id)
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(visit_id, "dispute_lost"))
    till.refund(visit_id, quantity=1)
    assert (till.posted("clearing"), till.posted("chargeback")) == (0, COLA_MINOR)
    assert [kind for _key, kind, _minor in till.asked()].count("refund") == 0
    assert till.account(visit_id).refunded_minor == COLA_MINOR
    _agree(till)


def test_a_part_that_was_given_back_before_is_lost_twice(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    till.refund(visit_id)
    _takes(till, visit_id, fee=0)
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(visit_id, "dispute_lost"))
    assert till.posted("clearing") == -COLA_MINOR
    till.refund(visit_id, name="r2")
    assert till.posted("chargeback") == COLA_MINOR, "the piece that they were paid for twice"
    _agree(till)


def test_who_disputes_is_not_let_in_until_staff_decide(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    _takes(till, visit_id)
    second = till.visit("code-two", payer="ann")
    till.enter("code-two")
    assert till.stage(second) == "refused"
    assert "disputed at the bank" in till.hub.core.state.visits[second].refusal
    other = till.visit("code-bob", payer="bob")
    till.enter("code-bob")
    assert till.stage(other) == "shopping"
    with pytest.raises(RejectedError, match="expected a dispute"):
        till.do(c.DecideChargeback(dispute_id="dp_9", let_in=True))
    wish = c.DecideChargeback(dispute_id="dp_1", let_in=True, by="mia", reason="a mistake")
    assert not till.do(wish).repeated
    assert till.do(wish).repeated
    third = till.visit("code-three", payer="ann")
    till.enter("code-three")
    assert till.stage(third) == "shopping"
    till.leave("code-three")
    till.do(c.DecideChargeback(dispute_id="dp_1", let_in=False, by="mia"))
    fourth = till.visit("code-four", payer="ann")
    till.enter("code-four")
    assert till.stage(fourth) == "refused"
    till.leave("code-bob")


@pytest.mark.parametrize("after", ["nothing", "debt", "block"])
def test_won_or_by_setting_a_payer_comes_in(make_till: Callable[..., Till], after: str) -> None:
    till = make_till(after_dispute=after)
    visit_id = _sold(till)
    _takes(till, visit_id)
    if after == "block":
        till.gateway.decide_dispute("dp_1", won=True)
        till.do(_told(visit_id, "dispute_won"))
    second = till.visit("code-two", payer="ann")
    till.enter("code-two")
    assert till.stage(second) == "shopping"
    till.leave("code-two")


def test_by_setting_the_payer_owes_what_the_bank_keeps(make_till: Callable[..., Till]) -> None:
    till = make_till(after_dispute="debt", debt_block_minor=0)
    visit_id = _sold(till)
    _takes(till, visit_id)
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(visit_id, "dispute_lost"))
    assert (till.posted("debt:ann"), till.posted("chargeback")) == (2 * COLA_MINOR, 0)
    account = till.account(visit_id)
    assert (account.debt_minor, account.charged_minor) == (2 * COLA_MINOR, 0)
    second = till.visit("code-two", payer="ann")
    till.enter("code-two")
    assert till.stage(second) == "refused"
    till.refund(visit_id)
    assert till.posted("debt:ann") == COLA_MINOR
    till.do(
        c.SettleAtDesk(
            payment_id="p", visit_id=visit_id, method="cash", amount_minor=COLA_MINOR, by="mia"
        )
    )
    assert (till.posted("debt:ann"), till.posted("till:cash")) == (0, COLA_MINOR)
    _agree(till)


def test_a_debt_ends_where_the_bank_gives_back_after_all(make_till: Callable[..., Till]) -> None:
    till = make_till(after_dispute="debt")
    visit_id = _sold(till)
    _takes(till, visit_id, fee=0)
    till.do(_told(visit_id, "dispute_lost"))
    till.do(
        c.SettleAtDesk(
            payment_id="p", visit_id=visit_id, method="cash", amount_minor=COLA_MINOR, by="mia"
        )
    )
    till.gateway.decide_dispute("dp_1", won=True)
    back = {"withdrawn_minor": 238, "returned_minor": 238}
    till.do(_told(visit_id, "dispute_reinstated", **back))
    assert till.posted("debt:ann") == 0
    assert till.posted("chargeback") == -COLA_MINOR, "what was paid twice is owed to the payer"
    reasons = till.hub.core.state.visits[visit_id].review_reasons
    assert any("paid again meanwhile" in reason for reason in reasons)
    _agree(till)


def test_a_tab_that_is_disputed(make_till: Callable[..., Till]) -> None:
    till = make_till(tab_visit_minor_max=500, tab_minor_max=2 * COLA_MINOR)
    payer = till.open_wallet("w")
    first = till.visit("code-one", secret="w")
    till.shop("code-one", 1)
    second = till.visit("code-two", secret="w")
    till.shop("code-two", 1)
    till.wait(1.0)
    key = f"{payer}:pay:1"
    assert till.account(first).legs[0].paid_by == key
    till.gateway.dispute("dp_1", key, 2 * COLA_MINOR)
    more = {"hold_key": key, "withdrawn_minor": 2 * COLA_MINOR}
    till.do(_told(payer, "dispute_withdrawn", **more))
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(payer, "dispute_lost", **more))
    assert (till.posted("clearing"), till.posted("chargeback")) == (0, 2 * COLA_MINOR)
    assert till.account(first).lost_minor == till.account(second).lost_minor == COLA_MINOR
    till.refund(first)
    assert till.posted(f"stored:{payer}") == 0, "the bank has paid them already"
    third = till.visit("code-three", secret="w")
    till.enter("code-three")
    assert till.stage(third) == "refused"


def test_a_tab_that_is_disputed_when_its_visits_are_long_closed(
    make_till: Callable[..., Till],
) -> None:
    till = make_till(tab_visit_minor_max=500, tab_minor_max=2 * COLA_MINOR, visits_final_kept=1)
    payer = till.open_wallet("w")
    visits = []
    for code in ("code-one", "code-two"):
        visits.append(till.visit(code, secret="w"))
        till.shop(code, 1)
    till.wait(1.0)
    key = f"{payer}:pay:1"
    for code in ("code-three", "code-four"):
        till.visit(code, payer="bob")
        till.shop(code, 1)
    till.wait(1.0)
    assert not set(visits) & set(till.hub.core.state.visits)
    till.gateway.dispute("dp_1", key, 2 * COLA_MINOR)
    more = {"hold_key": key, "withdrawn_minor": 2 * COLA_MINOR}
    till.do(_told(payer, "dispute_withdrawn", **more))
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(payer, "dispute_lost", **more))
    for visit_id in visits:
        till.refund(visit_id, name=visit_id)
    assert till.posted(f"stored:{payer}") == 0, "the bank has paid them already"
    assert till.posted("chargeback") == 0, "what was sold is taken back, and its loss with it"


def _tab_with_a_part_given_back(till: Till) -> tuple[str, list[str]]:
    """A tab of three pieces, one of which was given back before the tab was captured; its bank
    takes what was captured."""
    payer = till.open_wallet("w")
    visits = [till.visit(code, secret="w") for code in ("code-one",)]
    till.shop("code-one", 2)
    till.refund(visits[0], name="before")
    visits.append(till.visit("code-two", secret="w"))
    till.shop("code-two", 1)
    till.wait(60.0, 5.0)
    assert till.posted("clearing") == 2 * COLA_MINOR
    key = f"{payer}:pay:1"
    till.gateway.dispute("dp_1", key, 2 * COLA_MINOR)
    till.gateway.decide_dispute("dp_1", won=False)
    more = {"hold_key": key, "withdrawn_minor": 2 * COLA_MINOR}
    till.do(_told(payer, "dispute_lost", **more))
    return payer, visits


def test_of_a_disputed_tab_what_was_given_back_before_is_nobodys_loss(
    make_till: Callable[..., Till],
) -> None:
    till = make_till(**AGING)
    payer, visits = _tab_with_a_part_given_back(till)
    assert [till.account(one).lost_minor for one in visits] == [COLA_MINOR, COLA_MINOR]
    for visit_id in visits:
        assert till.account(visit_id).captured_minor == COLA_MINOR
        till.refund(visit_id, name=visit_id)
    assert till.posted(f"stored:{payer}") == 0, "the bank has paid them already"
    assert till.posted("chargeback") == 0
    assert till.hub.core.state.asks == {}


def test_in_a_journal_of_before_all_that_was_on_the_tab_was_captured() -> None:
    with closing(Till(**AGING)) as till:
        till.hub.core.state.hold_level(TAB_LEFT_LEVEL - 1)
        _payer, visits = _tab_with_a_part_given_back(till)
        assert [till.account(one).lost_minor for one in visits] == [2 * COLA_MINOR, 0]


def test_a_disputed_tip_is_a_loss_and_no_part_of_the_sale(make_till: Callable[..., Till]) -> None:
    till = make_till(tip_minor_max=500, after_dispute="debt")
    visit_id = _sold(till)
    till.tip("code-one", 200)
    till.wait(1.0)
    key = till.account(visit_id).legs[-1].key
    till.gateway.dispute("dp_1", key, 200)
    till.gateway.decide_dispute("dp_1", won=False)
    till.do(_told(visit_id, "dispute_lost", hold_key=key, amount_minor=200))
    assert (till.posted("chargeback"), till.posted("debt:ann")) == (200, 0)
    till.refund(visit_id)
    assert till.posted("clearing") == COLA_MINOR, "the refund of the sale is paid in full"
