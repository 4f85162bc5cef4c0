"""What the gateway's answers do, and asking again when none came.

No answer: the same question under the same key after a wait that doubles, so many times at most.
A hold that stays unanswered refuses the entry and is voided, in case the gateway holds it after
all. A capture that cannot be had turns the charge into a debt; where the store says so, a hold
that ran out is asked anew before, once. A capture that stays unanswered may have been made: the
hold is voided, which can be had of one only from which nothing was taken; where it cannot, the
capture is asked once more, under its own key.
"""

from __future__ import annotations

from hub.commands import GatewayAnswered, Reply
from hub.effects import Attempt, us
from hub.errors import LedgerError
from hub.levels import LET_GO_LEVEL, UNANSWERED_LEVEL
from hub.parcels import room
from hub.state import Ask, HubState
from hub.visits.entry import hold_answered
from hub.visits.model import Visit
from hub.wallet.account import Leg
from hub.wallet.funding import ask_leg, covered, extra_answered, note
from hub.wallet.gateway import NOT_TAKEN
from hub.wallet.payments import payment_answered
from hub.wallet.refunds import leg_of, refund_answered

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
        return Reply(visit_id=ask.visit_id or None)
    del state.asks[command.key]
    state.effects.attempts[command.key] = Attempt(
        ask.request, ask.visit_id, ask.tries, command.outcome
    )
    approved = command.outcome == "approved"
    if not approved:
        state.event(
            "gateway.refused",
            ask.visit_id or None,
            key=command.key,
            outcome=command.outcome,
            reason=command.reason,
        )
    if not ask.visit_id:
        payment_answered(state, ask, approved=approved, outcome=command.outcome)
        return Reply()
    visit = state.visits[ask.visit_id]
    account, kind = state.wallets.account(ask.visit_id), ask.request.kind
    if kind == "refund":
        leg = leg_of(state, account, ask.request.hold_key, command.key)
    else:
        leg = account.leg(ask.request.hold_key)
    if leg is None:
        raise LedgerError(f"expected a hold of {ask.visit_id}, got {ask.request.hold_key}")
    if kind == "hold":
        _hold(state, visit, leg, command)
    elif kind == "capture":
        _capture(state, visit, leg, command.outcome)
    elif kind == "void":
        _void(state, visit, leg, command.outcome)
    else:
        refund_answered(state, visit, leg, ask.request, outcome=command.outcome)
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


def _hold(state: HubState, visit: Visit, leg: Leg, command: GatewayAnswered) -> None:
    approved = command.outcome == "approved"
    reason = "" if approved else (command.reason or command.outcome)
    if leg.purpose != "entry":
        extra_answered(state, visit, leg, approved=approved, reason=reason)
    elif visit.stage == "pickup":
        room.hold_answered(state, visit, approved=approved, reason=reason)
    elif visit.stage == "entering":
        hold_answered(state, visit, approved=approved, reason=reason)
    if command.outcome == "timeout":
        ask_leg(state, visit, leg, "void")


def _capture(state: HubState, visit: Visit, leg: Leg, outcome: str) -> None:
    at_us = us(state.now_s)
    wallets = state.wallets
    if outcome == "approved":
        state.effects.transactions.append(wallets.capture(visit.visit_id, at_us=at_us, key=leg.key))
        state.event("hold.captured", visit.visit_id, amount_minor=leg.captured_minor)
        if leg.purpose in ("entry", "extra", "again"):
            visit.receipt_s = state.now_s
        covered(state, visit, leg)
        return
    if outcome == "timeout" and state.level >= UNANSWERED_LEVEL:
        ask_leg(state, visit, leg, "void")
        return
    anew = state.store.wallet.reauthorise and leg.purpose in ("entry", "extra")
    if anew and outcome == "expired":
        again, transactions = wallets.hold_again(visit.visit_id, leg.key, at_us=at_us)
        state.effects.transactions.extend(transactions)
        state.event("hold.expired", visit.visit_id, amount_minor=again.amount_minor)
        ask_leg(state, visit, again, "hold")
        return
    _not_captured(state, visit, leg)
    if state.level >= LET_GO_LEVEL and outcome != "expired":
        # What cannot be had must not stay reserved on the card for days.
        ask_leg(state, visit, leg, "void")


def _not_captured(state: HubState, visit: Visit, leg: Leg) -> None:
    amount_minor = leg.charged_minor
    state.effects.transactions.append(
        state.wallets.capture_failed(visit.visit_id, at_us=us(state.now_s), key=leg.key)
    )
    state.count("captures_failed")
    state.event(
        "tip.failed" if leg.purpose == "tip" else "debt.recorded",
        visit.visit_id,
        amount_minor=amount_minor,
    )
    note(state, visit.visit_id)


def _void(state: HubState, visit: Visit, leg: Leg, outcome: str) -> None:
    if leg.state != "held":
        return
    if leg.charged_minor and state.level >= UNANSWERED_LEVEL:
        # Its capture was not answered.
        if outcome in NOT_TAKEN:
            _not_captured(state, visit, leg)
        else:
            # Again and again, as long as neither can be had: there is time in between.
            wait_s = state.rules.gateway_backoff_s_max
            ask_leg(state, visit, leg, "capture", leg.charged_minor, wait_s=wait_s)
        return
    state.effects.transactions.append(
        state.wallets.void_hold(
            visit.visit_id, at_us=us(state.now_s), expired=outcome != "approved", key=leg.key
        )
    )
    state.event("hold.voided", visit.visit_id, amount_minor=leg.amount_minor)
