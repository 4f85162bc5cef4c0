"""The gateway fake refuses what a gateway refuses, and moves money once a key."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.errors import GatewayTimeoutError
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway import AskKind, GatewayRequest


@pytest.fixture
def gateway() -> Iterator[FakeGateway]:
    made = FakeGateway()
    yield made
    made.close()


def _ask(kind: AskKind, key: str, amount: int = 500, payer: str = "p") -> GatewayRequest:
    return GatewayRequest(key, kind, "hold-1", payer, amount, "EUR")


def _hold(payer: str = "p") -> GatewayRequest:
    return _ask("hold", "hold-1", payer=payer)


def test_the_same_key_moves_money_once(gateway: FakeGateway) -> None:
    gateway.ask(_hold())
    first = gateway.ask(_ask("capture", "c", 300))
    assert gateway.ask(_ask("capture", "c", 300)) == first
    assert first.outcome == "approved"
    assert gateway.ask(_ask("capture", "c", 301)).outcome == "conflict"
    assert gateway.ask(_ask("capture", "other", 100)).outcome == "declined"
    assert gateway.totals().captured_minor == 300


def test_no_capture_above_the_hold_and_no_refund_above_the_capture(gateway: FakeGateway) -> None:
    gateway.ask(_hold())
    assert gateway.ask(_ask("capture", "c1", 501)).outcome == "declined"
    assert gateway.ask(_ask("capture", "c2", 500)).outcome == "approved"
    assert gateway.ask(_ask("refund", "r1", 400)).outcome == "approved"
    assert gateway.ask(_ask("refund", "r2", 101)).outcome == "declined"
    assert gateway.ask(_ask("void", "v")).outcome == "declined"


def test_a_declined_card(gateway: FakeGateway) -> None:
    assert gateway.ask(_hold("declined-card")).outcome == "declined"
    assert gateway.totals().holds_open == 0
    assert gateway.ask(_ask("void", "v")).outcome == "approved"


def test_a_lost_answer_happened_and_a_timeout_did_not() -> None:
    faults: dict[int, Any] = {0: "timeout", 1: "lost"}
    gateway = FakeGateway(faults=lambda _request, times: faults.get(times, "none"))
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(_hold())
    assert gateway.totals().holds_open == 0
    with pytest.raises(GatewayTimeoutError):
        gateway.ask(_hold())
    assert gateway.totals().holds_open == 1
    assert gateway.ask(_hold()).outcome == "approved"
    assert gateway.totals().holds_open == 1
    gateway.close()


def test_the_books_survive_a_killed_hub(tmp_path: Path) -> None:
    path = str(tmp_path / "gateway.sqlite")
    first = FakeGateway(path)
    first.ask(_hold())
    first.close()
    second = FakeGateway(path)
    assert second.ask(_ask("capture", "c", 200)).outcome == "approved"
    assert second.totals().captured_minor == 200
    second.close()
