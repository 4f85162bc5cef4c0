"""A run of retention on an open hub."""

from __future__ import annotations

from hub.effects import us
from hub.errors import StoreWriteError
from hub.retention.commands import Forget
from hub.retention.job import DAY_US, Due, cutoffs, erase, look
from hub.retention.settings import Retention
from hub.service import Hub

__all__ = ["keep_inputs", "retain"]


def keep_inputs(hub: Hub, settings: Retention) -> None:
    """Snapshots, which make inputs needless, let them lie for as long as the settings say."""
    hub.inputs_kept_us = round(settings.inputs_days * DAY_US)


def retain(hub: Hub, settings: Retention, now_s: float) -> Due:
    """Forgets what is due: visits through the core, so that a replay forgets them too, then the
    rest. Inputs wait for a later run while somebody is in the store. StoreWriteError halts the hub
    as any other."""
    keep_inputs(hub, settings)
    due = look(hub.store, cutoffs(settings, us(now_s)))
    if not due.total:
        return due
    hub.command(Forget(visit_ids=due.visit_ids, order_ids=due.order_ids, counts=due.counts), now_s)
    hub.compact(now_s)
    try:
        erase(hub.store, due)
    except StoreWriteError as error:
        hub.halted = str(error)
        raise
    if hub.payers is not None:
        hub.payers.forget_all()
    return due
