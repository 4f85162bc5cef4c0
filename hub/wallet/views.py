"""What a wallet's phone, a visit's phone and staff see of money, as JSON values. Amounts are minor
units, times hub seconds. No secret and no code is shown."""

from __future__ import annotations

from typing import Any

from hub.errors import UnknownWalletError
from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet.account import Account, Leg
from hub.wallet.debts import tip_left_s
from hub.wallet.purses import GiftCard, Purse

__all__ = ["card_view", "money_view", "payer_view", "wallet_view"]


def wallet_view(state: HubState, secret_sha256: str) -> dict[str, Any]:
    """A wallet as its owner sees it; UnknownWalletError for any other secret."""
    return _purse_view(state, state.wallets.purses.of_secret(secret_sha256))


def payer_view(state: HubState, payer: str) -> dict[str, Any]:
    """A payer as staff see them, with a wallet or without."""
    purse = state.wallets.purses.all.get(payer)
    disputes = [
        {
            "dispute_id": one.dispute_id,
            "amount_minor": one.amount_minor,
            "state": one.state,
            "keeps_out": one.keeps_out,
        }
        for one in state.chargebacks.values()
        if one.payer == payer
    ]
    if purse is not None:
        return {**_purse_view(state, purse), "wallet": True, "disputes": disputes}
    known = any(visit.payer == payer for visit in state.visits.values())
    owed_minor = state.wallets.ledger.posted(f"debt:{payer}")
    if not known and not owed_minor and not disputes:
        raise UnknownWalletError(f"expected a payer the hub knows, got {payer}")
    return {
        "payer": payer,
        "wallet": False,
        "currency": state.store.currency,
        "debt_minor": owed_minor,
        "debts": [
            {"visit_id": account.visit_id, "amount_minor": account.debt_minor}
            for account in state.wallets.accounts.values()
            if account.payer == payer and account.debt_minor
        ],
        "visits": _visits(state, payer),
        "disputes": disputes,
    }


def card_view(state: HubState, card: GiftCard) -> dict[str, Any]:
    """A gift card, without its code."""
    return {
        "card_id": card.card_id,
        "amount_minor": card.amount_minor,
        "left_minor": -state.wallets.ledger.posted(card.account),
        "free_minor": state.wallets.ledger.spendable(card.account),
        "how": card.how,
        "issued_s": card.issued_s,
        "expires_s": card.expires_s,
        "blocked": card.blocked,
        "redeemed": card.redeemed,
        "payer": card.payer,
        "refusal": card.refusal(state.now_s),
    }


def money_view(state: HubState, visit: Visit, account: Account | None) -> dict[str, Any]:
    """The money side of one visit for its phone."""
    wallet = state.store.wallet
    open_for_tips = tip_left_s(state, visit) > 0 and account is not None and not account.tip_id
    return {
        "wallet": visit.payer in state.wallets.purses.all,
        "sources": [] if account is None else [_leg_view(leg) for leg in account.legs],
        "debt_minor": 0 if account is None else account.debt_minor,
        "waived_minor": 0 if account is None else account.waived_minor,
        "on_tab_minor": 0 if account is None else account.on_tab_minor,
        "paying": account is not None and account.settled and account.busy,
        "refused_extra": "" if account is None else account.refused_extra,
        "tip_minor": 0 if account is None else account.tip_minor,
        "tip_paid_minor": 0 if account is None else account.tip_paid_minor,
        "tip_open": account is not None
        and any(leg.open for leg in account.legs if leg.purpose == "tip"),
        "tip_minor_max": wallet.tip_minor_max if open_for_tips else 0,
        "tip_until_s": (visit.exited_s or 0.0) + wallet.tip_window_s if open_for_tips else None,
    }


def _purse_view(state: HubState, purse: Purse) -> dict[str, Any]:
    purses, ledger = state.wallets.purses, state.wallets.ledger
    account = f"stored:{purse.payer}"
    free_minor = ledger.spendable(account)
    return {
        "payer": purse.payer,
        "store": state.store.name,
        "currency": state.store.currency,
        "balance_minor": -ledger.posted(account),
        "free_minor": free_minor,
        "held_minor": -ledger.posted(account) - free_minor,
        "coming_minor": purses.coming_minor(purse.payer),
        "balance_minor_max": state.store.wallet.balance_minor_max,
        "hold_minor": state.store.wallet.hold_minor,
        "debt_block_minor": state.store.wallet.debt_block_minor,
        "order": list(purse.order),
        "cards": [card_view(state, purses.cards[card_id]) for card_id in purse.cards],
        "debt_minor": sum(purse.debts.values()),
        "debts": [
            {
                "visit_id": visit_id,
                "amount_minor": amount,
                "paying": (row := state.wallets.accounts.get(visit_id)) is not None and row.busy,
            }
            for visit_id, amount in purse.debts.items()
        ],
        "tab_minor": 0 if purse.tab is None else purse.tab.amount_minor,
        "visits": _visits(state, purse.payer),
        "movements": purse.movements[::-1],
    }


def _visits(state: HubState, payer: str) -> list[dict[str, Any]]:
    """Visits under way and what they hold."""
    rows = []
    for visit in state.open_visits():
        account = state.wallets.accounts.get(visit.visit_id)
        if visit.payer == payer and account is not None:
            rows.append(
                {
                    "visit_id": visit.visit_id,
                    "stage": visit.stage,
                    "held_minor": account.hold_minor,
                    "sources": [_leg_view(leg) for leg in account.legs],
                }
            )
    return rows


def _leg_view(leg: Leg) -> dict[str, Any]:
    return {
        "source": leg.source,
        "card_id": leg.account.removeprefix("gift:") if leg.source == "gift" else None,
        "purpose": leg.purpose,
        "state": leg.state,
        "amount_minor": leg.amount_minor,
        "captured_minor": leg.captured_minor,
        "refunded_minor": leg.refunded_minor,
    }
