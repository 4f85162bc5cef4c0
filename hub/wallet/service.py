"""What happens to a shopper's money: hold, charge, capture, refund; written as ledger entries.

Charge of T with a hold of H: min(T, H) from the wallet, the rest to the payer's debt, against
revenue and VAT per rate. Capture moves what was charged from clearing into the wallet and lets
go of the hold. A refund first takes back debt, then goes back through the gateway.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from decimal import Decimal
from typing import Any, Literal

from contracts.money import Money, vat_included_minor
from hub.errors import ConflictError, LedgerError, RejectedError
from hub.wallet.model import Entry, Ledger, Transaction

__all__ = ["Account", "ChargeLine", "HoldState", "Wallets", "vat_minor"]

HoldState = Literal["none", "asked", "held", "captured", "voided", "expired", "refused"]


def vat_minor(gross_minor: int, rate: str, currency: str) -> int:
    """The VAT inside a gross amount at a rate such as "0.1900"."""
    gross = Money(amount_minor=gross_minor, currency=currency)
    return vat_included_minor(gross, Decimal(rate)).amount_minor


@dataclass(frozen=True, slots=True)
class ChargeLine:
    """So many pieces of one product at one price; prices include VAT. `discount_minor` is what
    promotions take off the whole line."""

    line: int
    gtin: str
    quantity: int
    unit_price_minor: int
    vat_rate: str
    reaches: tuple[str, ...] = ()
    discount_minor: int = 0
    promotions: tuple[str, ...] = ()

    @property
    def gross_minor(self) -> int:
        """What is paid for the line: quantity times price, less the discount."""
        return self.quantity * self.unit_price_minor - self.discount_minor

    def left(self, quantity: int) -> ChargeLine:
        """What the line comes to when so many of its pieces are left: their share of what was
        paid, rounded half up. Parts given back one after the other sum to the line exactly."""
        if not 0 <= quantity <= self.quantity:
            raise LedgerError(f"expected 0 to {self.quantity} pieces, got {quantity}")
        paid_minor = (2 * self.gross_minor * quantity + self.quantity) // (2 * self.quantity)
        return replace(
            self,
            quantity=quantity,
            discount_minor=quantity * self.unit_price_minor - paid_minor,
        )

    def given_back(self, left: int, quantity: int) -> ChargeLine:
        """So many pieces, out of those that are left, with what was paid for them."""
        paid_minor = self.left(left).gross_minor - self.left(left - quantity).gross_minor
        return replace(
            self,
            quantity=quantity,
            discount_minor=quantity * self.unit_price_minor - paid_minor,
        )

    def dump(self) -> dict[str, Any]:
        """The line as JSON values; a line without promotions looks as it did before there were
        any, so that old digests hold."""
        row = asdict(self)
        if not self.discount_minor and not self.promotions:
            del row["discount_minor"], row["promotions"]
        return row

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> ChargeLine:
        """The line that `dump` described."""
        lists = {name: tuple(row[name]) for name in ("reaches", "promotions") if name in row}
        return cls(**{**row, **lists})


@dataclass(slots=True)
class Account:
    """The money side of one visit. `charged_minor` is what the wallet paid, the rest is debt."""

    visit_id: str
    payer: str
    hold_id: str
    hold_minor: int = 0
    state: HoldState = "none"
    settled: bool = False
    total_minor: int = 0
    charged_minor: int = 0
    captured_minor: int = 0
    debt_minor: int = 0
    refunded_minor: int = 0
    refund_paying_minor: int = 0
    refunds: int = 0


class Wallets:
    """Holds and charges of all visits the hub still knows, on one ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self.ledger = ledger
        self.accounts: dict[str, Account] = {}

    def ask_hold(self, visit_id: str, payer: str, amount_minor: int) -> Account:
        """Opens a visit's account; the gateway is about to be asked for a hold."""
        if visit_id in self.accounts:
            raise ConflictError(f"expected one hold a visit, {visit_id} has one already")
        account = Account(visit_id, payer, f"{visit_id}:hold", amount_minor, "asked")
        self.accounts[visit_id] = account
        return account

    def refuse_hold(self, visit_id: str) -> None:
        """The gateway declined, or never answered in time: no entry."""
        self._in_state(visit_id, "asked").state = "refused"

    def place_hold(self, visit_id: str, *, at_us: int) -> Transaction:
        """The gateway holds the amount: pending entries."""
        account = self._in_state(visit_id, "asked")
        entries = _pair("clearing", f"wallet:{account.payer}", account.hold_minor)
        transaction = self.ledger.write(
            tx_id=account.hold_id,
            at_us=at_us,
            phase="pending",
            kind="hold",
            visit_id=visit_id,
            entries=entries,
        )
        account.state = "held"
        return transaction

    def void_hold(self, visit_id: str, *, at_us: int, expired: bool = False) -> Transaction:
        """Nothing was charged, or nothing can be any more: the hold is let go."""
        account = self._in_state(visit_id, "held")
        if account.charged_minor:
            raise LedgerError(
                f"expected nothing charged on {visit_id}, got {account.charged_minor}; "
                "a charge without capture becomes a debt"
            )
        kind = "hold_expired" if expired else "hold_voided"
        transaction = self.ledger.write(
            tx_id=f"{visit_id}:{kind}",
            at_us=at_us,
            phase="void",
            kind=kind,
            visit_id=visit_id,
            entries=(),
            resolves=account.hold_id,
        )
        account.state = "expired" if expired else "voided"
        return transaction

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
        on_hold = account.hold_minor if account.state == "held" else 0
        charged = min(total, on_hold)
        transaction = None
        if total:
            entries = [
                *_side(f"wallet:{account.payer}", charged),
                *_side(f"debt:{account.payer}", total - charged),
                *_sales(lines, self.ledger.currency, -1),
            ]
            transaction = self.ledger.write(
                tx_id=f"{visit_id}:charge",
                at_us=at_us,
                phase="posted",
                kind="charge",
                visit_id=visit_id,
                entries=entries,
            )
        account.settled = True
        account.total_minor = total
        account.charged_minor = charged
        account.debt_minor = total - charged
        return transaction

    def capture(self, visit_id: str, *, at_us: int) -> Transaction:
        """The gateway paid what was charged; the rest of the hold is free again."""
        account = self._in_state(visit_id, "held")
        if not 0 < account.charged_minor <= account.hold_minor:
            raise LedgerError(
                f"expected to capture 1 to {account.hold_minor}, got {account.charged_minor}"
            )
        transaction = self.ledger.write(
            tx_id=f"{visit_id}:capture",
            at_us=at_us,
            phase="posted",
            kind="capture",
            visit_id=visit_id,
            entries=_pair("clearing", f"wallet:{account.payer}", account.charged_minor),
            resolves=account.hold_id,
        )
        account.state = "captured"
        account.captured_minor = account.charged_minor
        return transaction

    def capture_failed(self, visit_id: str, *, at_us: int) -> Transaction:
        """The hold could not be captured: what was charged becomes a debt."""
        account = self._in_state(visit_id, "held")
        transaction = self.ledger.write(
            tx_id=f"{visit_id}:capture_failed",
            at_us=at_us,
            phase="posted",
            kind="capture_failed",
            visit_id=visit_id,
            entries=_pair(
                f"debt:{account.payer}", f"wallet:{account.payer}", account.charged_minor
            ),
            resolves=account.hold_id,
        )
        account.state = "expired"
        account.debt_minor += account.charged_minor
        account.charged_minor = 0
        return transaction

    def refund(
        self,
        visit_id: str,
        lines: Sequence[ChargeLine],
        before: Sequence[ChargeLine],
        *,
        at_us: int,
    ) -> tuple[Transaction, int]:
        """Takes lines back; returns the entries and what the gateway must now pay back.

        `before` holds what was left of the same lines before this refund, so that the VAT of
        several part refunds sums to the VAT of the line.
        """
        account = self.account(visit_id)
        if not account.settled or account.state == "held":
            raise RejectedError(f"expected {visit_id} to be settled and captured; try again later")
        if account.refund_paying_minor:
            raise ConflictError(f"a refund of {visit_id} is on its way; try again later")
        amount = sum(line.gross_minor for line in lines)
        if not 0 < amount <= account.total_minor - account.refunded_minor:
            left = account.total_minor - account.refunded_minor
            raise RejectedError(f"expected a refund of 1 to {left}, got {amount}")
        from_debt = min(amount, account.debt_minor)
        paying = amount - from_debt
        number = account.refunds + 1
        transaction = self.ledger.write(
            tx_id=f"{visit_id}:refund:{number}",
            at_us=at_us,
            phase="posted",
            kind="refund",
            visit_id=visit_id,
            entries=[
                *_refunded(lines, before, self.ledger.currency),
                *_side(f"debt:{account.payer}", -from_debt),
                *_side(f"wallet:{account.payer}", -paying),
            ],
        )
        account.refunds = number
        account.refunded_minor += amount
        account.debt_minor -= from_debt
        account.refund_paying_minor = paying
        return transaction, paying

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
        transaction = self.ledger.write(
            tx_id=f"{visit_id}:desk_paid:{number}",
            at_us=at_us,
            phase="posted",
            kind="desk_paid",
            visit_id=visit_id,
            entries=_pair(f"till:{method}", f"debt:{account.payer}", amount_minor),
        )
        account.debt_minor -= amount_minor
        return transaction

    def refund_paid(self, visit_id: str, *, at_us: int) -> Transaction:
        """The gateway paid a refund back."""
        account = self.account(visit_id)
        transaction = self.ledger.write(
            tx_id=f"{visit_id}:refund_paid:{account.refunds}",
            at_us=at_us,
            phase="posted",
            kind="refund_paid",
            visit_id=visit_id,
            entries=_pair(f"wallet:{account.payer}", "clearing", account.refund_paying_minor),
        )
        account.refund_paying_minor = 0
        return transaction

    def account(self, visit_id: str) -> Account:
        """A visit's account; RejectedError if it never asked for a hold."""
        account = self.accounts.get(visit_id)
        if account is None:
            raise RejectedError(f"expected a visit with a hold, {visit_id} has none")
        return account

    def _in_state(self, visit_id: str, state: HoldState) -> Account:
        account = self.account(visit_id)
        if account.state != state:
            raise ConflictError(
                f"expected the hold of {visit_id} to be {state}, it is {account.state}"
            )
        return account

    def dump(self) -> dict[str, Any]:
        """All of the state as JSON values."""
        return {
            "ledger": self.ledger.dump(),
            "accounts": {key: asdict(value) for key, value in sorted(self.accounts.items())},
        }

    @classmethod
    def load(cls, state: Mapping[str, Any]) -> Wallets:
        """The wallets that `dump` described."""
        wallets = cls(Ledger.load(state["ledger"]))
        wallets.accounts = {key: Account(**value) for key, value in state["accounts"].items()}
        return wallets


