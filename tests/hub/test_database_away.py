"""Whether there are accounts is in the database: while it is away nobody knows, and nobody is let
in for want of any."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from hub.errors import StoreError
from tests.hub.doors import Door


def test_a_hub_whose_database_is_away_lets_nobody_in_and_says_so(
    make_shop: Callable[..., Any], monkeypatch: Any
) -> None:
    """Until it answers nobody is an admin, and whoever asks is told to come again."""
    door = Door(make_shop())
    browser, accounts = door.browser(), door.accounts.store
    clock = [0.0]
    monkeypatch.setattr("hub.accounts.store.time.monotonic", lambda: clock[0])
    read = accounts.read

    def away(_statement: Any) -> Any:
        raise StoreError("the database cannot be read: it is away")

    monkeypatch.setattr(accounts, "read", away)
    for clock[0] in (10.0, 10.5, 11.5):
        for host in ("127.0.0.1", "shop.example"):
            answer = browser.get("/api/v1/staff/state", headers={"Host": host})
            assert answer.status_code == 503, (clock[0], host)
            assert answer.headers["retry-after"] == "1"
            assert answer.json()["status"] == 503
            assert "it is away" in answer.json()["detail"]
    assert browser.get("/healthz").status_code == 200, "it lives, and is not to be killed for this"
    monkeypatch.setattr(accounts, "read", read)
    clock[0] = 13.0
    assert browser.get("/api/v1/staff/state").status_code == 200, (
        "without accounts, on this machine"
    )
    refused = browser.get("/api/v1/staff/state", headers={"Host": "shop.example"})
    assert refused.status_code == 400


def test_who_asks_while_the_first_one_asks_for_accounts_waits(
    make_shop: Callable[..., Any], monkeypatch: Any
) -> None:
    """A hub that has just begun has asked nobody yet; a no that is no answer would let them in."""
    door = Door(make_shop())
    door.staff()
    store = door.accounts.store
    store._any, store._asked_s = False, float("-inf")
    begun, go_on = threading.Event(), threading.Event()
    read = store.read

    def slow(statement: Any) -> Any:
        begun.set()
        assert go_on.wait(10.0)
        return read(statement)

    monkeypatch.setattr(store, "read", slow)
    found: list[bool] = []
    threads = [threading.Thread(target=lambda: found.append(store.any_account())) for _ in range(2)]
    threads[0].start()
    assert begun.wait(10.0)
    assert not store._lock.acquire(blocking=False), "whoever comes now waits"
    threads[1].start()
    go_on.set()
    for thread in threads:
        thread.join()
    assert found == [True, True]
