"""Money back to where it came from: balances at once, a card through the gateway."""

from __future__ import annotations

from hub.effects import us
from hub.errors import ConflictError
from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet.account import Leg
from hub.wallet.funding import note
from hub.wallet.gateway import GatewayRequest

__all__ = ["check", "pay_back", "refund_answered"]


def check(state: HubState, visit: Visit) -> None:
    """ConflictError while a visit's share of a tab is being captured."""
    if state.wallets.purses.capturing(visit.visit_id):
        raise ConflictError(f"the tab of {visit.visit_id} is being captured; try again later")


def pay_back(state: HubState, visit: Visit) -> None:
    """Pays back what a refund took from each leg, the last one first."""
    account = state.wallets.account(visit.visit_id)
    for leg in reversed(account.sale):
        if not leg.paying_minor:
            continue
        if leg.source == "card" and leg.state != "tabbed":
            key = leg.paid_by or leg.key
            tail = "" if key == account.hold_id else f":{account.legs.index(leg) + 1}"
            state.ask(
                visit.visit_id,
                GatewayRequest(
                    key=f"{visit.visit_id}:refund:{account.refunds}{tail}",
                    kind="refund",
                    hold_key=key,
                    payer=visit.payer,
                    amount_minor=leg.paying_minor,
                    currency=state.store.currency,
                ),
            )
        else:
            _to_balance(state, visit, leg)
    note(state, visit.visit_id)


def refund_answered(state: HubState, visit: Visit, leg: Leg, *, outcome: str) -> None:
    """The gateway's word on a refund. A card that cannot be paid back leaves a wallet's owner the
    money as balance, anybody else a credit that staff must pay another way."""
    amount_minor = leg.paying_minor
    stored = visit.payer in state.wallets.purses.all
    if outcome == "approved":
        state.effects.transactions.append(
            state.wallets.refund_paid(visit.visit_id, at_us=us(state.now_s), key=leg.key)
        )
        state.event("refund.paid", visit.visit_id, amount_minor=amount_minor)
        _tell(state, visit, amount_minor)
    elif stored and outcome in ("declined", "expired"):
        _to_balance(state, visit, leg, into=f"stored:{visit.payer}")
    else:
        state.count("refunds_unpaid")
        state.event("refund.unpaid", visit.visit_id, amount_minor=amount_minor)


def _to_balance(state: HubState, visit: Visit, leg: Leg, *, into: str = "") -> None:
    purses = state.wallets.purses
    amount_minor = leg.paying_minor
    if leg.source == "gift" and visit.payer in purses.all:
        card = purses.cards[leg.account.removeprefix("gift:")]
        if card.redeemed or card.refusal(state.now_s):
            into = f"stored:{visit.payer}"
    if leg.state == "tabbed":
        purses.off_tab(visit.payer, visit.visit_id, amount_minor)
    state.effects.transactions.append(
        state.wallets.refund_paid(visit.visit_id, at_us=us(state.now_s), key=leg.key, into=into)
    )
    if leg.source == "gift":
        state.effects.cards.add(leg.account.removeprefix("gift:"))
    state.event("refund.paid", visit.visit_id, amount_minor=amount_minor)
    _tell(state, visit, amount_minor)


def _tell(state: HubState, visit: Visit, amount_minor: int) -> None:
    purse = state.wallets.purses.all.get(visit.payer)
    if purse is not None:
        purse.moved(state.now_s, "refund", amount_minor, visit_id=visit.visit_id)
        state.effects.purses.add(purse.payer)
