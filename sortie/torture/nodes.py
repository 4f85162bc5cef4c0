"""Nodes without pixels: they tell what people truly do, through the production outbox and drain.

A node has a clock of its own, a boot id, a disk that may fail, and a line to the broker. Killed,
it loses all but its outbox and comes back as another boot; an act of which it had not stored the
end is never told by anybody.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Protocol

from contracts import messages as m
from contracts.codec import encode, envelope
from contracts.topics import topic
from edge.bus import Bus, Letter
from edge.drain import Drain
from edge.errors import OutboxError
from edge.outbox import Outbox
from sortie.torture.disk import Disk
from sortie.torture.people import Act, Shopper, acts_of
from sortie.torture.shop import closed, layout

__all__ = ["Node", "NodeLine", "Parted"]

WATERMARK_S = 1.0
STILL_S = 0.1
"""A watermark speaks of a moment so long ago: what came since is still being thought about."""
FIRST_US = 5_000_000
OUTBOX_READ_MAX = 100_000
_CLOSED = re.compile(rb'"data":\{"reach_id":"([a-z0-9-]+:([0-9]+)-([0-9]+))".*"t_close_s"')
NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(slots=True)
class Parted:
    """A track that was out of sight from `begin_s` to `end_s` and is another one afterwards."""

    begin_s: float
    end_s: float


class NodeLine(Bus, Protocol):
    """A node's connection, told of time and of the node's own starts."""

    now_s: float

    def opened(self) -> None:
        """The node's process has started."""
        ...


