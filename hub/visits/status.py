"""The one word staff, the API and the export have for how a visit stands."""

from __future__ import annotations

from typing import Literal

from hub.visits.model import Visit
from hub.wallet.service import Account

__all__ = ["Status", "status"]

Status = Literal[
    "open",
    "exiting",
    "in review",
    "settling",
    "settled",
    "disputed",
    "unpaid",
    "expired",
    "refused",
]


def status(visit: Visit, account: Account | None) -> Status:
    """open: in the store or before its gate; exiting: left, and news may still come; in review:
    waits for staff; settling: the charge is on its way; disputed: a line waits for staff; unpaid:
    something is owed; settled: nothing is left to do."""
    if visit.stage == "expired":
        return "expired"
    if visit.stage == "refused":
        return "refused"
    if visit.stage == "left":
        return "in review" if visit.review_until_s is not None else "exiting"
    if visit.stage != "final":
        return "open"
    if any(record["state"] == "open" for record in visit.disputes.values()):
        return "disputed"
    if account is not None and account.state == "held":
        return "settling"
    if account is not None and account.debt_minor > 0:
        return "unpaid"
    return "settled"
