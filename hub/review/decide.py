"""What staff decide of an unclear line: one of the explanations that vision named, or nothing.

While the visit is open the decision moves cart and stock like any certain one. Once it is final
only what lowers the receipt has an effect: a put-back that staff saw is refunded.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from hub.attribution.model import Alternative, Decision
from hub.command import Reply
from hub.commands import RefundLine, RefundVisit
from hub.disputes.service import refund
from hub.errors import ConflictError, RejectedError
from hub.inventory.model import Place
from hub.inventory.restocking import staff_filled
from hub.inventory.service import moved_by_staff
from hub.levels import LOOKED_AT_LEVEL
from hub.review.commands import Choice, DecideReview
from hub.review.doubts import unclear_of
from hub.review.policy import policy_of
from hub.state import HubState, decision_data
from hub.visits.model import Visit

__all__ = ["decide_review", "looked_at"]


def decide_review(state: HubState, command: DecideReview) -> Reply:
    """Does what staff decided, once a line; RejectedError names what may be chosen."""
    visit = state.visit(command.visit_id)
    said = [command.review_id, _words(command.choice)]
    known = visit.reviewed.get(_name(command))
    if known is not None:
        if known == said:
            return Reply(visit_id=visit.visit_id, repeated=True)
        raise ConflictError(f"line {_name(command)} was decided before: {known[1]}")
    if visit.stage == "final":
        return _after_final(state, visit, command, said)
    waits = policy_of(state).review_wait_s > 0 or visit.review_until_s is not None
    if visit.stage not in ("shopping", "left") or not waits:
        raise RejectedError(
            f"expected a visit in the store while reviews wait for staff, this one is "
            f"{visit.stage}; set review_wait_s"
        )
    key = (command.reach_id, command.line)
    unclear = unclear_of(state, visit.visit_id)
    decision = next((one for one in unclear if (one.reach_id, one.line) == key), None)
    if decision is None:
        raise RejectedError(f"expected an unclear line of {visit.visit_id}, got {_name(command)}")
    chosen = _chosen(decision, command.choice)
    owner = state.visits.get(chosen.visit_id or "")
    if chosen.visit_id is not None and (owner is None or not owner.open):
        raise RejectedError(f"visit {chosen.visit_id} is final: nothing can be added to it")
    _check_not_twice(state, decision, chosen)
    decided = replace(
        decision, revision=decision.revision + 1, best=chosen, certain=True, why="staff looked"
    )
    state.carts.apply(decided)
    state.effects.stock.update(_moved(state, decided, owner))
    state.aftercare.review(key)
    for one in (decision.best, *decision.alternatives):
        named = state.visits.get(one.visit_id or "")
        if named is not None:
            named.reviewed[_name(command)] = said
            state.effects.visits.add(named.visit_id)
    visit.reviewed[_name(command)] = said
    state.event(
        "decision.reviewed",
        chosen.visit_id,
        **decision_data(decided),
        review_id=command.review_id,
        by=command.by,
    )
    return Reply(visit_id=visit.visit_id)


def looked_at(state: HubState, decision: Decision) -> Decision:
    """A decision as it may move carts beside what staff said of its reach: uncertain where both
    would come to more pieces than vision named when they looked."""
    if state.level < LOOKED_AT_LEVEL or not decision.certain or decision.best.quantity == 0:
        return decision
    for key in state.aftercare.reviewed:
        if key[0] != decision.reach_id:
            continue
        seen = state.carts.get(key)
        if seen is None or not _pieces(seen.best, decision.best):
            continue
        if _left(state, seen, decision.best, decision.line) < abs(decision.best.quantity):
            return replace(decision, certain=False, why=f"staff looked; {decision.why}")
    return decision


def _moved(state: HubState, decided: Decision, owner: Visit | None) -> set[Place]:
    """What staff said moves the books; what they say staff moved is in nobody's cart."""
    if state.level < LOOKED_AT_LEVEL or owner is None or owner.kind != "staff":
        return state.stock.apply(decided, decided.best.visit_id)
    return moved_by_staff(state, staff_filled(state, decided, staff=True))


def _check_not_twice(state: HubState, decision: Decision, chosen: Alternative) -> None:
    """Lines of one reach name the same explanations, and some are clear already: together they
    must not come to more pieces than vision named."""
    if not chosen.quantity:
        return
    left = _left(state, decision, chosen, decision.line)
    if abs(chosen.quantity) > left:
        raise RejectedError(
            f"expected at most {left} more pieces of {chosen.gtin} for {chosen.visit_id}: the "
            "others of this reach are clear already"
        )


