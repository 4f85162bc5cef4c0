"""Disputes of receipt lines: opened by the shopper, refunded at once if small, else by staff.

    open -> refunded   upheld by staff, refunded automatically, or given back meanwhile
         -> rejected   by staff, with a reason

Money goes back the one way there is, `settlement.refund`: a dispute and a refund at the same time
are two wishes for the same pieces, and the second finds nothing left.
"""

from __future__ import annotations

from typing import Any

from hub.command import Reply
from hub.commands import RefundLine, RefundVisit
from hub.disputes.commands import DecideDispute, OpenDispute
from hub.effects import us
from hub.errors import ConflictError, RejectedError
from hub.review.model import DAY_S
from hub.review.policy import policy_of
from hub.state import HubState
from hub.visits import settlement
from hub.visits.model import Visit

__all__ = ["decide_dispute", "open_dispute", "refund", "refund_due"]


def open_dispute(state: HubState, command: OpenDispute) -> Reply:
    """Takes a dispute in; a small one is refunded at once where staff have allowed that."""
    visit = state.visit(command.visit_id)
    known = visit.disputes.get(command.dispute_id)
    if known is not None:
        if (known["line"], known["quantity"]) != (command.line, command.quantity):
            raise ConflictError(f"dispute {command.dispute_id} was opened before for other pieces")
        return Reply(visit_id=visit.visit_id, repeated=True)
    amount_minor = _disputable(state, visit, command)
    automatic = _is_small(state, visit, amount_minor)
    record: dict[str, Any] = {
        "line": command.line,
        "quantity": command.quantity,
        "amount_minor": amount_minor,
        "opened_us": us(state.now_s),
        "state": "open",
        "automatic": automatic,
        "decided_us": None,
        "by": "",
        "reason": "",
    }
    visit.disputes[command.dispute_id] = record
    state.aftercare.open[command.dispute_id] = visit.visit_id
    if automatic:
        state.aftercare.given.append((state.now_s, visit.payer, amount_minor))
        state.aftercare.due[command.dispute_id] = visit.visit_id
    policy = policy_of(state)
    line = next(line for line in visit.lines if line.line == command.line)
    state.event(
        "dispute.opened",
        visit.visit_id,
        dispute_id=command.dispute_id,
        line=command.line,
        gtin=line.gtin,
        quantity=command.quantity,
        amount_minor=amount_minor,
        automatic=automatic,
        limit_line_minor=policy.refund_line_minor,
        limit_payer_minor=policy.refund_payer_day_minor,
        limit_payer_count=policy.refund_payer_day_count,
        limit_store_minor=policy.refund_store_day_minor,
    )
    given_minor = _try_now(state, visit, command.dispute_id) if automatic else 0
    return Reply(visit_id=visit.visit_id, amount_minor=given_minor)


def decide_dispute(state: HubState, command: DecideDispute) -> Reply:
    """Staff uphold a dispute, which gives the pieces back, or reject it."""
    visit = state.visit(command.visit_id)
    record = visit.disputes.get(command.dispute_id)
    if record is None:
        raise RejectedError(f"expected a dispute of {visit.visit_id}, got {command.dispute_id}")
    outcome = "refunded" if command.uphold else "rejected"
    if record["state"] != "open":
        if (record["state"], record["by"]) == (outcome, command.by):
            return Reply(visit_id=visit.visit_id, repeated=True)
        raise ConflictError(
            f"dispute {command.dispute_id} is {record['state']} already, by {record['by']}"
        )
    if command.uphold:
        amount_minor = _give_back(state, visit, command.dispute_id, command.by, command.reason)
        return Reply(visit_id=visit.visit_id, amount_minor=amount_minor)
    if not command.reason.strip():
        raise RejectedError("expected a reason to reject a dispute: the shopper reads it")
    _close(state, visit, command.dispute_id, "rejected", command.by, command.reason)
    state.event(
        "dispute.rejected",
        visit.visit_id,
        dispute_id=command.dispute_id,
        by=command.by,
        reason=command.reason,
    )
    return Reply(visit_id=visit.visit_id)


def refund(state: HubState, command: RefundVisit) -> Reply:
    """Staff give lines back; disputes for pieces that are not there any more are answered by it."""
    reply = settlement.refund(state, command)
    if not reply.repeated:
        _close_moot(state, state.visits[command.visit_id], command.refund_id)
    return reply


