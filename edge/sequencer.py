"""Numbers for messages: what makes `(device, boot, sequence)` name a message for ever.

>>> from datetime import datetime, timezone
>>> sequencer = Sequencer(store_id="demo", device_id="node-a", boot_id="b1", config_revision=3)
>>> from contracts.messages import Watermark
>>> letter = sequencer.wrap(
...     Watermark(t_s=1.0, last_seq=-1), now_s=1.5, time=datetime.now(timezone.utc)
... )
>>> letter.sequence, letter.monotonicus, sequencer.next_seq
(0, 1500000, 1)
"""

from __future__ import annotations

from datetime import datetime

from contracts.codec import envelope
from contracts.envelope import Envelope
from contracts.messages import Message, Watermark

__all__ = ["Sequencer", "monotonic_us"]


def monotonic_us(now_s: float) -> int:
    """Monotonic seconds as the whole microseconds of envelopes and clock answers."""
    return max(0, round(now_s * 1e6))


class Sequencer:
    """Wraps the events of one boot, one number each, without a gap.

    A `Watermark` says which number came before it; ValueError if that is not true here, because
    such a watermark would promise messages that nobody numbered.
    """

    def __init__(
        self,
        *,
        store_id: str,
        device_id: str,
        boot_id: str,
        config_revision: int,
        first_seq: int = 0,
    ) -> None:
        self._store_id = store_id
        self._device_id = device_id
        self._boot_id = boot_id
        self._config_revision = config_revision
        self._next_seq = first_seq

    @property
    def next_seq(self) -> int:
        """The number that the next message gets."""
        return self._next_seq

    def wrap(self, message: Message, *, now_s: float, time: datetime) -> Envelope:
        """The envelope of the next message; `time` is the device's idea of UTC, aware."""
        if isinstance(message, Watermark) and message.last_seq != self._next_seq - 1:
            raise ValueError(
                f"expected a watermark after sequence {self._next_seq - 1}, got last_seq "
                f"{message.last_seq}; wrap every event of the core, in its order, once"
            )
        wrapped = envelope(
            message,
            store_id=self._store_id,
            device_id=self._device_id,
            boot_id=self._boot_id,
            sequence=self._next_seq,
            monotonic_us=monotonic_us(now_s),
            config_revision=self._config_revision,
            time=time,
        )
        self._next_seq += 1
        return wrapped
