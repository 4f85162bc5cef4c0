"""Payments by card for no single visit: a balance topped up, a tab captured.

Pending in the ledger from the moment the gateway is asked, posted when the capture is there, void
when it cannot be had. A tab that cannot be captured becomes its visits' debts.
"""

from __future__ import annotations

from hub.effects import us
from hub.levels import LET_GO_LEVEL, TAB_LEFT_LEVEL, UNANSWERED_LEVEL
from hub.state import Ask, HubState
from hub.wallet.funding import note
from hub.wallet.gateway import NOT_TAKEN, AskKind, GatewayRequest
from hub.wallet.model import Phase
from hub.wallet.purses import Payment, Purse
from hub.wallet.sales import pair

__all__ = ["capture_tabs", "payment_answered", "start_topup", "tab_due"]


def start_topup(state: HubState, purse: Purse, amount_minor: int) -> Payment:
    """Asks the card for money that goes to the stored balance."""
    return _start(state, purse, Payment(_key(purse), purse.payer, "topup", amount_minor))


def capture_tabs(state: HubState) -> None:
    """Captures every tab that is large or old enough."""
    purses = state.wallets.purses
    for payer in list(purses.tabs):
        purse = purses.all[payer]
        if purse.tab is not None and _ripe(state, purse):
            run = purses.close_tab(payer)
            payment = Payment(_key(purse), payer, "tab", run.amount_minor, dict(run.visits))
            _start(state, purse, payment)


def tab_due(state: HubState, now_s: float) -> bool:
    """Whether a tab became old enough to be captured by a time."""
    purses = state.wallets.purses
    age_s = state.store.wallet.tab_age_s
    return any(
        tab is not None and now_s >= tab.since_s + age_s
        for tab in (purses.all[payer].tab for payer in purses.tabs)
    )


def payment_answered(state: HubState, ask: Ask, *, approved: bool, outcome: str) -> None:
    """Takes the gateway's answer about a payment in."""
    kind = ask.request.kind
    payment = state.wallets.purses.payments.get(ask.request.hold_key)
    if payment is None or (kind == "void" and state.level < UNANSWERED_LEVEL):
        return
    if kind == "void":
        # Its capture was not answered: what cannot be voided was captured.
        if outcome in NOT_TAKEN:
            _failed(state, payment, "timeout")
        else:
            _ask(state, payment, "capture", wait_s=state.rules.gateway_backoff_s_max)
    elif kind == "capture" and outcome == "timeout" and state.level >= UNANSWERED_LEVEL:
        _ask(state, payment, "void")
    elif kind == "hold" and approved:
        _ask(state, payment, "capture")
    elif approved:
        _captured(state, payment)
    else:
        _failed(state, payment, outcome)
        failed = kind == "capture" and outcome != "expired" and state.level >= LET_GO_LEVEL
        if failed or (outcome == "timeout" and kind == "hold"):
            _ask(state, payment, "void")


def _key(purse: Purse) -> str:
    purse.payments += 1
    return f"{purse.payer}:pay:{purse.payments}"


def _ripe(state: HubState, purse: Purse) -> bool:
    tab, wallet = purse.tab, state.store.wallet
    return tab is not None and (
        tab.amount_minor >= wallet.tab_minor_max or state.now_s >= tab.since_s + wallet.tab_age_s
    )


def _start(state: HubState, purse: Purse, payment: Payment) -> Payment:
    state.wallets.purses.payments[payment.key] = payment
    _write(state, payment, payment.key, "pending", f"{payment.purpose}_asked")
    state.event(
        "topup.asked" if payment.purpose == "topup" else "tab.asked",
        None,
        payer=purse.payer,
        key=payment.key,
        amount_minor=payment.amount_minor,
    )
    state.effects.purses.add(purse.payer)
    _ask(state, payment, "hold")
    return payment


def _ask(state: HubState, payment: Payment, kind: AskKind, *, wait_s: float = 0.0) -> None:
    state.ask(
        "",
        GatewayRequest(
            key=payment.key if kind == "hold" else f"{payment.key}:{kind}",
            kind=kind,
            hold_key=payment.key,
            payer=payment.payer,
            amount_minor=payment.amount_minor,
            currency=state.store.currency,
        ),
        wait_s=wait_s,
    )


def _write(
    state: HubState,
    payment: Payment,
    tx_id: str,
    phase: Phase,
    kind: str,
    *,
    resolves: str | None = None,
) -> None:
    target = f"{'stored' if payment.purpose == 'topup' else 'tab'}:{payment.payer}"
    state.effects.transactions.append(
        state.wallets.ledger.write(
            tx_id=tx_id,
            at_us=us(state.now_s),
            phase=phase,
            kind=kind,
            visit_id="",
            entries=() if phase == "void" else pair("clearing", target, payment.amount_minor),
            resolves=resolves,
        )
    )


def _captured(state: HubState, payment: Payment) -> None:
    purse = state.wallets.purses.all[payment.payer]
    del state.wallets.purses.payments[payment.key]
    kind = f"{payment.purpose}_captured"
    _write(state, payment, f"{payment.key}:captured", "posted", kind, resolves=payment.key)
    state.event(
        "topup.captured" if payment.purpose == "topup" else "tab.captured",
        None,
        payer=purse.payer,
        key=payment.key,
        amount_minor=payment.amount_minor,
    )
    for visit_id in payment.visits:
        left = state.level >= TAB_LEFT_LEVEL
        share = state.wallets.tab_captured(visit_id, payment.key, left=left)
        state.event("tab.paid", visit_id, amount_minor=share)
    if payment.purpose == "topup" and "stored" not in purse.order:
        purse.order.insert(0, "stored")
    sign = 1 if payment.purpose == "topup" else -1
    purse.moved(state.now_s, payment.purpose, sign * payment.amount_minor)
    state.effects.purses.add(purse.payer)


def _failed(state: HubState, payment: Payment, outcome: str) -> None:
    purse = state.wallets.purses.all[payment.payer]
    del state.wallets.purses.payments[payment.key]
    kind = f"{payment.purpose}_refused"
    _write(state, payment, f"{payment.key}:refused", "void", kind, resolves=payment.key)
    state.event(
        "topup.refused" if payment.purpose == "topup" else "tab.refused",
        None,
        payer=purse.payer,
        key=payment.key,
        amount_minor=payment.amount_minor,
        reason=outcome,
    )
    for visit_id in payment.visits:
        transaction = state.wallets.tab_failed(visit_id, payment.key, at_us=us(state.now_s))
        if transaction is not None:
            state.effects.transactions.append(transaction)
            owed = state.wallets.account(visit_id).debt_minor
            state.event("debt.recorded", visit_id, amount_minor=owed)
        note(state, visit_id)
    purse.moved(state.now_s, f"{payment.purpose}_refused", 0, reason=outcome)
    state.effects.purses.add(purse.payer)
