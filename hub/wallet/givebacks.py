"""Money that goes back: refunds to the sources that paid, and what banks take back by themselves.

The rules of both, as entries of the ledger; who decides them is in hub.wallet.refunds and
hub.wallet.chargebacks. What each kind of transaction books: hub.wallet.service.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hub.errors import ConflictError, RejectedError
from hub.wallet.account import Account, Leg, LegState
from hub.wallet.model import Entry, Ledger, Phase, Transaction
from hub.wallet.purses import Purses
from hub.wallet.sales import ChargeLine, pair, refunded_entries, side

__all__ = ["GiveBacks", "tx_of", "wallet_of"]

Share = tuple[Leg, int]
"""A source and how much of a refund goes back to it."""


class GiveBacks:
    """The accounts of visits on one ledger, and what is taken back of them."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.accounts: dict[str, Account] = {}
        self.purses = Purses()

    # -- refunds --------------------------------------------------------------------------

    def refund(
        self,
        visit_id: str,
        lines: Sequence[ChargeLine],
        before: Sequence[ChargeLine],
        *,
        at_us: int,
        lanes: bool = False,
    ) -> tuple[Transaction, list[Share]]:
        """Takes lines back; returns the entries and what must now go back to its sources, the last
        one first.

        `before` holds what was left of the same lines before this refund, so that the VAT of
        several part refunds sums to the VAT of the line. With `lanes` it does not wait for another
        refund that is on its way.
        """
        account = self.account(visit_id)
        if not account.settled or account.busy:
            raise RejectedError(f"expected {visit_id} to be settled and captured; try again later")
        if account.refund_paying_minor and not lanes:
            raise ConflictError(f"a refund of {visit_id} is on its way; try again later")
        amount = sum(line.gross_minor for line in lines)
        if not 0 < amount <= account.total_minor - account.refunded_minor:
            left = account.total_minor - account.refunded_minor
            raise RejectedError(f"expected a refund of 1 to {left}, got {amount}")
        from_debt = min(amount, account.debt_minor)
        from_waived = min(amount - from_debt, account.waived_minor)
        # What a bank has given back is the shopper's already.
        from_lost = min(amount - from_debt - from_waived, account.lost_minor)
        paying = amount - from_debt - from_waived - from_lost
        number = account.refunds + 1
        entries = [
            *refunded_entries(lines, before, self.ledger.currency),
            *side(f"debt:{account.payer}", -from_debt),
            *side("writeoff", -from_waived),
            *side("chargeback", -from_lost),
            *side(wallet_of(account), -paying),
        ]
        transaction = self._write(
            account, f"{visit_id}:refund:{number}", "refund", entries, at_us=at_us
        )
        shares: list[Share] = []
        rest = paying
        for leg in reversed(account.sale):
            share = min(rest, leg.left_minor)
            if not share:
                continue
            leg.paying_minor += share
            leg.refunded_minor += share
            rest -= share
            shares.append((leg, share))
        account.refunds = number
        account.refunded_minor += amount
        account.debt_minor -= from_debt
        account.waived_minor -= from_waived
        account.lost_minor -= from_lost
        account.refund_paying_minor += paying
        return transaction, shares

    def refund_paid(
        self,
        visit_id: str,
        *,
        at_us: int,
        key: str | None = None,
        into: str = "",
        name: str = "",
        amount_minor: int | None = None,
    ) -> Transaction:
        """A source was paid back by the visit's refund of this name (the latest's number); `into`
        is another account than it came from. Without an amount it is all that is on its way."""
        account = self.account(visit_id)
        leg = account.leg(key or account.hold_id)
        paying = 0 if leg is None else leg.paying_minor
        amount_minor = paying if amount_minor is None else amount_minor
        if leg is None or not 0 < amount_minor <= paying:
            raise ConflictError(
                f"expected a refund of {visit_id} on its way, up to {paying}, got {amount_minor}"
            )
        target = into or (f"tab:{account.payer}" if leg.state == "tabbed" else leg.account)
        kind = {"clearing": "refund_paid", "tab": "refund_tab", "till": "refund_desk"}.get(
            target.split(":", 1)[0], "refund_balance"
        )
        transaction = self._write(
            account,
            tx_of(account, leg, f"refund_paid:{name or account.refunds}"),
            kind,
            pair(wallet_of(account), target, amount_minor),
            at_us=at_us,
        )
        leg.paying_minor -= amount_minor
        account.refresh()
        return transaction

    def refund_failed(
        self, visit_id: str, key: str, amount_minor: int, *, at_us: int, tx_id: str
    ) -> Transaction:
        """The gateway took back what it had paid to a source: it is on its way again."""
        account = self.account(visit_id)
        leg = account.leg(key)
        if leg is None or not 0 < amount_minor <= leg.refunded_minor - leg.paying_minor:
            raise ConflictError(f"expected a refund of {visit_id} that was paid, got {tx_id}")
        entries = pair(leg.account, wallet_of(account), amount_minor)
        transaction = self._write(account, tx_id, "refund_failed", entries, at_us=at_us)
        leg.paying_minor += amount_minor
        account.refresh()
        return transaction

    # -- banks ----------------------------------------------------------------------------

    def bank_moved(
        self, tx_id: str, visit_id: str, moved: Mapping[str, int], *, at_us: int
    ) -> Transaction:
        """A payer's bank took money from what the gateway owes the store, or gave it back: `moved`
        is what each account gets for it, by name."""
        entries = [entry for name, amount in moved.items() for entry in side(name, amount)]
        total = sum(moved.values())
        return self.ledger.write(
            tx_id=tx_id,
            at_us=at_us,
            phase="posted",
            kind="dispute_moved",
            visit_id=visit_id,
            entries=[*entries, *side("clearing", -total)],
        )

    # -- reading --------------------------------------------------------------------------

    def account(self, visit_id: str) -> Account:
        """A visit's account; RejectedError if it never asked for a hold."""
        account = self.accounts.get(visit_id)
        if account is None:
            raise RejectedError(f"expected a visit with a hold, {visit_id} has none")
        return account

    # -- inside ---------------------------------------------------------------------------

    def _leg(self, visit_id: str, key: str | None, *states: LegState) -> tuple[Account, Leg]:
        account = self.account(visit_id)
        leg = account.leg(key or account.hold_id)
        if leg is None or leg.state not in states:
            raise ConflictError(
                f"expected the hold of {visit_id} to be {' or '.join(states)}, "
                f"it is {'missing' if leg is None else leg.state}"
            )
        return account, leg

    def _write(
        self,
        account: Account,
        tx_id: str,
        kind: str,
        entries: Sequence[Entry],
        *,
        at_us: int,
        phase: Phase = "posted",
        resolves: str | None = None,
    ) -> Transaction:
        return self.ledger.write(
            tx_id=tx_id,
            at_us=at_us,
            phase=phase,
            kind=kind,
            visit_id=account.visit_id,
            entries=entries,
            resolves=resolves,
        )


def wallet_of(account: Account) -> str:
    """The account of what a visit's payer may still spend."""
    return f"wallet:{account.payer}"


def tx_of(account: Account, leg: Leg, what: str) -> str:
    """The id of what happens to a leg: the classic one's has no number."""
    return f"{account.visit_id}:{what}{leg.key.removeprefix(account.hold_id)}"
