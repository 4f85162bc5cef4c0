"""A capture that the gateway makes and never answers: no debt besides, and no money lost."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import closing

import pytest

from hub import commands as c
from hub.errors import ConflictError, RejectedError
from hub.levels import UNANSWERED_LEVEL
from hub.reports.service import books_of, compare
from hub.wallet.fake import Fault
from hub.wallet.gateway import GatewayRequest
from tests.hub.conftest import COLA
from tests.hub.wallet.till import PRICES, Till, sha

COLA_MINOR = PRICES[COLA]
TRIES = 12
Make = Callable[..., Till]


def silent(how: Fault, **times: int) -> Callable[[GatewayRequest, int], Fault]:
    """No answer to so many questions of each kind."""
    return lambda request, asked: how if asked < times.get(request.kind, 0) else "none"


def resolved(till: Till) -> None:
    """Nothing is asked any more, and books and gateway agree."""
    till.wait(2_000.0, 5.0)
    assert till.hub.core.state.asks == {}
    assert till.gateway.totals().holds_open == 0
    assert compare(lambda: books_of(till.hub.store), till.gateway, "EUR").differences == ()


@pytest.mark.parametrize(
    ("how", "times", "got", "owed"),
    [
        ("lost", {"capture": TRIES}, COLA_MINOR, 0),
        ("lost", {"capture": 2 * TRIES, "void": 3}, COLA_MINOR, 0),
        ("timeout", {"capture": TRIES}, 0, COLA_MINOR),
        ("timeout", {"capture": TRIES, "void": TRIES}, 0, COLA_MINOR),
    ],
)
def test_what_was_captured_unheard_is_no_debt(
    make_till: Make, how: Fault, times: Mapping[str, int], got: int, owed: int
) -> None:
    till = make_till()
    till.faults = silent(how, **times)
    visit_id = till.visit("code-one")
    till.shop("code-one", 1)
    till.wait(600.0, 5.0)
    if how == "lost":
        assert till.account(visit_id).debt_minor == 0, "nobody is asked for what may be paid"
    if (how, times.get("void")) != ("timeout", TRIES):
        resolved(till)
    till.wait(2_000.0, 5.0)
    account = till.account(visit_id)
    assert (account.captured_minor, account.debt_minor) == (got, owed)
    assert till.gateway.totals().captured_minor == got
    assert till.kinds().count("debt.recorded") == bool(owed)


def test_while_nobody_knows_nothing_is_paid_twice_waived_or_given_back(make_till: Make) -> None:
    till = make_till()
    till.faults = silent("lost", capture=TRIES, void=5)
    visit_id = till.visit("code-one")
    till.shop("code-one", 1)
    till.wait(400.0, 5.0)
    assert [ask.request.kind for ask in till.hub.core.state.asks.values()] == ["void"]
    with pytest.raises(ConflictError, match="wait for no answer"):
        till.do(
            c.PayDebt(visit_id=visit_id, pay_id="p", token_sha256=sha("code-one"), source="card")
        )
    with pytest.raises(ConflictError, match="wait for no answer"):
        till.do(c.WaiveDebt(visit_id=visit_id, waive_id="w", reason="none"))
    with pytest.raises(RejectedError, match="settled and captured"):
        till.refund(visit_id)
    resolved(till)
    till.refund(visit_id)
    till.wait(5.0)
    assert till.gateway.totals().refunded_minor == COLA_MINOR


def test_a_top_up_that_was_captured_unheard_is_balance(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("w")
    till.faults = silent("lost", capture=TRIES)
    till.top_up("w", 3_000)
    resolved(till)
    assert till.posted(f"stored:{payer}") == -3_000


def test_a_top_up_that_was_not_captured_is_none(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("w")
    till.faults = silent("timeout", capture=TRIES)
    till.top_up("w", 3_000)
    resolved(till)
    assert till.posted(f"stored:{payer}") == 0
    assert till.kinds().count("topup.refused") == 1


def test_a_tab_that_was_captured_unheard_is_paid(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=300, tab_minor_max=100)
    till.open_wallet("w")
    till.faults = silent("lost", capture=TRIES)
    visit_id = till.visit("code-one", secret="w")
    till.shop("code-one", 1)
    resolved(till)
    account = till.account(visit_id)
    assert (account.captured_minor, account.debt_minor) == (COLA_MINOR, 0)


def test_a_tip_that_was_captured_unheard_was_given(make_till: Make) -> None:
    till = make_till(tip_minor_max=500)
    visit_id = till.visit("code-one")
    till.shop("code-one", 1)
    till.faults = silent("lost", capture=TRIES)
    till.tip("code-one", 100)
    resolved(till)
    assert till.account(visit_id).tip_paid_minor == 100


def test_in_a_journal_of_before_it_was_owed_as_well() -> None:
    with closing(Till()) as till:
        till.hub.core.state.hold_level(UNANSWERED_LEVEL - 1)
        till.faults = silent("lost", capture=TRIES)
        visit_id = till.visit("code-one")
        till.shop("code-one", 1)
        till.wait(1_000.0, 5.0)
        assert till.account(visit_id).debt_minor == COLA_MINOR
        assert till.gateway.totals().captured_minor == COLA_MINOR


def test_a_gateway_that_only_ever_refuses_to_void_is_asked_in_peace(make_till: Make) -> None:
    till = make_till()
    asked: list[str] = []

    def deaf(request: GatewayRequest, _times: int) -> Fault:
        asked.append(request.kind)
        return "lost" if request.kind == "capture" else "none"

    till.faults = deaf
    visit_id = till.visit("code-one")
    till.shop("code-one", 1)
    till.wait(3_600.0, 5.0)
    assert (till.account(visit_id).debt_minor, till.account(visit_id).busy) == (0, True)
    assert asked.count("capture") < 120, "twelve times in some six minutes, and a minute's rest"
    till.faults = None
    resolved(till)
    assert till.account(visit_id).captured_minor == COLA_MINOR
