"""Twenty at once: one refund, one tip, one top-up an id, and never more than is there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from hub import commands as c
from hub.driver import Driver
from hub.errors import RejectedError
from tests.hub.wallet.till import Till, sha

WORKERS = 20
Make = Callable[..., Till]


def _at_once(till: Till, wishes: list[c.Command]) -> list[c.Reply | str]:
    """What became of commands that all come together."""
    driver = Driver(till.hub, lambda: till.now_s)

    def ask(wish: c.Command) -> c.Reply | str:
        try:
            return driver.command(wish)
        except RejectedError as error:
            return type(error).__name__

    with ThreadPoolExecutor(WORKERS) as workers:
        return list(workers.map(ask, wishes))


def _won(answers: list[c.Reply | str]) -> int:
    return sum(isinstance(a, c.Reply) and not a.repeated for a in answers)


def test_one_of_twenty_refunds_of_the_same_piece_wins(make_till: Make) -> None:
    till = make_till()
    visit = till.visit("code-one-1", payer="anna")
    till.shop("code-one-1", 1)
    lines = (c.RefundLine(line=1, quantity=1),)
    wishes: list[c.Command] = [
        c.RefundVisit(refund_id=f"r{n}", visit_id=visit, lines=lines) for n in range(WORKERS)
    ]
    assert _won(_at_once(till, wishes)) == 1
    assert till.gateway.totals().refunded_minor == 119


def test_the_same_wish_twenty_times_is_done_once(make_till: Make) -> None:
    till = make_till(tip_minor_max=500)
    till.open_wallet("s1")
    till.visit("code-one-1", secret="s1")
    till.shop("code-one-1", 1)
    wishes: list[Any] = [
        c.TopUp(wallet_sha256=sha("s1"), topup_id="t", amount_minor=1000),
        c.AddTip(token_sha256=sha("code-one-1"), tip_id="t", amount_minor=100),
    ]
    for wish in wishes:
        assert _won(_at_once(till, [wish] * WORKERS)) == 1
    # The tip came from the balance that was topped up before.
    assert till.gateway.totals().captured_minor == 119 + 1000
    assert till.posted(f"stored:{till.purse('s1').payer}") == -900


def test_a_gift_card_is_redeemed_by_one_of_twenty_wallets(make_till: Make) -> None:
    till = make_till()
    till.gift("card-a", 1500)
    secrets = [f"s{n}" for n in range(WORKERS)]
    for secret in secrets:
        till.open_wallet(secret)
    wishes: list[c.Command] = [
        c.RedeemGiftCard(wallet_sha256=sha(secret), code_sha256=sha("card-a")) for secret in secrets
    ]
    assert _won(_at_once(till, wishes)) == 1
    balances = [till.posted(f"stored:{till.purse(secret).payer}") for secret in secrets]
    assert sorted(balances) == [-1500] + [0] * (WORKERS - 1)
