"""Commands of wallets: opened, topped up, ordered; gift cards; debts; tips.

A wallet is named by the SHA-256 of its secret, a gift card by that of its code, a visit by that of
its token: whoever does not know the secret cannot ask. Random values are drawn outside.
"""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from contracts.money import AMOUNT_MINOR_MAX
from hub.command import Command

__all__ = [
    "AddTip",
    "BlockGiftCard",
    "ClaimGiftCard",
    "DecideChargeback",
    "IssueGiftCard",
    "OpenWallet",
    "PayDebt",
    "RedeemGiftCard",
    "RetryRefund",
    "SetOrder",
    "SettleRefund",
    "TopUp",
    "UseGiftCard",
    "WaiveDebt",
]

Sha256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Id = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.:-]{0,126}$")]
StaffName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_.@-]{0,62}$")]
Amount = Annotated[int, Field(gt=0, le=AMOUNT_MINOR_MAX)]


class OpenWallet(Command):
    """A phone wants a wallet; its payer's name is made of the secret's hash."""

    kind: Literal["open_wallet"] = "open_wallet"
    wallet_sha256: Sha256


class SetOrder(Command):
    """In which order a wallet's sources pay: "card", "stored", "gift:CARD"; those left out do
    not."""

    kind: Literal["set_order"] = "set_order"
    wallet_sha256: Sha256
    order: Annotated[
        tuple[Annotated[str, Field(max_length=140)], ...], Field(min_length=1, max_length=12)
    ]


class TopUp(Command):
    """Money from the card onto the stored balance. The same `topup_id` again changes nothing."""

    kind: Literal["top_up"] = "top_up"
    wallet_sha256: Sha256
    topup_id: Id
    amount_minor: Amount


class IssueGiftCard(Command):
    """Staff make a card. "sold": it was paid for elsewhere; "given": it is a present."""

    kind: Literal["issue_gift_card"] = "issue_gift_card"
    card_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,62}$")]
    code_sha256: Sha256
    amount_minor: Amount
    how: Literal["sold", "given"] = "sold"
    expires_s: Annotated[float, Field(gt=0)] | None = None


class BlockGiftCard(Command):
    """Staff block a card, or let it be used again."""

    kind: Literal["block_gift_card"] = "block_gift_card"
    card_id: Id
    blocked: bool = True


class ClaimGiftCard(Command):
    """A card becomes one of a wallet's sources; from now on it is that wallet's alone."""

    kind: Literal["claim_gift_card"] = "claim_gift_card"
    wallet_sha256: Sha256
    code_sha256: Sha256


class RedeemGiftCard(Command):
    """All that is on a card goes to a wallet's stored balance, once."""

    kind: Literal["redeem_gift_card"] = "redeem_gift_card"
    wallet_sha256: Sha256
    code_sha256: Sha256


class UseGiftCard(Command):
    """A card pays first for one visit that has not begun; what is left stays on the card."""

    kind: Literal["use_gift_card"] = "use_gift_card"
    token_sha256: Sha256
    code_sha256: Sha256


class PayDebt(Command):
    """Pays what a visit still owes, by its phone or its payer's wallet. The same `pay_id` again
    changes nothing."""

    kind: Literal["pay_debt"] = "pay_debt"
    visit_id: Annotated[str, Field(max_length=127)]
    pay_id: Id
    source: Literal["card", "stored"] = "card"
    token_sha256: Sha256 | None = None
    wallet_sha256: Sha256 | None = None


class WaiveDebt(Command):
    """Staff let go of what a visit still owes."""

    kind: Literal["waive_debt"] = "waive_debt"
    visit_id: Annotated[str, Field(max_length=127)]
    waive_id: Id
    reason: Annotated[str, Field(max_length=200)] = ""


class RetryRefund(Command):
    """Staff want a refund that waits to be asked about now. The same `retry_id` again changes
    nothing."""

    kind: Literal["retry_refund"] = "retry_refund"
    visit_id: Annotated[str, Field(max_length=127)]
    refund_key: Annotated[str, Field(min_length=1, max_length=200)]
    retry_id: Id
    by: StaffName = "staff"


class SettleRefund(Command):
    """Staff say how a refund that waits was paid: by the gateway after all, onto the payer's
    balance, or in another way. `checked`: they have looked at the gateway, and it did not."""

    kind: Literal["settle_refund"] = "settle_refund"
    visit_id: Annotated[str, Field(max_length=127)]
    refund_key: Annotated[str, Field(min_length=1, max_length=200)]
    settle_id: Id
    how: Literal["gateway", "balance", "cash", "card", "transfer"]
    checked: bool = False
    by: StaffName = "staff"
    reason: Annotated[str, Field(max_length=200)] = ""


class DecideChargeback(Command):
    """Whether the payer of a payment that is disputed at the bank is let in again."""

    kind: Literal["decide_chargeback"] = "decide_chargeback"
    dispute_id: Annotated[str, Field(pattern=r"^[A-Za-z0-9_.-]{1,100}$")]
    let_in: bool
    by: StaffName = "staff"
    reason: Annotated[str, Field(max_length=200)] = ""


class AddTip(Command):
    """Something for the staff, once a visit, for a while after the exit."""

    kind: Literal["add_tip"] = "add_tip"
    token_sha256: Sha256
    tip_id: Id
    amount_minor: Amount