class Node:
    """One node. `acked` keeps, per boot, up to where the hub said that it has everything.

    A `silent` one sees nothing more and only sends what it has stored.
    """

    def __init__(
        self,
        node_id: str,
        disk: Disk,
        line: NodeLine,
        random: Random,
        shoppers: list[Shopper],
        *,
        boots: int = 0,
    ) -> None:
        self.node_id = node_id
        self.disk = disk
        self.line = line
        self.acked: dict[str, int] = {}
        self.stored: dict[str, int] = {}
        self.alive = False
        self.back_s = 0.0
        self.wall_jump_s = 0.0
        self.silent = False
        self.parted: dict[int, Parted] = {}
        self.resent = 0
        self.refused = 0
        self._random = random
        self._shoppers = shoppers
        self._floor = any(node.node_id == node_id and node.floor for node in layout().nodes)
        self._acts = list(acts_of(shoppers, node_id))
        self._boots = boots
        self._boot_s = 0.0
        self._jump_us = 0
        self._closing: list[tuple[Act, str]] = []
        self._scanning: list[Shopper] = []
        self._unsaid: list[m.Message] = []

    # -- life -------------------------------------------------------------------------------

    def boot(self, now_s: float) -> None:
        """Starts as another boot. The disk may fail at once: then it is not alive after this."""
        self._boots += 1
        self.boot_id = f"{self.node_id}-{self._boots}"
        self._boot_s, self._jump_us = now_s, 0
        self._sequence = 0
        self._said_s = now_s
        self._next_act = sum(act.t_in_s < now_s for act in self._acts)
        self._open: list[tuple[Act, str]] = []
        self._closing.clear()
        self._scanning.clear()
        self._next_scan = sum(one.scan_s < now_s for one in self._shoppers)
        self._tracks: dict[int, str] = {}
        self._marked_s = now_s
        self.line.opened()
        try:
            self.outbox = Outbox(self.disk.where / "outbox", boot_id=self.boot_id)
        except OutboxError:
            self.fall(now_s, 2.0)
            return
        self.drain = Drain(
            self.outbox,
            self.line,
            topic=self._topic("events"),
            batch_topic=self._topic("batch"),
        )
        self.alive = True
        self._came_through()
        self._unsaid = [m.NodeBorn(software="torture", config_revision=1, floor=self._floor)]

    def fall(self, now_s: float, away_s: float) -> None:
        """The process is gone, by a kill or because its machine lost power."""
        if self.alive:
            self.resent += self.drain.resent
            self.line.publish(Letter(self._topic("died"), encode(m.NodeDied(boot_id=self.boot_id))))
        if self.disk.dead is None:
            self.disk.die("kill")
        if hasattr(self, "outbox"):
            self.outbox.close()
        self.line.close()
        self.disk.crash(self._random)
        self.alive = False
        self.back_s = now_s + away_s

    def say(self, message: m.Message) -> None:
        """One message more, with the next step; a dead node says nothing."""
        if self.alive:
            self._unsaid.append(message)

    def jump(self, by_s: float) -> None:
        """The device's clock jumps; the hub finds out by its pings."""
        self._jump_us += round(by_s * 1e6)

    def device_us(self, hub_s: float) -> int:
        """The device's monotonic clock, in microseconds."""
        return max(0, round((hub_s - self._boot_s) * 1e6) + FIRST_US + self._jump_us)

    # -- a step -----------------------------------------------------------------------------

    def step(self, now_s: float) -> None:
        """Reads what arrived, stores what was seen since the last step, and sends."""
        self.line.now_s = now_s
        if not self.alive:
            if now_s >= self.back_s:
                self.boot(now_s)
            return
        try:
            self._read(now_s)
            if not self.silent:
                self._unsaid.extend(self._seen(now_s))
            self._say(now_s)
        except OutboxError:
            self.refused += 1
        if self.disk.dead is not None:
            self.fall(now_s, self._random.uniform(0.5, 6.0))
            return
        self.drain.pump(now_s)

    def _came_through(self) -> None:
        """An append that failed as its process died may be whole on the disk all the same."""
        for row in self.outbox.unacked(limit=OUTBOX_READ_MAX):
            found = _CLOSED.search(row.payload)
            if found is not None:
                number, act = int(found[2]), int(found[3])
                self._shoppers[number].acts[act].told = found[1].decode()

    def _read(self, now_s: float) -> None:
        for letter in self.line.poll():
            channel = letter.topic.rsplit("/", 1)[1]
            if channel == "ack":
                ack = m.HubAck.model_validate_json(letter.payload)
                self.acked[ack.boot_id] = max(ack.upto_seq, self.acked.get(ack.boot_id, -1))
                with suppress(OutboxError):
                    self.drain.acknowledge(ack, now_s)
            elif channel == "ping":
                ping = m.ClockPing.model_validate_json(letter.payload)
                self.drain.heard()
                pong = m.ClockPong(
                    hub_us=ping.hub_us, boot_id=self.boot_id, device_us=self.device_us(now_s)
                )
                self.line.publish(Letter(self._topic("pong"), encode(pong), qos=0))

    def _say(self, now_s: float) -> None:
        """Numbers and stores what is to be said; OutboxError if the disk does not take it: then
        it is said with the next step. Nobody has seen the numbers it would have had."""
        if not self._unsaid:
            return
        wall = NOON + timedelta(seconds=now_s % 86_400 + self.wall_jump_s)
        batch = [
            (
                self._sequence + index,
                encode(
                    envelope(
                        message,
                        store_id=layout().store_id,
                        device_id=self.node_id,
                        boot_id=self.boot_id,
                        sequence=self._sequence + index,
                        monotonic_us=self.device_us(now_s),
                        config_revision=1,
                        time=wall,
                    )
                ),
            )
            for index, message in enumerate(self._unsaid)
        ]
        self.outbox.append(batch)
        self._unsaid.clear()
        self._sequence += len(batch)
        self.stored[self.boot_id] = self._sequence - 1
        for act, reach_id in self._closing:
            act.told = reach_id
        self._closing.clear()
        for one in self._scanning:
            one.scanned = True
        self._scanning.clear()

    # -- what is seen -----------------------------------------------------------------------

    def _seen(self, now_s: float) -> Iterator[m.Message]:
        yield from self._shelf(now_s)
        if self._floor:
            yield from self._gate(now_s)
            segments = tuple(self._segments(now_s))
            if segments:
                yield m.FloorTracksMoved(t_s=self._device_s(now_s), segments=segments)
        self._said_s = now_s
        if now_s >= self._marked_s + WATERMARK_S:
            self._marked_s = now_s
            yield m.Watermark(
                t_s=self._device_s(now_s - STILL_S),
                last_seq=self._sequence - 1,
                open_reaches=tuple(
                    m.OpenReach(
                        reach_id=reach_id,
                        bay_id=act.place.bay_id,
                        t_open_s=self._device_s(act.t_in_s),
                        u_m=act.place.u_m,
                    )
                    for act, reach_id in self._open
                ),
            )

    def _shelf(self, now_s: float) -> Iterator[m.Message]:
        while self._next_act < len(self._acts) and self._acts[self._next_act].t_in_s <= now_s:
            act = self._acts[self._next_act]
            self._next_act += 1
            owner = self._owner(act)
            if owner.turned_away or act.t_in_s > owner.exit_s:
                continue
            reach_id = f"{self.boot_id}:{self._name(act)}"
            self._open.append((act, reach_id))
            yield m.ReachOpened(
                reach_id=reach_id,
                bay_id=act.place.bay_id,
                t_s=self._device_s(act.t_in_s),
                u_m=act.place.u_m,
            )
        for act, reach_id in [row for row in self._open if row[0].t_out_s + 0.3 <= now_s]:
            self._open.remove((act, reach_id))
            self._closing.append((act, reach_id))
            yield closed(
                act.place,
                reach_id,
                quantity=act.quantity,
                clear=act.clear,
                t_in_s=self._device_s(act.t_in_s),
                t_out_s=self._device_s(act.t_out_s),
            )

    def _gate(self, now_s: float) -> Iterator[m.Message]:
        while (
            self._next_scan < len(self._shoppers)
            and self._shoppers[self._next_scan].scan_s <= now_s
        ):
            one = self._shoppers[self._next_scan]
            self._next_scan += 1
            if one.code and not one.turned_away:
                self._scanning.append(one)
                yield m.GateScanned(gate_id="entry", code=one.code, t_s=self._device_s(one.scan_s))

    def _segments(self, now_s: float) -> Iterator[m.TrackSegment]:
        for one in self._shoppers:
            begin_s, end_s = one.path[0][0], one.exit_s
            if begin_s > now_s or end_s < self._said_s or one.turned_away:
                continue
            parted = self.parted.get(one.number)
            if parted is not None and parted.begin_s <= now_s < parted.end_s:
                yield from self._part(one)
                continue
            known = self._tracks.get(one.number)
            if known is None:
                known = self._tracks[one.number] = f"{self.boot_id}:t{one.number}"
            linked = None
            if parted is not None and now_s >= parted.end_s and not known.endswith("x"):
                linked, known = known, f"{known}x"
                self._tracks[one.number] = known
            state = "alive" if one.track_id == known else "born"
            one.track_id = known
            over = end_s <= now_s
            yield m.TrackSegment(
                track_id=known,
                state="ended" if over else state,
                points=tuple(self._points(one, now_s)),
                linked_from=linked,
            )

    def _part(self, one: Shopper) -> Iterator[m.TrackSegment]:
        known = self._tracks.get(one.number)
        if known is not None and one.track_id == known:
            one.track_id = None
            yield m.TrackSegment(track_id=known, state="lost")

    def _points(self, one: Shopper, now_s: float) -> Iterator[m.TrackPoint]:
        """Where somebody was, four times a second since the last step."""
        tick = int(self._said_s * 4) + 1
        while tick / 4 <= now_s:
            at = one.at(tick / 4)
            if at is not None:
                yield m.TrackPoint(t_s=self._device_s(tick / 4), x_m=at[0], y_m=at[1], sd_m=0.08)
            tick += 1
        if self._said_s < one.exit_s <= now_s:
            _, x_m, y_m = one.path[-1]
            yield m.TrackPoint(t_s=self._device_s(one.exit_s), x_m=x_m, y_m=y_m, sd_m=0.08)

    def _name(self, act: Act) -> str:
        """Whose act it is, and which of theirs; for those who judge, not for the hub."""
        one = self._owner(act)
        return f"{one.number}-{next(k for k, mine in enumerate(one.acts) if mine is act)}"

    def _owner(self, act: Act) -> Shopper:
        return next(one for one in self._shoppers if any(mine is act for mine in one.acts))

    def _device_s(self, hub_s: float) -> float:
        return max(0.0, self.device_us(hub_s) / 1e6)

    def _topic(self, channel: str) -> str:
        return topic(channel, store_id=layout().store_id, device_id=self.node_id)
