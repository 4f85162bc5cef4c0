"""What a boot said and nobody has any more.

A node keeps what the hub did not confirm, and sends all of it again from its oldest on. Where a hub
was put back to an older copy its node has forgotten what the copy lacks: then the oldest that the
node sends again and again waits behind a gap that is never filled, and with it all that the boot
says later, every visit near it, and every snapshot.
"""

from __future__ import annotations

from contracts.envelope import Envelope
from hub.commands import GiveUpGap
from hub.devices.model import Devices

__all__ = ["AGAIN_MIN", "AGAIN_S", "Gaps"]

AGAIN_MIN = 30
"""So often, and for so long, the same message is the oldest that comes again."""
AGAIN_S = 600.0
GAPS_MAX = 1_000
"""Gaps that are watched; beyond that all of them are watched from anew."""


class Gaps:
    """Counts how often the first message behind a gap came again, and since when."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], tuple[int, float, int]] = {}

    def given_up(self, devices: Devices, item: Envelope, now_s: float) -> GiveUpGap | None:
        """What to do about the gap before a message that came again; None while it may still be
        filled, or if there is none."""
        boot = devices.all[item.deviceid].boots.get(item.bootid)
        number = item.sequence
        if boot is None or number not in boot.waiting or number != min(boot.waiting):
            return None
        key = item.deviceid, item.bootid
        first, since_s, times = self._seen.get(key, (number, now_s, 0))
        if first != number:
            since_s, times = now_s, 0
        if times < AGAIN_MIN or now_s < since_s + AGAIN_S:
            if len(self._seen) > GAPS_MAX:
                self._seen.clear()
            self._seen[key] = number, since_s, times + 1
            return None
        del self._seen[key]
        return GiveUpGap(device_id=item.deviceid, boot_id=item.bootid, upto_seq=number - 1)
