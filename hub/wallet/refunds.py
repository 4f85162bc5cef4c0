"""Money back to where it came from: balances at once, a card through the gateway.

Each refund of a card is a question of its own, under a key of its own, and stops no other. Where
the gateway never answers, the hub asks again by itself, under the same key, after waits that
double; where it refuses, and when the hub has given up, staff ask again or settle it by hand
(RetryRefund, SettleRefund). A key is only changed after a refusal: then nothing was paid under it.
"""

from __future__ import annotations

from collections.abc import Sequence

from hub.command import Reply
from hub.effects import Attempt, us
from hub.errors import ConflictError, RejectedError
from hub.levels import (
    LANES_LEVEL,
    PAID_LEG_LEVEL,
    REDEEMED_LEVEL,
    SAID_PAID_LEVEL,
    UNHEARD_LEVEL,
)
from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet import chargebacks
from hub.wallet.account import Account, Leg, Payout, PayoutState, done_before
from hub.wallet.commands import RetryRefund, SettleRefund
from hub.wallet.funding import note
from hub.wallet.gateway import GatewayRequest
from hub.wallet.gateway_commands import GatewayTold

__all__ = [
    "ask_parked",
    "came_back",
    "check",
    "leg_of",
    "pay_back",
    "refund_answered",
    "refund_due",
    "retry_refund",
    "settle_refund",
]

PARKED_MAX = 500
"""Refunds that the hub asks about again by itself; staff ask about those beyond."""
ACTS_MAX = 20
"""What staff may do to one refund."""


def check(state: HubState, visit: Visit) -> None:
    """ConflictError while a visit's share of a tab is being captured, or a bank has its money and
    has not decided whose it is; RejectedError while its charge is not captured. Whoever gives back
    of several sales asks for each before the first."""
    account = state.wallets.account(visit.visit_id)
    if not account.settled or account.busy:
        raise RejectedError(
            f"expected {visit.visit_id} to be settled and captured; try again later"
        )
    if state.wallets.purses.capturing(visit.visit_id):
        raise ConflictError(f"the tab of {visit.visit_id} is being captured; try again later")
    dispute_id = chargebacks.at_bank(state, account)
    if dispute_id:
        raise ConflictError(
            f"the payer's bank has the money of {visit.visit_id} until it has decided "
            f"{dispute_id}; give back when it has"
        )


def pay_back(state: HubState, visit: Visit, shares: Sequence[tuple[Leg, int]]) -> None:
    """Pays back what a refund takes from each source."""
    account = state.wallets.account(visit.visit_id)
    for leg, amount_minor in shares:
        if leg.source == "card" and leg.state != "tabbed":
            key = leg.paid_by or leg.key
            tail = "" if key == account.hold_id else f":{account.legs.index(leg) + 1}"
            name = f"{visit.visit_id}:refund:{account.refunds}{tail}"
            _ask(state, visit, leg, name, amount_minor)
        else:
            _to_balance(state, visit, leg, amount_minor, str(account.refunds))
    note(state, visit.visit_id)


def leg_of(state: HubState, account: Account, hold_key: str, key: str) -> Leg | None:
    """The source that a question under this key pays back. A tab's payment may have paid for
    several of a visit's holds: which one it is, the key says."""
    if state.level < PAID_LEG_LEVEL:
        return account.leg(hold_key)
    named = key.partition(":refund:")[2].split(":")[1:2]
    number = int(named[0]) if named and named[0].isdecimal() else 0
    leg = account.legs[number - 1] if 0 < number <= len(account.legs) else None
    if leg is None or hold_key not in (leg.key, leg.paid_by):
        return account.leg(hold_key)
    return leg


