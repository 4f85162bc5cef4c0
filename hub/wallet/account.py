"""The money side of one visit: its legs, one for each source that pays a part of it.

A visit on a card alone has one leg, the hold taken at entry. Others have more: gift cards, the
stored balance and the card in the shopper's order, extra holds asked for later, payments of a
debt, a tip. Each leg is one pending transaction named by its key, and ends once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any, Literal

from hub.errors import ConflictError

__all__ = [
    "Account",
    "HoldState",
    "Leg",
    "LegState",
    "Payout",
    "PayoutState",
    "Purpose",
    "Source",
    "done_before",
]

HoldState = Literal["none", "asked", "held", "captured", "voided", "expired", "refused"]
LegState = Literal["asked", "held", "captured", "voided", "expired", "refused", "tabbed"]
Source = Literal["card", "stored", "gift", "desk"]
Purpose = Literal["entry", "extra", "debt", "again", "tip"]
"""entry: taken at the gate; extra: asked for while shopping; debt: pays what is owed; again: in
place of a hold that ran out; tip: for the staff."""
CLASSIC = ("legs", "waived_minor", "tip_id", "tip_minor", "pay_ids", "refused_extra")
LATER = ("lost_minor", "payouts")
"""Left out of a dump where they are empty: an account without any has the digest it always had."""
PayoutState = Literal["asked", "unanswered", "refused", "paid", "settled"]


@dataclass(slots=True)
class Leg:
    """One source's part. `key` is the pending transaction, and the hold at the gateway.

    `charged_minor` is what the settlement wants of it, `paying_minor` what is on its way back,
    `paid_by` the hold that was captured for it if that is another one: a tab's; `lost_minor` is
    what the payer's bank has taken back of it.
    """

    key: str
    source: Source
    account: str
    amount_minor: int
    state: LegState = "asked"
    purpose: Purpose = "entry"
    charged_minor: int = 0
    captured_minor: int = 0
    refunded_minor: int = 0
    paying_minor: int = 0
    paid_by: str = ""
    lost_minor: int = 0

    @property
    def left_minor(self) -> int:
        """What a refund may still take from it. Money of a refund that the bank took back as well
        is not there twice."""
        got = self.charged_minor if self.state == "tabbed" else self.captured_minor
        return max(0, got - self.refunded_minor - self.lost_minor)

    @property
    def open(self) -> bool:
        """Whether it has not ended."""
        return self.state in ("asked", "held")


@dataclass(slots=True)
class Payout:
    """A part of a refund that the gateway did not pay at once.

    `key` is the first question's, `asked_as` the newest one's: the same again where no answer
    came, so that nothing is paid twice, and another where the gateway refused. `again_s` is when
    the hub asks by itself, None if it does not; `failed` counts how often the gateway paid it and
    took that back; `acts` are the ids of what staff did.
    """

    key: str
    leg: str
    number: int
    amount_minor: int
    state: PayoutState
    asked_as: str
    since_s: float
    reason: str = ""
    rounds: int = 0
    failed: int = 0
    again_s: float | None = None
    acts: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether it has not been paid in any way."""
        return self.state in ("asked", "unanswered", "refused")


