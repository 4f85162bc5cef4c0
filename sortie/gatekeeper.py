"""Gates that stay shut: what the hub refuses is told to the simulated world, tick by tick; and
what simulated staff say of the shelves is told to the hub.

In a real store the gate's own controller learns from the hub whether to open, and staff have a
handheld; in lockstep this carries the word. It knows of scans, refusals and what is said, and
nothing of the truth.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator
from itertools import takewhile

from hub.effects import LogEvent
from hub.service import Hub
from sortie.errors import HubAwayError
from sortie.lockstep import Phones
from store_sim.stream import SensorTick, SimulatedStream

__all__ = ["gated"]


def gated(stream: SimulatedStream, hub: Callable[[], Hub], phones: Phones) -> Iterator[SensorTick]:
    """The stream's ticks; between two of them the world hears whom the hub has refused, and the
    hub what staff have said.

    `hub` gives the hub that lives now, one that was killed and opened again is another object; it
    raises HubAwayError while there is none.
    """
    told = -1
    for tick in stream:
        yield tick
        phones.tell(stream.world.staff.take())
        try:
            feed = hub().live.feed
        except HubAwayError:
            continue
        for event in _since(feed, told):
            told = event.number
            if event.kind == "entry.refused":
                stream.world.refuse_gate(str(event.data["gate_id"]))


def _since(feed: deque[LogEvent], told: int) -> list[LogEvent]:
    """Events after a number, in their order. The newest stand last, and hardly any is new."""
    return list(takewhile(lambda event: event.number > told, reversed(feed)))[::-1]
