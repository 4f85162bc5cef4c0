"""What is unclear of a visit's cart: what staff may decide, and what is not charged meanwhile.

Attribution does not know what staff said. If they said that a visit took a piece, whoever may have
put one like it back later is much more likely to be that visit than attribution thinks.
"""

from __future__ import annotations

from hub.attribution.model import Decision
from hub.levels import DOUBT_RETURN_LEVEL
from hub.state import HubState

__all__ = ["may_be_back", "unclear_of"]


def unclear_of(state: HubState, visit_id: str) -> list[Decision]:
    """Uncertain decisions that may well be this visit's."""
    found = state.carts.unclear(visit_id, state.rules.review_probability)
    known = {(one.reach_id, one.line) for one in found}
    return found + [
        one for one in _returns(state, visit_id) if (one.reach_id, one.line) not in known
    ]


def may_be_back(state: HubState, visit_id: str) -> dict[str, int]:
    """GTIN to pieces that staff said the visit took, and that it may have put back since."""
    taken = _said_taken(state, visit_id)
    back: dict[str, int] = {}
    for decision in _returns(state, visit_id):
        for gtin, pieces in _put_back(decision, visit_id).items():
            back[gtin] = back.get(gtin, 0) + pieces
    return {gtin: min(back[gtin], taken[gtin][0]) for gtin in back if gtin in taken}


def _returns(state: HubState, visit_id: str) -> list[Decision]:
    """Uncertain put-backs of what staff said the visit had taken by then, however unlikely."""
    taken = _said_taken(state, visit_id)
    if not taken:
        return []
    return [
        decision
        for decision in state.carts.unclear(visit_id, 0.0)
        if any(
            gtin in taken and decision.t_s >= taken[gtin][1]
            for gtin in _put_back(decision, visit_id)
        )
    ]


def _said_taken(state: HubState, visit_id: str) -> dict[str, tuple[int, float]]:
    """GTIN to how many pieces staff said the visit took, and when it took the first."""
    visit = state.visits.get(visit_id)
    if visit is None or not visit.reviewed or state.level < DOUBT_RETURN_LEVEL:
        return {}
    taken: dict[str, tuple[int, float]] = {}
    for decision in state.carts.of(visit_id):
        gtin, pieces = decision.best.gtin, decision.best.quantity
        key = (decision.reach_id, decision.line)
        if key in state.aftercare.reviewed and gtin is not None and pieces > 0:
            before, first_s = taken.get(gtin, (0, decision.t_s))
            taken[gtin] = (before + pieces, first_s)
    return taken


def _put_back(decision: Decision, visit_id: str) -> dict[str, int]:
    """GTIN to the most pieces that the visit put back by any explanation."""
    back: dict[str, int] = {}
    for choice in (decision.best, *decision.alternatives):
        if choice.visit_id == visit_id and choice.gtin is not None and choice.quantity < 0:
            back[choice.gtin] = max(back.get(choice.gtin, 0), -choice.quantity)
    return back
