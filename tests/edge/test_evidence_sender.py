"""Evidence goes to the hub only when it asks: sent, told to be gone, dropped and counted."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from edge import courier, evidence_sender
from edge.evidence_sender import EvidenceSender, evidence_path
from tests.edge.process_kit import until


class Hub:
    """Takes what is put, or fails while it is told to."""

    def __init__(self) -> None:
        self.got: list[tuple[str, bytes]] = []
        self.down = False
        self.slow = threading.Event()
        self.slow.set()

    def put(self, path: str, data: bytes) -> None:
        self.slow.wait(10)
        if self.down:
            raise OSError("the hub does not answer")
        self.got.append((path, data))


@pytest.fixture
def hub() -> Hub:
    return Hub()


@pytest.fixture
def sender(hub: Hub, monkeypatch: pytest.MonkeyPatch) -> Iterator[EvidenceSender]:
    monkeypatch.setattr(courier, "PAUSE_AFTER_FAILURE_S", 0.01)
    monkeypatch.setattr(evidence_sender, "WAITING_MAX", 2)
    made = EvidenceSender("node-a", hub.put)
    yield made
    hub.slow.set()
    made.close()
    made.close()


def test_pieces_and_what_is_gone(hub: Hub, sender: EvidenceSender) -> None:
    sender.offer("b-1", b"jpeg")
    sender.offer("b-2", None)
    until(lambda: sender.sent == 2, "both to be sent")
    assert hub.got == [
        (evidence_path("node-a", "b-1"), b"jpeg"),
        ("/api/v1/nodes/node-a/evidence/b-2/gone", b""),
    ]


def test_a_hub_that_is_away_costs_a_piece_not_the_thread(hub: Hub, sender: EvidenceSender) -> None:
    hub.down = True
    sender.offer("b-1", b"jpeg")
    until(lambda: sender.dropped == 1, "it to be dropped")
    assert sender.last_error is not None
    hub.down = False
    sender.offer("b-1", b"jpeg")
    until(lambda: sender.sent == 1, "it to be sent when asked again")
    assert sender.last_error is None


def test_no_more_wait_than_fit(hub: Hub, sender: EvidenceSender) -> None:
    hub.slow.clear()
    for number in range(5):
        sender.offer(f"b-{number}", b"x")
    assert sender.dropped >= 2
    hub.slow.set()
    until(lambda: sender.sent + sender.dropped == 5, "the rest to be sent")
    assert hub.got[-1][0].endswith("b-4"), "the newest stay"
