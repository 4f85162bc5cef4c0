"""Drives the hub in a process: one writer thread, some that ask the gateway, and reads for pages.

Everything that touches the hub holds one lock, so there is one writer at a time. The writer takes
what has arrived (at most a batch), commits it, then acknowledges. The gateway is asked outside
the lock; its answers come back as commands. When the database cannot be written no node is told
that anything is stored, the alarm is up, and reading the database again is tried until it works.
When another hub has taken the lease this driver stops and says so, and nothing that it still had
in hand is stored, confirmed or asked.
"""

from __future__ import annotations

import hashlib
import math
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, field
from functools import partial
from typing import Any, BinaryIO, Protocol, TypeVar

import structlog

from contracts.messages import SendTiles
from hub import commands as c
from hub.devices.config import node_of
from hub.errors import (
    HubError,
    HubHaltedError,
    LeaseLostError,
    RejectedError,
    StoreError,
    UnknownVisitError,
)
from hub.events import newest
from hub.mqtt import Arrived
from hub.retention.run import keep_inputs, retain
from hub.retention.settings import Retention
from hub.review.service import review_list
from hub.service import BATCH_MAX, Hub, Outgoing
from hub.store.export import spooled
from hub.store.moment import moment_of
from hub.store.service import Store
from hub.turns import Turns
from hub.views import phone_view, staff_view
from hub.visits.model import Visit
from hub.wallet.lanes import Lane
from hub.wallet.service import Account

__all__ = ["Bus", "Driver", "HubClock"]

RECOVER_PAUSE_S = 1.0
FAILURES_MAX = 5
GATEWAY_POLL_S = 0.5
ASKED_AT_ONCE = 8
"""Questions to the gateway on their way; Stripe lets 25 begin in a second with test keys."""
REFUNDS_AT_ONCE = 4
TICK_PAUSE_S = 0.04
"""Two decisions are at least so far apart."""
T = TypeVar("T")


class Bus(Protocol):
    """What the driver needs of MQTT."""

    connected: bool
    dropped: int
    sessions: int

    def take(self, most: int) -> list[Arrived]:
        """What has arrived, until there are `most` events in it."""
        ...

    def acknowledge(self, arrived: Sequence[Arrived]) -> None:
        """The broker may forget it."""
        ...

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        """Sends."""
        ...


