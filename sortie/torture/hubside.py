"""The hub's process as the simulation sees it: it opens, works, halts, dies, and comes back.

The hub is the production one, on its database on a disk that fails; the gateway and the time are
outside and go on while it is away.
"""

from __future__ import annotations

import sqlite3
from collections import Counter
from collections.abc import Callable, Sequence
from random import Random
from typing import TypeVar

from contracts.store_file import StoreFile
from hub import service
from hub.attribution.engine import Engine
from hub.command import Command, Reply
from hub.driver import HubClock
from hub.errors import HubHaltedError, StoreError
from hub.rules import Rules
from hub.service import BATCH_MAX, Hub, Outgoing
from hub.visits.codes import KeyRing
from hub.wallet.gateway import PaymentGateway
from sortie.torture.disk import Disk
from sortie.torture.points import FailPoints, Killed
from sortie.torture.turns import TurnLease, Turns

__all__ = ["KEYS", "RULES", "AwayError", "HubSide"]

RULES = Rules(code_ttl_s=60.0, code_linger_s=60.0, reserve_s=60.0, gateway_backoff_s_max=16.0)
SNAPSHOT_EVERY = 300
KEYS = KeyRing.derived("torture")
MEND_S = 1.0
T = TypeVar("T")


class AwayError(Exception):
    """The hub is not there, or went away in the middle: what was asked may be done or not."""


