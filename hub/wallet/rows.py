"""Rows of wallets, gift cards, sources, refunds and disputes, from the state as it is."""

from __future__ import annotations

import json
from collections.abc import Iterable
from typing import Any

from hub.effects import us
from hub.state import HubState
from hub.wallet.account import Account
from hub.wallet.bank import Chargeback
from hub.wallet.purses import GiftCard, Purse

__all__ = [
    "card_row",
    "chargeback_row",
    "funding_rows",
    "hold_row",
    "payout_rows",
    "purse_row",
]

Row = dict[str, Any]


def hold_row(account: Account, currency: str) -> Row:
    """The card's hold of the entry; "none" where balances paid it all."""
    leg = account.card
    state = "none" if leg is None else leg.state
    return {
        "visit_id": account.visit_id,
        "hold_key": account.hold_id,
        "payer": account.payer,
        "currency": currency,
        "amount_minor": 0 if leg is None else leg.amount_minor,
        # Its hold was let go: the tab is captured by another.
        "state": "voided" if state == "tabbed" or (leg is not None and leg.paid_by) else state,
        "captured_minor": 0 if leg is None or leg.paid_by else leg.captured_minor,
        "refunded_minor": account.refunded_minor if account.classic else _refunded(account),
    }


def funding_rows(account: Account, currency: str) -> Iterable[Row]:
    """One row a source; none for a visit on a card alone, whose hold says it all."""
    if account.classic:
        return
    for leg in account.legs:
        yield {
            "key": leg.key,
            "visit_id": account.visit_id,
            "payer": account.payer,
            "source": leg.source,
            "purpose": leg.purpose,
            "account": leg.account,
            "currency": currency,
            "amount_minor": leg.amount_minor,
            "state": leg.state,
            "charged_minor": leg.charged_minor,
            "captured_minor": leg.captured_minor,
            "refunded_minor": leg.refunded_minor,
            "paid_by": leg.paid_by,
        }


def payout_rows(account: Account, currency: str) -> Iterable[Row]:
    """One row for each part of a refund that the gateway did not pay at once."""
    for payout in account.payouts:
        yield {
            "key": payout.key,
            "visit_id": account.visit_id,
            "payer": account.payer,
            "currency": currency,
            "amount_minor": payout.amount_minor,
            "state": payout.state,
            "asked_as": payout.asked_as,
            "reason": payout.reason,
            "rounds": payout.rounds,
            "since_us": us(payout.since_s),
            "again_us": None if payout.again_s is None else us(payout.again_s),
        }


def chargeback_row(one: Chargeback, currency: str) -> Row:
    """A dispute at a bank: what the bank moved in all, what of it is lost, who is kept out."""
    return {
        "dispute_id": one.dispute_id,
        "hold_key": one.hold_key,
        "visit_id": one.visit_id,
        "payer": one.payer,
        "currency": currency,
        "amount_minor": one.amount_minor,
        "reason": one.reason,
        "state": one.state,
        "withdrawn_minor": one.withdrawn_minor,
        "returned_minor": one.returned_minor,
        "fee_minor": one.fee_minor - one.fee_back_minor,
        "lost_minor": one.lost_booked_minor,
        "owed_minor": one.owed_booked_minor,
        "keeps_out": one.keeps_out,
        "decision": one.decision,
        "by": one.by,
        "opened_us": us(one.opened_s),
        "changed_us": us(one.changed_s),
    }


def purse_row(state: HubState, purse: Purse) -> Row:
    """A wallet: posted balance, open tab, open debts."""
    return {
        "payer": purse.payer,
        "opened_us": us(purse.opened_s),
        "sources": json.dumps(purse.order),
        "stored_minor": -state.wallets.ledger.posted(f"stored:{purse.payer}"),
        "tab_minor": 0 if purse.tab is None else purse.tab.amount_minor,
        "debt_minor": sum(purse.debts.values()),
    }


def card_row(state: HubState, card: GiftCard) -> Row:
    """A gift card and what is left on it."""
    return {
        "card_id": card.card_id,
        "how": card.how,
        "currency": state.store.currency,
        "amount_minor": card.amount_minor,
        "left_minor": -state.wallets.ledger.posted(card.account),
        "issued_us": us(card.issued_s),
        "expires_us": None if card.expires_s is None else us(card.expires_s),
        "blocked": card.blocked,
        "redeemed": card.redeemed,
        "payer": card.payer,
    }


def _refunded(account: Account) -> int:
    leg = account.card
    return 0 if leg is None else leg.refunded_minor