def _side(account: str, amount_minor: int) -> tuple[Entry, ...]:
    return (Entry(account, amount_minor),) if amount_minor else ()


def _pair(debit: str, credit: str, amount_minor: int) -> tuple[Entry, Entry]:
    return Entry(debit, amount_minor), Entry(credit, -amount_minor)


def _sales(lines: Sequence[ChargeLine], currency: str, sign: int) -> list[Entry]:
    """Revenue and VAT per rate; VAT is rounded per line."""
    taxes: dict[str, int] = {}
    nets: dict[str, int] = {}
    for line in lines:
        tax = vat_minor(line.gross_minor, line.vat_rate, currency)
        taxes[line.vat_rate] = taxes.get(line.vat_rate, 0) + tax
        nets[line.vat_rate] = nets.get(line.vat_rate, 0) + line.gross_minor - tax
    return _by_rate(nets, taxes, sign)


def _refunded(
    lines: Sequence[ChargeLine], before: Sequence[ChargeLine], currency: str
) -> list[Entry]:
    taxes: dict[str, int] = {}
    nets: dict[str, int] = {}
    for line, left in zip(lines, before, strict=True):
        rest_minor = left.gross_minor - line.gross_minor
        tax = vat_minor(left.gross_minor, left.vat_rate, currency) - vat_minor(
            rest_minor, left.vat_rate, currency
        )
        taxes[line.vat_rate] = taxes.get(line.vat_rate, 0) + tax
        nets[line.vat_rate] = nets.get(line.vat_rate, 0) + line.gross_minor - tax
    return _by_rate(nets, taxes, 1)


def _by_rate(nets: Mapping[str, int], taxes: Mapping[str, int], sign: int) -> list[Entry]:
    entries: list[Entry] = []
    for rate in sorted(nets):
        entries.extend(_side(f"revenue:{rate}", sign * nets[rate]))
        entries.extend(_side(f"vat:{rate}", sign * taxes[rate]))
    return entries
