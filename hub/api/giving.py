"""How much a member of staff may give back: a clerk up to a limit for each visit, a manager any
amount. What is asked now counts together with what was given back before.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from hub.accounts.model import Principal
from hub.api.auth import StaffAuth
from hub.commands import Command, Reply
from hub.driver import Driver
from hub.service import Hub
from hub.settings import HubSettings
from hub.visits.model import Visit

__all__ = ["give_back", "refunded_after", "upheld_after"]


def give_back(
    driver: Driver,
    auth: StaffAuth,
    settings: HubSettings,
    who: Principal,
    command: Command,
    after: Callable[[Hub], int],
    of: str = "a visit",
) -> Reply:
    """Does a command that gives money back; 403 if that is more than who asks may. `after`: what
    will have been given back with it, in minor units."""
    # Between looking and giving nobody else may give.
    with driver.lock:
        amount_minor = driver.read(after)
        if amount_minor > settings.clerk_refund_minor_max:
            auth.demand(who, "manager", f"to give back {amount_minor} of {of}")
        return driver.command(command)


def refunded_after(hub: Hub, visit_id: str, lines: Mapping[int, int], *, refund_id: str) -> int:
    """What of a visit will have been given back, in minor units, with so many pieces more of these
    lines. A repetition gives nothing; a visit nobody knows comes to nothing here, and is refused by
    the hub."""
    visit = _visit(hub, visit_id)
    return 0 if visit is None or refund_id in visit.refund_ids else _given_minor(visit, lines)


def upheld_after(hub: Hub, visit_id: str, dispute_id: str) -> int:
    """The same where a dispute is upheld; nothing for one that is answered."""
    visit = _visit(hub, visit_id)
    record = None if visit is None else visit.disputes.get(dispute_id)
    if visit is None or record is None or record["state"] != "open":
        return 0
    return _given_minor(visit, {record["line"]: record["quantity"]})


def _visit(hub: Hub, visit_id: str) -> Visit | None:
    visit = hub.core.state.visits.get(visit_id)
    if visit is not None:
        return visit
    record = hub.store.visit_record(visit_id=visit_id)
    return None if record is None else Visit.load(record["visit"])


def _given_minor(visit: Visit, more: Mapping[int, int]) -> int:
    wanted = dict(visit.refunded)
    for line, quantity in more.items():
        wanted[line] = wanted.get(line, 0) + quantity
    return sum(
        line.given_back(line.quantity, min(count, line.quantity)).gross_minor
        for line in visit.lines
        if (count := wanted.get(line.line, 0))
    )