@dataclass(slots=True)
class Account:
    """The money side of one visit. `charged_minor` is what the wallet paid, the rest is debt.

    `hold_minor` is all that was reserved, `captured_minor` all that was got from any source, a
    tip aside; `lost_minor` is what banks took back of it and nobody owes; `state` sums the legs up
    as if they were one hold.
    """

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
    legs: list[Leg] = field(default_factory=list)
    waived_minor: int = 0
    tip_id: str = ""
    tip_minor: int = 0
    pay_ids: list[str] = field(default_factory=list)
    refused_extra: str = ""
    lost_minor: int = 0
    payouts: list[Payout] = field(default_factory=list)

    def leg(self, key: str) -> Leg | None:
        """The leg of a key, or the one that a tab's hold paid for."""
        return next((leg for leg in self.legs if key in (leg.key, leg.paid_by)), None)

    def payout(self, key: str) -> Payout | None:
        """The payout of this name, or the one that is asked about under it."""
        return next((one for one in self.payouts if key in (one.key, one.asked_as)), None)

    @property
    def card(self) -> Leg | None:
        """The card's hold of the entry."""
        return self.leg(self.hold_id)

    @property
    def sale(self) -> list[Leg]:
        """All legs but the tip's, in the order they are captured."""
        return [leg for leg in self.legs if leg.purpose != "tip"]

    @property
    def on_tab_minor(self) -> int:
        """What waits on the payer's tab."""
        return sum(leg.charged_minor - leg.refunded_minor for leg in self.tabbed)

    @property
    def tabbed(self) -> list[Leg]:
        """Legs whose charge waits on the tab."""
        return [leg for leg in self.legs if leg.state == "tabbed"]

    @property
    def tip_paid_minor(self) -> int:
        """What came of the tip."""
        return sum(leg.captured_minor for leg in self.legs if leg.purpose == "tip")

    @property
    def busy(self) -> bool:
        """Whether a source of the sale has still to answer."""
        return any(leg.open for leg in self.sale)

    @property
    def classic(self) -> bool:
        """Whether a hold on a card is all there is, as before there were other sources."""
        return self._plain() and self.legs == self._implied()

    def next_key(self) -> str:
        """The key of one more leg."""
        return f"{self.visit_id}:hold:{len(self.legs) + 1}"

    def refresh(self) -> None:
        """Sums the legs up."""
        sale = self.sale
        self.captured_minor = sum(leg.captured_minor for leg in sale)
        self.refund_paying_minor = sum(leg.paying_minor for leg in sale)
        states = {leg.state for leg in sale if leg.purpose == "entry" or leg.state != "asked"}
        if any(leg.state == "refused" and leg.purpose == "entry" for leg in sale):
            self.state = "refused"
        elif "asked" in states:
            self.state = "asked"
        elif "held" in states:
            self.state = "held"
        elif "captured" in states:
            self.state = "captured"
        elif "expired" in states:
            self.state = "expired"
        else:
            self.state = "voided"

    def dump(self) -> dict[str, Any]:
        """The account as JSON values; what says nothing new is left out."""
        row = asdict(self)
        for part in (row, *row["legs"]):
            for name in LATER:
                if not part.get(name, True):
                    del part[name]
        if self.classic:
            for name in CLASSIC:
                del row[name]
        return row

    @classmethod
    def load(cls, row: Mapping[str, Any]) -> Account:
        """The account that `dump` described."""
        values = dict(row)
        legs = values.pop("legs", None)
        values["payouts"] = [Payout(**payout) for payout in values.pop("payouts", ())]
        account = cls(**values)
        account.legs = account._implied() if legs is None else [Leg(**leg) for leg in legs]
        return account

    def _plain(self) -> bool:
        return not any(getattr(self, name) for name in (*CLASSIC[1:], *LATER))

    def _implied(self) -> list[Leg]:
        """The one leg of a visit on a card alone."""
        state = self.state
        if state == "none":
            return []
        from_debt = self.total_minor - self.charged_minor - self.debt_minor
        return [
            Leg(
                key=self.hold_id,
                source="card",
                account="clearing",
                amount_minor=self.hold_minor,
                state=state,
                charged_minor=self.charged_minor,
                captured_minor=self.captured_minor,
                refunded_minor=self.refunded_minor - from_debt,
                paying_minor=self.refund_paying_minor,
            )
        ]


def done_before(acts: Sequence[str], name: str, content: str) -> bool:
    """Whether one of these acts, `name=content` each, has this name; ConflictError if it was for
    something else."""
    known = dict(row.rsplit("=", 1) for row in acts)
    if name in known and known[name] != content:
        raise ConflictError(f"{name} was used before for something else")
    return name in known
