"""A refund that the gateway does not pay: it stops no other, staff see it, and it is paid once."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from hub import commands as c
from hub.errors import ConflictError, RejectedError
from hub.levels import LANES_LEVEL, TAB_REFUND_LEVEL, UNHEARD_LEVEL
from hub.reports.service import books_of, compare
from hub.wallet.account import Payout
from hub.wallet.fake import Fault
from hub.wallet.gateway import GatewayRequest
from tests.hub.wallet.till import PRICES, Till, sha

COLA_MINOR = next(iter(PRICES.values()))
GIVEN_UP_S = 600.0
"""After so long the hub asks no more: twelve tries, the last ones a minute apart."""


class Silence:
    """What the gateway does to refunds, by their keys; all else it answers."""

    def __init__(self) -> None:
        self.of: dict[str, Fault] = {}
        self.asked: list[str] = []

    def __call__(self, request: GatewayRequest, _times: int) -> Fault:
        if request.kind != "refund":
            return "none"
        self.asked.append(request.key)
        return next((how for part, how in self.of.items() if part in request.key), "none")


def _sold(till: Till, count: int = 3, **more: Any) -> str:
    visit_id = till.visit("code-one", **more)
    till.shop("code-one", count)
    return visit_id


def _waiting(till: Till, visit_id: str) -> list[Payout]:
    return [one for one in till.account(visit_id).payouts if one.open]


def _parked(till: Till, visit_id: str) -> Payout:
    """The refund that waits, as soon as the hub asks no more."""
    while till.hub.core.state.asks:
        till.wait(5.0, 5.0)
    (payout,) = _waiting(till, visit_id)
    return payout


def _stuck(till: Till, silence: Silence, visit_id: str, how: Fault) -> Payout:
    """A refund that the gateway gave no answer to until the hub gave up, or refused."""
    silence.of[":refund:"] = how
    till.refund(visit_id)
    till.wait(GIVEN_UP_S, 20.0)
    (payout,) = _waiting(till, visit_id)
    return payout


def _agree(till: Till) -> None:
    assert compare(lambda: books_of(till.hub.store), till.gateway, "EUR").differences == ()


@pytest.mark.parametrize("how", ["timeout", "lost"])
def test_one_that_is_never_answered_stops_no_other(
    make_till: Callable[..., Till], how: Fault
) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    silence.of[":refund:1"] = how
    till.refund(visit_id, name="r1")
    till.refund(visit_id, name="r2")
    assert till.posted("clearing") == 2 * COLA_MINOR, "the second one is paid"
    till.wait(GIVEN_UP_S, 20.0)
    (payout,) = _waiting(till, visit_id)
    assert (payout.state, payout.number, payout.amount_minor) == ("unanswered", 1, COLA_MINOR)
    till.refund(visit_id, name="r3")
    assert till.posted("clearing") == COLA_MINOR
    silence.of.clear()
    till.wait(1_000.0, 50.0)
    assert _waiting(till, visit_id) == []
    assert till.posted("clearing") == 0
    assert till.gateway.totals().refunded_minor == 3 * COLA_MINOR, "each was paid once"
    assert len({key for key in silence.asked if ":refund:1" in key}) == 1, "under its own key"
    _agree(till)


def test_its_waits_double_and_then_it_is_for_staff(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    silence.of[":refund:"] = "timeout"
    till.refund(visit_id)
    waits = []
    for _ in range(6):
        payout = _parked(till, visit_id)
        assert payout.again_s is not None
        waits.append(payout.again_s - till.now_s)
        till.wait(payout.again_s - till.now_s + 1.0, 3_600.0)
    assert waits == pytest.approx([900.0 * 2**n for n in range(6)], abs=5.0)
    payout = _parked(till, visit_id)
    assert (payout.state, payout.again_s) == ("unanswered", None)
    assert till.hub.core.state.parked == {}
    assert till.kinds().count("refund.unpaid") == 1, "staff are told once"
    asked = len(silence.asked)
    till.wait(86_400.0, 3_600.0)
    assert len(silence.asked) == asked


def test_staff_try_again_under_the_same_key(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    payout = _stuck(till, silence, visit_id, "lost")
    silence.of.clear()
    wish = c.RetryRefund(visit_id=visit_id, refund_key=payout.key, retry_id="t1", by="mia")
    assert not till.do(wish).repeated
    assert _waiting(till, visit_id) == []
    assert till.do(wish).repeated
    assert till.gateway.totals().refunded_minor == COLA_MINOR, "it had been paid, and is not again"
    assert len(set(silence.asked)) == 1
    with pytest.raises(RejectedError, match="is paid"):
        till.do(wish.model_copy(update={"retry_id": "t2"}))
    with pytest.raises(ConflictError, match="something else"):
        till.do(
            c.SettleRefund(visit_id=visit_id, refund_key=payout.key, settle_id="t1", how="cash")
        )
    _agree(till)


def test_one_that_was_refused_is_asked_under_another_key(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    payout = _stuck(till, silence, visit_id, "declined")
    assert (payout.state, payout.again_s) == ("refused", None), "asking by itself helps nobody"
    silence.of.clear()
    till.do(c.RetryRefund(visit_id=visit_id, refund_key=payout.key, retry_id="t1", by="mia"))
    assert _waiting(till, visit_id) == []
    assert len(set(silence.asked)) == 2
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)


@pytest.mark.parametrize("how", ["cash", "card", "transfer"])
def test_staff_settle_it_by_hand(make_till: Callable[..., Till], how: Any) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    payout = _stuck(till, silence, visit_id, "timeout")
    wish = c.SettleRefund(
        visit_id=visit_id, refund_key=payout.key, settle_id="s1", how=how, by="mia", reason="here"
    )
    with pytest.raises(RejectedError, match="expected `checked`"):
        till.do(wish)
    wish = wish.model_copy(update={"checked": True})
    assert till.do(wish).amount_minor == COLA_MINOR
    assert till.do(wish).repeated
    assert till.posted(f"till:{how}") == -COLA_MINOR
    assert till.posted("clearing") == 3 * COLA_MINOR
    till.wait(5_000.0, 500.0)
    assert till.gateway.totals().refunded_minor == 0, "nobody asks the gateway any more"
    _agree(till)


def test_settled_as_paid_by_the_gateway_after_all(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    payout = _stuck(till, silence, visit_id, "lost")
    found = compare(lambda: books_of(till.hub.store), till.gateway, "EUR").differences
    assert "settle it as paid by the gateway" in found[0].fix
    till.do(
        c.SettleRefund(
            visit_id=visit_id, refund_key=payout.key, settle_id="s1", how="gateway", by="mia"
        )
    )
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)
    silence.of.clear()
    till.gateway.fail_refund(payout.key)
    till.do(_failed(visit_id, payout.key))
    assert till.posted("clearing") == 3 * COLA_MINOR, "it failed after all"
    _agree(till)
    till.do(c.RetryRefund(visit_id=visit_id, refund_key=payout.key, retry_id="t1"))
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)


def test_balance_is_for_those_who_have_one(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    payer = till.open_wallet("w")
    visit_id = _sold(till, secret="w")
    payout = _stuck(till, silence, visit_id, "timeout")
    wish = c.SettleRefund(
        visit_id=visit_id, refund_key=payout.key, settle_id="s1", how="balance", checked=True
    )
    till.do(wish)
    assert till.posted(f"stored:{payer}") == -COLA_MINOR
    guest = till.visit("code-two")
    till.shop("code-two", 1)
    till.refund(guest)
    till.wait(GIVEN_UP_S, 20.0)
    (payout,) = _waiting(till, guest)
    with pytest.raises(RejectedError, match="with a wallet"):
        till.do(wish.model_copy(update={"visit_id": guest, "refund_key": payout.key}))
    with pytest.raises(RejectedError, match="that waits"):
        till.do(wish.model_copy(update={"visit_id": guest, "refund_key": "v:refund:9"}))


def test_while_it_is_asked_staff_hurry_it_and_settle_nothing(
    make_till: Callable[..., Till],
) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    payout = _stuck(till, silence, visit_id, "timeout")
    retry = c.RetryRefund(visit_id=visit_id, refund_key=payout.key, retry_id="t1")
    till.do(retry)
    assert payout.state == "asked"
    settle = c.SettleRefund(
        visit_id=visit_id, refund_key=payout.key, settle_id="s1", how="cash", checked=True
    )
    with pytest.raises(ConflictError, match="being asked"):
        till.do(settle)
    till.wait(60.0, 20.0)
    asked = len(silence.asked)
    till.do(retry.model_copy(update={"retry_id": "t2"}))
    till.wait(0.2)
    assert len(silence.asked) == asked + 1
    till.wait(GIVEN_UP_S, 20.0)
    till.do(settle)


def test_a_refund_that_waits_is_not_on_its_way(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence, hold_minor=2 * COLA_MINOR)
    visit_id = _sold(till)
    assert till.account(visit_id).debt_minor == COLA_MINOR
    silence.of[":refund:"] = "timeout"
    till.refund(visit_id, quantity=2)
    wish = c.PayDebt(visit_id=visit_id, pay_id="p", token_sha256=sha("code-one"))
    with pytest.raises(ConflictError, match="on its way"):
        till.do(wish)
    till.wait(GIVEN_UP_S, 20.0)
    assert till.account(visit_id).refund_paying_minor == COLA_MINOR
    with pytest.raises(RejectedError, match="owes something"):
        till.do(wish)


def test_it_outlives_the_hub_and_a_snapshot(make_till: Callable[..., Till], tmp_path: Any) -> None:
    silence = Silence()
    till = make_till(faults=silence, url=f"sqlite:///{tmp_path / 'hub.sqlite'}", snapshot_every=1)
    visit_id = _sold(till)
    payout = _stuck(till, silence, visit_id, "timeout")
    assert till.hub.core.quiet
    assert till.hub.compact(till.now_s)
    till.hub.recover()
    (again,) = _waiting(till, visit_id)
    assert again == payout
    silence.of.clear()
    till.wait(1_000.0, 50.0)
    assert _waiting(till, visit_id) == []
    row = till.hub.export_json()["payouts"]
    assert [(one["state"], one["amount_minor"]) for one in row] == [("paid", COLA_MINOR)]


def _failed(visit_id: str, key: str, name: str = "re_1") -> c.GatewayTold:
    return c.GatewayTold(
        fact_id=f"{name}:failed", fact="refund_failed", visit_id=visit_id,
        hold_key=f"{visit_id}:hold", amount_minor=COLA_MINOR, refund_key=key,
    )  # fmt: skip


def test_one_that_failed_after_all_is_owed_again(make_till: Callable[..., Till]) -> None:
    till = make_till()
    visit_id = _sold(till)
    till.refund(visit_id, name="r1")
    till.refund(visit_id, name="r2")
    assert till.posted("clearing") == COLA_MINOR
    key = f"{visit_id}:refund:1"
    till.gateway.fail_refund(key)
    told = _failed(visit_id, key)
    assert not till.do(told).repeated
    assert till.do(told).repeated
    till.do(_failed(visit_id, key, "re_1_again"))
    (payout,) = _waiting(till, visit_id)
    assert (payout.state, payout.number) == ("refused", 1)
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)
    till.do(c.RetryRefund(visit_id=visit_id, refund_key=key, retry_id="t1"))
    assert _waiting(till, visit_id) == []
    assert till.posted("clearing") == COLA_MINOR
    again = payout.asked_as
    assert again != key
    till.gateway.fail_refund(again)
    till.do(_failed(visit_id, again, "re_2"))
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)
    till.do(
        c.SettleRefund(visit_id=visit_id, refund_key=key, settle_id="s1", how="cash", reason="here")
    )
    assert till.posted("till:cash") == -COLA_MINOR
    till.do(_failed(visit_id, again, "re_2_again"))
    assert till.posted("clearing") == 2 * COLA_MINOR
    assert till.posted("wallet:guest-" + visit_id) == 0
    _agree(till)


def test_the_owner_of_a_wallet_gets_a_failed_one_as_balance(
    make_till: Callable[..., Till],
) -> None:
    till = make_till()
    payer = till.open_wallet("w")
    visit_id = _sold(till, secret="w")
    till.refund(visit_id)
    key = f"{visit_id}:refund:1"
    till.gateway.fail_refund(key)
    till.do(_failed(visit_id, key))
    till.do(_failed(visit_id, key, "re_1_again"))
    assert till.posted(f"stored:{payer}") == -COLA_MINOR
    assert _waiting(till, visit_id) == []
    _agree(till)


@pytest.mark.parametrize("given_up", [False, True])
def test_one_that_failed_before_its_answer_came_is_owed_again(
    make_till: Callable[..., Till], given_up: bool
) -> None:
    """The answer was lost: that it was paid is heard with the news that it failed."""
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    key = f"{visit_id}:refund:1"
    silence.of[":refund:"] = "lost"
    till.refund(visit_id)
    if given_up:
        till.wait(GIVEN_UP_S, 20.0)
        assert _waiting(till, visit_id)[0].state == "unanswered"
    else:
        assert key in till.hub.core.state.asks
    till.gateway.fail_refund(key)
    assert not till.do(_failed(visit_id, key)).repeated
    silence.of.clear()
    assert till.hub.core.state.asks == {}
    till.wait(1_000.0, 50.0)
    (payout,) = _waiting(till, visit_id)
    assert (payout.state, payout.amount_minor) == ("refused", COLA_MINOR)
    assert till.posted("clearing") == 3 * COLA_MINOR
    _agree(till)
    till.hub.recover()
    till.do(c.RetryRefund(visit_id=visit_id, refund_key=payout.key, retry_id="t1"))
    assert _waiting(till, visit_id) == []
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)


def test_a_question_about_something_else_is_not_answered_by_a_failed_refund(
    make_till: Callable[..., Till],
) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    visit_id = _sold(till)
    silence.of[":refund:"] = "timeout"
    till.refund(visit_id)
    key = f"{visit_id}:refund:1"
    till.do(_failed(visit_id, key).model_copy(update={"hold_key": f"{visit_id}:hold:7"}))
    assert key in till.hub.core.state.asks
    silence.of.clear()
    till.wait(60.0, 5.0)
    assert till.posted("clearing") == 2 * COLA_MINOR
    _agree(till)


def test_a_journal_of_before_waits_for_the_answer() -> None:
    silence = Silence()
    with closing(Till(faults=silence)) as till:
        till.hub.core.state.hold_level(UNHEARD_LEVEL - 1)
        visit_id = _sold(till)
        silence.of[":refund:"] = "lost"
        till.refund(visit_id)
        key = f"{visit_id}:refund:1"
        till.do(_failed(visit_id, key))
        assert key in till.hub.core.state.asks
        silence.of.clear()
        till.wait(60.0, 5.0)
        assert till.posted("clearing") == 2 * COLA_MINOR
        assert till.account(visit_id).payouts == []


def _failed_of_a_tab(till: Till) -> str:
    """A refund of what a tab had paid for is paid, and fails; the payer."""
    payer = till.open_wallet("s1")
    visit_id = till.visit("code-tab-0", secret="s1")
    till.shop("code-tab-0", 1)
    till.refund(visit_id)
    (hold_key,) = {leg.paid_by for leg in till.account(visit_id).legs if leg.paid_by}
    key = f"{visit_id}:refund:1:1"
    till.gateway.fail_refund(key)
    told = _failed(visit_id, key)
    told = told.model_copy(update={"visit_id": payer, "hold_key": hold_key})
    assert not till.do(told).repeated
    assert till.do(told).repeated
    return payer


def test_one_of_a_tab_is_owed_again_too(make_till: Callable[..., Till]) -> None:
    """The tab's payment is named by no visit."""
    till = make_till(tab_visit_minor_max=300, tab_minor_max=100)
    payer = _failed_of_a_tab(till)
    assert till.posted(f"stored:{payer}") == -COLA_MINOR
    assert till.posted("clearing") == COLA_MINOR
    _agree(till)


