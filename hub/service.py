"""The hub in one object: messages in, messages out, everything durable before it is answered.

    hub = Hub.open(store_file, url="sqlite:///:memory:", attributor=Engine)
    outgoing = hub.start(now_s)                    # retained node configurations
    outgoing += hub.ingest([(topic, payload)], now_s)   # acks follow the commit
    reply = hub.command(OpenVisit(...), now_s)
    outgoing += hub.tick(now_s)                    # call it five to ten times a second

No threads, no clock: the lockstep store and the process (hub.main) drive the same object. Times
are hub seconds and never run backwards. When a commit fails the hub halts: every call raises
HubHaltedError until `recover()` has read the database again; nothing unstored was answered.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

from contracts.codec import encode
from contracts.envelope import Envelope
from contracts.errors import ContractError
from contracts.messages import ClockPing, GateScanned, Message, WallScanned
from contracts.store_file import StoreFile
from contracts.topics import topic
from hub import commands as c
from hub.core import HubCore
from hub.dead_letters import DeadLetters
from hub.deliveries import (
    Answers,
    Delivery,
    address,
    believed,
    envelope_of,
    inbox_row,
    pong_of,
    unpacked,
)
from hub.devices.gaps import Gaps
from hub.devices.outlived import Outlived
from hub.devices.pings import Pings
from hub.effects import NOTHING, Effects, us
from hub.errors import HubError, HubHaltedError, RejectedError, StoreError, StoreWriteError
from hub.evidence.index import evidence_rows
from hub.evidence.tables import evidence as evidence_table
from hub.levels import LEVEL
from hub.live import Live, NodeState
from hub.outgoing import Outgoing
from hub.parcels.cues import Cues
from hub.recalling import recalls
from hub.replay import adopt_layout, configs, rebuild, snapshot_row
from hub.retention.payers import Payers
from hub.rules import Rules
from hub.state import AttributorFactory
from hub.store import tables as t
from hub.store.export import export_json, write_export
from hub.store.lease import Lease
from hub.store.rows import Rows, add_effects
from hub.store.service import Store
from hub.visits.codes import KeyRing
from hub.visits.judging import judged_scan
from hub.wallet.asking import ask_once, near_totals
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway import GatewayRequest, GatewayTotals, PaymentGateway

__all__ = ["BATCH_MAX", "Hub", "Outgoing"]

BATCH_MAX = 256
"""Messages a commit; also how many inputs without effects may wait for one."""
SNAPSHOT_EVERY = 20_000
"""Inputs between snapshots; a snapshot waits for a moment without visits."""
INPUTS_KEPT_US = 7 * 86_400 * 1_000_000
_Set = set[tuple[str, str, int]]  # messages, by device, boot and sequence


class Hub:
    """One store's hub on one database."""

    def __init__(
        self,
        core: HubCore,
        store: Store,
        *,
        gateway: PaymentGateway,
        ask_inline: bool = True,
        snapshot_every: int = SNAPSHOT_EVERY,
        entry_keys: KeyRing | None = None,
    ) -> None:
        self.core = core
        self.store = store
        self.gateway = gateway
        self.entry_keys = entry_keys or KeyRing.fresh()
        self.live = Live({name: NodeState() for name in core.state.devices.all})
        self.asks: deque[GatewayRequest] = deque()
        self.halted: str | None = None
        self.gateway_fault: str | None = None
        self.inputs_kept_us = INPUTS_KEPT_US
        self._ask_inline = ask_inline
        self._snapshot_every = snapshot_every
        self._rows = Rows()
        self._pending = 0
        self._together = self._due = False
        self._position = self._snapshot_at = store.last_position()
        self._last_us = 0
        self._pings = Pings()
        self._cues = Cues()
        self._started = False
        self._refused = DeadLetters()
        self._outlived, self._gaps = Outlived(store), Gaps()
        self.payers: Payers | None = None

    @classmethod
    def open(
        cls,
        layout: StoreFile,
        *,
        url: str = "sqlite:///:memory:",
        attributor: AttributorFactory,
        gateway: PaymentGateway | None = None,
        rules: Rules | None = None,
        ask_inline: bool = True,
        snapshot_every: int = SNAPSHOT_EVERY,
        entry_keys: KeyRing | None = None,
        lease: Lease | None = None,
        pseudonyms: bool = False,
    ) -> Hub:
        """Opens or makes the database, replays it, and returns the hub as it was.

        `attributor` makes an attributor from a Ground (hub.attribution.engine.Engine does).
        `entry_keys` sign entry codes; without any, codes are good as long as this object. A
        `lease` is taken before, and every commit is made under it; with `pseudonyms` payers are
        known by numbers (hub.retention.payers).
        Raises StoreError, ChainBrokenError, ReplayDivergedError.
        """
        rules = rules or Rules()
        store = Store(url, lease)
        try:
            core = rebuild(store, layout, attributor, rules)
            core = adopt_layout(core, store, layout, attributor, rules)
        except BaseException:
            store.close()
            raise
        hub = cls(
            core,
            store,
            gateway=gateway or FakeGateway(),
            ask_inline=ask_inline,
            snapshot_every=snapshot_every,
            entry_keys=entry_keys,
        )
        hub._last_us = us(core.state.now_s)
        hub.payers = Payers(store) if pseudonyms else None
        return hub

    def close(self) -> None:
        """Closes the database. Inputs without effects may be unstored: they had none."""
        self.store.close()

    # -- driving --------------------------------------------------------------------------

    def start(self, now_s: float) -> list[Outgoing]:
        """The first call: takes up what was under way; returns retained configurations."""
        self._check()
        now = self._now(now_s)
        self._started = True
        if self._position:
            self._do(c.Resume(), now)
            if self.core.state.level < LEVEL:
                self._do(c.Adopt(level=LEVEL), now)
        told = configs(self.core.state.store, self.store, self._rows)
        out = [self.outgoing("config", one.node_id, one, qos=1, retain=True) for one in told]
        self._commit()
        self._ask(now)
        return out

    def ingest(self, deliveries: Sequence[Delivery], now_s: float) -> list[Outgoing]:
        """Takes messages of nodes in; each (device, boot, sequence) takes effect once.

        A delivery is (topic, payload), or the bytes of an envelope; a batch counts as what is in
        it. Returns acks, only made after the commit. What cannot be understood is a dead letter.
        """
        self._check(started=True)
        now = self._now(now_s)
        out: list[Outgoing] = []
        single, unreadable = unpacked(deliveries)
        for begin in range(0, len(single), BATCH_MAX):
            if begin:
                # A chunk that has to be undone must take no other one with it.
                self._store()
            heard = self._take_chunk(single[begin : begin + BATCH_MAX], now)
            for name, ack in self._outlived.acks(self.core.state.devices, heard):
                out.append(self.outgoing("ack", name, ack, qos=1))
        for name, payload, reason in unreadable:
            self._dead(name, payload, now, reason)
        self._commit()
        self._ask(now)
        return out + self.cues(now)

    def cues(self, now_s: float, *, anew: bool = False) -> list[Outgoing]:
        """What walls are to show and their nodes are not told yet, or not for two seconds; all of
        it `anew`. To be published after commands; `ingest` and `tick` return it."""
        if anew:
            self._cues.forget()
        if due := self._cues.due(self.core.state, now_s):
            self._commit()
        return [self.outgoing("cues", name, cues, qos=1) for name, cues in due]

    def step(
        self, deliveries: Sequence[Delivery], now_s: float, *, tick: bool, answers: Answers = ()
    ) -> list[Outgoing]:
        """The gateway's answers, `ingest`, and `tick` if time is to pass, in one commit for all up
        to the last chunk. If it fails `recover` asks the gateway again."""
        self._check(started=True)
        self._together, self._due = True, False
        try:
            for answer in answers:
                with suppress(RejectedError):
                    self._do(answer, self._now(now_s))
            out = self.ingest(deliveries, now_s) if deliveries else self.cues(self._now(now_s))
            if tick:
                out += self.tick(now_s)
        finally:
            self._together = False
        if self._due:
            self._store()
        self._ask(self.now_s)
        return out

    def tick(self, now_s: float) -> list[Outgoing]:
        """Lets time pass: decisions, settlements, retries, pings."""
        self._check(started=True)
        now = self._now(now_s)
        if self.core.busy or self.core.due(now):
            self._journal("tick", c.Tick().model_dump_json(), now)
            try:
                effects = self.core.tick(now)
            except Exception as error:
                if self.core.applying is not None:  # a message that had waited
                    self._set_aside(self.core.applying, error, now)
                raise  # what came with this step comes again
            self._keep(effects)
            self._ask(now)
        if self._position - self._snapshot_at >= self._snapshot_every and self.core.quiet:
            self._snapshot(now)
        due = self._pings.due(self.core.state.devices.all, self.core.undated, now)
        out = [self.outgoing("ping", name, ClockPing(hub_us=us(now))) for name in due]
        return out + self.cues(now)

    def command(self, command: c.Command, now_s: float) -> c.Reply:
        """Does a command durably, or raises RejectedError and changes nothing."""
        self._check(started=True)
        now = self._now(now_s)
        for before in recalls(self.core.state, self.store, command):
            self._do(before, now)
        if self.payers is not None:
            command = self.payers.exchanged(command, self._rows, us(now))
        reply = self._do(command, now)
        self._commit()
        self._ask(now)
        return reply

    def compact(self, now_s: float) -> bool:
        """Takes a snapshot, which makes inputs before it needless, if nobody is in the store."""
        self._check(started=True)
        if self.core.quiet:
            self._snapshot(self._now(now_s))
        return self.core.quiet

    def recover(self, now_s: float | None = None) -> None:
        """After a halt: reads the database again and goes on from what is stored. With `now_s`
        waits that ran out meanwhile begin anew, as at a start."""
        self._rebuild()
        self.live.recovered()
        self.halted = None
        if now_s is not None:
            self._do(c.Resume(), self._now(now_s))

    @property
    def now_s(self) -> float:
        """The hub's time at its latest call."""
        return self._last_us / 1e6

    @property
    def started(self) -> bool:
        """Whether `start` was called: the journal is replayed and the hub goes on from it."""
        return self._started

    def digest(self) -> str:
        """SHA-256 of the core's state."""
        return self.core.digest()

    def exported(self) -> tuple[Store, StoreFile, GatewayTotals | None]:
        """What an export is made of, once everything is committed."""
        self._commit()
        return self.store, self.core.state.store, near_totals(self.gateway)

    def export_json(self) -> dict[str, Any]:
        """What the auditor reads; see hub.store.export for the format."""
        return export_json(*self.exported())

    def export(self, path: Path | str) -> None:
        """Writes what the auditor reads to a file."""
        write_export(Path(path), *self.exported())

    def _take_chunk(self, chunk: Sequence[Delivery], now: float) -> set[tuple[str, str]]:
        """Takes and commits one chunk. A message that breaks the rules' code is set aside.

        What it may have half done is undone by reading the database again; then the chunk is
        taken once more without it.
        """
        poisoned: _Set = set()
        for _ in range(len(chunk) + 1):
            try:
                heard = {
                    key
                    for delivery in chunk
                    if (key := self._take(delivery, now, poisoned)) is not None
                }
                self._commit()
            except (StoreError, HubHaltedError):
                raise
            except Exception as error:
                bad = self.core.applying
                if bad is None or bad in poisoned:
                    raise
                poisoned.add(bad)
                self._set_aside(bad, error, now)
            else:
                return heard
        raise HubError(f"expected a batch without faults after {len(chunk)} set aside")

    def _set_aside(self, bad: tuple[str, str, int], error: Exception, now: float) -> None:
        """Undoes what a message half did. What of it is stored is dead from now on."""
        self.store.mark_dead(*bad)
        self.recover()
        self._dead("", b"", now, f"{bad} broke the rules: {error!r}")
        self._store()

    def _take(self, delivery: Delivery, now: float, poisoned: _Set) -> tuple[str, str] | None:
        """Takes one delivery; returns the (device, boot) to acknowledge, if any."""
        name, payload = delivery if isinstance(delivery, tuple) else ("", delivery)
        devices = self.core.state.devices.all
        try:
            device_id, channel = address(name)
            if channel in ("events", "batch"):
                item = envelope_of(payload, self.core.state.store.store_id, device_id, devices)
                return self._sequenced(item, name, payload, now, poisoned)
            believed(devices.get(device_id), device_id)
            self.live.count(f"messages_{channel}")
            if channel == "pong":
                self._do(pong_of(device_id, payload), now)
                self.live.heard(device_id, now)
            else:
                self.live.unnumbered(channel, device_id, payload, now)
        except (ContractError, ValueError) as error:
            if self.core.applying is not None:
                # Not of the message: the rules raised it, and half of what they do is done.
                raise
            self._dead(name, payload, now, str(error))
        return None

    def _sequenced(
        self, item: Envelope, name: str, payload: bytes, now: float, poisoned: _Set
    ) -> tuple[str, str] | None:
        key = device_id, boot_id = item.deviceid, item.bootid
        self.live.heard(device_id, now)
        if (last := self._outlived.last(self.core.state.devices, item)) is not None:
            if item.sequence > last:
                self._dead(name, payload, now, f"expected a boot of late, {boot_id} was long ago")
            return key
        admission = self.core.admit(item)
        self.live.count(f"messages_{admission}")
        if admission == "duplicate":
            if gap := self._gaps.given_up(self.core.state.devices, item, now):
                self._do(gap, now)
            return key
        if admission == "full":
            return None
        if item.type in (GateScanned.TYPE, WallScanned.TYPE):
            judged, item, payload = judged_scan(self.entry_keys, item, payload)
            if judged is not None:
                self._do(judged, now)
        dead = (device_id, boot_id, item.sequence) in poisoned
        self._position += 1
        self._rows.insert(t.inbox, inbox_row(item, payload, self._position, self._last_us, dead))
        for evidence in evidence_rows(item, self._last_us):
            self._rows.upsert(evidence_table, evidence)
        self._add(self.core.skip(item, now) if dead else self.core.handle(item, now))
        for who, boot, number, reason in self.core.unread:
            self._dead(name, payload, now, f"{who} {boot} {number}: {reason}")
        self.core.unread.clear()
        return key

    def _dead(self, name: str, payload: bytes, now: float, reason: str) -> None:
        self._refused.keep(self._rows, self.live, name, payload, now, reason)

    # -- journal and commits --------------------------------------------------------------

    def _do(self, command: c.Command, now: float) -> c.Reply:
        """Applies a command and journals it; commits are the caller's, effects permitting."""
        try:
            reply, effects = self.core.command(command, now)
        except (RejectedError, StoreError):
            raise
        except Exception as error:
            # Half of it is done and not in the journal: nothing of that may be stored.
            self.halted = f"a command broke the rules: {error!r}"
            raise
        self._journal(command.kind, command.model_dump_json(), now)
        self._keep(effects)
        return reply

    def _journal(self, kind: str, payload: str, now: float) -> None:
        self._position += 1
        self._pending += 1
        self._rows.insert(
            t.commands,
            {"position": self._position, "at_us": us(now), "kind": kind, "payload": payload},
        )

    def _keep(self, effects: Effects) -> None:
        """Adds effects to the next commit, and commits if there are any worth it."""
        self._add(effects)
        if effects or self._pending >= BATCH_MAX:
            self._commit()

    def _add(self, effects: Effects) -> None:
        if effects is not NOTHING:
            add_effects(self._rows, effects, self.core.state)
            self.asks.extend(effects.asks)
        self.live.happened(effects)

    def _commit(self) -> None:
        self._due = True
        if not self._together:
            self._store()

    def _store(self) -> None:
        if not self._rows:
            return
        rows, self._rows, self._pending = self._rows, Rows(), 0
        try:
            self.store.write(rows)
        except StoreWriteError as error:
            self.halted = str(error)
            raise
        self.live.count("commits")

    def _ask(self, now: float) -> None:
        """Asks the gateway what the last commit decided to ask; its answers are inputs too."""
        while self._ask_inline and self.asks and not self._together:
            request = self.asks.popleft()
            self._do(self.ask_gateway(request), now)
            self._commit()

    def ask_gateway(self, request: GatewayRequest) -> c.GatewayAnswered:
        """Asks once; no answer is an answer of its own. Safe outside the hub's lock."""
        if self.payers is not None:
            request = replace(request, payer=self.payers.name(request.payer))
        answer, self.gateway_fault = ask_once(self.gateway, request)
        if self.gateway_fault is not None:
            self.live.count("gateway_setup_errors")
        return answer

    def _snapshot(self, now: float) -> None:
        self._do(c.Rebase(), now)
        self._rows.insert(t.snapshots, snapshot_row(self.core, self._position, us(now)))
        self._store()
        self._snapshot_at = self._position
        self.store.prune(self._position, us(now) - self.inputs_kept_us)

    def _rebuild(self) -> None:
        state = self.core.state
        self.core = rebuild(self.store, state.store, state.factory, state.rules)
        self._rows, self._pending = Rows(), 0
        if self.payers is not None:
            self.payers.forget_all()
        self._position = self.store.last_position()
        self.asks = deque(ask.request for ask in self.core.state.asks.values())

    def _check(self, *, started: bool = False) -> None:
        if self.halted is not None:
            raise HubHaltedError(f"the hub halted ({self.halted}); call recover()")
        if started and not self._started:
            raise HubError("expected start(now_s) before anything else")

    def _now(self, now_s: float) -> float:
        """Whole microseconds, never backwards: replay must see the very same numbers."""
        self._last_us = max(self._last_us, us(now_s))
        return self._last_us / 1e6

    def outgoing(
        self, channel: str, device_id: str, message: Message, *, qos: int = 0, retain: bool = False
    ) -> Outgoing:
        """A message to a device, on its channel."""
        name = topic(channel, store_id=self.core.state.store.store_id, device_id=device_id)
        return Outgoing(name, encode(message), qos, retain)
