"""Questions are asked side by side, refunds beside all others, and never two about one hold."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

import pytest

from hub import commands as c
from hub.driver import ASKED_AT_ONCE, Driver
from hub.mqtt import Arrived
from hub.outgoing import Outgoing
from hub.wallet.fake import FakeGateway
from hub.wallet.gateway import GatewayAnswer, GatewayRequest
from hub.wallet.lanes import QUICK_S, Lane

COLA = "4006381333931"
WAIT_S = 30.0


class Quiet:
    """A broker that says nothing."""

    connected, dropped, sessions = True, 0, 0

    def take(self, most: int) -> list[Arrived]:
        return []

    def acknowledge(self, arrived: Sequence[Arrived]) -> None:
        return

    def publish(self, outgoing: Sequence[Outgoing]) -> None:
        return


class Slow(FakeGateway):
    """A gateway that thinks about refunds until it is let."""

    def __init__(self) -> None:
        super().__init__()
        self.may, self.thinks, self.held = threading.Event(), threading.Event(), threading.Event()

    def ask(self, request: GatewayRequest) -> GatewayAnswer:
        if request.kind == "refund":
            self.thinks.set()
            assert self.may.wait(WAIT_S)
        answer = super().ask(request)
        if request.hold_key.endswith("pay:1"):
            self.held.set()
        return answer


class Counted(FakeGateway):
    """A gateway that thinks about its first question until it is let, and counts."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self.may, self.thinks, self.asked = threading.Event(), threading.Event(), threading.Event()
        self._left = questions

    def ask(self, request: GatewayRequest) -> GatewayAnswer:
        self.thinks.set()
        assert self.may.wait(WAIT_S)
        answer = super().ask(request)
        self._left -= 1
        if not self._left:
            self.asked.set()
        return answer


class Crowded(FakeGateway):
    """A gateway that answers none of its first questions before all of them are there."""

    def __init__(self, questions: int) -> None:
        super().__init__()
        self.met = threading.Event()
        self.together = threading.Barrier(questions, action=self.met.set)

    def ask(self, request: GatewayRequest) -> GatewayAnswer:
        if not self.met.is_set():
            self.together.wait(WAIT_S)
        return super().ask(request)


def _request(key: str, hold: str) -> GatewayRequest:
    return GatewayRequest(key, "capture", hold, "payer", 100, "EUR")


def test_who_leaves_together_is_asked_about_at_once(make_shop: Callable[..., Any]) -> None:
    gateway = Crowded(ASKED_AT_ONCE)
    shop = make_shop(gateway=gateway)
    shop.hub._ask_inline = False
    driver = Driver(shop.hub, lambda: 20.0)
    driver.begin()
    driver.start(Quiet())
    try:
        for number in range(ASKED_AT_ONCE):
            name = f"{number:x}" * 64
            driver.command(c.OpenWallet(wallet_sha256=name))
            driver.command(c.TopUp(wallet_sha256=name, topup_id="t", amount_minor=500))
        assert gateway.met.wait(WAIT_S), "one question waits for another's answer"
    finally:
        driver.stop()
    assert gateway.totals().holds_open + gateway.totals().captured_minor // 500 == ASKED_AT_ONCE
    gateway.close()


def test_two_questions_about_a_hold_keep_their_order() -> None:
    lane = Lane()
    lane.put([_request("a1", "a"), _request("a2", "a"), _request("b1", "b")])
    first, other = lane.take(0.0), lane.take(0.0)
    assert first is not None
    assert other is not None
    assert (first.key, other.key) == ("a1", "b1")
    assert lane.take(0.0) is None, "a1 is not answered"
    lane.done(first)
    second = lane.take(0.0)
    assert second is not None
    assert second.key == "a2"


def test_a_question_waits_once_and_can_be_put_back() -> None:
    lane = Lane()
    lane.put([_request("a1", "a"), _request("a1", "a")])
    lane.put([_request("a1", "a"), _request("a2", "a")])
    taken = lane.take(0.0)
    lane.put([_request("a1", "a")])
    assert [one.key for one in lane.clear()] == ["a2"], "a1 is being asked"
    assert taken is not None
    lane.done(taken)
    lane.put([_request("a1", "a")])
    assert [one.key for one in lane.clear()] == ["a1"], "it may be asked again"


@pytest.mark.parametrize(("answers_in_s", "slow"), [(QUICK_S * 3, True), (QUICK_S / 3, False)])
def test_a_gateway_that_answers_at_once_is_asked_by_one(answers_in_s: float, slow: bool) -> None:
    now_s = 0.0
    lane = Lane(clock=lambda: now_s)
    assert lane.slow, "as long as nobody knows better"
    for number in range(20):
        lane.put([_request(f"{number}", f"{number}")])
        taken = lane.take(0.0)
        assert taken is not None
        now_s += answers_in_s
        lane.done(taken)
    assert lane.slow is slow


def test_questions_do_not_wait_for_the_writer_between_one_another(
    make_shop: Callable[..., Any],
) -> None:
    gateway = Counted(3)
    shop = make_shop(gateway=gateway)
    shop.hub._ask_inline = False
    driver = Driver(shop.hub, lambda: 20.0)
    driver.begin()
    for number in range(3):
        name = f"{number}" * 64
        driver.command(c.OpenWallet(wallet_sha256=name))
        driver.command(c.TopUp(wallet_sha256=name, topup_id="t", amount_minor=500))
    driver.start(Quiet())
    try:
        assert gateway.thinks.wait(WAIT_S)
        with driver.lock:
            gateway.may.set()
            assert gateway.asked.wait(WAIT_S), "all are asked while the writer is at work"
    finally:
        gateway.may.set()
        driver.stop()
    assert driver.gateway_asked >= 3
    left = {ask.request.kind for ask in shop.hub.core.state.asks.values()}
    assert "hold" not in left, "what was answered is taken, at the latest at the end"
    gateway.close()


def test_a_slow_refund_keeps_no_other_question_waiting(
    make_shop: Callable[..., Any], day: Any
) -> None:
    gateway = Slow()
    shop = make_shop(gateway=gateway)
    visit_id = shop.open_visit("code-one")
    day.shop(1.0, "t1", "code-one", [(COLA, True)])
    shop.play(day.script, 12.0)
    shop.hub._ask_inline = False
    driver = Driver(shop.hub, lambda: 20.0)
    driver.start(Quiet())
    try:
        lines = (c.RefundLine(line=1, quantity=1),)
        driver.command(c.RefundVisit(refund_id="r", visit_id=visit_id, lines=lines))
        assert gateway.thinks.wait(WAIT_S)
        driver.command(c.OpenWallet(wallet_sha256="ab" * 32))
        wish = c.TopUp(wallet_sha256="ab" * 32, topup_id="t", amount_minor=500)
        driver.command(wish)
        assert gateway.held.wait(WAIT_S), "the hold is asked while the refund is not answered"
        assert gateway.totals().refunded_minor == 0
    finally:
        gateway.may.set()
        driver.stop()
    assert gateway.totals().refunded_minor == 119
    gateway.close()
