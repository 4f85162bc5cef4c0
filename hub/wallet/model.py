"""The ledger's rules: double entry, pending and posted, append-only, hash-chained.

Amounts are integer minor units of one currency; a debit is positive, a credit negative, and the
entries of a transaction sum to zero. A pending transaction is never edited: a later transaction
`resolves` it, with entries of its own (phase "posted") or without (phase "void"). Accounts:

    clearing         what the gateway owes the store        debit balance
    wallet:PAYER     what a shopper may still spend         credit balance, floor 0
    debt:PAYER       what a shopper owes above the hold     debit balance
    till:METHOD      what was paid at the desk              debit balance
    revenue:RATE     net sales at one VAT rate              credit balance
    vat:RATE         VAT owed at that rate                  credit balance
    stored:PAYER     money a shopper left with the store    credit balance, floor 0
    gift:CARD        what a gift or prepaid card is worth   credit balance, floor 0
    issued:HOW       what cards were sold or given for      debit balance
    tab:PAYER        small charges not yet captured         debit balance, floor 0
    tips             what shoppers gave to the staff        credit balance
    writeoff         debts that staff let go                debit balance
    disputed         what banks hold until they decide      debit balance
    chargeback       what banks took back for good          debit balance
    fees             what the gateway took for disputes     debit balance

A wallet's available funds are its posted credit plus its pending credit (the hold). Of a stored
balance or a card only posted credit may be spent, less what is pending against it: what is on its
way in is not there yet, and what is reserved for one visit cannot be spent by another.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from contracts.money import AMOUNT_MINOR_MAX
from hub.chain import GENESIS, link
from hub.errors import LedgerError

__all__ = ["ACCOUNT_KINDS", "WALLET_FLOOR_MINOR", "Entry", "Ledger", "Phase", "Transaction"]

Phase = Literal["pending", "posted", "void"]
ACCOUNT_KINDS = (
    "clearing", "wallet", "debt", "till", "revenue", "vat",
    "stored", "gift", "issued", "tab", "tips", "writeoff", "disputed", "chargeback", "fees",
)  # fmt: skip
BALANCE_KINDS = ("stored", "gift")
OWED_KINDS = ("tab",)
WALLET_FLOOR_MINOR = 0
ENTRIES_MAX = 256


@dataclass(frozen=True, slots=True)
class Entry:
    """One side of a transaction: a debit if the amount is positive, a credit if negative."""

    account: str
    amount_minor: int


@dataclass(frozen=True, slots=True)
class Transaction:
    """A balanced set of entries, chained to the transaction before it."""

    number: int
    tx_id: str
    at_us: int
    phase: Phase
    kind: str
    visit_id: str
    currency: str
    resolves: str | None
    entries: tuple[Entry, ...]
    previous_hash: str
    hash: str

    def row(self) -> dict[str, object]:
        """What the hash is taken of."""
        return {
            "number": self.number,
            "tx_id": self.tx_id,
            "at_us": self.at_us,
            "phase": self.phase,
            "kind": self.kind,
            "visit_id": self.visit_id,
            "currency": self.currency,
            "resolves": self.resolves,
            "entries": [[entry.account, entry.amount_minor] for entry in self.entries],
        }


class Ledger:
    """Balances of all accounts, and the only way to change them."""

    def __init__(self, currency: str) -> None:
        self.currency = currency
        self.number = 0
        self.head = GENESIS
        self._posted: dict[str, int] = {}
        self._pending: dict[str, tuple[Entry, ...]] = {}
        self._pending_sums: dict[str, int] = {}
        self._pending_debits: dict[str, int] = {}

    def posted(self, account: str) -> int:
        """The posted balance; debits positive."""
        return self._posted.get(account, 0)

    def pending(self, account: str) -> int:
        """The sum of unresolved pending entries; debits positive."""
        return self._pending_sums.get(account, 0)

    def available(self, payer: str) -> int:
        """What a wallet may still spend: posted plus pending credit."""
        account = f"wallet:{payer}"
        return -self.posted(account) - self.pending(account)

    def spendable(self, account: str) -> int:
        """What a stored balance or a card may still pay: posted credit less pending debits."""
        return -self.posted(account) - self._pending_debits.get(account, 0)

    def balances(self) -> dict[str, int]:
        """Posted balances of all accounts that hold anything, by name."""
        return dict(sorted(self._posted.items()))

    def write(
        self,
        *,
        tx_id: str,
        at_us: int,
        phase: Phase,
        kind: str,
        visit_id: str,
        entries: Sequence[Entry],
        resolves: str | None = None,
    ) -> Transaction:
        """Writes one transaction, or raises LedgerError and changes nothing."""
        self._check(tx_id, phase, entries, resolves)
        released = self._pending.get(resolves, ()) if resolves is not None else ()
        self._check_floors(phase, entries, released)
        previous = self.head
        number = self.number + 1
        draft = Transaction(
            number,
            tx_id,
            at_us,
            phase,
            kind,
            visit_id,
            self.currency,
            resolves,
            tuple(entries),
            previous,
            "",
        )
        digest = link(previous, draft.row())
        self.number = number
        self.head = digest
        if resolves is not None:
            del self._pending[resolves]
            self._wait(released, -1)
        if phase == "pending":
            self._pending[tx_id] = tuple(entries)
            self._wait(entries, 1)
        else:
            _add(self._posted, entries, 1)
        return Transaction(
            number,
            tx_id,
            at_us,
            phase,
            kind,
            visit_id,
            self.currency,
            resolves,
            tuple(entries),
            previous,
            digest,
        )

    def _check(
        self, tx_id: str, phase: Phase, entries: Sequence[Entry], resolves: str | None
    ) -> None:
        if tx_id in self._pending:
            raise LedgerError(f"expected a new transaction id, got {tx_id} a second time")
        if resolves is not None and resolves not in self._pending:
            raise LedgerError(f"expected {resolves} to be pending; it is unknown or resolved")
        if phase == "void":
            if entries or resolves is None:
                raise LedgerError(
                    "expected a void to resolve a pending transaction and add nothing"
                )
            return
        if not 2 <= len(entries) <= ENTRIES_MAX:
            raise LedgerError(f"expected 2 to {ENTRIES_MAX} entries, got {len(entries)}")
        for entry in entries:
            if type(entry.amount_minor) is not int:
                raise LedgerError(f"expected integer minor units, got {entry.amount_minor!r}")
            if entry.amount_minor == 0 or abs(entry.amount_minor) > AMOUNT_MINOR_MAX:
                raise LedgerError(
                    f"expected an amount of 1 to {AMOUNT_MINOR_MAX}, got {entry.amount_minor}"
                )
            if entry.account.split(":", 1)[0] not in ACCOUNT_KINDS:
                raise LedgerError(f"expected one of {ACCOUNT_KINDS}, got account {entry.account}")
        total = sum(entry.amount_minor for entry in entries)
        if total != 0:
            raise LedgerError(f"expected debits to equal credits, got {total} too much debit")

    def _wait(self, entries: Sequence[Entry], sign: int) -> None:
        _add(self._pending_sums, entries, sign)
        _add(self._pending_debits, _debits(entries), sign)

    def _check_floors(
        self, phase: Phase, entries: Sequence[Entry], released: Sequence[Entry]
    ) -> None:
        """Funds of every account touched stay at or above the floor."""
        change: dict[str, int] = {}
        _add(change, entries, 1)
        _add(change, released, -1)
        posted: dict[str, int] = {}
        _add(posted, entries if phase == "posted" else (), 1)
        debits: dict[str, int] = {}
        _add(debits, _debits(entries) if phase == "pending" else (), 1)
        _add(debits, _debits(released), -1)
        # What is taken from one side and released on the other still counts: every account touched.
        for account in dict.fromkeys(entry.account for entry in (*entries, *released)):
            delta = change.get(account, 0)
            kind = account.split(":", 1)[0]
            if kind == "wallet":
                left = -(self.posted(account) + self.pending(account) + delta)
            elif kind in BALANCE_KINDS:
                left = self.spendable(account) - posted.get(account, 0) - debits.get(account, 0)
            elif kind in OWED_KINDS:
                left = self.posted(account) + posted.get(account, 0)
            else:
                continue
            if left < WALLET_FLOOR_MINOR:
                raise LedgerError(
                    f"expected {account} to keep at least {WALLET_FLOOR_MINOR}, a {phase} "
                    f"transaction would leave {left}"
                )

    def dump(self) -> dict[str, Any]:
        """All of the state as JSON values."""
        return {
            "currency": self.currency,
            "number": self.number,
            "head": self.head,
            "posted": dict(sorted(self._posted.items())),
            "pending": {
                tx_id: [[entry.account, entry.amount_minor] for entry in entries]
                for tx_id, entries in sorted(self._pending.items())
            },
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Ledger:
        """The ledger that `dump` described."""
        ledger = cls(state["currency"])
        ledger.number = state["number"]
        ledger.head = state["head"]
        # Dumps of before name every account ever used: a payer's for each visit, nearly all of
        # them empty.
        ledger._posted = {name: amount for name, amount in state["posted"].items() if amount}
        for tx_id, rows in state["pending"].items():
            entries = tuple(Entry(account, amount) for account, amount in rows)
            ledger._pending[tx_id] = entries
            ledger._wait(entries, 1)
        return ledger


def _debits(entries: Sequence[Entry]) -> tuple[Entry, ...]:
    return tuple(entry for entry in entries if entry.amount_minor > 0)


def _add(sums: dict[str, int], entries: Sequence[Entry], sign: int) -> None:
    """Adds entries up. What comes to nothing is left out: a year has a million such accounts."""
    for entry in entries:
        value = sums.get(entry.account, 0) + sign * entry.amount_minor
        if value:
            sums[entry.account] = value
        else:
            sums.pop(entry.account, None)
