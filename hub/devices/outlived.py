"""Acknowledging boots, also those that left memory because their node had hundreds since.

What of such a boot is in the journal must not be taken again: the journal has a message once, and
a commit that would have it twice fails, as often as the node sends it. What comes of it for the
first time is too late to be put in its order; it is refused, and acknowledged all the same, else
its node would send it for ever.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from sqlalchemy import func, select

from contracts.envelope import Envelope
from contracts.messages import HubAck
from hub.devices.model import Devices
from hub.store import tables as t
from hub.store.service import Store

__all__ = ["Outlived"]


class Outlived:
    """Knows forgotten boots by what the journal has of them."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._upto: dict[tuple[str, str], int] = {}

    def last(self, devices: Devices, item: Envelope) -> int | None:
        """The last stored sequence of a message's boot, if that was forgotten; else None."""
        boot = devices.all[item.deviceid].boots.get(item.bootid)
        known = boot is not None and (boot.upto >= 0 or boot.waiting)
        if known or not devices.forgets(item.deviceid):
            return None
        inbox = t.inbox.c
        rows = self._store.select(
            select(func.max(inbox.sequence).label("n")).where(
                inbox.device_id == item.deviceid, inbox.boot_id == item.bootid
            )
        )
        if rows[0]["n"] is None:
            return None
        last, key = int(rows[0]["n"]), (item.deviceid, item.bootid)
        self._upto[key] = max(self._upto.get(key, last), item.sequence)
        return last

    def acks(
        self, devices: Devices, heard: Iterable[tuple[str, str]]
    ) -> Iterator[tuple[str, HubAck]]:
        """What devices are told of boots that were heard, once it is committed."""
        outlived, self._upto = self._upto, {}
        for device_id, boot_id in sorted(heard):
            boot = devices.all[device_id].boots.get(boot_id)
            upto = outlived.get((device_id, boot_id), None if boot is None else boot.upto)
            if upto is not None:
                yield device_id, HubAck(boot_id=boot_id, upto_seq=upto)
