"""Devices and their boots: each `(device, boot, sequence)` takes effect once and in order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from contracts.envelope import Envelope
from contracts.messages import Message, OpenReach
from hub.devices.clock import Clock

__all__ = ["Admission", "Boot", "Device", "Devices"]

Admission = Literal["next", "ahead", "duplicate", "full", "unknown", "revoked"]


@dataclass(slots=True)
class Boot:
    """One life of a device. `upto` is the last sequence that was taken without a gap.

    `waiting` are behind a gap, `held` have been taken and wait for the boot's clock to be known.
    `heard_s`: when the first of its messages was taken. `watching_s`: since when it sees the floor
    without a gap, None while it does not.
    """

    boot_id: str
    upto: int = -1
    waiting: dict[int, Envelope | None] = field(default_factory=dict)
    held: list[tuple[Envelope, Message]] = field(default_factory=list)
    heard_s: float | None = None
    clock: Clock = field(default_factory=Clock)
    watermark_s: float | None = None
    open_reaches: tuple[OpenReach, ...] = ()
    superseded: bool = False
    watching_s: float | None = None


@dataclass(slots=True)
class Device:
    """A node. `current` is the boot it was last heard to be in; a `revoked` one is not believed."""

    device_id: str
    boots: dict[str, Boot] = field(default_factory=dict)
    current: str | None = None
    software: str = ""
    config_revision: int = 0
    revoked: bool = False

    @property
    def boot(self) -> Boot | None:
        """The current boot."""
        return None if self.current is None else self.boots.get(self.current)


class Devices:
    """All nodes of the store; others are refused."""

    def __init__(self, names: tuple[str, ...], *, waiting_max: int, boots_max: int) -> None:
        self.all = {name: Device(name) for name in names}
        self._waiting_max = waiting_max
        self._boots_max = boots_max

    def admit(self, device_id: str, boot_id: str, sequence: int) -> Admission:
        """What would become of a message; changes nothing."""
        device = self.all.get(device_id)
        if device is None:
            return "unknown"
        if device.revoked:
            return "revoked"
        boot = device.boots.get(boot_id)
        if boot is None:
            return "next" if sequence == 0 else "ahead"
        if sequence <= boot.upto or sequence in boot.waiting:
            return "duplicate"
        if len(boot.waiting) + len(boot.held) >= self._waiting_max and (
            boot.held or sequence != boot.upto + 1
        ):
            return "full"
        return "next" if sequence == boot.upto + 1 else "ahead"

    def take(
        self, device_id: str, boot_id: str, sequence: int, item: Envelope | None
    ) -> Sequence[tuple[Boot, Envelope]]:
        """Takes an admitted message in; all that may now take effect, in order.

        None stands for a message that could not be understood: it fills its place and has no
        effect.
        """
        device = self.all[device_id]
        boot = self.boot(device, boot_id)
        if item is not None and sequence == boot.upto + 1 and not boot.waiting:
            # The usual message: the next one, and nobody waits for it.
            boot.upto = sequence
            return ((boot, item),)
        boot.waiting[sequence] = item
        return self._ready(boot)

    def give_up(self, device_id: str, boot_id: str, upto: int) -> Sequence[tuple[Boot, Envelope]]:
        """Nothing more comes up to a number; all that may now take effect, in order."""
        boot = self.all[device_id].boots[boot_id]
        boot.upto = upto
        return self._ready(boot)

    def _ready(self, boot: Boot) -> Sequence[tuple[Boot, Envelope]]:
        found = []
        while boot.upto + 1 in boot.waiting:
            boot.upto += 1
            ready = boot.waiting.pop(boot.upto)
            if ready is not None:
                found.append((boot, ready))
        return found

    def boot(self, device: Device, boot_id: str) -> Boot:
        """The boot of that id, made if it is new. The oldest finished boots are forgotten."""
        found = device.boots.get(boot_id)
        if found is None:
            found = Boot(boot_id)
            device.boots[boot_id] = found
            if device.current is None:
                device.current = boot_id
            while len(device.boots) > self._boots_max:
                oldest = next(name for name in device.boots if name != device.current)
                del device.boots[oldest]
        return found

    def forgets(self, device_id: str) -> bool:
        """Whether a device has had so many boots that some may be forgotten."""
        return len(self.all[device_id].boots) >= self._boots_max

    def make_current(self, device: Device, boot_id: str) -> Boot | None:
        """The device lives in this boot now; returns the boot that ended, if any."""
        if device.current == boot_id:
            return None
        ended = device.boot
        device.current = boot_id
        if ended is not None:
            ended.superseded = True
        self.boot(device, boot_id).superseded = False
        return ended

    def dump(self) -> dict[str, Any]:
        """The state as JSON values; messages behind a gap are not part of it."""
        return {
            name: {
                "current": device.current,
                "software": device.software,
                "config_revision": device.config_revision,
                "boots": [
                    {
                        "boot_id": boot.boot_id,
                        "upto": boot.upto,
                        "clock": boot.clock.dump(),
                        "watermark_s": boot.watermark_s,
                        "superseded": boot.superseded,
                        "heard_s": boot.heard_s,
                        **({} if boot.watching_s is None else {"watching_s": boot.watching_s}),
                    }
                    for boot in device.boots.values()
                ],
                # Only where it is so: snapshots of before have no such word.
                **({"revoked": True} if device.revoked else {}),
            }
            for name, device in sorted(self.all.items())
        }

    def restore(self, state: Mapping[str, Any]) -> None:
        """Takes in what `dump` described, for the devices the store still has."""
        for name, row in state.items():
            if name not in self.all:
                continue
            device = self.all[name]
            device.current = row["current"]
            device.software = row["software"]
            device.config_revision = row["config_revision"]
            device.revoked = row.get("revoked", False)
            for part in row["boots"]:
                device.boots[part["boot_id"]] = Boot(
                    part["boot_id"],
                    upto=part["upto"],
                    clock=Clock.load(part["clock"]),
                    watermark_s=part["watermark_s"],
                    superseded=part["superseded"],
                    heard_s=part.get("heard_s"),
                    watching_s=part.get("watching_s"),
                )
