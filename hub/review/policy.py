"""What staff have set for the time after the exit, or the rules' own values."""

from __future__ import annotations

from dataclasses import asdict

from hub.command import Reply
from hub.review.commands import SetAftercare
from hub.review.model import Policy
from hub.state import HubState

__all__ = ["policy_of", "set_aftercare"]


def policy_of(state: HubState) -> Policy:
    """What holds now."""
    if state.aftercare.policy is not None:
        return state.aftercare.policy
    rules = state.rules
    return Policy(
        review_wait_s=rules.review_wait_s,
        refund_line_minor=rules.auto_refund_line_minor,
        refund_payer_day_minor=rules.auto_refund_payer_day_minor,
        refund_payer_day_count=rules.auto_refund_payer_day_count,
        refund_store_day_minor=rules.auto_refund_store_day_minor,
    )


def set_aftercare(state: HubState, command: SetAftercare) -> Reply:
    """Staff set new values; they hold from now on, also for visits that are under way."""
    policy = Policy(
        review_wait_s=command.review_wait_s,
        refund_line_minor=command.refund_line_minor,
        refund_payer_day_minor=command.refund_payer_day_minor,
        refund_payer_day_count=command.refund_payer_day_count,
        refund_store_day_minor=command.refund_store_day_minor,
    )
    if policy == policy_of(state):
        return Reply(repeated=True)
    state.aftercare.policy = policy
    # Events hold whole numbers.
    told = {**asdict(policy), "review_wait_s": round(policy.review_wait_s)}
    state.event("aftercare.set", None, by=command.by, **told)
    return Reply()
