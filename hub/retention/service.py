"""Forgetting in the core: visits in memory lose what is personal, and the run is an event.

What is left of a visit is what the books need: its number, times, lines, amounts and stage. The
hash chains do not change, because no event and no ledger entry names a person: payers are numbers
there (hub.retention.payers), and the row that joins number and name is erased by itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import MutableMapping
from typing import Any

from hub.command import Reply
from hub.retention.commands import Forget
from hub.state import HubState
from hub.visits.codes import code_digest

ERASED = ("payers", "messages", "commands", "dead_letters")
__all__ = ["forget", "forget_order_record", "forget_record", "forgotten_token"]


def forget(state: HubState, command: Forget) -> Reply:
    """Blanks closed visits; those that are open, or not in memory, are passed over here."""
    for visit_id in command.visit_ids:
        visit = state.visits.get(visit_id)
        if visit is None or visit.open:
            continue
        state.by_token.pop(visit.token_sha256, None)
        state.by_code.pop(code_digest(visit.code), None)
        visit.token_sha256 = forgotten_token(visit_id)
        state.by_token[visit.token_sha256] = visit_id
        visit.code = ""
        visit.tracks, visit.track_id = [], None
        visit.unclear, visit.companions, visit.taps = [], [], []
        visit.trail.clear()
        state.effects.visits.add(visit_id)
    for order_id in command.order_ids:
        forget_order(state, order_id)
    counts: dict[str, Any] = {name: command.counts.get(name, 0) for name in ERASED}
    state.event("retention.ran", None, visits=len(command.visit_ids), **counts)
    return Reply()


def forget_order(state: HubState, order_id: str) -> None:
    """What opened a wall for a closed order is kept no longer, and opens nothing."""
    order = state.parcels.orders.get(order_id)
    if order is None or order.state == "open":
        return
    state.parcels.forget_code(order)
    order.code_sha256 = order.token_sha256 = None
    order.forgotten, order.reason = True, ""
    state.effects.orders.add(order_id)


def forgotten_token(visit_id: str) -> str:
    """What stands where the hash of a phone's token stood; no phone has its like."""
    return hashlib.sha256(f"forgotten {visit_id}".encode()).hexdigest()


def forget_record(record: MutableMapping[str, Any]) -> None:
    """The same as `forget`, for the stored record of a visit that is not in memory."""
    visit = record["visit"]
    visit["token_sha256"] = forgotten_token(visit["visit_id"])
    visit.update(code="", tracks=[], track_id=None, unclear=[])
    for name in ("companions", "taps"):
        visit.pop(name, None)


def forget_order_record(record: MutableMapping[str, Any]) -> None:
    """The same as `forget_order`, for the stored record of an order."""
    order = record["order"]
    for name in ("code_sha256", "token_sha256", "reason"):
        order.pop(name, None)
    order["forgotten"] = True
