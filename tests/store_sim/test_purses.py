"""Which simulated shoppers pay with a wallet, and that they tip once their visit is paid."""

from __future__ import annotations

import threading
import time
import urllib.error
from email.message import Message
from typing import Any

import pytest

import store_sim.phones
from store_sim.phones import HubClient, Phones, PhoneVisit, RefusedError
from store_sim.purses import Purses

DEADLINE_S = 60.0


class Client(HubClient):
    """A hub that notes what it is asked; `failures` requests fail first."""

    def __init__(self, stages: tuple[str, ...] = ("final",), failures: int = 0) -> None:
        super().__init__("http://hub.test")
        self.asked: list[tuple[str, str]] = []
        self.tipped = threading.Event()
        self._stages = list(stages)
        self._failures = failures

    def _ask(
        self, method: str, path: str, body: dict[str, Any] | None, token: str = ""
    ) -> dict[str, Any]:
        if self._failures and path.endswith("/topups"):
            self._failures -= 1
            raise OSError("the hub says 503")
        self.asked.append((method, f"{path} {token}".rstrip()))
        if path.endswith("/tip"):
            self.tipped.set()
        stage = self._stages.pop(0) if method == "GET" and len(self._stages) > 1 else None
        return {
            "token": "w-1" if path.endswith("/wallets") else "t-1",
            "visit_id": "v-1",
            "code": "c-1",
            "stage": stage or self._stages[0],
        }


def test_of_six_two_have_a_wallet_and_one_comes_with_a_friend() -> None:
    client = Client()
    purses = Purses(client)
    assert [purses.of(shopper) is not None for shopper in range(6)] == [
        False, True, True, False, True, False,
    ]  # fmt: skip
    assert [path for _, path in client.asked].count("/api/v1/wallets") == 2
    assert [shopper for shopper in range(12) if purses.tips(shopper)] == [1, 4, 7, 10]


def test_asking_again_after_a_failure_opens_no_second_wallet() -> None:
    client = Client(failures=1)
    purses = Purses(client)
    with pytest.raises(OSError, match="503"):
        purses.of(1)
    assert purses.of(1) == "w-1"
    assert purses.of(2) == "w-1"
    assert [path for _, path in client.asked] == [
        "/api/v1/wallets",
        "/api/v1/wallets/me/topups w-1",
        "/api/v1/wallets/me/order w-1",
    ]


def test_a_shopper_tips_when_the_visit_is_paid(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(store_sim.phones, "TIP_LOOK_S", 0.01)
    client = Client(stages=("issued", "shopping", "left", "final"))
    phones = Phones(client, say=print, purses=Purses(client))
    phones.ask(1)
    assert client.tipped.wait(DEADLINE_S)
    phones.close()
    assert client.asked.count(("GET", "/api/v1/phones/me t-1")) == 4
    assert client.asked.count(("POST", "/api/v1/phones/me/tip t-1")) == 1


def test_who_was_refused_tips_nothing() -> None:
    client = Client(stages=("refused",))
    phones = Phones(client, say=print, purses=Purses(client))
    phones.ask(1)
    end_s = time.monotonic() + DEADLINE_S
    pause = threading.Event()
    while ("GET", "/api/v1/phones/me t-1") not in client.asked:
        assert time.monotonic() < end_s
        pause.wait(0.01)
    phones.close()
    assert not client.tipped.is_set()
    assert PhoneVisit("v-1", "t-1", "c-1") == phones.visit_of(1)


def test_a_tip_that_the_store_does_not_take_is_offered_once() -> None:
    offered: list[str] = []
    heard = {"tip-1": threading.Event(), "tip-4": threading.Event()}

    class Proud(Client):
        def tip(self, visit: PhoneVisit, tip_id: str, amount_minor: int) -> None:
            offered.append(tip_id)
            heard[tip_id].set()
            raise RefusedError("the hub says 409")

    said: list[str] = []
    client = Proud()
    phones = Phones(client, say=said.append, purses=Purses(client))
    phones.ask(1)
    assert heard["tip-1"].wait(DEADLINE_S)
    phones.ask(4)
    assert heard["tip-4"].wait(DEADLINE_S)
    phones.close()
    assert offered == ["tip-1", "tip-4"], "nobody waits for a tip that was refused"
    assert said == [
        "shopper 1 could not tip: the hub says 409",
        "shopper 4 could not tip: the hub says 409",
    ]


@pytest.mark.parametrize(
    ("status", "refused"), [(404, True), (409, True), (422, True), (429, False), (503, False)]
)
def test_what_the_hub_refuses_is_told_from_what_it_cannot_do_now(
    status: int, refused: bool
) -> None:
    class Opener:
        def open(self, request: Any, timeout: float) -> Any:
            raise urllib.error.HTTPError(request.full_url, status, "", Message(), None)

    client = HubClient("http://hub.test")
    client._opener = Opener()  # type: ignore[assignment]
    with pytest.raises(OSError, match=f"the hub says {status}") as caught:
        client.open_wallet()
    assert isinstance(caught.value, RefusedError) == refused