def _left(state: HubState, decision: Decision, chosen: Alternative, line: int) -> int:
    """How many pieces of a choice vision named for a reach beside those that are clear on other
    lines than this one."""
    named = max(_pieces(one, chosen) for one in (decision.best, *decision.alternatives))
    return named - sum(
        _pieces(other.best, chosen)
        for other in state.carts
        if other.reach_id == decision.reach_id and other.line != line and other.certain
    )


def _pieces(one: Alternative, chosen: Alternative) -> int:
    """Pieces that move as the chosen ones do: the same product, whose they are and which way."""
    same = (one.visit_id, one.gtin) == (chosen.visit_id, chosen.gtin)
    return max(0, one.quantity if chosen.quantity > 0 else -one.quantity) if same else 0


def _after_final(state: HubState, visit: Visit, command: DecideReview, said: list[Any]) -> Reply:
    """The receipt is written: a look is noted, and a put-back is given back."""
    rows = (*visit.unclear, *visit.late)
    row = next(
        (r for r in rows if (r["reach_id"], r["line"]) == (command.reach_id, command.line)), None
    )
    if row is None:
        raise RejectedError(f"expected an unclear line of {visit.visit_id}, got {_name(command)}")
    choice, amount_minor = command.choice, 0
    if choice is not None:
        if _as_row(choice) not in [list(one[:3]) for one in _named(row)]:
            raise RejectedError(f"expected one of {_named(row)} or nothing, got {said[1]}")
        if choice.quantity > 0 or choice.visit_id != visit.visit_id:
            raise RejectedError(
                f"visit {visit.visit_id} is final: after that corrections only go down"
            )
        if choice.quantity < 0:
            amount_minor = _put_back(state, visit, command, choice)
    visit.reviewed[_name(command)] = said
    state.event(
        "review.noted",
        visit.visit_id,
        reach_id=command.reach_id,
        line=command.line,
        choice=said[1],
        review_id=command.review_id,
        by=command.by,
        amount_minor=amount_minor,
    )
    return Reply(visit_id=visit.visit_id, amount_minor=amount_minor)


def _put_back(state: HubState, visit: Visit, command: DecideReview, choice: Choice) -> int:
    """Staff saw a put-back that was not counted: the dearest pieces of the product go back."""
    lines = sorted(
        (line for line in visit.lines if line.gtin == choice.gtin),
        key=lambda line: -line.unit_price_minor,
    )
    wanted, back = -choice.quantity, []
    for line in lines:
        count = min(wanted, line.quantity - visit.refunded.get(line.line, 0))
        if count > 0:
            back.append(RefundLine(line=line.line, quantity=count))
            wanted -= count
    if not back:
        raise RejectedError(f"nothing of {choice.gtin} is left on the receipt to give back")
    reply = refund(
        state,
        RefundVisit(
            refund_id=f"review:{command.review_id}",
            visit_id=visit.visit_id,
            lines=tuple(back),
            reason="put back",
        ),
    )
    return reply.amount_minor


def _chosen(decision: Decision, choice: Choice | None) -> Alternative:
    """The explanation as vision named it; RejectedError if it did not."""
    if choice is None:
        return Alternative(None, None, 0, None, 0.0)
    for one in (decision.best, *decision.alternatives):
        if (one.visit_id, one.gtin, one.quantity) == tuple(_as_row(choice)):
            return one
    named = [
        [one.visit_id, one.gtin, one.quantity] for one in (decision.best, *decision.alternatives)
    ]
    raise RejectedError(f"expected one of {named} or nothing, got {_as_row(choice)}")


def _named(row: Mapping[str, Any]) -> list[list[Any]]:
    return [[row["to_visit"], row["gtin"], row["quantity"]], *row["alternatives"]]


def _as_row(choice: Choice) -> list[Any]:
    return [choice.visit_id, choice.gtin, choice.quantity]


def _name(command: DecideReview) -> str:
    return f"{command.reach_id}/{command.line}"


def _words(choice: Choice | None) -> str:
    if choice is None:
        return "nothing"
    return f"{choice.quantity} {choice.gtin} {choice.visit_id or 'nobody known'}"
