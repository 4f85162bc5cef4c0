"""A refund finds the source that paid, and the visit it is of, however long ago that was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from typing import Any

import pytest

from hub import commands as c
from hub.errors import ConflictError
from hub.levels import PAID_LEG_LEVEL, REDEEMED_LEVEL
from hub.reports.service import books_of, compare
from tests.hub.conftest import COLA
from tests.hub.wallet.till import BREAD, PRICES, Till, sha

BREAD_MINOR = PRICES[BREAD]
TABBED: dict[str, Any] = {
    "hold_minor": 300,
    "topup_minor": 500,
    "tab_visit_minor_max": 300,
    "tab_minor_max": 100,
}
ON_GIFT_MINOR = 2 * BREAD_MINOR - 250
"""Two loaves leave 250 to the card, on two holds: 52 of them on the first."""


def _agree(till: Till) -> None:
    assert compare(lambda: books_of(till.hub.store), till.gateway, "EUR").differences == ()


def _two_holds_on_one_tab(till: Till) -> str:
    """A visit whose tab pays for two holds of its card: what the gift card left, and one more."""
    till.open_wallet("w")
    till.gift("g", ON_GIFT_MINOR)
    till.claim("w", "g")
    visit_id = till.visit("code-one", secret="w")
    till.shop("code-one", 2, BREAD)
    card = [leg for leg in till.account(visit_id).legs if leg.source == "card"]
    assert [(leg.charged_minor, bool(leg.paid_by)) for leg in card] == [(52, True), (198, True)]
    return visit_id


def test_of_two_holds_that_one_tab_has_paid(make_till: Callable[..., Till]) -> None:
    till = make_till(**TABBED)
    visit_id = _two_holds_on_one_tab(till)
    till.refund(visit_id, quantity=2)
    legs = till.account(visit_id).legs
    assert [(leg.refunded_minor, leg.paying_minor) for leg in legs] == [(248, 0), (52, 0), (198, 0)]
    assert till.posted("clearing") == 0
    assert till.hub.core.state.asks == {}
    _agree(till)


def test_one_of_two_holds_that_failed_after_all(make_till: Callable[..., Till]) -> None:
    """The gateway's key says which hold of the visit it was paid for."""
    till = make_till(**TABBED)
    visit_id = _two_holds_on_one_tab(till)
    till.refund(visit_id, quantity=2)
    key = f"{visit_id}:refund:1:3"
    till.gateway.fail_refund(key)
    (hold_key,) = {leg.paid_by for leg in till.account(visit_id).legs if leg.paid_by}
    till.do(
        c.GatewayTold(
            fact_id="re_1:failed", fact="refund_failed", visit_id=hold_key.split(":")[0],
            hold_key=hold_key, amount_minor=198, refund_key=key,
        )
    )  # fmt: skip
    assert till.posted(f"stored:{till.purse('w').payer}") == -198
    assert till.posted("clearing") == 198
    _agree(till)


def test_in_a_journal_of_before_the_first_of_two_holds_was_meant() -> None:
    with closing(Till(**TABBED)) as till:
        till.hub.core.state.hold_level(PAID_LEG_LEVEL - 1)
        visit_id = _two_holds_on_one_tab(till)
        with pytest.raises(ConflictError, match="up to 52, got 198"):
            till.refund(visit_id, quantity=2)


def test_one_of_a_tab_that_failed_long_after_its_visit_left_memory(
    make_till: Callable[..., Till],
) -> None:
    """The tab's payment is named by no visit; the refund's key says whose it is."""
    till = make_till(visits_final_kept=1, tab_visit_minor_max=300, tab_minor_max=100)
    payer = till.open_wallet("w")
    visit_id = till.visit("code-one", secret="w")
    till.shop("code-one", 1)
    till.refund(visit_id)
    (hold_key,) = {leg.paid_by for leg in till.account(visit_id).legs if leg.paid_by}
    for code in ("code-two", "code-three"):
        till.visit(code)
        till.shop(code, 1)
    assert visit_id not in till.hub.core.state.visits
    key = f"{visit_id}:refund:1:1"
    till.gateway.fail_refund(key)
    told = c.GatewayTold(
        fact_id="re_1:failed", fact="refund_failed", visit_id=payer, hold_key=hold_key,
        amount_minor=PRICES[COLA], refund_key=key,
    )  # fmt: skip
    assert not till.do(told).repeated
    assert till.posted(f"stored:{payer}") == -PRICES[COLA]
    assert till.do(told).repeated
    _agree(till)


def _refunded_after_the_card_was_redeemed(till: Till) -> str:
    """A guest pays by a gift card, a wallet redeems the rest of it, the guest's goods go back."""
    till.gift("g", 1_000)
    visit_id = till.visit("code-one")
    till.do(c.UseGiftCard(token_sha256=sha("code-one"), code_sha256=sha("g")))
    till.shop("code-one", 1)
    payer = till.open_wallet("w")
    till.redeem("w", "g")
    assert till.posted(f"stored:{payer}") == -(1_000 - PRICES[COLA])
    till.refund(visit_id)
    return payer


def test_on_a_card_that_a_wallet_has_redeemed_since(make_till: Callable[..., Till]) -> None:
    """Nobody could spend it there: all that was on the card became that wallet's balance."""
    till = make_till()
    payer = _refunded_after_the_card_was_redeemed(till)
    assert till.posted("gift:g") == 0
    assert till.posted(f"stored:{payer}") == -1_000
    assert till.purse("w").movements[-1]["amount_minor"] == PRICES[COLA]


def test_in_a_journal_of_before_it_stayed_on_the_card() -> None:
    with closing(Till()) as till:
        till.hub.core.state.hold_level(REDEEMED_LEVEL - 1)
        _refunded_after_the_card_was_redeemed(till)
        assert till.posted("gift:g") == -PRICES[COLA]
