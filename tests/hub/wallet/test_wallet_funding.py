"""Which sources pay: split in the shopper's order, extra holds, holds that ran out, refunds."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub import commands as c
from hub.errors import ConflictError, RejectedError, UnknownWalletError
from tests.hub.wallet.till import BREAD, Till, sha

Make = Callable[..., Till]


def test_a_card_alone_books_what_it_always_booked(make_till: Make) -> None:
    till = make_till()
    visit = till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 2)
    kinds = [row["kind"] for row in till.hub.export_json()["transactions"]]
    assert kinds == ["hold", "charge", "capture"]
    assert [key for key, _kind, _amount in till.asked()] == ["capture", "hold"]
    assert till.account(visit).classic
    assert "legs" not in till.account(visit).dump()
    assert till.hub.export_json()["funding"] == []


def test_gift_then_balance_then_card_in_the_order_set(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.gift("card-a", 300)
    till.claim("s1", "card-a")
    till.top_up("s1", 500)
    till.do(c.SetOrder(wallet_sha256=sha("s1"), order=("gift:card-a", "stored", "card")))
    visit = till.visit("code-one-1", secret="s1")
    till.enter("code-one-1")
    account = till.account(visit)
    assert [(leg.source, leg.amount_minor, leg.state) for leg in account.legs] == [
        ("gift", 300, "held"),
        ("stored", 500, "held"),
        ("card", 1200, "held"),
    ]
    ledger = till.hub.core.state.wallets.ledger
    assert ledger.spendable(f"stored:{payer}") == ledger.spendable("gift:card-a") == 0
    till.take("code-one-1", BREAD, 4)
    till.leave("code-one-1")
    assert [leg.captured_minor for leg in account.legs] == [300, 500, 196]
    assert (account.captured_minor, account.debt_minor, account.state) == (996, 0, "captured")
    assert till.gateway.totals().captured_minor == 500 + 196
    assert till.posted("gift:card-a") == till.posted(f"stored:{payer}") == 0


def test_what_is_not_spent_is_free_again(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.top_up("s1", 5000)
    visit = till.visit("code-one-1", secret="s1")
    till.enter("code-one-1")
    ledger = till.hub.core.state.wallets.ledger
    assert ledger.spendable(f"stored:{payer}") == 3000
    till.take("code-one-1")
    till.leave("code-one-1")
    assert ledger.spendable(f"stored:{payer}") == 5000 - 119
    # The balance sufficed: the gateway was asked for the top-up and nothing else.
    assert [kind for key, kind, _ in till.asked() if "pay:" not in key] == []
    assert till.account(visit).state == "captured"
    assert till.hub.export_json()["holds"][0]["state"] == "none"


def test_two_visits_at_once_cannot_spend_one_balance_twice(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.top_up("s1", 3000)
    till.do(c.SetOrder(wallet_sha256=sha("s1"), order=("stored",)))
    one, two = till.visit("code-one-1", secret="s1"), till.visit("code-two-2", secret="s1")
    till.enter("code-one-1")
    till.enter("code-two-2")
    assert (till.stage(one), till.stage(two)) == ("shopping", "refused")
    assert "10.00 EUR of them are not covered" in till.hub.core.state.visits[two].refusal
    till.take("code-one-1", BREAD, 9)
    till.leave("code-one-1")
    # What was above the hold was still on the balance.
    assert (till.account(one).captured_minor, till.account(one).debt_minor) == (2241, 0)
    assert till.posted(f"stored:{payer}") == -759


def test_a_card_that_says_no_at_the_gate_frees_the_balance(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.top_up("s1", 500)
    till.faults = lambda r, _n: "declined" if r.kind == "hold" else "none"
    visit = till.visit("code-one-1", secret="s1")
    till.enter("code-one-1")
    assert till.stage(visit) == "refused"
    assert till.hub.core.state.wallets.ledger.spendable(f"stored:{payer}") == 500


def test_a_cart_above_the_hold_is_held_while_it_grows(make_till: Make) -> None:
    till = make_till(topup_minor=1000, topup_margin_minor=100)
    visit = till.visit("code-one-1", payer="anna")
    till.enter("code-one-1")
    till.take("code-one-1", BREAD, 9)
    account = till.account(visit)
    assert (account.hold_minor, [leg.purpose for leg in account.legs]) == (3000, ["entry", "extra"])
    till.leave("code-one-1")
    assert (account.captured_minor, account.debt_minor) == (2241, 0)
    assert [leg.captured_minor for leg in account.legs] == [2000, 241]
    assert till.gateway.totals().captured_minor == 2241


def test_a_declined_extra_hold_leaves_a_debt_and_is_told(make_till: Make) -> None:
    till = make_till(topup_minor=1000)
    visit = till.visit("code-one-1", payer="anna")
    till.enter("code-one-1")
    till.faults = lambda r, _n: "declined" if ":hold:" in r.key else "none"
    till.take("code-one-1", BREAD, 9)
    till.leave("code-one-1")
    account = till.account(visit)
    assert (account.captured_minor, account.debt_minor) == (2000, 241)
    assert account.refused_extra
    assert till.kinds().count("hold.extension_refused") == 1


def test_what_came_at_the_last_moment_is_held_at_settlement(make_till: Make) -> None:
    """The extra hold asked while shopping is answered only after the visit has settled."""
    till = make_till(topup_minor=100)
    visit = till.visit("code-one-1", payer="anna")
    till.enter("code-one-1")
    till.faults = lambda r, n: "lost" if ":hold:" in r.key and n < 3 else "none"
    till.take("code-one-1", BREAD, 9)
    till.leave("code-one-1")
    account = till.account(visit)
    assert (account.settled, account.debt_minor) == (True, 241)
    till.wait(30.0, 1.0)
    assert (account.captured_minor, account.debt_minor) == (2241, 0)
    assert till.posted("debt:anna") == 0


def test_a_late_extra_hold_that_nobody_needs_is_let_go(make_till: Make) -> None:
    till = make_till(topup_minor=100, topup_margin_minor=1990)
    visit = till.visit("code-one-1", payer="anna")
    till.enter("code-one-1")
    till.faults = lambda r, n: "lost" if ":hold:" in r.key and n < 3 else "none"
    till.take("code-one-1")
    till.leave("code-one-1")
    till.wait(30.0, 1.0)
    assert [leg.state for leg in till.account(visit).legs] == ["captured", "voided"]
    assert till.gateway.totals().holds_open == 0


@pytest.mark.parametrize(("again", "captured"), [("none", 119), ("declined", 0)])
def test_a_hold_that_ran_out_is_asked_anew_once(make_till: Make, again: Any, captured: int) -> None:
    till = make_till(reauthorise=True)

    def faults(request: Any, _times: int) -> Any:
        if request.key.endswith(":capture"):
            return "expired"
        return again if request.key.endswith(":hold:2") else "none"

    till.faults = faults
    visit = till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 1)
    account = till.account(visit)
    assert (account.captured_minor, account.debt_minor) == (captured, 119 - captured)
    assert till.gateway.totals().captured_minor == captured
    assert account.legs[0].state == "expired"


def test_a_second_hold_that_runs_out_too_is_a_debt(make_till: Make) -> None:
    till = make_till(reauthorise=True)
    till.faults = lambda r, _n: "expired" if r.kind == "capture" else "none"
    visit = till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 1)
    assert till.account(visit).debt_minor == till.posted("debt:anna") == 119


def test_refunds_go_back_the_way_they_came_last_source_first(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.gift("card-a", 300)
    till.claim("s1", "card-a")
    till.top_up("s1", 400)
    till.do(c.SetOrder(wallet_sha256=sha("s1"), order=("gift:card-a", "stored", "card")))
    visit = till.visit("code-one-1", secret="s1")
    till.shop("code-one-1", 4, BREAD)
    assert [leg.captured_minor for leg in till.account(visit).legs] == [300, 400, 296]
    till.refund(visit, quantity=2, name="a")
    # 498: all of the card's 296, and 202 of the balance's 400.
    assert till.gateway.totals().refunded_minor == 296
    assert till.posted(f"stored:{payer}") == -202
    till.refund(visit, quantity=2, name="b")
    assert till.posted(f"stored:{payer}") == -400
    assert till.posted("gift:card-a") == -300
    with pytest.raises(RejectedError, match="at most 0"):
        till.refund(visit, quantity=1, name="c")


def test_what_a_card_cannot_be_paid_back_becomes_balance(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    visit = till.visit("code-one-1", secret="s1")
    till.shop("code-one-1", 1)
    till.faults = lambda r, _n: "declined" if r.kind == "refund" else "none"
    till.refund(visit)
    assert till.posted(f"stored:{payer}") == -119
    assert till.account(visit).refund_paying_minor == 0


def test_a_refund_of_a_redeemed_or_blocked_card_goes_to_the_balance(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.gift("card-a", 2500)
    till.claim("s1", "card-a")
    visit = till.visit("code-one-1", secret="s1")
    till.shop("code-one-1", 2)
    till.do(c.BlockGiftCard(card_id="card-a"))
    till.refund(visit)
    assert till.posted(f"stored:{payer}") == -119
    assert till.posted("gift:card-a") == -(2500 - 238)


def test_refund_twice_at_once_pays_once(make_till: Make) -> None:
    till = make_till()
    visit = till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 1)
    till.faults = lambda r, n: "lost" if r.kind == "refund" and n < 1 else "none"
    till.refund(visit, name="a")
    with pytest.raises(RejectedError):
        till.refund(visit, name="b")
    assert till.refund(visit, name="a").repeated
    till.wait(5.0)
    assert till.gateway.totals().refunded_minor == 119


def test_a_gift_card_pays_for_a_guest_and_keeps_the_rest(make_till: Make) -> None:
    till = make_till()
    till.gift("card-a", 2500)
    visit = till.visit("code-one-1")
    assert (
        till.do(
            c.UseGiftCard(token_sha256=sha("code-one-1"), code_sha256=sha("card-a"))
        ).amount_minor
        == 2500
    )
    till.shop("code-one-1", 1)
    assert till.account(visit).captured_minor == 119
    assert till.posted("gift:card-a") == -(2500 - 119)
    assert till.gateway.totals().captured_minor == 0
    with pytest.raises(ConflictError, match="before its gate"):
        till.do(c.UseGiftCard(token_sha256=sha("code-one-1"), code_sha256=sha("card-a")))


def test_a_guests_card_pays_beyond_the_hold_and_the_tip(make_till: Make) -> None:
    till = make_till(tip_minor_max=500)
    till.gift("card-a", 2300)
    visit = till.visit("code-one-1")
    till.do(c.UseGiftCard(token_sha256=sha("code-one-1"), code_sha256=sha("card-a")))
    till.shop("code-one-1", 9, BREAD)
    assert (till.account(visit).captured_minor, till.account(visit).debt_minor) == (2241, 0)
    till.tip("code-one-1", 100)
    assert (till.posted("gift:card-a"), till.gateway.totals().captured_minor) == (0, 41)
    assert till.posted("tips") == -100


def test_a_card_claimed_before_the_gate_pays_for_its_wallet_only(make_till: Make) -> None:
    till = make_till()
    till.gift("card-a", 2500)
    visit = till.visit("code-one-1")
    till.do(c.UseGiftCard(token_sha256=sha("code-one-1"), code_sha256=sha("card-a")))
    till.open_wallet("s1")
    till.claim("s1", "card-a")
    till.enter("code-one-1")
    assert [leg.source for leg in till.account(visit).legs] == ["card"]


def test_a_wallet_is_spent_by_its_secret_only(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("my-secret")
    before = till.hub.digest()
    with pytest.raises(RejectedError, match="secret"):
        till.visit("code-one-1", payer=payer)
    with pytest.raises(UnknownWalletError):
        till.visit("code-one-1", secret="another")
    with pytest.raises(RejectedError, match="own name"):
        till.do(
            c.OpenVisit(
                token_sha256=sha("t"),
                code="code-one-1",
                payer="anna",
                wallet_sha256=sha("my-secret"),
            )
        )
    assert till.hub.digest() == before
    assert "my-secret" not in str(till.hub.export_json()) + str(till.hub.core.dump())