def refund_answered(
    state: HubState, visit: Visit, leg: Leg, request: GatewayRequest, *, outcome: str
) -> None:
    """The gateway's word on a refund. A card that cannot be paid back leaves a wallet's owner the
    money as balance, anybody else a credit that staff must pay another way."""
    amount_minor, number = request.amount_minor, _number(request.key)
    account = state.wallets.account(visit.visit_id)
    payout = account.payout(request.key)
    stored = visit.payer in state.wallets.purses.all
    charged_back = chargebacks.of_hold(state, request.hold_key)
    if outcome == "approved":
        _paid(state, visit, leg, amount_minor, _name(number, payout))
        state.event("refund.paid", visit.visit_id, amount_minor=amount_minor)
        _tell(state, visit, amount_minor)
        _end(payout, "paid")
    elif stored and outcome in ("declined", "expired") and not charged_back:
        into = f"stored:{visit.payer}"
        _to_balance(state, visit, leg, amount_minor, _name(number, payout), into=into)
        _end(payout, "settled")
    else:
        if payout is None or not payout.rounds:
            state.count("refunds_unpaid")
            state.event("refund.unpaid", visit.visit_id, amount_minor=amount_minor)
        if state.level >= LANES_LEVEL:
            _park(state, account, payout or _new(state, account, leg, request), outcome)
    note(state, visit.visit_id)


def came_back(state: HubState, visit: Visit, command: GatewayTold) -> None:
    """A refund that the gateway had paid failed after all: the money is the shopper's still. A
    wallet's owner gets it as balance, anybody else's waits for staff."""
    account, key = state.wallets.accounts.get(visit.visit_id), command.refund_key
    if account is None or key is None:
        return
    leg = leg_of(state, account, command.hold_key, key)
    if leg is None:
        return
    if state.level >= UNHEARD_LEVEL:
        _heard_paid(state, visit, account, leg, key)
    if key in state.asks:
        return
    payout = account.payout(key)
    paid_minor = leg.refunded_minor - leg.paying_minor
    amount_minor = command.amount_minor if payout is None else payout.amount_minor
    if payout is not None and (payout.state, payout.asked_as) != ("paid", key):
        return
    if not key.startswith(f"{visit.visit_id}:refund:") or not 0 < amount_minor <= paid_minor:
        return
    request = _request(state, visit, leg, key, amount_minor)
    payout = payout or _new(state, account, leg, request)
    payout.failed += 1
    name = key.split(":refund:", 1)[1]
    state.effects.transactions.append(
        state.wallets.refund_failed(
            visit.visit_id,
            leg.key,
            amount_minor,
            at_us=us(state.now_s),
            tx_id=f"{visit.visit_id}:refund_failed:{name}",
        )
    )
    state.effects.attempts[key] = Attempt(request, visit.visit_id, 1, "declined")
    refund_answered(state, visit, leg, request, outcome="declined")


def _heard_paid(state: HubState, visit: Visit, account: Account, leg: Leg, key: str) -> None:
    """What failed after all was paid before, also where the hub has not heard that: its question
    is answered so."""
    ask, payout = state.asks.get(key), account.payout(key)
    if ask is not None:
        request = ask.request
        if request.kind != "refund" or request.hold_key != (leg.paid_by or leg.key):
            return
        del state.asks[key]
    elif payout is None or (payout.state, payout.asked_as) != ("unanswered", key):
        return
    else:
        request = _request(state, visit, leg, key, payout.amount_minor)
        state.parked.pop(payout.key, None)
    state.effects.attempts[key] = Attempt(request, visit.visit_id, 1, "approved")
    refund_answered(state, visit, leg, request, outcome="approved")


# -- refunds that wait ------------------------------------------------------------------------


def ask_parked(state: HubState) -> None:
    """Asks about refunds whose wait is over, each under the key it was asked under."""
    for key, visit_id in list(state.parked.items()):
        payout = state.wallets.account(visit_id).payout(key)
        if payout is None or not payout.open or payout.again_s is None:
            del state.parked[key]
        elif state.now_s >= payout.again_s:
            _ask_again(state, state.visits[visit_id], payout)


def refund_due(state: HubState, now_s: float) -> bool:
    """Whether the wait of a refund is over at a time."""
    for key, visit_id in state.parked.items():
        payout = state.wallets.account(visit_id).payout(key)
        if payout is not None and payout.again_s is not None and now_s >= payout.again_s:
            return True
    return False


