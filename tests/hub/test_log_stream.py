"""Who follows the event log as a stream has each event once, over restarts and failed commits."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

import pytest

from hub.errors import StoreWriteError
from tests.hub.doors import COLA, Door

URL = "/api/v1/staff/events"


def prices(door: Door, count: int) -> None:
    for number in range(count):
        door.now_s += 1.0
        body = {"gtin": COLA, "price_minor": 100 + number}
        assert door.known("admin").post("/api/v1/staff/prices", json=body).status_code == 200


def told(door: Door, **more: Any) -> list[int]:
    """The numbers that a stream tells at once."""
    looks = iter(range(3))
    door.app.state.streams.ended = lambda: next(looks, None) is None
    answer = door.known("admin").get(URL, **more)
    assert answer.status_code == 200
    return [int(number) for number in re.findall(r"^id: (\d+)$", answer.text, re.MULTILINE)]


def open_door(make_shop: Callable[..., Any], *, staff: bool) -> Door:
    door = Door(make_shop("hub.sqlite"), staff_accounts=True)
    if staff:
        door.staff()
    return door


def test_a_follower_goes_on_where_it_was_after_a_restart(
    make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    first = open_door(make_shop, staff=True)
    prices(first, 7)
    first.accounts.store.close()
    first.hub.close()
    # More than are read at once.
    monkeypatch.setattr("hub.api.log.FEED_MAX", 3)
    monkeypatch.setattr("hub.api.streams.FEED_MAX", 3)
    again = open_door(make_shop, staff=False)
    again.now_s = first.now_s
    last = again.hub.core.state.log.number
    assert last >= 7
    assert told(again, params={"after": 2}) == list(range(3, last + 1))
    assert told(again, headers={"Last-Event-ID": "5"}) == list(range(6, last + 1))
    assert told(again, params={"after": last}) == []
    assert told(again, params={"after": 10**12}) == []
    prices(again, 1)
    assert told(again, params={"after": last - 1}) == [last, last + 1]
    assert told(again)[-1:] == [last + 1], "who names no number begins with the latest"
    again.accounts.store.close()


def test_what_could_not_be_stored_is_told_to_nobody(
    make_shop: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    door = open_door(make_shop, staff=True)
    prices(door, 2)
    last = door.hub.core.state.log.number

    def full(_rows: Any) -> None:
        raise StoreWriteError("nothing was stored: the disk is full")

    with monkeypatch.context() as patched:
        patched.setattr(door.hub.store, "write", full)
        door.now_s += 1.0
        body = {"gtin": COLA, "price_minor": 77}
        answer = door.known("admin").post("/api/v1/staff/prices", json=body)
        assert answer.status_code == 503
    assert told(door, params={"after": last}) == []
    door.hub.recover()
    assert told(door, params={"after": last}) == []
    prices(door, 1)
    assert told(door, params={"after": last}) == [last + 1]
    door.accounts.store.close()