class HubClock:
    """Hub seconds: UTC at the start, then the monotonic clock, so that they never jump.

    They begin at `at_least_s`, what the database knows, where UTC was set back while the hub was
    down. Hub time would otherwise stand still until UTC had caught up, and with it every wait.
    """

    def __init__(
        self,
        *,
        at_least_s: float = 0.0,
        utc: Callable[[], float] = time.time,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._monotonic = monotonic
        self._anchor_s = max(utc(), at_least_s) - monotonic()

    def __call__(self) -> float:
        """Now."""
        return self._anchor_s + self._monotonic()


@dataclass(slots=True)
class Driver:
    """The hub, its threads and its lock. `fatal` is called when the hub cannot go on, `lost` when
    another hub owns the store, `happened` after whatever may have changed something."""

    hub: Hub
    now: Callable[[], float]
    tick_s: float = 0.2
    retention: Retention | None = None
    fatal: Callable[[str], None] = lambda reason: None
    lost: Callable[[str], None] = lambda reason: None
    happened: Callable[[], None] = lambda: None
    bus: Bus | None = None
    alarm: str | None = None
    gateway_s: float = 0.0
    gateway_asked: int = 0
    batches: int = 0
    batched: int = 0
    oldest_s: float = 0.0
    lock: Turns = field(default_factory=Turns)
    _news: threading.Event = field(default_factory=threading.Event)
    _asks: Lane = field(default_factory=Lane)
    _refunds: Lane = field(default_factory=Lane)
    _stopping: threading.Event = field(default_factory=threading.Event)
    _threads: list[threading.Thread] = field(default_factory=list)
    _answers: deque[tuple[c.GatewayAnswered, float]] = field(default_factory=deque)
    _configs: list[Outgoing] = field(default_factory=list)
    _session: int = 0
    _ticked_s: float = -math.inf
    _tick_at_s: float = -math.inf

    # -- life -----------------------------------------------------------------------------

    def begin(self) -> None:
        """The hub's first step; to be called before anything else."""
        with self.lock:
            if self.retention is not None:
                keep_inputs(self.hub, self.retention)
            self._configs = self.hub.start(self.now())

    def start(self, bus: Bus) -> None:
        """Starts the threads."""
        self.bus = bus
        for name, work, threads in (
            ("hub-writer", self._write, 1),
            ("hub-gateway", partial(self._ask, self._asks), ASKED_AT_ONCE),
            # A refund that the gateway does not answer must keep nobody waiting at the gate.
            ("hub-refunds", partial(self._ask, self._refunds), REFUNDS_AT_ONCE),
            ("hub-retention", self._retain, 1),
        ):
            for number in range(threads):
                thread = threading.Thread(target=work, name=f"{name}-{number}", daemon=True)
                thread.start()
                self._threads.append(thread)

    def stop(self) -> None:
        """Stops the threads; what is committed is committed."""
        self._stopping.set()
        self._news.set()
        self._ring()
        for thread in self._threads:
            thread.join()
        with suppress(HubError), self.lock:
            self.hub.step([], self.now(), answers=self._answered(), tick=False)

    @property
    def due_s(self) -> float:
        """When time has to pass again if nothing arrives before, in hub seconds."""
        return self._tick_at_s

    @property
    def owner(self) -> bool:
        """Whether this hub owns its store, as far as can be told without asking."""
        return self.hub.store.lease.held

    def readiness(self) -> dict[str, bool]:
        """What must be so before anybody is sent here; all of it, or the hub is not ready."""
        return {
            "replayed": bool(self.hub.started),
            "database": self.alarm is None and self.hub.halted is None,
            "lease": self.owner,
            "broker": self.bus is not None and self.bus.connected,
        }

    def wake(self) -> None:
        """Something arrived."""
        self._news.set()

    def lose(self, error: LeaseLostError) -> None:
        """Another hub goes on from what is stored; this one stops. Safe from any thread."""
        self.alarm = str(error)
        log = structlog.get_logger("hub")
        log.error("hub.lease_lost", error=self.alarm, epoch=self.hub.store.lease.epoch)
        self._stopping.set()
        self._news.set()
        self._ring()
        self.lost(str(error))

    # -- the writer -----------------------------------------------------------------------

    def _write(self) -> None:
        log = structlog.get_logger("hub")
        failures = 0
        while not self._stopping.is_set():
            self._news.wait(max(0.0, self.due_s - self.now()))
            self._news.clear()
            try:
                self.step()
                failures = 0
            except LeaseLostError as error:
                self.lose(error)
            except (HubHaltedError, StoreError) as error:
                self._mend(log, error)
            except Exception as error:  # noqa: BLE001 - the edge of the process
                failures += 1
                log.error("hub.failed", error=repr(error), failures=failures)
                self.alarm = repr(error)
                if failures >= FAILURES_MAX:
                    self.fatal(f"the hub failed {failures} times: {error!r}")
                    return
                self._mend(log, error)

    def step(self) -> None:
        """Takes what has arrived, commits, acknowledges, and lets time pass.

        Time passes right after news, so that what it says is decided at once, but not oftener
        than TICK_PAUSE_S: under load many messages share a decision as they share a commit.
        """
        bus = self.bus
        lease = self.hub.store.lease
        if not lease.held:
            lease.renew()
        arrived = bus.take(BATCH_MAX) if bus is not None else []
        try:
            with self.lock:
                now_s = self.now()
                tick = now_s >= self._ticked_s + TICK_PAUSE_S
                news = [(a.topic, a.payload) for a in arrived]
                out = self.hub.step(news, now_s, answers=self._answered(), tick=tick)
                if tick:
                    self._ticked_s, self._tick_at_s = now_s, now_s + self.tick_s
                elif arrived:
                    self._tick_at_s = self._ticked_s + TICK_PAUSE_S
                self._pass_on()
        finally:
            if bus is not None:
                # Stored or not: what stays open at the broker it never sends again, and so much of
                # it is all that it hands out. Nodes send again what was not confirmed to them.
                bus.acknowledge(arrived)
        self.happened()
        if arrived:
            self.batches += 1
            self.batched += len(arrived)
            self.oldest_s = self.now() - now_s
        if bus is not None and lease.held:
            if bus.sessions != self._session:
                # A broker without persistence has forgotten what it retained.
                self._session = bus.sessions
                bus.publish(self._configs)
                with self.lock:
                    out += self.hub.cues(self.now(), anew=True)
            bus.publish(out)
            if sum(item.events for item in arrived) >= BATCH_MAX:
                self._news.set()

    def _answered(self) -> list[c.GatewayAnswered]:
        """What the gateway said. A halt loses it: after the recovery its key is asked again."""
        answers = []
        while self._answers:
            answer, took_s = self._answers.popleft()
            self.gateway_s += took_s
            self.gateway_asked += 1
            answers.append(answer)
        return answers

    def _mend(self, log: Any, error: Exception) -> None:
        """Reads the database again; until that works nothing is taken or acknowledged."""
        self.alarm = str(error)
        log.error("hub.halted", error=str(error))
        while not self._stopping.wait(RECOVER_PAUSE_S):
            try:
                # What another hub has stored since must not be taken for our own.
                self.hub.store.lease.renew()
                with self.lock:
                    self.hub.recover(self.now())
            except LeaseLostError as gone:
                self.lose(gone)
                return
            except (HubError, OSError) as again:
                log.error("hub.still_halted", error=str(again))
                continue
            self.alarm = None
            log.info("hub.recovered")
            return

    # -- retention ------------------------------------------------------------------------

    def _retain(self) -> None:
        """Forgets what is due, now and then; a failure is tried again at the next time."""
        settings = self.retention
        if settings is None:
            return
        log = structlog.get_logger("hub")
        while not self._stopping.wait(settings.every_s):
            try:
                with self.lock:
                    due = retain(self.hub, settings, self.now())
            except HubError as error:
                log.error("retention.failed", error=str(error))
                continue
            log.info("retention.ran", visits=len(due.visit_ids), **due.counts)

    # -- the gateway ----------------------------------------------------------------------

    def _ring(self) -> None:
        """Whoever asks the gateway looks whether they still should."""
        self._asks.wake()
        self._refunds.wake()

    def _pass_on(self) -> None:
        """Gives what is to be asked to those who ask; to be called with the lock."""
        if not self.hub.asks or not self._threads:
            return
        asks = list(self.hub.asks)
        self.hub.asks.clear()
        self._refunds.put(one for one in asks if one.kind == "refund")
        self._asks.put(one for one in asks if one.kind != "refund")

    def _ask(self, lane: Lane) -> None:
        log = structlog.get_logger("hub")
        while not self._stopping.is_set():
            if self.hub.asks:
                with self.lock:
                    self._pass_on()
            request = lane.take(GATEWAY_POLL_S)
            if request is None:
                continue
            if not self.owner or self._stopping.is_set():
                with self.lock:
                    self.hub.asks.extendleft(reversed([request, *lane.clear()]))
                lane.done(request)
                # Else it would be taken and put back without a pause until the lease is clear.
                self._stopping.wait(GATEWAY_POLL_S)
                continue
            began_s = self.now()
            try:
                answer = self.hub.ask_gateway(request)
            except Exception as error:  # noqa: BLE001 - a gateway is somebody else's code
                # Not its key: it may have a payer's name in it.
                log.error("gateway.failed", asked=request.kind, error=repr(error))
                answer = c.GatewayAnswered(
                    key=request.key, outcome="timeout", reason=type(error).__name__
                )
            lane.done(request)
            if self.hub.gateway_fault is not None:
                log.error("gateway.refuses_the_hub", error=self.hub.gateway_fault)
            self._answers.append((answer, self.now() - began_s))
            self.wake()

    # -- for the pages --------------------------------------------------------------------

    def command(self, command: c.Command) -> c.Reply:
        """Does a command; RejectedError changes nothing."""
        with self.lock:
            reply = self.hub.command(command, self.now())
            self._pass_on()
            cues = self.hub.cues(self.now())
        if cues and self.bus is not None:
            # Who has just scanned in is not to wait for the writer's next step.
            self.bus.publish(cues)
        self.happened()
        return reply

    @property
    def version(self) -> int:
        """Rises whenever anything changed that a page may show."""
        return self.hub.live.version

    def visit_version(self, visit_id: str) -> int:
        """Rises whenever something happened that the phone of a visit may show."""
        return self.hub.live.visit_version(visit_id)

    def wall_version(self, wall_id: str) -> int:
        """Rises whenever something changed that the pages of a wall may show."""
        return self.hub.live.wall_version(wall_id)

    def read(self, view: Callable[[Hub], T]) -> T:
        """Looks at the hub while nothing changes."""
        with self.lock:
            return view(self.hub)

    def stored(self, view: Callable[[Store], T]) -> T:
        """Looks at the database; on one with connections of its own nobody waits for it."""
        store = self.hub.store
        if not store.memory:
            return view(store)
        with self.lock:
            return view(store)

    def exported(self) -> BinaryIO:
        """What the auditor reads, as it is now, in a file that is gone once it is closed. Nobody
        waits meanwhile but where the database is in memory."""
        with ExitStack() as kept:
            with self.lock:
                store, layout, totals = self.hub.exported()
                moment = kept.enter_context(moment_of(store))
                if store.memory:
                    return spooled(moment, layout, totals)
            return spooled(moment, layout, totals)

    def _visit_of(self, token: str) -> tuple[Visit, Account | None]:
        digest = hashlib.sha256(token.encode()).hexdigest()
        state = self.hub.core.state
        visit = state.visits.get(state.by_token.get(digest, ""))
        if visit is not None:
            return visit, state.wallets.accounts.get(visit.visit_id)
        return _recorded(self.hub.store.visit_record(token_sha256=digest), "token")

    def visit(self, visit_id: str) -> tuple[Visit, Account | None]:
        """A visit and its money, from memory or the database; UnknownVisitError."""
        with self.lock:
            state = self.hub.core.state
            visit = state.visits.get(visit_id)
            if visit is not None:
                return visit, state.wallets.accounts.get(visit_id)
            return _recorded(self.hub.store.visit_record(visit_id=visit_id), "id")

    def visit_by_token(self, token: str) -> tuple[Visit, Account | None]:
        """The visit of a phone's token; UnknownVisitError if it is not one of ours."""
        with self.lock:
            return self._visit_of(token)

    def payer_of(self, token: str) -> str:
        """Who pays for the visit of this token; UnknownVisitError if it is not one of ours."""
        with self.lock:
            return self._visit_of(token)[0].payer

    def phone(self, token: str) -> dict[str, Any]:
        """What the phone with this token shows; UnknownVisitError if it is not one of ours."""
        with self.lock:
            return phone_view(self.hub, *self._visit_of(token), self.now())

    def staff(self) -> dict[str, Any]:
        """What the staff page shows."""
        with self.lock:
            shown = staff_view(self.hub, self.now())
        bus = self.bus
        shown["alarm"] = self.alarm
        shown["gateway_fault"] = self.hub.gateway_fault
        shown["broker"] = bus is not None and bus.connected
        shown["dropped"] = 0 if bus is None else bus.dropped
        return shown

    def review(self) -> list[dict[str, Any]]:
        """What a person should look at."""
        with self.lock:
            return review_list(self.hub.core.state)

    def feed(self, after: int) -> list[dict[str, Any]]:
        """The latest events after a number; none of what could not be stored."""
        with self.lock:
            held = () if self.hub.halted else tuple(self.hub.live.feed)
            news = [event for event in held if event.number > after]
            return [{**one.row(), "data": newest(one.kind, one.data)} for one in news]

    def serves(self, device_id: str, camera_id: str) -> bool:
        """Whether this node serves this camera."""
        return node_of(self.hub.core.state.store, camera_id) == device_id

    def watch_camera(self, camera_id: str, for_s: float) -> str:
        """Asks the node of a camera for tiles; RejectedError if no node serves it."""
        node_id = node_of(self.hub.core.state.store, camera_id)
        if node_id is None:
            raise RejectedError(f"expected a camera of the store, got {camera_id}")
        message = SendTiles(camera_id=camera_id, for_s=for_s)
        if self.bus is not None:
            self.bus.publish([self.hub.outgoing("tiles", node_id, message)])
        return node_id


def _recorded(record: dict[str, Any] | None, what: str) -> tuple[Visit, Account | None]:
    if record is None:
        raise UnknownVisitError(f"expected the {what} of a visit, got one that is unknown")
    account = None if record["account"] is None else Account.load(record["account"])
    return Visit.load(record["visit"]), account