def refund_due(state: HubState) -> None:
    """Automatic refunds that had to wait: until the charge is captured, or another refund paid."""
    for dispute_id, visit_id in list(state.aftercare.due.items()):
        visit = state.visits.get(visit_id)
        if visit is None:
            del state.aftercare.due[dispute_id]
            continue
        _try_now(state, visit, dispute_id)
        record = visit.disputes[dispute_id]
        if dispute_id in state.aftercare.due and state.now_s * 1e6 - record["opened_us"] > (
            DAY_S * 1e6
        ):
            # Money could not move for a day: a person has to look.
            del state.aftercare.due[dispute_id]
            record["automatic"] = False
            state.event("dispute.waits_for_staff", visit_id, dispute_id=dispute_id)


def _disputable(state: HubState, visit: Visit, command: OpenDispute) -> int:
    """What the pieces cost, in minor units; RejectedError if they cannot be disputed."""
    rules = state.rules
    if visit.stage != "final":
        raise RejectedError(f"expected a settled visit, this one is {visit.stage}")
    if state.now_s - (visit.settled_s or 0.0) > rules.dispute_s_max:
        days = round(rules.dispute_s_max / DAY_S)
        raise RejectedError(f"expected a receipt of the last {days} days; ask the staff")
    if len(visit.disputes) >= rules.disputes_max:
        raise RejectedError(f"expected at most {rules.disputes_max} disputes a visit")
    if len(state.aftercare.open) >= rules.disputes_open_max:
        raise RejectedError("too many disputes wait for staff; try again later")
    line = next((line for line in visit.lines if line.line == command.line), None)
    left = 0 if line is None else line.quantity - visit.refunded.get(command.line, 0)
    left -= sum(
        record["quantity"]
        for record in visit.disputes.values()
        if record["line"] == command.line and record["state"] in ("open", "rejected")
    )
    if line is None or command.quantity > left:
        raise RejectedError(
            f"expected at most {max(0, left)} pieces of line {command.line} that were neither "
            f"given back nor disputed, got {command.quantity}"
        )
    return line.given_back(left, command.quantity).gross_minor


def _is_small(state: HubState, visit: Visit, amount_minor: int) -> bool:
    """Whether staff let this be refunded without looking."""
    policy = policy_of(state)
    if not 0 < amount_minor <= policy.refund_line_minor:
        return False
    given = state.aftercare.given_since(state.now_s - DAY_S)
    theirs = [minor for _t_s, payer, minor in given if payer == visit.payer]
    everybodys = sum(minor for _t_s, _payer, minor in given)
    return (
        len(theirs) < policy.refund_payer_day_count
        and sum(theirs) + amount_minor <= policy.refund_payer_day_minor
        and everybodys + amount_minor <= policy.refund_store_day_minor
    )


def _try_now(state: HubState, visit: Visit, dispute_id: str) -> int:
    """Gives an automatic refund if money may move now; else it stays due. Minor units given."""
    if visit.disputes[dispute_id]["state"] != "open":
        state.aftercare.due.pop(dispute_id, None)
        return 0
    try:
        return _give_back(state, visit, dispute_id, "automatic", "")
    except RejectedError:
        return 0


def _give_back(state: HubState, visit: Visit, dispute_id: str, by: str, reason: str) -> int:
    """The refund of a dispute, under a key of its own; RejectedError if money cannot move now."""
    record = visit.disputes[dispute_id]
    refund_id = f"dispute:{dispute_id}"
    reply = settlement.refund(
        state,
        RefundVisit(
            refund_id=refund_id,
            visit_id=visit.visit_id,
            lines=(RefundLine(line=record["line"], quantity=record["quantity"]),),
            reason=reason or "disputed",
        ),
    )
    _close(state, visit, dispute_id, "refunded", by, reason)
    state.event(
        "dispute.upheld",
        visit.visit_id,
        dispute_id=dispute_id,
        by=by,
        reason=reason,
        refund_id=refund_id,
        amount_minor=reply.amount_minor,
    )
    _close_moot(state, visit, refund_id)
    return reply.amount_minor


def _close(
    state: HubState, visit: Visit, dispute_id: str, outcome: str, by: str, reason: str
) -> None:
    visit.disputes[dispute_id].update(
        state=outcome, by=by, reason=reason, decided_us=us(state.now_s)
    )
    state.aftercare.open.pop(dispute_id, None)
    state.aftercare.due.pop(dispute_id, None)


def _close_moot(state: HubState, visit: Visit, refund_id: str) -> None:
    """Disputes whose pieces a refund has given back: their shopper has the money."""
    for dispute_id, record in visit.disputes.items():
        if record["state"] != "open":
            continue
        line = next(line for line in visit.lines if line.line == record["line"])
        if record["quantity"] > line.quantity - visit.refunded.get(line.line, 0):
            _close(state, visit, dispute_id, "refunded", "refund", "")
            state.event(
                "dispute.closed", visit.visit_id, dispute_id=dispute_id, refund_id=refund_id
            )
