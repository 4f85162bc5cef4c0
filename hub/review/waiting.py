"""A visit that left with unclear lines waits for staff, up to a deadline.

Nobody having looked by then, doubt favours the shopper: what is unclear is not charged. While
`review_wait_s` is 0 nothing waits. What staff decided is counted as if vision had been sure of it,
but for what may have been put back since (hub.review.doubts).
"""

from __future__ import annotations

from hub.effects import us
from hub.review.doubts import may_be_back, unclear_of
from hub.review.policy import policy_of
from hub.state import HubState
from hub.visits.model import Visit

__all__ = ["owed", "waits_for_staff"]


def waits_for_staff(state: HubState, visit: Visit) -> bool:
    """Whether a visit that waits for nothing else waits for staff; opens and closes its review."""
    unclear = unclear_of(state, visit.visit_id)
    if visit.review_until_s is None:
        wait_s = policy_of(state).review_wait_s
        if wait_s <= 0 or not unclear:
            return False
        visit.review_until_s = state.now_s + wait_s
        visit.mark_review(f"{len(unclear)} unclear reaches")
        state.event(
            "review.opened",
            visit.visit_id,
            until_us=us(visit.review_until_s),
            lines=[[decision.reach_id, decision.line] for decision in unclear],
        )
        return True
    if unclear and state.now_s < visit.review_until_s:
        return True
    state.event(
        "review.closed",
        visit.visit_id,
        why="the deadline passed" if unclear else "all lines are decided",
        not_charged=len(unclear),
    )
    return False


def owed(state: HubState, visit_id: str) -> dict[str, int]:
    """GTIN to quantity: the attributor's own count, with what staff decided in place of what it
    says of the same reaches."""
    counts = state.attributor.cart(visit_id)
    for key, since in state.aftercare.reviewed.items():
        decided = state.carts.get(key)
        for decision, sign in ((since, -1), (decided, 1)):
            if decision is None or not decision.certain or decision.best.visit_id != visit_id:
                continue
            gtin = decision.best.gtin
            if gtin is not None:
                counts[gtin] = counts.get(gtin, 0) + sign * decision.best.quantity
    for gtin, pieces in may_be_back(state, visit_id).items():
        counts[gtin] = counts.get(gtin, 0) - pieces
    return counts