def retry_refund(state: HubState, command: RetryRefund) -> Reply:
    """Staff want a refund to be asked about now."""
    visit = state.visit(command.visit_id)
    payout = _payout(state, visit, command.refund_key)
    if done_before(payout.acts, command.retry_id, "retry"):
        return Reply(visit_id=visit.visit_id, amount_minor=payout.amount_minor, repeated=True)
    _still_open(payout)
    if payout.state == "asked":
        ask = state.asks[payout.asked_as]
        if ask.next_try_s is None:
            raise ConflictError("the gateway is being asked right now; wait for its answer")
        ask.next_try_s = state.now_s
    else:
        if payout.reason == "conflict":
            raise RejectedError(
                "expected a refund that the gateway refused or never answered; under this key it "
                "knows another one: look there, and settle it by hand"
            )
        if payout.state == "refused":
            payout.asked_as = f"{payout.key}:again{len(payout.acts) + 1}"
        _ask_again(state, visit, payout)
    payout.acts.append(f"{command.retry_id}=retry")
    state.event(
        "refund.tried_again",
        visit.visit_id,
        refund_key=payout.key,
        amount_minor=payout.amount_minor,
        by=command.by,
    )
    return Reply(visit_id=visit.visit_id, amount_minor=payout.amount_minor)


def settle_refund(state: HubState, command: SettleRefund) -> Reply:
    """Staff say how a refund was paid: another way, or by the gateway after all."""
    visit = state.visit(command.visit_id)
    payout = _payout(state, visit, command.refund_key)
    if done_before(payout.acts, command.settle_id, command.how):
        return Reply(visit_id=visit.visit_id, amount_minor=payout.amount_minor, repeated=True)
    _still_open(payout)
    if payout.state == "asked":
        raise ConflictError("the gateway is being asked right now; wait until that has ended")
    doubtful = payout.reason in ("timeout", "conflict")
    if command.how != "gateway" and doubtful and not command.checked:
        raise RejectedError(
            "expected `checked`: the gateway never said no and may have paid it; look there "
            "first, and settle it as paid by the gateway if it did"
        )
    if command.how == "balance" and visit.payer not in state.wallets.purses.all:
        raise RejectedError(f"expected a payer with a wallet, {visit.payer} has none")
    into = {"gateway": "", "balance": f"stored:{visit.payer}"}.get(
        command.how, f"till:{command.how}"
    )
    leg = _leg(state, visit, payout)
    _paid(state, visit, leg, payout.amount_minor, _name(payout.number, payout), into=into)
    by_gateway = command.how == "gateway"
    if by_gateway:
        # Else the books would go on believing that it was never paid there.
        request = _request(state, visit, leg, payout.asked_as, payout.amount_minor)
        state.effects.attempts[payout.asked_as] = Attempt(request, visit.visit_id, 1, "approved")
    _end(payout, "paid" if by_gateway and state.level >= SAID_PAID_LEVEL else "settled")
    state.parked.pop(payout.key, None)
    payout.acts.append(f"{command.settle_id}={command.how}")
    state.event(
        "refund.settled",
        visit.visit_id,
        refund_key=payout.key,
        amount_minor=payout.amount_minor,
        how=command.how,
        by=command.by,
        reason=command.reason,
    )
    _tell(state, visit, payout.amount_minor)
    note(state, visit.visit_id)
    return Reply(visit_id=visit.visit_id, amount_minor=payout.amount_minor)


# -- inside -----------------------------------------------------------------------------------


def _ask(state: HubState, visit: Visit, leg: Leg, key: str, amount_minor: int) -> None:
    state.ask(visit.visit_id, _request(state, visit, leg, key, amount_minor))


def _request(
    state: HubState, visit: Visit, leg: Leg, key: str, amount_minor: int
) -> GatewayRequest:
    return GatewayRequest(
        key=key,
        kind="refund",
        hold_key=leg.paid_by or leg.key,
        payer=visit.payer,
        amount_minor=amount_minor,
        currency=state.store.currency,
    )


def _ask_again(state: HubState, visit: Visit, payout: Payout) -> None:
    state.parked.pop(payout.key, None)
    payout.state, payout.again_s = "asked", None
    leg = _leg(state, visit, payout)
    _ask(state, visit, leg, payout.asked_as, payout.amount_minor)
    note(state, visit.visit_id)


