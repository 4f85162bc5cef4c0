"""What the payment gateway says of itself, without being asked.

A hold that the gateway let go of is expired: nothing can be captured on it any more. A payment
that the payer disputes at the bank, a dispute that ended, and a refund that failed after all are
written down for staff. Of a dispute the books follow what the bank took (hub.wallet.chargebacks),
of a refund that failed what came back (hub.wallet.refunds); all other money moves only by the
gateway's answers to the hub's own questions.
"""

from __future__ import annotations

from hub.command import Reply
from hub.effects import us
from hub.levels import TAB_REFUND_LEVEL
from hub.state import HubState
from hub.visits.model import Visit
from hub.wallet import chargebacks, refunds
from hub.wallet.gateway_commands import GatewayTold

__all__ = ["TOLD_MAX", "told"]

TOLD_MAX = 2_000
"""Facts kept in memory, to know one that is told again; older ones would be written down twice."""
WORDS = {
    "disputed": "the payer disputes the payment at the bank",
    "dispute_withdrawn": "the payer disputes the payment at the bank",
    "dispute_lost": "the bank took the payment back",
    "refund_failed": "a refund did not reach the payer",
}


def told(state: HubState, command: GatewayTold) -> Reply:
    """Writes the fact down, once, and marks the visit for staff where somebody should look."""
    if command.fact_id in state.told:
        # Told to a hub of before, which booked nothing, it is booked when it is told again.
        booked = chargebacks.take(state, command)
        return Reply(visit_id=command.visit_id, repeated=not booked)
    state.told[command.fact_id] = command.fact
    while len(state.told) > TOLD_MAX:
        del state.told[next(iter(state.told))]
    visit = _visit_of(state, command)
    state.count(f"gateway_told_{command.fact}")
    state.event(
        f"gateway.{command.fact}",
        None if visit is None else visit.visit_id,
        hold_key=command.hold_key,
        amount_minor=command.amount_minor,
        reason=command.reason,
    )
    if command.fact == "hold_gone":
        _let_go(state, command)
    elif visit is not None and command.fact in WORDS:
        visit.mark_review(WORDS[command.fact])
    chargebacks.take(state, command)
    if command.fact == "refund_failed" and visit is not None:
        refunds.came_back(state, visit, command)
    return Reply(visit_id=command.visit_id, amount_minor=command.amount_minor)


def _visit_of(state: HubState, command: GatewayTold) -> Visit | None:
    """The visit that a fact is about. A tab's payment is of several, and is named by none of them;
    a refund's key says whose it is."""
    visit = state.visits.get(command.visit_id)
    if visit is None and command.fact == "refund_failed" and state.level >= TAB_REFUND_LEVEL:
        visit = state.visits.get((command.refund_key or "").partition(":refund:")[0])
    return visit


def _let_go(state: HubState, command: GatewayTold) -> None:
    """Expires a hold that nothing is charged on; a charge under way learns it by its answer."""
    account = state.wallets.accounts.get(command.visit_id)
    leg = None if account is None else account.leg(command.hold_key)
    if account is None or leg is None or leg.state != "held" or leg.charged_minor:
        return
    if account.settled or any(ask.visit_id == command.visit_id for ask in state.asks.values()):
        return
    state.effects.transactions.append(
        state.wallets.void_hold(
            command.visit_id, at_us=us(state.now_s), expired=True, key=command.hold_key
        )
    )
    state.event("hold.voided", command.visit_id, amount_minor=leg.amount_minor)
