"""What the gateway's answers do, and asking again when none came.

No answer: the same question under the same key after a wait that doubles, so many times at most.
A hold that stays unanswered refuses the entry and is voided, in case the gateway holds it after
all. A capture that cannot be had turns the charge into a debt.
"""

from __future__ import annotations

from hub.commands import GatewayAnswered, Reply
from hub.effects import Attempt, us
from hub.state import Ask, HubState
from hub.visits.entry import hold_answered
from hub.wallet.gateway import GatewayRequest

__all__ = ["answered", "ask_again"]


def answered(state: HubState, command: GatewayAnswered) -> Reply:
    """Takes one answer in. An answer to a question that is settled changes nothing."""
    ask = state.asks.get(command.key)
    if ask is None:
        return Reply(repeated=True)
    if command.outcome == "timeout" and not _tried_enough(state, ask):
        wait_s = min(
            state.rules.gateway_backoff_s * 2 ** (ask.tries - 1),
            state.rules.gateway_backoff_s_max,
        )
        ask.next_try_s = state.now_s + wait_s
        state.count("gateway_timeouts")
        return Reply(visit_id=ask.visit_id)
    del state.asks[command.key]
    state.effects.attempts[command.key] = Attempt(
        ask.request, ask.visit_id, ask.tries, command.outcome
    )
    approved = command.outcome == "approved"
    if not approved:
        state.event(
            "gateway.refused",
            ask.visit_id,
            key=command.key,
            outcome=command.outcome,
            reason=command.reason,
        )
    kind = ask.request.kind
    if kind == "hold":
        _hold(state, ask, command, approved=approved)
    elif kind == "capture":
        _capture(state, ask, approved=approved)
    elif kind == "void":
        _void(state, ask, approved=approved, expired=command.outcome == "expired")
    else:
        _refund(state, ask, approved=approved)
    return Reply(visit_id=ask.visit_id)


def ask_again(state: HubState) -> None:
    """Asks what is due once more, under the same keys."""
    for key, ask in state.asks.items():
        if ask.next_try_s is not None and state.now_s >= ask.next_try_s:
            ask.next_try_s = None
            ask.tries += 1
            state.effects.asks.append(ask.request)
            state.effects.attempts[key] = Attempt(ask.request, ask.visit_id, ask.tries, None)


def _tried_enough(state: HubState, ask: Ask) -> bool:
    rules = state.rules
    most = rules.hold_tries_max if ask.request.kind == "hold" else rules.gateway_tries_max
    return ask.tries >= most


def _hold(state: HubState, ask: Ask, command: GatewayAnswered, *, approved: bool) -> None:
    visit = state.visits[ask.visit_id]
    if visit.stage == "entering":
        reason = "" if approved else (command.reason or command.outcome)
        hold_answered(state, visit, approved=approved, reason=reason)
    if not approved and command.outcome == "timeout":
        request = ask.request
        state.ask(
            ask.visit_id,
            GatewayRequest(
                key=f"{ask.visit_id}:void",
                kind="void",
                hold_key=request.key,
                payer=request.payer,
                amount_minor=request.amount_minor,
                currency=request.currency,
            ),
        )


def _capture(state: HubState, ask: Ask, *, approved: bool) -> None:
    at_us = us(state.now_s)
    if approved:
        state.effects.transactions.append(state.wallets.capture(ask.visit_id, at_us=at_us))
        state.event("hold.captured", ask.visit_id, amount_minor=ask.request.amount_minor)
        visit = state.visits[ask.visit_id]
        visit.receipt_s = state.now_s
        return
    state.effects.transactions.append(state.wallets.capture_failed(ask.visit_id, at_us=at_us))
    state.count("captures_failed")
    state.event("debt.recorded", ask.visit_id, amount_minor=ask.request.amount_minor)


def _void(state: HubState, ask: Ask, *, approved: bool, expired: bool) -> None:
    account = state.wallets.account(ask.visit_id)
    if account.state != "held":
        return
    state.effects.transactions.append(
        state.wallets.void_hold(
            ask.visit_id, at_us=us(state.now_s), expired=expired or not approved
        )
    )
    state.event("hold.voided", ask.visit_id, amount_minor=ask.request.amount_minor)


def _refund(state: HubState, ask: Ask, *, approved: bool) -> None:
    if approved:
        state.effects.transactions.append(
            state.wallets.refund_paid(ask.visit_id, at_us=us(state.now_s))
        )
        state.event("refund.paid", ask.visit_id, amount_minor=ask.request.amount_minor)
        return
    # The shopper keeps the credit on the wallet account; staff must pay it another way.
    state.count("refunds_unpaid")
    state.event("refund.unpaid", ask.visit_id, amount_minor=ask.request.amount_minor)
