"""The drain over boots: the last words of the one before come first, whatever gets lost."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from contracts.codec import split
from contracts.messages import HubAck
from edge.bus import Letter, MemoryBroker
from edge.drain import Drain, DrainSettings
from edge.outbox import Outbox

Said = Callable[[], list[bytes]]


@pytest.fixture
def two_boots(tmp_path: Path) -> tuple[Outbox, Drain, Said]:
    """A node that said two things, died, and said two more; and what the hub's side has got."""
    path = tmp_path / "outbox"
    old = Outbox(path, boot_id="boot-1")
    old.append([(0, b'{"n":"old-0"}'), (1, b'{"n":"old-1"}')])
    old.close()
    outbox = Outbox(path, boot_id="boot-2")
    outbox.append([(0, b'{"n":"new-0"}'), (1, b'{"n":"new-1"}')])
    broker = MemoryBroker()
    hub, bus = broker.client("hub"), broker.client("n")
    hub.subscribe(("n/+",))
    drain = Drain(
        outbox, bus, topic="n/events", batch_topic="n/batch",
        settings=DrainSettings(boot_patience=5, stall_s=1.0),
    )  # fmt: skip

    def parts(letter: Letter) -> list[bytes]:
        return list(split(letter.payload)) if letter.topic == "n/batch" else [letter.payload]

    def said() -> list[bytes]:
        return [part for letter in hub.poll() for part in parts(letter)]

    return outbox, drain, said


def test_a_new_boot_waits_until_the_old_one_is_confirmed(
    two_boots: tuple[Outbox, Drain, Said],
) -> None:
    """Else its watermark would speak for what is still lost on the way."""
    outbox, drain, said = two_boots
    drain.pump(0.0)
    assert said() == [b'{"n":"old-0"}', b'{"n":"old-1"}']
    drain.acknowledge(HubAck(boot_id="boot-1", upto_seq=0), 0.1)
    drain.pump(0.1)
    assert said() == []
    drain.pump(2.0)
    assert said() == [b'{"n":"old-1"}'], "what was lost is said again, and nothing newer"
    drain.acknowledge(HubAck(boot_id="boot-1", upto_seq=1), 2.1)
    drain.pump(2.1)
    assert said() == [b'{"n":"new-0"}', b'{"n":"new-1"}']
    outbox.close()


def test_a_hub_that_never_confirms_an_old_boot_hears_the_new_one_in_the_end(
    two_boots: tuple[Outbox, Drain, Said],
) -> None:
    """A hub put back to an older copy misses what nobody has any more; the node is not mute."""
    outbox, drain, said = two_boots
    for second in range(100):
        drain.pump(float(second))
    assert not any(b"new" in part for part in said()), "while the hub is away nothing is given up"
    for second in range(5):
        drain.heard()
        drain.pump(100.0 + second)
    assert any(b"new" in part for part in said())
    outbox.close()
