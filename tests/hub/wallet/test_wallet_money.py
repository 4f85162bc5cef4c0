"""Balances, gift cards, debts, the tab and tips."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from hub import commands as c
from hub.errors import ConflictError, RejectedError, UnknownVisitError, UnknownWalletError
from tests.hub.wallet.till import BREAD, Till, sha

Make = Callable[..., Till]


# -- the stored balance -------------------------------------------------------------------


def test_a_top_up_is_there_when_the_gateway_has_paid_it(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.faults = lambda r, n: "timeout" if n < 2 else "none"
    till.top_up("s1", 1000)
    ledger = till.hub.core.state.wallets.ledger
    assert (ledger.pending("clearing"), ledger.spendable(f"stored:{payer}")) == (1000, 0)
    till.wait(20.0, 0.5)
    assert (ledger.pending("clearing"), ledger.spendable(f"stored:{payer}")) == (0, 1000)
    assert till.purse("s1").order == ["stored", "card"]
    assert till.gateway.totals().captured_minor == 1000


def test_a_top_up_happens_once_an_id(make_till: Make) -> None:
    till = make_till()
    till.open_wallet("s1")
    till.top_up("s1", 1000, "a")
    assert till.top_up("s1", 1000, "a").repeated
    digest = till.hub.digest()
    with pytest.raises(ConflictError, match="another amount"):
        till.top_up("s1", 1001, "a")
    with pytest.raises(RejectedError, match=r"at most 500\.00 EUR"):
        till.top_up("s1", 49_001, "b")
    with pytest.raises(UnknownWalletError):
        till.top_up("nobody", 100, "b")
    assert till.hub.digest() == digest
    assert till.gateway.totals().captured_minor == 1000


def test_a_declined_top_up_leaves_nothing(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.faults = lambda r, _n: "declined"
    till.top_up("s1", 1000)
    assert till.posted(f"stored:{payer}") == 0
    assert till.hub.core.state.wallets.ledger.pending("clearing") == 0
    assert "topup.refused" in till.kinds()


def test_a_top_up_that_is_never_answered_is_voided(make_till: Make) -> None:
    till = make_till()
    till.open_wallet("s1")
    till.faults = lambda r, _n: "lost" if r.kind == "hold" else "none"
    till.top_up("s1", 1000)
    till.wait(60.0, 1.0)
    assert till.gateway.totals().holds_open == 0
    assert till.hub.core.state.wallets.purses.payments == {}


@pytest.mark.parametrize(
    "order", [("stored", "stored"), ("gift:nobody",), ("cash",), ("card", "gift:card-a")]
)
def test_an_order_of_sources_one_does_not_have(make_till: Make, order: tuple[str, ...]) -> None:
    till = make_till()
    till.open_wallet("s1")
    till.gift("card-a", 100)
    digest = till.hub.digest()
    with pytest.raises(RejectedError, match="at most once"):
        till.do(c.SetOrder(wallet_sha256=sha("s1"), order=order))
    assert till.hub.digest() == digest


# -- gift cards ---------------------------------------------------------------------------


def test_a_card_is_issued_once_and_redeemed_once(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    till.gift("card-a", 1500)
    assert till.gift("card-a", 1500).repeated
    with pytest.raises(ConflictError):
        till.gift("card-a", 1600)
    assert till.redeem("s1", "card-a").amount_minor == 1500
    assert till.redeem("s1", "card-a").repeated
    assert (till.posted("gift:card-a"), till.posted(f"stored:{payer}")) == (0, -1500)
    till.open_wallet("s2")
    for take in (till.redeem, till.claim):
        with pytest.raises(ConflictError, match="claimed or redeemed"):
            take("s2", "card-a")
    assert "card-a" not in str(till.hub.export_json()["events"][-1]["data"].get("code", ""))


def test_a_claimed_card_is_one_wallets_alone(make_till: Make) -> None:
    till = make_till()
    till.open_wallet("s1")
    till.open_wallet("s2")
    till.gift("card-a", 1500)
    till.claim("s1", "card-a")
    assert till.claim("s1", "card-a").repeated
    with pytest.raises(ConflictError):
        till.claim("s2", "card-a")
    till.visit("code-one-1")
    with pytest.raises(ConflictError):
        till.do(c.UseGiftCard(token_sha256=sha("code-one-1"), code_sha256=sha("card-a")))
    with pytest.raises(UnknownWalletError, match="code of a gift card"):
        till.claim("s1", "guessed")


def test_blocked_and_expired_cards_pay_nothing(make_till: Make) -> None:
    till = make_till()
    till.open_wallet("s1")
    till.gift("card-a", 2500)
    till.gift("card-b", 2500, expires_s=till.now_s + 5.0)
    till.claim("s1", "card-a")
    till.claim("s1", "card-b")
    till.do(c.BlockGiftCard(card_id="card-a"))
    assert till.do(c.BlockGiftCard(card_id="card-a")).repeated
    till.wait(6.0)
    visit = till.visit("code-one-1", secret="s1")
    till.enter("code-one-1")
    assert [leg.source for leg in till.account(visit).legs] == ["card"]
    for card, why in (("card-a", "blocked"), ("card-b", "expired")):
        with pytest.raises(RejectedError, match=why):
            till.redeem("s1", card)
    till.do(c.BlockGiftCard(card_id="card-a", blocked=False))
    assert till.redeem("s1", "card-a").amount_minor == 2500
    with pytest.raises(UnknownWalletError):
        till.do(c.BlockGiftCard(card_id="nobody"))
    with pytest.raises(RejectedError, match="future"):
        till.gift("card-c", 100, expires_s=1.0)


def test_a_card_in_use_is_not_redeemed(make_till: Make) -> None:
    till = make_till()
    till.open_wallet("s1")
    till.gift("card-a", 2500)
    till.claim("s1", "card-a")
    till.visit("code-one-1", secret="s1")
    till.enter("code-one-1")
    with pytest.raises(ConflictError, match="reserved"):
        till.redeem("s1", "card-a")


# -- debts --------------------------------------------------------------------------------


def _owing(till: Till, secret: str | None = None) -> str:
    """A visit that took 22.41 on a hold of 20.00."""
    payer = None if secret else "anna"
    visit = till.visit("code-owe-1", secret=secret, payer=payer)
    till.shop("code-owe-1", 9, BREAD)
    assert till.account(visit).debt_minor == 241
    return visit


def _pay(visit: str, name: str, **more: Any) -> c.PayDebt:
    return c.PayDebt(visit_id=visit, pay_id=name, **more)


def test_who_owes_is_refused_until_it_is_paid(make_till: Make) -> None:
    till = make_till(debt_block_minor=100)
    visit = _owing(till)
    refused = till.visit("code-two-2", payer="anna")
    till.enter("code-two-2")
    assert till.stage(refused) == "refused"
    assert till.hub.core.state.visits[refused].refusal == "2.41 EUR are still owed; pay them first"
    assert till.account(visit).debt_minor == 241
    pay = _pay(visit, "p1", token_sha256=sha("code-owe-1"))
    assert till.do(pay).amount_minor == 241
    assert till.do(pay).repeated
    assert (till.posted("debt:anna"), till.gateway.totals().captured_minor) == (0, 2241)
    let_in = till.visit("code-three-3", payer="anna")
    till.enter("code-three-3")
    assert till.stage(let_in) == "shopping"


def test_debts_block_nobody_unless_the_store_says_so(make_till: Make) -> None:
    till = make_till()
    _owing(till)
    visit = till.visit("code-two-2", payer="anna")
    till.enter("code-two-2")
    assert till.stage(visit) == "shopping"


def test_a_debt_is_paid_from_the_balance_by_the_wallet_only(make_till: Make) -> None:
    till = make_till()
    payer = till.open_wallet("s1")
    visit = _owing(till, "s1")
    assert till.purse("s1").debts == {visit: 241}
    pay = _pay(visit, "p1", source="stored", wallet_sha256=sha("s1"))
    with pytest.raises(RejectedError, match=r"balance of 2\.41 EUR"):
        till.do(pay)
    till.top_up("s1", 500)
    digest = till.hub.digest()
    for stranger in ({"wallet_sha256": sha("s2")}, {"token_sha256": sha("no")}, {}):
        with pytest.raises(UnknownVisitError):
            till.do(_pay(visit, "p2", **stranger))
    with pytest.raises(RejectedError, match="wallet itself"):
        till.do(_pay(visit, "p2", source="stored", token_sha256=sha("code-owe-1")))
    assert till.hub.digest() == digest
    till.do(pay)
    assert (till.posted(f"debt:{payer}"), till.posted(f"stored:{payer}")) == (0, -259)
    assert till.purse("s1").debts == {}
    # A refund goes back to the balance first, for that paid last.
    till.refund(visit, quantity=1)
    assert till.posted(f"stored:{payer}") == -259 - 241
    assert till.gateway.totals().refunded_minor == 249 - 241


def test_a_debt_whose_payment_is_declined_stays(make_till: Make) -> None:
    till = make_till()
    visit = _owing(till)
    till.faults = lambda r, _n: "declined"
    till.do(_pay(visit, "p1", token_sha256=sha("code-owe-1")))
    assert till.account(visit).debt_minor == 241
    till.faults = lambda r, _n: "expired" if r.kind == "capture" else "none"
    till.do(_pay(visit, "p2", token_sha256=sha("code-owe-1")))
    assert till.account(visit).debt_minor == till.posted("debt:anna") == 241
    till.faults = None
    till.do(_pay(visit, "p3", token_sha256=sha("code-owe-1")))
    assert till.posted("debt:anna") == 0


def test_a_debt_that_is_being_paid_is_paid_once(make_till: Make) -> None:
    till = make_till()
    visit = _owing(till)
    till.faults = lambda r, n: "timeout" if n < 1 else "none"
    till.do(_pay(visit, "p1", token_sha256=sha("code-owe-1")))
    with pytest.raises(ConflictError, match="no answer"):
        till.do(_pay(visit, "p2", token_sha256=sha("code-owe-1")))
    with pytest.raises(ConflictError):
        till.do(c.WaiveDebt(visit_id=visit, waive_id="w"))
    till.wait(10.0)
    assert till.gateway.totals().captured_minor == 2241
    with pytest.raises(RejectedError, match="owes something"):
        till.do(_pay(visit, "p2", token_sha256=sha("code-owe-1")))


def test_staff_let_a_debt_go(make_till: Make) -> None:
    till = make_till()
    visit = _owing(till)
    waive = c.WaiveDebt(visit_id=visit, waive_id="w1", reason="our fault")
    assert till.do(waive).amount_minor == 241
    assert till.do(waive).repeated
    assert (till.posted("debt:anna"), till.posted("writeoff")) == (0, 241)
    # What was let go is taken back before any money is.
    till.refund(visit, quantity=1)
    assert (till.posted("writeoff"), till.gateway.totals().refunded_minor) == (0, 8)
    with pytest.raises(UnknownVisitError):
        till.do(c.WaiveDebt(visit_id="v-none", waive_id="w1"))


def test_a_debt_of_long_ago_is_paid(make_till: Make) -> None:
    till = make_till()
    visit = _owing(till)
    state = till.hub.core.state
    state.rules = state.rules.model_copy(update={"visits_final_kept": 1})
    for number in range(2):
        till.visit(f"code-more-{number}")
        till.shop(f"code-more-{number}", 1)
    assert visit not in state.visits
    digest = till.hub.digest()
    with pytest.raises(UnknownVisitError):
        till.do(_pay(visit, "p1", token_sha256=sha("a-stranger")))
    assert till.hub.digest() == digest
    till.do(_pay(visit, "p1", token_sha256=sha("code-owe-1")))
    assert till.posted("debt:anna") == 0


@pytest.mark.parametrize("source", ["stored", "card"])
def test_who_stays_longer_than_visits_are_kept_is_charged_all_the_same(
    make_till: Make, source: str
) -> None:
    till = make_till(visits_final_kept=1)
    till.open_wallet("s1", source)
    till.top_up("s1", 3000)
    visit = till.visit("code-long", secret="s1")
    for number in range(3):
        till.visit(f"code-more-{number}")
        till.shop(f"code-more-{number}", 1)
    till.shop("code-long", 1)
    stored = {row["visit_id"]: row for row in till.hub.export_json()["visits"]}[visit]
    assert (stored["stage"], stored["total_minor"]) == ("final", 119)
    assert visit in [row["visit_id"] for row in till.hub.export_json()["receipts"]]
    assert till.refund(visit).amount_minor == 119


# -- the tab ------------------------------------------------------------------------------


def test_small_charges_wait_and_are_captured_together(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=300, tab_minor_max=350)
    payer = till.open_wallet("s1")
    visits = []
    for number in range(2):
        visits.append(till.visit(f"code-tab-{number}", secret="s1"))
        till.shop(f"code-tab-{number}", 1)
    assert till.gateway.totals().captured_minor == 0
    assert till.gateway.totals().holds_open == 0
    assert till.posted(f"tab:{payer}") == 238
    visits.append(till.visit("code-tab-2", secret="s1"))
    till.shop("code-tab-2", 1)
    assert till.posted(f"tab:{payer}") == 0
    assert till.gateway.totals().captured_minor == 357
    assert [till.account(visit).captured_minor for visit in visits] == [119] * 3
    assert [a for a in till.asked() if a[1] == "capture"] == [("pay:1:capture", "capture", 357)]
    till.refund(visits[0])
    assert till.gateway.totals().refunded_minor == 119


def test_an_old_tab_is_captured_though_nobody_is_there(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=300, tab_age_s=60.0)
    payer = till.open_wallet("s1")
    till.visit("code-tab-0", secret="s1")
    till.shop("code-tab-0", 1)
    till.wait(50.0, 1.0)
    assert till.posted(f"tab:{payer}") == 119
    till.wait(20.0, 1.0)
    assert till.posted(f"tab:{payer}") == 0
    assert till.gateway.totals().captured_minor == 119


def test_a_refund_leaves_the_tab_before_money_moves(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=300)
    payer = till.open_wallet("s1")
    visit = till.visit("code-tab-0", secret="s1")
    till.shop("code-tab-0", 2)
    till.refund(visit, quantity=1, name="a")
    assert (till.posted(f"tab:{payer}"), till.gateway.totals().refunded_minor) == (119, 0)
    till.refund(visit, quantity=1, name="b")
    assert till.posted(f"tab:{payer}") == 0
    assert till.purse("s1").tab is None


def test_a_tab_that_is_declined_is_its_visits_debts(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=300, tab_minor_max=200)
    payer = till.open_wallet("s1")
    till.faults = lambda r, _n: "declined" if ":pay:" in r.key else "none"
    visits = []
    for number in range(2):
        visits.append(till.visit(f"code-tab-{number}", secret="s1"))
        till.shop(f"code-tab-{number}", 1)
    assert till.posted(f"tab:{payer}") == 0
    assert till.posted(f"debt:{payer}") == 238
    assert till.purse("s1").debts == dict.fromkeys(visits, 119)
    till.refund(visits[0])
    assert till.posted(f"debt:{payer}") == 119


def test_the_tab_is_for_wallets_and_small_charges(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=150)
    till.open_wallet("s1")
    till.visit("code-tab-0", payer="anna")
    till.shop("code-tab-0", 1)
    till.visit("code-tab-1", secret="s1")
    till.shop("code-tab-1", 2)
    assert till.gateway.totals().captured_minor == 119 + 238


def test_a_tab_being_captured_is_not_refunded_meanwhile(make_till: Make) -> None:
    till = make_till(tab_visit_minor_max=300, tab_minor_max=100)
    till.open_wallet("s1")
    till.faults = lambda r, n: "lost" if ":pay:" in r.key and n < 2 else "none"
    visit = till.visit("code-tab-0", secret="s1")
    till.shop("code-tab-0", 1)
    with pytest.raises(ConflictError, match="being captured"):
        till.refund(visit)
    till.wait(30.0, 1.0)
    till.refund(visit)
    assert till.gateway.totals().refunded_minor == 119


# -- tips ---------------------------------------------------------------------------------


def test_a_tip_goes_through_the_same_sources_once(make_till: Make) -> None:
    till = make_till(tip_minor_max=500)
    payer = till.open_wallet("s1")
    till.top_up("s1", 250)
    visit = till.visit("code-one-1", secret="s1")
    with pytest.raises(RejectedError, match="left not long ago"):
        till.tip("code-one-1", 100)
    till.shop("code-one-1", 1)
    digest = till.hub.digest()
    with pytest.raises(RejectedError, match=r"at most 5\.00 EUR"):
        till.tip("code-one-1", 501)
    with pytest.raises(UnknownVisitError):
        till.tip("unknown", 100)
    assert till.hub.digest() == digest
    assert till.tip("code-one-1", 200).amount_minor == 200
    assert till.tip("code-one-1", 200).repeated
    with pytest.raises(ConflictError, match="one tip a visit"):
        till.tip("code-one-1", 200, "again")
    # 131 were left on the balance, the card paid the rest.
    assert (till.posted("tips"), till.posted(f"stored:{payer}")) == (-200, 0)
    account = till.account(visit)
    assert (account.tip_paid_minor, account.captured_minor) == (200, 119)
    assert till.gateway.totals().captured_minor == 250 + 69


def test_a_tip_for_a_visit_that_left_memory(make_till: Make) -> None:
    """Its phone goes on saying that a tip may be given: so it may."""
    till = make_till(tip_minor_max=500, visits_final_kept=1)
    visit_id = till.visit("code-one")
    till.shop("code-one", 1)
    for code in ("code-two", "code-three"):
        till.visit(code)
        till.shop(code, 1)
    assert visit_id not in till.hub.core.state.visits
    assert not till.tip("code-one", 100).repeated
    assert till.account(visit_id).tip_paid_minor == 100
    assert till.tip("code-one", 100).repeated
    with pytest.raises(UnknownVisitError):
        till.tip("code-none", 100)


def test_a_tip_whose_card_says_no_is_no_debt(make_till: Make) -> None:
    till = make_till(tip_minor_max=500)
    visit = till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 1)
    till.faults = lambda r, _n: "expired" if r.kind == "capture" else "none"
    till.tip("code-one-1", 200)
    assert (till.posted("tips"), till.posted("debt:anna")) == (0, 0)
    assert till.account(visit).tip_paid_minor == 0
    assert "tip.failed" in till.kinds()


def test_a_tip_comes_in_time_or_not_at_all(make_till: Make) -> None:
    till = make_till(tip_minor_max=500, tip_window_s=60.0)
    till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 1)
    # A quiet hub is not woken for this: the command itself brings the time.
    till.now_s += 100.0
    with pytest.raises(RejectedError, match="left not long ago"):
        till.tip("code-one-1", 100)
    closed = make_till()
    closed.visit("code-one-1")
    closed.shop("code-one-1", 1)
    with pytest.raises(RejectedError, match="takes tips"):
        closed.tip("code-one-1", 100)


# -- the desk -----------------------------------------------------------------------------


def test_what_was_paid_at_the_desk_goes_back_to_its_till(make_till: Make) -> None:
    till = make_till()
    visit = _owing(till)
    till.do(
        c.SettleAtDesk(visit_id=visit, payment_id="d1", method="cash", amount_minor=241, by="clerk")
    )
    assert (till.posted("till:cash"), till.posted("debt:anna")) == (241, 0)
    till.refund(visit, quantity=1)
    assert (till.posted("till:cash"), till.gateway.totals().refunded_minor) == (0, 8)