def _new(state: HubState, account: Account, leg: Leg, request: GatewayRequest) -> Payout:
    payout = Payout(
        key=request.key,
        leg=leg.key,
        number=_number(request.key),
        amount_minor=request.amount_minor,
        state="asked",
        asked_as=request.key,
        since_s=state.now_s,
    )
    account.payouts.append(payout)
    return payout


def _park(state: HubState, account: Account, payout: Payout, outcome: str) -> None:
    """A refund that the gateway did not pay waits: for its next round, or for staff."""
    rules = state.rules
    payout.reason = outcome
    payout.state = "unanswered" if outcome == "timeout" else "refused"
    more = payout.state == "unanswered" and payout.rounds < rules.refund_rounds_max
    if more and len(state.parked) < PARKED_MAX:
        payout.again_s = state.now_s + rules.refund_again_s * 2**payout.rounds
        state.parked[payout.key] = account.visit_id
    payout.rounds += 1


def _end(payout: Payout | None, how: PayoutState) -> None:
    if payout is not None:
        payout.state, payout.again_s = how, None


def _payout(state: HubState, visit: Visit, key: str) -> Payout:
    payout = state.wallets.account(visit.visit_id).payout(key)
    if payout is None:
        raise RejectedError(f"expected a refund of {visit.visit_id} that waits, got {key}")
    return payout


def _leg(state: HubState, visit: Visit, payout: Payout) -> Leg:
    return next(leg for leg in state.wallets.account(visit.visit_id).legs if leg.key == payout.leg)


def _still_open(payout: Payout) -> None:
    if not payout.open:
        raise RejectedError(f"expected a refund that waits, {payout.key} is {payout.state}")
    if len(payout.acts) >= ACTS_MAX:
        raise RejectedError(f"expected at most {ACTS_MAX} acts on {payout.key}")


def _name(number: int, payout: Payout | None) -> str:
    """What a payment is called in the ledger; one after a failed one is another."""
    failed = 0 if payout is None else payout.failed
    return f"{number}again{failed}" if failed else str(number)


def _number(key: str) -> int:
    """Which of its visit's refunds a question is about."""
    return int(key.split(":refund:", 1)[1].split(":", 1)[0])


def _to_balance(
    state: HubState, visit: Visit, leg: Leg, amount_minor: int, name: str, *, into: str = ""
) -> None:
    purses, whose = state.wallets.purses, visit.payer
    card = purses.cards[leg.account.removeprefix("gift:")] if leg.source == "gift" else None
    if card is not None and whose in purses.all:
        if card.redeemed or card.refusal(state.now_s):
            into = f"stored:{whose}"
    elif card is not None and card.redeemed and state.level >= REDEEMED_LEVEL:
        # All that was on the card went to this wallet; what is left on it nobody could spend.
        whose = card.payer or whose
        into = f"stored:{whose}"
    if leg.state == "tabbed":
        purses.off_tab(visit.payer, visit.visit_id, amount_minor)
    _paid(state, visit, leg, amount_minor, name, into=into)
    if leg.source == "gift":
        state.effects.cards.add(leg.account.removeprefix("gift:"))
    state.event("refund.paid", visit.visit_id, amount_minor=amount_minor)
    _tell(state, visit, amount_minor, whose)


def _paid(
    state: HubState, visit: Visit, leg: Leg, amount_minor: int, name: str, *, into: str = ""
) -> None:
    state.effects.transactions.append(
        state.wallets.refund_paid(
            visit.visit_id,
            at_us=us(state.now_s),
            key=leg.key,
            into=into,
            name=name,
            amount_minor=amount_minor,
        )
    )


def _tell(state: HubState, visit: Visit, amount_minor: int, payer: str = "") -> None:
    purse = state.wallets.purses.all.get(payer or visit.payer)
    if purse is not None:
        purse.moved(state.now_s, "refund", amount_minor, visit_id=visit.visit_id)
        state.effects.purses.add(purse.payer)
