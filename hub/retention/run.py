"""A run of retention on an open hub."""

from __future__ import annotations

from hub.effects import us
from hub.errors import StoreWriteError
from hub.retention.commands import Forget
from hub.retention.job import Due, cutoffs, erase, look
from hub.retention.settings import Retention
from hub.service import Hub

__all__ = ["retain"]


def retain(hub: Hub, settings: Retention, now_s: float) -> Due:
    """Forgets what is due: visits through the core, so that a replay forgets them too, then the
    rest. Inputs wait for a later run while somebody is in the store. StoreWriteError halts the hub
    as any other."""
    due = look(hub.store, cutoffs(settings, us(now_s)))
    if not due.total:
        return due
    hub.command(Forget(visit_ids=due.visit_ids, counts=due.counts), now_s)
    hub.compact(now_s)
    try:
        erase(hub.store, due)
    except StoreWriteError as error:
        hub.halted = str(error)
        raise
    if hub.payers is not None:
        hub.payers.forget_all()
    return due
