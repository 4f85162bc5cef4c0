"""The wallet under anything at all: every operation in any order, with a gateway that fails.

The model is independent of the hub: it keeps what each shopper put in from the gateway's own
books and from cards that were issued, and what they got for it from what they carried out. After
every step the two must be equal, and the auditor must find nothing.
"""

from __future__ import annotations

import random
import sqlite3
from collections import Counter
from typing import Any

from hypothesis import HealthCheck, Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from auditor.ledger import audit
from hub import commands as c
from hub.errors import RejectedError
from hub.wallet.gateway import GatewayRequest
from tests.hub.wallet.till import BREAD, COLA, PRICES, Till, sha

SECRETS = ("secret-a", "secret-b")
FAULTS = ("none", "none", "none", "timeout", "lost", "declined", "expired")
TRIES_MAX = 2
"""Answers are lost so many times at most: fewer than the hub asks, so that a capture whose answer
never comes (a matter for reconciliation) is left out."""


class WalletMachine(RuleBasedStateMachine):
    """Two wallets, some gift cards, visits at once, one gateway, and banks that take back."""

    AFTER_DISPUTE = "block"
    KEPT = 1_000

    def __init__(self) -> None:
        super().__init__()
        self.random = random.Random(0)
        self.troubled = False
        self.till = Till(
            faults=self.fault,
            topup_minor=300,
            topup_margin_minor=100,
            topups_max=2,
            hold_minor=500,
            reauthorise=True,
            debt_block_minor=600,
            tab_visit_minor_max=150,
            tab_minor_max=300,
            tab_age_s=40.0,
            tip_minor_max=400,
            tip_window_s=60.0,
            balance_minor_max=3_000,
            after_dispute=self.AFTER_DISPUTE,
            visits_final_kept=self.KEPT,
        )
        self.payers = {secret: self.till.open_wallet(secret) for secret in SECRETS}
        self.inside: dict[str, Counter[str]] = {}
        self.owner: dict[str, str] = {}
        self.gone: dict[str, str] = {}
        self.cards: dict[str, int] = {}
        self.disputes: dict[str, list[c.GatewayTold]] = {}
        self.number = 0

    def fault(self, request: GatewayRequest, times: int) -> Any:
        """None, or one of those that a gateway has; refunds and voids are only ever slow."""
        if not self.troubled:
            return "none"
        fault = self.random.choice(FAULTS)
        if fault in ("timeout", "lost"):
            return fault if times < TRIES_MAX else "none"
        if fault == "declined" and request.kind != "hold":
            return "none"
        if fault == "expired" and request.kind != "capture":
            return "none"
        return fault

    def name(self, what: str) -> str:
        """A name that was never used."""
        self.number += 1
        return f"{what}-{self.number:06d}"

    def tried(self, command: c.Command) -> c.Reply | None:
        """Does a command; a refusal changes nothing."""
        digest, known = self.till.hub.digest(), set(self.till.hub.core.state.visits)
        try:
            return self.till.do(command)
        except RejectedError:
            read_back = set(self.till.hub.core.state.visits) != known
            assert read_back or self.till.hub.digest() == digest
            return None

    # -- operations -----------------------------------------------------------------------

    @rule(troubled=st.booleans(), seed=st.integers(0, 2**16))
    def weather(self, troubled: bool, seed: int) -> None:
        self.troubled, self.random = troubled, random.Random(seed)

    @rule(secret=st.sampled_from(SECRETS), amount=st.integers(1, 1_500))
    def top_up(self, secret: str, amount: int) -> None:
        name = self.name("top")
        wish = c.TopUp(wallet_sha256=sha(secret), topup_id=name, amount_minor=amount)
        if self.tried(wish) is not None:
            again = self.tried(wish)
            assert again is not None
            assert again.repeated

    @rule(amount=st.integers(1, 1_500), short=st.booleans())
    def issue(self, amount: int, short: bool) -> None:
        name = self.name("card")
        ends = self.till.now_s + 5.0 if short else None
        self.till.gift(name, amount, expires_s=ends)
        self.cards[name] = amount

    @precondition(lambda self: self.cards)
    @rule(secret=st.sampled_from(SECRETS), data=st.data(), redeem=st.booleans())
    def take_card(self, secret: str, data: Any, redeem: bool) -> None:
        card = data.draw(st.sampled_from(sorted(self.cards)))
        kind = c.RedeemGiftCard if redeem else c.ClaimGiftCard
        self.tried(kind(wallet_sha256=sha(secret), code_sha256=sha(card)))

    @precondition(lambda self: self.cards)
    @rule(data=st.data(), blocked=st.booleans())
    def block(self, data: Any, blocked: bool) -> None:
        card = data.draw(st.sampled_from(sorted(self.cards)))
        self.till.do(c.BlockGiftCard(card_id=card, blocked=blocked))

    @rule(secret=st.sampled_from(SECRETS), data=st.data())
    def order(self, secret: str, data: Any) -> None:
        cards = [f"gift:{card}" for card in self.till.purse(secret).cards]
        names = data.draw(st.permutations(["card", "stored", *cards]))
        count = data.draw(st.integers(1, len(names)))
        self.till.do(c.SetOrder(wallet_sha256=sha(secret), order=tuple(names[:count])))

    @precondition(lambda self: len(self.inside) < 3)
    @rule(secret=st.sampled_from((*SECRETS, None)), data=st.data())
    def come(self, secret: str | None, data: Any) -> None:
        code = self.name("code")
        visit_id = self.till.visit(code, secret=secret)
        if secret is None and self.cards:
            card = data.draw(st.sampled_from(sorted(self.cards)))
            self.tried(c.UseGiftCard(token_sha256=sha(code), code_sha256=sha(card)))
        self.till.enter(code)
        self.owner[code] = visit_id
        if self.till.stage(visit_id) != "refused":
            self.inside[code] = Counter()

    @precondition(lambda self: self.inside)
    @rule(data=st.data(), gtin=st.sampled_from((COLA, BREAD)), count=st.integers(1, 3))
    def take(self, data: Any, gtin: str, count: int) -> None:
        code = data.draw(st.sampled_from(sorted(self.inside)))
        if self.till.stage(self.owner[code]) == "shopping":
            self.till.take(code, gtin, count)
            self.inside[code][gtin] += count

    @precondition(lambda self: self.inside)
    @rule(data=st.data())
    def leave(self, data: Any) -> None:
        code = data.draw(st.sampled_from(sorted(self.inside)))
        if self.till.stage(self.owner[code]) == "entering":
            return
        self.till.leave(code)
        visit_id = self.owner[code]
        total = sum(PRICES[gtin] * count for gtin, count in self.inside.pop(code).items())
        if self.till.stage(visit_id) == "final":
            assert self.till.account(visit_id).total_minor == total
            self.gone[code] = visit_id

    @precondition(lambda self: self.gone)
    @rule(data=st.data())
    def give_back(self, data: Any) -> None:
        visit_id = data.draw(st.sampled_from(sorted(self.gone.values())))
        lines = (c.RefundLine(line=1, quantity=1),)
        wish = c.RefundVisit(refund_id=self.name("back"), visit_id=visit_id, lines=lines)
        if self.tried(wish) is not None:
            again = self.tried(wish)
            assert again is not None
            assert again.repeated

    @precondition(lambda self: self.gone)
    @rule(data=st.data(), source=st.sampled_from(("card", "stored")), waive=st.booleans())
    def clear_debt(self, data: Any, source: Any, waive: bool) -> None:
        code = data.draw(st.sampled_from(sorted(self.gone)))
        visit_id = self.gone[code]
        if waive:
            self.tried(c.WaiveDebt(visit_id=visit_id, waive_id=self.name("let")))
            return
        payer = self.till.account(visit_id).payer
        secret = next((s for s, name in self.payers.items() if name == payer), None)
        self.tried(
            c.PayDebt(
                visit_id=visit_id,
                pay_id=self.name("pay"),
                source=source,
                wallet_sha256=None if secret is None else sha(secret),
                token_sha256=sha(code) if secret is None else None,
            )
        )

    @precondition(lambda self: self.gone)
    @rule(data=st.data(), amount=st.integers(1, 450))
    def tip(self, data: Any, amount: int) -> None:
        code = data.draw(st.sampled_from(sorted(self.gone)))
        self.tried(c.AddTip(token_sha256=sha(code), tip_id=self.name("tip"), amount_minor=amount))

    @rule(data=st.data(), share=st.integers(1, 100), fee=st.sampled_from((0, 15)))
    def dispute(self, data: Any, share: int, fee: int) -> None:
        """A bank takes a payment, or a part of it."""
        db: sqlite3.Connection = self.till.gateway._db
        paid = db.execute(
            "SELECT hold_key, captured_minor FROM holds WHERE captured_minor > 0"
            " AND hold_key NOT IN (SELECT hold_key FROM disputes) ORDER BY hold_key"
        ).fetchall()
        waiting = {ask.request.hold_key for ask in self.till.hub.core.state.asks.values()}
        paid = [row for row in paid if row[0] not in waiting]
        if not paid:
            return
        key, captured = data.draw(st.sampled_from(paid))
        name, amount = self.name("dp"), max(1, captured * share // 100)
        assert self.till.gateway.dispute(name, key, amount, fee) == amount
        told = c.GatewayTold(
            fact_id=f"{name}:dispute_withdrawn", fact="dispute_withdrawn", dispute_id=name,
            visit_id=key.split(":", 1)[0], hold_key=key, amount_minor=amount,
            withdrawn_minor=amount, returned_minor=0, fee_minor=fee,
        )  # fmt: skip
        begun = told.model_copy(update={"fact_id": f"{name}:disputed", "fact": "disputed"})
        self.disputes[name] = [told, begun]
        for news in data.draw(st.permutations([told, begun, told])):
            self.till.do(news)

    @precondition(lambda self: self.disputes)
    @rule(data=st.data(), won=st.booleans())
    def bank_decides(self, data: Any, won: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.disputes)))
        news = self.disputes.pop(name)
        self.till.gateway.decide_dispute(name, won=won)
        fact: Any = "dispute_won" if won else "dispute_lost"
        end = news[0].model_copy(update={"fact_id": f"{name}:{fact}", "fact": fact})
        for told in data.draw(st.permutations([*news, end])):
            self.till.do(told)

    @rule(data=st.data(), settle=st.booleans())
    def look_after_refunds(self, data: Any, settle: bool) -> None:
        """Staff try a refund again, or pay it by hand."""
        accounts = self.till.hub.core.state.wallets.accounts.values()
        waiting = [(a.visit_id, one.key) for a in accounts for one in a.payouts if one.open]
        if not waiting:
            return
        visit_id, key = data.draw(st.sampled_from(sorted(waiting)))
        name = self.name("act")
        if settle:
            self.tried(
                c.SettleRefund(
                    visit_id=visit_id, refund_key=key, settle_id=name, how="cash", checked=True
                )
            )
        else:
            self.tried(c.RetryRefund(visit_id=visit_id, refund_key=key, retry_id=name))

    @rule(data=st.data(), twice=st.booleans())
    def a_refund_fails(self, data: Any, twice: bool) -> None:
        """A refund that the gateway had paid does not reach the payer after all."""
        attempts = self.till.hub.export_json()["gateway_attempts"]
        paid = [row for row in attempts if (row["kind"], row["outcome"]) == ("refund", "approved")]
        if not paid:
            return
        row = data.draw(st.sampled_from(paid))
        self.till.gateway.fail_refund(row["key"])
        for number in range(1 + twice):
            told = c.GatewayTold(
                fact_id=f"{row['key']}:failed{number}", fact="refund_failed",
                visit_id=row["visit_id"], hold_key=row["hold_key"],
                amount_minor=row["amount_minor"], refund_key=row["key"],
            )  # fmt: skip
            self.till.do(told)

    @precondition(lambda self: self.till.hub.core.state.chargebacks)
    @rule(data=st.data(), let_in=st.booleans())
    def decide(self, data: Any, let_in: bool) -> None:
        name = data.draw(st.sampled_from(sorted(self.till.hub.core.state.chargebacks)))
        self.till.do(c.DecideChargeback(dispute_id=name, let_in=let_in))

    @rule(seconds=st.sampled_from((1.0, 5.0, 30.0)))
    def wait(self, seconds: float) -> None:
        self.till.wait(seconds, 1.0)

    @rule()
    def restart(self) -> None:
        """The journal leads to the very same state."""
        self.till.hub.export_json()
        digest = self.till.hub.digest()
        self.till.hub.recover()
        assert self.till.hub.digest() == digest

    # -- what must hold -------------------------------------------------------------------

    @invariant()
    def the_auditor_finds_nothing(self) -> None:
        findings = audit(self.till.hub.export_json())
        assert {name: rows for name, rows in findings.items() if rows} == {}

    @invariant()
    def money_is_conserved(self) -> None:
        """What came from cards and was issued is what is left on balances and cards, was given
        for goods and tips, less what is owed, let go, on its way back or with banks."""
        balance = self.till.posted
        visits = self.till.hub.export_json()["visits"]
        posted = self.till.hub.core.state.wallets.ledger.balances()
        db: sqlite3.Connection = self.till.gateway._db
        (paid,) = db.execute("SELECT SUM(captured_minor - refunded_minor) FROM holds").fetchone()
        goods = sum(row["total_minor"] - row["refunded_minor"] for row in visits)
        kept = -sum(v for k, v in posted.items() if k.startswith(("stored:", "gift:")))
        owed = sum(v for k, v in posted.items() if k.startswith(("debt:", "tab:")))
        on_the_way = -sum(v for k, v in posted.items() if k.startswith("wallet:"))
        (taken,) = db.execute("SELECT SUM(taken_minor + fee_minor) FROM disputes").fetchone()
        came = (paid or 0) - (taken or 0) - self._untold() + sum(self.cards.values())
        lost = balance("writeoff") + balance("disputed") + balance("chargeback") + balance("fees")
        by_hand = sum(v for k, v in posted.items() if k.startswith("till:"))
        assert came == kept + goods - balance("tips") - owed - lost - by_hand + on_the_way

    def _untold(self) -> int:
        """What the gateway did and the hub has not been told yet: its answers are lost."""
        waiting = {key: ask.request for key, ask in self.till.hub.core.state.asks.items()}
        db: sqlite3.Connection = self.till.gateway._db
        done = {
            key: outcome
            for key, outcome in db.execute("SELECT key, outcome FROM answers")
            if key in waiting and outcome == "approved"
        }
        signs = {"capture": 1, "refund": -1}
        return sum(signs.get(waiting[key].kind, 0) * waiting[key].amount_minor for key in done)

    @invariant()
    def nobody_spends_what_is_not_there(self) -> None:
        ledger = self.till.hub.core.state.wallets.ledger
        for payer in self.payers.values():
            assert ledger.spendable(f"stored:{payer}") >= 0
            assert ledger.available(payer) >= 0
        for card in self.cards:
            assert ledger.spendable(f"gift:{card}") >= 0

    def teardown(self) -> None:
        """When faults stop everything ends: no hold is open, nothing is on its way."""
        self.troubled = False
        for code in sorted(self.inside):
            self.till.wait(20.0, 1.0)
            if self.till.stage(self.owner[code]) == "shopping":
                self.till.leave(code)
        self.till.wait(200.0, 2.0)
        core = self.till.hub.core
        assert core.state.asks == {}
        assert self.till.gateway.totals().holds_open == 0
        assert core.state.wallets.purses.payments == {}
        assert core.quiet
        digest = self.till.hub.digest()
        again = type(core)(core.state.store, core.state.factory, core.state.rules)
        again.restore(core.dump())
        assert again.digest() == digest
        self.money_is_conserved()
        self.till.check()
        self.till.close()


class OwingMachine(WalletMachine):
    """The same where a payer owes what a bank keeps."""

    AFTER_DISPUTE = "debt"


class ForgettingMachine(WalletMachine):
    """The same where visits that are over leave memory at once."""

    KEPT = 1


WalletMachine.TestCase.settings = OwingMachine.TestCase.settings = settings(
    max_examples=15,
    stateful_step_count=30,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=list(HealthCheck),
)
ForgettingMachine.TestCase.settings = WalletMachine.TestCase.settings
TestWallet = WalletMachine.TestCase
TestOwing = OwingMachine.TestCase
TestForgetting = ForgettingMachine.TestCase
