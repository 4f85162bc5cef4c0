"""A run of retention on a database that no hub has open."""

from __future__ import annotations

import os

from contracts.store_file import StoreFile
from hub.effects import us
from hub.errors import StoreTakenError
from hub.replay import stored_layout
from hub.retention.job import Due, cutoffs, look
from hub.retention.run import retain
from hub.retention.settings import Retention
from hub.rules import Rules
from hub.service import Hub
from hub.state import AttributorFactory
from hub.store.lease import Lease, open_lease
from hub.store.service import Store
from hub.wallet.fake import FakeGateway

__all__ = ["retain_offline"]


def retain_offline(
    url: str,
    factory: AttributorFactory,
    *,
    now_s: float,
    settings: Retention | None = None,
    rules: Rules | None = None,
    dry_run: bool = False,
) -> Due:
    """Erases what is due at `now_s` and writes the files anew. StoreTakenError while a hub has the
    database; a dry run only looks, and may do so at any time."""
    settings, rules = settings or Retention(), rules or Rules()
    store = Store(url)
    try:
        layout = stored_layout(store)
        if dry_run:
            return look(store, cutoffs(settings, us(now_s)))
    finally:
        store.close()
    lease = open_lease(url, layout.store_id, owner=f"retention:{os.getpid()}")
    try:
        if not lease.take():
            raise StoreTakenError(
                "expected no hub to own the store, one does; it forgets by itself, or stop it first"
            )
        return _retained(url, factory, layout, lease, settings, rules, now_s)
    finally:
        lease.release()


def _retained(
    url: str,
    factory: AttributorFactory,
    layout: StoreFile,
    lease: Lease,
    settings: Retention,
    rules: Rules,
    now_s: float,
) -> Due:
    # This one is not asked: what is under way with the gateway is the running hub's business.
    gateway = FakeGateway()
    try:
        hub = Hub.open(
            layout,
            url=url,
            attributor=factory,
            gateway=gateway,
            rules=rules,
            ask_inline=False,
            lease=lease,
        )
        try:
            hub.start(now_s)
            # Codes that nobody showed at a gate run out first.
            hub.tick(now_s)
            due = retain(hub, settings, now_s)
            hub.store.scrub(whole=True)
            return due
        finally:
            hub.close()
    finally:
        gateway.close()