def test_in_a_journal_of_before_one_of_a_tab_was_not_heard_of() -> None:
    with closing(Till(tab_visit_minor_max=300, tab_minor_max=100)) as till:
        till.hub.core.state.hold_level(TAB_REFUND_LEVEL - 1)
        payer = _failed_of_a_tab(till)
        assert (till.posted(f"stored:{payer}"), till.posted("clearing")) == (0, 0)


@pytest.mark.parametrize("key", ["v:refund:1", "nonsense", None])
def test_a_failure_of_what_was_never_paid_books_nothing(
    make_till: Callable[..., Till], key: str | None
) -> None:
    till = make_till()
    visit_id = _sold(till)
    told = _failed(visit_id, "x").model_copy(update={"refund_key": key})
    till.do(told)
    assert till.posted("clearing") == 3 * COLA_MINOR
    assert till.account(visit_id).payouts == []
    assert till.kinds()[-1] == "gateway.refund_failed"


def test_a_journal_of_before_goes_by_the_rules_of_before(make_till: Callable[..., Till]) -> None:
    silence = Silence()
    till = make_till(faults=silence)
    till.hub.core.state.hold_level(LANES_LEVEL - 1)
    visit_id = _sold(till)
    silence.of[":refund:1"] = "timeout"
    till.refund(visit_id, name="r1")
    with pytest.raises(ConflictError, match="on its way"):
        till.refund(visit_id, name="r2")
    till.wait(GIVEN_UP_S, 20.0)
    assert till.account(visit_id).payouts == []
    # The auditor and the replay at the end look at a hub of its own level.
    till.hub.core.state.hold_level(LANES_LEVEL)
    till.hub.recover()