class HubSide:
    """One hub on one disk. `now_s` is the world's time; hub time follows production's clock."""

    def __init__(
        self,
        disk: Disk,
        gateway: PaymentGateway,
        points: FailPoints,
        random: Random,
        store: StoreFile,
    ) -> None:
        self.store = store
        self.disk = disk
        self.points = points
        self.before_crash: Callable[[], None] = lambda: None
        self.hub: Hub | None = None
        self.broken = False
        self.back_s = 0.0
        self.world_s = 0.0
        self.utc_jump_s = 0.0
        self.counts: Counter[str] = Counter()
        self.clock: Callable[[], float] = lambda: self.world_s
        self.path = disk.where / "hub.sqlite"
        self._gateway = gateway
        self._random = random
        self._mend_s = 0.0
        self._locker: sqlite3.Connection | None = None
        self._contested = False
        self.turns = Turns()

    @property
    def up(self) -> bool:
        """Whether the hub takes calls."""
        return self.hub is not None and not self.broken

    # -- life -------------------------------------------------------------------------------

    def open(self) -> list[Outgoing]:
        """Starts the process if it is time; AwayError if it did not come up."""
        opened: Hub | None = None
        try:
            opened = self.open_hub()
            self.clock = HubClock(
                at_least_s=opened.core.state.now_s,
                utc=lambda: self.world_s + self.utc_jump_s,
                monotonic=lambda: self.world_s,
            )
            started = opened.start(self.clock())
        except (Killed, StoreError, HubHaltedError) as error:
            if not isinstance(error, Killed) and self.disk.dead is None and not self._may_fail:
                raise
            self.counts["failed_openings"] += 1
            if opened is not None:
                opened.close()
            self._gone(1.0)
            raise AwayError from error
        self.hub, self.broken = opened, False
        if self.disk.dead is not None:
            self._gone(1.0)
            raise AwayError
        self.counts["openings"] += 1
        return started

    def open_hub(self) -> Hub:
        """The hub on its database, not started. It takes the lease from whoever has it."""
        lease = TurnLease(self.turns)
        lease.take()
        return service.Hub.open(
            self.store,
            url=f"sqlite:///{self.path}",
            attributor=Engine,
            gateway=self._gateway,
            rules=RULES,
            snapshot_every=SNAPSHOT_EVERY,
            entry_keys=KEYS,
            lease=lease,
        )

    def kill(self, away_s: float, *, power: bool = False) -> None:
        """Now, whatever it does."""
        if self.hub is not None:
            self.disk.die("power" if power else "kill")
            self._gone(away_s)
        else:
            self.back_s = max(self.back_s, self.world_s + away_s)

    def lock(self) -> bool:
        """Somebody else holds the database's write lock; False if that cannot be now."""
        if self._locker is not None or not self.up:
            return False
        self._locker = sqlite3.connect(self.path, isolation_level=None, timeout=0.0)
        try:
            self._locker.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            self.unlock()
            return False
        return True

    def contested(self) -> None:
        """Another hub has written to the database: writes of this one may now be refused."""
        self._contested = True

    def unlock(self) -> None:
        """And lets go of it."""
        if self._locker is not None:
            self._locker.close()
            self._locker = None

    def mend(self) -> None:
        """A halted hub tries to read its database again, as hub.driver does."""
        hub = self.hub
        if hub is None or not self.broken or self.world_s < self._mend_s:
            return
        self._mend_s = self.world_s + MEND_S
        try:
            hub.recover()
        except Killed:
            self._gone(2.0)
            return
        except (StoreError, HubHaltedError):
            if self.disk.dead is not None:
                self._gone(2.0)
            elif not self._may_fail:
                raise
            return
        if not hub.store.lease.held:
            # As in production: a hub that lost its lease ends, and comes back as another one.
            self._gone(1.0)
            return
        self.broken = self._contested = False
        self.counts["recovered"] += 1

    def close(self) -> None:
        """A clean end."""
        self.unlock()
        if self.hub is not None:
            self.hub.close()
            self.hub = None

    # -- work -------------------------------------------------------------------------------

    def command(self, command: Command) -> Reply:
        """RejectedError if it is refused; AwayError if nobody knows."""
        return self._call(lambda hub: hub.command(command, self.clock()))  # type: ignore[arg-type]

    def ingest(self, deliveries: Sequence[tuple[str, bytes]]) -> list[Outgoing]:
        """Messages of nodes, at most a batch at once as in hub.driver."""
        out: list[Outgoing] = []
        for begin in range(0, len(deliveries), BATCH_MAX):
            part = deliveries[begin : begin + BATCH_MAX]
            out += self._call(lambda hub, part=part: hub.ingest(part, self.clock()))  # type: ignore[misc]
        return out

    def tick(self) -> list[Outgoing]:
        """Time passes."""
        return self._call(lambda hub: hub.tick(self.clock()))

    def passing(self, name: str) -> None:
        """The process is at a place outside the hub's own code; AwayError if it died there."""
        self._call(lambda _hub: self.points.passing(name))

    def look(self, work: Callable[[Hub], T]) -> T:
        """Looks at the hub; AwayError if it is not there."""
        return self._call(work)

    # -- inside -----------------------------------------------------------------------------

    @property
    def _may_fail(self) -> bool:
        """Whether something is being done to the disk, so that its errors are expected."""
        return self.disk.faulty or self._contested or self._locker is not None

    def _call(self, work: Callable[[Hub], T]) -> T:
        hub = self.hub
        if hub is None or self.broken:
            raise AwayError
        try:
            result = work(hub)
        except Killed as error:
            self._gone(self._away_s())
            raise AwayError from error
        except (HubHaltedError, StoreError) as error:
            if self.disk.dead is not None:
                self._gone(self._away_s())
            elif self._may_fail:
                self.broken = True
                self._mend_s = self.world_s + MEND_S
                self.counts["halts"] += 1
            else:
                raise
            raise AwayError from error
        if self.disk.dead is not None:
            # The disk went after the commit: it is stored, and nobody was told.
            self._gone(self._away_s())
            raise AwayError
        return result

    def _away_s(self) -> float:
        return self._random.uniform(0.5, 5.0)

    def _gone(self, away_s: float) -> None:
        """The process is gone: its connections are, and what is left of the files is on disk."""
        if self.disk.dead is None:
            self.disk.die("kill")
        self.unlock()
        if self.hub is not None:
            self.hub.close()
        self.hub, self.broken = None, False
        self._contested = False
        self.before_crash()
        self.points.disarm()
        self.disk.crash(self._random)
        self.back_s = self.world_s + away_s
