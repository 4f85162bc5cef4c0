"""Drains the outbox over a bus: a bounded window, sent again when it must be.

PUBACK says that the broker has a message, not that the hub stored it, and a broker may be killed
in between. So what counts is the hub's own cumulative acknowledgement; until it comes the event
stays in the outbox, and it is sent again after a reconnection or when acknowledgements stall. The
hub takes each `(device, boot_id, seq)` once, so that sending twice does no harm.

What waits goes several events to a letter: a letter costs broker and hub about as much as taking
an event in does, and after an absence of the hub there are thousands.

Pauses grow while the hub is silent, for it is away or has too much to do. An acknowledgement that
confirms nothing new is another matter: the hub is there, and waits behind a gap for an event that
was lost. Then it is sent again soon.

What a newer boot says waits until all of the boots before it is confirmed: its watermarks would
tell the hub that everything up to now is known while the last words of the old boot are still
lost on the way, and a visit would settle without them.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from contracts.codec import joined, packed
from contracts.envelope import BATCH_EVENTS_MAX
from contracts.messages import HubAck
from edge.bus import Bus, Letter
from edge.outbox import Outbox

__all__ = ["Drain", "DrainSettings"]


class DrainSettings(BaseModel):
    """How much may be under way and how long an answer may take."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    window: Annotated[int, Field(ge=1, le=10_000, description="events sent and not confirmed")] = (
        256
    )
    batch: Annotated[
        int, Field(ge=1, le=BATCH_EVENTS_MAX, description="events read from disk and sent at once")
    ] = 32
    stall_s: Annotated[float, Field(gt=0, le=600, description="send again after no progress")] = 3.0
    stall_max_s: Annotated[float, Field(gt=0, le=3600, description="longest such pause")] = 30.0
    boot_patience: Annotated[
        int,
        Field(
            ge=1,
            le=100_000,
            description="words of a hub that confirms nothing until a newer boot is sent all the "
            "same: a hub put back to an older copy misses what nobody has any more",
        ),
    ] = 60
    gap_s: Annotated[
        float, Field(gt=0, le=600, description="send again if the hub answers and misses something")
    ] = 0.5


class Drain:
    """Moves events from the outbox to the bus. `resent` counts events sent more than once."""

    def __init__(
        self,
        outbox: Outbox,
        bus: Bus,
        *,
        topic: str,
        batch_topic: str,
        settings: DrainSettings | None = None,
    ) -> None:
        self._outbox = outbox
        self._bus = bus
        self._topic = topic
        self._batch_topic = batch_topic
        self._settings = settings or DrainSettings()
        self._session = 0
        self._sent_upto = 0
        self._ever_sent_upto = 0
        self._under_way = 0
        self._progress_s = 0.0
        self._stall_s = self._settings.stall_s
        self._gap = False
        self._gap_s = self._settings.gap_s
        self._boot_id = ""
        self._unanswered = 0
        self.resent = 0

    def acknowledge(self, ack: HubAck, now_s: float) -> int:
        """The hub committed up to a number: the outbox forgets; how many events that were."""
        forgotten = self._outbox.forget(ack.boot_id, ack.upto_seq)
        if forgotten:
            self._under_way = self._outbox.waiting_upto(self._sent_upto)
            self._progress_s = now_s
            self._stall_s = self._settings.stall_s
            self._gap_s = self._settings.gap_s
            self._unanswered = 0
        self._gap = not forgotten and self._under_way > 0
        return forgotten

    def heard(self) -> None:
        """The hub said something: it is not away, and the pauses that grew meanwhile are over."""
        self._stall_s = self._settings.stall_s
        self._unanswered += 1

    def pump(self, now_s: float) -> int:
        """Sends what the window allows; how many events were handed over."""
        if not self._bus.connected or self._outbox.waiting == 0:
            self._under_way = 0 if self._outbox.waiting == 0 else self._under_way
            return 0
        if self._session != self._bus.session:
            self._session = self._bus.session
            self._rewind(now_s)
            self._stall_s = self._settings.stall_s
        elif self._under_way and self._gap and now_s - self._progress_s >= self._gap_s:
            self._rewind(now_s)
            # Doubled, so that a hub that is slow and not deaf is not buried under repetitions.
            self._gap_s = min(self._settings.stall_s, 2 * self._gap_s)
        elif self._under_way and now_s - self._progress_s >= self._stall_s:
            self._rewind(now_s)
            self._stall_s = min(self._settings.stall_max_s, 2 * self._stall_s)
        sent = 0
        while self._under_way < self._settings.window:
            limit = min(self._settings.batch, self._settings.window - self._under_way)
            rows = self._outbox.unacked(after=self._sent_upto, limit=limit)
            if not rows:
                break
            if self._under_way == 0:
                self._progress_s = now_s
                self._boot_id = rows[0].boot_id
            if self._unanswered < self._settings.boot_patience:
                rows = [row for row in rows if row.boot_id == self._boot_id]
                if not rows:
                    break
            for part in packed([row.payload for row in rows]):
                if not self._bus.publish(self._letter(part)):
                    return sent
                carried, rows = rows[: len(part)], rows[len(part) :]
                self.resent += sum(row.order <= self._ever_sent_upto for row in carried)
                self._sent_upto = carried[-1].order
                self._ever_sent_upto = max(self._ever_sent_upto, self._sent_upto)
                self._under_way += len(part)
                sent += len(part)
        return sent

    def _letter(self, part: Sequence[bytes]) -> Letter:
        if len(part) == 1:
            return Letter(self._topic, part[0])
        return Letter(self._batch_topic, joined(part))

    def _rewind(self, now_s: float) -> None:
        self._sent_upto = 0
        self._under_way = 0
        self._gap = False
        self._progress_s = now_s
