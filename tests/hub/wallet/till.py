"""A tiny store whose shoppers enter, take and leave on call; its gateway fails on demand."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

from auditor.ledger import audit
from contracts.store_file import StoreFile, Wallet, parse_store_file
from hub import commands as c
from hub.rules import Rules
from hub.service import Hub
from hub.wallet.account import Account
from hub.wallet.fake import FakeGateway, FaultPlan
from hub.wallet.purses import Purse
from tests.hub.conftest import BREAD, COLA, STORE, Day, NearestAttributor

__all__ = ["BREAD", "COLA", "PRICES", "Till", "sha"]

PRICES = {COLA: 119, BREAD: 249}


def sha(secret: str) -> str:
    """What the hub keeps of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


def layout(**wallet: Any) -> StoreFile:
    """The tiny store with wallet settings, a hold of 20.00 and much on its shelves."""
    store = parse_store_file(STORE, name="tiny.yaml")
    slots = tuple(slot.model_copy(update={"deep": 20}) for slot in store.slots)
    settings = Wallet(**{"hold_minor": 2000, **wallet})
    return store.model_copy(update={"wallet": settings, "slots": slots})


class Till:
    """One hub and its gateway. Every call moves the time on by what it takes."""

    def __init__(
        self,
        *,
        url: str = "sqlite:///:memory:",
        faults: FaultPlan | None = None,
        snapshot_every: int = 20_000,
        visits_final_kept: int = Rules().visits_final_kept,
        **wallet: Any,
    ) -> None:
        self.rules = Rules(clock_wait_s=0.0, visits_final_kept=visits_final_kept)
        self.faults = faults
        self.closing: list[Callable[[], None]] = []
        self.gateway = FakeGateway(faults=lambda r, n: self.faults(r, n) if self.faults else "none")
        self.layout = layout(**wallet)
        self.url = url
        self.snapshot_every = snapshot_every
        self.hub = self.reopened()
        self.hub.start(0.0)
        self.day = Day()
        self.day.born(0.0)
        self.now_s = 0.0
        self.numbers = 0
        self.play()

    def reopened(self) -> Hub:
        """A hub on the same database; its nodes answer no ping, so nothing waits for one."""
        return Hub.open(
            self.layout,
            url=self.url,
            attributor=NearestAttributor,
            gateway=self.gateway,
            rules=self.rules,
            snapshot_every=self.snapshot_every,
        )

    def close(self) -> None:
        """Closes hub and gateway, and what was opened beside them."""
        for close in self.closing:
            close()
        self.hub.close()
        self.gateway.close()

    # -- commands -------------------------------------------------------------------------

    def do(self, command: c.Command) -> c.Reply:
        """Does a command now."""
        return self.hub.command(command, self.now_s)

    def open_wallet(self, secret: str, *order: str) -> str:
        """A wallet; returns its payer."""
        payer = self.do(c.OpenWallet(wallet_sha256=sha(secret))).payer
        assert payer is not None
        if order:
            self.do(c.SetOrder(wallet_sha256=sha(secret), order=order))
        return payer

    def gift(self, card: str, amount_minor: int, **more: Any) -> c.Reply:
        """A card whose code is its name."""
        return self.do(
            c.IssueGiftCard(card_id=card, code_sha256=sha(card), amount_minor=amount_minor, **more)
        )

    def claim(self, secret: str, card: str) -> c.Reply:
        """A card becomes a source of a wallet."""
        return self.do(c.ClaimGiftCard(wallet_sha256=sha(secret), code_sha256=sha(card)))

    def redeem(self, secret: str, card: str) -> c.Reply:
        """A card becomes balance."""
        return self.do(c.RedeemGiftCard(wallet_sha256=sha(secret), code_sha256=sha(card)))

    def top_up(self, secret: str, amount_minor: int, name: str = "top") -> c.Reply:
        """Balance from the card."""
        return self.do(c.TopUp(wallet_sha256=sha(secret), topup_id=name, amount_minor=amount_minor))

    def refund(self, visit_id: str, line: int = 1, quantity: int = 1, name: str = "r") -> c.Reply:
        """Pieces of a line go back."""
        lines = (c.RefundLine(line=line, quantity=quantity),)
        return self.do(c.RefundVisit(refund_id=name, visit_id=visit_id, lines=lines))

    def tip(self, code: str, amount_minor: int, name: str = "tip") -> c.Reply:
        """A tip from a visit's phone."""
        return self.do(c.AddTip(token_sha256=sha(code), tip_id=name, amount_minor=amount_minor))

    # -- shoppers -------------------------------------------------------------------------

    def visit(self, code: str, *, secret: str | None = None, payer: str | None = None) -> str:
        """A phone gets a visit; its token is the code."""
        reply = self.do(
            c.OpenVisit(
                token_sha256=sha(code),
                code=code,
                payer=payer,
                wallet_sha256=None if secret is None else sha(secret),
            )
        )
        assert reply.visit_id is not None
        return reply.visit_id

    def enter(self, code: str) -> None:
        """Scans at the gate and walks in."""
        at_s = self.now_s + 0.1
        self.day.step(at_s, code, 1.0, 0.3, "born")
        self.day.scan(at_s + 0.05, code)
        self.day.step(at_s + 0.4, code, 1.0, 0.8)
        self.day.step(at_s + 0.6, code, 1.1, 3.4)
        self.play()

    def take(self, code: str, gtin: str = COLA, count: int = 1, *, pick: bool = True) -> None:
        """Takes pieces, or puts them back."""
        for _ in range(count):
            at_s = self.now_s + 0.1
            self.day.step(at_s, code, 1.1, 3.4)
            self.day.reach(at_s + 0.05, code, gtin, pick=pick)
            self.play()

    def leave(self, code: str) -> None:
        """Walks out; the visit settles."""
        at_s = self.now_s + 0.1
        for wait_s, y_m in ((0.0, 1.2), (0.2, 0.6), (0.4, 0.1)):
            self.day.step(at_s + wait_s, code, 5.0, y_m)
        self.day.watermark(at_s + 1.4)
        self.play()
        self.wait(0.6)

    def shop(self, code: str, count: int, gtin: str = COLA) -> None:
        """Enters, takes, leaves."""
        self.enter(code)
        self.take(code, gtin, count)
        self.leave(code)

    def play(self) -> None:
        """Delivers what was said, each at its time."""
        script = sorted(self.day.script, key=lambda row: row[0])
        self.day.script.clear()
        for at_s, name, payload in script:
            self.now_s = max(self.now_s, at_s)
            self.hub.ingest([(name, payload)], self.now_s)
        self.wait(0.2)

    def wait(self, seconds: float, step_s: float = 0.2) -> None:
        """Lets time pass in ticks."""
        end_s = self.now_s + seconds
        while self.now_s < end_s:
            self.now_s = min(end_s, self.now_s + step_s)
            self.hub.tick(self.now_s)

    # -- looking --------------------------------------------------------------------------

    def account(self, visit_id: str) -> Account:
        """The money side of a visit, also of one that left memory."""
        if visit_id in self.hub.core.state.wallets.accounts:
            return self.hub.core.state.wallets.account(visit_id)
        return Account.load(self.record(visit_id)["account"])

    def purse(self, secret: str) -> Purse:
        """A wallet."""
        purses = self.hub.core.state.wallets.purses
        return purses.all[purses.by_secret[sha(secret)]]

    def posted(self, account: str) -> int:
        """A posted balance; what the store owes is positive for all but debit accounts."""
        return self.hub.core.state.wallets.ledger.posted(account)

    def stage(self, visit_id: str) -> str:
        """A visit's stage, also of one that left memory."""
        visit = self.hub.core.state.visits.get(visit_id)
        return str(self.record(visit_id)["visit"]["stage"]) if visit is None else visit.stage

    def record(self, visit_id: str) -> dict[str, Any]:
        """A visit as it is stored."""
        found = self.hub.store.visit_record(visit_id=visit_id)
        assert found is not None
        return found

    def kinds(self) -> list[str]:
        """Kinds of all events."""
        return [event["kind"] for event in self.hub.export_json()["events"]]

    def asked(self) -> list[tuple[str, str, int]]:
        """What the gateway was asked: key, kind, amount."""
        return [
            (row["key"].split(":", 1)[1], row["kind"], row["amount_minor"])
            for row in self.hub.export_json()["gateway_attempts"]
        ]

    def check(self) -> None:
        """The auditor finds nothing, and the journal leads to the same state."""
        findings = audit(self.hub.export_json())
        assert {name: rows for name, rows in findings.items() if rows} == {}
        if self.hub.core.quiet:
            digest = self.hub.digest()
            self.hub.recover()
            assert self.hub.digest() == digest
