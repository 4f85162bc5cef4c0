"""What a person should look at: visits with unclear reaches, lost bodies or blind zones."""

from __future__ import annotations

from typing import Any

from hub.state import HubState, decision_data
from hub.visits.model import Visit

__all__ = ["review_list"]


def review_list(state: HubState) -> list[dict[str, Any]]:
    """One row a visit, the newest first; nobody having looked, nothing unclear is charged."""
    rows = []
    for visit in reversed(list(state.visits.values())):
        unclear = _unclear(state, visit)
        if visit.needs_review or unclear:
            rows.append(
                {
                    "visit_id": visit.visit_id,
                    "stage": visit.stage,
                    "reasons": list(visit.review_reasons),
                    "lines": unclear,
                }
            )
    return rows


def _unclear(state: HubState, visit: Visit) -> list[dict[str, Any]]:
    if not visit.open:
        return list(visit.unclear)
    found = state.carts.unclear(visit.visit_id, state.rules.review_probability)
    return [dict(decision_data(decision)) for decision in found]
