"""What happens to a shopper's money: hold, charge, capture, refund; written as ledger entries.

Charge of T with a hold of H: min(T, H) from the wallet, the rest to the payer's debt, against
revenue and VAT per rate. Capture moves what was charged from its source into the wallet and lets
go of the hold: clearing for a card, `stored:PAYER` or `gift:CARD` for a balance. Several sources
are taken in the order of the account's legs. A refund first takes back debt, then what was let
go, then goes back to the sources, the last one first.

What each kind of transaction books (debit / credit):

    hold            pending, clearing / wallet          a card's hold at the gateway
    reserve         pending, stored or gift / wallet    a balance is set aside
    hold_voided, hold_expired                           the pending one is let go
    charge          wallet and debt / revenue, vat      a visit is settled
    capture         clearing, stored or gift / wallet   resolves the hold
    capture_failed  debt / wallet                       resolves the hold
    hold_again      pending, clearing / wallet          in place of a hold that ran out
    debt_covered    wallet / debt                       a later hold pays what is owed
    debt_paid, desk_paid       stored or till / debt
    debt_waived     writeoff / debt
    tab             tab / wallet                        a small charge waits; resolves the hold
    tab_failed      debt / tab                          the tab could not be captured
    tip             stored, gift or wallet / tips
    tip_failed      tips / wallet                       resolves the tip's hold
    refund          revenue, vat / debt, writeoff, chargeback, wallet
    refund_paid     wallet / clearing                   the gateway paid it back
    refund_failed   clearing / wallet                   it had paid, and that failed after all
    refund_balance  wallet / stored or gift
    refund_tab, refund_desk    wallet / tab or till
    dispute_moved   disputed, chargeback, debt, fees / clearing    a bank took, or gave back
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from hub.errors import ConflictError, LedgerError, RejectedError
from hub.wallet.account import Account, HoldState, Leg, Purpose, Source
from hub.wallet.givebacks import GiveBacks, tx_of, wallet_of
from hub.wallet.model import Ledger, Transaction
from hub.wallet.purses import Purses
from hub.wallet.sales import ChargeLine, pair, sales_entries, side, vat_minor

__all__ = ["Account", "ChargeLine", "HoldState", "Leg", "Wallets", "vat_minor"]


class Wallets(GiveBacks):
    """Holds and charges of all visits the hub still knows, on one ledger."""

    # -- holds ----------------------------------------------------------------------------

    def ask_hold(self, visit_id: str, payer: str, amount_minor: int) -> Account:
        """Opens a visit's account on a card alone; the gateway is about to be asked for a hold."""
        return self.open(visit_id, payer, [("card", "clearing", amount_minor)])

    def open(
        self, visit_id: str, payer: str, sources: Sequence[tuple[Source, str, int]]
    ) -> Account:
        """Opens a visit's account with what each source is to hold, in the order of capture."""
        if visit_id in self.accounts:
            raise ConflictError(f"expected one hold a visit, {visit_id} has one already")
        hold_id = f"{visit_id}:hold"
        account = Account(visit_id, payer, hold_id, state="asked")
        for number, (source, name, amount_minor) in enumerate(sources, 1):
            key = hold_id if source == "card" else f"{hold_id}:{number}"
            account.legs.append(Leg(key, source, name, amount_minor))
            account.hold_minor += amount_minor
        self.accounts[visit_id] = account
        return account

    def add_leg(
        self, visit_id: str, source: Source, name: str, amount_minor: int, purpose: Purpose
    ) -> Leg:
        """One more source for a visit that has begun."""
        account = self.account(visit_id)
        leg = Leg(account.next_key(), source, name, amount_minor, purpose=purpose)
        account.legs.append(leg)
        return leg

    def refuse_hold(self, visit_id: str, key: str | None = None) -> None:
        """The gateway declined, or never answered in time: no entry, or no extra hold."""
        account, leg = self._leg(visit_id, key, "asked")
        leg.state = "refused"
        account.refresh()

    def place_hold(self, visit_id: str, *, at_us: int, key: str | None = None) -> Transaction:
        """The source holds the amount: pending entries."""
        account, leg = self._leg(visit_id, key, "asked")
        transaction = self._write(
            account,
            leg.key,
            "hold" if leg.source == "card" else "reserve",
            pair(leg.account, wallet_of(account), leg.amount_minor),
            at_us=at_us,
            phase="pending",
        )
        leg.state = "held"
        if leg.purpose == "extra":
            account.hold_minor += leg.amount_minor
        account.refresh()
        return transaction

    def void_hold(
        self, visit_id: str, *, at_us: int, expired: bool = False, key: str | None = None
    ) -> Transaction:
        """Nothing was charged, or nothing can be any more: the hold is let go."""
        account, leg = self._leg(visit_id, key, "held")
        if leg.charged_minor:
            raise LedgerError(
                f"expected nothing charged on {visit_id}, got {leg.charged_minor}; "
                "a charge without capture becomes a debt"
            )
        kind = "hold_expired" if expired else "hold_voided"
        transaction = self._write(
            account,
            tx_of(account, leg, kind),
            kind,
            (),
            at_us=at_us,
            phase="void",
            resolves=leg.key,
        )
        leg.state = "expired" if expired else "voided"
        account.refresh()
        return transaction

    def hold_again(self, visit_id: str, key: str, *, at_us: int) -> tuple[Leg, list[Transaction]]:
        """A hold ran out before its capture: a new one is about to be asked in its place."""
        account, old = self._leg(visit_id, key, "held")
        leg = self.add_leg(visit_id, "card", "clearing", old.charged_minor, "again")
        leg.charged_minor, old.charged_minor = old.charged_minor, 0
        both = pair("clearing", wallet_of(account), leg.amount_minor)
        placed = self._write(account, leg.key, "hold_again", both, at_us=at_us, phase="pending")
        return leg, [placed, self.void_hold(visit_id, at_us=at_us, expired=True, key=key)]

    def hold_again_placed(self, visit_id: str, key: str) -> None:
        """The gateway holds it; its pending entries stand since it was asked."""
        account, leg = self._leg(visit_id, key, "asked")
        leg.state = "held"
        account.refresh()

    # -- settlement -----------------------------------------------------------------------

    def charge(
        self, visit_id: str, lines: Sequence[ChargeLine], *, at_us: int
    ) -> Transaction | None:
        """Settles a visit, once. None if there is nothing to charge."""
        account = self.account(visit_id)
        if account.settled:
            raise ConflictError(f"expected one settlement a visit, {visit_id} is settled")
        if any(line.quantity <= 0 or line.unit_price_minor < 0 for line in lines):
            raise LedgerError(f"expected lines of at least one piece on {visit_id}")
        if any(line.discount_minor < 0 or line.gross_minor < 0 for line in lines):
            raise LedgerError(f"expected discounts of 0 up to their lines on {visit_id}")
        total = sum(line.gross_minor for line in lines)
        held = [leg for leg in account.sale if leg.state == "held"]
        charged = min(total, sum(leg.amount_minor for leg in held))
        transaction = None
        if total:
            entries = [
                *side(wallet_of(account), charged),
                *side(f"debt:{account.payer}", total - charged),
                *sales_entries(lines, self.ledger.currency),
            ]
            transaction = self._write(account, f"{visit_id}:charge", "charge", entries, at_us=at_us)
        rest = charged
        for leg in held:
            leg.charged_minor = min(rest, leg.amount_minor)
            rest -= leg.charged_minor
        account.settled = True
        account.total_minor = total
        account.charged_minor = charged
        account.debt_minor = total - charged
        return transaction

    def capture(self, visit_id: str, *, at_us: int, key: str | None = None) -> Transaction:
        """The source paid what was charged; the rest of the hold is free again."""
        account, leg = self._leg(visit_id, key, "held")
        if not 0 < leg.charged_minor <= leg.amount_minor:
            raise LedgerError(
                f"expected to capture 1 to {leg.amount_minor}, got {leg.charged_minor}"
            )
        entries = pair(leg.account, wallet_of(account), leg.charged_minor)
        transaction = self._write(
            account,
            tx_of(account, leg, "capture"),
            "capture",
            entries,
            at_us=at_us,
            resolves=leg.key,
        )
        leg.state = "captured"
        leg.captured_minor = leg.charged_minor
        account.refresh()
        return transaction

    def capture_failed(self, visit_id: str, *, at_us: int, key: str | None = None) -> Transaction:
        """The hold could not be captured: what was charged becomes a debt, a tip never was."""
        account, leg = self._leg(visit_id, key, "held", "asked")
        tip = leg.purpose == "tip"
        kind = "tip_failed" if tip else "capture_failed"
        against = "tips" if tip else f"debt:{account.payer}"
        transaction = self._write(
            account,
            tx_of(account, leg, kind),
            kind,
            pair(against, wallet_of(account), leg.charged_minor),
            at_us=at_us,
            resolves=leg.key,
        )
        leg.state = "expired"
        if not tip:
            account.debt_minor += leg.charged_minor
            account.charged_minor -= leg.charged_minor
        leg.charged_minor = 0
        account.refresh()
        return transaction

    # -- debts ----------------------------------------------------------------------------

    def cover_debt(self, visit_id: str, key: str, amount_minor: int, *, at_us: int) -> Transaction:
        """A hold that came after the settlement takes the place of debt; its capture follows."""
        account, leg = self._leg(visit_id, key, "held")
        transaction = self._write(
            account,
            tx_of(account, leg, "debt_covered"),
            "debt_covered",
            pair(wallet_of(account), f"debt:{account.payer}", amount_minor),
            at_us=at_us,
        )
        leg.charged_minor = amount_minor
        account.charged_minor += amount_minor
        account.debt_minor -= amount_minor
        return transaction

    def pay_debt(
        self, visit_id: str, source: Source, name: str, amount_minor: int, *, at_us: int
    ) -> Transaction:
        """A balance pays what is owed, at once."""
        return self._paid(self.account(visit_id), source, name, amount_minor, at_us)

    def _paid(
        self,
        account: Account,
        source: Source,
        name: str,
        amount_minor: int,
        at_us: int,
        tail: str = "",
    ) -> Transaction:
        leg = self.add_leg(account.visit_id, source, name, amount_minor, "debt")
        transaction = self._write(
            account,
            f"{account.visit_id}:{tail}" if tail else tx_of(account, leg, "debt_paid"),
            "desk_paid" if source == "desk" else "debt_paid",
            pair(name, f"debt:{account.payer}", amount_minor),
            at_us=at_us,
        )
        leg.state = "captured"
        leg.charged_minor = leg.captured_minor = amount_minor
        account.charged_minor += amount_minor
        account.debt_minor -= amount_minor
        account.refresh()
        return transaction

    def waive_debt(self, visit_id: str, *, at_us: int) -> Transaction:
        """Staff let go of all that a visit still owes."""
        account = self.account(visit_id)
        amount_minor = account.debt_minor
        transaction = self._write(
            account,
            f"{visit_id}:debt_waived:{len(account.pay_ids)}",
            "debt_waived",
            pair("writeoff", f"debt:{account.payer}", amount_minor),
            at_us=at_us,
        )
        account.debt_minor = 0
        account.waived_minor += amount_minor
        return transaction

    # -- the tab --------------------------------------------------------------------------

    def to_tab(self, visit_id: str, key: str, *, at_us: int) -> Transaction:
        """A small charge waits on the payer's tab instead of being captured."""
        account, leg = self._leg(visit_id, key, "held")
        transaction = self._write(
            account,
            tx_of(account, leg, "tab"),
            "tab",
            pair(f"tab:{account.payer}", wallet_of(account), leg.charged_minor),
            at_us=at_us,
            resolves=leg.key,
        )
        leg.state = "tabbed"
        account.refresh()
        return transaction

    def tab_captured(self, visit_id: str, paid_by: str, *, left: bool = True) -> int:
        """A hold that paid the whole tab was captured; returns this visit's share of it. With
        `left` what was given back before is no part of what the leg has paid."""
        account = self.account(visit_id)
        share = account.on_tab_minor
        for leg in account.tabbed:
            if left:
                leg.charged_minor, leg.refunded_minor = leg.left_minor, 0
            leg.state, leg.paid_by = "captured", paid_by
            leg.captured_minor = leg.charged_minor
        account.refresh()
        return share

    def tab_failed(self, visit_id: str, paid_by: str, *, at_us: int) -> Transaction | None:
        """The hold that was to pay the tab could not: the visit's share becomes a debt."""
        account = self.account(visit_id)
        share = account.on_tab_minor
        for leg in account.tabbed:
            account.charged_minor -= leg.left_minor
            leg.state, leg.paid_by = "expired", paid_by
            leg.charged_minor = leg.refunded_minor = 0
        account.refresh()
        if not share:
            return None
        account.debt_minor += share
        entries = pair(f"debt:{account.payer}", f"tab:{account.payer}", share)
        return self._write(account, f"{visit_id}:tab_failed", "tab_failed", entries, at_us=at_us)

    # -- tips -----------------------------------------------------------------------------

    def tip(
        self, visit_id: str, amount_minor: int, *, at_us: int, source: str = "", key: str = ""
    ) -> Transaction:
        """A tip is booked: from a balance at once (`source` names its account), or from the hold
        `key`, whose capture follows."""
        account = self.account(visit_id)
        if source:
            kind: Source = "gift" if source.startswith("gift:") else "stored"
            leg = self.add_leg(visit_id, kind, source, amount_minor, "tip")
            leg.state, leg.captured_minor = "captured", amount_minor
        else:
            _account, leg = self._leg(visit_id, key, "held")
        leg.charged_minor = amount_minor
        entries = pair(source or wallet_of(account), "tips", amount_minor)
        return self._write(account, tx_of(account, leg, "tip"), "tip", entries, at_us=at_us)

    # -- the desk -------------------------------------------------------------------------

    def open_counter(self, visit_id: str, payer: str) -> Account:
        """A visit that pays at the desk: no hold, so that what it comes to is a debt."""
        if visit_id in self.accounts:
            raise ConflictError(f"expected one account a visit, {visit_id} has one already")
        account = Account(visit_id, payer, f"{visit_id}:hold")
        self.accounts[visit_id] = account
        return account

    def paid_at_desk(
        self, visit_id: str, *, number: int, method: str, amount_minor: int, at_us: int
    ) -> Transaction:
        """A visit's debt, or a part of it, came into a till of the desk."""
        account = self.account(visit_id)
        if not 0 < amount_minor <= account.debt_minor:
            raise RejectedError(
                f"expected 1 to {account.debt_minor}, which {visit_id} owes, got {amount_minor}"
            )
        return self._paid(
            account, "desk", f"till:{method}", amount_minor, at_us, f"desk_paid:{number}"
        )

    # -- reading --------------------------------------------------------------------------

    def dump(self) -> dict[str, Any]:
        """All of the state as JSON values."""
        row = {
            "ledger": self.ledger.dump(),
            "accounts": {key: value.dump() for key, value in sorted(self.accounts.items())},
        }
        if self.purses:
            row["purses"] = self.purses.dump()
        return row

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Wallets:
        """The wallets that `dump` described."""
        wallets = cls(Ledger.load(state["ledger"]))
        wallets.accounts = {key: Account.load(value) for key, value in state["accounts"].items()}
        wallets.purses = Purses.load(state.get("purses", {}))
        return wallets
