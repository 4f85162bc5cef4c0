"""What a person should look at: visits with unclear reaches, lost bodies or blind zones."""

from __future__ import annotations

from typing import Any

from hub.review.doubts import unclear_of
from hub.state import HubState, decision_data
from hub.visits.model import Visit

__all__ = ["review_list"]


def review_list(state: HubState) -> list[dict[str, Any]]:
    """One row a visit, those that wait for staff first, then the newest; nobody having looked,
    nothing unclear is charged."""
    rows = []
    for visit in reversed(list(state.visits.values())):
        unclear = _unclear(state, visit)
        if visit.needs_review or unclear or visit.late:
            rows.append(
                {
                    "visit_id": visit.visit_id,
                    "stage": visit.stage,
                    "reasons": list(visit.review_reasons),
                    "until_s": visit.review_until_s if visit.open else None,
                    "lines": unclear,
                    "late": [dict(row) for row in visit.late],
                    "decided": {name: said[1] for name, said in visit.reviewed.items()},
                }
            )
    return sorted(rows, key=lambda row: (row["until_s"] is None, row["until_s"] or 0.0))


def _unclear(state: HubState, visit: Visit) -> list[dict[str, Any]]:
    if not visit.open:
        return list(visit.unclear)
    found = unclear_of(state, visit.visit_id)
    return [dict(decision_data(decision)) for decision in found]
